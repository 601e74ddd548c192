package service_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

func TestOfTwoResidentsEnteredAtOnceWithOneNumberOneIs(t *testing.T) {
	w := newWorld(t)
	const rrn, at = "8512311234567", 8
	errs := make([]error, at)
	var wg sync.WaitGroup
	for i := range errs {
		q := issuance.ResidentRequest{Request: w.Request(registrar), Why: "birth", Resident: store.Person{
			ID: store.PersonID(1000 + i), RRN: rrn, FamilyName: "김", BirthDate: time.Date(1985, 12, 31, 0, 0, 0, 0, time.UTC)}}
		wg.Go(func() { _, errs[i] = w.Issuance.RegisterResident(ctx, q) })
	}
	wg.Wait()
	var entered []store.PersonID
	for i, err := range errs {
		switch {
		case err == nil:
			entered = append(entered, store.PersonID(1000+i))
		case !errors.Is(err, register.ErrRRNTaken) || strings.Contains(err.Error(), rrn[7:]):
			t.Error(err)
		}
	}
	if len(entered) != 1 {
		t.Fatalf("entered: %v", entered)
	}
	must(t, w.Register.View(ctx, func(r store.Reader) error {
		whose, err := r.PersonByRRN(rrn)
		if whose != entered[0] {
			t.Errorf("resident %d was entered, and the number is %d's", entered[0], whose)
		}
		return err
	}))
	for i, err := range errs {
		var taken register.RRNTaken
		if errors.As(err, &taken) && taken.By != entered[0] {
			t.Errorf("resident %d was refused for %d's number, it is %d's", 1000+i, taken.By, entered[0])
		}
	}
}
