package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

func TestTheFileOfTheLogIsWrittenFromItsBeginningAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	db := open(t, path, sqlite.Options{CheckpointBytes: 40 << 10})
	length := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	id, again, file := store.PersonID(0), 0, int64(0)
	for before := int64(0); again < 5; id++ { // times that it was moved into the database
		if err := add(db, id); err != nil {
			t.Fatal(err)
		}
		now := db.AcknowledgedLog()
		if now <= before {
			if again++; again == 1 {
				file = length(path + "-wal")
			}
		}
		before = now
		if id > 1000 {
			t.Fatal("a log far beyond its limit is not moved into the database")
		}
	}
	if id < 15 {
		t.Errorf("after %d Updates it was moved into the database %d times", id, again)
	}
	if err := add(db, id); err != nil {
		t.Fatal(err)
	}
	if now := length(path + "-wal"); now != file || now <= db.AcknowledgedLog() {
		t.Errorf("the file had %d bytes and has %d, of which %d are in use", file, now, db.AcknowledgedLog())
	}
	db.Fence()
	copied := filepath.Join(dir, "copy.db")
	if err := db.CopyAcknowledged(copied); err != nil {
		t.Fatal(err)
	}
	if got, want := length(copied+"-wal"), db.AcknowledgedLog(); got != want {
		t.Errorf("the copy's log has %d bytes; %d are in use", got, want)
	}
	successor := open(t, copied, sqlite.Options{})
	for i := range id + 1 {
		if !has(t, successor, i) {
			t.Fatalf("person %d was acknowledged and is lost", i)
		}
	}
}

func TestTheFileOfTheLogIsCutWhenAReaderLetItGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	const limit = 40 << 10
	db := open(t, path, sqlite.Options{CheckpointBytes: limit})
	id := store.PersonID(1)
	if err := db.View(ctx, func(store.Reader) error {
		for ; db.AcknowledgedLog() < 4*limit; id++ {
			if err := add(db, id); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := add(db, id); err != nil {
		t.Fatal(err)
	}
	for range 1000 { // after this Update, or already after the last before
		if info, err := os.Stat(path + "-wal"); err == nil && info.Size() < limit {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("it keeps its length")
}

func TestNoUpdateWaitsForAnotherProcessThatCopiesTheRegister(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{CheckpointBytes: 40 << 10})
	if err := add(db, 1); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	copying, err := other.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var people int
	if err := copying.QueryRow("SELECT count(*) FROM person").Scan(&people); err != nil {
		t.Fatal(err)
	}
	// SQLite waits 2 s for the other one each time the log is due, unless it is told not
	// to. A slow disk may take long, too, but not for that many Updates.
	waited := 0
	for id := store.PersonID(2); id < 64; id++ {
		began := time.Now()
		if err := add(db, id); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) >= 1900*time.Millisecond {
			waited++
		}
	}
	if waited > 3 {
		t.Errorf("%d Updates waited for the copy", waited)
	}
	if err := copying.Rollback(); err != nil {
		t.Fatal(err)
	}
	for id, before := store.PersonID(64), db.AcknowledgedLog(); db.AcknowledgedLog() >= before; id++ {
		if err := add(db, id); err != nil || id > 124 {
			t.Fatalf("nobody copies any more, and the log grows to %d bytes: %v", db.AcknowledgedLog(), err)
		}
	}
}

func TestTheLogCutOneByteShorterLosesTheLastAcknowledgedCommit(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "r.db"), sqlite.Options{})
	for id := range store.PersonID(3) {
		if err := add(db, id); err != nil {
			t.Fatal(err)
		}
	}
	length := db.AcknowledgedLog()
	db.Fence()
	for _, cut := range []int64{0, 1} {
		path := filepath.Join(dir, fmt.Sprintf("cut%d.db", cut))
		if err := db.CopyAcknowledged(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path+"-wal", length-cut); err != nil {
			t.Fatal(err)
		}
		copied := open(t, path, sqlite.Options{})
		if got := has(t, copied, 2); got != (cut == 0) || !has(t, copied, 1) {
			t.Errorf("cut by %d: the last person is there: %v", cut, got)
		}
	}
}

func TestAViewThatWaitsForUpdatesIsNotWaitedForByThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{CheckpointBytes: 1, MaxBatch: 1})
	err := db.View(t.Context(), func(store.Reader) error {
		for id := store.PersonID(1); id <= 3; id++ { // the first makes the log far too long
			done := make(chan error, 1)
			go func() { done <- add(db, id) }()
			select {
			case err := <-done:
				if err != nil {
					return err
				}
			case <-time.After(20 * time.Second):
				return fmt.Errorf("update %d waits for the View", id)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 { // nobody reads: the log is emptied, and its file no longer far too long
		if info, err := os.Stat(path + "-wal"); err == nil && info.Size() == 0 && db.AcknowledgedLog() == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the log still has %d bytes", db.AcknowledgedLog())
}

// SQLite would delete a log whose database is empty, and begin a new one.
func TestALogWhoseDatabaseIsGoneIsRefusedAndKept(t *testing.T) {
	for what, remove := range map[string]func(string) error{"is missing": os.Remove, "is empty": func(p string) error { return os.Truncate(p, 0) }} {
		dir := t.TempDir()
		db := open(t, filepath.Join(dir, "r.db"), sqlite.Options{})
		if err := add(db, 1); err != nil {
			t.Fatal(err)
		}
		db.Fence()
		path := filepath.Join(dir, "copy.db")
		if err := db.CopyAcknowledged(path); err != nil {
			t.Fatal(err)
		}
		if err := remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Open(path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), path+" "+what) {
			t.Errorf("a register that %s was opened, or refused for %v", what, err)
		}
		if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
			t.Errorf("the log is gone: %v", err)
		}
	}
}
