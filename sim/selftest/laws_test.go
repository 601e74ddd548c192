package selftest

import (
	"math"
	"testing"
)

// The laws themselves, where they can be written by hand.
func TestLawsAreRightWhereTheyAreSimple(t *testing.T) {
	low, high := clopperPearson(0, 100)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"one counter: the share who wait is the load", erlangC(1, 0.7), 0.7},
		{"two counters: a²/(2+a)", erlangC(2, 1.2), 1.2 * 1.2 / 3.2},
		{"endless patience, light load: nobody leaves", erlangA(3, 1, 1, 1e-12), 0},
		{"patience as long as service: M/M/∞, P(N>1)-weighted", erlangA(1, 1, 1, 1), 1 / math.E},
		{"exponential service: M/M/1", pollaczekKhinchine(0.7, 1, 1), 0.7 / 0.3},
		{"fixed service: half of it", pollaczekKhinchine(0.7, 1, 0), 0.35 / 0.3},
		{"lognormal: half at the median", lognormalSurvival(math.Sqrt2, 1)(1), 0.5},
		{"Bass without imitation is exponential", bass(2, 0.3, 0), 1 - math.Exp(-0.6)},
		{"Bass begins at nothing", bass(0, 0.3, 0.2), 0},
		{"in three dimensions a coordinate is uniform", falseMatch(0.2, 3), 0.4},
		{"half of all pairs score above zero", falseMatch(0, 128), 0.5},
		{"perfect pictures score one", falseNonMatch(0.999, 16, 1-1e-12, 1-1e-12), 0},
		{"pictures of noise are strangers", falseNonMatch(0.1, 64, 0, 0), 1 - falseMatch(0.1, 64)},
		{"none of n: from nothing", low, 0},
		{"none of n: up to 1 − (α/2)^(1/n)", high, 1 - math.Pow(0.025, 0.01)},
	} {
		if math.Abs(c.got-c.want) > 1e-6 {
			t.Errorf("%s: %g, want %g", c.name, c.got, c.want)
		}
	}
	if x := falseMatch(0.405, 128); x < 0.9e-6 || x > 1.1e-6 {
		t.Errorf("at 0.405 and 128 dimensions %g match falsely, about one in a million is right", x)
	}
}

// Constant arrivals and exponential service: m(t) = λ(1 − e^−t), over each hour.
func TestInfiniteServersFillExponentially(t *testing.T) {
	var perHour [24]float64
	for h := range perHour {
		perHour[h] = 10
	}
	got := infiniteServers(perHour, func(x float64) float64 { return math.Exp(-x) })
	for h := range got {
		want := 10 * (1 - (math.Exp(-float64(h)) - math.Exp(-float64(h+1))))
		if math.Abs(got[h]-want) > 0.01 {
			t.Errorf("hour %d: %g, want %g", h, got[h], want)
		}
	}
}
