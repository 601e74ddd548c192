package sqlite_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// smallDisk is a file system of its own with room for so many bytes.
func smallDisk(t *testing.T, room string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+room); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A real disk is full in other places than a limit on pages is: in the middle of the
// log, and in the index of the log.
func TestARealDiskThatIsFullRefusesAndTheRegisterGoesOnByItself(t *testing.T) {
	for _, room := range []string{"380k", "500k", "1M"} {
		t.Run(room, func(t *testing.T) {
			dir := smallDisk(t, room)
			path := filepath.Join(dir, "r.db")
			db := open(t, path, sqlite.Options{})
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			var acknowledged []store.PersonID
			id := store.PersonID(1)
			for rounds := range 2 {
				var full error
				for ; full == nil && id < 10_000; id++ {
					if full = add(db, id); full == nil {
						acknowledged = append(acknowledged, id)
					}
				}
				if !errors.Is(full, store.ErrFull) {
					t.Fatalf("after %d people, a full disk is called %v", len(acknowledged), full)
				}
				if has(t, db, id-1) {
					t.Error("who was refused is there")
				}
				if err := db.Ready(ctx); !errors.Is(err, store.ErrFull) {
					t.Errorf("Ready, while there is no room, says %v", err)
				}
				if rounds == 0 {
					if err := os.Remove(ballast); err != nil {
						t.Fatal(err)
					}
				}
			}
			db.Fence() // there is no room to move the log into the database
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=4M"); err != nil {
				t.Fatal(err)
			}
			db = open(t, path, sqlite.Options{})
			for _, id := range acknowledged {
				if !has(t, db, id) {
					t.Fatalf("person %d was acknowledged and is lost", id)
				}
			}
		})
	}
}

// SQLite keeps an index of the log beside it, which grows by 32 KiB for every 4,096
// pages. It is extended after the commit is in the log.
func TestADiskThatIsFullJustWhenTheIndexOfTheLogHasToGrow(t *testing.T) {
	dir := smallDisk(t, "24M")
	path := filepath.Join(dir, "r.db")
	db := open(t, path, sqlite.Options{CheckpointBytes: 32 << 20})
	id := store.PersonID(1)
	fill := func(from store.PersonID, n int) error {
		return db.Update(ctx, func(tx store.Tx) error {
			for i := range n {
				if err := tx.PutPerson(store.Person{ID: from + store.PersonID(i)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	const frame, before = 4096 + 24, 4062 // the first part of the index holds so many
	for db.AcknowledgedLog() < (before-6)*frame {
		if err := fill(id, 1); err != nil {
			t.Fatal(err)
		}
		id++
	}
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	size, err := ballast.Seek(0, io.SeekCurrent)
	if err = errors.Join(err, ballast.Truncate(size-28<<10), ballast.Close()); err != nil {
		t.Fatal(err)
	}
	last := store.PersonID(0) // acknowledged
	for {
		if err = fill(id, 1); err != nil {
			break
		}
		last, id = id, id+1
	}
	if !errors.Is(err, store.ErrUnknown) {
		t.Fatalf("a commit that may be in the log is said to be: %v", err)
	}
	for what, err := range map[string]error{"Update": fill(id+1, 1), "Ready": db.Ready(ctx)} {
		if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrFull) {
			t.Errorf("%s, while there is no room: %v", what, err)
		}
	}
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(ctx); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if !has(t, db, last) || has(t, db, id+1) {
		t.Error("an acknowledged person is lost, or one who was refused is there")
	}
	if err := fill(id+2, 1); err != nil || !has(t, db, id+2) {
		t.Errorf("with room again: %v", err)
	}
}
