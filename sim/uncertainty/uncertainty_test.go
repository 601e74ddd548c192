package uncertainty

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rng"
)

func source(seed uint64) *rand.Rand { return rand.New(rng.New(seed).Stream(1, 1, 1)) }

func load(t *testing.T, settings ...string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("announced", settings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEachStratumOfAHypercubeHasOneSample(t *testing.T) {
	for _, n := range []int{2, 7, 20, 100} {
		for _, name := range []string{"adoption.level", "centres.patience"} {
			seen := make([]bool, n)
			for _, u := range hypercube(3, name, n) {
				if u <= 0 || u >= 1 || seen[int(u*float64(n))] {
					t.Fatalf("%s: %v of %d lies outside or shares its stratum", name, u, n)
				}
				seen[int(u*float64(n))] = true
			}
		}
	}
}

func TestColumnsOfAHypercubeAreInNoCommonOrder(t *testing.T) {
	s := load(t)
	ranges, _ := s.Ranges()
	const n = 200
	var columns [][]float64
	for _, r := range ranges[:60] {
		columns = append(columns, hypercube(s.Seed, r.Path, n))
	}
	limit := chance(n, len(columns)*(len(columns)-1)/2)
	for i := range columns {
		for j := range i {
			if rho := spearman(columns[i], columns[j]); math.Abs(rho) > 1.2*limit {
				t.Errorf("%s and %s go together: %.2f", ranges[i].Path, ranges[j].Path, rho)
			}
		}
	}
}

func TestHalfOfTheSamplesLieBelowTheValueAndNoneOutOfTheRange(t *testing.T) {
	ranges, _ := load(t).Ranges()
	for _, r := range ranges {
		below := 0
		for _, u := range hypercube(1, r.Path, 1000) {
			x := quantile(r, u)
			if x < r.Low || x > r.High {
				t.Errorf("%s: %v lies outside %v to %v", r.Path, x, r.Low, r.High)
			}
			if x < r.Value {
				below++
			}
		}
		if r.Value > r.Low && r.Value < r.High && below != 500 {
			t.Errorf("%s: %d of 1000 samples lie below its value", r.Path, below)
		}
	}
}

// Whatever is drawn together can be run.
func TestEverySampleOfABuiltInScenarioIsAScenario(t *testing.T) {
	all, err := scenarios.BuiltIns()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		s, err := scenarios.Load(b.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		ranges, _ := s.Ranges()
		settings, _ := draw(s.Seed, ranges, 8)
		for k, with := range settings {
			if _, err := s.With(with...); err != nil {
				t.Errorf("%s, run %d: %v", b.Name, k, err)
			}
		}
	}
}

// What a what-if leaves as it was is drawn as it was, whatever else it holds; and
// replication k of both has the same seed.
func TestWhatIfsShareTheirRandomNumbers(t *testing.T) {
	drawn := func(settings ...string) map[string][]float64 {
		ranges, _ := load(t, settings...).Ranges()
		out := map[string][]float64{}
		for _, r := range ranges {
			out[r.Path] = hypercube(1, r.Path, 8)
		}
		return out
	}
	base, whatIf := drawn(), drawn("adoption.level=40%", "centres.patience=1h")
	if len(whatIf) != len(base)-2 {
		t.Errorf("%d parameters are drawn in the base and %d in the what-if that decides two", len(base), len(whatIf))
	}
	for path, column := range whatIf {
		if !slices.Equal(column, base[path]) {
			t.Errorf("%s is drawn differently", path)
		}
	}
	if a, b := Seeds(1, 5), Seeds(1, 20); !slices.Equal(a, b[:5]) {
		t.Errorf("seeds depend on their number: %v, %v", a, b)
	}
	if a := slices.Compact(slices.Sorted(slices.Values(Seeds(1, 1000)))); len(a) != 1000 {
		t.Errorf("of 1000 seeds %d are different", len(a))
	}
	if a, b := Seeds(1, 20), Seeds(2, 20); slices.ContainsFunc(a, func(s uint64) bool { return slices.Contains(b, s) || s >= 1<<53 || s == 1 }) {
		t.Errorf("seeds of 1 and 2: %v, %v", a, b)
	}
}

// The definition of the quantile: with n values the share of further ones between
// its ends is 90 % for n from 19 on, and (n-1)/(n+1) below, for any law.
func TestABandCoversAsManyFurtherValuesAsItSays(t *testing.T) {
	laws := map[string]func(r *rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
		"uniform":     func(r *rand.Rand) float64 { return r.Float64() },
	}
	for name, law := range laws {
		for _, n := range []int{5, 10, 19, 20, 50} {
			r := source(uint64(n))
			const studies, further = 2000, 10
			in := 0
			for range studies {
				values := make([]float64, n)
				for i := range values {
					values[i] = law(r)
				}
				b := band(values)
				for range further {
					if x := reports.Num(law(r)); x >= b.P05 && x <= b.P95 {
						in++
					}
				}
			}
			got, want := float64(in)/(studies*further), float64(inside(n))
			if math.Abs(got-want) > 0.012 {
				t.Errorf("%s, bands of %d: %.3f of further values lie inside, said are %.3f", name, n, got, want)
			}
		}
	}
}

func TestQuantilesOfKnownValues(t *testing.T) {
	var v []float64
	for i := 1; i <= 19; i++ {
		v = append(v, float64(i))
	}
	if b := band(v); b.P05 != 1 || b.P50 != 10 || b.P95 != 19 || b.Never != 0 {
		t.Errorf("of 1 to 19: %+v", b)
	}
	b := band([]float64{4, math.Inf(1), 2, 3, 1})
	if b.P05 != 1 || b.P50 != 3 || b.P95.Known() || b.Never != 1 || b.Values[1].Known() || b.Values[2] != 2 {
		t.Errorf("never in one of five: %+v", b)
	}
	if b := band([]float64{math.NaN(), 2}); b.P50 != 2 || b.Never != 0 {
		t.Errorf("missing in one of two: %+v", b)
	}
	if b := band(nil); b.P05.Known() || b.P50.Known() || b.P95.Known() {
		t.Errorf("of nothing: %+v", b)
	}
}

// Spearman's own formula, 1 - 6·Σd²/(n(n²-1)), and a table with ties.
func TestRankCorrelationsOfKnownValues(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4, 5}, []float64{1, 10, 100, 1000, math.Inf(1)}, 1},
		{[]float64{1, 2, 3, 4, 5}, []float64{5, 4, 3, 2, 1}, -1},
		{[]float64{1, 2, 3, 4, 5}, []float64{2, 1, 4, 3, 5}, 1 - 6.0*4/(5*24)},
		{[]float64{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}, []float64{7, 27, 2, 50, 28, 29, 20, 12, 6, 17}, -29.0 / 165},
		{[]float64{1, 2, 3, 4}, []float64{1, 1, 2, 2}, 4 / math.Sqrt(20)},
	} {
		if got := spearman(c.x, c.y); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v with %v: %v, want %v", c.x, c.y, got, c.want)
		}
	}
	if got := ranks([]float64{3, 1, 3, 2}); !slices.Equal(got, []float64{3.5, 1, 3.5, 2}) {
		t.Errorf("ranks with a tie: %v", got)
	}
	for _, y := range [][]float64{{2, 2, 2}, {1, math.NaN(), 2}} {
		if got := spearman([]float64{1, 2, 3}, y); !math.IsNaN(got) {
			t.Errorf("with %v: %v, want none", y, got)
		}
	}
}

// Critical values of Spearman's coefficient as tables have them (two-sided 5 %):
// the first that is no longer chance. Below 40 runs the values have steps.
func TestTheChanceLevelOfOneParameterIsTheTables(t *testing.T) {
	for n, want := range map[int]float64{8: 0.738, 10: 0.648, 16: 0.503, 20: 0.447, 30: 0.362, 40: 0.313, 60: 0.255, 100: 0.197} {
		step := 12 / float64(n*(n*n-1))
		if got := chance(n, 1); got > want+0.003 || got < want-step-0.003 {
			t.Errorf("%d runs: up to %.3f is chance, the tables begin at %.3f", n, got, want)
		}
	}
	if chance(5, 130) != 1 {
		t.Errorf("5 runs cannot tell 130 parameters apart, but the level is %v", chance(5, 130))
	}
}

// In studies in which no parameter has an effect, one in twenty names one.
func TestOneStudyInTwentySeesAnEffectWhereNoneIs(t *testing.T) {
	const parameters, studies = 60, 400
	for _, n := range []int{12, 20, 50} {
		limit, r, seen := chance(n, parameters), source(uint64(n)), 0
		for study := range studies {
			figure := make([]float64, n)
			for i := range figure {
				figure[i] = r.ExpFloat64()
			}
			for p := range parameters {
				column := hypercube(uint64(study), string(rune('a'+p)), n)
				if math.Abs(spearman(column, figure)) > limit+1e-9 {
					seen++
					break
				}
			}
		}
		if got := float64(seen) / studies; got < 0.025 || got > 0.08 {
			t.Errorf("%d runs: %.3f of the studies see an effect, want 0.05", n, got)
		}
	}
}

// model is a service of no time at all: its figures are known functions of some
// parameters and the seed.
func model(calls *int) func(context.Context, *scenarios.Scenario, int) (*reports.Result, error) {
	return func(ctx context.Context, s *scenarios.Scenario, n int) (*reports.Result, error) {
		if *calls != n {
			return nil, errors.New("runs are out of order")
		}
		*calls++
		if ctx.Err() != nil {
			return nil, nil
		}
		if s.Panel.Citizens != 0 {
			return nil, errors.New("the panel runs again")
		}
		r := &reports.Result{}
		noise := source(s.Seed)
		r.Nation.Issued.Total = int64(1e6*float64(s.Adoption.Level) + 1000*noise.NormFloat64())
		r.Nation.Visits.WaitP95 = reports.Num(600 + s.Centres.OtherService.Mean.Seconds() - 0.02*s.Centres.Patience.Seconds())
		r.Nation.Visits.WaitP50 = reports.None()
		f := reports.Recovery{Fault: "outage", Drain: 3600}
		if s.Centres.BalkAt > 12 {
			f.Drain = reports.None()
		}
		r.Recovery = []reports.Recovery{f}
		return r, nil
	}
}

func figure(t *testing.T, u *reports.Uncertainty, metric string) reports.UncertainFigure {
	t.Helper()
	i := slices.IndexFunc(u.Figures, func(f reports.UncertainFigure) bool { return f.Metric == metric })
	if i < 0 {
		t.Fatalf("no figure is called %s", metric)
	}
	return u.Figures[i]
}

func study(t *testing.T, ctx context.Context, n int, settings ...string) *reports.Uncertainty {
	t.Helper()
	s, calls, start := load(t, settings...), 0, 0
	base, err := model(&start)(t.Context(), load(t, append(settings, "panel.citizens=0")...), 0)
	if err != nil {
		t.Fatal(err)
	}
	u, err := Study(ctx, Options{Scenario: s, Base: base, Replications: n, Run: model(&calls)})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAStudyFindsWhatMovesAFigureAndNothingElse(t *testing.T) {
	u := study(t, t.Context(), 60)
	issued := figure(t, u, "nation.issued.total")
	if m := issued.Movers; len(m) != 5 || m[0].Path != "adoption.level" || m[0].Correlation < 0.99 || !m[0].BeyondChance || m[1].BeyondChance {
		t.Errorf("issued is moved by %+v", m)
	}
	if m := issued.Movers[0]; math.Abs(float64(m.LowHalf)-350e3) > 12e3 || math.Abs(float64(m.HighHalf)-550e3) > 12e3 {
		t.Errorf("issued is %v with the lower half of the levels and %v with the upper, want 350,000 and 550,000", m.LowHalf, m.HighHalf)
	}
	if c := issued.Chance; c.P05 > 449e3 || c.P05 < 446e3 || c.P95 < 451e3 || c.P95 > 454e3 {
		t.Errorf("by chance, issued lies between %v and %v", c.P05, c.P95)
	}
	if a := issued.Assumptions; a.P05 > 290e3 || a.P95 < 610e3 || math.Abs(float64(a.P50)-450e3) > 10e3 {
		t.Errorf("over the assumptions, issued lies between %v and %v, median %v", a.P05, a.P95, a.P50)
	}
	wait := figure(t, u, "nation.visits.wait_p95_s")
	if m := wait.Movers; m[0].Path != "centres.other_service.mean" || m[0].Correlation < 0.8 || m[1].Path != "centres.patience" || m[1].Correlation > -0.3 {
		t.Errorf("waits are moved by %+v", m)
	}
	if c := wait.Chance; c.P05 != c.P95 || len(c.Values) != 60 {
		t.Errorf("waits have no chance in them, but lie between %v and %v", c.P05, c.P95)
	}
	if f := figure(t, u, "nation.holders"); len(f.Movers) != 0 {
		t.Errorf("nothing moves a figure that is constant, but %+v", f.Movers)
	}
	if f := figure(t, u, "nation.visits.wait_p50_s"); len(f.Movers) != 0 || f.Chance.P50.Known() {
		t.Errorf("a figure that is not there has bands %+v and movers %+v", f.Chance, f.Movers)
	}
	drain := figure(t, u, "recovery[outage].drain_s")
	if drain.Chance.Never != 0 || drain.Assumptions.Never != 28 && drain.Assumptions.Never != 29 && drain.Assumptions.Never != 30 || drain.Movers[0].Path != "centres.balk_at" || drain.Movers[0].Correlation < 0.8 {
		t.Errorf("the drain: %+v", drain)
	}
	if a := u.Assumptions; a.Runs != 60 || a.Seed != 1 || a.ChanceAny < 0.4 || a.ChanceAny > 0.55 || len(a.Parameters) < 100 {
		t.Errorf("%d runs, seed %d, level %v, %d parameters", a.Runs, a.Seed, a.ChanceAny, len(a.Parameters))
	}
}

func TestWhatAWhatIfDecidesIsNoAssumption(t *testing.T) {
	u := study(t, t.Context(), 20, "adoption.level=30%")
	if slices.ContainsFunc(u.Assumptions.Parameters, func(p reports.SampledParameter) bool { return p.Path == "adoption.level" }) ||
		!slices.Contains(u.Assumptions.Held, reports.HeldParameter{Path: "adoption.level", Why: "changed by --set"}) {
		t.Error("adoption.level is drawn anew although it was set")
	}
	if a := figure(t, u, "nation.issued.total").Assumptions; a.P05 != a.P95 {
		t.Errorf("issued depends on the level and the seed alone, but lies between %v and %v", a.P05, a.P95)
	}
}

func TestAnInterruptedStudyKeepsWhatIsFinished(t *testing.T) {
	whole := study(t, t.Context(), 8)
	for _, after := range []int{0, 1, 7, 8} {
		ctx, stop := context.WithCancel(t.Context())
		s, calls := load(t), 0
		one := model(&calls)
		u, err := Study(ctx, Options{Scenario: s, Base: &reports.Result{Recovery: []reports.Recovery{{Fault: "outage"}}}, Replications: 8,
			Run: func(ctx context.Context, s *scenarios.Scenario, n int) (*reports.Result, error) {
				if n == after {
					stop()
				}
				return one(ctx, s, n)
			}})
		stop()
		if err != nil {
			t.Fatal(err)
		}
		nc, na := (after+1)/2, after/2
		if u.Asked != 8 || u.Chance.Runs != int64(nc) || u.Assumptions.Runs != int64(na) || len(u.Chance.Seeds) != nc {
			t.Errorf("stopped in run %d: %d and %d of %d are told", after, u.Chance.Runs, u.Assumptions.Runs, u.Asked)
		}
		for _, f := range u.Figures {
			if len(f.Chance.Values) != nc || len(f.Assumptions.Values) != na {
				t.Errorf("stopped in run %d: %s has %d and %d values", after, f.Metric, len(f.Chance.Values), len(f.Assumptions.Values))
			}
		}
		// The finished ones are those of the whole study.
		for i, f := range u.Figures {
			w := whole.Figures[i]
			if same := func(a, b []reports.Num) bool { return fmt.Sprint(a) == fmt.Sprint(b) }; !same(f.Chance.Values, w.Chance.Values[:nc]) || !same(f.Assumptions.Values, w.Assumptions.Values[:na]) {
				t.Errorf("stopped in run %d: %s has other values than the whole study", after, f.Metric)
			}
		}
	}
}

func TestARunThatFailsIsNamed(t *testing.T) {
	s := load(t)
	_, err := Study(t.Context(), Options{Scenario: s, Base: &reports.Result{}, Replications: 3, Run: func(_ context.Context, _ *scenarios.Scenario, n int) (*reports.Result, error) {
		if n == 2 {
			return nil, errors.New("out of paper")
		}
		return &reports.Result{}, nil
	}})
	if err == nil || err.Error() != "replication 2: out of paper" {
		t.Errorf("%v", err)
	}
}
