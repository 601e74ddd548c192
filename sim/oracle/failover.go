package oracle

import "slices"

// A history with a failover is that of two registers: the main one, and the one of
// the stand-by site, which begins as a copy of it. Each is judged by all properties,
// with what was asked of it and nothing else. So the excuse is no wider than the
// loss: of whoever had no change in the time that is lost, both registers say the same;
// of whoever had, the stand-by must say what its copy says, until the main site is
// back. What is not in the copy although it was acknowledged before it, or not in the
// main register although it was acknowledged by either, breaks S5.

// elsewhere says whether what happened at a moment is judged with the other register.
// Both must have what was acknowledged before the copy.
func (c *court) elsewhere(p Property, at Stamp) bool {
	return p != "S5" && !at.IsZero() && at.Before(c.since)
}

// during says whether the stand-by was asked at a moment.
func (f *Failover) during(at Stamp) bool { return !at.Before(f.Up) && at.Before(f.Back) }

// lost says whether what was asked for at a moment is declared lost.
func (f *Failover) lost(at Stamp) bool { return !at.Before(f.Copied) && at.Before(f.Up) }

// sides are the histories of the main register and of the stand-by's.
func (h *History) sides() (main, standby *History) {
	f := h.Failover
	copied := func(at Stamp) bool { return at.Before(f.Copied) }
	side := func(atStandby, ops func(Stamp) bool) *History {
		x := &History{Policy: h.Policy, Residents: h.Residents, Faults: h.Faults, Partial: h.Partial}
		x.Registrations = only(h.Registrations, func(r *Registration) bool { return ops(r.Begin) })
		x.Offers = only(h.Offers, func(r *Offer) bool { return ops(r.Begin) })
		x.Applications = only(h.Applications, func(r *Application) bool { return ops(r.Begin) })
		x.Reports = only(h.Reports, func(r *Report) bool { return ops(r.Begin) })
		x.Releases = only(h.Releases, func(r *Release) bool { return ops(r.Begin) })
		x.Endings = only(h.Endings, func(r *Ending) bool { return ops(r.Begin) })
		x.Renewals = only(h.Renewals, func(r *Renewal) bool { return atStandby(r.Begin) })
		x.Inquiries = only(h.Inquiries, func(r *Inquiry) bool { return atStandby(r.Begin) })
		x.Restarts = only(h.Restarts, func(r *Restart) bool { return ops(r.Down) })
		// Whatever was acknowledged until then must be there afterwards.
		x.Restarts = append(x.Restarts, Restart{Down: f.Up, Up: f.Up})
		moved := make([]int, len(h.Lists))
		for i := range h.Lists {
			if moved[i] = -1; atStandby(h.Lists[i].Published) {
				moved[i] = len(x.Lists)
				x.Lists = append(x.Lists, h.Lists[i])
			}
		}
		for _, p := range h.Presentations {
			at := p.Begin
			if p.Cached != nil && p.Cached.List >= 0 && p.Cached.List < len(h.Lists) {
				at = h.Lists[p.Cached.List].Published // it goes by what that register said
				cached := *p.Cached
				cached.List = moved[p.Cached.List]
				p.Cached = &cached
			}
			if atStandby(at) {
				x.Presentations = append(x.Presentations, p)
			}
		}
		return x
	}
	others := func(at Stamp) bool { return !f.during(at) }
	main = side(others, others)
	main.Audit, main.Exports = h.Audit, h.Exports
	standby = side(f.during, func(at Stamp) bool { return copied(at) || f.during(at) })
	standby.Audit = f.Audit
	return main, standby
}

// judgeFailover judges both registers, and that what the stand-by took is applied to
// the main one.
func judgeFailover(h *History, opt Options) *Verdict {
	ofMain, ofStandby := h.sides()
	main, standby := replayed(ofMain), replayed(ofStandby)
	standby.since = h.Failover.Copied
	v := main.judge(opt)
	w := standby.judge(opt)
	main.applied(h, standby)
	main.losses(h, standby)
	for p, n := range w.ByProperty {
		m := v.ByProperty[p]
		v.ByProperty[p] = Count{m.Opportunities + n.Opportunities, m.Violations + n.Violations}
	}
	v.Findings = append(v.Findings, w.Findings...)
	v.Exposures = append(v.Exposures, w.Exposures...)
	v.FalseAccepts += w.FalseAccepts
	v.TurnedAway += w.TurnedAway
	v.PastTTL += w.PastTTL
	v.RefusedByTTL += w.RefusedByTTL
	v.Unjudged += w.Unjudged
	v.ListsJudged += w.ListsJudged
	v.LastSequence = max(v.LastSequence, w.LastSequence)
	for _, o := range standby.order {
		if h.Failover.during(o.begin) {
			v.Transitions++
		}
	}
	return v
}

// applied: each report and release that the stand-by granted is asked for once more
// when the main site is back, in the same order, and before anything else of that
// citizen; and the main register takes it, if there is anything to take.
func (c *court) applied(h *History, standby *court) {
	if c.off["S5"] {
		return
	}
	f := h.Failover
	find := func(o, other *op, sentence string) {
		c.across(h, standby, o, o.begin, other, "%s was acknowledged by the stand-by site, and %s", o.what(), sentence)
	}
	var last *op // the latest so far
	for _, o := range standby.order {
		if o.cause == "" || !o.granted || !f.during(o.begin) {
			continue
		}
		c.chance("S5")
		l := c.lives[o.life.citizen]
		var again *op
		if l != nil {
			i := slices.IndexFunc(l.ops, func(x *op) bool {
				return x.event == o.event && x.call().Key == o.call().Key && x.call().Role == o.call().Role && x.call().Actor == o.call().Actor
			})
			if i >= 0 {
				again = l.ops[i]
			}
		}
		switch {
		case again == nil || !again.answered || again.call().Key == "":
			find(o, nil, "the main register was never told")
			continue
		case !again.granted && c.couldTake(again):
			find(o, nil, "the main register refused it when it was back")
			continue
		case last != nil && again.begin.Before(last.begin):
			find(o, last, "the main register was told in another order")
		}
		for _, x := range l.ops {
			if x != again && !x.begin.Before(f.Back) && x.begin.Before(again.begin) && standby.granted(x) == nil {
				find(o, x, "the main register was told only after "+x.what())
				break
			}
		}
		last = again
	}
}

// across keeps a finding that both registers show together.
func (c *court) across(h *History, standby *court, o *op, at Stamp, other *op, format string, args ...any) {
	n := len(c.verdict.Findings)
	c.found("S5", o.life.citizen, o, at, other, nil, format, args...)
	if len(c.verdict.Findings) == n {
		return // counted only
	}
	who := []string{o.life.citizen}
	if other != nil {
		who = append(who, other.life.citizen)
	}
	whole := &court{h: h, audit: c.audit}
	x := whole.excerpt(who, nil)
	f := *h.Failover
	f.Audit = (&court{h: standby.h, audit: standby.audit}).excerpt(who, nil).Audit
	x.Failover = &f
	c.verdict.Findings[n].Excerpt = x
}

// granted is the same operation as the stand-by granted it; nil: it did not.
func (c *court) granted(x *op) *op {
	l := c.lives[x.life.citizen]
	if l == nil {
		return nil
	}
	for _, o := range l.ops {
		if o.event == x.event && o.granted && o.call().Key == x.call().Key && o.call().Role == x.call().Role {
			return o
		}
	}
	return nil
}

// couldTake says whether there was anything to suspend or to release.
func (c *court) couldTake(o *op) bool {
	lo, hi := o.life.spanOf(o)
	for i := lo; i <= hi; i++ {
		s := &o.life.states[i]
		switch {
		case o.report == nil:
			if o.life.inForce(o, s, i) == nil {
				return false
			}
		case o.cause == PhysicalLost && s.document == "", o.cause == MobileLost && s.cred == nil:
			return false
		}
	}
	return true
}

// losses counts what was declared lost, and what came of it: looks by what the
// stand-by knew whose outcome the main register would not have given, as it was when
// its site was lost. A card that was issued since the copy must not be accepted where
// the stand-by is asked: it cannot know it.
func (c *court) losses(h *History, standby *court) {
	f := h.Failover
	concerned := map[string]int{} // citizens with a lost change, and their state after the last
	for _, o := range c.order {
		if o.granted && f.lost(o.begin) {
			c.verdict.DeclaredLost++
			concerned[o.life.citizen] = o.index + 1
		}
	}
	for i := range standby.h.Presentations {
		p := &standby.h.Presentations[i]
		l := c.lives[p.Citizen]
		state, is := concerned[p.Citizen]
		if !is || l == nil || p.Document != "" || !p.Outcome.Decided() {
			continue
		}
		cr := c.creds[p.Status]
		if cr == nil {
			continue
		}
		known := standby.creds[p.Status] != nil
		if !known {
			standby.verdict.Unjudged--
		}
		truth := l.credential(cr, state)
		switch {
		case p.Outcome == Accepted && !known && p.Cached == nil && !c.off["S5"]:
			c.across(h, standby, cr.op, p.Begin, nil, "the stand-by site accepted a mobile card of %s, which is not in its copy", cr.op.what())
		case p.Outcome == Accepted && truth&isActive == 0:
			c.verdict.LostAccepted++
		case p.Outcome != Accepted && p.Entitled && truth == isActive && standby.agrees(p):
			c.verdict.LostRefused++
		}
	}
}

// agrees says whether a refusal is that of the register, and no other.
func (c *court) agrees(p *Presentation) bool {
	cr := c.creds[p.Status]
	if cr == nil {
		return true
	}
	end := p.End
	if end.IsZero() {
		end = p.Begin
	}
	lo, hi := cr.life.span(p.Begin, end)
	for i := lo; i <= hi; i++ {
		if cr.life.credential(cr, i)&^isActive != 0 {
			return true
		}
	}
	return false
}
