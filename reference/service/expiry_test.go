package service_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

// How a mobile card ends by itself, and with its holder.

func TestNothingIsAcceptedAfterItsExpiry(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	_, err := w.Issuance.ExpireDue(ctx, 100)
	must(t, err)
	c.shows(accepted, accepted)
	w.Pass(3*365*24*time.Hour - time.Millisecond)
	// The signer's certificate is over by then; the register's word counts.
	for range 2 {
		w.Pass(time.Millisecond)
		w.decided(c.report(callCentre, lifecycle.MobileLost).Reason, lifecycle.NothingToSuspend)
	}
	d := w.resident()
	d.tapExpired(t)
	if n, err := w.Issuance.ExpireDue(ctx, 100); err != nil || n != 0 {
		t.Errorf("%d due, %v", n, err)
	}
	if n := count(t, w)["credential-expired"]; n != 1 {
		t.Errorf("%d expired", n)
	}
}

// The last instant at which a card is good, online and with a cached list.
func TestACardIsGoodUntilItsExpiryAndNotAtIt(t *testing.T) {
	w := newWorld(t, func(c *service.Config) { c.Policy.CredentialValidity = 10 * time.Minute })
	c := w.holder()
	v := w.offline(verification.Refuse)
	w.fetch(v)
	w.Pass(10*time.Minute - time.Millisecond)
	if online, cached := c.mobile(), c.at(v).Verdict; online != accepted || cached != accepted {
		t.Errorf("a millisecond before: %v online, %v by list", online, cached)
	}
	w.Pass(time.Millisecond)
	if online := c.mobile(); online != notValid {
		t.Errorf("at its expiry: %v", online)
	}
	w.Pass(time.Millisecond)
	if cached := c.at(v).Verdict; cached != notValid {
		t.Errorf("a millisecond after, by list: %v", cached)
	}
}

// tapExpired finds that nothing can be signed with an expired signer, and that
// the error says so.
func (c *citizen) tapExpired(t *testing.T) {
	q, _ := c.tapRequest()
	if _, err := c.w.Issuance.IssueByTap(ctx, q); !errors.Is(err, mdoc.ErrSignerExpired) || !strings.Contains(err.Error(), "cannot be signed") {
		t.Errorf("with an expired signer: %v", err)
	}
}

func TestTheSweepEndsWhatIsDue(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.holder()
	}
	w.Pass(3 * 365 * 24 * time.Hour)
	for _, want := range []int{2, 1, 0} {
		if n, err := w.Issuance.ExpireDue(ctx, 2); err != nil || n != want {
			t.Errorf("%d ended, %v; want %d", n, err, want)
		}
	}
}

// Nor is anything issued to them, reported, released or ended any more: each is refused
// with the same reason of its own, and leaves no entry.
func TestARemovedPersonHoldsNothingEverAgain(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	code := c.offer(sejong).Code
	old := c.report(callCentre, lifecycle.MobileLost).Sequence
	newest := c.report(callCentre, lifecycle.MobileLost).Sequence
	lost := c.phone.wallet
	approval, reason := c.approveTap()
	w.decided(reason, lifecycle.Granted)
	w.decided(c.remove().Reason, lifecycle.Granted)
	c.shows(notValid, notValid)

	entries, _ := w.export()
	if last := entries[len(entries)-1]; last.Event != "person-removed" || last.After != (audit.State{Removed: true}) {
		t.Errorf("%+v", last)
	}
	named := func(q *suspension.ReleaseRequest) { q.Wallet = lost }
	for what, ask := range map[string]func() lifecycle.Reason{
		"a plastic card":                func() lifecycle.Reason { return c.newCard("B1").Reason },
		"a code":                        func() lifecycle.Reason { return c.offer(sejong).Reason },
		"a code of before":              func() lifecycle.Reason { return c.redeem(code).Reason },
		"a code of before, scanned":     func() lifecycle.Reason { _, r := c.approveOffer(code, c.Capture()); return r },
		"a tap":                         func() lifecycle.Reason { return c.tap().Reason },
		"a tap, to be approved":         func() lifecycle.Reason { _, r := c.approveTap(); return r },
		"an approval of before":         func() lifecycle.Reason { return c.issueApproved(approval).Reason },
		"a lost card":                   func() lifecycle.Reason { return c.report(callCentre, lifecycle.PhysicalLost).Reason },
		"a lost phone":                  func() lifecycle.Reason { return c.report(me(c.ID), lifecycle.MobileLost).Reason },
		"an order":                      func() lifecycle.Reason { return c.report(registrar, lifecycle.Administrative).Reason },
		"a card that was found":         func() lifecycle.Reason { return c.release(clerk, lifecycle.PhysicalLost, newest).Reason },
		"a phone that was found":        func() lifecycle.Reason { return c.release(clerk, lifecycle.MobileLost, newest).Reason },
		"the phone by its name":         func() lifecycle.Reason { return c.release(clerk, lifecycle.MobileLost, newest, named).Reason },
		"the phone, by an older report": func() lifecycle.Reason { return c.release(clerk, lifecycle.MobileLost, old, named).Reason },
		"an order that is lifted":       func() lifecycle.Reason { return c.release(registrar, lifecycle.Administrative, newest).Reason },
		"a removal, by another request": func() lifecycle.Reason { return c.remove().Reason },
	} {
		if reason := ask(); reason != lifecycle.NoLongerResident {
			t.Errorf("%s: %v", what, reason)
		}
	}
	if n := w.sequence(); n != uint64(len(entries)) {
		t.Errorf("%d entries were made", n-uint64(len(entries)))
	}
	c.shows(notValid, notValid)
	w.decided(c.report(clerk, lifecycle.Administrative).Reason, lifecycle.NotAuthorised)
}

// Whoever sends the removal again, for want of an answer, gets the answer.
func TestARemovalThatIsRepeatedIsAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	q := issuance.RemovalRequest{Request: w.Request(registrar), Person: w.holder().ID, Why: "death"}
	first, err := w.Issuance.Remove(ctx, q)
	must(t, err)
	again, err := w.Issuance.Remove(ctx, q)
	must(t, err)
	if first.Reason != lifecycle.Granted || again != first || w.sequence() != first.Sequence {
		t.Errorf("%+v, then %+v, change %d", first, again, w.sequence())
	}
}

// An error in what the register says of them can still be mended: it moves no legal state.
func TestTheRecordOfARemovedPersonIsMended(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	c.remove()
	w.decided(c.move(registrar, "한누리대로 2131").Reason, lifecycle.Granted)
	w.decided(c.newCard("B1").Reason, lifecycle.NoLongerResident)
	entries, _ := w.export()
	if last := entries[len(entries)-1]; last.Event != register.ResidentChanged || !last.Before.Removed || !last.After.Removed {
		t.Errorf("%+v", last)
	}
}
