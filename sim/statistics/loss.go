package statistics

import (
	"slices"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

// loss is what came of changes that the stand-by site did not know.
func loss(o *rollout.Outcome) *reports.Loss {
	m := o.Model
	copied, on, back, _ := m.Standby()
	at := func(ms int64) string { return m.Cal.Time(ms).Format(time.RFC3339) }
	lost := m.Since(m.Scenario.LostSite().At.Time)
	l := &reports.Loss{Copy: at(copied), Serves: at(on), Back: at(back), Window: reports.Num(float64(lost-copied) / 1000)}
	for _, p := range m.Scenario.Demand.Places {
		l.ByPlace = append(l.ByPlace, reports.LossPlace{Place: p.Name})
	}
	var unusable, exposed []int64
	for _, t := range o.Tallies {
		if t == nil {
			continue
		}
		x := t.Loss
		l.Acknowledged.Issuances += x.Acknowledged[rollout.LostIssuance]
		l.Acknowledged.Cards += x.Acknowledged[rollout.LostCard]
		l.Acknowledged.Reports += x.Acknowledged[rollout.LostReport]
		l.Acknowledged.Releases += x.Acknowledged[rollout.LostRelease]
		l.People += x.People
		l.Again += x.Again
		l.NotTaken += x.NotTaken
		l.Usable += x.Usable
		for k := range l.ByPlace {
			p := &l.ByPlace[k]
			p.Refused += x.Refused[k]
			p.Accepted += x.Accepted[k]
			p.Misused += x.Misused[k]
		}
		unusable, exposed = append(unusable, x.Unusable...), append(exposed, x.Exposed...)
	}
	for _, p := range l.ByPlace {
		l.Refused += p.Refused
		l.Accepted += p.Accepted
		l.Misused += p.Misused
	}
	l.Unusable, l.Exposed = lossTimes(unusable), lossTimes(exposed)
	return l
}

func lossTimes(ms []int64) reports.LossTimes {
	slices.Sort(ms)
	return reports.LossTimes{Cards: int64(len(ms)), P50: at(ms, 0.5), P95: at(ms, 0.95), Max: at(ms, 1)}
}
