package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/storetest"
)

// madeBefore is a register in a schema of its own, as a program made it that did not know
// the migration yet in which a text stands, and its address.
func madeBefore(t *testing.T, address, name, text string) (*pgx.Conn, string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Exec(ctx, `DROP SCHEMA `+name+` CASCADE`)
		c.Close(ctx)
	})
	if _, err := c.PgConn().Exec(ctx, `DROP SCHEMA IF EXISTS `+name+` CASCADE; CREATE SCHEMA `+name+`; SET search_path = `+name).ReadAll(); err != nil {
		t.Fatal(err)
	}
	if err := Made(ctx, c, slices.IndexFunc(migrations, func(m string) bool { return strings.Contains(m, text) })); err != nil {
		t.Fatal(err)
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return c, address + separator + "search_path=" + name
}

// Registers that were made before copies were kept as runs have a row for each, at its
// index, and lists without a secret.
func TestARegisterOfBeforeThereWereRunsGoesOn(t *testing.T) {
	address := os.Getenv("ROLLCALL_POSTGRES")
	if address == "" {
		t.Skip("no PostgreSQL: start one by .ci/postgres start DIR and put the address it prints into ROLLCALL_POSTGRES")
	}
	ctx := context.Background()
	c, address := madeBefore(t, address, "before_runs", "RENAME COLUMN idx")
	for _, s := range []string{
		`INSERT INTO list VALUES (0, 64, 6)`,
		`INSERT INTO entry VALUES (0, 3, 1), (0, 4, 2), (0, 5, 1), (0, 40, 2), (0, 41, 2), (0, 63, 1)`,
		`INSERT INTO credential VALUES (1, 1, 'A', 'w', 1, 2, 0, 0), (2, 2, 'B', 'w', 1, 2, 0, 0)`,
		fmt.Sprintf(`INSERT INTO person SELECT id, '', '', '', '1990-01-02', 70, '', '', '', CASE id WHEN 2 THEN %d ELSE %d END, '', id, 1 FROM generate_series(1, 2) AS id`,
			lifecycle.HasCard|lifecycle.HasCredential|lifecycle.State(lifecycle.MobileLost), lifecycle.HasCard|lifecycle.HasCredential),
	} {
		if _, err := c.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}

	for range 2 { // brought up to date, and opened again
		db, err := Open(ctx, address, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.View(ctx, func(r store.Reader) error {
			lists, err := r.Lists()
			if want := []store.List{{Size: 64, Allotted: 6}}; err != nil || !reflect.DeepEqual(lists, want) {
				t.Errorf("%+v, %v; want %+v", lists, err, want)
			}
			whose := map[uint64]store.CredentialID{3: 1, 4: 2, 5: 1, 40: 2, 41: 2, 63: 1}
			for index := range uint64(64) {
				if e, err := r.Entry(0, index); e.Credential != whose[index] || (err == nil) != (whose[index] != 0) {
					t.Errorf("index %d: %+v, %v; it is of credential %d", index, e, err, whose[index])
				}
			}
			suspended := map[uint64]bool{}
			err = r.NotPlainlyValid(0, func(e store.Entry) error { suspended[e.Index] = true; return nil })
			if want := map[uint64]bool{4: true, 40: true, 41: true}; err != nil || !reflect.DeepEqual(suspended, want) {
				t.Errorf("suspended: %v, %v; want %v", suspended, err, want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := db.Update(ctx, func(tx store.Tx) error { return tx.AddEntries(0, []uint64{6, 5}, 2) }); err == nil {
			t.Error("an index of before was given again")
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Registers of before there was a mark for it keep nothing of a removal but its audit
// entry. Whoever has had a card issued since was taken back by it.
func TestWhoWasRemovedBeforeTheStateSaidSoIsMarked(t *testing.T) {
	address := os.Getenv("ROLLCALL_POSTGRES")
	if address == "" {
		t.Skip("no PostgreSQL: start one by .ci/postgres start DIR and put the address it prints into ROLLCALL_POSTGRES")
	}
	ctx := context.Background()
	c, address := madeBefore(t, address, "before_removed", "person-removed")
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
		if _, err := c.Exec(ctx, `INSERT INTO audit (sequence, body, hash) VALUES ($1, $2, '')`, i+1, body); err != nil {
			t.Fatal(err)
		}
	}
	was := map[store.PersonID]lifecycle.State{1: 0, 1<<62 + 1: 0, 3: lifecycle.HasCard, 4: lifecycle.State(lifecycle.Administrative), 5: lifecycle.State(lifecycle.Administrative)}
	want := map[store.PersonID]lifecycle.State{1: 0, 1<<62 + 1: lifecycle.Removed, 3: was[3], 4: lifecycle.Removed, 5: was[5]}
	for id, state := range was {
		if _, err := c.Exec(ctx, `INSERT INTO person VALUES ($1, '', '', '', '1990-01-02', 70, '', '', '', $2, '', 0, 1)`, int64(id), int(state)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // brought up to date, and opened again
		db, err := Open(ctx, address, Options{})
		if err != nil {
			t.Fatal(err)
		}
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
	// What a replica would write that does not know the mark.
	if _, err := c.Exec(ctx, fmt.Sprintf(`UPDATE person SET state = state | %d WHERE id = 4`, lifecycle.HasCard)); err == nil {
		t.Error("who was removed has a card")
	}
}

func TestARegisterWithSharedRegistrationNumbersOpensAndSaysWhose(t *testing.T) {
	address := os.Getenv("ROLLCALL_POSTGRES")
	if address == "" {
		t.Skip("no PostgreSQL: start one by .ci/postgres start DIR and put the address it prints into ROLLCALL_POSTGRES")
	}
	ctx := context.Background()
	c, address := madeBefore(t, address, "shared_numbers", "CREATE TABLE rrn")
	for id, rrn := range map[int]string{3: "9001021234560", 5: "9001021234560", 4: "9001021234561", 9: "9001021234560", 7: "", 8: ""} {
		if _, err := c.Exec(ctx, `INSERT INTO person VALUES ($1, $2, '', '', '1990-01-02', 70, '', '', '', 0, '', 0, 1)`, id, rrn); err != nil {
			t.Fatal(err)
		}
	}
	shared := []store.Shared{{Person: 5, First: 3}, {Person: 9, First: 3}}
	for n := range 2 { // brought up to date, and opened again
		db, err := Open(ctx, address, Options{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.SharedNumbers(t, db, map[string]store.PersonID{"9001021234560": 3, "9001021234561": 4}, shared)
		if n == 1 {
			storetest.Renumbered(t, db, shared)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
