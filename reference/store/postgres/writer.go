package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/internal/row"
)

// request is an Update that waits for the writer.
type request struct {
	ctx  context.Context
	f    func(store.Tx) error
	err  error
	done chan struct{}

	mu  sync.Mutex // held while f runs
	ran bool       // f has run: it may be committed
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
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return r.leave()
	}
}

// leave gives up waiting, because the context is over. f is not running when it
// returns, and will not run any more: it never does when the context is over.
func (r *request) leave() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	default:
	}
	if r.ran {
		return fmt.Errorf("%w (it was not waited for: %w)", store.ErrUnknown, r.ctx.Err())
	}
	return r.ctx.Err()
}

// writer is the connection of the one goroutine that writes.
type writer struct {
	config *pgx.ConnConfig
	c      *pgx.Conn // nil or closed: a new one is made when it is needed
	number int64     // of the latest batch
	warned string    // what the server warned of, since it was last cleared
}

func newWriter(config *pgx.ConnConfig, o Options) *writer {
	w := &writer{config: config.Copy()}
	// A replica that falls silent in the middle of a batch holds the lock: the
	// server throws it out.
	w.config.RuntimeParams["idle_in_transaction_session_timeout"] = millisecondsOf(2 * o.Statement)
	w.config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			w.warned = n.Message
		}
	}
	return w
}

func (w *writer) connect(ctx context.Context) error {
	if !lost(w.c) {
		return nil
	}
	c, err := pgx.ConnectConfig(ctx, w.config)
	if err != nil {
		return err
	}
	if err := known(ctx, c); err != nil {
		return errors.Join(err, c.Close(ctx))
	}
	w.c = c
	return nil
}

func (w *writer) close(ctx context.Context) {
	if !lost(w.c) {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		_ = w.c.Close(ctx)
	}
}

// write is the one writer.
func (db *DB) write() {
	defer close(db.closed)
	for {
		var batch []*request
		select {
		case r := <-db.requests:
			batch = append(batch, r)
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
			if hurt(r.err) {
				db.hurt.Store(true)
			}
			close(r.done)
		}
	}
}

// tries limits how often a batch is run: a connection may have been lost while it
// was idle, or be lost in between; the server may undo a transaction to resolve a
// deadlock with somebody who works on the tables.
const tries = 3

// run executes and commits a batch and sets the error of each request.
func (db *DB) run(batch []*request) {
	var err error
	for range tries {
		if db.fenced.Load() {
			err = store.ErrFenced
			break
		}
		if err = db.attempt(batch); !errors.Is(err, errUndone) {
			break
		}
	}
	if err == nil {
		return // each has its own
	}
	for _, r := range batch {
		r.err = plain(err)
	}
}

// undoneBy says that nothing of the transaction was written and that it may be
// tried again.
func undoneBy(err error) error { return fmt.Errorf("%w: %w", errUndone, err) }

// attempt runs a batch once. nil: it is committed or had nothing to commit, and
// each request has its error. Other errors are those of all requests.
func (db *DB) attempt(batch []*request) error {
	var end chain
	l, err := db.begin(&end)
	if err != nil {
		return err
	}
	granted := 0
	for _, r := range batch {
		ok, err := db.one(l, r, &end)
		if err != nil {
			db.abandon()
			return err
		}
		if ok {
			granted++
		}
	}
	if granted == 0 {
		db.abandon()
		return nil
	}

	db.commit.Lock()
	defer db.commit.Unlock()
	if db.fenced.Load() {
		db.abandon()
		return store.ErrFenced
	}
	if err := db.end(l); err != nil {
		clear(l.orders)
		return err
	}
	if db.fenced.Load() { // meanwhile: committed, not acknowledged
		return store.ErrFenced
	}
	db.hurt.Store(false)
	db.commits.Add(uint64(granted))
	db.batches.Add(1)
	return nil
}

// keep is how many of its batches' rows a replica leaves in the table.
const keep = 1000

// begin lets a transaction begin that takes the lock, marks the batch and reads the
// head of the chain: with the first statement that needs an answer.
func (db *DB) begin(end *chain) (*link, error) {
	w, o := db.writer, &db.options
	ctx := context.Background()
	if err := w.connect(ctx); err != nil {
		return nil, plain(err)
	}
	l := &link{ctx: ctx, c: w.c, limit: o.Statement + grace, first: o.Wait + o.Statement + grace, orders: ordersOf(w.c)}
	w.number++
	l.later("BEGIN ISOLATION LEVEL READ COMMITTED")
	l.later(`SELECT set_config('statement_timeout', $1, true), set_config('synchronous_commit',
		CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)`,
		millisecondsOf(o.Wait+o.Statement))
	l.later(lock)
	l.later(`INSERT INTO batch (replica, number) VALUES ($1, $2)`, db.replica, w.number)
	if w.number%keep == 0 {
		l.later(`DELETE FROM batch WHERE replica = $1 AND number <= $2`, db.replica, w.number-keep)
	}
	l.reading(func(r pgx.BatchResults) (err error) {
		if end.end, err = row.Audit(r.QueryRow().Scan); errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		end.known, end.granted = err == nil, end.end
		return err
	}, headSelect)
	return l, nil
}

const savepoint = "SAVEPOINT request"

// one runs one request. An error is the batch's.
func (db *DB) one(l *link, r *request, end *chain) (granted bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err = r.ctx.Err(); r.err != nil {
		return false, nil
	}
	r.ran = true
	l.later(savepoint)
	t := &tx{link: l, chain: end}
	r.err = guard(func() error { return r.f(t) })
	if r.err == nil && t.broken == nil {
		l.later("RELEASE request")
		if err := l.flush(); err != nil {
			r.err = t.fail(err)
		}
	}
	if t.broken != nil { // even if f overlooked it
		r.err = plain(t.broken)
		switch {
		case undone(t.broken) || lost(l.c):
			return false, undoneBy(t.broken)
		case !end.known: // it is not this request's failure
			return false, r.err
		}
	}
	if r.err == nil {
		end.granted = end.end
		return true, nil
	}
	end.end = end.granted
	if l.drop(savepoint) { // nothing of it was sent
		return false, nil
	}
	l.queue = l.queue[:0]
	clear(l.orders)
	if _, err := l.exec("ROLLBACK TO request"); err != nil {
		return false, undoneBy(err)
	}
	return false, nil
}

// abandon gives up the transaction. Nothing of it is written.
func (db *DB) abandon() {
	w := db.writer
	if lost(w.c) {
		return
	}
	clear(ordersOf(w.c))
	if w.c.PgConn().TxStatus() == 'I' { // nothing was sent, or the server has given it up
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), db.options.Statement)
	defer cancel()
	if _, err := w.c.Exec(ctx, "ROLLBACK"); err != nil {
		w.close(ctx)
	}
}

// end commits. Whoever calls it holds db.commit.
func (db *DB) end(l *link) error {
	w := db.writer
	w.warned = ""
	ctx, cancel := context.WithTimeout(context.Background(), db.options.Commit)
	// A commit is never cancelled: it would be there, and not where it must be too.
	tag, err := l.once(ctx, "SET LOCAL statement_timeout = 0; COMMIT")
	cancel()
	var e *pgconn.PgError
	switch {
	case err == nil && tag.String() == "COMMIT" && w.warned == "":
		return nil
	case err == nil && tag.String() == "ROLLBACK":
		return undoneBy(errors.New("it was rolled back instead of committed"))
	case errors.As(err, &e) && e.SeverityUnlocalized == "ERROR":
		db.abandon()
		if undone(err) {
			return undoneBy(err)
		}
		return plain(err)
	case err == nil:
		// It waits for a stand-by no longer, though it should.
		err = fmt.Errorf("the server warns: %s", w.warned)
	}
	return db.ask(w.number, err)
}

// ask finds out what became of a batch whose commit was not answered. It commits a
// batch of its own, so that what it has seen is as safe as any commit.
func (db *DB) ask(number int64, why error) error {
	ctx, cancel := context.WithTimeout(context.Background(), db.options.Commit)
	defer cancel()
	for {
		if db.fenced.Load() {
			return store.ErrFenced
		}
		committed, err := db.committed(number)
		switch {
		case err == nil && committed:
			return nil
		case err == nil:
			return undoneBy(why)
		}
		pause, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		<-pause.Done()
		stop()
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%v; and then: %v)", store.ErrUnknown, why, err)
		}
	}
}

func (db *DB) committed(number int64) (yes bool, err error) {
	l, err := db.begin(new(chain))
	if err != nil {
		return false, err
	}
	if err := l.row(`SELECT EXISTS (SELECT FROM batch WHERE replica = $1 AND number = $2)`, []any{db.replica, number}, &yes); err != nil {
		db.abandon()
		return false, err
	}
	w := db.writer
	w.warned = ""
	ctx, cancel := context.WithTimeout(context.Background(), db.options.Commit)
	defer cancel()
	tag, err := l.once(ctx, "SET LOCAL statement_timeout = 0; COMMIT")
	if err == nil && (tag.String() != "COMMIT" || w.warned != "") {
		err = fmt.Errorf("the server says %s, and warns: %s", tag, w.warned)
	}
	return yes, err
}
