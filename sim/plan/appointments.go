package plan

import (
	"context"
	"fmt"
	"maps"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/uncertainty"
)

// Appointments finds how many visits in an hour each centre should take so that a target is
// met with the counters that there are: as many as can be, for the others come on a
// later day. Nobody is put off for longer than Options.PutOff days in the run that was
// made. The scenario returned is the one that was run.
func Appointments(ctx context.Context, o Options) (*reports.Plan, *scenarios.Scenario, error) {
	o.defaults()
	o.Begin(o.Scenario.Name + " as it is")
	base, err := o.sketch(ctx, o.Scenario)
	if err != nil {
		return nil, nil, err
	}
	p := &planned{options: &o, now: base.Model, before: tallies(base)}
	p.after, p.scenario = p.before, o.Scenario
	p.counters = make([]int, len(p.before))
	for c := range p.counters {
		p.counters[c] = base.Model.Counters(c)
	}
	p.holds = o.Target.beyond(base.Model, p.before) == 0
	var sites []*site
	for c, t := range p.before {
		if t != nil {
			mu := o.Nation.Centres[c].Municipality
			sites = append(sites, &site{centre: c, municipality: mu, region: o.Nation.Municipalities[mu].Region,
				ends: []rollout.CentreTally{*t}, offers: offered(base, c)})
		}
	}
	run := base
	for round := 1; round <= rounds && !p.holds; round++ {
		o.Begin("queues")
		s := &search{ctx: ctx, o: run, lever: diary{int64(o.PutOff)}, workers: o.Workers, sites: sites,
			asked: func(done, total int) { o.Progress(int64(done), int64(total), "centres") }}
		s.meet(o.Target.limits)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		p.scenario, p.unmet = o.booked(sites), s.unmet
		o.Begin(fmt.Sprintf("%s as planned, round %d", o.Scenario.Name, round))
		if run, err = o.run(ctx, p.scenario); err != nil {
			return nil, nil, err
		}
		p.after = tallies(run)
		p.holds = o.Target.beyond(run.Model, p.after) == 0
		if len(p.unmet) > 0 {
			break
		}
		for _, x := range sites { // the next round begins with what this one came to
			x.from, x.ends = x.planned, []rollout.CentreTally{*p.after[x.centre]}
		}
	}
	out := p.report()
	out.By = "appointments"
	out.Cost.LongestAllowed = o.PutOff
	at := map[int]*site{}
	for _, x := range sites {
		at[x.centre] = x
	}
	k := 0
	for c, t := range p.after {
		if t == nil {
			continue
		}
		row := &out.Centres[k]
		k++
		if x := at[c]; x.planned > 0 {
			row.Appointments = x.offers[x.planned]
			out.Cost.CentresChanged++
		}
		row.PutOff, row.PutOffDays, row.PutOffLongest = t.PutOff.Visits, t.PutOff.Days, t.PutOff.Longest
		out.Cost.PutOff += t.PutOff.Visits
		out.Cost.PutOffDays += t.PutOff.Days
		out.Cost.PutOffLongest = max(out.Cost.PutOffLongest, t.PutOff.Longest)
	}
	if out.Verdict.Holds && out.Cost.PutOffLongest > int64(o.PutOff) {
		out.Verdict.Holds = false
		out.Verdict.Why = fmt.Sprintf("in the full run somebody is put off by %d days, and %d are allowed", out.Cost.PutOffLongest, o.PutOff)
	}
	out.Checks = []reports.PlanCheck{o.check(p.scenario.Seed, base.Model, p.after)}
	for i, seed := range uncertainty.Seeds(o.Scenario.Seed, o.Seeds) {
		o.Begin(fmt.Sprintf("%s as planned, other seed %d of %d", o.Scenario.Name, i+1, o.Seeds))
		s := *p.scenario
		s.Seed = seed
		if run, err = o.run(ctx, &s); err != nil {
			return nil, nil, err
		}
		out.Checks = append(out.Checks, o.check(seed, run.Model, tallies(run)))
	}
	return out, p.scenario, nil
}

// finest is into how many steps the appointments of a centre are divided at most.
const finest = 60

// offered are the visits in an hour that a centre may take, from as many as come (or as the
// scenario lets come) downwards.
func offered(run *rollout.Outcome, centre int) []int {
	hourly := map[int64]int{}
	most := 0
	for _, v := range run.Visits[centre] {
		h := v.Arrive / rollout.Hour
		hourly[h]++
		most = max(most, hourly[h])
	}
	now := run.Model.Appointments(centre)
	if now > 0 {
		most = min(most, now)
	}
	offers := []int{now}
	for i := 1; i <= min(finest, most-1); i++ {
		n := most - i
		if most > finest {
			n = most - i*(most-1)/finest
		}
		offers = append(offers, n)
	}
	return offers
}

// booked is the scenario with the appointments of a plan.
func (o *Options) booked(sites []*site) *scenarios.Scenario {
	s := *o.Scenario
	s.Centres.Appointments = maps.Clone(s.Centres.Appointments)
	if s.Centres.Appointments == nil {
		s.Centres.Appointments = map[string]int{}
	}
	for _, x := range sites {
		if x.planned > 0 {
			s.Centres.Appointments[o.Nation.Centres[x.centre].Code] = x.offers[x.planned]
		}
	}
	return &s
}

// diary is the lever of appointments: a step is some fewer in an hour, as far as nobody is
// put off for too long.
type diary struct{ longest int64 }

func (diary) serve(m *rollout.Model, a *nation.Alone, x *site, step int) rollout.CentreTally {
	return a.Serve(m.Counters(x.centre), x.offers[step])
}

func (d diary) top(x *site) int {
	for k := range x.ends {
		if x.ends[k].PutOff.Longest > d.longest && x.from+k > x.planned {
			return x.from + k - 1
		}
	}
	return len(x.offers) - 1
}

// cost is the days by which people are put off; a step that puts nobody off is not free.
func (diary) cost(x *site, to int) float64 {
	return max(1, float64(x.at(to).PutOff.Days-x.at(x.planned).PutOff.Days))
}

func (d diary) why(s *search, l *limit, x *site, value string) string {
	if len(x.offers) == 1 {
		return fmt.Sprintf("one visit in an hour is the most that comes, and it comes to %s; other business brings the work of %.1f of its %d counters",
			value, s.work(x, false), s.o.Model.Counters(x.centre))
	}
	taken := "with as many as come"
	if x.planned > 0 {
		taken = fmt.Sprintf("with %d visits in an hour", x.offers[x.planned])
	}
	return fmt.Sprintf("%s it comes to %s, and fewer do not better it or put somebody off by more than %d days; other business brings the work of %.1f of its %d counters",
		taken, value, d.longest, s.work(x, false), s.o.Model.Counters(x.centre))
}
