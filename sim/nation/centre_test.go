package nation

import (
	"cmp"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/sim/rollout"
)

const minute int64 = 60_000

// crowd is who comes to a centre with a few counters, to the minute: so much falls
// on one instant that every kind of tie occurs.
type crowd struct {
	counters int
	balkAt   int
	citizens []rollout.Visit
	others   []rollout.Visit // one after the other
}

// drawCrowd draws one for a centre that is open from 10:00 to 12:00, with half of
// its counters from 11:00 to 11:20.
func drawCrowd(t *rapid.T, centre int32) crowd {
	visit := func(from, to int) rollout.Visit {
		arrive := int64(rapid.IntRange(from, to).Draw(t, "arrives"))
		return rollout.Visit{Centre: centre, Arrive: arrive * minute,
			Service:  int64(rapid.IntRange(1, 9).Draw(t, "takes")) * minute,
			Deadline: (arrive + int64(rapid.IntRange(1, 25).Draw(t, "waits"))) * minute}
	}
	c := crowd{counters: rapid.IntRange(1, 3).Draw(t, "counters"), balkAt: rapid.IntRange(1, 4).Draw(t, "balk at")}
	// They come within some minutes of each other, before one of the changes.
	around := rapid.SampledFrom([]int{600, 650, 660, 675, 705}).Draw(t, "around")
	for i := range rapid.IntRange(1, 12).Draw(t, "citizens") {
		v := visit(max(around, 600), min(around+14, 719))
		v.Citizen, v.From = uint32(i/2), rollout.Process(i%2) // some come for two things
		c.citizens = append(c.citizens, v)
	}
	for range rapid.IntRange(0, 8).Draw(t, "others") {
		c.others = append(c.others, visit(max(around-3, 595), around+17))
	}
	slices.SortStableFunc(c.others, func(a, b rollout.Visit) int { return cmp.Compare(a.Arrive, b.Arrive) })
	return c
}

// ends is what became of a crowd.
type ends struct {
	Results                                               []rollout.VisitResult // of citizens, in their order
	Served, Balked, Reneged, Shut, OtherServed, OtherLeft int32
	Waited, Queue                                         int64
}

func (e *ends) sort() {
	slices.SortFunc(e.Results, func(a, b rollout.VisitResult) int {
		return cmp.Or(cmp.Compare(a.Citizen, b.Citizen), cmp.Compare(a.From, b.From))
	})
}

// minuteByMinute is the queue as one would tell it: in each minute counters come
// free and hours change, then the next are called, then those leave whose patience
// ends, then who arrives comes in, citizens by number before other business.
func (c crowd) minuteByMinute() (e ends) {
	type guest struct {
		rollout.Visit
		other bool
	}
	var queue []guest
	busy := make([]int64, c.counters) // until
	open := func(now int64) int {
		switch at := now / minute; {
		case at < 600 || at >= 720:
			return 0
		case at >= 660 && at < 680:
			return max(1, int(float64(c.counters)*0.5+0.5))
		}
		return c.counters
	}
	leave := func(g guest, end rollout.VisitEnd, now int64) {
		e.Waited += now - g.Arrive
		switch {
		case g.other:
			e.OtherLeft++
			return
		case end == rollout.Balked:
			e.Balked++
		case end == rollout.Reneged:
			e.Reneged++
		default:
			e.Shut++
		}
		e.Results = append(e.Results, rollout.VisitResult{Citizen: g.Citizen, From: g.From, Centre: g.Centre, End: end, At: now})
	}
	call := func(now int64) {
		for i := range busy[:open(now)] {
			if len(queue) == 0 || busy[i] > now {
				continue
			}
			g := queue[0]
			queue = queue[1:]
			busy[i] = now + g.Service
			e.Waited += now - g.Arrive
			if g.other {
				e.OtherServed++
				continue
			}
			e.Served++
			e.Results = append(e.Results, rollout.VisitResult{Citizen: g.Citizen, From: g.From, Centre: g.Centre, At: now + g.Service})
		}
	}
	enter := func(g guest, now int64) {
		switch {
		case open(now) == 0:
			leave(g, rollout.Shut, now)
		case len(queue) >= open(now)*c.balkAt:
			leave(g, rollout.Balked, now)
		default:
			queue = append(queue, g)
			call(now)
		}
	}
	for now := 9 * 60 * minute; now < 13*60*minute; now += minute {
		if open(now) == 0 {
			for _, g := range queue {
				leave(g, rollout.Shut, now)
			}
			queue = nil
		}
		call(now)
		stay := queue[:0]
		for _, g := range queue {
			if g.Deadline == now {
				leave(g, rollout.Reneged, now)
			} else {
				stay = append(stay, g)
			}
		}
		queue = stay
		var here []guest
		for _, v := range c.citizens {
			if v.Arrive == now {
				here = append(here, guest{Visit: v})
			}
		}
		slices.SortFunc(here, func(a, b guest) int { return cmp.Or(cmp.Compare(a.Citizen, b.Citizen), cmp.Compare(a.From, b.From)) })
		for _, v := range c.others {
			if v.Arrive == now {
				here = append(here, guest{v, true})
			}
		}
		for _, g := range here {
			enter(g, now)
		}
		e.Queue += int64(len(queue)) * minute
	}
	e.sort()
	return e
}

// byWindows is the same crowd at the engine's centre, in windows of a width.
func (c crowd) byWindows(m *rollout.Model, municipality int, width int64) (e ends) {
	mu := &m.Nation.Municipalities[municipality]
	m.Scenario.Centres.BalkAt = c.balkAt
	p := &rollout.Place{M: m, Municipality: municipality, T: rollout.NewTally(m, mu.End-mu.First)}
	x := centre{index: mu.First, free: make([]int64, c.counters), coming: slices.Clone(c.citizens),
		other: func(k uint32, _ int64) (int64, int64, int64) {
			if int(k) >= len(c.others) {
				return rollout.Never, 0, 0
			}
			return c.others[k].Arrive, c.others[k].Service, c.others[k].Deadline
		}}
	x.nextOther(0)
	for from := 9 * 60 * minute; from < 13*60*minute; from += width {
		e.Results = x.solve(m, p, rollout.Window{Start: from, End: from + width}, e.Results)
	}
	x.close(p, 13*60*minute)
	d := &p.T.Day[0]
	e.Served, e.Balked, e.Reneged, e.Shut, e.OtherServed, e.OtherLeft = d.Served, d.Balked, d.Reneged, d.Shut, d.OtherServed, d.OtherLeft
	e.Waited, e.Queue = d.Waited, p.T.ByCentre[0].Queue
	e.sort()
	return e
}

func TestACentreIsTheQueueMinuteByMinuteWhateverFallsOnOneInstant(t *testing.T) {
	s, n := load(t, "smoke", "calendar.opens=10:00", "calendar.closes=12:00", "calendar.lunch_from=11:00", "calendar.lunch_to=11:20", "calendar.lunch_staff=50%")
	m, err := rollout.New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	sejong := municipality(t, n, "36110")
	all := ends{}
	holds := func(t *rapid.T) {
		c := drawCrowd(t, int32(n.Municipalities[sejong].First))
		want := c.minuteByMinute()
		for _, width := range []int64{5 * minute, 60 * minute} {
			if got := c.byWindows(m, sejong, width); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v\nin windows of %d minutes: %+v\nminute by minute:      %+v", c, width/minute, got, want)
			}
		}
		all.Served, all.Balked, all.Reneged, all.Shut = all.Served+want.Served, all.Balked+want.Balked, all.Reneged+want.Reneged, all.Shut+want.Shut
		all.OtherServed, all.OtherLeft = all.OtherServed+want.OtherServed, all.OtherLeft+want.OtherLeft
	}
	for range 30 {
		rapid.Check(t, holds)
	}
	if all.Served == 0 || all.Balked == 0 || all.Reneged == 0 || all.Shut == 0 || all.OtherServed == 0 || all.OtherLeft == 0 {
		t.Errorf("some end never came: %+v", all)
	}
}
