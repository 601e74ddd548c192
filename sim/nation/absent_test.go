package nation

import (
	"context"
	"math"
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rollout"
)

// The mean load that a region puts on the service when it is absent is what its
// citizens put on it when they are simulated one by one, within a tenth over the
// whole run: enough for queues of the service, which are far from full.
func TestAbsentRegionsLoadTheServiceAsTheirCitizensWould(t *testing.T) {
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	load := func(regions string) *scenarios.Scenario {
		s, err := scenarios.Load("announced", []string{"population.regions=[" + regions + "]", "panel.citizens=0"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// Everybody but Jeju is present: Jeju is the absent load.
	all := ""
	for _, r := range n.Regions {
		if r.ISO != "KR-49" {
			if all != "" {
				all += ", "
			}
			all += r.ISO
		}
	}
	s := load(all)
	m, err := rollout.New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	mean := rollout.NewAbsent(m).Mean()

	jeju := load("KR-49")
	o, err := Run(context.Background(), jeju, n, rollout.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	var issued, online, reported, handed int64
	for i, x := range o.Tallies {
		if x == nil {
			continue
		}
		if n.Regions[n.Municipalities[i].Region].ISO != "KR-49" {
			t.Fatal("another region was simulated")
		}
		for d := range x.Day {
			issued += int64(x.Day[d].FaceSessions)
			reported += int64(x.Day[d].ReportsPhysical) + int64(x.Day[d].ReportsMobile)
			handed += int64(x.Day[d].CardsIssued)
		}
		for k, p := range jeju.Demand.Places {
			if p.Check == "online" {
				online += x.ByPlace[k].Presentations
			}
		}
	}
	for _, c := range []struct {
		what      string
		simulated int64
		mean      float64
	}{
		{"applications", issued, mean[capacity.IssueTap] + mean[capacity.IssueCentre]},
		{"online verifications", online, mean[capacity.VerifyOnline]},
		{"reports", reported, mean[capacity.Report]},
		{"new plastic cards", handed, mean[capacity.RegisterCard]},
	} {
		t.Logf("%-22s simulated %6d   absent %8.0f", c.what, c.simulated, c.mean)
		if math.Abs(c.mean/float64(c.simulated)-1) > 0.1 {
			t.Errorf("%s: %d simulated, %.0f as absent load", c.what, c.simulated, c.mean)
		}
	}
}
