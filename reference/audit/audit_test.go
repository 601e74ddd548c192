package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

var ctx = context.Background()

func chain(t testing.TB, n int) (path string, head audit.Head) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "r.db")
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range n {
		if err := db.Update(ctx, func(tx store.Tx) error {
			seq, err := audit.Append(tx, audit.Entry{
				At: time.Date(2025, 3, 14, 9, 0, i, 999999, time.FixedZone("KST", 9*3600)), Event: "report-mobile-lost", Person: uint64(i), Actor: "operator", Role: "call-centre",
			})
			if seq != uint64(i+1) {
				t.Errorf("entry %d has number %d", i+1, seq)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if head, err = audit.Verify(ctx, db); err != nil {
		t.Fatal(err)
	}
	return path, head
}

func TestTamperingWithTheDatabaseIsFoundAtTheEntry(t *testing.T) {
	for _, test := range []struct {
		name, statement string
		at              uint64
	}{
		{"a reason is rewritten", `UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'operator', 'nobody') AS BLOB) WHERE sequence = 3`, 3},
		{"an entry is removed", `DELETE FROM audit WHERE sequence = 3`, 3},
		{"an entry is removed and the rest moved up", `DELETE FROM audit WHERE sequence = 3; UPDATE audit SET sequence = sequence - 1 WHERE sequence > 3`, 3},
		{"two entries change places", `UPDATE audit SET sequence = -1 WHERE sequence = 3; UPDATE audit SET sequence = 3 WHERE sequence = 4; UPDATE audit SET sequence = 4 WHERE sequence = -1`, 3},
		{"a hash is changed", `UPDATE audit SET hash = zeroblob(32) WHERE sequence = 3`, 3},
		{"the end is cut off", `DELETE FROM audit WHERE sequence > 2`, 3},
		{"everything is removed", `DELETE FROM audit`, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, head := chain(t, 5)
			raw, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := raw.Exec(test.statement); err != nil {
				t.Fatal(err)
			}
			raw.Close()
			db, err := sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			_, err = audit.Verify(ctx, db, head)
			var fault *audit.Fault
			if !errors.As(err, &fault) || fault.Sequence != test.at {
				t.Errorf("found: %v; want entry %d", err, test.at)
			}
		})
	}
}

// A line in which one reader finds the true entry, and another one a forged one.
func TestALineThatCanBeReadInTwoWaysIsFoundAtTheEntry(t *testing.T) {
	path, head := chain(t, 5)
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all bytes.Buffer
	if err := audit.Export(ctx, db, 1, &all); err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(line string) string{
		"the entry twice": func(line string) string {
			return strings.Replace(line, `"entry":`, `"entry":{"sequence":3,"actor":"nobody"},"entry":`, 1)
		},
		"the true entry by a name with other letters": func(line string) string {
			return strings.Replace(line, `"entry":`, `"entry":{"sequence":3,"actor":"nobody"},"Entry":`, 1)
		},
		"a member that is not hashed": func(line string) string { return strings.Replace(line, `{`, `{"remark":"void",`, 1) },
		"the hash in capitals": func(line string) string {
			at := strings.Index(line, `"hash":"`) + len(`"hash":"`)
			return line[:at] + strings.ToUpper(line[at:at+64]) + line[at+64:]
		},
		"a line without end": func(line string) string { return line[:len(line)-1] + strings.Repeat(" ", 2<<20) + "}" },
	} {
		lines := strings.Split(strings.TrimSpace(all.String()), "\n")
		lines[2] = forge(lines[2])
		_, err := audit.VerifyExport(strings.NewReader(strings.Join(lines, "\n")), head)
		var fault *audit.Fault
		if !errors.As(err, &fault) || fault.Sequence != 3 {
			t.Errorf("%s: %v; want entry 3", name, err)
		}
	}
}

func TestAnExportFromTheMiddleLinksToWhatWasBefore(t *testing.T) {
	path, head := chain(t, 5)
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all, tail bytes.Buffer
	if err := errors.Join(audit.Export(ctx, db, 0, &all), audit.Export(ctx, db, 4, &tail)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(all.String(), tail.String()) || strings.Count(tail.String(), "\n") != 2 {
		t.Errorf("the tail is\n%s", &tail)
	}
	if h, err := audit.VerifyExport(&all, head); err != nil || h != head {
		t.Errorf("%+v, %v", h, err)
	}
	if !strings.Contains(tail.String(), `"at":"2025-03-14T00:00:03Z"`) {
		t.Errorf("times are not in UTC and whole milliseconds:\n%s", &tail)
	}
}

func FuzzVerifyExport(f *testing.F) {
	var good []byte // three entries, each bound to the one before
	previous := make([]byte, sha256.Size)
	for i := range 3 {
		body := fmt.Sprintf(`{"sequence":%d}`, i+1)
		hash := sha256.Sum256(append(bytes.Clone(previous), body...))
		good = fmt.Appendf(good, "{\"previous\":\"%x\",\"hash\":\"%x\",\"entry\":%s}\n", previous, hash, body)
		previous = hash[:]
		if head, err := audit.VerifyExport(bytes.NewReader(good)); err != nil || head.Sequence != uint64(i+1) {
			f.Fatal(head, err)
		}
		f.Add(bytes.Clone(good))
	}
	f.Add([]byte(`{"previous":"","hash":"","entry":{}}`))
	f.Add([]byte("\n\n"))
	f.Add([]byte(`{"entry":[[[[[[`))
	f.Fuzz(func(t *testing.T, export []byte) {
		head, err := audit.VerifyExport(bytes.NewReader(export))
		if err == nil && head.Sequence != uint64(len(bytes.Split(bytes.TrimSuffix(export, []byte("\n")), []byte("\n")))) && len(export) > 0 {
			t.Errorf("%d entries were found in %q", head.Sequence, export)
		}
	})
}
