package sqlite

import (
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"rollcall.example/rollcall/reference/store"
)

// code is SQLite's number of an error (https://www.sqlite.org/rescode.html); its
// low byte names the kind. 0 for errors of others.
func code(err error) int {
	var e *sqlite3.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// plain names the errors that a caller can act upon.
func plain(err error) error {
	switch code(err) & 0xff {
	case sqlitelib.SQLITE_FULL:
		return fmt.Errorf("%w (%v)", store.ErrFull, err)
	case sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_NOTADB:
		return fmt.Errorf("this is not a register that can be read (restore it from a copy): %w", err)
	case sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_READONLY:
		return fmt.Errorf("%w (%w)", store.ErrUnavailable, err)
	}
	return err
}
