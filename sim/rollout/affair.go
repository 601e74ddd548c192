package rollout

import (
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// actAffair takes a step on the way to a mobile card.
func (m *Model) actAffair(p *Place, c *Citizen, at int64) {
	switch c.AffairStep {
	case WantMobile:
		m.wantMobile(p, c, at, m.Scenario.Centres.VisitDelay)
	case WantToday:
		m.wantMobile(p, c, at, m.Scenario.Habits.CollectVisit)
	case GoMobile:
		m.goMobile(p, c, at, m.Scenario.Centres.VisitDelay)
	case ComeAgain: // come_back has passed already
		m.goMobile(p, c, at, m.Scenario.Habits.CollectVisit)
	case TapCard:
		m.tapCard(p, c, at)
	case AtCounter:
		m.scanOffer(p, c, at)
	case Expire:
		m.lapse(p, c, at)
		c.Affair, c.AffairStep = at+after(m.affairDraw(c)[0], m.Scenario.Phones.ReissueDelay.Milliseconds()), WantMobile
	}
}

func (m *Model) affairDraw(c *Citizen) rng.Block {
	w := m.Source.Draw(c.ID, population.ForAffair, uint32(c.nAffair))
	c.nAffair++
	return w
}

func (m *Model) wantMobile(p *Place, c *Citizen, at int64, visitAfter time.Duration) {
	today := c.AffairStep == WantToday
	if c.Flags&WantsMobile == 0 {
		c.Flags |= WantsMobile
		p.T.post(GetMobile, at)
		p.day(at).Wanted++
	}
	c.Tries = 0
	m.goMobile(p, c, at, visitAfter)
	if today && c.CardStep == ApplyCard {
		c.CardStep = ApplyAgain // a card with a chip is applied for on that day, too
	}
}

// goMobile decides how to get it now.
func (m *Model) goMobile(p *Place, c *Citizen, at int64, visitAfter time.Duration) {
	c.AffairStep = GoMobile
	ch := &m.Scenario.Channels
	switch {
	case c.Flags&PhoneHeld == 0:
		c.Affair = at + after(m.affairDraw(c)[0], m.Scenario.Habits.PhoneMissing.Milliseconds())
	case c.Flags&PlasticHeld == 0:
		c.Affair = Never
		c.Flags |= WantsCard
	case c.Flags&(Chip|HasNFC|PINBlocked) == Chip|HasNFC && int(c.Tries) < ch.TapTries:
		w := m.affairDraw(c)
		c.Affair = max(at, m.tapClock.inverse(m.tapClock.at(at)+0.2*rng.Exp(w[0])))
		c.AffairStep = TapCard
	case m.wouldUpgrade(p, c, at):
		c.Affair = Never
		c.Flags |= WantsCard
		m.order(p, c, at, OrderUpgrade)
	case int(c.Tries) >= ch.TapTries+m.Scenario.Centres.VisitTries:
		c.Affair = Never
		c.Flags &^= WantsMobile
		p.T.abandon(GetMobile, at)
	default:
		c.Affair, c.AffairStep = Never, WaitVisit
		m.visit(p, c, at, ToIssue, OfAffair, visitAfter.Milliseconds())
	}
}

// wouldUpgrade says whether they pay for a chip rather than visit a centre: an
// inclination of the citizen, possible where the region is open and nothing
// else goes on with the plastic card.
func (m *Model) wouldUpgrade(p *Place, c *Citizen, at int64) bool {
	if c.Flags&HasNFC == 0 || c.Flags&Chip != 0 || c.Order != NoOrder || c.CardStep != Idle || at < m.opens[p.Municipality] {
		return false
	}
	w := m.Source.Draw(c.ID, population.ForOrder, 0)
	return rng.Below(w[0], m.upgrade[int(c.Age)-scenarios.FirstAge])
}

// tap is what happens between card, fingers and phone in one sitting.
type tap struct{ lost, wrong int }

func (m *Model) drawTap(c *Citizen) tap {
	w := m.Source.Draw(c.ID, population.ForTap, uint32(c.nAffair))
	var t tap
	for t.lost < 3 && rng.Below(w[t.lost], float64(m.Scenario.Channels.TagLost)) {
		t.lost++
	}
	v := m.Source.Draw(c.ID, population.ForTap, uint32(c.nAffair)|1<<16)
	for t.wrong < 3 && rng.Below(v[t.wrong], float64(m.Scenario.Channels.WrongPIN)) {
		t.wrong++
	}
	return t
}

func (m *Model) tapCard(p *Place, c *Citizen, at int64) {
	if c.Flags&PlasticHeld == 0 || c.Flags&PhoneHeld == 0 || c.Flags&Chip == 0 {
		m.goMobile(p, c, at, m.Scenario.Centres.VisitDelay)
		return
	}
	t := m.drawTap(c)
	switch {
	case t.lost == 3:
		p.keep(c, Record{Act: ActIssueTap, Env: TagLost, At: at, Device: c.Device, TagsLost: 3, Centre: -1})
		m.tryAgain(p, c, at, m.Scenario.Channels.TapRetry, otherwise, false)
	case t.wrong == 3:
		c.Flags |= PINBlocked // a clerk resets it; the QR code is the quicker way
		p.keep(c, Record{Act: ActIssueTap, Env: PINWrong, At: at, Device: c.Device, TagsLost: uint8(t.lost), WrongPINs: 3, Centre: -1})
		m.tryAgain(p, c, at, m.Scenario.Channels.TapRetry, otherwise, false)
	default:
		s := m.face.session(m.Source, c, uint32(c.nAffair))
		c.Affair = Never
		p.request(c, Request{Op: capacity.IssueTap, From: OfAffair, At: at}, s.Tries)
	}
}

// tryAgain comes back to the affair after a while.
func (m *Model) tryAgain(p *Place, c *Citizen, at int64, mean time.Duration, why failure, visited bool) {
	c.Tries++
	c.failed = why
	p.peopleRetry(at)
	c.Affair, c.AffairStep = at+after(m.affairDraw(c)[1], mean.Milliseconds()), ComeAgain
	if m.Scenario.Centres.NoReturn && visited {
		c.Affair = Never
	}
}

// scanOffer is the moment after the counter: the phone has scanned the one-time
// QR code and the face is captured.
func (m *Model) scanOffer(p *Place, c *Citizen, at int64) {
	if c.Flags&PlasticHeld == 0 || c.Flags&PhoneHeld == 0 {
		m.goMobile(p, c, at, m.Scenario.Centres.VisitDelay) // lost on the way
		return
	}
	s := m.face.session(m.Source, c, uint32(c.nAffair))
	c.Affair = Never
	p.request(c, Request{Op: capacity.IssueCentre, From: OfAffair, At: at}, s.Tries)
}

func (m *Model) visitedAffair(p *Place, c *Citizen, v VisitResult) {
	if c.AffairStep != WaitVisit || c.Flags&WantsMobile == 0 {
		return // the affair has moved on
	}
	if v.End == Served {
		c.Affair, c.AffairStep, c.affairAt = v.At, AtCounter, uint16(v.Centre)
		return
	}
	p.day(v.At).SecondVisits++
	m.tryAgain(p, c, v.At, m.Scenario.Centres.ComeBack, notServed, true)
}

// answerIssue is the service's word on an application.
func (m *Model) answerIssue(p *Place, c *Citizen, r Request, at int64, reached bool) {
	rec := Record{Act: ActIssueTap, At: at, Device: c.Device, Centre: -1}
	app := lifecycle.Application{Channel: lifecycle.Tap, Age: int(c.Age), State: c.Law,
		CentreAllowed: true, CardGenuine: true, PINVerified: true}
	home := m.Nation.Municipalities[p.Municipality].Code
	var qr int64
	if r.Op == capacity.IssueCentre {
		centre := m.Nation.Centres[c.affairAt].Municipality
		app.Channel = lifecycle.Counter
		app.CentreAllowed = m.Policy.CentreAllowed(home, m.Nation.Municipalities[centre].Code, m.Cal.Time(at))
		rec.Act, rec.Centre = ActIssueCentre, int32(c.affairAt)
		qr = m.qrAge(c, uint32(c.nAffair))
	} else {
		t := m.drawTap(c)
		rec.TagsLost, rec.WrongPINs = uint8(t.lost), uint8(t.wrong)
	}
	if s := m.standby; s != nil && at >= s.back && at-qr < s.back {
		qr = at - s.back // no code was made before the site was back
	}
	rec.Faces = m.face.session(m.Source, c, uint32(c.nAffair))
	c.nAffair++
	p.day(at).FaceSessions++
	app.RegionOpen, app.FaceMatched = m.Policy.Open(home, m.Cal.Time(at)), rec.Faces.Matched
	app.WalletLost = p.carriesReport(c)
	day := p.day(at)

	retry, visited := m.Scenario.Channels.TapRetry, app.Channel == lifecycle.Counter
	if visited {
		retry = m.Scenario.Centres.ComeBack
	}
	if !reached {
		rec.Env, rec.QRAge = Unavailable, qr
		p.keep(c, rec)
		if app.Channel == lifecycle.Counter {
			day.SecondVisits++
		} else {
			retry = m.Scenario.Channels.OutageRetry
		}
		m.tryAgain(p, c, at, retry, otherwise, visited)
		c.Tries-- // not their fault
		return
	}
	if qr > m.Policy.OfferLifetime.Milliseconds() {
		// The first code went stale in their hands; the clerk makes another.
		stale, first := app, rec
		stale.OfferAge, first.QRAge = time.Duration(qr)*time.Millisecond, qr
		first.Decided = uint8(lifecycle.Admit(&stale, &m.Policy))
		p.keep(c, first)
		day.Refused[first.Decided]++
		qr = m.Scenario.Habits.SecondCodeScan.Milliseconds()
		at += m.Scenario.Habits.SecondCode.Milliseconds()
		rec.At = at
	}
	app.OfferAge, rec.QRAge = time.Duration(qr)*time.Millisecond, qr
	reason := lifecycle.Admit(&app, &m.Policy)
	rec.Decided = uint8(reason)
	day.Refused[reason]++
	if reason == lifecycle.Granted {
		m.issue(p, c, at, app.Channel)
		rec.Serial = p.Wallets[c.Wallet-1].Serial
		p.keep(c, rec)
		return
	}
	p.keep(c, rec)
	if app.Channel == lifecycle.Counter {
		day.SecondVisits++
	}
	switch reason {
	case lifecycle.NotOpenYet:
		c.Affair, c.AffairStep = max(at, m.opens[p.Municipality])+after(m.affairDraw(c)[1], m.Scenario.Habits.AfterOpening.Milliseconds()), GoMobile
	case lifecycle.CardSuspended, lifecycle.NoPlasticCard, lifecycle.PersonSuspended:
		c.Affair, c.AffairStep = Never, GoMobile
		c.Flags |= WantsCard
	case lifecycle.FaceNotMatched:
		day.FaceFailed++
		if app.Channel == lifecycle.Counter && c.CardStep == Idle && c.Flags&NewPhoto == 0 {
			// Only a new photo helps: the plastic card is re-issued with one.
			day.NewPhotos++
			c.Affair, c.AffairStep = Never, GoMobile
			c.Flags |= WantsCard
			m.order(p, c, at, OrderPhoto)
			return
		}
		m.tryAgain(p, c, at, retry, notMatched, visited)
	default:
		m.tryAgain(p, c, at, retry, otherwise, visited)
	}
}

// qrAge is the time (ms) from the code shown to redeemed.
func (m *Model) qrAge(c *Citizen, occurrence uint32) int64 {
	w := m.Source.Draw(c.ID, population.ForAffair, occurrence|1<<16)
	return max(2*second, m.scan.draw(w[0]))
}

// issue is the commit of a mobile card.
func (m *Model) issue(p *Place, c *Citizen, at int64, ch lifecycle.Channel) {
	m.divide(p, c, lifecycle.CredentialIssued, at)
	serial := uint8(1)
	if c.Wallet != 0 {
		old := &p.Wallets[c.Wallet-1]
		serial = old.Serial + 1
		if c.Law&lifecycle.HasCredential != 0 {
			old.push(at, lifecycle.NotValid)
			old.Ended = at
			p.day(at).Ended++
			p.settle(old)
		}
	}
	before := c.Wallet
	c.Wallet = 0 // the old wallet's history is written
	m.change(p, c, m.Table[lifecycle.CredentialIssued][c.Law], at)
	p.Wallets = append(p.Wallets, Wallet{
		Issued: at, Expires: floorTo(at, second) + m.Policy.CredentialValidity.Milliseconds(), Ended: Never,
		Lost: Never, Submitted: Never, Acked: Never, Prev: before, Serial: serial, Device: c.Device,
	})
	c.Wallet = int32(len(p.Wallets))
	w := &p.Wallets[c.Wallet-1]
	w.push(at, lifecycle.Judge(c.Law))
	if m.standby.loses(at) {
		if p.lostIssues == nil {
			p.lostIssues = map[uint32][]int32{}
		}
		p.lostIssues[c.ID] = append(p.lostIssues[c.ID], c.Wallet)
	}
	c.Flags |= WalletHeld
	c.Flags &^= KnowsSuspended | WantsMobile | WantsCard
	c.Tries = 0
	c.Affair, c.AffairStep = m.atMostEnd(w.Expires), Expire
	p.T.done(GetMobile, at)
	p.day(at).Issued[ch]++
	p.T.ByAge[ch][AgeBand(int(c.Age))]++
	if serial == 1 {
		p.day(at).First++
	}
	if ch == lifecycle.Counter {
		p.T.IssuedAt[c.affairAt]++
	}
}
