package rollout

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
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

// wish draws whether and when a citizen wants the mobile card: the keen come
// with a pulse after their place opens, the others by Bass diffusion.
func (m *Model) wish(c *Citizen, municipality int) {
	a := &m.Scenario.Adoption
	if c.Flags&HasPhone == 0 || m.opens[municipality] == Never {
		return
	}
	w := m.Source.Draw(c.ID, population.ForAdoption, 0)
	if !rng.Below(w[0], float64(a.Level)*m.byAge[int(c.Age)-scenarios.FirstAge]*m.appeal[municipality]) {
		return
	}
	var delay float64 // days
	if rng.Below(w[1], float64(a.Keen)) {
		delay = a.KeenDecay.Hours() / 24 * rng.Exp(w[2])
	} else {
		delay = bassInverse(rng.Uniform(w[2]), float64(a.Innovation), float64(a.Imitation))
	}
	if delay > 100_000 {
		return
	}
	opens := max(0, m.opens[municipality]) // who came before the start is not part of the run
	at := opens + int64(delay*float64(day))
	if delay < 28 && rng.Below(w[3], float64(m.Scenario.Channels.EarlyAttempt)) {
		v := m.Source.Draw(c.ID, population.ForAdoption, 1)
		at = max(0, opens-after(v[0], m.Scenario.Habits.EarlyBy.Milliseconds()))
	}
	if at = m.atMostEnd(at); at != Never {
		c.Affair, c.AffairStep = at, WantMobile
	}
}

// Act takes the citizen's next step, which is due before the window's end. It
// may post a request (then the citizen is Busy until Answer) or announce a
// visit (then that clock stands still until Visited).
func (m *Model) Act(p *Place, c *Citizen) {
	p.T.Events++
	next := c.Next()
	at := max(next, p.Start)
	m.lapse(p, c, at)
	switch next {
	case c.Card:
		m.actCard(p, c, at)
	case c.Phone:
		m.actPhone(p, c, at)
	case c.Affair:
		m.actAffair(p, c, at)
	case c.Finder:
		m.actFinder(p, c, at)
	default:
		m.actDemand(p, c, at)
	}
}

// Alone says whether the citizen's next step concerns nobody else: they show a
// plastic card, no request is out and no visit under way whose end could reach
// them before. Such steps may be taken as soon as their day begins.
func (c *Citizen) Alone() bool {
	return c.Wallet == 0 && c.CardStep == Idle && c.PhoneStep == Idle &&
		(c.AffairStep == Idle || c.AffairStep == WantMobile) && c.Demand == c.Next()
}

// request posts a request at an instant of this window.
func (p *Place) request(c *Citizen, r Request, faces int) {
	r.Citizen = c.ID
	c.Flags |= Busy
	sec := (r.At - p.Start) / second // the window contains it
	p.Load[sec][r.Op]++
	if faces > 1 {
		p.Load[sec][capacity.FaceAgain] += int32(faces - 1)
	}
	p.Requests = append(p.Requests, r)
}

// Answer gives a citizen the outcome of their request.
func (m *Model) Answer(p *Place, c *Citizen, r Request, f capacity.Fate) {
	p.T.Events++
	c.Flags &^= Busy
	w := m.Source.Draw(c.ID, population.ForNetwork, uint32(r.At/second))
	reached := int32(rng.Uniform(w[0])*1000) >= f.FailPermille
	network := m.Scenario.Service.Network.Milliseconds()
	took := int64(f.LatencyMs) + network/2 + int64(float64(network)/2*rng.Exp(w[1]))
	if took < 1 {
		took = 1
	}
	at := r.At + took
	m.lapse(p, c, at)
	if reached {
		p.T.Goodput[min(int(r.At/hour), len(p.T.Goodput)-1)][capacity.Of(r.Op)]++
	} else {
		at = r.At + m.Scenario.Service.Client.Timeout.Milliseconds()
		p.day(r.At).Unavailable++
	}
	switch r.Op {
	case capacity.IssueTap, capacity.IssueCentre:
		m.answerIssue(p, c, r, at, reached)
	case capacity.VerifyOnline:
		if reached {
			p.T.Latency[latencyBucket(took)]++
		}
		m.answerPresent(p, c, r, at, reached)
	case capacity.Report, capacity.Release:
		if r.From == OfCard {
			m.answerCardReport(p, c, r, at, reached)
		} else {
			m.answerPhoneReport(p, c, r, at, reached)
		}
	case capacity.RegisterCard:
		m.answerCard(p, c, r, at, reached)
	}
	c.notBefore(at + m.Scenario.Habits.SecondCode.Milliseconds())
}

// notBefore moves steps that are due by t behind it: one life is a sequence,
// and the answer to a request comes before what follows.
func (c *Citizen) notBefore(t int64) {
	for i, clock := range []*int64{&c.Card, &c.Phone, &c.Affair, &c.Finder, &c.Demand} {
		if *clock <= t {
			*clock = t + int64(i) + 1
		}
	}
}

// Visited gives a citizen the end of their visit.
func (m *Model) Visited(p *Place, c *Citizen, v VisitResult) {
	p.T.Events++
	switch v.From {
	case OfAffair:
		m.visitedAffair(p, c, v)
	case OfCard:
		m.visitedCard(p, c, v)
	default:
		m.visitedPhone(p, c, v)
	}
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
	arrive := int64(d)*day + m.Cal.visitTime(rng.Uniform(w[1]))
	for arrive < p.Earliest || arrive < at {
		d = m.Cal.openDay(d + 1)
		arrive = int64(d)*day + m.Cal.visitTime(rng.Uniform(w[1]))
	}
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

// move applies an event of the rulebook at its commit.
func (m *Model) move(p *Place, c *Citizen, e lifecycle.Event, at int64) lifecycle.Reason {
	o := m.Table[e][c.Law]
	if o.Reason != lifecycle.Granted {
		return o.Reason
	}
	before, after := lifecycle.Judge(c.Law), lifecycle.Judge(o.Next)
	if c.Wallet != 0 && before != after {
		w := &p.Wallets[c.Wallet-1]
		w.push(at, after)
		if after == lifecycle.NotValid {
			w.Ended = at
			p.day(at).Ended++
			p.settle(w, at)
		}
	}
	if h := holder(o.Next) - holder(c.Law); h != 0 {
		p.day(at).Holders += h
		p.T.Holders[AgeBand(int(c.Age))] += int64(h)
	}
	c.Law = o.Next
	return lifecycle.Granted
}

// lapse ends a mobile card whose validity is over.
func (m *Model) lapse(p *Place, c *Citizen, at int64) {
	if c.Law&lifecycle.HasCredential != 0 {
		if e := p.Wallets[c.Wallet-1].Expires; at >= e {
			m.move(p, c, lifecycle.CredentialExpired, e)
		}
	}
}

func (p *Place) peopleRetry(at int64) {
	p.day(at).PeopleRetry++
	p.T.Retries[min(int(at/hour), len(p.T.Retries)-1)]++
}

func holder(s lifecycle.State) int32 {
	if s&lifecycle.HasCredential != 0 {
		return 1
	}
	return 0
}

// keep stores a record of a pool citizen.
func (p *Place) keep(c *Citizen, r Record) {
	if c.Flags&InPool != 0 {
		r.Citizen = c.ID
		if r.Submitted == 0 {
			r.Submitted = r.At
		}
		p.Records = append(p.Records, r)
	}
}

// settle closes the measurement of a suspension: the last acceptance after the
// loss, the submission and the acknowledgement.
func (p *Place) settle(w *Wallet, at int64) {
	if w.Acked == Never {
		return
	}
	e := &p.T.Exposure[w.exposure-1]
	last := func(from int64) int64 {
		if from == Never || w.LastAccepted <= from {
			return 0
		}
		return w.LastAccepted - from
	}
	e.FromLoss, e.FromSubmission, e.FromAck = last(w.Lost), last(w.Submitted), last(w.Acked)
	w.Lost, w.Submitted, w.Acked = Never, Never, Never
	w.LastAccepted = 0
}

// Finish closes what is open at the end of the run.
func (p *Place) Finish() {
	for i := range p.Wallets {
		p.settle(&p.Wallets[i], p.M.End)
	}
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

// Closes is when the centres close on the day of an instant.
func (c *Calendar) Closes(t int64) int64 { return int64(c.Day(t))*day + c.closes }

// BalkAt is how many waiting people per open counter turn a newcomer round.
func (m *Model) BalkAt() int { return m.Scenario.Centres.BalkAt }
