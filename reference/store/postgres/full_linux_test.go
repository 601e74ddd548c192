package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
)

// smallDisk is a database whose tables lie on a file system of its own, and a folder there.
func smallDisk(t *testing.T, room string) (address, dir string) {
	t.Helper()
	address = server(t)
	folder := os.Getenv("ROLLCALL_POSTGRES_DIR") // which the server's user can reach
	if folder == "" {
		t.Skip("the server's disk cannot be chosen: put the folder that .ci/postgres start was given into ROLLCALL_POSTGRES_DIR")
	}
	dir, err := os.MkdirTemp(folder, "small")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+room); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	space := filepath.Join(dir, "tables")
	is, err := os.Stat(filepath.Join(folder, "data"))
	if err != nil {
		t.Fatal(err)
	}
	owner := is.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(space, 0o700), os.Chown(space, int(owner.Uid), int(owner.Gid))); err != nil {
		t.Fatal(err)
	}
	admin(t, "CREATE TABLESPACE small LOCATION '"+space+"'", "CREATE DATABASE small TABLESPACE small ENCODING 'UTF8' TEMPLATE template0")
	t.Cleanup(func() { admin(t, "DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small") })
	return strings.Replace(address, "/postgres?", "/small?", 1), dir
}

func TestARealDiskOfTheServerThatIsFullRefusesAndTheRegisterGoesOnByItself(t *testing.T) {
	address, dir := smallDisk(t, "40M")
	one, other := open(t, address, postgres.Options{}), open(t, address, postgres.Options{})
	// A connection that begins may have to write a file on that disk (the server's cache of
	// its catalogue), so both have theirs before it is full.
	for _, db := range []*postgres.DB{one, other} {
		if err := db.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ballast := filepath.Join(dir, "ballast")
	id := store.PersonID(1)
	if err := add(one, id); err != nil {
		t.Fatal(err)
	}
	id++
	for range 2 {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = f.Write(make([]byte, 64<<10))
		}
		f.Close()
		var full error
		for last := id + 50_000; full == nil && id < last; id++ {
			full = add(one, id)
		}
		if !errors.Is(full, store.ErrFull) {
			t.Fatalf("at person %d, a full disk is called %v", id, full)
		}
		if has(t, one, id-1) || !has(t, one, id-2) {
			t.Error("who was refused is there, or who was acknowledged is not")
		}
		for range 3 {
			if err := one.Ready(ctx); !errors.Is(err, store.ErrFull) {
				t.Errorf("Ready, while there is no room, says %v", err)
			}
		}
		if err := other.Ready(ctx); err != nil {
			t.Errorf("a replica that was asked for nothing is %v", err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := one.Ready(ctx); err != nil {
			t.Errorf("Ready, with room again: %v", err)
		}
		if err := add(one, id); err != nil {
			t.Errorf("with room again: %v", err)
		}
		id++
	}
}
