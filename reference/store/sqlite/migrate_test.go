package sqlite_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/store/storetest"
)

// Version 3 is the last that knew nonces by their hash alone.
func TestANonceNotedBeforeTheyHadAMomentIsFoundUntilItExpires(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := sqlite.Made(path, 3); err != nil {
		t.Fatal(err)
	}
	c, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	expires := time.UnixMilli(1e12)
	if _, err := c.Exec(`INSERT INTO nonce (hash, expires) VALUES (x'6f6c64', ?)`, expires.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	db := open(t, path, sqlite.Options{})
	use := func(at time.Time) error {
		return db.Update(ctx, func(tx store.Tx) error { return tx.UseNonce([]byte("old"), at) })
	}
	for what, at := range map[string]time.Time{"with the moment that was kept": expires, "with another": expires.Add(time.Minute)} {
		if err := use(at); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := db.Update(ctx, func(tx store.Tx) error { return tx.UseOnce([]byte("old"), expires) }); !errors.Is(err, store.ErrTaken) {
		t.Errorf("without one: %v", err)
	}
	if err := db.Update(ctx, func(tx store.Tx) error {
		n, err := tx.Forget(expires.Add(time.Millisecond), expires, 10)
		if n != 1 {
			t.Errorf("%d records were forgotten", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := use(expires); err != nil {
		t.Errorf("after it was forgotten: %v", err)
	}
}

// Version 3 is also the last that had tickets of transactions by their hash alone.
func TestATicketOfATransactionKeptBeforeItsKeyHadAMomentIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := sqlite.Made(path, 3); err != nil {
		t.Fatal(err)
	}
	c, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	expires := time.UnixMilli(1764000000123).UTC()
	kinds := map[string][]byte{
		"openid4vp":         store.TicketKeyAt("secret", expires),
		"openid4vp fetched": store.TicketKeyAt("secret", expires),
		"openid4vp asked":   store.TicketKey("secret"),
		"issued on a grant": store.TicketKey("secret"),
	}
	for kind := range kinds {
		if _, err := c.Exec(`INSERT INTO ticket (kind, key, body, expires) VALUES (?, ?, ?, ?)`, kind, store.TicketKey("secret"), []byte("body of "+kind), expires.UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	db := open(t, path, sqlite.Options{})
	for kind, key := range kinds {
		want := store.Ticket{Kind: kind, Key: key, Body: []byte("body of " + kind), Expires: expires}
		if err := db.View(ctx, func(r store.Reader) error {
			got, err := r.Ticket(kind, key)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", kind, got, want)
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := db.Update(ctx, func(tx store.Tx) error { return tx.AddTicket(want) }); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s was given again: %v", kind, err)
		}
	}
}

// Version 7 is the last in which a removal left no mark in the state. Whoever has had a
// card issued since was taken back by it.
func TestWhoWasRemovedBeforeTheStateSaidSoIsMarked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := sqlite.Made(path, 7); err != nil {
		t.Fatal(err)
	}
	c, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []audit.Entry{
		{Event: "resident-registered", Person: 1, Reason: `he said: "event":"person-removed","person":5`},
		{Event: "person-removed", Person: 1<<62 + 1, Reason: "death"},
		{Event: "person-removed", Person: 3, Reason: `"moved" abroad`},
		{Event: "person-removed", Person: 4},
		{Event: "suspend-administrative", Person: 4},
		{Event: "card-issued", Person: 3},
	} {
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(`INSERT INTO audit (sequence, body, hash) VALUES (?, ?, x'00')`, i+1, body); err != nil {
			t.Fatal(err)
		}
	}
	was := map[store.PersonID]lifecycle.State{1: 0, 1<<62 + 1: 0, 3: lifecycle.HasCard, 4: lifecycle.State(lifecycle.Administrative), 5: lifecycle.State(lifecycle.Administrative)}
	want := map[store.PersonID]lifecycle.State{1: 0, 1<<62 + 1: lifecycle.Removed, 3: was[3], 4: lifecycle.Removed, 5: was[5]}
	for id, state := range was {
		if _, err := c.Exec(`INSERT INTO person VALUES (?, '', '', '', '1990-01-02', 70, '', '', '', ?, '', 0, 1)`, int64(id), uint8(state)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	for range 2 { // brought up to date, and opened again
		db := open(t, path, sqlite.Options{})
		if err := db.View(ctx, func(r store.Reader) error {
			for id, state := range want {
				if p, err := r.Person(id); err != nil || p.State != state {
					t.Errorf("person %d: %v, %v; want %v", id, p.State, err, state)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Version 6 is the last that took one registration number for several residents.
func TestARegisterWithSharedRegistrationNumbersOpensAndSaysWhose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := sqlite.Made(path, 6); err != nil {
		t.Fatal(err)
	}
	c, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for id, rrn := range map[int]string{3: "9001021234560", 5: "9001021234560", 4: "9001021234561", 9: "9001021234560", 7: "", 8: ""} {
		if _, err := c.Exec(`INSERT INTO person VALUES (?, ?, '', '', '1990-01-02', 70, '', '', '', 0, '', 0, 1)`, id, rrn); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	shared := []store.Shared{{Person: 5, First: 3}, {Person: 9, First: 3}}
	for n := range 2 { // brought up to date, and opened again
		db := open(t, path, sqlite.Options{})
		storetest.SharedNumbers(t, db, map[string]store.PersonID{"9001021234560": 3, "9001021234561": 4}, shared)
		if n == 1 {
			storetest.Renumbered(t, db, shared)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
