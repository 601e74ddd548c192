package reports

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// confidence of the intervals of differences.
const confidence = 0.95

// interval is a difference of means, HEAD less BASE, and where it can lie.
type interval struct{ difference, low, high float64 }

// paired is Student's t interval of the differences of runs with the same random
// numbers: what chance does to both falls out.
func paired(base, head []float64) interval {
	d := make([]float64, len(base))
	for i := range d {
		d[i] = head[i] - base[i]
	}
	mean, variance := stat.MeanVariance(d, nil)
	n := float64(len(d))
	return student(mean, math.Sqrt(variance/n), n-1)
}

// unpaired is Welch's t interval, for runs that have nothing in common and are too
// few for ranks. Degrees of freedom by Welch and Satterthwaite.
func unpaired(base, head []float64) interval {
	mb, vb := stat.MeanVariance(base, nil)
	mh, vh := stat.MeanVariance(head, nil)
	nb, nh := float64(len(base)), float64(len(head))
	eb, eh := vb/nb, vh/nh
	return student(mh-mb, math.Sqrt(eb+eh), (eb+eh)*(eb+eh)/(eb*eb/(nb-1)+eh*eh/(nh-1)))
}

// pairs of runs below which ranks cannot tell anything apart at 95 %.
const fewest = 4

// rankSum compares runs that have nothing in common by their ranks (Wilcoxon; Mann
// and Whitney), which needs no law: two seeds of one scenario differ in one figure
// of twenty, be it as skewed as it may. The difference is the median of all
// differences between a run of HEAD and one of BASE, its interval what the test
// does not reject (Hodges and Lehmann). What was never reached is +Inf.
type rankSum struct {
	base, head []float64
	between    []float64 // head less base, all of them, in order
}

func newRankSum(base, head []float64) rankSum {
	r := rankSum{base: base, head: head}
	for _, h := range head {
		for _, b := range base {
			if h == b {
				r.between = append(r.between, 0) // also where both are infinite
			} else {
				r.between = append(r.between, h-b)
			}
		}
	}
	slices.Sort(r.between)
	return r
}

// critical is how many standard errors a rank sum may lie off.
var critical = distuv.UnitNormal.Quantile(1 - (1-confidence)/2)

func (r rankSum) interval() interval {
	n, m := float64(len(r.base)), float64(len(r.head))
	k := int(n*m/2 - critical*math.Sqrt(n*m*(n+m+1)/12))
	last := len(r.between) - 1
	middle := r.between[last/2]
	if upper := r.between[(last+1)/2]; upper != middle {
		middle += (upper - middle) / 2
	}
	return interval{middle, r.between[k], r.between[last-k]}
}

// rejects says whether HEAD is not BASE moved by a shift: -1 it has less, 1 more,
// 0 it may be. The law of the sum is normal, ties considered; from four runs of
// each the level is 4 % to 6 %.
func (r rankSum) rejects(shift float64) int {
	n, m := float64(len(r.base)), float64(len(r.head))
	above := 0.0
	for _, d := range r.between {
		switch {
		case d > shift:
			above++
		case d == shift:
			above += 0.5
		}
	}
	all := slices.Clone(r.base)
	for _, h := range r.head {
		all = append(all, h-shift)
	}
	slices.Sort(all)
	ties := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	variance := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	switch off := above - n*m/2; {
	case off > critical*math.Sqrt(variance) && off > 0:
		return 1
	case -off > critical*math.Sqrt(variance) && off < 0:
		return -1
	}
	return 0
}

func student(difference, se, freedom float64) interval {
	if se == 0 {
		return interval{difference, difference, difference}
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.Quantile(1 - (1-confidence)/2)
	return interval{difference, difference - t*se, difference + t*se}
}

// Quantile is that at (n+1)·p of sorted values (Weibull; type 6 of Hyndman and
// Fan): between two of them a further value falls with the probability that
// separates them, whatever its distribution. Beyond the ends it is the end.
func Quantile(sorted []float64, p float64) float64 {
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
	case sorted[i-1] == sorted[i] || x == float64(i): // also where both are infinite
		return sorted[i-1]
	}
	return sorted[i-1] + (x-float64(i))*(sorted[i]-sorted[i-1])
}

// fisher is the probability, by Fisher's exact test, of a split at least as
// uneven as a of n and b of m, were both from the same urn.
func fisher(a, n, b, m int) float64 {
	log := func(k int) float64 { // of the hypergeometric probability of k in the first
		return choose(n, k) + choose(m, a+b-k) - choose(n+m, a+b)
	}
	seen, p := log(a), 0.0
	for k := max(0, a+b-m); k <= min(n, a+b); k++ {
		if l := log(k); l <= seen+1e-9 {
			p += math.Exp(l)
		}
	}
	return min(p, 1)
}

// choose is the logarithm of the binomial coefficient.
func choose(n, k int) float64 {
	f := func(x int) float64 { l, _ := math.Lgamma(float64(x) + 1); return l }
	return f(n) - f(k) - f(n-k)
}
