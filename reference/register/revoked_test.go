package register_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

func TestARevocationStandsInTheLogOnceWhoeverNotesItAgainAndHoweverLate(t *testing.T) {
	ctx := context.Background()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "register.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	r := &register.Register{Store: db, Now: func() time.Time { return now }}
	first := register.Revoked{Root: "iaca", Serial: "5d1f", Why: "key-compromise"}
	all := []register.Revoked{first}
	for n := range 250 { // more than one commit takes
		all = append(all, register.Revoked{Root: "authority", Serial: "5d1f" + string(rune('a'+n%26)) + string(rune('a'+n/26)), Why: "superseded"})
	}
	all = append(all, register.Revoked{Root: "authority", Serial: "5d1f", Why: "superseded"}) // another root gives numbers of its own
	var replicas sync.WaitGroup
	for range 4 {
		replicas.Go(func() {
			if err := r.NoteRevoked(ctx, "serve", "administrator", all); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	now = now.Add(20 * 365 * 24 * time.Hour)
	for n := 1; n > 0; {
		if n, err = r.Forget(ctx, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.NoteRevoked(ctx, "serve", "administrator", all); err != nil {
		t.Fatal(err)
	}
	head, err := audit.Verify(ctx, db)
	if err != nil || head.Sequence != uint64(len(all)) {
		t.Errorf("%d entries of %d revocations, %v", head.Sequence, len(all), err)
	}
	if err := db.View(ctx, func(v store.Reader) error {
		return v.Audit(1, 1, func(a store.AuditRecord) error {
			var e audit.Entry
			err := json.Unmarshal(a.Body, &e)
			if e.Event != "certificate-revoked" || e.Subject != first.Serial || e.Reason != first.Why || e.Actor != "serve" || e.Person != 0 {
				t.Errorf("%s", a.Body)
			}
			return err
		})
	}); err != nil {
		t.Error(err)
	}
}

// listEntries are the entries about lists, and how often each certificate stands in them, by
// the root of its list and its number.
func listEntries(t *testing.T, s store.Store) (entries []audit.Entry, times map[string]int) {
	t.Helper()
	times = map[string]int{}
	if err := s.View(context.Background(), func(v store.Reader) error {
		return v.Audit(1, ^uint64(0), func(a store.AuditRecord) error {
			var e audit.Entry
			if err := json.Unmarshal(a.Body, &e); err != nil || e.List == nil {
				return err
			}
			entries = append(entries, e)
			for _, c := range e.List.Revoked {
				times[e.List.Root+" "+c.Serial]++
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	return entries, times
}

// listed is a list with so many certificates, from a first one on.
func listed(names, number string, first, n int) register.RevocationList {
	l := register.RevocationList{Authority: "CSCA of " + names, Names: names, Root: "root " + names, Number: number, Made: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	for i := range n {
		l.Revoked = append(l.Revoked, register.ListedCertificate{Serial: fmt.Sprintf("%x", 0x1000+first+i), At: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Reason: "key-compromise"})
	}
	return l
}

func TestWhatAListRevokesStandsInTheLogOnceWhoeverNotesItAgainAndHoweverLate(t *testing.T) {
	ctx := context.Background()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "register.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	r := &register.Register{Store: db, Now: func() time.Time { return now }}
	for i, step := range []struct {
		what    string
		list    register.RevocationList
		entries int // more than before
		new     int
	}{
		{"nothing is revoked", listed("A", "1", 0, 0), 0, 0},
		{"one is", listed("A", "2", 0, 1), 1, 1},
		{"the same again", listed("A", "3", 0, 1), 0, 0},
		{"two more", listed("A", "4", 0, 3), 1, 2},
		{"the first has run out and is named no more", listed("A", "5", 1, 2), 0, 0},
		{"it is named again", listed("A", "6", 0, 3), 0, 0},
		{"another authority's have numbers of their own", listed("B", "1", 0, 3), 1, 3},
		{"many", listed("A", "7", 0, 253), 3, 250}, // not one entry for each, nor all in one
	} {
		before, had := listEntries(t, db)
		var replicas sync.WaitGroup
		for range 4 {
			replicas.Go(func() {
				if err := r.NoteList(ctx, "serve", "administrator", step.list); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
		if i%2 == 1 {
			now = now.Add(200 * 24 * time.Hour)
			for n := 1; n > 0; {
				if n, err = r.Forget(ctx, 1000); err != nil {
					t.Fatal(err)
				}
			}
		}
		after, has := listEntries(t, db)
		if len(after)-len(before) != step.entries || len(has)-len(had) != step.new {
			t.Errorf("%s: %d entries of %d certificates, not %d of %d", step.what, len(after)-len(before), len(has)-len(had), step.entries, step.new)
		}
		for name, n := range has {
			if n != 1 {
				t.Errorf("%s: %s stands %d times in the log", step.what, name, n)
			}
		}
	}
	entries, _ := listEntries(t, db)
	e := entries[1]
	want := audit.List{Authority: "CSCA of A", Root: "root A", Number: "4", Made: "2026-03-01T08:00:00Z", Revoked: []audit.Revoked{
		{Serial: "1001", At: "2026-02-01T00:00:00Z", Reason: "key-compromise"}, {Serial: "1002", At: "2026-02-01T00:00:00Z", Reason: "key-compromise"},
	}}
	if e.Event != "certificate-revoked" || e.Actor != "serve" || e.Person != 0 || e.Subject != "" || e.Reason != "list 4 of CSCA of A" || !reflect.DeepEqual(*e.List, want) {
		t.Errorf("%+v %+v", e, e.List)
	}
	if _, err := audit.Verify(ctx, db); err != nil {
		t.Error(err)
	}
}

// What another authority writes may be of any length; the log is exported in lines of limited length.
func TestWhateverAListSaysTheLogCanBeExportedAndVerified(t *testing.T) {
	ctx := context.Background()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "register.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := &register.Register{Store: db, Now: func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }}
	l := listed(strings.Repeat("국\x00\xff", 1<<16), strings.Repeat("9", 1<<16), 0, 0)
	l.Root = "root"
	for n := range 100 {
		l.Revoked = append(l.Revoked, register.ListedCertificate{Serial: strings.Repeat("f", 1<<16) + fmt.Sprint(n), Reason: strings.Repeat("<", 1<<16)})
	}
	if err := r.NoteList(ctx, "serve", "administrator", l); err != nil {
		t.Fatal(err)
	}
	entries, _ := listEntries(t, db)
	if len(entries) != 1 || len(entries[0].List.Revoked) != 100 {
		t.Fatalf("%d entries", len(entries))
	}
	var export bytes.Buffer
	if err := audit.Export(ctx, db, 1, &export); err != nil || export.Len() > 1<<17 {
		t.Errorf("%d bytes, %v", export.Len(), err)
	}
	if head, err := audit.VerifyExport(&export); err != nil || head.Sequence != 1 {
		t.Errorf("%v %v", head, err)
	}
}
