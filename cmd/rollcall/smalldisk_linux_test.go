package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// smallDisk is a file system of its own with room for so many bytes.
func smallDisk(t *testing.T, room string) string {
	t.Helper()
	dir := t.TempDir()
	mount(t, dir, room)
	return dir
}

func mount(t *testing.T, dir, room string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+room); err != nil {
		t.Skipf("no file system can be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// smallDatabase is one whose tables lie on a file system of its own, and where that is.
func smallDatabase(t *testing.T, room string) (address, dir string) {
	t.Helper()
	server, folder := os.Getenv("ROLLCALL_POSTGRES"), os.Getenv("ROLLCALL_POSTGRES_DIR")
	if server == "" || folder == "" {
		t.Skip("no PostgreSQL whose disk can be chosen: start one by .ci/postgres start DIR, put the address it prints into ROLLCALL_POSTGRES and DIR into ROLLCALL_POSTGRES_DIR")
	}
	dir, err := os.MkdirTemp(folder, "small") // which the server's user can reach
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	mount(t, dir, room)
	is, err := os.Stat(filepath.Join(folder, "data"))
	if err != nil {
		t.Fatal(err)
	}
	owner, space := is.Sys().(*syscall.Stat_t), filepath.Join(dir, "tables")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(space, 0o700), os.Chown(space, int(owner.Uid), int(owner.Gid))); err != nil {
		t.Fatal(err)
	}
	admin := func(statements ...string) {
		t.Helper()
		c, err := pgx.Connect(context.Background(), server)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		for _, s := range statements {
			if _, err := c.Exec(context.Background(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	admin("CREATE TABLESPACE small LOCATION '"+space+"'", "CREATE DATABASE small TABLESPACE small ENCODING 'UTF8' TEMPLATE template0")
	t.Cleanup(func() { admin("DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small") })
	return strings.Replace(server, "/postgres?", "/small?", 1), dir
}
