package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fresh copies of a credential: they change nothing in the register, and must not get
// round it. Who may have them is what may be accepted: the wallet of a credential
// that lives and is not suspended. Each wrong grant breaks exactly one property, the
// first that applies:
//
//	the credential's validity is over                                  E5
//	the wallet holds none, or not any more                             S7
//	... and the change that ended it was lost in a restart             S5
//	it is suspended, and
//	  the report was acknowledged before a restart that lost it        S5
//	  a release was tried that names an older report, or repeated      S9
//	  a release of another cause, or by no proper role, was tried      S6
//	  none of this                                                     S8
//	the copies stand at places that are not the credential's own       S11

// renewal is a request for fresh copies that was decided.
type renewal struct {
	*Renewal
	life   *life
	lo, hi int // bound the states that it may have seen
	refs   []StatusRef
	until  time.Time // the first end of a copy

	// tests are the properties that a wrong answer would have broken, broken the one that
	// was; by is the change that was not respected.
	tests    []Property
	broken   Property
	by       *op
	sentence string
}

// renew judges the requests for fresh copies.
func (c *court) renew() {
	for i := range c.h.Renewals {
		r := &renewal{Renewal: &c.h.Renewals[i]}
		r.life = c.lives[r.Citizen]
		if r.life == nil || r.End.IsZero() || r.TurnedAway || !r.life.sure(r.Begin, r.End) {
			continue
		}
		r.lo, r.hi = r.life.span(r.Begin, r.End)
		c.renewals = append(c.renewals, r)
		lawful := r.lawful()
		if len(lawful) == 0 {
			c.unlawful(r)
			continue
		}
		if r.racing() {
			r.tests = append(r.tests, "S8")
		}
		if r.Granted {
			r.tests = append(r.tests, "S11")
			r.placed(lawful)
		}
	}
}

// lawful are the credentials of which it may have had copies.
func (r *renewal) lawful() (out []*credential) {
	for i := r.lo; i <= r.hi; i++ {
		s := &r.life.states[i]
		if cr := s.cred; cr != nil && cr.wallet == r.Wallet && len(s.reaches(true)) == 0 && !r.expired(cr) && !slices.Contains(out, cr) {
			out = append(out, cr)
		}
	}
	return out
}

// racing says whether its credential was suspended in some state that it may have seen.
func (r *renewal) racing() bool {
	for i := r.lo; i <= r.hi; i++ {
		if s := &r.life.states[i]; s.cred != nil && s.cred.wallet == r.Wallet && len(s.reaches(true)) > 0 {
			return true
		}
	}
	return false
}

// expired says whether a credential was certainly over; its copies may end before it
// does, so only the audit tells.
func (r *renewal) expired(cr *credential) bool {
	if cr.op.entry == nil {
		return false
	}
	until, err := time.Parse(time.RFC3339, cr.op.entry.Until)
	return err == nil && !r.Begin.At.Before(until)
}

// placed holds fresh copies against the places of the credential.
func (r *renewal) placed(lawful []*credential) {
	charge := func(format string, args ...any) {
		r.broken, r.by, r.sentence = "S11", lawful[0].op, fmt.Sprintf(format, args...)
	}
	for i := range r.Copies {
		ref, until, err := r.Copies[i].read()
		if err != nil {
			charge("a copy that was signed anew can't be read: %v", err)
			return
		}
		if slices.Contains(r.refs, ref) {
			charge("two copies signed anew stand at index %d of list %s", ref.Index, ref.URI)
			return
		}
		if r.refs = append(r.refs, ref); i == 0 || until.Before(r.until) {
			r.until = until
		}
	}
	for _, cr := range lawful {
		stray := slices.IndexFunc(r.refs, func(ref StatusRef) bool { return !slices.Contains(cr.refs, ref) })
		if stray < 0 || len(cr.refs) == 0 { // or nobody saw its places
			cr.renewals = append(cr.renewals, r)
			r.broken = ""
			return
		}
		ref := r.refs[stray]
		charge("a copy signed anew stands at index %d of list %s, which is not a place of %s", ref.Index, ref.URI, cr.op.what())
	}
}

// unlawful judges a renewal that every state it may have seen forbids.
func (c *court) unlawful(r *renewal) {
	l := r.life
	s := &l.states[r.lo]
	charge := func(p Property, by *op, format string, args ...any) {
		r.tests, r.by = append(r.tests, p), by
		if r.Granted {
			r.broken, r.sentence = p, "copies of the mobile card were signed anew, although "+fmt.Sprintf(format, args...)
		}
	}
	last := l.heldBy(r.Wallet, r.lo)
	switch {
	case last != nil && r.expired(last):
		charge("E5", last.op, "its validity was over at %s", last.op.entry.Until)
	case s.cred != nil && s.cred.wallet == r.Wallet:
		c.renewedSuspended(r, charge)
	case last == nil && s.cred == nil:
		charge("S7", nil, "the citizen has none")
	case last == nil:
		charge("S7", s.cred.op, "it is on another phone (%s)", s.cred.op.what())
	case c.forgotten(last.endedBy, r.Begin):
		charge("S5", last.endedBy, "%s had ended it before a restart", last.endedBy.what())
	case last.endedBy.event == CredentialExpired:
		charge("E5", last.endedBy, "it has expired")
	default:
		charge("S7", last.endedBy, "%s, %s, had ended it", last.endedBy.what(), last.endedBy.acknowledged())
	}
}

// heldBy is the last credential that a wallet had in a state, perhaps ended.
func (l *life) heldBy(wallet string, i int) (last *credential) {
	for _, cr := range l.creds {
		if cr.wallet == wallet && cr.from <= i {
			last = cr
		}
	}
	return last
}

// renewedSuspended finds out which property copies break that were given while their
// credential was suspended.
func (c *court) renewedSuspended(r *renewal, charge func(Property, *op, string, ...any)) {
	reports := r.life.states[r.lo].reaches(true)
	for _, report := range reports {
		if c.forgotten(report, r.Begin) {
			charge("S5", report, "%s was %s: a restart lost it", report.what(), report.acknowledged())
			return
		}
	}
	if p, report, why := c.misreleased(r.life, reports, r.End); p != "" {
		charge(p, report, "%s was %s: %s", report.what(), report.acknowledged(), why)
		return
	}
	charge("S8", reports[0], "%s was %s and in force", reports[0].what(), reports[0].acknowledged())
}

// ends are the first and the last moment at which a copy ends that may have been shown
// until then: of those that were issued, and of those signed anew.
func (cr *credential) ends(until Stamp) (first, last time.Time) {
	first, last = cr.until, cr.until
	for _, r := range cr.renewals {
		if until.Before(r.Begin) {
			continue
		}
		if r.until.Before(first) {
			first = r.until
		}
		if r.until.After(last) {
			last = r.until
		}
	}
	return first, last
}

// line is a renewal as people read it.
func (r *renewal) line() Line {
	line := Line{At: r.Begin, Citizen: r.Citizen, What: "copies are signed anew for phone " + r.Wallet[:min(4, len(r.Wallet))], Seen: "granted", Wrong: r.broken != ""}
	if !r.Granted {
		line.Seen = "refused as " + r.Reason
	}
	if r.broken == "S11" { // which no state demands to be refused
		line.Seen += ": " + r.sentence
	}
	for i := r.lo; i <= r.hi; i++ {
		if d := r.demand(&r.life.states[i]); !strings.Contains(line.Demanded, d) {
			line.Demanded += ", or " + d
		}
	}
	line.Demanded = strings.TrimPrefix(line.Demanded, ", or ")
	return line
}

// demand is what has to come of it in a state.
func (r *renewal) demand(s *state) string {
	cr := s.cred
	if cr == nil || cr.wallet != r.Wallet {
		return "refused: no mobile card is on this phone (S7)"
	}
	if r.expired(cr) {
		return "refused: its validity is over (E5)"
	}
	if reports := s.reaches(true); len(reports) > 0 {
		return fmt.Sprintf("refused: %s is in force (S8)", reports[0].what())
	}
	return "granted, at the places of " + cr.op.what()
}
