package calibrate

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Law is a distribution of times that was fitted by maximum likelihood.
type Law struct {
	Name  string  `json:"name"`            // "exponential", "gamma" or "lognormal"
	Shape float64 `json:"shape,omitempty"` // of gamma; of lognormal, the deviation of the logarithm
	Scale float64 `json:"scale"`           // seconds: the mean of an exponential, scale of a gamma, median of a lognormal
	AIC   float64 `json:"aic"`
	// Distance is the largest difference between the law and what was seen
	// (Kolmogorov-Smirnov), P how often chance gives a larger one if the law is true,
	// by drawing from the law and fitting again.
	Distance float64 `json:"distance"`
	P        float64 `json:"p"`
}

type distribution interface {
	CDF(float64) float64
	LogProb(float64) float64
	Rand() float64
}

// laws are those that are tried, and how many parameters each has.
var laws = []struct {
	name       string
	parameters float64
	fit        func([]float64) (shape, scale float64)
}{
	{"exponential", 1, func(x []float64) (float64, float64) { return 0, stat.Mean(x, nil) }},
	{"gamma", 2, fitGamma},
	{"lognormal", 2, func(x []float64) (float64, float64) {
		logs := make([]float64, len(x))
		for i, v := range x {
			logs[i] = math.Log(v)
		}
		mean, deviation := stat.PopMeanStdDev(logs, nil)
		return max(deviation, 1e-9), math.Exp(mean)
	}},
}

// fitGamma solves log k − ψ(k) = log mean − mean log by Newton's method.
func fitGamma(x []float64) (shape, scale float64) {
	mean, logs := stat.Mean(x, nil), 0.0
	for _, v := range x {
		logs += math.Log(v) / float64(len(x))
	}
	s := max(math.Log(mean)-logs, 1e-12)
	k := (3 - s + math.Sqrt((s-3)*(s-3)+24*s)) / (12 * s)
	for range 20 {
		const h = 1e-5
		f := math.Log(k) - mathext.Digamma(k) - s
		slope := (math.Log(k*(1+h)) - mathext.Digamma(k*(1+h)) - math.Log(k) + mathext.Digamma(k)) / (k * h)
		next := k - f/slope
		if !(next > 0) || math.Abs(next-k) < 1e-10*k {
			break
		}
		k = next
	}
	return k, mean / k
}

func (l Law) distribution(seed uint64) distribution {
	r := source(seed, forLaw)
	switch l.Name {
	case "gamma":
		return distuv.Gamma{Alpha: l.Shape, Beta: 1 / l.Scale, Src: r}
	case "lognormal":
		return distuv.LogNormal{Mu: math.Log(l.Scale), Sigma: l.Shape, Src: r}
	}
	return distuv.Exponential{Rate: 1 / l.Scale, Src: r}
}

// ErrFewTimes: a law needs times to be fitted to.
var ErrFewTimes = errors.New("a law needs at least twenty times, each above zero")

// tested is how many times at most P is judged by: with more, every law is wrong.
const tested = 300

// FitLaw fits each law to times in seconds and returns them, the best by Akaike's
// criterion first.
func FitLaw(times []float64, seed uint64) ([]Law, error) {
	if len(times) < 20 || slices.ContainsFunc(times, func(v float64) bool { return !(v > 0) || math.IsInf(v, 0) }) {
		return nil, ErrFewTimes
	}
	few := times
	if len(few) > tested {
		few = make([]float64, tested)
		for i := range few {
			few[i] = times[i*len(times)/tested]
		}
	}
	var out []Law
	for _, kind := range laws {
		l := Law{Name: kind.name}
		l.Shape, l.Scale = kind.fit(times)
		d := l.distribution(seed)
		l.AIC = 2 * kind.parameters
		for _, v := range times {
			l.AIC -= 2 * d.LogProb(v)
		}
		l.Distance = distance(times, d)
		// The same with what the law itself gives, fitted again (Lilliefors).
		part := Law{Name: kind.name}
		part.Shape, part.Scale = kind.fit(few)
		d = part.distribution(seed)
		seen, larger := distance(few, d), 0
		const rounds = 100
		drawn := make([]float64, len(few))
		for range rounds {
			for i := range drawn {
				drawn[i] = max(d.Rand(), 1e-12)
			}
			theirs := Law{Name: kind.name}
			theirs.Shape, theirs.Scale = kind.fit(drawn)
			if distance(drawn, theirs.distribution(seed)) >= seen {
				larger++
			}
		}
		l.P = float64(larger) / rounds
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b Law) int {
		switch {
		case a.AIC < b.AIC:
			return -1
		case a.AIC > b.AIC:
			return 1
		}
		return 0
	})
	return out, nil
}

// distance of Kolmogorov and Smirnov.
func distance(times []float64, d distribution) (most float64) {
	sorted := slices.Sorted(slices.Values(times))
	n := float64(len(sorted))
	for i, v := range sorted {
		c := d.CDF(v)
		most = max(most, math.Abs(c-float64(i)/n), math.Abs(float64(i+1)/n-c))
	}
	return most
}
