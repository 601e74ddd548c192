package service_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/suspension"
)

// S1, S2, S6, S7, S8: what a cause suspends, what lifts it, what replaces it, and
// that nothing is issued meanwhile.

func TestS1PhysicalLossSuspendsPlasticAndEveryCopyInOneCommit(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	before := w.sequence()
	r := c.report(callCentre, lifecycle.PhysicalLost)
	if r.Reason != lifecycle.Granted || r.Sequence != before+1 || w.sequence() != before+1 {
		t.Errorf("%+v after change %d", r, before)
	}
	c.shows(suspended, suspended)
}

func TestS1NoAnswerEverShowsOneWithoutTheOther(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			// Plastic first: while only reports follow each other, mobile can
			// not be accepted after plastic was not.
			p := c.plastic()
			if m := w.look(c.phone.held[0]).Verdict; p == suspended && m == accepted {
				t.Error("plastic was suspended and mobile accepted after it")
			}
		}
	})
	time.Sleep(5 * time.Millisecond) // some answers before the report
	c.report(callCentre, lifecycle.PhysicalLost)
	time.Sleep(5 * time.Millisecond) // and some after it
	close(stop)
	wg.Wait()
}

func TestS2MobileLossNeverTouchesThePlasticCardNorAnybodyElse(t *testing.T) {
	w := newWorld(t)
	c, other := w.holder(), w.holder()
	w.decided(c.report(callCentre, lifecycle.MobileLost).Reason, lifecycle.Granted)
	c.shows(accepted, suspended)
	other.shows(accepted, accepted)
}

func TestS2ALostWalletOfOnePersonIsNotLostForAnother(t *testing.T) {
	w := newWorld(t)
	c, other := w.holder(), w.resident()
	other.phone.wallet = c.phone.wallet // a phone handed down
	c.report(callCentre, lifecycle.MobileLost)
	w.decided(other.tap().Reason, lifecycle.Granted)
	other.shows(accepted, accepted)
}

func TestS6OnlyAReleaseOfTheSameCauseByARoleThatMayRemovesACause(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	physical := c.report(me(c.ID), lifecycle.PhysicalLost)
	mobile := c.report(me(c.ID), lifecycle.MobileLost)
	admin := c.report(registrar, lifecycle.Administrative)

	w.decided(c.release(callCentre, lifecycle.PhysicalLost, admin.Sequence).Reason, lifecycle.NotAuthorised)
	w.decided(c.release(clerk, lifecycle.Administrative, admin.Sequence).Reason, lifecycle.NotAuthorised)
	w.decided(c.release(me(c.ID+1), lifecycle.PhysicalLost, admin.Sequence).Reason, lifecycle.NotAuthorised)
	w.decided(c.report(clerk, lifecycle.Administrative).Reason, lifecycle.NotAuthorised)
	c.shows(suspended, suspended)

	w.decided(c.release(clerk, lifecycle.PhysicalLost, physical.Sequence).Reason, lifecycle.Granted)
	c.shows(suspended, suspended) // by order of the registrar
	w.decided(c.release(registrar, lifecycle.Administrative, admin.Sequence).Reason, lifecycle.Granted)
	c.shows(accepted, suspended) // finding the plastic card released no phone
	w.decided(c.release(me(c.ID), lifecycle.MobileLost, mobile.Sequence).Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
	w.decided(c.release(me(c.ID), lifecycle.MobileLost, mobile.Sequence).Reason, lifecycle.NothingToRelease)
}

func TestS6AWalletReportedLostHoldsNoCardUntilItIsReleased(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	r := c.report(callCentre, lifecycle.MobileLost)
	w.decided(c.tap().Reason, lifecycle.WalletReportedLost)

	// Neither a new phone nor a new plastic card releases the old phone.
	old := c.phone
	c.phone = newPhone("new phone")
	w.decided(c.tap().Reason, lifecycle.Granted)
	c.newCard("B1")
	c.Number = "B1"
	c.phone = old
	w.decided(c.tap().Reason, lifecycle.WalletReportedLost)

	named := func(q *suspension.ReleaseRequest) { q.Wallet = old.wallet }
	w.decided(c.release(clerk, lifecycle.MobileLost, r.Sequence-1, named).Reason, lifecycle.OlderThanReport)
	w.decided(c.release(clerk, lifecycle.MobileLost, r.Sequence, named).Reason, lifecycle.Granted)
	w.decided(c.tap().Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
}

func TestS6ReleasingAReplacedWalletDoesNotReleaseTheOneInUse(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	first := c.report(callCentre, lifecycle.MobileLost)
	old := c.phone
	c.phone = newPhone("new phone")
	c.tap()
	c.report(callCentre, lifecycle.MobileLost)
	w.decided(c.release(clerk, lifecycle.MobileLost, first.Sequence, func(q *suspension.ReleaseRequest) { q.Wallet = old.wallet }).Reason, lifecycle.Granted)
	c.shows(accepted, suspended)
}

func TestS7ANewPhoneEndsTheOldOnesCardForGood(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	r := c.report(callCentre, lifecycle.MobileLost)
	old := c.phone.held
	c.phone = newPhone("new phone")
	w.decided(c.tap().Reason, lifecycle.Granted)
	c.shows(accepted, accepted) // it starts clean
	w.decided(c.release(clerk, lifecycle.MobileLost, r.Sequence).Reason, lifecycle.NothingToRelease)
	for _, h := range old {
		if v := w.look(h).Verdict; v != notValid {
			t.Errorf("a copy in the old phone is %v", v)
		}
	}
}

func TestS7AReissuedPlasticCardEndsTheOldNumberAndAllThatHungOnIt(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	r := c.report(callCentre, lifecycle.PhysicalLost)
	w.decided(c.newCard("B1").Reason, lifecycle.Granted)
	c.shows(notValid, notValid)
	w.decided(c.release(clerk, lifecycle.PhysicalLost, r.Sequence).Reason, lifecycle.NothingToRelease)
	c.shows(notValid, notValid)
	w.decided(c.tap().Reason, lifecycle.NoPlasticCard) // with the old card in the hand
	c.Number = "B1"
	c.w.decided(c.tap().Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
	if _, err := w.Issuance.RegisterCard(ctx, issuance.CardRequest{Request: w.Request(clerk), Person: c.ID,
		Card: issuance.NewCard{Number: "B1", Template: c.Face}}); !errors.Is(err, issuance.ErrNumberTaken) {
		t.Errorf("a number was given twice: %v", err)
	}
}

func TestS8NothingIsIssuedWhileTheCardIsSuspended(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	o := c.offer(sejong)
	r := c.report(callCentre, lifecycle.PhysicalLost)
	w.decided(c.tap().Reason, lifecycle.CardSuspended)
	w.decided(c.redeem(o.Code).Reason, lifecycle.CardSuspended)
	w.decided(c.offer(sejong).Reason, lifecycle.CardSuspended)
	c.release(clerk, lifecycle.PhysicalLost, r.Sequence)
	w.decided(c.redeem(o.Code).Reason, lifecycle.Granted) // it was not used up
	a := c.report(registrar, lifecycle.Administrative)
	w.decided(c.tap().Reason, lifecycle.PersonSuspended)
	c.release(registrar, lifecycle.Administrative, a.Sequence)
	w.decided(c.tap().Reason, lifecycle.Granted)
}

// Whichever comes first: an issue that commits before the report is caught by
// it, one that commits after it is refused. There is no moment in between.
func TestS8AnIssueAndAReportAtTheSameTimeNeverLeaveAnActiveCard(t *testing.T) {
	w := newWorld(t)
	granted := 0
	for range 40 {
		c := w.resident()
		q, keys := c.tapRequest()
		var a issuance.Issued
		var r suspension.Receipt
		var wg sync.WaitGroup
		wg.Go(func() {
			var err error
			if a, err = w.Issuance.IssueByTap(ctx, q); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { r = c.report(callCentre, lifecycle.PhysicalLost) })
		wg.Wait()
		if r.Reason != lifecycle.Granted {
			t.Fatal(r.Reason)
		}
		switch a.Reason {
		case lifecycle.Granted:
			granted++
			c.phone.keep(a, keys)
			if v := c.mobile(); v != suspended || a.Sequence > r.Sequence {
				t.Errorf("issued by change %d, reported by %d: it is %v", a.Sequence, r.Sequence, v)
			}
		case lifecycle.CardSuspended:
		default:
			t.Errorf("refused as %v", a.Reason)
		}
	}
	t.Logf("%d of 40 were issued before the report", granted)
}
