// Package statistics turns what a run counted (rollout.Outcome) into the
// figures of the result (reports.Result): sums, quantiles, shares, recovery
// beside the fault-free twin. It decides nothing and draws nothing; whatever
// engine counted, the figures are the same.
package statistics

import (
	"cmp"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

// Fill writes the nation's figures into a result. twin is the same run without
// its faults; nil where there were none.
func Fill(r *reports.Result, o, twin *rollout.Outcome) {
	fillMeta(&r.Meta, o)
	fillNation(&r.Nation, o)
	fillSuspension(&r.Suspension, o)
	r.Recovery = []reports.Recovery{}
	if twin != nil {
		for i := range o.Model.Scenario.Faults {
			r.Recovery = append(r.Recovery, recovery(i, o, twin))
		}
	}
	r.Trust = trust(o)
}

func date(t time.Time) string { return t.Format(time.DateOnly) }

func fillMeta(m *reports.Meta, o *rollout.Outcome) {
	s, cal := o.Model.Scenario, o.Model.Cal
	m.Scenario, m.Title, m.Description, m.Seed = s.Name, s.Title, s.Description, s.Seed
	m.Start, m.End = date(cal.Start), date(cal.Date(cal.Days-1))
	m.WholeNation = !o.Absent
	m.PanelAsked = int64(s.Panel.Citizens)
	m.AnyCentre = date(s.Calendar.AnyCentreFrom.Time)
	m.Closed = []string{}
	for d := range cal.Days {
		if !cal.Open[d] {
			m.Closed = append(m.Closed, date(cal.Date(d)))
		}
	}
	m.Regions = []string{}
	for i := range o.Model.Nation.Regions {
		if present(o, i) {
			m.Regions = append(m.Regions, o.Model.Nation.Regions[i].ISO)
		}
	}
}

func present(o *rollout.Outcome, region int) bool {
	for i, t := range o.Tallies {
		if t != nil && o.Model.Nation.Municipalities[i].Region == region {
			return true
		}
	}
	return false
}

func add(d *rollout.DayTally, x *rollout.DayTally) {
	for i := range d.Issued {
		d.Issued[i] += x.Issued[i]
	}
	for i := range d.Refused {
		d.Refused[i] += x.Refused[i]
	}
	d.Wait.Join(&x.Wait)
	d.FeeWon += x.FeeWon
	d.Waited += x.Waited
	for h := range d.Busy {
		d.Busy[h] += x.Busy[h]
	}
	for _, p := range [][2]*int32{
		{&d.Wanted, &x.Wanted}, {&d.First, &x.First}, {&d.Ended, &x.Ended}, {&d.Holders, &x.Holders},
		{&d.FaceSessions, &x.FaceSessions}, {&d.FaceFailed, &x.FaceFailed}, {&d.NewPhotos, &x.NewPhotos},
		{&d.Unavailable, &x.Unavailable}, {&d.PeopleRetry, &x.PeopleRetry},
		{&d.Served, &x.Served}, {&d.Balked, &x.Balked}, {&d.Reneged, &x.Reneged}, {&d.Shut, &x.Shut},
		{&d.SecondVisits, &x.SecondVisits}, {&d.OtherServed, &x.OtherServed}, {&d.OtherLeft, &x.OtherLeft}, {&d.Delayed, &x.Delayed},
		{&d.Presentations, &x.Presentations}, {&d.Accepted, &x.Accepted},
		{&d.RejectedSuspended, &x.RejectedSuspended}, {&d.RejectedOther, &x.RejectedOther}, {&d.CannotTell, &x.CannotTell},
		{&d.FalseAccepts, &x.FalseAccepts}, {&d.ExposureAccepts, &x.ExposureAccepts},
		{&d.UnreportedAccepts, &x.UnreportedAccepts}, {&d.FalseRejects, &x.FalseRejects},
		{&d.Plastic, &x.Plastic}, {&d.HolderPlastic, &x.HolderPlastic}, {&d.Fallback, &x.Fallback}, {&d.NoIdentity, &x.NoIdentity},
		{&d.PlasticLost, &x.PlasticLost}, {&d.PhonesLost, &x.PhonesLost}, {&d.NewPhones, &x.NewPhones},
		{&d.ReportsPhysical, &x.ReportsPhysical}, {&d.ReportsMobile, &x.ReportsMobile},
		{&d.ReleasesPhysical, &x.ReleasesPhysical}, {&d.ReleasesMobile, &x.ReleasesMobile},
		{&d.CardOrders, &x.CardOrders}, {&d.ChipOrders, &x.ChipOrders}, {&d.CardsPrinted, &x.CardsPrinted},
		{&d.CardsIssued, &x.CardsIssued}, {&d.Reissues, &x.Reissues},
	} {
		*p[0] += *p[1]
	}
}

// visits is arrivals at centres.
func visits(d *rollout.DayTally) int64 {
	return int64(d.Served) + int64(d.Balked) + int64(d.Reneged) + int64(d.Shut)
}

// wait is a quantile of the waits in seconds, or none where nobody was served.
func wait(h *rollout.WaitHistogram, q float64) reports.Num {
	if h.Count() == 0 {
		return reports.None()
	}
	if q == 1 {
		return reports.Num(float64(h.Max) / 1000)
	}
	return reports.Num(float64(h.Quantile(q)) / 1000)
}

func fillNation(n *reports.Nation, o *rollout.Outcome) {
	m, nation := o.Model, o.Model.Nation
	n.Citizens = o.Citizens

	whole := make([]rollout.DayTally, m.Cal.Days)
	regions := make([][]rollout.DayTally, len(nation.Regions))
	total := rollout.DayTally{}
	byMunicipality := make([]rollout.DayTally, len(o.Tallies))
	var kinds [rollout.NumIntents]rollout.IntentCount
	var latency [rollout.LatencyBuckets]int64
	var orders [rollout.OrderHours / 6]int64
	var places [rollout.MaxPlaces]rollout.PlaceTally
	var byAge [2][rollout.AgeBands]int64
	var holders [rollout.AgeBands]int64
	issuedAt := make([]int64, len(nation.Centres))
	var open [rollout.NumIntents]int64
	var queue int64
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		for k, c := range t.Open {
			open[k] += c
		}
		for c := range t.ByCentre {
			queue += t.ByCentre[c].Queue
		}
		n.Events += t.Events
		n.ChipCards += t.ChipCards
		r := nation.Municipalities[i].Region
		if regions[r] == nil {
			regions[r] = make([]rollout.DayTally, m.Cal.Days)
		}
		for d := range t.Day {
			add(&regions[r][d], &t.Day[d])
			add(&whole[d], &t.Day[d])
			add(&byMunicipality[i], &t.Day[d])
		}
		add(&total, &byMunicipality[i])
		for k, c := range t.Intents {
			kinds[k].Posted += c.Posted
			kinds[k].Done += c.Done
			kinds[k].Abandoned += c.Abandoned
		}
		for k, c := range t.Latency {
			latency[k] += c
		}
		for k, c := range t.OrderWait {
			orders[k] += int64(c)
		}
		for k, c := range t.ByPlace {
			p := &places[k]
			p.Presentations += c.Presentations
			p.Accepted += c.Accepted
			p.Suspended += c.Suspended
			p.Other += c.Other
			p.CannotTell += c.CannotTell
			p.HolderPlastic += c.HolderPlastic
			p.NoIdentity += c.NoIdentity
		}
		for k := range holders {
			holders[k] += t.Holders[k]
			byAge[0][k] += t.ByAge[0][k]
			byAge[1][k] += t.ByAge[1][k]
		}
		for c, k := range t.IssuedAt {
			issuedAt[c] += int64(k)
		}
	}

	for k, c := range kinds {
		pending := c.Posted - c.Done - c.Abandoned
		n.Intents.Posted += c.Posted
		n.Intents.Done += c.Done
		n.Intents.Abandoned += c.Abandoned
		n.Intents.Pending += pending
		n.Intents.Open += open[k]
		n.Intents.ByKind = append(n.Intents.ByKind, reports.IntentKind{Kind: rollout.Intent(k).String(),
			Posted: c.Posted, Done: c.Done, Abandoned: c.Abandoned, Pending: pending, Open: open[k]})
	}
	tap, centre := int64(total.Issued[lifecycle.Tap]), int64(total.Issued[lifecycle.Counter])
	n.Issued = reports.Issued{Total: tap + centre, Tap: tap, Centre: centre, First: int64(total.First)}
	n.Holders = int64(total.Holders)
	n.Visits = reports.Visits{Count: visits(&total), Served: int64(total.Served),
		WaitP50: wait(&total.Wait, 0.5), WaitP95: wait(&total.Wait, 0.95), WaitMax: wait(&total.Wait, 1),
		Balked: int64(total.Balked), Reneged: int64(total.Reneged) + int64(total.Shut), SecondVisits: int64(total.SecondVisits),
		WrongCentre: int64(total.Refused[lifecycle.WrongCentre]), Waited: total.Waited, Queue: queue, Longest: longest(o)}
	n.Verification = reports.Verifications{
		Count: int64(total.Presentations), Accepted: int64(total.Accepted),
		RejectedSuspended: int64(total.RejectedSuspended), RejectedOther: int64(total.RejectedOther),
		FalseAccepts: int64(total.FalseAccepts), ExposureAccepts: int64(total.ExposureAccepts),
		UnreportedAccepts: int64(total.UnreportedAccepts), FalseRejects: int64(total.FalseRejects),
		TurnedAway: int64(total.CannotTell), Plastic: int64(total.HolderPlastic) + int64(total.Fallback),
		LatencyP50: latencyQuantile(&latency, 0.5), LatencyP95: latencyQuantile(&latency, 0.95), LatencyP99: latencyQuantile(&latency, 0.99),
	}
	n.Losses = reports.Losses{PlasticLost: int64(total.PlasticLost), PlasticReported: int64(total.ReportsPhysical),
		PlasticReleased: int64(total.ReleasesPhysical), PhonesLost: int64(total.PhonesLost),
		PhonesReported: int64(total.ReportsMobile), PhonesReleased: int64(total.ReleasesMobile), NewPhones: int64(total.NewPhones)}
	n.Face = reports.FaceChecks{Sessions: int64(total.FaceSessions), Failed: int64(total.FaceFailed), NewPhoto: int64(total.NewPhotos)}
	n.CardReissues = int64(total.Reissues)
	n.CardOrders = reports.CardOrders{Ordered: int64(total.CardOrders), Chip: int64(total.ChipOrders),
		Printed: int64(total.CardsPrinted), Handed: int64(total.CardsIssued),
		WaitP50: orderQuantile(&orders, 0.5), WaitP95: orderQuantile(&orders, 0.95)}
	n.FeeRevenue = total.FeeWon

	fillRegions(n, o, regions, byMunicipality)
	fillPhases(n, o, byMunicipality)
	for k, p := range m.Scenario.Demand.Places {
		row := reports.PlaceRow{Place: p.Name, Check: p.Check, Refresh: reports.None(), TTL: reports.None(),
			Count: places[k].Presentations, Accepted: places[k].Accepted, RejectedSuspended: places[k].Suspended,
			RejectedOther: places[k].Other, TurnedAway: places[k].CannotTell, Plastic: places[k].HolderPlastic}
		if p.Check == "cached" {
			row.Refresh, row.TTL = reports.Num(p.Refresh.Seconds()), reports.Num(p.TTL.Seconds())
		}
		n.ByPlace = append(n.ByPlace, row)
	}
	fillPeople(n, o, byAge, holders)
	fillPlaces(n, o, byMunicipality, issuedAt)
	fillSeries(n, o, regions, whole)
}

func latencyQuantile(h *[rollout.LatencyBuckets]int64, q float64) reports.Num {
	if i := bucketOf(h[:], q); i >= 0 {
		return reports.Num(rollout.LatencyEdge(i))
	}
	return reports.None()
}

// orderQuantile is in the middle of its six hours.
func orderQuantile(h *[rollout.OrderHours / 6]int64, q float64) reports.Num {
	if i := bucketOf(h[:], q); i >= 0 {
		return reports.Num((float64(i) + 0.5) * 6 * 3600)
	}
	return reports.None()
}

// bucketOf is the bucket of a histogram in which a quantile lies; -1 where
// nothing was counted.
func bucketOf(h []int64, q float64) int {
	var n, seen int64
	for _, k := range h {
		n += k
	}
	need := max(1, int64(q*float64(n)+0.5))
	for i, k := range h {
		if seen += k; seen >= need {
			return i
		}
	}
	return -1
}

func longest(o *rollout.Outcome) reports.LongestWait {
	out := reports.LongestWait{Wait: reports.None()}
	nation := o.Model.Nation
	var most int64 = -1
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		for d := range t.Day {
			if w := &t.Day[d].Wait; w.Count() > 0 && w.Max > most {
				most = w.Max
				mu := &nation.Municipalities[i]
				out = reports.LongestWait{Region: nation.Regions[mu.Region].ISO, Municipality: mu.NameEn,
					Date: date(o.Model.Cal.Date(d)), Wait: wait(w, 1)}
			}
		}
	}
	// Which of its centres it was.
	for i, t := range o.Tallies {
		if t == nil || nation.Municipalities[i].NameEn != out.Municipality {
			continue
		}
		for c := range t.ByCentre {
			if w := &t.ByCentre[c].Wait; w.Count() > 0 && w.Max == most {
				out.Centre = nation.Centres[nation.Municipalities[i].First+c].NameKo
			}
		}
	}
	return out
}

func fillRegions(n *reports.Nation, o *rollout.Outcome, regions [][]rollout.DayTally, byMunicipality []rollout.DayTally) {
	m, nation := o.Model, o.Model.Nation
	for r := range nation.Regions {
		if regions[r] == nil {
			continue
		}
		var t rollout.DayTally
		for d := range regions[r] {
			add(&t, &regions[r][d])
		}
		row := reports.RegionRow{Region: nation.Regions[r].ISO, Name: nation.Regions[r].NameEn, NameKo: nation.Regions[r].NameKo,
			Opens: regionOpens(m, nation.Regions[r].ISO), Issued: int64(t.Issued[0]) + int64(t.Issued[1]),
			Tap: int64(t.Issued[lifecycle.Tap]), Centre: int64(t.Issued[lifecycle.Counter]), Holders: int64(t.Holders),
			Visits: visits(&t), WaitP50: wait(&t.Wait, 0.5), WaitP95: wait(&t.Wait, 0.95), WaitMax: wait(&t.Wait, 1),
			Balked: int64(t.Balked), Reneged: int64(t.Reneged) + int64(t.Shut), SecondVisits: int64(t.SecondVisits), CardReissues: int64(t.Reissues)}
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
		n.ByRegion = append(n.ByRegion, row)
	}
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

func fillPhases(n *reports.Nation, o *rollout.Outcome, byMunicipality []rollout.DayTally) {
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
			x := &byMunicipality[i]
			row.Citizens += people(m, i)
			row.Tap += int64(x.Issued[lifecycle.Tap])
			row.Centre += int64(x.Issued[lifecycle.Counter])
			row.Holders += int64(x.Holders)
			for d := range t.Day {
				if int64(d+1)*86_400_000 <= from {
					row.Before += int64(t.Day[d].Issued[0]) + int64(t.Day[d].Issued[1])
				}
			}
		}
		row.Issued = row.Tap + row.Centre
		n.ByPhase = append(n.ByPhase, row)
	}
}

func people(m *rollout.Model, municipality int) (k int64) {
	mu := &m.Nation.Municipalities[municipality]
	for c := mu.First; c < mu.End; c++ {
		k += int64(m.Residents(c))
	}
	return k
}

func fillPeople(n *reports.Nation, o *rollout.Outcome, issued [2][rollout.AgeBands]int64, holders [rollout.AgeBands]int64) {
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
		row := reports.AgeRow{From: max(scenarios.FirstAge, (k+1)*10), To: (k+1)*10 + 9, Citizens: citizens[k],
			Tap: issued[lifecycle.Tap][k], Centre: issued[lifecycle.Counter][k], Holders: holders[k]}
		if k == rollout.AgeBands-1 {
			row.To = 0
		}
		row.Issued = row.Tap + row.Centre
		n.ByAge = append(n.ByAge, row)
	}
	for r := range nation.Regions {
		if !present(o, r) {
			continue
		}
		for b, k := range bands[r] {
			row := reports.PopulationRow{Region: nation.Regions[r].ISO, From: max(scenarios.FirstAge, (b+3)*5), To: (b+3)*5 + 4, Citizens: k}
			if row.From == scenarios.LastAge {
				row.To = 0
			}
			n.Population = append(n.Population, row)
		}
	}
}

func fillPlaces(n *reports.Nation, o *rollout.Outcome, byMunicipality []rollout.DayTally, issuedAt []int64) {
	m, nation := o.Model, o.Model.Nation
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		mu, x := &nation.Municipalities[i], &byMunicipality[i]
		opens := ""
		if at := m.Opens(i); at != rollout.Never {
			opens = date(m.Cal.Time(at))
		}
		n.Municipality = append(n.Municipality, reports.MunicipalRow{
			Code: mu.Code, Name: mu.NameEn, NameKo: mu.NameKo, Region: nation.Regions[mu.Region].ISO, Opens: opens, Citizens: people(m, i),
			Tap: int64(x.Issued[lifecycle.Tap]), Centre: int64(x.Issued[lifecycle.Counter]), Issued: int64(x.Issued[0]) + int64(x.Issued[1]),
			Holders: int64(x.Holders), Visits: visits(x),
			WaitP50: wait(&x.Wait, 0.5), WaitP95: wait(&x.Wait, 0.95), WaitMax: wait(&x.Wait, 1)})
		for k := range t.ByCentre {
			c := mu.First + k
			b := &t.ByCentre[k]
			n.ByCentre = append(n.ByCentre, reports.CentreRow{Code: nation.Centres[c].Code, Name: nation.Centres[c].NameKo,
				Municipality: mu.Code, Citizens: b.Citizens, Counters: int64(m.Counters(c)), Visits: b.Visits, Issued: issuedAt[c],
				WaitP95: wait(&b.Wait, 0.95), WaitMax: wait(&b.Wait, 1)})
		}
	}
}

func fillSeries(n *reports.Nation, o *rollout.Outcome, regions [][]rollout.DayTally, whole []rollout.DayTally) {
	nation := o.Model.Nation
	held := make([]int64, len(regions))
	var all int64
	for d := range whole {
		day := date(o.Model.Cal.Date(d))
		all += int64(whole[d].Holders)
		n.ByDay = append(n.ByDay, dayRow(day, "", &whole[d], all))
		for r := range regions {
			if regions[r] == nil {
				continue
			}
			held[r] += int64(regions[r][d].Holders)
			n.Series = append(n.Series, dayRow(day, nation.Regions[r].ISO, &regions[r][d], held[r]))
		}
	}
}

func dayRow(day, region string, t *rollout.DayTally, holders int64) reports.DayRow {
	return reports.DayRow{Date: day, Region: region, Wanted: int64(t.Wanted),
		IssuedTap: int64(t.Issued[lifecycle.Tap]), IssuedCentre: int64(t.Issued[lifecycle.Counter]), Holders: holders,
		Visits: visits(t), WaitP50: wait(&t.Wait, 0.5), WaitP95: wait(&t.Wait, 0.95), WaitMax: wait(&t.Wait, 1),
		Verifications: int64(t.Presentations), RejectedSuspended: int64(t.RejectedSuspended), RejectedOther: int64(t.RejectedOther),
		TurnedAway: int64(t.CannotTell), ReportsPhysical: int64(t.ReportsPhysical), ReportsMobile: int64(t.ReportsMobile),
		Releases: int64(t.ReleasesPhysical) + int64(t.ReleasesMobile), CardOrders: int64(t.CardOrders)}
}

func fillSuspension(s *reports.Suspension, o *rollout.Outcome) {
	var all []rollout.Exposure
	for _, t := range o.Tallies {
		if t == nil {
			continue
		}
		all = append(all, t.Exposure...)
		for d := range t.Day {
			s.Reports.Physical += int64(t.Day[d].ReportsPhysical)
			s.Reports.Mobile += int64(t.Day[d].ReportsMobile)
		}
	}
	column := func(of func(*rollout.Exposure) int64) []int64 {
		out := make([]int64, len(all))
		for i := range all {
			out[i] = max(0, of(&all[i]))
		}
		slices.Sort(out)
		return out
	}
	s.FromLoss = lastAcceptance(column(func(e *rollout.Exposure) int64 { return e.FromLoss }))
	s.FromSubmission = lastAcceptance(column(func(e *rollout.Exposure) int64 { return e.FromSubmission }))
	s.FromAcknowledgement = lastAcceptance(column(func(e *rollout.Exposure) int64 { return e.FromAck }))
	l := &o.Model.Scenario.StatusLists
	for k, p := range o.Model.Scenario.Demand.Places {
		times := column(func(e *rollout.Exposure) int64 { return e.ByKind[k] })
		c := reports.ExposureCurve{Verifier: p.Name, Check: p.Check, Since: "acknowledgement", Reports: int64(len(times)),
			Bound: reports.None(), P50: at(times, 0.5), P95: at(times, 0.95), Max: at(times, 1)}
		var sum int64
		for _, t := range times {
			sum += t
			if t > 0 {
				c.Accepted++
			}
		}
		if p.Check == "cached" {
			c.Bound = reports.Num((l.PublishInterval + p.TTL + l.Allowance).Seconds())
		}
		c.Points = points(times)
		s.Curves = append(s.Curves, c)
		s.FromAcknowledgement.ByVerifier[p.Name] = reports.Num(float64(sum) / 1000)
	}
}

func lastAcceptance(sorted []int64) reports.LastAcceptance {
	a := reports.LastAcceptance{Count: int64(len(sorted)), P50: at(sorted, 0.5), P95: at(sorted, 0.95), Max: at(sorted, 1),
		ByVerifier: map[string]reports.Num{}}
	for _, t := range sorted {
		if t > 0 {
			a.Accepted++
		}
	}
	return a
}

// at is a quantile of sorted milliseconds, in seconds.
func at(sorted []int64, q float64) reports.Num {
	if len(sorted) == 0 {
		return reports.None()
	}
	return reports.Num(float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]) / 1000)
}

// points is the cumulative curve at twenty-one shares.
func points(sorted []int64) []reports.ExposurePoint {
	out := []reports.ExposurePoint{}
	for i := range 21 {
		if len(sorted) == 0 {
			break
		}
		q := float64(i) / 20
		p := reports.ExposurePoint{T: at(sorted, q), Share: reports.Num(q)}
		if k := len(out) - 1; k >= 0 && out[k].T == p.T {
			out[k] = p
			continue
		}
		out = append(out, p)
	}
	return out
}

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
