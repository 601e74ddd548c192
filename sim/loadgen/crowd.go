package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/sim/demo"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Crowd is citizens and those whom they meet, with what was seen of it all.
type Crowd struct {
	Citizens []*Citizen

	o         Options
	random    *shared
	source    rng.Source
	portraits [8][]byte
	registrar *desk
	clerk     *desk
	operator  *desk
	auditor   *desk
	places    map[string]*place
	anchors   *mdoc.TrustAnchors // of verifiers
	issuers   *mdoc.TrustAnchors // of wallets: what they have verified saves no verifier its work
	keys      atomic.Uint64      // idempotency keys given out

	mu       sync.Mutex // of what follows
	recorder oracle.Recorder
	history  oracle.History
	held     map[string]int // the newest list of a URI in the history
	wrong    []Result
	counts   map[string]int
}

// Result is what came of something that a citizen did.
type Result struct {
	Citizen string
	Did     string
	Granted bool
	Verdict string // of a card that was shown
	Reason  string // of a refusal
	Unknown bool   // no answer, or none that decides
	// Waited is how long the citizen let time pass on purpose, with nobody asked.
	Waited time.Duration
	Err    error // why there is none
	// Wrong says why the citizen's own history does not allow this answer; empty:
	// it does.
	Wrong string
}

// Nothing says that there was nothing in the citizen's hands to ask with: no request
// was made.
func (r Result) Nothing() bool {
	return r.Reason == nothingToShow || r.Reason == nothingToTap || r.Reason == nothingToScan
}

func (r Result) String() string {
	switch {
	case r.Wrong != "":
		return fmt.Sprintf("citizen %s, %s: %s", r.Citizen, r.Did, r.Wrong)
	case r.Unknown:
		return fmt.Sprintf("citizen %s, %s: no answer (%v)", r.Citizen, r.Did, r.Err)
	case r.Verdict != "":
		return fmt.Sprintf("citizen %s, %s: %s", r.Citizen, r.Did, r.Verdict)
	case r.Granted:
		return fmt.Sprintf("citizen %s, %s: granted", r.Citizen, r.Did)
	}
	return fmt.Sprintf("citizen %s, %s: refused, %s", r.Citizen, r.Did, r.Reason)
}

// Open makes a crowd for a service that runs, and reads what verifiers trust. The
// citizens are not in its register yet: see Enter.
func Open(ctx context.Context, o Options) (*Crowd, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := &Crowd{o: o, random: &shared{r: o.Random}, source: rng.New(o.Seed), places: map[string]*place{}, held: map[string]int{}, counts: map[string]int{}}
	home, ok := o.Nation.MunicipalityIndex(o.Municipality)
	if !ok {
		return nil, fmt.Errorf("there is no municipality %s", o.Municipality)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Service+"/iaca.cer", nil)
	if err != nil {
		return nil, err
	}
	var root []byte
	if err := c.again(ctx, patience, func() error { return c.do(q, &root) }); err != nil {
		return nil, fmt.Errorf("the service at %s does not give the root of its cards: %w", o.Service, err)
	}
	c.anchors, err = mdoc.NewTrustAnchors(root)
	if err == nil {
		c.issuers, err = mdoc.NewTrustAnchors(root)
	}
	if err != nil {
		return nil, fmt.Errorf("the service at %s gives no root of its cards: %w", o.Service, err)
	}
	c.registrar, c.clerk = &desk{Party: o.Staff.Registrar, crowd: c}, &desk{Party: o.Staff.Clerk, crowd: c}
	c.operator, c.auditor = &desk{Party: o.Staff.Operator, crowd: c}, &desk{Party: o.Staff.Auditor, crowd: c}
	for i := range o.Places {
		if err := c.openPlace(&o.Places[i]); err != nil {
			return nil, err
		}
	}
	c.history.Policy = c.policy()
	c.history.Others = true
	for i := range c.portraits {
		c.portraits[i] = camera.Portrait(c.source.Stream(uint32(i), population.ForService, 1))
	}
	if err := o.homes(); err != nil {
		return nil, err
	}
	people := population.New(o.Nation)
	draws := population.NewDrawer(c.source, o.Nation, &o.Scenario.Phones)
	for n := o.First; n < o.First+o.Citizens; n++ {
		m := &o.Nation.Municipalities[home]
		if o.kindOf(n) == elsewhere {
			i, _ := o.Nation.MunicipalityIndex(o.elsewhereOf(n))
			m = &o.Nation.Municipalities[i]
		}
		centre := m.First + n%(m.End-m.First)
		first, end := people.AgeRange(centre, 20+(n*7)%60)
		if first == end {
			first, end = people.Range(centre)
		}
		p := people.Person(draws, first+uint32(n)%(end-first), o.Now())
		if o.kindOf(n) == child {
			p.BornOn(o.Now().AddDate(1-o.Rules.MinimumAge, 0, 0).Truncate(24 * time.Hour))
		}
		p.Numbered(uint32(demo.MaxResidents + n)) // the service may hold a demonstration
		one, err := c.citizen(uint32(n), p, m.Code, o.Nation.Centres[centre].Code)
		if err != nil {
			return nil, err
		}
		c.Citizens = append(c.Citizens, one)
	}
	return c, nil
}

// patience is how often is asked for what everything else depends on.
const patience = 20

// again asks until there is an answer that decides something, so often at most.
func (c *Crowd) again(ctx context.Context, tries int, ask func() error) error {
	for n := 1; ; n++ {
		err := ask()
		if how, _ := ended(err); how == granted || how == refused || n >= tries {
			return err
		}
		if err := c.o.Wait(ctx, time.Second/4); err != nil {
			return err
		}
	}
}

// policy is what the service was told, as far as it bears on these citizens.
func (c *Crowd) policy() oracle.Policy {
	p := oracle.Policy{
		Opens: c.o.Rules.Opens, AnyCentreFrom: c.o.Rules.AnyCentreFrom, MinimumAge: c.o.Rules.MinimumAge, OfferLifetime: c.o.Rules.OfferLifetime,
		FaceThreshold: c.o.Scenario.Face.Threshold, PublishInterval: c.o.StatusEvery, Allowance: c.o.Allowance, AuditSkew: c.o.AuditSkew,
		TTL: map[string]time.Duration{},
	}
	for _, place := range c.o.Places {
		p.TTL[place.Name] = place.TTL
	}
	return p
}

// Stamp is the moment as the observer's clock shows it.
func (c *Crowd) Stamp() oracle.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recorder.Stamp(c.o.Now().Round(0)) // the wall clock: the service's log is by it
}

// note writes something into the history.
func (c *Crowd) note(f func(*oracle.History)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.history)
	if c.o.Forget {
		c.history = oracle.History{Policy: c.history.Policy, Others: c.history.Others}
		clear(c.held)
	}
}

// Restarted writes down that the service, or one of its replicas, crashed and came
// back.
func (c *Crowd) Restarted(down, up oracle.Stamp) {
	c.note(func(h *oracle.History) { h.Restarts = append(h.Restarts, oracle.Restart{Down: down, Up: up}) })
}

// Faulty writes down that something was broken for a time.
func (c *Crowd) Faulty(name string, from, to time.Time) {
	c.note(func(h *oracle.History) { h.Faults = append(h.Faults, oracle.Fault{Name: name, From: from, To: to}) })
}

// done counts a result, and keeps it if it is wrong.
func (c *Crowd) done(r Result) Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	what := "refused"
	switch {
	case r.Unknown:
		what = "unknown"
	case r.Verdict != "":
		what = r.Verdict
	case r.Granted:
		what = "granted"
	}
	c.counts[r.Did+": "+what]++
	if r.Wrong != "" {
		c.wrong = append(c.wrong, r)
	}
	return r
}

// Counts are how often what was done with which end: "report physical-lost: granted".
func (c *Crowd) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int, len(c.counts))
	for k, n := range c.counts {
		out[k] = n
	}
	return out
}

// Wrong are the answers that the citizens' own histories do not allow.
func (c *Crowd) Wrong() []Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Result(nil), c.wrong...)
}

// key is an idempotency key that nobody has used.
func (c *Crowd) key(what string) (string, error) {
	id, err := c.nonce()
	return what + " " + strconv.FormatUint(c.keys.Add(1), 10) + " " + id, err
}

// Enter enters citizens into the register, with their plastic cards, so many at a
// time. Who is there already is an error: another run has entered them.
func (c *Crowd) Enter(ctx context.Context, together int) error {
	todo := make(chan *Citizen)
	errs := make([]error, max(together, 1))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for one := range todo {
				errs[i] = errors.Join(errs[i], one.enter(ctx))
			}
		})
	}
	for _, one := range c.Citizens {
		todo <- one
	}
	close(todo)
	wg.Wait()
	return errors.Join(errs...)
}
