package nation

import "rollcall.example/rollcall/sim/rollout"

// Alone is a centre's queue by itself: the visits that a run kept and the centre's
// other business come again, before any number of counters. With as many as in the
// run, what becomes of them is what became of them there.
//
// It is not the run with other counters: who was turned away there came again, and
// comes again here although there may be room the first time.
type Alone struct {
	m            *rollout.Model
	municipality int
	centre       int
	visits       []rollout.Visit
	others       []customer // the last never comes
	out          []rollout.VisitResult
}

// Ends are what became of a centre's visits; other business is not among them.
type Ends struct {
	Wait                          rollout.Histogram[int32] // of the served
	Served, Balked, Reneged, Shut int64
}

// NewAlone takes the visits of one centre from an outcome.
func NewAlone(m *rollout.Model, centre int, visits []rollout.Visit) *Alone {
	a := &Alone{m: m, centre: centre, municipality: m.Nation.Centres[centre].Municipality, visits: visits}
	at := int64(0)
	for k := uint32(0); at != rollout.Never; k++ {
		var x customer
		at, x.Service, x.Deadline = m.Other(centre, k, at)
		x.Arrive = at
		a.others = append(a.others, x)
	}
	return a
}

// Serve lets them come before a number of counters.
func (a *Alone) Serve(counters int) Ends {
	mu := &a.m.Nation.Municipalities[a.municipality]
	p := rollout.Place{M: a.m, Municipality: a.municipality, T: rollout.NewTally(a.m, mu.End-mu.First)}
	c := centre{index: a.centre, free: make([]int64, counters), coming: append([]rollout.Visit(nil), a.visits...)}
	c.other = func(k uint32, _ int64) (int64, int64, int64) {
		x := &a.others[k]
		return x.Arrive, x.Service, x.Deadline
	}
	c.nextOther(0)
	a.out = c.solve(a.m, &p, rollout.Window{End: a.m.End}, a.out[:0])
	e := Ends{Wait: p.T.ByCentre[a.centre-mu.First].Wait}
	for i := range p.T.Day {
		d := &p.T.Day[i]
		e.Served += int64(d.Served)
		e.Balked += int64(d.Balked)
		e.Reneged += int64(d.Reneged)
		e.Shut += int64(d.Shut)
	}
	return e
}
