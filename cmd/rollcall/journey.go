package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/panel"
	"rollcall.example/rollcall/sim/population"
)

func journeyCommand() *cobra.Command {
	var citizen int64
	var channel, access, out string
	c := &cobra.Command{
		Use:   "journey",
		Short: "Follow one citizen through the real service, with every message kept and explained",
		Long: `Follow one citizen of the announced rollout through the real ID service: from
the plastic card to the mobile one, at a bank, after a loss, and back. Every
message is kept: certificates, APDUs, the presentation and its session
transcript, the status list, and journey.md, which explains them in order.`,
		Example: `  rollcall journey --out journey
  rollcall journey --channel centre --citizen 19377777 --out by-qr`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := scenarios.Load("announced", nil)
			if err != nil {
				return internal(err)
			}
			people, err := scenarios.LoadNation()
			if err != nil {
				return internal(err)
			}
			o := panel.JourneyOptions{Scenario: s, Nation: people, Channel: channel, PACE: access == "pace", Out: out}
			if access != "pace" && access != "open" {
				return usage(fmt.Errorf("--access: %q is no way to read a card (write pace or open)", access))
			}
			if channel != panel.ByTap && channel != panel.ByCentre {
				return usage(fmt.Errorf("--channel: %q is no way to a mobile card (write %s or %s)", channel, panel.ByTap, panel.ByCentre))
			}
			if n := population.New(people).Len(); c.Flags().Changed("citizen") {
				if citizen < 0 || citizen >= int64(n) {
					return usage(fmt.Errorf("--citizen: there is no citizen %d (write 0 to %d)", citizen, n-1))
				}
				id := uint32(citizen)
				o.Citizen = &id
			}
			if err := writable(out); err != nil {
				return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
			}
			story, err := panel.Journey(c.Context(), o)
			if err != nil {
				return internal(err)
			}
			w := c.OutOrStdout()
			fmt.Fprintf(w, "%s, %s, by %s\n", story.Romanised, story.Municipality, story.Channel)
			for _, step := range story.Steps {
				at := step.At
				if t, err := time.Parse(time.RFC3339, step.At); err == nil {
					at = t.Format("2 Jan 15:04:05")
				}
				fmt.Fprintf(w, "%15s  %s %s", at, step.Who, step.What)
				if step.Outcome != "" {
					fmt.Fprintf(w, " -> %s", step.Outcome)
				}
				fmt.Fprintln(w)
			}
			_, err = fmt.Fprintf(w, "every message: %s\n", filepath.Join(out, "journey.md"))
			return err
		},
	}
	c.Flags().Int64Var(&citizen, "citizen", -1, "`N`, a citizen's number (default: somebody of the first region that opens)")
	c.Flags().StringVar(&channel, "channel", panel.ByTap, "`WAY` to the mobile card: tap or centre")
	c.Flags().StringVar(&access, "access", "open", "`HOW` the plastic card is read: open (in the clear) or pace (opened by PACE, then secure messaging)")
	c.Flags().StringVar(&out, "out", filepath.Join("rollcall-out", "journey"), "`DIR` for the files")
	return c
}
