package nation

import (
	"slices"

	"rollcall.example/rollcall/sim/rollout"
)

// Alone is a centre's queue by itself: the visits that a run kept and the centre's
// other business come again, before any number of counters. With as many as in the
// run, what becomes of them is what became of them there.
//
// It is not the run with other counters: who was turned away there came again, and
// comes again here although there may be room the first time.
type Alone struct {
	m      *rollout.Model
	centre int
	visits []rollout.Visit
	others []caller // the last never comes
	out    []rollout.VisitResult
}

// caller is a customer with other business.
type caller struct{ arrive, service, deadline int64 }

// NewAlone takes the visits of one centre from an outcome.
func NewAlone(m *rollout.Model, centre int, visits []rollout.Visit) *Alone {
	a := &Alone{m: m, centre: centre, visits: visits}
	for at := int64(0); at != rollout.Never; {
		var x caller
		x.arrive, x.service, x.deadline = m.Other(centre, uint32(len(a.others)), at)
		a.others = append(a.others, x)
		at = x.arrive
	}
	return a
}

// Work is the time at a counter (ms) that all of them would need.
func (a *Alone) Work() (ms int64) {
	for i := range a.visits {
		ms += a.visits[i].Service
	}
	for i := range a.others {
		ms += a.others[i].service
	}
	return ms
}

// Serve lets them come before a number of counters and counts as a run does. With
// appointments the centre takes so many visits in an hour; 0 is as many as come.
func (a *Alone) Serve(counters, appointments int) rollout.CentreTally {
	municipality := a.m.Nation.Centres[a.centre].Municipality
	mu := &a.m.Nation.Municipalities[municipality]
	p := rollout.Place{M: a.m, Municipality: municipality, T: rollout.NewTally(a.m, mu.End-mu.First)}
	c := centre{index: a.centre, free: make([]int64, counters), coming: slices.Clone(a.visits), most: appointments}
	c.other = func(k uint32, _ int64) (int64, int64, int64) {
		x := &a.others[k]
		return x.arrive, x.service, x.deadline
	}
	c.nextOther(0)
	width := a.m.End
	if appointments > 0 {
		width = rollout.Day
	}
	for from := int64(0); from < a.m.End; from += width {
		a.out = c.solve(a.m, &p, rollout.Window{Start: from, End: min(from+width, a.m.End)}, a.out[:0])
	}
	c.close(&p, a.m.End)
	return p.T.ByCentre[a.centre-mu.First]
}
