package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/backtest"
)

type backtestFlags struct {
	targets string
	seeds   int
	workers int
	sets    []string
	out     string
	json    bool
}

func backtestCommand() *cobra.Command {
	var f backtestFlags
	c := &cobra.Command{
		Use:   "backtest [TARGET]...",
		Short: "Hold the model against what really happened, error by target",
		Long: `Lay the model beside published figures: T1 to T12 of scenarios/data/backtest.csv, or
those that are named. For each its source and tolerance, the model's answer and error, and
whether it lies within; for other countries' wallets the fitted curves with what they leave.

A figure is fitted (parameters were set with it), predicted (nothing was), input (the
scenario states it) or shown (no claim). What the model cannot answer is listed with the
reason. Writes backtest.html and backtest.json.

The exit code is 0 when every figure that the model claims to meet lies within its
tolerance, 99 when one does not.`,
		Example: `  rollcall backtest
  rollcall backtest T1 T8
  rollcall backtest T1 --set adoption.imitation=0.02/day
  rollcall backtest --targets my-figures.csv`,
		ValidArgsFunction: completeTarget,
		RunE: func(c *cobra.Command, args []string) error {
			return runBacktest(c.Context(), args, &f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.targets, "targets", "", "`FILE` of figures of one's own, in the form of scenarios/data/backtest.csv")
	fl.IntVar(&f.seeds, "seeds", 5, "`N` seeds for figures of single municipalities, whose appeal is a draw")
	fl.IntVar(&f.workers, "workers", runtime.NumCPU(), "threads; the result does not depend on it")
	fl.StringArrayVar(&f.sets, "set", nil, "change a parameter: `KEY=VALUE`, as in adoption.level=40%")
	fl.StringVar(&f.out, "out", filepath.Join("rollcall-out", "backtest"), "`DIR` for the report")
	fl.BoolVar(&f.json, "json", false, "print backtest.json on standard output, the table on standard error")
	return c
}

func completeTarget(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	targets, err := scenarios.LoadTargets()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return targetIDs(targets), cobra.ShellCompDirectiveNoFileComp
}

func targetIDs(targets []scenarios.Target) (ids []string) {
	for _, t := range targets {
		if !slices.Contains(ids, t.ID) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// command is what repeats the backtest.
func (f *backtestFlags) command(args []string) string {
	words := append([]string{"rollcall", "backtest"}, args...)
	if f.targets != "" {
		words = append(words, "--targets", quote(f.targets))
	}
	if f.seeds != 5 {
		words = append(words, "--seeds", strconv.Itoa(f.seeds))
	}
	for _, s := range f.sets {
		words = append(words, "--set", quote(s))
	}
	return strings.Join(words, " ")
}

func runBacktest(ctx context.Context, args []string, f *backtestFlags, stdout, stderr io.Writer) error {
	if f.workers < 1 {
		return usage(fmt.Errorf("--workers: %d threads cannot work (write 1 or more)", f.workers))
	}
	if f.seeds < 1 {
		return usage(fmt.Errorf("--seeds: %d seeds answer nothing (write 1 or more)", f.seeds))
	}
	targets, err := readTargets(f.targets)
	if err != nil {
		return usage(err)
	}
	if targets, err = choose(targets, args); err != nil {
		return usage(err)
	}
	if _, err := scenarios.Load("announced", f.sets); err != nil {
		return usage(err)
	}
	if err := writable(f.out); err != nil {
		return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
	}
	people, err := scenarios.LoadNation()
	if err != nil {
		return &exit{exitInternal, err}
	}
	p := newProgress(stderr)
	defer p.end()
	p.begin("backtest")
	b, err := backtest.Run(ctx, people, targets, backtest.Options{Workers: f.workers, Seeds: f.seeds, Settings: f.sets,
		Progress: func(done, total int, what string) { p.show(int64(done), int64(total), what) }})
	if _, ok := errors.AsType[scenarios.Problems](err); ok {
		return usage(err) // a setting that goes with announced, but not with this run
	}
	if err != nil {
		return &exit{exitInternal, err}
	}
	p.end()
	b.Version, b.Command = version, f.command(args)
	if err := reports.WriteBacktest(f.out, b); err != nil {
		return &exit{exitInternal, err}
	}
	human := stdout
	if f.json {
		human = stderr
		data, err := reports.EncodeBacktest(b)
		if err == nil {
			_, err = stdout.Write(data)
		}
		if err != nil {
			return &exit{exitInternal, err}
		}
	}
	look := reports.Terminal{Report: filepath.Join(f.out, reports.BacktestReportFile)}
	if file, ok := human.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		look.Width, _, _ = term.GetSize(int(file.Fd()))
	}
	if err := reports.PrintBacktest(human, b, look); err != nil {
		return &exit{exitInternal, err}
	}
	if !b.Verdict.Holds {
		var off []string
		for _, t := range b.Targets {
			if t.Verdict == reports.Off {
				off = append(off, t.ID+" "+t.Item)
			}
		}
		return &exit{exitExpect, errors.New("off what happened: " + strings.Join(off, "; "))}
	}
	return nil
}

func readTargets(file string) ([]scenarios.Target, error) {
	if file == "" {
		return scenarios.LoadTargets()
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return scenarios.ParseTargets(file, b)
}

// choose keeps the targets that are named; all without a name.
func choose(targets []scenarios.Target, names []string) ([]scenarios.Target, error) {
	ids := targetIDs(targets)
	for _, n := range names {
		if !slices.Contains(ids, n) {
			return nil, fmt.Errorf("there is no target %s (there are %s)", n, strings.Join(ids, ", "))
		}
	}
	if len(names) == 0 {
		return targets, nil
	}
	return slices.DeleteFunc(targets, func(t scenarios.Target) bool { return !slices.Contains(names, t.ID) }), nil
}
