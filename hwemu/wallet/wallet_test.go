package wallet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/web"
	"rollcall.example/rollcall/reference/x5c"
)

// Here a wallet and the service meet over HTTP, without a network between them.

const issuer = "https://id.example"

var ctx = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a service over HTTP with whom it trusts.
type world struct {
	*servicetest.World
	t        testing.TB
	mux      *http.ServeMux
	maker    *phone.Maker
	provider *wallet.Provider
	server   *authorization.Server
	vp       *openid4vp.Endpoints
	signs    func(party string) (openid4vp.Reader, error) // requests; nil: reader
	seen     []string                                     // "POST /oauth/par", in order
	// slowIn is after how many more commits the register takes longer than anybody
	// waits; negative: never.
	slowIn int
}

// RoundTrip implements http.RoundTripper: the service is on the other side.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.seen = append(w.seen, r.Method+" "+r.URL.Path)
	rec := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w.mux.ServeHTTP(rec, r)
	return rec.Result(), nil
}

var shop = access.Caller{Role: access.Verifier, ID: "shop", Elements: []string{"age_over_19", "family_name"}}

// slowStore lets updates wait until nobody does any more.
type slowStore struct {
	store.Store
	w *world
}

func (s *slowStore) Update(ctx context.Context, f func(store.Tx) error) error {
	if s.w.slowIn == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	s.w.slowIn--
	return s.Store.Update(ctx, f)
}

// newWorld is one whose issuer has more patience than any machine is slow.
func newWorld(t testing.TB) *world { return newPatientWorld(t, time.Minute) }

// newPatientWorld is one whose issuer tells wallets to come again only after so long.
func newPatientWorld(t testing.TB, patience time.Duration, change ...func(*service.Config)) *world {
	w := &world{t: t, mux: http.NewServeMux(), slowIn: -1}
	from := servicetest.Noon.AddDate(-1, 0, 0)
	var err error
	w.maker, err = phone.NewMaker("Test Phones", []byte("maker"), from)
	check(t, err)
	w.provider, err = wallet.NewProvider("https://wallet.example", []byte("provider"), from)
	check(t, err)
	w.World = servicetest.New(t, append(change, func(c *service.Config) { c.Store = &slowStore{c.Store, w} })...)
	keys, err := seal.NewKeys([32]byte{7})
	check(t, err)
	providers, err := x5c.NewAnchors("wallet provider", w.provider.Root)
	check(t, err)
	makers, err := x5c.NewAnchors("phone maker", w.maker.Root)
	check(t, err)
	w.server, err = authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: keys, Issuer: issuer, Path: "/oauth/",
		Providers: providers, Scopes: openid4vci.Scopes})
	check(t, err)
	vci, err := openid4vci.New(openid4vci.Options{Register: w.Register, Issuance: w.Issuance, Keys: keys, Issuer: issuer, Path: "/vci/",
		Name: map[string]string{"ko": "행정안전부", "en": "Ministry of the Interior"}, Copies: servicetest.Copies,
		Proofs: keyproof.Policy{Attesters: makers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}},
		Secret: func(time.Time) [32]byte { return sha256.Sum256([]byte("requests")) },
		Signer: func() (jws.Sign, [][]byte) { return jws.With(servicetest.Key("metadata")), [][]byte{{1}} }, Patience: patience, Interval: 5 * time.Second, Nonces: w.server.GiveNonce})
	check(t, err)
	a := servicetest.Authorities()
	signer, err := a.Anchors.DocumentSigner([][]byte{a.DS.Certificate()}, w.Now())
	check(t, err)
	w.vp, err = openid4vp.New(openid4vp.Options{Register: w.Register, Verification: w.Verification, Base: issuer + "/vp/", Authorities: [][]byte{signer.Authority},
		Reader: func(ctx context.Context, party string) (openid4vp.Reader, error) {
			if w.signs != nil {
				return w.signs(party)
			}
			return reader(ctx, party)
		}, Keys: keys, Secret: func(time.Time) [32]byte { return sha256.Sum256([]byte("answers")) }, Lifetime: 5 * time.Minute, Kept: 10 * time.Minute})
	check(t, err)
	staff, err := parties.New(w.Register, parties.Options{Issuer: issuer, TokenEndpoint: issuer + "/parties/token", Keys: keys})
	check(t, err)
	d, err := desk.New(desk.Options{Register: w.Register, Issuance: w.Issuance, Suspension: w.Suspension, Verification: w.Verification, Parties: staff, Published: time.Hour})
	check(t, err)
	for path, h := range map[string]web.Handler{
		"GET /.well-known/oauth-authorization-server": w.server.Metadata, "GET /.well-known/openid-credential-issuer": vci.Metadata,
		"POST /oauth/par": w.server.Push, "GET /oauth/authorize": w.server.Authorize, "POST /oauth/authorize/challenge": w.server.Challenge,
		"POST /oauth/authorize/evidence": w.server.Prove, "POST /oauth/token": w.server.Token, "GET /oauth/offers/{offer}": w.server.FetchOffer,
		"POST /oauth/face-check": w.server.FaceCheck, "POST /vci/nonce": vci.Nonce,
		"GET /vp/request/{id}": w.vp.Request, "POST /vp/request/{id}": w.vp.Request, "POST /vp/response/{id}": w.vp.Respond,
	} {
		w.mux.Handle(path, web.OAuth(h))
	}
	for path, h := range map[string]web.Handler{"POST /vci/credential": vci.Credential, "POST /vci/deferred": vci.Deferred, "POST /vci/notification": vci.Notify} {
		w.mux.Handle(path, web.OAuth(w.asCitizen(h)))
	}
	for path, h := range map[string]web.Handler{"GET /residents/{id}": d.Look, "POST /residents/{id}/reports": d.Suspend, "POST /residents/{id}/releases": d.Release} {
		w.mux.Handle(path, web.Problem(w.asCitizen(h)))
	}
	return w
}

// asCitizen lets in who brings a wallet's access token.
func (w *world) asCitizen(h web.Handler) web.Handler {
	return func(rw http.ResponseWriter, r *http.Request) error {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
		if !ok {
			return web.Refuse(http.StatusUnauthorized, "invalid_token", "A token is needed.")
		}
		ctx, err := w.server.DPoP(r, token)
		if err != nil {
			return err
		}
		return h(rw, r.WithContext(ctx))
	}
}

func reader(_ context.Context, party string) (openid4vp.Reader, error) {
	key := servicetest.Key("reader " + party)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: servicetest.Noon.AddDate(-1, 0, 0), NotAfter: servicetest.Noon.AddDate(1, 0, 0)}
	c.Subject.CommonName = party
	der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
	return openid4vp.Reader{Sign: jws.With(key), Chain: [][]byte{der}}, err
}

func (w *world) wallet(seed string, change ...func(*wallet.Options)) *wallet.Wallet {
	w.t.Helper()
	o := wallet.Options{HTTP: &http.Client{Transport: w}, Now: w.Now, Random: rand.NewChaCha8(sha256.Sum256([]byte(seed))),
		Maker: w.maker, Provider: w.provider, Seed: []byte(seed), Issuers: servicetest.Authorities().Anchors}
	for _, f := range change {
		f(&o)
	}
	out, err := wallet.New(o)
	check(w.t, err)
	return out
}

// evidence and capture are what a phone reads and sees of a citizen.
func evidence(c *servicetest.Citizen, challenge []byte) phone.Evidence {
	e := c.Evidence(challenge)
	return phone.Evidence{SOD: e.SOD, DG1: e.DG1, DG13: e.DG13, DG15: e.DG15, Template: e.Template, Signature: e.Signature, PIN: e.PIN}
}

func capture(c *servicetest.Citizen) (out []byte) {
	for _, v := range c.Capture() {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// authorise holds a citizen's card and face to the service.
func (w *world) authorise(one *wallet.Wallet, c *servicetest.Citizen) *wallet.Token {
	w.t.Helper()
	a, err := one.Apply(ctx, issuer, openid4vci.MdocID, openid4vci.SDJWTID)
	check(w.t, err)
	challenge, err := a.Challenge(ctx)
	check(w.t, err)
	token, err := a.Prove(ctx, challenge, evidence(c, challenge), capture(c))
	check(w.t, err)
	return token
}

// holder is a citizen with the card in both formats on a phone.
func (w *world) holder(seed string) (*wallet.Wallet, *servicetest.Citizen, *wallet.Token) {
	w.t.Helper()
	one, c := w.wallet(seed), w.Resident()
	token := w.authorise(one, c)
	for _, config := range []string{openid4vci.MdocID, openid4vci.SDJWTID} {
		_, err := token.Issue(ctx, config, wallet.Ask{Copies: servicetest.Copies})
		check(w.t, err)
	}
	return one, c, token
}

// look lets a shop ask for the age, and the wallet answer.
func (w *world) look(one *wallet.Wallet) string {
	w.t.Helper()
	begun, err := w.vp.Ask(ctx, shop, openid4vp.Asked{Elements: []string{"age_over_19"}})
	check(w.t, err)
	r, err := one.Open(ctx, begun.Request)
	check(w.t, err)
	choices, err := one.Choose(r)
	check(w.t, err)
	if _, err := one.Answer(ctx, r, choices); err != nil {
		if refused, ok := errors.AsType[*wallet.Refused](err); !ok || refused.Status != 400 {
			w.t.Fatal(err)
		}
	}
	out, err := w.vp.Outcome(ctx, shop, begun.ID, "")
	check(w.t, err)
	return out.Verdict
}

func refused(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	r, ok := errors.AsType[*wallet.Refused](err)
	if !ok || r.Status != status || r.Code != code {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

func TestACardIsIssuedByTapShownLostRefusedFoundAndAccepted(t *testing.T) {
	w := newWorld(t)
	one, c, token := w.holder("phone")
	if n := len(one.Copies()); n != 2*servicetest.Copies {
		t.Fatalf("%d copies", n)
	}
	for range 4 {
		if v := w.look(one); v != "accepted" {
			t.Fatalf("verdict %s", v)
		}
	}
	var receipt struct{ Sequence uint64 }
	check(t, token.Desk(ctx, "POST", issuer+"/residents/me/reports", map[string]string{"cause": "physical-lost", "why": "gone"}, "k1", &receipt))
	if v := w.look(one); v != "suspended" {
		t.Errorf("after the report: %s", v)
	}
	release := map[string]any{"cause": "physical-lost", "sequence": receipt.Sequence, "why": "found"}
	later, err := token.Renew(ctx)
	check(t, err)
	refused(t, "a release by the phone alone", later.Desk(ctx, "POST", issuer+"/residents/me/releases", release, "k2", nil), 403, "prove-yourself")
	check(t, token.Desk(ctx, "POST", issuer+"/residents/me/releases", release, "k3", nil))
	if v := w.look(one); v != "accepted" {
		t.Errorf("after the release: %s", v)
	}
	var me struct {
		ID    uint64
		State struct{ Mobile string }
	}
	check(t, later.Desk(ctx, "GET", issuer+"/residents/me", nil, "", &me))
	if me.ID != uint64(c.ID) || me.State.Mobile != "accepted" {
		t.Errorf("%+v", me)
	}
}

func TestACardIsIssuedAtACentreByAOneTimeOffer(t *testing.T) {
	w := newWorld(t)
	c, one := w.Resident(), w.wallet("phone")
	offer := func() authorization.Scan {
		o, err := w.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: w.Request(register.By{Actor: "clerk", Role: lifecycle.Clerk}), Person: c.ID, Centre: servicetest.Sejong})
		check(t, err)
		s, err := w.server.Offer(ctx, o)
		check(t, err)
		return s
	}
	s := offer()
	scanned, err := one.Scan(ctx, s.URI)
	check(t, err)
	if !scanned.NeedsTx || len(s.TxCode) != 6 || len(scanned.Configs) != 2 {
		t.Fatalf("%+v %+v", s, scanned)
	}
	_, err = scanned.Redeem(ctx, s.TxCode)
	refused(t, "without a face check", err, 400, "invalid_grant")
	refused(t, "another face", scanned.Check(ctx, s.TxCode, capture(&servicetest.Citizen{Face: servicetest.Portrait(99)})), 403, "access_denied")
	check(t, scanned.Check(ctx, s.TxCode, capture(c)))
	token, err := scanned.Redeem(ctx, s.TxCode)
	check(t, err)
	_, err = scanned.Redeem(ctx, s.TxCode)
	refused(t, "E4 twice", err, 400, "invalid_grant")
	for _, config := range scanned.Configs {
		_, err := token.Issue(ctx, config, wallet.Ask{Copies: 2, JWT: true, Encrypt: jwe.A256GCM})
		check(t, err)
	}
	if v := w.look(one); v != "accepted" {
		t.Errorf("verdict %s", v)
	}

	// E4 by the clock: ninety seconds, from the clerk to the face.
	s = offer()
	scanned, err = one.Scan(ctx, s.URI)
	check(t, err)
	w.Pass(91 * time.Second)
	refused(t, "E4 late", scanned.Check(ctx, s.TxCode, capture(c)), 403, "access_denied")
	_, err = one.Scan(ctx, s.URI)
	refused(t, "an offer that is over", err, 404, "invalid_request")

	// The six digits cannot be guessed.
	s = offer()
	scanned, err = one.Scan(ctx, s.URI)
	check(t, err)
	for range 5 {
		refused(t, "a guess", scanned.Check(ctx, "xxxxxx", capture(c)), 400, "invalid_grant")
	}
	refused(t, "the right digits, too late", scanned.Check(ctx, s.TxCode, capture(c)), 400, "invalid_grant")
}

func TestANewPhoneEndsTheCardsOfTheOld(t *testing.T) {
	w := newWorld(t)
	old, c, _ := w.holder("old phone")
	next := w.wallet("new phone")
	_, err := w.authorise(next, c).Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	check(t, err)
	if a, b := w.look(old), w.look(next); a != "not-valid" || b != "accepted" {
		t.Errorf("old %s, new %s", a, b)
	}
}

// Who has moved keeps a good card that is to be renewed; the new one says where they live,
// and ends the old one.
func TestACardIsIssuedAnewAfterAMove(t *testing.T) {
	w := newWorld(t)
	one, c, _ := w.holder("phone")
	outcome := func() (string, bool) {
		begun, err := w.vp.Ask(ctx, shop, openid4vp.Asked{Elements: []string{"age_over_19"}})
		check(t, err)
		r, err := one.Open(ctx, begun.Request)
		check(t, err)
		choices, err := one.Choose(r)
		check(t, err)
		_, err = one.Answer(ctx, r, choices)
		check(t, err)
		out, err := w.vp.Outcome(ctx, shop, begun.ID, "")
		check(t, err)
		return out.Verdict, len(out.Shown) == 1 && out.Shown[0].Renew
	}
	address := "새 주소 1"
	_, err := w.Issuance.Amend(ctx, issuance.AmendRequest{Request: w.Request(servicetest.Registrar), Person: c.ID, Why: "moved", Amendment: register.Amendment{Address: &address}})
	check(t, err)
	if v, renew := outcome(); v != "accepted" || !renew {
		t.Errorf("after the move: %s, to be renewed: %t", v, renew)
	}
	token := w.authorise(one, c)
	for _, config := range []string{openid4vci.MdocID, openid4vci.SDJWTID} {
		got, err := token.Issue(ctx, config, wallet.Ask{Copies: servicetest.Copies})
		check(t, err)
		for _, copy := range got {
			if !bytes.Contains(copy.Credential, []byte(address)) && !bytes.Contains(disclosed(copy.Credential), []byte(address)) {
				t.Errorf("%s: the new address is not on the card", config)
			}
		}
	}
	if v, renew := outcome(); v != "accepted" || renew {
		t.Errorf("the new card: %s, to be renewed: %t", v, renew)
	}
}

// disclosed is what an SD-JWT discloses.
func disclosed(credential []byte) (out []byte) {
	for part := range strings.SplitSeq(string(credential), "~") {
		if text, err := base64.RawURLEncoding.DecodeString(part); err == nil {
			out = append(out, text...)
		}
	}
	return out
}

func TestS8WhatIsReportedBetweenAuthorisationAndIssueCounts(t *testing.T) {
	w := newWorld(t)
	one, c := w.wallet("phone"), w.Resident()
	token := w.authorise(one, c)
	receipt, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}), Person: c.ID, Cause: lifecycle.PhysicalLost})
	check(t, err)
	_, err = token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	refused(t, "a card reported lost", err, 400, "credential_request_denied")
	_, err = w.Suspension.Release(ctx, suspension.ReleaseRequest{Request: w.Request(register.By{Actor: "c", Role: lifecycle.Clerk}), Person: c.ID, Cause: lifecycle.PhysicalLost, Sequence: receipt.Sequence})
	check(t, err)
	_, err = token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	check(t, err)
}

// A wallet that loses the answer asks again with the same keys, and gets copies at
// the same places: nothing is issued twice.
func TestAWalletThatLostTheAnswerAsksAgain(t *testing.T) {
	w := newWorld(t)
	one, c := w.wallet("phone"), w.Resident()
	token := w.authorise(one, c)
	keys := one.Phone().Keys(2)
	ask := func() error {
		nonce, err := token.Nonce(ctx)
		check(t, err)
		proofs, err := token.Prove(keys, nonce, false)
		check(t, err)
		_, err = token.AskForTests(ctx, openid4vci.MdocID, keys, proofs)
		return err
	}
	check(t, ask())
	seq := w.sequence()
	check(t, ask())
	if w.sequence() != seq {
		t.Error("a second card was issued")
	}
	if v := w.look(one); v != "accepted" {
		t.Errorf("verdict %s", v)
	}
	_, err := token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	refused(t, "other keys on the same token", err, 400, "credential_request_denied")
}

// A wallet that asks again for a card that has ended meanwhile is told so.
func TestAWalletThatLostTheAnswerIsToldThatTheCardHasEnded(t *testing.T) {
	w := newWorld(t)
	one, c := w.wallet("phone"), w.Resident()
	token := w.authorise(one, c)
	keys := one.Phone().Keys(2)
	_, err := token.IssueFor(ctx, openid4vci.MdocID, keys, wallet.Ask{})
	check(t, err)
	_, err = w.Issuance.Remove(ctx, issuance.RemovalRequest{Request: w.Request(register.By{Actor: "registrar", Role: lifecycle.Registrar}), Person: c.ID, Why: "moved abroad"})
	check(t, err)
	_, err = token.IssueFor(ctx, openid4vci.MdocID, keys, wallet.Ask{})
	refused(t, "a card that has ended", err, 400, "credential_request_denied")
}

func (w *world) sequence() (n uint64) {
	w.t.Helper()
	check(w.t, w.DB.View(ctx, func(r store.Reader) (err error) { n, err = r.Sequence(); return err }))
	return n
}

// A wallet that wants encrypted answers gets one also when it comes again.
func TestAnAnswerThatComesLaterIsEncryptedToo(t *testing.T) {
	w := newPatientWorld(t, time.Second)
	one, c := w.wallet("phone"), w.Resident()
	token := w.authorise(one, c)
	p, err := token.Prepare(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1, Encrypt: jwe.A256GCM})
	check(t, err)
	w.slowIn = 1
	_, err = p.Ask(ctx)
	pending, ok := errors.AsType[*wallet.Pending](err)
	if !ok {
		t.Fatalf("%v", err)
	}
	w.slowIn = -1
	encrypted := 0
	w.tamper("/vci/deferred", func(r *http.Request) {
		if r.Header.Get("Content-Type") == "application/jwt" {
			encrypted++
		}
	})
	got, err := pending.Call(ctx)
	check(t, err)
	if len(got) != 1 || encrypted != 1 || w.look(one) != "accepted" {
		t.Errorf("%d copies, %d requests encrypted", len(got), encrypted)
	}
}

func TestASlowRegisterLetsTheWalletComeAgain(t *testing.T) {
	w := newPatientWorld(t, time.Second)
	one, c := w.wallet("phone"), w.Resident()
	token := w.authorise(one, c)
	keys := one.Phone().Keys(1)
	nonce, err := token.Nonce(ctx)
	check(t, err)
	proofs, err := token.Prove(keys, nonce, false)
	check(t, err)
	w.slowIn = 1 // the proof of the request is spent before that
	_, err = token.AskForTests(ctx, openid4vci.MdocID, keys, proofs)
	pending, ok := errors.AsType[*wallet.Pending](err)
	if !ok || pending.Interval != 5*time.Second {
		t.Fatalf("%v", err)
	}
	w.slowIn = -1
	got, err := pending.Call(ctx)
	check(t, err)
	if len(got) != 1 || w.look(one) != "accepted" {
		t.Errorf("%d copies", len(got))
	}
	other := w.authorise(w.wallet("other"), w.Resident())
	stolen := *pending
	stolen.Token = other
	_, err = stolen.Call(ctx)
	refused(t, "another wallet's transaction", err, 400, "invalid_transaction_id")
}
