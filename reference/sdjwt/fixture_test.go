package sdjwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
)

// world is an authority, a signer, a phone and a card that belong together.
type world struct {
	iaca       *mdoc.IACA
	anchors    *mdoc.TrustAnchors
	signer     *mdoc.KeySigner
	phone      *ecdsa.PrivateKey
	credential Credential
	card       string
	want       Expected
}

var issuedAt = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

func testKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func testRandom(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

func spec(name string, from time.Time, days int) mdoc.CertificateSpec {
	serial := sha256.Sum256([]byte(name))
	return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, days)}
}

var record = mdoc.Card{
	FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2,
	ResidentNumber: "900102-2345670", Address: "세종특별자치시 한누리대로 2130", Municipality: "36110",
	Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14",
	IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001",
}

func testIACA(t testing.TB, name string) *mdoc.IACA {
	t.Helper()
	a, err := mdoc.NewIACA(testKey(name), mdoc.IACASpec{
		CertificateSpec: spec(name, issuedAt.AddDate(0, -6, 0), 3650),
		Country:         "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/iaca.crl",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{iaca: testIACA(t, "Rollcall IACA"), phone: testKey("phone")}
	certificate, err := mdoc.NewDocumentSigner(w.iaca, &testKey("ds").PublicKey, spec("Rollcall DS 1", issuedAt.AddDate(0, -1, 0), 457))
	if err != nil {
		t.Fatal(err)
	}
	if w.signer, err = mdoc.NewKeySigner(testKey("ds"), certificate); err != nil {
		t.Fatal(err)
	}
	if w.anchors, err = mdoc.NewTrustAnchors(w.iaca.Certificate()); err != nil {
		t.Fatal(err)
	}
	claims, disclosable, err := CardClaims(record)
	if err != nil {
		t.Fatal(err)
	}
	w.credential = Credential{
		Type: Type, Issuer: "https://rollcall.example", Issued: issuedAt, NotBefore: issuedAt, Expires: issuedAt.AddDate(1, 0, 0),
		Holder: &w.phone.PublicKey, Status: &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: 4711},
		Claims: claims, Disclosure: disclosable, Decoys: 3,
	}
	w.card = w.issue(t, w.credential)
	w.want = Expected{Types: []string{Type}, Audience: "x509_hash:bank", Nonce: "nonce-1", At: issuedAt.Add(time.Hour)}
	return w
}

func (w *world) issue(t testing.TB, c Credential) string {
	t.Helper()
	card, err := Issue(w.signer, testRandom("card"), c)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func (w *world) present(t testing.TB, show ...Path) string {
	t.Helper()
	text, err := Present(w.card, show, Binding{w.want.Audience, w.want.Nonce, w.want.At}, w.phone)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (w *world) verify(presentation string) (*Presented, error) {
	return Verify([]byte(presentation), w.anchors, w.want)
}

// forge signs a payload as the issuer would, whatever stands in it, and binds it
// with these disclosures.
func (w *world) forge(t testing.TB, header jws.Header, payload any, disclosures ...string) string {
	t.Helper()
	signed, err := jws.Sign(w.signer.Sign).Token(header, payload)
	if err != nil {
		t.Fatal(err)
	}
	return w.bind(t, strings.Join(append([]string{signed}, append(disclosures, "")...), "~"), nil)
}

// bind adds a key binding to what is shown, changed as the caller likes.
func (w *world) bind(t testing.TB, shown string, change func(header *jws.Header, claims map[string]any)) string {
	t.Helper()
	h := jws.Header{Type: bindingType}
	c := map[string]any{"iat": w.want.At.Unix(), "aud": w.want.Audience, "nonce": w.want.Nonce, "sd_hash": digestOf([]byte(shown))}
	if change != nil {
		change(&h, c)
	}
	binding, err := jws.With(w.phone).Token(h, c)
	if err != nil {
		t.Fatal(err)
	}
	return shown + binding
}

// payload is what the issuer signs of a card without claims.
func (w *world) payload(t testing.TB) map[string]any {
	t.Helper()
	holder, err := jws.KeyOf(&w.phone.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"vct": Type, "iat": issuedAt.Unix(), "exp": issuedAt.AddDate(1, 0, 0).Unix(),
		"_sd_alg": "sha-256", "cnf": map[string]any{"jwk": holder}}
}

func (w *world) header() jws.Header {
	return jws.Header{Type: Format, Chain: [][]byte{w.signer.Certificate()}}
}

// disclosed is a disclosure of this JSON.
func disclosed(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
