package service_test

import (
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service"
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
	if _, err := c.w.Issuance.IssueByTap(ctx, q); err == nil || !strings.Contains(err.Error(), "cannot be signed") {
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

func TestARemovedPersonHoldsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	a, err := w.Issuance.Remove(ctx, issuance.RemovalRequest{Request: w.Request(registrar), Person: c.ID, Why: "death"})
	must(t, err)
	w.decided(a.Reason, lifecycle.Granted)
	c.shows(notValid, notValid)
	w.decided(c.tap().Reason, lifecycle.NoPlasticCard)
}
