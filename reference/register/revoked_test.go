package register_test

import (
	"context"
	"encoding/json"
	"path/filepath"
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
