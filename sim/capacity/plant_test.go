package capacity

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/scenarios"
)

func plant(perDay, handlingDays int, open []bool) *Plant {
	return NewPlant(&scenarios.Cards{PrintedPerDay: perDay, Handling: time.Duration(handlingDays) * 24 * time.Hour}, open)
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
