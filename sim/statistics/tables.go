package statistics

import (
	"slices"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

// The tables of the result, each a function from the sums to its rows.

func byRegion(o *rollout.Outcome, s *sums) (rows []reports.RegionRow) {
	m, nation := o.Model, o.Model.Nation
	for r := range nation.Regions {
		if s.region[r] == nil {
			continue
		}
		var t rollout.DaySum
		for d := range s.region[r] {
			add(&t, &s.region[r][d])
		}
		row := reports.RegionRow{Region: nation.Regions[r].ISO, Name: nation.Regions[r].NameEn, NameKo: nation.Regions[r].NameKo,
			Opens: regionOpens(m, nation.Regions[r].ISO), Issued: issued(&t),
			Tap: t.Issued[lifecycle.Tap], Centre: t.Issued[lifecycle.Counter], Holders: t.Holders,
			Visits: visits(&t), WaitP50: wait(&t.Wait, 0.5), WaitP95: wait(&t.Wait, 0.95), WaitMax: wait(&t.Wait, 1),
			Balked: t.Balked, Reneged: t.Reneged + t.Shut, SecondVisits: t.SecondVisits, CardReissues: t.Reissues}
		for i := range nation.Municipalities {
			mu := &nation.Municipalities[i]
			if mu.Region != r {
				continue
			}
			for c := mu.First; c < mu.End; c++ {
				if m.Residents(c) == 0 {
					continue
				}
				row.Citizens += int64(m.Residents(c))
				row.Centres++
				row.Counters += int64(m.Counters(c))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// regionOpens is the day on which a region opens as a whole; empty: never.
func regionOpens(m *rollout.Model, iso string) string {
	out := ""
	for _, p := range m.Scenario.Phases {
		if slices.Contains(p.Regions, iso) {
			if d := date(p.From.Time); out == "" || d < out {
				out = d
			}
		}
	}
	return out
}

func byPhase(o *rollout.Outcome, s *sums) (rows []reports.PhaseRow) {
	m, nation := o.Model, o.Model.Nation
	for _, p := range m.Scenario.Phases {
		row := reports.PhaseRow{Phase: p.Name, From: date(p.From.Time)}
		from := m.Since(p.From.Time)
		for i, t := range o.Tallies {
			mu := &nation.Municipalities[i]
			listed := slices.Contains(p.Regions, nation.Regions[mu.Region].ISO) || slices.Contains(p.Municipalities, mu.Code)
			if t == nil || !listed || m.Opens(i) != from {
				continue
			}
			x := &s.municipality[i]
			row.Citizens += int64(m.ResidentsOf(i))
			row.Tap += x.Issued[lifecycle.Tap]
			row.Centre += x.Issued[lifecycle.Counter]
			row.Holders += x.Holders
			for d := range t.Day {
				if int64(d+1)*rollout.Day <= from {
					row.Before += issued(&t.Day[d])
				}
			}
		}
		row.Issued = row.Tap + row.Centre
		rows = append(rows, row)
	}
	return rows
}

func byPlace(o *rollout.Outcome, s *sums) (rows []reports.PlaceRow) {
	for k, p := range o.Model.Scenario.Demand.Places {
		x := &s.ByPlace[k]
		row := reports.PlaceRow{Place: p.Name, Check: p.Check, Refresh: reports.None(), TTL: reports.None(),
			Count: x.Presentations, Accepted: x.Accepted, RejectedSuspended: x.Suspended,
			RejectedOther: x.Other, TurnedAway: x.CannotTell, Plastic: x.HolderPlastic}
		if p.Check == "cached" {
			row.Refresh, row.TTL = reports.Num(p.Refresh.Seconds()), reports.Num(p.TTL.Seconds())
		}
		rows = append(rows, row)
	}
	return rows
}

// byAge is who holds one by age, and who lives where by age.
func byAge(o *rollout.Outcome, s *sums) (rows []reports.AgeRow, population []reports.PopulationRow) {
	nation := o.Model.Nation
	var citizens [rollout.AgeBands]int64
	bands := make([][18]int64, len(nation.Regions)) // five years wide, the first from 15
	for c := range nation.Centres {
		mu := nation.Centres[c].Municipality
		if o.Model.Residents(c) == 0 {
			continue
		}
		for k, x := range nation.Centres[c].Age {
			age := scenarios.FirstAge + k
			citizens[rollout.AgeBand(age)] += int64(x)
			bands[nation.Municipalities[mu].Region][min(age, scenarios.LastAge)/5-3] += int64(x)
		}
	}
	for k := range citizens {
		row := reports.AgeRow{Citizens: citizens[k],
			Tap: s.ByAge[lifecycle.Tap][k], Centre: s.ByAge[lifecycle.Counter][k], Holders: s.Holders[k]}
		row.From, row.To = ageBand(k)
		row.Issued = row.Tap + row.Centre
		rows = append(rows, row)
	}
	for r := range nation.Regions {
		if s.region[r] == nil {
			continue
		}
		for b, k := range bands[r] {
			row := reports.PopulationRow{Region: nation.Regions[r].ISO, From: max(scenarios.FirstAge, (b+3)*5), To: (b+3)*5 + 4, Citizens: k}
			if row.From == scenarios.LastAge {
				row.To = 0
			}
			population = append(population, row)
		}
	}
	return rows, population
}

func byMunicipality(o *rollout.Outcome, s *sums) (rows []reports.MunicipalRow, centres []reports.CentreRow) {
	m, nation := o.Model, o.Model.Nation
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		mu, x := &nation.Municipalities[i], &s.municipality[i]
		opens := ""
		if at := m.Opens(i); at != rollout.Never {
			opens = date(m.Cal.Time(at))
		}
		rows = append(rows, reports.MunicipalRow{
			Code: mu.Code, Name: mu.NameEn, NameKo: mu.NameKo, Region: nation.Regions[mu.Region].ISO, Opens: opens,
			Citizens: int64(m.ResidentsOf(i)), Tap: x.Issued[lifecycle.Tap], Centre: x.Issued[lifecycle.Counter], Issued: issued(x),
			Holders: x.Holders, Visits: visits(x),
			WaitP50: wait(&x.Wait, 0.5), WaitP95: wait(&x.Wait, 0.95), WaitMax: wait(&x.Wait, 1)})
		for k := range t.ByCentre {
			c := mu.First + k
			b := &t.ByCentre[k]
			centres = append(centres, reports.CentreRow{Code: nation.Centres[c].Code, Name: nation.Centres[c].NameKo,
				Municipality: mu.Code, Citizens: b.Citizens, Counters: int64(m.Counters(c)), Visits: b.Visits, Issued: s.issuedAt[c],
				Left: b.Left, Waited: b.Waited, Queue: b.Queue, WaitMean: mean(&b.Wait),
				WaitP95: wait(&b.Wait, 0.95), WaitMax: wait(&b.Wait, 1)})
		}
	}
	return rows, centres
}

// byDay is a row for each day, and one for each day and region.
func byDay(o *rollout.Outcome, s *sums) (days, series []reports.DayRow) {
	held := make([]int64, len(s.region))
	var all int64
	for d := range s.day {
		day := date(o.Model.Cal.Date(d))
		all += s.day[d].Holders
		days = append(days, dayRow(day, "", &s.day[d], all))
		for r := range s.region {
			if s.region[r] == nil {
				continue
			}
			held[r] += s.region[r][d].Holders
			series = append(series, dayRow(day, o.Model.Nation.Regions[r].ISO, &s.region[r][d], held[r]))
		}
	}
	return days, series
}

func dayRow(day, region string, t *rollout.DaySum, holders int64) reports.DayRow {
	return reports.DayRow{Date: day, Region: region, Wanted: t.Wanted,
		IssuedTap: t.Issued[lifecycle.Tap], IssuedCentre: t.Issued[lifecycle.Counter], Holders: holders,
		Visits: visits(t), WaitP50: wait(&t.Wait, 0.5), WaitP95: wait(&t.Wait, 0.95), WaitMax: wait(&t.Wait, 1),
		Verifications: t.Presentations, RejectedSuspended: t.RejectedSuspended, RejectedOther: t.RejectedOther,
		TurnedAway: t.CannotTell, ReportsPhysical: t.ReportsPhysical, ReportsMobile: t.ReportsMobile,
		Releases: t.ReleasesPhysical + t.ReleasesMobile, CardOrders: t.CardOrders}
}

// issued is mobile cards, either way.
func issued[N rollout.Counter](d *rollout.DayCount[N]) int64 {
	return int64(d.Issued[lifecycle.Tap]) + int64(d.Issued[lifecycle.Counter])
}

// visits is arrivals at centres.
func visits(d *rollout.DaySum) int64 { return d.Served + d.Balked + d.Reneged + d.Shut }

// longest is the longest of all waits, and where and when it was.
func longest(o *rollout.Outcome) reports.LongestWait {
	out := reports.LongestWait{Wait: reports.None()}
	nation := o.Model.Nation
	most, where := int64(-1), 0
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		for d := range t.Day {
			if w := &t.Day[d].Wait; w.Count() > 0 && w.Max > most {
				most, where = w.Max, i
				mu := &nation.Municipalities[i]
				out = reports.LongestWait{Region: nation.Regions[mu.Region].ISO, Municipality: mu.NameEn,
					Date: date(o.Model.Cal.Date(d)), Wait: wait(w, 1)}
			}
		}
	}
	if most < 0 {
		return out
	}
	for c := range o.Tallies[where].ByCentre {
		if w := &o.Tallies[where].ByCentre[c].Wait; w.Count() > 0 && w.Max == most {
			out.Centre = nation.Centres[nation.Municipalities[where].First+c].NameKo
		}
	}
	return out
}
