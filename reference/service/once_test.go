package service_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/suspension"
)

// S5, S9: what was acknowledged is kept, and a repeated request has the effect of
// one.

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
			q := suspension.ReportRequest{Request: w.Request(callCentre), Person: c.ID, Cause: lifecycle.PhysicalLost}
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
	must(t, w.db.(*sqlite.DB).CopyAcknowledged(copied))
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

func TestS9ARepeatedRequestHasTheEffectOfOneAndTheSameAnswer(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	q, keys := c.tapRequest()
	first, err := w.Issuance.IssueByTap(ctx, q)
	must(t, err)
	c.phone.keep(first, keys)
	offer := issuance.OfferRequest{Request: w.Request(clerk), Person: c.ID, Centre: sejong}
	firstOffer, err := w.Issuance.CreateOffer(ctx, offer)
	must(t, err)
	report := suspension.ReportRequest{Request: w.Request(callCentre), Person: c.ID, Cause: lifecycle.MobileLost}
	firstReport, err := w.Suspension.Report(ctx, report)
	must(t, err)
	release := suspension.ReleaseRequest{Request: w.Request(clerk), Person: c.ID, Cause: lifecycle.MobileLost, Sequence: firstReport.Sequence}
	firstRelease, err := w.Suspension.Release(ctx, release)
	must(t, err)

	before := w.sequence()
	w.Pass(time.Hour) // an answer does not age
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

// Whoever has a copy of the register while an offer is good can apply by it no more than
// by the copy of a passphrase's hash. The answer to the clerk's request stands in it all the same.
func TestTheRegisterHoldsNoCodeThatOpensAnOffer(t *testing.T) {
	dir := t.TempDir()
	w := onFile(t, filepath.Join(dir, "register.db"), 1<<12)
	c := w.resident()
	q := issuance.OfferRequest{Request: register.Request{By: clerk, Key: "the key of the request"}, Person: c.ID, Centre: sejong}
	first, err := w.Issuance.CreateOffer(ctx, q)
	must(t, err)
	code, err := base64.RawURLEncoding.DecodeString(first.Code)
	must(t, err)
	files, err := os.ReadDir(dir)
	must(t, err)
	keyFound := false
	for _, f := range files {
		file, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		keyFound = keyFound || bytes.Contains(file, []byte(q.Key))
		for n := range len(code) - 7 { // neither as a whole nor in part, nor as the code is written
			if bytes.Contains(file, code[n:n+8]) {
				t.Errorf("%s holds eight bytes of the code, from byte %d of it", f.Name(), n)
			}
		}
		for n := range len(first.Code) - 7 {
			if bytes.Contains(file, []byte(first.Code[n:n+8])) {
				t.Errorf("%s holds %q of the code %q", f.Name(), first.Code[n:n+8], first.Code)
			}
		}
	}
	if !keyFound {
		t.Fatal("the answer was not found where the code was looked for")
	}

	other := w.Config // a replica that has just begun, with the same keys
	other.Random = rand.NewChaCha8([32]byte{5})
	second, err := service.New(ctx, other)
	must(t, err)
	if again, err := second.Issuance.CreateOffer(ctx, q); err != nil || again.Code != first.Code || !again.Expires.Equal(first.Expires) {
		t.Errorf("another replica answers %+v and %v, not %+v", again, err, first)
	}
	if other.Seals, err = seal.NewKeys([32]byte{6}); err != nil {
		t.Fatal(err)
	}
	stranger, err := service.New(ctx, other)
	must(t, err)
	if got, err := stranger.Issuance.CreateOffer(ctx, q); !errors.Is(err, seal.ErrSeal) || got.Code != "" {
		t.Errorf("a replica with other keys answers %+v and %v", got, err)
	}
	w.Pass(register.Retention)
	if got, err := w.Issuance.CreateOffer(ctx, q); err != nil || got != (issuance.Offer{}) {
		t.Errorf("a week later it answers %+v and %v", got, err)
	}
}

// An answer that a version before this one has kept holds the code in clear.
func TestAnOfferThatAnEarlierVersionHasAnsweredIsOver(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	q := issuance.OfferRequest{Request: w.Request(clerk), Person: c.ID, Centre: sejong}
	type before struct {
		Reason  lifecycle.Reason
		Code    string
		Expires time.Time
	}
	_, err := register.Once(ctx, w.Register, "create-offer", q.Request, q, func(store.Tx, time.Time) (before, error) {
		return before{Code: "in clear", Expires: w.Now().Add(90 * time.Second)}, nil
	})
	must(t, err)
	if got, err := w.Issuance.CreateOffer(ctx, q); err != nil || got != (issuance.Offer{}) {
		t.Errorf("%+v, %v", got, err)
	}
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
	q := suspension.ReportRequest{Request: w.Request(callCentre), Person: c.ID, Cause: lifecycle.MobileLost}
	_, err := w.Suspension.Report(ctx, q)
	must(t, err)
	q.Person = other.ID
	if _, err := w.Suspension.Report(ctx, q); !errors.Is(err, register.ErrKeyReused) {
		t.Errorf("a key was used for another request: %v", err)
	}
	other.shows(accepted, accepted)
	q.By = registrar // their keys are their own
	if _, err := w.Suspension.Report(ctx, q); err != nil {
		t.Error(err)
	}
	q.By = register.By{Actor: "operator-2", Role: lifecycle.CallCentre} // of one role, too
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
	first := c.report(me(c.ID), lifecycle.PhysicalLost)
	second := c.report(callCentre, lifecycle.PhysicalLost) // reported again: it is the newest report
	if second.Reason != lifecycle.Granted || second.Sequence <= first.Sequence {
		t.Fatalf("%+v after %+v", second, first)
	}
	before := w.sequence()
	for _, known := range []uint64{first.Sequence, second.Sequence - 1, 0} { // 0: knows of none
		w.decided(c.release(clerk, lifecycle.PhysicalLost, known).Reason, lifecycle.OlderThanReport)
	}
	w.decided(c.release(callCentre, lifecycle.PhysicalLost, first.Sequence).Reason, lifecycle.NotAuthorised)
	if w.sequence() != before {
		t.Error("a refused release changed the register")
	}
	c.shows(suspended, suspended)
	w.decided(c.release(clerk, lifecycle.PhysicalLost, second.Sequence).Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
}
