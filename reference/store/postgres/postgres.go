// Package postgres keeps the register in PostgreSQL 15 or later (jackc/pgx, no
// cgo), for several replicas of the service at once. No replica keeps anything of
// the register in its memory between two transactions.
//
// The audit log is one chain, so changes must have an order, and the order of
// their numbers must be that of their commits. A lock makes it: every batch begins
// by taking the same advisory lock, and the server gives it back when the commit is
// on disk and visible. Under that lock nobody else writes, so READ COMMITTED is
// serializable, and no replica ever works on what another one is changing. (A
// stricter isolation would take its snapshot before it waits for the lock, and so
// fail whenever it had to wait.) Should somebody write beside the lock, the primary
// keys of the chain, of indices and of one-time values stand in the way.
//
// One lock is no bottleneck as long as few commits do much: each replica has one
// goroutine that writes. It takes all Updates that wait, runs each under a savepoint,
// commits them together and only then acknowledges them, while the other replicas'
// Updates gather. Statements that only write travel with the next one that reads.
//
// Views run in read-only transactions of REPEATABLE READ, which is one snapshot, on
// the primary: a standby may lag behind what was acknowledged.
//
// A connection that is lost before a COMMIT was sent has committed nothing, and the
// batch is run again on another one. If it is lost after, only the database knows.
// Every batch writes a row by which it can be recognized (table batch); its replica
// takes the lock again, which waits until the server has made an end of the old
// transaction, and looks for the row.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rollcall.example/rollcall/reference/store"
)

// DB is an open register. It implements store.Store.
type DB struct {
	options  Options
	pool     *pgxpool.Pool
	replica  string // how this handle's batches are marked
	writer   *writer
	requests chan *request
	closing  chan struct{}
	closed   chan struct{} // the writer has ended
	once     sync.Once

	fenced atomic.Bool
	// commit is held from the decision to commit to the acknowledgement. Fence
	// waits for it.
	commit sync.Mutex

	commits, batches, views atomic.Uint64

	// hurt: the latest batch failed for the server's state. Reading may go on.
	hurt  atomic.Bool
	trial sync.Mutex // held while it is tried whether that is over

	presence sync.Mutex
	seat     *pgx.Conn // whose session counts for this handle (Live); nil: none does
}

var _ store.Store = (*DB)(nil)

// Open opens the register at an address (postgres://user@host/database, by the rules
// of libpq), makes it if the schema is empty, and brings it up to date. It refuses a
// server that does not keep what store.Store promises, a schema that is something
// else, and one that was written by a newer version.
func Open(ctx context.Context, address string, o Options) (*DB, error) {
	o.defaults()
	config, err := configure(address, o)
	if err != nil {
		return nil, err
	}
	db := &DB{
		options:  o,
		requests: make(chan *request),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	db.writer = newWriter(config.ConnConfig, o)
	if err := db.start(ctx, config); err != nil {
		db.writer.close(ctx)
		return nil, fmt.Errorf("the register cannot be opened: %w", err)
	}
	go db.write()
	return db, nil
}

func (db *DB) start(ctx context.Context, config *pgxpool.Config) error {
	c, err := pgx.ConnectConfig(ctx, db.writer.config)
	if err != nil {
		return err
	}
	db.writer.c = c
	if err := migrate(ctx, c); err != nil {
		return err
	}
	// Rows of those who went long ago; nobody asks for one after some seconds.
	if _, err := c.Exec(ctx, `DELETE FROM batch WHERE made < now() - interval '1 day'`); err != nil {
		return err
	}
	if err := c.QueryRow(ctx, `SELECT gen_random_uuid()::text`).Scan(&db.replica); err != nil {
		return err
	}
	db.pool, err = pgxpool.NewWithConfig(ctx, config)
	return err
}

// View implements store.Store.
func (db *DB) View(ctx context.Context, f func(store.Reader) error) error {
	if err := db.usable(); err != nil {
		return err
	}
	c, err := db.reader(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	err = guard(func() error {
		return f(&tx{link: &link{ctx: ctx, c: c.Conn(), limit: db.options.Statement + grace, orders: ordersOf(c.Conn())}})
	})
	if !lost(c.Conn()) {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.options.Statement)
		_, e := c.Exec(end, "ROLLBACK")
		cancel()
		if err == nil {
			err = plain(e)
		}
	}
	db.views.Add(1)
	if db.fenced.Load() {
		return store.ErrFenced
	}
	return err
}

// reader begins a transaction that reads. Connections that were lost while nobody
// used them are passed over.
func (db *DB) reader(ctx context.Context) (c *pgxpool.Conn, err error) {
	for range db.options.Readers + 1 {
		if c, err = db.pool.Acquire(ctx); err != nil {
			break
		}
		if _, err = c.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err == nil {
			return c, nil
		}
		c.Release() // one that is broken is thrown away
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if e := db.usable(); e != nil {
		return nil, e
	}
	return nil, plain(err)
}

// Ready implements store.Store. A server that could not write is ready when it has
// written again: who would be asked nothing until then has to try by himself.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.recovered(ctx); err != nil {
		return err
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

// Fence implements store.Store. What was sent to the server and not answered may yet
// be committed there; whoever writes next waits for it.
func (db *DB) Fence() {
	db.fenced.Store(true)
	db.commit.Lock()
	db.commit.Unlock() //lint:ignore SA2001 waits for a commit under way
}

// Close implements store.Store.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.closing)
		<-db.closed
		db.writer.close(context.Background())
		db.presence.Lock()
		db.absent(context.Background())
		db.presence.Unlock()
		db.pool.Close()
	})
	return nil
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

var errUndone = errors.New("the server undid the transaction")
