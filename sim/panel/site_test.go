package panel

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// livedThroughAFire is a nation's run whose register's site is lost for a day and a
// half, with a copy that is nineteen hours old.
var livedThroughAFire = sync.OnceValues(func() (*rollout.Outcome, error) {
	s, err := scenarios.Load("smoke", []string{"panel.citizens=60", "population.regions=[KR-50]", "end=2025-02-17", "expect=[]",
		`service.standby={copies_every: 24h, at: "01:00"}`,
		"faults=[{name: fire, kind: site-lost, nodes: [gateway, register, face, signing, status], at: 2025-02-14 20:15, standby_after: 2h, for: 1d 12h, report_again: 30%, report_again_after: 3h}]"})
	if err != nil {
		return nil, err
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		return nil, err
	}
	return nation.Run(context.Background(), s, n, rollout.Options{Workers: 2})
})

// concerned are citizens with a change that is lost, and others who report something
// while the stand-by site serves.
func concerned(t *testing.T) (*rollout.Outcome, []Member) {
	t.Helper()
	o, err := livedThroughAFire()
	if err != nil {
		t.Fatal(err)
	}
	copied, on, back, _ := o.Model.Standby()
	var out []Member
	lost, taken := 0, 0
	for first := 0; first < len(o.Records); {
		end := first + 1
		changes, asks, meets := false, false, false
		for ; end < len(o.Records) && o.Records[end].Citizen == o.Records[first].Citizen; end++ {
		}
		for _, r := range o.Records[first:end] {
			shows := r.Act == rollout.ActPresent || r.Act == rollout.ActFinderPresents
			reached := r.Env == rollout.Reached && r.Decided == 0 && !shows
			changes = changes || reached && r.At > copied && r.At < on
			meets = meets || shows && r.At >= on && r.At < back
			asks = asks || reached && r.At >= on && r.At < back
		}
		if changes && (lost < 30 || meets && lost < 120) || asks && taken < 40 {
			out = append(out, Member{Citizen: o.Records[first].Citizen, Records: o.Records[first:end:end], Weight: 1})
			if changes {
				lost++
			} else {
				taken++
			}
		}
		first = end
	}
	return o, out
}

func TestLivesThroughTheLossOfASiteAreEqualOnTheRealService(t *testing.T) {
	t.Parallel()
	o, members := concerned(t)
	r := runPanel(t, Options{Outcome: o, Members: members})
	for _, f := range r.Failures() {
		t.Error(f)
	}
	v := r.Verdict
	if v.DeclaredLost < 60 || v.LostRefused == 0 || v.LostAccepted == 0 || v.ByProperty["S5"].Opportunities < 60 {
		t.Errorf("%d changes declared lost, %d refused and %d accepted for it: the loss was not put to the test", v.DeclaredLost, v.LostRefused, v.LostAccepted)
	}
	f := r.History.Failover
	taken := 0
	for _, x := range r.History.Reports {
		if x.Granted && !x.Begin.Before(f.Up) && x.Begin.Before(f.Back) {
			taken++
		}
	}
	if taken < 10 {
		t.Errorf("the stand-by took %d reports", taken)
	}
}

func TestWhatGoesWrongAtASiteIsFound(t *testing.T) {
	t.Parallel()
	for what, wrong := range map[string]siteFaults{
		"the copy is older than it is said to be": {copiesEarlier: 10 * hourMs},
		"what the stand-by took is not applied":   {forgets: 3},
	} {
		o, members := concerned(t)
		v := runPanel(t, Options{Outcome: o, Members: members, site: wrong}).Verdict
		if v.ByProperty["S5"].Violations == 0 {
			t.Errorf("%s: S5 was not found violated", what)
		}
	}
}

// What the cast does in the time that is lost would be lost.
func TestTheCastDoesNotActInTheTimeThatIsLost(t *testing.T) {
	o, err := livedThroughAFire()
	if err != nil {
		t.Fatal(err)
	}
	m := *o.Model
	s := *m.Scenario
	s.Faults = slices.Clone(s.Faults)
	// The cast acts ten hours after the start: between this copy and the fire.
	s.Faults[0].At = scenarios.Moment{Time: s.Start.Add(20 * time.Hour)}
	moved, err := rollout.New(&s, m.Nation)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{World: &world.World{Scenario: &s, Policy: m.Policy}, outcome: &rollout.Outcome{Model: moved}, end: m.End}
	if at, _, ok := r.castAt(); !ok || at < moved.Since(s.Faults[0].End()) {
		t.Errorf("it acts %d h after the start", at/hourMs)
	}
}
