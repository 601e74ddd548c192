package servicetest_test

import (
	"context"
	"slices"
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
)

func TestARehearsalIsNotedAndHasNotHappened(t *testing.T) {
	var r servicetest.Rehearsal
	w := servicetest.New(t, servicetest.Rehearsing(&r))
	c := w.Resident()
	r.Begin()
	for range 2 { // the second meets the register as the first did
		q := suspension.ReportRequest{Request: register.Request{By: register.Citizen(c.ID), Key: "k"}, Person: c.ID, Cause: lifecycle.PhysicalLost, Why: "lost"}
		a, err := w.Suspension.Report(context.Background(), q)
		if err != nil || a.Reason != lifecycle.Granted {
			t.Fatal(a, err)
		}
		wrote := r.Take()
		if len(wrote.Entries) != 1 || wrote.Entries[0].Person != uint64(c.ID) || !slices.Contains(wrote.Calls, "AddReport") || wrote.Only(wrote.Calls...) {
			t.Errorf("%+v", wrote)
		}
	}
	if wrote := r.Take(); !wrote.Only() {
		t.Errorf("%+v", wrote)
	}
	if err := w.DB.View(context.Background(), func(r store.Reader) error {
		p, err := r.Person(c.ID)
		if err == nil && p.State.Causes() != 0 {
			t.Errorf("%+v", p)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
