package uncertainty

import (
	"hash/fnv"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distmv"
	"gonum.org/v1/gonum/stat/samplemv"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Seeds are those of the first n replications of a seed. They depend on nothing
// else, so that replication k of two scenarios draws the same random numbers. They
// stay below 2^53, where every reader of JSON still tells them apart.
func Seeds(seed uint64, n int) []uint64 {
	src := rng.New(seed)
	out := make([]uint64, n)
	for k := range out {
		w := src.Draw(uint32(k), population.ForReplication, 0)
		out[k] = (uint64(w[0]) | uint64(w[1])<<32) >> 11
	}
	return out
}

// hypercube is one column of a Latin hypercube: n values, one in each n-th of
// (0, 1), in random order. Its numbers depend on the seed and the parameter's name
// alone, so that what a what-if leaves as it was is drawn as it was.
func hypercube(seed uint64, name string, n int) []float64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	key := h.Sum64()
	src := rng.New(seed).Stream(uint32(key), population.ForAssumption, uint32(key>>32))
	column := mat.NewDense(n, 1, nil)
	samplemv.LatinHypercube{Q: distmv.NewUnitUniform(1, nil), Src: src}.Sample(column)
	return mat.Col(nil, 0, column)
}

// quantile maps (0, 1) to a range: one half of it to below the value, the other
// to above, evenly on each side, so that the value stays the median. Where the
// value is an end of its range, all of it evenly.
func quantile(r scenarios.Range, u float64) float64 {
	switch {
	case r.Value <= r.Low || r.Value >= r.High:
		return r.Low + u*(r.High-r.Low)
	case u < 0.5:
		return r.Low + 2*u*(r.Value-r.Low)
	}
	return r.Value + (2*u-1)*(r.High-r.Value)
}
