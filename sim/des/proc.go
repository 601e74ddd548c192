package des

import (
	"fmt"
	"iter"
)

// Interrupted is what a process learns when another interrupts its waiting.
type Interrupted struct{ Cause any }

func (i *Interrupted) Error() string { return fmt.Sprintf("interrupted: %v", i.Cause) }

// Proc is a process: a function that runs as a coroutine of the simulation. Its
// methods are for that function alone, but for Interrupt, Alive and Ended.
// Errors are always *Interrupted: where nobody interrupts, they may be ignored.
type Proc struct {
	env    *Env
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	stop   func()

	alarm   *Timer // goes off when it is to go on
	waiting bool
	got     bool  // what it waited for
	err     error // why the waiting ended instead
	ended   Event
}

// closing unwinds a process whose simulation is closed.
type closing struct{}

// Go starts a process at this instant, behind what is scheduled for it already.
func (e *Env) Go(do func(*Proc)) *Proc {
	p := &Proc{env: e}
	p.resume, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != (closing{}) {
				panic(r)
			}
		}()
		p.yield = yield
		do(p)
	})
	p.alarm = e.NewTimer(0, p.goOn)
	p.alarm.Set(e.now)
	e.alive[p] = struct{}{}
	return p
}

func (p *Proc) goOn() {
	p.waiting = false
	if _, more := p.resume(); !more {
		delete(p.env.alive, p)
		p.ended.Trigger()
	}
}

// pause gives the floor to the simulation until the alarm goes off. It says
// whether somebody gave the process what it waited for.
func (p *Proc) pause() (bool, error) {
	p.waiting, p.got, p.err = true, false, nil
	if !p.yield(struct{}{}) {
		panic(closing{})
	}
	return p.got, p.err
}

// wake lets a process that waits go on at this instant.
func (p *Proc) wake(got bool, err error) {
	p.waiting, p.got, p.err = false, got, err
	p.alarm.Set(p.env.now)
}

// Wait lets time pass.
func (p *Proc) Wait(d Time) error {
	p.alarm.Set(p.env.now + max(d, 0))
	_, err := p.pause()
	return err
}

// Interrupt ends what a process waits for, at this instant: it leaves the queue
// in which it stands. One that is not waiting, or has it already, is not
// disturbed.
func (p *Proc) Interrupt(cause any) {
	if p.waiting {
		p.wake(false, &Interrupted{cause})
	}
}

// Alive says whether the process's function has not returned.
func (p *Proc) Alive() bool { _, ok := p.env.alive[p]; return ok }

// Ended happens when the process's function returns.
func (p *Proc) Ended() *Event { return &p.ended }

// queue is processes in the order in which they came.
type queue []*Proc

// join waits in the queue, at most for the patience; it says whether the
// process was served.
func (q *queue) join(p *Proc, patience Time) (bool, error) {
	*q = append(*q, p)
	if patience < Forever-p.env.now {
		p.alarm.Set(p.env.now + max(patience, 0))
	}
	got, err := p.pause()
	if !got {
		for i, other := range *q {
			if other == p {
				*q = append((*q)[:i], (*q)[i+1:]...)
				break
			}
		}
	}
	return got, err
}

// serve lets the first who still waits go on, and returns it; nil if there is
// none. One that was interrupted at this instant stands there still, and is
// passed over.
func (q *queue) serve() *Proc {
	for len(*q) > 0 {
		p := (*q)[0]
		*q = (*q)[1:]
		if p.waiting {
			p.wake(true, nil)
			return p
		}
	}
	return nil
}

// Event is something that happens once, for which processes wait. The zero
// value has not happened.
type Event struct {
	happened bool
	waiting  queue
}

// Trigger lets the event happen; those who wait for it go on in the order in
// which they came. A second time has no effect.
func (ev *Event) Trigger() {
	ev.happened = true
	for ev.waiting.serve() != nil {
	}
}

// Happened says whether it has.
func (ev *Event) Happened() bool { return ev.happened }

// Wait waits for the event, at most for the patience (Forever: as long as it
// takes); it says whether the event has happened.
func (ev *Event) Wait(p *Proc, patience Time) (bool, error) {
	if ev.happened {
		return true, nil
	}
	return ev.waiting.join(p, patience)
}
