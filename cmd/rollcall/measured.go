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
	"rollcall.example/rollcall/sim/capacity"
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

// comparable are operations whose answer the nation's service gives with demands that
// were all measured, so that its time can stand beside the measured one.
var comparable = []struct {
	op     capacity.Op
	name   string
	metric string
}{
	{capacity.VerifyOnline, calibrate.Present, "answer to an online check under a light load, ms"},
	{capacity.Report, calibrate.Report, "answer to a report of loss under a light load, ms"},
	{capacity.Release, calibrate.Release, "answer to a release under a light load, ms"},
}

// besideMeasured puts what the nation's service answers in beside what was measured
// under the lightest load that no demand was fitted to.
func besideMeasured(r *reports.Result, s *scenarios.Scenario, p *calibrate.Profile) error {
	if len(p.Checks) == 0 {
		return nil
	}
	service, err := capacity.New(s)
	if err != nil {
		return err
	}
	const digits = 1e3 // of a millisecond: microseconds
	for _, c := range comparable {
		live, ok := p.Checks[0].Answer[c.name]
		if !ok {
			continue
		}
		live = math.Round(live*1e3*digits) / digits
		nation := float64(service.Alone(c.op).Microseconds()) / digits
		margin := math.Round(calibrate.Tolerance*live*digits) / digits
		r.Agreement = append(r.Agreement, reports.Agreement{Metric: c.metric, Nation: reports.Num(nation), Panel: reports.None(), Live: reports.Num(live),
			Margin: reports.Num(margin), Agrees: math.Abs(nation-live) <= margin})
	}
	return nil
}
