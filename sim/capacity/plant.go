package capacity

import (
	"slices"
	"time"

	"rollcall.example/rollcall/scenarios"
)

// Plant is the printing plant of plastic cards: one queue for the nation, a
// fixed number of cards each working day. Orders are counted by day; a day's
// orders are printed in an order that chance decides. A card is ready when it is
// printed and has been handled for long enough; while a fault stops the plant,
// nothing in it goes on, neither printing nor handling.
type Plant struct {
	perDay   float64
	handling int64 // permille of a day from order to printed, without queue
	open     []bool
	works    []int64   // permille of a day's work that faults leave; nil: all of it, always
	before   []float64 // orders of all days before, still unprinted at the day's start
	orders   []int64
}

const wholeDay = 1000 // permille

// NewPlant makes the plant of a scenario; open says for each day whether it prints.
func NewPlant(s *scenarios.Scenario, open []bool) *Plant {
	p := &Plant{
		perDay: float64(s.Cards.PrintedPerDay), handling: int64(s.Cards.Handling.Hours()/24) * wholeDay, open: open,
		before: make([]float64, len(open)+1), orders: make([]int64, len(open)),
	}
	if slices.ContainsFunc(s.Faults, func(f scenarios.Fault) bool { return f.Lasts(scenarios.Plant) > 0 }) {
		p.works = make([]int64, len(open))
		for d := range p.works {
			p.works[d] = wholeDay - lost(s, s.Start.AddDate(0, 0, d))
		}
	}
	return p
}

// lost is the permille of a day's work that faults take from the plant. It works
// in the hours of the centres; where faults meet, the worst counts.
func lost(s *scenarios.Scenario, day time.Time) int64 {
	opens, closes := day.Add(s.Calendar.Opens), day.Add(s.Calendar.Closes)
	type stretch struct {
		from, to time.Time
		severity int64
	}
	var struck []stretch
	edges := []time.Time{}
	for i := range s.Faults {
		f := &s.Faults[i]
		x := stretch{later(opens, f.At.Time), earlier(closes, f.At.Add(f.Lasts(scenarios.Plant))), permille(f.Severity)}
		if x.from.Before(x.to) {
			struck = append(struck, x)
			edges = append(edges, x.from, x.to)
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	var sum int64 // permille · seconds
	for i := 1; i < len(edges); i++ {
		worst := int64(0)
		for _, x := range struck {
			if !edges[i-1].Before(x.from) && edges[i-1].Before(x.to) {
				worst = max(worst, x.severity)
			}
		}
		sum += worst * int64(edges[i].Sub(edges[i-1])/time.Second)
	}
	return sum / max(1, int64(closes.Sub(opens)/time.Second))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// share is the permille of a day's work that is left; behind the run all of it.
func (p *Plant) share(d int) int64 {
	if d < len(p.works) {
		return p.works[d]
	}
	return wholeDay
}

// prints is how many cards the plant can print on a day.
func (p *Plant) prints(d int) float64 {
	if d < len(p.open) && !p.open[d] {
		return 0
	}
	return p.perDay * float64(p.share(d)) / wholeDay
}

// Close ends a day with its number of orders.
func (p *Plant) Close(day int, orders int64) {
	p.orders[day] = orders
	p.before[day+1] = max(0, p.before[day]+float64(orders)-p.prints(day))
}

// Ready is the day on which a card ordered on a closed day is printed, for a
// place u (0 to 1) among that day's orders.
func (p *Plant) Ready(day int, u float64) int {
	ahead := p.before[day] + u*float64(p.orders[day])
	printed := day
	for {
		n := p.prints(printed)
		if ahead < n {
			break
		}
		ahead -= n
		printed++
	}
	handled := day
	for left := p.handling; left > 0; handled++ {
		left -= p.share(handled)
	}
	return max(printed, handled)
}

// Delay is what a fault did to the plant's cards, beside the same orders without any
// fault. Cards are those of the whole plant: of places that are only a load, too.
type Delay struct {
	Due         int64 // would have been ready while it lasted
	Printed     int64 // were ready while it lasted
	Late        int64 // were ready later than they would have been
	Days        int64 // by so many days, all late cards together
	Longest     int   // by so many days, the latest
	Waiting     int64 // most cards ordered and not ready at the end of a day
	WaitingTwin int64 // the same day without faults
	Back        int   // the first working day on which it prints again; −1: not within the run
}

// Delay follows the cards that were in the plant on the days [from, to].
func (p *Plant) Delay(from, to int) Delay {
	calm := &Plant{perDay: p.perDay, handling: p.handling, open: p.open, before: make([]float64, len(p.before)), orders: make([]int64, len(p.orders))}
	for d, n := range p.orders {
		calm.Close(d, n)
	}
	x := Delay{Back: -1}
	days := len(p.orders)
	waiting, twin := make([]int64, days+1), make([]int64, days+1) // changes by day
	for d, n := range p.orders {
		waiting[d] += n
		twin[d] += n
		for i := range n {
			u := (float64(i) + 0.5) / float64(n)
			ready, would := p.Ready(d, u), calm.Ready(d, u)
			waiting[min(ready, days)]--
			twin[min(would, days)]--
			if d > to || ready < from {
				continue
			}
			if would >= from && would <= to {
				x.Due++
			}
			if ready <= to {
				x.Printed++
			}
			if ready > would {
				x.Late++
				x.Days += int64(ready - would)
				x.Longest = max(x.Longest, ready-would)
			}
		}
	}
	var now, then int64
	for d := range days {
		now, then = now+waiting[d], then+twin[d]
		if d >= from && now > x.Waiting {
			x.Waiting, x.WaitingTwin = now, then
		}
	}
	for d := to; d < days && x.Back < 0; d++ {
		if p.open[d] && p.share(d) > 0 {
			x.Back = d
		}
	}
	return x
}
