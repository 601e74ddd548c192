package oracle

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// checks are the properties with their functions. Whatever is not listed in
// Options.Without runs.
var checks = [...]struct {
	property Property
	judge    func(*court)
}{
	{"S1", (*court).s1}, {"S2", (*court).s2}, {"S3", (*court).s3}, {"S4", (*court).s4},
	{"S5", (*court).s5}, {"S6", (*court).s6}, {"S7", (*court).s7}, {"S8", (*court).s8},
	{"S9", (*court).s9}, {"S10", (*court).s10}, {"S11", (*court).s11}, {"S12", (*court).s12},
	{"E1", (*court).e1}, {"E2", (*court).e2}, {"E3", (*court).e3}, {"E4", (*court).e4}, {"E5", (*court).e5},
}

// Judge judges a history. It does not change it.
func Judge(h *History, opt Options) *Verdict {
	if h.Failover != nil {
		return judgeFailover(h, opt)
	}
	return replayed(h).judge(opt)
}

func (c *court) judge(opt Options) *Verdict {
	if c.limit = opt.MaxFindings; c.limit == 0 {
		c.limit = 20
	}
	for _, p := range opt.Without {
		c.off[p] = true
	}
	for _, check := range checks {
		c.verdict.ByProperty[check.property] = Count{}
		if !c.off[check.property] {
			check.judge(c)
		}
	}
	c.expose()
	return c.verdict
}

// replayed lets a history happen in the judge's own model.
func replayed(h *History) *court {
	c := &court{
		h: h, off: map[Property]bool{},
		verdict: &Verdict{ByProperty: map[Property]Count{}},
		kept:    map[Property]int{}, lives: map[string]*life{},
	}
	c.gather()
	c.readAudit()
	c.fillCopies()
	c.replay()
	c.readLists()
	c.phonesLost = c.mobileReports()
	c.renew()
	c.observe()
	return c
}

// chance counts an opportunity.
func (c *court) chance(p Property) {
	n := c.verdict.ByProperty[p]
	n.Opportunities++
	c.verdict.ByProperty[p] = n
}

// chanceAt counts an opportunity at a moment, unless another register's judge does.
func (c *court) chanceAt(p Property, at Stamp) {
	if !c.elsewhere(p, at) {
		c.chance(p)
	}
}

// find counts a violation and keeps the first findings of each property.
func (c *court) find(p Property, citizen string, o *op, at Stamp, format string, args ...any) {
	c.found(p, citizen, o, at, nil, nil, format, args...)
}

// found keeps a finding. other is a change of somebody else, l a list, that
// the excerpt must hold to show it.
func (c *court) found(p Property, citizen string, o *op, at Stamp, other *op, l *listing, format string, args ...any) {
	if p != "S10" && c.elsewhere(p, at) {
		return
	}
	n := c.verdict.ByProperty[p]
	n.Violations++
	c.verdict.ByProperty[p] = n
	if c.kept[p] >= c.limit {
		return
	}
	c.kept[p]++
	f := Finding{Property: p, Citizen: citizen, At: at.At, Sentence: fmt.Sprintf(format, args...)}
	who := []string{citizen}
	for _, x := range []*op{o, other} {
		if x != nil && x.life != nil {
			who = append(who, x.life.citizen)
		}
	}
	if o != nil {
		f.Sequence = o.seq
	}
	f.Excerpt = c.excerpt(who, l)
	c.verdict.Findings = append(c.verdict.Findings, f)
}

// excerpt is what bears on some citizens, and one list.
func (c *court) excerpt(who []string, l *listing) *History {
	h := c.h
	x := &History{Policy: h.Policy, Faults: h.Faults, Restarts: h.Restarts, Partial: true, Others: h.Others}
	x.Residents = only(h.Residents, func(r *Resident) bool { return slices.Contains(who, r.Citizen) })
	x.Registrations = only(h.Registrations, func(r *Registration) bool { return slices.Contains(who, r.Citizen) })
	x.Offers = only(h.Offers, func(r *Offer) bool { return slices.Contains(who, r.Citizen) })
	x.Applications = only(h.Applications, func(r *Application) bool { return slices.Contains(who, r.Citizen) })
	x.Renewals = only(h.Renewals, func(r *Renewal) bool { return slices.Contains(who, r.Citizen) })
	x.Reports = only(h.Reports, func(r *Report) bool { return slices.Contains(who, r.Citizen) })
	x.Releases = only(h.Releases, func(r *Release) bool { return slices.Contains(who, r.Citizen) })
	x.Endings = only(h.Endings, func(r *Ending) bool { return slices.Contains(who, r.Citizen) })
	x.Inquiries = only(h.Inquiries, func(r *Inquiry) bool { return slices.Contains(who, r.Citizen) })
	x.Presentations = only(h.Presentations, func(r *Presentation) bool { return slices.Contains(who, r.Citizen) })
	moved := map[int]int{}
	keep := func(i int) int {
		j, ok := moved[i]
		if !ok {
			j = len(x.Lists)
			moved[i] = j
			x.Lists = append(x.Lists, h.Lists[i])
		}
		return j
	}
	for i := range x.Presentations {
		if p := x.Presentations[i].Cached; p != nil && p.List >= 0 && p.List < len(h.Lists) {
			cached := *p
			cached.List = keep(p.List)
			x.Presentations[i].Cached = &cached
		}
	}
	for i := range c.lists {
		if l == &c.lists[i] {
			keep(i)
		}
	}
	var lines [][]byte
	for i := range c.audit { // the first line shows that there was an audit
		if i == 0 || slices.Contains(who, c.audit[i].person) {
			lines = append(lines, c.audit[i].raw)
		}
	}
	if len(lines) > 0 {
		x.Audit = append(bytes.Join(lines, []byte("\n")), '\n')
	}
	return x
}

func only[T any](all []T, keep func(*T) bool) []T {
	var out []T
	for i := range all {
		if keep(&all[i]) {
			out = append(out, all[i])
		}
	}
	return out
}

// expose measures how long suspended cards were still accepted.
func (c *court) expose() {
	type place struct {
		kind   string
		cached bool
	}
	for _, l := range c.ordered {
		for _, r := range l.done {
			if r.report == nil || r.end.IsZero() {
				continue
			}
			from, lifted := l.inForceFrom(r)
			lost, submitted := r.report.Lost, r.report.Submitted
			if lost.IsZero() {
				lost = r.begin.At
			}
			if submitted.IsZero() {
				submitted = r.begin.At
			}
			by := map[place]*Exposure{}
			first := sort.Search(len(l.looks), func(i int) bool { return !l.looks[i].begin.At.Before(lost) })
			for _, k := range l.looks[first:] {
				if lifted != nil && !k.begin.Before(lifted.begin) {
					break
				}
				if k.inquiry != nil || !l.hit(k, r, from) {
					continue
				}
				at := place{k.kind, k.cached != nil}
				e := by[at]
				if e == nil {
					e = &Exposure{Citizen: l.citizen, Sequence: r.seq, Cause: r.cause, Kind: k.kind, Cached: at.cached}
					by[at] = e
				}
				e.Tries++
				if !k.accepted() {
					continue
				}
				e.FromLoss = max(e.FromLoss, k.begin.At.Sub(lost))
				e.FromSubmission = max(e.FromSubmission, k.begin.At.Sub(submitted))
				e.FromAcknowledgement = max(e.FromAcknowledgement, k.begin.At.Sub(r.end.At))
				if r.end.Before(k.begin) {
					e.Accepts++
				}
			}
			places := make([]place, 0, len(by))
			for at := range by {
				places = append(places, at)
			}
			slices.SortFunc(places, func(a, b place) int {
				if n := cmp.Compare(a.kind, b.kind); n != 0 {
					return n
				}
				if a.cached == b.cached {
					return 0
				} else if b.cached {
					return -1
				}
				return 1
			})
			for _, at := range places {
				c.verdict.Exposures = append(c.verdict.Exposures, *by[at])
			}
		}
	}
	for _, k := range c.looks {
		if k.accepted() && !k.entitled && !(k.cached != nil && k.broken == "" && k.settledState < len(k.life.states) && k.condition(k.settledState)&isActive == 0) {
			c.verdict.FalseAccepts++
		}
	}
}

// inForceFrom returns the state in which the report came into force, and the
// change that lifted it, if any.
func (l *life) inForceFrom(r *op) (int, *op) {
	for i := r.index + 1; i < len(l.states); i++ {
		s := &l.states[i]
		in := s.physical == r || s.admin == r
		if r.cause == MobileLost {
			in = l.walletReport(r.wallet, i) == r
		}
		if !in {
			return r.index + 1, l.done[i-1]
		}
	}
	return r.index + 1, nil
}

// hit says whether the report suspended the card that k shows.
func (l *life) hit(k *look, r *op, from int) bool {
	if k.mobile() {
		return k.cred.from <= from && from < k.cred.ended && (r.cause != MobileLost || k.cred.wallet == r.wallet)
	}
	return r.cause != MobileLost && l.states[from].document == k.document
}

// Summary of exposures.
type Summary struct {
	Count         int
	P50, P95, Max time.Duration
	Total         time.Duration
}

// Summarise gives the quantiles of what of takes from each exposure (nearest
// rank).
func Summarise(exposures []Exposure, of func(*Exposure) time.Duration) Summary {
	if len(exposures) == 0 {
		return Summary{}
	}
	all := make([]time.Duration, len(exposures))
	var s Summary
	for i := range exposures {
		all[i] = of(&exposures[i])
		s.Total += all[i]
	}
	slices.Sort(all)
	rank := func(q float64) time.Duration {
		i := int(q*float64(len(all)) + 0.9999999)
		return all[min(max(i, 1), len(all))-1]
	}
	s.Count, s.P50, s.P95, s.Max = len(all), rank(0.5), rank(0.95), all[len(all)-1]
	return s
}
