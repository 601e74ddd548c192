package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rollcall.example/rollcall/reports"
)

func compareCommand() *cobra.Command {
	var tolerances []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare BASE HEAD",
		Short: "Compare two results: differences with intervals, and a verdict on each figure",
		Long: `Compare two results, each a folder that rollcall run has written. Differences
are HEAD less BASE.

Where both have replications, each difference has an interval of 95 %: by paired t
when they have the same seeds, hence the same random numbers, else by rank sums.
Without replications the difference is exact and its noise unknown.

  same      no difference, or none of more than the tolerance
  unclear   none is seen, but one beyond the tolerance is possible
  differs   there is one; it may lie within the tolerance
  beyond    there is one beyond the tolerance

The exit code is 99 when a figure is beyond its tolerance, 2 when these are no
results, or none that can be compared.`,
		Example: `  rollcall run announced --replications 20 --out base
  rollcall run announced --replications 20 --set centres.counter_factor=1.5 --out head
  rollcall compare base head --tolerance 2% --tolerance nation.visits.wait_p95_s=1m`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 || args[0] == "" || args[1] == "" {
				return usage(fmt.Errorf("name two results, BASE and HEAD (see %s --help)", c.CommandPath()))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			t, err := reports.ParseTolerances(tolerances)
			if err != nil {
				return usage(fmt.Errorf("--tolerance: %w", err))
			}
			var results [2]*reports.Result
			for i, path := range args {
				if results[i], err = reports.Read(path); err != nil {
					return usage(err)
				}
			}
			found, err := reports.Compare(results[0], results[1], t)
			if err != nil {
				return usage(err)
			}
			human := c.OutOrStdout()
			if asJSON {
				human = c.ErrOrStderr()
				e := json.NewEncoder(c.OutOrStdout())
				e.SetEscapeHTML(false)
				e.SetIndent("", " ")
				if err := e.Encode(found); err != nil {
					return &exit{exitInternal, err}
				}
			}
			var look reports.Terminal
			if f, ok := human.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				look.Width, _, _ = term.GetSize(int(f.Fd()))
				look.Colour = os.Getenv("NO_COLOR") == ""
			}
			if err := found.Print(human, look); err != nil {
				return &exit{exitInternal, err}
			}
			if found.Beyond > 0 {
				return &exit{exitExpect, fmt.Errorf("%d of %d figures are beyond the tolerance", found.Beyond, len(found.Figures))}
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&tolerances, "tolerance", nil, "how far figures may move: 2%, or `METRIC=`2m for one figure or those below it (default "+reports.DefaultTolerance+")")
	c.Flags().BoolVar(&asJSON, "json", false, "print the comparison as JSON on standard output, the table on standard error")
	return c
}
