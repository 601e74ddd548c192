package statistics

import (
	"slices"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

func fillSuspension(s *reports.Suspension, o *rollout.Outcome, x *sums) {
	var all []rollout.Exposure
	for _, t := range o.Tallies {
		if t != nil {
			all = append(all, t.Exposure...)
		}
	}
	s.Reports.Physical, s.Reports.Mobile = x.all.ReportsPhysical, x.all.ReportsMobile
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
