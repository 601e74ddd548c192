package register

import (
	"context"
	"sync/atomic"

	"rollcall.example/rollcall/reference/store"
)

// also is a change that belongs to a request, whatever else the request changes.
type also struct {
	change func(store.Tx) error
	made   atomic.Bool
}

type alsoKey struct{}

// Also is a context with a change that is made together with the first Update that
// succeeds on it: in the same commit, before it, and not at all if one of them fails.
// Settle makes it if there was no Update.
func Also(ctx context.Context, change func(store.Tx) error) context.Context {
	return context.WithValue(ctx, alsoKey{}, &also{change: change})
}

// Update implements store.Store.
func (r *Register) Update(ctx context.Context, f func(store.Tx) error) error {
	a, _ := ctx.Value(alsoKey{}).(*also)
	if a == nil || a.made.Load() {
		return r.Store.Update(ctx, f)
	}
	err := r.Store.Update(ctx, func(tx store.Tx) error {
		if err := a.change(tx); err != nil {
			return err
		}
		return f(tx)
	})
	if err == nil {
		a.made.Store(true)
	}
	return err
}

// Settle makes the change of Also, unless it was made.
func (r *Register) Settle(ctx context.Context) error {
	if a, _ := ctx.Value(alsoKey{}).(*also); a == nil || a.made.Load() {
		return nil
	}
	return r.Update(ctx, func(store.Tx) error { return nil })
}
