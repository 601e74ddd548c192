package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/statistics"
	"rollcall.example/rollcall/sim/uncertainty"
)

// maxReplications keeps a typing error from running for years.
const maxReplications = 10_000

// replicate runs the nation by other seeds and other parameters, one at a time,
// and says what that does to the figures of the base run.
func replicate(ctx context.Context, s *scenarios.Scenario, people *scenarios.Nation, base *reports.Result, f *runFlags, p *progress) (*reports.Uncertainty, error) {
	p.begin(s.Name + ", replications")
	passes := int64(1) // of the nation for each run
	if len(s.Faults) > 0 {
		passes = 2
	}
	return uncertainty.Study(ctx, uncertainty.Options{Scenario: s, Base: base, Replications: f.replications,
		Run: func(ctx context.Context, s *scenarios.Scenario, n int) (*reports.Result, error) {
			debug.FreeOSMemory()
			kind := "by chance"
			if n%2 == 1 {
				kind = "over the assumptions"
			}
			pass := int64(n)*passes - 1
			watch := func(bool) func(done, total, events int64) {
				pass++
				pass := pass
				return func(done, total, _ int64) {
					p.show(pass*total+done, 2*int64(f.replications)*passes*total, fmt.Sprintf("%d of %d %s", n/2+1, f.replications, kind))
				}
			}
			o, twin, err := simulate(ctx, s, people, f, watch)
			if err != nil || !o.Complete {
				return nil, err
			}
			r := &reports.Result{}
			statistics.Fill(r, o, twin)
			return r, nil
		}})
}
