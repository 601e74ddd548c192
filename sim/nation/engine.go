// Package nation is the fast engine: every resident as a record in pointer-free
// columns, a shard for each basic municipality, barriers between windows of
// virtual time. What happens within a window depends only on what was known at
// its start, so any number of workers gives the same result.
//
// The day of a record's next step is the far calendar: each virtual day that
// column is scanned, and who is due goes into the windows of the day. Citizens
// never call the service: they post timed requests, the service is solved once
// for each window (sim/capacity), and the answers are read behind the barrier.
// The behaviour is sim/rollout's; nothing here decides for a citizen.
package nation

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rollout"
)

type shard struct {
	place    rollout.Place
	citizens []rollout.Citizen
	due      []uint16   // day of the next step, or of the next look ahead
	slots    [][]uint32 // of the day, by window
	touched  int32      // see beginDay
	centres  []centre

	inVisits  []rollout.Visit
	inResults []rollout.VisitResult
	out       []rollout.VisitResult
}

type engine struct {
	m       *rollout.Model
	plant   *capacity.Plant
	shards  []*shard
	home    []*shard // by municipality
	workers int
	load    [][][capacity.NumOps]int32 // by worker, by second of the window
	fates   [][capacity.NumOps]capacity.Fate
	absent  *rollout.Absent
	keep    bool // who comes to the centres
}

// Run simulates a scenario.
func Run(ctx context.Context, s *scenarios.Scenario, n *scenarios.Nation, o rollout.Options) (*rollout.Outcome, error) {
	m, err := rollout.New(s, n)
	if err != nil {
		return nil, err
	}
	e := &engine{m: m, workers: max(1, o.Workers), keep: o.KeepVisits,
		plant: capacity.NewPlant(s, m.Cal.Open), home: make([]*shard, len(n.Municipalities))}
	for i := range n.Municipalities {
		if m.Present(i) {
			e.home[i] = e.newShard(i)
			e.shards = append(e.shards, e.home[i])
		}
	}
	if len(e.shards) == 0 {
		return nil, fmt.Errorf("population.regions: no region is simulated")
	}
	if len(e.shards) < len(e.home) {
		e.absent = rollout.NewAbsent(m)
	}
	e.workers = min(e.workers, len(e.shards)) // each of the others would have nothing to do
	e.load = make([][][capacity.NumOps]int32, e.workers)
	for i := range e.load {
		e.load[i] = make([][capacity.NumOps]int32, 3600)
	}
	e.fates = make([][capacity.NumOps]capacity.Fate, 3600)

	// Large shards first, so that workers end together.
	order := slices.Clone(e.shards)
	slices.SortStableFunc(order, func(a, b *shard) int { return cmp.Compare(e.people(b), e.people(a)) })
	e.parallel(order, func(sh *shard, _ int) { e.birth(sh) })

	out := &rollout.Outcome{Model: m, Plant: e.plant, Tallies: make([]*rollout.Tally, len(e.home)), Absent: e.absent != nil}
	out.Complete = e.run(ctx, order, o.Narrow, o.Progress, out)
	if !out.Complete {
		for _, sh := range e.shards {
			sh.place.T.Cut(out.Until)
		}
	}
	e.parallel(order, func(sh *shard, _ int) { e.finish(sh) })
	if e.keep {
		out.Visits = make([][]rollout.Visit, len(n.Centres))
	}
	for i, sh := range e.home {
		if sh == nil {
			continue
		}
		for c := range sh.centres {
			if e.keep {
				out.Visits[sh.centres[c].index] = sh.centres[c].kept
			}
		}
		out.Tallies[i] = sh.place.T
		for c := range sh.place.T.ByCentre {
			out.Citizens += sh.place.T.ByCentre[c].Citizens
		}
		out.Records = append(out.Records, sh.place.Records...)
	}
	slices.SortStableFunc(out.Records, func(a, b rollout.Record) int { return cmp.Compare(a.Citizen, b.Citizen) })
	return out, nil
}

func (e *engine) people(sh *shard) int { return e.m.ResidentsOf(sh.place.Municipality) }

func (e *engine) newShard(municipality int) *shard {
	mu := &e.m.Nation.Municipalities[municipality]
	sh := &shard{}
	sh.place = rollout.Place{M: e.m, Municipality: municipality, Region: mu.Region, Plant: e.plant,
		T: rollout.NewTally(e.m, mu.End-mu.First)}
	sh.place.First, _ = e.m.Pop.Range(mu.First)
	return sh
}

// parallel hands the shards to the workers, in order, each to one of them. A
// worker's panic is the caller's.
func (e *engine) parallel(shards []*shard, do func(*shard, int)) {
	var taken atomic.Int64
	var broken atomic.Pointer[string]
	var wg sync.WaitGroup
	for w := range e.workers {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					what := fmt.Sprintf("%v, in a worker:\n%s", p, debug.Stack())
					broken.CompareAndSwap(nil, &what)
				}
			}()
			for {
				i := int(taken.Add(1)) - 1
				if i >= len(shards) {
					return
				}
				do(shards[i], w)
			}
		})
	}
	wg.Wait()
	if what := broken.Load(); what != nil {
		panic(*what)
	}
}

func (e *engine) birth(sh *shard) {
	mu := &e.m.Nation.Municipalities[sh.place.Municipality]
	_, end := e.m.Pop.Range(mu.End - 1)
	n := int(end - sh.place.First)
	sh.citizens, sh.due = make([]rollout.Citizen, n), make([]uint16, n)
	for c := mu.First; c < mu.End; c++ {
		sh.centres = append(sh.centres, newCentre(e.m, c))
		sh.centres[c-mu.First].keep = e.keep
		if e.m.Residents(c) == 0 {
			first, end := e.m.Pop.Range(c)
			for id := first; id < end; id++ {
				sh.due[id-sh.place.First] = never
			}
			continue
		}
		for age := scenarios.FirstAge; age <= scenarios.LastAge; age++ {
			first, end := e.m.Pop.AgeRange(c, age)
			for id := first; id < end; id++ {
				i := id - sh.place.First
				e.m.Birth(&sh.citizens[i], id, c, age, sh.place.Municipality)
				sh.due[i] = dueDay(sh.citizens[i].Next())
			}
		}
		first, end := e.m.Pop.Range(c)
		sh.place.T.ByCentre[c-mu.First].Citizens = int64(end - first)
	}
}

// finish closes the accounts of a municipality.
func (e *engine) finish(sh *shard) {
	sh.place.Finish()
	for i := range sh.citizens {
		c := &sh.citizens[i]
		if c.Age == 0 { // of a centre that the scenario leaves out
			continue
		}
		sh.place.T.CountOpen(c)
		e.m.CountEnding(sh.place.T, c, sh.place.Municipality)
	}
	for i := range sh.centres {
		sh.centres[i].close(&sh.place, e.m.End)
	}
}

// run lets the windows pass; false if it was interrupted.
func (e *engine) run(ctx context.Context, order []*shard, narrow int, progress func(int64, int64, int64), out *rollout.Outcome) bool {
	days := e.m.Windows(narrow)
	var plan []rollout.Window
	for _, d := range days {
		plan = append(plan, d...)
	}
	at := 0
	for d, windows := range days {
		for k, w := range windows {
			if ctx.Err() != nil {
				return false
			}
			ahead := rollout.Window{Start: w.End, End: w.End}
			if at+1 < len(plan) {
				ahead = plan[at+1]
			}
			var before rollout.Window
			if at > 0 {
				before = plan[at-1]
			}
			e.parallel(order, func(sh *shard, worker int) {
				if k == 0 {
					sh.beginDay(e.m, d, windows)
				}
				e.window(sh, worker, before, w, ahead, k, windows)
			})
			e.barrier(w)
			at++
			out.Until = w.End
		}
		e.closeDay(d)
		if progress != nil {
			progress(out.Until, e.m.End, e.countEvents())
		}
	}
	// What was posted in the last window is answered, and nothing follows.
	if len(plan) > 0 {
		last := plan[len(plan)-1]
		end := rollout.Window{Start: last.End, End: last.End}
		e.parallel(order, func(sh *shard, worker int) {
			sh.place.Start, sh.place.End, sh.place.Earliest = end.Start, end.End, end.End
			e.answer(sh, last)
		})
	}
	return true
}

func (e *engine) countEvents() int64 {
	var n int64
	for _, sh := range e.shards {
		n += sh.place.T.Events
	}
	return n
}

// never is the day of what does not happen.
const never = math.MaxUint16

func dueDay(t int64) uint16 { return uint16(min(t/rollout.Day, never)) }

// lookAhead is for how many days steps that concern nobody else are taken at
// once. Most events of a run are people who show a plastic card: with their
// record in hand it costs little to go on, and much to come back each day.
const lookAhead = 64

// beginDay scans for who is due, and puts them into the day's windows. Each
// citizen has a day in lookAhead, by their place in the shard, until which the
// steps that concern nobody else are taken on the way.
func (sh *shard) beginDay(m *rollout.Model, d int, windows []rollout.Window) {
	for len(sh.slots) < len(windows) {
		sh.slots = append(sh.slots, nil)
	}
	for i := range sh.slots {
		sh.slots[i] = sh.slots[i][:0]
	}
	end := windows[len(windows)-1].End
	today := uint16(d)
	var batch [16]uint32
	n := 0
	flush := func() {
		// The records are far apart in memory: they are fetched together.
		for _, i := range batch[:n] {
			sh.touched += sh.citizens[i].Wallet
		}
		for _, i := range batch[:n] {
			c := &sh.citizens[i]
			until := d + 1 + (int(i)+lookAhead-d%lookAhead)%lookAhead
			m.ShowPlastic(&sh.place, c, int64(until)*rollout.Day)
			t := c.Next()
			if sh.due[i] = dueDay(t); t < end {
				k := find(windows, t)
				sh.slots[k] = append(sh.slots[k], i)
			}
		}
		n = 0
	}
	for i, day := range sh.due {
		if day <= today {
			batch[n] = uint32(i)
			if n++; n == len(batch) {
				flush()
			}
		}
	}
	flush()
}

// find is the window of the day in which t lies; the first for what is overdue.
func find(windows []rollout.Window, t int64) int {
	lo, hi := 0, len(windows)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if windows[mid].End > t {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// window is one shard's part between two barriers.
func (e *engine) window(sh *shard, worker int, before, w, ahead rollout.Window, k int, windows []rollout.Window) {
	p := &sh.place
	p.Start, p.End, p.Load = w.Start, w.End, e.load[worker]
	p.Earliest = ahead.End
	p.Visits = p.Visits[:0]
	end := windows[len(windows)-1].End

	put := func(i uint32) {
		c := &sh.citizens[i]
		t := c.Next()
		sh.due[i] = dueDay(t)
		if t < end && c.Flags&rollout.Busy == 0 {
			j := max(k, find(windows, t))
			sh.slots[j] = append(sh.slots[j], i)
		}
	}
	if before.End > 0 {
		requests := p.Requests
		e.answer(sh, before)
		for _, r := range requests {
			put(r.Citizen - p.First)
		}
	}
	p.Requests = p.Requests[:0]
	for _, v := range sh.inVisits {
		c := &sh.centres[int(v.Centre)-sh.centres[0].index]
		c.coming = append(c.coming, v)
	}
	sh.inVisits = sh.inVisits[:0]
	slices.SortFunc(sh.inResults, func(a, b rollout.VisitResult) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Citizen, b.Citizen),
			cmp.Compare(a.From, b.From), cmp.Compare(a.Centre, b.Centre))
	})
	for _, v := range sh.inResults {
		i := v.Citizen - p.First
		e.m.Visited(p, &sh.citizens[i], v)
		put(i)
	}
	sh.inResults = sh.inResults[:0]

	sh.out = sh.out[:0]
	if ahead.End > ahead.Start {
		for i := range sh.centres {
			sh.out = sh.centres[i].solve(e.m, p, ahead, sh.out)
		}
	}

	for s := 0; s < len(sh.slots[k]); s++ {
		i := sh.slots[k][s]
		c := &sh.citizens[i]
		t := c.Next()
		for t < w.End && c.Flags&rollout.Busy == 0 {
			e.m.Act(p, c)
			t = c.Next()
		}
		sh.due[i] = dueDay(t)
		if t < end && c.Flags&rollout.Busy == 0 {
			if j := find(windows, t); j > k {
				sh.slots[j] = append(sh.slots[j], i)
			}
		}
	}
}

// answer hands the requests of the window before their outcomes.
func (e *engine) answer(sh *shard, before rollout.Window) {
	p := &sh.place
	first := before.Start / 1000
	for _, r := range p.Requests {
		e.m.Answer(p, &sh.citizens[r.Citizen-p.First], r, e.fates[r.At/1000-first][r.Op])
	}
}

// barrier solves the service for the window and carries what crosses shards.
func (e *engine) barrier(w rollout.Window) {
	first := w.Start / 1000
	n := int((w.End+999)/1000 - first)
	sum := e.load[0][:n]
	for _, l := range e.load[1:] {
		for s := range l[:n] {
			for op := range l[s] {
				sum[s][op] += l[s][op]
			}
			l[s] = [capacity.NumOps]int32{}
		}
	}
	if e.absent != nil {
		e.absent.Post(w, sum)
	}
	e.m.Service.Solve(first, sum, e.fates)
	clear(sum)
	for _, sh := range e.shards {
		for _, v := range sh.place.Visits {
			to := e.home[e.m.Nation.Centres[v.Centre].Municipality]
			to.inVisits = append(to.inVisits, v)
		}
		for _, v := range sh.out {
			to := e.home[v.Home]
			to.inResults = append(to.inResults, v)
		}
	}
}

// closeDay hands the day's orders to the plant.
func (e *engine) closeDay(d int) {
	var orders int64
	for _, sh := range e.shards {
		orders += sh.place.Orders
		sh.place.Orders = 0
	}
	if e.absent != nil {
		orders += e.absent.Orders(d)
	}
	e.plant.Close(d, orders)
}
