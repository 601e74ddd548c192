package service_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

const (
	accepted  = lifecycle.Accepted
	suspended = lifecycle.Suspended
	notValid  = lifecycle.NotValid
)

func (c *citizen) shows(plastic, mobile lifecycle.Verdict) {
	c.w.t.Helper()
	if p, m := c.plastic(), c.mobile(); p != plastic || m != mobile {
		c.w.t.Errorf("plastic %v, mobile %v; want %v, %v", p, m, plastic, mobile)
	}
}

func (w *world) decided(reason, want lifecycle.Reason) {
	w.t.Helper()
	if reason != want {
		w.t.Errorf("it was decided %v; want %v", reason, want)
	}
}

func TestAMobileCardIssuedByTapIsAcceptedAndShowsOnlyWhatIsAsked(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	a := w.look(c.phone.held[0])
	if a.Verdict != accepted || len(a.Elements) != 1 || a.Elements[0] != (mdoc.Element{Name: "age_over_19", Value: true}) {
		t.Errorf("%+v", a)
	}
	c.shows(accepted, accepted)
}

func TestAMobileCardIssuedAtACentreIsAccepted(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	w.decided(c.redeem(c.offer(sejong).Code).Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
}

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

func TestS3AVerificationBegunAfterTheAcknowledgementNeverAccepts(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 8 {
		c := w.holder()
		wg.Go(func() {
			for range 3 {
				r := c.report(callCentre, lifecycle.MobileLost)
				if v := c.mobile(); v != suspended {
					t.Errorf("%v after the report was acknowledged", v)
				}
				c.release(clerk, lifecycle.MobileLost, r.Sequence)
				if v := c.mobile(); v != accepted {
					t.Errorf("%v after the release was acknowledged", v)
				}
			}
		})
	}
	wg.Wait()
}

func TestS3APresentationIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	response := c.phone.held[0].present(t, tr)
	a, err := w.Verification.Verify(ctx, tr, response)
	must(t, err)
	if a.Verdict != accepted {
		t.Fatal(a.Verdict)
	}
	if a, err := w.Verification.Verify(ctx, tr, response); !errors.Is(err, verification.ErrReplayed) || a.Verdict != lifecycle.CannotTell {
		t.Errorf("a replay was answered: %v, %v", a.Verdict, err)
	}
	again, err := w.Verification.Begin(bank)
	must(t, err)
	if a, err := w.Verification.Verify(ctx, again, response); err != nil || a.Verdict != notValid {
		t.Errorf("a response for another transaction: %v, %v", a.Verdict, err)
	}
}

func TestATransactionIsBoundToItsVerifierAndItsTime(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	stolen := tr
	stolen.ClientID = "x509_hash:somebody-else"
	forged := tr
	forged.Nonce = strings.Repeat("A", len(tr.Nonce))
	for _, bad := range []verification.Transaction{stolen, forged, {}} {
		if _, err := w.Verification.Verify(ctx, bad, c.phone.held[0].present(t, bad)); !errors.Is(err, verification.ErrTransaction) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	w.pass(5*time.Minute + time.Millisecond)
	if _, err := w.Verification.Verify(ctx, tr, c.phone.held[0].present(t, tr)); !errors.Is(err, verification.ErrTransactionOver) {
		t.Error(err)
	}
}

// offline is a bank with its own copy of the lists.
func (w *world) offline(past verification.PastTTL) *verification.Offline {
	w.t.Helper()
	v, err := verification.NewOffline(verification.OfflineOptions{
		Verifier: bank, Anchors: authority().anchors, PastTTL: past, Lifetime: 5 * time.Minute, Now: w.now, Random: zeros{},
	})
	must(w.t, err)
	return v
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func (w *world) publish() []suspension.Published {
	w.t.Helper()
	lists, _, err := w.Publisher.Publish(ctx)
	must(w.t, err)
	return lists
}

func (w *world) fetch(v *verification.Offline) {
	w.t.Helper()
	for _, l := range w.publish() {
		must(w.t, v.Fetched(l.JWT))
	}
}

func (c *citizen) at(v *verification.Offline) verification.Answer {
	c.w.t.Helper()
	tr, err := v.Begin()
	must(c.w.t, err)
	a, err := v.Verify(tr, c.phone.held[0].present(c.w.t, tr))
	must(c.w.t, err)
	return a
}

func TestS4ACachedListIsUsedUpToItsTTLAndByPolicyBeyond(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	strict, lax := w.offline(verification.Refuse), w.offline(verification.Accept)
	if v := c.at(strict).Verdict; v != lifecycle.CannotTell {
		t.Errorf("without a list: %v", v)
	}
	w.fetch(strict)
	w.fetch(lax)
	c.report(callCentre, lifecycle.PhysicalLost)
	w.pass(time.Hour) // the ttl
	for _, v := range []*verification.Offline{strict, lax} {
		if a := c.at(v); a.Verdict != accepted || a.Stale {
			t.Errorf("within the ttl: %+v", a)
		}
	}
	w.pass(time.Millisecond)
	if a := c.at(strict); a.Verdict != lifecycle.CannotTell {
		t.Errorf("past the ttl, refusing: %+v", a)
	}
	if a := c.at(lax); a.Verdict != accepted || !a.Stale || lax.Stale() != 1 {
		t.Errorf("past the ttl, accepting: %+v, %d counted", a, lax.Stale())
	}
	w.fetch(strict)
	w.fetch(lax)
	for _, v := range []*verification.Offline{strict, lax} {
		if a := c.at(v); a.Verdict != suspended {
			t.Errorf("with a fresh list: %+v", a)
		}
	}
}

func TestAnOlderListDoesNotReplaceANewerOne(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	v := w.offline(verification.Refuse)
	before := w.publish()[0]
	c.report(callCentre, lifecycle.MobileLost)
	w.fetch(v)
	if err := v.Fetched(before.JWT); err == nil {
		t.Error("the list from before the report was taken")
	}
	if a := c.at(v); a.Verdict != suspended {
		t.Error(a.Verdict)
	}
}

func TestAnOfflinePresentationIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	v := w.offline(verification.Refuse)
	w.fetch(v)
	tr, err := v.Begin()
	must(t, err)
	response := c.phone.held[0].present(t, tr)
	if a, err := v.Verify(tr, response); err != nil || a.Verdict != accepted {
		t.Fatal(a, err)
	}
	if _, err := v.Verify(tr, response); !errors.Is(err, verification.ErrTransaction) {
		t.Errorf("a replay was answered: %v", err)
	}
}

func TestS5NothingAcknowledgedIsLostAndNothingHappensTwice(t *testing.T) {
	dir := t.TempDir()
	w := onFile(t, filepath.Join(dir, "register.db"), 1<<12)
	const n = 12
	type flight struct {
		c   *citizen
		ask func(*world) (lifecycle.Reason, uint64, error)
		seq uint64
		err error
	}
	var flights []*flight
	for i := range n {
		c := w.holder()
		f := &flight{c: c}
		if i%2 == 0 {
			q := suspension.ReportRequest{Request: w.request(callCentre), Person: c.id, Cause: lifecycle.PhysicalLost}
			f.ask = func(w *world) (lifecycle.Reason, uint64, error) {
				r, err := w.Suspension.Report(ctx, q)
				return r.Reason, r.Sequence, err
			}
		} else {
			q, keys := c.tapRequest()
			f.ask = func(w *world) (lifecycle.Reason, uint64, error) {
				a, err := w.Issuance.IssueByTap(ctx, q)
				if err == nil {
					c.phone.keep(a, keys)
				}
				return a.Reason, a.Sequence, err
			}
		}
		flights = append(flights, f)
	}
	var wg sync.WaitGroup
	for _, f := range flights {
		wg.Go(func() {
			var reason lifecycle.Reason
			if reason, f.seq, f.err = f.ask(w); f.err == nil && reason != lifecycle.Granted {
				t.Errorf("%v", reason)
			}
		})
	}
	time.Sleep(2 * time.Millisecond) // some are answered, some in flight
	w.db.Fence()
	copied := filepath.Join(dir, "successor.db")
	must(t, w.db.CopyAcknowledged(copied))
	wg.Wait()

	successor := onFile(t, copied, 1<<12)
	lost, answered := 0, 0
	for _, f := range flights {
		if f.err != nil && !errors.Is(f.err, store.ErrFenced) {
			t.Error(f.err)
		}
		reason, seq, err := f.ask(successor)
		if err != nil || reason != lifecycle.Granted {
			t.Errorf("repeated: %v, %v", reason, err)
		}
		if f.err == nil {
			answered++
			if seq != f.seq {
				t.Errorf("acknowledged as change %d, repeated it is %d", f.seq, seq)
			}
		} else {
			lost++
		}
		f.c.w = successor
		if f.c.phone.held != nil {
			f.c.mobile()
		}
	}
	t.Logf("%d acknowledged before the crash, %d in flight", answered, lost)
	head, err := audit.Verify(ctx, successor.db)
	must(t, err)
	events := count(t, successor)
	if events["report-physical-lost"] != n/2 || events["credential-issued"] != n+n/2 {
		t.Errorf("after %d: %v", head.Sequence, events)
	}
}

// export returns the audit log as an outsider gets it.
func (w *world) export() (entries []audit.Entry, lines []string) {
	w.t.Helper()
	var out bytes.Buffer
	must(w.t, audit.Export(ctx, w.db, 1, &out))
	for line := range strings.Lines(out.String()) {
		var l audit.Line
		var e audit.Entry
		must(w.t, json.Unmarshal([]byte(line), &l))
		must(w.t, json.Unmarshal(l.Entry, &e))
		entries, lines = append(entries, e), append(lines, line)
	}
	return entries, lines
}

func count(t *testing.T, w *world) map[string]int {
	events := map[string]int{}
	entries, _ := w.export()
	for _, e := range entries {
		events[e.Event]++
	}
	return events
}

func TestS6OnlyAReleaseOfTheSameCauseByARoleThatMayRemovesACause(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	physical := c.report(me(c.id), lifecycle.PhysicalLost)
	mobile := c.report(me(c.id), lifecycle.MobileLost)
	admin := c.report(registrar, lifecycle.Administrative)

	w.decided(c.release(callCentre, lifecycle.PhysicalLost, admin.Sequence).Reason, lifecycle.NotAuthorised)
	w.decided(c.release(clerk, lifecycle.Administrative, admin.Sequence).Reason, lifecycle.NotAuthorised)
	w.decided(c.release(me(c.id+1), lifecycle.PhysicalLost, admin.Sequence).Reason, lifecycle.NotAuthorised)
	w.decided(c.report(clerk, lifecycle.Administrative).Reason, lifecycle.NotAuthorised)
	c.shows(suspended, suspended)

	w.decided(c.release(clerk, lifecycle.PhysicalLost, physical.Sequence).Reason, lifecycle.Granted)
	c.shows(suspended, suspended) // by order of the registrar
	w.decided(c.release(registrar, lifecycle.Administrative, admin.Sequence).Reason, lifecycle.Granted)
	c.shows(accepted, suspended) // finding the plastic card released no phone
	w.decided(c.release(me(c.id), lifecycle.MobileLost, mobile.Sequence).Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
	w.decided(c.release(me(c.id), lifecycle.MobileLost, mobile.Sequence).Reason, lifecycle.NothingToRelease)
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
	c.number = "B1"
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
	c.number = "B1"
	c.w.decided(c.tap().Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
	if _, err := w.Issuance.RegisterCard(ctx, issuance.CardRequest{Request: w.request(clerk), Person: c.id,
		Card: issuance.NewCard{Number: "B1", Template: c.face}}); !errors.Is(err, issuance.ErrNumberTaken) {
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

func TestS9ARepeatedRequestHasTheEffectOfOneAndTheSameAnswer(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	q, keys := c.tapRequest()
	first, err := w.Issuance.IssueByTap(ctx, q)
	must(t, err)
	c.phone.keep(first, keys)
	offer := issuance.OfferRequest{Request: w.request(clerk), Person: c.id, Centre: sejong}
	firstOffer, err := w.Issuance.CreateOffer(ctx, offer)
	must(t, err)
	report := suspension.ReportRequest{Request: w.request(callCentre), Person: c.id, Cause: lifecycle.MobileLost}
	firstReport, err := w.Suspension.Report(ctx, report)
	must(t, err)
	release := suspension.ReleaseRequest{Request: w.request(clerk), Person: c.id, Cause: lifecycle.MobileLost, Sequence: firstReport.Sequence}
	firstRelease, err := w.Suspension.Release(ctx, release)
	must(t, err)

	before := w.sequence()
	w.pass(time.Hour) // an answer does not age
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			// The report comes again after the release: it suspends nobody.
			if r, err := w.Suspension.Report(ctx, report); err != nil || r.Sequence != firstReport.Sequence || !r.At.Equal(firstReport.At) {
				t.Errorf("report again: %+v, %v", r, err)
			}
			if r, err := w.Suspension.Release(ctx, release); err != nil || r.Sequence != firstRelease.Sequence {
				t.Errorf("release again: %+v, %v", r, err)
			}
			if o, err := w.Issuance.CreateOffer(ctx, offer); err != nil || o.Code != firstOffer.Code {
				t.Errorf("offer again: %+v, %v", o, err)
			}
			if o, err := w.Issuance.IssueByOffer(ctx, issuance.RedeemRequest{}); err == nil {
				t.Errorf("an empty request was answered: %+v", o)
			}
		})
	}
	wg.Wait()
	if w.sequence() != before {
		t.Errorf("repetitions made %d changes", w.sequence()-before)
	}
	c.shows(accepted, accepted)
}

func TestS9AnIssueAnsweredTwiceIsTheSameIssue(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	q, _ := c.tapRequest()
	answers := make([]issuance.Issued, 6)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = w.Issuance.IssueByTap(ctx, q); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a.Sequence != answers[0].Sequence || !slices.EqualFunc(a.Copies, answers[0].Copies, bytes.Equal) || len(a.Copies) != copies {
			t.Errorf("change %d with %d copies, and change %d", a.Sequence, len(a.Copies), answers[0].Sequence)
		}
	}
	if n := count(t, w)["credential-issued"]; n != 1 {
		t.Errorf("%d issues", n)
	}
}

func TestS9AKeyBelongsToOneRequest(t *testing.T) {
	w := newWorld(t)
	c, other := w.holder(), w.holder()
	q := suspension.ReportRequest{Request: w.request(callCentre), Person: c.id, Cause: lifecycle.MobileLost}
	_, err := w.Suspension.Report(ctx, q)
	must(t, err)
	q.Person = other.id
	if _, err := w.Suspension.Report(ctx, q); !errors.Is(err, register.ErrKeyReused) {
		t.Errorf("a key was used for another request: %v", err)
	}
	other.shows(accepted, accepted)
	q.By = registrar // their keys are their own
	if _, err := w.Suspension.Report(ctx, q); err != nil {
		t.Error(err)
	}
	q.Key = ""
	if _, err := w.Suspension.Report(ctx, q); !errors.Is(err, register.ErrNoKey) {
		t.Errorf("a request without a key: %v", err)
	}
}

func TestS9AReleaseOlderThanTheNewestReportDoesNothingAndSaysSo(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	first := c.report(me(c.id), lifecycle.PhysicalLost)
	second := c.report(callCentre, lifecycle.PhysicalLost) // reported again: it is the newest report
	if second.Reason != lifecycle.Granted || second.Sequence <= first.Sequence {
		t.Fatalf("%+v after %+v", second, first)
	}
	before := w.sequence()
	w.decided(c.release(clerk, lifecycle.PhysicalLost, first.Sequence).Reason, lifecycle.OlderThanReport)
	w.decided(c.release(callCentre, lifecycle.PhysicalLost, first.Sequence).Reason, lifecycle.NotAuthorised)
	if w.sequence() != before {
		t.Error("a refused release changed the register")
	}
	c.shows(suspended, suspended)
	w.decided(c.release(clerk, lifecycle.PhysicalLost, second.Sequence).Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
}

func TestS10EveryTransitionHasExactlyOneEntry(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	r := c.report(callCentre, lifecycle.PhysicalLost)
	c.release(clerk, lifecycle.PhysicalLost, r.Sequence)
	c.release(clerk, lifecycle.PhysicalLost, r.Sequence) // refused: no transition
	c.newCard("B1")
	entries, _ := w.export()
	type line struct{ event, actor, role, reason, before, after string }
	var got []line
	short := func(s audit.State) string {
		var out []string
		for _, part := range []struct {
			is   bool
			name string
		}{{s.Card, "card"}, {s.Credential, "mobile"}, {s.PhysicalLost, "lost"}, {s.MobileLost, "phone lost"}, {s.Administrative, "admin"}} {
			if part.is {
				out = append(out, part.name)
			}
		}
		return strings.Join(out, "+")
	}
	for i, e := range entries {
		if e.Sequence != uint64(i+1) || !e.At.Equal(noon) || e.Person != uint64(c.id) {
			t.Errorf("entry %d: %+v", i+1, e)
		}
		got = append(got, line{e.Event, e.Actor, e.Role, e.Reason, short(e.Before), short(e.After)})
	}
	want := []line{
		{"resident-registered", "registrar-1", "registrar", "seed", "", ""},
		{"card-issued", "registrar-1", "registrar", "seed", "", "card"},
		{"credential-issued", fmt.Sprint(c.id), "citizen", "applied by tap", "card", "card+mobile"},
		{"report-physical-lost", "operator-1", "call-centre", "it is gone", "card+mobile", "card+mobile+lost"},
		{"release-physical", "clerk-1", "clerk", "it was found", "card+mobile+lost", "card+mobile"},
		{"card-issued", "clerk-1", "clerk", "re-issue", "card+mobile", "card"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestS10ARemovedChangedOrReorderedEntryIsFound(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.holder()
	}
	head, err := audit.Verify(ctx, w.db)
	must(t, err)
	_, lines := w.export()
	if h, err := audit.VerifyExport(strings.NewReader(strings.Join(lines, "")), head); err != nil || h != head {
		t.Fatalf("the export itself: %v, %v", h, err)
	}
	for _, test := range []struct {
		name string
		do   func([]string) []string
		at   uint64
	}{
		{"first removed", func(l []string) []string { return l[1:] }, 1},
		{"one removed", func(l []string) []string { return slices.Delete(l, 4, 5) }, 5},
		{"last removed", func(l []string) []string { return l[:8] }, 9},
		{"reordered", func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, 4},
		{"repeated", func(l []string) []string { return slices.Insert(l, 5, l[4]) }, 5},
		{"actor changed", func(l []string) []string {
			l[6] = strings.Replace(l[6], "registrar-1", "registrar-2", 1)
			return l
		}, 7},
		{"number changed", func(l []string) []string {
			l[6] = strings.Replace(l[6], `"sequence":7`, `"sequence":8`, 1)
			return l
		}, 7},
		{"hash changed", func(l []string) []string {
			l[6] = strings.Replace(l[6], `"hash":"`, `"hash":"00`, 1)
			return l
		}, 7},
		{"previous changed", func(l []string) []string {
			i := strings.Index(l[6], `"previous":"`) + len(`"previous":"`)
			l[6] = l[6][:i] + "00" + l[6][i+2:]
			return l
		}, 7},
		{"written anew", func([]string) []string {
			other := newWorld(t)
			for range 3 {
				other.resident()
				other.holder()
			}
			_, l := other.export()
			return l[:9]
		}, 9},
		{"no line", func(l []string) []string { l[2] = "{}\n"; return l }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := audit.VerifyExport(strings.NewReader(strings.Join(test.do(slices.Clone(lines)), "")), head)
			var fault *audit.Fault
			if !errors.As(err, &fault) || fault.Sequence != test.at {
				t.Errorf("found: %v; want entry %d", err, test.at)
			}
		})
	}
}

func TestS11APublishedListEqualsTheRegisterAtTheChangeItStates(t *testing.T) {
	w := newWorld(t)
	var people []*citizen
	statuses := map[audit.Copy]statuslist.Status{} // rebuilt from the audit log alone
	owner := map[uint64][]audit.Copy{}             // live credential of a person
	upTo := 0
	check := func() {
		t.Helper()
		published := w.publish()
		entries, _ := w.export()
		for _, e := range entries[upTo:] {
			if e.EndedCredential != 0 {
				for _, c := range owner[e.Person] {
					statuses[c] = statuslist.Invalid
				}
				delete(owner, e.Person)
			}
			for _, c := range e.Copies {
				if _, used := statuses[c]; used {
					t.Errorf("index %v was used twice", c)
				}
			}
			if e.Credential != 0 {
				owner[e.Person] = e.Copies
			}
			for _, c := range owner[e.Person] {
				statuses[c] = statuslist.Valid
				if e.After.PhysicalLost || e.After.MobileLost || e.After.Administrative {
					statuses[c] = statuslist.Suspended
				}
			}
		}
		upTo = len(entries)
		for n, p := range published {
			for _, parse := range []func() (*statuslist.Token, error){
				func() (*statuslist.Token, error) { return statuslist.ParseJWT(p.JWT, authority().anchors, w.now()) },
				func() (*statuslist.Token, error) { return statuslist.ParseCWT(p.CWT, authority().anchors, w.now()) },
			} {
				token, err := parse()
				must(t, err)
				if token.RegisterSeq != p.RegisterSeq || token.RegisterSeq > uint64(upTo) || token.Subject != p.URI {
					t.Errorf("token of %s at %d, published %s at %d", token.Subject, token.RegisterSeq, p.URI, p.RegisterSeq)
				}
				for i := range token.List.Len() {
					got, err := token.List.Get(i)
					must(t, err)
					if want := statuses[audit.Copy{List: uint32(n), Index: i}]; got != want {
						t.Errorf("at change %d: index %d is %v in the list, %v in the register", p.RegisterSeq, i, got, want)
					}
				}
			}
		}
	}
	check()
	for i := range 12 {
		people = append(people, w.holder())
		c := people[i/2]
		switch i % 4 {
		case 0:
			c.report(callCentre, lifecycle.PhysicalLost)
		case 1:
			c.release(clerk, lifecycle.PhysicalLost, w.sequence())
		case 2:
			c.phone = newPhone(fmt.Sprint("another ", i))
			c.tap()
		case 3:
			c.newCard(fmt.Sprint("C", i))
		}
		check()
	}
	// A publisher that begins now finds the same from the tables.
	fresh, err := suspension.NewPublisher(w.Register, authority().status, suspension.PublisherOptions{TTL: time.Hour, Validity: 24 * time.Hour})
	must(t, err)
	again, _, err := fresh.Publish(ctx)
	must(t, err)
	for i, p := range w.publish() {
		a, err := statuslist.ParseJWT(p.JWT, authority().anchors, w.now())
		must(t, err)
		b, err := statuslist.ParseJWT(again[i].JWT, authority().anchors, w.now())
		must(t, err)
		if !a.List.Equal(b.List) {
			t.Error("two publishers differ")
		}
	}
}

func TestAListIsSignedOnlyWhenItChangedOrItsValidityIsHalfOver(t *testing.T) {
	w := newWorld(t)
	w.publish()
	for _, step := range []struct {
		name  string
		do    func()
		fresh bool
	}{
		{"nothing", func() {}, false},
		{"a card is issued: it is valid, as the list says already", func() { w.holder() }, false},
		{"a report", func() { w.holder().report(callCentre, lifecycle.MobileLost) }, true},
		{"eleven hours", func() { w.pass(11 * time.Hour) }, false},
		{"twelve hours", func() { w.pass(time.Hour) }, true},
	} {
		step.do()
		if _, fresh, err := w.Publisher.Publish(ctx); err != nil || fresh != step.fresh {
			t.Errorf("%s: signed %v, %v", step.name, fresh, err)
		}
	}
}

func TestS11IndicesAreDrawnAtRandomAndNewListsAreOpenedInTime(t *testing.T) {
	const size = 64
	path := filepath.Join(t.TempDir(), "register.db")
	w := onFile(t, path, size)
	seen := map[audit.Copy]bool{}
	ascending, last := 0, audit.Copy{}
	issue := func(n int) {
		for range n {
			a := w.resident().tap()
			w.decided(a.Reason, lifecycle.Granted)
			for _, c := range a.Indices {
				if seen[c] {
					t.Fatalf("index %v was used twice", c)
				}
				seen[c] = true
				if c.List == last.List && c.Index > last.Index {
					ascending++
				}
				last = c
			}
		}
	}
	issue(16)
	lists := w.publish()
	if len(lists) != 2 {
		t.Errorf("%d lists when the first is three quarters full", len(lists))
	}
	issue(16)
	must(t, w.db.Close())
	n, ctr := w.n, w.ctr
	w = onFile(t, path, size) // the same seed draws the same places again
	w.n, w.ctr = n, ctr
	issue(16)
	if len(seen) != 48*copies || ascending > 48*copies*2/3 {
		t.Errorf("%d places, %d ascending", len(seen), ascending)
	}
}

func TestNothingIsAcceptedAfterItsExpiry(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	_, err := w.Issuance.ExpireDue(ctx, 100)
	must(t, err)
	c.shows(accepted, accepted)
	w.pass(3*365*24*time.Hour - time.Millisecond)
	// The signer's certificate is over by then; the register's word counts.
	for range 2 {
		w.pass(time.Millisecond)
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
	w.pass(3 * 365 * 24 * time.Hour)
	for _, want := range []int{2, 1, 0} {
		if n, err := w.Issuance.ExpireDue(ctx, 2); err != nil || n != want {
			t.Errorf("%d ended, %v; want %d", n, err, want)
		}
	}
}

func TestE1ToE5AnApplicationIsRefusedForTheReasonOfTheRulebook(t *testing.T) {
	child := func(q *issuance.ResidentRequest) {
		q.Resident.BirthDate = time.Date(2008, 3, 15, 0, 0, 0, 0, time.UTC) // 17 tomorrow
	}
	inSeoul := func(q *issuance.ResidentRequest) { q.Resident.Municipality = seoul }
	without := func(q *issuance.ResidentRequest) { q.Card = nil }
	elsewhere := func(q *issuance.ResidentRequest) { q.Resident.Municipality = "99999" }
	before := -24 * time.Hour
	for _, test := range []struct {
		name     string
		resident func(*issuance.ResidentRequest)
		after    time.Duration
		tap      func(*issuance.TapRequest)
		want     lifecycle.Reason
	}{
		{"E1 the day before the region opens", inSeoul, before, nil, lifecycle.NotOpenYet},
		{"E1 on that day", inSeoul, 0, nil, lifecycle.Granted},
		{"E1 a region that never opens", elsewhere, 0, nil, lifecycle.NotOpenYet},
		{"E2 the day before the 17th birthday", child, 0, nil, lifecycle.TooYoung},
		{"E2 one millisecond before", child, 12*time.Hour - time.Millisecond, nil, lifecycle.TooYoung},
		{"E2 on the 17th birthday, by civil time", child, 12 * time.Hour, nil, lifecycle.Granted},
		{"E2 without a plastic card", without, 0, nil, lifecycle.NoPlasticCard},
		{"E5 another face", nil, 0, func(q *issuance.TapRequest) { q.Probe = probe(portrait(99)) }, lifecycle.FaceNotMatched},
		{"a clone", nil, 0, func(q *issuance.TapRequest) { q.Card.Signature = []byte("made up") }, lifecycle.CardNotGenuine},
		{"somebody else's card", nil, 0, func(q *issuance.TapRequest) { q.Card.DG1 = []byte("A00000001") }, lifecycle.CardNotGenuine},
		{"no PIN", nil, 0, func(q *issuance.TapRequest) { q.Card.PIN = nil }, lifecycle.PINNotVerified},
		{"somebody else applies", nil, 0, func(q *issuance.TapRequest) { q.By = me(1) }, lifecycle.NotAuthorised},
		{"a clerk applies", nil, 0, func(q *issuance.TapRequest) { q.By = clerk }, lifecycle.NotAuthorised},
		{"the first reason counts", inSeoul, before, func(q *issuance.TapRequest) { q.Card.Signature = nil }, lifecycle.NotOpenYet},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.resident() // A00000001
			w.pass(test.after)
			c := w.resident(func(q *issuance.ResidentRequest) {
				if test.resident != nil {
					test.resident(q)
				}
			})
			seq := w.sequence()
			a := c.tap(func(q *issuance.TapRequest) {
				if test.tap != nil {
					test.tap(q)
				}
			})
			w.decided(a.Reason, test.want)
			if a.Reason != lifecycle.Granted && (a.Copies != nil || w.sequence() != seq) {
				t.Error("a refusal left something behind")
			}
		})
	}
}

func TestE3OnlyACentreOfTheOwnMunicipalityServesUntilAnyCentreDoes(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	w.decided(c.offer(seoul).Reason, lifecycle.WrongCentre)
	w.pass(anyCentre.Sub(noon) - time.Millisecond)
	w.decided(c.offer(seoul).Reason, lifecycle.WrongCentre)
	w.pass(time.Millisecond)
	o := c.offer(seoul)
	w.decided(o.Reason, lifecycle.Granted)
	w.decided(c.redeem(o.Code).Reason, lifecycle.Granted)
}

func TestE4ACodeIsGoodForOneIssueWithinNinetySeconds(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	o := c.offer(sejong)
	w.decided(c.redeem(o.Code, func(q *issuance.RedeemRequest) { q.Probe = probe(portrait(99)) }).Reason, lifecycle.FaceNotMatched)
	w.pass(90 * time.Second)
	w.decided(c.redeem(o.Code).Reason, lifecycle.Granted) // a failed capture does not use it up
	w.decided(c.redeem(o.Code).Reason, lifecycle.OfferUsed)
	late := c.offer(sejong)
	w.pass(90*time.Second + time.Millisecond)
	w.decided(c.redeem(late.Code).Reason, lifecycle.OfferExpired)
	w.decided(c.redeem(o.Code).Reason, lifecycle.OfferUsed) // used counts before old

	other := w.resident()
	fresh := c.offer(sejong)
	attestation, _ := other.phone.attest(fresh.Code, w.now(), copies)
	if _, err := w.Issuance.IssueByOffer(ctx, issuance.RedeemRequest{Request: w.request(me(other.id)), Person: other.id,
		Code: fresh.Code, Probe: probe(other.face), Attestation: attestation}); !errors.Is(err, issuance.ErrNoOffer) {
		t.Errorf("somebody else's code: %v", err)
	}
	if o, err := w.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: w.request(me(c.id)), Person: c.id, Centre: sejong}); err != nil || o.Reason != lifecycle.NotAuthorised || o.Code != "" {
		t.Errorf("a citizen made a code: %+v, %v", o, err)
	}
}

func TestE4TwoPhonesRedeemOneCodeAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	o := c.offer(sejong)
	got := make([]lifecycle.Reason, 6)
	var wg sync.WaitGroup
	for i := range got {
		attestation, _ := newPhone(fmt.Sprint("p", i)).attest(o.Code, w.now(), copies)
		q := issuance.RedeemRequest{Request: w.request(me(c.id)), Person: c.id, Code: o.Code, Probe: probe(c.face), Attestation: attestation}
		wg.Go(func() {
			a, err := w.Issuance.IssueByOffer(ctx, q)
			if err != nil {
				t.Error(err)
			}
			got[i] = a.Reason
		})
	}
	wg.Wait()
	slices.Sort(got)
	if got[0] != lifecycle.Granted || got[1] != lifecycle.OfferUsed || got[5] != lifecycle.OfferUsed {
		t.Error(got)
	}
}

func TestAChallengeIsGoodForOneIssueWithinItsLifetime(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	again := func(q issuance.TapRequest, probeOf issuance.TapRequest) lifecycle.Reason {
		q.Request = w.request(me(c.id))
		q.Attestation, _ = c.phone.attest(strings.TrimRight(b64(q.Challenge), "="), w.now(), copies)
		q.Probe = probeOf.Probe
		a, err := w.Issuance.IssueByTap(ctx, q)
		must(t, err)
		return a.Reason
	}
	q, _ := c.tapRequest()
	bad := q
	bad.Probe = probe(portrait(99))
	w.decided(again(q, bad), lifecycle.FaceNotMatched)
	w.decided(again(q, q), lifecycle.Granted) // a second capture on the same reading
	w.decided(again(q, q), lifecycle.CardNotGenuine)
	late, _ := c.tapRequest()
	w.pass(5*time.Minute + time.Millisecond)
	w.decided(again(late, late), lifecycle.CardNotGenuine)
	own := late
	own.Challenge = bytes.Repeat([]byte{1}, 32)
	own.Card.Signature = own.Challenge
	w.decided(again(own, own), lifecycle.CardNotGenuine) // one the server never gave
}

func TestOnlyPhonesOfTrustedMakersAreIssuedTo(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	for _, test := range []struct {
		name, says string
		change     func(header, claims map[string]any)
	}{
		{"another maker", "not a trusted phone maker", func(h, _ map[string]any) { h["x5c"] = [][]byte{makerLeaf("other maker")} }},
		{"no chain", "0 certificates", func(h, _ map[string]any) { delete(h, "x5c") }},
		{"no algorithm", "ES256", func(h, _ map[string]any) { h["alg"] = "none" }},
		{"another kind of token", "key-attestation+jwt", func(h, _ map[string]any) { h["typ"] = "JWT" }},
		{"another request", "another request", func(_, c map[string]any) { c["nonce"] = "other" }},
		{"expired", "expired", func(_, c map[string]any) { c["exp"] = noon.Unix() }},
		{"in the future", "future", func(_, c map[string]any) { c["iat"] = noon.Add(time.Hour).Unix() }},
		{"no wallet", "does not name the wallet", func(_, c map[string]any) { delete(c, "sub") }},
		{"no keys", "attests 0 keys", func(_, c map[string]any) { c["attested_keys"] = []any{} }},
		{"one key twice", "twice", func(_, c map[string]any) {
			k := c["attested_keys"].([]any)
			c["attested_keys"] = []any{k[0], k[0]}
		}},
		{"a point off the curve", "attested key 1", func(_, c map[string]any) {
			k := c["attested_keys"].([]any)
			x := k[0].(map[string]any)
			x["y"] = x["x"]
		}},
	} {
		attestation, _ := c.phone.attest("nonce", w.now(), copies, test.change)
		makers, err := issuance.NewMakers(authority().maker)
		must(t, err)
		if _, err := makers.Check(attestation, "nonce", w.now()); !errors.Is(err, issuance.ErrAttestation) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	tooMany, _ := c.tapRequest(func(q *issuance.TapRequest) {
		q.Attestation, _ = c.phone.attest(b64(q.Challenge), w.now(), copies+1)
	})
	if _, err := w.Issuance.IssueByTap(ctx, tooMany); err == nil {
		t.Error("more copies than allowed")
	}
	good, _ := c.phone.attest("nonce", w.now(), 1)
	broken := good[:len(good)-8] + "AAAAAAAA"
	makers, err := issuance.NewMakers(authority().maker)
	must(t, err)
	if _, err := makers.Check(broken, "nonce", w.now()); !errors.Is(err, issuance.ErrAttestation) {
		t.Errorf("a wrong signature: %v", err)
	}
}

func TestWhoIsNotKnownIsAnErrorThatSaysSo(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	c.id = 999
	q, _ := c.tapRequest()
	if _, err := w.Issuance.IssueByTap(ctx, q); !errors.Is(err, register.ErrUnknownPerson) {
		t.Error(err)
	}
	if _, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.request(clerk), Person: 999, Cause: lifecycle.MobileLost}); !errors.Is(err, register.ErrUnknownPerson) {
		t.Error(err)
	}
	if _, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.request(clerk), Person: 1, Cause: lifecycle.MobileLost | lifecycle.PhysicalLost}); err == nil {
		t.Error("two causes in one report")
	}
	if _, err := w.Issuance.RegisterResident(ctx, issuance.ResidentRequest{Request: w.request(registrar), Resident: store.Person{ID: 1}}); !errors.Is(err, register.ErrPersonExists) {
		t.Error(err)
	}
	if a, err := w.Issuance.RegisterResident(ctx, issuance.ResidentRequest{Request: w.request(clerk), Resident: store.Person{ID: 7}}); err != nil || a.Reason != lifecycle.NotAuthorised {
		t.Error(a, err)
	}
}

func TestARemovedPersonHoldsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	a, err := w.Issuance.Remove(ctx, issuance.RemovalRequest{Request: w.request(registrar), Person: c.id, Why: "death"})
	must(t, err)
	w.decided(a.Reason, lifecycle.Granted)
	c.shows(notValid, notValid)
	w.decided(c.tap().Reason, lifecycle.NoPlasticCard)
}

func TestAForgedOrForeignPresentationIsNotValid(t *testing.T) {
	w, foreign := newWorld(t), onFile(t, filepath.Join(t.TempDir(), "other.db"), 1<<12)
	c, stranger := w.holder(), foreign.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	response := c.phone.held[0].present(t, tr)
	response[len(response)-3] ^= 1
	if a, err := w.Verification.Verify(ctx, tr, response); err != nil || a.Verdict != notValid || a.Elements != nil {
		t.Errorf("a broken signature: %+v, %v", a, err)
	}
	// Signed by the right authority, but the register knows no such card.
	if v := w.look(stranger.phone.held[0]).Verdict; v != notValid {
		t.Errorf("a card of another register: %v", v)
	}
	// The key of one copy does not present another.
	mixed := held{c.phone.held[0].key, c.phone.held[1].card}
	if v := w.look(mixed).Verdict; v != notValid {
		t.Errorf("with another copy's key: %v", v)
	}
}

func TestAFencedServiceCannotTell(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	w.db.Fence()
	if a, err := w.Verification.Verify(ctx, tr, c.phone.held[0].present(t, tr)); !errors.Is(err, store.ErrFenced) || a.Verdict != lifecycle.CannotTell {
		t.Errorf("%+v, %v", a, err)
	}
	if v, err := w.Verification.Plastic(ctx, c.number); !errors.Is(err, store.ErrFenced) || v != lifecycle.CannotTell {
		t.Errorf("%v, %v", v, err)
	}
}

func TestTheSameSeedAndRequestsGiveTheSameBytes(t *testing.T) {
	var first []byte
	for i := range 2 {
		// The seed of a world is its path: two folders, one name.
		t.Chdir(t.TempDir())
		w := onFile(t, "register.db", 1<<12)
		c := w.holder()
		c.report(callCentre, lifecycle.PhysicalLost)
		all := c.phone.held[2].card
		for _, l := range w.publish() {
			all = append(append(all, l.JWT...), l.CWT...)
		}
		_, lines := w.export()
		all = append(all, strings.Join(lines, "")...)
		if i == 0 {
			first = all
		} else if !bytes.Equal(first, all) {
			t.Error("two runs differ")
		}
		must(t, w.db.Close())
	}
}

func b64(b []byte) string {
	text, _ := json.Marshal(b)
	return strings.NewReplacer(`"`, "", "+", "-", "/", "_", "=", "").Replace(string(text))
}

var _ store.Store = (*sqlite.DB)(nil)
