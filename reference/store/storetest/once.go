package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/store"
)

func once(t *testing.T, open Open) {
	s := opened(t, open)
	adds := map[string]func(store.Tx) error{
		"card number":            func(tx store.Tx) error { return tx.AddCard(store.Card{Number: "A1"}) },
		"registration number":    func(tx store.Tx) error { return tx.AddRRN("9001021234560", 1) },
		"index":                  func(tx store.Tx) error { return tx.AddEntries(0, []uint64{5}, 1) },
		"challenge":              func(tx store.Tx) error { return tx.AddChallenge(store.Challenge{Value: []byte("x"), Made: moment}) },
		"nonce":                  func(tx store.Tx) error { return tx.UseNonce([]byte("x"), moment) },
		"nonce without a moment": func(tx store.Tx) error { return tx.UseOnce([]byte("y"), moment) },
		"ticket": func(tx store.Tx) error {
			return tx.AddTicket(store.Ticket{Kind: "k", Key: []byte("x"), Body: []byte{}, Expires: moment})
		},
		"idempotency key": func(tx store.Tx) error {
			return tx.PutAnswer("s", "k", store.Answer{Request: []byte{}, Body: []byte{}})
		},
		"report": func(tx store.Tx) error { return tx.AddReport(store.Report{Sequence: 1}) },
	}
	update(t, s, func(tx store.Tx) error { return tx.PutList(store.List{Size: 64, Secret: secret(1)}) })
	for what, add := range adds {
		update(t, s, add)
		if err := s.Update(ctx, add); !errors.Is(err, store.ErrTaken) {
			t.Errorf("a %s was given twice: %v", what, err)
		}
		// A caller may go on after that in the same transaction.
		update(t, s, func(tx store.Tx) error {
			if err := add(tx); !errors.Is(err, store.ErrTaken) {
				t.Errorf("a %s was given twice: %v", what, err)
			}
			return nil
		})
	}
	for _, step := range []struct {
		of   store.PersonID
		free bool
	}{{2, false}, {1, true}} {
		update(t, s, func(tx store.Tx) error { return tx.FreeRRN("9001021234560", step.of) })
		if err := s.Update(ctx, adds["registration number"]); errors.Is(err, store.ErrTaken) == step.free {
			t.Errorf("after resident %d has another number the one of resident 1 is free: %v, want %v", step.of, err == nil, step.free)
		}
	}
	update(t, s, func(tx store.Tx) error {
		a, err := tx.AddCredential(store.Credential{})
		must(t, err)
		b, err := tx.AddCredential(store.Credential{})
		if b <= a {
			t.Errorf("credential %d came after %d", b, a)
		}
		return err
	})
}

func nonces(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	nonce := func(hash string, at time.Time) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.UseNonce([]byte(hash), at) }
	}
	once := func(hash string, until time.Time) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.UseOnce([]byte(hash), until) }
	}
	later := moment.Add(time.Millisecond)
	for _, step := range []struct {
		what  string
		use   func(store.Tx) error
		taken bool
	}{
		{"a nonce", nonce("a", moment), false},
		{"it in the same millisecond", nonce("a", moment.Add(999*time.Microsecond)), true},
		{"it in another zone", nonce("a", moment.In(time.FixedZone("KST", 9*60*60))), true},
		{"its hash with another moment", nonce("a", later), false},
		{"that again", nonce("a", later), true},
		{"another hash of the same moment", nonce("b", moment), false},
		{"what has no moment", once("c", moment), false},
		{"it until another moment", once("c", later), true},
		{"it as a nonce", nonce("c", moment), true},
		{"it as a nonce of another moment", nonce("c", later), true},
	} {
		if err := s.Update(ctx, step.use); errors.Is(err, store.ErrTaken) != step.taken || !step.taken && err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	must(t, s.Close())
	s = open(t, place)
	defer s.Close()
	for what, use := range map[string]func(store.Tx) error{"the nonce": nonce("a", moment), "what has no moment": once("c", later), "it as a nonce": nonce("c", later)} {
		if err := s.Update(ctx, use); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s, after reopening: %v", what, err)
		}
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := s.Update(ctx, nonce("raced for", moment)); err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 used one nonce", won.Load())
	}
}

func numbers(t *testing.T, open Open) {
	s := opened(t, open)
	add := func(n uint64) error {
		return s.Update(ctx, func(tx store.Tx) error {
			return tx.AppendAudit(store.AuditRecord{Sequence: n, Body: fmt.Append(nil, n), Hash: []byte{byte(n)}})
		})
	}
	must(t, add(1))
	must(t, add(2))
	for _, wrong := range []uint64{0, 1, 2, 4} {
		if add(wrong) == nil {
			t.Errorf("entry %d was taken after 2", wrong)
		}
	}
	must(t, add(3))
	for _, span := range []struct {
		from, to uint64
		want     string
	}{{0, 0, ""}, {1, ^uint64(0), "123"}, {2, 2, "2"}, {3, 1, ""}, {4, 9, ""}} {
		var got bytes.Buffer
		view(t, s, func(r store.Reader) error {
			return r.Audit(span.from, span.to, func(a store.AuditRecord) error {
				got.Write(a.Body)
				return nil
			})
		})
		if got.String() != span.want {
			t.Errorf("entries %d to %d: %q, want %q", span.from, span.to, &got, span.want)
		}
	}
}

// SharedNumbers checks whose registration numbers are in a register that was made before
// one number was refused for several residents, and who shares one.
func SharedNumbers(t *testing.T, s store.Store, whose map[string]store.PersonID, shared []store.Shared) {
	t.Helper()
	view(t, s, func(r store.Reader) error {
		for rrn, want := range whose {
			if id, err := r.PersonByRRN(rrn); err != nil || id != want {
				t.Errorf("%s is resident %d's, %v; want %d", rrn, id, err, want)
			}
		}
		if _, err := r.PersonByRRN(""); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no number is somebody's: %v", err)
		}
		got, err := r.SharedRRNs(len(shared) + 1)
		if err != nil || !slices.Equal(got, shared) {
			t.Errorf("shared: %v, %v; want %v", got, err, shared)
		}
		got, err = r.SharedRRNs(1)
		if err != nil || !slices.Equal(got, shared[:1]) {
			t.Errorf("the first: %v, %v", got, err)
		}
		return nil
	})
	for rrn := range whose {
		if err := s.Update(ctx, func(tx store.Tx) error { return tx.AddRRN(rrn, 10) }); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s was given again: %v", rrn, err)
		}
	}
	for rrn, person := range whose {
		if err := s.Update(ctx, func(tx store.Tx) error { return tx.MoveRRN(rrn, person+1, 10) }); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s was taken from resident %d, who does not have it: %v", rrn, person+1, err)
		}
		update(t, s, func(tx store.Tx) error { return tx.MoveRRN(rrn, person, 10) })
		view(t, s, func(r store.Reader) error {
			if id, err := r.PersonByRRN(rrn); err != nil || id != 10 {
				t.Errorf("%s was given to resident 10, and is %d's: %v", rrn, id, err)
			}
			return nil
		})
		update(t, s, func(tx store.Tx) error { return tx.MoveRRN(rrn, 10, person) })
	}
}

// Renumbered gives one after another of those who share a number (SharedNumbers; two besides
// whose it is) another one: the number of before is always that of the lowest id among those
// who are left.
func Renumbered(t *testing.T, s store.Store, shared []store.Shared) {
	t.Helper()
	var rrn string
	view(t, s, func(r store.Reader) error {
		p, err := r.Person(shared[0].Person)
		rrn = p.RRN
		return err
	})
	free := func(person store.PersonID, want ...store.Shared) {
		t.Helper()
		update(t, s, func(tx store.Tx) error {
			p, err := tx.Person(person)
			must(t, err)
			p.RRN = ""
			must(t, tx.PutPerson(p))
			return tx.FreeRRN(rrn, person)
		})
		view(t, s, func(r store.Reader) error {
			if got, err := r.SharedRRNs(10); err != nil || !slices.Equal(got, want) {
				t.Errorf("after resident %d has another number, shared: %v, %v; want %v", person, got, err, want)
			}
			return nil
		})
	}
	is := func(want store.PersonID) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			if id, err := r.PersonByRRN(rrn); id != want || errors.Is(err, store.ErrNotFound) != (want == 0) {
				t.Errorf("%s is resident %d's: %v; want %d", rrn, id, err, want)
			}
			return nil
		})
	}
	first, next, last := shared[0].First, shared[0].Person, shared[1].Person
	free(first, store.Shared{Person: last, First: next})
	is(next)
	free(last)
	is(next)
	free(next)
	is(0)
}
