package proximity

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
)

var noon = time.Date(2025, 3, 14, 12, 0, 0, 0, time.UTC)

func testRandom(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

func testKey(t testing.TB, name string) *ecdh.PrivateKey {
	t.Helper()
	key, err := NewKey(testRandom(name))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signingKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// readers is an authority of readers, and a reader under it.
type readers struct {
	anchors *mdoc.TrustAnchors
	bank    *mdoc.KeySigner
}

func newReaders(t testing.TB) readers {
	t.Helper()
	spec := func(name string) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(2, 0, 0)}
	}
	root, err := mdoc.NewIACA(signingKey(t, "readers"), mdoc.IACASpec{CertificateSpec: spec("Readers"), Country: "KR",
		Contact: "https://readers.example/", CRL: "https://readers.example/crl"})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := mdoc.NewReader(root, &signingKey(t, "bank").PublicKey, spec("Bank"))
	if err != nil {
		t.Fatal(err)
	}
	r := readers{}
	if r.bank, err = mdoc.NewKeySigner(signingKey(t, "bank"), certificate); err != nil {
		t.Fatal(err)
	}
	if r.anchors, err = mdoc.NewTrustAnchors(root.Certificate()); err != nil {
		t.Fatal(err)
	}
	return r
}

// engaged is an engagement with its key.
func engaged(t testing.TB, name string) (*Engagement, *ecdh.PrivateKey) {
	t.Helper()
	key := testKey(t, name)
	e, err := NewEngagement(key.PublicKey(), &NFC{MaxCommand: 255, MaxResponse: 65536}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e, key
}

// met is a session after the reader's first message.
func met(t testing.TB) (reader, phone *Session) {
	t.Helper()
	e, key := engaged(t, "phone")
	reader, err := Engage(e, Handover{}, testKey(t, "reader"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := reader.Seal([]byte("a request"))
	if err != nil {
		t.Fatal(err)
	}
	phone, request, err := Accept(e, Handover{}, key, first)
	if err != nil || string(request) != "a request" {
		t.Fatalf("%q, %v", request, err)
	}
	return reader, phone
}
