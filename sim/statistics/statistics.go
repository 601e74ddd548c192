// Package statistics turns what a run counted (rollout.Outcome) into the
// figures of the result (reports.Result): sums, quantiles, shares, recovery
// beside the fault-free twin. It decides nothing and draws nothing; whatever
// engine counted, the figures are the same.
package statistics

import (
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

// Fill writes the nation's figures into a result. twin is the same run without
// its faults; nil where there were none.
func Fill(r *reports.Result, o, twin *rollout.Outcome) {
	s := sumUp(o)
	fillMeta(&r.Meta, o)
	fillNation(&r.Nation, o, s)
	fillSuspension(&r.Suspension, o, s)
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

func fillNation(n *reports.Nation, o *rollout.Outcome, s *sums) {
	t := &s.all
	n.Citizens, n.Events, n.ChipCards = o.Citizens, s.Events, s.ChipCards
	for k, c := range s.Intents {
		pending := c.Posted - c.Done - c.Abandoned
		n.Intents.Posted += c.Posted
		n.Intents.Done += c.Done
		n.Intents.Abandoned += c.Abandoned
		n.Intents.Pending += pending
		n.Intents.Open += s.Open[k]
		n.Intents.ByKind = append(n.Intents.ByKind, reports.IntentKind{Kind: rollout.Intent(k).String(),
			Posted: c.Posted, Done: c.Done, Abandoned: c.Abandoned, Pending: pending, Open: s.Open[k]})
	}
	tap, centre := t.Issued[lifecycle.Tap], t.Issued[lifecycle.Counter]
	n.Issued = reports.Issued{Total: tap + centre, Tap: tap, Centre: centre, First: t.First}
	n.Holders = t.Holders
	n.Visits = reports.Visits{Count: visits(t), Served: t.Served,
		WaitedShare: share(t.Delayed-t.OtherDelayed, t.Served), WaitMean: mean(&t.Wait),
		WaitP50: wait(&t.Wait, 0.5), WaitP95: wait(&t.Wait, 0.95), WaitMax: wait(&t.Wait, 1),
		Balked: t.Balked, Reneged: t.Reneged + t.Shut, SecondVisits: t.SecondVisits,
		WrongCentre: t.Refused[lifecycle.WrongCentre], Waited: t.Waited, Queue: s.queue, Longest: longest(o)}
	n.Other = reports.OtherBusiness{Count: t.OtherServed + t.OtherLeft, Served: t.OtherServed, Left: t.OtherLeft,
		WaitedShare: share(t.OtherDelayed, t.OtherServed), WaitMean: mean(&s.OtherWait),
		WaitP50: wait(&s.OtherWait, 0.5), WaitP95: wait(&s.OtherWait, 0.95), WaitMax: wait(&s.OtherWait, 1)}
	n.Verification = reports.Verifications{Count: t.Presentations, Accepted: t.Accepted,
		RejectedSuspended: t.RejectedSuspended, RejectedOther: t.RejectedOther,
		FalseAccepts: t.FalseAccepts, ExposureAccepts: t.ExposureAccepts,
		UnreportedAccepts: t.UnreportedAccepts, FalseRejects: t.FalseRejects,
		TurnedAway: t.CannotTell, Plastic: t.HolderPlastic + t.Fallback,
		LatencyP50: latency(s.Latency[:], 0.5), LatencyP95: latency(s.Latency[:], 0.95), LatencyP99: latency(s.Latency[:], 0.99)}
	n.Losses = reports.Losses{PlasticLost: t.PlasticLost, PlasticReported: t.ReportsPhysical, PlasticReleased: t.ReleasesPhysical,
		PhonesLost: t.PhonesLost, PhonesReported: t.ReportsMobile, PhonesReleased: t.ReleasesMobile, NewPhones: t.NewPhones}
	n.Face = reports.FaceChecks{Sessions: t.FaceSessions, Failed: t.FaceFailed, NewPhoto: t.NewPhotos}
	n.CardReissues = t.Reissues
	n.CardOrders = reports.CardOrders{Ordered: t.CardOrders, Chip: t.ChipOrders, Printed: t.CardsPrinted, Handed: t.CardsIssued,
		WaitP50: order(s.OrderWait[:], 0.5), WaitP95: order(s.OrderWait[:], 0.95)}
	n.FeeRevenue = t.FeeWon

	n.ByRegion = byRegion(o, s)
	n.ByPhase = byPhase(o, s)
	n.ByPlace = byPlace(o, s)
	n.ByAge, n.Population = byAge(o, s)
	n.Exclusion = exclusion(o, s)
	n.Municipality, n.ByCentre = byMunicipality(o, s)
	n.ByDay, n.Series = byDay(o, s)
}
