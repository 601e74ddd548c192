package register

import (
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/store"
)

// ResidentChanged is the event of Amend in the audit log. It moves no legal state.
const ResidentChanged = "resident-changed"

// Amendment is what changes about a resident: nil members stay as they are.
type Amendment struct {
	// RRN corrects a registration number, or gives one to whoever was entered without. The one
	// before is free.
	RRN                            *string
	FamilyName, GivenName, Address *string
	// Municipality and Centre change together, when somebody moves there.
	Municipality, Centre *string
}

// Amend writes down that something about a resident has changed. What stands on
// their mobile card is outdated by it: it stays good, and its status asks for a new
// one (draft-ietf-oauth-status-list-21 leaves that to an application: 3). An error may be an
// RRNTaken.
func Amend(tx store.Tx, p *store.Person, a Amendment, by By, why string, at time.Time) (uint64, error) {
	for _, text := range []*string{a.RRN, a.FamilyName, a.GivenName, a.Address, a.Municipality, a.Centre, &why, &by.Actor} {
		if text != nil && !fits(*text) {
			return 0, ErrTooLong
		}
	}
	before := *p
	for _, field := range []struct {
		to   *string
		from *string
	}{{&p.RRN, a.RRN}, {&p.FamilyName, a.FamilyName}, {&p.GivenName, a.GivenName}, {&p.Address, a.Address}, {&p.Municipality, a.Municipality}, {&p.Centre, a.Centre}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if *p == before {
		return p.Changed, nil // it is so already
	}
	if p.RRN != before.RRN {
		if err := renumber(tx, *p, before.RRN); err != nil {
			return 0, err
		}
	}
	entry := audit.Entry{At: at, Event: ResidentChanged, Person: uint64(p.ID), Actor: by.Actor, Role: by.Role.String(), Reason: why,
		Before: plain(p.State), After: plain(p.State)}
	if p.Credential != 0 {
		c, err := tx.Credential(p.Credential)
		if err != nil {
			return 0, err
		}
		next, err := tx.Sequence()
		if err != nil {
			return 0, err
		}
		c.Outdated = next + 1 // the number that Append gives below
		if err := tx.PutCredential(c); err != nil {
			return 0, err
		}
	}
	seq, err := audit.Append(tx, entry)
	if err != nil {
		return 0, err
	}
	p.Changed = seq
	return seq, tx.PutPerson(*p)
}

// renumber makes a resident's registration number theirs, and no longer the one of before.
func renumber(tx store.Tx, p store.Person, before string) error {
	if p.RRN != "" {
		if err := number(tx, p); err != nil {
			return err
		}
	}
	if before == "" {
		return nil
	}
	return tx.FreeRRN(before, p.ID)
}
