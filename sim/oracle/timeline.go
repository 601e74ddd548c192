package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Line is one moment of a history, as it was and as it should have been.
type Line struct {
	At       Stamp  `json:"at"`
	Citizen  string `json:"citizen,omitempty"`
	What     string `json:"what"`
	Seen     string `json:"seen"`
	Demanded string `json:"demanded"` // by the properties
	Wrong    bool   `json:"wrong,omitempty"`
}

// Timeline lays a history out in order: what was seen, and beside it what the
// properties demand. It is for people who read a finding; Judge is what judges.
func Timeline(h *History) []Line {
	c := replayed(h)
	var out []Line
	for _, l := range c.ordered {
		for _, o := range l.ops {
			for i, call := range o.calls {
				line := Line{At: call.Begin, Citizen: l.citizen, What: o.title(call), Seen: call.seen(), Demanded: c.demands(o)}
				if first := o.firstAnswer(); i > 0 && first != nil && first != call {
					line.Demanded = "the answer of the first time: " + first.answer()
				}
				line.Wrong = call.Answered() && call.Granted && strings.HasPrefix(line.Demanded, "refused")
				if c.audited && call.Granted && o.entry == nil {
					line.Demanded, line.Wrong = line.Demanded+", with an entry in the audit log", true
				}
				out = append(out, line)
			}
		}
	}
	for _, r := range c.renewals {
		out = append(out, r.line())
	}
	for _, k := range c.looks {
		out = append(out, k.line())
	}
	wrong := map[*listing]string{}
	c.compareLists(func(l *listing, what string, _ *op, m *mismatch) {
		if what == "" {
			what = fmt.Sprintf("index %d shown as %d, it is %d", m.index, m.got, m.want)
		}
		wrong[l] = what
	})
	for i := range c.lists {
		if l := &c.lists[i]; l.token != nil {
			line := Line{At: l.published.Published, What: fmt.Sprintf("list %d is published", i), Seen: fmt.Sprintf("as of %d", l.token.register),
				Demanded: fmt.Sprintf("the register at %d", l.token.register)}
			if what, is := wrong[l]; is {
				line.Seen, line.Wrong = line.Seen+": "+what, true
			}
			out = append(out, line)
		}
	}
	for i := range h.Restarts {
		r := &h.Restarts[i]
		out = append(out, Line{At: r.Down, What: "the service crashes", Seen: "back at " + r.Up.At.Format(moment), Demanded: "nothing acknowledged is lost"})
	}
	for i := range h.Faults {
		f := &h.Faults[i]
		out = append(out, Line{At: Stamp{At: f.From}, What: f.Name + " is out of order", Seen: "until " + f.To.Format(moment), Demanded: "-"})
	}
	slices.SortStableFunc(out, func(a, b Line) int { return cmp.Or(compareStamps(a.At, b.At), cmp.Compare(a.Citizen, b.Citizen)) })
	return out
}

// seen is what the caller was told.
func (c *Call) seen() string {
	switch {
	case c.End.IsZero():
		return "no answer"
	case c.TurnedAway:
		return "turned away"
	}
	return c.answer()
}

func (o *op) firstAnswer() *Call {
	for _, c := range o.calls {
		if c.Answered() {
			return c
		}
	}
	return nil
}

// title says what was asked for.
func (o *op) title(call *Call) string {
	what := o.event
	switch {
	case o.app != nil:
		what += " by " + o.app.Channel
		if !o.app.NoFace {
			what += fmt.Sprintf(", face %.4f", o.app.FaceScore)
		}
		if o.wallet != "" {
			what += ", phone " + o.wallet[:min(4, len(o.wallet))]
		}
	case o.document != "":
		what += " " + o.document
	}
	if o.names != 0 {
		what += fmt.Sprintf(" naming %d", o.names)
	}
	return what + " by " + call.Role
}

// demands says what has to come of an operation.
func (c *court) demands(o *op) string {
	lo, hi := o.life.spanOf(o)
	var out []string
	for i := lo; i <= hi; i++ {
		if d := c.demand(o, i); !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return strings.Join(out, ", or ")
}

// demand is what has to come of it in state i.
func (c *court) demand(o *op, i int) string {
	l, p := o.life, &c.h.Policy
	s := &l.states[i]
	refuse := func(format string, args ...any) string { return "refused: " + fmt.Sprintf(format, args...) }
	switch {
	case s.removed != nil && (o.app == nil || s.document != ""):
		return refuse("%s has ended everything (S7)", s.removed.what())
	case o.app != nil:
		a := o.app
		opens, ever := p.Opens[a.Municipality]
		offer := c.offers[a.Offer]
		end := o.lastAnswer()
		if end.IsZero() {
			end = o.begin
		}
		switch report := l.walletReport(o.wallet, i); {
		case !ever || end.At.Before(opens):
			return refuse("the place has not opened (E1)")
		case a.Age < p.MinimumAge:
			return refuse("under age (E2)")
		case s.document == "" || a.Document != "" && a.Document != s.document:
			return refuse("no valid plastic card (E2)")
		case s.physical != nil:
			return refuse("%s is in force (S8)", s.physical.what())
		case s.admin != nil:
			return refuse("%s is in force (S8)", s.admin.what())
		case a.Channel == Centre && a.Centre != a.Municipality && end.At.Before(p.AnyCentreFrom):
			return refuse("another municipality's centre (E3)")
		case offer != nil && a.Begin.At.Sub(offer.End.At) > p.OfferLifetime:
			return refuse("the code is %s old (E4)", a.Begin.At.Sub(offer.End.At))
		case report != nil:
			return refuse("the phone is reported lost by %s (S6)", report.what())
		case !a.NoFace && a.FaceScore < p.FaceThreshold:
			return refuse("the face is below the threshold (E5)")
		}
		return "granted, if the evidence is good and the code unused"
	case o.report != nil:
		switch {
		case o.cause == PhysicalLost && s.document == "", o.cause == MobileLost && s.cred == nil:
			return refuse("there is nothing to suspend")
		case o.cause == PhysicalLost && s.cred != nil:
			return "both cards are suspended, in one commit"
		case o.cause == MobileLost:
			return "the mobile card is suspended, nothing else"
		}
		return "suspended"
	case o.cause != "":
		r := l.inForce(o, s, i)
		switch {
		case !p.mayRelease(o.cause, o.call().Role):
			return refuse("%s may not (S6)", o.call().Role)
		case r == nil:
			return refuse("nothing to release")
		case o.names != 0 && o.names < r.seq:
			return refuse("older than the report %d (S9)", r.seq)
		}
		return fmt.Sprintf("%s is lifted, nothing else", r.what())
	}
	return "what hung on it before ends"
}

// both says how the two cards stand.
func (s *state) both() string {
	stands := func(held, mobile bool) Outcome {
		switch {
		case !held:
			return NotValid
		case len(s.reaches(mobile)) > 0:
			return Suspended
		}
		return Accepted
	}
	return fmt.Sprintf("plastic %s, mobile %s", stands(s.document != "", false), stands(s.cred != nil, true))
}

// line is a look as people read it.
func (k *look) line() Line {
	line := Line{At: k.begin, Citizen: k.life.citizen, Seen: string(k.outcome), Wrong: k.broken != ""}
	switch {
	case k.inquiry != nil:
		line.At, line.What = k.end, "the receipt shows both cards"
		line.Seen = fmt.Sprintf("plastic %s, mobile %s", k.inquiry.Plastic, k.inquiry.Mobile)
		var may []string
		for i := k.floor; i <= k.hi; i++ {
			if both := k.life.states[i].both(); !slices.Contains(may, both) {
				may = append(may, both)
			}
		}
		line.Demanded = strings.Join(may, ", or ")
		return line
	case !k.mobile():
		line.What = "plastic card " + k.document + " is shown"
	case k.cached != nil:
		line.What = "the mobile card is shown to a verifier with "
		if k.cached.List < 0 {
			line.What += "no list"
		} else {
			line.What += fmt.Sprintf("list %d, fetched %s", k.cached.List, k.cached.Fetched.At.Format(moment))
		}
	default:
		line.What = "the mobile card is shown online"
	}
	if k.expired {
		line.Demanded = "refused: its validity is over"
		return line
	}
	var may []string
	for _, x := range []struct {
		c    condition
		what Outcome
	}{{isActive, Accepted}, {isSuspended, Suspended}, {isEnded, NotValid}} {
		if k.may&x.c != 0 {
			may = append(may, string(x.what))
		}
	}
	line.Demanded = strings.Join(may, " or ")
	return line
}
