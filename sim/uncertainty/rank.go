package uncertainty

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rng"
)

// ranks are the places of values in their order, from 1; equal ones share theirs.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	out := make([]float64, len(values))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

// spearman is the rank correlation; NaN where one side is constant or a value is
// missing.
func spearman(x, y []float64) float64 {
	if len(x) < 2 || slices.ContainsFunc(y, math.IsNaN) {
		return math.NaN()
	}
	return stat.Correlation(ranks(x), ranks(y), nil)
}

// oneInTwenty is the share of studies in which chance alone may pass for an effect.
const oneInTwenty = 0.05

// few is the number of runs below which the law of the rank correlation is sampled;
// from there on it is Student's.
const few = 40

// chance is the absolute rank correlation of n runs that the largest of so many
// exceeds in one study of twenty although no parameter has an effect. The columns
// of a Latin hypercube are independent orders, so that the law of one is that of a
// random order, and that of the largest its power (Šidák; for figures that move
// together it is less than one in twenty).
func chance(n, correlations int) float64 {
	if n < 4 || correlations < 1 {
		return math.NaN()
	}
	p := 1 - math.Pow(1-oneInTwenty, 1/float64(correlations))
	if n >= few {
		t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 2)}.Quantile(1 - p/2)
		return t / math.Sqrt(float64(n-2)+t*t)
	}
	orders := int(min(max(20/p, 100_000), 2_000_000))
	r := rand.New(rng.New(uint64(n)).Stream(0, 0, 0))
	plain, shuffled := make([]float64, n), make([]float64, n)
	for i := range plain {
		plain[i], shuffled[i] = float64(i), float64(i)
	}
	mean, square := float64(n-1)/2, float64(n*(n*n-1))/12
	seen := make([]float64, orders)
	for k := range seen {
		r.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		sum := 0.0
		for i, x := range plain {
			sum += (x - mean) * (shuffled[i] - mean)
		}
		seen[k] = math.Abs(sum) / square
	}
	slices.Sort(seen)
	return seen[len(seen)-1-int(p*float64(orders))]
}

// most is how many movers of a figure are named.
const most = 5

// movers are the parameters with the largest rank correlations.
func movers(parameters []reports.SampledParameter, samples [][]float64, figure []float64, beyond float64) []reports.Mover {
	all := []reports.Mover{}
	for i, p := range parameters {
		rho := spearman(samples[i], figure)
		if math.IsNaN(rho) {
			continue
		}
		low, high := halves(samples[i], figure)
		all = append(all, reports.Mover{Path: p.Path, Correlation: reports.Num(rho), LowHalf: number(low), HighHalf: number(high),
			BeyondChance: math.Abs(rho) > beyond+1e-9})
	}
	slices.SortStableFunc(all, func(a, b reports.Mover) int {
		return cmp.Compare(math.Abs(float64(b.Correlation)), math.Abs(float64(a.Correlation)))
	})
	return all[:min(most, len(all))]
}

// halves are the medians of a figure over the runs with the lower and with the
// upper half of a parameter's samples; one in the middle belongs to neither.
func halves(sample, figure []float64) (low, high float64) {
	order := make([]int, len(sample))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sample[a], sample[b]) })
	median := func(of []int) float64 {
		var v []float64
		for _, i := range of {
			v = append(v, figure[i])
		}
		slices.Sort(v)
		return reports.Quantile(v, 0.5)
	}
	half := len(order) / 2
	return median(order[:half]), median(order[len(order)-half:])
}
