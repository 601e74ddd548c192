package service_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// campaign says whether the long versions of tests with hostile input run:
// ROLLCALL_CAMPAIGN=1, as in .ci/run.
func campaign() bool { return os.Getenv("ROLLCALL_CAMPAIGN") == "1" }

// moment is the register as it was when a commit was acknowledged.
type moment struct {
	log      int64    // length of the log file
	content  [32]byte // of all tables
	sequence uint64
}

// recorder notes the register after each acknowledged commit.
type recorder struct {
	*sqlite.DB
	t       testing.TB
	reading *sql.DB // a connection of its own
	moments []moment
}

func (r *recorder) Update(ctx context.Context, f func(store.Tx) error) error {
	err := r.DB.Update(ctx, f)
	if err == nil {
		r.note()
	}
	return err
}

func (r *recorder) note() {
	content, sequence := everything(r.t, r.reading)
	r.moments = append(r.moments, moment{r.AcknowledgedLog(), content, sequence})
}

func direct(t testing.TB, path, how string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+how)
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// everything condenses all rows of all tables.
func everything(t testing.TB, db *sql.DB) (content [32]byte, sequence uint64) {
	t.Helper()
	return condensed(t, db, append(whoHoldsWhat, "challenge", "used", "once", "answer"))
}

// whoHoldsWhat are the tables that say more than which requests there were.
var whoHoldsWhat = []string{"person", "card", "wallet", "credential", "list", "entry", "offer", "report", "audit"}

func condensed(t testing.TB, db *sql.DB, tables []string) (content [32]byte, sequence uint64) {
	t.Helper()
	h := sha256.New()
	for _, table := range tables {
		rows, err := db.Query("SELECT * FROM " + table + " ORDER BY 1, 2")
		must(t, err)
		columns, err := rows.Columns()
		must(t, err)
		row, to := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		fmt.Fprintln(h, table)
		for rows.Next() {
			must(t, rows.Scan(to...))
			fmt.Fprintf(h, "%q\n", row)
		}
		must(t, rows.Err())
		must(t, rows.Close())
	}
	must(t, db.QueryRow("SELECT coalesce(max(sequence), 0) FROM audit").Scan(&sequence))
	return [32]byte(h.Sum(nil)), sequence
}

// live runs some operations of all kinds by the real service.
func (w *world) live(people []*citizen, n int, draw *rand.Rand) []*citizen {
	for range n {
		if len(people) == 0 || draw.IntN(8) == 0 {
			people = append(people, w.resident())
			continue
		}
		c := people[draw.IntN(len(people))]
		cause := []lifecycle.Causes{lifecycle.PhysicalLost, lifecycle.MobileLost}[draw.IntN(2)]
		switch draw.IntN(7) {
		case 0, 1:
			c.tap()
		case 2:
			if o := c.offer(sejong); o.Reason == lifecycle.Granted {
				c.redeem(o.Code)
			}
		case 3:
			c.report(callCentre, cause)
		case 4:
			c.release(clerk, cause, w.sequence())
		case 5:
			if len(c.phone.held) > 0 {
				w.look(c.phone.held[0])
			}
		case 6:
			c.Number = fmt.Sprintf("B%08d", w.sequence())
			c.newCard(c.Number)
		}
	}
	return people
}

// torn is a register with a known history: half of it in the database file, half
// in the log.
type torn struct {
	dir, path     string
	database, log []byte
	moments       []moment
	operations    int
}

func newTorn(t *testing.T, operations int) *torn {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	draw := rand.New(rand.NewPCG(20250314, 1))
	db, err := sqlite.Open(path, sqlite.Options{})
	must(t, err)
	w := onStore(t, db, db, "torn", 1<<12)
	people := w.live(nil, operations/2, draw)
	must(t, db.Close())

	if db, err = sqlite.Open(path, sqlite.Options{CheckpointBytes: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := &recorder{DB: db, t: t, reading: direct(t, path, "?mode=ro")}
	r.note()
	before := w
	w = onStore(t, db, r, "torn, second half", 1<<12)
	w.Requests, w.People = before.Requests, before.People
	for _, c := range people {
		c.w = w
	}
	w.live(people, operations-operations/2, draw)
	db.Fence()
	s := &torn{dir: dir, path: path, moments: r.moments, operations: operations}
	s.database, err = os.ReadFile(path)
	must(t, err)
	s.log, err = os.ReadFile(path + "-wal")
	must(t, err)
	if last := s.moments[len(s.moments)-1]; last.log != int64(len(s.log)) || last.sequence < uint64(operations/3) {
		t.Fatalf("%d bytes of log, %d acknowledged, %d changes", len(s.log), last.log, last.sequence)
	}
	return s
}

// tornAtRandom is one of usual size, how many places of each kind to tear it at
// (so many in a campaign), and what to draw them from.
func tornAtRandom(t *testing.T, campaigned int, seed uint64) (s *torn, sample int, draw *rand.Rand) {
	t.Helper()
	operations, sample := 60, 20
	if campaign() {
		operations, sample = 200, campaigned
	}
	return newTorn(t, operations), sample, rand.New(rand.NewPCG(1, seed))
}

// acknowledged is the newest moment within so many bytes of the log.
func (s *torn) acknowledged(log int) moment {
	i, _ := slices.BinarySearchFunc(s.moments, int64(log)+1, func(m moment, l int64) int { return int(m.log - l) })
	return s.moments[i-1]
}

// reopen opens a copy. Where it is refused, the refusal names the file.
func (s *torn) reopen(t *testing.T, name string, database, log []byte, want moment, mayRefuse bool) (opened bool) {
	t.Helper()
	path := filepath.Join(s.dir, "copy.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + end)
	}
	must(t, os.WriteFile(path, database, 0o600))
	must(t, os.WriteFile(path+"-wal", log, 0o600))
	db, err := sqlite.Open(path, sqlite.Options{Readers: 1})
	if err != nil {
		if !mayRefuse || !strings.Contains(err.Error(), path) || len(err.Error()) < len(path)+30 {
			t.Errorf("%s: refused: %v", name, err)
		}
		return false
	}
	head, err := audit.Verify(ctx, db)
	if err != nil || head.Sequence != want.sequence {
		t.Errorf("%s: the audit log ends at %d, want %d: %v", name, head.Sequence, want.sequence, err)
	}
	must(t, db.Close())
	raw, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	must(t, err)
	defer raw.Close()
	if content, _ := everything(t, raw); content != want.content {
		t.Errorf("%s: the register is not that of the last acknowledgement (change %d)", name, want.sequence)
	}
	return true
}

const (
	pageSize  = 4096
	logHeader = 32
	frameSize = 24 + pageSize
)

// some returns all of 0..n-1 in a campaign, and otherwise at most k of them.
func some(n, k int, draw *rand.Rand) []int {
	if campaign() {
		k = n
	}
	out := draw.Perm(n)[:min(n, k)]
	slices.Sort(out)
	return out
}

// Power fails while the log is written: what is left is the register of the last
// acknowledgement that the rest of the log holds whole, nothing less and nothing
// more.
func TestALogCutAnywhereLeavesWhatWasAcknowledgedUpToThere(t *testing.T) {
	s, sample, draw := tornAtRandom(t, 1000, 2)
	cuts := map[int]bool{0: true, 1: true, logHeader - 1: true, len(s.log): true, len(s.log) - 1: true}
	for _, k := range some((len(s.log)-logHeader)/frameSize+1, sample, draw) {
		cuts[logHeader+k*frameSize] = true
	}
	for range sample {
		cuts[draw.IntN(len(s.log)+1)] = true
	}
	commits := map[uint64]bool{}
	for _, cut := range slices.Sorted(maps.Keys(cuts)) {
		want := s.acknowledged(cut)
		commits[want.sequence] = true
		s.reopen(t, fmt.Sprintf("log cut at %d of %d", cut, len(s.log)), s.database, s.log[:cut], want, false)
	}
	t.Logf("%d operations, %d commits in a log of %d frames: cut at %d places, reopened at %d different changes", s.operations, len(s.moments)-1, (len(s.log)-logHeader)/frameSize, len(cuts), len(commits))
	if len(commits) < 10 {
		t.Error("too few to show anything")
	}
}

// The last frame may be there in its length and not in its bytes.
func TestALogWithRottenBytesLosesNothingBeforeThem(t *testing.T) {
	s, sample, draw := tornAtRandom(t, 400, 3)
	for range sample {
		at := logHeader + draw.IntN(len(s.log)-logHeader)
		log := bytes.Clone(s.log)
		n := 1 + draw.IntN(600)
		for i := at; i < min(at+n, len(log)); i++ {
			log[i] = 0
		}
		if bytes.Equal(log, s.log) {
			continue
		}
		for log[at] == s.log[at] {
			at++ // the first byte that differs
		}
		// The frame in which it lies is void, with all that follow.
		whole := at - (at-logHeader)%frameSize
		s.reopen(t, fmt.Sprintf("%d zeros at %d of %d", n, at, len(s.log)), s.database, log, s.acknowledged(whole), false)
	}
}

// A database file that is shorter than it should be is refused, unless the log
// holds all that is missing.
func TestADatabaseCutAnywhereIsRefusedOrWhole(t *testing.T) {
	s, sample, draw := tornAtRandom(t, 300, 4)
	want := s.acknowledged(len(s.log))
	refused, opened := 0, 0
	try := func(cut int, log []byte, want moment) {
		if s.reopen(t, fmt.Sprintf("database cut at %d of %d, log at %d of %d", cut, len(s.database), len(log), len(s.log)), s.database[:cut], log, want, true) {
			opened++
		} else {
			refused++
		}
	}
	for _, page := range some(len(s.database)/pageSize, sample, draw) {
		try(page*pageSize, s.log, want)
	}
	for range sample {
		try(draw.IntN(len(s.database)), s.log, want)
		cut := draw.IntN(len(s.log))
		try(draw.IntN(len(s.database)), s.log[:cut], s.acknowledged(cut))
	}
	t.Logf("a database of %d pages cut at %d places: %d refused, %d completed by the log", len(s.database)/pageSize, refused+opened, refused, opened)
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// Power fails while the log is moved into the database: some pages are there,
// one is half there, the log still is.
func TestAMoveOfTheLogTornAnywhereIsDoneAgain(t *testing.T) {
	s, sample, draw := tornAtRandom(t, 400, 5)
	latest := map[uint32]int{} // page → offset in the log
	for at := logHeader; at < len(s.log); at += frameSize {
		latest[binary.BigEndian.Uint32(s.log[at:])] = at + 24
	}
	pages := slices.Sorted(maps.Keys(latest))
	for range sample {
		database := bytes.Clone(s.database)
		moved := draw.IntN(len(pages) + 1)
		for i, p := range pages[:moved] {
			n := pageSize
			if i == moved-1 {
				n = draw.IntN(pageSize + 1)
			}
			end := int(p-1)*pageSize + n
			if end > len(database) {
				database = append(database, make([]byte, end-len(database))...)
			}
			copy(database[int(p-1)*pageSize:end], s.log[latest[p]:])
		}
		s.reopen(t, fmt.Sprintf("%d of %d pages moved", moved, len(pages)), database, s.log, s.acknowledged(len(s.log)), false)
	}
}

// The content differs from moment to moment, or the comparisons would show
// nothing.
func TestEveryMomentIsAnother(t *testing.T) {
	s := newTorn(t, 40)
	seen := map[string]bool{}
	for _, m := range s.moments {
		seen[hex.EncodeToString(m.content[:])] = true
	}
	if len(seen) < len(s.moments)*9/10 || len(seen) < 20 {
		t.Errorf("%d different contents at %d moments", len(seen), len(s.moments))
	}
}
