package panel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
)

// Options of a panel run.
type Options struct {
	Outcome *rollout.Outcome
	Members []Member // as Choose draws them
	// Dir is where the register is kept; empty: a temporary folder that is
	// removed afterwards.
	Dir string
	// Progress is told how many steps of all are done; may be nil.
	Progress func(done, total int)

	// Where tests plant faults: a store that lies, a service that was told
	// another policy.
	wrap   func(store.Store) store.Store
	policy func(*lifecycle.Policy)
}

// run is a panel run under way.
type run struct {
	*world
	ctx      context.Context
	outcome  *rollout.Outcome
	end      int64 // ms since the start
	begin    int64 // when the residents are registered: before the first list
	citizens []*citizen
	events   []event
	progress func(done, total int)

	history  oracle.History
	recorder oracle.Recorder
	// current are the lists as published now, by URI; snapshots those of the
	// instants that verifiers go back to.
	current   []listing
	resign    time.Time // when the lists must be signed again at the latest
	dirty     bool      // something may have changed since the last publication
	wanted    map[int64]bool
	snapshots map[int64][]listing
	verifiers map[verifierKey]*offline
	uses      map[verifierKey]int

	acknowledged []change
	reported     []reported // granted reports, for those who repeat them
	cast         []*citizen // people from outside of the population
	props        props      // of the cast
	probes       probes
	dropAt       int // index in events; -1
	dropped      map[int]bool
	restart      restart
	agreed       agreed
}

// change is an acknowledged change of the register.
type change struct {
	seq    uint64
	person string
}

// listing is a status list as verifiers fetch it now.
type listing struct {
	uri   string
	jwt   []byte
	index int // in the history
}

// offline is a verifier with cached lists.
type offline struct {
	*verification.Offline
	kind    string
	ttl     time.Duration
	fetched oracle.Stamp
	held    map[string]int // list in the history, by URI
}

// Run lets the members live their lives against the real service.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	if len(o.Members) == 0 {
		return nil, errors.New("the panel has no citizens: nobody whose life was kept did anything")
	}
	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rollcall-panel-"); err != nil {
			return nil, fmt.Errorf("the panel's register needs a folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if path := (&world{dir: dir}).path(); o.Dir != "" {
		if _, err := os.Stat(path); err == nil {
			return nil, fmt.Errorf("%s is there already: name an empty folder for the panel's register", path)
		}
	}
	m := o.Outcome.Model
	policy := m.Policy
	if o.policy != nil {
		o.policy(&policy)
	}
	entries := 200 * copies // for the probes and the cast
	for i := range o.Members {
		for k := range o.Members[i].Records {
			if a := o.Members[i].Records[k].Act; a == rollout.ActIssueTap || a == rollout.ActIssueCentre {
				entries += copies
			}
		}
	}
	w, err := newWorld(m.Scenario, policy, dir, entries)
	if err != nil {
		return nil, err
	}
	w.wrap = o.wrap
	r := &run{world: w, ctx: ctx, outcome: o.Outcome, end: m.End, progress: o.Progress,
		snapshots: map[int64][]listing{}, wanted: map[int64]bool{}, verifiers: map[verifierKey]*offline{}, uses: map[verifierKey]int{}, dropped: map[int]bool{}}
	if o.Outcome.Until < r.end {
		r.end = o.Outcome.Until // interrupted: as far as it came
	}
	for i := range o.Members {
		c := &o.Members[i]
		p := m.Pop.Person(m.Draws, c.Citizen, m.Scenario.Start.Time)
		home := m.Nation.Municipalities[m.Nation.Centres[p.Centre].Municipality].Code
		r.citizens = append(r.citizens, w.newCitizen(*c, store.PersonID(c.Citizen), p, home))
	}
	r.prepare()
	if err := r.live(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	result, err := r.judge()
	return result, errors.Join(err, w.close())
}

// prepare plans the run and tells the oracle what the service was told. The
// oracle's policy is the scenario's own, whatever the service was told.
func (r *run) prepare() {
	r.plan()
	r.chooseDrop()
	s := r.scenario
	r.history.Policy = oraclePolicy(s, &r.outcome.Model.Policy)
	for _, f := range s.Faults {
		r.history.Faults = append(r.history.Faults, oracle.Fault{Name: f.Name, From: f.At.Time, To: f.At.Add(f.For)})
	}
}

// oraclePolicy is what the oracle is told of a scenario.
func oraclePolicy(s *scenarios.Scenario, p *lifecycle.Policy) oracle.Policy {
	out := oracle.Policy{
		Opens: p.Opens, AnyCentreFrom: p.AnyCentreFrom, MinimumAge: p.MinimumAge, OfferLifetime: p.OfferLifetime,
		FaceThreshold: s.Face.Threshold, PublishInterval: s.StatusLists.PublishInterval, Allowance: s.StatusLists.Allowance,
		TTL: map[string]time.Duration{},
	}
	for _, place := range s.Demand.Places {
		out.TTL[place.Name] = place.TTL
	}
	return out
}

// live registers the residents and lets everything happen.
func (r *run) live() error {
	r.clock.set(r.at(r.begin))
	if err := r.open(r.ctx); err != nil {
		return err
	}
	var scratch rollout.Citizen
	var entries []entry
	m := r.outcome.Model
	for _, c := range r.citizens {
		centre, age := m.Pop.Home(c.Citizen)
		m.Birth(&scratch, c.Citizen, centre, age, m.Nation.Centres[centre].Municipality)
		e, err := r.entry(c, m.Nation.Centres[centre].Code, scratch.Law&lifecycle.HasCard != 0, false)
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	cast, err := r.castEntries()
	if err != nil {
		return err
	}
	if err := r.enter(append(entries, cast...)); err != nil {
		return err
	}
	for i := range r.events {
		if i%64 == 0 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			if r.progress != nil {
				r.progress(i, len(r.events))
			}
		}
		if i == r.dropAt {
			if err := r.drop(); err != nil {
				return fmt.Errorf("dropping the service: %w", err)
			}
		}
		if r.dropped[i] {
			continue
		}
		e := &r.events[i]
		r.clock.set(r.at(e.at))
		if err := r.happen(e); err != nil {
			return fmt.Errorf("%s: %w", r.at(e.at).Format(time.DateTime), err)
		}
	}
	if r.progress != nil {
		r.progress(len(r.events), len(r.events))
	}
	return nil
}

// happen lets one event happen. An error is a failure of the panel or its
// surroundings, never a decision.
func (r *run) happen(e *event) error {
	switch e.what {
	case doAct, doPresent:
		c := r.citizens[e.who]
		return r.act(c, int(e.record))
	case doOffer:
		return r.offer(r.citizens[e.who], int(e.record))
	case doFetch:
		rec := &r.citizens[e.who].Records[e.record]
		return r.fetch(verifierOf(rec), rec.Published)
	case doPublish:
		return r.publish(e.at)
	case doSweep:
		r.n.operations++
		r.dirty = true
		_, err := r.svc.Issuance.ExpireDue(r.ctx, 1<<16)
		return err
	case doProbe:
		return r.lookAgain(e.probe)
	case doCast:
		return r.play(e.record)
	}
	return nil
}

// entry is a resident about to be entered into the register, with the plastic
// card they hold.
type entry struct {
	c       *citizen
	request issuance.ResidentRequest
	card    plastic
	answer  issuance.Entered
	err     error
}

func (r *run) entry(c *citizen, centre string, card, chip bool) (e entry, err error) {
	e = entry{c: c, request: issuance.ResidentRequest{Request: register.Request{By: registrar, Key: "resident " + c.name},
		Resident: c.resident(centre), Why: "resident at the start"}}
	if card {
		if e.card, err = r.print(c, chip); err == nil {
			made := e.card.card()
			e.request.Card = &made
		}
	}
	return e, err
}

// enter enters residents, many at once, so that they share commits.
func (r *run) enter(entries []entry) error {
	const together = 64
	ctx := context.WithValue(r.ctx, uncounted, true) // the tally is for one goroutine
	for group := range slices.Chunk(entries, together) {
		var wg sync.WaitGroup
		for i := range group {
			e := &group[i]
			wg.Go(func() { e.answer, e.err = r.svc.Issuance.RegisterResident(ctx, e.request) })
		}
		wg.Wait()
	}
	for i := range entries {
		e := &entries[i]
		if e.err != nil || e.answer.Reason != lifecycle.Granted {
			return fmt.Errorf("resident %s is not registered (%v): %w", e.c.name, e.answer.Reason, e.err)
		}
		r.n.operations++
		r.n.commits++
		if e.request.Card != nil {
			e.c.take(e.card)
		}
		r.history.Residents = append(r.history.Residents, oracle.Resident{Citizen: e.c.name, Municipality: e.c.home, Document: e.c.document})
		r.acknowledged = append(r.acknowledged, change{e.answer.Sequence, e.c.name})
	}
	return nil
}

// publish publishes the lists, if there is anything new in them or they grow
// old: else what is published would be the same.
func (r *run) publish(at int64) error {
	now := r.clock.Now()
	if r.current == nil || r.dirty || !now.Before(r.resign) {
		r.dirty = false
		r.n.operations++
		lists, _, err := r.svc.Publisher.Publish(r.ctx)
		if err != nil {
			return err
		}
		stamp := r.stamp()
		for i, l := range lists {
			if i < len(r.current) && bytes.Equal(r.current[i].jwt, l.JWT) {
				continue
			}
			next := listing{l.URI, l.JWT, len(r.history.Lists)}
			r.history.Lists = append(r.history.Lists, oracle.PublishedList{Published: stamp, Token: l.JWT})
			r.n.lists++
			if i < len(r.current) {
				r.current[i] = next
			} else {
				r.current = append(r.current, next)
			}
		}
		r.resign = lists[0].IssuedAt.Add(r.validity / 2)
		for _, l := range lists {
			if t := l.IssuedAt.Add(r.validity / 2); t.Before(r.resign) {
				r.resign = t
			}
		}
	}
	if r.wanted[at] {
		r.snapshots[at] = append([]listing(nil), r.current...)
	}
	return nil
}

// fetch has an offline verifier fetch the lists that were published at an
// instant.
func (r *run) fetch(key verifierKey, published int64) error {
	lists, ok := r.snapshots[published]
	if !ok {
		return fmt.Errorf("no list was published at %s, which a verifier fetched", r.at(published).Format(time.DateTime))
	}
	return r.fetchLists(key, lists)
}

func (r *run) fetchLists(key verifierKey, lists []listing) error {
	v := r.verifiers[key]
	if v == nil {
		var err error
		if v, err = r.newOffline(key); err != nil {
			return err
		}
		r.verifiers[key] = v
	}
	v.fetched = r.stamp()
	for _, l := range lists {
		r.n.verified++
		if err := v.Fetched(l.jwt); err != nil {
			return err
		}
		v.held[l.uri] = l.index
	}
	return nil
}

func (r *run) newOffline(key verifierKey) (*offline, error) {
	place := &r.scenario.Demand.Places[key.place]
	past, err := verification.ParsePastTTL(r.scenario.StatusLists.Expired)
	if err != nil {
		return nil, err
	}
	v := &offline{kind: place.Name, ttl: place.TTL, held: map[string]int{}}
	v.Offline, err = verification.NewOffline(verification.OfflineOptions{
		Verifier: verifier(place.Name, key.number), Anchors: r.readers, MaxAge: place.TTL, PastTTL: past,
		Lifetime: transaction, Now: r.clock.Now, Random: r.stream(uint32(key.number), ofVerifier, uint32(key.place)),
	})
	return v, err
}

// judge takes the audit and lets the oracle judge.
func (r *run) judge() (*Result, error) {
	var export bytes.Buffer
	if err := audit.Export(r.ctx, r.svc.Register, 1, &export); err != nil {
		return nil, fmt.Errorf("the audit export: %w", err)
	}
	r.history.Audit = export.Bytes()
	out := &Result{Citizens: len(r.citizens), restart: r.restart, agreed: r.agreed, History: &r.history, Probes: r.probes.made, n: r.n,
		batches: r.batches + r.db.Stats().Batches}
	for _, c := range append(r.citizens[:len(r.citizens):len(r.citizens)], r.cast...) {
		if c.step >= 0 {
			id, _ := strconv.ParseUint(c.name, 10, 64)
			out.Different = append(out.Different, Difference{id, c.step, c.nation, c.panel})
		}
	}
	out.Verdict = oracle.Judge(&r.history, oracle.Options{})
	return out, nil
}
