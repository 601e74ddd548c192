package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// ComparisonID names the version of a comparison; the rule is that of SchemaID.
const ComparisonID = "rollcall-comparison/1"

// Comparison is two results beside each other. Differences are HEAD less BASE.
type Comparison struct {
	Schema     string           `json:"schema"` // ComparisonID
	Base       Compared         `json:"base"`
	Head       Compared         `json:"head"`
	Method     Method           `json:"method"`
	Runs       [2]int           `json:"replications"`       // of BASE and HEAD that intervals are made from
	Confidence Num              `json:"confidence"`         // of an interval; null where there are none
	Tolerance  []string         `json:"tolerance"`          // as it was stated
	Notes      []string         `json:"notes"`              // what to know before believing it
	Figures    []ComparedFigure `json:"figures"`            // that both have
	OnlyBase   []string         `json:"only_base"`          // figures that HEAD has not, as of a fault of BASE alone
	OnlyHead   []string         `json:"only_head"`          // the other way round
	Missing    []string         `json:"missing"`            // what HEAD must have and has not: of only_base all but faults, which a plan may do without; of a load also what was never answered or checked
	Differ     int              `json:"differ"`             // figures that differ, those beyond the tolerance included
	Beyond     int              `json:"beyond"`             // of them, beyond the tolerance
	ByChance   Num              `json:"expected_by_chance"` // figures that would differ if chance alone were at work; null without intervals
	remarks    []remark         // the notes
}

// Compared is one of the two results.
type Compared struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Version  string `json:"version"`
	Inputs   string `json:"inputs_sha256"`
	Command  string `json:"command"`
}

// ComparedFigure is one headline figure in both.
type ComparedFigure struct {
	Metric     string     `json:"metric"` // "nation.issued.total": as in an expectation
	Way        string     `json:"way"`
	Unit       string     `json:"unit"` // of all numbers but relative
	Definition string     `json:"definition"`
	Base       Num        `json:"base"` // paired and Welch: mean of the replications; ranks: their median; exact: the run's figure
	Head       Num        `json:"head"`
	Difference Num        `json:"difference"`
	Relative   Num        `json:"relative"` // difference by |base|
	Method     Method     `json:"method"`
	Low        Num        `json:"low"` // ends of the interval of the difference
	High       Num        `json:"high"`
	BaseNever  int        `json:"base_never"` // runs in which it was never reached
	HeadNever  int        `json:"head_never"`
	Tolerance  Num        `json:"tolerance"`
	Verdict    Judgement  `json:"verdict"`
	Assumed    *AcrossAll `json:"over_assumptions"` // null unless both drew their assumptions alike
	form       string
}

// AcrossAll is the difference in worlds that differ in their assumptions, each
// the same for BASE and HEAD.
type AcrossAll struct {
	Runs   int `json:"replications"`
	P05    Num `json:"p05"`
	P50    Num `json:"p50"`
	P95    Num `json:"p95"`
	Higher int `json:"higher"` // worlds in which HEAD has more
	Lower  int `json:"lower"`
}

// Method is how a difference gets its interval.
type Method string

// The methods.
const (
	// Paired: both have replications by the same seeds, hence the same random
	// numbers. Student's t interval of the differences, one for each seed.
	Paired Method = "paired t"
	// Ranks: both have replications, by seeds of their own. Wilcoxon's rank sums.
	Ranks Method = "rank sum"
	// Welch: the same with fewer than four of them. Welch's t interval.
	Welch Method = "Welch t"
	// Exact: of single runs. How much of the difference is chance is not known.
	Exact Method = "exact"
)

// A Judgement says what a difference comes to.
type Judgement string

// The judgements.
const (
	Same    Judgement = "same"    // exact: equal; else the interval holds 0 and lies within the tolerance
	Unclear Judgement = "unclear" // the interval holds 0 and reaches beyond the tolerance: nothing is seen, nothing is ruled out
	Differs Judgement = "differs" // exact: not equal, within the tolerance; else the interval does not hold 0, and reaches into the tolerance
	Beyond  Judgement = "beyond"  // exact: beyond the tolerance; else the whole interval is
)

// Compare lays two results beside each other. The error says why they cannot be.
func Compare(base, head *Result, tolerances Tolerances) (*Comparison, error) {
	if base.Live != nil || head.Live != nil {
		if err := comparableLoads(base, head); err != nil {
			return nil, err
		}
		tolerances = tolerances.forLoads()
	}
	if base.Nation.Citizens != head.Nation.Citizens || !slices.Equal(base.Meta.Regions, head.Meta.Regions) {
		return nil, fmt.Errorf("BASE and HEAD are about different people: %s citizens of %s, and %s of %s (run both with the same --regions)",
			sayCount(Num(base.Nation.Citizens)), strings.Join(base.Meta.Regions, " "), sayCount(Num(head.Nation.Citizens)), strings.Join(head.Meta.Regions, " "))
	}
	for i, r := range []*Result{base, head} {
		if !r.Uncertainty.whole() {
			return nil, fmt.Errorf("%s has not the replications that it says it has: run it again", []string{"BASE", "HEAD"}[i])
		}
	}
	// As each file defines its figures; Headlines fills in what this program would say.
	definitions := [2]map[string]Definition{maps.Clone(base.Definitions), maps.Clone(head.Definitions)}
	b, h := Headlines(base), Headlines(head)
	c := &Comparison{Schema: ComparisonID, Base: compared(base), Head: compared(head), Tolerance: tolerances.stated,
		Notes: []string{}, Figures: []ComparedFigure{}, OnlyBase: []string{}, OnlyHead: []string{}, Missing: []string{}, Confidence: None(), ByChance: None()}
	c.Method, c.Runs = methodOf(base.Uncertainty, head.Uncertainty)
	c.note(base, head)
	alike := drawnAlike(base.Uncertainty, head.Uncertainty)

	known := map[string]bool{}
	for _, x := range b {
		known[x.Metric] = true
		i := slices.IndexFunc(h, func(y Headline) bool { return y.Metric == x.Metric })
		if i < 0 {
			c.OnlyBase = append(c.OnlyBase, x.Metric)
			if !strings.HasPrefix(x.Metric, "recovery[") {
				c.Missing = append(c.Missing, x.Metric)
			}
			continue
		}
		db, inBase := definitions[0][patternOf(x.Pointer)]
		dh, inHead := definitions[1][patternOf(h[i].Pointer)]
		if inBase && inHead && (db.Way != dh.Way || db.Clock != dh.Clock || db.Unit != dh.Unit) {
			return nil, fmt.Errorf("%s is not the same thing in both: found by %s in %s of %s time in BASE, by %s in %s of %s time in HEAD", x.Metric, db.Way, db.Unit, db.Clock, dh.Way, dh.Unit, dh.Clock)
		}
		f := c.figure(x, h[i], base.Uncertainty, head.Uncertainty, tolerances.of(x.Metric))
		if alike {
			f.Assumed = across(x, base.Uncertainty, head.Uncertainty)
		}
		c.Figures = append(c.Figures, f)
		if strings.HasPrefix(x.Pointer, "/live/operations/") && x.Value.Known() && !h[i].Value.Known() {
			c.Missing = append(c.Missing, x.Metric)
		}
	}
	for _, y := range h {
		if !known[y.Metric] {
			known[y.Metric] = true
			c.OnlyHead = append(c.OnlyHead, y.Metric)
		}
	}
	if err := tolerances.check(known); err != nil {
		return nil, err
	}
	if base.Live != nil {
		c.Missing = append(c.Missing, base.Live.unchecked(head.Live)...)
	}
	if len(c.Missing) > 0 {
		c.remark("note.missing", "which", "HEAD", "than", "BASE", "what", strings.Join(c.Missing, ", "))
	}
	moving := 0
	for _, f := range c.Figures {
		if f.Verdict == Differs || f.Verdict == Beyond {
			c.Differ++
		}
		if f.Verdict == Beyond {
			c.Beyond++
		}
		if f.Method != Exact && f.Low != f.High {
			moving++
		}
	}
	if c.Method != Exact {
		c.Confidence, c.ByChance = confidence, Num(float64(moving)*(1-confidence))
	}
	return c, nil
}

func compared(r *Result) Compared {
	return Compared{r.Meta.Scenario, r.Meta.Seed, r.Meta.Version, r.Meta.InputsSHA256, r.Meta.Command}
}

// whole says whether there is a value for each replication.
func (u *Uncertainty) whole() bool {
	if u == nil {
		return true
	}
	ok := int64(len(u.Chance.Seeds)) == u.Chance.Runs
	for _, f := range u.Figures {
		ok = ok && int64(len(f.Chance.Values)) == u.Chance.Runs && int64(len(f.Assumptions.Values)) == u.Assumptions.Runs
	}
	return ok
}

// patternOf is the pointer under which a headline is defined.
func patternOf(pointer string) string {
	parts := strings.Split(pointer, "/")
	switch {
	case parts[1] == "recovery":
		parts[2] = "*"
	case parts[1] == "live" && parts[2] == "operations":
		parts[3] = "*"
	}
	return strings.Join(parts, "/")
}

// methodOf pairs the replications that both have by the same seeds.
func methodOf(base, head *Uncertainty) (Method, [2]int) {
	if base == nil || head == nil || base.Chance.Runs < 2 || head.Chance.Runs < 2 {
		return Exact, [2]int{}
	}
	n := int(min(base.Chance.Runs, head.Chance.Runs))
	if slices.Equal(base.Chance.Seeds[:n], head.Chance.Seeds[:n]) {
		return Paired, [2]int{n, n}
	}
	method := Ranks
	if n < fewest {
		method = Welch
	}
	return method, [2]int{int(base.Chance.Runs), int(head.Chance.Runs)}
}

// drawnAlike says whether run k over the assumptions is the same world in both.
func drawnAlike(base, head *Uncertainty) bool {
	return base != nil && head != nil && base.Asked == head.Asked && base.Assumptions.Seed == head.Assumptions.Seed &&
		min(base.Assumptions.Runs, head.Assumptions.Runs) >= 2
}

func (c *Comparison) remark(key string, args ...any) {
	n := remark{key, args}
	c.remarks, c.Notes = append(c.remarks, n), append(c.Notes, n.english())
}

// Fails says whether HEAD is not what BASE was, by the tolerances: a figure is beyond its own,
// or missing.
func (c *Comparison) Fails() bool { return c.Beyond > 0 || len(c.Missing) > 0 }

// outcome says what became of figures, for the line of the verdict.
func (c *Comparison) outcome() string {
	said := "none beyond the tolerance"
	if c.Beyond > 0 {
		said = fmt.Sprintf("%d beyond the tolerance", c.Beyond)
	}
	if len(c.Missing) > 0 {
		said += fmt.Sprintf(", %d missing", len(c.Missing))
	}
	return said
}

func (c *Comparison) note(base, head *Result) {
	add := c.remark
	if base.Live != nil {
		add("note.live")
	}
	var single []string
	for i, r := range []*Result{base, head} {
		name := []string{"BASE", "HEAD"}[i]
		if r.Live != nil {
			continue
		}
		if u := r.Uncertainty; u == nil || u.Chance.Runs < 2 {
			single = append(single, name)
		} else if u.Assumptions.Runs < u.Asked {
			add("note.interrupted", "which", name, "chance", u.Chance.Runs, "assumed", u.Assumptions.Runs, "asked", u.Asked)
		}
	}
	switch len(single) {
	case 1:
		add("note.single", "which", single[0], "command", makesReplications)
	case 2:
		add("note.singles", "command", makesReplications)
	}
	switch {
	case base.Live != nil: // what they differ by is the machine's mood, not a seed
	case c.Method == Exact && base.Meta.Seed == head.Meta.Seed:
		add("note.oneseed", "seed", base.Meta.Seed)
	case c.Method == Exact:
		add("note.seeds", "base", base.Meta.Seed, "head", head.Meta.Seed)
	case c.Method != Paired:
		add("note.unpaired")
	case base.Uncertainty.Chance.Runs != head.Uncertainty.Chance.Runs:
		add("note.common", "runs", c.Runs[0])
	}
	if base.Meta.Start != head.Meta.Start || base.Meta.End != head.Meta.End {
		add("note.days", "bstart", base.Meta.Start, "bend", base.Meta.End, "hstart", head.Meta.Start, "hend", head.Meta.End)
	}
	if base.Meta.Version != head.Meta.Version {
		add("note.versions", "base", base.Meta.Version, "head", head.Meta.Version)
	}
}

const makesReplications = "rollcall run ... --replications 20"

// remark is a message with what stands in its places.
type remark struct {
	key  string
	args []any // name, value, name, value
}

func (n remark) english() string {
	s := english(n.key)
	for i := 0; i+1 < len(n.args); i += 2 {
		s = strings.ReplaceAll(s, "{"+n.args[i].(string)+"}", fmt.Sprint(n.args[i+1]))
	}
	return s
}

// figure compares one headline.
func (c *Comparison) figure(b, h Headline, ub, uh *Uncertainty, tolerance tolerance) ComparedFigure {
	f := ComparedFigure{Metric: b.Metric, Way: b.Definition.Way, Unit: b.Definition.Unit, Definition: b.Definition.Definition, form: b.form,
		Base: b.Value, Head: h.Value, Difference: None(), Relative: None(), Low: None(), High: None(), Method: c.Method}
	x, xok := ub.chance(b, c.Runs[0])
	y, yok := uh.chance(h, c.Runs[1])
	if c.Method == Exact || !xok || !yok {
		f.Method = Exact
		x, y = []float64{b.Number()}, []float64{h.Number()}
	}
	f.BaseNever, f.HeadNever = count(x, isNever), count(y, isNever)
	if f.Method == Ranks {
		f.byRanks(slices.DeleteFunc(x, math.IsNaN), slices.DeleteFunc(y, math.IsNaN), tolerance)
	} else {
		f.byMeans(x, y, tolerance)
	}
	return f
}

// byRanks compares runs that have nothing in common.
func (f *ComparedFigure) byRanks(x, y []float64, tolerance tolerance) {
	if min(len(x), len(y)) < fewest {
		f.byMeans(x, y, tolerance)
		return
	}
	r := newRankSum(x, y)
	d := r.interval()
	slices.Sort(x)
	slices.Sort(y)
	f.Base, f.Head = finite(Quantile(x, 0.5)), finite(Quantile(y, 0.5))
	f.move(d, tolerance)
	sign := r.rejects(0)
	switch {
	case r.between[0] == 0 && r.between[len(r.between)-1] == 0:
		f.Verdict = Same
	case sign != 0 && r.rejects(float64(sign)*float64(f.Tolerance)) == sign:
		f.Verdict = Beyond
	case sign != 0:
		f.Verdict = Differs
	case d.low < -float64(f.Tolerance) || d.high > float64(f.Tolerance):
		f.Verdict = Unclear
	default:
		f.Verdict = Same
	}
}

// byMeans compares pairs, single runs, and runs too few for ranks.
func (f *ComparedFigure) byMeans(x, y []float64, tolerance tolerance) {
	n, m := len(x), len(y)
	var reachedX, reachedY []float64
	if f.Method == Paired || f.Method == Exact {
		for k := range x {
			if !noNumber(x[k]) && !noNumber(y[k]) {
				reachedX, reachedY = append(reachedX, x[k]), append(reachedY, y[k])
			}
		}
	} else {
		reachedX, reachedY = slices.DeleteFunc(slices.Clone(x), noNumber), slices.DeleteFunc(slices.Clone(y), noNumber)
	}
	if f.Method != Exact {
		f.Base, f.Head = None(), None()
	}
	enough := min(len(reachedX), len(reachedY))
	if enough > 0 {
		f.Base, f.Head = Num(stat.Mean(reachedX, nil)), Num(stat.Mean(reachedY, nil))
		d := interval{difference: float64(f.Head - f.Base), low: math.NaN(), high: math.NaN()}
		switch {
		case f.Method == Exact:
			d.low, d.high = d.difference, d.difference
		case enough < 2:
		case f.Method == Paired:
			d = paired(reachedX, reachedY)
		default:
			d = unpaired(reachedX, reachedY)
		}
		f.move(d, tolerance)
	}
	switch {
	case f.BaseNever == n && f.HeadNever == m, count(x, math.IsNaN) == n && count(y, math.IsNaN) == m:
		f.Verdict = Same
	case f.Method == Exact && f.BaseNever != f.HeadNever,
		f.Method != Exact && f.BaseNever+f.HeadNever > 0 && fisher(f.BaseNever, n, f.HeadNever, m) < 1-confidence:
		f.Verdict = Beyond // what is never reached is farther than any tolerance
	case !f.Low.Known():
		f.Verdict = Unclear
	case f.Method == Exact:
		f.Verdict = judgeExact(f.Difference, f.Tolerance)
	default:
		f.Verdict = judge(f.Low, f.High, f.Tolerance)
	}
}

// move fills in a difference, and what is tolerated beside it.
func (f *ComparedFigure) move(d interval, tolerance tolerance) {
	f.Difference, f.Low, f.High = finite(d.difference), finite(d.low), finite(d.high)
	if f.Base != 0 {
		f.Relative = f.Difference / Num(math.Abs(float64(f.Base)))
	}
	f.Tolerance = tolerance.around(f.Base)
}

// chance are the figure's values in the first n replications.
func (u *Uncertainty) chance(h Headline, n int) ([]float64, bool) {
	return u.values(h, n, func(f UncertainFigure) []Num { return f.Chance.Values })
}

func (u *Uncertainty) values(h Headline, n int, of func(UncertainFigure) []Num) ([]float64, bool) {
	if u == nil {
		return nil, false
	}
	i := slices.IndexFunc(u.Figures, func(f UncertainFigure) bool { return f.Metric == h.Metric })
	if i < 0 || len(of(u.Figures[i])) < n {
		return nil, false
	}
	out := make([]float64, n)
	for k, v := range of(u.Figures[i])[:n] {
		out[k] = ordered(v, h.Never)
	}
	return out, true
}

// across gathers the differences of the worlds in which both were reached.
func across(h Headline, base, head *Uncertainty) *AcrossAll {
	n := int(min(base.Assumptions.Runs, head.Assumptions.Runs))
	of := func(f UncertainFigure) []Num { return f.Assumptions.Values }
	x, xok := base.values(h, n, of)
	y, yok := head.values(h, n, of)
	if !xok || !yok {
		return nil
	}
	a := &AcrossAll{P05: None(), P50: None(), P95: None()}
	var d []float64
	for k := range x {
		if !noNumber(x[k]) && !noNumber(y[k]) {
			d = append(d, y[k]-x[k])
		}
		if y[k] > x[k] {
			a.Higher++
		}
		if y[k] < x[k] {
			a.Lower++
		}
	}
	if a.Runs = len(d); a.Runs > 0 {
		slices.Sort(d)
		a.P05, a.P50, a.P95 = Num(Quantile(d, 0.05)), Num(Quantile(d, 0.5)), Num(Quantile(d, 0.95))
	}
	return a
}

func judge(low, high, tolerance Num) Judgement {
	switch {
	case low > tolerance || high < -tolerance:
		return Beyond
	case low > 0 || high < 0:
		return Differs
	case low < -tolerance || high > tolerance:
		return Unclear
	}
	return Same
}

func judgeExact(difference, tolerance Num) Judgement {
	switch d := math.Abs(float64(difference)); {
	case d == 0:
		return Same
	case d <= float64(tolerance):
		return Differs
	}
	return Beyond
}

func finite(x float64) Num {
	if math.IsInf(x, 0) {
		return None()
	}
	return Num(x)
}

func isNever(x float64) bool  { return math.IsInf(x, 1) }
func noNumber(x float64) bool { return math.IsInf(x, 0) || math.IsNaN(x) }

func count(values []float64, of func(float64) bool) (n int) {
	for _, v := range values {
		if of(v) {
			n++
		}
	}
	return n
}
