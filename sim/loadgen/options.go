package loadgen

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/demo"
)

// Options are what a crowd needs.
type Options struct {
	Service string // its URL, without a slash at the end
	// CA holds the roots (PEM) of the service's certificate; nil: the system's. HTTP
	// is the way out instead, if it is set.
	CA   []byte
	HTTP *http.Client

	Scenario *scenarios.Scenario
	Nation   *scenarios.Nation
	Seed     uint64
	// First and Citizens: who of the population they are, as ordinals. Those who
	// are in the register already cannot be entered again, so another run against
	// the same service begins behind them.
	First, Citizens int
	Municipality    string // where they live, and where the clerk's centre is; "": that of the demonstration
	// Rules are those by which the service issues; nil: the scenario's, and
	// Municipality has been open for ever.
	Rules *lifecycle.Policy
	// Exceptions: of ten citizens one is too young for a mobile card, one has a
	// plastic card without a chip, and two live in one of the municipalities Elsewhere.
	Exceptions bool
	Elsewhere  []string

	// Who makes cards, phones and wallets; nil: those whom a service with a
	// demonstration believes.
	Kit      *iccard.IssuerKit
	Maker    *phone.Maker
	Provider *wallet.Provider

	Staff  Staff
	Places []Place

	Now    func() time.Time
	Random io.Reader
	Wait   func(context.Context, time.Duration) error

	// StatusEvery is how often the service publishes its lists, Allowance what
	// building, fetching and clocks may add to it (S4, S12). AuditSkew is how far
	// the service's clock may be off.
	StatusEvery, Allowance, AuditSkew time.Duration

	// Settled is told of each answer that came when it was asked for again (Settle), which
	// nobody else returns; may be nil.
	Settled func(Result)

	// Forget keeps no history, so that nothing can be judged afterwards: for loads whose
	// memory must not grow. Wrong answers are found all the same.
	Forget bool
}

// Party is who calls, and the key with which they prove it (private_key_jwt).
type Party struct {
	ID  string
	Key *ecdsa.PrivateKey
}

// Staff are those who serve citizens, and who look into the log.
type Staff struct{ Registrar, Clerk, Operator, Auditor Party }

// Place is a kind of verifier.
type Place struct {
	Name  string
	Party Party    // asks the service, unless it goes by its own copy of the lists
	Asks  []string // elements
	// Cached: it goes by lists that it fetches and keeps for TTL at most.
	Cached         bool
	TTL            time.Duration
	AcceptsExpired bool
	// FromIssue: TTL counts from when a list was issued, so that nobody is misled by one that
	// is served again. The service has to sign lists anew within it, by whole seconds.
	FromIssue bool
}

// issueCounts is the shortest TTL that Demonstration counts from the issue: what
// publication, signing anew and whole seconds take must be small beside it.
const issueCounts = 10 * time.Second

// Demonstration are the staff and places of a service with a demonstration: an
// office and a shop that ask it, and a bank that keeps lists for a time.
func Demonstration(ttl time.Duration) (Staff, []Place) {
	party := func(id string) Party { return Party{id, demo.Key(id)} }
	// What an office is told is all that the crowd can compare.
	office := []string{"family_name", "given_name", "birth_date", "resident_registration_number", "resident_address", "portrait"}
	return Staff{party("demo-registrar"), party("demo-clerk"), party("demo-operator"), party("demo-auditor")}, []Place{
		{Name: "office", Party: party("demo-bank"), Asks: office},
		{Name: "shop", Party: party("demo-shop"), Asks: []string{"age_over_19"}},
		{Name: "bank", Party: party("demo-shop"), Asks: []string{"age_over_19"}, Cached: true, TTL: ttl, FromIssue: ttl >= issueCounts},
	}
}

// lacks says what is missing in the options, or wrong with them.
func (o *Options) lacks() error {
	switch {
	case o.Service == "" || o.Scenario == nil || o.Nation == nil:
		return errors.New("a crowd needs the URL of a service, a scenario and a nation")
	case o.Citizens < 1:
		return fmt.Errorf("a crowd has at least one citizen, not %d", o.Citizens)
	case o.First < 0:
		return fmt.Errorf("the first citizen has a number from 0, not %d", o.First)
	case o.Now == nil || o.Random == nil || o.Wait == nil:
		return errors.New("a crowd needs a clock, randomness and a way to wait")
	case o.StatusEvery <= 0:
		return fmt.Errorf("a crowd needs to know how often lists are published; every %v is never", o.StatusEvery)
	case o.Allowance < 0 || o.AuditSkew < 0:
		return fmt.Errorf("an allowance of %v for building and fetching lists, %v for clocks: neither may be negative", o.Allowance, o.AuditSkew)
	case len(o.Places) == 0:
		return errors.New("a crowd needs a place where it shows its cards")
	}
	for role, p := range map[string]Party{"registrar": o.Staff.Registrar, "clerk": o.Staff.Clerk, "operator": o.Staff.Operator, "auditor": o.Staff.Auditor} {
		if p.Key == nil {
			return fmt.Errorf("the %s has no key with which to prove who they are", role)
		}
	}
	names := map[string]bool{}
	for _, p := range o.Places {
		switch {
		case names[p.Name]:
			return fmt.Errorf("two places are called %q", p.Name)
		case p.Cached && p.TTL <= 0:
			return fmt.Errorf("the place %q keeps lists for %v: give it a time", p.Name, p.TTL)
		case !p.Cached && p.Party.Key == nil:
			return fmt.Errorf("the place %q has no key with which to ask the service", p.Name)
		}
		names[p.Name] = true
	}
	return nil
}

// complete fills in what is not said.
func (o *Options) complete() (err error) {
	if err := o.lacks(); err != nil {
		return err
	}
	o.Service = strings.TrimSuffix(o.Service, "/")
	if o.Municipality == "" {
		o.Municipality = demo.Municipality
	}
	if o.Rules == nil {
		ch := &o.Scenario.Channels
		o.Rules = &lifecycle.Policy{MinimumAge: ch.MinimumAge, OfferLifetime: ch.OfferLifetime, Opens: map[string]time.Time{o.Municipality: {}}}
	}
	if o.Kit == nil || o.Maker == nil || o.Provider == nil {
		if o.Kit, o.Maker, o.Provider, err = demo.Makers(); err != nil {
			return err
		}
	}
	if o.HTTP == nil {
		config := &tls.Config{}
		if o.CA != nil {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(o.CA) {
				return errors.New("the roots of the service's certificate hold no certificate in PEM")
			}
		}
		o.HTTP = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 256}}
	}
	return nil
}

// homes checks that the municipalities Elsewhere exist.
func (o *Options) homes() error {
	for _, code := range o.Elsewhere {
		if _, ok := o.Nation.MunicipalityIndex(code); !ok {
			return fmt.Errorf("there is no municipality %s", code)
		}
	}
	return nil
}
