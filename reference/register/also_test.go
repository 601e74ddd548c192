package register_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// What belongs to a request is in the register once if anything of the request is:
// in the same commit, and not if that fails.
func TestWhatAlsoChangesIsMadeOnceWithTheFirstChangeThatSucceeds(t *testing.T) {
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "register.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := &register.Register{Store: db}
	until := time.Date(2025, 3, 14, 12, 0, 0, 0, time.UTC)
	use := func(name string) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.UseNonce([]byte(name), until) }
	}
	failed := errors.New("failed")
	fails := func(store.Tx) error { return failed }
	used := func(name string) bool {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			if err := use(name)(tx); err != nil {
				return err
			}
			return failed // taken back
		})
		return errors.Is(err, store.ErrTaken)
	}
	request := func(name string) context.Context { return register.Also(t.Context(), use(name)) }

	ctx := request("proof")
	if err := r.Update(ctx, fails); !errors.Is(err, failed) || used("proof") {
		t.Errorf("a change that failed: %v, used %v", err, used("proof"))
	}
	before := db.Stats().Commits
	if err := r.Update(ctx, use("change")); err != nil || !used("proof") || !used("change") || db.Stats().Commits != before+1 {
		t.Errorf("the next one: %v, in %d commits", err, db.Stats().Commits-before)
	}
	if err := errors.Join(r.Update(ctx, use("second")), r.Settle(ctx)); err != nil || db.Stats().Commits != before+2 {
		t.Errorf("what follows: %v, in %d commits", err, db.Stats().Commits-before)
	}
	if err := r.Update(request("proof"), use("other")); !errors.Is(err, store.ErrTaken) || used("other") {
		t.Errorf("the same again: %v, and its change made: %v", err, used("other"))
	}

	ctx = request("settled")
	if err := r.Settle(ctx); err != nil || !used("settled") {
		t.Errorf("settled: %v", err)
	}
	if err := r.Settle(request("settled")); !errors.Is(err, store.ErrTaken) {
		t.Errorf("settled again: %v", err)
	}
	if err := errors.Join(r.Settle(ctx), r.Settle(t.Context())); err != nil {
		t.Error(err)
	}
}
