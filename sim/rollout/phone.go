package rollout

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// actPhone takes a step in the life of the phone.
func (m *Model) actPhone(p *Place, c *Citizen, at int64) {
	switch c.PhoneStep {
	case Idle:
		m.phoneEvent(p, c, at)
	case ReportPhone:
		m.reportPhone(p, c, at)
	case ReportPhoneReady:
		c.Phone = Never
		p.request(c, Request{Op: capacity.Report, From: OfPhone, At: at}, 0)
	case PhoneBack:
		c.Flags |= PhoneHeld
		c.Finder = Never
		if x := m.atStandby(p, c, at); p.carriesReport(c) || x != nil && x.reported {
			p.T.post(ReleaseLoss, at)
			c.Phone, c.PhoneStep = at+after(m.phoneDraw(c)[0], m.Scenario.Habits.ReleasePhone.Milliseconds()), ReleasePhone
			return
		}
		p.notLost(c)
		m.phoneIdle(c, at)
	case ReportAgain, ReportAgainReady:
		m.actAgain(p, c, OfPhone, at)
	case ReleasePhone:
		c.Phone = Never
		p.request(c, Request{Op: capacity.Release, From: OfPhone, At: at}, 0)
	case PhoneNew:
		m.newPhone(p, c, at)
	}
}

func (m *Model) phoneDraw(c *Citizen) rng.Block {
	c.nPhone++
	return m.Source.Draw(c.ID, population.ForPhoneStep, uint32(c.nPhone))
}

func (m *Model) phoneIdle(c *Citizen, at int64) {
	c.PhoneStep = Idle
	c.Phone = m.phoneClock.inverse(m.phoneClock.at(at) + rng.Exp(m.phoneDraw(c)[1]))
}

func (m *Model) newPhone(p *Place, c *Citizen, at int64) {
	c.Flags |= PhoneHeld
	c.Device++
	if c.Flags&WalletHeld != 0 {
		c.Flags &^= WalletHeld
		p.day(at).NewPhones++
		if c.Flags&WantsMobile == 0 {
			c.Affair, c.AffairStep = at+after(m.phoneDraw(c)[2], m.Scenario.Phones.ReissueDelay.Milliseconds()), WantMobile
		}
	}
	m.phoneIdle(c, at)
}

func (m *Model) phoneEvent(p *Place, c *Citizen, at int64) {
	w := m.phoneDraw(c)
	v := m.phoneDraw(c)
	if !rng.Below(w[0], *hourOf(m.phoneLoss, at)) {
		m.newPhone(p, c, at)
		return
	}
	l := &m.Scenario.Losses.Phone
	c.Flags &^= PhoneHeld
	back, step := m.phoneReturn(v[0], v[1])
	report := at + after(w[1], l.Noticed.Milliseconds()) + after(w[2], l.Report.Milliseconds())
	if c.Flags&WalletHeld != 0 && c.Law&lifecycle.HasCredential != 0 {
		p.day(at).PhonesLost++
		p.lost(c, at)
		if u := m.Scenario.Losses.Misuse; rng.Below(v[2], float64(u.Phone)) {
			p.Wallets[c.Wallet-1].Found = true
			c.Finder = at + after(v[3], u.Every.Milliseconds())
		}
		if rng.Below(w[3], float64(l.Reported)) && report < at+back {
			c.Phone, c.PhoneStep = report, ReportPhone
			return
		}
	}
	c.Phone, c.PhoneStep = at+back, step
}

// phoneReturn draws how a lost phone comes back: found, or replaced.
func (m *Model) phoneReturn(w0, w1 uint32) (delay int64, step Step) {
	l := &m.Scenario.Losses.Phone
	if rng.Below(w0, float64(l.Found)) {
		return after(w1, l.FoundAfter.Milliseconds()), PhoneBack
	}
	return after(w1, l.NewPhone.Milliseconds()), PhoneNew
}

func (m *Model) reportPhone(p *Place, c *Citizen, at int64) {
	p.T.post(ReportLoss, at)
	w := m.phoneDraw(c)
	c.Phone, c.PhoneStep = Never, ReportPhoneReady
	p.submitted(c, at)
	c.phoneBy = reportBy(w[0], &m.Scenario.Losses.Phone.Channels, false)
	if c.phoneBy == ByCentre {
		m.visit(p, c, at, ToReport, OfPhone, m.Scenario.Habits.ReportVisit.Milliseconds())
		return
	}
	p.request(c, Request{Op: capacity.Report, From: OfPhone, At: at}, 0)
}

func (m *Model) visitedPhone(p *Place, c *Citizen, v VisitResult) {
	c.Phone = v.At
	if v.End == Served {
		c.phoneAt = uint16(v.Centre)
		return
	}
	p.day(v.At).SecondVisits++
	c.phoneBy = ByCall
	c.Phone += after(m.phoneDraw(c)[0], m.Scenario.Channels.OutageRetry.Milliseconds()) // who could not wait calls later
}

// answerPhoneReport is the service's word on the report of a lost phone, or on
// its withdrawal.
func (m *Model) answerPhoneReport(p *Place, c *Citizen, r Request, at int64, reached bool) {
	w := m.phoneDraw(c)
	rec := lossRecord(r, ActReportMobile, ActReleaseMobile, c.phoneBy, c.phoneAt, at)
	rec.Device = c.Device
	switch {
	case c.PhoneStep == ReportAgainReady:
		m.answerAgain(p, c, OfPhone, rec, reached)
	case !reached:
		c.Phone = m.unavailable(p, c, rec, w[0])
	case r.Op == capacity.Release:
		m.withdrawn(p, c, rec, m.releaseWallet(p, c, at))
		if !p.carriesReport(c) || !m.withdrawLater(p, c, OfPhone, at) {
			m.phoneIdle(c, at)
		}
	default:
		reason := m.reportPhoneLost(p, c, at)
		m.reported(p, c, rec, reason)
		delay, step := m.phoneReturn(w[1], w[2])
		c.Phone, c.PhoneStep = at+delay, step
		m.sayAgain(p, c, OfPhone, reason, at)
	}
}

// reportPhoneLost is the commit of such a report: the wallet carries it.
func (m *Model) reportPhoneLost(p *Place, c *Citizen, at int64) lifecycle.Reason {
	// What the stand-by took of a mobile card that has expired when the main site is
	// back, the main register cannot take.
	expires := c.Wallet != 0 && m.standby.serves(at) && p.Wallets[c.Wallet-1].Expires <= m.standby.back
	if expires && p.split[c.ID] == nil {
		p.part(c)
	}
	reason := m.move(p, c, lifecycle.ReportMobileLost, at)
	if reason == lifecycle.Granted && c.Law.Causes()&lifecycle.MobileLost != 0 && !expires {
		p.Wallets[c.Wallet-1].Reported = true
	}
	return reason
}

// carriesReport says whether the wallet on the phone in use carries a report of loss.
func (p *Place) carriesReport(c *Citizen) bool {
	if c.Wallet == 0 {
		return false
	}
	w := &p.Wallets[c.Wallet-1]
	return w.Reported && w.Device == c.Device
}

// releaseWallet withdraws the report of the phone in use. If the credential has
// ended meanwhile, the wallet carries the report all the same: it is judged as
// if it still held one.
func (m *Model) releaseWallet(p *Place, c *Citizen, at int64) lifecycle.Reason {
	carries := p.carriesReport(c)
	x := m.atStandby(p, c, at)
	if x != nil {
		if reason := x.release(m, p, c, at); reason != lifecycle.Granted {
			if carries {
				p.T.Loss.NotTaken++
			}
			return reason
		}
	}
	o := m.Table[lifecycle.ReleaseMobile][c.Law]
	if carries && c.Law.Causes()&lifecycle.MobileLost == 0 {
		carried := lifecycle.HasCard | lifecycle.HasCredential | lifecycle.State(lifecycle.MobileLost)
		o = lifecycle.Outcome{Next: c.Law, Reason: m.Table[lifecycle.ReleaseMobile][carried].Reason}
	}
	if o.Reason == lifecycle.Granted {
		m.divide(p, c, lifecycle.ReleaseMobile, at)
		if carries {
			p.Wallets[c.Wallet-1].Reported = false
		}
	}
	if reason := m.change(p, c, o, at); x == nil {
		return reason
	}
	return lifecycle.Granted
}
