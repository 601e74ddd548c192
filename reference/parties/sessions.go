package parties

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// Open is a session of the console that has begun and is not over.
type Open struct {
	ID    string    `json:"i"`
	Party string    `json:"-"`
	Begun time.Time `json:"b"`
	Ends  time.Time `json:"e"`
	From  string    `json:"f"` // whose address it began from; empty: it is not known
	Mark  string    `json:"m"` // of the passphrase it began with
}

// ErrNoSession: the session is over already.
var ErrNoSession = errors.New("this session is over already")

// maxSessions is how many sessions a party has at once: whoever begins one more ends
// the oldest.
const maxSessions = 16

// kindSessions is the ticket with the open sessions of a party. Nobody outside holds
// its secret, because there is none: it is found by the party's id.
const kindSessions = "console sessions"

func sessionsKey(party string) []byte { return store.TicketKey(party) }

// opened are the sessions of a party that are not over.
func opened(r store.Reader, party string, now time.Time) (all []Open, there bool, err error) {
	t, err := r.Ticket(kindSessions, sessionsKey(party))
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	if err == nil {
		err = json.Unmarshal(t.Body, &all)
	}
	all = slices.DeleteFunc(all, func(s Open) bool { return !now.Before(s.Ends) })
	for i := range all {
		all[i].Party = party
	}
	return all, true, err
}

// keep writes down the sessions of a party.
func keep(tx store.Tx, party string, all []Open, there bool, now time.Time) error {
	if len(all) > maxSessions {
		all = all[len(all)-maxSessions:]
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	t := store.Ticket{Kind: kindSessions, Key: sessionsKey(party), Body: text, Expires: now}
	for _, s := range all {
		if s.Ends.After(t.Expires) {
			t.Expires = s.Ends
		}
	}
	if there {
		return tx.PutTicket(t)
	}
	return tx.AddTicket(t)
}

// begin writes down a session that begins.
func (p *Parties) begin(ctx context.Context, s Open) error {
	return p.register.Update(ctx, func(tx store.Tx) error {
		all, there, err := opened(tx, s.Party, s.Begun)
		if err != nil {
			return err
		}
		return keep(tx, s.Party, append(all, s), there, s.Begun)
	})
}

// isOpen says whether a session of a party was begun and not ended.
func (p *Parties) isOpen(ctx context.Context, party, id string) (open bool, err error) {
	err = p.register.View(ctx, func(r store.Reader) error {
		all, _, err := opened(r, party, p.register.Now())
		open = slices.ContainsFunc(all, func(s Open) bool { return s.ID == id })
		return err
	})
	return open, err
}

// Sessions are all open sessions, in order of their parties and of when they began.
func (p *Parties) Sessions(ctx context.Context) (out []Open, err error) {
	err = p.register.View(ctx, func(r store.Reader) error {
		out = nil
		now := p.register.Now()
		found, err := r.Parties()
		if err != nil {
			return err
		}
		for _, s := range found {
			one, err := read(s)
			if err != nil {
				return err
			}
			all, _, err := opened(r, s.ID, now)
			if err != nil {
				return err
			}
			for _, open := range all {
				if one.inForce(now) && subtle.ConstantTimeCompare([]byte(open.Mark), []byte(mark(one.passphrase))) == 1 {
					out = append(out, open)
				}
			}
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b Open) int { return cmp.Or(cmp.Compare(a.Party, b.Party), a.Begun.Compare(b.Begun)) })
	return out, err
}

// EndSessions ends a session of a party, or with an empty id all of them: for the
// next request to any replica they are over.
func (p *Parties) EndSessions(ctx context.Context, q Ending, id string) (Done, error) {
	if err := administrator(q.By); err != nil {
		return Done{}, err
	}
	fingerprint := struct {
		Ending
		Session string
	}{q, id}
	return register.Once(ctx, p.register, "sessions-ended", register.Request{By: by(q.By), Key: q.Key}, fingerprint, func(tx store.Tx, now time.Time) (Done, error) {
		s, err := tx.Party(q.ID)
		if errors.Is(err, store.ErrNotFound) {
			return Done{}, ErrUnknown
		}
		if err != nil {
			return Done{}, err
		}
		if err := p.drop(tx, q.ID, id, now); err != nil {
			return Done{}, err
		}
		return write(tx, "sessions-ended", s, q.By, q.Why, now)
	})
}

// drop takes a session away, or with an empty id all of a party.
func (p *Parties) drop(tx store.Tx, party, id string, now time.Time) error {
	all, there, err := opened(tx, party, now)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(s Open) bool { return id == "" || s.ID == id })
	if len(left) == len(all) {
		return ErrNoSession
	}
	return keep(tx, party, left, there, now)
}

// SignOut ends the session of a cookie. One that is over, or never was, stays so.
func (p *Parties) SignOut(ctx context.Context, text string) error {
	var s session
	if _, err := p.o.Keys.Open(sessionKind, text, p.register.Now(), &s); err != nil || s.ID == "" {
		return nil
	}
	err := p.register.Update(ctx, func(tx store.Tx) error { return p.drop(tx, s.Party, s.ID, p.register.Now()) })
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	return err
}

type sessionKey struct{}

// SessionID is the id of the session that a request belongs to; empty without one.
func SessionID(ctx context.Context) string {
	id, _ := ctx.Value(sessionKey{}).(string)
	return id
}
