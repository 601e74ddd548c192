package reports

import (
	"fmt"
	"math"
	"time"
)

// sample makes a result whose figures are invented, to show form: they follow
// simple formulas and say nothing about anything.
func sample(regions []RegionRow, start time.Time, days int, fault bool) *Result {
	at := func(i int) string { return start.AddDate(0, 0, i).Format(time.DateOnly) }
	noise := func(keys ...int) float64 { // 0 to 1, from nothing but the keys
		h := uint64(14695981039346656037)
		for _, k := range keys {
			h = (h ^ uint64(k)) * 1099511628211
			h ^= h >> 29
		}
		return float64(h>>11) / (1 << 53)
	}
	r := &Result{Meta: Meta{
		Scenario: "sample", Title: "A sample rollout", Description: "Invented figures that show the form of the report.",
		Start: at(0), End: at(days - 1), WholeNation: len(regions) == 17, PanelAsked: 2000, AnyCentre: at(days * 5 / 6),
		InputsSHA256: "5f0c2d9b1a7e4c3f8d6b0a9e7c5d3f1b2a4968c7e0d1f3b5a79c8e6d4b2f0a13", Seed: 1, Version: "0.0.0-sample",
		Command: "rollcall run sample --seed 1", Started: "2025-05-01T10:00:00Z",
		Host: Host{WallSeconds: 48.2, Events: 310_000_000, EventsPerSecond: 8_310_000.5, PeakRSSBytes: 2_040_109_465, Workers: 2, Engine: "fast", CPU: "a processor", OS: "linux/amd64", Fsyncs: 812, Batches: 611},
	}}
	for i := range days {
		if wd := start.AddDate(0, 0, i).Weekday(); wd == time.Saturday || wd == time.Sunday {
			r.Meta.Closed = append(r.Meta.Closed, at(i))
		}
	}
	closed := func(i int) bool { wd := start.AddDate(0, 0, i).Weekday(); return wd == 0 || wd == 6 }

	n := &r.Nation
	ages := []AgeRow{{From: 17, To: 19}, {From: 20, To: 39}, {From: 40, To: 64}, {From: 65}}
	holders := make([]float64, len(regions))
	for i := range days {
		all := DayRow{Date: at(i), WaitP50: None(), WaitP95: None(), WaitMax: None()}
		for j, g := range regions {
			row := DayRow{Date: at(i), Region: g.Region, WaitP50: None(), WaitP95: None(), WaitMax: None()}
			opened := 0
			for opened < days && at(opened) < g.Opens {
				opened++
			}
			age := i - opened
			if age >= 0 {
				rate := float64(g.Citizens) * 0.0006 * (0.4 + 2.2*math.Exp(-float64(age)/9)) * (0.7 + 0.6*noise(i, j))
				row.Wanted = int64(rate * 1.1)
				row.IssuedTap = int64(rate * 0.25 * float64(i) / float64(days))
				if !closed(i) {
					row.IssuedCentre = int64(rate * 0.75)
				}
			}
			if !closed(i) {
				row.Visits = row.IssuedCentre*11/10 + g.Citizens/4000
				load := float64(row.IssuedCentre) / float64(g.Citizens) * 1000
				row.WaitP50 = Num(math.Round(40 + 400*load*noise(i, j, 1)))
				row.WaitP95 = Num(math.Round(200 + 3200*load*(0.5+noise(i, j, 2))))
				row.WaitMax = Num(math.Round(float64(row.WaitP95) * 1.7))
			}
			holders[j] += float64(row.IssuedTap + row.IssuedCentre)
			row.Holders = int64(holders[j] * 0.98)
			row.Verifications = row.Holders * 3 / 10
			row.RejectedSuspended = row.Verifications / 900
			row.RejectedOther = row.Verifications / 2500
			if fault && i == days*3/4 {
				row.TurnedAway = row.Verifications / 5
			}
			row.ReportsPhysical = g.Citizens / 12000
			row.ReportsMobile = row.Holders / 4000
			row.Releases = row.ReportsPhysical / 12
			row.CardOrders = g.Citizens / 5000
			n.Series = append(n.Series, row)
			all.Wanted += row.Wanted
			all.IssuedTap += row.IssuedTap
			all.IssuedCentre += row.IssuedCentre
			all.Holders += row.Holders
			all.Visits += row.Visits
			all.Verifications += row.Verifications
			all.RejectedSuspended += row.RejectedSuspended
			all.RejectedOther += row.RejectedOther
			all.TurnedAway += row.TurnedAway
			all.ReportsPhysical += row.ReportsPhysical
			all.ReportsMobile += row.ReportsMobile
			all.Releases += row.Releases
			all.CardOrders += row.CardOrders
			if row.WaitMax.Known() && !(all.WaitMax >= row.WaitMax) {
				all.WaitP50, all.WaitP95, all.WaitMax = row.WaitP50, row.WaitP95, row.WaitMax
			}
			g := &regions[j]
			g.Tap += row.IssuedTap
			g.Centre += row.IssuedCentre
			g.Issued = g.Tap + g.Centre
			g.Holders = row.Holders
			g.Visits += row.Visits
			if row.WaitMax.Known() && row.WaitMax > g.WaitMax {
				g.WaitP50, g.WaitP95, g.WaitMax = row.WaitP50, row.WaitP95, row.WaitMax
				if row.WaitMax > n.Visits.WaitMax {
					n.Visits.WaitMax = row.WaitMax
					n.Visits.Longest = LongestWait{Region: g.Region, Municipality: "Sample-gu", Centre: "견본동", Date: row.Date, Wait: row.WaitMax}
				}
			}
			n.Verification.Count += row.Verifications
			n.Verification.RejectedSuspended += row.RejectedSuspended
			n.Verification.RejectedOther += row.RejectedOther
			n.Verification.TurnedAway += row.TurnedAway
			n.Losses.PlasticReported += row.ReportsPhysical
			n.Losses.PhonesReported += row.ReportsMobile
		}
		n.ByDay = append(n.ByDay, all)
	}
	n.Events = 9_876_543
	phases := map[string]*PhaseRow{}
	for j := range regions {
		g := &regions[j]
		g.Centres, g.Counters = g.Citizens/15000+1, g.Citizens/6000+1
		g.Balked, g.Reneged, g.SecondVisits, g.CardReissues = g.Visits/400, g.Visits/300, g.Visits/50, g.Citizens/2000
		r.Meta.Regions = append(r.Meta.Regions, g.Region)
		n.Citizens += g.Citizens
		n.Issued.Tap += g.Tap
		n.Issued.Centre += g.Centre
		n.Holders += g.Holders
		n.Visits.Count += g.Visits
		n.Visits.Balked += g.Balked
		n.Visits.Reneged += g.Reneged
		n.Visits.SecondVisits += g.SecondVisits
		n.CardReissues += g.CardReissues
		if phases[g.Opens] == nil {
			phases[g.Opens] = &PhaseRow{From: g.Opens}
		}
		ph := phases[g.Opens]
		ph.Citizens += g.Citizens
		ph.Issued += g.Issued
		ph.Tap += g.Tap
		ph.Centre += g.Centre
		ph.Holders += g.Holders
		for k := range ages {
			share := []int64{3, 27, 45, 25}[k]
			ages[k].Citizens += g.Citizens * share / 100
			ages[k].Tap += g.Tap * share / 100
			ages[k].Centre += g.Centre * share / 100
			ages[k].Issued = ages[k].Tap + ages[k].Centre
			ages[k].Holders += g.Holders * share / 100
			n.Population = append(n.Population, PopulationRow{g.Region, ages[k].From, ages[k].To, g.Citizens * share / 100})
		}
		n.Municipality = append(n.Municipality, MunicipalRow{Code: fmt.Sprintf("%05d", 10000+j), Name: "Sample-gu", NameKo: "견본구", Region: g.Region, Opens: g.Opens, Citizens: g.Citizens, Issued: g.Issued, Tap: g.Tap, Centre: g.Centre, Holders: g.Holders, Visits: g.Visits, WaitP50: g.WaitP50, WaitP95: g.WaitP95, WaitMax: g.WaitMax})
		n.ByCentre = append(n.ByCentre, CentreRow{Code: fmt.Sprintf("%010d", 1000000000+j), Name: "견본동", Municipality: fmt.Sprintf("%05d", 10000+j), Citizens: g.Citizens, Counters: g.Counters, Visits: g.Visits, Issued: g.Centre, WaitP95: g.WaitP95, WaitMax: g.WaitMax})
	}
	for i := range days {
		if ph := phases[at(i)]; ph != nil {
			ph.Phase = fmt.Sprint("phase ", len(n.ByPhase))
			n.ByPhase = append(n.ByPhase, *ph)
		}
	}
	n.ByRegion, n.ByAge = regions, ages
	n.Exclusion = sampleExclusion(regions, ages)
	n.Issued.Total = n.Issued.Tap + n.Issued.Centre
	n.Issued.First = n.Issued.Total * 98 / 100
	n.ChipCards = n.Citizens / 60
	n.Visits.Served = n.Visits.Count - n.Visits.Balked - n.Visits.Reneged
	n.Visits.WaitP50, n.Visits.WaitP95 = 118, 846
	v := &n.Verification
	v.Accepted = v.Count - v.RejectedSuspended - v.RejectedOther - v.TurnedAway
	v.ExposureAccepts, v.UnreportedAccepts, v.Plastic = 311, 87, v.Count/5
	v.LatencyP50, v.LatencyP95, v.LatencyP99 = 14.2, 38.9, 91
	n.Losses.PlasticLost, n.Losses.PhonesLost = n.Losses.PlasticReported*5/4, n.Losses.PhonesReported*5/4
	n.Losses.PlasticReleased, n.Losses.PhonesReleased, n.Losses.NewPhones = n.Losses.PlasticReported/20, n.Losses.PhonesReported/2, n.Holders/300
	n.Face = FaceChecks{Sessions: n.Issued.Total * 103 / 100, Failed: n.Issued.Total / 60, NewPhoto: n.Issued.Total / 400}
	n.CardOrders = CardOrders{Ordered: 41000, Chip: 20100, Printed: 35000, Handed: 32500, WaitP50: 12.5 * 86400, WaitP95: 19 * 86400}
	n.FeeRevenue = 312_450_000
	for i, k := range []string{"issue", "report", "release", "card"} {
		x := IntentKind{Kind: k, Done: int64(40000 / (i + 1)), Abandoned: int64(900 / (i + 1)), Pending: int64(1200 / (i + 1))}
		x.Posted = x.Done + x.Abandoned + x.Pending
		n.Intents.Posted += x.Posted
		n.Intents.Done += x.Done
		n.Intents.Abandoned += x.Abandoned
		n.Intents.Pending += x.Pending
		x.Open = x.Pending
		n.Intents.Open += x.Open
		n.Intents.ByKind = append(n.Intents.ByKind, x)
	}

	places := []struct {
		name    string
		refresh Num
		ttl     Num
	}{{"office", None(), None()}, {"bank", 3600, 12 * 3600}, {"hospital", 3600, 86400}, {"airport", 900, 3600}, {"shop", 86400, 86400}, {"online", None(), None()}}
	for i, p := range places {
		share := v.Count * int64(i+2) / 27
		row := PlaceRow{Place: p.name, Check: "online", Refresh: p.refresh, TTL: p.ttl, Count: share, RejectedSuspended: share / 900, RejectedOther: share / 2500, TurnedAway: v.TurnedAway * int64(i+2) / 27, Plastic: share / 5}
		if p.ttl.Known() {
			row.Check = "cached"
		}
		row.Accepted = share - row.RejectedSuspended - row.RejectedOther - row.TurnedAway
		n.ByPlace = append(n.ByPlace, row)
		for _, since := range moments {
			c := ExposureCurve{Verifier: p.name, Check: row.Check, Since: since, Reports: int64(900 / (i + 1)), Bound: None()}
			reach := map[string]float64{"acknowledgement": 0, "submission": 3 * 3600, "loss": 40 * 3600}[since]
			if p.ttl.Known() {
				reach += float64(p.ttl)
			}
			if since == "acknowledgement" {
				c.Bound = Num(reach + 600)
			}
			share0 := 0.86 - 0.05*float64(i)
			if reach == 0 {
				share0 = 1
			}
			c.Points = append(c.Points, ExposurePoint{0, Num(share0)})
			for k := 1; k <= 12 && reach > 0; k++ {
				c.Points = append(c.Points, ExposurePoint{Num(math.Round(reach * math.Pow(float64(k)/12, 2))), Num(share0 + (1-share0)*float64(k)/12)})
			}
			c.Accepted = int64(float64(c.Reports) * (1 - share0))
			c.P50, c.P95, c.Max = 0, Num(math.Round(reach*0.45)), Num(reach)
			r.Suspension.Curves = append(r.Suspension.Curves, c)
		}
	}
	s := &r.Suspension
	s.Reports = Reports{n.Losses.PlasticReported, n.Losses.PhonesReported}
	last := func(max Num) LastAcceptance {
		return LastAcceptance{Count: s.Reports.Physical + s.Reports.Mobile, Accepted: 311, P50: 0, P95: max / 3, Max: max, ByVerifier: map[string]Num{"bank": 912345, "hospital": 401, "airport": 77, "shop": 120000, "office": 0, "online": 0}}
	}
	s.FromLoss, s.FromSubmission, s.FromAcknowledgement = last(64*3600), last(27*3600), last(86400)
	s.ByProperty = Properties{}
	for i, p := range PropertyNames {
		s.ByProperty[p] = Property{Opportunities: int64(120000 / (i*i + 1))}
	}

	if fault {
		day := start.AddDate(0, 0, days*3/4)
		kst := time.FixedZone("KST", 9*3600)
		from := time.Date(day.Year(), day.Month(), day.Day(), 9, 0, 0, 0, kst)
		f := Recovery{
			Fault: "six hours down", Kind: "down", Nodes: []string{"gateway", "face"}, From: from.Format(time.RFC3339), Until: from.Add(6 * time.Hour).Format(time.RFC3339),
			Touched: 48210, Detected: 34, Restored: 21605, Drain: 4*3600 + 720, RetryAmplification: 3.42, RetriesMachine: 2.61, RetriesPeople: 1.31,
			GoodputBefore: 9120, GoodputDuring: 2410, GoodputAfter: 11020.5, TurnedAway: v.TurnedAway,
			TurnedAwayByPlace: []TurnedAway{{"office", v.TurnedAway / 3}, {"online", v.TurnedAway - v.TurnedAway/3}},
			Functions: Functions{
				Issuance: Function{Attempts: 30000}, OnlineVerification: Function{Attempts: 18000, Succeeded: 12},
				OfflineVerification: Function{Works: true, Attempts: 52000, Succeeded: 51990}, Suspension: Function{},
			},
		}
		backlog := 300.0
		for k := range 48 {
			t := from.Add(time.Duration(k-9) * time.Hour)
			day := math.Max(0, math.Sin(float64(t.Hour()-7)/12*math.Pi))
			p := RecoveryPoint{T: t.Format(time.RFC3339), GoodputTwin: int64(900 + 9000*day), BacklogTwin: int64(200 + 1500*day)}
			p.Goodput, p.Backlog = p.GoodputTwin, p.BacklogTwin
			if k >= 9 && k < 15 {
				backlog += 5200 * day
				p.Goodput = p.GoodputTwin / 4
				p.Backlog = int64(backlog)
				p.RetriesMachine, p.RetriesPeople = int64(14000*day), int64(3800*day)
			} else if k >= 15 && k < 20 {
				backlog *= 0.45
				p.Goodput = p.GoodputTwin + int64(backlog/3)
				p.Backlog = p.BacklogTwin + int64(backlog)
				p.RetriesPeople = int64(backlog / 8)
			}
			f.Timeline = append(f.Timeline, p)
		}
		r.Recovery = []Recovery{f}
	}

	r.Panel = &Panel{Citizens: 2000, Operations: 31200, Issued: 2140, Presentations: 22040, Reports: 1210, Releases: 301, APDUs: 41020, SignaturesMade: 8344, SignaturesVerified: 10000, Commits: 5120, StatusLists: 2592, TrajectoriesEqual: 2000,
		Restart: Restart{At: at(days/2) + "T12:00:00+09:00", InFlight: 3, Acknowledged: 2601}}
	r.Agreement = []Agreement{
		{Metric: "issued per citizen", Nation: 1.07, Panel: 1.07, Live: None(), Margin: 0, Agrees: true},
		{Metric: "online check, p95 in ms", Nation: 38.9, Panel: 37.25, Live: None(), Margin: 5, Agrees: true},
	}
	r.Expectations = []Expectation{
		{Text: "suspension.violations == 0", Value: 0, Holds: true, Standing: true},
		{Text: "panel.trajectories_equal == panel.citizens", Value: 2000, Holds: true, Standing: true},
		{Text: "nation.intents.posted == nation.intents.done + nation.intents.abandoned + nation.intents.pending", Value: Num(n.Intents.Posted), Holds: true, Standing: true},
		{Text: "nation.visits.wait_p95_s < 20m", Value: 846, Holds: true},
	}
	r.Trust = Trust{
		Assumptions: []Assumption{
			{"adoption.level", "4%", "A", "order of magnitude of the pilot municipalities", "1%", "30%", true},
			{"centres.counter_share", "25%", "A", "one official in four serves this business", "10%", "50%", true},
			{"centres.issue_service.mean", "6m", "A", "", "3m", "12m", false},
			{"cards.fee_chip", "5000 KRW", "S", "announcement of 2024-12-26", "", "", false},
		},
		NeverValidated: []string{"Waits at centres: no figure was ever published.", "The share of failed face matches at issuance.", "How long a lost card is used before its owner notices."},
		Sources:        []string{"Registered population: Ministry of the Interior and Safety, jumin.mois.go.kr"},
	}
	return r
}

// sampleExclusion is invented: one resident in 250 wants a card, the old have fewer
// phones.
func sampleExclusion(regions []RegionRow, ages []AgeRow) (x Exclusion) {
	phones := []string{"none", "without_nfc", "nfc"}
	x.ByAge, x.ByPhone = make([]ExclusionRow, len(ages)), make([]ExclusionRow, len(phones))
	for j, g := range regions {
		region := ExclusionRow{Region: g.Region}
		for k, age := range ages {
			x.ByAge[k].From, x.ByAge[k].To = age.From, age.To
			for f, phone := range phones {
				x.ByPhone[f].Phone = phone
				cell := ExclusionRow{Region: g.Region, From: age.From, To: age.To, Phone: phone}
				without := int64(1 + 4*k*k)
				cell.Citizens = g.Citizens * []int64{3, 27, 45, 25}[k] / 100 * []int64{without, 5, 95 - without}[f] / 100
				cell.Wanted = cell.Citizens / 250
				cell.NotWanted = cell.Citizens - cell.Wanted
				switch w := cell.Wanted; f {
				case 0:
					cell.NoPhone = w
				case 1:
					cell.GaveUpNoNFC, cell.NoPlastic, cell.FaceFailed = w/20, w/40, int64(k)*w/200
				default:
					cell.GaveUpNoChip, cell.GaveUp, cell.NoPlastic, cell.FaceFailed = w*int64(j+1)/90, w/300, w/40, int64(k)*w/200
					cell.Refused, cell.NotOpen = w/400, w/300
				}
				for _, r := range exclusionReasons {
					cell.Excluded += *r.of(&cell)
				}
				cell.Pending = (cell.Wanted - cell.Excluded) / 9
				cell.Got = cell.Wanted - cell.Excluded - cell.Pending
				for _, row := range []*ExclusionRow{&x.ByAge[k], &x.ByPhone[f], &region, &x.Total} {
					row.Citizens, row.NotWanted, row.Wanted, row.Got = row.Citizens+cell.Citizens, row.NotWanted+cell.NotWanted, row.Wanted+cell.Wanted, row.Got+cell.Got
					row.Pending, row.Excluded = row.Pending+cell.Pending, row.Excluded+cell.Excluded
					for _, r := range exclusionReasons {
						*r.of(row) += *r.of(&cell)
					}
				}
				x.Cells = append(x.Cells, cell)
			}
		}
		x.ByRegion = append(x.ByRegion, region)
	}
	return x
}

// small is three regions and twelve days, for golden files; violations shows
// how failure looks.
func small() *Result {
	return sample([]RegionRow{
		{Region: "KR-50", Name: "Sejong", NameKo: "세종특별자치시", Opens: "2025-03-06", Citizens: 306853},
		{Region: "KR-49", Name: "Jeju", NameKo: "제주특별자치도", Opens: "2025-03-10", Citizens: 572182},
		{Region: "KR-29", Name: "Gwangju & <friends>", NameKo: "광주광역시", Opens: "2025-03-14", Citizens: 1214944},
	}, time.Date(2025, 3, 6, 0, 0, 0, 0, time.UTC), 12, true)
}

// failing is small with everything in it that can go wrong.
func failing() *Result {
	r := small()
	r.Suspension.ByProperty["S3"] = Property{Opportunities: 4200, Violations: 2}
	r.Suspension.ByProperty["E4"] = Property{}
	r.Suspension.Violations = 2
	r.Panel.TrajectoriesEqual--
	r.Panel.TrajectoriesDifferent = []Trajectory{{Citizen: 4120077, Step: 1, Nation: []string{"2025-03-14 09:12 tap: issued", "2025-03-15 11:00 bank: refused, suspended"}, Panel: []string{"2025-03-14 09:12 tap: issued", "2025-03-15 11:00 bank: accepted"}}}
	r.Expectations[0].Holds, r.Expectations[0].Value = false, 2
	r.Expectations = append(r.Expectations, Expectation{Text: "recovery[0].drain_s < 45m", Value: None()})
	r.Recovery[0].Drain, r.Recovery[0].LostAcknowledged = None(), 4
	return r
}

// siteLost is small after a fire that took the register's site.
func siteLost() *Result {
	r := small()
	r.Panel.Lost = &PanelLoss{Declared: 61, Refused: 9, Accepted: 3}
	f := &r.Recovery[0]
	f.Kind, f.LostAcknowledged = "site-lost", 3240
	f.Loss = &Loss{Copy: "2025-03-14T01:00:00+09:00", Serves: "2025-03-14T15:10:00+09:00", Back: "2025-03-16T09:00:00+09:00", Window: 28800,
		Acknowledged: LossByKind{Issuances: 1810, Cards: 640, Reports: 590, Releases: 200}, People: 3011, Refused: 412, Accepted: 96, Misused: 7,
		ByPlace: []LossPlace{{"office", 130, 31, 2}, {"bank", 0, 65, 5}, {"online", 282, 0, 0}},
		Exposed: LossTimes{590, 9000, 86400, 150600}, Unusable: LossTimes{2010, 150600, 150600, 150600}, Again: 170, NotTaken: 21, Usable: 1990}
	return r
}

// large is the whole nation from the pilot to the end.
func large(fault bool) *Result {
	var rows []RegionRow
	for _, g := range []struct {
		code, name, opens string
		citizens          int64
	}{
		{"KR-11", "Seoul", "2025-03-14", 8367050}, {"KR-26", "Busan", "2025-03-14", 2905698}, {"KR-27", "Daegu", "2025-02-14", 2071408},
		{"KR-28", "Incheon", "2025-02-28", 2618962}, {"KR-29", "Gwangju", "2025-03-14", 1214944}, {"KR-30", "Daejeon", "2025-02-14", 1251719},
		{"KR-31", "Ulsan", "2025-02-14", 945673}, {"KR-50", "Sejong", "2024-12-27", 306853}, {"KR-41", "Gyeonggi", "2025-02-28", 11758586},
		{"KR-42", "Gangwon", "2025-02-14", 1345350}, {"KR-43", "North Chungcheong", "2025-02-28", 1389658}, {"KR-44", "South Chungcheong", "2025-02-28", 1851466},
		{"KR-45", "Jeonbuk", "2025-02-14", 1533609}, {"KR-46", "South Jeolla", "2025-02-14", 1579448}, {"KR-47", "North Gyeongsang", "2025-02-14", 2245138},
		{"KR-48", "South Gyeongsang", "2025-02-14", 2807532}, {"KR-49", "Jeju", "2025-02-14", 572182},
	} {
		rows = append(rows, RegionRow{Region: g.code, Name: g.name, NameKo: koreanNames[g.code], Opens: g.opens, Citizens: g.citizens})
	}
	return sample(rows, time.Date(2024, 12, 27, 0, 0, 0, 0, time.UTC), 108, fault)
}

var koreanNames = map[string]string{
	"KR-11": "서울특별시",
	"KR-26": "부산광역시",
	"KR-27": "대구광역시",
	"KR-28": "인천광역시",
	"KR-29": "광주광역시",
	"KR-30": "대전광역시",
	"KR-31": "울산광역시",
	"KR-41": "경기도",
	"KR-42": "강원특별자치도",
	"KR-43": "충청북도",
	"KR-44": "충청남도",
	"KR-45": "전북특별자치도",
	"KR-46": "전라남도",
	"KR-47": "경상북도",
	"KR-48": "경상남도",
	"KR-49": "제주특별자치도",
	"KR-50": "세종특별자치시",
}
