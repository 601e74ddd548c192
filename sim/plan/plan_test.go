package plan

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
)

// options are for a plan of Sejong by itself.
func options(t *testing.T, target string, settings ...string) Options {
	t.Helper()
	s, err := scenarios.Load("announced", append([]string{"population.regions=[KR-50]"}, settings...))
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	goal, err := ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Scenario: s, Nation: n, Target: goal, Most: 30, Workers: 2}
}

// week makes a run short, and busy.
var week = []string{"start=2025-02-10", "end=2025-02-17", "centres.counter_factor=0.7"}

func counters(t *testing.T, o Options) (*reports.Plan, *scenarios.Scenario) {
	t.Helper()
	p, s, err := Counters(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// Counters with exponential service around the clock are M/M/c, and Erlang's delay
// formula says how many are needed: at every centre of Sejong, each with its own load,
// the plan must find that very number, but where the formula itself lies too close to
// the limit for a month's visits to tell.
func TestThePlanForASingleQueueIsErlangs(t *testing.T) {
	const service = 60.0 // seconds
	settings := []string{
		"start=2025-01-31", "end=2025-02-28", "calendar.opens=00:00", "calendar.closes=24:00", "calendar.lunch_from=12:00", "calendar.lunch_to=12:00",
		"centres.hours={0-24: 1}", "centres.other_business=0.07/day", "centres.counters={KR-50: 2}",
		"centres.patience=10000d", "centres.balk_at=10000", "centres.own_centre=100%",
		"adoption.level=0%", "cards.other_reissue=100%/year", "losses.plastic.rate=0/year", "losses.phone.rate=0/year",
	}
	for _, s := range []string{"other", "issue", "card", "pickup", "loss"} {
		settings = append(settings, "centres."+s+"_service.law=exponential", "centres."+s+"_service.mean=60s")
	}
	for _, p := range []string{"office", "bank", "hospital", "airport", "shop", "online"} {
		settings = append(settings, "demand.places."+p+".rate=0/day")
	}
	seen := map[int]int{}
	for _, target := range []struct {
		text  string
		limit float64
	}{{"centre.wait_p95 < 3m", 180}, {"centre.wait_p95 < 90s", 90}, {"centre.wait_p95 <= 20s", 20}} {
		o := options(t, target.text, settings...)
		p, _ := counters(t, o)
		if !p.Verdict.Holds || !p.Checks[0].Holds {
			t.Fatalf("%s: %+v", target.text, p.Verdict)
		}
		compared := 0
		for _, c := range p.Centres {
			i, _ := o.Nation.CentreIndex(c.Code)
			perDay := 0.07*float64(o.Nation.Centres[i].Adults()) + float64(c.Visits)/18 // open days of the month
			load := perDay / 86_400 * service
			longer := func(k int) float64 { // share who wait longer than the limit
				if float64(k) <= load {
					return 1
				}
				return erlangC(k, load) * math.Exp(-(float64(k)-load)*target.limit/service)
			}
			want := 2
			for longer(want) > 0.05 {
				want++
			}
			if close := func(k int) bool { return k >= 2 && longer(k) > 0.033 && longer(k) < 0.075 }; close(want) || close(want-1) {
				continue
			}
			compared++
			seen[want]++
			if c.CountersPlanned != want {
				t.Errorf("%s, %s: %d counters, by Erlang C %d (load %.2f; %.3f wait longer with %d, %.3f with one fewer)",
					target.text, c.Code, c.CountersPlanned, want, load, longer(want), want, longer(want-1))
			}
		}
		if compared < 12 {
			t.Errorf("%s: only %d centres could be compared", target.text, compared)
		}
	}
	if len(seen) < 3 {
		t.Errorf("the test says little: centres by what they need %v", seen)
	}
}

// erlangC is the probability of waiting before c servers under a erlangs.
func erlangC(c int, a float64) float64 {
	b := 1.0
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}

func TestAStricterTargetNeverNeedsFewerCounters(t *testing.T) {
	o := options(t, "visits.wait_p95 < 1h", week...)
	o.defaults()
	base, err := o.run(t.Context(), o.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	had := make([]int, len(o.Nation.Centres))
	for c := range had {
		had[c] = base.Model.Counters(c)
	}
	for _, scope := range []string{"visits.wait_p95", "centre.wait_p95", "centre.wait_max", "visits.left", "centre.left && municipality.wait_p50", "region.wait_p95"} {
		limits := []string{"40m", "20m", "12m", "8m", "5m", "3m", "90s", "30s"}
		if strings.Contains(scope, "left") {
			limits = []string{"20%", "10%", "5%", "2%", "1%", "0.1%"}
		}
		before := had
		for _, l := range limits {
			text := strings.ReplaceAll(scope, " &&", " < "+l+" &&") + " < " + l
			if text = strings.Replace(text, "wait_p50 < "+l, "wait_p50 < 5m", 1); strings.HasPrefix(scope, "visits.wait") {
				text += " && centre.wait_max < 2h"
			}
			if o.Target, err = ParseTarget(text); err != nil {
				t.Fatal(err)
			}
			now, _, err := o.search(t.Context(), base, had, had)
			if err != nil {
				t.Fatal(err)
			}
			if total(now) < total(before) {
				t.Errorf("%s: %d counters, for the looser limit before it %d", text, total(now), total(before))
			}
			for c := range now {
				if strings.HasPrefix(scope, "centre") && now[c] < before[c] {
					t.Errorf("%s: %s has %d, for the looser limit before it %d", text, o.Nation.Centres[c].Code, now[c], before[c])
				}
			}
			before = now
		}
		if total(before) == total(had) {
			t.Errorf("%s: nothing was ever needed, so nothing was tested", scope)
		}
	}
}

// What the plan promises is what a run of its file gives, figure by figure, and so
// is its price.
func TestARunOfThePlansFileGivesWhatWasPromised(t *testing.T) {
	for _, extends := range []string{"announced", ""} {
		o := options(t, "region.wait_p95 < 4m && visits.wait_p95 < 4m && centre.wait_p95 < 10m && centre.left < 2%", week...)
		p, planned := counters(t, o)
		if !p.Verdict.Holds || p.Cost.CentresChanged == 0 {
			t.Fatalf("%+v", p.Verdict)
		}
		file := File(p, planned, o.Scenario, extends, o.Target)
		settings := week
		if extends == "" {
			settings = nil
		}
		s, err := scenarios.Parse("plan.yaml", file, settings)
		if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		run, err := nation.Run(t.Context(), s, o.Nation, rollout.Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		r := new(reports.Result)
		statistics.Fill(r, run, nil)
		if err := statistics.Judge(r, s); err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, e := range r.Expectations {
			if strings.Contains(e.Text, "wait_p95_s < 4m") {
				asked++
				if !e.Holds {
					t.Errorf("%s does not hold: %v", e.Text, e.Value)
				}
			}
		}
		if asked != 2 {
			t.Errorf("%d of the plan's limits are expectations of its file, want 2", asked)
		}
		var days int64
		for i, c := range r.Nation.ByCentre {
			x := p.Centres[i]
			if c.Code != x.Code || int(c.Counters) != x.CountersPlanned || c.WaitP95 != x.WaitAfter || c.WaitMax != x.MaxAfter || c.Visits != x.Visits-x.LeftAfter {
				t.Errorf("%+v, planned %+v", c, x)
			}
			days += int64(x.CountersPlanned-x.CountersNow) * 5 // open days
		}
		if days != p.Cost.PeopleDays || p.Cost.Won != days*200_000 || p.Cost.OpenDays != 5 {
			t.Errorf("%+v, want %d people-days", p.Cost, days)
		}
	}
}

func TestTheNumberOfWorkersChangesNothing(t *testing.T) {
	var first *reports.Plan
	for _, workers := range []int{1, 3} {
		o := options(t, "visits.wait_p95 < 4m && centre.wait_max < 45m && municipality.left <= 1%", week...)
		o.Workers, o.Seeds = workers, 1
		p, _ := counters(t, o)
		if first == nil {
			first = p
		} else if !reflect.DeepEqual(p, first) {
			t.Errorf("%d workers give another plan than one:\n%+v\n%+v", workers, p, first)
		}
	}
}

func TestNothingIsPlannedWhereTheTargetIsMet(t *testing.T) {
	p, s := counters(t, options(t, "centre.wait_max < 10h && visits.left < 90%", week...))
	if !p.Verdict.Holds || p.Cost.Won != 0 || p.Cost.CentresChanged != 0 || len(s.Centres.Counters) != 0 || !p.Limits[0].MetByItself {
		t.Errorf("%+v %+v", p.Verdict, p.Cost)
	}
}

func TestWhatCannotBeMetIsSaidWithItsPlaceAndReason(t *testing.T) {
	// No time is less than none, however many counters there are.
	p, _ := counters(t, options(t, "centre.wait_max < 0s", week...))
	if p.Verdict.Holds || len(p.Unmet) == 0 || !strings.Contains(p.Unmet[0].Why, "nobody waits any more, and that is still not < 0s") {
		t.Errorf("%+v %+v", p.Verdict, p.Unmet)
	}
	// A limit of counters.
	o := options(t, "centre.wait_p95 < 1m", week...)
	o.Most = 4
	p, s := counters(t, o)
	if p.Verdict.Holds || len(p.Unmet) < 2 || !strings.Contains(p.Unmet[0].Why, "with 9 counters, which it has, and more than the 4 that may be given, it comes to 1\u00a0min 10\u00a0s; who comes brings the work of ") ||
		!strings.Contains(p.Unmet[1].Why, "with 4 counters, the most that are allowed, it comes to 1\u00a0min 40\u00a0s") {
		t.Errorf("%+v %+v", p.Verdict, p.Unmet)
	}
	for code, k := range s.Centres.Counters {
		if k > 4 {
			t.Errorf("%s was given %d counters", code, k)
		}
	}
	o.Target, _ = ParseTarget("visits.wait_p95 < 1m")
	if p, _ = counters(t, o); p.Verdict.Holds || len(p.Unmet) != 1 || p.Unmet[0].Name != "all centres" {
		t.Errorf("%+v %+v", p.Verdict, p.Unmet)
	}
	// A limit of money.
	o = options(t, "centre.wait_p95 < 10m", week...)
	o.Budget = 1_000_000
	if p, _ = counters(t, o); p.Verdict.Holds || !strings.Contains(p.Verdict.Why, "and the budget is 1,000,000") {
		t.Errorf("%+v", p.Verdict)
	}
}

func TestCountersThatAreNotNeededMayBeTakenAway(t *testing.T) {
	o := options(t, "centre.wait_p95 < 20m && centre.left < 3%", week[:2]...)
	more, _ := counters(t, o)
	o.Fewer = true
	fewer, _ := counters(t, o)
	if !more.Verdict.Holds || !fewer.Verdict.Holds || fewer.Cost.Won >= 0 || fewer.Cost.CountersPlanned >= more.Cost.CountersPlanned {
		t.Errorf("%+v %+v\n%+v %+v", more.Verdict, more.Cost, fewer.Verdict, fewer.Cost)
	}
}

func TestAnInterruptedSearchGivesNoPlan(t *testing.T) {
	for _, phase := range []string{"announced as it is", "queues", "announced as planned, round 1", "announced as planned, other seed 1 of 1"} {
		ctx, stop := context.WithCancel(t.Context())
		o := options(t, "visits.wait_p95 < 4m", week...)
		o.Seeds = 1
		o.Begin = func(now string) {
			if now == phase {
				stop()
			}
		}
		if p, _, err := Counters(ctx, o); p != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, %v", phase, p, err)
		}
		stop()
	}
}

func TestATargetIsReadOrRefusedWithItsPlace(t *testing.T) {
	for _, text := range []string{"visits.wait_p95 < 30m", "30m > nation.visits.wait_p95_s", "centre.left<=5% && region.wait_max < 3600"} {
		if _, err := ParseTarget(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]scenarios.Misplaced{
		"visits.wait_p95":                          {At: 15, What: `"visits.wait_p95" is compared with nothing`},
		"visits.wait_p96 < 30m":                    {At: 0, What: "visits.wait_p96: visits has no wait_p96 (did you mean wait_p95?)"},
		"centre.left < 5% && vists.wait_p95 < 30m": {At: 20, What: "vists.wait_p95: a target has no vists (did you mean visits?)"},
		"visits < 3":                               {At: 0, What: "visits is not one figure (write visits.wait_p95)"},
		"visits.wait_p95 > 30m":                    {At: 0, What: "visits.wait_p95 > 30m is no upper limit, and more counters only make waits shorter (write < or <=)"},
		"centre.left < 30m":                        {At: 0, What: "centre.left is a share, and 30m is not (write 5%)"},
		"centre.wait_p95 < 5%":                     {At: 0, What: "centre.wait_p95 is a time, and 5% is not (write 30m)"},
		"day.visits < 5%":                          {At: 0, What: "day.visits is a number, and 5% is not (write 20000)"},
		"region.wait_p95 < visits.wait_p95":        {At: 18, What: "visits.wait_p95 is no number; a limit is one, such as 30m or 5%"},
		"centre[3611051000].wait_p95 < 30m":        {At: 0, What: "centre[3611051000].wait_p95: centre has no 3611051000 (known are left, wait_max, wait_p50, wait_p95)"},
	} {
		_, err := ParseTarget(text)
		m, ok := errors.AsType[*scenarios.Misplaced](err)
		if !ok || *m != want {
			t.Errorf("%s:\n%v\nwant %d: %s", text, err, want.At, want.What)
			if ok {
				t.Logf("at %d", m.At)
			}
		}
	}
}

func TestEveryFigureAndScopeIsExplained(t *testing.T) {
	lines := Vocabulary()
	for name := range scopes {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+": ") }) {
			t.Errorf("%s is not explained", name)
		}
	}
	for name := range figures {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "."+name+": ") }) {
			t.Errorf("%s is not explained", name)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"visits.wait_p95 < 30m", "centre.left<=5% && region.wait_max < 3600", "20s > nation.visits.wait_p50_s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		goal, err := ParseTarget(text)
		if m, ok := errors.AsType[*scenarios.Misplaced](err); ok && (m.At < 0 || m.At > len(text)) {
			t.Errorf("%q: %v, at %d", text, err, m.At)
		}
		for i := range goal.limits {
			if l := &goal.limits[i]; err == nil && (l.figure.of == nil || math.IsNaN(l.Value) || l.holds(reports.Num(l.Value)) != (l.Op == "<=")) {
				t.Errorf("%q: %+v", text, l)
			}
		}
	})
}

// Nobody who shows a card makes anybody come to a centre: what the search looks at is
// the full run's, visit by visit.
func TestASketchHasTheFullRunsVisits(t *testing.T) {
	o := options(t, "visits.wait_p95 < 4m", week...)
	o.defaults()
	full, err := o.run(t.Context(), o.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := o.sketch(t.Context(), o.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(full.Visits, quick.Visits) || !reflect.DeepEqual(tallies(full), tallies(quick)) {
		t.Error("other visits, or other waits")
	}
	for i, tally := range full.Tallies {
		if tally == nil {
			continue
		}
		shown := int32(0)
		for d := range tally.Day {
			shown += tally.Day[d].Presentations
			if q := &quick.Tallies[i].Day[d]; q.Holders != tally.Day[d].Holders || q.Issued != tally.Day[d].Issued || q.Presentations != 0 {
				t.Errorf("%s, day %d: other holders", o.Nation.Municipalities[i].Code, d)
			}
		}
		if shown == 0 {
			t.Error("nobody shows a card in the full run either")
		}
	}
}

// A limit of all centres together is met by counters none of which can be spared, and by
// fewer than whoever gives them to the centres in turn needs.
func TestANationsPlanIsLean(t *testing.T) {
	o := options(t, "visits.wait_p95 < 3m", week...)
	o.defaults()
	base, err := o.run(t.Context(), o.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	lean := 0
	for _, text := range []string{"visits.wait_p95 < 3m", "visits.wait_p95 < 1m", "visits.wait_max < 20m", "visits.wait_max < 5m", "visits.left < 0.5%"} {
		if o.Target, err = ParseTarget(text); err != nil {
			t.Fatal(err)
		}
		l := &o.Target.limits[0]
		s := &search{ctx: t.Context(), o: base, lever: desks{30}, workers: 2, asked: func(int, int) {}}
		for c, tally := range tallies(base) {
			if tally != nil {
				k := base.Model.Counters(c)
				s.sites = append(s.sites, &site{centre: c, planned: k, now: k, from: k, ends: []rollout.CentreTally{*tally}})
			}
		}
		holds := func() bool {
			sum := new(count)
			for _, x := range s.sites {
				sum.add(x.at(x.planned), 1)
			}
			return l.holds(l.figure.of(sum))
		}
		s.meet(o.Target.limits)
		if len(s.unmet) > 0 || !holds() {
			t.Fatalf("%s: %+v", text, s.unmet)
		}
		extra := 0
		for _, x := range s.sites {
			if x.planned > x.now {
				extra += x.planned - x.now
				x.planned--
				if holds() {
					t.Errorf("%s: centre %d can spare a counter", text, x.centre)
				}
			}
			x.planned = x.now
		}
		turns := 0
		for i := 0; !holds(); i++ {
			if x := s.sites[i%len(s.sites)]; l.beyond(x.at(x.planned)) > 0 {
				s.ask(x, x.planned+1)
				x.planned++
				turns++
			}
		}
		if extra > turns || extra == 0 {
			t.Errorf("%s: %d counters, given in turn %d", text, extra, turns)
		}
		lean += turns - extra
	}
	if lean < 5 {
		t.Errorf("in turn it took only %d counters more", lean)
	}
}
