package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Fence implements store.Store.
func (db *DB) Fence() {
	db.fenced.Store(true)
	db.commit.Lock()
	db.commit.Unlock() //lint:ignore SA2001 waits for a commit under way
}

// AcknowledgedLog is how much of the log file was in use at the last acknowledgement,
// in bytes.
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
	return db.Copy(to)
}

// Copy copies the database to a new path as it was acknowledged at one moment of the
// call, and goes on: what a stand-by site is given. What is acknowledged later is
// not in it.
func (db *DB) Copy(to string) error {
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
