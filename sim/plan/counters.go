package plan

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// A site is a centre in the search. A step is a counter more, or some appointments
// fewer: what a lever makes of it.
type site struct {
	centre, municipality, region int
	now, planned                 int // steps
	from                         int // step of ends[0]
	ends                         []rollout.CentreTally
	offers                       []int // appointments in an hour, by step
}

// at is what the site comes to at step k, which must have been asked for.
func (s *site) at(k int) *rollout.CentreTally { return &s.ends[k-s.from] }

// A lever is what can be done at a site, step by step, each with fewer in the way.
type lever interface {
	serve(m *rollout.Model, a *nation.Alone, x *site, step int) rollout.CentreTally
	top(x *site) int                                       // the last step
	cost(x *site, to int) float64                          // of steps from those that are planned
	why(s *search, l *limit, x *site, value string) string // a site cannot meet a limit
}

// search finds steps for the sites of a run, from those that are planned on.
type search struct {
	ctx     context.Context
	o       *rollout.Outcome
	lever   lever
	sites   []*site
	workers int
	asked   func(done, total int)
	unmet   []reports.PlanUnmet
}

// ask extends the answers of a site up to step k.
func (s *search) ask(x *site, k int) {
	if have := x.from + len(x.ends); have <= k {
		alone := nation.NewAlone(s.o.Model, x.centre, s.o.Visits[x.centre])
		for ; have <= k; have++ {
			x.ends = append(x.ends, s.lever.serve(s.o.Model, alone, x, have))
		}
	}
}

// each does something for many sites at once. What it does may touch its site only.
func (s *search) each(sites []*site, do func(*site)) {
	var taken, done atomic.Int64
	var all sync.WaitGroup
	var told sync.Mutex
	for range s.workers {
		all.Go(func() {
			for s.ctx.Err() == nil {
				i := int(taken.Add(1)) - 1
				if i >= len(sites) {
					return
				}
				do(sites[i])
				n := done.Add(1)
				told.Lock()
				s.asked(int(n), len(sites))
				told.Unlock()
			}
		})
	}
	all.Wait()
}

// meet plans counters for all limits, one after the other, those of single centres
// first: what a centre has been given is not taken away by a later limit, and more
// counters only make waits shorter.
func (s *search) meet(limits []limit) {
	ordered := slices.Clone(limits)
	slices.SortStableFunc(ordered, func(a, b limit) int { return cmp.Compare(b.scope, a.scope) })
	for i := range ordered {
		l := &ordered[i]
		if l.scope == everyCentre {
			s.alone(l)
			continue
		}
		for _, g := range s.groups(l.scope) {
			s.together(l, g)
		}
	}
}

// groups are the sites that a limit judges together.
func (s *search) groups(of scope) (groups []group) {
	at := map[int]int{}
	n := s.o.Model.Nation
	for _, x := range s.sites {
		key, g := 0, group{name: "all centres"}
		switch of {
		case everyRegion:
			key, g = x.region, group{code: n.Regions[x.region].ISO, name: n.Regions[x.region].NameEn}
		case everyMunicipality:
			key, g = x.municipality, group{code: n.Municipalities[x.municipality].Code, name: n.Municipalities[x.municipality].NameEn}
		case everyCentre:
			key, g = x.centre, group{code: n.Centres[x.centre].Code, name: centreName(n, x.centre)}
		}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, g)
		}
		groups[i].sites = append(groups[i].sites, x)
	}
	return groups
}

type group struct {
	code, name string
	sites      []*site
}

// alone takes each centre the fewest steps with which it meets the limit by itself.
func (s *search) alone(l *limit) {
	var over []*site
	for _, x := range s.sites {
		if !l.holds(l.figure.of(countOf(x.at(x.planned)))) {
			over = append(over, x)
		}
	}
	found := make([]int, len(s.sites)) // by position; 0: none
	place := map[*site]int{}
	for i, x := range over {
		place[x] = i
	}
	s.each(over, func(x *site) {
		for k := x.planned + 1; k <= s.lever.top(x); k++ {
			s.ask(x, k)
			if k > s.lever.top(x) {
				return
			}
			if l.holds(l.figure.of(countOf(x.at(k)))) {
				found[place[x]] = k
				return
			}
			if x.at(k).Wait.Max == 0 && x.at(k).Left == 0 {
				return // nobody waits, and more will not help
			}
		}
	})
	if s.ctx.Err() != nil {
		return
	}
	for i, x := range over {
		if found[i] > 0 {
			x.planned = found[i]
			continue
		}
		// As far as it goes: the best that was seen, with the fewest counters.
		best := x.planned
		for k := x.planned; k < x.from+len(x.ends) && k <= s.lever.top(x); k++ {
			if worth(l, x.at(k)) < worth(l, x.at(best)) {
				best = k
			}
		}
		x.planned = best
		n := s.o.Model.Nation
		value := l.figure.of(countOf(x.at(best)))
		s.unmet = append(s.unmet, reports.PlanUnmet{Limit: l.text(), Code: n.Centres[x.centre].Code, Name: centreName(n, x.centre),
			Value: value, Why: s.lever.why(s, l, x, reports.PlanValue(l.figure.unit, value))})
	}
}

// worth orders what a site comes to by a limit: less is better.
func worth(l *limit, t *rollout.CentreTally) float64 {
	if x := l.figure.of(countOf(t)); x.Known() {
		return float64(x)
	}
	return 0
}

// desks is the lever of counters: a step is their number.
type desks struct{ most int }

func (desks) serve(m *rollout.Model, a *nation.Alone, x *site, step int) rollout.CentreTally {
	return a.Serve(step, m.Appointments(x.centre))
}

func (d desks) top(x *site) int { return max(d.most, x.planned) }

func (desks) cost(x *site, to int) float64 { return float64(to - x.planned) }

func (d desks) why(s *search, l *limit, x *site, value string) string {
	t := x.at(x.planned)
	if t.Wait.Max == 0 && t.Left == 0 {
		return fmt.Sprintf("with %d counters nobody waits any more, and that is still not %s %s", x.planned, l.Op, l.Limit)
	}
	has := "the most that are allowed"
	switch {
	case x.now > d.most:
		has = fmt.Sprintf("which it has, and more than the %d that may be given", d.most)
	case x.planned < d.most:
		has = fmt.Sprintf("which up to %d do not better", d.most)
	}
	return fmt.Sprintf("with %d counters, %s, it comes to %s; who comes brings the work of %.1f counters on average, other business %.1f of them",
		x.planned, has, value, s.work(x, true), s.work(x, false))
}

// work is what comes to a site, with the visits or other business only, in counters
// that would be busy throughout.
func (s *search) work(x *site, visits bool) float64 {
	m := s.o.Model
	open := 0
	for _, o := range m.Cal.Open[:m.Cal.Days] {
		if o {
			open++
		}
	}
	c := &m.Scenario.Calendar
	who := s.o.Visits[x.centre]
	if !visits {
		who = nil
	}
	return float64(nation.NewAlone(m, x.centre, who).Work()) / (float64(open) * float64((c.Closes - c.Opens).Milliseconds()))
}

// lookAhead is how many counters at once a site may be offered in together: one more
// may help little where two would end a queue.
const lookAhead = 3

// together takes steps at centres that a limit judges as one, each time where a
// step takes most visits out of the way for what it costs, until it holds. Then those
// are taken back without which it holds too.
func (s *search) together(l *limit, g group) {
	sum := new(count)
	for _, x := range g.sites {
		sum.add(x.at(x.planned), 1)
	}
	holds := func() bool {
		if l.figure.unit == "s" {
			sum.wait.Max = 0
			for _, x := range g.sites {
				sum.wait.Max = max(sum.wait.Max, x.at(x.planned).Wait.Max)
			}
		}
		return l.holds(l.figure.of(sum))
	}
	if holds() {
		return
	}
	var candidates []*site
	floor := map[*site]int{}
	for _, x := range g.sites {
		if l.beyond(x.at(x.planned)) > 0 {
			candidates = append(candidates, x)
			floor[x] = x.planned
		}
	}
	s.each(candidates, func(x *site) { s.ask(x, min(x.planned+lookAhead, s.lever.top(x))) })
	if s.ctx.Err() != nil {
		return
	}
	var offers offers
	offer := func(x *site) {
		here := l.beyond(x.at(x.planned))
		best := bid{site: x}
		for j := 1; j <= lookAhead && x.planned+j <= s.lever.top(x); j++ {
			if per := float64(here-l.beyond(x.at(x.planned+j))) / s.lever.cost(x, x.planned+j); per > best.per {
				best.per, best.more = per, j
			}
		}
		if best.more > 0 {
			heap.Push(&offers, best)
		}
	}
	for _, x := range candidates {
		offer(x)
	}
	move := func(x *site, to int) {
		sum.add(x.at(x.planned), -1)
		x.planned = to
		sum.add(x.at(x.planned), 1)
	}
	var raised []*site
	for !holds() {
		if len(offers) == 0 || s.ctx.Err() != nil {
			value := l.figure.of(sum)
			s.unmet = append(s.unmet, reports.PlanUnmet{Limit: l.text(), Code: g.code, Name: g.name, Value: value,
				Why: fmt.Sprintf("it comes to %s when nothing more that may be done helps anybody", reports.PlanValue(l.figure.unit, value))})
			return
		}
		b := heap.Pop(&offers).(bid)
		move(b.site, b.site.planned+b.more)
		raised = append(raised, b.site)
		s.ask(b.site, min(b.site.planned+lookAhead, s.lever.top(b.site)))
		offer(b.site)
	}
	for _, x := range slices.Backward(raised) {
		for x.planned > floor[x] {
			before := x.planned
			move(x, before-1)
			if !holds() {
				move(x, before)
				break
			}
		}
	}
}

// A bid is what some more counters at a site would do, for each of them.
type bid struct {
	site *site
	more int
	per  float64
}

// offers are bids, the best first; of equals that of the first centre.
type offers []bid

func (o offers) Len() int { return len(o) }
func (o offers) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(o[j].per, o[i].per), cmp.Compare(o[i].site.centre, o[j].site.centre)) < 0
}
func (o offers) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o *offers) Push(x any)   { *o = append(*o, x.(bid)) }
func (o *offers) Pop() any {
	x := (*o)[len(*o)-1]
	*o = (*o)[:len(*o)-1]
	return x
}
