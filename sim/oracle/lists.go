package oracle

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// listing is a published list, decoded as far as it was needed.
type listing struct {
	published *PublishedList
	token     *statusToken // nil: unreadable
	err       error
	bits      []byte // nil: not yet inflated
	inflated  bool
}

// shows reads the entry; 0 for an entry of another list.
func (l *listing) shows(ref StatusRef) byte {
	if l.token == nil || l.token.uri != ref.URI || l.token.bits != 2 {
		return statusValid
	}
	l.inflate()
	v, _ := entry(l.bits, ref.Index)
	return v
}

func (l *listing) inflate() {
	if l.inflated || l.err != nil {
		return
	}
	l.inflated = true
	l.bits, l.err = l.token.inflate()
}

func (c *court) readLists() {
	c.lists = make([]listing, len(c.h.Lists))
	for i := range c.h.Lists {
		l := &c.lists[i]
		l.published = &c.h.Lists[i]
		l.token, l.err = parseToken(l.published.Token)
	}
}

// listUsable says whether some list for k's credential that was published
// before k had not passed its own expiry at k.
func (c *court) listUsable(k *look) bool {
	for i := range c.lists {
		t := c.lists[i].token
		if t != nil && t.uri == k.list.token.uri && c.lists[i].published.Published.Before(k.begin) &&
			(t.expires.IsZero() || !k.begin.At.After(t.expires)) {
			return true
		}
	}
	return false
}

// expectation is what a list must show, kept up to date change by change.
type expectation struct {
	bits   []byte
	either map[uint64]bool // indices at which several values are right
}

func (e *expectation) set(index uint64, v byte) bool {
	const most = maxListBytes * 4
	if index >= most {
		return false
	}
	for index/4 >= uint64(len(e.bits)) {
		e.bits = append(e.bits, make([]byte, max(64, len(e.bits)))...)
	}
	setEntry(e.bits, index, v)
	return true
}

// sum is the standing of one credential in state i, and whether another is
// right as well.
func (l *life) standing(cr *credential, i int) (v byte, either bool) {
	switch c := l.credential(cr, i); {
	case c&isAbsent != 0:
		return statusValid, false
	case c&isEnded != 0:
		return statusInvalid, c != isEnded
	case c&isSuspended != 0:
		return statusSuspended, false
	}
	return statusValid, false
}

// mismatch is an entry that shows something else than the register.
type mismatch struct {
	list      *listing
	index     uint64
	got, want byte
	cred      *credential // nil: nobody's
}

// compareLists holds every list against the register at the number it states.
func (c *court) compareLists(report func(l *listing, what string, by *op, m *mismatch)) {
	order := make([]*listing, 0, len(c.lists))
	for i := range c.lists {
		if l := &c.lists[i]; l.token == nil {
			report(l, l.err.Error(), nil, nil)
		} else {
			order = append(order, l)
		}
	}
	slices.SortStableFunc(order, func(a, b *listing) int { return cmp.Compare(a.token.register, b.token.register) })
	expected := map[string]*expectation{}
	at := func(uri string) *expectation {
		e := expected[uri]
		if e == nil {
			e = &expectation{either: map[uint64]bool{}}
			expected[uri] = e
		}
		return e
	}
	hidden := 0 // issues whose copies nobody saw: their entries may show anything
	last := map[string]*listing{}
	agreed := map[string]int{} // changes applied when the last list of a URI was found to agree
	next := 0
	for _, l := range order {
		t := l.token
		for ; next < len(c.order) && c.order[next].seq <= t.register; next++ {
			o := c.order[next]
			if o.event == CredentialIssued && len(o.copies) == 0 {
				hidden++
			}
			for _, cr := range o.life.creds {
				if cr.from > o.index+1 {
					continue
				}
				v, either := o.life.standing(cr, o.index+1)
				for _, ref := range cr.refs {
					e := at(ref.URI)
					if c.creds[ref] == cr {
						e.set(ref.Index, v)
						if either {
							e.either[ref.Index] = true
						}
					}
				}
			}
		}
		if c.excusedByLoss(l) {
			continue
		}
		c.verdict.ListsJudged++
		if t.bits != 2 {
			report(l, fmt.Sprintf("the list has %d bits an entry, not 2", t.bits), nil, nil)
			continue
		}
		if o := c.tooEarly(l); o != nil {
			report(l, fmt.Sprintf("published at %s, it states register sequence %d, but %s of citizen %s was requested only at %s",
				l.published.Published.At.Format(moment), t.register, o.what(), o.life.citizen, o.begin.At.Format(moment)), o, nil)
			continue
		}
		if c.audited && !c.h.Partial && t.register > c.verdict.LastSequence {
			report(l, fmt.Sprintf("it states register sequence %d, but the register ends at %d", t.register, c.verdict.LastSequence), nil, nil)
			continue
		}
		e := at(t.uri)
		if p := last[t.uri]; p != nil && p.token.lst == t.lst && agreed[t.uri] == next {
			continue
		}
		if p := last[t.uri]; p != nil && p.inflated && p.err == nil && p.token.lst == t.lst {
			l.bits, l.inflated = p.bits, true
		}
		l.inflate()
		if l.err != nil {
			report(l, l.err.Error(), nil, nil)
			continue
		}
		if p := last[t.uri]; p != nil && p != l {
			p.release()
		}
		last[t.uri], agreed[t.uri] = l, next
		c.compareList(l, e, hidden, report)
	}
}

// release drops the decoded bits; a verifier's look decodes again.
func (l *listing) release() { l.bits, l.inflated = nil, false }

func (c *court) compareList(l *listing, e *expectation, hidden int, report func(l *listing, what string, by *op, m *mismatch)) {
	n := min(len(l.bits), len(e.bits))
	if bytes.Equal(l.bits[:n], e.bits[:n]) && zero(l.bits[n:]) && zero(e.bits[n:]) {
		return
	}
	for i := range max(len(l.bits), len(e.bits)) {
		var got, want byte
		if i < len(l.bits) {
			got = l.bits[i]
		}
		if i < len(e.bits) {
			want = e.bits[i]
		}
		if got == want {
			continue
		}
		for j := range uint64(4) {
			g, w := got>>(2*j)&3, want>>(2*j)&3
			index := uint64(i)*4 + j
			if g == w || e.either[index] {
				continue
			}
			cr := c.creds[StatusRef{l.token.uri, index}]
			if cr == nil && (hidden > 0 || c.h.Partial || c.h.Others) {
				continue
			}
			report(l, "", nil, &mismatch{l, index, g, w, cr})
			return // one finding a list
		}
	}
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// tooEarly returns a change that the list claims to show, though it was
// requested only after the list was published.
func (c *court) tooEarly(l *listing) *op {
	n := sort.Search(len(c.order), func(i int) bool { return c.order[i].seq > l.token.register })
	if n == 0 || !l.published.Published.Before(c.begun[n-1]) {
		return nil
	}
	for _, o := range c.order[:n] {
		if l.published.Published.Before(o.begin) {
			return o
		}
	}
	return nil
}

// excusedByLoss says whether the list was published before a failover that the
// service declares to have lost changes the list shows.
func (c *court) excusedByLoss(l *listing) bool {
	for i := range c.h.Restarts {
		r := &c.h.Restarts[i]
		if len(r.DeclaredLost) > 0 && l.published.Published.Before(r.Up) && l.token.register >= slices.Min(r.DeclaredLost) {
			return true
		}
	}
	return false
}
