package panel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
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
	site   siteFaults
}

// run is a panel run under way.
type run struct {
	*world.World
	ctx      context.Context
	outcome  *rollout.Outcome
	end      int64 // ms since the start
	begin    int64 // when the residents are registered: before the first list
	citizens []*citizen
	events   []event
	progress func(done, total int)

	// snapshots are the lists of the instants that verifiers go back to.
	wanted    map[int64]bool
	snapshots map[int64][]world.Listing
	verifiers map[verifierKey]*world.Offline
	fetched   map[verifierKey]int // at which turn of the site
	uses      map[verifierKey]int
	site      site
	wrongSite siteFaults

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
	if path := world.PathIn(dir, 0); o.Dir != "" {
		if _, err := os.Stat(path); err == nil {
			return nil, fmt.Errorf("%s is there already: name an empty folder for the panel's register", path)
		}
	}
	m := o.Outcome.Model
	policy := m.Policy
	if o.policy != nil {
		o.policy(&policy)
	}
	entries := 200 * world.Copies // for the probes and the cast
	for i := range o.Members {
		for k := range o.Members[i].Records {
			if a := o.Members[i].Records[k].Act; a == rollout.ActIssueTap || a == rollout.ActIssueCentre {
				entries += world.Copies
			}
		}
	}
	w, err := world.New(m.Scenario, policy, dir, entries)
	if err != nil {
		return nil, err
	}
	w.Seam = func(s store.Store) store.Store { return flights{s} }
	w.Plant.Store = o.wrap
	r := &run{World: w, ctx: ctx, wrongSite: o.site, outcome: o.Outcome, end: m.End, progress: o.Progress,
		snapshots: map[int64][]world.Listing{}, wanted: map[int64]bool{}, verifiers: map[verifierKey]*world.Offline{}, fetched: map[verifierKey]int{}, uses: map[verifierKey]int{}, dropped: map[int]bool{}}
	if o.Outcome.Until < r.end {
		r.end = o.Outcome.Until // interrupted: as far as it came
	}
	for i := range o.Members {
		c := &o.Members[i]
		p := m.Pop.Person(m.Draws, c.Citizen, m.Scenario.Start.Time)
		p.Numbered(uint32(i))
		home := m.Nation.Municipalities[m.Nation.Centres[p.Centre].Municipality].Code
		r.citizens = append(r.citizens, newCitizen(w, *c, p, home))
	}
	r.prepare()
	if err := r.live(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	result, err := r.judge()
	return result, errors.Join(err, w.Close())
}

// prepare plans the run and tells the oracle what the service was told. The
// oracle's policy is the scenario's own, whatever the service was told.
func (r *run) prepare() {
	r.plan()
	r.chooseDrop()
	s := r.Scenario
	r.History.Policy = world.OraclePolicy(s, &r.outcome.Model.Policy)
	for _, f := range s.Faults {
		to := f.Felt()
		if f.Kind == scenarios.SiteLost {
			to = f.At.Add(f.StandbyAfter) // then cards are judged again
		}
		if to.After(f.At.Time) { // a fault of the plant alone excuses nothing
			r.History.Faults = append(r.History.Faults, oracle.Fault{Name: f.Name, From: f.At.Time, To: to})
		}
	}
}

// live registers the residents and lets everything happen.
func (r *run) live() error {
	r.Clock.Set(r.at(r.begin))
	if err := r.Open(r.ctx); err != nil {
		return err
	}
	var scratch rollout.Citizen
	var entries []world.Entry
	m := r.outcome.Model
	for _, c := range r.citizens {
		centre, age := m.Pop.Home(c.Number)
		m.Birth(&scratch, c.Number, centre, age, m.Nation.Centres[centre].Municipality)
		e, err := r.Entry(c.Citizen, m.Nation.Centres[centre].Code, scratch.Law&lifecycle.HasCard != 0, false)
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
		r.Clock.Set(r.at(e.at))
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
		r.N.Operations++
		r.Dirty = true
		_, err := r.Front.ExpireDue(r.ctx, 1<<16)
		return err
	case doProbe:
		return r.lookAgain(e.probe)
	case doCast:
		return r.play(e.record)
	case doCopy:
		return r.giveCopy()
	case doLose:
		return r.loseSite()
	case doReturn:
		return r.siteBack()
	}
	return nil
}

// enter enters residents, many at once.
func (r *run) enter(entries []world.Entry) error {
	const together = 64
	if err := r.Enter(r.ctx, entries, together); err != nil {
		return err
	}
	for _, e := range entries {
		r.acknowledged = append(r.acknowledged, change{e.Sequence, e.Citizen.Name})
	}
	return nil
}

// publish publishes the lists, if there is need to.
func (r *run) publish(at int64) error {
	if r.Due() {
		if _, err := r.Publish(r.ctx); err != nil {
			return err
		}
	}
	if r.wanted[at] {
		r.snapshots[at] = append([]world.Listing(nil), r.Current...)
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

func (r *run) fetchLists(key verifierKey, lists []world.Listing) error {
	v := r.verifiers[key]
	if v == nil || r.fetched[key] != r.site.turns {
		// A verifier refuses a list that is older than the one it has: it has to be
		// told to begin anew when another register serves.
		var err error
		if v, err = r.NewOffline(int(key.place), key.number, r.Scenario.StatusLists.Expired); err != nil {
			return err
		}
		r.verifiers[key], r.fetched[key] = v, r.site.turns
	}
	return r.Fetch(v, lists)
}

// judge takes the audit and lets the oracle judge.
func (r *run) judge() (*Result, error) {
	if r.site.standby { // the run was interrupted
		if err := r.siteBack(); err != nil {
			return nil, err
		}
	}
	if r.site.turns == 0 {
		r.History.Failover = nil
	}
	var export bytes.Buffer
	if err := r.Front.Export(r.ctx, &export); err != nil {
		return nil, fmt.Errorf("the audit export: %w", err)
	}
	r.History.Audit = export.Bytes()
	out := &Result{Citizens: len(r.citizens), restart: r.restart, agreed: r.agreed, History: &r.History, Probes: r.probes.made, n: r.N,
		batches: r.Batches()}
	for _, c := range append(r.citizens[:len(r.citizens):len(r.citizens)], r.cast...) {
		if c.step >= 0 {
			id, _ := strconv.ParseUint(c.Name, 10, 64)
			out.Different = append(out.Different, Difference{id, c.step, c.nation, c.panel})
		}
	}
	out.Verdict = oracle.Judge(&r.History, oracle.Options{})
	return out, nil
}
