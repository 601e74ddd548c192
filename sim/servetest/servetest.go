// Package servetest is the whole service over HTTPS, in the process of a test, for
// the tests of what uses it from outside: the crowd of sim/loadgen, k6. It has the
// parties of the demonstration, believes the makers of its cards, phones and wallets,
// and turns nobody away by rate.
//
// It may be wrong inside, by name (see Faults): the store under the service does not
// tell the truth, what is done in each interval is done too seldom, or what it answers
// is changed on its way out. The service's
// own code has no switch for it. Who uses it is told nothing: finding out is what is
// tested.
//
// Only tests may stand on this package (a test of the root sees to it). Tests of what
// stands before the service without HTTP use reference/service/servicetest.
package servetest

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/protocols"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/x5c"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/demo"
)

// Options are what a service needs from outside. Clock, randomness and waiting are
// handed in; randomness is used by many at a time.
type Options struct {
	Now    func() time.Time
	Random io.Reader
	Wait   func(context.Context, time.Duration) error

	Scenario *scenarios.Scenario // its face threshold and lifetimes count
	// Policy is by which cards are issued; nil: that of the scenario, and every
	// municipality has been open for ever.
	Policy *lifecycle.Policy

	Copies           int           // of a mobile card, at most; 0: 3
	StatusEvery, TTL time.Duration // of status lists; 0: a second each

	// Before stands between those who ask and the service: a network that loses
	// answers, a gateway that is overloaded. nil: nothing does.
	Before func(service http.Handler) http.Handler

	// Distrusted is told of cards whose signer is good no more; may be nil.
	Distrusted func(context.Context, error)
}

// Service is a service that runs until the test is over.
type Service struct {
	URL string // https, at 127.0.0.1
	CA  []byte // the root of its certificate, PEM
	// Store is the register as it really is, whatever the service makes of it.
	Store store.Store
	// Cards verifies IC cards. It has the list of the demonstration's country, on which nobody
	// stands, and may be handed newer ones.
	Cards *card.Verifier
}

// Start starts a service, with a fault by its name; "": none.
func Start(t testing.TB, fault string, o Options) *Service {
	t.Helper()
	f, err := faultOf(fault)
	if err == nil && (o.Now == nil || o.Random == nil || o.Wait == nil || o.Scenario == nil) {
		err = errors.New("a service needs a clock, randomness, a way to wait and a scenario")
	}
	if err != nil {
		t.Fatal(err)
	}
	if o.Copies == 0 {
		o.Copies = 3
	}
	if o.StatusEvery == 0 {
		o.StatusEvery = time.Second
	}
	if o.TTL == 0 {
		o.TTL = time.Second
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &starting{o: o, fault: f, url: "https://" + l.Addr().String()}
	if err := s.open(t.Context(), filepath.Join(t.TempDir(), "register.db")); err != nil {
		_ = l.Close()
		t.Fatal(err)
	}
	var handler http.Handler = s.router
	if f.before != nil {
		handler = f.before(handler)
	}
	if o.Before != nil {
		handler = o.Before(handler)
	}
	server := httpapi.Server(handler, httpapi.TLS(s.ring.TLSCertificate), httpapi.DefaultTimeouts)
	over := make(chan struct{}, 2)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		defer func() { over <- struct{}{} }()
		if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the service has stopped: %v", err)
		}
	}()
	go func() {
		defer func() { over <- struct{}{} }()
		for o.Wait(ctx, max(o.StatusEvery, f.every)) == nil {
			if err := s.lists.Publish(ctx); err != nil && ctx.Err() == nil && fault == "" {
				t.Errorf("the status lists were not published: %v", err)
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		_ = server.Close()
		<-over
		<-over
		_ = s.real.Close()
	})
	root := s.ring.Certificates(keys.Authority)[0]
	return &Service{URL: s.url, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}), Store: s.real, Cards: s.cards}
}

// starting is a service that is put together.
type starting struct {
	o     Options
	fault Fault
	url   string

	real    store.Store
	cards   *card.Verifier
	ring    *keys.Ring
	seals   *seal.Keys
	service *service.Service
	parties *parties.Parties
	lists   *publication.Lists
	api     httpapi.API
	router  *httpapi.Router
}

func (s *starting) open(ctx context.Context, file string) (err error) {
	all, err := keys.Maker{Random: s.o.Random, URL: s.url, Hosts: []string{"127.0.0.1", "localhost"}}.Found(s.o.Now())
	if err != nil {
		return err
	}
	if s.ring, err = keys.NewRing(all, s.o.Now, nil); err != nil {
		return err
	}
	if s.seals, err = seal.NewKeys(s.ring.Secrets(keys.Seal)...); err != nil {
		return err
	}
	if s.real, err = sqlite.Open(file, sqlite.Options{}); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.real.Close())
		}
	}()
	for _, step := range []func(context.Context) error{s.openService, s.openProtocols, s.enterStaff} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := s.lists.Publish(ctx); err != nil {
		return err
	}
	return s.route()
}

// policy is the scenario's, everywhere.
func (s *starting) policy() (*lifecycle.Policy, error) {
	if s.o.Policy != nil {
		return s.o.Policy, nil
	}
	nation, err := scenarios.LoadNation()
	if err != nil {
		return nil, err
	}
	ch := &s.o.Scenario.Channels
	p := &lifecycle.Policy{MinimumAge: ch.MinimumAge, OfferLifetime: ch.OfferLifetime, CredentialValidity: ch.Validity, Opens: map[string]time.Time{}}
	for i := range nation.Municipalities {
		p.Opens[nation.Municipalities[i].Code] = time.Time{}
	}
	return p, nil
}

func (s *starting) openService(ctx context.Context) error {
	policy, err := s.policy()
	if err != nil {
		return err
	}
	kit, maker, _, err := demo.Makers()
	if err != nil {
		return err
	}
	if s.cards, err = card.NewVerifier(kit.CountryCA); err != nil {
		return err
	}
	s.cards.RequireLists()
	list, err := kit.RevocationList(s.o.Now())
	if err != nil {
		return err
	}
	if _, err := s.cards.Revoked(list, s.o.Now()); err != nil {
		return err
	}
	phones, err := issuance.NewMakers(maker.Root)
	if err != nil {
		return err
	}
	anchors, err := mdoc.NewTrustAnchors(s.ring.Certificates(keys.IACA)...)
	if err != nil {
		return err
	}
	seen := s.real
	if s.fault.store != nil {
		seen = s.fault.store(seen)
	}
	if s.service, err = service.New(ctx, service.Config{
		Store: seen, Now: s.o.Now, Random: s.o.Random, Policy: policy, Civil: scenarios.KST,
		Cards: s.cards, Distrusted: s.o.Distrusted, Faces: face.Matcher{Threshold: s.o.Scenario.Face.Threshold}, Phones: phones,
		DocumentSigner: s.ring.Signer(keys.Document), StatusSigner: s.ring.Signer(keys.Status), Anchors: anchors, Authority: "행정안전부", Issuer: s.url,
		Copies: s.o.Copies, ChallengeLifetime: 5 * time.Minute, Transaction: protocols.Transaction, Nonces: func(begun time.Time) [32]byte { return s.ring.Epoch(keys.Nonce, begun) }, Seals: s.seals,
		Lists: register.Lists{Base: s.url + "/status-lists/", Size: 1 << 16}, TTL: s.o.TTL, Validity: 24 * time.Hour, Aggregation: s.url + "/status-lists",
	}); err != nil {
		return err
	}
	s.lists, err = publication.New(publication.Options{Publisher: s.service.Publisher, Now: s.o.Now, Interval: max(s.o.StatusEvery, s.fault.every)})
	return err
}

func (s *starting) openProtocols(context.Context) error {
	_, maker, provider, err := demo.Makers()
	if err != nil {
		return err
	}
	providers, err := x5c.NewAnchors("wallet provider", provider.Root)
	if err != nil {
		return err
	}
	makers, err := x5c.NewAnchors("phone maker", maker.Root)
	if err != nil {
		return err
	}
	if s.parties, err = parties.New(s.service.Register, parties.Options{
		Issuer: s.url, TokenEndpoint: s.url + "/parties/token", Keys: s.seals, Cost: parties.Cost{Memory: 8, Passes: 1},
	}); err != nil {
		return err
	}
	s.api, err = protocols.New(protocols.Options{
		Service: s.service, Parties: s.parties, Ring: s.ring, Seals: s.seals, URL: s.url, Name: map[string]string{"ko": "행정안전부"}, Copies: s.o.Copies,
		Published: s.o.StatusEvery + s.o.TTL, Providers: providers, Makers: makers,
	})
	return err
}

// staff are the parties of a demonstration, as far as a crowd needs them.
var staff = map[string]parties.Request{
	"demo-clerk":     {Role: access.Clerk, Profile: parties.Profile{Centre: demo.Municipality}},
	"demo-operator":  {Role: access.CallCentre},
	"demo-registrar": {Role: access.Registrar},
	"demo-auditor":   {Role: access.Auditor},
	"demo-bank":      {Role: access.Verifier, Profile: parties.Profile{Elements: []string{"family_name", "given_name", "birth_date", "resident_registration_number", "resident_address", "portrait", "age_over_19"}}},
	"demo-shop":      {Role: access.Verifier, Profile: parties.Profile{Elements: []string{"age_over_19"}}},
}

func (s *starting) enterStaff(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(staff)) {
		public, err := jws.KeyOf(&demo.Key(id).PublicKey)
		if err != nil {
			return err
		}
		public.KeyID = id
		q := staff[id]
		q.By, q.Key, q.ID, q.Why = access.Caller{Role: access.Administrator, ID: "servetest"}, "party "+id, id, "test"
		q.Name, q.Keys = id, []jws.Key{public}
		if _, err := s.parties.Enter(ctx, q); err != nil {
			return fmt.Errorf("%s was not entered: %w", id, err)
		}
	}
	return nil
}

func (s *starting) route() (err error) {
	s.api.Health = &httpapi.Health{Checks: []httpapi.ReadyCheck{{Name: "the status lists are not published", Fail: func(context.Context) error { return s.lists.Ready() }}}}
	s.api.Lists = s.lists
	limits, none := httpapi.DefaultLimits, httpapi.Rate{PerSecond: 1e9, Burst: 1e9}
	limits.Address, limits.Citizen, limits.Staff, limits.Verifier = none, none, none, none
	s.router, err = httpapi.New(&s.api, httpapi.Options{
		Now: s.o.Now, Random: s.o.Random, Limits: limits,
		Authentication: httpapi.Authentication{DPoP: s.api.Authorization.DPoP, Bearer: s.parties.Bearer, Session: s.parties.Session, Certificate: s.parties.Certificate},
	})
	return err
}
