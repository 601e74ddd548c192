package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
	"rollcall.example/rollcall/sim/uncertainty"
)

// Options are what is asked of a plan.
type Options struct {
	Scenario *scenarios.Scenario
	Nation   *scenarios.Nation
	Target   Target
	Most     int           // counters that a centre may be given; those that it has stay
	Budget   scenarios.Won // 0: none
	Fewer    bool          // counters may be taken away too
	PutOff   int           // days for which appointments may put off a visit
	Seeds    int           // other seeds with which the plan is run at the end
	Workers  int
	Begin    func(phase string)                    // tells what is done now; may be nil
	Progress func(done, total int64, where string) // how far it is; may be nil
}

// rounds is how many plans are tried in a full run at most.
const rounds = 3

// Counters finds counters for every centre with which a target is met, and runs the
// scenario with them. The scenario returned is the one that was run; its Counters
// hold what differs. An interrupted search is an error.
func Counters(ctx context.Context, o Options) (*reports.Plan, *scenarios.Scenario, error) {
	o.defaults()
	o.Begin(o.Scenario.Name + " as it is")
	base, err := o.sketch(ctx, o.Scenario)
	if err != nil {
		return nil, nil, err
	}
	p := &planned{options: &o, now: base.Model, before: tallies(base)}
	first := make([]int, len(p.before))
	for c := range first {
		first[c] = base.Model.Counters(c)
	}
	floor := first
	if o.Fewer {
		floor = make([]int, len(first))
		for c := range floor {
			floor[c] = 1
		}
	}

	counters, unmet, err := o.search(ctx, base, first, floor)
	if err != nil {
		return nil, nil, err
	}
	p.counters, p.unmet = counters, unmet
	p.scenario, p.after = o.with(base.Model, counters), p.before
	if !equal(counters, first) {
		base.Visits = nil
		for round := 1; round <= rounds; round++ {
			tried := o.with(base.Model, counters)
			o.Begin(fmt.Sprintf("%s as planned, round %d", o.Scenario.Name, round))
			run, err := o.run(ctx, tried)
			if err != nil {
				return nil, nil, err
			}
			after := tallies(run)
			holds := o.Target.beyond(run.Model, after) == 0
			if round > 1 && p.holds && !holds {
				break // the leaner plan does not hold: the one before stays
			}
			p.counters, p.unmet, p.after, p.scenario, p.holds = counters, unmet, after, tried, holds
			if round == rounds || len(unmet) > 0 {
				break
			}
			// With less need to come again, fewer counters may do; where it is missed, more
			// must be added.
			if !holds {
				floor = counters
			}
			next, more, err := o.search(ctx, run, counters, floor)
			if err != nil {
				return nil, nil, err
			}
			if equal(next, counters) || holds && total(next) >= total(counters) {
				break
			}
			counters, unmet = next, more
		}
	} else {
		p.holds = o.Target.beyond(base.Model, p.before) == 0
	}
	checks := []reports.PlanCheck{o.check(p.scenario.Seed, base.Model, p.after)}
	for i, seed := range uncertainty.Seeds(o.Scenario.Seed, o.Seeds) {
		o.Begin(fmt.Sprintf("%s as planned, other seed %d of %d", o.Scenario.Name, i+1, o.Seeds))
		s := *p.scenario
		s.Seed = seed
		run, err := o.run(ctx, &s)
		if err != nil {
			return nil, nil, err
		}
		checks = append(checks, o.check(seed, run.Model, tallies(run)))
	}
	out := p.report()
	out.Checks = checks
	return out, p.scenario, nil
}

func (o *Options) defaults() {
	if o.Begin == nil {
		o.Begin = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64, string) {}
	}
	o.Workers = max(1, o.Workers)
}

// run is a full run of a scenario that keeps who came.
func (o *Options) run(ctx context.Context, s *scenarios.Scenario) (*rollout.Outcome, error) {
	bare := *s
	bare.Panel.Citizens = 0
	run, err := nation.Run(ctx, &bare, o.Nation, rollout.Options{Workers: o.Workers, KeepVisits: true,
		Progress: func(done, total, _ int64) { o.Progress(done, total, "") }})
	if err != nil {
		return nil, err
	}
	if !run.Complete {
		return nil, context.Cause(ctx)
	}
	return run, nil
}

// sketch is a run in which nobody shows a card, which is most of the work of a run.
// As long as the service answers everything, that changes nothing about who comes to
// the centres and who holds a card; where it does not, the run is made in full.
func (o *Options) sketch(ctx context.Context, s *scenarios.Scenario) (*rollout.Outcome, error) {
	if len(s.Faults) > 0 {
		return o.run(ctx, s)
	}
	bare := *s
	bare.Demand.Places = slices.Clone(s.Demand.Places)
	for i := range bare.Demand.Places {
		bare.Demand.Places[i].Rate = 0
	}
	run, err := o.run(ctx, &bare)
	if err != nil {
		return nil, err
	}
	for _, t := range run.Tallies {
		for d := range run.Model.Cal.Days {
			if t != nil && t.Day[d].Unavailable > 0 {
				return o.run(ctx, s)
			}
		}
	}
	return run, nil
}

// search plans counters by the visits of a run that had some, from a floor on.
func (o *Options) search(ctx context.Context, run *rollout.Outcome, had, floor []int) ([]int, []reports.PlanUnmet, error) {
	o.Begin("queues")
	s := &search{ctx: ctx, o: run, lever: desks{o.Most}, workers: o.Workers,
		asked: func(done, total int) { o.Progress(int64(done), int64(total), "centres") }}
	counted := tallies(run)
	var fewer []*site
	for c, t := range counted {
		if t == nil {
			continue
		}
		mu := o.Nation.Centres[c].Municipality
		x := &site{centre: c, municipality: mu, region: o.Nation.Municipalities[mu].Region, now: run.Model.Counters(c),
			planned: min(had[c], floor[c]), from: had[c], ends: []rollout.CentreTally{*t}}
		if x.planned < had[c] {
			x.from, x.ends = x.planned, nil
			fewer = append(fewer, x)
		}
		s.sites = append(s.sites, x)
	}
	s.each(fewer, func(x *site) { s.ask(x, x.planned) })
	if ctx.Err() == nil {
		s.meet(o.Target.limits)
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	counters := make([]int, len(counted))
	copy(counters, had)
	for _, x := range s.sites {
		counters[x.centre] = x.planned
	}
	return counters, s.unmet, nil
}

// with is the scenario with other counters, where they differ.
func (o *Options) with(now *rollout.Model, counters []int) *scenarios.Scenario {
	s := *o.Scenario
	s.Centres.Counters = maps.Clone(s.Centres.Counters)
	if s.Centres.Counters == nil {
		s.Centres.Counters = map[string]int{}
	}
	for c, k := range counters {
		if k != now.Counters(c) {
			s.Centres.Counters[o.Nation.Centres[c].Code] = k
		}
	}
	return &s
}

// tallies are those of a run by centre of the nation; nil where nobody lives who is
// simulated.
func tallies(o *rollout.Outcome) []*rollout.CentreTally {
	out := make([]*rollout.CentreTally, len(o.Model.Nation.Centres))
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		mu := &o.Model.Nation.Municipalities[i]
		for c := mu.First; c < mu.End; c++ {
			if o.Model.Residents(c) > 0 {
				out[c] = &t.ByCentre[c-mu.First]
			}
		}
	}
	return out
}

// judge is a limit's figure in a run; none for a limit of days, which centres do not
// know.
func (l *limit) judge(m *rollout.Model, counted []*rollout.CentreTally) (f reports.PlanFigure) {
	if l.scope == everyDay {
		return f
	}
	s := &search{o: &rollout.Outcome{Model: m}}
	for c, t := range counted {
		if t != nil {
			mu := m.Nation.Centres[c].Municipality
			s.sites = append(s.sites, &site{centre: c, municipality: mu, region: m.Nation.Municipalities[mu].Region, ends: []rollout.CentreTally{*t}})
		}
	}
	f.Value = reports.None()
	for _, g := range s.groups(l.scope) {
		sum := new(count)
		for _, x := range g.sites {
			sum.add(&x.ends[0], 1)
		}
		x := l.figure.of(sum)
		if !x.Known() {
			continue
		}
		f.Parts++
		if !l.holds(x) {
			f.Beyond++
		}
		if !f.Value.Known() || x > f.Value {
			f.Value, f.Where, f.Name = x, g.code, g.name
		}
	}
	if l.scope == wholeNation {
		f.Name = ""
	}
	return f
}

// beyond is how many parts are over a limit, of all limits.
func (t *Target) beyond(m *rollout.Model, counted []*rollout.CentreTally) (n int) {
	for i := range t.limits {
		n += t.limits[i].judge(m, counted).Beyond
	}
	return n
}

func (o *Options) check(seed uint64, m *rollout.Model, counted []*rollout.CentreTally) reports.PlanCheck {
	c := reports.PlanCheck{Seed: seed, Holds: true}
	for i := range o.Target.limits {
		f := o.Target.limits[i].judge(m, counted)
		c.Limits = append(c.Limits, f)
		c.Holds = c.Holds && f.Beyond == 0
	}
	return c
}

// planned is a plan before it is told.
type planned struct {
	options       *Options
	now           *rollout.Model // as the scenario is
	before, after []*rollout.CentreTally
	counters      []int
	scenario      *scenarios.Scenario
	unmet         []reports.PlanUnmet
	holds         bool
}

func (p *planned) report() *reports.Plan {
	o, m := p.options, p.now
	s, n := o.Scenario, o.Nation
	out := &reports.Plan{Scenario: s.Name, Title: s.Title, Seed: s.Seed, By: "counters", Target: o.Target.Text,
		Limits: []reports.PlanLimit{}, Regions: []reports.PlanRegion{}, Centres: []reports.PlanCentre{}, Unmet: p.unmet}
	if out.Unmet == nil {
		out.Unmet = []reports.PlanUnmet{}
	}
	for i := range o.Target.limits {
		l := &o.Target.limits[i]
		before := l.judge(m, p.before)
		out.Limits = append(out.Limits, reports.PlanLimit{Text: l.text(), Definition: l.means(), Unit: l.figure.unit, Limit: reports.Num(l.Value),
			Before: before, After: l.judge(m, p.after), MetByItself: before.Beyond == 0 && equalTo(m, p.counters)})
	}
	c := &out.Cost
	c.Wage, c.Budget, c.Most = int64(s.Centres.CounterWage), int64(o.Budget), o.Most
	for _, a := range s.Assumptions {
		if a.Path == "centres.counter_wage" {
			c.WageSource = a.Mark + ": " + a.Source
		}
	}
	for d := range m.Cal.Days {
		if m.Cal.Open[d] {
			c.OpenDays++
		}
	}
	regions := make([]*reports.PlanRegion, len(n.Regions))
	waits := make([][2]count, len(n.Regions))
	var queue [2]int64
	for k, before := range p.before {
		if before == nil {
			continue
		}
		x, after := &n.Centres[k], p.after[k]
		mu := &n.Municipalities[x.Municipality]
		more := int64(p.counters[k] - m.Counters(k))
		days := more * int64(c.OpenDays)
		r := regions[mu.Region]
		if r == nil {
			r = &reports.PlanRegion{Region: n.Regions[mu.Region].ISO, Name: n.Regions[mu.Region].NameEn, NameKo: n.Regions[mu.Region].NameKo}
			regions[mu.Region] = r
		}
		r.CountersNow += int64(m.Counters(k))
		r.CountersPlanned += int64(p.counters[k])
		r.PeopleDays += days
		r.Won += days * c.Wage
		r.LeftBefore += before.Left
		r.LeftAfter += after.Left
		if more != 0 {
			r.CentresChanged++
		}
		waits[mu.Region][0].add(before, 1)
		waits[mu.Region][1].add(after, 1)
		queue[0] += before.Queue
		queue[1] += after.Queue
		out.Centres = append(out.Centres, reports.PlanCentre{Code: x.Code, Name: x.NameKo, Municipality: mu.Code, MunicipalName: mu.NameEn,
			Region: n.Regions[mu.Region].ISO, CountersNow: m.Counters(k), CountersPlanned: p.counters[k], Visits: after.Visits + after.Left,
			WaitBefore: statistics.Wait(&before.Wait, 0.95), WaitAfter: statistics.Wait(&after.Wait, 0.95),
			MaxBefore: statistics.Wait(&before.Wait, 1), MaxAfter: statistics.Wait(&after.Wait, 1),
			LeftBefore: before.Left, LeftAfter: after.Left, Won: days * c.Wage})
	}
	for i, r := range regions {
		if r == nil {
			continue
		}
		r.WaitBefore, r.WaitAfter = statistics.Wait(&waits[i][0].wait, 0.95), statistics.Wait(&waits[i][1].wait, 0.95)
		c.CountersNow += r.CountersNow
		c.CountersPlanned += r.CountersPlanned
		c.CentresChanged += r.CentresChanged
		c.PeopleDays += r.PeopleDays
		c.Won += r.Won
		out.Regions = append(out.Regions, *r)
	}
	c.WaitedBefore, c.WaitedAfter = reports.Num(float64(queue[0])/3_600_000), reports.Num(float64(queue[1])/3_600_000)

	v := &out.Verdict
	switch v.Holds = p.holds; {
	case !p.holds && len(p.unmet) > 0:
		v.Why = p.unmet[0].Limit + " is beyond reach"
		if len(p.unmet) > 1 {
			v.Why += fmt.Sprintf(" at %d places", len(p.unmet))
		}
	case !p.holds:
		v.Why = fmt.Sprintf("after %d rounds a full run still misses it", rounds)
	case o.Budget > 0 && scenarios.Won(c.Won) > o.Budget:
		v.Holds = false
		v.Why = fmt.Sprintf("it takes %s won, and the budget is %s", reports.Grouped(c.Won), reports.Grouped(int64(o.Budget)))
	}
	return out
}

func equalTo(m *rollout.Model, counters []int) bool {
	for c, k := range counters {
		if k != m.Counters(c) {
			return false
		}
	}
	return true
}

func equal(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func total(counters []int) (n int) {
	for _, k := range counters {
		n += k
	}
	return n
}

// centreName is a centre as people know it: with its municipality.
func centreName(n *scenarios.Nation, centre int) string {
	c := &n.Centres[centre]
	return n.Municipalities[c.Municipality].NameEn + " " + c.NameKo
}
