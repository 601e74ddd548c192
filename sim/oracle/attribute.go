package oracle

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// Attribution: which property a wrong outcome breaks. Exactly one, and the
// first that applies:
//
//	accepted, although...
//	  its validity is over                                            E5
//	  the credential or number has ended                              S7
//	  ... and the change that ended it was lost in a restart          S5
//	  it is suspended, and
//	    the report was acknowledged before a restart that lost it     S5
//	    the verifier's list is older than the report                  S4
//	    a release was tried that names an older report, or repeated   S9
//	    a release of another cause, or by no proper role, was tried   S6
//	    the issue and the report overlapped                           S8
//	    the verifier went by a cached list                            S4
//	    the other card had been seen suspended by the same report     S1
//	    none of this                                                  S3
//	refused, although nothing stands against it, and
//	    the issue or release was lost in a restart                    S5
//	    only a mobile-lost report is about that cannot reach it       S2
//	    none of this                                                  S12

// charge says that k breaks p; by is the change that was not respected, else the
// issue of the mobile card that was shown.
func (k *look) charge(p Property, by *op, format string, args ...any) {
	if by == nil && k.mobile() {
		by = k.cred.op
	}
	k.broken, k.by, k.sentence = p, by, fmt.Sprintf(format, args...)
}

// forgotten says whether the change was acknowledged, then a crash came, then
// that moment; and nobody has it on record.
func (c *court) forgotten(o *op, at Stamp) bool {
	return o != nil && o.restartAfter != nil && !at.Before(o.restartAfter.Up) && o.entry == nil
}

// chargeAcceptance charges an online acceptance that fits no state that it may
// have seen. lo is the first state regardless of other looks; before is the
// look that moved it to k.floor.
func (c *court) chargeAcceptance(k *look, lo int, before *look) {
	s := &k.life.states[k.settledState]
	if k.conditions(lo, k.hi)&isActive != 0 && !k.expired {
		// Only an earlier answer excludes it.
		if s.physical != nil && before != nil && before.mobile() != k.mobile() {
			k.charge("S1", s.physical, "%s was accepted after the other card had been shown suspended by the same report", k.card())
			return
		}
		p := Property("S3")
		var by *op
		if r := s.reaches(k.mobile()); len(r) > 0 {
			by = r[0]
		}
		if k.condition(k.settledState)&isEnded != 0 {
			p = "S7"
		}
		k.charge(p, by, "%s was accepted after an earlier answer had shown that it no longer is", k.card())
		return
	}
	c.chargeAccepted(k, s)
}

// stale says whether the list that a cached verifier held was past its ttl or
// its expiry; a verifier without a list is worse off still.
// slack moves the limits by the allowance for skew, in favour of the verifier.
func (c *court) stale(k *look, slack time.Duration) bool {
	p := &c.h.Policy
	if k.cached == nil {
		return false
	}
	if k.list == nil {
		return true
	}
	ttl := k.cached.TTL
	if ttl == 0 {
		ttl = p.ttl(k.kind)
	}
	if ttl == 0 {
		ttl = k.list.token.ttl
	}
	until, since := k.list.token.expires, k.cached.Fetched.At
	if k.cached.FromIssue {
		since = k.list.token.issued
	}
	return k.begin.At.After(since.Add(ttl+slack)) || !until.IsZero() && k.begin.At.After(until.Add(slack))
}

// chargeCached judges a verifier that went by a cached list.
func (c *court) chargeCached(k *look) {
	cc := k.cached
	slack := c.h.Policy.Allowance
	if !k.accepted() {
		slack = -slack
	}
	stale := c.stale(k, slack)
	if !k.accepted() {
		if stale && !cc.AcceptsExpired {
			if k.outcome != TurnedAway {
				c.verdict.RefusedByTTL++
			}
			if k.list != nil && !c.listUsable(k) {
				c.chargeRefusal(k) // nobody could have had a usable list
			}
			return
		}
		if stale && k.list != nil && k.mobile() && k.list.shows(k.record.Status) > statusValid && c.listUsable(k) {
			return // its policy is to go by the old list, and so it did
		}
		c.chargeRefusal(k)
		return
	}
	switch {
	case k.expired:
		k.charge("E5", k.cred.op, "the mobile card was accepted at %s, its validity ended at %s", k.begin.At.Format(moment), k.cred.until.In(k.begin.At.Location()).Format(moment))
	case stale && !cc.AcceptsExpired:
		k.charge("S4", nil, "a verifier whose policy is to refuse accepted on a list past its ttl")
	case stale:
		c.verdict.PastTTL++
	case k.mobile() && k.list.shows(k.record.Status) > statusValid:
		k.charge("S4", nil, "the verifier accepted what its own list shows as not valid")
	case k.may&isActive == 0:
		c.chargeAccepted(k, &k.life.states[k.floor])
	}
}

// chargeAccepted charges an acceptance where s, at the latest, forbids it.
func (c *court) chargeAccepted(k *look, s *state) {
	l := k.life
	switch {
	case k.expired:
		k.charge("E5", k.cred.op, "the mobile card was accepted at %s, its validity ended at %s", k.begin.At.Format(moment), k.cred.until.In(k.begin.At.Location()).Format(moment))
		return
	case k.may&isSuspended == 0 && k.may&isEnded != 0:
		var by *op
		if k.mobile() {
			by = k.cred.endedBy
		} else {
			for _, o := range l.done[:k.settledState] {
				if o.event == CardIssued || o.event == PersonRemoved {
					by = o
				}
			}
		}
		switch {
		case c.forgotten(by, k.begin):
			k.charge("S5", by, "%s was accepted after a restart, although %s had ended it", k.card(), by.what())
		case by != nil && by.event == CredentialExpired:
			k.charge("E5", by, "%s was accepted although it has expired", k.card())
		case by != nil:
			k.charge("S7", by, "%s was accepted although %s, %s, had ended it", k.card(), by.what(), by.acknowledged())
		default:
			k.charge("S7", nil, "%s was accepted although it has ended", k.card())
		}
		return
	case k.may == isAbsent:
		c.verdict.Unjudged++
		return
	}
	reports := s.reaches(k.mobile())
	if k.mobile() && k.cred != s.cred {
		if r := l.walletReport(k.cred.wallet, k.floor); r != nil {
			reports = append(reports, r)
		}
	}
	for i := k.floor; i <= k.hi && k.cached == nil; i++ { // a newer one may lie within what it has seen
		for _, r := range l.states[i].reaches(k.mobile()) {
			if !slices.Contains(reports, r) {
				reports = append(reports, r)
			}
		}
	}
	if len(reports) == 0 {
		k.charge("S3", nil, "%s was accepted although no state it may have been in allows that", k.card())
		return
	}
	accuse := func(p Property, r *op, format string, args ...any) {
		k.charge(p, r, "%s was accepted at %s, although %s was %s: %s",
			k.card(), k.begin.At.Format(moment), r.what(), r.acknowledged(), fmt.Sprintf(format, args...))
	}
	for _, r := range reports {
		if c.forgotten(r, k.begin) {
			accuse("S5", r, "a restart lost it")
			return
		}
	}
	for _, r := range reports {
		if k.cached != nil && k.list != nil && k.list.token.register < r.seq {
			accuse("S4", r, "that is %s later, the bound is %s, and the list is older than the report", k.begin.At.Sub(r.end.At), c.bound(k))
			return
		}
	}
	if p, r, why := c.misreleased(l, reports, k.end); p != "" {
		accuse(p, r, "%s", why)
		return
	}
	for _, r := range reports {
		if k.mobile() && r.event != ReportMobileLost && overlap(k.cred.op, r) {
			accuse("S8", r, "it was issued while the report was made")
			return
		}
	}
	r := reports[0]
	switch {
	case k.cached != nil:
		accuse("S4", r, "that is %s later, the bound is %s", k.begin.At.Sub(r.end.At), c.bound(k))
	case r.event == ReportPhysicalLost && l.otherSeenSuspended(k, r):
		accuse("S1", r, "the other card is suspended by it")
	default:
		accuse("S3", r, "it began after that")
	}
}

// misreleased finds the release that a service took, and should not have, if reports
// that are in force did not count; with the property that this breaks. Empty: none was
// tried until then.
func (c *court) misreleased(l *life, reports []*op, end Stamp) (Property, *op, string) {
	for _, sameCause := range []bool{true, false} {
		for _, r := range reports {
			for _, o := range l.ops {
				if o.cause == "" || o.report != nil || (o.cause == r.cause) != sameCause || !o.triedBetween(r.begin, end) {
					continue
				}
				switch {
				case !sameCause:
					return "S6", r, fmt.Sprintf("only %s was released", o.cause)
				case o.names != 0 && o.names < r.seq || o.seq != 0 && o.seq < r.seq:
					return "S9", r, fmt.Sprintf("a release (%s by %s) that is older than the report took effect", o.event, o.call().Role)
				case !c.h.Policy.mayRelease(o.cause, o.call().Role):
					return "S6", r, fmt.Sprintf("a release by %s, who may not, took effect", o.call().Role)
				}
			}
		}
	}
	return "", nil, ""
}

// triedBetween says whether an attempt was sent between two moments.
func (o *op) triedBetween(from, to Stamp) bool {
	return slices.ContainsFunc(o.calls, func(call *Call) bool {
		return !call.Begin.Before(from) && !to.Before(call.Begin)
	})
}

// overlap says whether neither was certainly over before the other began.
func overlap(a, b *op) bool {
	before := func(x, y *op) bool { return !x.end.IsZero() && x.end.Before(y.begin) }
	return !before(a, b) && !before(b, a)
}

// otherSeenSuspended says whether the card that k does not show was refused
// while the report was in force.
func (l *life) otherSeenSuspended(k *look, r *op) bool {
	for _, o := range l.looks {
		if o.mobile() == k.mobile() || o.outcome != Suspended || o.inquiry != nil || o.cached != nil {
			continue
		}
		if o.hi > r.index && l.states[o.hi].physical == r {
			return true
		}
	}
	return false
}

// chargeRefusal charges a refusal of a rightful holder, if every state that it
// may have seen allows the card.
func (c *court) chargeRefusal(k *look) {
	if k.outcome == TurnedAway || k.accepted() || !k.entitled || !k.fresh || k.may != isActive {
		return
	}
	l := k.life
	lost := func() *op {
		for _, o := range l.done[:k.floor] {
			switch o.event {
			case CredentialIssued, CardIssued, ReleasePhysical, ReleaseMobile, ReleaseAdministrative:
				if c.forgotten(o, k.begin) {
					return o
				}
			}
		}
		return nil
	}
	if o := lost(); o != nil {
		k.charge("S5", o, "%s was refused (%s) after a restart, as if %s had not been", k.card(), k.outcome, o.what())
		return
	}
	if k.outcome == Suspended {
		for i := k.floor; i <= k.hi && !k.mobile(); i++ {
			if r := l.states[i].mobile; r != nil {
				k.charge("S2", r, "the plastic card was refused as suspended, although only the phone is reported lost (%s)", r.what())
				return
			}
		}
		if r := c.foreignReport(k); r != nil {
			k.charge("S2", r, "%s was refused as suspended, although nobody has reported this citizen; the phone of citizen %s was reported lost before (%s)", k.card(), r.life.citizen, r.what())
			return
		}
	}
	if !c.dueAgain(k) {
		return
	}
	by := k.lastRelease()
	switch {
	case by != nil:
		k.charge("S12", by, "%s of the rightful holder was refused (%s) at %s, although %s was %s", k.card(), k.outcome, k.begin.At.Format(moment), by.what(), by.acknowledged())
	default:
		k.charge("S12", nil, "%s of the rightful holder was refused (%s) at %s, although nothing stands against it", k.card(), k.outcome, k.begin.At.Format(moment))
	}
}

// foreignReport returns the newest mobile-lost report of somebody else, if nobody
// ever reported the citizen of k; or if nobody has since the card was last seen
// good, and the foreign report came after that.
func (c *court) foreignReport(k *look) *op {
	good, reported := k.lastGood(), false
	for _, o := range k.life.ops {
		if o.cause == "" || k.end.Before(o.begin) {
			continue
		}
		if reported = true; !o.lastTry().Before(good) {
			return nil
		}
	}
	n := sort.Search(len(c.phonesLost), func(i int) bool { return k.end.Before(c.phonesLost[i].begin) })
	if n == 0 || reported && !good.Before(c.phonesLost[n-1].begin) {
		return nil
	}
	return c.phonesLost[n-1]
}

// lastGood is when the card that k shows was last accepted, or else issued.
func (k *look) lastGood() (good Stamp) {
	if k.mobile() {
		good = k.cred.op.end
	}
	for _, o := range k.life.looks {
		if o.cached == nil && o.inquiry == nil && o.accepted() && o.cred == k.cred && o.document == k.document && o.end.Before(k.begin) && good.Before(o.begin) {
			good = o.begin
		}
	}
	return good
}

// lastTry is when the last attempt was sent, or answered.
func (o *op) lastTry() (last Stamp) {
	for _, call := range o.calls {
		for _, s := range []Stamp{call.Begin, call.End} {
			if last.Before(s) {
				last = s
			}
		}
	}
	return last
}

// dueAgain says whether a rightful holder must be accepted at k: neither a
// fault nor a release is so recent that S12 leaves time.
func (c *court) dueAgain(k *look) bool {
	var reach time.Duration // of a fault through lists fetched while it lasted
	if k.cached != nil {
		reach = c.bound(k)
	}
	if c.faulty(k, reach) {
		return false
	}
	if by := k.lastRelease(); by != nil {
		return by.end.IsZero() || by.end.At.Add(c.bound(k)).Before(k.begin.At)
	}
	return true
}

// acknowledged says when it was.
func (o *op) acknowledged() string {
	if o.end.IsZero() {
		return "committed without an answer"
	}
	return "acknowledged at " + o.end.At.Format(moment)
}

const moment = "2006-01-02 15:04:05.000"
