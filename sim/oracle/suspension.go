package oracle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// One function for each of S1 to S12. Each says what an opportunity is: a
// moment at which a wrong service could have been caught.

// ReasonOlder is the reason by which a service says that a release names an
// older sequence than the newest report.
const ReasonOlder = "older-than-report"

// ReasonKeyReused is the reason of a request that was turned away because its
// idempotency key belongs to another one.
const ReasonKeyReused = "key-reused"

// broken reports the looks and the renewals that were charged with breaking p.
func (c *court) broken(p Property) {
	for _, r := range c.renewals {
		if slices.Contains(r.tests, p) {
			c.chanceAt(p, r.Begin)
		}
		if r.broken == p {
			c.find(p, r.Citizen, r.by, r.Begin, "%s", r.sentence)
		}
	}
	for _, k := range c.looks {
		if k.broken == p {
			c.find(p, k.life.citizen, k.by, k.begin, "%s", k.sentence)
		}
	}
}

// s1 cascade. Opportunity: a physical-lost report of somebody who holds a live
// mobile credential. Caught by answers that show one card suspended without
// the other, and by a second entry in the audit that suspends.
func (c *court) s1() {
	for _, o := range c.order {
		if o.event == ReportPhysicalLost && o.life.states[o.index].cred != nil {
			c.chanceAt("S1", o.begin)
		}
	}
	c.broken("S1")
	c.strayEntries("S1")
}

// s2 containment. Opportunities: the plastic card is shown, or an application
// made with it, while only the phone is reported lost; and after each
// mobile-lost report the next look at somebody else's card.
func (c *court) s2() {
	for _, k := range c.looks {
		if k.mobile() || k.inquiry != nil && !k.inquiry.Plastic.Decided() || !k.outcomeDecided() {
			continue
		}
		if s := &k.life.states[k.floor]; s.mobile != nil && s.physical == nil && s.admin == nil {
			c.chance("S2")
		}
	}
	for _, l := range c.ordered {
		for _, o := range l.ops {
			if o.app == nil || !o.answered {
				continue
			}
			if offer := c.offers[o.app.Offer]; offer != nil && offer.Citizen != l.citizen {
				continue // the code, and what is refused, is somebody else's card
			}
			lo, hi := l.spanOf(o)
			mobileOnly := true
			for i := lo; i <= hi; i++ {
				s := &l.states[i]
				mobileOnly = mobileOnly && s.document != "" && s.mobile != nil && s.physical == nil && s.admin == nil
			}
			if !mobileOnly {
				continue
			}
			c.chanceAt("S2", o.begin)
			if !o.granted && o.refusal() == "card-suspended" {
				c.find("S2", l.citizen, l.states[lo].mobile, o.begin, "an application with the plastic card was refused as %s, although only the phone is reported lost", "card-suspended")
			}
		}
	}
	sorted := slices.Clone(c.looks)
	slices.SortStableFunc(sorted, func(a, b *look) int { return compareStamps(a.begin, b.begin) })
	i := 0
	for _, r := range c.phonesLost {
		for i < len(sorted) && !r.begin.Before(sorted[i].begin) {
			i++
		}
		for j := i; j < len(sorted) && j < i+16; j++ {
			if sorted[j].life != r.life && sorted[j].may == isActive {
				c.chance("S2")
				break
			}
		}
	}
	c.broken("S2")
}

func (k *look) outcomeDecided() bool { return k.inquiry != nil || k.outcome.Decided() }

// s3 freshness. Opportunity: an online look that begins after a suspension of
// its card was acknowledged, and while it is in force.
func (c *court) s3() {
	for _, k := range c.looks {
		if k.cached == nil && k.inquiry == nil && k.outcome.Decided() && k.may == isSuspended {
			c.chance("S3")
		}
	}
	c.broken("S3")
}

// s4 bounded staleness. Opportunity: a verifier with a cached list is shown a
// suspended card after the bound, or any card when its list is past the ttl.
func (c *court) s4() {
	for _, k := range c.looks {
		if k.cached != nil && k.outcome != TurnedAway && (k.may == isSuspended || c.stale(k, c.h.Policy.Allowance)) {
			c.chance("S4")
		}
	}
	c.broken("S4")
}

// s5 durability. Opportunity: a change acknowledged before a crash. Lost: the
// audit has no entry of it and nothing after the restart shows it.
func (c *court) s5() {
	type contradiction struct {
		at       Stamp
		sentence string
	}
	contradicted := map[*op]contradiction{}
	for _, r := range c.renewals {
		if r.broken == "S5" {
			contradicted[r.by] = contradiction{r.Begin, r.sentence}
		}
	}
	for _, k := range c.looks {
		if k.broken == "S5" {
			contradicted[k.by] = contradiction{k.begin, k.sentence}
		}
	}
	for _, o := range c.order {
		if o.restartAfter == nil {
			continue
		}
		c.chance("S5")
		if k, is := contradicted[o]; is {
			c.find("S5", o.life.citizen, o, k.at, "%s", k.sentence)
		} else if c.missing(o) && !c.survived(o) {
			c.find("S5", o.life.citizen, o, o.end, "%s was acknowledged at %s, before the restart at %s, and the register knows nothing of it afterwards",
				o.what(), o.end.At.Format(moment), o.restartAfter.Up.At.Format(moment))
		}
	}
}

// missing says that the audit has no entry of an acknowledged change.
func (c *court) missing(o *op) bool {
	return c.audited && o.entry == nil && !o.end.IsZero() && o.twin == nil
}

// survived says whether anything after the restart shows the change: the same
// answer to the same key, or a look that fits only the state after it.
func (c *court) survived(o *op) bool {
	for _, call := range o.calls {
		if call.Answered() && call.Granted && call.Sequence == o.seq && o.restartAfter.Up.Before(call.Begin) {
			return true
		}
	}
	for _, k := range o.life.looks {
		if k.cached != nil || k.inquiry != nil || k.broken != "" || !k.outcome.Decided() || k.begin.Before(o.restartAfter.Up) {
			continue
		}
		if k.floor > o.index && !k.fits(o.index) {
			return true
		}
	}
	return false
}

// s6 no resurrection. Opportunities: a release by a role that may not; a
// release while another cause is in force; an application by a wallet that is
// reported lost.
func (c *court) s6() {
	for _, l := range c.ordered {
		for _, o := range l.ops {
			lo, hi := l.spanOf(o)
			switch {
			case o.cause != "" && o.report == nil:
				may := c.h.Policy.mayRelease(o.cause, o.call().Role)
				if !may || l.otherCause(o, lo) {
					c.chanceAt("S6", o.begin)
				}
				if !may && o.granted && o.unlawful == "S6" && l.inForce(o, &l.states[lo], lo) != nil {
					c.find("S6", l.citizen, o, o.begin, "%s was granted to %s, who may not release %s", o.what(), o.call().Role, o.cause)
				}
			case o.app != nil && o.answered && !o.app.AtOffer:
				lost := true
				for i := lo; i <= hi; i++ {
					lost = lost && l.walletReport(o.wallet, i) != nil
				}
				if lost {
					c.chanceAt("S6", o.begin)
					if o.granted {
						c.find("S6", l.citizen, o, o.begin, "%s to a wallet that is reported lost (%s) and not released", o.what(), l.walletReport(o.wallet, lo).what())
					}
				}
			}
		}
	}
	c.broken("S6")
}

// otherCause says whether another cause than the one released is in force.
func (l *life) otherCause(o *op, i int) bool {
	for _, r := range l.states[i].reaches(true) {
		if r.cause != o.cause {
			return true
		}
	}
	return false
}

// s7 replacement is final, and so is a removal. Opportunities: a look at a card that has
// ended (cached: after S4's bound); a request about somebody who was removed; one for
// fresh copies by a wallet that has no live card.
func (c *court) s7() {
	for _, k := range c.looks {
		if k.inquiry == nil && k.outcome.Decided() && k.may == isEnded && !(k.mobile() && k.cred.endedBy.event == CredentialExpired) {
			c.chance("S7")
		}
	}
	for _, l := range c.ordered {
		for _, o := range l.ops {
			c.afterRemoval(o)
		}
	}
	c.broken("S7")
}

// afterRemoval: nothing is issued, reported, released or ended for somebody who was
// removed, nor are they removed again. A mobile card without a plastic one is E2's.
func (c *court) afterRemoval(o *op) {
	if !o.answered && o.index < 0 {
		return
	}
	l := o.life
	lo, hi := l.spanOf(o)
	for i := lo; i <= hi; i++ {
		if l.states[i].removed == nil {
			return
		}
	}
	s := &l.states[lo]
	r := s.removed
	switch lost := r.restartAfter != nil && r.entry == nil && !o.begin.Before(r.restartAfter.Up); {
	case lost: // S5's
	case !o.end.IsZero() && o.end.Before(r.begin): // the numbers' order is S9's
	case o.app != nil && s.document == "":
	default:
		c.chanceAt("S7", o.begin)
		if o.index >= 0 {
			c.find("S7", l.citizen, o, o.begin, "%s was granted, although %s, %s, had ended everything", o.what(), r.what(), r.acknowledged())
		}
	}
}

// s8 no issue while suspended. Opportunities: an application answered while
// its card or person is suspended; an issue that overlaps the report; a request for
// fresh copies of a mobile card that is suspended, or may be.
func (c *court) s8() {
	for _, l := range c.ordered {
		for _, o := range l.ops {
			if o.app == nil || !o.answered && !o.granted {
				continue
			}
			lo, hi := l.spanOf(o)
			all, any := true, false
			for i := lo; i <= hi; i++ {
				suspended := l.states[i].physical != nil || l.states[i].admin != nil
				all, any = all && suspended, any || suspended
			}
			if any || hi > lo || l.racing(o) {
				c.chanceAt("S8", o.begin)
			}
			s := &l.states[lo]
			r := s.physical
			if r == nil {
				r = s.admin
			}
			switch {
			case o.granted && all && r != nil:
				c.find("S8", l.citizen, o, o.begin, "%s was granted while %s was in force", o.what(), r.what())
			case o.granted:
				if r := l.reportBefore(o); r != nil {
					c.find("S8", l.citizen, o, o.begin, "%s began after %s was acknowledged, and yet it was granted", o.what(), r.what())
				}
			}
		}
	}
	c.broken("S8")
}

// racing says whether a suspension was reported while the issue was in flight.
func (l *life) racing(issue *op) bool {
	for _, r := range l.done {
		if (r.event == ReportPhysicalLost || r.event == SuspendAdministrative) && overlap(issue, r) {
			return true
		}
	}
	return false
}

// reportBefore returns a suspension that was acknowledged before the issue
// began and stood when it ended, although its number is higher.
func (l *life) reportBefore(issue *op) *op {
	if issue.index < 0 {
		return nil
	}
	for _, r := range l.done[issue.index+1:] {
		if (r.event == ReportPhysicalLost || r.event == SuspendAdministrative) && !r.end.IsZero() && r.end.Before(issue.begin) {
			return r
		}
	}
	return nil
}

// spanOf is the span of an operation: if it changed the register, the one
// state before it.
func (l *life) spanOf(o *op) (lo, hi int) {
	if o.index >= 0 {
		return o.index, o.index
	}
	end := o.lastAnswer()
	if end.IsZero() {
		end = o.begin
	}
	return l.span(o.begin, end)
}

// s9 exactly once. Opportunities: a repeated request that was answered again; a
// release that names an older report than the newest. Sequence numbers must
// also follow the order in which changes were acknowledged.
func (c *court) s9() {
	keys := map[ownKey][]*op{}
	for _, l := range c.ordered {
		for _, o := range l.ops {
			c.sameAnswers(o)
			c.olderRelease(o)
			k := ownKey{o.call().Role, o.call().Key}
			keys[k] = append(keys[k], o)
		}
	}
	for _, l := range c.ordered {
		for _, o := range l.ops {
			c.strangersKey(o, keys)
		}
	}
	var last *op // with the latest begin so far
	for i, o := range c.order {
		if i > 0 {
			p := c.order[i-1]
			if p.seq == o.seq && !(c.missing(p) || c.missing(o)) {
				c.found("S9", o.life.citizen, o, o.begin, p, nil, "sequence %d was given twice: to %s of citizen %s and to %s", o.seq, p.event, p.life.citizen, o.event)
			}
		}
		if last != nil && !o.end.IsZero() && o.end.Before(last.begin) && !issueAndSuspension(last, o) {
			c.found("S9", o.life.citizen, o, o.begin, last, nil, "%s was acknowledged before %s of citizen %s was requested, and yet has the higher number", o.what(), last.what(), last.life.citizen)
		}
		if last == nil || last.begin.Before(o.begin) {
			last = o
		}
	}
	for _, k := range c.looks {
		if k.broken == "S9" {
			c.chance("S9")
		}
	}
	c.broken("S9")
	c.strayEntries("S9")
}

// issueAndSuspension: their order is S8's business.
func issueAndSuspension(issue, report *op) bool {
	return issue.life == report.life && issue.event == CredentialIssued && (report.event == ReportPhysicalLost || report.event == SuspendAdministrative)
}

func (c *court) sameAnswers(o *op) {
	if o.granted && o.seq == 0 {
		c.find("S9", o.life.citizen, o, o.begin, "%s was granted without a sequence number", o.event)
	}
	var first *Call
	for _, call := range o.calls {
		if !call.Answered() {
			continue
		}
		if first == nil {
			first = call
			continue
		}
		c.chanceAt("S9", call.Begin)
		if call.Granted != first.Granted || call.Sequence != first.Sequence || call.Reason != first.Reason {
			c.find("S9", o.life.citizen, o, call.Begin, "the same %s with the same key was answered first %s, then %s", o.event, first.answer(), call.answer())
			return
		}
	}
	if o.app == nil || len(o.calls) < 2 {
		return
	}
	for _, a := range o.attempts {
		if refs := refsOf(a); a.Answered() && len(refs) > 0 && !slices.Equal(refs, o.copies) {
			c.find("S9", o.life.citizen, o, a.Begin, "the same application with the same key was answered with another credential")
			return
		}
	}
}

// ownKey is what requests of different people may have in common.
type ownKey struct{ role, key string }

// strangersKey: who was told that their key belongs to another request must have
// made that one. Else a request was taken for the repetition of a stranger's.
func (c *court) strangersKey(o *op, keys map[ownKey][]*op) {
	for _, call := range o.calls {
		if !call.TurnedAway || call.Reason != ReasonKeyReused {
			continue
		}
		var stranger *op
		for _, x := range keys[ownKey{call.Role, call.Key}] {
			switch {
			case x == o:
			case x.call().Actor == call.Actor:
				return
			case x.seq != 0 && x.begin.Before(call.End):
				stranger = x
			}
		}
		if stranger != nil {
			c.chanceAt("S9", call.Begin)
			c.found("S9", o.life.citizen, stranger, call.Begin, o, nil, "%s was refused because its key belongs to another request; only somebody else had used that key, for %s of citizen %s", o.event, stranger.what(), stranger.life.citizen)
			return
		}
	}
}

func refsOf(a *Application) []StatusRef {
	var refs []StatusRef
	for i := range a.Copies {
		if ref, _, err := a.Copies[i].read(); err == nil {
			refs = append(refs, ref)
		}
	}
	return refs
}

func (c *Call) answer() string {
	if c.Granted {
		return fmt.Sprintf("granted as sequence %d", c.Sequence)
	}
	return "refused as " + c.Reason
}

// olderRelease: such a release does nothing and says so.
func (c *court) olderRelease(o *op) {
	if o.cause == "" || o.report != nil || o.names == 0 || !o.answered || !c.h.Policy.mayRelease(o.cause, o.call().Role) {
		return
	}
	l := o.life
	lo, hi := l.spanOf(o)
	for i := lo; i <= hi; i++ {
		if r := l.inForce(o, &l.states[i], i); r == nil || r.seq <= o.names || l.states[i].removed != nil {
			return
		}
	}
	c.chanceAt("S9", o.begin)
	r := l.inForce(o, &l.states[lo], lo)
	switch {
	case o.granted:
		c.find("S9", l.citizen, o, o.begin, "%s names sequence %d, older than the newest report %d, and yet was granted", o.what(), o.names, r.seq)
	case o.refusal() != ReasonOlder:
		c.find("S9", l.citizen, r, o.begin, "%s names sequence %d, older than the newest report %d, and was refused as %q instead of %q", o.event, o.names, r.seq, o.refusal(), ReasonOlder)
	}
}

// s10 audit. Opportunity: a change of the register, as the answers tell.
func (c *court) s10() {
	if c.auditErr != nil {
		c.chance("S10")
		c.find("S10", "", nil, Stamp{}, "%v", c.auditErr)
		return
	}
	if !c.audited {
		return
	}
	skew := c.h.Policy.AuditSkew
	for _, o := range c.order {
		c.chanceAt("S10", o.begin)
		e := o.entry
		if e == nil {
			if c.missing(o) && (o.restartAfter == nil || c.survived(o)) {
				c.find("S10", o.life.citizen, o, o.end, "%s was acknowledged, and has no entry", o.what())
			}
			continue
		}
		fault := ""
		switch call := o.call(); {
		case e.person != o.life.citizen:
			fault = "names person " + e.person
		case e.Event != o.event:
			fault = "records " + e.Event
		case e.Actor == "" || e.Role == "":
			fault = "names no actor"
		case call.Actor != "" && e.Actor != call.Actor:
			fault = "names actor " + e.Actor + " instead of " + call.Actor
		case call.Role != "" && e.Role != call.Role:
			fault = "names role " + e.Role + " instead of " + call.Role
		case o.cause != "" && e.Cause != string(o.cause):
			fault = "gives the cause " + e.Cause
		case o.app != nil && !samePlaces(e.Copies, o.copies):
			fault = "gives the credential other places in the status lists"
		case o.cause != "" && e.Reason == "":
			fault = "gives no reason"
		case e.At.Before(o.begin.At.Add(-skew - 1e6)):
			fault = "is dated before the request"
		case !o.end.IsZero() && e.At.After(o.end.At.Add(skew)):
			fault = "is dated after the answer"
		default:
			fault = o.otherDate(e.At)
		}
		if fault != "" {
			c.find("S10", o.life.citizen, o, o.begin, "the entry of %s %s", o.what(), fault)
		}
	}
	if !c.h.Partial {
		for i := range c.audit {
			if broken := link(c.audit, i); broken != "" {
				e := &c.audit[i]
				c.find("S10", e.person, &op{event: e.Event, seq: e.Sequence}, Stamp{At: e.At}, "%s", broken)
				break
			}
		}
	}
	if e, why := unlike(c.audit, c.h.Partial); e != nil {
		c.find("S10", e.person, &op{event: e.Event, seq: e.Sequence}, Stamp{At: e.At}, "%s", why)
	}
	c.revokedOnce()
	c.grown()
	c.strayEntries("S10")
}

// revokedOnce: that a certificate was revoked has one entry, whoever read of it, and how
// often; and an entry says which.
func (c *court) revokedOnce() {
	said := map[[2]string]uint64{}
	for i := range c.audit {
		e := &c.audit[i]
		if e.Event != CertificateRevoked {
			continue
		}
		c.chance("S10")
		all := e.revoked()
		if len(all) == 0 || all[0][1] == "" {
			c.find("S10", "", &op{event: e.Event, seq: e.Sequence}, Stamp{At: e.At}, "entry %d says that a certificate was revoked, and not which", e.Sequence)
		}
		for _, cert := range all {
			if before, again := said[cert]; again {
				c.find("S10", "", &op{event: e.Event, seq: e.Sequence}, Stamp{At: e.At}, "entry %d says again what entry %d said: certificate %s was revoked", e.Sequence, before, cert[1])
				return
			}
			said[cert] = e.Sequence
		}
	}
}

// otherDate says whether an answer dates the change otherwise than its entry, which
// counts in milliseconds.
func (o *op) otherDate(entry time.Time) string {
	for _, call := range o.calls {
		if d := call.Dated; call.Granted && call.Sequence == o.seq && !d.IsZero() && !d.Truncate(time.Millisecond).Equal(entry) {
			return "is dated " + entry.UTC().Format(moment) + ", its answer " + d.UTC().Format(moment)
		}
	}
	return ""
}

// grown holds the log at the end against what was exported before: it has only
// grown, unless the service declares that changes were lost.
func (c *court) grown() {
	for i := range c.h.Restarts {
		if len(c.h.Restarts[i].DeclaredLost) > 0 {
			return
		}
	}
	for _, x := range c.h.Exports {
		c.chance("S10")
		if x.Length <= len(c.h.Audit) {
			if sum := sha256.Sum256(c.h.Audit[:x.Length]); bytes.Equal(sum[:], x.SHA256) {
				continue
			}
		}
		c.find("S10", "", nil, x.Taken, "the audit log does not begin with what was exported at %s: entries were changed or removed since", x.Taken.At.Format(moment))
		return
	}
}

// samePlaces compares indices; an entry without any says nothing.
func samePlaces(entry []AuditCopy, issued []StatusRef) bool {
	if len(entry) == 0 || len(issued) == 0 {
		return true
	}
	return slices.EqualFunc(entry, issued, func(a AuditCopy, b StatusRef) bool { return a.Index == b.Index })
}

// strayEntries finds audit entries of changes that nobody asked for, as far as
// they are p's business: a second suspension within a physical-lost report is
// S1's, a second effect of a repeated request is S9's, the rest S10's.
func (c *court) strayEntries(p Property) {
	for i := range c.audit {
		e := &c.audit[i]
		if e.claimed || (c.h.Partial || c.h.Others) && c.lives[e.person] == nil {
			continue
		}
		to, by := Property("S10"), (*op)(nil)
		sentence := "nobody asked for it"
		if l := c.lives[e.person]; l != nil {
			for _, o := range l.ops {
				last := o.lastAnswer()
				within := !e.At.Before(o.begin.At.Add(-c.h.Policy.AuditSkew-1e6)) && !(last.IsZero() || e.At.After(last.At.Add(c.h.Policy.AuditSkew)))
				switch {
				case o.event == e.Event && len(o.calls) > 1 && within:
					to, by, sentence = "S9", o, "it is a second effect of a repeated request"
				case o.event == ReportPhysicalLost && o.seq != 0 && e.Event != o.event && within && suspends(e.Event):
					to, by, sentence = "S1", o, "it suspends the rest of what the report concerns in a commit of its own"
				}
			}
		}
		if to == p {
			o := by
			if o == nil {
				o = &op{event: e.Event, seq: e.Sequence}
			}
			c.find(p, e.person, o, Stamp{At: e.At}, "audit entry %d (%s): %s", e.Sequence, e.Event, sentence)
		}
	}
}

// suspends says whether an event may be a part of a cascade.
func suspends(event string) bool {
	switch event {
	case CardIssued, CredentialIssued, ReleasePhysical, ReleaseMobile, ReleaseAdministrative, CredentialExpired, PersonRemoved:
		return false
	}
	return true
}

// s11 list consistency. Opportunities: a published list; fresh copies, which stand at
// the places that their credential has.
func (c *court) s11() {
	for range c.lists {
		c.chance("S11")
	}
	names := [...]string{"valid", "invalid", "suspended", "renewal required"}
	c.compareLists(func(l *listing, what string, by *op, m *mismatch) {
		at := l.published.Published
		switch {
		case m == nil:
			citizen := ""
			if by != nil {
				citizen = by.life.citizen
			}
			c.found("S11", citizen, by, at, nil, l, "a published list is wrong: %s", what)
		case m.cred == nil:
			c.found("S11", "", nil, at, nil, l, "list %s at register sequence %d shows index %d, which was never issued, as %s", l.token.uri, l.token.register, m.index, names[m.got])
		default:
			c.found("S11", m.cred.life.citizen, m.cred.lastChange(l.token.register), at, nil, l, "list %s at register sequence %d shows index %d as %s, the register has it %s", l.token.uri, l.token.register, m.index, names[m.got], names[m.want])
		}
	})
	for _, t := range c.twice {
		c.found("S11", t.second.life.citizen, t.second.op, t.second.op.begin, t.first.op, nil, "index %d of list %s was given to citizen %s before (%s)", t.ref.Index, t.ref.URI, t.first.life.citizen, t.first.op.what())
	}
	c.broken("S11")
	for _, e := range c.parseErr {
		c.find("S11", e.op.life.citizen, e.op, e.op.begin, "what was issued can't be read: %v", e.err)
	}
}

// lastChange is the last change of the holder up to a sequence number.
func (cr *credential) lastChange(seq uint64) *op {
	var last *op
	for _, o := range cr.life.done {
		if o.seq <= seq {
			last = o
		}
	}
	return last
}

// s12 liveness. Opportunity: a rightful holder presents a card that is due to
// be accepted again, after a release or after a fault, and the bounds are past.
// Holders refused for no reason at all are found as well, and counted with it.
func (c *court) s12() {
	for _, k := range c.looks {
		if k.broken == "S12" {
			c.chance("S12")
			continue
		}
		if k.inquiry != nil || !k.entitled || k.may != isActive || !k.fresh || k.outcome == TurnedAway {
			continue
		}
		if (k.lastRelease() != nil || c.afterFault(k)) && c.dueAgain(k) {
			c.chance("S12")
		}
	}
	c.broken("S12")
}
