package plain

import (
	"context"
	"runtime"
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// What both engines take for the same bytes. The floors under them stand in
// sim/nation; docs/engine.md has a table.
//
//	go test ./sim/nation ./sim/plain -run '^$' -bench .

func BenchmarkPlain(b *testing.B) { engineSpeed(b, "smoke", Run) }

// BenchmarkFast is Sejong through a busy scenario, and through a calm one, where the
// load of the absent regions, posted for each second, is most of the work.
func BenchmarkFast(b *testing.B) {
	for _, scenario := range []string{"smoke", "announced"} {
		b.Run(scenario, func(b *testing.B) { engineSpeed(b, scenario, nation.Run) })
	}
}

func engineSpeed(b *testing.B, scenario string, run func(context.Context, *scenarios.Scenario, *scenarios.Nation, rollout.Options) (*rollout.Outcome, error)) {
	s, n := scene{"", scenario, sejong, []string{"panel.citizens=0"}}.load(b)
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
