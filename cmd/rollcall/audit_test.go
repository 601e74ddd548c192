package main

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// logged is a register whose audit log has n entries, and an export of it.
func logged(t *testing.T, n int) (register, export string) {
	t.Helper()
	dir := t.TempDir()
	register, export = filepath.Join(dir, "register.db"), filepath.Join(dir, "audit.jsonl")
	db, err := sqlite.Open(register, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range n {
		if err := db.Update(t.Context(), func(tx store.Tx) error {
			_, err := audit.Append(tx, audit.Entry{At: time.Unix(int64(i), 0), Event: "report-mobile-lost", Person: uint64(i), Actor: "operator", Role: "call-centre"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := audit.Export(t.Context(), db, 1, &out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(export, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return register, export
}

func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Main(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestAuditVerifySaysThatALogIsWholeAndWhatItCannotTell(t *testing.T) {
	register, export := logged(t, 5)
	for _, where := range [][]string{{"--database", register}, {"--export", export}} {
		code, out, stderr := invoke(t, append([]string{"audit", "verify"}, where...)...)
		if code != 0 || !strings.Contains(out, "5 entries") || !strings.Contains(out, "No checkpoint") {
			t.Errorf("%v: %d\n%s%s", where, code, out, stderr)
		}
	}
}

func TestAuditVerifyNamesTheEntryThatIsWrong(t *testing.T) {
	for name, statement := range map[string]string{
		"changed": `UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'operator', 'nobody') AS BLOB) WHERE sequence = 3`,
		"removed": `DELETE FROM audit WHERE sequence = 3`,
	} {
		register, _ := logged(t, 5)
		db, err := sql.Open("sqlite", register)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := invoke(t, "audit", "verify", "--database", register); code != 99 || !strings.Contains(stderr, "audit entry 3") {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
}

func TestAuditVerifyMakesNoRegister(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := invoke(t, "audit", "verify", "--data", dir); code != 2 || !strings.Contains(stderr, "no register") {
		t.Errorf("%d %s", code, stderr)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("it left %v behind", files)
	}
	_, export := logged(t, 1)
	if code, _, stderr := invoke(t, "audit", "verify", "--export", export, "--checkpoint", export); code != 2 || !strings.Contains(stderr, "--root") {
		t.Errorf("a checkpoint without a root: %d %s", code, stderr)
	}
}
