package rollout

import "testing"

// Who makes up their mind in office hours comes in what is left of the day; who is
// too late for it comes on the next open day.
func TestAVisitIsMadeInWhatIsLeftOfTheDay(t *testing.T) {
	m := model(t, "announced")
	d := m.Cal.openDay(0)
	at := func(h float64) int64 { return int64(d)*day + int64(h*float64(hour)) }
	next := int64(m.Cal.openDay(d+1)) * day
	for _, c := range []struct {
		name      string
		earliest  int64
		u         float64
		low, high int64
	}{
		{"before opening the whole day is left", at(3), 0, at(9), at(9)},
		{"before opening the whole day is left", at(3), 0.999999, at(17), at(18)},
		{"in the afternoon nobody comes in the morning", at(15), 0, at(15), at(15) + 1},
		{"in the afternoon half come in the first half of what is left", at(15), 0.5, at(15.5), at(17)},
		{"in the afternoon nobody comes after closing", at(15), 0.999999, at(17), at(18)},
		{"after closing it is the next open day", at(18), 0, next + 9*hour, next + 9*hour},
		{"an instant of another day is the next open day's whole", at(25), 0, next + 9*hour, next + 9*hour},
	} {
		if got := m.arrival(d, c.earliest, c.u); got < c.low || got > c.high || got < c.earliest {
			t.Errorf("%s: %s, want %s to %s", c.name, m.Cal.Time(got), m.Cal.Time(c.low), m.Cal.Time(c.high))
		}
	}
	for h := 0.0; h < 24; h += 0.37 {
		s := m.Cal.visitShare(int64(h * float64(hour)))
		if s > 0 && s < 1 {
			if back := m.Cal.visitTime(s); back < int64(h*float64(hour))-2 || back > int64(h*float64(hour))+2 {
				t.Errorf("share and time of day do not turn each other back at %.2f h: %d ms", h, back)
			}
		}
	}
}

// The keen have chosen their day: those of a working day's wishes are all before
// its opening hours, and nobody else's wish is theirs.
func TestTheKeenSetOutOnTheDayTheyChose(t *testing.T) {
	m := model(t, "announced")
	i, _ := m.Nation.MunicipalityIndex(sejong)
	mu := &m.Nation.Municipalities[i]
	keen, first := 0, 0
	for centre := mu.First; centre < mu.End; centre++ {
		from, end := m.Pop.Range(centre)
		for id := from; id < end; id++ {
			var c Citizen
			m.Birth(&c, id, centre, 40, i)
			if c.AffairStep != WantToday {
				continue
			}
			keen++
			if c.Affair < m.opens[i]+day {
				first++
			}
			if tod := c.Affair % day; tod >= m.Cal.opens {
				t.Fatalf("citizen %d sets out at %s", id, m.Cal.Time(c.Affair))
			}
		}
	}
	// 1 − e^(−1/7) of a pulse with a mean of seven days come on the first.
	if share := float64(first) / float64(keen); keen < 500 || share < 0.10 || share > 0.17 {
		t.Errorf("%d of %d keen come on the first day", first, keen)
	}
}
