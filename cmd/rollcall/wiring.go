package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/protocols"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/x5c"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/demo"
	"rollcall.example/rollcall/sim/rollout"
)

// Files of the data folder.
const (
	keysFile      = "keys.json"
	lockFile      = "keys.key"
	registerFile  = "register.db"
	authorityFile = "authority.pem" // the root of the server's certificate
	iacaFile      = "iaca.pem"      // the root of cards and status lists
)

// How long things live that no setting changes.
const (
	challengeLifetime = 5 * time.Minute
	sweepEvery        = time.Minute
	sweepAtMost       = 1000
	renewTLS          = 30 * 24 * time.Hour // before its certificate ends
	renewDocument     = 120 * 24 * time.Hour
)

// running is the service at work.
type running struct {
	c    configuration
	url  string
	data string
	log  *slog.Logger

	ring      *keys.Ring
	keysSeen  atomic.Pointer[fs.FileInfo] // the file of keys that was read last
	seals     *seal.Keys
	store     store.Store
	census    *census            // nil: a register of one process
	locked    *os.File           // nil: the register is no file
	anchors   *mdoc.TrustAnchors // of cards and status lists
	service   *service.Service
	parties   *parties.Parties
	api       httpapi.API
	town      *demo.Town // nil: no demonstration
	makers    [][]byte   // root certificates of phone makers
	cardLists *cardLists // nil: no IC card is believed
	metrics   *httpapi.Metrics
	router    *httpapi.Router
	tls       *tls.Config // nil: plain HTTP
	ownTLS    bool
	proxies   []netip.Prefix
	first     []credential

	lists   *publication.Lists
	noting  sync.Mutex         // held while revocations are entered into the audit log
	noted   int                // how many of the service's own stand there
	listed  map[*crl.List]bool // the lists of which all do
	leaving atomic.Bool
	wait    sync.WaitGroup
}

// credential is what an administrator who was entered gets to know once.
type credential struct{ id, passphrase, key string }

// open puts the service together on its data.
func open(ctx context.Context, c configuration, address string, log *slog.Logger, traces trace.TracerProvider) (_ *running, err error) {
	s := &running{c: c, url: address, data: c.text("data"), log: log, metrics: httpapi.NewMetrics(version), listed: map[*crl.List]bool{}}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" {
		return nil, usage(fmt.Errorf("public-url: %q is no URL of a host (write https://id.example)", address))
	}
	if u.Scheme != "https" {
		return nil, usage(fmt.Errorf("public-url: wallets speak to https alone, not to %s: behind a proxy that speaks TLS give its URL", address))
	}
	for _, text := range c.list("proxies") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, usage(fmt.Errorf("proxies: %q is no network (write 10.0.0.0/8)", text))
		}
		s.proxies = append(s.proxies, p)
	}
	private()
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return nil, usage(fmt.Errorf("the data folder cannot be made: %w", err))
	}
	if err := writable(s.data); err != nil {
		return nil, usage(fmt.Errorf("the data folder %s cannot be written: %w", s.data, err))
	}
	if err := s.openKeys(u.Hostname()); err != nil {
		return nil, usage(err)
	}
	if s.tls, err = s.tlsConfig(c); err != nil {
		return nil, usage(err)
	}
	if err := s.openStore(ctx); err != nil {
		return nil, usage(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.warnOfSharedNumbers(ctx); err != nil {
		return nil, err
	}
	s.metrics.WatchStore(s.store)
	s.store = httpapi.TraceStore(s.store, traces)
	scenario, nation, policy, err := rules(c)
	if err != nil {
		return nil, usage(err)
	}
	if c.yes("demo") {
		if s.town, err = demo.New(scenario, nation, c.number("demo-residents")); err != nil {
			return nil, usage(fmt.Errorf("demo-residents: %w", err))
		}
	}
	if err := s.openService(ctx, scenario, policy); err != nil {
		return nil, err
	}
	_, alone := s.registerFile() // a file has one process
	if s.parties, err = parties.New(s.service.Register, parties.Options{Issuer: s.url, TokenEndpoint: s.url + "/parties/token", Keys: s.seals, Alone: alone}); err != nil {
		return nil, err
	}
	if err := s.openProtocols(); err != nil {
		return nil, err
	}
	if err := s.enterAdministrators(ctx); err != nil {
		return nil, err
	}
	if s.town != nil {
		if err := s.enterDemo(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.publish(ctx); err != nil {
		return nil, fmt.Errorf("the status lists cannot be published: %w", err)
	}
	return s, s.route(ctx, traces)
}

// close gives back what open has taken.
func (s *running) close() error {
	err := s.store.Close()
	if s.locked != nil {
		err = errors.Join(err, s.locked.Close())
	}
	return err
}

// openStore opens the register.
func (s *running) openStore(ctx context.Context) (err error) {
	if file, ok := s.registerFile(); ok {
		if s.locked, err = lockFor(file); err != nil {
			return err
		}
		if s.store, err = sqlite.Open(file, sqlite.Options{Readers: max(4, runtime.NumCPU())}); err != nil {
			return errors.Join(err, s.locked.Close())
		}
		return nil
	}
	db, err := postgres.Open(ctx, s.c.text("database"), postgres.Options{})
	if err != nil {
		return err
	}
	s.store, s.census = db, &census{live: db.Live}
	return nil
}

// warnOfSharedNumbers says which residents have the registration number of another:
// registers of before that was refused may hold some, and go on.
func (s *running) warnOfSharedNumbers(ctx context.Context) error {
	const named = 100 // a log is no register
	var shared []store.Shared
	if err := s.store.View(ctx, func(r store.Reader) (err error) {
		shared, err = r.SharedRRNs(named)
		return err
	}); err != nil {
		return err
	}
	for _, two := range shared {
		s.log.Warn("two residents have one registration number: one of them was entered wrongly, or twice", "resident", uint64(two.Person), "other", uint64(two.First))
	}
	return nil
}

// errServed: another process holds the register's file.
var errServed = errors.New("another rollcall serves")

// registerFile is the file of the register; false if it is in a database server.
func (s *running) registerFile() (string, bool) {
	address := s.c.text("database")
	if isPostgres(address) {
		return "", false
	}
	if address == "" {
		address = filepath.Join(s.data, registerFile)
	}
	return address, true
}

// rules are those of the scenario.
func rules(c configuration) (*scenarios.Scenario, *scenarios.Nation, *lifecycle.Policy, error) {
	scenario, err := scenarios.Load(c.text("scenario"), nil)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("scenario: %w", err)
	}
	nation, err := scenarios.LoadNation()
	if err != nil {
		return nil, nil, nil, err
	}
	model, err := rollout.New(scenario, nation)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("scenario: %w", err)
	}
	policy := model.Policy
	if c.yes("all-open") {
		policy.AnyCentreFrom = time.Time{}
		for i := range nation.Municipalities {
			policy.Opens[nation.Municipalities[i].Code] = time.Time{}
		}
	}
	return scenario, nation, &policy, nil
}

// certificates are those in files of PEM.
func certificates(files []string) (out [][]byte, err error) {
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		before := len(out)
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				break
			}
			if block.Type == "CERTIFICATE" {
				out = append(out, block.Bytes)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s holds no certificate in PEM", f)
		}
	}
	return out, nil
}

// nobodysCards refuses every card: no authority is trusted to sign one.
type nobodysCards struct{}

func (nobodysCards) Good(card.Signer, time.Time) error {
	return fmt.Errorf("%w: no card authority is configured (card-authorities)", card.ErrUntrusted)
}

func (nobodysCards) Verify(card.Evidence, []byte, time.Time) (card.Card, error) {
	return card.Card{}, fmt.Errorf("%w: no card authority is configured (card-authorities)", card.ErrUntrusted)
}

// openService puts the use cases together.
func (s *running) openService(ctx context.Context, scenario *scenarios.Scenario, policy *lifecycle.Policy) error {
	countries, err := certificates(s.c.list("card-authorities"))
	if err != nil {
		return usage(fmt.Errorf("card-authorities: %w", err))
	}
	makers, err := certificates(s.c.list("phone-makers"))
	if err != nil {
		return usage(fmt.Errorf("phone-makers: %w", err))
	}
	if s.town != nil {
		countries, makers = append(countries, s.town.CountryCA), append(makers, s.town.PhoneMaker)
	}
	var cards issuance.CardVerifier = nobodysCards{}
	if len(countries) > 0 {
		v, err := card.NewVerifier(countries...)
		if err != nil {
			return usage(fmt.Errorf("card-authorities: %w", err))
		}
		if err := s.openCardLists(ctx, v); err != nil {
			return err
		}
		cards = v
	} else {
		s.log.Warn("no card authority is configured: nobody can be issued a mobile card by tapping an IC card")
	}
	if len(makers) == 0 {
		s.log.Warn("no phone maker is configured: no phone's keys are believed, and no mobile card is issued")
		makers = [][]byte{s.ring.Certificates(keys.Authority)[0]} // which attests no phone
	}
	phones, err := issuance.NewMakers(makers...)
	if err != nil {
		return usage(fmt.Errorf("phone-makers: %w", err))
	}
	if s.anchors, err = mdoc.NewTrustAnchors(s.ring.Certificates(keys.IACA)...); err != nil {
		return err
	}
	if err := s.takeRevocations(); err != nil {
		return err
	}
	if s.town != nil {
		s.town.Issuers = s.anchors
	}
	s.makers = makers
	renew := s.c.duration("status-renew")
	if ttl, every := s.c.duration("status-ttl"), s.c.duration("status-every"); renew == 0 {
		renew = max(ttl/2, time.Second)
	} else if renew+every >= ttl {
		return usage(fmt.Errorf("status-renew: %v and status-every (%v) come to status-ttl (%v) or more: verifiers that count the ttl from a list's issue would be without one", renew, every, ttl))
	}
	s.service, err = service.New(ctx, service.Config{
		Store: s.store, Now: time.Now, Random: chance, Policy: policy, Civil: scenarios.KST,
		Cards: cards, Distrusted: s.distrusted, Faces: face.Matcher{Threshold: scenario.Face.Threshold}, Phones: phones,
		DocumentSigner: s.ring.Signer(keys.Document), StatusSigner: s.ring.Signer(keys.Status), Anchors: s.anchors, Authority: s.c.text("authority"), Issuer: s.url,
		Copies: s.c.number("copies"), ChallengeLifetime: challengeLifetime, Transaction: protocols.Transaction, Nonces: s.nonces, Seals: s.seals,
		Lists: register.Lists{Base: s.url + "/status-lists/", Size: uint64(s.c.number("status-size"))},
		TTL:   s.c.duration("status-ttl"), Validity: s.c.duration("status-validity"), Renew: renew, Aggregation: s.url + "/status-lists",
	})
	if err != nil {
		return usage(err)
	}
	s.lists, err = publication.New(publication.Options{Publisher: s.service.Publisher, Now: time.Now, Interval: s.c.duration("status-every")})
	return usage(err)
}

// route builds the router from the modules.
func (s *running) route(ctx context.Context, traces trace.TracerProvider) (err error) {
	limits := httpapi.DefaultLimits
	for name, to := range map[string]*httpapi.Rate{"rate-address": &limits.Address, "rate-citizen": &limits.Citizen, "rate-staff": &limits.Staff, "rate-verifier": &limits.Verifier} {
		n := s.c.number(name)
		*to = httpapi.Rate{PerSecond: float64(n), Burst: 4 * n}
	}
	limits.Concurrent, limits.Each = s.c.number("concurrent"), s.c.number("concurrent-address")
	s.api.Health = &httpapi.Health{Checks: s.readyChecks(), Counts: s.metrics.Handler()}
	s.api.Lists, s.api.Extra = s.lists, s.demoRoutes()
	s.router, err = httpapi.New(&s.api, httpapi.Options{
		Now: time.Now, Random: chance, Limits: limits, Proxies: s.proxies, Log: s.log, Metrics: s.metrics, Traces: traces,
		Authentication: httpapi.Authentication{DPoP: s.api.Authorization.DPoP, Bearer: s.parties.Bearer, Session: s.parties.Session, Certificate: s.parties.Certificate},
	})
	if err != nil {
		return err
	}
	counted, cancel := context.WithTimeout(ctx, countEvery)
	defer cancel()
	if err := s.count(counted); err != nil {
		return fmt.Errorf("the replicas that share this register cannot be counted: %w", err)
	}
	return nil
}

// noAttestationList tells the log of a maker's status list that could not be had.
func (s *running) noAttestationList(uri string, err error) {
	s.log.Error("the status list of an attestation cannot be had: nothing that names it is taken until it can", "list", place(uri), "error", err.Error())
}

// openProtocols puts together what wallets, verifiers and desks speak to.
func (s *running) openProtocols() error {
	providers, err := certificates(s.c.list("wallet-providers"))
	if err != nil {
		return usage(fmt.Errorf("wallet-providers: %w", err))
	}
	if s.town != nil {
		providers = append(providers, s.town.WalletProvider)
	}
	if len(providers) == 0 {
		s.log.Warn("no wallet provider is configured: no wallet is believed, and no mobile card is issued")
		providers = s.ring.Certificates(keys.Authority)[:1] // which attests no wallet
	}
	vouchers, err := x5c.NewAnchors("wallet provider", providers...)
	if err != nil {
		return usage(fmt.Errorf("wallet-providers: %w", err))
	}
	makers, err := x5c.NewAnchors("phone maker", s.makers...)
	if err != nil {
		return usage(fmt.Errorf("phone-makers: %w", err))
	}
	if s.api, err = protocols.New(protocols.Options{
		Service: s.service, Parties: s.parties, Ring: s.ring, Seals: s.seals,
		URL: s.url, Name: map[string]string{"ko": s.c.text("authority")}, Copies: s.c.number("copies"),
		Published: s.c.duration("status-every") + s.c.duration("status-ttl"), Providers: vouchers, Makers: makers,
		Fetch: standing.HTTPS(http.DefaultTransport), NoList: s.noAttestationList,
	}); err != nil {
		return usage(fmt.Errorf("public-url: %w", err))
	}
	phones := ""
	if s.town != nil {
		phones = demo.PhonesPath
	}
	s.api.Console, err = console.New(console.Options{
		Register: s.service.Register, Parties: s.parties, Desk: s.api.Desk, Keys: s.seals, Civil: scenarios.KST,
		Offers: s.api.Authorization, Verifier: s.api.OpenID4VP, Phones: phones,
	})
	return err
}

// readyChecks are what the service cannot do without.
func (s *running) readyChecks() []httpapi.ReadyCheck {
	return []httpapi.ReadyCheck{
		{Name: "the service is about to stop", Fail: func(context.Context) error {
			if s.leaving.Load() {
				return errors.New("it was told to stop")
			}
			return nil
		}},
		{Name: "the register does not answer", Fail: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			return s.store.Ready(ctx)
		}},
		{Name: "a certificate is not valid", Fail: func(context.Context) error { return s.ring.Check(keys.IACA, keys.Document, keys.Status) }},
		{Name: "the status lists are not published", Fail: func(context.Context) error { return s.lists.Ready() }},
	}
}

// publish brings the status lists up to date.
func (s *running) publish(ctx context.Context) error {
	began := time.Now()
	err := s.lists.Publish(ctx)
	s.metrics.Published(time.Since(began), s.lists.Sequence(), err)
	return err
}

// loops do what has to be done again and again.
func (s *running) loops(ctx context.Context) {
	s.every(ctx, s.c.duration("status-every"), func(ctx context.Context) {
		if err := s.publish(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the status lists were not published: those before are served on", "error", err.Error())
		}
	})
	if s.census != nil {
		s.every(ctx, countEvery, func(ctx context.Context) {
			if err := s.count(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("the replicas were not counted: each keeps its share", "error", err.Error())
			}
		})
	}
	s.every(ctx, sweepEvery, func(ctx context.Context) {
		for what, sweep := range map[string]func(context.Context, int) (int, error){"expired cards": s.service.Issuance.ExpireDue, "what may be forgotten": s.service.Register.Forget} {
			for {
				n, err := sweep(ctx, sweepAtMost)
				if err != nil && ctx.Err() == nil {
					s.log.Error("sweeping failed", "what", what, "error", err.Error())
				}
				if err != nil || n < sweepAtMost {
					break
				}
			}
		}
	})
	s.every(ctx, sweepEvery, func(ctx context.Context) {
		if changed, err := s.reloadIfChanged(); changed || err != nil {
			s.keysRead(ctx, err)
		}
	})
	s.every(ctx, sweepEvery, func(ctx context.Context) { s.takeCardLists(ctx, false) })
	s.every(ctx, sweepEvery, s.tellRevocations)
	s.every(ctx, 24*time.Hour, func(context.Context) { s.tellEnds(time.Now()) })
	s.every(ctx, sweepEvery, func(context.Context) { s.api.OpenID4VP.Forget() })
	s.every(ctx, sweepEvery, func(context.Context) { // a secret to come takes over at its moment
		if err := s.seals.Replace(s.ring.Secrets(keys.Seal)...); err != nil {
			s.log.Error("the sealing keys were not changed", "error", err.Error())
		}
	})
}
