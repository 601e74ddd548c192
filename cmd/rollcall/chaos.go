package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/sim/chaos"
	"rollcall.example/rollcall/sim/oracle"
)

type chaosFlags struct {
	seeds, workers int
	seed           uint64
	during         time.Duration
	replay         string
	out            string
	json           bool
}

// seedsByDefault are run where no flag says how many.
const seedsByDefault = 100

func chaosCommand() *cobra.Command {
	var f chaosFlags
	c := &cobra.Command{
		Use:   "chaos [SCENARIO]",
		Short: "Do anything to the real ID service, and judge what comes of it",
		Long: `Run campaigns of operations against the real ID service in a small world:
applications, losses, releases, presentations, repeated and reordered requests,
other requests between the steps of one, outages, restarts, crashes at a commit.
Each campaign is drawn from its seed, and the oracle judges its history. SCENARIO
says when places open, how long lists live and the like (default: a small world
of its own).

A violation is told with both histories, what was seen and what the properties
demand, shrunk to the operations that matter, and kept in a file that --replay
runs again. The exit code is 0 when every property was put to the test and held,
99 when one was not.`,
		Example: `  rollcall chaos --seeds 1000
  rollcall chaos --for 10m
  rollcall chaos --replay rollcall-out/chaos/finding-s3-seed-17.json`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			scenario := ""
			if len(args) > 0 {
				scenario = args[0]
			}
			return runChaos(c, scenario, &f)
		},
	}
	fl := c.Flags()
	fl.IntVar(&f.seeds, "seeds", 0, fmt.Sprintf("`N` campaigns, of the seeds 1 to N (default %d)", seedsByDefault))
	fl.Uint64Var(&f.seed, "seed", 0, "the one campaign of seed `N`")
	fl.DurationVar(&f.during, "for", 0, "campaigns, of the seeds from 1 on, for this `DURATION`, as in 10m")
	fl.StringVar(&f.replay, "replay", "", "run the campaign of a finding again: `FILE`")
	fl.StringVar(&f.out, "out", filepath.Join("rollcall-out", "chaos"), "`DIR` for findings")
	fl.IntVar(&f.workers, "workers", runtime.NumCPU(), "campaigns at a time; the result does not depend on it")
	fl.BoolVar(&f.json, "json", false, "print the result as JSON on standard output, the summary on standard error")
	return c
}

func runChaos(c *cobra.Command, scenario string, f *chaosFlags) error {
	var how []string
	for _, name := range []string{"seed", "seeds", "for", "replay"} {
		if c.Flags().Changed(name) {
			how = append(how, "--"+name)
		}
	}
	switch both := strings.Join(how, " and "); {
	case len(how) > 1 && both != "--seeds and --for":
		return usage(fmt.Errorf("%s say different things (choose one; --seeds and --for go together)", both))
	case f.seeds < 0 || c.Flags().Changed("seeds") && f.seeds == 0:
		return usage(fmt.Errorf("--seeds: %d campaigns test nothing (write 1 or more)", f.seeds))
	case f.during < 0:
		return usage(fmt.Errorf("--for: %s is no time to test anything (write for example 10m)", f.during))
	case f.workers < 1:
		return usage(fmt.Errorf("--workers: %d threads cannot work (write 1 or more)", f.workers))
	}
	ctx, stdout, stderr := c.Context(), c.OutOrStdout(), c.ErrOrStderr()
	if f.replay != "" {
		if scenario != "" {
			return usage(errors.New("--replay: the finding says which scenario it is of; leave SCENARIO out"))
		}
		return replayChaos(ctx, f, stdout, stderr)
	}
	if err := writable(f.out); err != nil {
		return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
	}
	place, err := chaosPlace(scenario)
	if err != nil {
		return usage(err)
	}
	p := newProgress(stderr)
	defer p.end()
	began := time.Now()
	o := chaos.Options{First: 1, Count: f.seeds, Workers: f.workers}
	switch {
	case c.Flags().Changed("seed"):
		o.First, o.Count = f.seed, 1
	case f.during > 0:
		o.More = func() bool { return time.Since(began) < f.during }
	case f.seeds == 0:
		o.Count = seedsByDefault
	}
	total := int64(o.Count)
	if total == 0 {
		total = f.during.Milliseconds()
	}
	p.begin("chaos")
	o.Done = func(n int) {
		done := int64(n)
		if o.Count == 0 {
			done = min(time.Since(began).Milliseconds(), total)
		}
		p.show(done, total, fmt.Sprintf("%d campaigns", n))
	}
	o.Shrinking = func(property oracle.Property, seed uint64) {
		p.begin(fmt.Sprintf("%s is violated with seed %d: which operations matter", property, seed))
	}
	r, err := chaos.Seeds(ctx, place, o)
	if err != nil {
		return internal(err)
	}
	p.end()
	return tellChaos(r, f, time.Since(began), stdout, stderr)
}

// chaosPlace keeps registers in memory where the system offers it, unless a
// folder for temporary files was named: a crash is a matter of what the log
// holds, not of the disk.
func chaosPlace(scenario string) (*chaos.Place, error) {
	place, err := chaos.NewPlace(scenario)
	if err != nil {
		return nil, err
	}
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" && writable(memory) == nil {
		place.Scratch = memory
	}
	return place, nil
}

// tellChaos prints the result, keeps its findings and chooses the exit code.
func tellChaos(r *chaos.Result, f *chaosFlags, took time.Duration, stdout, stderr io.Writer) error {
	human := stdout
	if f.json {
		human = stderr
	}
	for _, x := range r.Findings {
		path := filepath.Join(f.out, x.Name())
		b, err := json.MarshalIndent(x, "", "  ")
		if err != nil {
			return internal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			return internal(err)
		}
		if err := x.Print(human); err != nil {
			return internal(err)
		}
		fmt.Fprintf(human, "\nAgain: rollcall chaos --replay %s\n\n", quote(path))
	}
	rate := float64(r.Operations) / took.Seconds()
	if f.json {
		b, err := json.MarshalIndent(struct {
			*chaos.Result
			Host any `json:"host"`
		}{r, map[string]any{"wall_seconds": took.Seconds(), "operations_per_second": rate, "workers": f.workers, "cpu": cpuName()}}, "", "  ")
		if err != nil {
			return internal(err)
		}
		if _, err := stdout.Write(append(b, '\n')); err != nil {
			return internal(err)
		}
	}
	var chances int
	for i, property := range oracle.Properties {
		n := r.ByProperty[property]
		chances += n.Opportunities
		end := "   "
		if i%6 == 5 || i == len(oracle.Properties)-1 {
			end = "\n"
		}
		text := fmt.Sprintf("%-3s %8s", property, thousands(int64(n.Opportunities)))
		if n.Violations > 0 {
			text = fmt.Sprintf("%-3s %d violations of %s", property, n.Violations, thousands(int64(n.Opportunities)))
		}
		fmt.Fprint(human, text, end)
	}
	word := "campaigns"
	if r.Campaigns == 1 {
		word = "campaign"
	}
	_, err := fmt.Fprintf(human, "chaos       %d %s   %s operations   %d properties, %s opportunities, %d violations   %.0f operations/s   %s\n",
		r.Campaigns, word, thousands(int64(r.Operations)), len(oracle.Properties), thousands(int64(chances)), r.Violations, rate, took.Round(time.Second))
	if err != nil {
		return internal(err)
	}
	switch {
	case r.Violations > 0:
		var names []string
		for _, x := range r.Findings {
			names = append(names, string(x.Property))
		}
		return &exit{exitExpect, fmt.Errorf("the service does not keep its promises: %s", strings.Join(names, ", "))}
	case r.Interrupted:
		return &exit{exitInternal, fmt.Errorf("interrupted after %d campaigns; up to there nothing was violated", r.Campaigns)}
	case len(r.Untested) > 0:
		var names []string
		for _, property := range r.Untested {
			names = append(names, string(property))
		}
		return &exit{exitExpect, fmt.Errorf("%s had no opportunity, so nothing was tested there (more seeds, or another scenario, give one)", strings.Join(names, ", "))}
	}
	return nil
}

// replayChaos runs a finding's campaign again.
func replayChaos(ctx context.Context, f *chaosFlags, stdout, stderr io.Writer) error {
	file, err := os.Open(f.replay)
	if err != nil {
		return usage(fmt.Errorf("--replay: %w", err))
	}
	defer file.Close()
	was, err := chaos.ReadFinding(file)
	if err != nil {
		return usage(fmt.Errorf("--replay: %s: %w", f.replay, err))
	}
	place, err := chaosPlace(was.Campaign.Scenario)
	if err != nil {
		return usage(err)
	}
	now, err := chaos.Replay(ctx, place, was)
	if err != nil {
		return internal(err)
	}
	return tellReplay(was, now, f, stdout, stderr)
}

// tellReplay prints what came of a finding's campaign; now is nil if the property
// holds.
func tellReplay(was, now *chaos.Finding, f *chaosFlags, stdout, stderr io.Writer) error {
	human := stdout
	if f.json {
		human = stderr
		b, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return internal(err)
		}
		if _, err := stdout.Write(append(b, '\n')); err != nil {
			return internal(err)
		}
	}
	if now == nil {
		_, err := fmt.Fprintf(human, "%s holds in this campaign now: the finding was that %s\n", was.Property, was.Sentence)
		if err != nil {
			return internal(err)
		}
		return nil
	}
	if err := now.Print(human); err != nil {
		return internal(err)
	}
	return &exit{exitExpect, fmt.Errorf("%s is violated, as it was found", now.Property)}
}
