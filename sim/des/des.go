// Package des is a small kernel for discrete-event simulation with SimPy's
// ideas: an environment with a clock and a calendar, processes that wait,
// events, resources with queues, stores, interrupts, monitors. It knows nothing
// of what is simulated.
//
// There are two styles, freely mixed. A Timer calls a function at an instant; it
// is set again and again without allocating, for millions of events. A Proc is a
// function that runs as a coroutine and reads like a story: wait, request,
// release. Time is a whole number of whatever unit the model likes.
//
// The order is deterministic: by time, at one instant by rank, at one rank in
// the order in which things were scheduled. An Env and all that belongs to it is
// for one goroutine.
package des

import "math"

// Time is an instant, or a stretch, in the model's unit.
type Time = int64

// Forever is later than every instant.
const Forever Time = math.MaxInt64

// Env is a simulation: its clock, its calendar and its living processes.
type Env struct {
	now      Time
	calendar []entry // a heap of four children a node
	posted   uint64
	events   int64
	alive    map[*Proc]struct{}
}

// entry is a timer in the calendar, with what decides its order beside it.
type entry struct {
	at     Time
	rank   uint64
	posted uint64
	timer  *Timer
}

// New makes a simulation whose clock stands at zero.
func New() *Env { return &Env{alive: map[*Proc]struct{}{}} }

// Now is the instant that is being simulated.
func (e *Env) Now() Time { return e.now }

// Events is the number of timers that have gone off.
func (e *Env) Events() int64 { return e.events }

// Next is the instant of the next event; Forever if there is none.
func (e *Env) Next() Time {
	if len(e.calendar) == 0 {
		return Forever
	}
	return e.calendar[0].at
}

// Run lets everything happen that happens before an instant, and leaves the
// clock there; until Forever, it runs until nothing is left.
func (e *Env) Run(until Time) {
	for len(e.calendar) > 0 && e.calendar[0].at < until {
		t := e.calendar[0].timer
		e.now = e.calendar[0].at
		e.remove(0)
		e.events++
		t.do()
	}
	if until != Forever {
		e.now = max(e.now, until)
	}
}

// Close ends all processes that are still alive: what they wait for returns
// ErrClosed, and deferred functions run. Nothing else happens any more.
func (e *Env) Close() {
	for p := range e.alive {
		p.stop()
	}
	for i := range e.calendar {
		e.calendar[i].timer.place = none
	}
	e.calendar = nil
}

// Timer calls a function at an instant.
type Timer struct {
	env   *Env
	rank  uint64
	place int // in the calendar
	do    func()
}

const none = -1

// NewTimer makes a timer that is not set. At one instant timers of a lower rank
// go off first.
func (e *Env) NewTimer(rank uint64, do func()) *Timer {
	return &Timer{env: e, rank: rank, place: none, do: do}
}

// At calls a function once, at an instant, with rank 0.
func (e *Env) At(at Time, do func()) *Timer {
	t := e.NewTimer(0, do)
	t.Set(at)
	return t
}

// Set makes the timer go off at an instant, instead of any that was set before;
// at once, if that is past.
func (t *Timer) Set(at Time) {
	e := t.env
	e.posted++
	x := entry{max(at, e.now), t.rank, e.posted, t}
	if t.place == none {
		e.calendar = append(e.calendar, x)
		e.up(len(e.calendar)-1, x)
		return
	}
	e.settle(t.place, x)
}

// Stop takes the timer back; it says whether it was set.
func (t *Timer) Stop() bool {
	if t.place == none {
		return false
	}
	t.env.remove(t.place)
	return true
}

// IsSet says whether the timer will go off.
func (t *Timer) IsSet() bool { return t.place != none }

func (a *entry) before(b *entry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.rank != b.rank {
		return a.rank < b.rank
	}
	return a.posted < b.posted
}

// remove takes place i out of the heap.
func (e *Env) remove(i int) {
	e.calendar[i].timer.place = none
	n := len(e.calendar) - 1
	last := e.calendar[n]
	e.calendar[n] = entry{}
	e.calendar = e.calendar[:n]
	if i < n {
		e.settle(i, last)
	}
}

// settle puts x where it belongs, given that place i is free.
func (e *Env) settle(i int, x entry) {
	if i > 0 && x.before(&e.calendar[(i-1)/4]) {
		e.up(i, x)
	} else {
		e.down(i, x)
	}
}

func (e *Env) up(i int, x entry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !x.before(&e.calendar[parent]) {
			break
		}
		e.put(i, e.calendar[parent])
		i = parent
	}
	e.put(i, x)
}

func (e *Env) down(i int, x entry) {
	n := len(e.calendar)
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, n); c++ {
			if e.calendar[c].before(&e.calendar[least]) {
				least = c
			}
		}
		if !e.calendar[least].before(&x) {
			break
		}
		e.put(i, e.calendar[least])
		i = least
	}
	e.put(i, x)
}

func (e *Env) put(i int, x entry) {
	e.calendar[i] = x
	x.timer.place = i
}
