package nation

import (
	"testing"

	"rollcall.example/rollcall/sim/rollout"
)

// The two accounts of Little's law are apart: a customer who vanishes from the
// queue, or stands in it twice, is in one and not in the other.
func TestACustomerWhoVanishesBreaksLittlesLaw(t *testing.T) {
	s, n := load(t, "announced", "start=2025-03-10", "end=2025-03-11", "population.centres=[\"3611025000\"]", "centres.counters={\"3611025000\": 1}",
		"centres.other_business=0.02/day")
	for _, c := range []struct {
		name   string
		plant  func(*centre)
		breaks bool
	}{
		{"nothing", func(*centre) {}, false},
		{"one vanishes", func(c *centre) { c.waiting = c.waiting[:len(c.waiting)-1] }, true},
		{"one stands twice", func(c *centre) { c.waiting = append(c.waiting, c.waiting[0]) }, true},
	} {
		m, err := rollout.New(s, n)
		if err != nil {
			t.Fatal(err)
		}
		i, _ := n.CentreIndex("3611025000")
		mu := &n.Municipalities[n.Centres[i].Municipality]
		p := rollout.Place{M: m, Municipality: n.Centres[i].Municipality, T: rollout.NewTally(m, mu.End-mu.First)}
		hall := newCentre(m, i)
		planted := false
		for _, w := range m.Windows(0)[0] {
			hall.solve(m, &p, w, nil)
			if !planted && len(hall.waiting) > 1 {
				c.plant(&hall)
				planted = true
			}
		}
		hall.close(&p, m.End)
		waited, queue := p.T.Day[0].Waited, p.T.ByCentre[i-mu.First].Queue
		if !planted || waited == 0 || (waited != queue) != c.breaks {
			t.Errorf("%s: people waited %d ms, the queue's integral is %d", c.name, waited, queue)
		}
	}
}
