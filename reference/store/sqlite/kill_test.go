package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

const victim = "ROLLCALL_TEST_VICTIM"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		acknowledgeForEver(path)
	}
	os.Exit(m.Run())
}

// acknowledgeForEver writes people, and their numbers to standard output when
// they are acknowledged.
func acknowledgeForEver(path string) {
	db, err := sqlite.Open(path, sqlite.Options{CheckpointBytes: 100 << 10})
	for id := store.PersonID(1); err == nil; id++ {
		if err = add(db, id); err == nil {
			_, err = fmt.Println(id)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.db")
	last := 0
	for round := range 3 {
		child := exec.Command(self)
		child.Env = append(os.Environ(), victim+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if n == 40+30*round {
				if err := child.Process.Kill(); err != nil { // and read on what it had said
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		db, err := sqlite.Open(path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.View(ctx, func(r store.Reader) error {
			for id := 1; id <= last; id++ {
				if _, err := r.Person(store.PersonID(id)); errors.Is(err, store.ErrNotFound) {
					t.Errorf("round %d: person %d of %d is lost", round, id, last)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
