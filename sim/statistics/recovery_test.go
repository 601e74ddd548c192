package statistics

import (
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rollout"
)

// Nobody can notice a fault before it hurts somebody: how long the health signal
// needs counts from the first request that failed, not from the fault.
func TestDetectionCountsFromTheFirstFailure(t *testing.T) {
	s, err := scenarios.Load("smoke", []string{"service.detect=30s",
		"faults=[{name: f, kind: down, nodes: [register], at: 2025-02-13 12:00, for: 1h, severity: 100%}]"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	from := int64(36 * 3600)
	for after, want := range map[int64]float64{0: 30, 12: 18, 29: 1, 45: 0} { // the signal rings after 30 s
		m, err := rollout.New(s, n)
		if err != nil {
			t.Fatal(err)
		}
		load := make([][capacity.NumOps]int32, 300)
		load[after][capacity.Report] = 1
		m.Service.Solve(from, load, make([][capacity.NumOps]capacity.Fate, len(load)))
		o := &rollout.Outcome{Model: m}
		if r := recovery(0, o, o); float64(r.Detected) != want {
			t.Errorf("the first request fails after %d s: detected %v s later, want %v", after, r.Detected, want)
		}
	}
}
