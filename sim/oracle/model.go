package oracle

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// The judge's own model of the register: one life per citizen, moved by
// operations in the order of their sequence numbers. It knows three causes and
// what carries them (a document number, a wallet, a person), that a
// credential is active iff none of them reaches it and it has not ended, and that
// nothing happens any more to somebody who was removed.

// op is one logical request with all its attempts.
type op struct {
	event string
	life  *life
	calls []*Call // attempts, in order of Begin
	begin Stamp   // the first attempt was sent
	end   Stamp   // the first answer that grants it; zero: none
	seq   uint64  // 0: it did not change the register, as far as anybody knows
	// answered: some attempt was decided.
	answered, granted bool

	document, wallet string
	cause            Cause
	names            uint64
	app              *Application
	attempts         []*Application
	copies           []StatusRef
	until            time.Time
	report           *Report
	restartAfter     *Restart // the first crash after the acknowledgement

	entry *auditLine
	// twin is another request of the same kind that was answered with the same
	// change, and has its entry.
	twin *op
	lost bool // declared lost by the service
	// index of the state before it in life.states; -1: no effect.
	index int
	// unlawful names the property against which a release was granted: it
	// removes nothing in the model.
	unlawful Property
	// issued is the credential that came of an application.
	issued *credential
}

func (o *op) call() *Call { return o.calls[0] }

// lastAnswer is the moment from which the operation is certainly settled.
func (o *op) lastAnswer() Stamp {
	var last Stamp
	for _, c := range o.calls {
		if c.Answered() && (last.IsZero() || last.Before(c.End)) {
			last = c.End
		}
	}
	return last
}

// refusal is the reason of the first answer that decided; empty if it granted.
func (o *op) refusal() string {
	for _, c := range o.calls {
		if c.Answered() {
			return c.Reason
		}
	}
	return ""
}

// what says what the operation is, for a sentence.
func (o *op) what() string {
	if o.seq == 0 {
		return o.event
	}
	return fmt.Sprintf("%s (sequence %d)", o.event, o.seq)
}

// state is what the register holds on a citizen between two operations.
// physical, admin and mobile are the newest reports in force.
type state struct {
	document        string
	physical, admin *op
	mobile          *op // on the wallet of cred
	cred            *credential
	removed         *op // death or emigration: the first removal
}

// credential is a mobile credential with its copies.
type credential struct {
	life    *life
	op      *op
	wallet  string
	refs    []StatusRef
	until   time.Time
	from    int // first state in which it exists
	ended   int // first state in which it has ended; math.MaxInt: none
	endedBy *op
	// sameWallet: it ended by a new issue to the same wallet. The properties do
	// not say whether the older copies go on, so either is right.
	sameWallet bool
	renewals   []*renewal // granted, with copies at its places
}

// walletMark says that from a state on a wallet carries a report, or none.
type walletMark struct {
	from   int
	wallet string
	report *op
}

// life is all that concerns one citizen.
type life struct {
	citizen  string
	resident *Resident
	ops      []*op // all, in order of begin
	done     []*op // those that changed the register, in order of sequence
	states   []state
	marks    []walletMark
	docFrom  map[string]int // first state in which a document number was in force
	creds    []*credential
	looks    []*look

	begun   []Stamp // prefix maxima of done[i].begin
	settled []Stamp // suffix minima of done[i].end
	// unsure are intervals in which what the register held cannot be known.
	unsure []interval
}

type interval struct{ from, to Stamp }

// condition is what may be true of a card: a set, because observations overlap
// changes.
type condition uint8

const (
	isActive condition = 1 << iota
	isSuspended
	isEnded
	isAbsent // not yet issued
)

// reaches returns the reports in force on mobile (or only plastic) cards.
func (s *state) reaches(mobile bool) []*op {
	var out []*op
	for _, r := range []*op{s.physical, s.admin, s.mobile} {
		if r != nil && (mobile || r != s.mobile) {
			out = append(out, r)
		}
	}
	return out
}

func (l *life) credential(c *credential, i int) condition {
	s := &l.states[i]
	live := isActive
	if s.physical != nil || s.admin != nil || l.walletReport(c.wallet, i) != nil {
		live = isSuspended
	}
	switch {
	case i < c.from:
		return isAbsent
	case i < c.ended:
		return live
	case c.sameWallet && s.cred != nil && s.cred.wallet == c.wallet:
		return isEnded | live
	}
	return isEnded
}

func (l *life) plastic(document string, i int) condition {
	s := &l.states[i]
	from, known := l.docFrom[document]
	switch {
	case !known || i < from:
		return isAbsent
	case s.document != document:
		return isEnded
	case s.physical != nil || s.admin != nil:
		return isSuspended
	}
	return isActive
}

// walletReport is the report in force on a wallet in state i.
func (l *life) walletReport(wallet string, i int) *op {
	var r *op
	for _, m := range l.marks {
		if m.from > i {
			break
		}
		if m.wallet == wallet {
			r = m.report
		}
	}
	return r
}

// span returns the states that something that began and ended then may have
// seen: at least all changes acknowledged before it began, at most those
// requested before it ended.
func (l *life) span(begin, end Stamp) (lo, hi int) {
	lo = sort.Search(len(l.done), func(i int) bool {
		return l.settled[i].IsZero() || !l.settled[i].Before(begin)
	})
	hi = sort.Search(len(l.done), func(i int) bool { return end.Before(l.begun[i]) })
	return lo, max(lo, hi)
}

func (l *life) sure(begin, end Stamp) bool {
	for _, u := range l.unsure {
		if !end.Before(u.from) && (u.to.IsZero() || !u.to.Before(begin)) {
			return false
		}
	}
	return true
}

// court is a history being judged.
type court struct {
	h       *History
	off     map[Property]bool
	limit   int
	verdict *Verdict
	kept    map[Property]int
	// since is from when on this is the register that served: what came before is
	// judged with the other one's history. Zero: it always was.
	since Stamp

	lives    map[string]*life
	ordered  []*life // by citizen
	order    []*op   // all changes in order of sequence
	begun    []Stamp // prefix maxima of order[i].begin
	creds    map[StatusRef]*credential
	twice    []twiceIssued
	offers   map[string]*Offer
	audit    []auditLine
	auditErr error
	audited  bool
	lists    []listing
	looks    []*look
	renewals []*renewal
	parseErr []parseError
	// phonesLost are everybody's reports of lost phones, in order of begin.
	phonesLost []*op
}

type twiceIssued struct {
	ref           StatusRef
	first, second *credential
}

// replay lets every life happen.
func (c *court) replay() {
	declared := map[uint64]*Restart{}
	for i := range c.h.Restarts {
		r := &c.h.Restarts[i]
		for _, s := range r.DeclaredLost {
			declared[s] = r
		}
	}
	restarts := slices.Clone(c.h.Restarts)
	slices.SortFunc(restarts, func(a, b Restart) int { return compareStamps(a.Down, b.Down) })
	c.creds = make(map[StatusRef]*credential, len(c.h.Applications))
	for _, l := range c.ordered {
		for _, o := range l.ops {
			if o.seq == 0 {
				continue
			}
			if r := declared[o.seq]; r != nil && o.entry == nil && o.begin.Before(r.Up) {
				o.lost = true
				l.unsure = append(l.unsure, interval{o.begin, r.Up})
				c.verdict.DeclaredLost++
				continue
			}
			if !o.end.IsZero() {
				if i := sort.Search(len(restarts), func(i int) bool { return !restarts[i].Down.Before(o.end) }); i < len(restarts) {
					o.restartAfter = &restarts[i]
				}
			}
			l.done = append(l.done, o)
		}
		slices.SortStableFunc(l.done, func(a, b *op) int { return cmp.Compare(a.seq, b.seq) })
		l.live(&c.h.Policy)
		c.order = append(c.order, l.done...)
		for _, cr := range l.creds {
			for _, ref := range cr.refs {
				if first := c.creds[ref]; first != nil {
					c.twice = append(c.twice, twiceIssued{ref, first, cr})
					continue
				}
				c.creds[ref] = cr
			}
		}
	}
	slices.SortStableFunc(c.order, func(a, b *op) int { return cmp.Compare(a.seq, b.seq) })
	for i := 1; i < len(c.order); i++ {
		if a, b := c.order[i-1], c.order[i]; a.seq == b.seq && a.event == b.event {
			if a.entry == nil {
				a, b = b, a
			}
			lost := b.restartAfter != nil && b.restartAfter.Up.Before(a.begin) // and the number was given anew
			if a.entry != nil && b.entry == nil && !lost {
				b.twin = a
			}
		}
	}
	c.begun = make([]Stamp, len(c.order))
	var last Stamp
	for i, o := range c.order {
		if last.IsZero() || last.Before(o.begin) {
			last = o.begin
		}
		c.begun[i] = last
		c.verdict.LastSequence = max(c.verdict.LastSequence, o.seq)
	}
	if n := len(c.audit); n > 0 {
		c.verdict.LastSequence = max(c.verdict.LastSequence, c.audit[n-1].Sequence)
	}
	c.verdict.Transitions = len(c.order)
}

// live replays the changes of one life.
func (l *life) live(p *Policy) {
	var s state
	if l.resident != nil {
		s.document = l.resident.Document
		if s.document != "" {
			l.docFrom[s.document] = 0
		}
	}
	l.states = append(l.states, s)
	for i, o := range l.done {
		o.index = i
		l.apply(o, &s, p, i)
		if s.cred != nil {
			s.mobile = l.walletReport(s.cred.wallet, i+1)
		} else {
			s.mobile = nil
		}
		l.states = append(l.states, s)
	}
	l.begun = make([]Stamp, len(l.done))
	l.settled = make([]Stamp, len(l.done))
	var latest, soonest Stamp
	for i, o := range l.done {
		if latest.IsZero() || latest.Before(o.begin) {
			latest = o.begin
		}
		l.begun[i] = latest
	}
	for i := len(l.done) - 1; i >= 0; i-- {
		if end := l.done[i].end; !end.IsZero() && (soonest.IsZero() || end.Before(soonest)) {
			soonest = end
		}
		l.settled[i] = soonest
	}
}

// apply makes one change; i is the index of the state before it.
func (l *life) apply(o *op, s *state, p *Policy, i int) {
	end := func() {
		if s.cred != nil {
			s.cred.ended, s.cred.endedBy = i+1, o
			s.cred = nil
		}
	}
	mark := func(wallet string, report *op) {
		l.marks = append(l.marks, walletMark{i + 1, wallet, report})
	}
	switch o.event {
	case CardIssued:
		end()
		s.document, s.physical = o.document, nil
		l.docFrom[o.document] = i + 1
	case CredentialIssued:
		if s.cred != nil {
			s.cred.sameWallet = s.cred.wallet == o.wallet
		}
		end()
		s.cred = &credential{life: l, op: o, wallet: o.wallet, refs: o.copies, until: o.until, from: i + 1, ended: math.MaxInt}
		o.issued = s.cred
		l.creds = append(l.creds, s.cred)
	case ReportPhysicalLost:
		if o.document == "" || o.document == s.document {
			o.document = s.document
			s.physical = o
		}
	case ReportMobileLost:
		if o.wallet == "" && s.cred != nil {
			o.wallet = s.cred.wallet
		}
		if o.wallet != "" {
			mark(o.wallet, o)
		}
	case SuspendAdministrative:
		s.admin = o
	case ReleasePhysical, ReleaseMobile, ReleaseAdministrative:
		report := l.inForce(o, s, i)
		switch {
		case !p.mayRelease(o.cause, o.call().Role):
			o.unlawful = "S6"
		case report != nil && o.names != 0 && o.names < report.seq:
			o.unlawful = "S9"
		case report != nil:
			switch o.cause {
			case PhysicalLost:
				s.physical = nil
			case MobileLost:
				mark(report.wallet, nil)
			case Administrative:
				s.admin = nil
			}
		}
	case CredentialExpired:
		end()
	case PersonRemoved:
		end()
		if first := s.removed; first != nil {
			o = first
		}
		*s = state{removed: o}
	}
}

// inForce is the report that a release is about, in state i.
func (l *life) inForce(o *op, s *state, i int) *op {
	switch o.cause {
	case PhysicalLost:
		return s.physical
	case Administrative:
		return s.admin
	}
	wallet := o.wallet
	if wallet == "" && s.cred != nil {
		wallet = s.cred.wallet
	}
	return l.walletReport(wallet, i)
}

func (p *Policy) mayRelease(cause Cause, role string) bool {
	who := p.Releasers
	if who == nil {
		who = defaultReleasers
	}
	return slices.Contains(who[cause], role)
}

var defaultReleasers = DefaultReleasers()

func (p *Policy) ttl(kind string) time.Duration { return p.TTL[kind] }
