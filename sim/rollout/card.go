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
		if c.Wallet != 0 {
			if w := &p.Wallets[c.Wallet-1]; w.Acked == Never {
				w.Lost = Never
			}
		}
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
	if !rng.Below(w[0], m.cardLoss[min(int(at/hour), len(m.cardLoss)-1)]) {
		m.order(p, c, at, OrderOther) // damaged, or data changed
		return
	}
	c.Flags &^= PlasticHeld
	p.day(at).PlasticLost++
	if c.Law&lifecycle.HasCredential != 0 {
		if w := &p.Wallets[c.Wallet-1]; w.Lost == Never {
			w.Lost = at
		}
	}
	noticed := at + after(w[1], l.Noticed.Milliseconds())
	if rng.Below(w[2], float64(l.FoundAtHome)) {
		c.Card, c.CardStep = noticed, FoundAtHome
		return
	}
	c.Card, c.CardStep = noticed+after(w[3], l.Report.Milliseconds()), ReportCard
}

// reportBy draws the way of a report.
func reportBy(w uint32, ch *scenarios.ReportChannels, app bool) ReportBy {
	u := rng.Uniform(w) * (ch.Call + ch.Portal + ch.App + ch.Centre)
	switch {
	case u < ch.Portal:
		return ByPortal
	case u < ch.Portal+ch.Centre:
		return ByCentre
	case u < ch.Portal+ch.Centre+ch.App && app:
		return ByApp
	}
	return ByCall
}

func (m *Model) reportCard(p *Place, c *Citizen, at int64) {
	l := &m.Scenario.Losses.Plastic
	p.T.post(ReportLoss, at)
	w := m.cardDraw(c, population.ForCardStep)
	c.CardStep = ReportCardReady
	if c.Wallet != 0 {
		if x := &p.Wallets[c.Wallet-1]; x.Acked == Never {
			x.Submitted = at
		}
	}
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

func (m *Model) orderCard(p *Place, c *Citizen, at int64) {
	w := m.cardDraw(c, population.ForOrder)
	cards := &m.Scenario.Cards
	chip := false
	var fee scenarios.Won
	open := at >= m.opens[p.Municipality]
	switch c.Order & orderReason {
	case OrderFirst:
		chip = at >= m.chipFrom
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
		rec.Env = Unavailable
		p.keep(c, rec)
		p.peopleRetry(at)
		c.Card, c.CardStep = at+after(m.cardDraw(c, population.ForCardStep)[0], m.Scenario.Channels.OutageRetry.Milliseconds()), ActivateCard
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

func (m *Model) answerCardReport(p *Place, c *Citizen, r Request, at int64, reached bool) {
	w := m.cardDraw(c, population.ForCardStep)
	v := m.cardDraw(c, population.ForCardStep)
	l := &m.Scenario.Losses.Plastic
	release := c.CardStep == ReleaseCard
	rec := Record{Act: ActReportPhysical, At: at, Centre: -1, Channel: c.cardBy}
	if c.cardBy == ByCentre {
		rec.Centre = int32(c.cardAt)
	}
	if release {
		rec.Act, rec.Channel, rec.Centre = ActReleasePhysical, ByPortal, -1
	}
	if !reached {
		rec.Env = Unavailable
		p.keep(c, rec)
		p.peopleRetry(at)
		c.Card = at + after(w[0], m.Scenario.Channels.OutageRetry.Milliseconds())
		return
	}
	if release {
		rec.Decided = uint8(m.move(p, c, lifecycle.ReleasePhysical, at))
		p.keep(c, rec)
		p.T.done(ReleaseLoss, at)
		p.day(at).ReleasesPhysical++
		m.released(p, c, at)
		m.cardIdle(c, at)
		m.wakeAffair(c, at)
		return
	}
	reason := m.move(p, c, lifecycle.ReportPhysicalLost, at)
	rec.Decided = uint8(reason)
	if c.Wallet != 0 && p.Wallets[c.Wallet-1].Submitted != Never {
		rec.Submitted = p.Wallets[c.Wallet-1].Submitted
	}
	p.keep(c, rec)
	p.T.done(ReportLoss, at)
	p.day(at).ReportsPhysical++
	if reason == lifecycle.Granted {
		m.suspended(p, c, at, true)
	}
	switch {
	case rng.Below(w[1], float64(l.Found)):
		c.Card, c.CardStep = at+after(v[0], l.FoundAfter.Milliseconds()), FindCard
	case rng.Below(w[2], float64(l.Reissue)):
		c.Card, c.CardStep = at+after(v[0], l.ReissueAfter.Milliseconds()), ApplyCard
	default:
		c.Card, c.CardStep = Never, FindCard
	}
}

// suspended begins to measure the exposure of a credential whose suspension
// was acknowledged.
func (m *Model) suspended(p *Place, c *Citizen, at int64, physical bool) {
	c.Flags &^= KnowsSuspended
	if c.Law&lifecycle.HasCredential == 0 {
		return
	}
	w := &p.Wallets[c.Wallet-1]
	if w.Acked != Never {
		return // suspended already
	}
	w.Acked = at
	if w.Submitted == Never {
		w.Submitted = at
	}
	e := Exposure{Physical: physical}
	for k := range m.demand.places {
		e.ByKind[k] = m.exposed(c, k, at)
	}
	p.T.Exposure = append(p.T.Exposure, e)
	w.exposure = int32(len(p.T.Exposure))
}

// released ends a suspension, if no other cause is left.
func (m *Model) released(p *Place, c *Citizen, at int64) {
	c.Flags &^= KnowsSuspended
	if c.Wallet != 0 && c.Law.MobileActive() {
		p.settle(&p.Wallets[c.Wallet-1], at)
	}
}
