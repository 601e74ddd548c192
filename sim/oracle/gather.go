package oracle

import (
	"cmp"
	"slices"
	"time"
)

// From calls to operations: the attempts of one request are one, and to each that
// changed the register belongs its entry in the audit export.

type requestKey struct{ event, citizen, actor, role, key string }

// gather joins the attempts of each request.
func (c *court) gather() {
	h := c.h
	for i := range h.Residents {
		c.life(h.Residents[i].Citizen).resident = &h.Residents[i]
	}
	requests := map[requestKey]*op{}
	add := func(event string, call *Call) *op {
		k := requestKey{event, call.Citizen, call.Actor, call.Role, call.Key}
		o := requests[k]
		if o == nil || call.Key == "" {
			l := c.life(call.Citizen)
			o = &op{event: event, life: l, index: -1}
			l.ops = append(l.ops, o)
			if call.Key != "" {
				requests[k] = o
			}
		}
		o.calls = append(o.calls, call)
		return o
	}
	for i := range h.Registrations {
		r := &h.Registrations[i]
		add(CardIssued, &r.Call).document = r.Document
	}
	for i := range h.Applications {
		a := &h.Applications[i]
		o := add(CredentialIssued, &a.Call)
		if o.app == nil || a.Begin.Before(o.app.Begin) {
			o.app = a
		}
		o.wallet, o.attempts = a.Wallet, append(o.attempts, a)
		if len(o.copies) == 0 {
			c.readCopies(o, a)
		}
	}
	for i := range h.Reports {
		r := &h.Reports[i]
		o := add(reportEvent[r.Cause], &r.Call)
		o.cause, o.document, o.wallet, o.report = r.Cause, r.Document, r.Wallet, r
	}
	for i := range h.Releases {
		r := &h.Releases[i]
		o := add(releaseEvent[r.Cause], &r.Call)
		o.cause, o.wallet, o.names = r.Cause, r.Wallet, r.Names
	}
	for i := range h.Endings {
		e := &h.Endings[i]
		add(e.Event, &e.Call)
	}
	c.offers = make(map[string]*Offer, len(h.Offers))
	for i := range h.Offers {
		if o := &h.Offers[i]; o.Granted {
			c.offers[o.ID] = o
		}
	}
	slices.SortFunc(c.ordered, func(a, b *life) int { return cmp.Compare(a.citizen, b.citizen) })
	for _, l := range c.ordered {
		for _, o := range l.ops {
			o.settle()
		}
		slices.SortStableFunc(l.ops, func(a, b *op) int { return compareStamps(a.begin, b.begin) })
	}
}

// settle reads the answers of the attempts.
func (o *op) settle() {
	slices.SortStableFunc(o.calls, func(a, b *Call) int { return compareStamps(a.Begin, b.Begin) })
	o.begin = o.calls[0].Begin
	for _, call := range o.calls {
		if !call.Answered() {
			continue
		}
		o.answered = true
		if !call.Granted {
			continue
		}
		if !o.granted {
			o.granted, o.seq = true, call.Sequence
		}
		if o.end.IsZero() || call.End.Before(o.end) {
			o.end = call.End
		}
	}
}

func (c *court) readCopies(o *op, a *Application) {
	for i := range a.Copies {
		ref, until, err := a.Copies[i].read()
		if err != nil {
			c.parseErr = append(c.parseErr, parseError{o, err})
			continue
		}
		o.copies = append(o.copies, ref)
		if o.until.IsZero() || until.Before(o.until) {
			o.until = until
		}
	}
}

// read decodes what a copy says of itself.
func (p *Copy) read() (StatusRef, time.Time, error) {
	if len(p.IssuerSigned) == 0 {
		return p.Status, p.Until, nil
	}
	m, err := parseIssuerSigned(p.IssuerSigned)
	if err != nil {
		return StatusRef{}, time.Time{}, err
	}
	return m.status, m.until, nil
}

// readAudit parses the export and finds to each change its entry, and to each
// request without an answer the change it made, if any.
func (c *court) readAudit() {
	c.audited = len(c.h.Audit) > 0
	c.audit, c.auditErr = parseAudit(c.h.Audit)
	if c.auditErr != nil {
		c.audited = false
		c.audit = nil
	}
	bySeq := make(map[uint64]*auditLine, len(c.audit))
	for i := range c.audit {
		e := &c.audit[i]
		if _, twice := bySeq[e.Sequence]; !twice {
			bySeq[e.Sequence] = e
		}
		r := c.lives[e.person]
		initial := r != nil && r.resident != nil && e.Event == CardIssued && e.Card != "" && e.Card == r.resident.Document
		// Parties that may call the service are nobody's cards.
		e.claimed = e.Event == ResidentRegistered || e.Person == 0 && partyEvents[e.Event] || initial && c.registration(r, e.Card) == nil
	}
	// Proper entries first, so that a number given twice belongs to the change
	// that the log has.
	for _, proper := range []bool{true, false} {
		for _, l := range c.ordered {
			for _, o := range l.ops {
				if !o.granted || o.seq == 0 || o.entry != nil {
					continue
				}
				e := bySeq[o.seq]
				if e == nil || e.claimed || proper != (e.person == l.citizen && e.Event == o.event) {
					continue
				}
				o.entry, e.claimed = e, true
			}
		}
	}
	type place struct{ citizen, event string }
	free := map[place][]*auditLine{}
	for i := range c.audit {
		if e := &c.audit[i]; !e.claimed {
			free[place{e.person, e.Event}] = append(free[place{e.person, e.Event}], e)
		}
	}
	// Of several requests without an answer the first that may lawfully have made
	// the change has: a release that names an older report last.
	for _, lawful := range []bool{true, false} {
		for _, l := range c.ordered {
			for _, o := range l.ops {
				if o.entry != nil || o.granted && o.seq != 0 || o.answered && !o.granted {
					continue
				}
				for _, e := range free[place{l.citizen, o.event}] {
					call := o.call()
					if e.claimed || call.Actor != "" && e.Actor != call.Actor || call.Role != "" && e.Role != call.Role ||
						e.At.Before(o.begin.At.Add(-c.h.Policy.AuditSkew-time.Millisecond)) ||
						o.event == CredentialIssued && e.Wallet != o.wallet || o.event == CardIssued && e.Card != o.document ||
						o.event == ReleaseMobile && o.wallet != "" && e.Subject != "" && e.Subject != o.wallet ||
						lawful && o.names != 0 && o.names < c.newestReport(e) {
						continue
					}
					o.entry, o.seq, e.claimed = e, e.Sequence, true
					break
				}
				if o.entry == nil && !c.audited && lawful {
					l.unsure = append(l.unsure, interval{from: o.begin})
				}
			}
		}
	}
	// The register itself ends credentials whose validity is over.
	for i := range c.audit {
		e := &c.audit[i]
		if e.claimed || e.Event != CredentialExpired {
			continue
		}
		e.claimed = true
		l := c.life(e.person)
		o := &op{event: e.Event, life: l, calls: []*Call{{Citizen: e.person}}, begin: Stamp{At: e.At}, seq: e.Sequence, entry: e, index: -1}
		o.calls[0].Begin = o.begin
		l.ops = append(l.ops, o)
	}
}

// newestReport is the number of the newest report, by the audit, of the cause that
// an entry lifts; 0: there is none.
func (c *court) newestReport(e *auditLine) (seq uint64) {
	for i := range c.audit {
		r := &c.audit[i]
		if r.Sequence < e.Sequence && r.person == e.person && r.Cause == e.Cause && (e.Subject == "" || r.Subject == e.Subject) && r.Event == reportEvent[Cause(e.Cause)] {
			seq = max(seq, r.Sequence)
		}
	}
	return seq
}

func (c *court) registration(l *life, document string) *op {
	for _, o := range l.ops {
		if o.event == CardIssued && o.document == document {
			return o
		}
	}
	return nil
}

// fillCopies learns from the audit the places of credentials whose issue was
// not answered, as far as acknowledged issues tell which number is which list.
func (c *court) fillCopies() {
	name := map[uint32]string{}
	for _, l := range c.ordered {
		for _, o := range l.ops {
			if o.app == nil || o.entry == nil || len(o.entry.Copies) != len(o.copies) {
				continue
			}
			for i, ref := range o.copies {
				if o.entry.Copies[i].Index == ref.Index {
					name[o.entry.Copies[i].List] = ref.URI
				}
			}
		}
	}
	for _, l := range c.ordered {
		for _, o := range l.ops {
			if o.app == nil || o.entry == nil || len(o.copies) > 0 || len(o.entry.Copies) == 0 {
				continue
			}
			for _, place := range o.entry.Copies {
				uri, ok := name[place.List]
				if !ok {
					o.copies = nil
					break
				}
				o.copies = append(o.copies, StatusRef{uri, place.Index})
			}
			o.until, _ = time.Parse(time.RFC3339, o.entry.Until)
		}
	}
}

func (c *court) life(citizen string) *life {
	l := c.lives[citizen]
	if l == nil {
		l = &life{citizen: citizen, docFrom: map[string]int{}}
		c.lives[citizen] = l
		c.ordered = append(c.ordered, l)
	}
	return l
}

type parseError struct {
	op  *op
	err error
}
