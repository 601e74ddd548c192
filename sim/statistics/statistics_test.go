package statistics

import (
	"slices"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

func TestAQuantileIsInTheBucketThatReachesItsShare(t *testing.T) {
	for _, c := range []struct {
		h    []int64
		q    float64
		want int
	}{
		{[]int64{0, 0, 0}, 0.5, -1},
		{[]int64{0, 1, 0}, 0.5, 1},
		{[]int64{50, 49, 1}, 0.5, 0},
		{[]int64{49, 50, 1}, 0.5, 1},
		{[]int64{49, 50, 1}, 0.99, 1},
		{[]int64{49, 50, 1}, 1, 2},
	} {
		if got := bucketOf(c.h, c.q); got != c.want {
			t.Errorf("%v at %g: bucket %d, want %d", c.h, c.q, got, c.want)
		}
	}
}

func TestACurveRisesInBothDirectionsAndEndsAtOne(t *testing.T) {
	times := []int64{0, 0, 0, 1000, 2000, 5000, 5000, 9000}
	curve := points(times)
	for i := 1; i < len(curve); i++ {
		if curve[i].T <= curve[i-1].T || curve[i].Share <= curve[i-1].Share {
			t.Errorf("point %d: %v after %v", i, curve[i], curve[i-1])
		}
	}
	if last := curve[len(curve)-1]; last.T != 9 || last.Share != 1 {
		t.Errorf("ends at %v", last)
	}
	if len(points(nil)) != 0 || at(nil, 0.5).Known() {
		t.Error("nothing has a curve or a median")
	}
}

func TestARateOutsideOfTheRunIsMissing(t *testing.T) {
	series := []int64{6, 0, 3}
	if got := perHour(series, 0, 3); got != 3 {
		t.Errorf("%v an hour", got)
	}
	for _, r := range [][2]int{{-1, 2}, {1, 4}, {2, 2}} {
		if perHour(series, r[0], r[1]).Known() {
			t.Errorf("hours %v have a rate", r)
		}
	}
}

// good is a result with nothing against it.
func good() *reports.Result {
	r := &reports.Result{Panel: &reports.Panel{Citizens: 200, TrajectoriesEqual: 200}}
	r.Suspension.ByProperty = reports.Properties{}
	for _, p := range reports.PropertyNames {
		r.Suspension.ByProperty[p] = reports.Property{Opportunities: 1}
	}
	n := &r.Nation.Intents
	n.Posted, n.Done, n.Abandoned, n.Pending, n.Open = 10, 7, 1, 2, 2
	n.ByKind = []reports.IntentKind{{Kind: "get_mobile", Posted: 10, Done: 7, Abandoned: 1, Pending: 2, Open: 2}}
	r.Recovery = []reports.Recovery{{Fault: "outage", Touched: 3}}
	return r
}

// Every run is judged by what holds without being written: each flaw alone is
// seen, and a run without one passes.
func TestWhatHoldsForEveryRunIsJudged(t *testing.T) {
	failing := func(r *reports.Result, expect ...string) (out []string) {
		t.Helper()
		if err := Judge(r, &scenarios.Scenario{Expect: expect}); err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Expectations {
			if !e.Holds {
				out = append(out, e.Text)
			}
		}
		return out
	}
	if got := failing(good(), "suspension.violations == 0", "recovery[0].touched > 2"); got != nil {
		t.Errorf("a run without a flaw fails %q", got)
	}
	for name, spoil := range map[string]func(*reports.Result){
		"a violation":                   func(r *reports.Result) { r.Suspension.Violations = 1 },
		"a life that went otherwise":    func(r *reports.Result) { r.Panel.TrajectoriesEqual-- },
		"an adversary who got through":  func(r *reports.Result) { r.Panel.TrajectoriesDifferent = make([]reports.Trajectory, 1) },
		"something lost in the restart": func(r *reports.Result) { r.Panel.Restart.Missing = 1 },
		"something done twice":          func(r *reports.Result) { r.Panel.Restart.Twice = 1 },
		"a property without a case":     func(r *reports.Result) { r.Suspension.ByProperty["S9"] = reports.Property{} },
		"an intent that vanished":       func(r *reports.Result) { r.Nation.Intents.Done-- },
		"an intent nobody has open":     func(r *reports.Result) { r.Nation.Intents.Open++ },
		"a wait nobody stood":           func(r *reports.Result) { r.Nation.Visits.Waited++ },
		"an issue before the phase":     func(r *reports.Result) { r.Nation.ByPhase = []reports.PhaseRow{{Before: 1}} },
		"a fault that touched nothing":  func(r *reports.Result) { r.Recovery[0].Touched = 0 },
	} {
		r := good()
		spoil(r)
		if got := failing(r); len(got) == 0 {
			t.Errorf("%s passes", name)
		}
	}
	if got := failing(good(), "recovery[3].touched > 0"); !slices.Contains(got, "recovery[3].touched > 0") {
		t.Errorf("a fault that the run does not have: %q", got)
	}
}
