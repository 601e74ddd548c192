package rollout

import (
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Purpose is what a visit is for; other business comes too.
type Purpose uint8

// The purposes.
const (
	ToIssue Purpose = iota
	ToOrder
	ToCollect
	ToReport
	OtherBusiness
)

// Visit is one on its way to a centre.
type Visit struct {
	Citizen  uint32
	Home     int32 // municipality
	Centre   int32
	Purpose  Purpose
	From     Process
	Booked   bool // has an appointment, on another day than that on which they meant to come
	Arrive   int64
	Service  int64
	Deadline int64 // leaves if not served by then
}

// VisitEnd is how a visit ended.
type VisitEnd uint8

// The ends of a visit.
const (
	Served VisitEnd = iota
	Balked
	Reneged
	Shut
)

// VisitResult tells the citizen.
type VisitResult struct {
	Citizen uint32
	Home    int32
	Centre  int32
	Purpose Purpose
	From    Process
	End     VisitEnd
	At      int64 // when the counter was done, or they left
}

// visit announces a visit: some open days later, at a time of day when people come,
// at the nearest centre, another of the municipality, or elsewhere.
func (m *Model) visit(p *Place, c *Citizen, at int64, purpose Purpose, from Process, mean int64) {
	k := uint32(c.nVisit)
	c.nVisit++
	w := m.Source.Draw(c.ID, population.ForVisit, k*4)
	// People count in days on which the centre is open: a closed weekend does not
	// fall upon Monday as a whole.
	delay := after(w[0], mean)
	d := m.Cal.openDay(m.Cal.Day(at + delay%day))
	for range delay / day {
		d = m.Cal.openDay(d + 1)
	}
	arrive := m.arrival(d, max(p.Earliest, at), rng.Uniform(w[1]))
	x := m.Source.Draw(c.ID, population.ForVisit, k*4+1)
	v := Visit{
		Citizen: c.ID, Home: int32(p.Municipality), Purpose: purpose, From: from, Arrive: arrive,
		Centre:   m.chooseCentre(p, c, arrive, purpose, w[2], w[3], k),
		Service:  m.service[purpose].draw(x[0]),
		Deadline: arrive + after(x[1], m.Scenario.Centres.Patience.Milliseconds()),
	}
	if arrive < m.End {
		p.Visits = append(p.Visits, v)
	}
}

// arrival is when somebody comes who means to on day d, and not before an instant: in
// what is left of that day's opening hours, or else on the next open day. The more
// of the day is gone, the closer together those come who make up their minds on it.
func (m *Model) arrival(d int, earliest int64, u float64) int64 {
	for {
		gone := m.Cal.visitShare(earliest - int64(d)*day)
		if gone < 1 {
			u = min(gone+(1-gone)*u, 1-1e-12)
			return max(earliest, int64(d)*day+m.Cal.visitTime(u))
		}
		d = m.Cal.openDay(d + 1)
	}
}

func (m *Model) chooseCentre(p *Place, c *Citizen, arrive int64, purpose Purpose, w2, w3, k uint32) int32 {
	mu := &m.Nation.Municipalities[p.Municipality]
	u := rng.Uniform(w2)
	away := purpose == ToIssue &&
		(arrive >= m.anyFrom && u < float64(m.Scenario.Centres.AwayShare) ||
			arrive < m.anyFrom && u < float64(m.Scenario.Channels.WrongCentre))
	if away {
		near, cum := m.near[p.Region], m.cumulated[p.Region]
		x := m.Source.Draw(c.ID, population.ForVisit, k*4+2)
		want := rng.Uniform(x[0]) * cum[len(cum)-1]
		i := 0
		for cum[i] <= want {
			i++
		}
		mu = &m.Nation.Municipalities[near[i]]
	} else if rng.Below(w3, float64(m.Scenario.Centres.OwnCentre)) {
		return int32(c.Centre)
	}
	x := m.Source.Draw(c.ID, population.ForVisit, k*4+2)
	return int32(mu.First) + int32(rng.Uniform(x[1])*float64(mu.End-mu.First))
}

// Other is the k-th customer with other business at a centre: they arrive after
// the one before by the profile of the day.
func (m *Model) Other(centre int, k uint32, before int64) (arrive, service, deadline int64) {
	w := m.Source.Draw(uint32(centre), population.ForOtherBusiness, k)
	people := float64(m.Residents(centre))
	if people == 0 {
		return Never, 0, 0
	}
	arrive = m.waitOther.inverse(m.waitOther.at(before) + rng.Exp(w[0])/people)
	if arrive == Never {
		return Never, 0, 0
	}
	return arrive, m.service[OtherBusiness].draw(w[1]), arrive + after(w[2], m.Scenario.Centres.Patience.Milliseconds())
}

// Appointments is how many visits a centre takes in an hour; 0: as many as come.
// The others are given the same time of the next open day on which the hour has room.
func (m *Model) Appointments(centre int) int { return int(m.appointments[centre]) }

// BalkAt is how many waiting people per open counter turn a newcomer round.
func (m *Model) BalkAt() int { return m.Scenario.Centres.BalkAt }
