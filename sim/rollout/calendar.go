package rollout

import (
	"sort"
	"time"

	"rollcall.example/rollcall/scenarios"
)

const (
	second int64 = 1000
	minute       = 60 * second
	hour         = 60 * minute
	day          = 24 * hour

	// Day and Hour are the lengths of a day and an hour in milliseconds.
	Day, Hour = day, hour
)

// Calendar is the days of the run and when centres are open.
type Calendar struct {
	Start                             time.Time
	Days                              int
	Open                              []bool // centres open on that day
	Weekend                           []bool // Saturday, Sunday or holiday: other habits
	opens, closes, lunchFrom, lunchTo int64
	lunchStaff                        float64
	visit                             [25]float64 // cumulative share of arrivals by hour of the day, within opening hours
}

func newCalendar(s *scenarios.Scenario) *Calendar {
	c := &Calendar{
		Start: s.Start.Time, opens: s.Calendar.Opens.Milliseconds(), closes: s.Calendar.Closes.Milliseconds(),
		lunchFrom: s.Calendar.LunchFrom.Milliseconds(), lunchTo: s.Calendar.LunchTo.Milliseconds(),
		lunchStaff: float64(s.Calendar.LunchStaff),
	}
	c.Days = int((s.End.Sub(s.Start.Time) + 24*time.Hour - 1) / (24 * time.Hour))
	holiday := map[string]bool{}
	for _, h := range s.Calendar.Holidays {
		holiday[h.Format(time.DateOnly)] = true
	}
	for d := range c.Days + 60 {
		t := s.Start.AddDate(0, 0, d)
		off := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday || holiday[t.Format(time.DateOnly)]
		c.Open = append(c.Open, !off)
		c.Weekend = append(c.Weekend, off)
	}
	for h := range 24 {
		within := float64(max(0, min(c.closes, int64(h+1)*hour)-max(c.opens, int64(h)*hour))) / float64(hour)
		c.visit[h+1] = c.visit[h] + s.Centres.Hours[h]*within
	}
	for h := range c.visit {
		c.visit[h] /= c.visit[24]
	}
	return c
}

// Day is the day of an instant.
func (c *Calendar) Day(t int64) int { return int(t / day) }

// Date is the civil date of a day.
func (c *Calendar) Date(d int) time.Time { return c.Start.AddDate(0, 0, d) }

// Time is the civil time of an instant.
func (c *Calendar) Time(t int64) time.Time { return c.Start.Add(time.Duration(t) * time.Millisecond) }

// visitTime turns a uniform variate into an arrival time of day.
func (c *Calendar) visitTime(u float64) int64 {
	h := sort.Search(24, func(h int) bool { return c.visit[h+1] > u })
	if h == 24 {
		h = 23
	}
	lo, hi := max(c.opens, int64(h)*hour), min(c.closes, int64(h+1)*hour)
	f := (u - c.visit[h]) / (c.visit[h+1] - c.visit[h])
	return min(lo+int64(f*float64(hi-lo)), c.closes-1)
}

// visitShare is the share of a day's arrivals before a time of day: what visitTime
// turns back.
func (c *Calendar) visitShare(t int64) float64 {
	switch {
	case t <= c.opens:
		return 0
	case t >= c.closes:
		return 1
	}
	h := t / hour
	lo, hi := max(c.opens, h*hour), min(c.closes, (h+1)*hour)
	return c.visit[h] + (c.visit[h+1]-c.visit[h])*float64(t-lo)/float64(hi-lo)
}

// openDay is the first day from d on which centres are open.
func (c *Calendar) openDay(d int) int {
	for d < len(c.Open) && !c.Open[d] {
		d++
	}
	return d
}

// officeTime moves an instant into office hours and adds a working time that
// passes in office hours only.
func (c *Calendar) officeTime(t, work int64) int64 {
	for {
		d := c.openDay(c.Day(t))
		if d >= len(c.Open) {
			return Never
		}
		lo, hi := int64(d)*day+c.opens, int64(d)*day+c.closes
		t = max(t, lo)
		if t < hi {
			if t+work <= hi {
				return t + work
			}
			work -= hi - t
		}
		t = int64(d+1) * day
	}
}

// CountersOpen is how many of n counters take customers at an instant, and until
// when that holds.
func (c *Calendar) CountersOpen(n int, t int64) (open int, until int64) {
	d := c.Day(t)
	at := t - int64(d)*day
	base := int64(d) * day
	switch {
	case d >= len(c.Open): // the calendar knows no more days
		return 0, Never
	case !c.Open[d] || at >= c.closes:
		return 0, int64(c.openDay(d+1))*day + c.opens
	case at < c.opens:
		return 0, base + c.opens
	case at < c.lunchFrom:
		return n, base + c.lunchFrom
	case at < c.lunchTo:
		return min(n, max(1, int(float64(n)*c.lunchStaff+0.5))), base + c.lunchTo
	default:
		return n, base + c.closes
	}
}

// clock is a profile over hours of weekdays and of days off, cumulated over the
// whole run, so that a unit of it is a mean number of events and can be inverted.
type clock struct {
	hours []clockHour // one more at the end
	total float64
	grid  []uint16 // hour of each of equally spaced values
	cells float64  // of the grid for a unit
}

type clockHour struct {
	cum float64 // at its start
	per float64 // milliseconds for a unit within it
}

func newClock(cal *Calendar, rate func(weekend bool, h int) float64) *clock {
	k := &clock{hours: make([]clockHour, cal.Days*24+1)}
	for i := range cal.Days * 24 {
		r := rate(cal.Weekend[i/24], i%24)
		k.hours[i].per = float64(hour) / r
		k.hours[i+1].cum = k.hours[i].cum + r
	}
	k.total = k.hours[len(k.hours)-1].cum
	const cells = 1 << 12
	k.grid = make([]uint16, cells+1)
	h := uint16(0)
	for i := range k.grid {
		for int(h) < len(k.hours)-2 && k.hours[h+1].cum <= float64(i)*k.total/cells {
			h++
		}
		k.grid[i] = h
	}
	if k.total > 0 {
		k.cells = cells / k.total
	}
	return k
}

// within is the mean number of events in an hour of the run.
func (k *clock) within(h int) float64 { return k.hours[h+1].cum - k.hours[h].cum }

// at is the mean number of events before t.
func (k *clock) at(t int64) float64 {
	h := int(t / hour)
	if h >= len(k.hours)-1 {
		return k.total
	}
	return k.hours[h].cum + k.within(h)*float64(t-int64(h)*hour)*(1.0/float64(hour))
}

// inverse is the time at which the mean number reaches x; Never behind the end.
func (k *clock) inverse(x float64) int64 {
	if x >= k.total {
		return Never
	}
	h := int(k.grid[int(x*k.cells)])
	for k.hours[h+1].cum <= x {
		h++
	}
	return int64(h)*hour + int64((x-k.hours[h].cum)*k.hours[h].per)
}

// Closes is when the centres close on the day of an instant.
func (c *Calendar) Closes(t int64) int64 { return int64(c.Day(t))*day + c.closes }
