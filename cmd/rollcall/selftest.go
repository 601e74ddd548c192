package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/selftest"
)

func selftestCommand() *cobra.Command {
	var seed uint64
	var workers int
	var asJSON bool
	c := &cobra.Command{
		Use:   "selftest",
		Short: "Hold the simulation to closed forms, each with its error and its effort",
		Long: `Run scenarios for which the answer is known on paper, and print the closed form,
what was measured, its standard error, and how far it lies off: queues (Erlang C,
Erlang A, Pollaczek-Khinchine, M_t/G/infinity), diffusion (Bass), losses, exposure
of cached status, face errors; and what is exact in every run (Little's law,
conservation of intents). Takes less than a minute.

The exit code is 0 when everything lies within three standard errors, 99 when
something does not.`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			people, err := scenarios.LoadNation()
			if err != nil {
				return internal(err)
			}
			if workers < 1 {
				return usage(fmt.Errorf("--workers: %d threads cannot work (write 1 or more)", workers))
			}
			p := newProgress(c.ErrOrStderr())
			defer p.end()
			p.begin("selftest")
			var done int64
			began := time.Now()
			results, err := selftest.Run(c.Context(), people, selftest.Options{Workers: workers, Seed: seed, Now: time.Now,
				Done: func(r selftest.Result) { done++; p.show(done, int64(len(selftest.Forms())), r.Form) }})
			if err != nil {
				return internal(err)
			}
			p.end()
			if asJSON {
				err = json.NewEncoder(c.OutOrStdout()).Encode(results)
			} else {
				err = selftest.Print(c.OutOrStdout(), results, time.Since(began))
			}
			if err != nil {
				return internal(err)
			}
			if off := selftest.Failed(results); len(off) > 0 {
				return &exit{exitExpect, errors.New("off its closed form: " + strings.Join(off, "; "))}
			}
			return nil
		},
	}
	c.Flags().Uint64Var(&seed, "seed", 0, "`N`, seed of every run (default: each scenario's own)")
	c.Flags().IntVar(&workers, "workers", runtime.NumCPU(), "threads; the result does not depend on it")
	c.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON")
	return c
}
