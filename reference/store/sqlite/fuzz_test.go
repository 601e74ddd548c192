package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// small is a register with something in each kind of table, half of it in the
// log.
func small(t testing.TB) (database, log []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.db")
	fill := func(db *sqlite.DB, from, to store.PersonID) {
		for id := from; id < to; id++ {
			if err := db.Update(ctx, func(tx store.Tx) error {
				c, err := tx.AddCredential(store.Credential{Person: id, Wallet: "w", Card: "A", Until: time.Unix(1e9, 0)})
				seq, aerr := audit.Append(tx, audit.Entry{Event: "resident-registered", Person: uint64(id)})
				return errors.Join(err, aerr,
					tx.PutPerson(store.Person{ID: id, FamilyName: "김", Credential: c, State: lifecycle.HasCredential}),
					tx.AddCard(store.Card{Number: string(rune('A' + id)), Person: id, Template: make([]byte, 512)}),
					tx.PutWallet(store.Wallet{ID: "w", Person: id, Lost: seq}), tx.PutList(store.List{Size: 64}), tx.AddEntries(0, []uint64{uint64(id)}, c),
					tx.AddReport(store.Report{Sequence: seq, Person: id, Cause: lifecycle.MobileLost, Subject: "w"}),
					tx.PutAnswer("s", string(rune('a'+id)), store.Answer{Request: []byte{1}, Body: []byte("{}")}))
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	db := open(t, path, sqlite.Options{})
	fill(db, 1, 6)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, sqlite.Options{})
	fill(db, 6, 9)
	db.Fence()
	database, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if log, err = os.ReadFile(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	return database, log
}

// edit applies a script of four bytes a change to database and log, as one row of
// bytes: place (3 bytes), value. A place beyond the end cuts there, by the value.
func edit(database, log, script []byte) ([]byte, []byte) {
	all := append(bytes.Clone(database), log...)
	middle := len(database)
	for ; len(script) >= 4; script = script[4:] {
		at := int(script[0])<<16 | int(script[1])<<8 | int(script[2])
		switch {
		case at < len(all):
			all[at] = script[3]
		case at&1 == 0: // the log loses its end
			all = all[:max(middle, len(all)-int(script[3])*97)]
		default: // the database does
			lost := min(int(script[3])*997, middle)
			all = append(all[:middle-lost], all[middle:]...)
			middle -= lost
		}
	}
	return all[:middle], all[middle:]
}

// A damaged register is refused with a sentence that names the file, or can be
// asked and answers each question, with an error or without. Nothing panics. (What
// a changed name in a record was before, no database can tell; the audit chain can
// for its own entries.)
func FuzzDatabase(f *testing.F) {
	database, log := small(f)
	f.Add([]byte{})
	f.Add([]byte{0, 0, 16, 1})        // page size
	f.Add([]byte{0, 0, 28, 0xff})     // page count
	f.Add([]byte{0, 0, 100, 0})       // kind of the first b-tree page
	f.Add([]byte{0, 0x10, 0, 2})      // of the second
	f.Add([]byte{0, 0x10, 3, 0xff})   // its number of cells
	f.Add([]byte{0xff, 0xff, 0, 9})   // the log cut
	f.Add([]byte{0xff, 0xff, 1, 9})   // the database cut
	f.Add([]byte{0xff, 0xff, 1, 255}) // the database gone
	dir := f.TempDir()
	path := filepath.Join(dir, "fuzzed.db")
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 256 {
			return
		}
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + end)
		}
		d, l := edit(database, log, script)
		if err := errors.Join(os.WriteFile(path, d, 0o600), os.WriteFile(path+"-wal", l, 0o600)); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(path, sqlite.Options{Readers: 1})
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("a refusal that names no file: %v", err)
			}
			return
		}
		defer db.Close()
		head, chain := audit.Verify(ctx, db)
		people := 0
		err = db.View(ctx, func(r store.Reader) error {
			for id := store.PersonID(1); id < 10; id++ {
				if _, err := r.Person(id); err == nil {
					people++
				}
				_, _ = r.Card(string(rune('A' + id)))
				_, _ = r.Wallet(id, "w")
				_, _ = r.Reports(id)
				_, _ = r.Credential(store.CredentialID(id))
				_, _ = r.EntriesOf(store.CredentialID(id))
				_, _ = r.Entry(0, uint64(id))
				_, _ = r.Answer("s", string(rune('a'+id)))
			}
			_, _ = r.Lists()
			_, _ = r.Due(time.Unix(2e9, 0), 10)
			_, _ = r.AuditHead()
			return r.NotPlainlyValid(0, func(store.Entry) error { return nil })
		})
		if len(script) == 0 && (err != nil || chain != nil || people != 8 || head.Sequence != 8) {
			t.Errorf("undamaged: %d people, %d changes, %v, %v", people, head.Sequence, chain, err)
		}
		_ = add(db, 77)
	})
}
