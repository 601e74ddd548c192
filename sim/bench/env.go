package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// env is what benchmarks share: each thing is made when it is first wanted.
type env struct {
	ctx     context.Context
	o       Options
	made    map[string]*subject
	w       *world
	s       *Service
	empty   *Service // a server with an empty handler, and the bare service
	numbers int      // of operations of the bare service so far
	p       *Peers
	ended   []func()
}

func (e *env) atEnd(f func()) { e.ended = append(e.ended, f) }

func (e *env) close() {
	for _, f := range slices.Backward(e.ended) {
		f()
	}
}

// subject makes what a benchmark measures, once; nil: it cannot be measured here.
func (e *env) subject(b benchmark) (*subject, error) {
	if s, there := e.made[b.name]; there {
		return s, nil
	}
	s, err := b.make(e)
	if err == nil {
		e.made[b.name] = s
		if s != nil {
			s.name = b.name
		}
	}
	return s, err
}

// named makes what a benchmark of the table measures, beside which another is measured.
func (e *env) named(name string) (*subject, error) {
	for _, b := range table() {
		if b.name == name {
			return e.subject(b)
		}
	}
	return nil, fmt.Errorf("there is no benchmark %q", name)
}

// key is a key that everybody knows.
func key(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err) // of the few names here none has such a digest
	}
	return k
}

func chance(seed string) io.Reader { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

// world is an authority, a signer, a phone and a card that belong together.
type world struct {
	iaca       *mdoc.IACA
	anchors    *mdoc.TrustAnchors
	signer     *mdoc.KeySigner
	status     *mdoc.KeySigner
	phone      *ecdsa.PrivateKey
	elements   []mdoc.Element
	card       []byte
	transcript []byte
	credential sdjwt.Credential
	want       sdjwt.Expected
}

var (
	signed = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)
	at     = signed.Add(time.Hour)
	shown  = []string{"family_name", "given_name", "birth_date", "age_over_19"}
)

func spec(name string, from time.Time, days int) mdoc.CertificateSpec {
	serial := sha256.Sum256([]byte(name))
	return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, days)}
}

func (e *env) world() (*world, error) {
	if e.w != nil {
		return e.w, nil
	}
	w := &world{phone: key("phone"), transcript: mdoc.OpenID4VPTranscript("x509_hash:abc", "nonce-1", nil, "https://bank.example/response")}
	var err error
	if w.iaca, err = mdoc.NewIACA(key("Rollcall IACA"), mdoc.IACASpec{CertificateSpec: spec("Rollcall IACA", signed.AddDate(0, -6, 0), 3650),
		Country: "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/iaca.crl"}); err != nil {
		return nil, err
	}
	certificate, err := mdoc.NewDocumentSigner(w.iaca, &key("ds").PublicKey, spec("Rollcall DS 1", signed.AddDate(0, -1, 0), 457))
	if err != nil {
		return nil, err
	}
	if w.signer, err = mdoc.NewKeySigner(key("ds"), certificate); err != nil {
		return nil, err
	}
	if certificate, err = mdoc.NewStatusSigner(w.iaca, &key("status").PublicKey, spec("Rollcall status 1", signed.AddDate(0, -1, 0), 457)); err != nil {
		return nil, err
	}
	if w.status, err = mdoc.NewKeySigner(key("status"), certificate); err != nil {
		return nil, err
	}
	if err := w.trust(); err != nil {
		return nil, err
	}
	record := mdoc.Card{
		FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2,
		ResidentNumber: "900102-2345670", Address: "세종특별자치시 한누리대로 2130", Municipality: "36110",
		Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14",
		IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001",
	}
	if w.elements, err = record.Elements(); err != nil {
		return nil, err
	}
	if w.card, err = w.issue(4711); err != nil {
		return nil, err
	}
	claims, disclosable, err := sdjwt.CardClaims(record)
	if err != nil {
		return nil, err
	}
	w.credential = sdjwt.Credential{
		Type: sdjwt.Type, Issuer: "https://rollcall.example", Issued: signed, NotBefore: signed, Expires: signed.AddDate(1, 0, 0),
		Holder: &w.phone.PublicKey, Status: &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: 4711},
		Claims: claims, Disclosure: disclosable, Decoys: 3,
	}
	w.want = sdjwt.Expected{Types: []string{sdjwt.Type}, Audience: "x509_hash:bank", Nonce: "nonce-1", At: at}
	e.w = w
	return w, nil
}

// trust makes anchors that remember nothing.
func (w *world) trust() (err error) {
	w.anchors, err = mdoc.NewTrustAnchors(w.iaca.Certificate())
	return err
}

// issue signs a card that has a place in the status list.
func (w *world) issue(index uint64) ([]byte, error) {
	return mdoc.Issue(w.signer, chance(fmt.Sprint(index)), &w.phone.PublicKey, w.elements,
		mdoc.Validity{Signed: signed, From: signed, Until: signed.AddDate(3, 0, 0)}, &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: index})
}

// many is how many responses a verifier sees in turn.
const many = 256

// responses are of as many cards.
func (w *world) responses() ([][]byte, error) {
	all := make([][]byte, many)
	for i := range all {
		card, err := w.issue(uint64(i))
		if err == nil {
			all[i], err = w.present(card)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (w *world) present(card []byte) ([]byte, error) {
	return mdoc.Present(card, shown, w.transcript, w.phone)
}
