package reports

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Student's own data of 1908: hours of sleep gained by two drugs. Intervals as R
// prints them (t.test of sleep, paired and by Welch).
func TestIntervalsOfStudentsSleep(t *testing.T) {
	one := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	two := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	for name, c := range map[string]struct{ got, want interval }{
		"paired": {paired(one, two), interval{1.58, 0.7001142, 2.4598858}},
		"Welch":  {unpaired(one, two), interval{1.58, -0.2054832, 3.3654832}},
	} {
		for _, x := range [][2]float64{{c.got.difference, c.want.difference}, {c.got.low, c.want.low}, {c.got.high, c.want.high}} {
			if math.Abs(x[0]-x[1]) > 1e-6 {
				t.Errorf("%s: %v, want %v", name, c.got, c.want)
				break
			}
		}
	}
}

// The example of R's wilcox.test (permeability of a membrane, Hollander and
// Wolfe): W = 35. Interval and shift of a small table by hand.
func TestRankSumsOfKnownTables(t *testing.T) {
	at := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	gestation := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	above := 0
	r := newRankSum(gestation, at)
	for _, d := range r.between {
		if d > 0 {
			above++
		}
	}
	if above != 35 || r.rejects(0) != 0 {
		t.Errorf("W = %d, rejected %d; want 35 and 0", above, r.rejects(0))
	}
	// 50 of differences; 25 - 1.96·8.165 = 8.99: from the 9th to the 42nd.
	if d := r.interval(); d.low != r.between[8] || d.high != r.between[41] || d.difference != (r.between[24]+r.between[25])/2 {
		t.Errorf("%+v", d)
	}
	for _, c := range []struct {
		base, head []float64
		want       int
	}{
		{[]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 1},
		{[]float64{1, 2, 3, 5}, []float64{4, 6, 7, 8}, 1}, // U = 15, p = 0.057, normal 0.043
		{[]float64{1, 2, 3, 6}, []float64{4, 5, 7, 8}, 0},
		{[]float64{5, 6, 7, 8}, []float64{1, 2, 3, 4}, -1},
		{[]float64{2, 2, 2, 2}, []float64{2, 2, 2, 2}, 0},
		{[]float64{math.Inf(1), math.Inf(1), 1, 1}, []float64{1, math.Inf(1), 1, math.Inf(1)}, 0},
		{[]float64{1, 2, 3, 4}, []float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}, 1},
	} {
		if got := newRankSum(c.base, c.head).rejects(0); got != c.want {
			t.Errorf("%v and %v: %d, want %d", c.base, c.head, got, c.want)
		}
	}
	// Two values only: 15 and 5 of BASE, 8 and 12 of HEAD. z = 2.21 with ties
	// considered, 1.89 without.
	tens := func(a, b int) []float64 {
		return append(slices.Repeat([]float64{10}, a), slices.Repeat([]float64{20}, b)...)
	}
	if got := newRankSum(tens(15, 5), tens(8, 12)).rejects(0); got != 1 {
		t.Errorf("with many ties: %d, want 1", got)
	}
	if got := newRankSum([]float64{1, 2, 3, 4}, []float64{15, 16, 17, 18}); got.rejects(10) != 1 || got.rejects(14) != 0 || got.rejects(20) != -1 {
		t.Errorf("moved by 14, a shift of 10, 14 and 20 is judged %d, %d and %d", got.rejects(10), got.rejects(14), got.rejects(20))
	}
}

// Fisher's lady who tasted tea, and a split that R's fisher.test calls 0.0198.
func TestFishersExactTest(t *testing.T) {
	for _, c := range []struct {
		a, n, b, m int
		want       float64
	}{{3, 4, 1, 4, 0.4857143}, {0, 20, 20, 20, 1.450889e-11}, {0, 10, 5, 10, 0.03250774}, {5, 10, 5, 10, 1}} {
		if got := fisher(c.a, c.n, c.b, c.m); math.Abs(got-c.want) > 1e-6*max(c.want, 1e-6) {
			t.Errorf("%d of %d and %d of %d: %v, want %v", c.a, c.n, c.b, c.m, got, c.want)
		}
	}
}

// laws are like those of a result's figures: sums, rare counts, waits, shares.
var laws = map[string]func(r *rand.Rand) float64{
	"normal":          func(r *rand.Rand) float64 { return 1000 + 30*r.NormFloat64() },
	"count of 40":     func(r *rand.Rand) float64 { return poisson(r, 40) },
	"count of 4":      func(r *rand.Rand) float64 { return poisson(r, 4) },
	"lognormal":       func(r *rand.Rand) float64 { return math.Exp(6 + 0.7*r.NormFloat64()) },
	"a clock's steps": func(r *rand.Rand) float64 { return 60 * math.Floor(10+1.5*r.NormFloat64()) },
	"share":           func(r *rand.Rand) float64 { return 0.2 + 0.05*r.Float64() },
}

func poisson(r *rand.Rand, mean float64) float64 {
	n, product := -1.0, 1.0
	for limit := math.Exp(-mean); product > limit; n++ {
		product *= r.Float64()
	}
	return n
}

func draw(r *rand.Rand, law func(*rand.Rand) float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = law(r)
	}
	return out
}

func TestIntervalsCoverTheTrueDifferenceInNineteenOfTwentyStudies(t *testing.T) {
	const studies = 1500
	for name, law := range laws {
		for _, n := range []int{5, 10, 20} {
			r := rand.New(rand.NewPCG(uint64(n), 7))
			in := map[string]int{}
			for range studies {
				base, own := draw(r, law, n), draw(r, law, n)
				// The what-if adds 3 and has some noise of its own.
				head := make([]float64, n)
				for i, x := range base {
					head[i] = x + 3 + r.NormFloat64()
				}
				if d := paired(base, head); d.low <= 3 && 3 <= d.high {
					in["paired"]++
				}
				if d := unpaired(base, own); d.low <= 0 && 0 <= d.high {
					in["Welch"]++
				}
				ranks := newRankSum(base, own)
				if ranks.rejects(0) == 0 {
					in["rank sum"]++
				}
				moved := make([]float64, n)
				for i, x := range own {
					moved[i] = x + 17
				}
				if d := newRankSum(base, moved).interval(); d.low <= 17 && 17 <= d.high {
					in["rank sum, moved"]++
				}
			}
			for method, k := range in {
				most := 0.975
				if method == "Welch" && name == "lognormal" || method == "rank sum, moved" && name != "normal" {
					most = 1 // it errs on the safe side where laws are skewed, or have steps
				}
				if got := float64(k) / studies; got < 0.928 || got > most {
					t.Errorf("%s, %d replications, %s: %.3f of the intervals hold the truth, want 0.95", method, n, name, got)
				}
			}
		}
	}
}

// chanced gives small replications by the laws above, by seeds of its own.
func chanced(seed uint64, n int) *Result {
	r := small()
	r.Meta.Seed = seed
	u := &Uncertainty{Asked: int64(n), Chance: ChanceRuns{Runs: int64(n)}, Assumptions: AssumptionRuns{Runs: int64(n), Seed: seed}}
	source := rand.New(rand.NewPCG(seed, 3))
	for range n {
		u.Chance.Seeds = append(u.Chance.Seeds, source.Uint64()>>11)
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range laws {
			if !yield(name) {
				return
			}
		}
	})
	for i, h := range Headlines(r) {
		if h.Once {
			continue
		}
		f := UncertainFigure{Metric: h.Metric, Value: h.Value}
		for _, x := range draw(source, laws[names[i%len(names)]], n) {
			f.Chance.Values = append(f.Chance.Values, Num(x))
			f.Assumptions.Values = append(f.Assumptions.Values, Num(x))
		}
		u.Figures = append(u.Figures, f)
	}
	r.Uncertainty = u
	return r
}

func compared2(t *testing.T, base, head *Result, tolerances ...string) *Comparison {
	t.Helper()
	tol, err := ParseTolerances(tolerances)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(base, head, tol)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func of(t *testing.T, c *Comparison, metric string) ComparedFigure {
	t.Helper()
	i := slices.IndexFunc(c.Figures, func(f ComparedFigure) bool { return f.Metric == metric })
	if i < 0 {
		t.Fatalf("%s is not compared", metric)
	}
	return c.Figures[i]
}

// 400 pairs of results of one scenario with two seeds, ten replications each: 40
// figures, each of which differs in about one pair of twenty.
func TestOneSeedPairInTwentyDiffersInEachFigure(t *testing.T) {
	const pairs = 400
	differ := map[string]int{}
	total := 0
	for k := range uint64(pairs) {
		c := compared2(t, chanced(2*k+1, 10), chanced(2*k+2, 10))
		if c.Method != Ranks {
			t.Fatalf("two seeds are compared by %s", c.Method)
		}
		for _, f := range c.Figures {
			if f.Verdict == Differs || f.Verdict == Beyond {
				differ[f.Metric]++
				total++
			}
		}
		if math.Abs(float64(c.ByChance)-0.05*float64(len(c.Figures)-1)) > 1e-9 {
			t.Fatalf("%v of %d figures are said to differ by chance", c.ByChance, len(c.Figures))
		}
	}
	figures := 0
	for _, h := range Headlines(chanced(1, 2)) {
		if h.Once {
			continue // not drawn by chance here
		}
		figures++
		if got := float64(differ[h.Metric]) / pairs; got < 0.02 || got > 0.09 {
			t.Errorf("%s differs in %.3f of the pairs, want about 0.05", h.Metric, got)
		}
	}
	if got := float64(total) / float64(figures*pairs); got < 0.042 || got > 0.056 {
		t.Errorf("%.4f of all differ, want 0.05", got)
	}
	t.Logf("%d of %d comparisons differ: %.4f", total, figures*pairs, float64(total)/float64(figures*pairs))
}

func TestTheSameSeedsArePairedAndASmallEffectIsSeen(t *testing.T) {
	base, head := chanced(1, 10), chanced(1, 10)
	if c := compared2(t, base, head); c.Method != Paired || c.Differ != 0 || slices.ContainsFunc(c.Figures, func(f ComparedFigure) bool { return f.Verdict != Same }) {
		t.Errorf("a result differs from itself: %s, %d figures", c.Method, c.Differ)
	}
	// Two per cent more, where chance moves single runs by as much.
	for i := range head.Uncertainty.Figures[0].Chance.Values {
		head.Uncertainty.Figures[0].Chance.Values[i] *= 1.02
	}
	f := of(t, compared2(t, base, head), "nation.issued.total")
	if f.Verdict != Differs || f.Method != Paired || math.Abs(float64(f.Relative)-0.02) > 1e-9 || f.Low <= 0 || f.High >= f.Tolerance {
		t.Errorf("two per cent more, paired: %+v", f)
	}
	if f := of(t, compared2(t, base, head, "1%"), "nation.issued.total"); f.Verdict != Beyond {
		t.Errorf("two per cent more, one tolerated: %+v", f)
	}
	if a := f.Assumed; a == nil || a.Runs != 10 || a.Higher != 0 || a.P95 != 0 {
		t.Errorf("over the same assumptions nothing moved, but %+v", a)
	}
	head.Uncertainty.Chance.Seeds[3]++ // no longer the same random numbers
	if c := compared2(t, base, head); c.Method != Ranks || of(t, c, "nation.issued.total").Verdict == Differs {
		t.Errorf("with a seed of its own: %s, %+v", c.Method, of(t, c, "nation.issued.total"))
	}
	// Of more replications the common ones count.
	if c := compared2(t, chanced(1, 10), replicatedTo(chanced(1, 10), 6)); c.Method != Paired || c.Runs != [2]int{6, 6} || c.Differ != 0 || len(c.Notes) == 0 {
		t.Errorf("ten and six of the same seeds: %s of %v, %d differ, %q", c.Method, c.Runs, c.Differ, c.Notes)
	}
}

// replicatedTo is a result that was interrupted.
func replicatedTo(r *Result, n int) *Result {
	u := r.Uncertainty
	u.Chance.Runs, u.Chance.Seeds, u.Assumptions.Runs = int64(n), u.Chance.Seeds[:n], int64(n)
	for i := range u.Figures {
		f := &u.Figures[i]
		f.Chance.Values, f.Assumptions.Values = f.Chance.Values[:n], f.Assumptions.Values[:n]
	}
	return r
}

func TestVerdictsOfIntervalsAndTolerances(t *testing.T) {
	for _, c := range []struct {
		low, high, tolerance Num
		want                 Judgement
	}{
		{-1, 2, 3, Same}, {-1, 4, 3, Unclear}, {-4, 1, 3, Unclear}, {0, 0, 0, Same}, {-1, 1, 0, Unclear},
		{1, 2, 3, Differs}, {1, 4, 3, Differs}, {-2, -1, 3, Differs}, {3, 5, 3, Differs},
		{3.1, 5, 3, Beyond}, {-5, -3.1, 3, Beyond}, {0.1, 0.2, 0, Beyond},
	} {
		if got := judge(c.low, c.high, c.tolerance); got != c.want {
			t.Errorf("%v to %v with a tolerance of %v: %s, want %s", c.low, c.high, c.tolerance, got, c.want)
		}
	}
	for _, c := range []struct {
		difference, tolerance Num
		want                  Judgement
	}{{0, 0, Same}, {2, 3, Differs}, {-3, 3, Differs}, {-4, 3, Beyond}, {1, 0, Beyond}} {
		if got := judgeExact(c.difference, c.tolerance); got != c.want {
			t.Errorf("exactly %v with a tolerance of %v: %s, want %s", c.difference, c.tolerance, got, c.want)
		}
	}
}

func TestSingleRunsAreComparedExactlyAndSaySo(t *testing.T) {
	base, head := small(), small()
	head.Nation.Issued.Total += 7
	head.Nation.FeeRevenue *= 2
	head.Recovery[0].Drain = None()
	c := compared2(t, base, head)
	if c.Method != Exact || c.Confidence.Known() || c.ByChance.Known() || !strings.Contains(strings.Join(c.Notes, "\n"), "BASE and HEAD without replications") {
		t.Errorf("%s, %q", c.Method, c.Notes)
	}
	for metric, want := range map[string]Judgement{"nation.issued.total": Differs, "nation.fee_revenue_krw": Beyond, "nation.holders": Same, "recovery[six hours down].drain_s": Beyond} {
		if f := of(t, c, metric); f.Verdict != want || f.Method != Exact {
			t.Errorf("%s: %s, want %s", metric, f.Verdict, want)
		}
	}
	if c.Beyond != 2 || c.Differ != 4 { // its share by tap moves with the total
		t.Errorf("%d differ, %d of them beyond", c.Differ, c.Beyond)
	}
	if f := of(t, c, "nation.issued.total"); f.Difference != 7 || f.Low != 7 || f.High != 7 {
		t.Errorf("%+v", f)
	}
}

// A violation counts however few replications there are: the panel runs once.
func TestAViolationIsBeyondEveryRelativeTolerance(t *testing.T) {
	base, head := chanced(1, 4), chanced(1, 4)
	head.Suspension.Violations = 1
	if f := of(t, compared2(t, base, head, "90%"), "suspension.violations"); f.Verdict != Beyond || f.Method != Exact {
		t.Errorf("%+v", f)
	}
	head.Panel = nil
	if c := compared2(t, base, head); !slices.Equal(c.OnlyBase, []string{"suspension.violations"}) || !slices.Equal(c.Missing, c.OnlyBase) || !c.Fails() {
		t.Errorf("without a panel, only BASE has %q, missing are %q", c.OnlyBase, c.Missing)
	}
}

func TestWhatIsNeverReachedIsFartherThanAnyTolerance(t *testing.T) {
	const metric = "recovery[six hours down].drain_s"
	with := func(never int) *Result {
		r := chanced(1, 20)
		i := slices.IndexFunc(r.Uncertainty.Figures, func(f UncertainFigure) bool { return f.Metric == metric })
		for k := range never {
			r.Uncertainty.Figures[i].Chance.Values[k] = None()
		}
		return r
	}
	for _, c := range []struct {
		base, head int
		want       Judgement
	}{{0, 0, Same}, {20, 20, Same}, {0, 20, Beyond}, {20, 0, Beyond}, {0, 8, Beyond}, {1, 2, Same}, {19, 20, Unclear}} {
		f := of(t, compared2(t, with(c.base), with(c.head), "90%"), metric)
		if f.Verdict != c.want || f.BaseNever != c.base || f.HeadNever != c.head {
			t.Errorf("never in %d and %d of 20: %s, want %s", c.base, c.head, f.Verdict, c.want)
		}
	}
	for _, c := range []struct {
		base, head int
		want       Judgement
	}{{0, 20, Beyond}, {20, 0, Beyond}, {20, 20, Same}, {3, 14, Differs}, {10, 11, Unclear}} {
		head := with(c.head)
		for k := range head.Uncertainty.Chance.Seeds {
			head.Uncertainty.Chance.Seeds[k]++
		}
		comparison := compared2(t, with(c.base), head, "90%")
		if f := of(t, comparison, metric); comparison.Method != Ranks || f.Verdict != c.want {
			t.Errorf("by ranks, never in %d and %d of 20: %s, want %s: %+v", c.base, c.head, f.Verdict, c.want, f)
		}
	}
}

func TestAFaultOfOneAloneIsNamed(t *testing.T) {
	calm := small()
	calm.Recovery = nil
	c := compared2(t, calm, small())
	if len(c.OnlyBase) != 0 || len(c.OnlyHead) != 9 || c.OnlyHead[0] != "recovery[six hours down].detected_s" {
		t.Errorf("only in BASE %q, only in HEAD %q", c.OnlyBase, c.OnlyHead)
	}
	// A plan without the fault is a plan.
	if c := compared2(t, small(), calm); len(c.OnlyBase) != 9 || len(c.Missing) > 0 {
		t.Errorf("only in BASE %q, missing %q", c.OnlyBase, c.Missing)
	}
}

func TestTolerancesAreReadAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct {
		stated []string
		metric string
		base   Num
		want   Num
	}{
		{nil, "nation.holders", 200, 10},
		{[]string{"2.5%"}, "nation.holders", -200, 5},
		{[]string{"0"}, "nation.holders", 200, 0},
		{[]string{"nation.holders=30"}, "nation.holders", 200, 30},
		{[]string{"nation.holders=30"}, "nation.issued.total", 200, 10},
		{[]string{"nation.visits.wait_p95_s=2m"}, "nation.visits.wait_p95_s", 600, 120},
		{[]string{"recovery[outage].drain_s=1d 2h"}, "recovery[outage].drain_s", 600, 93600},
		{[]string{"nation.verifications.latency_p95_ms=1.5s"}, "nation.verifications.latency_p95_ms", 40, 1500},
		{[]string{"1%", "nation.visits=10%", "nation.visits.wait_p95_s=0"}, "nation.visits.count", 200, 20},
		{[]string{"1%", "nation.visits=10%", "nation.visits.wait_p95_s=0"}, "nation.visits.wait_p95_s", 200, 0},
		{[]string{"recovery=50%"}, "recovery[outage].turned_away", 10, 5},
		{[]string{"5%"}, "nation.verifications.false_accepts", 0, 0},
		{[]string{"5%"}, "nation.visits.wait_p50_s", None(), 0},
	} {
		tol, err := ParseTolerances(c.stated)
		if err != nil {
			t.Errorf("%q: %v", c.stated, err)
			continue
		}
		if got := tol.of(c.metric).around(c.base); got != c.want {
			t.Errorf("%q: %s may move by %v, want %v", c.stated, c.metric, got, c.want)
		}
	}
	for _, wrong := range [][]string{{"five"}, {"-5%"}, {"-3"}, {"2m"}, {"NaN"}, {"inf"}, {"nation.holders=2m"}, {"5%", "6%"}, {"a=1", "a=2"}, {"nation.visits.wait_p95_s="}, {""}, {"NaN%"}, {"nation.visits.wait_p95_s=-2m"}} {
		if _, err := ParseTolerances(wrong); err == nil {
			t.Errorf("%q is taken for a tolerance", wrong)
		}
	}
	tol, _ := ParseTolerances([]string{"nation.holdres=1%"})
	if _, err := Compare(small(), small(), tol); err == nil || !strings.Contains(err.Error(), `no figure "nation.holdres"`) || !strings.Contains(err.Error(), "nation.holders") {
		t.Errorf("a tolerance for nothing: %v", err)
	}
}

func TestResultsOfOtherPeopleOrOtherWaysAreNotCompared(t *testing.T) {
	tol, _ := ParseTolerances(nil)
	for name, change := range map[string]func(*Result){
		"values are missing": func(r *Result) {
			r.Uncertainty = chanced(1, 4).Uncertainty
			r.Uncertainty.Figures[3].Chance.Values = nil
		},
		"seeds are missing": func(r *Result) { r.Uncertainty = chanced(1, 4).Uncertainty; r.Uncertainty.Chance.Runs = 9 },
		"other regions":     func(r *Result) { r.Meta.Regions = []string{"KR-11"} },
		"other people":      func(r *Result) { r.Nation.Citizens++ },
		"another way":       func(r *Result) { redefine(r, func(d *Definition) { d.Way = "live" }) },
		"another clock":     func(r *Result) { redefine(r, func(d *Definition) { d.Clock = "wall" }) },
		"another unit":      func(r *Result) { redefine(r, func(d *Definition) { d.Unit = "people" }) },
	} {
		base, head := small(), small()
		base.Definitions = Definitions()
		change(head)
		if _, err := Compare(base, head, tol); err == nil {
			t.Errorf("%s: they are compared", name)
		}
	}
}

// redefine is a file that means something else by a figure.
func redefine(r *Result, change func(*Definition)) {
	r.Definitions = Definitions()
	for _, pointer := range []string{"/nation/issued/total", "/recovery/*/drain_s"} {
		d := r.Definitions[pointer]
		change(&d)
		r.Definitions[pointer] = d
	}
}

func TestWhatIsNoResultIsNotRead(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(path)
	}
	b, err := Encode(small())
	if err != nil {
		t.Fatal(err)
	}
	good := put("good/result.json", string(b))
	for _, path := range []string{good, filepath.Join(good, ResultFile)} {
		if r, err := Read(path); err != nil || r.Meta.Scenario != "sample" {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]string{
		put("none/report.html", ""):                                       "holds no result.json",
		put("cut/result.partial.json", "{}"):                              "interrupted run",
		put("old/result.json", `{"meta":{"schema":"rollcall-result/0"}}`): "run the scenario again",
		put("text/result.json", "hello"):                                  "not a result.json",
		filepath.Join(dir, "nowhere"):                                     "is not there",
		put("folder/result.json/x", ""):                                   "not a regular file",
	} {
		if strings.HasSuffix(path, ResultFile) {
			path = filepath.Dir(path)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestTheTableOfAComparisonIsAligned(t *testing.T) {
	for name, c := range map[string]*Comparison{
		"paired": compared2(t, replicated(small(), 20, 0), replicated(small(), 20, 0.8)),
		"exact":  compared2(t, small(), failing()),
	} {
		var b bytes.Buffer
		if err := c.Print(&b, Terminal{}); err != nil {
			t.Fatal(err)
		}
		golden(t, "compare."+name+".txt", b.Bytes())
		table, _, _ := strings.Cut(b.String(), "\n\n")
		lines := strings.Split(table, "\n")
		at := len([]rune(lines[0])) - len("verdict")
		for i, l := range lines[1:] {
			if r := []rune(l); len(r) <= at || string(r[at:]) != string(c.Figures[i].Verdict) {
				t.Errorf("%s: the verdict of %q does not stand under its head", name, l)
			}
		}
		var colour bytes.Buffer
		if err := c.Print(&colour, Terminal{Colour: true}); err != nil {
			t.Fatal(err)
		}
		bare := colour.String()
		for _, code := range []string{bold, faint, green, red, "0"} {
			bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
		}
		if bare != b.String() {
			t.Errorf("%s: colours change the words", name)
		}
	}
}

func TestTheTableOfAComparisonFitsTheTerminal(t *testing.T) {
	c := compared2(t, replicated(small(), 20, 0), replicated(small(), 20, 0.8))
	for width, want := range map[int][]string{
		0:   {"over the assumptions", "95 % interval", "BASE", "HEAD"},
		150: {"95 % interval", "BASE", "HEAD"},
		120: {"95 % interval"},
	} {
		var b bytes.Buffer
		if err := c.Print(&b, Terminal{Width: width}); err != nil {
			t.Fatal(err)
		}
		table, _, _ := strings.Cut(b.String(), "\n\n")
		for i, l := range strings.Split(table, "\n") {
			if n := len([]rune(l)); width > 0 && n > width {
				t.Errorf("%d columns: a line has %d: %s", width, n, l)
			}
			for _, w := range want {
				if i == 0 && !strings.Contains(l, w) {
					t.Errorf("%d columns: %s is missing", width, w)
				}
			}
		}
	}
}

func TestAComparisonAsJSONHasItsNumbersAndUnits(t *testing.T) {
	b, err := json.Marshal(compared2(t, replicated(small(), 20, 0), replicated(small(), 20, 0.8)))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]any{"/schema": ComparisonID, "/method": "paired t", "/figures/0/metric": "nation.issued.total", "/figures/0/unit": "cards", "/figures/0/way": "nation", "/tolerance/0": "5%"} {
		if got, err := doc.At(pointer); err != nil || got != want {
			t.Errorf("%s is %v, want %v (%v)", pointer, got, want, err)
		}
	}
}
