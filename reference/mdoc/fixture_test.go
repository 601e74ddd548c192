package mdoc

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// world is an authority, a signer, a phone and a card that belong together.
type world struct {
	iaca       *IACA
	anchors    *TrustAnchors
	signer     *KeySigner
	phone      *ecdsa.PrivateKey
	card       []byte
	elements   []Element
	transcript []byte
	at         time.Time
}

var (
	signedAt = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)
	cardFor3 = Validity{Signed: signedAt, From: signedAt, Until: signedAt.AddDate(3, 0, 0)}
)

func testKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func testRandom(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

func spec(name string, from time.Time, days int) CertificateSpec {
	serial := sha256.Sum256([]byte(name))
	return CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, days)}
}

func testIACA(t testing.TB, name string) *IACA {
	t.Helper()
	a, err := NewIACA(testKey(name), IACASpec{
		CertificateSpec: spec(name, signedAt.AddDate(0, -6, 0), 3650),
		Country:         "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/iaca.crl",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testCard(t testing.TB) []Element {
	t.Helper()
	elements, err := Card{
		FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2,
		ResidentNumber: "900102-2345670", Address: "세종특별자치시 한누리대로 2130", Municipality: "36110",
		Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14",
		IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001",
	}.Elements()
	if err != nil {
		t.Fatal(err)
	}
	return elements
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{iaca: testIACA(t, "Rollcall IACA"), phone: testKey("phone"), at: signedAt.Add(time.Hour), elements: testCard(t)}
	certificate, err := NewDocumentSigner(w.iaca, &testKey("ds").PublicKey, spec("Rollcall DS 1", signedAt.AddDate(0, -1, 0), 457))
	if err != nil {
		t.Fatal(err)
	}
	if w.signer, err = NewKeySigner(testKey("ds"), certificate); err != nil {
		t.Fatal(err)
	}
	if w.anchors, err = NewTrustAnchors(w.iaca.Certificate()); err != nil {
		t.Fatal(err)
	}
	w.card = w.issue(t, cardFor3)
	w.transcript = OpenID4VPTranscript("x509_hash:abc", "nonce-1", nil, "https://bank.example/response")
	return w
}

func (w *world) issue(t testing.TB, v Validity) []byte {
	t.Helper()
	card, err := Issue(w.signer, testRandom("card"), &w.phone.PublicKey, w.elements, v, &StatusRef{URI: "https://rollcall.example/status/1", Index: 4711})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func (w *world) present(t testing.TB, names ...string) []byte {
	t.Helper()
	response, err := Present(w.card, names, w.transcript, w.phone)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// object is the mobile security object of the card, as the issuer signed it, and
// without the wrapper (§9.1.2.4).
func (w *world) object(t testing.TB) (wrapped, inner []byte) {
	t.Helper()
	s, err := parseIssuerSigned(w.card)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := cose.Parse(s.issuerAuth)
	if err != nil {
		t.Fatal(err)
	}
	if inner, err = cose.Untag24(auth.Payload); err != nil {
		t.Fatal(err)
	}
	return auth.Payload, inner
}

func readOne(response []byte) (*document, error) {
	all, err := parseResponse(response)
	if err != nil {
		return nil, err
	}
	return all.only()
}

// meet is what a phone answers to a reader nearby: two cards, one authenticated by
// MAC, and one that is missing.
func (w *world) meet(t testing.TB) []byte {
	t.Helper()
	agreement, err := w.phone.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	response, err := Respond(w.transcript, []Showing{
		{Card: w.card, Disclose: []string{"family_name"}, Withhold: []string{"portrait", "blood_type", "portrait"}, By: ByMAC(agreement, w.reader().PublicKey())},
		{Card: w.card, By: BySignature(w.phone)},
	}, []string{"org.iso.18013.5.1.mDL"})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (w *world) reader() *ecdh.PrivateKey {
	k, err := testKey("reader's ephemeral").ECDH()
	if err != nil {
		panic(err)
	}
	return k
}
