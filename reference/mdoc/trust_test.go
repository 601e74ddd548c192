package mdoc

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/crl"
)

// revokes makes the world's authority's list with this number.
func (w *world) revokes(t *testing.T, number int64, certificates ...[]byte) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: w.at, NextUpdate: w.at.Add(24 * time.Hour)}
	for _, der := range certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: w.at, ReasonCode: 1})
	}
	der, err := x509.CreateRevocationList(nil, l, w.iaca.certificate, w.iaca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Chain, signature and object of the card are all remembered when the list comes.
func TestACardByARevokedSignerIsRefusedThoughItWasSeen(t *testing.T) {
	w := newWorld(t)
	response := w.present(t, shown...)
	verify := func() error {
		_, err := Verify(response, w.transcript, w.anchors, w.at)
		return err
	}
	for range 2 {
		if err := verify(); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		what string
		list []byte
		want error
	}{
		{"a list that names nobody", w.revokes(t, 1), nil},
		{"a list that names another", w.revokes(t, 2, w.iaca.Certificate()), nil},
		{"a list that names it", w.revokes(t, 3, w.signer.Certificate()), ErrSignerRevoked},
		{"an older list", w.revokes(t, 2), ErrSignerRevoked},
		{"a newer list that names it no more", w.revokes(t, 4), nil},
	} {
		if err := w.anchors.Revoked(step.list, w.at); err != nil {
			t.Fatal(err)
		}
		if err := verify(); !errors.Is(err, step.want) {
			t.Errorf("after %s: %v", step.what, err)
		}
	}
}

func TestStatusSignersAndReadersAreRevokedToo(t *testing.T) {
	w := newWorld(t)
	status, err := NewStatusSigner(w.iaca, &testKey("status").PublicKey, spec("status", signedAt, 300))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := NewReader(w.iaca, &testKey("reader").PublicKey, spec("reader", signedAt, 300))
	if err != nil {
		t.Fatal(err)
	}
	ask := map[string]func() error{
		"the status signer": func() error { _, err := w.anchors.StatusSigner([][]byte{status}, w.at); return err },
		"the reader":        func() error { _, _, err := w.anchors.Reader([][]byte{reader}, w.at); return err },
	}
	for who, asked := range ask {
		if err := asked(); err != nil {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := w.anchors.Revoked(w.revokes(t, 1, status, reader), w.at); err != nil {
		t.Fatal(err)
	}
	for who, asked := range ask {
		if err := asked(); !errors.Is(err, ErrSignerRevoked) {
			t.Errorf("%s, revoked: %v", who, err)
		}
	}
}

// A list counts on past its time; whoever must be sure asks whether it is in its time.
func TestAListPastItsTimeStillRevokesAndNoLongerAssures(t *testing.T) {
	w := newWorld(t)
	authority, late := w.iaca.certificate.SubjectKeyId, w.at.Add(24*time.Hour)
	if w.anchors.Listed(authority, w.at) {
		t.Error("there is a list before one came")
	}
	if err := w.anchors.Revoked(w.revokes(t, 1, w.signer.Certificate()), w.at); err != nil {
		t.Fatal(err)
	}
	if !w.anchors.Listed(authority, w.at) || w.anchors.Listed(authority, late) || w.anchors.Listed([]byte("another"), w.at) {
		t.Error("a list assures when, or of whom, it does not")
	}
	if _, err := w.anchors.DocumentSigner([][]byte{w.signer.Certificate()}, late); !errors.Is(err, ErrSignerRevoked) {
		t.Errorf("past its time: %v", err)
	}
}

func TestAListThatIsNoGoodChangesNothing(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	other.iaca = testIACA(t, "Another IACA")
	good := w.revokes(t, 1, w.signer.Certificate())
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	for what, list := range map[string][]byte{"another authority's": other.revokes(t, 1, w.signer.Certificate()), "a forged one": forged} {
		if err := w.anchors.Revoked(list, w.at); !errors.Is(err, crl.ErrList) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := w.anchors.Revoked(good, w.at.Add(24*time.Hour)); !errors.Is(err, crl.ErrList) {
		t.Errorf("one that is over: %v", err)
	}
	if _, err := w.anchors.DocumentSigner([][]byte{w.signer.Certificate()}, w.at); err != nil {
		t.Errorf("after them: %v", err)
	}
}

// Table B.3: a document signer is of its authority's country.
func TestASignerOfAnotherCountryIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	for country, want := range map[string]error{"KR": nil, "JP": ErrUntrusted} {
		key := testKey("ds of " + country)
		template := &x509.Certificate{Subject: pkix.Name{Country: []string{country}, CommonName: "DS"}}
		c, err := documentSignerProfile.make(template, w.iaca.certificate, &key.PublicKey, w.iaca.key, spec("DS", signedAt.AddDate(0, -1, 0), 400))
		if err != nil {
			t.Fatal(err)
		}
		if w.signer, err = NewKeySigner(key, c.Raw); err != nil {
			t.Fatal(err)
		}
		w.card = w.issue(t, cardFor3)
		if _, err := Verify(w.present(t, "family_name"), w.transcript, w.anchors, w.at); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", country, err, want)
		}
	}
}
