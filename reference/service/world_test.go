package service_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
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
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

var (
	ctx = context.Background()
	kst = time.FixedZone("KST", 9*60*60)

	registrar  = register.By{Actor: "registrar-1", Role: lifecycle.Registrar}
	clerk      = register.By{Actor: "clerk-1", Role: lifecycle.Clerk}
	callCentre = register.By{Actor: "operator-1", Role: lifecycle.CallCentre}
	me         = register.Citizen
)

const (
	sejong, seoul = "36110", "11010"
	copies        = 3
)

var (
	sejongOpens = time.Date(2024, 12, 27, 0, 0, 0, 0, kst)
	seoulOpens  = time.Date(2025, 3, 14, 0, 0, 0, 0, kst)
	anyCentre   = time.Date(2025, 3, 28, 0, 0, 0, 0, kst)
	noon        = time.Date(2025, 3, 14, 12, 0, 0, 0, kst)
)

func key(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func spec(name string) mdoc.CertificateSpec {
	serial := sha256.Sum256([]byte(name))
	from := time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC)
	return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, 457)}
}

// authority is made once: its certificates are the same in every test.
var authority = sync.OnceValue(func() (a struct {
	anchors    *mdoc.TrustAnchors
	ds, status mdoc.Signer
	maker      []byte // root certificate of the phone maker
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	root := spec("IACA")
	root.NotAfter = root.NotBefore.AddDate(10, 0, 0)
	iaca, err := mdoc.NewIACA(key("iaca"), mdoc.IACASpec{CertificateSpec: root, Country: "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/crl"})
	must(err)
	ds, err := mdoc.NewDocumentSigner(iaca, &key("ds").PublicKey, spec("DS"))
	must(err)
	status, err := mdoc.NewStatusSigner(iaca, &key("status").PublicKey, spec("status"))
	must(err)
	a.ds, err = mdoc.NewKeySigner(key("ds"), ds)
	must(err)
	a.status, err = mdoc.NewKeySigner(key("status"), status)
	must(err)
	a.anchors, err = mdoc.NewTrustAnchors(iaca.Certificate())
	must(err)
	a.maker = makerRoot("maker")
	return a
})

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

// fakeCards stands in for package card: the evidence names the card in DG1 and
// holds the challenge as signature, unless it is a clone.
type fakeCards struct{ w *world }

func (f fakeCards) Verify(e card.Evidence, challenge []byte, at time.Time) (card.Card, error) {
	if f.w.cards != nil {
		return f.w.cards.Verify(e, challenge, at)
	}
	if !bytes.Equal(e.Signature, challenge) {
		return card.Card{}, errors.New("the chip did not sign this challenge")
	}
	template, err := face.ParseTemplate(e.Template)
	return card.Card{DocumentNumber: string(e.DG1), Template: template, PINVerified: string(e.PIN) == "verified"}, err
}

// world is a service with its surroundings.
type world struct {
	*service.Service
	t  testing.TB
	db store.Store

	cards issuance.CardVerifier // nil: the evidence of fakeCards is good

	mu  sync.Mutex
	at  time.Time
	n   int // idempotency keys given
	ctr store.PersonID
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *world) request(by register.By) register.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	return register.Request{By: by, Key: fmt.Sprint("key-", w.n)}
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
	w := &world{t: t, db: db, at: noon}
	a := authority()
	makers, err := issuance.NewMakers(a.maker)
	must(t, err)
	config := service.Config{
		Store: s, Now: w.now, Random: rand.NewChaCha8(sha256.Sum256([]byte(seed))),
		Policy: &lifecycle.Policy{
			MinimumAge: 17, Opens: map[string]time.Time{sejong: sejongOpens, seoul: seoulOpens}, AnyCentreFrom: anyCentre,
			OfferLifetime: 90 * time.Second, CredentialValidity: 3 * 365 * 24 * time.Hour,
		},
		Civil: kst, Cards: fakeCards{w}, Faces: face.Matcher{Threshold: 0.5}, Phones: makers,
		DocumentSigner: a.ds, StatusSigner: a.status, Anchors: a.anchors, Authority: "행정안전부",
		Copies: copies, ChallengeLifetime: 5 * time.Minute, Transaction: 5 * time.Minute, NonceKey: sha256.Sum256([]byte("nonces")),
		Lists: register.Lists{Base: "https://status.example/lists/", Size: listSize}, TTL: time.Hour, Validity: 24 * time.Hour,
	}
	for _, f := range change {
		f(&config)
	}
	w.Service, err = service.New(ctx, config)
	must(t, err)
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
	w      *world
	id     store.PersonID
	number string // of the plastic card in the hand
	phone  *phone
	face   face.Template
}

func portrait(id store.PersonID) (t face.Template) {
	r := rand.New(rand.NewPCG(uint64(id), 1))
	for i := range t {
		t[i] = int8(r.IntN(255) - 127)
	}
	return t
}

// probe is a capture of exactly that face.
func probe(t face.Template) (p face.Probe) {
	for i, v := range t {
		p[i] = float32(v)
	}
	return p
}

func (w *world) resident(change ...func(*issuance.ResidentRequest)) *citizen {
	w.t.Helper()
	w.mu.Lock()
	w.ctr++
	id := w.ctr
	w.mu.Unlock()
	c := &citizen{w: w, id: id, number: fmt.Sprintf("A%08d", id), phone: newPhone(fmt.Sprint("phone-", id)), face: portrait(id)}
	q := issuance.ResidentRequest{
		Request: w.request(registrar),
		Resident: store.Person{ID: id, RRN: "9001021234560", FamilyName: "김", GivenName: "하늘", Sex: 'F',
			BirthDate: time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC), Municipality: sejong, Centre: "3611051500", Address: "한누리대로 2130"},
		Card: &issuance.NewCard{Number: c.number, Chip: true, Template: c.face, Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}},
		Why:  "seed",
	}
	for _, f := range change {
		f(&q)
	}
	a, err := w.Issuance.RegisterResident(ctx, q)
	must(w.t, err)
	if a.Reason != lifecycle.Granted {
		w.t.Fatal(a)
	}
	return c
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
	attestation, keys := c.phone.attest(base64.RawURLEncoding.EncodeToString(challenge), c.w.now(), copies)
	q := issuance.TapRequest{
		Request: c.w.request(me(c.id)), Person: c.id, Challenge: challenge,
		Card:  card.Evidence{DG1: []byte(c.number), Signature: challenge, PIN: []byte("verified"), Template: c.face.Bytes()},
		Probe: probe(c.face), Attestation: attestation,
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
	o, err := c.w.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: c.w.request(clerk), Person: c.id, Centre: centre})
	must(c.w.t, err)
	return o
}

func (c *citizen) redeem(code string, change ...func(*issuance.RedeemRequest)) issuance.Issued {
	c.w.t.Helper()
	attestation, keys := c.phone.attest(code, c.w.now(), copies)
	q := issuance.RedeemRequest{Request: c.w.request(me(c.id)), Person: c.id, Code: code, Probe: probe(c.face), Attestation: attestation}
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
	v, err := c.w.Verification.Plastic(ctx, c.number)
	must(c.w.t, err)
	return v
}

func (c *citizen) report(by register.By, cause lifecycle.Causes) suspension.Receipt {
	c.w.t.Helper()
	r, err := c.w.Suspension.Report(ctx, suspension.ReportRequest{Request: c.w.request(by), Person: c.id, Cause: cause, Why: "it is gone"})
	must(c.w.t, err)
	return r
}

func (c *citizen) release(by register.By, cause lifecycle.Causes, seq uint64, change ...func(*suspension.ReleaseRequest)) suspension.Receipt {
	c.w.t.Helper()
	q := suspension.ReleaseRequest{Request: c.w.request(by), Person: c.id, Cause: cause, Sequence: seq, Why: "it was found"}
	for _, f := range change {
		f(&q)
	}
	r, err := c.w.Suspension.Release(ctx, q)
	must(c.w.t, err)
	return r
}

func (c *citizen) newCard(number string) issuance.Entered {
	c.w.t.Helper()
	a, err := c.w.Issuance.RegisterCard(ctx, issuance.CardRequest{Request: c.w.request(clerk), Person: c.id,
		Card: issuance.NewCard{Number: number, Chip: true, Template: c.face, Portrait: []byte{1}}, Why: "re-issue"})
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
