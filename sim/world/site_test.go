package world

import (
	"errors"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
)

// A stand-by site knows what its copy holds and what it took, and issues nothing; the
// main register comes back as it was when its site was lost.
func TestAStandbySiteServesFromItsCopyAndIssuesNothing(t *testing.T) {
	w, c := open(t, Plant{})
	ctx := t.Context()
	issue := func(key string, n uint8) Answer {
		t.Helper()
		challenge, nonce, err := w.Challenge(ctx)
		if err != nil {
			t.Fatal(err)
		}
		tap, err := w.Read(c.Chip, challenge, c.PIN, false)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := w.Show(c, w.Device(c, n), nonce, 0.6)
		if err != nil {
			t.Fatal(err)
		}
		a := w.Send(ctx, w.ByTap(c, key, challenge, Evidence(tap), shown))
		if a.Granted() {
			if err := w.Accept(c, w.Device(c, n), a.Issued); err != nil {
				t.Fatal(err)
			}
		}
		return a
	}
	see := func(when string, n uint8, want string) {
		t.Helper()
		s, err := w.ShowOnline(ctx, c, w.Device(c, n), Verifier("counter", 0), "counter", []string{"portrait"}, true)
		if err != nil || s.Outcome != want {
			t.Errorf("%s, the card on phone %d: %s, want %s: %v", when, n, s.Outcome, want, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if a := issue("first", 0); !a.Granted() {
		t.Fatal(a)
	}
	must(w.GiveCopy())
	if a := issue("second", 1); !a.Granted() {
		t.Fatal(a)
	}
	report := w.Send(ctx, w.Report(c, CallCentre, "lost", lifecycle.PhysicalLost, "gone", time.Time{}))
	see("before", 0, "not-valid")
	see("before", 1, "suspended")
	v, err := w.NewOffline(CachedPlaces(w.Scenario)[0], 1, "refuse")
	must(err)
	_, err = w.Publish(ctx)
	must(err)
	must(w.Fetch(v, w.Current))

	must(w.LoseSite(ctx))
	see("at the stand-by", 0, "accepted")  // replaced since the copy
	see("at the stand-by", 1, "not-valid") // issued since the copy
	if a := issue("third", 2); !errors.Is(a.Err, ErrIssuingClosed) {
		t.Errorf("the stand-by issues: %v", a)
	}
	if a := w.Send(ctx, w.MakeOffer(c, ClerkOf(home), "code", home)); !errors.Is(a.Err, ErrIssuingClosed) {
		t.Errorf("the stand-by makes a code: %v", a)
	}
	_, err = w.Publish(ctx)
	must(err)
	if err := w.Fetch(v, w.Current); err == nil {
		t.Error("a verifier took a list that is older than the one it has, without being told to begin anew")
	}
	taken := w.Report(c, CallCentre, "lost there", lifecycle.PhysicalLost, "gone", time.Time{})
	if a := w.Send(ctx, taken); !a.Granted() {
		t.Error(a)
	}
	see("reported at the stand-by", 0, "suspended")

	must(w.SiteBack(ctx))
	see("back", 0, "not-valid")
	see("back", 1, "suspended")
	if a := w.Send(ctx, taken); !a.Granted() || a.Sequence <= report.Sequence {
		t.Errorf("told to the main register: %v, sequence %d", a, a.Sequence)
	}
	if a := w.Send(ctx, w.MakeOffer(c, ClerkOf(home), "code again", home)); a.Err != nil {
		t.Errorf("the main register issues nothing: %v", a)
	}
}
