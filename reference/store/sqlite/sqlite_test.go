package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

func filled(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{})
	for id := range store.PersonID(50) {
		if err := add(db, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileThatIsNotOursIsRefusedWithASentence(t *testing.T) {
	patch := func(offset int, value uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[offset:], value)
			return b
		}
	}
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
		says   string
	}{
		{"text", func([]byte) []byte { return []byte("title: announced\n") }, "not an SQLite database"},
		{"one byte", func([]byte) []byte { return []byte{'x'} }, "not an SQLite database"},
		{"half a header", func(b []byte) []byte { return b[:50] }, "cut short"},
		{"cut within a page", func(b []byte) []byte { return b[:len(b)-100] }, "cut short"},
		{"cut by whole pages", func(b []byte) []byte { return b[:4096*3] }, "cut short"},
		{"another program's", patch(68, 0x12345678), "another program"},
		{"unmarked with tables", patch(68, 0), "another program"},
		{"newer", patch(60, 99), "newer version (schema 99"},
		{"four thousand million pages by its header", patch(28, 1<<32-1), "cut short"},
		{"pages of another size", patch(16, 0x0200_0202), "restore it from a copy"},
		{"pages of a size that no power of two is", patch(16, 0x1001_0202), "cut short"},
		{"a first page that is no b-tree", patch(100, 0xff000000), "restore it from a copy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filled(t)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := test.change(b)
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sqlite.Open(path, sqlite.Options{})
			if err == nil {
				db.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("it says %q; want the path and %q", err, test.says)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, changed) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		if _, err := sqlite.Open(t.TempDir(), sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "not a file") {
			t.Errorf("it says %v", err)
		}
	})
}

func TestAnEmptyFileBecomesARegister(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := add(open(t, path, sqlite.Options{}), 1); err != nil {
		t.Fatal(err)
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "등록 100% ?#&=.db")
	if err := add(open(t, path, sqlite.Options{}), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func BenchmarkUpdateSequential(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "r.db"), sqlite.Options{})
	for id := store.PersonID(0); b.Loop(); id++ {
		if err := add(db, id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateParallel64(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "r.db"), sqlite.Options{})
	var id atomic.Uint64
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := add(db, store.PersonID(id.Add(1))); err != nil {
				b.Error(err)
			}
		}
	})
	s := db.Stats()
	b.ReportMetric(float64(s.Commits)/float64(s.Batches), "commits/sync")
}

// BenchmarkFloorSync is a write and a sync without a database: the floor of an
// Update.
func BenchmarkFloorSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4120)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
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

// Files can be written to as long as they are open, whoever has removed them.
func TestFilesThatAreRemovedOrReplacedUnderAnOpenRegisterAreNoticed(t *testing.T) {
	for what, c := range map[string]struct {
		remove func(path string) error
		says   string
	}{
		"the database is removed": {os.Remove, "has been removed"},
		"the log is removed":      {func(p string) error { return os.Remove(p + "-wal") }, "log"},
		"the database is replaced": {func(p string) error {
			return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, nil, 0o600))
		}, "replaced"},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.db")
			db := open(t, path, sqlite.Options{})
			if err := add(db, 1); err != nil {
				t.Fatal(err)
			}
			if err := c.remove(path); err != nil {
				t.Fatal(err)
			}
			if err := db.Ready(ctx); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Ready says %v", err)
			}
			if err := add(db, 2); !errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("an Update was acknowledged, or refused with %v", err)
			}
			if what == "the log is removed" && !has(t, db, 1) { // it is still open, and is moved into the database
				t.Error("the log was removed, and what it held is lost")
			}
		})
	}
}

func TestARegisterThatIsPutBackGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{})
	if err := add(db, 1); err != nil {
		t.Fatal(err)
	}
	move := func(from, to string) {
		t.Helper()
		if err := errors.Join(os.Rename(from, to), os.Rename(from+"-wal", to+"-wal")); err != nil {
			t.Fatal(err)
		}
	}
	move(path, path+".away")
	if err := add(db, 2); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("an Update was acknowledged, or refused with %v", err)
	}
	for what, err := range map[string]error{"Update": add(db, 3), "Ready": db.Ready(ctx)} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("while it is away, %s says %v", what, err)
		}
	}
	move(path+".away", path)
	if !has(t, db, 1) || has(t, db, 3) {
		t.Error("it does not hold what was acknowledged, and nothing that was refused")
	}
	if err := add(db, 4); err != nil {
		t.Error(err)
	}
}

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
		n, err := tx.Forget(expires.Add(time.Millisecond), 10)
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
