package rollout

import (
	"math"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// demand is where people have to show who they are.
type demand struct {
	places []scenarios.Place
	clock  *clock
	factor [256]float64              // 1 / a person's own rate, by Citizen.Habit
	choice [2][24][MaxPlaces]float64 // cumulative share of the places, by kind of day and hour
}

func (m *Model) compileDemand() {
	d := &m.demand
	d.places = m.Scenario.Demand.Places
	rates := make([]func(bool, int) float64, len(d.places))
	for i, p := range d.places {
		rates[i] = hourly(p.Weekday, p.Weekend, float64(p.Rate))
	}
	all := func(off bool, h int) (sum float64) {
		for _, r := range rates {
			sum += r(off, h)
		}
		return sum
	}
	d.clock = newClock(m.Cal, all)
	for k, off := range []bool{false, true} {
		for h := range 24 {
			sum := 0.0
			for i, r := range rates {
				sum += r(off, h)
				d.choice[k][h][i] = share(sum, all(off, h))
			}
		}
	}
	s := m.Scenario.Demand.Spread
	for i := range d.factor {
		z := (float64(i)+0.5)/32 - 4
		d.factor[i] = 1 / math.Exp(s*z-s*s/2)
	}
}

// next is the time of the next demand after t.
func (d *demand) next(c *Citizen, t int64, w uint32) int64 {
	return d.clock.inverse(d.clock.at(t) + rng.Exp(w)*d.factor[c.Habit])
}

// place draws the kind of place at an instant.
func (m *Model) place(at int64, w uint32) int {
	k := 0
	if m.Cal.Weekend[m.Cal.Day(at)] {
		k = 1
	}
	u := rng.Uniform(w)
	choice := &m.demand.choice[k][at%day/hour]
	i := 0
	for i < len(m.demand.places)-1 && choice[i] <= u {
		i++
	}
	return i
}

func (m *Model) actDemand(p *Place, c *Citizen, at int64) {
	c.nDemand++
	w := m.Source.Draw(c.ID, population.ForDemand, uint32(c.nDemand))
	c.Demand = m.demand.next(c, at, w[0])
	p.T.Intents[ShowIdentity].Posted++
	k := m.place(at, w[1])
	pl := &m.demand.places[k]
	if c.Flags&(WalletHeld|PhoneHeld|KnowsSuspended) != WalletHeld|PhoneHeld || !rng.Below(w[2], float64(pl.Mobile)) {
		if c.Flags&PlasticHeld != 0 {
			if c.Law&lifecycle.HasCredential != 0 {
				p.day(at).HolderPlastic++
				p.T.ByPlace[k].HolderPlastic++
			} else {
				p.day(at).Plastic++
			}
			p.T.Intents[ShowIdentity].Done++
			return
		}
		p.noIdentity(k, at)
		return
	}
	v := int32(rng.Uniform(w[3]) * float64(pl.Verifiers))
	if pl.Check == "online" {
		p.request(c, Request{Op: capacity.VerifyOnline, From: OfDemand, At: at, place: int16(k), verifier: v}, 0)
		return
	}
	m.presentCached(p, c, c.Wallet, OfDemand, k, v, at)
}

func (p *Place) noIdentity(k int, at int64) {
	p.T.Intents[ShowIdentity].Abandoned++
	p.day(at).NoIdentity++
	p.T.ByPlace[k].NoIdentity++
}

// actFinder is somebody with a found phone who tries to pass with it.
func (m *Model) actFinder(p *Place, c *Citizen, at int64) {
	c.nFinder++
	w := m.Source.Draw(c.ID, population.ForFinder, uint32(c.nFinder))
	u := &m.Scenario.Losses.Misuse
	c.Finder = Never
	if !rng.Below(w[0], 1/max(1, u.Attempts)) {
		c.Finder = at + after(w[1], u.Every.Milliseconds())
	}
	k := m.place(at, w[2])
	pl := &m.demand.places[k]
	v := int32(rng.Uniform(w[3]) * float64(pl.Verifiers))
	if pl.Check == "online" {
		p.request(c, Request{Op: capacity.VerifyOnline, From: OfFinder, At: at, place: int16(k), verifier: v}, 0)
		return
	}
	m.presentCached(p, c, p.foundWallet(c), OfFinder, k, v, at)
}

// foundWallet is the wallet that the finder has.
func (p *Place) foundWallet(c *Citizen) int32 {
	i := c.Wallet
	for i != 0 && !p.Wallets[i-1].Found {
		i = p.Wallets[i-1].Prev
	}
	return i
}

func (m *Model) answerPresent(p *Place, c *Citizen, r Request, at int64, reached bool) {
	i := c.Wallet
	if r.From == OfFinder {
		i = p.foundWallet(c)
	}
	rec := Record{At: at, Place: r.place, Verifier: r.verifier, Centre: -1, Env: Reached}
	v, lost := lifecycle.CannotTell, false
	if reached {
		v, lost = m.told(p, c, i, at, false)
		if at >= p.Wallets[i-1].Expires {
			v, lost = lifecycle.NotValid, false
		}
	} else {
		rec.Env = Unavailable
	}
	m.presented(p, c, i, r.From, v, lost, rec)
}

func (m *Model) presentCached(p *Place, c *Citizen, wallet int32, from Process, k int, verifier int32, at int64) {
	w := &p.Wallets[wallet-1]
	seen := m.lists.seen(m, k, verifier, at)
	rec := Record{At: at, Place: int16(k), Verifier: verifier, Centre: -1, Cached: true,
		Fetched: seen.fetched, Published: seen.published, Expired: seen.expired}
	v, lost := m.told(p, c, wallet, seen.published, true)
	switch {
	case at >= w.Expires:
		v, lost = lifecycle.NotValid, false // the card itself says so
	case seen.expired && m.Scenario.StatusLists.Expired == "refuse":
		v, lost = lifecycle.CannotTell, false
	}
	m.presented(p, c, wallet, from, v, lost, rec)
}

// presented counts a presentation of a mobile card and what follows. lost says
// that the verdict would be another one, had no change been lost.
func (m *Model) presented(p *Place, c *Citizen, wallet int32, from Process, v lifecycle.Verdict, lost bool, rec Record) {
	w := &p.Wallets[wallet-1]
	at := rec.At
	rec.Serial, rec.Device, rec.Decided = w.Serial, w.Device, uint8(v)
	rec.Act = ActPresent
	if from == OfFinder {
		rec.Act = ActFinderPresents
	}
	p.keep(c, rec)
	d, pt := p.day(at), &p.T.ByPlace[rec.Place]
	d.Presentations++
	pt.Presentations++
	active := wallet == c.Wallet && c.Law.MobileActive()
	switch v {
	case lifecycle.Accepted:
		d.Accepted++
		pt.Accepted++
		w.LastAccepted = at
		switch {
		case !active && lost && from == OfFinder:
			p.T.Loss.Misused[rec.Place]++
		case !active && lost:
			p.T.Loss.Accepted[rec.Place]++
		case !active && at > m.bound(w, rec):
			d.FalseAccepts++
		case !active:
			d.ExposureAccepts++
		case from == OfFinder:
			d.UnreportedAccepts++
		}
	case lifecycle.Suspended:
		d.RejectedSuspended++
		pt.Suspended++
		if active && from == OfDemand && !lost {
			d.FalseRejects++
		}
	case lifecycle.NotValid:
		d.RejectedOther++
		pt.Other++
	case lifecycle.CannotTell:
		d.CannotTell++
		pt.CannotTell++
		if p.T.Turned != nil {
			hourOf(p.T.Turned, at)[rec.Place]++
		}
	}
	if from == OfFinder {
		if v == lifecycle.Suspended || v == lifecycle.NotValid {
			c.Finder = Never
		}
		return
	}
	if lost && active && v != lifecycle.Accepted {
		p.T.Loss.Refused[rec.Place]++
		c.Flags |= KnowsSuspended // they show plastic until the site is back
	}
	if v == lifecycle.Accepted {
		p.T.Intents[ShowIdentity].Done++
		if rec.Cached {
			hourOf(p.T.Goodput, at)[capacity.OfflineVerification]++
		}
		return
	}
	if v == lifecycle.Suspended {
		c.Flags |= KnowsSuspended
	}
	if m.demand.places[rec.Place].Plastic && c.Flags&PlasticHeld != 0 {
		d.Fallback++
		p.T.Intents[ShowIdentity].Done++
		return
	}
	p.noIdentity(int(rec.Place), at)
}

// bound is the latest instant at which a verifier may still accept a credential
// that the register no longer holds valid: the last change plus what S4 allows.
func (m *Model) bound(w *Wallet, rec Record) int64 {
	since := w.changes[len(w.changes)-1].at
	if m.standby.serves(since) && rec.At >= m.standby.back {
		since = m.standby.back // it was written down early, see standby.go
	}
	if !rec.Cached {
		return since
	}
	l := &m.Scenario.StatusLists
	return since + (l.PublishInterval + m.demand.places[rec.Place].TTL + l.Allowance).Milliseconds()
}
