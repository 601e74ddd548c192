package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
)

// A scope is what a limit holds for: the nation as a whole, or every one of its
// parts by itself.
type scope int

const (
	wholeNation scope = iota
	everyRegion
	everyMunicipality
	everyCentre
	everyDay
)

// scopes are how they are written and what they mean.
var scopes = map[string]struct {
	scope scope
	means string
}{
	"visits":       {wholeNation, "all centres together"},
	"region":       {everyRegion, "every region by itself"},
	"municipality": {everyMunicipality, "every municipality by itself"},
	"centre":       {everyCentre, "every centre by itself"},
	"day":          {everyDay, "every day by itself, all regions together; for --by opening"},
}

// A figure is what can be limited. Of all scopes but day: of all visits for mobile and plastic cards and
// losses, as the result counts them. Other business waits in the same queue and is
// not counted.
type figure struct {
	means string
	unit  string // s, share, count
	of    func(*count) reports.Num
	day   func(*rollout.DayTally) int64 // of scope day
}

// quantile is a figure of the waits.
func quantile(q float64) func(*count) reports.Num {
	return func(c *count) reports.Num { return statistics.Wait(&c.wait, q) }
}

// units are what a limit has to be.
var units = map[string]struct{ kind, example string }{
	"s": {"a time", "30m"}, "share": {"a share", "5%"}, "count": {"a number", "20000"},
}

var figures = map[string]figure{
	"wait_p50": {means: "arrival to counter of those served, median", unit: "s", of: quantile(0.5)},
	"wait_p95": {means: "arrival to counter of those served, 95th percentile", unit: "s", of: quantile(0.95)},
	"wait_max": {means: "arrival to counter of those served, longest", unit: "s", of: quantile(1)},
	"left": {means: "visits that ended without service, as a share: turned round, left, sent home at closing time", unit: "share", of: func(c *count) reports.Num {
		if c.served+c.left == 0 {
			return reports.None()
		}
		return reports.Num(float64(c.left) / float64(c.served+c.left))
	}},
	"visits": {means: "visits for mobile and plastic cards and losses on a day", unit: "count", day: func(d *rollout.DayTally) int64 {
		return int64(d.Served) + int64(d.Balked) + int64(d.Reneged) + int64(d.Shut)
	}},
	"issued": {means: "mobile cards issued on a day, by tap and at centres", unit: "count", day: func(d *rollout.DayTally) int64 {
		return int64(d.Issued[0]) + int64(d.Issued[1])
	}},
}

// count is what was counted at some centres.
type count struct {
	wait         rollout.Histogram[int64]
	served, left int64
}

// add takes a centre in, or out (sign -1). The longest wait is not taken out.
func (c *count) add(t *rollout.CentreTally, sign int64) {
	for i, n := range t.Wait.Bucket {
		c.wait.Bucket[i] += sign * int64(n)
	}
	if sign > 0 {
		c.wait.Max = max(c.wait.Max, t.Wait.Max)
	}
	c.served += sign * t.Visits
	c.left += sign * t.Left
}

func countOf(t *rollout.CentreTally) *count {
	c := new(count)
	c.add(t, 1)
	return c
}

// limit is one comparison of a target.
type limit struct {
	scenarios.Bound
	scope  scope
	figure figure
	name   string // of the figure
}

// holds judges a figure; one that there is not, because nobody came, is no reproach.
func (l *limit) holds(x reports.Num) bool {
	return !x.Known() || l.within(float64(x))
}

func (l *limit) within(x float64) bool {
	if l.Op == "<=" {
		return x <= l.Value
	}
	return x < l.Value
}

// beyond is how many visits at a centre are in the way: they waited too long, or
// were not served.
func (l *limit) beyond(t *rollout.CentreTally) (n int64) {
	if l.figure.unit != "s" {
		return t.Left
	}
	for i, k := range t.Wait.Bucket {
		if k > 0 && !l.within(float64(min(rollout.WaitEdge(i+1), t.Wait.Max))/1000) {
			n += int64(k)
		}
	}
	return n
}

// Target is what a plan has to meet: limits, all of them.
type Target struct {
	Text   string
	limits []limit
}

// ParseTarget reads a target: an expectation whose figures are FIGURE of SCOPE,
// such as
//
//	visits.wait_p95 < 30m                         all centres together
//	centre.wait_p95 < 30m && visits.left <= 1%    every centre by itself, and all together
//
// Scopes are visits, region, municipality, centre; figures wait_p50, wait_p95,
// wait_max, left. A figure may be spelled as in a result, nation.visits.wait_p95_s. An
// error is of type *scenarios.Misplaced where it has a place.
func ParseTarget(text string) (Target, error) {
	e, err := scenarios.ParseExpectation(text)
	if err != nil {
		return Target{}, err
	}
	if err := e.Check(vocabulary); err != nil {
		m := *err.(*scenarios.Misplaced)
		m.What = strings.Replace(m.What, "the result has", "a target has", 1)
		return Target{}, &m
	}
	bounds, err := e.Bounds()
	if err != nil {
		return Target{}, err
	}
	t := Target{Text: text}
	for _, b := range bounds {
		wrong := func(format string, args ...any) error {
			return &scenarios.Misplaced{At: b.At, What: fmt.Sprintf(format, args...)}
		}
		path := strings.Split(strings.TrimPrefix(b.Figure, "nation."), ".")
		if len(path) != 2 {
			return t, wrong("%s is not one figure (write %s.wait_p95)", b.Figure, path[0])
		}
		l := limit{Bound: b, scope: scopes[path[0]].scope, name: strings.TrimSuffix(path[1], "_s")}
		l.figure = figures[l.name]
		percent := strings.HasSuffix(strings.TrimSpace(b.Limit), "%")
		switch {
		case b.Op != "<" && b.Op != "<=":
			return t, wrong("%s %s %s is no upper limit, and more counters only make waits shorter (write < or <=)", b.Figure, b.Op, b.Limit)
		case b.Time != (l.figure.unit == "s") && (b.Time || percent):
			return t, wrong("%s is %s, and %s is not (write %s)", b.Figure, units[l.figure.unit].kind, b.Limit, units[l.figure.unit].example)
		case percent && l.figure.unit == "count":
			return t, wrong("%s is %s, and %s is not (write %s)", b.Figure, units[l.figure.unit].kind, b.Limit, units[l.figure.unit].example)
		}
		t.limits = append(t.limits, l)
	}
	return t, nil
}

// vocabulary is what a target may name, as a JSON Schema for Expectation.Check.
var vocabulary = func() any {
	scope := func(suffix string, days bool) any {
		p := map[string]any{}
		for name, f := range figures {
			if (f.day != nil) != days {
				continue
			}
			p[name] = map[string]any{}
			if suffix != "" && f.unit == "s" {
				p[name+suffix] = map[string]any{}
			}
		}
		return map[string]any{"properties": p}
	}
	root := map[string]any{}
	for name := range scopes {
		root[name] = scope("", name == "day")
	}
	root["nation"] = map[string]any{"properties": map[string]any{"visits": scope("_s", false)}}
	return map[string]any{"properties": root}
}()

// Vocabulary lists the scopes and the figures with what they mean, for people.
func Vocabulary() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(scopes)) {
		lines = append(lines, fmt.Sprintf("%s: %s", name, scopes[name].means))
	}
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		lines = append(lines, fmt.Sprintf(".%s: %s", name, figures[name].means))
	}
	return lines
}

func (l *limit) text() string { return l.Figure + " " + l.Op + " " + l.Limit }

// means says what is limited, and for whom.
func (l *limit) means() string {
	for _, s := range scopes {
		if s.scope == l.scope {
			return l.figure.means + "; " + s.means
		}
	}
	return l.figure.means
}

// Decisions are what a plan can be about.
var Decisions = []string{"counters", "appointments", "opening"}

// Suits says whether a decision can do anything about a target. An error is of type
// *scenarios.Misplaced.
func (t *Target) Suits(by string) error {
	for _, l := range t.limits {
		if l.scope == everyDay && by != "opening" {
			return &scenarios.Misplaced{At: l.At, What: fmt.Sprintf("%s is not decided by %s, which change nothing about how many come (write --by opening)", l.Figure, by)}
		}
	}
	return nil
}
