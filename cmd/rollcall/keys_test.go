package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/keys"
)

// A replica reads the file of keys again when it is another one than it has read, even
// if nobody tells it to.
func TestKeysThatAreChangedAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	addFlags(f)
	if err := f.Set("data", dir); err != nil {
		t.Fatal(err)
	}
	c, err := configure(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &running{c: c, url: "https://localhost:9", data: dir, log: slog.New(slog.DiscardHandler), metrics: httpapi.NewMetrics("test")}
	if err := s.openKeys("localhost"); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.reloadIfChanged(); changed || err != nil {
		t.Errorf("unchanged keys were read again: %t %v", changed, err)
	}
	later := time.Now().Add(time.Hour)
	before := s.nonces(later)
	path := filepath.Join(dir, keysFile)
	lock, err := c.lock()
	if err != nil {
		t.Fatal(err)
	}
	all, err := keys.Read(path, lock)
	if err != nil {
		t.Fatal(err)
	}
	m, err := keys.Like(all, keys.Nonce, chance)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if all, err = m.Rotate(all, keys.Nonce, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// A root that is to take over: checkpoints by it are checked with what lies in the folder.
	roots := len(readRoots(t, dir))
	if m, err = keys.Like(all, keys.IACA, chance); err != nil {
		t.Fatal(err)
	}
	if all, err = m.Rotate(all, keys.IACA, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := keys.Write(path, lock, all, chance, false); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.reloadIfChanged(); !changed || err != nil {
		t.Errorf("changed keys were not read again: %t %v", changed, err)
	}
	if s.nonces(later) == before {
		t.Error("the new secret is not taken up")
	}
	if now := len(readRoots(t, dir)); roots != 1 || now != 2 {
		t.Errorf("%s holds %d roots, then %d", iacaFile, roots, now)
	}
	if changed, err := s.reloadIfChanged(); changed || err != nil {
		t.Errorf("they are read again and again: %t %v", changed, err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.reloadIfChanged(); !changed || err == nil {
		t.Errorf("a file that is none: %t %v", changed, err)
	}
	if s.nonces(later) == before {
		t.Error("the keys before do not stay in use")
	}
}

func readRoots(t *testing.T, dir string) [][]byte {
	t.Helper()
	ders, err := certificates([]string{filepath.Join(dir, iacaFile)})
	if err != nil {
		t.Fatal(err)
	}
	return ders
}
