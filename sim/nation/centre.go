package nation

import (
	"cmp"
	"slices"

	"rollcall.example/rollcall/sim/rollout"
)

// A centre is a queue of its visitors before a few counters: first come, first
// served; those who see too long a queue turn round, those who wait too long
// leave, those who still wait at closing time are sent home.
type centre struct {
	index   int     // in Nation.Centres
	free    []int64 // when each counter is free
	waiting []customer
	coming  []rollout.Visit // announced, not yet arrived; sorted when the window begins

	// other is the k-th customer with other business, by when the one before came
	// (rollout.Model.Other); the next is known.
	other                                func(k uint32, before int64) (arrive, service, deadline int64)
	otherAt, otherService, otherDeadline int64
	others                               uint32

	queue, since int64 // the number waiting, integrated (ms) until since

	most   int     // visits in an hour; 0: as many as come
	booked []int32 // of them, by hour of the run

	keep bool
	kept []rollout.Visit // who came, if they are kept
}

type customer struct {
	rollout.Visit
	other bool
}

func newCentre(m *rollout.Model, index int) centre {
	c := centre{index: index, free: make([]int64, m.Counters(index)), most: m.Appointments(index)}
	c.other = func(k uint32, before int64) (int64, int64, int64) { return m.Other(index, k, before) }
	c.nextOther(0)
	return c
}

func (c *centre) nextOther(before int64) {
	c.otherAt, c.otherService, c.otherDeadline = c.other(c.others, before)
	c.others++
}

// solve carries the queue through a window and reports the ends of visits.
func (c *centre) solve(m *rollout.Model, p *rollout.Place, w rollout.Window, out []rollout.VisitResult) []rollout.VisitResult {
	due := 0
	if len(c.coming) > 0 {
		slices.SortFunc(c.coming, func(a, b rollout.Visit) int {
			return cmp.Or(cmp.Compare(a.Arrive, b.Arrive), cmp.Compare(a.Citizen, b.Citizen), cmp.Compare(a.From, b.From))
		})
		for due < len(c.coming) && c.coming[due].Arrive < w.End {
			due++
		}
	}
	visits := c.coming[:due]
	if c.keep {
		for _, v := range visits {
			if !v.Booked {
				c.kept = append(c.kept, v)
			}
		}
	}
	var later []rollout.Visit
	if c.most > 0 {
		visits, later = c.book(m, p, visits)
	}
	for len(visits) > 0 || c.otherAt < w.End {
		// At one instant a citizen comes before other business.
		if len(visits) > 0 && visits[0].Arrive <= c.otherAt {
			out = c.arrive(m, p, customer{Visit: visits[0]}, out)
			visits = visits[1:]
			continue
		}
		at := c.otherAt
		out = c.arrive(m, p, customer{other: true, Visit: rollout.Visit{
			Arrive: at, Service: c.otherService, Deadline: c.otherDeadline}}, out)
		c.nextOther(at)
	}
	c.coming = append(append(c.coming[:0], c.coming[due:]...), later...)
	out = c.advance(m, p, w.End-1, out)
	// Who gave up while others stood before them.
	kept := c.waiting[:0]
	for n, x := range c.waiting {
		if x.Deadline < w.End {
			c.pass(x.Deadline, len(kept)+len(c.waiting)-n)
			out = c.leave(p, x, rollout.Reneged, x.Deadline, out)
		} else {
			kept = append(kept, x)
		}
	}
	c.waiting = kept
	return out
}

// book keeps the appointments: of who would come now, who comes now, and who comes
// later. The window must not reach beyond a day.
func (c *centre) book(m *rollout.Model, p *rollout.Place, visits []rollout.Visit) (now, later []rollout.Visit) {
	if c.booked == nil {
		c.booked = make([]int32, len(m.Cal.Open)*24)
	}
	now = visits[:0]
	for _, v := range visits {
		hour := int(v.Arrive / rollout.Hour)
		if v.Booked {
			now = append(now, v)
			continue
		}
		free := hour
		for free < len(c.booked) && (!m.Cal.Open[free/24] || int(c.booked[free]) >= c.most) {
			free += 24
		}
		if free < len(c.booked) {
			c.booked[free]++
		}
		if free == hour {
			now = append(now, v)
			continue
		}
		days := (free - hour) / 24
		c.tally(p).PutOff.Add(days)
		v.Booked = true
		v.Arrive += int64(days) * rollout.Day
		v.Deadline += int64(days) * rollout.Day
		if v.Arrive < m.End {
			later = append(later, v)
		}
	}
	return now, later
}

func (c *centre) arrive(m *rollout.Model, p *rollout.Place, x customer, out []rollout.VisitResult) []rollout.VisitResult {
	out = c.advance(m, p, x.Arrive, out)
	open, _ := m.Cal.CountersOpen(len(c.free), x.Arrive)
	if open == 0 {
		return c.leave(p, x, rollout.Shut, x.Arrive, out)
	}
	if limit := m.BalkAt() * open; len(c.waiting) >= limit {
		n := 0
		for _, y := range c.waiting {
			if y.Deadline > x.Arrive { // who leaves now is gone
				n++
			}
		}
		if n >= limit {
			return c.leave(p, x, rollout.Balked, x.Arrive, out)
		}
	}
	c.pass(x.Arrive, len(c.waiting))
	c.waiting = append(c.waiting, x)
	return c.advance(m, p, x.Arrive, out)
}

// pass integrates the number waiting up to t, when it changes. Changes may come out
// of order: the sum over all of them is the same.
func (c *centre) pass(t int64, waiting int) {
	c.queue += int64(waiting) * (t - c.since)
	c.since = t
}

// close ends the account of those who waited.
func (c *centre) close(p *rollout.Place, end int64) {
	c.pass(end, len(c.waiting))
	t := c.tally(p)
	for _, x := range c.waiting {
		p.T.StillWaiting(x.Arrive, end)
		if !x.other {
			t.Waited += end - x.Arrive
		}
	}
	t.Queue = c.queue
}

// tally is the centre's own account.
func (c *centre) tally(p *rollout.Place) *rollout.CentreTally {
	return &p.T.ByCentre[c.index-p.M.Nation.Municipalities[p.Municipality].First]
}

// advance starts all service that begins by t.
func (c *centre) advance(m *rollout.Model, p *rollout.Place, t int64, out []rollout.VisitResult) []rollout.VisitResult {
	n := 0
	for ; n < len(c.waiting); n++ {
		x := c.waiting[n]
		counter, start := c.earliest(m, x.Arrive)
		closes := m.Cal.Closes(x.Arrive)
		if start >= closes {
			if min(closes, x.Deadline) > t {
				break
			}
			c.pass(min(closes, x.Deadline), len(c.waiting)-n)
			if x.Deadline < closes {
				out = c.leave(p, x, rollout.Reneged, x.Deadline, out)
			} else {
				out = c.leave(p, x, rollout.Shut, closes, out)
			}
			continue
		}
		if x.Deadline < start {
			if x.Deadline > t {
				break
			}
			c.pass(x.Deadline, len(c.waiting)-n)
			out = c.leave(p, x, rollout.Reneged, x.Deadline, out)
			continue
		}
		if start > t {
			break
		}
		c.pass(start, len(c.waiting)-n)
		c.free[counter] = start + x.Service
		p.T.Serve(x.Arrive, start, x.Service, x.other)
		d := &p.T.Day[m.Cal.Day(start)]
		if x.other {
			d.OtherServed++
			p.T.OtherWait.Add(start - x.Arrive)
			continue
		}
		d.Served++
		d.Wait.Add(start - x.Arrive)
		t := c.tally(p)
		t.Visits++
		t.Wait.Add(start - x.Arrive)
		t.Waited += start - x.Arrive
		out = append(out, rollout.VisitResult{Citizen: x.Citizen, Home: x.Home, Centre: x.Centre,
			Purpose: x.Purpose, From: x.From, End: rollout.Served, At: start + x.Service})
	}
	c.waiting = append(c.waiting[:0], c.waiting[n:]...)
	return out
}

// earliest is the counter that can first serve somebody who came at t, and when.
func (c *centre) earliest(m *rollout.Model, t int64) (counter int, start int64) {
	counter, start = -1, rollout.Never
	for i, free := range c.free {
		at := max(free, t)
		for at < start {
			open, until := m.Cal.CountersOpen(len(c.free), at)
			if i < open {
				break
			}
			at = until
		}
		if at < start {
			counter, start = i, at
		}
	}
	return counter, start
}

func (c *centre) leave(p *rollout.Place, x customer, end rollout.VisitEnd, at int64, out []rollout.VisitResult) []rollout.VisitResult {
	d := &p.T.Day[min(at/rollout.Day, int64(len(p.T.Day)-1))]
	d.Waited += at - x.Arrive
	if x.other {
		d.OtherLeft++
		return out
	}
	t := c.tally(p)
	t.Left++
	t.Waited += at - x.Arrive
	switch end {
	case rollout.Balked:
		d.Balked++
	case rollout.Reneged:
		d.Reneged++
	default:
		d.Shut++
	}
	return append(out, rollout.VisitResult{Citizen: x.Citizen, Home: x.Home, Centre: x.Centre,
		Purpose: x.Purpose, From: x.From, End: end, At: at})
}
