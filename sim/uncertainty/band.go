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
	b.P05, b.P50, b.P95 = number(reports.Quantile(sorted, tail)), number(reports.Quantile(sorted, 0.5)), number(reports.Quantile(sorted, 1-tail))
	return b
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
