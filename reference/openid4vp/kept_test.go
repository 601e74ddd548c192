package openid4vp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
)

// ticketed is a store that notes which tickets were added.
type ticketed struct {
	store.Store
	added []store.Ticket
}

type ticketedTx struct {
	store.Tx
	s *ticketed
}

func (s *ticketed) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return f(ticketedTx{tx, s}) })
}

func (t ticketedTx) AddTicket(ticket store.Ticket) error {
	t.s.added = append(t.s.added, ticket)
	return t.Tx.AddTicket(ticket)
}

// What a verifier was shown leaves the register soon after its result can no longer be asked
// for, and does not stay for the week in which a request may be repeated.
func TestTheRegisterForgetsWhatWasShown(t *testing.T) {
	var db *ticketed
	w := newWorld(t, func(c *service.Config) {
		db = &ticketed{Store: c.Store}
		c.Store = db
	})
	id := w.age(shop)
	q := w.fetch(id, false)
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 || len(db.added) != 1 {
		t.Fatalf("%+v, %d tickets", a, len(db.added))
	}
	began := w.Now()
	for _, c := range []struct {
		after time.Duration
		there bool
	}{{15 * time.Minute, true}, {20 * time.Minute, true}, {20*time.Minute + time.Second, false}} {
		w.Set(began.Add(c.after))
		_, err := w.Register.Forget(ctx, 1000)
		check(t, err)
		check(t, w.Register.View(ctx, func(r store.Reader) error {
			if _, err := r.Ticket(db.added[0].Kind, db.added[0].Key); errors.Is(err, store.ErrNotFound) == c.there {
				t.Errorf("after %v: %v", c.after, err)
			}
			return nil
		}))
	}
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "after it is forgotten", 404, "invalid_request")
}
