package plan

import (
	"reflect"
	"strings"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

// twoPlaces are Sejong and Jeju; in the pilot there are others.
func twoPlaces(t *testing.T, target string, settings ...string) Options {
	t.Helper()
	return options(t, target, append([]string{"population.regions=[KR-50, KR-49]", "start=2025-02-10", "end=2025-02-19", "adoption.keen=20%", "adoption.keen_decay=1d",
		`phases=[{name: pilot, from: 2025-02-10, regions: [KR-31], municipalities: ["41280"]}, {name: first, from: 2025-02-12, regions: [KR-49, KR-50]}, {name: second, from: 2025-02-17, regions: [KR-11]}]`}, settings...)...)
}

func opening(t *testing.T, o Options) (*reports.Plan, *scenarios.Scenario) {
	t.Helper()
	p, s, err := Opening(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

func when(p *reports.Plan) map[string]string {
	m := map[string]string{}
	for _, r := range p.Opening {
		m[r.Region] = r.OpensPlanned
	}
	return m
}

// Of two places and two days there are four orders, each run by itself. With nothing in
// the way everybody opens on the first day; where both at once are too many, the order
// is the one that has most holders' days of those that keep the limit.
func TestTheOrderIsTheBestOfAllOrders(t *testing.T) {
	o := twoPlaces(t, "day.issued < 1000000")
	o.defaults()
	b, err := newBook(t.Context(), &o, nil)
	if err != nil {
		t.Fatal(err)
	}
	type tried struct{ most, held int64 }
	all := map[[2]int]tried{}
	for _, day := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		run := b.runs[day[0]]
		if day[0] != day[1] {
			if run, err = o.sketch(t.Context(), b.scenario(day[:])); err != nil {
				t.Fatal(err)
			}
		}
		var x tried
		for _, n := range perDay(run, &o.Target.limits[0], func(int) bool { return true }) {
			x.most = max(x.most, n)
		}
		for _, tally := range run.Tallies {
			if tally == nil {
				continue
			}
			var here int64
			for d := range tally.Day {
				here += int64(tally.Day[d].Holders)
				x.held += here
			}
		}
		all[day] = x
	}
	for _, x := range []struct {
		limit int64
		want  bool // it can be met
	}{{1_000_000, true}, {all[[2]int{0, 0}].most + 1, true}, {all[[2]int{0, 0}].most, true}, {all[[2]int{0, 1}].most + 1, true}, {all[[2]int{1, 0}].most + 1, true}, {1, false}} {
		if o.Target, err = ParseTarget("day.issued < " + reports.Grouped(x.limit)); err != nil {
			t.Fatal(err)
		}
		var best tried
		for _, y := range all {
			if y.most < x.limit && y.held > best.held {
				best = y
			}
		}
		found := b.search()
		if got := all[[2]int{found[0], found[1]}]; (best.held > 0) != x.want || x.want && got != best {
			t.Errorf("fewer than %d cards a day: days %v, %+v; the best order has %+v", x.limit, found, got, best)
		}
	}
	if first, other := all[[2]int{0, 0}], all[[2]int{0, 1}]; first.most <= other.most || first.held <= other.held {
		t.Errorf("the test says little: %+v", all)
	}
}

func TestTheFileOfAnOrderRunsIt(t *testing.T) {
	o := twoPlaces(t, "day.visits < 2000 && region.left < 100%")
	o.Scenario.Population.Regions = []string{"KR-50"}
	p, planned := opening(t, o)
	s, err := scenarios.Parse("plan.yaml", File(p, planned, o.Scenario, "", o.Target), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(when(p), map[string]string{"KR-50": s.Phases[opens(s, "KR-50")].From.Format("2006-01-02")}) {
		t.Errorf("%v, in the file %+v", when(p), s.Phases)
	}
	if s.Phases[0].Municipalities[0] != "41280" || opens(s, "KR-31") != 0 {
		t.Errorf("the pilot was moved: %+v", s.Phases)
	}
	o.Scenario.Phases[0].Municipalities = nil
	short := File(p, planned, o.Scenario, "announced", o.Target)
	if _, err := scenarios.Parse("plan.yaml", short, []string{"start=2025-02-10", "end=2025-02-19"}); err != nil || !strings.Contains(string(short), "extends:") {
		t.Errorf("%v\n%s", err, short)
	}
}

func TestAnOrderThatNothingMeetsIsSaid(t *testing.T) {
	o := twoPlaces(t, "day.issued < 1")
	o.Scenario.Population.Regions = []string{"KR-50"}
	p, _ := opening(t, o)
	if p.Verdict.Holds || !strings.Contains(p.Verdict.Why, "no order that was tried of these 2 days meets day.issued < 1") {
		t.Errorf("%+v", p.Verdict)
	}
	o = options(t, "visits.wait_p95 < 4m", week...)
	if _, _, err := Opening(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "there is nothing to decide") {
		t.Error(err)
	}
	if m := o.Target.Suits("counters"); m != nil {
		t.Error(m)
	}
	o.Target, _ = ParseTarget("day.visits < 3")
	if m := o.Target.Suits("counters"); m == nil || !strings.Contains(m.Error(), "write --by opening") {
		t.Error(m)
	}
}
