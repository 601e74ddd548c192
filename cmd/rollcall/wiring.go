package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
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
	transactionLife   = 5 * time.Minute
	resultKept        = 10 * time.Minute
	patience          = 5 * time.Second // until a wallet is told to come for its card later
	comeAgain         = 5 * time.Second
	sweepEvery        = time.Minute
	sweepAtMost       = 1000
	renewTLS          = 30 * 24 * time.Hour // before its certificate ends
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
	noting  sync.Mutex // held while revocations are entered into the audit log
	noted   int        // how many of them stand there
	leaving atomic.Bool
	wait    sync.WaitGroup
}

// credential is what an administrator who was entered gets to know once.
type credential struct{ id, passphrase, key string }

// open puts the service together on its data.
func open(ctx context.Context, c configuration, address string, log *slog.Logger, traces trace.TracerProvider) (_ *running, err error) {
	s := &running{c: c, url: address, data: c.text("data"), log: log, metrics: httpapi.NewMetrics(version)}
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

// lock is what the keys are locked with.
func (c configuration) lock() (keys.Lock, error) {
	l := keys.Lock{Passphrase: c.text("passphrase"), KeyFile: filepath.Join(c.text("data"), lockFile)}
	if file := c.text("passphrase-file"); file != "" {
		if l.Passphrase != "" {
			return l, errors.New("give passphrase or passphrase-file, not both")
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return l, fmt.Errorf("passphrase-file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		if l.Passphrase = strings.TrimSuffix(line, "\r"); l.Passphrase == "" {
			return l, fmt.Errorf("passphrase-file: the first line of %s is empty", file)
		}
	}
	return l, nil
}

// openKeys reads the keys, or founds the service's authorities and makes them.
func (s *running) openKeys(host string) error {
	path := filepath.Join(s.data, keysFile)
	lock, err := s.c.lock()
	if err != nil {
		return err
	}
	m := keys.Maker{Random: chance, URL: s.url, Hosts: hosts(host, s.c.text("listen"))}
	all, err := keys.Read(path, lock)
	if errors.Is(err, fs.ErrNotExist) {
		if _, exists := os.Stat(path); !errors.Is(exists, fs.ErrNotExist) {
			return fmt.Errorf("the key file is missing with which the keys are locked: %w", err)
		}
		if all, err = m.Found(time.Now()); err == nil {
			err = keys.Write(path, lock, all, chance, true)
		}
		if errors.Is(err, fs.ErrExist) { // another replica was first
			all, err = keys.Read(path, lock)
		}
	}
	if err != nil {
		return err
	}
	if s.ring, err = keys.NewRing(all, time.Now, openElsewhere); err != nil {
		return fmt.Errorf("the keys in %s: %w", path, err)
	}
	if renew, err := s.serverCertificateEnds(m.Hosts); err != nil || renew {
		now := time.Now()
		if all, err = m.Rotate(all, keys.TLS, now, now); err == nil {
			err = errors.Join(keys.Write(path, lock, all, chance, false), s.ring.Load(all))
		}
		if err != nil {
			return fmt.Errorf("the server's certificate cannot be renewed: %w", err)
		}
	}
	if seen, err := os.Stat(path); err == nil {
		s.keysSeen.Store(&seen)
	}
	s.ring.Signed = s.metrics.Signed
	s.metrics.WatchKeys(s.ring)
	for use, end := range s.ring.Expiry() {
		if left := time.Until(end); left < renewTLS {
			s.log.Warn("a certificate ends soon: rotate its key", "use", string(use), "ends", end.Format(time.DateOnly))
		}
	}
	if s.seals, err = seal.NewKeys(s.ring.Secrets(keys.Seal)...); err != nil {
		return err
	}
	for file, use := range map[string]keys.Use{authorityFile: keys.Authority, iacaFile: keys.IACA} {
		var text []byte
		for _, c := range s.ring.Certificates(use) {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
		}
		if err := os.WriteFile(filepath.Join(s.data, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// hosts are the names for which the server's own certificate stands.
func hosts(public, listen string) []string {
	out := []string{public}
	at, _, _ := net.SplitHostPort(listen)
	for _, h := range []string{at, "localhost", "127.0.0.1", "::1"} {
		if ip := net.ParseIP(h); h != "" && (ip == nil || !ip.IsUnspecified()) && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// serverCertificateEnds says whether the server's own certificate has to be
// renewed: it ends soon, or stands for other hosts.
func (s *running) serverCertificateEnds(hosts []string) (bool, error) {
	c, err := x509.ParseCertificate(s.ring.Signer(keys.TLS).Certificate())
	if err != nil {
		return false, err
	}
	for _, h := range hosts {
		if c.VerifyHostname(h) != nil {
			return true, nil
		}
	}
	return time.Until(c.NotAfter) < renewTLS, nil
}

// nonces is the secret of nonces and answers of what was begun at a moment.
func (s *running) nonces(begun time.Time) [32]byte { return s.ring.Epoch(keys.Nonce, begun) }

// takeRevocations makes the service itself go by its lists of revoked certificates.
func (s *running) takeRevocations() error {
	lists, err := s.ring.RevocationLists(keys.IACA)
	if err != nil {
		return err
	}
	for _, list := range lists {
		err = errors.Join(err, s.anchors.Revoked(list, time.Now()))
	}
	return err
}

// noteRevocations enters what was revoked into the audit log, once in all replicas.
func (s *running) noteRevocations(ctx context.Context) error {
	s.noting.Lock()
	defer s.noting.Unlock()
	all := s.ring.Revoked()
	if len(all) == s.noted { // none is ever taken out of the file
		return nil
	}
	var noted []register.Revoked
	for _, one := range all {
		noted = append(noted, register.Revoked{
			Root: string(one.Root.Use) + " " + one.Root.ID(), Serial: one.Serial,
			Why: fmt.Sprintf("%s, revoked at %s under the %s", one.Reason, one.At.UTC().Format(time.RFC3339), one.Root.Use),
		})
	}
	err := s.service.Register.NoteRevoked(ctx, itself.ID, itself.Role.String(), noted)
	if err == nil {
		s.noted = len(all)
	}
	return err
}

// tellRevocations is noteRevocations of a loop, which comes by again.
func (s *running) tellRevocations(ctx context.Context) {
	if err := s.noteRevocations(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("a revocation is in force and not in the audit log yet: it is tried again within a minute", "error", err.Error())
	}
}

// reload reads the keys again.
func (s *running) reload() error {
	lock, err := s.c.lock()
	if err != nil {
		return err
	}
	path := filepath.Join(s.data, keysFile)
	seen, err := os.Stat(path) // before it is read: what is written meanwhile is another change
	if err != nil {
		return err
	}
	all, err := keys.Read(path, lock)
	if err != nil {
		return err
	}
	if err := s.ring.Load(all); err != nil {
		return err
	}
	s.keysSeen.Store(&seen)
	return s.seals.Replace(s.ring.Secrets(keys.Seal)...)
}

// keysRead does what other keys than before call for, and tells the log: what was revoked
// is refused from now on, and status lists by it are signed by the next signer.
func (s *running) keysRead(ctx context.Context, err error) {
	if err != nil {
		s.log.Error("the keys were not read again: the ones before stay in use", "error", err.Error())
		return
	}
	if err := s.takeRevocations(); err != nil {
		s.log.Error("not every list of revoked certificates is gone by here: start this replica anew", "error", err.Error())
	}
	if err := s.publish(ctx); err != nil {
		s.log.Error("the status lists were not published: those before are served on", "error", err.Error())
	}
	s.tellRevocations(ctx)
	s.log.Info("the keys were read again")
}

// reloadIfChanged reads the keys again if their file is another one than was read.
func (s *running) reloadIfChanged() (changed bool, err error) {
	now, err := os.Stat(filepath.Join(s.data, keysFile))
	if err != nil {
		return false, err
	}
	if seen := s.keysSeen.Load(); seen != nil && (*seen).ModTime().Equal(now.ModTime()) && (*seen).Size() == now.Size() && os.SameFile(*seen, now) {
		return false, nil
	}
	return true, s.reload()
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

// errServed: another process holds the register's file.
var errServed = errors.New("another rollcall serves")

// registerFile is the file of the register; false if it is in a database server.
func (s *running) registerFile() (string, bool) {
	address := s.c.text("database")
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
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
		Copies: s.c.number("copies"), ChallengeLifetime: challengeLifetime, Transaction: transactionLife, Nonces: s.nonces,
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
	s.api.Parties, s.api.Lists, s.api.Extra = s.parties, s.lists, s.demoRoutes()
	s.api.Roots = &keys.Roots{Ring: s.ring}
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

// openProtocols puts together what wallets, verifiers and desks speak to.
func (s *running) openProtocols() error {
	r, i := s.service.Register, s.service.Issuance
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
	if s.api.Authorization, err = authorization.New(authorization.Options{
		Register: r, Issuance: i, Keys: s.seals, Issuer: s.url, Path: "/oauth/", Providers: vouchers, Scopes: openid4vci.Scopes,
	}); err != nil {
		return usage(fmt.Errorf("public-url: %w", err))
	}
	if s.api.OpenID4VCI, err = openid4vci.New(openid4vci.Options{
		Register: r, Issuance: i, Keys: s.seals, Issuer: s.url, Path: "/vci/", Name: map[string]string{"ko": s.c.text("authority")},
		Copies: s.c.number("copies"), Proofs: keyproof.Policy{Attesters: makers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}},
		Signer: func() (jws.Sign, [][]byte) {
			signer := mdoc.InForce(s.ring.Signer(keys.Issuer))
			return signer.Sign, [][]byte{signer.Certificate()}
		},
		Patience: patience, Interval: comeAgain, Nonces: s.api.Authorization.GiveNonce,
	}); err != nil {
		return err
	}
	var roots [][]byte
	for _, der := range s.ring.Certificates(keys.IACA) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		roots = append(roots, c.SubjectKeyId)
	}
	if s.api.OpenID4VP, err = openid4vp.New(openid4vp.Options{
		Register: r, Verification: s.service.Verification, Base: s.url + "/vp/", Authorities: roots, Keys: s.seals,
		Secret: func(begun time.Time) [32]byte {
			secret := s.nonces(begun)
			return sha256.Sum256(append([]byte("rollcall answers of wallets "), secret[:]...))
		},
		Lifetime: transactionLife, Kept: resultKept,
		Revoked: s.ring.ReadersRevoked,
		Reader: func(ctx context.Context, id string) (openid4vp.Reader, error) {
			p, err := s.parties.Party(ctx, id)
			if err != nil {
				return openid4vp.Reader{}, err
			}
			signer, err := s.ring.Reader(id, p.Name)
			if errors.Is(err, keys.ErrRevoked) {
				err = fmt.Errorf("%w: %w", openid4vp.ErrRevoked, err)
			}
			if err != nil {
				return openid4vp.Reader{}, err
			}
			return openid4vp.Reader{Sign: signer.Sign, Chain: [][]byte{signer.Certificate()}}, nil
		},
	}); err != nil {
		return err
	}
	s.api.Desk, err = desk.New(desk.Options{
		Register: r, Issuance: i, Suspension: s.service.Suspension, Verification: s.service.Verification, Parties: s.parties,
		Published: s.c.duration("status-every") + s.c.duration("status-ttl"),
		Scan: func(ctx context.Context, o issuance.Offer) (desk.Scan, error) {
			scan, err := s.api.Authorization.Offer(ctx, o)
			return desk.Scan{URI: scan.URI, TxCode: scan.TxCode, Expires: scan.Expires}, err
		},
		Checkpoint: func(c audit.Checkpoint) (string, error) {
			signer := mdoc.InForce(s.ring.Signer(keys.Status))
			return c.Sign(signer.Sign, [][]byte{signer.Certificate()})
		},
	})
	if err != nil {
		return err
	}
	phones := ""
	if s.town != nil {
		phones = demo.PhonesPath
	}
	s.api.Console, err = console.New(console.Options{
		Register: r, Parties: s.parties, Desk: s.api.Desk, Keys: s.seals, Civil: scenarios.KST,
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
	s.every(ctx, sweepEvery, func(context.Context) { // a secret to come takes over at its moment
		if err := s.seals.Replace(s.ring.Secrets(keys.Seal)...); err != nil {
			s.log.Error("the sealing keys were not changed", "error", err.Error())
		}
	})
}

// itself is the service entering its first administrator.
var itself = access.Caller{Role: access.Administrator, ID: "serve"}

// enterAdministrators enters a first administrator where there is none, and the
// one that was asked for.
func (s *running) enterAdministrators(ctx context.Context) error {
	all, err := s.parties.All(ctx)
	if err != nil {
		return err
	}
	wanted := s.c.text("new-administrator")
	if wanted == "" {
		if slices.ContainsFunc(all, func(p parties.Party) bool { return p.Role == access.Administrator && p.Ended.IsZero() }) {
			return nil
		}
		wanted = "admin"
		for n := 2; slices.ContainsFunc(all, func(p parties.Party) bool { return p.ID == wanted }); n++ {
			wanted = fmt.Sprintf("admin-%d", n) // the ones before were ended
		}
	}
	seed, err := s.service.Register.Seed()
	if err != nil {
		return err
	}
	var private *ecdsa.PrivateKey
	for private == nil {
		secret, err := s.service.Register.Seed()
		if err != nil {
			return err
		}
		private, _ = privateKey(secret[:])
	}
	public, err := jws.KeyOf(&private.PublicKey)
	if err != nil {
		return err
	}
	public.KeyID = wanted
	passphrase := parties.Passphrase(seed)
	_, err = s.parties.Enter(ctx, parties.Request{
		By: itself, Key: "administrator " + wanted, ID: wanted, Role: access.Administrator, Passphrase: passphrase, Why: "first start",
		Profile: parties.Profile{Name: wanted, Keys: []jws.Key{public}},
	})
	if errors.Is(err, parties.ErrEntered) || errors.Is(err, register.ErrKeyReused) {
		if s.c.text("new-administrator") != "" {
			return usage(fmt.Errorf("new-administrator: there is a party %s, or was: choose another id", wanted))
		}
		return nil // another replica was first, and has shown it
	}
	if err != nil {
		return err
	}
	key, err := s.keepKey(wanted, private)
	s.first = append(s.first, credential{wanted, passphrase, key})
	return err
}

// keepKey writes a party's private key where only this user can read it.
func (s *running) keepKey(id string, private *ecdsa.PrivateKey) (string, error) {
	path := filepath.Join(s.data, id+".jwk")
	text, err := privateJWK(id, private)
	if err != nil {
		return "", err
	}
	_ = os.Remove(path) // its mode may be another
	return path, os.WriteFile(path, text, 0o600)
}

// privateJWK is a private key as RFC 7517 writes it.
func privateJWK(kid string, private *ecdsa.PrivateKey) ([]byte, error) {
	public, err := jws.KeyOf(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	d, err := private.Bytes()
	if err != nil {
		return nil, err
	}
	encoded := json.RawMessage(`"` + base64.RawURLEncoding.EncodeToString(d) + `"`)
	public.KeyID, public.Algorithm, public.D = kid, "ES256", &encoded
	text, err := json.Marshal(public)
	return append(text, '\n'), err
}
