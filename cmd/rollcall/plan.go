package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/plan"
)

type planFlags struct {
	runFlags
	target string
	by     string
	most   int
	budget string
	fewer  bool
	seeds  int
	putOff int
}

func planCommand() *cobra.Command {
	f := planFlags{runFlags: runFlags{engine: "fast"}}
	c := &cobra.Command{
		Use:   "plan SCENARIO --target EXPR",
		Short: "Find the counters that meet a target for waits, and what they cost; or the order of opening",
		Long: `Find how many counters each centre needs so that a scenario meets a target, what they
cost, and run the scenario with them to see whether it does. With --by appointments,
find instead how many visits an hour each centre should take, with the counters that there
are; with --by opening, on which of the scenario's days each region should open.

EXPR is limits such as visits.wait_p95 < 30m, joined by &&. Each is a figure of

  ` + strings.Join(plan.Vocabulary(), "\n  ") + `

Visits are those for mobile and plastic cards and losses. Counters are added to those
that the scenario has; --fewer lets them be taken away where they are not needed. An
official at a counter costs centres.counter_wage for an open day, an assumption: change
it with --set.

Writes plan.json, plan.csv (a row for each centre), plan.html, and plan.yaml, a
scenario that rollcall run takes. The exit code is 0 when a full run of the plan meets
the target, 99 when it cannot be met, 2 when the target or the scenario is wrong.`,
		Example: `  rollcall plan announced --target 'centre.wait_p95 < 30m'
  rollcall plan big-bang --target 'visits.wait_p95 < 3m && centre.left < 1%' --at-most 12
  rollcall plan announced --regions KR-50 --target 'centre.wait_p95 < 10m' --fewer
  rollcall plan announced --by opening --target 'day.issued < 9000'`,
		Args: one("scenario, or its file"), ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			return runPlan(c.Context(), args[0], &f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.target, "target", "", "`EXPR`, the limits that must hold")
	fl.StringVar(&f.by, "by", "counters", "what is decided: counters of the centres; appointments: visits that a centre takes in an hour; or opening: the day on which each region opens, of those on which the scenario opens some")
	fl.StringSliceVar(&f.regions, "regions", nil, "plan for these regions only, by ISO `CODE`")
	fl.StringVar(&f.seed, "seed", "", "`N`, seed of every random stream (default: the scenario's)")
	fl.IntVar(&f.seeds, "seeds", 1, "run the plan with `N` other seeds too, for which it was not made")
	fl.IntVar(&f.most, "at-most", 30, "`N` counters at a centre; those that it has stay")
	fl.StringVar(&f.budget, "budget", "", "what the plan may cost, as in \"`500000000 KRW`\" (default: anything)")
	fl.IntVar(&f.putOff, "put-off", 14, "with --by appointments: for `N` days a visit may be put off")
	fl.BoolVar(&f.fewer, "fewer", false, "take counters away where the target allows it")
	fl.IntVar(&f.workers, "workers", runtime.NumCPU(), "threads; the plan does not depend on it")
	fl.StringArrayVar(&f.sets, "set", nil, "change a parameter: `KEY=VALUE`, as in centres.counter_wage=\"150000 KRW\"")
	fl.StringVar(&f.out, "out", "", "`DIR` for the plan (default rollcall-out/plan-SCENARIO)")
	fl.BoolVar(&f.json, "json", false, "print plan.json on standard output, the summary on standard error")
	return c
}

// options reads the flags that are a plan's own, and the command that repeats it.
func (f *planFlags) options(scenario string) (o plan.Options, sets []string, typed map[string]string, command string, err error) {
	fail := func(format string, args ...any) (plan.Options, []string, map[string]string, string, error) {
		return o, nil, nil, "", fmt.Errorf(format, args...)
	}
	if f.target == "" {
		return fail("--target is missing (write --target 'centre.wait_p95 < 30m')")
	}
	if o.Target, err = plan.ParseTarget(f.target); err != nil {
		return o, nil, nil, "", misplaced("--target", f.target, err)
	}
	if !slices.Contains(plan.Decisions, f.by) {
		return fail("--by: nothing is decided by %q (write %s)", f.by, strings.Join(plan.Decisions, ", "))
	}
	if err = o.Target.Suits(f.by); err != nil {
		return o, nil, nil, "", misplaced("--target", f.target, err)
	}
	if f.by != "counters" && (f.fewer || f.budget != "") {
		return fail("--by %s changes no counters and costs no money (leave --fewer and --budget out)", f.by)
	}
	if f.most < 1 || f.most > 1000 {
		return fail("--at-most: a centre cannot have %d counters at most (write 1 to 1000)", f.most)
	}
	if f.seeds < 0 || f.seeds > 100 {
		return fail("--seeds: the plan cannot be run with %d other seeds (write 0 to 100)", f.seeds)
	}
	if f.putOff < 1 || f.putOff > 365 {
		return fail("--put-off: nobody can be put off by at most %d days (write 1 to 365)", f.putOff)
	}
	if f.budget != "" {
		if o.Budget, err = scenarios.ParseWon(f.budget); err != nil {
			return fail("--budget: %w", err)
		}
	}
	sets, typed, command, err = f.settings(scenario)
	if err != nil {
		return o, nil, nil, "", err
	}
	command = strings.Replace(command, "rollcall run", "rollcall plan", 1) + " --target " + quote(f.target)
	for _, x := range []struct {
		flag, value string
		said        bool
	}{
		{"--by", f.by, f.by != "counters"}, {"--put-off", strconv.Itoa(f.putOff), f.putOff != 14}, {"--at-most", strconv.Itoa(f.most), f.most != 30},
		{"--budget", quote(f.budget), f.budget != ""}, {"--seeds", strconv.Itoa(f.seeds), f.seeds != 1},
	} {
		if x.said {
			command += " " + x.flag + " " + x.value
		}
	}
	if f.fewer {
		command += " --fewer"
	}
	o.PutOff = f.putOff
	o.Most, o.Fewer, o.Seeds, o.Workers = f.most, f.fewer, f.seeds, f.workers
	return o, sets, typed, command, nil
}

// misplaced shows where in a text something is wrong.
func misplaced(flag, text string, err error) error {
	m, ok := errors.AsType[*scenarios.Misplaced](err)
	if !ok {
		return fmt.Errorf("%s: %w", flag, err)
	}
	before := utf8.RuneCountInString(text[:m.At])
	return fmt.Errorf("%s:1:%d: %w\n  %s\n  %s^", flag, before+1, err, text, strings.Repeat(" ", before))
}

func runPlan(ctx context.Context, name string, f *planFlags, stdout, stderr io.Writer) error {
	o, sets, typed, command, err := f.options(name)
	if err != nil {
		return usage(err)
	}
	if o.Scenario, err = load(name, sets); err != nil {
		return usage(asTyped(err, typed))
	}
	if f.out == "" {
		f.out = filepath.Join("rollcall-out", "plan-"+o.Scenario.Name)
	}
	if err := writable(f.out); err != nil {
		return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
	}
	extends := ""
	if len(f.sets) == 0 {
		if extends, err = extendable(name, f.out); err != nil {
			return internal(err)
		}
	}
	if o.Nation, err = scenarios.LoadNation(); err != nil {
		return internal(err)
	}
	p := newProgress(stderr)
	defer p.end()
	o.Begin = func(phase string) {
		debug.FreeOSMemory() // one nation at a time
		p.begin(phase)
	}
	o.Progress = p.show
	var made *reports.Plan
	var planned *scenarios.Scenario
	switch f.by {
	case "opening":
		made, planned, err = plan.Opening(ctx, o, nil)
	case "appointments":
		made, planned, err = plan.Appointments(ctx, o)
	default:
		made, planned, err = plan.Counters(ctx, o)
	}
	p.end()
	if ctx.Err() != nil {
		return &exit{exitInternal, errors.New("interrupted: there is no plan, and nothing was written")}
	}
	if errors.Is(err, plan.ErrNothing) {
		return usage(fmt.Errorf("--by opening: %w", err))
	}
	if err != nil {
		return internal(err)
	}
	made.Version, made.Command = version, command
	if err := reports.WritePlan(f.out, made, plan.File(made, planned, o.Scenario, extends, o.Target)); err != nil {
		return internal(err)
	}
	human := stdout
	if f.json {
		human = stderr
		data, err := reports.EncodePlan(made)
		if err == nil {
			_, err = stdout.Write(data)
		}
		if err != nil {
			return internal(err)
		}
	}
	if err := reports.PrintPlan(human, made, filepath.Join(f.out, reports.PlanReportFile)); err != nil {
		return internal(err)
	}
	if !made.Verdict.Holds {
		return &exit{exitExpect, fmt.Errorf("the target is not met: %s", made.Verdict.Why)}
	}
	return nil
}

// extendable is how a file in a folder names a scenario.
func extendable(name, folder string) (string, error) {
	if !strings.ContainsAny(name, `/\`) && filepath.Ext(name) == "" {
		return name, nil // built in
	}
	file, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	path, err := filepath.Rel(folder, file)
	if err != nil {
		return file, nil // another volume
	}
	return filepath.ToSlash(path), nil
}
