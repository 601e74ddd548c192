package statistics

import (
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

// phoneNames name the kinds of phones in the result.
var phoneNames = [rollout.NumPhoneKinds]string{
	rollout.WithoutPhone: "none", rollout.WithoutNFC: "without_nfc", rollout.WithNFC: "nfc",
}

// exclusion is who wanted the mobile card and could not get it.
func exclusion(o *rollout.Outcome, s *sums) (x reports.Exclusion) {
	x.ByAge = make([]reports.ExclusionRow, rollout.AgeBands)
	for k := range x.ByAge {
		x.ByAge[k].From, x.ByAge[k].To = ageBand(k)
	}
	x.ByPhone = make([]reports.ExclusionRow, rollout.NumPhoneKinds)
	for k := range x.ByPhone {
		x.ByPhone[k].Phone = phoneNames[k]
	}
	x.Cells = []reports.ExclusionRow{}
	x.ByRegion = []reports.ExclusionRow{}
	for r := range s.endings {
		if s.region[r] == nil {
			continue
		}
		region := reports.ExclusionRow{Region: o.Model.Nation.Regions[r].ISO}
		for age := range rollout.AgeBands {
			for phone := range rollout.NumPhoneKinds {
				cell := reports.ExclusionRow{Region: region.Region, Phone: phoneNames[phone]}
				cell.From, cell.To = ageBand(age)
				n := &s.endings[r][age][phone]
				for _, row := range []*reports.ExclusionRow{&cell, &region, &x.ByAge[age], &x.ByPhone[phone], &x.Total} {
					count(row, n)
				}
				if cell.Citizens > 0 {
					x.Cells = append(x.Cells, cell)
				}
			}
		}
		x.ByRegion = append(x.ByRegion, region)
	}
	return x
}

// count adds endings to a row.
func count(row *reports.ExclusionRow, n *[rollout.NumEndings]int64) {
	for ending, k := range n {
		row.Citizens += k
		reason := excluded(row, rollout.Ending(ending))
		switch {
		case reason != nil:
			*reason += k
			row.Excluded += k
			row.Wanted += k
		case rollout.Ending(ending) == rollout.NotWanted:
			row.NotWanted += k
		case rollout.Ending(ending) == rollout.Got:
			row.Got += k
			row.Wanted += k
		default:
			row.Pending += k
			row.Wanted += k
		}
	}
}

// excluded is the column of an ending that excludes; nil for the others.
func excluded(row *reports.ExclusionRow, e rollout.Ending) *int64 {
	return [rollout.NumEndings]*int64{
		rollout.NoPhone: &row.NoPhone, rollout.NotOpen: &row.NotOpen, rollout.NoPlastic: &row.NoPlastic,
		rollout.FaceFailed: &row.FaceFailed, rollout.GaveUpNoNFC: &row.GaveUpNoNFC, rollout.GaveUpNoChip: &row.GaveUpNoChip,
		rollout.GaveUp: &row.GaveUp, rollout.RefusedAtLast: &row.Refused,
	}[e]
}

// ageBand is the first and the last age of a band; 0: no upper end.
func ageBand(k int) (from, to int) {
	from, to = max(scenarios.FirstAge, (k+1)*10), (k+1)*10+9
	if k == rollout.AgeBands-1 {
		to = 0
	}
	return from, to
}
