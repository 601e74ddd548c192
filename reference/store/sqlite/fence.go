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
	size, err := db.file.Stat()
	if err != nil {
		return err
	}
	if err := copyFile(to, db.file, size.Size()); err != nil {
		return err
	}
	log, err := os.Open(db.path + "-wal") // SQLite locks nothing of it
	if err != nil {
		return err
	}
	defer log.Close()
	return copyFile(to+"-wal", log, db.acknowledgedLog)
}

func copyFile(to string, from *os.File, n int64) (err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err = io.CopyN(out, io.NewSectionReader(from, 0, n), n); err != nil {
		return fmt.Errorf("%s is shorter than what was acknowledged: %w", from.Name(), err)
	}
	return nil
}
