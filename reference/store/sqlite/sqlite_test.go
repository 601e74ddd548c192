package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/store/storetest"
)

var ctx = context.Background()

func open(t testing.TB, path string, o sqlite.Options) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSQLiteKeepsWhatStorePromises(t *testing.T) {
	storetest.Run(t, func(t testing.TB, place string) store.Store {
		db, err := sqlite.Open(filepath.Join(place, "register.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

func TestItAlsoDoesWhenEveryCommitEmptiesTheLog(t *testing.T) {
	storetest.Run(t, func(t testing.TB, place string) store.Store {
		db, err := sqlite.Open(filepath.Join(place, "register.db"), sqlite.Options{CheckpointBytes: 1, MaxBatch: 1, Readers: 1})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

func TestEveryConnectionSyncsFully(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "r.db"), sqlite.Options{Readers: 3})
	pragmas, err := db.Pragmas()
	if err != nil || len(pragmas) != 4 {
		t.Fatalf("%d connections, %v", len(pragmas), err)
	}
	for _, p := range pragmas {
		if p.Synchronous != sqlite.Full || p.JournalMode != "wal" || p.AutoCheckpoint != 0 {
			t.Errorf("%+v", p)
		}
	}
}

func add(s store.Store, id store.PersonID) error {
	return s.Update(ctx, func(tx store.Tx) error {
		return tx.PutPerson(store.Person{ID: id, FamilyName: strings.Repeat("x", 100)})
	})
}

func has(t testing.TB, s store.Store, id store.PersonID) (yes bool) {
	t.Helper()
	if err := s.View(ctx, func(r store.Reader) error {
		_, err := r.Person(id)
		yes = err == nil
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return yes
}
