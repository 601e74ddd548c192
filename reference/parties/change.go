package parties

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// Request enters a party, or changes it: what is said replaces what was.
type Request struct {
	By   access.Caller `json:"-"`
	Key  string        `json:"-"` // idempotency key
	ID   string
	Role access.Role // a change cannot change it
	Profile
	// Version is what a change replaces (Party.Version), so that it undoes no other one
	// that its author has not seen; nothing is read of it where a party is entered.
	Version string `json:",omitempty"`
	// Passphrase for the console; empty: a party that is entered has none, and
	// one that is changed keeps its own.
	Passphrase string `json:"-"` // fingerprinted stretched alone: it could be guessed from more
	Why        string // for the audit log; not empty
}

// Ending ends a party.
type Ending struct {
	By  access.Caller `json:"-"`
	Key string        `json:"-"`
	ID  string
	Why string // for the audit log; not empty where a party is ended
}

// Done is the answer.
type Done struct {
	Sequence uint64 // number of the change in the audit log
	At       time.Time
}

// Enter enters a party.
func (p *Parties) Enter(ctx context.Context, q Request) (Done, error) {
	return p.put(ctx, "party-entered", q, func(tx store.Tx, _ time.Time) (string, error) {
		if _, err := tx.Party(q.ID); err == nil {
			return "", fmt.Errorf("%w (%s)", ErrEntered, q.ID)
		} else if !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		return "", nil
	})
}

// Change replaces what is said about a party. The error is ErrChanged if that is not the
// version that the request names.
func (p *Parties) Change(ctx context.Context, q Request) (Done, error) {
	return p.put(ctx, "party-changed", q, func(tx store.Tx, now time.Time) (string, error) {
		one, err := inForce(tx, q.ID, now)
		if err == nil && one.Role != q.Role {
			err = fmt.Errorf("%w: %s is a %s and stays one; enter a %s under another id", ErrProfile, q.ID, one.Role, q.Role)
		}
		if err == nil && one.Version != q.Version {
			err = fmt.Errorf("%w (%s)", ErrChanged, q.ID)
		}
		return one.passphrase, err
	})
}

// put writes a party. before says whether it may, and what its passphrase is.
func (p *Parties) put(ctx context.Context, event string, q Request, before func(store.Tx, time.Time) (string, error)) (Done, error) {
	if err := may(q.By, q.Why); err != nil {
		return Done{}, err
	}
	var hash string
	asked := struct {
		Request
		Stretched []byte `json:",omitempty"`
	}{Request: q}
	if q.Passphrase != "" {
		var err error
		if hash, err = p.hash(ctx, q.Passphrase); err != nil {
			return Done{}, err
		}
		// A guess at it from the fingerprint costs as much as one from what is kept.
		salt := sha256.Sum256([]byte(event + "\x00" + q.By.ID + "\x00" + q.ID + "\x00" + q.Key))
		if asked.Stretched, err = p.stretch(ctx, q.Passphrase, salt[:16], p.o.Cost); err != nil {
			return Done{}, err
		}
	}
	defer p.known.forget()
	return register.Once(ctx, p.register, event, register.Request{By: by(q.By), Key: q.Key}, asked, func(tx store.Tx, now time.Time) (Done, error) {
		was, err := before(tx, now)
		if err != nil {
			return Done{}, err
		}
		hash := hash
		if hash == "" {
			hash = was
		}
		if err := q.Profile.check(q.ID, q.Role, hash != ""); err != nil {
			return Done{}, err
		}
		text, err := json.Marshal(body{q.Profile, hash})
		if err != nil {
			return Done{}, err
		}
		return write(tx, event, store.Party{ID: q.ID, Role: q.Role.String(), Body: text}, q.By, q.Why, now)
	})
}

// End ends a party: from now on it may do nothing.
func (p *Parties) End(ctx context.Context, q Ending) (Done, error) {
	if err := may(q.By, q.Why); err != nil {
		return Done{}, err
	}
	defer p.known.forget()
	return register.Once(ctx, p.register, "party-ended", register.Request{By: by(q.By), Key: q.Key}, q, func(tx store.Tx, now time.Time) (Done, error) {
		if _, err := inForce(tx, q.ID, now); err != nil {
			return Done{}, err
		}
		s, err := tx.Party(q.ID)
		if err != nil {
			return Done{}, err
		}
		s.Ended = now
		return write(tx, "party-ended", s, q.By, q.Why, now)
	})
}

// write puts a party with its audit entry, which holds a digest of it: a party that
// was changed behind the service's back differs from its latest entry.
func write(tx store.Tx, event string, s store.Party, who access.Caller, why string, now time.Time) (Done, error) {
	if len(why) > register.MaxText {
		return Done{}, register.ErrTooLong
	}
	sequence, err := audit.Append(tx, audit.Entry{
		At: now, Event: event, Actor: who.ID, Role: who.Role.String(), Reason: why, Subject: s.ID, Digest: Digest(s),
	})
	if err != nil {
		return Done{}, err
	}
	return Done{sequence, now}, tx.PutParty(s)
}

// Digest is the digest of a party in its audit entries, in hexadecimal.
func Digest(s store.Party) string {
	h := sha256.Sum256(append([]byte(s.Role+"\x00"), s.Body...))
	return hex.EncodeToString(h[:])
}

func inForce(tx store.Tx, id string, now time.Time) (Party, error) {
	s, err := tx.Party(id)
	if errors.Is(err, store.ErrNotFound) {
		return Party{}, fmt.Errorf("%w (%.60q)", ErrUnknown, id)
	}
	if err != nil {
		return Party{}, err
	}
	one, err := read(s)
	if err == nil && !one.inForce(now) {
		err = fmt.Errorf("%w (%s)", ErrEnded, id)
	}
	return one, err
}

func administrator(c access.Caller) error {
	if c.Role != access.Administrator {
		return ErrNotAdministrator
	}
	return nil
}

// may says whether somebody enters, changes or ends a party, with that reason.
func may(c access.Caller, why string) error {
	if err := administrator(c); err != nil {
		return err
	}
	if strings.TrimSpace(why) == "" {
		return ErrNoWhy
	}
	return nil
}

// by is the administrator for the register, whom it would obey in nothing else.
func by(c access.Caller) register.By { return register.By{Actor: "administrator " + c.ID} }
