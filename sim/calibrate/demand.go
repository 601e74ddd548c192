package calibrate

import "math"

// Interval is a stretch of time in which operations were done.
type Interval struct {
	Group   string    // intervals of one kind, among which chance may exchange
	Seconds float64   // how long it was
	Done    []float64 // how often each operation was done
	Used    float64   // seconds of the resource that were used, by all together
}

// Demands are what operations take of one resource.
type Demands struct {
	PerOperation []Estimate // seconds
	Background   Estimate   // seconds a second, whatever is done
	R2           float64    // share of the variance that they explain
	Residual     float64    // root mean square, relative to the mean that was used
}

// FitDemands regresses what was used on what was done (utilisation law: busy time is
// Σ throughput · demand), no demand below zero. Intervals count by their length: what
// chance adds to them grows with it. Confidence comes from exchanging intervals
// within their groups.
func FitDemands(rows []Interval, operations int, seed uint64) Demands {
	x := leastSquares(rows, operations)
	groups := map[string][]int{}
	var names []string
	for i := range rows {
		g := rows[i].Group
		if groups[g] == nil {
			names = append(names, g)
		}
		groups[g] = append(groups[g], i)
	}
	random := source(seed, forDemands)
	again := make([][]float64, len(x))
	drawn := make([]Interval, 0, len(rows))
	for range resamples {
		drawn = drawn[:0]
		for _, g := range names {
			for range groups[g] {
				drawn = append(drawn, rows[groups[g][random.IntN(len(groups[g]))]])
			}
		}
		for j, v := range leastSquares(drawn, operations) {
			again[j] = append(again[j], v)
		}
	}
	out := Demands{}
	for j := range operations {
		out.PerOperation = append(out.PerOperation, between(x[j], again[j]))
	}
	out.Background = between(x[operations], again[operations])

	var mean, total, left float64
	for i := range rows {
		mean += rows[i].Used / rows[i].Seconds / float64(len(rows))
	}
	for i := range rows {
		r := &rows[i]
		predicted := x[operations] * r.Seconds
		for j, n := range r.Done {
			predicted += n * x[j]
		}
		d := (r.Used - predicted) / r.Seconds
		left += d * d
		total += (r.Used/r.Seconds - mean) * (r.Used/r.Seconds - mean)
	}
	if total > 0 {
		out.R2 = 1 - left/total
	}
	if mean > 0 {
		out.Residual = math.Sqrt(left/float64(len(rows))) / mean
	}
	return out
}

// leastSquares are demands and background, none below zero, that leave the least:
// coordinate descent on the normal equations, which is exact for a convex problem.
func leastSquares(rows []Interval, operations int) []float64 {
	n := operations + 1
	gram, right := make([]float64, n*n), make([]float64, n)
	column := make([]float64, n)
	for i := range rows {
		r := &rows[i]
		copy(column, r.Done)
		column[operations] = r.Seconds
		for a, va := range column {
			if va == 0 {
				continue
			}
			w := va / r.Seconds
			right[a] += w * r.Used
			for b, vb := range column {
				gram[a*n+b] += w * vb
			}
		}
	}
	x := make([]float64, n)
	for range 10_000 {
		moved := 0.0
		for a := range n {
			if gram[a*n+a] == 0 {
				continue
			}
			left := right[a]
			for b := range n {
				left -= gram[a*n+b] * x[b]
			}
			v := max(0, x[a]+left/gram[a*n+a])
			moved = max(moved, math.Abs(v-x[a])/(math.Abs(v)+1e-12))
			x[a] = v
		}
		if moved < 1e-9 {
			break
		}
	}
	return x
}
