package terminal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/proximity"
)

var noon = time.Date(2025, 3, 14, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func random(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

func key(t testing.TB, name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]))(t)
}

func spec(name string) mdoc.CertificateSpec {
	serial := sha256.Sum256([]byte(name))
	return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(1, 0, 0)}
}

func authority(t testing.TB, name string) *mdoc.IACA {
	return must(mdoc.NewIACA(key(t, name), mdoc.IACASpec{CertificateSpec: spec(name), Country: "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/crl"}))(t)
}

// street is where a holder with a phone meets a bank with a terminal.
type street struct {
	cards, readers *mdoc.TrustAnchors
	bank           mdoc.Signer
	holder         *phone.Phone
	portrait       []byte
}

// newStreet gives the holder a card with a portrait of so many bytes, in two copies.
func newStreet(t testing.TB, portrait int) *street {
	t.Helper()
	iaca, readers := authority(t, "IACA"), authority(t, "readers")
	s := &street{cards: must(mdoc.NewTrustAnchors(iaca.Certificate()))(t), readers: must(mdoc.NewTrustAnchors(readers.Certificate()))(t),
		portrait: make([]byte, portrait)}
	random("portrait").Read(s.portrait)
	bank := must(mdoc.NewReader(readers, &key(t, "bank").PublicKey, spec("Bank of Sejong")))(t)
	s.bank = must(mdoc.NewKeySigner(key(t, "bank"), bank))(t)
	ds := must(mdoc.NewKeySigner(key(t, "ds"), must(mdoc.NewDocumentSigner(iaca, &key(t, "ds").PublicKey, spec("DS")))(t)))(t)

	s.holder = phone.New(must(phone.NewMaker("Test Phones", []byte("maker"), noon.AddDate(-1, 0, 0)))(t), []byte("a phone"))
	elements := must(mdoc.Card{FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2, ResidentNumber: "900102-2345670",
		Address: "세종특별자치시 한누리대로 2130", Municipality: "36110", Portrait: s.portrait, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14",
		IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001"}.Elements())(t)
	var copies [][]byte
	for i, k := range attested(t, must(s.holder.Attest("nonce", 2, noon))(t)) {
		copies = append(copies, must(mdoc.Issue(ds, random("card"), k, elements, mdoc.Validity{Signed: noon, From: noon, Until: noon.AddDate(3, 0, 0)},
			&mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: uint64(i)}))(t))
	}
	must(0, s.holder.Accept(copies))(t)
	return s
}

// attested are the keys of a key attestation.
func attested(t testing.TB, jwt string) (keys []*ecdsa.PublicKey) {
	t.Helper()
	var claims struct {
		Keys []struct{ X, Y string } `json:"attested_keys"`
	}
	body := must(base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1]))(t)
	must(0, json.Unmarshal(body, &claims))(t)
	for _, k := range claims.Keys {
		point := append([]byte{4}, must(base64.RawURLEncoding.DecodeString(k.X))(t)...)
		point = append(point, must(base64.RawURLEncoding.DecodeString(k.Y))(t)...)
		keys = append(keys, must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point))(t))
	}
	return keys
}

// allow is a holder who lets known readers see these elements and takes four
// seconds to say so.
func allow(names ...string) func(phone.Asked) phone.Decision {
	return func(a phone.Asked) phone.Decision {
		d := phone.Decision{After: 4 * time.Second}
		if a.Doubt == nil {
			d.Allow = names
		}
		return d
	}
}

func (s *street) offer(consent func(phone.Asked) phone.Decision) phone.Offer {
	return phone.Offer{Random: random("phone's ephemeral"), Now: func() time.Time { return noon }, Readers: s.readers, Consent: consent}
}

func (s *street) terminal() *Terminal { return New(s.bank, random("terminal's ephemeral")) }

// ways are those in which a phone and a terminal meet.
var ways = []string{"QR code", "static handover", "negotiated handover"}

// meet lets the holder's phone be asked by a terminal; link changes what lies
// between them.
func (s *street) meet(t testing.TB, way string, o phone.Offer, terminal *Terminal, link func(nfc.Card) *nfc.Link, documents ...proximity.DocumentRequest) (*phone.Encounter, *Meeting, error) {
	t.Helper()
	if way == "QR code" {
		e := must(s.holder.EngageQR(o))(t)
		m, err := terminal.AskByQR(e.URI(), link(e), documents...)
		return e, m, err
	}
	e := must(s.holder.EngageNFC(o, way == "negotiated handover"))(t)
	m, err := terminal.AskByNFC(link(e), documents...)
	return e, m, err
}

func asking(names ...string) proximity.DocumentRequest {
	d := proximity.DocumentRequest{DocType: mdoc.DocType}
	for _, n := range names {
		d.Elements = append(d.Elements, proximity.ElementRequest{Namespace: mdoc.Namespace, Name: n})
	}
	return d
}

func (s *street) verify(m *Meeting) (*mdoc.Response, error) {
	return mdoc.VerifyResponse(m.Response, m.Transcript, s.cards, noon, m.Reader)
}
