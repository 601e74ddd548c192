package nation

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

func load(t testing.TB, scenario string, settings ...string) (*scenarios.Scenario, *scenarios.Nation) {
	t.Helper()
	s, err := scenarios.Load(scenario, settings)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	return s, n
}

// ulsan is a week of the first phase in the five municipalities of Ulsan: an
// outage, and from the third day visits across municipalities.
func ulsan(t testing.TB) (*scenarios.Scenario, *scenarios.Nation) {
	s, n := load(t, "smoke", "end=2025-02-17", "calendar.any_centre_from=2025-02-14", "centres.away_share=60%",
		"adoption.level=10%", "demand.places.hospital.rate=0.02/day", "demand.places.shop.rate=0.02/day",
		"demand.places.online.rate=0.02/day", "demand.places.bank.rate=0.01/day",
		"faults[0].at=2025-02-14 10:30", "faults[0].for=1h20m")
	s.Population.Regions = []string{"KR-31"}
	return s, n
}

func TestTheNumberOfWorkersChangesNothing(t *testing.T) {
	s, n := ulsan(t)
	run := func(workers int) *rollout.Outcome {
		o, err := Run(t.Context(), s, n, rollout.Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	one := run(1)
	for _, workers := range []int{2, 7} {
		o := run(workers)
		// Even what has no order (exposures of one municipality) stands in the same.
		for name, pair := range map[string][2]any{
			"tallies": {one.Tallies, o.Tallies}, "records": {one.Records, o.Records},
			"service": {one.Model.Service.Stats, o.Model.Service.Stats}, "plant": {one.Plant, o.Plant},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%d workers give other %s than one", workers, name)
			}
		}
	}

	// That the run is one in which it could differ:
	if one.Model.Service.Stats.Touched[0] == 0 {
		t.Error("the fault touched nothing")
	}
	away := int32(0)
	for i, tally := range one.Tallies {
		if tally == nil {
			continue
		}
		mu := &n.Municipalities[i]
		for c, k := range tally.IssuedAt {
			if c < mu.First || c >= mu.End {
				away += k
			}
		}
	}
	if away < 100 {
		t.Errorf("%d cards were issued at centres of other municipalities, want hundreds", away)
	}
	if len(one.Records) == 0 {
		t.Error("no life was kept")
	}
}

// ... so that whoever began the run can say what happened.
func TestAPanicOfAWorkerIsThatOfTheRun(t *testing.T) {
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "no such shard") || !strings.Contains(said, "nation_test.go") {
			t.Errorf("the run says %q", said)
		}
	}()
	e := &engine{workers: 2}
	e.parallel(make([]*shard, 8), func(*shard, int) { panic("no such shard") })
}

func TestAnInterruptedRunSaysHowFarItCame(t *testing.T) {
	s, n := load(t, "smoke", "end=2025-02-15", "faults=[]")
	s.Population.Regions = []string{"KR-50"}
	ctx, cancel := context.WithCancel(t.Context())
	days := 0
	o, err := Run(ctx, s, n, rollout.Options{Workers: 2, Progress: func(done, total, events int64) {
		if days++; days == 2 {
			cancel()
		}
		if want := int64(days) * 86_400_000; done != want || total != 3*86_400_000 || events <= 0 {
			t.Errorf("day %d: progress says %d of %d with %d events", days, done, total, events)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if o.Complete || o.Until != 2*86_400_000 {
		t.Errorf("interrupted after two days: complete %v, until %d ms", o.Complete, o.Until)
	}
	// What was done ahead of its day is not told.
	tally := o.Tallies[slices.IndexFunc(o.Tallies, func(t *rollout.Tally) bool { return t != nil })]
	var shown int64
	for d := range tally.Day {
		x := &tally.Day[d]
		shown += int64(x.Plastic) + int64(x.HolderPlastic) + int64(x.Fallback) + int64(x.NoIdentity) + int64(x.Accepted)
		if d >= 2 && x.Plastic != 0 {
			t.Errorf("%d plastic cards were shown on day %d", x.Plastic, d)
		}
	}
	x := tally.Intents[rollout.ShowIdentity]
	if x.Posted < 10_000 || x.Posted < shown-20 || x.Posted > shown+20 {
		t.Errorf("%d set out to show who they are, %d did or could not", x.Posted, shown)
	}
}

func TestNothingIsIssuedBeforeARegionOpens(t *testing.T) {
	s, n := load(t, "smoke", "faults=[]") // Sejong is open, Jeju opens on the third day
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, tally := range o.Tallies {
		if tally == nil {
			continue
		}
		opens := 0
		if n.Regions[n.Municipalities[i].Region].ISO == "KR-49" {
			opens = 2
		}
		after := int32(0)
		for d := range tally.Day {
			issued := tally.Day[d].Issued[0] + tally.Day[d].Issued[1]
			if d < opens && issued > 0 {
				t.Errorf("%s: %d issued on day %d", n.Municipalities[i].NameEn, issued, d)
			}
			after += issued
		}
		if after == 0 {
			t.Errorf("%s: none issued at all", n.Municipalities[i].NameEn)
		}
		if early := tally.Day[0].Refused[lifecycle.NotOpenYet] + tally.Day[1].Refused[lifecycle.NotOpenYet]; (early > 0) != (opens > 0) {
			t.Errorf("%s: %d applications refused as too early", n.Municipalities[i].NameEn, early)
		}
	}
}

func TestOnlyWholeKnownRegionsAreSimulated(t *testing.T) {
	s, n := load(t, "smoke")
	s.Population.Regions = []string{"KR-99"}
	if _, err := Run(t.Context(), s, n, rollout.Options{}); err == nil {
		t.Error("a run of no region gives no error")
	}
	s.Population.Regions = []string{"KR-50"}
	s.End = s.Start
	s.End.Time = s.Start.AddDate(0, 0, 1)
	s.Faults = nil
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for _, r := range n.Regions {
		if r.ISO == "KR-50" {
			want = int64(r.Adults)
		}
	}
	present := slices.DeleteFunc(slices.Clone(o.Tallies), func(x *rollout.Tally) bool { return x == nil })
	if o.Citizens != want || !o.Absent || len(present) != 1 {
		t.Errorf("%d citizens in %d municipalities (absent regions: %v), want Sejong's %d", o.Citizens, len(present), o.Absent, want)
	}
}

func municipality(t testing.TB, n *scenarios.Nation, code string) int {
	t.Helper()
	i, ok := n.MunicipalityIndex(code)
	if !ok {
		t.Fatalf("there is no municipality %s", code)
	}
	return i
}
