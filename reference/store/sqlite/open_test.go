package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

func filled(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "r.db")
	db := open(t, path, sqlite.Options{})
	for id := range store.PersonID(50) {
		if err := add(db, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileThatIsNotOursIsRefusedWithASentence(t *testing.T) {
	patch := func(offset int, value uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[offset:], value)
			return b
		}
	}
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
		says   string
	}{
		{"text", func([]byte) []byte { return []byte("title: announced\n") }, "not an SQLite database"},
		{"one byte", func([]byte) []byte { return []byte{'x'} }, "not an SQLite database"},
		{"half a header", func(b []byte) []byte { return b[:50] }, "cut short"},
		{"cut within a page", func(b []byte) []byte { return b[:len(b)-100] }, "cut short"},
		{"cut by whole pages", func(b []byte) []byte { return b[:4096*3] }, "cut short"},
		{"another program's", patch(68, 0x12345678), "another program"},
		{"unmarked with tables", patch(68, 0), "another program"},
		{"newer", patch(60, 99), "newer version (schema 99"},
		{"four thousand million pages by its header", patch(28, 1<<32-1), "cut short"},
		{"pages of another size", patch(16, 0x0200_0202), "restore it from a copy"},
		{"pages of a size that no power of two is", patch(16, 0x1001_0202), "cut short"},
		{"a first page that is no b-tree", patch(100, 0xff000000), "restore it from a copy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filled(t)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := test.change(b)
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sqlite.Open(path, sqlite.Options{})
			if err == nil {
				db.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("it says %q; want the path and %q", err, test.says)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, changed) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		if _, err := sqlite.Open(t.TempDir(), sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "not a file") {
			t.Errorf("it says %v", err)
		}
	})
}

func TestAnEmptyFileBecomesARegister(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := add(open(t, path, sqlite.Options{}), 1); err != nil {
		t.Fatal(err)
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "등록 100% ?#&=.db")
	if err := add(open(t, path, sqlite.Options{}), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
