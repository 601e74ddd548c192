package rollout

import (
	"slices"

	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Present says whether a municipality is simulated citizen by citizen.
func (m *Model) Present(municipality int) bool {
	mu := &m.Nation.Municipalities[municipality]
	return slices.Contains(m.present[mu.First:mu.End], true)
}

// Residents is the number of a centre's residents who are simulated: all, or none
// where the scenario leaves the centre out.
func (m *Model) Residents(centre int) int {
	if !m.present[centre] {
		return 0
	}
	return m.Nation.Centres[centre].Adults()
}

// ResidentsOf is the number of a municipality's residents who are simulated.
func (m *Model) ResidentsOf(municipality int) (n int) {
	mu := &m.Nation.Municipalities[municipality]
	for c := mu.First; c < mu.End; c++ {
		n += m.Residents(c)
	}
	return n
}

func (m *Model) compilePresence() {
	p := &m.Scenario.Population
	m.present = make([]bool, len(m.Nation.Centres))
	for i := range m.present {
		c := &m.Nation.Centres[i]
		if len(p.Centres) > 0 {
			m.present[i] = slices.Contains(p.Centres, c.Code)
			continue
		}
		iso := m.Nation.Regions[m.Nation.Municipalities[c.Municipality].Region].ISO
		m.present[i] = len(p.Regions) == 0 || slices.Contains(p.Regions, iso)
	}
}

// poolCitizens is about how many citizens' lives are kept.
const poolCitizens = 3_000_000

// poolShare is the share of citizens whose lives are kept, for the panel; it
// follows from the number of citizens that are simulated.
func (m *Model) poolShare() float64 {
	if m.Scenario.Panel.Citizens == 0 {
		return 0
	}
	n := 0
	for i := range m.Nation.Centres {
		n += m.Residents(i)
	}
	return min(1, float64(poolCitizens)/float64(n))
}

// Absent is the load of the regions that are not simulated on the service and
// the plant that the whole nation shares: mean rates from their own phase dates,
// age structure and rate functions, Poisson for each second from keyed streams.
type Absent struct {
	m *Model
	// mean requests by hour and operation, and plant orders by day
	mean   [][capacity.NumOps]float64
	orders []float64
}

// NewAbsent works out the mean load.
func NewAbsent(m *Model) *Absent {
	a := &Absent{m: m, mean: make([][capacity.NumOps]float64, m.Cal.Days*24), orders: make([]float64, m.Cal.Days)}
	s := m.Scenario
	visit := hourOfVisit(m)
	var people float64
	for i := range m.Nation.Municipalities {
		people += a.municipality(i, visit)
	}
	// Losses of plastic cards and what follows do not depend on phases.
	l := &s.Losses.Plastic
	for h := range a.mean {
		lost := people * m.cardClock.within(h) * m.cardLoss[h]
		reported := lost * (1 - float64(l.FoundAtHome))
		a.mean[h][capacity.Report] += reported
		a.mean[h][capacity.Release] += reported * float64(l.Found)
		other := people * m.cardClock.within(h) * (1 - m.cardLoss[h])
		ordered := reported*(1-float64(l.Found))*float64(l.Reissue) + other
		a.order(h, ordered)
	}
	return a
}

// order adds the mean number of plastic cards ordered in an hour, which come
// into force when they were printed and collected.
func (a *Absent) order(h int, n float64) {
	a.orders[h/24] += n
	if ready := h + a.cardDelay(); ready < len(a.mean) {
		a.mean[ready][capacity.RegisterCard] += n
	}
}

// cardDelay is the mean time from a plastic card wanted to in force, in hours.
func (a *Absent) cardDelay() int {
	s := a.m.Scenario
	mail := float64(s.Cards.ByMail)
	return int(s.Centres.VisitDelay.Hours() + s.Cards.Handling.Hours() +
		mail*s.Habits.Mail.Hours() + (1-mail)*s.Cards.CollectDelay.Hours())
}

// hourOfVisit is the mean share of a day's visits in each hour of the run.
func hourOfVisit(m *Model) []float64 {
	out := make([]float64, m.Cal.Days*24)
	for h := range out {
		if m.Cal.Open[h/24] {
			out[h] = m.Cal.visit[h%24+1] - m.Cal.visit[h%24]
		}
	}
	return out
}

// municipality adds the applications and presentations of those people of one who
// are not simulated; it returns their number.
func (a *Absent) municipality(i int, visit []float64) float64 {
	m, s := a.m, a.m.Scenario
	mu := &m.Nation.Municipalities[i]
	ad := &s.Adoption
	var people, ever, upgrades, young float64
	for c := mu.First; c < mu.End; c++ {
		if m.present[c] {
			continue
		}
		for k, n := range m.Nation.Centres[c].Age {
			people += float64(n)
			want := float64(n) * m.Draws.Owned[k] * min(1, float64(ad.Level)*m.byAge[k]*m.appeal[i])
			ever += want
			upgrades += want * m.upgrade[k] * m.Draws.NFC
		}
		young += float64(m.Nation.Centres[c].Age[0])
	}
	if people == 0 {
		return 0
	}
	upgrade := share(upgrades, ever)
	for d := range m.Cal.Days { // first cards: Model.firstCard
		w := float64(d) / 365
		for h := d * 24; h < (d+1)*24; h++ {
			a.order(h, young*max(0, 1-w)/365/24)
		}
	}
	if m.opens[i] == Never {
		return people
	}
	// Applications follow the wish by the mean delay of a visit, those of the keen
	// come on their day; all come in office hours, by the profile of visits.
	delay := s.Centres.VisitDelay.Hours() / 24
	k := float64(ad.Keen)
	keen := func(t float64) float64 { return ever * k * (1 - expNeg(max(0, t)/(ad.KeenDecay.Hours()/24))) } // t: days since opening
	wanted := func(t float64) float64 {
		return ever * (1 - k) * BassShare(t, float64(ad.Innovation), float64(ad.Imitation))
	}
	opened := float64(m.opens[i]) / float64(day)
	backlog, holders := 0.0, 0.0
	tapped := make([]float64, len(a.mean))
	rate := 0.0
	for d := range m.Cal.Days {
		t := float64(d) - opened
		backlog += keen(t+1) - keen(t) + wanted(t+1-delay) - wanted(t-delay)
		today := 0.0
		if m.Cal.Open[d] {
			today, backlog = backlog, 0
		}
		for h := d * 24; h < (d+1)*24 && h < len(a.mean); h++ {
			n := today * visit[h]
			direct, chip := n*(1-upgrade), n*upgrade
			a.mean[h][capacity.IssueCentre] += direct
			a.order(h, chip)
			if ready := h + a.cardDelay(); ready < len(a.mean) {
				a.mean[ready][capacity.IssueTap] += chip
				tapped[ready] += chip
			}
			holders += direct
			holders += tapped[h]
			rate = a.online(h)
			a.mean[h][capacity.VerifyOnline] += holders * rate
			a.mean[h][capacity.Report] += holders * m.phoneClock.within(h) * m.phoneLoss[h] * float64(s.Losses.Phone.Reported)
		}
	}
	return people
}

// online is the mean number of online verifications of one holder in an hour.
func (a *Absent) online(h int) float64 {
	m := a.m
	off := 0
	if m.Cal.Weekend[h/24] {
		off = 1
	}
	total := m.demand.clock.within(h)
	sum, before := 0.0, 0.0
	for k, p := range m.demand.places {
		share := m.demand.choice[off][h%24][k] - before
		before = m.demand.choice[off][h%24][k]
		if p.Check == "online" {
			sum += share * float64(p.Mobile)
		}
	}
	return total * sum
}

// Post adds the absent regions' requests to a window's load. A window lies
// within one hour.
func (a *Absent) Post(w Window, load [][capacity.NumOps]int32) {
	h := int(w.Start / hour)
	if h >= len(a.mean) {
		return
	}
	// Most seconds bring nobody: one comparison each settles them.
	var mean, nobody [capacity.NumOps]float64
	any := false
	for op, x := range a.mean[h] {
		mean[op] = x / 3600
		nobody[op] = expNeg(mean[op])
		any = any || x > 0
	}
	if !any {
		return
	}
	first := w.Start / second
	for i := range load {
		sec := uint32(first + int64(i))
		words := [2]rng.Block{a.m.Source.Draw(sec, population.ForAbsent, 0), a.m.Source.Draw(sec, population.ForAbsent, 1)}
		for op := range load[i] {
			if word := words[op/4][op%4]; mean[op] > 0 && rng.Uniform(word) > nobody[op] {
				load[i][op] += int32(rng.Poisson(word, mean[op]))
			}
		}
	}
}

// Orders is the number of cards that the absent regions order on a day.
func (a *Absent) Orders(d int) int64 {
	return int64(rng.Poisson(a.m.Source.Draw(uint32(d), population.ForAbsent, 2)[0], a.orders[d]))
}

// Mean is the mean number of requests over the whole run, by operation.
func (a *Absent) Mean() (sum [capacity.NumOps]float64) {
	for h := range a.mean {
		for op, x := range a.mean[h] {
			sum[op] += x
		}
	}
	return sum
}
