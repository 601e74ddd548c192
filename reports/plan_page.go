package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed plan.html
var planHTML string

var planPage = template.Must(template.New("plan").Parse(planHTML))

// maxPlanRows is how many centres the page shows; the table has all.
const maxPlanRows = 400

// renderPlan makes the page: one file, in the colours of the report, without a
// script.
func renderPlan(p *Plan) ([]byte, error) {
	type row struct {
		Head  string
		Cells []string
	}
	type told struct{ Text, Means, Before, After string }
	type word struct{ Name, Means string }
	page := struct {
		*Plan
		Theme                  template.CSS
		Lead, CheckedLines     []string
		Told                   []told
		Columns, CentreCaption string
		RegionHead, CentreHead []string
		RegionRows, CentreRows []row
		Missed                 []string
		Words                  []word
		Wage                   string
	}{Plan: p, Theme: template.CSS(themeCSS()), Wage: Grouped(p.Cost.Wage),
		Lead: strings.Split(p.Headline(), "\n"), CheckedLines: strings.Split(p.Checked(), "\n")}
	for i := range p.Limits {
		l := &p.Limits[i]
		page.Told = append(page.Told, told{l.Text, l.Definition, l.tell(l.Before), l.tell(l.After)})
	}
	page.Columns = "Counters, what they cost, and waits for cards and losses before and after"
	page.RegionHead = []string{"counters", "planned", "centres changed", "people-days", "won", "wait p95", "planned", "left", "planned"}
	for _, r := range p.Regions {
		page.RegionRows = append(page.RegionRows, row{r.Name + " " + r.NameKo, []string{Grouped(r.CountersNow), Grouped(r.CountersPlanned),
			Grouped(int64(r.CentresChanged)), Grouped(r.PeopleDays), Grouped(r.Won), PlanValue("s", r.WaitBefore), PlanValue("s", r.WaitAfter),
			Grouped(r.LeftBefore), Grouped(r.LeftAfter)}})
	}
	if len(p.Opening) > 0 {
		page.Columns = "When each region opens, and what that is worth"
		page.RegionHead, page.RegionRows = []string{"opens", "planned", "holders at the end", "planned", "holders' days", "planned", "wait p95", "planned"}, nil
		for _, r := range p.Opening {
			page.RegionRows = append(page.RegionRows, row{r.Name + " " + r.NameKo, []string{r.OpensNow, r.OpensPlanned, Grouped(r.HoldersNow), Grouped(r.HoldersPlanned),
				Grouped(r.HolderDaysNow), Grouped(r.HolderDaysPlanned), PlanValue("s", r.WaitBefore), PlanValue("s", r.WaitAfter)}})
		}
	}
	kept := func(c PlanCentre) bool { return c.CountersNow == c.CountersPlanned }
	counters := func(c PlanCentre) string { return Grouped(int64(c.CountersPlanned)) }
	price := func(c PlanCentre) string { return Grouped(c.Won) }
	second, last := "planned", "won"
	if p.By == "appointments" {
		kept = func(c PlanCentre) bool { return c.Appointments == 0 }
		counters = func(c PlanCentre) string { return Grouped(int64(c.Appointments)) }
		price = func(c PlanCentre) string { return Grouped(c.PutOffDays) }
		second, last = "visits an hour", "days put off"
		page.Columns, page.RegionHead = "Waits for cards and losses before and after", page.RegionHead[5:]
		for i := range page.RegionRows {
			page.RegionRows[i].Cells = page.RegionRows[i].Cells[5:]
		}
	}
	page.CentreHead = []string{"counters", second, "visits", "wait p95", "planned", "longest", "planned", last}
	changed := slices.DeleteFunc(slices.Clone(p.Centres), kept)
	page.CentreCaption = fmt.Sprintf("%s of %s centres", Grouped(int64(len(changed))), Grouped(int64(len(p.Centres))))
	if len(changed) > maxPlanRows {
		page.CentreCaption += fmt.Sprintf("; the first %d", maxPlanRows)
		changed = changed[:maxPlanRows]
	}
	for _, c := range changed {
		page.CentreRows = append(page.CentreRows, row{c.MunicipalName + " " + c.Name, []string{Grouped(int64(c.CountersNow)), counters(c),
			Grouped(c.Visits), PlanValue("s", c.WaitBefore), PlanValue("s", c.WaitAfter), PlanValue("s", c.MaxBefore), PlanValue("s", c.MaxAfter), price(c)}})
	}
	for i, u := range p.Unmet {
		if i == maxPlanRows {
			page.Missed = append(page.Missed, fmt.Sprintf("and %d more, in %s", len(p.Unmet)-i, PlanFile))
			break
		}
		page.Missed = append(page.Missed, u.Limit+": "+u.tell())
	}
	for _, name := range slices.Sorted(maps.Keys(planDefinitions)) {
		page.Words = append(page.Words, word{name, planDefinitions[name]})
	}
	var w bytes.Buffer
	err := planPage.Execute(&w, page)
	return w.Bytes(), err
}
