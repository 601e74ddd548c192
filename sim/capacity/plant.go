package capacity

import "rollcall.example/rollcall/scenarios"

// Plant is the printing plant of plastic cards: one queue for the nation, a
// fixed number of cards each working day. Orders are counted by day; a day's
// orders are printed in an order that chance decides.
type Plant struct {
	perDay   float64
	handling int64 // days from order to printed, without queue
	open     []bool
	before   []float64 // orders of all days before, still unprinted at the day's start
	orders   []int64
}

// NewPlant makes the plant; open says for each day whether it works.
func NewPlant(c *scenarios.Cards, open []bool) *Plant {
	return &Plant{
		perDay: float64(c.PrintedPerDay), handling: int64(c.Handling.Hours() / 24), open: open,
		before: make([]float64, len(open)+1), orders: make([]int64, len(open)),
	}
}

// Close ends a day with its number of orders.
func (p *Plant) Close(day int, orders int64) {
	p.orders[day] = orders
	left := p.before[day] + float64(orders)
	if p.open[day] {
		left = max(0, left-p.perDay)
	}
	p.before[day+1] = left
}

// Ready is the day on which a card ordered on a closed day is printed, for a
// place u (0 to 1) among that day's orders.
func (p *Plant) Ready(day int, u float64) int {
	ahead := p.before[day] + u*float64(p.orders[day])
	d := day
	for {
		if d >= len(p.open) || p.open[d] {
			if ahead < p.perDay {
				break
			}
			ahead -= p.perDay
		}
		d++
	}
	return max(d, day+int(p.handling))
}
