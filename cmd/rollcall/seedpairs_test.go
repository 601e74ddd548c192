package main

import (
	"maps"
	"os"
	"slices"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
	"rollcall.example/rollcall/sim/uncertainty"
)

// Two results of one scenario with two seeds, each with replications, differ in a
// figure about once in twenty pairs: runs of two quarters of Sejong, days in which
// each figure has its cases.
func TestOneSeedPairInTwentyOfRealRunsDiffers(t *testing.T) {
	pairs, replications, campaign := 8, 4, os.Getenv("ROLLCALL_CAMPAIGN") != ""
	if campaign {
		pairs, replications = 60, 6
	} else {
		t.Logf("%d pairs of %d replications; with ROLLCALL_CAMPAIGN=1 60 of 6, and each figure by itself", pairs, replications)
	}
	s, err := scenarios.Load("smoke", []string{"end=2025-02-16", "faults=[]", "expect=[]", "panel.citizens=0",
		`population={regions: [], centres: ["3611055600", "3611052300"]}`})
	if err != nil {
		t.Fatal(err)
	}
	people, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	result := func(seed uint64) *reports.Result {
		s := *s
		s.Seed = seed
		o, err := nation.Run(t.Context(), &s, people, rollout.Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		r := &reports.Result{}
		statistics.Fill(r, o, nil)
		return r
	}
	values := map[string]map[reports.Num]int{} // of each figure, how often each was
	replicated := func(seed uint64) *reports.Result {
		u := &reports.Uncertainty{Asked: int64(replications)}
		u.Chance = reports.ChanceRuns{Runs: int64(replications), Seeds: uncertainty.Seeds(seed, replications)}
		var r *reports.Result
		for k, seed := range u.Chance.Seeds {
			r = result(seed)
			for i, h := range reports.Headlines(r) {
				if k == 0 {
					u.Figures = append(u.Figures, reports.UncertainFigure{Metric: h.Metric})
				}
				u.Figures[i].Chance.Values = append(u.Figures[i].Chance.Values, h.Value)
				if values[h.Metric] == nil {
					values[h.Metric] = map[reports.Num]int{}
				}
				values[h.Metric][h.Value]++
			}
		}
		r.Meta.Seed, r.Uncertainty = seed, u
		return r
	}
	tolerance, err := reports.ParseTolerances(nil)
	if err != nil {
		t.Fatal(err)
	}
	differ := map[string]int{}
	for k := range uint64(pairs) {
		c, err := reports.Compare(replicated(2*k+1), replicated(2*k+2), tolerance)
		if err != nil {
			t.Fatal(err)
		}
		if c.Method != reports.Ranks {
			t.Fatalf("two seeds are compared by %s", c.Method)
		}
		for _, f := range c.Figures {
			if f.Verdict == reports.Differs || f.Verdict == reports.Beyond {
				differ[f.Metric]++
			}
		}
	}
	figures, total, never := 0, 0, 0
	for _, metric := range slices.Sorted(maps.Keys(values)) {
		if slices.Max(slices.Collect(maps.Values(values[metric]))) > pairs*replications {
			continue // constant in most runs: chance has nothing to move
		}
		figures++
		total += differ[metric]
		if differ[metric] == 0 {
			never++
		}
		rate := float64(differ[metric]) / float64(pairs)
		t.Logf("%-45s differs in %d of %d pairs", metric, differ[metric], pairs)
		if campaign && rate > 0.15 {
			t.Errorf("%s differs in %.3f of the pairs, want about 0.05", metric, rate)
		}
	}
	rate := float64(total) / float64(figures*pairs)
	t.Logf("%d figures: %d of %d comparisons differ, %.3f", figures, total, figures*pairs, rate)
	if low, high := 0.01, 0.12; figures < 15 || rate < low || rate > high {
		t.Errorf("%.3f of the comparisons of %d figures differ, want about 0.05", rate, figures)
	}
	if campaign && (rate < 0.03 || rate > 0.075 || never > figures/5) {
		t.Errorf("%.3f of the comparisons differ, %d figures never do; want about 0.05 of each", rate, never)
	}
}
