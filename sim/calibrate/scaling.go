package calibrate

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/optimize"
)

// Throughput is how many operations a second so many callers got, who ask again at
// once when they are answered.
type Throughput struct {
	Callers   int     `json:"callers"`
	PerSecond float64 `json:"per_second"`
}

// Scaling is the Universal Scalability Law: N callers get
//
//	Single·N / (1 + Contention·(N−1) + Coherence·N·(N−1))
type Scaling struct {
	Single     Estimate `json:"single"`     // operations a second of one caller
	Contention Estimate `json:"contention"` // share of the work that only one can do
	Coherence  Estimate `json:"coherence"`  // what each pair costs
	Peak       float64  `json:"peak"`       // callers beyond which more get less; 0: there are none
	R2         float64  `json:"r2"`
}

// At is the throughput of so many callers.
func (s Scaling) At(callers float64) float64 {
	return usl([]float64{s.Single.Value, s.Contention.Value, s.Coherence.Value}, callers)
}

func usl(x []float64, n float64) float64 { return x[0] * n / (1 + x[1]*(n-1) + x[2]*n*(n-1)) }

// ErrFewPoints: less than three numbers of callers hold no law.
var ErrFewPoints = errors.New("the law of scaling needs throughputs of at least three numbers of callers, each above zero")

// FitScaling fits the law to throughputs, several of each number of callers.
func FitScaling(all []Throughput, seed uint64) (Scaling, error) {
	by := map[int][]Throughput{}
	var numbers []int
	for _, t := range all {
		if t.Callers < 1 || !(t.PerSecond > 0) || math.IsInf(t.PerSecond, 0) {
			return Scaling{}, ErrFewPoints
		}
		if by[t.Callers] == nil {
			numbers = append(numbers, t.Callers)
		}
		by[t.Callers] = append(by[t.Callers], t)
	}
	if len(numbers) < 3 {
		return Scaling{}, ErrFewPoints
	}
	x := fitUSL(all, nil)
	random := source(seed, forScaling)
	var again [3][]float64
	drawn := make([]Throughput, 0, len(all))
	for range resamples / 2 { // each is a search
		drawn = drawn[:0]
		for _, n := range numbers {
			for range by[n] {
				drawn = append(drawn, by[n][random.IntN(len(by[n]))])
			}
		}
		for j, v := range fitUSL(drawn, x) {
			again[j] = append(again[j], v)
		}
	}
	s := Scaling{Single: between(x[0], again[0]), Contention: between(x[1], again[1]), Coherence: between(x[2], again[2])}
	if x[2] > 1e-9 && x[1] < 1 {
		s.Peak = math.Sqrt((1 - x[1]) / x[2])
	}
	var mean, left, total float64
	for _, t := range all {
		mean += t.PerSecond / float64(len(all))
	}
	for _, t := range all {
		left += math.Pow(t.PerSecond-s.At(float64(t.Callers)), 2)
		total += math.Pow(t.PerSecond-mean, 2)
	}
	if total > 0 {
		s.R2 = 1 - left/total
	}
	return s, nil
}

// fitUSL leaves the least squares relative to the throughputs. Squares keep the
// parameters above zero: contention below one, as it is a share.
func fitUSL(all []Throughput, from []float64) []float64 {
	first := all[0]
	for _, t := range all {
		if t.Callers < first.Callers {
			first = t
		}
	}
	scale := first.PerSecond / float64(first.Callers)
	plain := func(q []float64) []float64 {
		return []float64{scale * math.Exp(q[0]), 1 / (1 + math.Exp(-q[1])), q[2] * q[2]}
	}
	start := []float64{0, -2, 0.03}
	if from != nil {
		share := min(max(from[1], 1e-6), 1-1e-6)
		start = []float64{math.Log(from[0] / scale), math.Log(share / (1 - share)), math.Sqrt(from[2]) + 1e-3}
	}
	f := optimize.Problem{Func: func(q []float64) float64 {
		x, sum := plain(q), 0.0
		for _, t := range all {
			d := usl(x, float64(t.Callers))/t.PerSecond - 1
			sum += d * d
		}
		return sum
	}}
	best, least := plain(start), f.Func(start)
	for _, s := range [][]float64{start, {0.1, 1, 0.01}} {
		r, err := optimize.Minimize(f, s, &optimize.Settings{MajorIterations: 2000}, &optimize.NelderMead{})
		if r != nil && (err == nil || r.F < least) && r.F <= least {
			best, least = plain(r.X), r.F
		}
		if from != nil {
			break
		}
	}
	return best
}
