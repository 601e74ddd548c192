package service_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
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
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

var (
	ctx = context.Background()
	kst = time.FixedZone("KST", 9*60*60)

	registrar  = servicetest.Registrar
	clerk      = register.By{Actor: "clerk-1", Role: lifecycle.Clerk}
	callCentre = register.By{Actor: "operator-1", Role: lifecycle.CallCentre}
	me         = register.Citizen
)

const (
	sejong, seoul = servicetest.Sejong, "11010"
	copies        = servicetest.Copies
)

var (
	sejongOpens = time.Date(2024, 12, 27, 0, 0, 0, 0, kst)
	seoulOpens  = time.Date(2025, 3, 14, 0, 0, 0, 0, kst)
	anyCentre   = time.Date(2025, 3, 28, 0, 0, 0, 0, kst)
)

func key(name string) *ecdsa.PrivateKey { return servicetest.Key(name) }

var authority = servicetest.Authorities

// probe is a capture of exactly the face of a resident whose number that is.
func probe(t face.Template) face.Probe { return (&servicetest.Citizen{Face: t}).Capture() }

func portrait(seed uint64) face.Template { return servicetest.Portrait(seed) }

// makerRoot is the root certificate of a maker of phones whom the service may not know.
func makerRoot(name string) []byte {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(nil, t, t, &key(name).PublicKey, key(name))
	if err != nil {
		panic(err)
	}
	return der
}

// world is a service with its surroundings.
type world struct {
	*servicetest.World
	t  testing.TB
	db store.Store

	cards issuance.CardVerifier // nil: the evidence of stand-ins is good
}

// chips asks the world's verifier of cards, if it has one of its own.
type chips struct {
	w        *world
	standIns issuance.CardVerifier
}

func (c chips) Verify(e card.Evidence, challenge []byte, at time.Time) (card.Card, error) {
	if c.w.cards != nil {
		return c.w.cards.Verify(e, challenge, at)
	}
	return c.standIns.Verify(e, challenge, at)
}

func (c chips) Good(by card.Signer, at time.Time) error {
	if c.w.cards != nil {
		return c.w.cards.Good(by, at)
	}
	return c.standIns.Good(by, at)
}

func newWorld(t testing.TB, change ...func(*service.Config)) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "register.db")
	if onPostgres() {
		a, b := replica(t, path), replica(t, path)
		return onStore(t, a, &balancer{replicas: []store.Store{a, b}}, path, 1<<12, change...)
	}
	return onFile(t, path, 1<<12, change...)
}

func onFile(t testing.TB, path string, listSize uint64, change ...func(*service.Config)) *world {
	t.Helper()
	db, err := sqlite.Open(path, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return onStore(t, db, db, path, listSize, change...)
}

// onStore is a service on s, which is db or stands before it.
func onStore(t testing.TB, db, s store.Store, seed string, listSize uint64, change ...func(*service.Config)) *world {
	t.Helper()
	w := &world{t: t, db: db}
	w.World = servicetest.On(t, s, append([]func(*service.Config){func(c *service.Config) {
		c.Random = rand.NewChaCha8(sha256.Sum256([]byte(seed)))
		c.Policy.Opens, c.Policy.AnyCentreFrom = map[string]time.Time{sejong: sejongOpens, seoul: seoulOpens}, anyCentre
		c.Cards = chips{w, c.Cards}
		c.Lists.Size = listSize
	}}, change...)...)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// citizen is a resident with what they have in their pockets.
type citizen struct {
	*servicetest.Citizen
	w     *world
	phone *phone
}

func (w *world) resident(change ...func(*issuance.ResidentRequest)) *citizen {
	w.t.Helper()
	c := w.Resident(change...)
	return &citizen{Citizen: c, w: w, phone: newPhone(fmt.Sprint("phone-", c.ID))}
}

// phone is a phone with its secure element and its wallet.
type phone struct {
	wallet string
	n      int
	held   []held
}

type held struct {
	key  *ecdsa.PrivateKey
	card []byte
}

func newPhone(name string) *phone { return &phone{wallet: name} }

// attest makes fresh keys and the maker's attestation of them.
func (p *phone) attest(nonce string, at time.Time, n int, change ...func(header, claims map[string]any)) (string, []*ecdsa.PrivateKey) {
	var keys []*ecdsa.PrivateKey
	var jwks []any
	for range n {
		p.n++
		k := key(fmt.Sprint(p.wallet, " ", p.n))
		keys = append(keys, k)
		point, err := k.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		jwks = append(jwks, map[string]any{"kty": "EC", "crv": "P-256",
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])})
	}
	header := map[string]any{"alg": "ES256", "typ": "key-attestation+jwt", "x5c": [][]byte{makerLeaf("maker")}}
	claims := map[string]any{"sub": p.wallet, "iat": at.Unix(), "exp": at.Add(time.Hour).Unix(), "nonce": nonce, "attested_keys": jwks, "key_storage": []string{"iso_18045_high"}}
	for _, f := range change {
		f(header, claims)
	}
	return jwt(header, claims, key("maker leaf")), keys
}

var leaves sync.Map

func makerLeaf(maker string) []byte {
	if der, ok := leaves.Load(maker); ok {
		return der.([]byte)
	}
	root, err := x509.ParseCertificate(makerRoot(maker))
	if err != nil {
		panic(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "attestation"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter}
	der, err := x509.CreateCertificate(nil, t, root, &key("maker leaf").PublicKey, key(maker))
	if err != nil {
		panic(err)
	}
	leaves.Store(maker, der)
	return der
}

func jwt(header, claims map[string]any, signer *ecdsa.PrivateKey) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	s, err := mdoc.NewKeySigner(signer, makerLeaf("maker"))
	if err != nil {
		panic(err)
	}
	signature, err := s.Sign(digest[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tapRequest does what the phone does up to the request.
func (c *citizen) tapRequest(change ...func(*issuance.TapRequest)) (issuance.TapRequest, []*ecdsa.PrivateKey) {
	c.w.t.Helper()
	challenge, err := c.w.Issuance.Challenge(ctx)
	must(c.w.t, err)
	attestation, keys := c.phone.attest(base64.RawURLEncoding.EncodeToString(challenge), c.w.Now(), copies)
	q := issuance.TapRequest{
		Request: c.w.Request(me(c.ID)), Person: c.ID, Challenge: challenge,
		Card: c.Evidence(challenge), Probe: c.Capture(), Attestation: attestation,
	}
	for _, f := range change {
		f(&q)
	}
	return q, keys
}

func (p *phone) keep(a issuance.Issued, keys []*ecdsa.PrivateKey) {
	if a.Reason == lifecycle.Granted {
		p.held = nil
		for i, card := range a.Copies {
			p.held = append(p.held, held{keys[i], card})
		}
	}
}

func (c *citizen) tap(change ...func(*issuance.TapRequest)) issuance.Issued {
	c.w.t.Helper()
	q, keys := c.tapRequest(change...)
	a, err := c.w.Issuance.IssueByTap(ctx, q)
	must(c.w.t, err)
	c.phone.keep(a, keys)
	return a
}

// holder is a resident with a mobile card.
func (w *world) holder() *citizen {
	w.t.Helper()
	c := w.resident()
	if a := c.tap(); a.Reason != lifecycle.Granted {
		w.t.Fatalf("issue: %v", a.Reason)
	}
	return c
}

func (c *citizen) offer(centre string) issuance.Offer {
	c.w.t.Helper()
	o, err := c.w.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: c.w.Request(clerk), Person: c.ID, Centre: centre})
	must(c.w.t, err)
	return o
}

func (c *citizen) redeem(code string, change ...func(*issuance.RedeemRequest)) issuance.Issued {
	c.w.t.Helper()
	attestation, keys := c.phone.attest(code, c.w.Now(), copies)
	q := issuance.RedeemRequest{Request: c.w.Request(me(c.ID)), Person: c.ID, Code: code, Probe: c.Capture(), Attestation: attestation}
	for _, f := range change {
		f(&q)
	}
	a, err := c.w.Issuance.IssueByOffer(ctx, q)
	must(c.w.t, err)
	c.phone.keep(a, keys)
	return a
}

var bank = verification.Verifier{ClientID: "x509_hash:bank", ResponseURI: "https://bank.example/response", Thumbprint: bytes.Repeat([]byte{7}, 32)}

// present shows copy i.
func (h held) present(t testing.TB, tr verification.Transaction) []byte {
	t.Helper()
	response, err := mdoc.Present(h.card, []string{"age_over_19"}, tr.Transcript(), crypto.Signer(h.key))
	must(t, err)
	return response
}

func (w *world) look(h held) verification.Answer {
	w.t.Helper()
	tr, err := w.Verification.Begin(bank)
	must(w.t, err)
	a, err := w.Verification.Verify(ctx, tr, h.present(w.t, tr))
	must(w.t, err)
	return a
}

// mobile is what an online verifier is told of the citizen's phone; every copy
// must get the same answer.
func (c *citizen) mobile() lifecycle.Verdict {
	c.w.t.Helper()
	v := c.w.look(c.phone.held[0]).Verdict
	for _, h := range c.phone.held[1:] {
		if other := c.w.look(h).Verdict; other != v {
			c.w.t.Errorf("one copy is %v, another %v", v, other)
		}
	}
	return v
}

func (c *citizen) plastic() lifecycle.Verdict {
	c.w.t.Helper()
	v, err := c.w.Verification.Plastic(ctx, c.Number)
	must(c.w.t, err)
	return v
}

func (c *citizen) report(by register.By, cause lifecycle.Causes) suspension.Receipt {
	c.w.t.Helper()
	r, err := c.w.Suspension.Report(ctx, suspension.ReportRequest{Request: c.w.Request(by), Person: c.ID, Cause: cause, Why: "it is gone"})
	must(c.w.t, err)
	return r
}

func (c *citizen) release(by register.By, cause lifecycle.Causes, seq uint64, change ...func(*suspension.ReleaseRequest)) suspension.Receipt {
	c.w.t.Helper()
	q := suspension.ReleaseRequest{Request: c.w.Request(by), Person: c.ID, Cause: cause, Sequence: seq, Why: "it was found"}
	for _, f := range change {
		f(&q)
	}
	r, err := c.w.Suspension.Release(ctx, q)
	must(c.w.t, err)
	return r
}

func (c *citizen) newCard(number string) issuance.Entered {
	c.w.t.Helper()
	a, err := c.w.Issuance.RegisterCard(ctx, issuance.CardRequest{Request: c.w.Request(clerk), Person: c.ID,
		Card: issuance.NewCard{Number: number, Chip: true, Template: c.Face, Portrait: []byte{1}}, Why: "re-issue"})
	must(c.w.t, err)
	return a
}

// remove removes the citizen: death or emigration.
func (c *citizen) remove() issuance.Entered {
	c.w.t.Helper()
	a, err := c.w.Issuance.Remove(ctx, issuance.RemovalRequest{Request: c.w.Request(registrar), Person: c.ID, Why: "death"})
	must(c.w.t, err)
	return a
}

func (w *world) sequence() (n uint64) {
	w.t.Helper()
	must(w.t, w.db.View(ctx, func(r store.Reader) (err error) {
		n, err = r.Sequence()
		return err
	}))
	return n
}
