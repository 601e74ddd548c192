package sqlite_test

import (
	"database/sql/driver"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// What does not fit is refused: a number that is cut short would be another citizen's.
func TestAColumnIsStoredWholeOrRefused(t *testing.T) {
	type text string
	for _, c := range []struct {
		name string
		from driver.Value
		to   any // a pointer
		want any // nil: refused
	}{
		{"integer", int64(-7), new(int64), int64(-7)},
		{"integer as int", int64(7), new(int), 7},
		{"number of a person", int64(7), new(store.PersonID), store.PersonID(7)},
		{"negative number of a person", int64(-7), new(store.PersonID), nil},
		{"state", int64(5), new(lifecycle.State), lifecycle.State(5)},
		{"state of nine bits", int64(256), new(lifecycle.State), nil},
		{"list", int64(1) << 32, new(uint32), nil},
		{"truth", int64(1), new(bool), true},
		{"no truth", int64(2), new(bool), nil},
		{"integer as text", int64(1), new(string), nil},
		{"text", "서울", new(string), "서울"},
		{"text of a type", "서울", new(text), text("서울")},
		{"text as bytes", "ab", new([]byte), []byte("ab")},
		{"text as integer", "1", new(int64), nil},
		{"text as day", "2008-02-29", new(time.Time), time.Date(2008, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"no day", "2009-02-29", new(time.Time), nil},
		{"day with more", "2008-02-29 12:00", new(time.Time), nil},
		{"bytes", []byte{0, 255}, new([]byte), []byte{0, 255}},
		{"bytes as text", []byte("ab"), new(string), "ab"},
		{"bytes as integer", []byte{1}, new(uint8), nil},
		{"NULL as bytes", nil, &[]byte{1}, []byte(nil)},
		{"NULL as text", nil, new(string), nil},
		{"NULL as integer", nil, new(int64), nil},
		{"real number", 1.5, new(int64), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := reflect.ValueOf(c.to).Elem().Interface()
			err := sqlite.Assign(c.to, c.from)
			is := reflect.ValueOf(c.to).Elem().Interface()
			switch {
			case c.want == nil && err == nil:
				t.Errorf("%v became %v", c.from, is)
			case c.want == nil && !reflect.DeepEqual(is, before):
				t.Errorf("refused, and %v all the same", is)
			case c.want != nil && (err != nil || !reflect.DeepEqual(is, c.want)):
				t.Errorf("%#v, want %#v (%v)", is, c.want, err)
			}
		})
	}
}

// A statement has one cursor: asked anew amid its rows, it would begin again for ever.
func TestAQueryIsNotAskedAmidItsRows(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "r.db"), sqlite.Options{})
	for n := range uint64(3) {
		if err := db.Update(t.Context(), func(tx store.Tx) error {
			return tx.AppendAudit(store.AuditRecord{Sequence: n + 1, Body: []byte{1}, Hash: []byte{2}})
		}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(r store.Reader, f func(store.AuditRecord) error) error { return r.Audit(1, 3, f) }
	err := db.View(t.Context(), func(r store.Reader) error {
		return ask(r, func(store.AuditRecord) error { return ask(r, func(store.AuditRecord) error { return nil }) })
	})
	if err == nil || !strings.Contains(err.Error(), "while its rows are still read") {
		t.Errorf("%v", err)
	}
	// A panic amid rows, too, leaves the statement as it was.
	for range 10 { // each reader
		err = db.View(t.Context(), func(r store.Reader) error {
			return ask(r, func(store.AuditRecord) error { panic("amid rows") })
		})
		if err == nil || !strings.Contains(err.Error(), "amid rows") {
			t.Errorf("%v", err)
		}
	}
	for range 10 {
		n := 0
		if err := db.View(t.Context(), func(r store.Reader) error {
			return ask(r, func(store.AuditRecord) error { n++; return nil })
		}); err != nil || n != 3 {
			t.Errorf("%d entries, %v", n, err)
		}
	}
}
