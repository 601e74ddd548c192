// Package servicetest is a service with its surroundings for the tests of what
// stands before it: a register in a temporary folder, authorities, a clock that is
// set, residents with plastic cards and faces.
//
// Cards are stand-ins: their evidence names the card, and the chip's signature is
// the challenge itself. Real cards and phones are hwemu's; what the service does
// with their evidence is tested there.
package servicetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/x5c"
)

// Municipalities of the world's policy.
const (
	Sejong = "36110" // open
	Never  = "99999" // not
)

// Copies is how many copies a mobile card has at most.
const Copies = 3

// Noon is when a world begins.
var Noon = time.Date(2025, 3, 14, 12, 0, 0, 0, time.FixedZone("KST", 9*60*60))

// Registrar enters the residents.
var Registrar = register.By{Actor: "registrar-1", Role: lifecycle.Registrar}

// World is a service with its surroundings.
type World struct {
	*service.Service
	DB     store.Store
	Config service.Config

	// Requests and People are how many there were: the numbers of the next follow.
	// Worlds on one register must not give the same ones.
	Requests int
	People   store.PersonID

	t  testing.TB
	mu sync.Mutex
	at time.Time
}

// New is a world at Noon in which nobody lives yet.
func New(t testing.TB, change ...func(*service.Config)) *World {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "register.db"), sqlite.Options{})
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return On(t, db, change...)
}

// On is a world whose register is db.
func On(t testing.TB, db store.Store, change ...func(*service.Config)) *World {
	t.Helper()
	w := &World{DB: db, t: t, at: Noon}
	a := authority()
	makers, err := issuance.NewMakers(a.Maker)
	check(t, err)
	seals, err := seal.NewKeys(sha256.Sum256([]byte("seals")))
	check(t, err)
	w.Config = service.Config{
		Store: db, Now: w.Now, Random: rand.NewChaCha8(sha256.Sum256([]byte(t.Name()))),
		Policy: &lifecycle.Policy{
			MinimumAge: 17, Opens: map[string]time.Time{Sejong: Noon.AddDate(0, -2, 0)}, AnyCentreFrom: Noon.AddDate(0, 0, 14),
			OfferLifetime: 90 * time.Second, CredentialValidity: 3 * 365 * 24 * time.Hour,
		},
		Civil: Noon.Location(), Cards: cards{}, Faces: face.Matcher{Threshold: 0.5}, Phones: makers,
		DocumentSigner: a.DS, StatusSigner: a.Status, Anchors: a.Anchors, Authority: "행정안전부",
		Copies: Copies, ChallengeLifetime: 5 * time.Minute, Transaction: 5 * time.Minute, Nonces: func(time.Time) [32]byte { return sha256.Sum256([]byte("nonces")) }, Seals: seals,
		Lists: register.Lists{Base: "https://id.example/status/", Size: 1 << 12}, TTL: time.Hour, Validity: 24 * time.Hour,
	}
	for _, f := range change {
		f(&w.Config)
	}
	w.Service, err = service.New(context.Background(), w.Config)
	check(t, err)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// Set sets the clock.
func (w *World) Set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = at
}

// Request is one with an idempotency key of its own.
func (w *World) Request(by register.By) register.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Requests++
	return register.Request{By: by, Key: fmt.Sprint("key-", w.Requests)}
}

// Citizen is a resident with a plastic card and a face.
type Citizen struct {
	ID     store.PersonID
	Number string // of the plastic card
	Face   face.Template
}

// Resident enters a resident of Sejong with an IC card.
func (w *World) Resident(change ...func(*issuance.ResidentRequest)) *Citizen {
	w.t.Helper()
	w.mu.Lock()
	w.People++
	id := w.People
	w.mu.Unlock()
	c := &Citizen{ID: id, Number: fmt.Sprintf("A%08d", id), Face: Portrait(uint64(id))}
	q := issuance.ResidentRequest{
		Request: w.Request(Registrar),
		Resident: store.Person{ID: id, RRN: fmt.Sprint(9001021234560 + uint64(id)), FamilyName: "김", GivenName: "하늘", Sex: 'F',
			BirthDate: time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC), Municipality: Sejong, Centre: "3611051500", Address: "한누리대로 2130"},
		Card: &issuance.NewCard{Number: c.Number, Chip: true, Template: c.Face, Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}},
		Why:  "seed",
	}
	for _, f := range change {
		f(&q)
	}
	a, err := w.Issuance.RegisterResident(context.Background(), q)
	check(w.t, err)
	if a.Reason != lifecycle.Granted {
		w.t.Fatal(a)
	}
	return c
}

// Evidence is what a phone reads from the citizen's card.
func (c *Citizen) Evidence(challenge []byte) card.Evidence {
	return card.Evidence{DG1: []byte(c.Number), Signature: challenge, PIN: []byte("verified"), Template: c.Face.Bytes()}
}

// Capture is a capture of exactly their face.
func (c *Citizen) Capture() (p face.Probe) {
	for i, v := range c.Face {
		p[i] = float32(v)
	}
	return p
}

// Portrait is a face, unlike that of any other seed.
func Portrait(seed uint64) (t face.Template) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range t {
		t[i] = int8(r.IntN(255) - 127)
	}
	return t
}

type cards struct{}

func (cards) Verify(e card.Evidence, challenge []byte, _ time.Time) (card.Card, error) {
	if !bytes.Equal(e.Signature, challenge) {
		return card.Card{}, errors.New("the chip did not sign this challenge")
	}
	template, err := face.ParseTemplate(e.Template)
	return card.Card{DocumentNumber: string(e.DG1), Template: template, PINVerified: string(e.PIN) == "verified"}, err
}

func (cards) Good(card.Signer, time.Time) error { return nil }

// Key derives a key from a name.
func Key(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

// Authority signs cards and lists, and is trusted.
type Authority struct {
	Anchors    *mdoc.TrustAnchors
	IACA       *mdoc.IACA
	Root       []byte // its certificate, DER
	DS, Status mdoc.Signer
	Maker      []byte // root certificate of the phone maker, DER; its key is Key("maker")
}

var authority = sync.OnceValue(func() (a Authority) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	spec := func(name string) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		from := time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC)
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, 457)}
	}
	root := spec("IACA")
	root.NotAfter = root.NotBefore.AddDate(10, 0, 0)
	iaca, err := mdoc.NewIACA(Key("iaca"), mdoc.IACASpec{CertificateSpec: root, Country: "KR", Contact: "https://id.example/", CRL: "https://id.example/crl"})
	must(err)
	ds, err := mdoc.NewDocumentSigner(iaca, &Key("ds").PublicKey, spec("DS"))
	must(err)
	status, err := mdoc.NewStatusSigner(iaca, &Key("status").PublicKey, spec("status"))
	must(err)
	a.DS, err = mdoc.NewKeySigner(Key("ds"), ds)
	must(err)
	a.Status, err = mdoc.NewKeySigner(Key("status"), status)
	must(err)
	a.IACA, a.Root = iaca, iaca.Certificate()
	a.Anchors, err = mdoc.NewTrustAnchors(a.Root)
	must(err)
	maker := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "maker"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageCertSign,
	}
	a.Maker, err = x509.CreateCertificate(nil, maker, maker, &Key("maker").PublicKey, Key("maker"))
	must(err)
	return a
})

// Authorities are those of every world: they are made once.
func Authorities() Authority { return authority() }

// Vouched is a certificate of a name for Key(leaf), and the root that vouches for it as an
// anchor; who they are is for errors.
func Vouched(t testing.TB, who, leaf, name string) (chain [][]byte, anchors *x5c.Anchors) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	serial := sha256.Sum256([]byte(leaf))
	spec := mdoc.CertificateSpec{Serial: serial[:16], CommonName: name + " root", NotBefore: Noon.AddDate(0, -1, 0), NotAfter: Noon.AddDate(1, 0, 0)}
	root, err := mdoc.NewIACA(Key(leaf+" root"), mdoc.IACASpec{CertificateSpec: spec, Country: "KR", Contact: "https://root.example/", CRL: "https://root.example/crl"})
	check(err)
	spec.CommonName = name
	certificate, err := mdoc.NewStatusSigner(root, &Key(leaf).PublicKey, spec)
	check(err)
	anchors, err = x5c.NewAnchors(who, root.Certificate())
	check(err)
	return [][]byte{certificate}, anchors
}

// StatusList is a status list that is signed by whom Vouched makes: of the same leaf and
// name.
func StatusList(t testing.TB, leaf, name string, list statuslist.Token) []byte {
	t.Helper()
	chain, _ := Vouched(t, name, leaf, name)
	signer, err := mdoc.NewKeySigner(Key(leaf), chain[0])
	if err == nil {
		var token []byte
		if token, err = list.SignJWT(signer); err == nil {
			return token
		}
	}
	t.Fatal(err)
	return nil
}
