package nation

import (
	"reflect"
	"testing"

	"rollcall.example/rollcall/sim/rollout"
)

// fire loses the register's site on the third day, for a day and a half.
var fire = []string{
	"end=2025-02-17", `service.standby={copies_every: 24h, at: "01:00"}`,
	"faults=[{name: fire, kind: site-lost, nodes: [gateway, register, face, signing, status], at: 2025-02-14 20:15, standby_after: 2h, for: 1d 12h, report_again: 60%, report_again_after: 3h}]",
}

// What is lost was acknowledged before the site was lost, when nobody could know: up
// to then a run is that of the same scenario without the fire.
func TestALostSiteChangesNothingBeforeItIsLost(t *testing.T) {
	s, n := load(t, "smoke", fire...)
	s.Population.Regions = []string{"KR-50"}
	with, err := Run(t.Context(), s, n, rollout.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	calm := *s
	calm.Faults = nil
	without, err := Run(t.Context(), &calm, n, rollout.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	lost := with.Model.Since(s.Faults[0].At.Time)
	before := func(o *rollout.Outcome) (out []rollout.Record) {
		for _, r := range o.Records {
			if r.At < lost {
				out = append(out, r)
			}
		}
		return out
	}
	if a, b := before(with), before(without); len(a) < 1000 || !reflect.DeepEqual(a, b) {
		t.Errorf("%d records before the fire, %d without it: they differ", len(a), len(b))
	}
	for i, x := range with.Tallies {
		if x == nil {
			continue
		}
		for d := range int(lost / rollout.Day) {
			a, b := x.Day[d], without.Tallies[i].Day[d]
			a.Plastic, b.Plastic = 0, 0 // shown ahead, from where a life stands
			if a != b {
				t.Errorf("day %d differs", d)
			}
		}
		l := x.Loss
		if l.Acknowledged[rollout.LostIssuance] == 0 || l.Acknowledged[rollout.LostReport] == 0 || l.Again == 0 || l.NotTaken == 0 || len(l.Unusable) == 0 || len(l.Exposed) == 0 {
			t.Errorf("the loss was not put to the test: %+v", *l)
		}
		if without.Tallies[i].Loss != nil {
			t.Error("a loss was counted without a fire")
		}
	}
}
