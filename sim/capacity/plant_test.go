package capacity

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/scenarios"
)

func plant(perDay, handlingDays int, open []bool) *Plant {
	return NewPlant(&scenarios.Scenario{Cards: scenarios.Cards{PrintedPerDay: perDay, Handling: time.Duration(handlingDays) * 24 * time.Hour}}, open)
}

// Whatever is ordered: first come, first served; no day prints more than the
// plant can, and none while orders wait prints less; nothing is printed on a
// day off.
func TestThePlantPrintsFirstComeFirstServedAtItsCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		open := rapid.SliceOfN(rapid.Bool(), 3, 12).Draw(t, "open")
		perDay := rapid.IntRange(1, 20).Draw(t, "per day")
		p := plant(perDay, 0, open)
		printed := map[int]int{}
		before, total := 0, 0
		waitingAt := make([]int, len(open)) // at the end of a day's orders
		for d := range open {
			n := rapid.IntRange(0, 60).Draw(t, "orders")
			p.Close(d, int64(n))
			total += n
			waitingAt[d] = total
			for i := range n {
				ready := p.Ready(d, (float64(i)+0.5)/float64(n))
				if ready < d || ready < before {
					t.Fatalf("order %d of day %d is ready on day %d, one before it on day %d", i, d, ready, before)
				}
				if ready < len(open) && !open[ready] {
					t.Fatalf("printed on day %d, a day off", ready)
				}
				before = ready
				printed[ready]++
			}
		}
		done := 0
		for d, is := range open {
			if printed[d] > perDay {
				t.Fatalf("day %d prints %d of %d", d, printed[d], perDay)
			}
			if is && printed[d] < min(perDay, waitingAt[d]-done) {
				t.Fatalf("day %d prints %d, %d wait and %d could be", d, printed[d], waitingAt[d]-done, perDay)
			}
			done += printed[d]
		}
	})
}

func TestACardTakesItsHandlingEvenWithoutQueue(t *testing.T) {
	open := make([]bool, 40)
	for i := range open {
		open[i] = true
	}
	p := plant(10, 14, open)
	p.Close(0, 5)
	p.Close(1, 300)
	if got := p.Ready(0, 0.99); got != 14 {
		t.Errorf("without queue ready on day %d, want 14", got)
	}
	if got := p.Ready(1, 0.999); got != 30 {
		t.Errorf("the last of 300 at ten a day is ready on day %d, want 30", got)
	}
}

// struck is a plant that a fault strikes, in a run of some days from Monday 6 January
// on; centres, and so the plant, are open from 09:00 to 18:00.
func struck(t *testing.T, perDay, handlingDays, days int, faults ...scenarios.Fault) *Plant {
	t.Helper()
	at, err := time.ParseInLocation(time.DateOnly, "2025-01-06", scenarios.KST)
	if err != nil {
		t.Fatal(err)
	}
	open := make([]bool, days)
	for d := range open {
		open[d] = true
	}
	return NewPlant(&scenarios.Scenario{
		Start: scenarios.Moment{Time: at}, Faults: faults,
		Calendar: scenarios.Calendar{Opens: 9 * time.Hour, Closes: 18 * time.Hour},
		Cards:    scenarios.Cards{PrintedPerDay: perDay, Handling: time.Duration(handlingDays) * 24 * time.Hour},
	}, open)
}

// stops strikes the plant from an hour of a day on.
func stops(day, hour int, lasts time.Duration, kind string, severity scenarios.Share) scenarios.Fault {
	at := time.Date(2025, 1, 6+day, hour, 0, 0, 0, scenarios.KST)
	return scenarios.Fault{Name: "press", Kind: kind, Nodes: []string{scenarios.Plant}, At: scenarios.Moment{Time: at}, For: lasts, Severity: severity}
}

const oneDay = 24 * time.Hour

// The plant stands still on the days 20 to 24, and has room for all: who ordered long
// before has the card already, who ordered long after notices nothing, and who had ordered
// when it stopped waits five days longer.
func TestAPlantThatStopsForFiveDaysDelaysWhatIsInItByFiveDays(t *testing.T) {
	p := struck(t, 1000, 14, 60, stops(20, 0, 5*oneDay, "down", 1))
	for d := range 60 {
		p.Close(d, 10)
	}
	for d := range 40 {
		want := 0
		switch {
		case d <= 6: // ready on day 20 or before: the fourteenth day is day 19
		case d <= 20:
			want = 5
		case d < 25:
			want = 25 - d // ordered while it stood
		}
		for _, u := range []float64{0, 0.5, 0.99} {
			if got := p.Ready(d, u) - (d + 14); got != want {
				t.Errorf("ordered on day %d: %d days late, want %d", d, got, want)
			}
		}
	}
	// Of the ten a day those of days 7 to 24: 18 days, 14 of them by five days.
	want := Delay{Due: 50, Printed: 10, Late: 180, Days: 10 * (14*5 + 4 + 3 + 2 + 1), Longest: 5, Waiting: 190, WaitingTwin: 140, Back: 25}
	if got := p.Delay(20, 24); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Ten a day can be printed and eight are ordered. Three days without printing leave 24,
// of which two a day are worked off: the queue is gone after another twelve days.
func TestTheQueueOfAPlantThatStoodIsWorkedOffAtItsSpareCapacity(t *testing.T) {
	p := struck(t, 10, 0, 40, stops(5, 0, 3*oneDay, "down", 1))
	for d := range 40 {
		p.Close(d, 8)
	}
	for d, want := range map[int]float64{5: 0, 6: 8, 7: 16, 8: 24, 9: 22, 14: 12, 19: 2, 20: 0, 21: 0} {
		if p.before[d] != want {
			t.Errorf("on the morning of day %d %v wait, want %v", d, p.before[d], want)
		}
	}
	for order, want := range map[[2]int]int{{4, 7}: 0, {5, 0}: 3, {6, 0}: 2, {6, 2}: 3, {7, 0}: 2, {8, 0}: 2, {19, 7}: 0, {20, 0}: 0} {
		if got := p.Ready(order[0], (float64(order[1])+0.5)/8) - order[0]; got != want {
			t.Errorf("order %d of day %d is ready after %d days, want %d", order[1], order[0], got, want)
		}
	}
	if d := p.Delay(5, 7); d.Due != 24 || d.Printed != 0 || d.Waiting != 24 || d.WaitingTwin != 0 || d.Back != 8 || d.Longest != 3 {
		t.Errorf("%+v", d)
	}
}

func TestAPlantThatIsSlowLosesItsShareOfTheHoursThatItWorks(t *testing.T) {
	for name, c := range map[string]struct {
		faults []scenarios.Fault
		want   map[int]int64 // permille that is left, by day
	}{
		"half as fast for two days":        {[]scenarios.Fault{stops(1, 0, 2*oneDay, "slow", 0.5)}, map[int]int64{0: 1000, 1: 500, 2: 500, 3: 1000}},
		"stands from two to five":          {[]scenarios.Fault{stops(1, 14, 3*time.Hour, "down", 1)}, map[int]int64{0: 1000, 1: 667, 2: 1000}},
		"stands through the night":         {[]scenarios.Fault{stops(1, 18, 15*time.Hour, "down", 1)}, map[int]int64{1: 1000, 2: 1000}},
		"slow, and stands in between":      {[]scenarios.Fault{stops(1, 9, 9*time.Hour, "slow", 0.5), stops(1, 12, 3*time.Hour, "down", 1)}, map[int]int64{1: 334}},
		"stands, until it is put right":    {[]scenarios.Fault{{Nodes: []string{"gateway", "plant"}, Kind: "down", At: stops(1, 0, 0, "", 0).At, For: oneDay, Restore: map[string]time.Duration{"plant": 2 * oneDay}, Severity: 1}}, map[int]int64{0: 1000, 1: 0, 2: 0, 3: 1000}},
		"another node is none of its own ": {[]scenarios.Fault{{Nodes: []string{"gateway"}, Kind: "down", At: stops(1, 0, 0, "", 0).At, For: oneDay, Severity: 1}}, map[int]int64{1: 1000}},
	} {
		p := struck(t, 90, 0, 5, c.faults...)
		for d, want := range c.want {
			if got := p.share(d); got != want {
				t.Errorf("%s: on day %d %d permille are left, want %d", name, d, got, want)
			}
		}
	}
	// Four days at half speed are two days of handling lost.
	p := struck(t, 90, 10, 40, stops(5, 0, 4*oneDay, "slow", 0.5))
	if got := p.Ready(0, 0); got != 12 {
		t.Errorf("ready on day %d, want 12", got)
	}
}
