package panel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// restart is the drop of the service in the middle of the run.
type restart struct {
	At           time.Time
	InFlight     int // requests without an answer
	Acknowledged int // changes acknowledged before, looked for afterwards
	Missing      int // of those
	Twice        int // repeated requests that took effect twice
}

// How the requests in flight are chosen.
const (
	mostFlights = 8      // at most
	flightsFew  = 3      // fewer: another moment is looked for
	reachMs     = hourMs // from how far ahead they are taken
	racers      = 4      // goroutines that repeat old requests meanwhile
	middle      = 0.1    // share of the run, around its middle, that is looked through
)

// flight is a request in flight when the service is dropped. It has reached the
// register and waits there: committed, with the answer lost on the way, or not
// begun.
type flight struct {
	committed bool
	arrived   chan struct{}
	resume    chan struct{}
	answer    world.Answer // of the old service: an error
}

// flights holds requests in flight when the service is dropped.
type flights struct{ store.Store }

type contextKey int

const inFlight contextKey = iota // a *flight

func (s flights) Update(ctx context.Context, body func(store.Tx) error) error {
	f, ok := ctx.Value(inFlight).(*flight)
	if !ok {
		return s.Store.Update(ctx, body)
	}
	if f.committed {
		if err := s.Store.Update(ctx, body); err != nil {
			return err
		}
	}
	f.arrived <- struct{}{}
	<-f.resume
	if f.committed {
		return store.ErrFenced
	}
	return s.Store.Update(ctx, body)
}

// chooseDrop finds the moment in the middle of the run at which most requests
// can be in flight together, one of them an application if possible. All but the
// first are made earlier than planned; they are chosen so that nothing that
// nation has judged lies between.
func (r *run) chooseDrop() {
	r.dropAt = -1
	var acts []int // events that change the register
	for i := range r.events {
		if e := &r.events[i]; e.what == doAct && r.citizens[e.who].Records[e.record].Env == rollout.Reached && r.undisturbed(e.at) {
			acts = append(acts, i)
		}
	}
	if len(acts) == 0 {
		return
	}
	best := 0
	half := len(acts) / 2
	width := max(1, int(float64(len(acts))*middle/2))
	for off := 0; off <= width; off++ {
		for _, at := range []int{half + off, half - off} {
			if at < 0 || at >= len(acts) || off == 0 && at != half {
				continue
			}
			chosen := r.together(acts[at])
			score := len(chosen)
			if a := r.citizens[r.events[acts[at]].who].Records[r.events[acts[at]].record].Act; a == rollout.ActIssueTap || a == rollout.ActIssueCentre {
				score += flightsFew
			}
			if score > best {
				best, r.dropAt, r.dropped = score, acts[at], chosen
			}
		}
		if best >= mostFlights+flightsFew {
			return
		}
	}
}

// together are the acts that can be in flight with the one at i.
func (r *run) together(i int) map[int]bool {
	first := &r.events[i]
	chosen := map[int]bool{i: true}
	busy := map[int32]bool{first.who: true} // citizens with something else in between
	for j := i + 1; j < len(r.events) && r.events[j].at < first.at+reachMs && len(chosen) < mostFlights; j++ {
		e := &r.events[j]
		if e.who < 0 || busy[e.who] {
			continue
		}
		busy[e.who] = true
		if e.what != doAct {
			continue
		}
		c := r.citizens[e.who]
		rec := &c.Records[e.record]
		switch rec.Act {
		case rollout.ActReportPhysical, rollout.ActReportMobile, rollout.ActReleasePhysical, rollout.ActReleaseMobile, rollout.ActRegisterCard:
			if rec.Env == rollout.Reached && !judgedBetween(c, first.at, rec.At) {
				chosen[j] = true
			}
		}
	}
	return chosen
}

// judgedBetween says whether a list from between the two instants was held
// against the citizen's card.
func judgedBetween(c *citizen, from, to int64) bool {
	for i := range c.Records {
		if rec := &c.Records[i]; rec.Cached && rec.Published >= from && rec.Published < to {
			return true
		}
	}
	return false
}

// drop drops the service with requests in flight, opens what was on disk at the
// last acknowledgement, and has the requests repeated with the same keys.
func (r *run) drop() error {
	first := &r.events[r.dropAt]
	r.Clock.Set(r.at(first.at))
	r.restart.At = r.Clock.Now()
	last := r.lastAcknowledged()

	// Each act runs on a goroutine of its own, one at a time, until its request
	// has arrived at the register.
	type act struct {
		*flight
		c    *citizen
		done chan error
	}
	var acts []act
	for i := r.dropAt; i < len(r.events); i++ {
		if !r.dropped[i] {
			continue
		}
		e := &r.events[i]
		a := act{&flight{committed: len(acts)%2 == 0, arrived: make(chan struct{}), resume: make(chan struct{})}, r.citizens[e.who], make(chan error, 1)}
		a.c.flight = a.flight
		go func() { a.done <- r.act(a.c, int(e.record)) }()
		select {
		case <-a.arrived:
			acts = append(acts, a)
		case err := <-a.done: // nothing was asked for
			a.c.flight = nil
			if err != nil {
				return err
			}
		}
	}
	r.restart.InFlight = len(acts)

	// Meanwhile old requests are repeated, as fast as the service answers.
	raced := r.race()
	down := r.Stamp()
	r.DB.Fence()
	var err error
	r.restart.Twice, err = raced()
	r.Opened++
	if err == nil {
		err = r.DB.CopyAcknowledged(r.Path())
	}
	if err == nil {
		err = r.Close()
	}
	if err == nil {
		err = r.Open(r.ctx)
	}
	r.History.Restarts = append(r.History.Restarts, oracle.Restart{Down: down, Up: r.Stamp()})
	r.Current, r.Dirty = nil, true
	if err == nil {
		err = r.missing()
	}
	for _, a := range acts { // also after an error: nobody is left waiting
		a.resume <- struct{}{}
		err = errors.Join(err, <-a.done)
		if err == nil && !errors.Is(a.answer.Err, store.ErrFenced) {
			err = fmt.Errorf("the old service still answered citizen %s: %v", a.c.Name, a.answer)
		}
	}
	if err != nil {
		return err
	}
	counted := map[string]int{}
	for _, a := range acts {
		counted[a.c.Name] = 0
	}
	if err := r.changes(last+1, func(_ uint64, person string) {
		if n, flew := counted[person]; flew {
			counted[person] = n + 1
		}
	}); err != nil {
		return err
	}
	for _, n := range counted {
		if n > 1 {
			r.restart.Twice += n - 1
		}
	}
	return nil
}

func (r *run) lastAcknowledged() (seq uint64) {
	for _, a := range r.acknowledged {
		seq = max(seq, a.seq)
	}
	return seq
}

// missing looks for every acknowledged change in the register that was opened.
func (r *run) missing() error {
	want := map[change]bool{}
	for _, a := range r.acknowledged {
		want[a] = true
	}
	r.restart.Acknowledged = len(want)
	if err := r.changes(1, func(seq uint64, person string) { delete(want, change{seq, person}) }); err != nil {
		return err
	}
	r.restart.Missing = len(want)
	return nil
}

// changes calls f for every change of the register from a number on that somebody
// asked for. That a credential expired is the register's own finding.
func (r *run) changes(from uint64, f func(seq uint64, person string)) error {
	return r.Service.Register.View(r.ctx, func(s store.Reader) error {
		return s.Audit(from, ^uint64(0), func(a store.AuditRecord) error {
			var e struct {
				Event  string `json:"event"`
				Person uint64 `json:"person"`
			}
			if err := json.Unmarshal(a.Body, &e); err != nil {
				return fmt.Errorf("audit entry %d: %w", a.Sequence, err)
			}
			if e.Event == oracle.CredentialExpired {
				return nil
			}
			f(a.Sequence, strconv.FormatUint(e.Person, 10))
			return nil
		})
	})
}

// race repeats the newest reports, with their keys, from several goroutines until
// the service is fenced. Which of them are still answered is chance; so they are
// counted nowhere, and must change nothing. The function that is returned waits
// for their end, and says how many were answered otherwise than at first.
func (r *run) race() (wait func() (twice int, err error)) {
	ctx := world.Uncounted(r.ctx)
	front := r.Front
	var wg sync.WaitGroup
	errs, otherwise := make([]error, racers), make([]int, racers)
	for g := range racers {
		n := len(r.reported) - 1 - g
		if n < 0 {
			break
		}
		old := r.reported[n]
		started := make(chan struct{})
		wg.Go(func() {
			for once := false; ; once = true {
				a, err := front.Report(ctx, old.request)
				if !once {
					close(started)
				}
				switch {
				case errors.Is(err, store.ErrFenced):
					return
				case err != nil:
					errs[g] = fmt.Errorf("a repeated report: %w", err)
					return
				case a.Sequence != old.seq:
					otherwise[g] = 1
					return
				}
			}
		})
		<-started
	}
	return func() (twice int, err error) {
		wg.Wait()
		for _, n := range otherwise {
			twice += n
		}
		return twice, errors.Join(errs...)
	}
}

// reported is a report that was granted.
type reported struct {
	request suspension.ReportRequest
	seq     uint64
}
