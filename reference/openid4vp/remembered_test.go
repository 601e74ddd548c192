package openid4vp_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"reflect"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
)

// losing is a store that loses what it was about to commit.
type losing struct {
	store.Store
	loses bool
}

func (l *losing) Update(ctx context.Context, f func(store.Tx) error) error {
	return l.Store.Update(ctx, func(tx store.Tx) error {
		err := f(tx)
		if err == nil && l.loses {
			err = store.ErrUnavailable
		}
		return err
	})
}

func TestAnAnswerThatWasNotCommittedIsNotRemembered(t *testing.T) {
	var db *losing
	w := newWorld(t, func(c *service.Config) {
		db = &losing{Store: c.Store}
		c.Store = db
	})
	id := w.age(shop)
	q := w.fetch(id, false)
	token := map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}
	db.loses = true
	if a := w.send(q, token); a.status < 500 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Errorf("%+v", a)
	}
	db.loses = false
	if a := w.send(q, token); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["verdict"] != "accepted" {
		t.Errorf("%+v", a)
	}
}

// What is remembered saves a read of the register, and is what is read there.
func TestARememberedAnswerIsThatOfTheRegister(t *testing.T) {
	w := newWorld(t)
	remembers := w.mux
	other := w.replica(w.Verification, func(time.Time) [32]byte { return sha256.Sum256([]byte("answers")) })
	declined, shown := w.age(shop), w.age(shop)
	w.post(w.fetch(declined, false), map[string][]string{"error": {"access_denied"}, "state": {declined}})
	q := w.fetch(shown, false)
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	for _, id := range []string{declined, shown} {
		views := func(mux *http.ServeMux) (a answer, n uint64) {
			before := w.Register.Stats().Views
			w.mux = mux
			a = w.outcome(shop, id)
			return a, w.Register.Stats().Views - before
		}
		kept, none := views(remembers)
		read, one := views(other)
		if !reflect.DeepEqual(kept, read) || kept.status != 200 || none != 0 || one != 1 {
			t.Errorf("%+v after %d reads, want %+v after %d", kept, none, read, one)
		}
	}
}

// What was disclosed, and the key to read it, are remembered as long as they are of use.
func TestWhatIsRememberedOfATransactionEndsWithIt(t *testing.T) {
	w := newWorld(t)
	declined, id := w.age(shop), w.age(shop)
	w.post(w.fetch(declined, false), map[string][]string{"error": {"access_denied"}, "state": {declined}})
	q := w.fetch(id, false)
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	for _, c := range []struct {
		after         time.Duration
		keys, answers int
	}{
		{5*time.Minute - time.Millisecond, 2, 2},
		{5 * time.Minute, 0, 2}, // to answer
		{15*time.Minute - time.Millisecond, 0, 2},
		{15 * time.Minute, 0, 0}, // to ask for the result
	} {
		w.Set(servicetest.Noon.Add(c.after))
		before := w.Register.Stats().Views
		if c.answers > 0 {
			if a := w.outcome(shop, id); a.body["verdict"] != "accepted" || w.Register.Stats().Views != before {
				t.Errorf("after %v: %+v", c.after, a)
			}
		}
		w.newest.Forget()
		if keys, answers := w.newest.Remembered(); keys != c.keys || answers != c.answers {
			t.Errorf("after %v: %d keys and %d answers, want %d and %d", c.after, keys, answers, c.keys, c.answers)
		}
	}
}
