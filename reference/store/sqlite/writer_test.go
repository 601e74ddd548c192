package sqlite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

func TestConcurrentUpdatesShareACommit(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "r.db"), sqlite.Options{})
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := db.Update(ctx, func(store.Tx) error { close(inside); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-inside
	for id := range store.PersonID(64) {
		wg.Go(func() {
			if err := add(db, id); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // until all wait
	close(release)
	wg.Wait()
	if s := db.Stats(); s.Commits != 65 || s.Batches > 8 {
		t.Errorf("%d commits took %d syncs", s.Commits, s.Batches)
	}
}

func TestAFullDiskRefusesWritesNothingAndGoesOnWhenThereIsRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{MaxPages: 60})
	var full error
	id := store.PersonID(0)
	for ; full == nil && id < 10_000; id++ {
		full = add(db, id)
	}
	if !errors.Is(full, store.ErrFull) {
		t.Fatalf("a full disk is called %v", full)
	}
	id--
	if has(t, db, id) || !has(t, db, id-1) {
		t.Error("the refused person is there, or the one before is not")
	}
	// A request that overlooks the error must not be half written.
	if err := db.Update(ctx, func(tx store.Tx) error {
		for i := range store.PersonID(200) {
			_ = tx.PutPerson(store.Person{ID: 50_000 + i, FamilyName: strings.Repeat("y", 150)})
		}
		return nil
	}); !errors.Is(err, store.ErrFull) || has(t, db, 50_000) {
		t.Errorf("an overlooked full disk was acknowledged: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	roomy := open(t, path, sqlite.Options{})
	if err := add(roomy, id); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
