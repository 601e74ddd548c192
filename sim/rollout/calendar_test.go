package rollout

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/scenarios"
)

// at is an instant of the model by its civil time.
func at(t testing.TB, m *Model, s string) int64 {
	t.Helper()
	x, err := time.ParseInLocation("2006-01-02 15:04", s, m.Cal.Start.Location())
	if err != nil {
		t.Fatal(err)
	}
	return m.Since(x)
}

// announced begins on Friday, 27 December 2024; 1 January is a holiday, and so
// are 27 to 30 January and 1 and 3 March.
func TestOfficeTimePassesInOfficeHoursOnly(t *testing.T) {
	m := model(t, "announced")
	for _, c := range []struct {
		from string
		work int64
		want string
	}{
		{"2024-12-27 10:00", 2 * hour, "2024-12-27 12:00"},    // lunch is no pause for an office
		{"2024-12-27 03:00", hour, "2024-12-27 10:00"},        // before hours
		{"2024-12-27 17:00", 3 * hour, "2024-12-30 11:00"},    // over a weekend
		{"2024-12-28 12:00", 30 * minute, "2024-12-30 09:30"}, // on a Saturday
		{"2024-12-31 17:30", hour, "2025-01-02 09:30"},        // over New Year's Day
		{"2025-01-24 17:00", 9 * hour, "2025-01-31 17:00"},    // over the Lunar New Year
		{"2025-01-02 09:00", 9 * hour, "2025-01-02 18:00"},    // exactly a day
		{"2025-01-02 18:00", 0, "2025-01-03 09:00"},           // at closing time
	} {
		if got := m.Cal.officeTime(at(t, m, c.from), c.work); got != at(t, m, c.want) {
			t.Errorf("%s and %v of work: %s, want %s", c.from, time.Duration(c.work)*time.Millisecond,
				m.Cal.Time(got).Format("2006-01-02 15:04"), c.want)
		}
	}
}

func TestTheNextOpenDaySkipsWeekendsAndHolidays(t *testing.T) {
	m := model(t, "announced")
	for _, c := range [][2]string{
		{"2024-12-27", "2024-12-27"}, {"2024-12-28", "2024-12-30"}, {"2025-01-01", "2025-01-02"},
		{"2025-01-25", "2025-01-31"}, {"2025-03-01", "2025-03-04"},
	} {
		d := m.Cal.openDay(m.Cal.Day(at(t, m, c[0]+" 00:00")))
		if got := m.Cal.Date(d).Format(time.DateOnly); got != c[1] {
			t.Errorf("from %s the next open day is %s, want %s", c[0], got, c[1])
		}
	}
}

func TestHalfTheCountersServeAtLunchAndNoneOutsideHours(t *testing.T) {
	m := model(t, "announced")
	for _, c := range []struct {
		at   string
		n    int
		open int
		next string
	}{
		{"2024-12-27 08:59", 4, 0, "2024-12-27 09:00"},
		{"2024-12-27 09:00", 4, 4, "2024-12-27 12:00"},
		{"2024-12-27 12:00", 4, 2, "2024-12-27 13:00"},
		{"2024-12-27 12:00", 5, 3, "2024-12-27 13:00"},
		{"2024-12-27 12:30", 1, 1, "2024-12-27 13:00"}, // one is never closed for lunch
		{"2024-12-27 13:00", 4, 4, "2024-12-27 18:00"},
		{"2024-12-27 18:00", 4, 0, "2024-12-30 09:00"},
		{"2024-12-29 12:00", 4, 0, "2024-12-30 09:00"},
	} {
		open, until := m.Cal.CountersOpen(c.n, at(t, m, c.at))
		if open != c.open || until != at(t, m, c.next) {
			t.Errorf("%s: %d of %d counters until %s, want %d until %s", c.at, open, c.n,
				m.Cal.Time(until).Format("2006-01-02 15:04"), c.open, c.next)
		}
	}
	// A counter that is taken for longer than the calendar knows serves nobody any more.
	if open, until := m.Cal.CountersOpen(4, int64(len(m.Cal.Open))*Day); open != 0 || until != Never {
		t.Errorf("behind the last day that is known: %d counters until %d", open, until)
	}
}

func TestVisitsComeWithinHoursByTheirProfile(t *testing.T) {
	m := model(t, "announced")
	before := int64(-1)
	for i := range 1000 {
		x := m.Cal.visitTime((float64(i) + 0.5) / 1000)
		if x < 9*hour || x >= 18*hour || x < before {
			t.Fatalf("quantile %d is %v", i, time.Duration(x)*time.Millisecond)
		}
		before = x
	}
	// 9-10: 1.1 of 9.6 in all
	if x := m.Cal.visitTime(1.1 / 9.6); x < 10*hour-minute || x > 10*hour+minute {
		t.Errorf("the first hour's share ends at %v", time.Duration(x)*time.Millisecond)
	}
}

func TestAClockAndItsInverseBelongTogether(t *testing.T) {
	m := model(t, "six-hour-outage", "losses.waves=[{from: 2025-02-28 18:00, for: 3d15h, plastic: 12, phone: 8}]")
	for name, k := range map[string]*clock{
		"tap": m.tapClock, "card": m.cardClock, "phone": m.phoneClock, "other business": m.waitOther, "demand": m.demand.clock,
	} {
		total := k.total
		rapid.Check(t, func(t *rapid.T) {
			x := rapid.Float64Range(0, total*0.999999).Draw(t, "x")
			y := rapid.Float64Range(0, total*0.999999).Draw(t, "y")
			at := k.inverse(x)
			if at < 0 || at >= m.End+day {
				t.Fatalf("%s: %g is reached at %d", name, x, at)
			}
			// A millisecond is the resolution of time.
			if lo, hi := k.at(at), k.at(at+1); x < lo-1e-9 || x > hi+1e-9 {
				t.Fatalf("%s: %g is said to be reached at %d, where the clock goes from %g to %g", name, x, at, lo, hi)
			}
			if (x < y) && k.inverse(x) > k.inverse(y) {
				t.Fatalf("%s: the inverse is not monotone at %g and %g", name, x, y)
			}
		})
		if k.inverse(total) != Never || k.inverse(total*2+1) != Never {
			t.Errorf("%s: what lies behind the end happens", name)
		}
	}
}

func TestAClockThatStandsStillNeverReachesAnything(t *testing.T) {
	m := model(t, "announced", "losses.plastic.rate=0/day", "cards.other_reissue=0/day")
	if got := m.cardClock.inverse(0.1); got != Never {
		t.Errorf("without losses a card is lost at %d", got)
	}
}

func TestWindowsCoverTheRunWithoutGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := covered(t)
		now, narrow := int64(0), 0
		for d, windows := range m.Windows(0) {
			for _, w := range windows {
				switch {
				case w.Start != now:
					t.Fatalf("a window begins at %d, the one before ended at %d", w.Start, now)
				case w.End <= w.Start:
					t.Fatalf("window %+v is empty", w)
				case w.Start/hour != (w.End-1)/hour:
					t.Fatalf("window %+v spans two hours", w)
				case m.Cal.Day(w.Start) != d:
					t.Fatalf("window %+v stands under day %d", w, d)
				}
				for _, f := range m.Scenario.Faults {
					from := m.Since(f.At.Time)
					to := from + f.For.Milliseconds() + hour
					if w.End > from && w.Start < to {
						narrow++
						if w.End-w.Start > disturbedWidth {
							t.Fatalf("window %+v is wide while %q is on", w, f.Name)
						}
					}
				}
				now = w.End
			}
		}
		if now != m.End {
			t.Fatalf("the windows end at %d, the run at %d", now, m.End)
		}
		if len(m.Scenario.Faults) > 0 && narrow == 0 {
			t.Fatal("no window lies within a fault")
		}
	})
}

// covered is as much of a model as windows need, with random faults.
func covered(t *rapid.T) *Model {
	start := time.Date(2025, 3, 1, 0, 0, 0, 0, scenarios.KST)
	minutes := rapid.IntRange(1, 4*24*60).Draw(t, "length")
	s := &scenarios.Scenario{Start: scenarios.Moment{Time: start}, End: scenarios.Moment{Time: start.Add(time.Duration(minutes) * time.Minute)}}
	for range rapid.IntRange(0, 3).Draw(t, "faults") {
		from := rapid.IntRange(0, minutes*60-1).Draw(t, "from")
		s.Faults = append(s.Faults, scenarios.Fault{Name: "f", At: scenarios.Moment{Time: start.Add(time.Duration(from) * time.Second)},
			For: time.Duration(rapid.IntRange(1, 10*3600).Draw(t, "for")) * time.Second})
	}
	return &Model{Scenario: s, Cal: &Calendar{Start: start, Days: (minutes + 24*60 - 1) / (24 * 60)}, End: int64(minutes) * minute}
}
