package panel

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"rollcall.example/rollcall/sim/rollout"
)

// class orders what happens at one instant.
type class uint8

const (
	turn class = iota // another register serves
	commit
	copies // holds what was committed at that instant
	publish
	fetch
	present
	probe
)

// what an event is.
type what uint8

const (
	doAct     what = iota // a record
	doOffer               // the clerk makes the QR code of a record
	doPresent             // a record
	doFetch               // the verifier of a record fetches its list
	doPublish
	doSweep // the register ends what has expired
	doProbe // a planned look
	doCast  // the cast from outside the population has its turn
	doCopy  // the stand-by site is given a copy of the register
	doLose  // and serves from it
	doReturn
)

// event is something to happen at an instant (ms since the start).
type event struct {
	at     int64
	class  class
	what   what
	who    int32 // index of the citizen; -1
	record int32 // of the citizen
	probe  *look
}

const (
	secondMs = int64(1000)
	minuteMs = 60 * secondMs
	hourMs   = 60 * minuteMs
	dayMs    = 24 * hourMs
)

// plan lays out everything that will happen, in order. Nothing in it depends on
// what was decided.
func (r *run) plan() {
	s := r.Scenario
	add := func(e event) { r.events = append(r.events, e) }
	earliest := int64(0)
	for who, c := range r.citizens {
		for i := range c.Records {
			rec := &c.Records[i]
			e := event{at: rec.At, class: commit, what: doAct, who: int32(who), record: int32(i)}
			switch rec.Act {
			case rollout.ActIssueCentre:
				if rec.Env == rollout.Reached {
					offer := e
					offer.at, offer.what = r.offerAt(c, i), doOffer
					add(offer)
				}
			case rollout.ActPresent, rollout.ActFinderPresents:
				e.class, e.what = present, doPresent
				if rec.Cached {
					got := e
					got.at, got.class, got.what = rec.Fetched, fetch, doFetch
					add(got)
					r.wanted[rec.Published] = true
					r.uses[verifierOf(rec)]++
					earliest = min(earliest, rec.Fetched, rec.Published)
				}
			}
			add(e)
		}
	}
	for _, e := range append(r.planProbes(), r.planSite()...) {
		add(e)
	}
	// Lists are published at every multiple of the interval while the status node
	// is up, and before the start as early as a verifier needs one.
	// When it comes back they are published at once.
	interval := s.StatusLists.PublishInterval.Milliseconds()
	instants := maps.Clone(r.wanted)
	instants[r.end] = true
	for at := floor(earliest, interval); at < r.end; at += interval {
		if at >= 0 && r.outcome.Model.Service.StatusUp(at/secondMs) {
			instants[at] = true
		}
	}
	for at := range instants {
		add(event{at: at, class: publish, what: doPublish, who: -1})
	}
	for at := 3*hourMs + 30*minuteMs; at < r.end; at += dayMs {
		add(event{at: at, class: commit, what: doSweep, who: -1})
	}
	r.begin = floor(earliest, interval) - hourMs
	// Citizens are in ascending order, records of one in the order of time.
	slices.SortStableFunc(r.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.class, b.class), cmp.Compare(a.who, b.who), cmp.Compare(a.record, b.record))
	})
}

// offerAt is when the clerk makes the code that a record redeems. What changed
// the citizen's state less than the code's age before the redemption came before
// the code, if that leaves the code as fresh or as stale as it was: nation
// judges an application at its end.
func (r *run) offerAt(c *citizen, i int) int64 {
	rec := &c.Records[i]
	at := rec.At - rec.QRAge
	if i == 0 {
		return at
	}
	lifetime := r.Policy.OfferLifetime.Milliseconds()
	if before := c.Records[i-1].At + 1; before > at && (rec.At-before > lifetime) == (rec.QRAge > lifetime) {
		return min(before, rec.At)
	}
	return at
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q * b
}

// at turns the model's milliseconds into civil time.
func (r *run) at(ms int64) time.Time {
	return r.Scenario.Start.Add(time.Duration(ms) * time.Millisecond)
}

// verifierKey names an offline verifier: the kind of place and its number, or a
// number below zero for one of our own.
type verifierKey struct {
	place  int16
	number int32
}

func verifierOf(rec *rollout.Record) verifierKey { return verifierKey{rec.Place, rec.Verifier} }
