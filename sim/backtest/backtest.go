// Package backtest holds the model against what really happened: each target of
// scenarios/data/backtest.csv beside the model's answer, its error, and whether it
// lies within the tolerance that the target states.
//
// An answer comes from a run of the fast engine on the places that the targets name
// (measure.go), from the formulas of docs/model.md with the scenario's own
// parameters (formula.go), or from a curve fitted to other countries' wallets
// (wallet.go, fit.go). Nothing here knows a published value: targets are data, and
// one's own can be given. What the model cannot answer is listed with the reason and
// never counts as met.
package backtest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

//go:embed *.yaml
var files embed.FS

// Options are how the targets are run.
type Options struct {
	Workers int
	// Seeds is how many seeds answer a question about single municipalities, whose
	// appeal is a draw; the answer is their median. At least 1.
	Seeds int
	// Settings change the scenarios, as --set does.
	Settings []string
	// Progress is told what is being run; may be nil.
	Progress func(done, total int, what string)
}

// Run answers the targets in their order.
func Run(ctx context.Context, n *scenarios.Nation, targets []scenarios.Target, o Options) (*reports.Backtest, error) {
	b := &reports.Backtest{Schema: reports.BacktestSchema, Seeds: max(1, o.Seeds), Settings: o.Settings}
	announced, err := scenarios.Load("announced", o.Settings)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(targets))
	groups := group(targets)
	for i, g := range groups {
		if o.Progress != nil {
			o.Progress(i, len(groups), strings.Join(g.ids(targets), ", "))
		}
		if err := g.answer(ctx, n, announced, targets, answers, &o); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(g.ids(targets), ", "), err)
		}
	}
	b.Curves, err = curves(targets, answers)
	if err != nil {
		return nil, err
	}
	for i := range targets {
		b.Targets = append(b.Targets, row(&targets[i], &answers[i]))
	}
	b.Parameters = fitted(announced, targets)
	b.Unknown = unknown
	b.Count()
	return b, nil
}

// unknown is what nobody has published, so that no target can be made of it.
var unknown = []string{
	"National totals of mobile resident cards by date.",
	"Waits at centres in 2025, and how many counters served.",
	"How often the card is shown, and where.",
	"How often the face comparison fails when a card is issued.",
	"Whether the pilot's totals count IC cards that never came to a phone: the first day's do (QR and IC together).",
}

// An answer is what the model says to a target.
type answer struct {
	values []float64 // by seed; empty: not answered
	why    string    // it is not answered
}

func (a *answer) median() float64 {
	v := slices.Sorted(slices.Values(a.values))
	if k := len(v); k%2 == 0 {
		return (v[k/2-1] + v[k/2]) / 2
	} else {
		return v[k/2]
	}
}

func row(t *scenarios.Target, a *answer) reports.BacktestTarget {
	r := reports.BacktestTarget{
		ID: t.ID, Item: t.Item, Published: reports.Num(t.Value), Unit: t.Unit, Date: t.Date.Format(time.DateOnly),
		Source: t.Source, Mark: t.Mark, Tolerance: t.Tolerance.Text, Use: string(t.Use), Run: t.Run, Measure: t.Measure,
		Model: reports.None(), Low: reports.None(), High: reports.None(), Error: reports.None(), Why: a.why,
	}
	if len(a.values) == 0 {
		r.Verdict = reports.NotAnswered
		return r
	}
	m := a.median()
	r.Model, r.Error = reports.Num(m), reports.Num(t.Tolerance.Error(t.Value, m))
	if len(a.values) > 1 {
		r.Low, r.High = reports.Num(slices.Min(a.values)), reports.Num(slices.Max(a.values))
	}
	switch t.Tolerance.Kind {
	case scenarios.ByFactor:
		r.ErrorKind = "factor"
	case scenarios.ByShare:
		r.ErrorKind = "share"
	default:
		r.ErrorKind = "amount"
	}
	switch {
	case t.Use == scenarios.Shown:
		r.Verdict = reports.ShownOnly
	case t.Tolerance.Holds(t.Value, m):
		r.Verdict = reports.Within
	default:
		r.Verdict = reports.Off
	}
	return r
}

// A batch is the targets that one run answers.
type batch struct {
	id, run string
	targets []int
}

func (g *batch) ids(t []scenarios.Target) (ids []string) {
	for _, i := range g.targets {
		if !slices.Contains(ids, t[i].ID) {
			ids = append(ids, t[i].ID)
		}
	}
	return ids
}

// group puts targets together that one run can answer: those of the same scenario
// that were given for single places, by target, so that their runs end where their
// dates do; all others of a scenario at once.
func group(targets []scenarios.Target) []*batch {
	var out []*batch
	for i := range targets {
		t := &targets[i]
		id := t.ID
		if len(places(t.Measure)) == 0 {
			id = ""
		}
		k := slices.IndexFunc(out, func(g *batch) bool { return g.run == t.Run && g.id == id })
		if k < 0 {
			k = len(out)
			out = append(out, &batch{id: id, run: t.Run})
		}
		out[k].targets = append(out[k].targets, i)
	}
	return out
}

var placeCode = regexp.MustCompile(`\b(\d{5}|KR-\d\d)\b`)

// places are the municipalities and regions that a measure names.
func places(question string) []string { return placeCode.FindAllString(question, -1) }

func (g *batch) answer(ctx context.Context, n *scenarios.Nation, announced *scenarios.Scenario, targets []scenarios.Target, answers []answer, o *Options) error {
	switch g.run {
	case "curve":
		return nil // curves answers them together
	case "formula":
		for _, i := range g.targets {
			answers[i] = formula(announced, n, &targets[i])
		}
		return nil
	}
	g.check(n, announced.Start.Time, targets, answers)
	asked := slices.DeleteFunc(slices.Clone(g.targets), func(i int) bool { return answers[i].why != "" })
	if len(asked) == 0 {
		return nil
	}
	var codes []string
	var last time.Time
	for _, i := range asked {
		codes = append(codes, places(targets[i].Measure)...)
		if d := targets[i].Date.Time; d.After(last) {
			last = d
		}
	}
	settings := slices.Clone(o.Settings)
	seeds := 1
	if len(codes) > 0 {
		settings = append(settings, "population.centres=["+strings.Join(centres(n, codes), ", ")+"]",
			"end="+last.AddDate(0, 0, 1).Format(time.DateOnly), "expect=[]")
		seeds = max(1, o.Seeds)
	}
	settings = append(settings, "panel.citizens=0")
	for k := range seeds {
		s, err := open(g.run, settings)
		if errors.Is(err, fs.ErrNotExist) {
			for _, i := range asked {
				answers[i].why = fmt.Sprintf("there is no scenario %s", g.run)
			}
			return nil
		}
		if err != nil {
			return err
		}
		s.Seed += uint64(k)
		r := &run{s: s, n: n}
		if r.o, err = nation.Run(ctx, s, n, rollout.Options{Workers: o.Workers}); err != nil {
			return err
		}
		if !r.o.Complete {
			return context.Cause(ctx)
		}
		for _, i := range asked {
			v, err := r.measure(&targets[i])
			if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
				err = errors.New("nothing happened that could be measured")
			}
			if err != nil {
				answers[i] = answer{why: err.Error()}
				continue
			}
			if answers[i].why == "" {
				answers[i].values = append(answers[i].values, v)
			}
		}
	}
	return nil
}

// check says of targets what no run can answer.
func (g *batch) check(n *scenarios.Nation, start time.Time, targets []scenarios.Target, answers []answer) {
	for _, i := range g.targets {
		answers[i].why = objection(n, start, &targets[i])
	}
}

// objection is why a target cannot be asked; empty if it can.
func objection(n *scenarios.Nation, start time.Time, t *scenarios.Target) string {
	words := strings.Fields(t.Measure)
	if len(words) == 0 {
		return "it names no measure"
	}
	if why := notModelled[words[0]]; why != "" {
		return why
	}
	m, ok := measures[words[0]]
	arg := words[1:]
	switch {
	case !ok:
		return fmt.Sprintf("there is no measure %q", words[0])
	case len(arg) < m.words:
		return fmt.Sprintf("%s wants %d words more", words[0], m.words-len(arg))
	}
	asked := arg
	if m.places >= 0 {
		asked = arg[:m.places]
	}
	for _, a := range asked {
		code, _, _ := strings.Cut(a, "@")
		if len(municipalitiesOf(n, code)) == 0 {
			return fmt.Sprintf("there is no municipality or region %q", code)
		}
	}
	if len(asked) > 0 && t.Date.Before(start) {
		return "its date lies before the run"
	}
	return ""
}

// open loads a scenario that is built in or lies beside this file.
func open(name string, settings []string) (*scenarios.Scenario, error) {
	file := name + ".yaml"
	if src, err := files.ReadFile(file); err == nil {
		return scenarios.Parse(file, src, settings)
	}
	known, err := scenarios.BuiltIns()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(known, func(b scenarios.BuiltIn) bool { return b.Name == name }) {
		return nil, fs.ErrNotExist
	}
	return scenarios.Load(name, settings)
}

// centres are the centres of places.
func centres(n *scenarios.Nation, codes []string) (out []string) {
	var all []int
	for _, code := range codes {
		all = append(all, municipalitiesOf(n, code)...)
	}
	slices.Sort(all)
	for _, i := range slices.Compact(all) {
		m := &n.Municipalities[i]
		for c := m.First; c < m.End; c++ {
			out = append(out, `"`+n.Centres[c].Code+`"`)
		}
	}
	return out
}

var targetName = regexp.MustCompile(`\bT\d+\b`)

// fitted names the parameters that were set with targets in view: those whose
// source in the scenario says so.
func fitted(s *scenarios.Scenario, targets []scenarios.Target) (out []reports.BacktestParameter) {
	for _, a := range s.Assumptions {
		ids := targetName.FindAllString(a.Source, -1)
		if slices.ContainsFunc(targets, func(t scenarios.Target) bool { return slices.Contains(ids, t.ID) }) {
			out = append(out, reports.BacktestParameter{Key: a.Path, Value: a.Value, Mark: a.Mark, Targets: strings.Join(ids, ", "), Source: a.Source})
		}
	}
	return out
}
