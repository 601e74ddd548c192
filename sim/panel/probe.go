package panel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
	"rollcall.example/rollcall/sim/rollout"
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
	w := r.source.Draw(c.number, population.ForPanel, drawProbes+h%(1<<20)<<8+uint32(i&0xFF))
	if r.probes.kind[kind] >= probeFirst && !rng.Below(w[0], probeShare) {
		return false
	}
	r.probes.kind[kind]++
	return true
}

// try sends a request that has to be refused, for one of the reasons.
func (r *run) try(c *citizen, what string, q request, reasons ...lifecycle.Reason) answer {
	r.probes.made++
	a := r.askOnce(q)
	names := make([]string, len(reasons))
	for i, reason := range reasons {
		names[i] = reason.String()
	}
	want := strings.Join(names, " or ")
	if slices.Contains(names, a.String()) {
		want = a.String()
	}
	c.probed("try: "+what, r.clock.Now(), want, a.String())
	return a
}

// again sends a request a second time: the answer has to be the same.
func (r *run) again(c *citizen, q request, first answer) {
	r.probes.made++
	a := r.askOnce(q)
	got := a.String()
	switch {
	case a.seq != first.seq:
		got += " by another change"
	case !slices.EqualFunc(first.issued.Copies, a.issued.Copies, slices.Equal):
		got += " with another card"
	}
	c.probed("the same request again", r.clock.Now(), first.String(), got)
}

// probed is compare for what is no part of the citizen's life: it is written
// down only where it went wrong.
func (c *citizen) probed(what string, at time.Time, want, got string) {
	if want != got {
		c.compare(at, what, want, got)
	}
}

// probeTap: the request again; a clone of the card; the evidence once more.
func (r *run) probeTap(c *citizen, i int, q request, a answer, challenge []byte, evidence card.Evidence) error {
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if !r.probing(c, "tap", i) {
		return r.lookOld(c, i)
	}
	thief := r.thief(c)
	fresh, nonce, err := r.challenge()
	if err != nil {
		return err
	}
	entropy := make([]byte, 32)
	_, _ = r.stream(c.number, ofFraud, c.generation).Read(entropy)
	tap, err := r.read(c.chip.CloneWithoutKey(entropy), fresh, c.pin, false)
	if err != nil {
		return err
	}
	s, err := r.goodFace(c, thief, nonce)
	if err != nil {
		return err
	}
	r.try(c, "a clone of the card", r.byTap(c, key(c, i, "clone"), fresh, tapEvidence(tap), s), lifecycle.CardNotGenuine)

	if s, err = r.goodFace(c, thief, nonceOf(challenge)); err != nil {
		return err
	}
	r.try(c, "the evidence of another application", r.byTap(c, key(c, i, "replay"), challenge, evidence, s), lifecycle.CardNotGenuine)
	return r.lookOld(c, i)
}

// probeOffer: the request again; the used code once more, with another phone.
func (r *run) probeOffer(c *citizen, i int, q request, a answer, code, municipality string) error {
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if r.probing(c, "code", i) {
		thief := r.thief(c)
		s, err := r.goodFace(c, thief, code)
		if err != nil {
			return err
		}
		r.try(c, "a used code", r.byOffer(c, key(c, i, "used code"), code, municipality, s), lifecycle.OfferUsed)
	}
	return r.lookOld(c, i)
}

// thief is a phone that the citizen never had.
func (r *run) thief(c *citizen) *device { return &device{Phone: r.phone(c, 1<<8+c.draws)} }

// goodFace is what a phone hands over, with a capture well above the threshold.
func (r *run) goodFace(c *citizen, d *device, nonce string) (shown, error) {
	attestation, err := r.attest(d, nonce)
	score := rollout.Score(r.scenario.Face.Threshold, aGoodFace)
	return shown{d, attestation, score, r.capture(c, score)}, err
}

// lookOld shows the mobile cards that were replaced, from phones that still hold
// them, and plastic cards whose number has ended.
func (r *run) lookOld(c *citizen, i int) error {
	for _, d := range c.phones() {
		if d.serial == 0 || int(d.serial) == c.issued || !r.probing(c, "old wallet", i) {
			continue
		}
		r.probes.made++
		if _, err := r.showOnline(c, d, verifier("counter", 0), "counter", []string{"age_over_19"}, true); err != nil {
			return err
		}
	}
	for _, number := range c.old {
		if r.probing(c, "old card", i) {
			r.probes.made++
			if _, err := r.showPlastic(c, number); err != nil {
				return err
			}
		}
	}
	return nil
}

// phones lists the phones in the order in which the citizen had them.
func (c *citizen) phones() (out []*device) {
	for n := 0; len(out) < len(c.devices); n++ {
		if d := c.devices[uint8(n)]; d != nil {
			out = append(out, d)
		}
	}
	return out
}

// current is the phone with the newest mobile card.
func (c *citizen) current() *device {
	for _, d := range c.devices {
		if d.serial != 0 && int(d.serial) == c.issued {
			return d
		}
	}
	return nil
}

// beforeReport has a clerk make a code just before a report, to be redeemed just
// after it.
func (r *run) beforeReport(c *citizen, i int, cause lifecycle.Causes) offered {
	if !r.probing(c, "race "+cause.String(), i) || c.document == "" {
		return offered{}
	}
	a := r.askOnce(r.makeOffer(c, clerkOf("a counter"), key(c, i, "code before"), c.home))
	return offered{code: a.offer.Code, reason: a.reason}
}

// probeReport: the request again; releases by those who may not, of what was not
// reported, and naming an older report; a card applied for all the same; looks
// at both cards.
func (r *run) probeReport(c *citizen, i int, cause lifecycle.Causes, q request, a answer, before offered) {
	other := lifecycle.MobileLost
	if cause == lifecycle.MobileLost {
		other = lifecycle.PhysicalLost
	}
	wallet := ""
	if d := c.current(); cause == lifecycle.MobileLost && d != nil {
		wallet = d.Wallet()
	}
	r.receipt(c, a)
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if r.probing(c, "release", i) {
		clerk := clerkOf("a counter")
		r.try(c, "release by the loss line", r.release(c, callCentre, key(c, i, "by call"), cause, a.seq, wallet), lifecycle.NotAuthorised)
		r.try(c, "release that names an older report", r.release(c, clerk, key(c, i, "older"), cause, a.seq-1, wallet), lifecycle.OlderThanReport)
		if a.state.Causes()&other == 0 {
			r.try(c, "release of what was not reported", r.release(c, clerk, key(c, i, "other"), other, a.seq, ""), lifecycle.NothingToRelease)
		}
	}
	if before.code != "" {
		// With a lost phone, on that very phone; with a lost card, on the one in hand.
		if d := c.current(); d != nil {
			if s, err := r.goodFace(c, &device{Phone: d.Phone}, before.code); err == nil {
				want := lifecycle.CardSuspended
				if cause == lifecycle.MobileLost {
					want = lifecycle.WalletReportedLost
				}
				r.try(c, "application after the report", r.byOffer(c, key(c, i, "after report"), before.code, c.home, s), want)
			}
		} else if cause == lifecycle.PhysicalLost {
			if s, err := r.goodFace(c, &device{Phone: r.phone(c, 1<<8)}, before.code); err == nil {
				r.try(c, "application after the report", r.byOffer(c, key(c, i, "after report"), before.code, c.home, s), lifecycle.CardSuspended)
			}
		}
	}
	r.lookBoth(c, i)
}

// receipt writes down what an acknowledgement shows of both cards.
func (r *run) receipt(c *citizen, a answer) {
	at := r.stamp()
	q := oracle.Inquiry{Citizen: c.name, Begin: at, End: r.stamp(), Plastic: oracle.NotValid, Mobile: outcomes[lifecycle.Judge(a.state)]}
	switch {
	case a.state.CardActive():
		q.Plastic = oracle.Accepted
	case a.state&lifecycle.HasCard != 0:
		q.Plastic = oracle.Suspended
	}
	r.history.Inquiries = append(r.history.Inquiries, q)
}

// lookBoth shows both cards where the service is asked.
func (r *run) lookBoth(c *citizen, i int) {
	if !r.probing(c, "look", i) {
		return
	}
	if c.document != "" {
		r.probes.made++
		_, _ = r.showPlastic(c, c.document) // what cannot be told is written down as that
	}
	if d := c.current(); d != nil {
		r.probes.made++
		_, _ = r.showOnline(c, d, verifier("counter", 0), "counter", []string{"portrait"}, true)
	}
}

// probeRelease: the request again; looks at both cards.
func (r *run) probeRelease(c *citizen, i int, q request, a answer) {
	r.receipt(c, a)
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	r.lookBoth(c, i)
}

// probeCard: the request again; the old number and all that hung on it.
func (r *run) probeCard(c *citizen, i int, q request, a answer) error {
	if r.probing(c, "repeat", i) {
		r.again(c, q, a)
	}
	if r.probing(c, "new card", i) {
		r.probes.made++
		if _, err := r.showPlastic(c, c.document); err != nil {
			return err
		}
	}
	if d := c.current(); d != nil && r.probing(c, "ended wallet", i) {
		r.probes.made++
		if _, err := r.showOnline(c, d, verifier("counter", 0), "counter", []string{"portrait"}, true); err != nil {
			return err
		}
	}
	return r.lookOld(c, i)
}

// probeReplay: a presentation that was seen by others, in the same transaction
// and in another one.
func (r *run) probeReplay(c *citizen, i int, s session) error {
	if !r.probing(c, "replay", i) {
		return nil
	}
	r.probes.made += 2
	r.n.operations += 3
	_, err := r.svc.Verification.Verify(r.ctx, s.transaction, s.response)
	c.probed("try: a presentation again", r.clock.Now(), verification.ErrReplayed.Error(), fmt.Sprint(err))
	t, err := r.svc.Verification.Begin(s.transaction.Verifier)
	if err != nil {
		return err
	}
	a, err := r.svc.Verification.Verify(r.ctx, t, s.response)
	c.probed("try: a presentation of another transaction", r.clock.Now(), "not-valid <nil>", fmt.Sprint(a.Verdict, " ", err))
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
	for k := range r.scenario.Demand.Places {
		if p := &r.scenario.Demand.Places[k]; p.Check == "cached" && (kind < 0 || p.TTL < r.scenario.Demand.Places[kind].TTL) {
			kind = k
		}
	}
	if kind < 0 {
		return r.planCast()
	}
	lists := &r.scenario.StatusLists
	ttl := r.scenario.Demand.Places[kind].TTL.Milliseconds()
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
			if !r.outcome.Service.StatusUp(fetched) {
				continue // there is nothing to fetch
			}
			published := max(floor(at-secondMs, lists.PublishInterval.Milliseconds()), r.outcome.Service.StatusSince(fetched)*secondMs)
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
	d := c.current()
	if d == nil {
		return nil
	}
	r.probes.made++
	place := &r.scenario.Demand.Places[l.verifier.place]
	if _, err := r.showCached(c, d, l.verifier, place.Disclosure, true); err != nil {
		return err
	}
	_, err := r.showOnline(c, d, verifier("counter", 0), "counter", []string{"portrait"}, true)
	return err
}
