package plan

import (
	"reflect"
	"strings"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// rush is a fortnight in which Sejong opens, and many come on the first days.
func rush(t *testing.T, target string) Options {
	t.Helper()
	o := options(t, target, "start=2025-02-10", "end=2025-02-20", "adoption.keen=6%", "adoption.keen_decay=12h", "centres.visit_delay=6h", "centres.other_business=0.006/day",
		`phases=[{name: all, from: 2025-02-11, regions: [KR-50]}]`)
	o.PutOff = 7
	return o
}

// A rush is spread over the days behind it: with the counters that there are, centres
// take as many an hour as the target allows, and with a step more they would miss it. The
// file runs it, to the same figures.
func TestAppointmentsSpreadARushOverTheDaysBehindIt(t *testing.T) {
	o := rush(t, "centre.wait_p95 < 30m")
	p, planned, err := Appointments(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Verdict.Holds || p.Cost.CentresChanged == 0 || p.Cost.PutOff == 0 || p.Cost.PutOffLongest > 7 || p.Cost.PutOffDays < p.Cost.PutOff {
		t.Fatalf("%+v %+v %+v", p.Verdict, p.Cost, p.Unmet)
	}
	if p.Cost.CountersPlanned != p.Cost.CountersNow || p.Cost.Won != 0 {
		t.Errorf("counters were added: %+v", p.Cost)
	}
	s, err := scenarios.Parse("plan.yaml", File(p, planned, o.Scenario, "", o.Target), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Centres.Appointments, planned.Centres.Appointments) {
		t.Errorf("%v in the file, planned %v", s.Centres.Appointments, planned.Centres.Appointments)
	}
	run, err := nation.Run(t.Context(), s, o.Nation, rollout.Options{Workers: 1, KeepVisits: true})
	if err != nil {
		t.Fatal(err)
	}
	limited := 0
	for k, tally := range tallies(run) {
		if tally == nil {
			continue
		}
		x := p.Centres[0]
		p.Centres = p.Centres[1:]
		if tally.PutOff != (rollout.PutOff{Visits: x.PutOff, Days: x.PutOffDays, Longest: x.PutOffLongest}) || quantile(0.95)(countOf(tally)) != x.WaitAfter && x.WaitAfter.Known() {
			t.Errorf("%s: %+v, planned %+v", x.Code, tally.PutOff, x)
		}
		if x.Appointments == 0 {
			continue
		}
		limited++
		// Twice as many bring the wait back.
		again := nation.NewAlone(run.Model, k, run.Visits[k]).Serve(run.Model.Counters(k), 2*x.Appointments)
		if quantile(0.95)(countOf(&again)) < x.WaitAfter {
			t.Errorf("%s: with twice the appointments people wait less", x.Code)
		}
	}
	if limited != p.Cost.CentresChanged {
		t.Errorf("%d centres are limited, want %d", limited, p.Cost.CentresChanged)
	}
}

func TestAStricterTargetNeverAllowsMoreAppointments(t *testing.T) {
	o := rush(t, "centre.wait_p95 < 1h")
	o.defaults()
	base, err := o.sketch(t.Context(), o.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	before := map[int]int{}
	for _, text := range []string{"centre.wait_p95 < 30m", "centre.wait_p95 < 20m"} {
		if o.Target, err = ParseTarget(text); err != nil {
			t.Fatal(err)
		}
		var sites []*site
		for c, tally := range tallies(base) {
			if tally != nil {
				sites = append(sites, &site{centre: c, ends: []rollout.CentreTally{*tally}, offers: offered(base, c)})
			}
		}
		s := &search{ctx: t.Context(), o: base, lever: diary{1000}, workers: 2, sites: sites, asked: func(int, int) {}}
		s.meet(o.Target.limits)
		if len(s.unmet) > 0 {
			t.Fatalf("%s: %+v", text, s.unmet[0])
		}
		for _, x := range sites {
			if x.planned < before[x.centre] {
				t.Errorf("%s: %d appointments an hour, for the looser limit before it %d", text, x.offers[x.planned], x.offers[before[x.centre]])
			}
			before[x.centre] = x.planned
			if n := x.planned; n > 0 && o.Target.limits[0].holds(quantile(0.95)(countOf(x.at(n-1)))) {
				t.Errorf("%s: a step more, %d a day, would do", text, x.offers[n-1])
			}
		}
	}
}

func TestAppointmentsThatCannotHelpAreSaid(t *testing.T) {
	o := rush(t, "centre.wait_p95 < 25m && centre.wait_max < 1s")
	o.PutOff = 1
	p, _, err := Appointments(t.Context(), o)
	if err != nil || p.Verdict.Holds || len(p.Unmet) == 0 || !strings.Contains(p.Unmet[0].Why, "or put somebody off by more than 1 days; other business brings the work of ") {
		t.Errorf("%v %+v %v", err, p.Verdict, p.Unmet)
	}
	if p.Headline() == "" || p.By != "appointments" {
		t.Error(p.By)
	}
	o = rush(t, "visits.wait_p95 < 10h")
	if p, _, err = Appointments(t.Context(), o); err != nil || !p.Verdict.Holds || p.Cost != (reports.PlanCost{CountersNow: p.Cost.CountersNow, CountersPlanned: p.Cost.CountersNow,
		OpenDays: p.Cost.OpenDays, Wage: p.Cost.Wage, WageSource: p.Cost.WageSource, WaitedBefore: p.Cost.WaitedBefore, WaitedAfter: p.Cost.WaitedBefore, Most: 30, LongestAllowed: 7}) {
		t.Errorf("%v %+v %+v", err, p.Verdict, p.Cost)
	}
}
