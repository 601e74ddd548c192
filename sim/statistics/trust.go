package statistics

import (
	"cmp"
	"slices"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

func trust(o *rollout.Outcome) reports.Trust {
	t := reports.Trust{
		NeverValidated: []string{
			"National totals of mobile resident cards by date were not published; the level of adoption rests on a few pilot municipalities (backtest T1).",
			"Waits at community centres in 2025 were not published; counters, service times and other business are assumptions.",
			"How often people show a mobile card, and where, was not published.",
			"How often the face check fails at issuing was not published.",
			"The service's capacity is an assumption until a profile is measured on the real service.",
		},
		Sources: []string{
			"Population: Ministry of the Interior and Safety, Resident Registration Population Statistics, June 2024 (jumin.mois.go.kr)",
			"Boundaries: Statistics Korea SGIS (sgis.kostat.go.kr), KOGL Type 1, 2018 edition, simplified; Gunwi-gun reassigned to Daegu",
			"Smartphones: Korea Communications Commission, Broadcasting Media Usage Survey 2023 and 2024",
		},
		Assumptions: []reports.Assumption{},
	}
	for _, a := range o.Model.Scenario.Assumptions {
		t.Assumptions = append(t.Assumptions, reports.Assumption{Path: a.Path, Value: a.Value, Mark: a.Mark, Source: a.Source, Low: a.Low, High: a.High})
	}
	slices.SortFunc(t.Assumptions, func(a, b reports.Assumption) int { return cmp.Compare(a.Path, b.Path) })
	return t
}
