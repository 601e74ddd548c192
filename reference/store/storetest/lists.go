package storetest

import (
	"bytes"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
)

func entries(t *testing.T, open Open) {
	s := opened(t, open)
	// Six people: active, suspended, one whose first credential ended, one
	// suspended in another list, one whose credential is outdated, and one whose is
	// and who is suspended.
	const lost = lifecycle.HasCard | lifecycle.HasCredential | lifecycle.State(lifecycle.MobileLost)
	states := []lifecycle.State{lifecycle.HasCard | lifecycle.HasCredential, lost, lifecycle.HasCard | lifecycle.HasCredential, lost,
		lifecycle.HasCard | lifecycle.HasCredential, lost}
	ids := make([]store.CredentialID, 6)
	var ended store.CredentialID
	update(t, s, func(tx store.Tx) (err error) {
		must(t, tx.PutList(store.List{Number: 0, Size: 100, Secret: secret(1)}))
		must(t, tx.PutList(store.List{Number: 1, Size: 100}))
		for i, state := range states {
			p := person(store.PersonID(i + 1))
			if i == 2 {
				ended, err = tx.AddCredential(store.Credential{Person: p.ID, Until: moment, Ended: 5})
				must(t, err)
				must(t, tx.AddEntries(0, []uint64{90}, ended))
			}
			c := store.Credential{Person: p.ID, Until: moment.Add(time.Duration(-i) * time.Hour)}
			list := uint32(0)
			if i >= 4 {
				c.Outdated, c.Until = 7, moment.AddDate(1, 0, 0)
			} else {
				list = uint32(i / 3)
			}
			ids[i], err = tx.AddCredential(c)
			must(t, err)
			p.State, p.Credential = state, ids[i]
			must(t, tx.PutPerson(p))
			must(t, tx.AddEntries(list, []uint64{uint64(20 - 2*i), uint64(20-2*i) - 1}, ids[i]))
		}
		return nil
	})
	view(t, s, func(r store.Reader) error {
		e, err := r.Entry(0, 18)
		if want := (store.Entry{List: 0, Index: 18, Credential: ids[1], Person: 2, State: lost, Until: moment.Add(-time.Hour)}); err != nil || e != want {
			t.Errorf("entry: %+v, %v; want %+v", e, err, want)
		}
		of, err := r.EntriesOf(ids[1])
		if err != nil || len(of) != 2 || of[0].Index+of[1].Index != 17+18 || of[0].Index == of[1].Index || of[0].State != lost || of[1].State != lost {
			t.Errorf("entries of a credential: %+v, %v", of, err)
		}
		verdicts := map[uint64]lifecycle.Verdict{}
		must(t, r.NotPlainlyValid(0, func(e store.Entry) error {
			if _, twice := verdicts[e.Index]; twice {
				t.Errorf("index %d came twice", e.Index)
			}
			verdicts[e.Index] = e.Verdict()
			if e.Outdated != (e.Person >= 5) {
				t.Errorf("index %d of person %d: outdated %v", e.Index, e.Person, e.Outdated)
			}
			return nil
		}))
		want := map[uint64]lifecycle.Verdict{17: lifecycle.Suspended, 18: lifecycle.Suspended, 90: lifecycle.NotValid,
			11: lifecycle.Accepted, 12: lifecycle.Accepted, 9: lifecycle.Suspended, 10: lifecycle.Suspended}
		if !reflect.DeepEqual(verdicts, want) {
			t.Errorf("not plainly valid: %v, want %v", verdicts, want)
		}
		due, err := r.Due(moment.Add(-time.Hour), 9)
		if wantDue := []store.CredentialID{ids[3], ids[2], ids[1]}; err != nil || !reflect.DeepEqual(due, wantDue) {
			t.Errorf("due: %v, %v; want %v", due, err, wantDue)
		}
		if due, err := r.Due(moment, 1); err != nil || len(due) != 1 {
			t.Errorf("due, at most one: %v, %v", due, err)
		}
		return nil
	})
}

// secret is that of a list.
func secret(of byte) []byte { return bytes.Repeat([]byte{of}, places.SecretSize) }

// ordered is a register with two lists of 1000 places: one with a secret, and one as they
// were before there were secrets. A list's indices are handed out in its order.
func ordered(t *testing.T, open Open) (s store.Store, orders []places.Order) {
	t.Helper()
	s = opened(t, open)
	for n, key := range [][]byte{secret(1), nil} {
		update(t, s, func(tx store.Tx) error {
			return tx.PutList(store.List{Number: uint32(n), Size: 1000, Secret: key})
		})
		o, err := places.New(key, 1000)
		must(t, err)
		orders = append(orders, o)
	}
	return s, orders
}

// holder enters a person with a live credential.
func holder(t *testing.T, tx store.Tx, id store.PersonID) store.CredentialID {
	t.Helper()
	c, err := tx.AddCredential(store.Credential{Person: id, Until: moment})
	must(t, err)
	p := person(id)
	p.State, p.Credential = lifecycle.HasCard|lifecycle.HasCredential, c
	must(t, tx.PutPerson(p))
	return c
}

func copies(t *testing.T, open Open) {
	s, orders := ordered(t, open)
	for list, o := range orders {
		// Neighbours at both ends of the list and in the middle, and places all over it.
		given := map[uint64]store.CredentialID{}
		all := [][]uint64{o.Indices(places.Run{First: 0, Length: 10}), o.Indices(places.Run{First: 990, Length: 10}),
			o.Indices(places.Run{First: 500, Length: 10}), o.Indices(places.Run{First: 510, Length: 1}),
			{o.At(100), o.At(102), o.At(104), o.At(103), o.At(900)}, {o.At(101)}}
		for i, indices := range all {
			update(t, s, func(tx store.Tx) error {
				id := holder(t, tx, store.PersonID(100*list+i+1))
				for _, index := range indices {
					given[index] = id
				}
				return tx.AddEntries(uint32(list), indices, id)
			})
		}
		view(t, s, func(r store.Reader) error {
			for index := range uint64(1000) {
				id, taken := given[index]
				e, err := r.Entry(uint32(list), index)
				if want := (store.Entry{List: uint32(list), Index: index, Credential: id, Person: store.PersonID(100*list) + e.Person%100,
					State: lifecycle.HasCard | lifecycle.HasCredential, Until: moment}); taken && (err != nil || e != want) {
					t.Errorf("list %d, index %d: %+v, %v; want %+v", list, index, e, err, want)
				}
				if !taken && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("list %d, index %d, which was not given: %+v, %v", list, index, e, err)
				}
				if free, err := r.Free(uint32(list), []uint64{index}); err != nil || free == taken {
					t.Errorf("list %d, index %d: free %v, %v", list, index, free, err)
				}
			}
			for _, indices := range all {
				want := map[uint64]bool{}
				for _, index := range indices {
					want[index] = true
				}
				of, err := r.EntriesOf(given[indices[0]])
				must(t, err)
				if len(of) != len(indices) {
					t.Errorf("list %d: %d entries of a credential with %d copies", list, len(of), len(indices))
				}
				for _, e := range of {
					if !want[e.Index] {
						t.Errorf("list %d: %+v, or twice", list, e)
					}
					delete(want, e.Index)
				}
			}
			return nil
		})
	}
}

func overlaps(t *testing.T, open Open) {
	s, orders := ordered(t, open)
	for list, o := range orders {
		run := func(first, length uint64) []uint64 { return o.Indices(places.Run{First: first, Length: length}) }
		number, id := uint32(list), store.CredentialID(0)
		update(t, s, func(tx store.Tx) error {
			id = holder(t, tx, store.PersonID(list+1))
			return tx.AddEntries(number, run(100, 10), id)
		})
		for what, indices := range map[string][]uint64{
			"the same": run(100, 10), "its first": run(100, 1), "its last": run(109, 1), "its middle": run(103, 4),
			"up to its first": run(95, 6), "from its last": run(109, 6), "around it": run(95, 20), "long before to long after": run(0, 1000),
			"its last and others": {o.At(500), o.At(109), o.At(600)},
		} {
			update(t, s, func(tx store.Tx) error {
				if free, err := tx.Free(number, indices); err != nil || free {
					t.Errorf("list %d, %s: free %v, %v", list, what, free, err)
				}
				if err := tx.AddEntries(number, indices, id+1); !errors.Is(err, store.ErrTaken) {
					t.Errorf("list %d, %s was given again: %v", list, what, err)
				}
				return nil
			})
		}
		around := append(run(0, 100), run(110, 890)...)
		view(t, s, func(r store.Reader) error {
			if free, err := r.Free(number, around); err != nil || !free {
				t.Errorf("list %d: what was refused has left something: %v", list, err)
			}
			return nil
		})
		for what, indices := range map[string][]uint64{"the index after the last": {1000}, "an index that no number has": {1 << 63}, "an index twice": {7, 8, 7}} {
			if err := s.Update(ctx, func(tx store.Tx) error { return tx.AddEntries(number, indices, id) }); err == nil {
				t.Errorf("list %d: %s was given", list, what)
			}
		}
		update(t, s, func(tx store.Tx) error { return tx.AddEntries(number, around, id) })
	}
	if err := s.Update(ctx, func(tx store.Tx) error { return tx.AddEntries(9, []uint64{1}, 1) }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a place in a list that is not there: %v", err)
	}
}

func kept(t *testing.T, open Open) {
	s := opened(t, open)
	want := store.List{Number: 0, Size: 64, Secret: secret(1)}
	update(t, s, func(tx store.Tx) error { return tx.PutList(want) })
	want.Allotted = 7
	update(t, s, func(tx store.Tx) error { return tx.PutList(store.List{Size: 128, Secret: secret(2), Allotted: 7}) })
	view(t, s, func(r store.Reader) error {
		lists, err := r.Lists()
		if err != nil || !reflect.DeepEqual(lists, []store.List{want}) {
			t.Errorf("%+v, %v; want %+v", lists, err, want)
		}
		return nil
	})
}

func undone(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	no := errors.New("no")
	attempt := func(list uint32, key []byte, end error) error {
		return s.Update(ctx, func(tx store.Tx) error {
			must(t, tx.PutList(store.List{Number: list, Size: 1000, Secret: key}))
			must(t, tx.AddEntries(list, []uint64{5, 6, 7}, 1))
			if _, err := tx.Free(list, []uint64{9}); err != nil {
				t.Error(err)
			}
			return end
		})
	}
	update(t, s, func(tx store.Tx) error { return second(tx.AddCredential(store.Credential{Person: 1, Until: moment})) })
	for list := range uint32(8) {
		var others sync.WaitGroup // who share the commit, perhaps
		for range list % 4 {
			others.Go(func() { must(t, s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(person(2)) })) })
		}
		if err := attempt(list, secret(1), no); !errors.Is(err, no) {
			t.Fatal(err)
		}
		others.Wait()
		must(t, attempt(list, secret(2), nil))
	}
	for range 2 {
		view(t, s, func(r store.Reader) error {
			for list := range uint32(8) {
				for _, index := range []uint64{5, 6, 7} {
					if e, err := r.Entry(list, index); err != nil || e.Credential != 1 {
						t.Errorf("list %d, index %d: %+v, %v", list, index, e, err)
					}
				}
			}
			return nil
		})
		must(t, s.Close())
		s = open(t, place)
	}
	must(t, s.Close())
}
