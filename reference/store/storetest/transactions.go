package storetest

import (
	"errors"
	"sync"
	"testing"

	"rollcall.example/rollcall/reference/store"
)

func failed(t *testing.T, open Open) {
	s := opened(t, open)
	own := errors.New("my own reason")
	if err := s.Update(ctx, func(tx store.Tx) error {
		must(t, tx.PutPerson(person(1)))
		return own
	}); !errors.Is(err, own) {
		t.Fatalf("the reason of the caller was lost: %v", err)
	}
	if exists(t, s, 1) {
		t.Error("a failed Update left a person behind")
	}
	if n := s.Stats().Commits; n != 0 {
		t.Errorf("%d commits were counted", n)
	}
}

func panicking(t *testing.T, open Open) {
	s := opened(t, open)
	if err := s.Update(ctx, func(tx store.Tx) error {
		must(t, tx.PutPerson(person(1)))
		panic("oops")
	}); err == nil {
		t.Fatal("a panic was acknowledged")
	}
	if err := s.View(ctx, func(store.Reader) error { panic("oops") }); err == nil {
		t.Fatal("a panic in a View was swallowed")
	}
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(2)) })
	if exists(t, s, 1) || !exists(t, s, 2) {
		t.Error("a panic had an effect beyond its own request")
	}
}

func isolation(t *testing.T, open Open) {
	s := opened(t, open)
	inside, go_ := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.Update(ctx, func(tx store.Tx) error {
			if err := tx.PutPerson(person(1)); err != nil {
				return err
			}
			_, err := tx.Person(1)
			close(inside)
			<-go_
			return err
		})
	}()
	<-inside
	if exists(t, s, 1) {
		t.Error("a View saw what was not committed")
	}
	close(go_)
	must(t, <-done)
	if !exists(t, s, 1) {
		t.Error("a View did not see what was acknowledged")
	}
}

func fresh(t *testing.T, open Open) {
	s := opened(t, open)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 10 {
				id := store.PersonID(worker*1000 + i)
				if err := s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(person(id)) }); err != nil {
					t.Error(err)
					return
				}
				if err := s.View(ctx, func(r store.Reader) error { return second(r.Person(id)) }); err != nil {
					t.Errorf("person %d was acknowledged and is not there: %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.Stats(); n.Commits != 40 || n.Batches > n.Commits {
		t.Errorf("stats %+v after 40 commits", n)
	}
}

func snapshot(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	view(t, s, func(r store.Reader) error {
		before, err := r.Person(1)
		must(t, err)
		done := make(chan error)
		go func() { // not within the View: by another caller
			p := person(1)
			p.GivenName = "바다"
			done <- s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(p) })
		}()
		must(t, <-done)
		after, err := r.Person(1)
		if before != after {
			t.Error("a View changed under its reader")
		}
		return err
	})
}

func serial(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if err := s.Update(ctx, func(tx store.Tx) error {
					p, err := tx.Person(1)
					if err != nil {
						return err
					}
					p.Changed++
					return tx.PutPerson(p)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(r store.Reader) error {
		p, err := r.Person(1)
		if want := person(1).Changed + workers*each; p.Changed != want {
			t.Errorf("%d increments came to %d", want, p.Changed)
		}
		return err
	})
}

func alone(t *testing.T, open Open) {
	s := opened(t, open)
	var wg sync.WaitGroup
	own := errors.New("odd ones fail")
	for i := range store.PersonID(64) {
		wg.Go(func() {
			err := s.Update(ctx, func(tx store.Tx) error {
				last, err := tx.Sequence()
				if err == nil {
					err = tx.AppendAudit(store.AuditRecord{Sequence: last + 1, Body: []byte{byte(i)}, Hash: []byte{1}})
				}
				if err == nil {
					err = tx.PutPerson(person(i))
				}
				if err != nil || i%2 == 0 {
					return err
				}
				return own
			})
			if i%2 == 0 && err != nil || i%2 == 1 && !errors.Is(err, own) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i := range store.PersonID(64) {
		if exists(t, s, i) != (i%2 == 0) {
			t.Errorf("person %d: exists = %v", i, i%2 != 0)
		}
	}
	view(t, s, func(r store.Reader) error {
		n := uint64(0)
		err := r.Audit(1, 100, func(a store.AuditRecord) error {
			if n++; a.Sequence != n || a.Body[0]%2 != 0 {
				t.Errorf("entry %d is number %d, of update %d", n, a.Sequence, a.Body[0])
			}
			return nil
		})
		if n != 32 {
			t.Errorf("%d entries of 32 updates", n)
		}
		return err
	})
}
