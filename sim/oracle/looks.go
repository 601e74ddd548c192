package oracle

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// look is one observation of a card: a presentation, or one half of an inquiry.
type look struct {
	life     *life
	cred     *credential // mobile card; nil: plastic
	document string
	kind     string
	cached   *CachedCheck
	list     *listing // the list it held; nil: none or unreadable
	begin    Stamp
	end      Stamp
	outcome  Outcome
	entitled bool
	record   *Presentation
	inquiry  *Inquiry

	// floor and hi bound the states it may have seen; what it may have found
	// is the union of their conditions.
	floor, hi int
	may       condition
	// settledState is the state from which, at the latest, the answer follows.
	settledState int
	expired      bool // certainly at or past the end of validity
	fresh        bool // certainly before it

	// broken is the property that a wrong outcome breaks; by is the change
	// that was not respected.
	broken   Property
	by       *op
	sentence string
}

func (k *look) accepted() bool { return k.outcome == Accepted }

func (k *look) mobile() bool { return k.cred != nil }

func (k *look) card() string {
	if k.mobile() {
		return "the mobile card"
	}
	return "the plastic card"
}

func (k *look) condition(i int) condition {
	if k.mobile() {
		return k.life.credential(k.cred, i)
	}
	return k.life.plastic(k.document, i)
}

func (k *look) conditions(lo, hi int) (c condition) {
	for i := lo; i <= hi; i++ {
		c |= k.condition(i)
	}
	return c
}

// fits says whether the outcome is right in state i.
func (k *look) fits(i int) bool {
	c := k.condition(i)
	if k.accepted() {
		return c&isActive != 0 && !k.expired
	}
	return c&^isActive != 0 || !k.fresh
}

// bound is S4's: how much later than the acknowledgement a cached verifier may
// still go by what was.
func (c *court) bound(k *look) time.Duration {
	p := &c.h.Policy
	ttl := p.ttl(k.kind)
	if k.cached != nil && k.cached.TTL != 0 {
		ttl = k.cached.TTL
	}
	return p.PublishInterval + ttl + p.Allowance
}

func earlier(s Stamp, d time.Duration) Stamp { return Stamp{At: s.At.Add(-d)} }

// observe turns presentations and inquiries into looks, finds out what each may
// have seen, and charges the wrong ones.
func (c *court) observe() {
	h := c.h
	all := make([]look, 0, len(h.Presentations)+2*len(h.Inquiries))
	for i := range h.Presentations {
		p := &h.Presentations[i]
		k := look{kind: p.Kind, cached: p.Cached, begin: p.Begin, end: p.End, outcome: p.Outcome, entitled: p.Entitled, document: p.Document, record: p}
		if p.Outcome == TurnedAway {
			c.verdict.TurnedAway++
		}
		if k.end.IsZero() {
			k.end = k.begin
		}
		if p.Document != "" {
			k.life = c.lives[p.Citizen]
		} else if k.cred = c.creds[p.Status]; k.cred != nil {
			k.life = k.cred.life
		}
		if k.life == nil {
			c.verdict.Unjudged++
			continue
		}
		if k.cached != nil && k.cached.List >= 0 && k.cached.List < len(c.lists) && c.lists[k.cached.List].token != nil {
			k.list = &c.lists[k.cached.List]
		}
		all = append(all, k)
	}
	for i := range h.Inquiries {
		q := &h.Inquiries[i]
		l := c.lives[q.Citizen]
		if l == nil {
			c.verdict.Unjudged++
			continue
		}
		all = append(all, look{life: l, kind: "inquiry", begin: q.Begin, end: q.End, entitled: true, inquiry: q})
	}
	c.looks = make([]*look, len(all))
	for i := range all {
		k := &all[i]
		c.looks[i] = k
		k.life.looks = append(k.life.looks, k)
	}
	for _, l := range c.ordered {
		slices.SortStableFunc(l.looks, func(a, b *look) int { return compareStamps(a.begin, b.begin) })
		c.observeLife(l)
	}
}

// observeLife goes through the looks at one citizen's cards in order. The
// register is one object: what an answer has shown, no later answer takes back.
func (c *court) observeLife(l *life) {
	type seen struct {
		end   Stamp
		state int
		look  *look
	}
	var open []seen // looks whose end is not yet before the current begin
	floor := seen{}
	for _, k := range l.looks {
		k.fresh = true
		if k.cred != nil && !k.cred.until.IsZero() {
			soonest, latest := k.cred.ends(k.end)
			k.expired, k.fresh = !k.begin.At.Before(latest), k.end.At.Before(soonest)
			if k.cached != nil {
				k.expired = k.begin.At.After(latest.Add(c.h.Policy.Allowance))
			}
		}
		if !l.sure(k.begin, k.end) {
			k.may = isActive | isSuspended
			continue
		}
		if k.cached != nil {
			lo, hi := l.span(earlier(k.begin, c.bound(k)), k.end)
			k.floor, k.hi, k.may = lo, hi, k.conditions(lo, hi)
			k.settledState, _ = l.span(k.begin, k.end)
			c.chargeCached(k)
			continue
		}
		rest := open[:0]
		for _, s := range open {
			switch {
			case !s.end.Before(k.begin):
				rest = append(rest, s)
			case s.state > floor.state || floor.look == nil:
				floor = s
			}
		}
		open = rest
		lo, hi := l.span(k.begin, k.end)
		k.floor, k.hi = max(lo, min(floor.state, hi)), hi
		k.settledState = k.floor
		if k.inquiry != nil {
			if at := c.inquire(k, lo, floor.look); at >= 0 {
				open = append(open, seen{k.end, at, k})
			}
			continue
		}
		k.may = k.conditions(k.floor, k.hi)
		if !k.outcome.Decided() {
			c.chargeRefusal(k)
			continue
		}
		at := -1
		for i := k.floor; i <= k.hi && at < 0; i++ {
			if k.fits(i) {
				at = i
			}
		}
		switch {
		case at >= 0:
			open = append(open, seen{k.end, at, k})
		case k.accepted():
			c.chargeAcceptance(k, lo, floor.look)
		default:
			c.chargeRefusal(k)
		}
	}
}

// inquire judges an answer that shows both cards. It returns the first state
// that it fits, or -1 after a charge.
func (c *court) inquire(k *look, lo int, before *look) int {
	l, q := k.life, k.inquiry
	half := func(o Outcome, mobile bool, i int) bool {
		if !o.Decided() {
			return true
		}
		s := &l.states[i]
		got := isActive
		switch o {
		case Suspended:
			got = isSuspended
		case NotValid:
			got = isEnded
		}
		want := isEnded
		switch {
		case mobile && s.cred == nil, !mobile && s.document == "":
		case len(s.reaches(mobile)) > 0:
			want = isSuspended
		default:
			want = isActive
		}
		if mobile && s.cred != nil && !s.cred.until.IsZero() && !k.end.At.Before(s.cred.until) {
			return got == want || got == isEnded
		}
		return got == want
	}
	plasticFits, mobileFits := false, false
	for i := k.floor; i <= k.hi; i++ {
		p, m := half(q.Plastic, false, i), half(q.Mobile, true, i)
		if p && m {
			return i
		}
		plasticFits, mobileFits = plasticFits || p, mobileFits || m
	}
	s := &l.states[k.settledState]
	switch {
	case plasticFits && mobileFits || plasticFits && q.Mobile == Accepted && s.physical != nil && q.Plastic == Suspended || mobileFits && q.Plastic == Accepted && s.physical != nil && q.Mobile == Suspended:
		k.broken, k.by = "S1", s.physical
		if k.by == nil {
			for i := k.floor; i <= k.hi; i++ {
				if r := l.states[i].physical; r != nil {
					k.by = r
				}
			}
		}
		k.sentence = fmt.Sprintf("one answer shows the plastic card %s and the mobile card %s", q.Plastic, q.Mobile)
	case !plasticFits:
		p := *k
		p.inquiry, p.document, p.outcome = nil, s.document, q.Plastic
		p.may = p.conditions(p.floor, p.hi)
		c.chargeHalf(k, &p, lo, before)
	default:
		m := *k
		m.inquiry, m.cred, m.outcome = nil, s.cred, q.Mobile
		if m.cred == nil {
			k.broken, k.sentence = "S7", "an inquiry shows a mobile card where none is live"
			break
		}
		m.may = m.conditions(m.floor, m.hi)
		c.chargeHalf(k, &m, lo, before)
	}
	return -1
}

func (c *court) chargeHalf(k, half *look, lo int, before *look) {
	if half.accepted() {
		c.chargeAcceptance(half, lo, before)
	} else {
		c.chargeRefusal(half)
	}
	k.broken, k.by, k.sentence, k.may = half.broken, half.by, half.sentence, half.may
}

// faulty says whether a fault excuses refusals at k: it lasted in
// [k.begin − reach, k.end], or ended less than five minutes before.
func (c *court) faulty(k *look, reach time.Duration) bool {
	for i := range c.h.Faults {
		f := &c.h.Faults[i]
		if !k.end.At.Before(f.From) && !k.begin.At.After(f.To.Add(graceAfterFault+reach)) {
			return true
		}
	}
	for i := range c.h.Restarts {
		r := &c.h.Restarts[i]
		if !k.end.At.Before(r.Down.At) && !k.begin.At.After(r.Up.At.Add(graceAfterFault+reach)) {
			return true
		}
	}
	return false
}

// graceAfterFault is S12's five minutes.
const graceAfterFault = 5 * time.Minute

// afterFault says whether some fault was over before k.
func (c *court) afterFault(k *look) bool {
	for i := range c.h.Faults {
		if c.h.Faults[i].To.Before(k.begin.At) {
			return true
		}
	}
	return false
}

// lastRelease is the newest lawful release that k must have seen.
func (k *look) lastRelease() *op {
	for i := k.floor - 1; i >= 0; i-- {
		o := k.life.done[i]
		switch o.event {
		case ReleasePhysical, ReleaseMobile, ReleaseAdministrative:
			if o.unlawful == "" {
				return o
			}
		}
	}
	return nil
}

// mobileReports lists everybody's reports of lost phones, in order of begin.
func (c *court) mobileReports() []*op {
	var out []*op
	for _, o := range c.order {
		if o.event == ReportMobileLost {
			out = append(out, o)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].begin.Before(out[j].begin) })
	return out
}
