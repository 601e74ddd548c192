package oracle

// One function for each of E1 to E5. An opportunity is an application that the
// property forbids, whatever else forbids it.

// applications calls f for each that was decided.
func (c *court) applications(f func(l *life, o *op, a *Application, end Stamp)) {
	for _, l := range c.ordered {
		for _, o := range l.ops {
			if o.app == nil || !o.answered && !o.granted {
				continue
			}
			end := o.end
			if end.IsZero() {
				end = o.lastAnswer()
			}
			f(l, o, o.app, end)
		}
	}
}

// forbid counts an application that must not be granted.
func (c *court) forbid(p Property, o *op, format string, args ...any) {
	c.chanceAt(p, o.begin)
	if o.granted {
		c.find(p, o.life.citizen, o, o.begin, format, args...)
	}
}

// e1: not before the region's phase. Answered before the opening, it was
// certainly issued before.
func (c *court) e1() {
	c.applications(func(l *life, o *op, a *Application, end Stamp) {
		opens, ever := c.h.Policy.Opens[a.Municipality]
		switch {
		case !ever:
			c.forbid("E1", o, "issued to a resident of %s, which never opens", a.Municipality)
		case end.At.Before(opens):
			c.forbid("E1", o, "issued at %s to a resident of %s, which opens at %s", end.At.Format(moment), a.Municipality, opens.Format(moment))
		}
	})
}

// e2: not under the minimum age, nor without a plastic card in force (one that
// is suspended is S8's).
func (c *court) e2() {
	c.applications(func(l *life, o *op, a *Application, _ Stamp) {
		if a.Age < c.h.Policy.MinimumAge {
			c.forbid("E2", o, "issued to somebody aged %d", a.Age)
			return
		}
		lo, hi := l.spanOf(o)
		for i := lo; i <= hi; i++ {
			if d := l.states[i].document; d != "" && (a.Document == "" || a.Document == d) {
				return
			}
		}
		if a.Document == "" {
			c.forbid("E2", o, "issued to somebody without a plastic card")
		} else {
			c.forbid("E2", o, "issued on plastic card %s, which is not in force", a.Document)
		}
	})
}

// e3: not at a centre of another municipality before any centre may.
func (c *court) e3() {
	c.applications(func(l *life, o *op, a *Application, end Stamp) {
		if a.Channel == Centre && a.Centre != a.Municipality && end.At.Before(c.h.Policy.AnyCentreFrom) {
			c.forbid("E3", o, "issued at a centre of %s to a resident of %s at %s, before any centre may", a.Centre, a.Municipality, end.At.Format(moment))
		}
	})
}

// e4: not on a QR code that was used before, or is older than it may be, or was
// made for somebody else.
func (c *court) e4() {
	used := map[string]*op{}
	c.applications(func(l *life, o *op, a *Application, _ Stamp) {
		if a.Channel != Centre || a.Offer == "" || !o.granted {
			return
		}
		if first := used[a.Offer]; first == nil || o.seq < first.seq {
			used[a.Offer] = o
		}
	})
	c.applications(func(l *life, o *op, a *Application, _ Stamp) {
		if a.Channel != Centre || a.Offer == "" {
			return
		}
		first := used[a.Offer]
		offer := c.offers[a.Offer]
		switch {
		case first != nil && first != o && !first.end.IsZero() && first.end.Before(o.begin), first != nil && first != o && o.granted:
			c.forbid("E4", o, "issued on a QR code that had been used (%s)", first.what())
		case offer == nil:
		case a.Begin.At.Sub(offer.End.At) > c.h.Policy.OfferLifetime:
			c.forbid("E4", o, "issued on a QR code that was %s old", a.Begin.At.Sub(offer.End.At))
		case offer.Citizen != a.Citizen:
			c.forbid("E4", o, "issued on a QR code made for citizen %s", offer.Citizen)
		}
	})
}

// e5: not without a face match at the threshold; and no credential is accepted
// after its expiry (an opportunity too).
func (c *court) e5() {
	c.applications(func(l *life, o *op, a *Application, _ Stamp) {
		switch {
		case a.AtOffer:
		case a.NoFace:
			c.forbid("E5", o, "issued without a face capture")
		case a.FaceScore < c.h.Policy.FaceThreshold:
			c.forbid("E5", o, "issued on a face score of %.6f, below the threshold %.6f", a.FaceScore, c.h.Policy.FaceThreshold)
		}
	})
	for _, k := range c.looks {
		if k.expired && k.outcome.Decided() {
			c.chance("E5")
		}
	}
	c.broken("E5")
}
