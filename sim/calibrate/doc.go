// Package calibrate turns measurements of a service that runs into what the
// nation's capacity model is given: how much of the service an operation takes
// (service demand, not latency), how many it serves at once, how much more callers
// gain, how its times are spread, each with an interval and how well it fits. From
// processor time, from the ways of single operations and from pauses of the service it
// predicts the latency under a load that nobody has measured: nothing is fitted to
// latencies.
//
// Fits are functions of numbers: no clock, no service, randomness handed in as a
// seed. The driver (Closed, Open) lets operations that it is handed happen, by a
// clock that it is handed. Nothing here knows what an operation is.
//
// The laws behind it: the utilisation law U = X·D and the forced flow law (Denning
// and Buzen 1978, The Operational Analysis of Queueing Network Models); the
// Universal Scalability Law (Gunther 1993); bootstrap percentiles (Efron 1979).
package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Estimate is a figure with the interval that holds it with 95 % confidence, as far
// as chance goes.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// resamples is how often a fit is made again over what chance might have given.
const resamples = 400

// between is an estimate whose interval is the middle 95 % of resampled values.
func between(value float64, again []float64) Estimate {
	if len(again) == 0 {
		return Estimate{value, value, value}
	}
	slices.Sort(again)
	return Estimate{value, min(value, Quantile(again, 0.025)), max(value, Quantile(again, 0.975))}
}

// Quantile of values in order, between neighbours in proportion.
func Quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// source is a stream of its own for each purpose.
func source(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// purposes of streams.
const (
	forDemands uint64 = iota
	forScaling
	forLaw
	forPrediction
	forChecks
)
