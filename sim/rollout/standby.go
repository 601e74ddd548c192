package rollout

import (
	"maps"
	"slices"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// When the site with the register is lost, a stand-by site serves from its last
// copy. What was committed since is lost until the site is back: the stand-by
// knows neither the cards that were issued nor what was reported. Then the main
// register is authoritative again, and what the stand-by took is applied to it, in
// order.
//
// A citizen's record is the main register's side all the time, together with what
// the stand-by took and the main register will grant: nobody asks the main register
// while its site is lost, so nobody sees that this is written down early. Whoever
// had a change in the time that is lost has a split beside it, which is the
// stand-by's side. For everybody else both sides are the same.

// standby is the time in which a stand-by site serves, in ms.
type standby struct {
	copied int64 // the last copy; what is committed at that instant is in it
	on     int64 // the stand-by serves
	back   int64 // the main site does again

	again      float64 // share of lost reports that are made again at the stand-by
	againAfter int64   // mean
}

func (m *Model) compileStandby() {
	f := m.Scenario.LostSite()
	if f == nil {
		return
	}
	m.standby = &standby{
		copied: m.Since(m.Scenario.LastCopy(f.At.Time)), on: m.Since(f.At.Add(f.StandbyAfter)), back: m.Since(f.At.Add(f.For)),
		again: float64(f.ReportAgain), againAfter: f.ReportAgainAfter.Milliseconds(),
	}
}

// Standby is from when to when a stand-by site serves, and of when its copy is; ok
// is false if the scenario loses no site.
func (m *Model) Standby() (copied, on, back int64, ok bool) {
	if m.standby == nil {
		return 0, 0, 0, false
	}
	return m.standby.copied, m.standby.on, m.standby.back, true
}

// loses says whether what is committed at an instant is lost. It is told by the
// instant alone: until the stand-by serves, nothing reaches the register that was
// not on its way when the site was lost.
func (s *standby) loses(at int64) bool { return s != nil && at > s.copied && at < s.on }

// serves says whether it is the stand-by that answers, or publishes, at an instant.
func (s *standby) serves(at int64) bool { return s != nil && at >= s.on && at < s.back }

// split is the stand-by's side of a citizen.
type split struct {
	law      lifecycle.State
	wallet   int32     // the newest that it knows, +1
	changes  [4]change // of the verdict on it
	reported bool      // that wallet carries the report of a lost phone
	joined   bool      // the main site is back, and the account is closed

	// Of a process whose report is made again: the step that waits for it.
	waits [2]struct {
		at   int64
		step Step
	}
}

// LostKind is a kind of acknowledged change that can be lost.
type LostKind uint8

// The kinds.
const (
	LostIssuance LostKind = iota
	LostReport
	LostRelease
	LostCard     // a new plastic card in force
	NumLostKinds = iota
)

var lostKind = map[lifecycle.Event]LostKind{
	lifecycle.CredentialIssued: LostIssuance, lifecycle.CardIssued: LostCard,
	lifecycle.ReportPhysicalLost: LostReport, lifecycle.ReportMobileLost: LostReport,
	lifecycle.ReleasePhysical: LostRelease, lifecycle.ReleaseMobile: LostRelease,
}

// LossTally is what came of changes that the stand-by site did not know.
type LossTally struct {
	Acknowledged [NumLostKinds]int64
	People       int64
	Again        int64 // lost reports that were made again at the stand-by
	NotTaken     int64 // reports and withdrawals that it refused, because it did not know of what
	Usable       int64 // cards that could not be used there and can since the site is back
	// Presentations by kind of place: of rightful holders refused, of suspended or
	// ended cards accepted from their holders and from somebody else.
	Refused, Accepted, Misused [MaxPlaces]int64
	Unusable                   []int64 // ms for which a card could not be used, by card
	Exposed                    []int64 // ms for which a suspended card could, by card
}

// divide gives a citizen a split, before their first change that is lost.
func (m *Model) divide(p *Place, c *Citizen, e lifecycle.Event, at int64) {
	if !m.standby.loses(at) {
		return
	}
	p.T.Loss.Acknowledged[lostKind[e]]++
	if p.split[c.ID] != nil {
		return
	}
	p.T.Loss.People++
	p.part(c)
}

// part gives a citizen a split; both sides are the same still.
func (p *Place) part(c *Citizen) {
	x := &split{law: c.Law, wallet: c.Wallet}
	if c.Wallet != 0 {
		w := &p.Wallets[c.Wallet-1]
		x.changes, x.reported = w.changes, w.Reported
	}
	if p.split == nil {
		p.split = map[uint32]*split{}
	}
	p.split[c.ID] = x
}

// atStandby is the stand-by's side of a citizen who asks it at an instant; nil if
// the main register answers, or both would say the same.
func (m *Model) atStandby(p *Place, c *Citizen, at int64) *split {
	if !m.standby.serves(at) {
		return nil
	}
	return p.split[c.ID]
}

// move is what the stand-by says to an event.
func (x *split) move(m *Model, p *Place, e lifecycle.Event, at int64) lifecycle.Reason {
	if x.law&lifecycle.HasCredential != 0 && at >= p.Wallets[x.wallet-1].Expires {
		x.law = m.Table[lifecycle.CredentialExpired][x.law].Next
	}
	o := m.Table[e][x.law]
	if o.Reason == lifecycle.Granted {
		x.become(o.Next, at)
		if e == lifecycle.ReportMobileLost {
			x.reported = true
		}
	}
	return o.Reason
}

func (x *split) become(next lifecycle.State, at int64) {
	before, after := lifecycle.Judge(x.law), lifecycle.Judge(next)
	if x.law = next; x.wallet != 0 && before != after {
		push(&x.changes, at, after)
	}
}

// release is what the stand-by says to the withdrawal of a lost phone: as
// Model.releaseWallet, by the newest wallet that it knows.
func (x *split) release(m *Model, p *Place, c *Citizen, at int64) lifecycle.Reason {
	known := x.wallet != 0 && p.Wallets[x.wallet-1].Device == c.Device
	judged := x.law &^ lifecycle.State(lifecycle.MobileLost)
	switch {
	case known && x.law.Causes()&lifecycle.MobileLost != 0:
		judged = x.law
	case known && x.reported:
		judged = lifecycle.HasCard | lifecycle.HasCredential | lifecycle.State(lifecycle.MobileLost)
	}
	o := m.Table[lifecycle.ReleaseMobile][judged]
	if o.Reason == lifecycle.Granted {
		if judged == x.law {
			x.become(o.Next, at)
		}
		x.reported = false
	}
	return o.Reason
}

// told is the verdict on a wallet that the register which served at an instant gave
// then, and whether that is because a change was lost. By a list: an index that it
// does not know yet reads as valid there.
func (m *Model) told(p *Place, c *Citizen, wallet int32, at int64, list bool) (v lifecycle.Verdict, lost bool) {
	w := &p.Wallets[wallet-1]
	if v = w.verdictAt(at); list && at < w.Issued {
		v = lifecycle.Accepted
	}
	x := m.atStandby(p, c, at)
	if x == nil {
		return v, false
	}
	there := v
	switch {
	case w.Issued > m.standby.copied && list:
		there = lifecycle.Accepted
	case w.Issued > m.standby.copied:
		there = lifecycle.NotValid
	case wallet == x.wallet:
		there = verdictAt(&x.changes, at)
	}
	return there, there != v
}

// join is the first thing that a citizen notices when the main site is back: what
// was refused for a loss is good again. It closes the account of their cards.
func (m *Model) join(p *Place, c *Citizen, at int64) {
	if m.standby == nil || at < m.standby.back || len(p.split) == 0 {
		return
	}
	if x := p.split[c.ID]; x != nil && !x.joined {
		if c.Law.MobileActive() {
			c.Flags &^= KnowsSuspended
		}
		p.account(x, c.ID, m.standby)
	}
}

// account measures how long the two sides said different things of a citizen's cards.
func (p *Place) account(x *split, id uint32, s *standby) {
	x.joined = true
	for _, i := range p.ownWallets(x, id) {
		w := &p.Wallets[i-1]
		if w.Issued >= s.on {
			continue
		}
		instants := []int64{s.on, min(s.back, p.M.End)}
		for _, ch := range [][4]change{w.changes, x.changes} {
			for _, k := range ch {
				if k.at > s.on && k.at < instants[1] {
					instants = append(instants, k.at)
				}
			}
		}
		slices.Sort(instants)
		var unusable, exposed int64
		unusableAtEnd := false
		for k := range instants[:len(instants)-1] {
			at := instants[k]
			main, there := w.verdictAt(at), lifecycle.NotValid
			if i == x.wallet {
				there = verdictAt(&x.changes, at)
			}
			length := instants[k+1] - at
			unusableAtEnd = main == lifecycle.Accepted && there != lifecycle.Accepted
			switch {
			case unusableAtEnd:
				unusable += length
			case main != lifecycle.Accepted && there == lifecycle.Accepted:
				exposed += length
			}
		}
		l := p.T.Loss
		if unusable > 0 {
			l.Unusable = append(l.Unusable, unusable)
		}
		if exposed > 0 {
			l.Exposed = append(l.Exposed, exposed)
		}
		if unusableAtEnd && s.back < p.M.End {
			l.Usable++
		}
	}
}

// ownWallets are the wallets of a citizen on which the sides can differ: the one
// that the stand-by knows, and those that were issued in the time that is lost.
func (p *Place) ownWallets(x *split, id uint32) []int32 {
	var out []int32
	if x.wallet != 0 {
		out = append(out, x.wallet)
	}
	return append(out, p.lostIssues[id]...)
}

// closeLoss closes the accounts that are open when the run ends, and brings the
// times into an order that no order of execution can change.
func (p *Place) closeLoss() {
	if p.M.standby == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(p.split)) {
		if x := p.split[id]; !x.joined && p.M.standby.on < p.M.End {
			p.account(x, id, p.M.standby)
		}
	}
	slices.Sort(p.T.Loss.Unusable)
	slices.Sort(p.T.Loss.Exposed)
}

// sayAgain lets somebody make a report again. Some of those whose report was
// acknowledged and is lost make it again at the stand-by site; who was refused there,
// because it does not know of what they report, when the main site is back. What
// they would have done next waits, unless it comes first.
func (m *Model) sayAgain(p *Place, c *Citizen, of Process, reason lifecycle.Reason, at int64) {
	x := p.split[c.ID]
	if x == nil || !m.standby.loses(at) && !m.standby.serves(at) {
		return
	}
	w := m.Source.Draw(c.ID, population.ForStandby, uint32(of))
	t, granted := Never, reason == lifecycle.Granted
	switch {
	case m.standby.loses(at) && granted && rng.Below(w[0], m.standby.again):
		if t = m.standby.on + after(w[1], m.standby.againAfter); t >= m.standby.back {
			return
		}
	case m.standby.serves(at) && !granted:
		mean := m.Scenario.Losses.Phone.Report
		if of == OfCard {
			mean = m.Scenario.Losses.Plastic.Report
		}
		t = m.standby.back + after(w[1], mean.Milliseconds())
	}
	clock, step := c.process(of)
	if t >= *clock {
		return
	}
	x.waits[of].at, x.waits[of].step = *clock, *step
	*clock, *step = t, ReportAgain
}

// process is the clock and the step of the card's or the phone's affairs.
func (c *Citizen) process(of Process) (*int64, *Step) {
	if of == OfCard {
		return &c.Card, &c.CardStep
	}
	return &c.Phone, &c.PhoneStep
}

// actAgain makes a report again, or tries to.
func (m *Model) actAgain(p *Place, c *Citizen, of Process, at int64) {
	clock, step := c.process(of)
	if *step == ReportAgain {
		p.T.post(ReportLoss, at)
		*step = ReportAgainReady
	}
	*clock = Never
	p.request(c, Request{Op: capacity.Report, From: of, At: at}, 0)
}

// answerAgain is the answer to such a report. Then comes what waited for it.
func (m *Model) answerAgain(p *Place, c *Citizen, of Process, rec Record, reached bool) {
	clock, step := c.process(of)
	rec.Channel, rec.Centre = ByCall, -1
	if !reached {
		*clock = m.unavailable(p, c, rec, m.Source.Draw(c.ID, population.ForStandby, uint32(rec.At/second)|1<<31)[0])
		return
	}
	there := m.standby.serves(rec.At)
	var reason lifecycle.Reason
	if of == OfCard {
		reason = m.move(p, c, lifecycle.ReportPhysicalLost, rec.At)
	} else {
		reason = m.reportPhoneLost(p, c, rec.At)
	}
	m.reported(p, c, rec, reason)
	if there && reason == lifecycle.Granted {
		p.T.Loss.Again++
	}
	x := p.split[c.ID]
	*clock, *step = max(x.waits[of].at, rec.At+1), x.waits[of].step
}

// withdrawLater is for somebody whose report is in force and lost, and who was told
// at the stand-by site that there is nothing to withdraw: they come again when the
// main site is back.
func (m *Model) withdrawLater(p *Place, c *Citizen, of Process, at int64) bool {
	if m.atStandby(p, c, at) == nil {
		return false
	}
	again, mean := ReleaseCard, m.Scenario.Habits.ReleaseCard
	if of == OfPhone {
		again, mean = ReleasePhone, m.Scenario.Habits.ReleasePhone
	}
	w := m.Source.Draw(c.ID, population.ForStandby, uint32(of)|1<<16)
	clock, step := c.process(of)
	p.T.post(ReleaseLoss, at)
	*clock, *step = m.standby.back+after(w[0], mean.Milliseconds()), again
	return true
}
