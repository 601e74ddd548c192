package storetest

import (
	"context"
	"errors"
	"testing"

	"rollcall.example/rollcall/reference/store"
)

func fenced(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	defer s.Close()
	inside, go_ := make(chan struct{}), make(chan struct{})
	flight := make(chan error, 9)
	go func() {
		flight <- s.Update(ctx, func(tx store.Tx) error {
			close(inside)
			<-go_
			return tx.PutPerson(person(1))
		})
	}()
	<-inside
	for i := range store.PersonID(8) {
		go func() {
			flight <- s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(person(2 + i)) })
		}()
	}
	s.Fence()
	close(go_)
	for range 9 {
		if err := <-flight; !errors.Is(err, store.ErrFenced) {
			t.Errorf("an Update in flight at the fence returned %v", err)
		}
	}
	if err := s.Update(ctx, func(store.Tx) error { return nil }); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a fenced register took an Update: %v", err)
	}
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a fenced register answered a View: %v", err)
	}
	if n := s.Stats().Commits; n != 0 {
		t.Errorf("%d commits were acknowledged", n)
	}
}

func cancelled(t *testing.T, open Open) {
	s := opened(t, open)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Update(gone, func(tx store.Tx) error { return tx.PutPerson(person(1)) }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Update returned %v", err)
	}
	if exists(t, s, 1) {
		t.Error("a cancelled Update was run")
	}
}

func ready(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	must(t, s.Ready(ctx))
	must(t, s.Close())
	if err := s.Ready(ctx); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed register says %v", err)
	}
	s = open(t, place)
	defer s.Close()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Ready(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait is told %v", err)
	}
	must(t, s.Ready(ctx))
	s.Fence()
	if err := s.Ready(ctx); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a fenced register says %v", err)
	}
}
