package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// Files can be written to as long as they are open, whoever has removed them.
func TestFilesThatAreRemovedOrReplacedUnderAnOpenRegisterAreNoticed(t *testing.T) {
	for what, c := range map[string]struct {
		remove func(path string) error
		says   string
	}{
		"the database is removed": {os.Remove, "has been removed"},
		"the log is removed":      {func(p string) error { return os.Remove(p + "-wal") }, "log"},
		"the database is replaced": {func(p string) error {
			return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, nil, 0o600))
		}, "replaced"},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.db")
			db := open(t, path, sqlite.Options{})
			if err := add(db, 1); err != nil {
				t.Fatal(err)
			}
			if err := c.remove(path); err != nil {
				t.Fatal(err)
			}
			if err := db.Ready(ctx); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Ready says %v", err)
			}
			if err := add(db, 2); !errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("an Update was acknowledged, or refused with %v", err)
			}
			if what == "the log is removed" && !has(t, db, 1) { // it is still open, and is moved into the database
				t.Error("the log was removed, and what it held is lost")
			}
		})
	}
}

func TestARegisterThatIsPutBackGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{})
	if err := add(db, 1); err != nil {
		t.Fatal(err)
	}
	move := func(from, to string) {
		t.Helper()
		if err := errors.Join(os.Rename(from, to), os.Rename(from+"-wal", to+"-wal")); err != nil {
			t.Fatal(err)
		}
	}
	move(path, path+".away")
	if err := add(db, 2); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("an Update was acknowledged, or refused with %v", err)
	}
	for what, err := range map[string]error{"Update": add(db, 3), "Ready": db.Ready(ctx)} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("while it is away, %s says %v", what, err)
		}
	}
	move(path+".away", path)
	if !has(t, db, 1) || has(t, db, 3) {
		t.Error("it does not hold what was acknowledged, and nothing that was refused")
	}
	if err := add(db, 4); err != nil {
		t.Error(err)
	}
}
