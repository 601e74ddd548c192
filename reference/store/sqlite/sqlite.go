// Package sqlite keeps the register in one SQLite file (modernc.org/sqlite, no
// cgo) in write-ahead-log mode with synchronous=FULL.
//
// One goroutine writes. It takes all Updates that wait, runs each under a
// savepoint, commits them together (one sync of the log) and only then
// acknowledges them: group commit. Readers have connections of their own and
// see the last commit.
//
// The log is emptied by this package alone, never by SQLite on its own, so that
// the length of the log file at the last acknowledgement is known: a test can
// fence the handle, copy database and log, cut the log there, and open the copy
// as if the machine had lost power at the worst moment (CopyAcknowledged).
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"rollcall.example/rollcall/reference/store"
)

// Options adjust a handle. The zero value is right for a service.
type Options struct {
	Readers         int   // concurrent Views; default 4
	MaxBatch        int   // Updates that share a commit at most; default 256
	CheckpointBytes int64 // the log is emptied when it is longer; default 32 MiB
	MaxPages        int64 // limit of the database in pages of 4 KiB; 0 none
}

// DB is an open register. It implements store.Store.
type DB struct {
	path     string
	options  Options
	pool     *sql.DB
	writer   *conn
	readers  chan *conn
	requests chan *request
	closing  chan struct{}
	closed   chan struct{} // the writer has ended
	once     sync.Once
	closeErr error

	fenced atomic.Bool
	// commit is held from the decision to commit to the record of the
	// acknowledgement, and while the log is emptied. Fence waits for it.
	commit          sync.Mutex
	acknowledgedLog int64
	// gate keeps readers away while the log is emptied: SQLite can truncate it
	// only when nobody reads it.
	gate     sync.RWMutex
	pragmaMu sync.Mutex

	commits, batches, views atomic.Uint64
}

var _ store.Store = (*DB)(nil)

type request struct {
	ctx  context.Context
	f    func(store.Tx) error
	err  error
	done chan struct{}
}

// Open opens the register at path, makes it if there is none, and brings its
// schema up to date. It refuses a file that is cut short, is something else, or
// was written by a newer version.
func Open(path string, o Options) (*DB, error) {
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 256
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 32 << 20
	}
	if err := inspect(path); err != nil {
		return nil, err
	}
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) +
		"?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=wal_autocheckpoint(0)&_pragma=cache_spill(0)&_pragma=fullfsync(1)" +
		"&_pragma=checkpoint_fullfsync(1)&_pragma=cache_size(-32768)"
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db := &DB{
		path: path, options: o, pool: pool,
		readers:  make(chan *conn, o.Readers),
		requests: make(chan *request),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	if err := db.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), pool.Close())
	}
	go db.write()
	return db, nil
}

func (db *DB) start() error {
	ctx := context.Background()
	c, err := db.pool.Conn(ctx)
	if err != nil {
		return err
	}
	db.writer = newConn(c)
	if err := db.empty(); err != nil { // what a crash left in the log goes into the database
		return err
	}
	if err := complete(db.path); err != nil {
		return err
	}
	if err := migrate(db.writer); err != nil {
		return err
	}
	if err := db.empty(); err != nil {
		return err
	}
	if db.options.MaxPages > 0 {
		if err := db.writer.exec(fmt.Sprintf("PRAGMA max_page_count = %d", db.options.MaxPages)); err != nil {
			return err
		}
	}
	for range db.options.Readers {
		c, err := db.pool.Conn(ctx)
		if err != nil {
			return err
		}
		r := newConn(c)
		if err := r.exec("PRAGMA query_only = 1"); err != nil {
			return err
		}
		db.readers <- r
	}
	pragmas, err := db.Pragmas()
	if err != nil {
		return err
	}
	for _, p := range pragmas {
		if p.Synchronous != Full || p.JournalMode != "wal" || p.AutoCheckpoint != 0 {
			return fmt.Errorf("SQLite does not keep its promises on this connection: %+v", p)
		}
	}
	return nil
}

// Full is the value of PRAGMA synchronous under which a commit in
// write-ahead-log mode is synced before it returns.
const Full = 2

// Pragmas are the settings of one connection on which durability depends.
type Pragmas struct {
	Writer         bool
	JournalMode    string
	Synchronous    int
	AutoCheckpoint int
}

// Pragmas asks every connection for its settings.
func (db *DB) Pragmas() ([]Pragmas, error) {
	db.pragmaMu.Lock()
	defer db.pragmaMu.Unlock()
	conns := []*conn{db.writer}
	defer func() {
		for _, c := range conns[1:] {
			db.readers <- c
		}
	}()
	for range cap(db.readers) {
		conns = append(conns, <-db.readers)
	}
	var out []Pragmas
	for i, c := range conns {
		p := Pragmas{Writer: i == 0}
		for query, to := range map[string]any{
			"PRAGMA journal_mode":       &p.JournalMode,
			"PRAGMA synchronous":        &p.Synchronous,
			"PRAGMA wal_autocheckpoint": &p.AutoCheckpoint,
		} {
			if err := c.c.QueryRowContext(context.Background(), query).Scan(to); err != nil {
				return nil, err
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// View implements store.Store.
func (db *DB) View(ctx context.Context, f func(store.Reader) error) error {
	if err := db.usable(); err != nil {
		return err
	}
	db.gate.RLock()
	defer db.gate.RUnlock()
	var c *conn
	select {
	case c = <-db.readers:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return store.ErrClosed
	}
	defer func() { db.readers <- c }()
	if err := c.control("BEGIN"); err != nil {
		return err
	}
	err := guard(func() error { return f(&tx{conn: c}) })
	if e := c.control("ROLLBACK"); err == nil {
		err = e
	}
	db.views.Add(1)
	if db.fenced.Load() {
		return store.ErrFenced
	}
	return err
}

// Update implements store.Store.
func (db *DB) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := db.usable(); err != nil {
		return err
	}
	r := &request{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case db.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return store.ErrClosed
	}
	<-r.done
	return r.err
}

// Fence implements store.Store.
func (db *DB) Fence() {
	db.fenced.Store(true)
	db.commit.Lock()
	db.commit.Unlock() //lint:ignore SA2001 waits for a commit under way
}

// Stats implements store.Store.
func (db *DB) Stats() store.Stats {
	return store.Stats{Commits: db.commits.Load(), Batches: db.batches.Load(), Views: db.views.Load()}
}

// AcknowledgedLog is the length of the log file at the last acknowledgement, in
// bytes.
func (db *DB) AcknowledgedLog() int64 {
	db.commit.Lock()
	defer db.commit.Unlock()
	return db.acknowledgedLog
}

// CopyAcknowledged copies the database to a new path as a crash would leave it
// that lost everything after the last acknowledgement: the log is cut at its
// length then. The handle must be fenced and not closed.
func (db *DB) CopyAcknowledged(to string) error {
	if !db.fenced.Load() {
		return errors.New("a register must be fenced before it is copied, or the copy would be of no moment")
	}
	db.commit.Lock()
	defer db.commit.Unlock()
	if err := copyFile(to, db.path, -1); err != nil {
		return err
	}
	return copyFile(to+"-wal", db.path+"-wal", db.acknowledgedLog)
}

func copyFile(to, from string, n int64) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if n < 0 {
		_, err = io.Copy(out, in)
		return err
	}
	if _, err = io.CopyN(out, in, n); err != nil {
		return fmt.Errorf("%s is shorter than what was acknowledged: %w", from, err)
	}
	return nil
}

// Close implements store.Store. An unfenced register is left with an empty log.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.closing)
		<-db.closed
		for range cap(db.readers) {
			(<-db.readers).close()
		}
		if !db.fenced.Load() {
			db.closeErr = db.empty()
		}
		db.writer.close()
		db.closeErr = errors.Join(db.closeErr, db.pool.Close())
	})
	return db.closeErr
}

func (db *DB) usable() error {
	if db.fenced.Load() {
		return store.ErrFenced
	}
	select {
	case <-db.closing:
		return store.ErrClosed
	default:
		return nil
	}
}

// write is the one writer.
func (db *DB) write() {
	defer close(db.closed)
	var alone chan struct{} // not nil: somebody waits for the readers to end
	for {
		var batch []*request
		select {
		case r := <-db.requests:
			batch = append(batch, r)
		case <-alone:
			alone = nil
			_ = db.emptyAlone()
			db.gate.Unlock()
			continue
		case <-db.closing:
			return
		}
	more:
		for len(batch) < db.options.MaxBatch {
			select {
			case r := <-db.requests:
				batch = append(batch, r)
			default:
				break more
			}
		}
		db.run(batch)
		for _, r := range batch {
			close(r.done)
		}
		// Only this goroutine changes acknowledgedLog. Readers are waited for
		// only when the log has grown far beyond its limit, and not by this
		// goroutine: a View may itself wait for an Update, and a long export
		// shall not hold up every writer. A failure loses nothing: the log
		// grows until it succeeds.
		if log, limit := db.acknowledgedLog, db.options.CheckpointBytes; log > 8*limit && alone == nil {
			got := make(chan struct{})
			alone = got
			go func() {
				db.gate.Lock()
				select {
				case got <- struct{}{}: // the writer opens the gate
				case <-db.closing:
					db.gate.Unlock()
				}
			}()
		} else if log > limit && db.gate.TryLock() {
			_ = db.emptyAlone()
			db.gate.Unlock()
		}
	}
}

// run executes and commits a batch and sets the error of each request.
func (db *DB) run(batch []*request) {
	fail := func(err error) {
		for _, r := range batch {
			r.err = err
		}
	}
	if db.fenced.Load() {
		fail(store.ErrFenced)
		return
	}
	w := db.writer
	if err := w.control("BEGIN IMMEDIATE"); err != nil {
		fail(plain(err))
		return
	}
	granted := 0
	for _, r := range batch {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		if err := w.control("SAVEPOINT request"); err != nil {
			db.abandon(batch, err)
			return
		}
		t := &tx{conn: w}
		r.err = guard(func() error { return r.f(t) })
		if t.broken != nil { // even if f overlooked it
			r.err = plain(t.broken)
		}
		if r.err == nil {
			granted++
		} else if err := w.control("ROLLBACK TO request"); err != nil {
			// SQLite gave up the whole transaction.
			db.abandon(batch, r.err)
			return
		}
		if err := w.control("RELEASE request"); err != nil {
			db.abandon(batch, err)
			return
		}
	}
	if granted == 0 {
		_ = w.control("ROLLBACK")
		return
	}

	db.commit.Lock()
	defer db.commit.Unlock()
	if db.fenced.Load() {
		_ = w.control("ROLLBACK")
		fail(store.ErrFenced)
		return
	}
	if err := w.control("COMMIT"); err != nil {
		_ = w.control("ROLLBACK")
		if code(err)&0xff == sqlitelib.SQLITE_FULL {
			fail(plain(err))
			return
		}
		// A log that could not be synced may or may not hold the commit, and a
		// second sync may claim success for pages that are gone. Only opening
		// the files anew tells.
		db.fenced.Store(true)
		fail(fmt.Errorf("%w (the log could not be written: %v)", store.ErrFenced, err))
		return
	}
	if db.fenced.Load() { // meanwhile: committed, not acknowledged
		fail(store.ErrFenced)
		return
	}
	length, err := fileLength(db.path + "-wal")
	if err != nil {
		db.fenced.Store(true)
		fail(fmt.Errorf("%w (the log cannot be found: %v)", store.ErrFenced, err))
		return
	}
	db.acknowledgedLog = length
	db.commits.Add(uint64(granted))
	db.batches.Add(1)
}

// abandon gives up a transaction that SQLite can't continue: nothing is written
// and every request fails, those refused before included, because they may have
// been refused for something that is now undone.
func (db *DB) abandon(batch []*request, err error) {
	_ = db.writer.control("ROLLBACK")
	for _, r := range batch {
		r.err = plain(err)
	}
}

// empty moves the log into the database and truncates it.
func (db *DB) empty() error {
	db.gate.Lock()
	defer db.gate.Unlock()
	return db.emptyAlone()
}

// emptyAlone is empty for who holds the gate.
func (db *DB) emptyAlone() error {
	db.commit.Lock()
	defer db.commit.Unlock()
	if db.fenced.Load() {
		return store.ErrFenced
	}
	var busy, frames, moved int
	if err := db.writer.c.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("the log cannot be moved into the database: %w", err)
	}
	if busy != 0 {
		return errors.New("the log cannot be emptied: another process has this register open")
	}
	length, err := fileLength(db.path + "-wal")
	db.acknowledgedLog = length
	return err
}

func fileLength(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// guard turns a panic of a request into its error: it must not take the
// requests of others with it.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a transaction panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

func code(err error) int {
	var e *sqlite3.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// plain names the errors that a caller can act upon.
func plain(err error) error {
	if code(err)&0xff == sqlitelib.SQLITE_FULL {
		return fmt.Errorf("%w (%v)", store.ErrFull, err)
	}
	return err
}
