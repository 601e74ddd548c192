package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/calibrate"
)

// readProfile reads a profile, and says which one it is: its SHA-256.
func readProfile(name string) (p *calibrate.Profile, digest string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("--profile: %w (rollcall calibrate writes one)", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, calibrate.MaxProfile+1))
	if err != nil {
		return nil, "", fmt.Errorf("--profile: %w", err)
	}
	p, err = calibrate.ReadProfile(name, src)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(src)
	return p, hex.EncodeToString(sum[:]), nil
}

// cautions are what whoever uses a profile should know of it.
func cautions(name string, p *calibrate.Profile) (all []string) {
	if p.Version != version {
		all = append(all, fmt.Sprintf("%s was measured of version %s, and this is %s: what the service takes may have changed (rollcall calibrate)", name, p.Version, version))
	}
	if p.Quick {
		all = append(all, fmt.Sprintf("%s was measured in less than %s: it is to try, not to plan", name, thorough))
	}
	if p.Partial != "" {
		all = append(all, fmt.Sprintf("%s is incomplete: %s", name, p.Partial))
	}
	if off := p.Off(); len(off) > 0 {
		all = append(all, fmt.Sprintf("predictions of %s were off by more than %.0f %%: %s", name, 100*calibrate.Tolerance, strings.Join(off, ", ")))
	}
	return all
}

// besideMeasured puts what the nation's service can carry, and how busy a load keeps it,
// beside what was measured: the most that callers got, and the loads that nothing was
// fitted to. Comparing faces is apart, as none was measured.
func besideMeasured(r *reports.Result, s *scenarios.Scenario, p *calibrate.Profile) {
	row := func(metric string, nation, live float64) {
		round := func(v float64) reports.Num { return reports.Num(math.Round(v*1e3) / 1e3) }
		r.Agreement = append(r.Agreement, reports.Agreement{Metric: metric, Nation: round(nation), Panel: reports.None(), Live: round(live),
			Margin: round(calibrate.Tolerance * live), Agrees: math.Abs(calibrate.Off(nation, live)) <= calibrate.Tolerance})
	}
	work := func(operation string) (seconds float64) {
		for _, d := range s.Service.Demands[operation] {
			seconds += d.Seconds()
		}
		return seconds
	}
	for i := range p.Checks {
		c := &p.Checks[i]
		each, counted := c.Mean(work)
		if !counted {
			continue
		}
		if top := p.Top(); i == 0 && top > 0 {
			row("operations a second of the measured mix that one machine serves at most", float64(p.Machine.ServiceCores)/each, top)
		}
		row(fmt.Sprintf("processors that %.0f operations a second of the measured mix keep busy", c.PerSecond), c.Done*each, c.ServiceBusy)
	}
}
