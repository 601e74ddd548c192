package plain

import (
	"context"
	"runtime"
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// What a kernel of processes and resources costs for the same bytes. The floors
// under both engines stand in sim/nation; docs/engine.md has a table.
//
//	go test ./sim/nation ./sim/plain -run '^$' -bench .

func BenchmarkPlain(b *testing.B) { engineSpeed(b, Run) }

func BenchmarkFast(b *testing.B) { engineSpeed(b, nation.Run) }

func engineSpeed(b *testing.B, run func(context.Context, *scenarios.Scenario, *scenarios.Nation, rollout.Options) (*rollout.Outcome, error)) {
	s, n := scene{"", "smoke", sejong, []string{"panel.citizens=0"}}.load(b)
	var events int64
	for b.Loop() {
		o, err := run(b.Context(), s, n, rollout.Options{Workers: runtime.GOMAXPROCS(0)})
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range o.Tallies {
			if t != nil {
				events += t.Events
			}
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
