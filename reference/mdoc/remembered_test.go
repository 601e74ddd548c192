package mdoc

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Chain, signature and object are remembered from the first verification on; who is
// trusted, and when, is judged at each.
func TestWhatIsRememberedIsOfNoUseOnceItIsNoLongerGood(t *testing.T) {
	w := newWorld(t)
	response := w.present(t, shown...)
	verify := func(anchors *TrustAnchors, at time.Time) error {
		_, err := Verify(response, w.transcript, anchors, at)
		return err
	}
	signer := w.signer.Certificate()
	s, err := w.anchors.DocumentSigner([][]byte{signer}, w.at)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := verify(w.anchors, w.at); err != nil {
			t.Fatal(err)
		}
	}
	without, err := NewTrustAnchors(testIACA(t, "Another IACA").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what    string
		anchors *TrustAnchors
		at      time.Time
		want    error
	}{
		{"its root is trusted no more", without, w.at, ErrUntrusted},
		{"the last second of its signer's certificate", w.anchors, s.Until, nil},
		{"its signer's certificate has expired", w.anchors, s.Until.Add(time.Second), ErrSignerExpired},
		{"before its signer's certificate", w.anchors, s.From.Add(-time.Second), ErrSignerExpired},
		{"back in its time", w.anchors, w.at, nil},
	} {
		if err := verify(c.anchors, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// The new certificate has the old one's name, authority and times.
func TestARotatedKeyIsNotTakenForTheOneBeforeIt(t *testing.T) {
	w := newWorld(t)
	old := w.present(t, shown...)
	der, err := NewDocumentSigner(w.iaca, &testKey("ds 2").PublicKey, spec("Rollcall DS 1", signedAt.AddDate(0, -1, 0), 457))
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(response []byte) error {
		_, err := Verify(response, w.transcript, w.anchors, w.at)
		return err
	}
	if err := verify(old); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		key  string
		want error
	}{
		{"signed with the old key under the new certificate", "ds", ErrIssuerSignature},
		{"signed with the new key", "ds 2", nil},
		{"signed with the old key under the new certificate, which is remembered by now", "ds", ErrIssuerSignature},
	} {
		w.signer = &KeySigner{key: testKey(c.key), certificate: certificate} // NewKeySigner refuses one of another key
		w.card = w.issue(t, cardFor3)
		if err := verify(w.present(t, shown...)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if err := verify(old); err != nil {
		t.Errorf("a card from before: %v", err)
	}
}

// Otherwise what was signed before a certificate began would pass as that certificate's.
func TestACardThatWasSeenUnderOneCertificateIsJudgedAgainUnderAnother(t *testing.T) {
	w := newWorld(t)
	response, old := w.present(t, shown...), w.signer.Certificate()
	for what, c := range map[string]struct {
		key  string
		from time.Time
		want error
	}{
		"of the same key, from later on": {"ds", signedAt.Add(time.Minute), ErrUntrusted},
		"of another key":                 {"ds 2", signedAt.AddDate(0, -1, 0), ErrIssuerSignature},
		"of the same key and time":       {"ds", signedAt.AddDate(0, -1, 0), nil},
	} {
		if _, err := Verify(response, w.transcript, w.anchors, w.at); err != nil {
			t.Fatal(err)
		}
		var other []byte
		for i := 0; len(other) != len(old); i++ { // signatures differ in length
			var err error
			if other, err = NewDocumentSigner(w.iaca, &testKey(c.key).PublicKey, spec(fmt.Sprintf("Rollcall %04d", i), c.from, 457)); err != nil {
				t.Fatal(err)
			}
		}
		// The chain is no part of what is signed.
		if _, err := Verify(bytes.Replace(response, old, other, 1), w.transcript, w.anchors, w.at); !errors.Is(err, c.want) {
			t.Errorf("under a certificate %s: %v", what, err)
		}
	}
}
