package rollout

import (
	"math"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Birth draws a citizen's record as it is at the start.
func (m *Model) Birth(c *Citizen, id uint32, centre, age, municipality int) {
	*c = Citizen{ID: id, Centre: uint16(centre), Age: uint8(age),
		Card: Never, Phone: Never, Affair: Never, Finder: Never, Demand: Never}
	t := m.Draws.Traits(id, municipality, age)
	if t.Male {
		c.Flags |= Male
	}
	switch t.Phone {
	case population.PhoneWithNFC:
		c.Flags |= HasPhone | HasNFC | PhoneHeld
	case population.PhoneWithoutNFC:
		c.Flags |= HasPhone | PhoneHeld
	}
	c.Habit = uint8(max(0, min(255, int((t.Habit+4)*32))))
	m.firstCard(c)
	if c.Flags&HasPhone != 0 {
		c.Phone = m.phoneClock.inverse(rng.Exp(m.Source.Draw(id, population.ForPhoneLoss, 0)[0]))
	}
	m.wish(c, municipality)
	w := m.Source.Draw(id, population.ForDemand, 0)
	c.Demand = m.demand.next(c, 0, w[0])
	if m.Pool >= 1 || rng.Below(m.Source.Draw(id, population.ForPool, 0)[0], m.Pool) {
		c.Flags |= InPool
	}
}

// firstCard gives the plastic card: everyone has one at the start but those of
// 17 who have not applied yet. Application follows the 17th birthday by up to a
// year, uniformly.
func (m *Model) firstCard(c *Citizen) {
	if int(c.Age) == scenarios.FirstAge {
		w := m.Source.Draw(c.ID, population.ForFirstCard, 0)
		if wait := rng.Uniform(w[1]) - rng.Uniform(w[0]); wait > 0 {
			c.CardStep = ApplyCard
			c.Card = m.atMostEnd(int64(wait * 365 * float64(day)))
			return
		}
	}
	c.Law = lifecycle.HasCard
	c.Flags |= PlasticHeld
	c.Card = m.cardClock.inverse(rng.Exp(m.Source.Draw(c.ID, population.ForCardLoss, 0)[0]))
}

func (m *Model) atMostEnd(t int64) int64 {
	if t >= m.End {
		return Never
	}
	return t
}

// wish is the wish of those who have a phone to keep a mobile card on.
func (m *Model) wish(c *Citizen, municipality int) {
	if c.Flags&HasPhone == 0 {
		return
	}
	if at, step := m.wishes(c.ID, int(c.Age), municipality); at != Never {
		c.Affair, c.AffairStep = at, step
	}
}

// wishes draws whether and when somebody wants the mobile card, phone or not: the
// keen come with a pulse after their place opens, on a day that they have chosen;
// the others wish by Bass diffusion, and go when they find the time. Never: not in
// this run.
func (m *Model) wishes(id uint32, age, municipality int) (at int64, step Step) {
	a := &m.Scenario.Adoption
	if m.opens[municipality] == Never {
		return Never, Idle
	}
	w := m.Source.Draw(id, population.ForAdoption, 0)
	if !rng.Below(w[0], float64(a.Level)*m.byAge[age-scenarios.FirstAge]*m.appeal[municipality]) {
		return Never, Idle
	}
	var delay float64 // days
	keen := rng.Below(w[1], float64(a.Keen))
	if keen {
		delay = a.KeenDecay.Hours() / 24 * rng.Exp(w[2])
	} else {
		delay = bassInverse(rng.Uniform(w[2]), float64(a.Innovation), float64(a.Imitation))
	}
	if delay > 100_000 {
		return Never, Idle
	}
	opens := max(0, m.opens[municipality]) // who came before the start is not part of the run
	at, step = opens+int64(delay*float64(day)), WantMobile
	if keen { // before the centres open on that day
		whole := math.Floor(delay)
		at, step = opens+int64(whole)*day+int64((delay-whole)*float64(m.Cal.opens)), WantToday
	}
	if delay < 28 && rng.Below(w[3], float64(m.Scenario.Channels.EarlyAttempt)) {
		v := m.Source.Draw(id, population.ForAdoption, 1)
		at, step = max(0, opens-after(v[0], m.Scenario.Habits.EarlyBy.Milliseconds())), WantMobile
	}
	return m.atMostEnd(at), step
}
