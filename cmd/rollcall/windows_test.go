package main

import (
	"math"
	"os"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
)

// Windows are the engine's, not the model's: with half the width no headline
// figure moves by more than half a per cent. Draws are the same in both runs, so
// that what moves is due to the windows.
func TestHalfTheWindowsMovesNoHeadline(t *testing.T) {
	regions := []string{"KR-31"}
	if os.Getenv("ROLLCALL_CAMPAIGN") != "" {
		regions = []string{"KR-26", "KR-27", "KR-29", "KR-30", "KR-31", "KR-42", "KR-49", "KR-50"}
	}
	run := func(narrow int) *reports.Result {
		s, err := scenarios.Load("six-hour-outage", []string{"panel.citizens=0"})
		if err != nil {
			t.Fatal(err)
		}
		s.Population.Regions = regions
		n, err := scenarios.LoadNation()
		if err != nil {
			t.Fatal(err)
		}
		calm := *s
		calm.Faults = nil
		twin, err := nation.Run(t.Context(), &calm, n, rollout.Options{Workers: 2, Narrow: narrow})
		if err != nil {
			t.Fatal(err)
		}
		o, err := nation.Run(t.Context(), s, n, rollout.Options{Workers: 2, Narrow: narrow})
		if err != nil {
			t.Fatal(err)
		}
		r := &reports.Result{}
		statistics.Fill(r, o, twin)
		return r
	}
	planned, half := run(1), run(2)
	same := true
	for _, c := range []struct {
		name string
		of   func(*reports.Result) float64
	}{
		{"issued", func(r *reports.Result) float64 { return float64(r.Nation.Issued.Total) }},
		{"issued by tap", func(r *reports.Result) float64 { return float64(r.Nation.Issued.Tap) }},
		{"issued at a centre", func(r *reports.Result) float64 { return float64(r.Nation.Issued.Centre) }},
		{"visits", func(r *reports.Result) float64 { return float64(r.Nation.Visits.Count) }},
		{"waited in all", func(r *reports.Result) float64 { return float64(r.Nation.Visits.Waited) }},
		{"wait, median", func(r *reports.Result) float64 { return float64(r.Nation.Visits.WaitP50) }},
		{"wait, 95 %", func(r *reports.Result) float64 { return float64(r.Nation.Visits.WaitP95) }},
		{"verifications", func(r *reports.Result) float64 { return float64(r.Nation.Verification.Count) }},
		{"accepted", func(r *reports.Result) float64 { return float64(r.Nation.Verification.Accepted) }},
		{"reports of cards", func(r *reports.Result) float64 { return float64(r.Suspension.Reports.Physical) }},
		{"cards re-issued", func(r *reports.Result) float64 { return float64(r.Nation.CardReissues) }},
		{"restored", func(r *reports.Result) float64 { return float64(r.Recovery[0].Restored) }},
	} {
		a, b := c.of(planned), c.of(half)
		t.Logf("%-20s %14.0f %14.0f  %+.3f %%", c.name, a, b, 100*(b/a-1))
		if a == 0 || math.IsNaN(a) || math.Abs(b/a-1) > 0.005 {
			t.Errorf("%s: %g with the windows as planned, %g with half of them", c.name, a, b)
		}
		same = same && a == b
	}
	if same {
		t.Error("nothing moved at all: the windows were not halved")
	}
}
