package rollout

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// actCard takes a step in the life of the plastic card.
func (m *Model) actCard(p *Place, c *Citizen, at int64) {
	switch c.CardStep {
	case Idle:
		m.cardEvent(p, c, at)
	case FoundAtHome:
		c.Flags |= PlasticHeld
		p.notLost(c)
		m.cardIdle(c, at)
		m.wakeAffair(c, at)
	case ReportCard:
		m.reportCard(p, c, at)
	case ReportCardReady:
		c.Card = Never
		p.request(c, Request{Op: capacity.Report, From: OfCard, At: at}, 0)
	case FindCard:
		c.Flags |= PlasticHeld
		p.T.post(ReleaseLoss, at)
		c.Card, c.CardStep = at+after(m.cardDraw(c, population.ForCardStep)[0], m.Scenario.Habits.ReleaseCard.Milliseconds()), ReleaseCard
		m.wakeAffair(c, at) // they may try to use the card before they withdraw the report
	case ReportAgain, ReportAgainReady:
		m.actAgain(p, c, OfCard, at)
	case ReleaseCard:
		c.Card = Never
		p.request(c, Request{Op: capacity.Release, From: OfCard, At: at}, 0)
	case ApplyCard, ApplyAgain:
		mean := m.Scenario.Centres.VisitDelay
		if c.CardStep == ApplyAgain {
			mean = m.Scenario.Habits.CollectVisit // come_back has passed already
		}
		if c.Order == NoOrder {
			reason := OrderLost
			if c.Law&lifecycle.HasCard == 0 {
				reason = OrderFirst
			}
			m.order(p, c, at, reason)
		}
		c.Card = Never
		m.visit(p, c, at, ToOrder, OfCard, mean.Milliseconds())
	case OrderCard:
		m.orderCard(p, c, at)
	case CardPrinted:
		w := m.cardDraw(c, population.ForOrder)
		ready := int64(p.Plant.Ready(m.Cal.Day(at)-1, rng.Uniform(w[0]))) * day
		if ready < m.End {
			p.day(ready).CardsPrinted++
		}
		if rng.Below(w[1], float64(m.Scenario.Cards.ByMail)) {
			c.cardAt = noCentre
			c.Card, c.CardStep = ready+m.Cal.opens+after(w[2], m.Scenario.Habits.Mail.Milliseconds()), ActivateCard
		} else {
			c.Card, c.CardStep = ready+m.Cal.opens+after(w[2], m.Scenario.Cards.CollectDelay.Milliseconds()), CollectCard
		}
	case CollectCard:
		c.Card = Never
		m.visit(p, c, at, ToCollect, OfCard, m.Scenario.Habits.CollectVisit.Milliseconds())
	case ActivateCard:
		c.Card = Never
		p.request(c, Request{Op: capacity.RegisterCard, From: OfCard, At: at}, 0)
	}
}

const noCentre = 1<<16 - 1

func (m *Model) cardDraw(c *Citizen, purpose rng.Purpose) rng.Block {
	c.nCard++
	return m.Source.Draw(c.ID, purpose, uint32(c.nCard))
}

// cardIdle draws the next thing that happens to the card in their hands.
func (m *Model) cardIdle(c *Citizen, at int64) {
	w := m.cardDraw(c, population.ForCardLoss)
	c.CardStep = Idle
	c.Card = m.cardClock.inverse(m.cardClock.at(at) + rng.Exp(w[0]))
}

// order begins the affair of a plastic card.
func (m *Model) order(p *Place, c *Citizen, at int64, reason Order) {
	c.Order = reason
	p.T.post(GetCard, at)
	c.Card, c.CardStep = at, ApplyCard
}

func (m *Model) cardEvent(p *Place, c *Citizen, at int64) {
	w := m.cardDraw(c, population.ForCardStep)
	l := &m.Scenario.Losses.Plastic
	if !rng.Below(w[0], *hourOf(m.cardLoss, at)) {
		m.order(p, c, at, OrderOther) // damaged, or data changed
		return
	}
	c.Flags &^= PlasticHeld
	p.day(at).PlasticLost++
	if c.Law&lifecycle.HasCredential != 0 {
		p.lost(c, at)
	}
	noticed := at + after(w[1], l.Noticed.Milliseconds())
	if rng.Below(w[2], float64(l.FoundAtHome)) {
		c.Card, c.CardStep = noticed, FoundAtHome
		return
	}
	c.Card, c.CardStep = noticed+after(w[3], l.Report.Milliseconds()), ReportCard
}

func (m *Model) reportCard(p *Place, c *Citizen, at int64) {
	l := &m.Scenario.Losses.Plastic
	p.T.post(ReportLoss, at)
	w := m.cardDraw(c, population.ForCardStep)
	c.CardStep = ReportCardReady
	p.submitted(c, at)
	c.cardBy = reportBy(w[0], &l.Channels, c.Flags&(PhoneHeld|WalletHeld) == PhoneHeld|WalletHeld)
	switch c.cardBy {
	case ByPortal:
		c.Card = m.Cal.officeTime(at, int64((0.3+0.7*rng.Uniform(w[1]))*float64(l.PortalHandled.Milliseconds())))
	case ByCentre:
		c.Card = Never
		m.visit(p, c, at, ToReport, OfCard, m.Scenario.Habits.ReportVisit.Milliseconds())
	default:
		c.Card = Never
		p.request(c, Request{Op: capacity.Report, From: OfCard, At: at}, 0)
	}
}

func (m *Model) visitedCard(p *Place, c *Citizen, v VisitResult) {
	served := v.End == Served
	if served {
		c.cardAt = uint16(v.Centre)
	} else {
		p.day(v.At).SecondVisits++
		p.peopleRetry(v.At)
	}
	back := v.At + after(m.cardDraw(c, population.ForCardStep)[1], m.Scenario.Centres.ComeBack.Milliseconds())
	if m.Scenario.Centres.NoReturn && v.Purpose != ToReport { // a report is made by call the next time
		back = Never
	}
	next := func(then, again Step) {
		if c.Card, c.CardStep = back, again; served {
			c.Card, c.CardStep = v.At, then
		}
	}
	switch v.Purpose {
	case ToOrder:
		next(OrderCard, ApplyAgain)
	case ToCollect:
		next(ActivateCard, CollectCard)
	case ToReport:
		next(ReportCardReady, ReportCardReady)
		if !served {
			c.cardBy = ByCall // who could not wait calls later
		}
	}
}

// answerCardReport is the service's word on the report of a lost card, or on its
// withdrawal.
func (m *Model) answerCardReport(p *Place, c *Citizen, r Request, at int64, reached bool) {
	w := m.cardDraw(c, population.ForCardStep)
	v := m.cardDraw(c, population.ForCardStep)
	rec := lossRecord(r, ActReportPhysical, ActReleasePhysical, c.cardBy, c.cardAt, at)
	l := &m.Scenario.Losses.Plastic
	switch {
	case c.CardStep == ReportAgainReady:
		m.answerAgain(p, c, OfCard, rec, reached)
	case !reached:
		c.Card = m.unavailable(p, c, rec, w[0])
	case r.Op == capacity.Release:
		m.withdrawn(p, c, rec, m.move(p, c, lifecycle.ReleasePhysical, at))
		if c.Law.Causes()&lifecycle.PhysicalLost == 0 || !m.withdrawLater(p, c, OfCard, at) {
			m.cardIdle(c, at)
		}
		m.wakeAffair(c, at)
	default:
		reason := m.move(p, c, lifecycle.ReportPhysicalLost, at)
		m.reported(p, c, rec, reason)
		switch {
		case rng.Below(w[1], float64(l.Found)):
			c.Card, c.CardStep = at+after(v[0], l.FoundAfter.Milliseconds()), FindCard
		case rng.Below(w[2], float64(l.Reissue)):
			c.Card, c.CardStep = at+after(v[0], l.ReissueAfter.Milliseconds()), ApplyCard
		default:
			c.Card, c.CardStep = Never, FindCard
		}
		m.sayAgain(p, c, OfCard, reason, at)
	}
}

func (m *Model) orderCard(p *Place, c *Citizen, at int64) {
	w := m.cardDraw(c, population.ForOrder)
	cards := &m.Scenario.Cards
	chip := false
	var fee scenarios.Won
	open := at >= m.opens[p.Municipality]
	switch c.Order & orderReason {
	case OrderFirst:
		chip = open && at >= m.chipFrom
	case OrderUpgrade:
		chip, fee = true, cards.FeeReissue+cards.FeeChip
	default:
		chip = open && rng.Below(w[0], float64(cards.ChipOnReissue))
		fee = cards.FeeReissue
		if chip {
			fee += cards.FeeChip
		}
	}
	d := p.day(at)
	d.CardOrders++
	d.FeeWon += int64(fee)
	p.Orders++
	c.ordered = uint16(at / hour)
	if chip {
		c.Order |= withChip
		d.ChipOrders++
		p.T.ChipByAge[AgeBand(int(c.Age))]++
	}
	c.Card, c.CardStep = int64(m.Cal.Day(at)+1)*day+2*hour, CardPrinted
}

// answerCard is the service's word on a new plastic card.
func (m *Model) answerCard(p *Place, c *Citizen, r Request, at int64, reached bool) {
	rec := Record{Act: ActRegisterCard, At: at, Centre: -1, Chip: c.Order&withChip != 0,
		NewPhoto: true, Channel: ByPost}
	if c.cardAt != noCentre {
		rec.Centre, rec.Channel = int32(c.cardAt), ByCentre
	}
	if !reached {
		c.Card, c.CardStep = m.unavailable(p, c, rec, m.cardDraw(c, population.ForCardStep)[0]), ActivateCard
		return
	}
	had := c.Law & lifecycle.HasCredential
	reason := m.move(p, c, lifecycle.CardIssued, at)
	rec.Decided = uint8(reason)
	p.keep(c, rec)
	if c.Order&orderReason != OrderFirst {
		p.day(at).Reissues++
	}
	p.T.OrderWait[min(int(at/hour)-int(c.ordered), OrderHours-1)/6]++
	if c.Flags&Chip != 0 {
		p.T.ChipCards--
	}
	if rec.Chip {
		p.T.ChipCards++
		p.day(at).ChipsIssued++
	}
	c.Flags |= PlasticHeld | NewPhoto
	c.Flags &^= Chip | PINBlocked | KnowsSuspended
	if rec.Chip {
		c.Flags |= Chip
	}
	c.Order = NoOrder
	p.T.done(GetCard, at)
	p.day(at).CardsIssued++
	if had != 0 {
		c.Flags &^= WalletHeld
		c.Affair, c.AffairStep = at+after(m.affairDraw(c)[2], m.Scenario.Phones.ReissueDelay.Milliseconds()), WantMobile
	}
	m.cardIdle(c, at)
	m.wakeAffair(c, at)
}

// wakeAffair goes on with the mobile card when a plastic card is at hand again.
func (m *Model) wakeAffair(c *Citizen, at int64) {
	if c.Flags&WantsCard != 0 && c.Flags&WantsMobile != 0 {
		c.Flags &^= WantsCard
		c.Tries = 0
		c.Affair, c.AffairStep = at+after(m.affairDraw(c)[3], m.Scenario.Habits.CardAtHand.Milliseconds()), GoMobile
	}
}
