package reports

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func somePlan() *Plan {
	return &Plan{Version: "1", Command: "rollcall plan x", Scenario: "x", Title: "X", Seed: 1, By: "counters", Target: `centre.wait_p95 < 30m && "<script>"`,
		Limits: []PlanLimit{{Text: "centre.wait_p95 < 30m", Definition: "d", Unit: "s", Limit: 1800,
			Before: PlanFigure{Value: 3600, Where: "1", Name: "A <b>", Parts: 2, Beyond: 1}, After: PlanFigure{Value: 600, Where: "1", Name: "A <b>", Parts: 2}}},
		Verdict: PlanVerdict{Holds: true},
		Cost:    PlanCost{CountersNow: 3, CountersPlanned: 4, CentresChanged: 1, OpenDays: 10, PeopleDays: 10, Wage: 200_000, Won: 2_000_000, WaitedBefore: 10, WaitedAfter: 2.5},
		Regions: []PlanRegion{{Region: "KR-50", Name: "Sejong", CountersNow: 3, CountersPlanned: 4, CentresChanged: 1, PeopleDays: 10, Won: 2_000_000, WaitBefore: 3600, WaitAfter: None()}},
		Centres: []PlanCentre{{Code: "1", Name: "A, <b>", CountersNow: 1, CountersPlanned: 2, WaitBefore: 3600, WaitAfter: 600, MaxBefore: None(), MaxAfter: None()}, {Code: "2", Name: "B", CountersNow: 2, CountersPlanned: 2}},
		Unmet:   []PlanUnmet{},
		Checks:  []PlanCheck{{Seed: 1, Holds: true, Limits: []PlanFigure{{Value: 600, Where: "1", Name: "A", Parts: 2}}}, {Seed: 9, Limits: []PlanFigure{{Value: 2000, Where: "2", Name: "B", Parts: 2, Beyond: 1}}}}}
}

func TestAPlanIsToldInOneSentenceWithItsPrice(t *testing.T) {
	var b bytes.Buffer
	if err := PrintPlan(&b, somePlan(), "plan.html"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1 counter more at 1 centre: 10 people-days, 2,000,000 won at 200,000 won a day [A].",
		"People stand before the counters for 2.50 hours instead of 10, other business too.",
		"as it is: 1\u00a0h at most, at A <b>; 1 of 2 over the limit",
		"verified by a full run with seed 1: met (centre.wait_p95 < 30m: 10\u00a0min at most, at A; all 2 within)",
		"with seed 9, for which it was not made: not met (centre.wait_p95 < 30m: 33\u00a0min at most, at B; 1 of 2 over the limit)",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestAPlansPageIsOneFileThatRunsNothing(t *testing.T) {
	page, err := renderPlan(somePlan())
	if err != nil {
		t.Fatal(err)
	}
	for _, banned := range []string{"<script", "http", "src=", "A <b>"} {
		if bytes.Contains(page, []byte(banned)) {
			t.Errorf("%q is in the page", banned)
		}
	}
	if !bytes.Contains(page, []byte("A, &lt;b&gt;")) || bytes.Contains(page, []byte(`class="text"> B<`)) {
		t.Error("the centre that changes is missing, or the one that does not is there")
	}
}

func TestAPageOfAppointmentsHasDaysAndNoMoney(t *testing.T) {
	p := somePlan()
	p.By, p.Centres[0].Appointments, p.Centres[0].PutOffDays = "appointments", 7, 4321
	page, err := renderPlan(p)
	if err != nil {
		t.Fatal(err)
	}
	for want, there := range map[string]bool{"<th>visits an hour": true, "<td>7<td>": true, "<td>4,321": true, "<th>won": false, "costs 200,000 won": false, "<th>people-days": false} {
		if bytes.Contains(page, []byte(want)) != there {
			t.Errorf("%q in the page: want %v", want, there)
		}
	}
}

func TestEveryFigureOfAPlanThatIsDefinedIsThere(t *testing.T) {
	p := somePlan()
	p.Cost.PutOff, p.Cost.PutOffDays, p.Cost.Delay = 1, 1, 1
	p.Opening = []PlanOpening{{Region: "KR-50"}}
	p.Centres[0].Appointments = 1
	data, err := EncodePlan(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(data, &back); err != nil || back.Schema != PlanSchema || back.Cost.Won != 2_000_000 || back.Regions[0].WaitAfter.Known() {
		t.Errorf("%v %+v", err, back)
	}
	for name := range back.Definitions {
		last := name[strings.LastIndex(name, ".")+1:]
		if !bytes.Contains(data, []byte(`"`+last+`":`)) {
			t.Errorf("%s is defined, and nowhere", name)
		}
	}
	if table := planTable(somePlan()); !bytes.HasPrefix(table, []byte("code,name,")) || !bytes.Contains(table, []byte(`1,"A, <b>",`)) {
		t.Errorf("%s", table)
	}
}
