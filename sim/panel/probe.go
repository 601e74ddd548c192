package panel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// Probes are what adversaries and doubters try beside the lives. Those that ask
// for a change must be refused; looks change nothing. Some citizens get each
// kind of probe, chosen by a draw of their own, and always the first few.
type probes struct {
	made int
	kind map[string]int
}

const (
	probeShare = 0.25
	probeFirst = 8
)

// probing says whether a citizen gets a probe of a kind here.
func (r *run) probing(c *citizen, kind string, i int) bool {
	if r.probes.kind == nil {
		r.probes.kind = map[string]int{}
	}
	var h uint32 = 2166136261 // FNV-1a, to tell the kinds apart
	for _, b := range []byte(kind) {
		h = (h ^ uint32(b)) * 16777619
	}
	w := r.Source.Draw(c.Number, population.ForPanel, drawProbes+h%(1<<20)<<8+uint32(i&0xFF))
	if r.probes.kind[kind] >= probeFirst && !rng.Below(w[0], probeShare) {
		return false
	}
	r.probes.kind[kind]++
	return true
}

// try sends a request that has to be refused, for one of the reasons.
func (r *run) try(c *citizen, what string, q world.Request, reasons ...lifecycle.Reason) world.Answer {
	r.probes.made++
	a := r.askOnce(c, q)
	names := make([]string, len(reasons))
	for i, reason := range reasons {
		names[i] = reason.String()
	}
	want := strings.Join(names, " or ")
	if slices.Contains(names, a.String()) {
		want = a.String()
	}
	c.probed("try: "+what, r.Clock.Now(), want, a.String())
	return a
}

// again sends a request a second time: the answer has to be the same.
func (r *run) again(c *citizen, q world.Request, first world.Answer) {
	r.probes.made++
	a := r.askOnce(c, q)
	got := a.String()
	switch {
	case a.Sequence != first.Sequence:
		got += " by another change"
	case !slices.EqualFunc(first.Issued.Copies, a.Issued.Copies, slices.Equal):
		got += " with another card"
	}
	c.probed("the same request again", r.Clock.Now(), first.String(), got)
}

// reuse sends a request with the key of another one: it has to be turned away, or
// somebody takes the answer to the other for theirs.
func (r *run) reuse(c *citizen, q world.Request) {
	r.probes.made++
	c.probed("try: a key that belongs to another request", r.Clock.Now(), "error: "+register.ErrKeyReused.Error(), r.askOnce(c, q).String())
}

// probed is compare for what is no part of the citizen's life: it is written
// down only where it went wrong.
func (c *citizen) probed(what string, at time.Time, want, got string) {
	if want != got {
		c.compare(at, what, want, got)
	}
}

// probeTap: the request again; a clone of the card; the evidence once more.
func (r *run) probeTap(c *citizen, i int, q world.Request, a world.Answer, challenge []byte, evidence card.Evidence) error {
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if !r.probing(c, "tap", i) {
		return r.lookOld(c, i)
	}
	thief := r.thief(c)
	fresh, nonce, err := r.Challenge(r.ctx)
	if err != nil {
		return err
	}
	tap, err := r.Read(c.Chip.CloneWithoutKey(r.Entropy(c.Citizen)), fresh, c.PIN, false)
	if err != nil {
		return err
	}
	s, err := r.goodFace(c, thief, nonce)
	if err != nil {
		return err
	}
	r.try(c, "a clone of the card", r.ByTap(c.Citizen, key(c, i, "clone"), fresh, world.Evidence(tap), s), lifecycle.CardNotGenuine)

	if s, err = r.goodFace(c, thief, world.Nonce(challenge)); err != nil {
		return err
	}
	r.try(c, "the evidence of another application", r.ByTap(c.Citizen, key(c, i, "replay"), challenge, evidence, s), lifecycle.CardNotGenuine)
	return r.lookOld(c, i)
}

// probeOffer: the request again; the used code once more, with another phone.
func (r *run) probeOffer(c *citizen, i int, q world.Request, a world.Answer, code, municipality string) error {
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if r.probing(c, "code", i) {
		thief := r.thief(c)
		s, err := r.goodFace(c, thief, code)
		if err != nil {
			return err
		}
		r.try(c, "a used code", r.ByOffer(c.Citizen, key(c, i, "used code"), code, municipality, s), lifecycle.OfferUsed)
	}
	return r.lookOld(c, i)
}

// thief is a phone that the citizen never had.
func (r *run) thief(c *citizen) *world.Device { return r.AnotherDevice(c.Citizen) }

// goodFace is what a phone hands over, with a capture well above the threshold.
func (r *run) goodFace(c *citizen, d *world.Device, nonce string) (world.Shown, error) {
	return r.Show(c.Citizen, d, nonce, rollout.Score(r.Scenario.Face.Threshold, aGoodFace))
}

// lookOld shows the mobile cards that were replaced, from phones that still hold
// them, and plastic cards whose number has ended.
func (r *run) lookOld(c *citizen, i int) error {
	for _, d := range c.Phones() {
		if d.Serial == 0 || int(d.Serial) == c.Issued || !r.probing(c, "old wallet", i) {
			continue
		}
		r.probes.made++
		if _, err := r.ShowOnline(r.ctx, c.Citizen, d, world.Verifier("counter", 0), "counter", []string{"age_over_19"}, true); err != nil {
			return err
		}
	}
	for _, number := range c.Old {
		if r.probing(c, "old card", i) {
			r.probes.made++
			if _, err := r.ShowPlastic(r.ctx, c.Citizen, number); err != nil {
				return err
			}
		}
	}
	return nil
}

// beforeReport has a clerk make a code just before a report, to be redeemed just
// after it.
func (r *run) beforeReport(c *citizen, i int, cause lifecycle.Causes) offered {
	if !r.probing(c, "race "+cause.String(), i) || c.Document == "" {
		return offered{}
	}
	a := r.askOnce(c, r.MakeOffer(c.Citizen, world.ClerkOf("a counter"), key(c, i, "code before"), c.Home))
	return offered{code: a.Offer.Code, reason: a.Reason}
}

// probeReport: the request again; another with its key; releases by those who may not, of what was not
// reported, and naming an older report; a card applied for all the same; looks
// at both cards.
func (r *run) probeReport(c *citizen, i int, by register.By, cause lifecycle.Causes, q world.Request, a world.Answer, before offered) {
	other := lifecycle.MobileLost
	if cause == lifecycle.MobileLost {
		other = lifecycle.PhysicalLost
	}
	wallet := ""
	if d := c.Current(); cause == lifecycle.MobileLost && d != nil {
		wallet = d.Wallet()
	}
	r.Receipt(c.Citizen, a, r.Stamp())
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if r.probing(c, "key", i) {
		r.reuse(c, r.Report(c.Citizen, by, q.Call.Key, cause, "reported with words of another report", r.Clock.Now()))
	}
	if r.probing(c, "release", i) {
		clerk := world.ClerkOf("a counter")
		r.try(c, "release by the loss line", r.Release(c.Citizen, world.CallCentre, key(c, i, "by call"), cause, a.Sequence, wallet), lifecycle.NotAuthorised)
		r.try(c, "release that names an older report", r.Release(c.Citizen, clerk, key(c, i, "older"), cause, a.Sequence-1, wallet), lifecycle.OlderThanReport)
		if a.State.Causes()&other == 0 {
			r.try(c, "release of what was not reported", r.Release(c.Citizen, clerk, key(c, i, "other"), other, a.Sequence, ""), lifecycle.NothingToRelease)
		}
	}
	if before.code != "" {
		// With a lost phone, on that very phone; with a lost card, on the one in hand.
		if d := c.Current(); d != nil {
			if s, err := r.goodFace(c, &world.Device{Phone: d.Phone}, before.code); err == nil {
				want := lifecycle.CardSuspended
				if cause == lifecycle.MobileLost {
					want = lifecycle.WalletReportedLost
				}
				r.try(c, "application after the report", r.ByOffer(c.Citizen, key(c, i, "after report"), before.code, c.Home, s), want)
			}
		} else if cause == lifecycle.PhysicalLost {
			if s, err := r.goodFace(c, r.StrangersDevice(c.Citizen, 0), before.code); err == nil {
				r.try(c, "application after the report", r.ByOffer(c.Citizen, key(c, i, "after report"), before.code, c.Home, s), lifecycle.CardSuspended)
			}
		}
	}
	r.lookBoth(c, i)
}

// lookBoth shows both cards where the service is asked.
func (r *run) lookBoth(c *citizen, i int) {
	if !r.probing(c, "look", i) {
		return
	}
	if c.Document != "" {
		r.probes.made++
		_, _ = r.ShowPlastic(r.ctx, c.Citizen, c.Document) // what cannot be told is written down as that
	}
	if d := c.Current(); d != nil {
		r.probes.made++
		_, _ = r.ShowOnline(r.ctx, c.Citizen, d, world.Verifier("counter", 0), "counter", []string{"portrait"}, true)
	}
}

// probeRelease: the request again; looks at both cards.
func (r *run) probeRelease(c *citizen, i int, q world.Request, a world.Answer) {
	r.Receipt(c.Citizen, a, r.Stamp())
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	r.lookBoth(c, i)
}

// probeCard: the request again; the old number and all that hung on it.
func (r *run) probeCard(c *citizen, i int, q world.Request, a world.Answer) error {
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if r.probing(c, "new card", i) {
		r.probes.made++
		if _, err := r.ShowPlastic(r.ctx, c.Citizen, c.Document); err != nil {
			return err
		}
	}
	if d := c.Current(); d != nil && r.probing(c, "ended wallet", i) {
		r.probes.made++
		if _, err := r.ShowOnline(r.ctx, c.Citizen, d, world.Verifier("counter", 0), "counter", []string{"portrait"}, true); err != nil {
			return err
		}
	}
	return r.lookOld(c, i)
}

// probeReplay: a presentation that was seen by others, in the same transaction
// and in another one.
func (r *run) probeReplay(c *citizen, i int, s world.Session) error {
	if !r.probing(c, "replay", i) {
		return nil
	}
	r.probes.made += 2
	r.N.Operations += 3
	_, err := r.Front.Verify(r.ctx, s.Transaction, s.Response)
	c.probed("try: a presentation again", r.Clock.Now(), verification.ErrReplayed.Error(), fmt.Sprint(err))
	t, err := r.Front.Begin(s.Transaction.Verifier)
	if err != nil {
		return err
	}
	a, err := r.Front.Verify(r.ctx, t, s.Response)
	c.probed("try: a presentation of another transaction", r.Clock.Now(), "not-valid <nil>", fmt.Sprint(a.Verdict, " ", err))
	return nil
}

// look is a planned look at a citizen's newest mobile card.
type look struct {
	who       int
	verifier  verifierKey // cached
	published int64
	fetch     bool // the verifier fetches; else it is shown the card
}

// planProbes lays out looks at a distance from what happened: after the bound of
// a cached verifier, and when its list is past its ttl.
func (r *run) planProbes() []event {
	var out []event
	kind := -1
	for k := range r.Scenario.Demand.Places {
		if p := &r.Scenario.Demand.Places[k]; p.Check == "cached" && (kind < 0 || p.TTL < r.Scenario.Demand.Places[kind].TTL) {
			kind = k
		}
	}
	if kind < 0 {
		return r.planCast()
	}
	lists := &r.Scenario.StatusLists
	ttl := r.Scenario.Demand.Places[kind].TTL.Milliseconds()
	bound := lists.PublishInterval.Milliseconds() + ttl + lists.Allowance.Milliseconds()
	number := int32(-1)
	for who, c := range r.citizens {
		for i := range c.Records {
			rec := &c.Records[i]
			name := ""
			switch rec.Act {
			case rollout.ActReportPhysical, rollout.ActReportMobile:
				name = "late report"
			case rollout.ActReleasePhysical, rollout.ActReleaseMobile:
				name = "late release"
			case rollout.ActRegisterCard:
				name = "late card"
			}
			if name == "" || rec.Env != rollout.Reached || !r.probing(c, name, i) {
				continue
			}
			at := rec.At + bound + minuteMs
			stale := at + ttl + lists.Allowance.Milliseconds() + minuteMs
			if stale >= r.end {
				continue
			}
			fetched := (at - secondMs) / secondMs
			if !r.outcome.Model.Service.StatusUp(fetched) {
				continue // there is nothing to fetch
			}
			published := max(floor(at-secondMs, lists.PublishInterval.Milliseconds()), r.outcome.Model.Service.StatusSince(fetched)*secondMs)
			r.wanted[published] = true
			vk := verifierKey{int16(kind), number}
			number--
			add := func(at int64, c class, l look) {
				l.who, l.verifier, l.published = who, vk, published
				out = append(out, event{at: at, class: c, what: doProbe, who: int32(who), record: int32(i), probe: &l})
			}
			add(at-secondMs, fetch, look{fetch: true})
			add(at, probe, look{})
			add(stale, probe, look{})
			r.uses[vk] = 2
		}
	}
	return append(out, r.planCast()...)
}

func (r *run) lookAgain(l *look) error {
	c := r.citizens[l.who]
	if l.fetch {
		return r.fetch(l.verifier, l.published)
	}
	if r.uses[l.verifier]--; r.uses[l.verifier] == 0 {
		defer delete(r.verifiers, l.verifier)
	}
	d := c.Current()
	if d == nil {
		return nil
	}
	r.probes.made++
	place := &r.Scenario.Demand.Places[l.verifier.place]
	if _, err := r.showCached(c, d, l.verifier, place.Disclosure, true); err != nil {
		return err
	}
	_, err := r.ShowOnline(r.ctx, c.Citizen, d, world.Verifier("counter", 0), "counter", []string{"portrait"}, true)
	return err
}
