package sqlite

import (
	"context"
	"errors"
	"fmt"

	sqlitelib "modernc.org/sqlite/lib"

	"rollcall.example/rollcall/reference/store"
)

// request is an Update that waits for the writer.
type request struct {
	ctx  context.Context
	f    func(store.Tx) error
	err  error
	done chan struct{}
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

// far is how many times its limit a log is from which on readers are kept from coming
// until it is moved.
const far = 32

// write is the one writer.
func (db *DB) write() {
	defer close(db.closed)
	limit := db.options.CheckpointBytes
	due := limit            // the length of the log from which on it is to be emptied
	var alone chan struct{} // not nil: somebody waits for the readers to end
	empty := func(left leftover) {
		log := db.acknowledgedLog
		if due = limit; db.emptyAlone(left) != nil {
			due = log + limit // not after every batch
		}
	}
	for {
		var batch []*request
		select {
		case r := <-db.requests:
			batch = append(batch, r)
		case <-alone:
			alone = nil
			db.writing.Lock()
			empty(fileCut)
			db.writing.Unlock()
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
		db.writing.Lock()
		db.run(batch)
		for _, r := range batch {
			if errors.Is(r.err, store.ErrFull) {
				db.full.Store(true)
			}
			close(r.done)
		}
		// Only this goroutine changes acknowledgedLog. Readers are waited for
		// only when the log has grown far beyond its limit, and not by this
		// goroutine: a View may itself wait for an Update, and a long export
		// shall not hold up every writer. A failure loses nothing: the log
		// grows until it succeeds.
		switch log := db.acknowledgedLog; {
		case log <= due || alone != nil:
		case log > far*limit:
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
		case db.gate.TryLock():
			empty(fileKept)
			if due == limit && log > 2*limit { // nobody needs a file that long
				empty(fileCut)
			}
			db.gate.Unlock()
		}
		db.writing.Unlock()
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
	if db.broken.Load() != nil {
		if err := db.reopen(); err != nil {
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrFull) {
				err = fmt.Errorf("%w (%w)", store.ErrUnavailable, err)
			}
			fail(err)
			return
		}
	}
	w := db.writer
	if err := w.control("BEGIN IMMEDIATE"); err != nil {
		if troubled(err) {
			db.breakOff(err)
		}
		fail(plain(err))
		return
	}
	granted := 0
	one := len(batch) == 1 // needs no savepoint: without it the transaction is empty
	for _, r := range batch {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		if !one {
			if err := w.control("SAVEPOINT request"); err != nil {
				db.abandon(batch, err)
				return
			}
		}
		t := &tx{conn: w}
		r.err = guard(func() error { return r.f(t) })
		if t.broken != nil { // even if f overlooked it
			r.err = plain(t.broken)
		}
		if r.err == nil {
			granted++
		}
		if one {
			break
		}
		if r.err != nil {
			if err := w.undo("ROLLBACK TO request"); err != nil {
				// SQLite gave up the whole transaction.
				db.abandon(batch, r.err)
				return
			}
		}
		if err := w.control("RELEASE request"); err != nil {
			db.abandon(batch, err)
			return
		}
	}
	if granted == 0 {
		_ = w.undo("ROLLBACK")
		return
	}

	db.commit.Lock()
	defer db.commit.Unlock()
	if db.fenced.Load() {
		_ = w.undo("ROLLBACK")
		fail(store.ErrFenced)
		return
	}
	if err := w.control("COMMIT"); err != nil {
		_ = w.undo("ROLLBACK")
		if code(err)&0xff == sqlitelib.SQLITE_FULL {
			fail(plain(err))
			return
		}
		// A log that could not be synced may or may not hold the commit, and a
		// second sync may claim success for pages that are gone. Only opening
		// the files anew tells.
		fail(db.breakOff(fmt.Errorf("the log could not be written: %w", err)))
		return
	}
	if db.fenced.Load() { // meanwhile: committed, not acknowledged
		fail(store.ErrFenced)
		return
	}
	// Files that were removed can be written to as long as they are open.
	if err := db.there(); err != nil {
		fail(db.breakOff(err))
		return
	}
	length, err := db.logLength()
	if err != nil {
		fail(db.breakOff(fmt.Errorf("the length of the log cannot be read: %w", err)))
		return
	}
	db.acknowledgedLog = length
	db.full.Store(false)
	db.commits.Add(uint64(granted))
	db.batches.Add(1)
}

// abandon gives up a transaction that SQLite can't continue: nothing is written
// and every request fails, those refused before included, because they may have
// been refused for something that is now undone.
func (db *DB) abandon(batch []*request, err error) {
	_ = db.writer.undo("ROLLBACK")
	for _, r := range batch {
		r.err = plain(err)
	}
}
