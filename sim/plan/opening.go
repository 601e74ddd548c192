package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/uncertainty"
)

// A region's people go to centres of their region, and what they want depends on the
// day on which it opens, not on that of the others. So a run in which all regions open
// on one day shows each of them as it is when it opens then, whatever the others do:
// a run for each day, and the order is put together from them. What the regions share
// is the card plant and the service, and that is left to the full run at the end.

// ErrNothing says that there is no order to be found.
var ErrNothing = errors.New("no region that is simulated opens after the first phase: there is nothing to decide")

// Opening finds the day on which each region opens, of some days, so that a target is
// met and people get their cards as early as they can. The first phase is the pilot,
// and stays; so do single municipalities. The scenario returned is the one that was run.
func Opening(ctx context.Context, o Options, days []scenarios.Moment) (*reports.Plan, *scenarios.Scenario, error) {
	o.defaults()
	b, err := newBook(ctx, &o, days)
	if err != nil {
		return nil, nil, err
	}
	o.Begin(o.Scenario.Name + " as it is")
	now, err := o.sketch(ctx, o.Scenario)
	if err != nil {
		return nil, nil, err
	}
	best := b.search()
	planned := b.scenario(best)
	o.Begin(o.Scenario.Name + " as planned")
	run, err := o.run(ctx, planned)
	if err != nil {
		return nil, nil, err
	}
	out := b.report(best, now, run)
	out.Checks = []reports.PlanCheck{o.checkOpening(planned.Seed, run)}
	for i, seed := range uncertainty.Seeds(o.Scenario.Seed, o.Seeds) {
		o.Begin(fmt.Sprintf("%s as planned, other seed %d of %d", o.Scenario.Name, i+1, o.Seeds))
		s := *planned
		s.Seed = seed
		if run, err = o.run(ctx, &s); err != nil {
			return nil, nil, err
		}
		out.Checks = append(out.Checks, o.checkOpening(seed, run))
	}
	return out, planned, nil
}

// book is a run for each day on which all regions open.
type book struct {
	options *Options
	regions []int // of the nation, that can be moved
	days    []scenarios.Moment
	runs    []*rollout.Outcome
}

// newBook makes the runs, a day's after the other.
func newBook(ctx context.Context, o *Options, days []scenarios.Moment) (*book, error) {
	b := &book{options: o}
	b.movable()
	if len(b.regions) == 0 {
		return nil, ErrNothing
	}
	if len(days) == 0 {
		for _, p := range o.Scenario.Phases[1:] {
			if len(p.Regions) > 0 {
				days = append(days, p.From)
			}
		}
	}
	slices.SortFunc(days, func(a, b scenarios.Moment) int { return a.Compare(b.Time) })
	b.days = slices.CompactFunc(days, func(a, b scenarios.Moment) bool { return a.Equal(b.Time) })

	for k, day := range b.days {
		o.Begin(fmt.Sprintf("%s, all regions on %s (%d of %d)", o.Scenario.Name, day.Format(time.DateOnly), k+1, len(b.days)))
		all := make([]int, len(b.regions))
		for r := range all {
			all[r] = k
		}
		run, err := o.sketch(ctx, b.scenario(all))
		if err != nil {
			return nil, err
		}
		run.Visits = nil
		b.runs = append(b.runs, run)
	}
	return b, nil
}

func (b *book) movable() {
	s, n := b.options.Scenario, b.options.Nation
	for r := range n.Regions {
		iso := n.Regions[r].ISO
		simulated := len(s.Population.Centres) == 0 && (len(s.Population.Regions) == 0 || slices.Contains(s.Population.Regions, iso))
		if len(s.Phases) > 0 && simulated && !slices.Contains(s.Phases[0].Regions, iso) && opens(s, iso) >= 0 {
			b.regions = append(b.regions, r)
		}
	}
}

// opens is the phase that opens a region as a whole; -1: none.
func opens(s *scenarios.Scenario, iso string) int {
	return slices.IndexFunc(s.Phases, func(p scenarios.Phase) bool { return slices.Contains(p.Regions, iso) })
}

// scenario is the one in which each region opens on its day. Regions that are not
// simulated, a load on the service, keep theirs.
func (b *book) scenario(day []int) *scenarios.Scenario {
	s, n := *b.options.Scenario, b.options.Nation
	moved := map[string]scenarios.Moment{}
	for i, r := range b.regions {
		moved[n.Regions[r].ISO] = b.days[day[i]]
	}
	var phases []scenarios.Phase
	for _, p := range s.Phases {
		p.Regions = slices.DeleteFunc(slices.Clone(p.Regions), func(iso string) bool { _, is := moved[iso]; return is })
		phases = append(phases, p)
	}
	for i, r := range b.regions {
		at := b.days[day[i]]
		k := slices.IndexFunc(phases[1:], func(p scenarios.Phase) bool { return p.From.Equal(at.Time) }) + 1
		if k == 0 {
			k = len(phases)
			phases = append(phases, scenarios.Phase{Name: "planned " + at.Format(time.DateOnly), From: at})
		}
		phases[k].Regions = append(phases[k].Regions, n.Regions[r].ISO)
	}
	slices.SortStableFunc(phases, func(a, b scenarios.Phase) int { return a.From.Compare(b.From.Time) })
	open := map[string]bool{} // a municipality of a region that is open opens no more
	for i := range phases {
		for _, iso := range phases[i].Regions {
			open[iso] = true
		}
		phases[i].Municipalities = slices.DeleteFunc(slices.Clone(phases[i].Municipalities), func(code string) bool {
			m, ok := n.MunicipalityIndex(code)
			return ok && open[n.Regions[n.Municipalities[m].Region].ISO]
		})
	}
	phases = slices.DeleteFunc(phases, func(p scenarios.Phase) bool { return len(p.Regions)+len(p.Municipalities) == 0 })
	for i := range phases {
		slices.Sort(phases[i].Regions)
	}
	s.Phases = phases
	return &s
}

// An order is what an assignment of days comes to: how far it is from the target, and
// how many holders' days it costs.
type order struct {
	beyond float64
	delay  int64
}

func (a order) better(b order) bool {
	return a.beyond < b.beyond || a.beyond == b.beyond && a.delay < b.delay
}

// search looks for the order with the least delay that meets the target, or comes
// nearest: from some beginnings, regions are moved and exchanged as long as that is
// better.
func (b *book) search() []int {
	b.options.Begin("orders")
	t := b.table()
	var best []int
	var worth order
	for begin := range len(b.days) + 1 {
		day := make([]int, len(b.regions))
		for r := range day {
			day[r] = min(begin, len(b.days)-1)
			if begin == len(b.days) { // spread over all
				day[r] = r % len(b.days)
			}
		}
		here := t.judge(day)
		for {
			next, found := day, here
			try := func(change func([]int)) {
				other := slices.Clone(day)
				change(other)
				if o := t.judge(other); o.better(found) {
					next, found = other, o
				}
			}
			for r := range day {
				for k := range b.days {
					try(func(x []int) { x[r] = k })
				}
				for q := range r {
					try(func(x []int) { x[r], x[q] = x[q], x[r] })
				}
			}
			if !found.better(here) {
				break
			}
			day, here = next, found
		}
		if best == nil || here.better(worth) {
			best, worth = day, here
		}
	}
	return best
}

// table is what each region comes to when it opens on each day; region -1 is those
// that cannot be moved.
type table struct {
	limits []limit
	fixed  cell
	cells  [][]cell // by region of the book and day
}

// cell is one region opening on one day.
type cell struct {
	sum     count
	beyond  []float64 // by limit of parts: how many are over it, by how much
	daily   [][]int64 // by limit of days
	holders int64     // holders' days
}

func (b *book) table() *table {
	t := &table{limits: b.options.Target.limits}
	t.fixed = b.cell(b.runs[0], func(r int) bool { return !slices.Contains(b.regions, r) })
	for _, r := range b.regions {
		var row []cell
		for _, run := range b.runs {
			row = append(row, b.cell(run, func(x int) bool { return x == r }))
		}
		t.cells = append(t.cells, row)
	}
	return t
}

func (b *book) cell(run *rollout.Outcome, in func(region int) bool) (c cell) {
	n := b.options.Nation
	counted := tallies(run)
	for i := range counted {
		if !in(n.Municipalities[n.Centres[i].Municipality].Region) {
			counted[i] = nil
		} else if counted[i] != nil {
			c.sum.add(counted[i], 1)
		}
	}
	for i := range b.options.Target.limits {
		l := &b.options.Target.limits[i]
		far, daily := 0.0, []int64(nil)
		switch l.scope {
		case everyDay:
			daily = perDay(run, l, in)
		case wholeNation:
		default:
			f := l.judge(run.Model, counted)
			far = float64(f.Beyond)
			if f.Beyond > 0 {
				far += l.far(float64(f.Value))
			}
		}
		c.beyond, c.daily = append(c.beyond, far), append(c.daily, daily)
	}
	for i, tally := range run.Tallies {
		if tally == nil || !in(n.Municipalities[i].Region) {
			continue
		}
		var held int64
		for d := range tally.Day {
			held += int64(tally.Day[d].Holders)
			c.holders += held
		}
	}
	return c
}

// far is how far a figure is over a limit, as a share of it; less than 1.
func (l *limit) far(x float64) float64 {
	if l.within(x) {
		return 0
	}
	return 1 - l.Value/(x+1e-9)*0.999
}

// perDay is a figure of days, summed over regions.
func perDay(run *rollout.Outcome, l *limit, in func(region int) bool) []int64 {
	out := make([]int64, run.Model.Cal.Days)
	for i, tally := range run.Tallies {
		if tally != nil && in(run.Model.Nation.Municipalities[i].Region) {
			for d := range tally.Day {
				out[d] += l.figure.day(&tally.Day[d])
			}
		}
	}
	return out
}

// judge puts an order together.
func (t *table) judge(day []int) (o order) {
	cells := []*cell{&t.fixed}
	for r, k := range day {
		c := &t.cells[r][k]
		cells = append(cells, c)
		earliest := c.holders
		for i := range t.cells[r] {
			earliest = max(earliest, t.cells[r][i].holders)
		}
		o.delay += earliest - c.holders
	}
	for i := range t.limits {
		l := &t.limits[i]
		switch l.scope {
		case everyDay:
			for d := range t.fixed.daily[i] {
				var n int64
				for _, c := range cells {
					n += c.daily[i][d]
				}
				if !l.within(float64(n)) {
					o.beyond += 1 + l.far(float64(n))
				}
			}
		case wholeNation:
			sum := new(count)
			for _, c := range cells {
				for k, n := range c.sum.wait.Bucket {
					sum.wait.Bucket[k] += n
				}
				sum.wait.Max = max(sum.wait.Max, c.sum.wait.Max)
				sum.served += c.sum.served
				sum.left += c.sum.left
			}
			if x := l.figure.of(sum); !l.holds(x) {
				o.beyond += 1 + l.far(float64(x))
			}
		default:
			for _, c := range cells {
				o.beyond += c.beyond[i]
			}
		}
	}
	return o
}

// judgeRun is a limit's figure in a full run, days included.
func (l *limit) judgeRun(run *rollout.Outcome) (f reports.PlanFigure) {
	if l.scope != everyDay {
		return l.judge(run.Model, tallies(run))
	}
	f.Value = reports.None()
	for d, n := range perDay(run, l, func(int) bool { return true }) {
		f.Parts++
		if !l.within(float64(n)) {
			f.Beyond++
		}
		if !f.Value.Known() || reports.Num(n) > f.Value {
			f.Value, f.Where = reports.Num(n), run.Model.Cal.Date(d).Format(time.DateOnly)
			f.Name = f.Where
		}
	}
	return f
}

func (o *Options) checkOpening(seed uint64, run *rollout.Outcome) reports.PlanCheck {
	c := reports.PlanCheck{Seed: seed, Holds: true}
	for i := range o.Target.limits {
		f := o.Target.limits[i].judgeRun(run)
		c.Limits = append(c.Limits, f)
		c.Holds = c.Holds && f.Beyond == 0
	}
	return c
}

func (b *book) report(day []int, now, run *rollout.Outcome) *reports.Plan {
	o := b.options
	s, n := o.Scenario, o.Nation
	counters := make([]int, len(n.Centres))
	for c := range counters {
		counters[c] = now.Model.Counters(c)
	}
	p := &planned{options: o, now: now.Model, before: tallies(now), after: tallies(run), counters: counters}
	p.holds = o.checkOpening(s.Seed, run).Holds
	out := p.report()
	out.By = "opening"
	for i := range out.Limits {
		l := &o.Target.limits[i]
		out.Limits[i].Before, out.Limits[i].After = l.judgeRun(now), l.judgeRun(run)
	}
	of := func(run *rollout.Outcome, region int) (held, days int64) {
		for i, tally := range run.Tallies {
			if tally == nil || n.Municipalities[i].Region != region {
				continue
			}
			var here int64
			for d := range tally.Day {
				here += int64(tally.Day[d].Holders)
				days += here
			}
			held += here
		}
		return held, days
	}
	for i, r := range b.regions {
		row := reports.PlanOpening{Region: n.Regions[r].ISO, Name: n.Regions[r].NameEn, NameKo: n.Regions[r].NameKo,
			OpensNow: s.Phases[opens(s, n.Regions[r].ISO)].From.Format(time.DateOnly), OpensPlanned: b.days[day[i]].Format(time.DateOnly)}
		var held [2]int64
		held[0], row.HolderDaysNow = of(now, r)
		held[1], row.HolderDaysPlanned = of(run, r)
		row.HoldersNow, row.HoldersPlanned = held[0], held[1]
		for _, each := range b.runs {
			_, days := of(each, r)
			row.HolderDaysBest = max(row.HolderDaysBest, days)
		}
		for _, x := range out.Regions {
			if x.Region == row.Region {
				row.WaitBefore, row.WaitAfter = x.WaitBefore, x.WaitAfter
			}
		}
		out.Cost.DelayNow += row.HolderDaysBest - row.HolderDaysNow
		out.Cost.Delay += row.HolderDaysBest - row.HolderDaysPlanned
		out.Opening = append(out.Opening, row)
	}
	if !p.holds {
		out.Verdict.Why = b.whyNot(run)
	}
	return out
}

// whyNot names the parts that no order of these days brings within.
func (b *book) whyNot(run *rollout.Outcome) string {
	for i := range b.options.Target.limits {
		l := &b.options.Target.limits[i]
		f := l.judgeRun(run)
		if f.Beyond == 0 {
			continue
		}
		best := f.Beyond
		for _, each := range b.runs {
			best = min(best, l.judgeRun(each).Beyond)
		}
		what := fmt.Sprintf("no order that was tried of these %d days meets %s: the nearest comes to %s", len(b.days), l.text(), reports.PlanValue(l.figure.unit, f.Value))
		if f.Where != "" {
			what += ", at " + f.Name
		}
		if l.scope != everyDay && l.scope != wholeNation && best > 0 {
			what += fmt.Sprintf("; %d of %d are over the limit whenever they open, and would need counters", best, f.Parts)
		}
		return what
	}
	return "the order that was put together meets it, and the full run does not: regions share the card plant and the service"
}
