package selftest

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
)

// erlangC is the share of customers who wait in M/M/c, a the offered load in
// erlangs (Erlang 1917).
func erlangC(c int, a float64) float64 {
	b := 1.0
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}

// erlangA is the share of customers of M/M/c+M who leave before they are served
// (Palm 1946): arrivals, service of one counter and patience as rates. The number
// in the system is a birth-death process; those who leave are those who wait, times
// the rate of leaving.
func erlangA(c int, arrivals, service, patience float64) float64 {
	p, sum, waiting := 1.0, 1.0, 0.0
	for n := 1; n < 100_000 && p > sum*1e-18; n++ {
		p *= arrivals / (float64(min(n, c))*service + float64(max(0, n-c))*patience)
		sum += p
		waiting += p * float64(max(0, n-c))
	}
	return waiting / sum * patience / arrivals
}

// pollaczekKhinchine is the mean wait in M/G/1 with arrivals at a rate, service of
// a mean and a coefficient of variation (Pollaczek 1930, Khinchine 1932).
func pollaczekKhinchine(arrivals, mean, cv float64) float64 {
	return arrivals * mean * mean * (1 + cv*cv) / (2 * (1 - arrivals*mean))
}

// infiniteServers is the mean number in service of M_t/G/∞ over each hour of a day
// that begins empty (Eick, Massey and Whitt 1993, theorem 1): m(t) = ∫ λ(u)
// P(S > t−u) du. perHour are the arrivals of each hour, survival is P(S > x hours).
func infiniteServers(perHour [24]float64, survival func(float64) float64) (mean [24]float64) {
	const steps = 60 // of an hour
	after := make([]float64, 24*steps)
	for i := range after {
		after[i] = survival(float64(i) / steps)
	}
	for t := range 24 * steps {
		m := 0.0 // at the middle of step t, from the middles of those before
		for u := range t {
			m += perHour[u/steps] / steps * after[t-u]
		}
		m += perHour[t/steps] / steps / 2
		mean[t/steps] += m / steps
	}
	return mean
}

// lognormalSurvival is P(S > x) of a lognormal law by mean and coefficient of
// variation.
func lognormalSurvival(mean, cv float64) func(float64) float64 {
	s := math.Sqrt(math.Log1p(cv * cv))
	mu := math.Log(mean) - s*s/2
	return func(x float64) float64 {
		if x <= 0 {
			return 1
		}
		return math.Erfc((math.Log(x)-mu)/(s*math.Sqrt2)) / 2
	}
}

// bass is the share of adopters who have adopted t after the start (Bass 1969,
// equation 8): F(t) = (1 − e^−(p+q)t) / (1 + q/p · e^−(p+q)t).
func bass(t, p, q float64) float64 {
	e := math.Exp(-(p + q) * t)
	return (1 - e) / (1 + q/p*e)
}

// falseMatch is the share of pairs of strangers whose score reaches a threshold:
// the integral of the density of the cosine of two random directions in d
// dimensions, (1−s²)^((d−3)/2) up to a factor.
func falseMatch(threshold float64, d int) float64 { return tail(threshold, d) }

// tail is the chance that a coordinate of a random direction in d dimensions
// reaches t.
func tail(t float64, d int) float64 {
	if t <= -1 {
		return 1
	}
	if t >= 1 {
		return 0
	}
	density := func(x float64) float64 { return math.Pow(1-x*x, float64(d-3)/2) }
	reach := min(1, 9/math.Sqrt(float64(d)))
	return integral(density, max(t, -reach), reach) / integral(density, -reach, reach)
}

// integral is by 80 Gauss-Legendre points; 0 where there is nothing to integrate.
func integral(f func(float64) float64, from, to float64) float64 {
	if from >= to {
		return 0
	}
	return quad.Fixed(f, from, to, 80, quad.Legendre{}, 0)
}

// falseNonMatch is the share of captures whose score with the same person's photo
// stays below a threshold. With n the noise of each and x its coordinate along the
// identity, the cosine of a capture of quality ρ with the identity is
// c = (√ρ + √(1−ρ)x) / √(1 + 2√(ρ(1−ρ))x); the score is c₁c₂ + s₁s₂w, w a
// coordinate in the d−1 dimensions across (docs/model.md, 7.5).
func falseNonMatch(threshold float64, d int, photo, live float64) float64 {
	density := func(x float64) float64 { return math.Pow(1-x*x, float64(d-3)/2) }
	reach := min(1, 8/math.Sqrt(float64(d)))
	cosine := func(q, x float64) float64 {
		return (math.Sqrt(q) + math.Sqrt(1-q)*x) / math.Sqrt(1+2*math.Sqrt(q*(1-q))*x)
	}
	norm := integral(density, -reach, reach)
	return integral(func(x1 float64) float64 {
		c1 := cosine(photo, x1)
		return density(x1) / norm * integral(func(x2 float64) float64 {
			c2 := cosine(live, x2)
			return density(x2) / norm * (1 - tail((threshold-c1*c2)/math.Sqrt((1-c1*c1)*(1-c2*c2)), d-1))
		}, -reach, reach)
	}, -reach, reach)
}

// clopperPearson is the exact two-sided interval of 95 % for a share of which k of n
// were seen, as ISO/IEC 19795-1 wants error rates to be reported.
func clopperPearson(k, n int64) (low, high float64) {
	const half = 0.025
	if k > 0 {
		low = mathext.InvRegIncBeta(float64(k), float64(n-k+1), half)
	}
	if high = 1; k < n {
		high = mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-half)
	}
	return low, high
}
