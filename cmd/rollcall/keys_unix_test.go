//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/keys"
)

// Whoever revokes and rotates at the same moment finds all of it in the file.
func TestNoChangeOfTheKeysIsLostToAnother(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "rollcall-data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	m := keys.Maker{Random: chance, URL: "https://id.example", Hosts: []string{"id.example"}}
	all, err := m.Found(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path, lock := filepath.Join(data, keysFile), keys.Lock{KeyFile: filepath.Join(data, lockFile)}
	if err := keys.Write(path, lock, all, chance, true); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	const each = 6
	var running sync.WaitGroup
	for n := range each {
		for _, args := range [][]string{
			{"revoke", "--party", fmt.Sprint("party-", n), "--name", "Party"},
			{"rotate", "seal", "--in", fmt.Sprint(n+1, "h")},
		} {
			running.Go(func() {
				c := exec.Command(program, append([]string{"keys"}, args...)...)
				c.Dir = dir
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%q: %v: %s", args, err, out)
				}
			})
		}
	}
	running.Wait()
	before := len(all)
	if all, err = keys.Read(path, lock); err != nil {
		t.Fatal(err)
	}
	revoked := 0
	for _, k := range all {
		revoked += len(k.Revoked)
	}
	if revoked != each || len(all) != before+each {
		t.Errorf("%d of %d revocations and %d of %d keys are in the file", revoked, each, len(all)-before, each)
	}
}
