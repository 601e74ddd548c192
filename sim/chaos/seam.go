package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/oracle"
)

// errDown: the service cannot be reached, or cannot reach its store.
var errDown = errors.New("the service is out of order")

// seamState is the place between the service and its store: what is to come
// there, and what has.
type seamState struct {
	cut     *Cut // of the operation under way; nil: none
	calls   int  // of the store, since it began
	failure error
	crashed *oracle.Restart // the service has crashed in this operation
}

// stand puts the seam between the service and its store.
func (r *run) stand(s store.Store) store.Store { return &seam{s, r} }

type seam struct {
	store.Store
	r *run
}

func (s *seam) View(ctx context.Context, f func(store.Reader) error) error {
	return s.call(func() error { return s.Store.View(ctx, f) })
}

func (s *seam) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.call(func() error { return s.Store.Update(ctx, f) })
}

func (s *seam) call(real func() error) error {
	r, state := s.r, &s.r.seam
	if r.out("service") {
		return errDown
	}
	state.calls++
	here := state.cut
	if here != nil && state.calls != here.Call {
		here = nil
	}
	if here != nil && !here.After {
		if err := r.between(here); err != nil {
			return err
		}
	}
	err := real()
	if here != nil && here.After && err == nil {
		return r.between(here)
	}
	return err
}

// cut lets an operation happen with what comes between its steps.
func (r *run) cut(o *Op, do func() (string, error)) (string, error) {
	outer := r.seam
	r.seam = seamState{cut: o.Cut}
	told, err := do()
	inner := r.seam
	r.seam = outer
	if err = errors.Join(err, inner.failure); err != nil {
		return told, err
	}
	if inner.crashed != nil {
		return told, r.comeBack(inner.crashed, time.Duration(o.Cut.For))
	}
	return told, nil
}

// between is the moment between two steps of an operation. An error is what the
// store says to the operation.
func (r *run) between(c *Cut) error {
	outer := r.seam
	r.seam = seamState{}
	for i := range c.Then {
		if err := r.happen(&c.Then[i]); err != nil {
			outer.failure = errors.Join(outer.failure, fmt.Errorf("in between, %s: %w", c.Then[i], err))
		}
	}
	outer.cut = nil
	r.seam = outer
	if c.Crash {
		r.seam.crashed = &oracle.Restart{Down: r.Stamp()}
		r.DB.Fence()
		return store.ErrFenced
	}
	return nil
}

// comeBack opens what was on disk at the last acknowledgement.
func (r *run) comeBack(down *oracle.Restart, after time.Duration) error {
	r.Clock.Set(r.Clock.Now().Add(after)) // nothing is published meanwhile
	r.Opened++
	if err := r.DB.CopyAcknowledged(r.Path()); err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	if r.Plant.Crash != nil {
		if err := r.Plant.Crash(r.Path()); err != nil {
			return err
		}
	}
	if err := r.Open(r.ctx); err != nil {
		return err
	}
	down.Up = r.Stamp()
	r.History.Restarts = append(r.History.Restarts, *down)
	r.Current, r.Dirty, r.lists = nil, true, false
	return r.publish()
}
