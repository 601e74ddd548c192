package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	sqlitelib "modernc.org/sqlite/lib"

	"rollcall.example/rollcall/reference/store"
)

// troubled says whether the files may have to be opened anew: the disk did not do
// what it was asked for.
func troubled(err error) bool {
	switch code(err) & 0xff {
	case sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// breakOff lets the files be opened anew before anything else is done, and returns
// what is said of a commit under way.
func (db *DB) breakOff(why error) error {
	db.broken.Store(&why)
	return fmt.Errorf("%w (%w)", store.ErrUnknown, why)
}

// there says whether the files that are open are still those at the path.
func (db *DB) there() error {
	is, err := os.Stat(db.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s has been removed: put it back with its -wal file, then start again", db.path)
	case err != nil:
		return err
	case !os.SameFile(is, db.opened):
		return fmt.Errorf("%s has been replaced by another file: start again to use that one", db.path)
	}
	if _, err := os.Stat(db.path + "-wal"); err != nil {
		return fmt.Errorf("the log %s-wal has been removed, and the latest changes with it: %w", db.path, err)
	}
	return nil
}

// trial is how much room is tried for when there was none: more than a batch of
// requests takes in the log.
const trial = 1 << 20

// room says whether there is some beside the register. Who would be asked nothing until
// it is ready again cannot find that out by asking.
func (db *DB) room() error {
	db.roomMu.Lock()
	defer db.roomMu.Unlock()
	path := db.path + "-room"
	err := os.WriteFile(path, make([]byte, trial), 0o600)
	return errors.Join(err, os.Remove(path))
}

// reopen opens the files anew. Only the writer calls it.
func (db *DB) reopen() error {
	is, err := os.Stat(db.path)
	if err != nil || !os.SameFile(is, db.opened) {
		return db.there()
	}
	if !db.gate.TryLock() {
		return errors.New("somebody still reads the files that must be opened anew")
	}
	defer db.gate.Unlock()
	if db.writer != nil {
		db.shut()
	}
	if err := db.open(); err != nil {
		return err
	}
	db.broken.Store(nil)
	return nil
}

var errMended = errors.New("the files are open again")

// mend lets the writer open the files anew.
func (db *DB) mend(ctx context.Context) error {
	err := db.Update(ctx, func(store.Tx) error { return errMended })
	if errors.Is(err, errMended) {
		return nil
	}
	return err
}
