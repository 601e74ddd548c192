package rollout

import (
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
)

// A fire at 20:15, with a copy from 01:00; the stand-by serves at 03:10, and the site
// is back at 09:00 six days later.
var burns = []string{
	`service.standby={copies_every: 24h, at: "01:00"}`,
	"faults=[{name: fire, kind: site-lost, nodes: [gateway, register, face, signing, status], at: 2025-03-21 20:15, standby_after: 6h 55m, for: 6d 12h 45m, report_again: 100%, report_again_after: 1h}]",
}

func burning(t *testing.T) (m *Model, p *Place, s *standby) {
	t.Helper()
	m = model(t, "announced", burns...)
	if m.standby.copied != at(t, m, "2025-03-21 01:00") || m.standby.on != at(t, m, "2025-03-22 03:10") || m.standby.back != at(t, m, "2025-03-28 09:00") {
		t.Fatalf("the stand-by serves as %+v", m.standby)
	}
	return m, place(m, sejong, m.standby.copied), m.standby
}

// shown is the verdict on a citizen's newest card online, and by a list that was
// published at that instant.
func shown(m *Model, p *Place, c *Citizen, at int64) (online, list lifecycle.Verdict) {
	online, _ = m.told(p, c, c.Wallet, at, false)
	list, _ = m.told(p, c, c.Wallet, at, true)
	return online, list
}

func TestACardThatWasIssuedSinceTheCopyIsUnknownUntilTheSiteIsBack(t *testing.T) {
	m, p, s := burning(t)
	c := anApplicant(m, p, 1)
	m.issue(p, c, s.copied+hour, lifecycle.Counter)
	other := anApplicant(m, p, 2)
	m.issue(p, other, s.copied, lifecycle.Counter) // in the copy
	for _, x := range []struct {
		at           int64
		online, list lifecycle.Verdict
	}{
		{s.copied + hour, lifecycle.Accepted, lifecycle.Accepted},
		{s.on - 1, lifecycle.Accepted, lifecycle.Accepted},
		// An index that a list does not know reads as valid there.
		{s.on, lifecycle.NotValid, lifecycle.Accepted},
		{s.back - 1, lifecycle.NotValid, lifecycle.Accepted},
		{s.back, lifecycle.Accepted, lifecycle.Accepted},
	} {
		if online, list := shown(m, p, c, x.at); online != x.online || list != x.list {
			t.Errorf("%d min after the switch: online %v, by list %v", (x.at-s.on)/minute, online, list)
		}
		if online, list := shown(m, p, other, x.at); online != lifecycle.Accepted || list != lifecycle.Accepted {
			t.Errorf("issued at the copy: online %v, by list %v", online, list)
		}
	}
	p.Finish()
	l := p.T.Loss
	if l.Acknowledged != [NumLostKinds]int64{LostIssuance: 1} || l.People != 1 || l.Usable != 1 || len(l.Unusable) != 1 || l.Unusable[0] != s.back-s.on || len(l.Exposed) != 0 {
		t.Errorf("counted %+v", l)
	}
}

func TestAReportSinceTheCopyIsLostAndInForceAgainWhenTheSiteIsBack(t *testing.T) {
	m, p, s := burning(t)
	c, other := aHolder(m, p, 1), aHolder(m, p, 2)
	m.move(p, other, lifecycle.ReportPhysicalLost, s.copied) // in the copy
	m.move(p, c, lifecycle.ReportPhysicalLost, s.copied+1)
	for at, want := range map[int64]lifecycle.Verdict{
		s.on - 1: lifecycle.Suspended, s.on: lifecycle.Accepted, s.back - 1: lifecycle.Accepted, s.back: lifecycle.Suspended,
	} {
		if online, list := shown(m, p, c, at); online != want || list != want {
			t.Errorf("%d min after the switch: online %v, by list %v, want %v", (at-s.on)/minute, online, list, want)
		}
		if online, list := shown(m, p, other, at); online != lifecycle.Suspended || list != lifecycle.Suspended {
			t.Errorf("reported at the copy: online %v, by list %v", online, list)
		}
	}
	p.Finish()
	if l := p.T.Loss; l.Acknowledged != [NumLostKinds]int64{LostReport: 1} || len(l.Exposed) != 1 || l.Exposed[0] != s.back-s.on || l.Usable != 0 {
		t.Errorf("counted %+v", l)
	}
}

func TestALostReportIsMadeAgainAtTheStandby(t *testing.T) {
	m, p, s := burning(t)
	c := aHolder(m, p, 1)
	c.Flags &^= PlasticHeld
	c.CardStep, c.cardBy = ReportCardReady, ByCall
	p.T.post(ReportLoss, s.copied+hour)
	m.Answer(p, c, Request{Citizen: 1, Op: capacity.Report, From: OfCard, At: s.copied + hour}, works)
	if c.CardStep != ReportAgain || c.Card < s.on {
		t.Fatalf("next is step %d at %d, the stand-by serves from %d on", c.CardStep, c.Card, s.on)
	}
	waits := p.split[1].waits[OfCard]
	p.at(c.Card)
	m.Act(p, c)
	m.Answer(p, c, p.Requests[0], works)
	again := p.Records[len(p.Records)-1]
	if again.Act != ActReportPhysical || again.At < s.on || c.CardStep != waits.step || c.Card < waits.at {
		t.Errorf("again: %+v; then step %d at %d instead of %d at %d", again, c.CardStep, c.Card, waits.step, waits.at)
	}
	if n := p.T.Intents[ReportLoss]; n.Posted != 2 || n.Done != 2 {
		t.Errorf("reports: %+v", n)
	}
	for at, want := range map[int64]lifecycle.Verdict{again.At - 1: lifecycle.Accepted, again.At: lifecycle.Suspended, s.back: lifecycle.Suspended} {
		if online, _ := shown(m, p, c, at); online != want {
			t.Errorf("%d ms after the second report: %v", at-again.At, online)
		}
	}
	p.Finish()
	if l := p.T.Loss; l.Again != 1 || len(l.Exposed) != 1 || l.Exposed[0] != again.At-s.on {
		t.Errorf("counted %+v", l)
	}
}

// Who finds the card again cannot withdraw a report that the stand-by does not know,
// and comes again when the site is back.
func TestALostReportIsWithdrawnWhenTheSiteIsBack(t *testing.T) {
	m, p, s := burning(t)
	c := aHolder(m, p, 1)
	m.move(p, c, lifecycle.ReportPhysicalLost, s.copied+hour)
	c.CardStep, c.Card = ReleaseCard, Never
	p.T.post(ReleaseLoss, s.on)
	p.at(s.on + hour)
	m.Answer(p, c, Request{Citizen: 1, Op: capacity.Release, From: OfCard, At: s.on + hour}, works)
	if got := lifecycle.Reason(p.Records[0].Decided); got != lifecycle.NothingToRelease || p.T.Loss.NotTaken != 1 {
		t.Errorf("the stand-by says %v, %d not taken", got, p.T.Loss.NotTaken)
	}
	if c.CardStep != ReleaseCard || c.Card < s.back {
		t.Fatalf("next is step %d at %d, the site is back at %d", c.CardStep, c.Card, s.back)
	}
	p.at(c.Card)
	m.Act(p, c)
	m.Answer(p, c, p.Requests[0], works)
	if got := lifecycle.Reason(p.Records[1].Decided); got != lifecycle.Granted || !c.Law.MobileActive() {
		t.Errorf("the main register says %v", got)
	}
	if n := p.T.Intents[ReleaseLoss]; n.Posted != 2 || n.Done != 2 {
		t.Errorf("withdrawals: %+v", n)
	}
}

// A withdrawal that is lost: the holder is refused, shows plastic, and is accepted
// when the site is back.
func TestALostWithdrawalIsGoodAgainWhenTheSiteIsBack(t *testing.T) {
	m, p, s := burning(t)
	c := aHolder(m, p, 1)
	m.move(p, c, lifecycle.ReportPhysicalLost, s.copied-hour)
	m.move(p, c, lifecycle.ReleasePhysical, s.copied+hour)
	p.at(s.on + hour)
	m.answerPresent(p, c, Request{Citizen: 1, Op: capacity.VerifyOnline, From: OfDemand, At: p.Start}, p.Start, true)
	if p.T.Loss.Refused[0] != 1 || c.Flags&KnowsSuspended == 0 || p.day(p.Start).FalseRejects != 0 {
		t.Errorf("refused for the loss: %d, as a false rejection: %d", p.T.Loss.Refused[0], p.day(p.Start).FalseRejects)
	}
	m.join(p, c, s.back)
	if online, _ := shown(m, p, c, s.back); online != lifecycle.Accepted || c.Flags&KnowsSuspended != 0 {
		t.Errorf("the site is back: %v", online)
	}
	if l := p.T.Loss; l.Usable != 1 || len(l.Unusable) != 1 || l.Unusable[0] != s.back-s.on {
		t.Errorf("counted %+v", l)
	}
}

// What the stand-by took for somebody with a lost change is applied to the main
// register: here to the card in force, which the stand-by does not know.
func TestWhatTheStandbyTookIsAppliedToTheMainRegister(t *testing.T) {
	m, p, s := burning(t)
	c := aHolder(m, p, 1)
	old := c.Wallet
	c.Device = 1
	m.issue(p, c, s.copied+hour, lifecycle.Counter) // onto a new phone
	if v, _ := m.told(p, c, old, s.on, false); v != lifecycle.Accepted {
		t.Errorf("the card before it, which the stand-by takes for the one in force: %v", v)
	}
	if got := m.reportPhoneLost(p, c, s.on+hour); got != lifecycle.Granted || !p.Wallets[c.Wallet-1].Reported {
		t.Fatalf("the report: %v", got)
	}
	if v, _ := m.told(p, c, old, s.on+hour, false); v != lifecycle.Suspended {
		t.Errorf("the card before it after the report: %v", v)
	}
	for at, want := range map[int64]lifecycle.Verdict{s.on - 1: lifecycle.Accepted, s.back: lifecycle.Suspended} {
		if online, _ := shown(m, p, c, at); online != want {
			t.Errorf("%d min after the switch: %v, want %v", (at-s.on)/minute, online, want)
		}
	}
	if got := m.releaseWallet(p, c, s.on+2*hour); got != lifecycle.NothingToRelease {
		t.Errorf("the stand-by knows nothing of this phone, and says %v to its withdrawal", got)
	}
	if got := m.releaseWallet(p, c, s.back); got != lifecycle.Granted || !c.Law.MobileActive() {
		t.Errorf("the main register says %v", got)
	}
}

// A first card that is lost cannot be reported at the stand-by.
func TestTheStandbyRefusesAReportOfACardThatItDoesNotKnow(t *testing.T) {
	m, p, s := burning(t)
	c := anApplicant(m, p, 1)
	m.issue(p, c, s.copied+hour, lifecycle.Counter)
	c.Flags &^= PhoneHeld
	c.PhoneStep, c.phoneBy = ReportPhoneReady, ByCall
	p.T.post(ReportLoss, s.on)
	p.at(s.on + hour)
	m.Answer(p, c, Request{Citizen: 1, Op: capacity.Report, From: OfPhone, At: s.on + hour}, works)
	if got := lifecycle.Reason(p.Records[len(p.Records)-1].Decided); got != lifecycle.NothingToSuspend || p.T.Loss.NotTaken != 1 || c.Law.Causes() != 0 {
		t.Errorf("the stand-by says %v, state %v", got, c.Law)
	}
}

func TestNobodyElseIsTouchedByALostSite(t *testing.T) {
	m, p, s := burning(t)
	c := aHolder(m, p, 1)
	m.move(p, c, lifecycle.ReportMobileLost, s.on+hour)
	m.move(p, c, lifecycle.ReleaseMobile, s.on+2*hour)
	for at, want := range map[int64]lifecycle.Verdict{s.on: lifecycle.Accepted, s.on + hour: lifecycle.Suspended, s.on + 2*hour: lifecycle.Accepted, s.back: lifecycle.Accepted} {
		if online, list := shown(m, p, c, at); online != want || list != want {
			t.Errorf("%d min after the switch: online %v, by list %v, want %v", (at-s.on)/minute, online, list, want)
		}
	}
	if p.Finish(); len(p.split) != 0 || p.T.Loss.People != 0 {
		t.Errorf("counted %+v", p.T.Loss)
	}
}

// A code at a counter is made by the service: none is older than its return.
func TestNoCodeIsOlderThanTheSitesReturn(t *testing.T) {
	m, p, s := burning(t)
	p.at(s.back)
	for id := range uint32(50) {
		c := anApplicant(m, p, id)
		c.affairAt = c.Centre
		m.Answer(p, c, Request{Citizen: id, Op: capacity.IssueCentre, From: OfAffair, At: s.back + 3*second}, works)
	}
	for _, r := range p.Records {
		if r.At-r.QRAge < s.back {
			t.Fatalf("redeemed %d ms after the return, %d ms old", r.At-s.back, r.QRAge)
		}
	}
}

// At the stand-by the report is in force; the main register finds nothing to suspend
// when it is back, for the card has expired.
func TestAReportOfACardThatExpiresBeforeTheReturnStaysAtTheStandby(t *testing.T) {
	m, p, s := burning(t)
	for expires, taken := range map[int64]bool{s.back: false, s.back + 1: true} {
		c := aHolder(m, p, uint32(expires))
		w := &p.Wallets[c.Wallet-1]
		w.Expires = expires
		if got := m.reportPhoneLost(p, c, s.on+hour); got != lifecycle.Granted {
			t.Fatal(got)
		}
		if v, _ := m.told(p, c, c.Wallet, s.on+hour, false); v != lifecycle.Suspended {
			t.Errorf("at the stand-by: %v", v)
		}
		m.lapse(p, c, s.back)
		if p.carriesReport(c) != taken {
			t.Errorf("expires %d ms after the return: the phone carries the report: %v", expires-s.back, !taken)
		}
	}
	if p.T.Loss.People != 0 {
		t.Error("nothing was lost")
	}
}
