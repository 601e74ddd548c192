// Package sqlite keeps the register in one SQLite file (modernc.org/sqlite, no
// cgo) in write-ahead-log mode with synchronous=FULL.
//
// One goroutine writes. It takes all Updates that wait, runs each under a
// savepoint, commits them together (one sync of the log) and only then
// acknowledges them: group commit. Readers have connections of their own and
// see the last commit.
//
// A commit that failed in a way that does not tell what is on disk is not
// acknowledged, and the files are opened anew before anything else is done: what a
// restart would find is what there is. A file that has been removed or replaced under
// an open register is refused until the process is started again.
//
// The log is moved into the database by this package alone, never by SQLite on its
// own, and its file is then written from its beginning again. How much of it was in use
// at the last acknowledgement is known: a test can fence the handle, copy database and
// log, cut the log there, and open the copy as if the machine had lost power at the
// worst moment (CopyAcknowledged).
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"rollcall.example/rollcall/reference/store"
)

// Options adjust a handle. The zero value is right for a service.
type Options struct {
	Readers         int   // concurrent Views; default 4
	MaxBatch        int   // Updates that share a commit at most; default 256
	CheckpointBytes int64 // the log is moved into the database when it is longer; default 8 MiB
	MaxPages        int64 // limit of the database in pages of 4 KiB; 0 none
}

// DB is an open register. It implements store.Store.
type DB struct {
	path     string
	options  Options
	writer   *conn
	readers  chan *conn
	requests chan *request
	closing  chan struct{}
	closed   chan struct{} // the writer has ended
	once     sync.Once
	closeErr error

	fenced atomic.Bool
	// broken says why the files must be opened anew; nil: they need not.
	broken atomic.Pointer[error]
	opened os.FileInfo // of the database file
	// SQLite's files that are read here, too: the database, and the index of its log. They
	// are opened once, and closed after SQLite has closed them: with any handle of a file
	// that a process closes go all the locks that it has on that file (fcntl), and another
	// process takes the register for one that nobody has open.
	file, index *os.File
	full        atomic.Bool // there was no room for the latest transaction
	roomMu      sync.Mutex  // one tries for room at a time
	// commit is held from the decision to commit to the record of the
	// acknowledgement, and while the log is emptied. Fence waits for it.
	commit          sync.Mutex
	acknowledgedLog int64
	// gate keeps readers away while the log is emptied: SQLite can truncate it
	// only when nobody reads it.
	gate sync.RWMutex
	// writing is held while the writer uses its connection.
	writing  sync.Mutex
	pragmaMu sync.Mutex

	commits, batches, views atomic.Uint64
}

var _ store.Store = (*DB)(nil)

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
		o.CheckpointBytes = 8 << 20
	}
	db := &DB{
		path: path, options: o,
		readers:  make(chan *conn, o.Readers),
		requests: make(chan *request),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	db.gate.Lock()
	defer db.gate.Unlock()
	if err := db.open(); err != nil {
		return nil, err
	}
	go db.write()
	return db, nil
}

// open opens the files, which are not open. Whoever calls it holds the gate.
func (db *DB) open() error {
	path := db.path
	if err := inspect(path); err != nil {
		return err
	}
	// temp_store: what a savepoint keeps to undo one request of a batch stays in memory.
	// By itself SQLite writes it to a file once it has 64 KB.
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) +
		fmt.Sprintf("?_pragma=busy_timeout(%d)", patience) + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=wal_autocheckpoint(0)&_pragma=cache_spill(0)&_pragma=fullfsync(1)" +
		"&_pragma=checkpoint_fullfsync(1)&_pragma=cache_size(-32768)&_pragma=temp_store(2)"
	err := db.start(dsn)
	if err == nil && db.opened == nil {
		db.opened, err = os.Stat(path)
	}
	if err != nil {
		db.shut()
		return fmt.Errorf("%s: %w", path, plain(err))
	}
	return nil
}

// shut closes the files. Nobody uses them.
func (db *DB) shut() {
	for len(db.readers) > 0 {
		_ = (<-db.readers).close()
	}
	if db.writer != nil {
		_ = db.writer.close()
		db.writer = nil
	}
	db.closeFiles()
}

func (db *DB) closeFiles() {
	for _, f := range []**os.File{&db.file, &db.index} {
		if *f != nil {
			_ = (*f).Close()
			*f = nil
		}
	}
}

func (db *DB) start(name string) (err error) {
	if db.writer, err = connect(name); err != nil {
		return err
	}
	if err := db.moveLog(fileCut); err != nil { // what a crash left in the log goes into the database
		return err
	}
	if db.file, err = os.Open(db.path); err != nil {
		return err
	}
	if err := complete(db.file); err != nil {
		return err
	}
	if err := migrate(db.writer); err != nil {
		return err
	}
	if err := db.moveLog(fileCut); err != nil {
		return err
	}
	if db.index, err = os.Open(db.path + "-shm"); err != nil {
		return err
	}
	if _, err := db.logLength(); err != nil {
		return err
	}
	if db.options.MaxPages > 0 {
		if err := db.writer.exec(fmt.Sprintf("PRAGMA max_page_count = %d", db.options.MaxPages)); err != nil {
			return err
		}
	}
	if err := db.writer.promises(); err != nil {
		return err
	}
	for range db.options.Readers {
		r, err := connect(name)
		if err != nil {
			return err
		}
		db.readers <- r
		if err := errors.Join(r.exec("PRAGMA query_only = 1"), r.promises()); err != nil {
			return err
		}
	}
	return nil
}

// Full is the value of PRAGMA synchronous under which a commit in
// write-ahead-log mode is synced before it returns.
const Full = 2

// Pragmas are the settings of one connection on which durability depends.
type Pragmas struct {
	Writer         bool   // the connection that writes
	JournalMode    string // "wal"
	Synchronous    int    // Full
	AutoCheckpoint int    // pages of log at which SQLite would empty it; 0 never
}

// pragmas asks a connection for its settings.
func (c *conn) pragmas() (p Pragmas, err error) {
	for query, to := range map[string]any{
		"PRAGMA journal_mode":       &p.JournalMode,
		"PRAGMA synchronous":        &p.Synchronous,
		"PRAGMA wal_autocheckpoint": &p.AutoCheckpoint,
	} {
		if err := c.ask(query, to); err != nil {
			return p, err
		}
	}
	return p, nil
}

// promises says whether SQLite keeps on a connection what it was asked to.
func (c *conn) promises() error {
	p, err := c.pragmas()
	if err == nil && (p.Synchronous != Full || p.JournalMode != "wal" || p.AutoCheckpoint != 0) {
		err = fmt.Errorf("SQLite does not keep its promises on this connection: %+v", p)
	}
	return err
}

// Pragmas asks every connection for its settings.
func (db *DB) Pragmas() (out []Pragmas, err error) {
	db.pragmaMu.Lock() // two would each wait for the other's readers
	defer db.pragmaMu.Unlock()
	var readers []*conn
	defer func() {
		for _, c := range readers {
			db.readers <- c
		}
	}()
	for range cap(db.readers) {
		readers = append(readers, <-db.readers)
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.writer == nil {
		return nil, store.ErrUnavailable
	}
	for i, c := range append([]*conn{db.writer}, readers...) {
		p, err := c.pragmas()
		if err != nil {
			return nil, err
		}
		p.Writer = i == 0
		out = append(out, p)
	}
	return out, nil
}

// View implements store.Store.
func (db *DB) View(ctx context.Context, f func(store.Reader) error) error {
	if err := db.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.broken.Load() != nil {
		if err := db.mend(ctx); err != nil {
			return err
		}
	}
	db.gate.RLock()
	defer db.gate.RUnlock()
	if why := db.broken.Load(); why != nil { // meanwhile
		return fmt.Errorf("%w (%v)", store.ErrUnavailable, *why)
	}
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

// Ready implements store.Store.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.there(); err != nil && db.usable() == nil {
		return fmt.Errorf("%w (%v)", store.ErrUnavailable, err)
	}
	if db.full.Load() {
		if err := db.room(); err != nil {
			return fmt.Errorf("%w (%v)", store.ErrFull, err)
		}
		db.full.Store(false)
	}
	return db.View(ctx, func(r store.Reader) error {
		_, err := r.Sequence()
		return err
	})
}

// Stats implements store.Store.
func (db *DB) Stats() store.Stats {
	return store.Stats{Commits: db.commits.Load(), Batches: db.batches.Load(), Views: db.views.Load()}
}

// Close implements store.Store. An unfenced register is left with an empty log.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.closing)
		<-db.closed
		if db.broken.Load() != nil {
			db.gate.Lock()
			defer db.gate.Unlock()
			db.shut()
			return
		}
		for range cap(db.readers) {
			db.closeErr = errors.Join(db.closeErr, (<-db.readers).close())
		}
		if !db.fenced.Load() {
			db.closeErr = errors.Join(db.closeErr, db.empty())
		}
		db.closeErr = errors.Join(db.closeErr, db.writer.close())
		db.closeFiles()
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
