// Package suspension takes reports of loss and their withdrawal, suspends by
// order of the registrar, and publishes status lists.
//
// A report suspends everything it reaches in one commit (S1), because what a
// verifier is told is worked out from the person's state, which is kept in one
// place. Only a release of the same cause lifts it (S6), and only one whose
// author knows the newest report (S9).
//
// What is published are tokens of draft-ietf-oauth-status-list-21 (package
// statuslist), each with the number of the change up to which it is true. It may
// not know who fetches them, nor which card is shown to whom.
package suspension

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

var errCause = errors.New("a report or release names exactly one cause: physical-lost, mobile-lost or administrative")

// ErrNotYet: a release names a change that the register has not seen. Nobody has looked
// at it, so it must not stand for "whatever has been reported meanwhile".
var ErrNotYet = errors.New("the register has no change of this number yet")

// Service takes reports and releases.
type Service struct{ register *register.Register }

// New returns the service of a register.
func New(r *register.Register) *Service { return &Service{r} }

// ReportRequest says that something of a person is to be suspended.
type ReportRequest struct {
	register.Request
	Person store.PersonID
	Cause  lifecycle.Causes // exactly one
	Why    string           // in the reporter's words; for the audit log
}

// ReleaseRequest withdraws a report.
type ReleaseRequest struct {
	register.Request
	Person store.PersonID
	Cause  lifecycle.Causes
	// Sequence is that of the newest report that the author knows of. If there
	// is a newer one, the release does nothing and says so. One that has not been is
	// an error.
	Sequence uint64
	// Wallet names the wallet to release from mobile-lost; empty: the one that
	// holds the live credential.
	Wallet string
	Why    string
}

// Receipt is the acknowledgement: whoever holds it can rely on the register
// having changed durably, or reads why it has not.
type Receipt struct {
	Reason   lifecycle.Reason // Granted, or why refused
	Sequence uint64           // of the change; 0 if refused
	At       time.Time        // of the decision
	// State is the person's legal state after it.
	State lifecycle.State
}

// Report suspends. It returns when the suspension is durable; from then on no
// online verification accepts what the cause reaches. A report of what is
// reported already is granted again: it becomes the newest report.
func (s *Service) Report(ctx context.Context, q ReportRequest) (Receipt, error) {
	e, ok := lifecycle.Events[q.Cause]
	if !ok {
		return Receipt{}, errCause
	}
	return register.Once(ctx, s.register, "report", q.Request, q, func(tx store.Tx, now time.Time) (Receipt, error) {
		p, err := register.Load(tx, q.Person, now)
		if err != nil {
			return Receipt{}, err
		}
		return apply(tx, p, register.Change{Event: e.Report, By: q.By, Why: q.Why, At: now})
	})
}

// Release lifts one cause.
func (s *Service) Release(ctx context.Context, q ReleaseRequest) (Receipt, error) {
	e, ok := lifecycle.Events[q.Cause]
	if !ok {
		return Receipt{}, errCause
	}
	return register.Once(ctx, s.register, "release", q.Request, q, func(tx store.Tx, now time.Time) (Receipt, error) {
		p, err := register.Load(tx, q.Person, now)
		if err != nil {
			return Receipt{}, err
		}
		if q.By.May(e.Release, p.ID) {
			if newer, err := s.newer(tx, p, q); err != nil || newer {
				return Receipt{Reason: lifecycle.OlderThanReport, At: now, State: p.State}, err
			}
		}
		return apply(tx, p, register.Change{Event: e.Release, By: q.By, Why: q.Why, At: now, Wallet: q.Wallet})
	})
}

// newer says whether the cause is in force by a report that is newer than the
// one the release names, or ErrNotYet. A cause that is not in force is for the
// rulebook to refuse, and so is all that concerns somebody who was removed.
func (s *Service) newer(tx store.Tx, p *store.Person, q ReleaseRequest) (bool, error) {
	if p.State&lifecycle.Removed != 0 {
		return false, nil
	}
	inForce, wallet := p.State.Causes()&q.Cause != 0, ""
	if q.Cause == lifecycle.MobileLost {
		if wallet = q.Wallet; wallet == "" {
			if p.Credential == 0 {
				return false, nil
			}
			c, err := tx.Credential(p.Credential)
			if err != nil {
				return false, err
			}
			wallet = c.Wallet
		}
		w, err := tx.Wallet(p.ID, wallet)
		if err != nil {
			return false, err
		}
		inForce = w.Lost != 0
	}
	if !inForce {
		return false, nil
	}
	newest, err := tx.NewestReport(p.ID, q.Cause, register.Carrier(p, q.Cause, wallet))
	if err != nil {
		return false, fmt.Errorf("%v is in force on person %d without a report: %w", q.Cause, p.ID, err)
	}
	last, err := tx.Sequence()
	if err == nil && q.Sequence > last {
		err = ErrNotYet
	}
	return newest.Sequence > q.Sequence, err
}

func apply(tx store.Tx, p *store.Person, c register.Change) (Receipt, error) {
	reason, seq, err := register.Apply(tx, p, c)
	return Receipt{Reason: reason, Sequence: seq, At: c.At, State: p.State}, err
}

// Reports lists the reports on a person, the oldest first, to those who may
// release any of them.
func (s *Service) Reports(ctx context.Context, by register.By, person store.PersonID) (out []store.Report, err error) {
	if !by.May(lifecycle.ReleaseMobile, person) && !by.May(lifecycle.ReportMobileLost, person) {
		return nil, nil
	}
	err = s.register.View(ctx, func(r store.Reader) (err error) {
		out, err = r.Reports(person)
		return err
	})
	return out, err
}
