// Package plain is the plain engine: the same residents, the same behaviour
// (sim/rollout), the same service (sim/capacity) as the fast engine's, but one
// citizen and one event at a time on the kernel sim/des, with a calendar, a
// layout, queues and a dispatch of its own. It is slow and easy to follow, and
// there so that the fast engine can be believed: both give the same bytes. It
// may not know sim/nation.
//
// What both keep is the protocol, for it belongs to the model. At a barrier,
// which is the start of a window,
//   - requests of the window before are answered,
//   - ends of visits that fall into this window are told, ordered by time,
//   - visits announced in the window before reach the centres,
//   - the centres go through the window after this one.
//
// Between two barriers a citizen acts on what they know, and one whose request
// is with the service does nothing. What is overdue happens at the barrier.
package plain

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/des"
	"rollcall.example/rollcall/sim/rollout"
)

type engine struct {
	m      *rollout.Model
	plant  *capacity.Plant
	absent *rollout.Absent

	life   *des.Env // of the citizens
	office *des.Env // of the centres, a window ahead
	towns  []*town  // those that are simulated, in order
	people map[uint32]*person
	halls  map[int32]*hall

	load  [][capacity.NumOps]int32 // by second of the window
	fates [][capacity.NumOps]capacity.Fate
	ends  []rollout.VisitResult // of visits, to be told at the next barrier

	// place is that of a visit among those that arrive at one instant.
	place func(rollout.Visit) uint64

	until    int64
	stopped  bool
	narrow   int
	visits   [][]rollout.Visit // by centre, if they are kept
	progress func(done, total, events int64)
}

// town is a municipality.
type town struct {
	place     rollout.Place
	residents int64
}

// person is a citizen with the timer of their next step.
type person struct {
	rollout.Citizen
	town *town
	step *des.Timer
}

// barrierRank comes before every citizen's.
const barrierRank = 0

// MaxResidents is how many people fit into memory as objects with a timer each,
// about 230 bytes: every region, but not the nation.
const MaxResidents = 20_000_000

// ErrTooMany says that a scenario has more residents.
var ErrTooMany = fmt.Errorf("the plain engine keeps an object for everybody, up to %d", MaxResidents)

// Run simulates a scenario. Options.Workers is not used.
func Run(ctx context.Context, s *scenarios.Scenario, n *scenarios.Nation, o rollout.Options) (*rollout.Outcome, error) {
	e, err := newEngine(s, n, o)
	if err != nil {
		return nil, err
	}
	return e.run(ctx), nil
}

func newEngine(s *scenarios.Scenario, n *scenarios.Nation, o rollout.Options) (*engine, error) {
	m, err := rollout.New(s, n)
	if err != nil {
		return nil, err
	}
	people := 0
	for i := range n.Municipalities {
		people += m.ResidentsOf(i)
	}
	if people > MaxResidents {
		return nil, fmt.Errorf("%w; the scenario has %d", ErrTooMany, people)
	}
	e := &engine{
		m: m, plant: capacity.NewPlant(s, m.Cal.Open),
		life: des.New(), office: des.New(), people: map[uint32]*person{}, halls: map[int32]*hall{},
		load: make([][capacity.NumOps]int32, 3600), fates: make([][capacity.NumOps]capacity.Fate, 3600),
		narrow: o.Narrow, progress: o.Progress, place: byNumber,
	}
	if o.KeepVisits {
		e.visits = make([][]rollout.Visit, len(n.Centres))
	}
	for i := range n.Municipalities {
		if m.Present(i) {
			e.settle(i)
		}
	}
	if len(e.towns) == 0 {
		return nil, fmt.Errorf("population.regions: no region is simulated")
	}
	if len(e.towns) < len(n.Municipalities) {
		e.absent = rollout.NewAbsent(m)
	}
	return e, nil
}

func (e *engine) run(ctx context.Context) *rollout.Outcome {
	e.planBarriers(ctx)
	e.life.Run(des.Forever)
	return e.outcome()
}

// settle founds a municipality with its centres and residents.
func (e *engine) settle(municipality int) {
	mu := &e.m.Nation.Municipalities[municipality]
	t := &town{place: rollout.Place{M: e.m, Municipality: municipality, Region: mu.Region, Plant: e.plant,
		T: rollout.NewTally(e.m, mu.End-mu.First), Load: e.load}}
	t.place.First, _ = e.m.Pop.Range(mu.First)
	for centre := mu.First; centre < mu.End; centre++ {
		e.halls[int32(centre)] = e.newHall(t, centre)
		if e.m.Residents(centre) == 0 {
			continue
		}
		for age := scenarios.FirstAge; age <= scenarios.LastAge; age++ {
			first, end := e.m.Pop.AgeRange(centre, age)
			for id := first; id < end; id++ {
				e.bear(t, id, centre, age)
			}
			t.place.T.ByCentre[centre-mu.First].Citizens += int64(end - first)
		}
	}
	e.towns = append(e.towns, t)
}

func (e *engine) bear(t *town, id uint32, centre, age int) {
	p := &person{town: t}
	e.m.Birth(&p.Citizen, id, centre, age, t.place.Municipality)
	p.step = e.life.NewTimer(barrierRank+1+uint64(id), func() {
		e.m.Act(&t.place, &p.Citizen)
		e.plan(p)
	})
	e.people[id] = p
	t.residents++
	e.plan(p)
}

// plan sets the timer of a citizen's next step, if there is one in the run.
func (e *engine) plan(p *person) {
	if at := max(p.Next(), e.life.Now()); p.Flags&rollout.Busy == 0 && at < e.m.End {
		p.step.Set(at)
	} else {
		p.step.Stop()
	}
}

// planBarriers puts a barrier at the start of each window, and one at the end.
func (e *engine) planBarriers(ctx context.Context) {
	type barrier struct {
		day       int
		firstOfIt bool
		rollout.Window
	}
	var all []barrier
	for d, windows := range e.m.Windows(e.narrow) {
		for k, w := range windows {
			all = append(all, barrier{d, k == 0, w})
		}
	}
	for i, b := range all {
		before, ahead := rollout.Window{}, rollout.Window{Start: b.End, End: b.End}
		if i > 0 {
			before = all[i-1].Window
		}
		if i+1 < len(all) {
			ahead = all[i+1].Window
		}
		e.life.NewTimer(barrierRank, func() {
			if ctx.Err() != nil {
				e.interrupt()
				return
			}
			if i > 0 {
				e.endWindow(before)
			}
			if b.firstOfIt && b.day > 0 {
				e.endDay(b.day - 1)
			}
			e.beginWindow(before, b.Window, ahead.End)
		}).Set(b.Start)
	}
	if n := len(all); n > 0 {
		last := all[n-1]
		e.life.NewTimer(barrierRank, func() {
			e.endWindow(last.Window)
			e.endDay(last.day)
			e.setPlaces(rollout.Window{Start: last.End, End: last.End}, last.End)
			e.answer(last.Window)
		}).Set(last.End)
	}
}

func (e *engine) interrupt() {
	e.stopped = true
	e.life.Close()
}

// endWindow lets the service go through the window that is over.
func (e *engine) endWindow(w rollout.Window) {
	first := w.Start / 1000
	posted := e.load[:(w.End+999)/1000-first]
	if e.absent != nil {
		e.absent.Post(w, posted)
	}
	e.m.Service.Solve(first, posted, e.fates)
	clear(posted)
	e.until = w.End
}

// endDay hands the day's orders to the plant.
func (e *engine) endDay(d int) {
	var orders int64
	if e.absent != nil {
		orders = e.absent.Orders(d)
	}
	for _, t := range e.towns {
		orders += t.place.Orders
		t.place.Orders = 0
	}
	e.plant.Close(d, orders)
	if e.progress != nil {
		var events int64
		for _, t := range e.towns {
			events += t.place.T.Events
		}
		e.progress(e.until, e.m.End, events)
	}
}

// beginWindow is what happens at a barrier.
func (e *engine) beginWindow(before, w rollout.Window, ahead int64) {
	var announced []rollout.Visit
	for _, t := range e.towns {
		announced = append(announced, t.place.Visits...)
		t.place.Visits = nil
	}
	e.setPlaces(w, ahead)
	e.answer(before)

	ends := e.ends
	e.ends = nil
	slices.SortFunc(ends, func(a, b rollout.VisitResult) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Citizen, b.Citizen),
			cmp.Compare(a.From, b.From), cmp.Compare(a.Centre, b.Centre))
	})
	for _, v := range ends {
		p := e.people[v.Citizen]
		e.m.Visited(&p.town.place, &p.Citizen, v)
		e.plan(p)
	}
	for _, v := range announced {
		e.halls[v.Centre].expect(v)
	}
	if ahead > w.End {
		e.office.Run(ahead)
	}
}

func (e *engine) setPlaces(w rollout.Window, earliest int64) {
	for _, t := range e.towns {
		t.place.Start, t.place.End, t.place.Earliest = w.Start, w.End, earliest
	}
}

// answer tells the outcomes of the requests of a window.
func (e *engine) answer(before rollout.Window) {
	for _, t := range e.towns {
		requests := t.place.Requests
		t.place.Requests = nil
		for _, r := range requests {
			p := e.people[r.Citizen]
			e.m.Answer(&t.place, &p.Citizen, r, e.fates[r.At/1000-before.Start/1000][r.Op])
			e.plan(p)
		}
	}
}

func (e *engine) outcome() *rollout.Outcome {
	o := &rollout.Outcome{Model: e.m, Plant: e.plant, Absent: e.absent != nil, Visits: e.visits,
		Complete: !e.stopped, Until: e.until, Tallies: make([]*rollout.Tally, len(e.m.Nation.Municipalities))}
	for _, p := range e.people {
		p.town.place.T.CountOpen(&p.Citizen)
		e.m.CountEnding(p.town.place.T, &p.Citizen, p.town.place.Municipality)
	}
	for _, h := range e.halls {
		h.shut(e.m.End)
	}
	for _, t := range e.towns {
		t.place.Finish()
		o.Tallies[t.place.Municipality] = t.place.T
		o.Citizens += t.residents
		o.Records = append(o.Records, t.place.Records...)
	}
	slices.SortStableFunc(o.Records, func(a, b rollout.Record) int { return cmp.Compare(a.Citizen, b.Citizen) })
	return o
}
