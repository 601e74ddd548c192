package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

type compareFlags struct {
	tolerances []string
	json       bool
	out        string
}

func compareCommand() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:   "compare BASE HEAD [MORE]...",
		Short: "Compare results: differences with intervals, and a verdict on each figure",
		Long: `Compare two results, each a folder that rollcall run has written. Differences
are HEAD less BASE. More results are laid beside them, up to six, each held against
the first.

Where both have replications, each difference has an interval of 95 %: by paired t
when they have the same seeds, hence the same random numbers, else by rank sums.
Without replications the difference is exact and its noise unknown.

  same      no difference, or none of more than the tolerance
  unclear   none is seen, but one beyond the tolerance is possible
  differs   there is one; it may lie within the tolerance
  beyond    there is one beyond the tolerance

With --out, writes compare.html and compare.json: what was changed between the
scenarios, all figures in columns, their course day by day laid over one another, and
recovery of faults.

The exit code is 99 when a figure is beyond its tolerance, or missing in HEAD (but
for those of a fault that HEAD's scenario does not have), 2 when these are no
results, or none that can be compared.`,
		Example: `  rollcall run announced --replications 20 --out base
  rollcall run announced --replications 20 --set centres.counter_factor=1.5 --out head
  rollcall compare base head --tolerance 2% --tolerance nation.visits.wait_p95_s=1m
  rollcall compare base head other --out beside`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) < 2 || slices.Contains(args, ""):
				return usage(fmt.Errorf("name two results, BASE and HEAD, or more (see %s --help)", c.CommandPath()))
			case len(args) > reports.MostBeside:
				return usage(fmt.Errorf("%d results are too many to be told apart (name up to %d)", len(args), reports.MostBeside))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return compare(c, args, &f) },
	}
	c.Flags().StringArrayVar(&f.tolerances, "tolerance", nil, "how far figures may move: 2%, or `METRIC=`2m for one figure or those below it (default "+reports.DefaultTolerance+")")
	c.Flags().BoolVar(&f.json, "json", false, "print the comparison as JSON on standard output, the table on standard error")
	c.Flags().StringVar(&f.out, "out", "", "write compare.html and compare.json into `DIR`")
	return c
}

func compare(c *cobra.Command, args []string, f *compareFlags) error {
	t, err := reports.ParseTolerances(f.tolerances)
	if err != nil {
		return usage(fmt.Errorf("--tolerance: %w", err))
	}
	sides, err := readSides(args)
	if err != nil {
		return usage(err)
	}
	human := c.OutOrStdout()
	if f.json {
		human = c.ErrOrStderr()
	}
	look := terminal(human)
	// Two results alone are told as a pair.
	var pair *reports.Comparison
	if len(sides) == 2 {
		if pair, err = reports.Compare(sides[0].Result, sides[1].Result, t); err != nil {
			return usage(err)
		}
	}
	beside, err := reports.LayBeside(sides, t, f.command(args))
	if err != nil {
		return usage(err)
	}
	if f.out != "" {
		if err := reports.WriteBeside(f.out, beside); err != nil {
			return usage(fmt.Errorf("--out: %w", err))
		}
	}
	if f.json {
		if err := printJSON(c.OutOrStdout(), pair, beside); err != nil {
			return internal(err)
		}
	}
	if pair != nil {
		err = pair.Print(human, look)
	} else {
		err = beside.Print(human, look)
	}
	if err == nil && f.out != "" {
		_, err = fmt.Fprintf(human, "report: %s\n", filepath.Join(f.out, reports.BesideReportFile))
	}
	if err != nil {
		return internal(err)
	}
	figures := 0
	var missing []string
	for _, c := range beside.Comparisons {
		figures += len(c.Figures)
		for _, metric := range c.Missing {
			if !slices.Contains(missing, metric) {
				missing = append(missing, metric)
			}
		}
	}
	var wrong []string
	if beside.Beyond > 0 {
		wrong = append(wrong, fmt.Sprintf("%d of %d figures are beyond the tolerance", beside.Beyond, figures))
	}
	if len(missing) > 0 {
		wrong = append(wrong, "missing beside BASE: "+strings.Join(missing, ", "))
	}
	if len(wrong) > 0 {
		return &exit{exitExpect, errors.New(strings.Join(wrong, "; "))}
	}
	return nil
}

func printJSON(w io.Writer, pair *reports.Comparison, beside *reports.Beside) error {
	if pair == nil {
		b, err := reports.EncodeBeside(beside)
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(pair)
}

// command is what compares again; the folder that is written to does not change it.
func (f *compareFlags) command(args []string) string {
	words := []string{"rollcall", "compare"}
	for _, a := range args {
		words = append(words, quote(a))
	}
	for _, t := range f.tolerances {
		words = append(words, "--tolerance", quote(t))
	}
	return strings.Join(words, " ")
}

// readSides reads results, and beside each the scenario that it came from.
func readSides(paths []string) ([]reports.Side, error) {
	var sides []reports.Side
	for i, path := range paths {
		r, err := reports.Read(path)
		if err != nil {
			return nil, err
		}
		s := reports.Side{Name: sideName(paths, i), Result: r}
		folder := path
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			folder = filepath.Dir(path)
		}
		s.Parameters, s.OtherInputs = resolved(filepath.Join(folder, reports.ScenarioFile), r)
		sides = append(sides, s)
	}
	return sides, nil
}

// resolved are the parameters of the scenario beside a result, if it is there and the
// one that the figures came from.
func resolved(file string, r *reports.Result) (parameters []reports.Parameter, others bool) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	s, err := scenarios.Load(file, nil)
	if err != nil {
		return nil, true
	}
	replications := 0
	if r.Uncertainty != nil {
		replications = int(r.Uncertainty.Asked)
	}
	if inputsHash(s, replications, r.Meta.ProfileSHA) != r.Meta.InputsSHA256 {
		return nil, true
	}
	for _, p := range s.Parameters() {
		parameters = append(parameters, reports.Parameter{Path: p.Path, Value: p.Value})
	}
	return parameters, false
}

// sideName names a result by its folder; by its path where two folders have one name,
// and by its place where they are the same.
func sideName(paths []string, i int) string {
	folder := func(path string) string {
		path = filepath.Clean(path)
		if filepath.Base(path) == reports.ResultFile {
			path = filepath.Dir(path)
		}
		if path == "." || path == ".." || path == string(filepath.Separator) {
			if abs, err := filepath.Abs(path); err == nil {
				path = abs
			}
		}
		return path
	}
	alone := func(of func(string) string) bool {
		for j, other := range paths {
			if j != i && of(other) == of(paths[i]) {
				return false
			}
		}
		return true
	}
	base := func(path string) string { return filepath.Base(folder(path)) }
	switch {
	case alone(base):
		return base(paths[i])
	case alone(folder):
		return folder(paths[i])
	}
	return fmt.Sprintf("%s (%d)", folder(paths[i]), i+1)
}
