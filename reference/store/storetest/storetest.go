// Package storetest is the conformance suite of store.Store: every
// implementation passes it. What the comments of that interface promise is tried
// here, through the interface alone: it may not know how a register is kept, only
// that what was kept at a place can be opened there again.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
)

// Open opens the register that is kept at a place, and makes it if there is
// none.
type Open func(t testing.TB, place string) store.Store

var ctx = context.Background()

// moment is a time as stores keep them: milliseconds, UTC.
var moment = time.Date(2025, 3, 14, 9, 0, 0, 123e6, time.UTC)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"EverythingWrittenIsReadBackAlsoAfterReopening", everything},
		{"AFailedUpdateWritesNothing", failed},
		{"APanickingUpdateWritesNothingAndHurtsNobody", panicking},
		{"ATransactionSeesItsOwnWritesAndNobodyElseDoesBeforeTheCommit", isolation},
		{"AViewBegunAfterAnUpdateReturnedSeesIt", fresh},
		{"AViewIsOneSnapshot", snapshot},
		{"UpdatesAreSerial", serial},
		{"TheFailureOfOneUpdateUndoesThatOneAlone", alone},
		{"KeysAreGivenOnce", once},
		{"WhatWasUsedOnceIsKnownByItsHashAndANonceByItsMomentToo", nonces},
		{"AnAuditEntryHasTheNextNumber", numbers},
		{"AFencedRegisterAcknowledgesNothing", fenced},
		{"ACancelledRequestIsNotRun", cancelled},
		{"WhatIsOldIsForgotten", forgotten},
		{"EntriesShowTheStateOfTheirPersonAndCredential", entries},
		{"CopiesStandWhereTheyWerePutInWhateverOrderAListHas", copies},
		{"NoPlaceOfARunIsGivenAgainAndNothingOfARunThatOverlaps", overlaps},
		{"AListKeepsItsSizeAndItsOrder", kept},
		{"AListWhoseOpeningWasUndoneLeavesNoOrderBehind", undone},
		{"TextThatIsNoTextIsKeptOrRefusedAndHurtsNobody", oddities},
		{"ItSaysWhetherItCanBeAsked", ready},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func update(t testing.TB, s store.Store, f func(store.Tx) error) {
	t.Helper()
	must(t, s.Update(ctx, f))
}

func view(t testing.TB, s store.Store, f func(store.Reader) error) {
	t.Helper()
	must(t, s.View(ctx, f))
}

func opened(t *testing.T, open Open) store.Store {
	s := open(t, t.TempDir())
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func person(id store.PersonID) store.Person {
	return store.Person{
		ID: id, RRN: "9001021234560", FamilyName: "김", GivenName: "하늘", BirthDate: time.Date(1955, 2, 28, 0, 0, 0, 0, time.UTC),
		Sex: 'F', Address: "한누리대로 2130", Municipality: "36110", Centre: "3611051500", State: lifecycle.HasCard, Card: "A1", Credential: 7, Changed: 3,
	}
}

func second[T any](_ T, err error) error { return err }

func exists(t testing.TB, s store.Store, id store.PersonID) (yes bool) {
	t.Helper()
	view(t, s, func(r store.Reader) error {
		_, err := r.Person(id)
		yes = err == nil
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	return yes
}
