package plain

import (
	"rollcall.example/rollcall/sim/des"
	"rollcall.example/rollcall/sim/rollout"
)

// hall is the waiting hall of a community centre: one queue before its counters,
// first come, first served. Who finds too long a queue turns round; who waits
// too long leaves; at closing time those who still wait are sent home.
type hall struct {
	e        *engine
	town     *town
	centre   int
	counters []*des.Timer // each runs while the counter is busy
	queue    []*customer
	call     *des.Timer    // calls the next to the counters
	hours    *des.Timer    // the number of counters that take customers changes
	others   uint32        // how many came with other business
	diary    map[int64]int // visits that the centre takes, by hour, where it counts them

	waiting, since int64 // people waiting times milliseconds, until since
}

// customer is a citizen on a visit, or somebody with other business.
type customer struct {
	rollout.Visit
	other    bool
	patience *des.Timer
}

// The order of what falls on one instant: counters come free and hours change,
// then the next are called, then those leave whose patience ends; newcomers come
// last, citizens by number, then other business.
const (
	changes  = 0
	calling  = 1
	leaving  = 2
	citizens = 3
	business = 1 << 40
)

func byNumber(v rollout.Visit) uint64 { return uint64(v.Citizen)<<3 + uint64(v.From) }

func (e *engine) newHall(t *town, centre int) *hall {
	h := &hall{e: e, town: t, centre: centre, counters: make([]*des.Timer, e.m.Counters(centre))}
	h.call = e.office.NewTimer(calling, h.callNext)
	for i := range h.counters {
		h.counters[i] = e.office.NewTimer(changes, func() { h.call.Set(e.office.Now()) })
	}
	h.hours = e.office.NewTimer(changes, h.hoursChange)
	h.hours.Set(0)
	h.nextOther(0)
	return h
}

// open is the number of counters that take customers now: the first ones.
func (h *hall) open() int {
	open, _ := h.e.m.Cal.CountersOpen(len(h.counters), h.e.office.Now())
	return open
}

func (h *hall) hoursChange() {
	now := h.e.office.Now()
	open, until := h.e.m.Cal.CountersOpen(len(h.counters), now)
	// Where a day begins as the one before ends, closing time sends home all the same.
	for len(h.queue) > 0 && h.e.m.Cal.Closes(h.queue[0].Arrive) <= now {
		h.leave(h.queue[0], rollout.Shut)
	}
	if open > 0 {
		h.call.Set(now)
	}
	if until > now && until < h.e.m.End {
		h.hours.Set(until)
	}
}

// expect is told of a visit ahead of time.
func (h *hall) expect(v rollout.Visit) {
	x := &customer{Visit: v}
	h.e.office.NewTimer(citizens+h.e.place(v), func() { h.arrive(x) }).Set(v.Arrive)
}

func (h *hall) nextOther(after int64) {
	arrive, service, deadline := h.e.m.Other(h.centre, h.others, after)
	h.others++
	if arrive == rollout.Never {
		return
	}
	x := &customer{other: true, Visit: rollout.Visit{Arrive: arrive, Service: service, Deadline: deadline}}
	h.e.office.NewTimer(business, func() {
		h.arrive(x)
		h.nextOther(arrive)
	}).Set(arrive)
}

func (h *hall) arrive(x *customer) {
	if h.e.visits != nil && !x.other && !x.Booked {
		h.e.visits[h.centre] = append(h.e.visits[h.centre], x.Visit)
	}
	if !x.other && !x.Booked && !h.roomFor(x) {
		return
	}
	open := h.open()
	switch {
	case open == 0:
		h.leave(x, rollout.Shut)
	case len(h.queue) >= open*h.e.m.BalkAt():
		h.leave(x, rollout.Balked)
	default:
		x.patience = h.e.office.NewTimer(leaving, func() { h.leave(x, rollout.Reneged) })
		x.patience.Set(x.Deadline)
		h.reckon()
		h.queue = append(h.queue, x)
		h.callNext()
	}
}

// roomFor says whether somebody can be taken in this hour; else they are asked for the
// same hour of another day.
func (h *hall) roomFor(x *customer) bool {
	most := h.e.m.Appointments(h.centre)
	if most == 0 {
		return true
	}
	if h.diary == nil {
		h.diary = map[int64]int{}
	}
	cal := h.e.m.Cal
	at := x.Arrive
	for cal.Day(at) < len(cal.Open) && (h.diary[at/rollout.Hour] >= most || !cal.Open[cal.Day(at)]) {
		at += rollout.Day
	}
	h.diary[at/rollout.Hour]++ // beyond the calendar there is no end of room
	if at == x.Arrive {
		return true
	}
	h.tally().PutOff.Add(cal.Day(at) - cal.Day(x.Arrive))
	x.Booked = true
	x.Deadline += at - x.Arrive
	x.Arrive = at
	if at < h.e.m.End {
		h.expect(x.Visit)
	}
	return false
}

// callNext calls customers to the counters that are free.
func (h *hall) callNext() {
	for _, counter := range h.counters[:h.open()] {
		if len(h.queue) > 0 && !counter.IsSet() {
			x := h.queue[0]
			h.reckon()
			h.queue = h.queue[1:]
			x.patience.Stop()
			h.serve(counter, x)
		}
	}
}

// reckon adds the time that those in the queue have stood there since it last changed.
func (h *hall) reckon() {
	now := h.e.office.Now()
	h.waiting += int64(len(h.queue)) * (now - h.since)
	h.since = now
}

func (h *hall) serve(counter *des.Timer, x *customer) {
	now := h.e.office.Now()
	counter.Set(now + x.Service)
	tally := h.town.place.T
	tally.Serve(x.Arrive, now, x.Service, x.other)
	day := &tally.Day[h.e.m.Cal.Day(now)]
	if x.other {
		day.OtherServed++
		tally.OtherWait.Add(now - x.Arrive)
		return
	}
	day.Served++
	day.Wait.Add(now - x.Arrive)
	here := h.tally()
	here.Visits++
	here.Wait.Add(now - x.Arrive)
	here.Waited += now - x.Arrive
	h.tell(x, rollout.Served, now+x.Service)
}

// leave is the end of a visit without service.
func (h *hall) leave(x *customer, end rollout.VisitEnd) {
	if x.patience != nil {
		x.patience.Stop()
	}
	for i, y := range h.queue {
		if x == y {
			h.reckon()
			h.queue = append(h.queue[:i], h.queue[i+1:]...)
			break
		}
	}
	now := h.e.office.Now()
	day := &h.town.place.T.Day[h.e.m.Cal.Day(now)]
	day.Waited += now - x.Arrive
	switch {
	case x.other:
		day.OtherLeft++
		return
	case end == rollout.Balked:
		day.Balked++
	case end == rollout.Reneged:
		day.Reneged++
	case end == rollout.Shut:
		day.Shut++
	}
	h.tally().Left++
	h.tally().Waited += now - x.Arrive
	h.tell(x, end, now)
}

// tally is the hall's own account.
func (h *hall) tally() *rollout.CentreTally {
	first := h.e.m.Nation.Municipalities[h.town.place.Municipality].First
	return &h.town.place.T.ByCentre[h.centre-first]
}

func (h *hall) tell(x *customer, end rollout.VisitEnd, at int64) {
	h.e.ends = append(h.e.ends, rollout.VisitResult{Citizen: x.Citizen, Home: x.Home, Centre: x.Centre,
		Purpose: x.Purpose, From: x.From, End: end, At: at})
}

// shut ends the accounts of the hall when the run is over.
func (h *hall) shut(end int64) {
	h.waiting += int64(len(h.queue)) * (end - h.since)
	for _, x := range h.queue {
		h.town.place.T.StillWaiting(x.Arrive, end)
		if !x.other {
			h.tally().Waited += end - x.Arrive
		}
	}
	h.tally().Queue = h.waiting
}
