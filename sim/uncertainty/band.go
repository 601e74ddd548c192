package uncertainty

import (
	"math"
	"slices"

	"rollcall.example/rollcall/reports"
)

// What a band leaves out on each side.
const tail = 0.05

// band describes values; what was never reached is +Inf, what is missing NaN.
func band(values []float64) reports.Band {
	b := reports.Band{Values: make([]reports.Num, len(values))}
	var sorted []float64
	for i, v := range values {
		b.Values[i] = number(v)
		if math.IsInf(v, 1) {
			b.Never++
		}
		if !math.IsNaN(v) {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	b.P05, b.P50, b.P95 = number(at(sorted, tail)), number(at(sorted, 0.5)), number(at(sorted, 1-tail))
	return b
}

// at is the quantile at (n+1)·p of sorted values (Weibull; type 6 of Hyndman and
// Fan): between two of them a further value falls with the probability that
// separates them, whatever its distribution. Beyond the ends it is the end.
func at(sorted []float64, p float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	x := p * float64(n+1)
	i := int(x)
	switch {
	case i < 1:
		return sorted[0]
	case i >= n:
		return sorted[n-1]
	case sorted[i-1] == sorted[i] || x == float64(i):
		return sorted[i-1]
	}
	return sorted[i-1] + (x-float64(i))*(sorted[i]-sorted[i-1])
}

// inside is the share of further values that is expected within a band of n.
func inside(n int) reports.Num {
	if n < 2 {
		return reports.None()
	}
	return reports.Num(min(1-2*tail, float64(n-1)/float64(n+1)))
}

func number(x float64) reports.Num {
	if math.IsInf(x, 0) {
		return reports.None()
	}
	return reports.Num(x)
}
