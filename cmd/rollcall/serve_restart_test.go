package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// A register with a million mobile cards, of which one in fifty is suspended, is
// served within two seconds of the start.
func TestARestartWithAMillionCardsTakesUnderTwoSeconds(t *testing.T) {
	if os.Getenv("ROLLCALL_CAMPAIGN") == "" {
		t.Skip("it fills a register for half a minute: set ROLLCALL_CAMPAIGN=1")
	}
	const cards, copies = 1_000_000, 3
	dir := t.TempDir()
	p, err := start(dir, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	fill(t, filepath.Join(dir, "rollcall-data", registerFile), cards, copies)

	for range 3 {
		began := time.Now()
		p, err = start(dir, os.Environ())
		if err != nil {
			t.Fatal(err)
		}
		res, err := p.client.Get(p.url + "/readyz")
		took := time.Since(began)
		_ = p.cmd.Process.Kill()
		<-p.ended
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%v %v", res, err)
		}
		fmt.Printf("ready after %v with %d cards of %d copies\n", took.Round(time.Millisecond), cards, copies)
		if took > 2*time.Second {
			t.Errorf("ready after %v", took)
		}
	}
}

// fill writes people with a plastic and a mobile card each, as issuing leaves them.
func fill(t *testing.T, path string, cards, copies int) {
	t.Helper()
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const size = 1 << 20
	now := time.Now()
	list, next := uint32(0), 0 // place in the lists
	var order places.Order
	for first := 1; first <= cards; first += 5000 {
		if err := db.Update(context.Background(), func(tx store.Tx) error {
			for n := first; n < first+5000 && n <= cards; n++ {
				state := lifecycle.HasCard | lifecycle.HasCredential
				if n%50 == 0 {
					state |= lifecycle.State(lifecycle.MobileLost)
				}
				person, number := store.PersonID(1000+n), fmt.Sprintf("M%08d", n)
				if err := tx.AddCard(store.Card{Number: number, Person: person, Chip: true, Issued: now}); err != nil {
					return err
				}
				id, err := tx.AddCredential(store.Credential{Person: person, Card: number, Wallet: number, Issued: now, Until: now.AddDate(3, 0, 0)})
				if err != nil {
					return err
				}
				if err := tx.PutPerson(store.Person{ID: person, FamilyName: "김", GivenName: "민준", BirthDate: now.AddDate(-30, 0, 0), Municipality: "36110", State: state, Card: number, Credential: id}); err != nil {
					return err
				}
				if next+copies > size {
					list, next = list+1, 0
				}
				if next == 0 {
					if err := tx.PutList(store.List{Number: list, Size: size, Allotted: size, Secret: bytes.Repeat([]byte{1}, places.SecretSize)}); err != nil {
						return err
					}
					lists, err := tx.Lists() // the service has opened the first
					if err != nil {
						return err
					}
					if order, err = places.New(lists[list].Secret, lists[list].Size); err != nil {
						return err
					}
				}
				if err := tx.AddEntries(list, order.Indices(places.Run{First: uint64(next), Length: uint64(copies)}), id); err != nil {
					return err
				}
				next += copies
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
