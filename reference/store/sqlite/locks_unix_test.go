//go:build unix

package sqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

const visitor = "ROLLCALL_TEST_VISITOR"

func init() {
	if path := os.Getenv(visitor); path != "" {
		visit(path)
	}
}

// visit is another program that asks whether anybody has the register open, as SQLite asks:
// who holds SHARED_FIRST and the bytes after it (https://www.sqlite.org/lockingv3.html).
func visit(path string) {
	f, err := os.Open(path)
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0x40000000 + 2, Len: 510}
	if err == nil {
		err = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Print(lock.Type != syscall.F_UNLCK)
	os.Exit(0)
}

// Whoever reads the register while it is served, as sqlite3 does for a copy, must find that
// it is open: the last one to close a database takes its log away.
func TestOtherProgramsSeeThatTheRegisterIsOpen(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.db")
	open := func() string {
		t.Helper()
		child := exec.Command(self)
		child.Env = append(os.Environ(), visitor+"="+path)
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, do := range map[string]func() error{
		"after it was opened":  func() error { return nil },
		"after a change":       func() error { return add(db, 1) },
		"after it was read":    func() error { return db.View(ctx, func(r store.Reader) error { _, err := r.Sequence(); return err }) },
		"after it was copied":  func() error { return db.Copy(filepath.Join(t.TempDir(), "copy.db")) },
		"after it was checked": func() error { return db.Ready(ctx) },
	} {
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := open(); got != "true" {
			t.Errorf("%s others see that it is open: %s", what, got)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(); got != "false" {
		t.Errorf("after it was closed others see that it is open: %s", got)
	}
}
