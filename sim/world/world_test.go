package world

import (
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
)

const home = "36110"

// open is a world with one resident who has an IC card; plant may be zero.
func open(t *testing.T, plant Plant) (*World, *Citizen) {
	t.Helper()
	s, err := scenarios.Load("smoke", nil)
	if err != nil {
		t.Fatal(err)
	}
	policy := lifecycle.Policy{MinimumAge: 17, Opens: map[string]time.Time{home: s.Start.Time}, AnyCentreFrom: s.End.Time,
		OfferLifetime: 90 * time.Second, CredentialValidity: 3 * 24 * time.Hour}
	w, err := New(s, policy, t.TempDir(), 64)
	if err != nil {
		t.Fatal(err)
	}
	w.Plant = plant
	w.Clock.Set(s.Start.Add(time.Hour))
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	c := w.NewCitizen(7, population.Person{ID: 7, FamilyName: "홍", GivenName: "길동", Romanised: "HONG GILDONG", RRN: "900102-1000000",
		Birth: time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC), Address: "어딘가 1"}, home)
	e, err := w.Entry(c, home+"00000", true, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Enter(t.Context(), []Entry{e}, 1); err != nil {
		t.Fatal(err)
	}
	return w, c
}

// What was asked, what was answered and when; and nothing of an answer that never
// came.
func TestARequestIsWrittenDownAsAnOutsiderSeesIt(t *testing.T) {
	w, c := open(t, Plant{})
	q := func(key string) Request {
		return w.Report(c, CallCentre, key, lifecycle.PhysicalLost, "gone", time.Time{})
	}
	a := w.Send(t.Context(), q("first"))
	lost := w.SendUnanswered(t.Context(), q("second"))
	w.Lose(q("third"))
	refused := w.Send(t.Context(), w.Release(c, CallCentre, "fourth", lifecycle.PhysicalLost, lost.Sequence, ""))
	if !a.Granted() || !lost.Granted() || lost.Sequence != a.Sequence+1 || refused.Granted() {
		t.Fatal(a, lost, refused)
	}
	calls := []oracle.Call{w.History.Reports[0].Call, w.History.Reports[1].Call, w.History.Reports[2].Call, w.History.Releases[0].Call}
	for i, want := range []oracle.Call{
		{Key: "first", Granted: true, Sequence: a.Sequence, Dated: a.At}, {Key: "second"}, {Key: "third"}, {Key: "fourth", Reason: "not-authorised"},
	} {
		got := calls[i]
		if i > 0 && !calls[i-1].Begin.Before(got.Begin) {
			t.Errorf("request %d does not begin after the one before", i)
		}
		if answered := i == 0 || i == 3; answered != got.Begin.Before(got.End) || answered == got.End.IsZero() {
			t.Errorf("request %d: from %v to %v", i, got.Begin, got.End)
		}
		got.Begin, got.End = oracle.Stamp{}, oracle.Stamp{}
		want.Citizen, want.Actor, want.Role = "7", "loss line", "call-centre"
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// A card is read, issued and shown by the real service, online and by a list.
func TestAMobileCardIsIssuedAndShown(t *testing.T) {
	w, c := open(t, Plant{})
	challenge, nonce, err := w.Challenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tap, err := w.Read(c.Chip, challenge, c.PIN, false)
	if err != nil {
		t.Fatal(err)
	}
	d := w.Device(c, 0)
	shown, err := w.Show(c, d, nonce, 0.6)
	if err != nil {
		t.Fatal(err)
	}
	a := w.Send(t.Context(), w.ByTap(c, "issue", challenge, Evidence(tap), shown))
	if !a.Granted() {
		t.Fatal(a)
	}
	if err := w.Accept(c, d, a.Issued); err != nil || c.Current() != d || len(d.Refs) != Copies {
		t.Fatal(err, d.Refs)
	}
	if s, err := w.ShowOnline(t.Context(), c, d, Verifier("counter", 0), "counter", []string{"portrait"}, true); err != nil || s.Outcome != "accepted" {
		t.Error(s.Outcome, err)
	}
	if _, err := w.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := w.NewOffline(CachedPlaces(w.Scenario)[0], 1, "refuse")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cannot-tell", "accepted"} {
		if s, err := w.ShowCached(c, d, v, []string{"portrait"}, true); err != nil || s.Outcome != want {
			t.Errorf("%s, want %s: %v", s.Outcome, want, err)
		}
		if err := w.Fetch(v, w.Current); err != nil {
			t.Fatal(err)
		}
	}
	if w.N.APDUs == 0 || w.N.Issued != 1 || len(w.History.Applications) != 1 || len(w.History.Presentations) != 3 || len(w.History.Applications[0].Copies) != Copies {
		t.Errorf("%+v", w.N)
	}
}

// A plant stands where it was put.
func TestAPlantTakesThePlaceOfTheRealService(t *testing.T) {
	w, c := open(t, Plant{Config: func(s *service.Config) {
		early := *s.Policy
		early.MinimumAge = 99
		s.Policy = &early
	}})
	a := w.Send(t.Context(), w.MakeOffer(c, ClerkOf(home), "code", home))
	if a.Reason != lifecycle.TooYoung || w.Policy.MinimumAge != 17 {
		t.Error(a, w.Policy.MinimumAge)
	}
	if got := register.Citizen(c.ID); got.Actor != c.Name {
		t.Errorf("the audit names %s, the history %s", got.Actor, c.Name)
	}
}
