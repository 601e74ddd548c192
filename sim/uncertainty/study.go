package uncertainty

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

// Options say what is to be studied.
type Options struct {
	Scenario     *scenarios.Scenario
	Base         *reports.Result // of the scenario itself
	Replications int             // of each kind
	// Run makes the result of a scenario, the n-th of 2·Replications from 0. It
	// returns nil when it was interrupted.
	Run func(ctx context.Context, s *scenarios.Scenario, n int) (*reports.Result, error)
}

// Study runs the scenario by other seeds and, in turn with that, by other
// parameters. An interrupted study has the runs that were finished.
func Study(ctx context.Context, o Options) (*reports.Uncertainty, error) {
	s := o.Scenario
	seeds := Seeds(s.Seed, o.Replications)
	ranges, held := s.Ranges()
	u := &reports.Uncertainty{Asked: int64(o.Replications)}
	u.Assumptions.Seed = s.Seed
	u.Assumptions.Held = []reports.HeldParameter{}
	for path, why := range held {
		u.Assumptions.Held = append(u.Assumptions.Held, reports.HeldParameter{Path: path, Why: why})
	}
	slices.SortFunc(u.Assumptions.Held, func(a, b reports.HeldParameter) int { return strings.Compare(a.Path, b.Path) })

	settings, samples := draw(s.Seed, ranges, o.Replications)

	headlines := steady(reports.Headlines(o.Base))
	chanced, assumed := make([][]float64, len(headlines)), make([][]float64, len(headlines))
	done := 0
	for ; done < 2*o.Replications; done++ {
		k, into := done/2, chanced
		with := []string{"panel.citizens=0"}
		if done%2 == 0 {
			with = append(with, "seed="+strconv.FormatUint(seeds[k], 10))
		} else {
			with, into = append(with, settings[k]...), assumed
		}
		other, err := s.With(with...)
		if err != nil {
			return nil, fmt.Errorf("replication %d: %w", k+1, err)
		}
		r, err := o.Run(ctx, other, done)
		if err != nil {
			return nil, fmt.Errorf("replication %d: %w", k+1, err)
		}
		if r == nil {
			break
		}
		for i, h := range steady(reports.Headlines(r)) {
			into[i] = append(into[i], h.Number())
		}
	}

	nc, na := (done+1)/2, done/2
	u.Chance = reports.ChanceRuns{Runs: int64(nc), Seeds: seeds[:nc], Inside: inside(nc)}
	a := &u.Assumptions
	a.Runs, a.Inside = int64(na), inside(na)
	moving := 0 // figures that something can be said of
	for _, values := range assumed {
		if !math.IsNaN(spearman(values, values)) {
			moving++
		}
	}
	a.ChanceOne, a.ChanceAny = reports.Num(chance(na, 1)), reports.Num(chance(na, moving*len(ranges)))
	a.Parameters = []reports.SampledParameter{}
	for i, r := range ranges {
		samples[i] = samples[i][:na]
		p := reports.SampledParameter{Path: r.Path, Unit: r.Unit, Value: reports.Num(r.Value), Low: reports.Num(r.Low), High: reports.Num(r.High), Samples: make([]reports.Num, na)}
		for k, x := range samples[i] {
			p.Samples[k] = reports.Num(x)
		}
		a.Parameters = append(a.Parameters, p)
	}
	u.Figures = []reports.UncertainFigure{}
	for i, h := range headlines {
		f := reports.UncertainFigure{Metric: h.Metric, Unit: h.Definition.Unit, Definition: h.Definition.Definition, Value: h.Value,
			Chance: band(chanced[i]), Assumptions: band(assumed[i]), Movers: []reports.Mover{}}
		if a.ChanceAny.Known() {
			f.Movers = movers(a.Parameters, samples, assumed[i], float64(a.ChanceAny))
		}
		u.Figures = append(u.Figures, f)
	}
	return u, nil
}

// draw returns the settings of each of n runs, and the values of each parameter.
func draw(seed uint64, ranges []scenarios.Range, n int) (settings [][]string, samples [][]float64) {
	settings, samples = make([][]string, n), make([][]float64, len(ranges))
	for i, r := range ranges {
		for k, v := range hypercube(seed, r.Path, n) {
			setting, x := r.Setting(quantile(r, v))
			settings[k] = append(settings[k], setting)
			samples[i] = append(samples[i], x)
		}
	}
	return settings, samples
}

// steady leaves out what the panel found: it runs once.
func steady(all []reports.Headline) []reports.Headline {
	return slices.DeleteFunc(all, func(h reports.Headline) bool { return h.Once })
}
