package rollout

import (
	"math"
	"testing"
)

// Mean and variance of the law as it is drawn, by the midpoints of a fine grid of
// words, against those that were asked for: the variance of a skewed law lies in
// its tail.
func TestLognormalHasTheMeanAndVarianceThatWereAskedFor(t *testing.T) {
	const n = 1 << 22
	for _, cv := range []float64{0.05, 0.3, 0.6, 1, 2, 4} {
		const mean = 420_000
		l := newLognormal(mean, cv)
		var sum, square float64
		for i := range uint32(n) {
			x := l.draw(i<<10 | 1<<9)
			sum += x
			square += x * x
		}
		m := sum / n
		v := math.Sqrt(square/n-m*m) / m
		// What a grid of 2^22 words leaves out of the tail itself.
		tolerance := map[float64]float64{2: 0.01, 4: 0.08}[cv]
		if tolerance == 0 {
			tolerance = 0.001
		}
		if math.Abs(m/mean-1) > tolerance/10 || math.Abs(v/cv-1) > tolerance {
			t.Errorf("mean %.0f, want %d; coefficient of variation %.4f, want %g", m, mean, v, cv)
		}
	}
}

func TestADelayIsExponentialHoweverShort(t *testing.T) {
	for _, mean := range []int64{500, 3000, 60_000} {
		var sum float64
		below := 0
		const n = 1 << 20
		for i := range uint32(n) {
			x := after(i<<12|1<<11, mean)
			sum += float64(x)
			if x < mean/10 {
				below++
			}
		}
		if got := sum / n / float64(mean); math.Abs(got-1) > 0.002 {
			t.Errorf("mean %d ms: the delays' mean is %.4f of it", mean, got)
		}
		if got, want := float64(below)/n, 1-math.Exp(-0.1); math.Abs(got-want) > 0.002 {
			t.Errorf("mean %d ms: %.4f are shorter than a tenth, want %.4f", mean, got, want)
		}
	}
}
