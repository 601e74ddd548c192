package service_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// meanwhile is a store in which something else is committed between what a
// request has read and what it commits.
type meanwhile struct {
	store.Store
	happens func()
	viewed  func() // happens after what is read first
}

func (s *meanwhile) View(ctx context.Context, f func(store.Reader) error) error {
	err := s.Store.View(ctx, f)
	if do := s.viewed; do != nil {
		s.viewed = nil
		do()
	}
	return err
}

func (s *meanwhile) Update(ctx context.Context, f func(store.Tx) error) error {
	if do := s.happens; do != nil {
		s.happens = nil
		do()
	}
	return s.Store.Update(ctx, f)
}

// interrupted is a world over such a store.
func interrupted(t *testing.T) (*world, *meanwhile) {
	path := filepath.Join(t.TempDir(), "register.db")
	db, err := sqlite.Open(path, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	between := &meanwhile{Store: db}
	return onStore(t, db, between, path, 1<<12), between
}

// S8: a card is signed outside the transaction that issues it. What changes in
// between is on the card, or the card is not issued.
func TestS8WhatChangesWhileACardIsSignedIsOnItOrItIsNotIssued(t *testing.T) {
	moves := func(c *citizen) {
		must(c.w.t, c.w.db.Update(ctx, func(tx store.Tx) error {
			p, err := tx.Person(c.ID)
			if err != nil {
				return err
			}
			p.Address = "새집"
			return tx.PutPerson(p)
		}))
	}
	for _, test := range []struct {
		name    string
		happens func(*citizen)
		want    lifecycle.Reason
		number  string // of the plastic card, as it stands on the mobile card
		address string
	}{
		{"nothing", func(*citizen) {}, lifecycle.Granted, "A00000001", "한누리대로 2130"},
		{"the plastic card is re-issued", func(c *citizen) { c.newCard("A00000002") }, lifecycle.Granted, "A00000002", "한누리대로 2130"},
		{"the holder moves", moves, lifecycle.Granted, "A00000001", "새집"},
		{"the plastic card is reported lost", func(c *citizen) { c.report(callCentre, lifecycle.PhysicalLost) }, lifecycle.CardSuspended, "", ""},
		{"the holder is suspended by order", func(c *citizen) { c.report(registrar, lifecycle.Administrative) }, lifecycle.PersonSuspended, "", ""},
		{"the holder is removed", func(c *citizen) { c.remove() }, lifecycle.NoLongerResident, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, between := interrupted(t)
			c := w.resident()
			code := c.offer(sejong).Code
			before := w.sequence()
			a := c.redeem(code, func(*issuance.RedeemRequest) { between.happens = func() { test.happens(c) } })
			w.decided(a.Reason, test.want)
			if test.want != lifecycle.Granted {
				if len(a.Copies) > 0 || w.sequence() != before+1 {
					t.Errorf("%d copies are out, change %d", len(a.Copies), w.sequence()-before)
				}
				return
			}
			shown := map[string]any{}
			for _, e := range w.disclosed(c, "plastic_card_number", "resident_address") {
				shown[e.Name] = e.Value
			}
			if shown["plastic_card_number"] != test.number || shown["resident_address"] != test.address {
				t.Errorf("the card says %v", shown)
			}
		})
	}
}

// disclosed is what a verifier is shown of a mobile card in force.
func (w *world) disclosed(c *citizen, names ...string) []mdoc.Element {
	w.t.Helper()
	tr, err := w.Verification.Begin(bank)
	must(w.t, err)
	response, err := mdoc.Present(c.phone.held[0].card, names, tr.Transcript(), c.phone.held[0].key)
	must(w.t, err)
	a, err := w.Verification.Verify(ctx, tr, response)
	must(w.t, err)
	if a.Verdict != accepted {
		w.t.Fatalf("the card is %v", a.Verdict)
	}
	return a.Elements
}

// S8: copies are signed anew outside the commit after which they are given out. What changes
// in between is on them, or nobody gets them.
func TestS8WhatChangesWhileCopiesAreSignedAnewIsOnThemOrTheyAreNotGivenOut(t *testing.T) {
	address := "새집"
	for _, test := range []struct {
		name    string
		happens func(*citizen)
		want    lifecycle.Reason
		refused error
		address string
		another bool // it is another card by then
	}{
		{"nothing", func(*citizen) {}, lifecycle.Granted, nil, "한누리대로 2130", false},
		{"what stands on it is another thing, of which nobody said so", func(c *citizen) {
			must(c.w.t, c.w.db.Update(ctx, func(tx store.Tx) error {
				p, err := tx.Person(c.ID)
				if err != nil {
					return err
				}
				p.Address = address
				return tx.PutPerson(p)
			}))
		}, lifecycle.Granted, nil, address, false},
		{"the holder applies again", func(c *citizen) { c.w.decided(c.tap().Reason, lifecycle.Granted) }, lifecycle.Granted, nil, "한누리대로 2130", true},
		{"the phone is reported lost", func(c *citizen) { c.report(me(c.ID), lifecycle.MobileLost) }, lifecycle.WalletReportedLost, nil, "", false},
		{"the plastic card is reported lost", func(c *citizen) { c.report(callCentre, lifecycle.PhysicalLost) }, lifecycle.CardSuspended, nil, "", false},
		{"the holder is suspended by order", func(c *citizen) { c.report(registrar, lifecycle.Administrative) }, lifecycle.PersonSuspended, nil, "", false},
		{"the holder moves", func(c *citizen) { c.move(registrar, address) }, 0, issuance.ErrOutdated, "", false},
		{"the plastic card is re-issued", func(c *citizen) { c.newCard("A00000002") }, 0, issuance.ErrNoCard, "", false},
		{"the holder is removed", func(c *citizen) { c.remove() }, 0, issuance.ErrNoCard, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, between := interrupted(t)
			c := w.resident()
			first := c.tap()
			w.decided(first.Reason, lifecycle.Granted)
			phone, _ := c.phone.fresh(1)
			between.happens = func() { test.happens(c) }
			written := 0
			copies, reason, err := w.Issuance.IssueAgain(ctx, issuance.AgainRequest{Person: c.ID, Phone: phone, Format: issuance.Mdoc, Then: func(store.Tx) error { written++; return nil }})
			if !errors.Is(err, test.refused) || err == nil && reason != test.want {
				t.Fatalf("%v, %v", reason, err)
			}
			if test.address == "" {
				if len(copies) > 0 || written > 0 {
					t.Errorf("%d copies are out, written %d times", len(copies), written)
				}
				return
			}
			held, err := mdoc.Inspect(copies[0])
			must(t, err)
			shown := map[string]any{}
			for _, e := range held.Elements {
				shown[e.Name] = e.Value
			}
			if another := shown["document_number"] != first.Document; shown["resident_address"] != test.address || another != test.another || written != 1 {
				t.Errorf("the copy says %v, written %d times", shown, written)
			}
		})
	}
}

// S8: the copies of another format are signed later than the card was issued, and are not
// given out either after what was reported while they were signed.
func TestS8FurtherCopiesAreNotGivenOutAfterAReportThatCameWhileTheyWereSigned(t *testing.T) {
	for _, test := range []struct {
		name    string
		happens func(*citizen)
		want    lifecycle.Reason
		refused error
	}{
		{"nothing", func(*citizen) {}, lifecycle.Granted, nil},
		{"the phone is reported lost", func(c *citizen) { c.report(me(c.ID), lifecycle.MobileLost) }, lifecycle.WalletReportedLost, nil},
		{"the plastic card is reported lost", func(c *citizen) { c.report(callCentre, lifecycle.PhysicalLost) }, lifecycle.CardSuspended, nil},
		{"the holder applies again", func(c *citizen) { c.w.decided(c.tap().Reason, lifecycle.Granted) }, 0, issuance.ErrNoCard},
		{"the holder is removed", func(c *citizen) { c.remove() }, 0, issuance.ErrNoCard},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, between := interrupted(t)
			c := w.resident()
			v, _ := c.approveTap()
			first := c.issueApproved(v, sdjwt.Format)
			phone, _ := c.phone.fresh(1)
			between.viewed = func() { test.happens(c) }
			got, reason, err := w.Issuance.IssueMore(ctx, issuance.MoreRequest{
				Person: c.ID, Credential: first.Credential, Document: first.Document, Phone: phone, Format: sdjwt.Format, Places: first.Spare[:1],
			})
			if !errors.Is(err, test.refused) || err == nil && reason != test.want || len(got) > 0 != (test.want == lifecycle.Granted && err == nil) {
				t.Errorf("%d copies, %v, %v", len(got), reason, err)
			}
		})
	}
}
