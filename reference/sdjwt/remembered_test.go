package sdjwt

import (
	"crypto/x509"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
)

// Header and chain are remembered from the first verification on; who is trusted, and
// when, is judged at each.
func TestWhatIsRememberedIsOfNoUseOnceItIsNoLongerGood(t *testing.T) {
	w := newWorld(t)
	text := []byte(w.present(t, Path{"family_name"}))
	chain := [][]byte{w.signer.Certificate()}
	s, err := w.anchors.DocumentSigner(chain, w.want.At)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(anchors *mdoc.TrustAnchors, at time.Time) error {
		want := w.want
		want.At = at
		_, err := Verify(text, anchors, want)
		return err
	}
	for range 2 {
		if err := verify(w.anchors, w.want.At); err != nil {
			t.Fatal(err)
		}
	}
	without, err := mdoc.NewTrustAnchors(testIACA(t, "Another IACA").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what    string
		anchors *mdoc.TrustAnchors
		at      time.Time
		want    error
	}{
		{"its root is trusted no more", without, w.want.At, mdoc.ErrUntrusted},
		{"its signer's certificate has expired", w.anchors, s.Until.Add(time.Second), mdoc.ErrSignerExpired},
		{"before its signer's certificate", w.anchors, s.From.Add(-time.Second), mdoc.ErrSignerExpired},
		{"back in its time", w.anchors, w.want.At, nil},
	} {
		if err := verify(c.anchors, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}

	certificate, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(w.iaca.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	for number, list := range [][]x509.RevocationListEntry{
		{{SerialNumber: certificate.SerialNumber, RevocationTime: w.want.At, ReasonCode: 1}},
		nil,
	} {
		der, err := x509.CreateRevocationList(nil, &x509.RevocationList{Number: big.NewInt(int64(number + 1)), ThisUpdate: w.want.At, NextUpdate: w.want.At.AddDate(0, 0, 1),
			RevokedCertificateEntries: list}, root, testKey("Rollcall IACA"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.anchors.Revoked(der, w.want.At); err != nil {
			t.Fatal(err)
		}
		if err := verify(w.anchors, w.want.At); errors.Is(err, mdoc.ErrSignerRevoked) != (list != nil) || list == nil && err != nil {
			t.Errorf("after list %d: %v", number+1, err)
		}
	}
}

// The new certificate has the old one's name, authority and times.
func TestARotatedKeyIsNotTakenForTheOneBeforeIt(t *testing.T) {
	w := newWorld(t)
	old := w.present(t, Path{"family_name"})
	certificate, err := mdoc.NewDocumentSigner(w.iaca, &testKey("ds 2").PublicKey, spec("Rollcall DS 1", issuedAt.AddDate(0, -1, 0), 457))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(old); err != nil {
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
		signed, err := jws.With(testKey(c.key)).Token(jws.Header{Type: Format, Chain: [][]byte{certificate}}, w.payload(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.verify(w.bind(t, signed+"~", nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if _, err := w.verify(old); err != nil {
		t.Errorf("a card from before: %v", err)
	}
}

// What one verification lends to the next (headers, buffers, maps) is never two's at once.
func TestManyMayVerifyAtOnce(t *testing.T) {
	w := newWorld(t)
	type text struct {
		presentation, given string
		want                error
	}
	var texts []text
	for i := range 6 {
		given := strings.Repeat("하", i+1)
		c := w.credential
		c.Claims = maps.Clone(c.Claims)
		c.Claims["given_name"] = given
		card, err := Issue(w.signer, testRandom(given), c)
		if err != nil {
			t.Fatal(err)
		}
		w.card = card
		good := w.present(t, Path{"given_name"}, Path{"nationalities", 0})
		texts = append(texts, text{good, given, nil}, text{strings.Replace(good, "~", "~"+disclosed(`["salt", "given_name", "x"]`)+"~", 1), "", ErrDisclosure})
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 60 {
				one := texts[(g+i)%len(texts)]
				shown, err := w.verify(one.presentation)
				if !errors.Is(err, one.want) {
					t.Error(err)
				}
				if err == nil && (shown.Claims["given_name"] != one.given || len(shown.Disclose) != 2) {
					t.Errorf("%v is shown, not %s", shown.Claims["given_name"], one.given)
				}
			}
		})
	}
	group.Wait()
}
