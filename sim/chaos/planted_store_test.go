package chaos

import (
	"context"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfStore keep the register wrongly.
var bugsOfStore = []bug{
	{name: "the replica that answers verifiers lags one commit behind", breaks: "S3", seeds: 10, left: 3,
		plant: func() world.Plant {
			r := &replica{}
			return world.Plant{Store: func(s store.Store) store.Store { r.Store = s; return r }}
		}},
}

// replica answers look-ups of an index from what was there one change ago.
type replica struct {
	store.Store
	now, before map[store.PersonID]lifecycle.State
}

func (r *replica) Update(ctx context.Context, f func(store.Tx) error) error {
	t := &replicaTx{r: r, changed: map[store.PersonID]lifecycle.State{}}
	err := r.Store.Update(ctx, func(tx store.Tx) error {
		t.Tx = tx
		return f(t)
	})
	if err == nil && len(t.changed) > 0 {
		if r.now == nil {
			r.now, r.before = map[store.PersonID]lifecycle.State{}, map[store.PersonID]lifecycle.State{}
		}
		for id, s := range r.now {
			r.before[id] = s
		}
		for id, s := range t.changed {
			r.now[id] = s
		}
	}
	return err
}

type replicaTx struct {
	store.Tx
	r       *replica
	changed map[store.PersonID]lifecycle.State
}

func (t *replicaTx) PutPerson(p store.Person) error {
	t.changed[p.ID] = p.State
	return t.Tx.PutPerson(p)
}

func (t *replicaTx) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	if s, known := t.r.before[e.Person]; err == nil && known && !e.Ended {
		if s&lifecycle.HasCredential != 0 {
			e.State = s
		}
	}
	return e, err
}
