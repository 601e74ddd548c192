package suspension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
)

// ErrNoList: there was no such list at that time.
var ErrNoList = errors.New("there was no such status list at that time")

// errLater ends a walk through the audit log.
var errLater = errors.New("later")

// At signs a list as it stood at a moment that has passed, rebuilt from the audit
// log (draft-ietf-oauth-status-list-21 §8.4). It walks the whole log up to then. The error
// is ErrNoList if the list was opened later, or the moment has not come.
func (p *Publisher) At(ctx context.Context, number uint32, moment time.Time) (Published, error) {
	moment = moment.Truncate(time.Second)
	if moment.After(p.register.Now()) {
		return Published{}, fmt.Errorf("%w: it has not come", ErrNoList)
	}
	var bits *statuslist.List
	var seq uint64
	type holding struct {
		state    lifecycle.State
		places   []audit.Copy // of the live credential
		outdated bool         // the live credential
	}
	holdings := map[uint64]*holding{}
	// A list is there from the change on that opened it. Of the first one it is not known
	// when that was: it was there before the first change.
	open, given := uint32(0), uint64(0) // the last list, and how many of its places are given
	known := false
	err := p.register.View(ctx, func(r store.Reader) error {
		lists, err := r.Lists()
		if err != nil {
			return err
		}
		if int(number) >= len(lists) {
			return ErrNoList
		}
		if bits, err = statuslist.New(2, lists[number].Size); err != nil {
			return err
		}
		set := func(places []audit.Copy, s statuslist.Status) error {
			for _, c := range places {
				if c.List == number {
					if err := bits.Set(c.Index, s); err != nil {
						return err
					}
				}
			}
			return nil
		}
		err = r.Audit(1, ^uint64(0), func(a store.AuditRecord) error {
			var e audit.Entry
			if err := json.Unmarshal(a.Body, &e); err != nil {
				return fmt.Errorf("audit entry %d: %w", a.Sequence, err)
			}
			if e.At.After(moment) {
				return errLater
			}
			known, seq = true, a.Sequence
			h := holdings[e.Person]
			if h == nil {
				h = &holding{}
				holdings[e.Person] = h
			}
			if e.EndedCredential != 0 {
				if err := set(h.places, statuslist.Invalid); err != nil {
					return err
				}
				h.places, h.outdated = nil, false
			}
			if e.Credential != 0 {
				h.places = e.Copies
			}
			for _, c := range e.Copies {
				if c.List == open {
					given++
				}
			}
			if int(open) < len(lists) && register.NextListDue(given, lists[open].Size) {
				open, given = open+1, 0
			}
			h.state = stateOf(e.After)
			h.outdated = h.outdated || e.Event == register.ResidentChanged && h.places != nil
			return set(h.places, status(store.Entry{State: h.state, Outdated: h.outdated}))
		})
		if errors.Is(err, errLater) {
			err = nil
		}
		return err
	})
	if err != nil {
		return Published{}, err
	}
	if !known {
		return Published{}, fmt.Errorf("%w: the register was empty", ErrNoList)
	}
	if number > open {
		return Published{}, fmt.Errorf("%w: list %d was opened later", ErrNoList, number)
	}
	return p.sign(mdoc.InForce(p.signer), number, seq, moment, bits)
}

// stateOf reads a state as it stands in the audit log.
func stateOf(s audit.State) (out lifecycle.State) {
	for _, part := range []struct {
		set bool
		bit lifecycle.State
	}{
		{s.Card, lifecycle.HasCard}, {s.Credential, lifecycle.HasCredential}, {s.PhysicalLost, lifecycle.State(lifecycle.PhysicalLost)},
		{s.MobileLost, lifecycle.State(lifecycle.MobileLost)}, {s.Administrative, lifecycle.State(lifecycle.Administrative)},
		{s.Removed, lifecycle.Removed},
	} {
		if part.set {
			out |= part.bit
		}
	}
	return out
}
