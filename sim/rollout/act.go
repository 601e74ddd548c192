package rollout

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Act takes the citizen's next step, which is due before the window's end. It
// may post a request (then the citizen is Busy until Answer) or announce a
// visit (then that clock stands still until Visited).
func (m *Model) Act(p *Place, c *Citizen) {
	p.T.Events++
	next := c.Next()
	at := max(next, p.Start)
	m.join(p, c, at)
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

// ShowPlastic takes the steps before an instant that concern nobody else: the
// citizen shows the plastic card in their hand, has never had a mobile card, and
// neither a request is out nor a visit under way that could reach them before.
// They are the steps that Act would take, in one go.
func (m *Model) ShowPlastic(p *Place, c *Citizen, until int64) {
	if c.Wallet != 0 || c.CardStep != Idle || c.PhoneStep != Idle ||
		c.AffairStep != Idle && c.AffairStep != WantMobile && c.AffairStep != WantToday || c.Flags&PlasticHeld == 0 {
		return
	}
	until = min(until, m.End, c.Card, c.Phone, c.Affair, c.Finder)
	shown := int64(0)
	for c.Demand < until {
		at := max(c.Demand, p.Start)
		c.nDemand++
		w := m.Source.Draw(c.ID, population.ForDemand, uint32(c.nDemand))
		c.Demand = m.demand.next(c, at, w[0])
		p.T.Day[at/day].Plastic++
		shown++
	}
	p.T.Events += shown
	p.T.Intents[ShowIdentity].Posted += shown
	p.T.Intents[ShowIdentity].Done += shown
}

// Cut takes out what ShowPlastic did ahead: a run was interrupted at an instant,
// and days that had not begun by then hold nothing else.
func (t *Tally) Cut(until int64) {
	for d := int((until + day - 1) / day); d < len(t.Day); d++ {
		shown := int64(t.Day[d].Plastic)
		t.Events -= shown
		t.Intents[ShowIdentity].Posted -= shown
		t.Intents[ShowIdentity].Done -= shown
		t.Day[d].Plastic = 0
	}
}

// Answer gives a citizen the outcome of their request.
func (m *Model) Answer(p *Place, c *Citizen, r Request, f capacity.Fate) {
	p.T.Events++
	c.Flags &^= Busy
	w := m.Source.Draw(c.ID, population.ForNetwork, uint32(r.At/second))
	reached := int32(rng.Uniform(w[0])*1000) >= f.FailPermille && !r.cut
	network := m.Scenario.Service.Network.Milliseconds()
	took := int64(f.LatencyMs) + network/2 + int64(float64(network)/2*rng.Exp(w[1]))
	if took < 1 {
		took = 1
	}
	if r.until > 0 {
		took += r.until - r.At
	}
	at := r.At + took
	m.join(p, c, at)
	m.lapse(p, c, at)
	if reached {
		hourOf(p.T.Goodput, r.At)[capacity.Of(r.Op)]++
	} else {
		at = r.At + m.lists.service.Timeout(r.Op).Milliseconds()
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

// unavailable keeps a request that did not come through, and says when they try
// again.
func (m *Model) unavailable(p *Place, c *Citizen, rec Record, w uint32) (again int64) {
	rec.Env = Unavailable
	p.keep(c, rec)
	p.peopleRetry(rec.At)
	return rec.At + after(w, m.Scenario.Channels.OutageRetry.Milliseconds())
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

// move applies an event of the rulebook at its commit, to the register that serves
// then.
func (m *Model) move(p *Place, c *Citizen, e lifecycle.Event, at int64) lifecycle.Reason {
	o := m.Table[e][c.Law]
	if x := m.atStandby(p, c, at); x != nil {
		if reason := x.move(m, p, e, at); reason != lifecycle.Granted {
			if o.Reason == lifecycle.Granted {
				p.T.Loss.NotTaken++
			}
			return reason
		}
		m.change(p, c, o, at) // what was taken is applied to the main register
		return lifecycle.Granted
	}
	if o.Reason == lifecycle.Granted {
		m.divide(p, c, e, at)
	}
	return m.change(p, c, o, at)
}

// change brings the main register's side to where an event led.
func (m *Model) change(p *Place, c *Citizen, o lifecycle.Outcome, at int64) lifecycle.Reason {
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
			p.settle(w)
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
			m.change(p, c, m.Table[lifecycle.CredentialExpired][c.Law], e) // every register ends it by itself
		}
	}
}

func holder(s lifecycle.State) int32 {
	if s&lifecycle.HasCredential != 0 {
		return 1
	}
	return 0
}
