package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/attribution"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
)

type whyFlags struct {
	runFlags
	centres []string
	result  string
}

// worstCentres is how many centres are explained where none is named.
const worstCentres = 10

func whyCommand() *cobra.Command {
	var f whyFlags
	c := &cobra.Command{
		Use:   "why SCENARIO",
		Short: "Say why people queued at a centre, cause by cause",
		Long: `Share out the wait at a centre among its causes: other business at the counters,
faces that did not match, people who had to come again, outages, the rush after the
opening; and the rest, which the number of counters alone decides.

The centre's municipality is run with every combination of the causes, with the same
random numbers. A cause's share is its Shapley value: what it adds, averaged over every
order in which the causes may come. The shares sum to the wait, to the millisecond.

A centre is named by its ten-digit code, by its name, or by name and place ("Sejong
한솔동"). Without --centre the ten where most time was waited are explained: those of a
result that is there already (--result), or of a run that is made for it. With --out
the answer is written to why.html and why.json, too.`,
		Example: `  rollcall why announced --centre 3611051000
  rollcall why opening-day-surge --centre "Sejong 한솔동" --out why
  rollcall run announced && rollcall why announced --result rollcall-out/announced
  rollcall why smoke --set centres.counter_factor=2`,
		Args: one("scenario, or its file"), ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			return why(c.Context(), args[0], &f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.centres, "centre", nil, "`CODE` or name of a centre; may be repeated (default: the ten where most time was waited)")
	fl.StringVar(&f.result, "result", "", "`DIR` of a result of the scenario, in which those ten are looked for (default: a run is made)")
	fl.StringSliceVar(&f.regions, "regions", nil, "simulate these regions only, by ISO `CODE`; the others are a load on the service")
	fl.StringVar(&f.seed, "seed", "", "`N`, seed of every random stream (default: the scenario's)")
	fl.IntVar(&f.workers, "workers", runtime.NumCPU(), "threads; the result does not depend on it")
	fl.StringArrayVar(&f.sets, "set", nil, "change a parameter: `KEY=VALUE`, as in centres.counters.KR-26=4")
	fl.StringVar(&f.out, "out", "", "`DIR` for why.html and why.json (default: nothing is written)")
	fl.BoolVar(&f.json, "json", false, "print why.json on standard output, the table on standard error")
	return c
}

func why(ctx context.Context, name string, f *whyFlags, stdout, stderr io.Writer) error {
	f.engine = "fast"
	sets, typed, command, err := f.settings(name)
	if err != nil {
		return usage(err)
	}
	s, err := load(name, sets)
	if err != nil {
		return usage(asTyped(err, typed))
	}
	s.Panel.Citizens = 0
	people, err := scenarios.LoadNation()
	if err != nil {
		return internal(err)
	}
	if f.out != "" {
		if err := writable(f.out); err != nil {
			return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
		}
	}
	y := &reports.Why{Centres: []reports.WhyCentre{}, Schema: reports.WhySchema, Version: version, Scenario: s.Name, Title: s.Title, Seed: s.Seed,
		Command: strings.Replace(command, "rollcall run", "rollcall why", 1)}

	p := newProgress(stderr)
	defer p.end()
	var centres []int
	inRun := map[int]*reports.WhyWait{}
	for _, text := range f.centres {
		c, err := findCentre(people, text)
		if err != nil {
			return usage(fmt.Errorf("--centre: %w", err))
		}
		if !slices.Contains(centres, c) {
			centres = append(centres, c)
		}
		y.Command += " --centre " + quote(text)
	}
	rows, err := f.found(ctx, s, people, p)
	if err != nil {
		return err
	}
	for _, row := range rows {
		c, ok := people.CentreIndex(row.Code)
		if !ok {
			return usage(fmt.Errorf("--result: there is no centre %s in this version's data (run the scenario again)", row.Code))
		}
		inRun[c] = &reports.WhyWait{Waited: row.Queue, Mean: milliseconds(row.WaitMean), P95: milliseconds(row.WaitP95), Left: row.Left, Served: row.Visits}
		if len(f.centres) == 0 && len(centres) < worstCentres && row.Queue > 0 {
			centres = append(centres, c)
		}
	}
	if f.result != "" {
		y.Command += " --result " + quote(f.result)
	}
	p.begin("why")
	explained, err := attribution.Explain(ctx, s, people, centres, attribution.Options{Workers: f.workers,
		Progress: func(done, total int) { p.show(int64(done), int64(total), "every combination of causes") }})
	if errors.Is(err, attribution.ErrNotSimulated) {
		return usage(fmt.Errorf("--centre: %w (see population.regions and population.centres)", err))
	}
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted: an explanation needs every combination of causes")
		}
		return internal(err)
	}
	p.end()
	m, err := rollout.New(s, people)
	if err != nil {
		return internal(err)
	}
	for _, e := range explained {
		y.Centres = append(y.Centres, whyCentre(m, e, inRun[e.Centre]))
	}
	return f.tell(y, stdout, stderr)
}

// found is the centres of a result, or of a run that is made because none is named;
// those where most time was waited come first.
func (f *whyFlags) found(ctx context.Context, s *scenarios.Scenario, people *scenarios.Nation, p *progress) ([]reports.CentreRow, error) {
	var rows []reports.CentreRow
	switch {
	case f.result != "":
		r, err := reports.Read(f.result)
		if err != nil {
			return nil, usage(fmt.Errorf("--result: %w", err))
		}
		if r.Meta.Scenario != s.Name || r.Meta.Seed != s.Seed {
			return nil, usage(fmt.Errorf("--result: %s is of %s with seed %d, and asked is %s with seed %d", f.result, r.Meta.Scenario, r.Meta.Seed, s.Name, s.Seed))
		}
		rows = slices.Clone(r.Nation.ByCentre)
	case len(f.centres) == 0:
		o, err := nation.Run(ctx, s, people, rollout.Options{Workers: f.workers, Progress: p.nation(s)(false)})
		if err != nil {
			return nil, internal(err)
		}
		if !o.Complete {
			return nil, internal(errors.New("interrupted while the centres with the longest waits were looked for"))
		}
		var r reports.Result
		statistics.Fill(&r, o, nil)
		rows = r.Nation.ByCentre
	}
	slices.SortStableFunc(rows, func(a, b reports.CentreRow) int { return cmp.Compare(b.Queue, a.Queue) })
	return rows, nil
}

func milliseconds(n reports.Num) int64 {
	if !n.Known() {
		return 0
	}
	return int64(float64(n)*1000 + 0.5)
}

func whyCentre(m *rollout.Model, e attribution.Explanation, inRun *reports.WhyWait) reports.WhyCentre {
	c := &m.Nation.Centres[e.Centre]
	mu := &m.Nation.Municipalities[c.Municipality]
	out := reports.WhyCentre{Code: c.Code, Name: c.NameKo, Municipality: mu.NameEn, MunicipalityKo: mu.NameKo, Region: m.Nation.Regions[mu.Region].ISO,
		Counters: int64(m.Counters(e.Centre)), Wait: whyWait(e.Wait), InRun: inRun}
	share := func(part int64) reports.Num {
		if e.Wait.Waited == 0 {
			return reports.None()
		}
		return reports.Num(float64(part) / float64(e.Wait.Waited))
	}
	for _, x := range e.Shares {
		without := whyWait(x.Without)
		out.Causes = append(out.Causes, reports.WhyCause{Cause: x.Cause.String(), Share: share(x.Waited), Waited: x.Waited, Mean: x.Mean, P95: x.P95, Left: x.Left, Without: &without})
	}
	out.Causes = append(out.Causes, reports.WhyCause{Cause: reports.WhyRest, Share: share(e.Rest.Waited), Waited: e.Rest.Waited, Mean: e.Rest.Mean, P95: e.Rest.P95, Left: e.Rest.Left})
	slices.SortStableFunc(out.Causes, func(a, b reports.WhyCause) int { return cmp.Compare(b.Waited, a.Waited) })
	return out
}

func whyWait(w attribution.Wait) reports.WhyWait {
	return reports.WhyWait{Waited: w.Waited, Mean: w.Mean, P95: w.P95, Left: w.Left, Served: w.Served}
}

// tell writes the answer where it is wanted.
func (f *whyFlags) tell(y *reports.Why, stdout, stderr io.Writer) error {
	human := stdout
	if f.json {
		human = stderr
		b, err := reports.EncodeWhy(y)
		if err == nil {
			_, err = stdout.Write(b)
		}
		if err != nil {
			return internal(err)
		}
	}
	look := terminal(human)
	if f.out != "" {
		if err := reports.WriteWhy(f.out, y); err != nil {
			return internal(err)
		}
		look.Report = filepath.Join(f.out, reports.WhyReportFile)
	}
	if err := reports.PrintWhy(human, y, look); err != nil {
		return internal(err)
	}
	return nil
}

// findCentre finds a centre by its code, or by words of which each is its name, or that
// of its municipality or region.
func findCentre(n *scenarios.Nation, text string) (int, error) {
	if c, ok := n.CentreIndex(text); ok {
		return c, nil
	}
	words := strings.Fields(text)
	var found []int
	for i := range n.Centres {
		c := &n.Centres[i]
		mu := &n.Municipalities[c.Municipality]
		r := &n.Regions[mu.Region]
		named := false
		all := len(words) > 0
		for _, w := range words {
			named = named || w == c.NameKo
			all = all && slices.ContainsFunc([]string{c.NameKo, mu.NameKo, mu.NameEn, r.NameKo, r.NameEn, r.ISO}, func(name string) bool { return strings.EqualFold(w, name) })
		}
		if named && all {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("there is no centre %q (write a code, a name, or place and name as in %q; scenarios/data/centres.csv lists the 3,553)", text, "Sejong 한솔동")
	case 1:
		return found[0], nil
	}
	var which []string
	for _, i := range found {
		which = append(which, n.Centres[i].Code+" in "+n.Municipalities[n.Centres[i].Municipality].NameEn)
	}
	more := ""
	if len(which) > 5 {
		which, more = which[:5], ", ..."
	}
	return 0, fmt.Errorf("%d centres are called %q (write the code: %s%s)", len(found), text, strings.Join(which, ", "), more)
}
