package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// The crash of the design: with requests in flight the old handle is fenced,
// database and log are copied, the log is cut at its length at the last
// acknowledgement, and the copy is opened.
func TestNothingAcknowledgedIsLostAtTheLengthOfTheLogAtTheLastAcknowledgement(t *testing.T) {
	for _, checkpoint := range []int64{0, 40 << 10} { // never, and all the time
		t.Run(fmt.Sprint("checkpoint", checkpoint), func(t *testing.T) {
			dir := t.TempDir()
			db := open(t, filepath.Join(dir, "r.db"), sqlite.Options{CheckpointBytes: checkpoint})
			const workers = 8
			var acknowledged [workers][]store.PersonID
			var refused [workers]store.PersonID
			var count atomic.Int64
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := 0; ; i++ {
						id := store.PersonID(w*1_000_000 + i)
						if err := add(db, id); err != nil {
							if !errors.Is(err, store.ErrFenced) {
								t.Error(err)
							}
							refused[w] = id
							return
						}
						acknowledged[w] = append(acknowledged[w], id)
						count.Add(1)
					}
				})
			}
			for count.Load() < 150 {
				time.Sleep(time.Millisecond)
			}
			db.Fence()
			copied := filepath.Join(dir, "copy.db")
			if err := db.CopyAcknowledged(copied); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			successor := open(t, copied, sqlite.Options{})
			for w := range workers {
				for _, id := range acknowledged[w] {
					if !has(t, successor, id) {
						t.Fatalf("person %d was acknowledged and is lost", id)
					}
				}
				if err := add(successor, refused[w]); err != nil {
					t.Errorf("the successor refused what was in flight: %v", err)
				}
			}
		})
	}
}

// What a stand-by site is given: all that was acknowledged before the call, of a
// register that goes on.
func TestACopyHoldsWhatWasAcknowledgedBeforeItAndTheRegisterGoesOn(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "r.db"), sqlite.Options{CheckpointBytes: 40 << 10})
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for id := store.PersonID(1); ; id++ {
			select {
			case <-done:
				return
			default:
			}
			if err := add(db, id); err != nil {
				t.Error(err)
				return
			}
			acknowledged.Store(int64(id))
		}
	})
	for n := range 5 {
		for acknowledged.Load() < int64(30*(n+1)) {
			time.Sleep(time.Millisecond)
		}
		before := acknowledged.Load()
		path := filepath.Join(dir, fmt.Sprintf("copy%d.db", n))
		if err := db.Copy(path); err != nil {
			t.Fatal(err)
		}
		copied := open(t, path, sqlite.Options{})
		if !has(t, copied, 1) || !has(t, copied, store.PersonID(before)) {
			t.Errorf("copy %d lacks what was acknowledged before it", n)
		}
		if has(t, copied, store.PersonID(before+1_000)) {
			t.Errorf("copy %d has what came later", n)
		}
	}
	close(done)
	wg.Wait()
	if !has(t, db, store.PersonID(acknowledged.Load())) {
		t.Error("the register did not go on")
	}
}

func TestAnUnfencedRegisterIsNotCopied(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "r.db"), sqlite.Options{})
	if err := db.CopyAcknowledged(filepath.Join(dir, "copy.db")); err == nil {
		t.Fatal("it was copied while it was in use")
	}
}
