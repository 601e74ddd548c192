package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/statistics"
)

func scenarioCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "scenario", Short: "List, show and check scenarios; print their JSON Schema",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("unknown command %q for %q (its commands are list, show, validate and schema)", args[0], c.CommandPath()))
			}
			return c.Help()
		},
	}

	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the scenarios that are built in", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := scenarios.BuiltIns()
			if err != nil {
				return internal(err)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 3, ' ', 0)
			for _, s := range all {
				fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Title)
			}
			return w.Flush()
		},
	})

	var sets []string
	show := &cobra.Command{
		Use: "show NAME|FILE", Short: "Print a scenario with everything it inherits, sources and ranges beside the values",
		Args: one("scenario, or its file"), ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := load(args[0], sets)
			if err != nil {
				return usage(err)
			}
			_, err = c.OutOrStdout().Write(s.Annotated())
			return err
		},
	}
	show.Flags().StringArrayVar(&sets, "set", nil, "change a parameter: `KEY=VALUE`, as in adoption.level=30%")
	c.AddCommand(show)

	c.AddCommand(&cobra.Command{
		Use: "validate FILE...", Short: "Check scenario files and say what is wrong, where, and what to write instead",
		Args: some("scenario file"),
		RunE: func(c *cobra.Command, args []string) error {
			var failed error
			for _, file := range args {
				if _, err := load(file, nil); err != nil {
					if failed != nil {
						fmt.Fprintln(c.ErrOrStderr(), failed)
					}
					failed = err
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: valid\n", file)
			}
			return usage(failed)
		},
	})

	c.AddCommand(&cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of scenario files", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := scenarios.Schema()
			if err != nil {
				return internal(err)
			}
			_, err = c.OutOrStdout().Write(b)
			return err
		},
	})
	return c
}

// load reads a scenario and checks all of it, its expectations too.
func load(nameOrPath string, sets []string) (*scenarios.Scenario, error) {
	return scenarios.Load(nameOrPath, sets, statistics.CheckExpectations)
}

func completeScenario(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := scenarios.BuiltIns()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name+"\t"+s.Title)
	}
	return names, cobra.ShellCompDirectiveDefault // files too
}
