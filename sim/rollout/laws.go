package rollout

import (
	"math"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rng"
)

// bassInverse is the time (days) at which Bass diffusion with innovation p and
// imitation q per day has reached the share u of its market:
// F(t) = (1 − e^−(p+q)t) / (1 + q/p·e^−(p+q)t)  (Bass 1969, eq. 8).
func bassInverse(u, p, q float64) float64 {
	return -math.Log((1-u)/(1+u*q/p)) / (p + q)
}

// BassShare is F(t) above, t in days.
func BassShare(t, p, q float64) float64 {
	if t <= 0 {
		return 0
	}
	e := math.Exp(-(p + q) * t)
	return (1 - e) / (1 + q/p*e)
}

// after is an exponential delay of the given mean (ms), at least a millisecond.
func after(w uint32, mean int64) int64 {
	return max(1, int64(float64(mean)*rng.Exp(w)))
}

// sphere maps a word to a coordinate of a random unit vector in d dimensions:
// normal of variance 1/d with its kurtosis corrected (Cornish-Fisher; excess
// −6/(d+2)).
func sphere(w uint32, d float64) float64 {
	z := rng.Normal(w)
	z += (z*z*z - 3*z) / 24 * (-6 / (d + 2))
	return max(-1, min(1, z/math.Sqrt(d)))
}

func expNeg(x float64) float64 { return math.Exp(-x) }

// lognormal is the law with a mean and a coefficient of variation, by its
// quantile function: a table with straight lines between in the middle, itself
// in the tails, where most of the variance of a skewed law lies.
type lognormal struct {
	mu, sigma float64
	table     [lognormalCells + 1]float64
}

const (
	lognormalCells = 1 << 12
	lognormalTail  = lognormalCells >> 6 // cells at each end that are tail
)

func newLognormal(mean, cv float64) *lognormal {
	s2 := math.Log(1 + cv*cv)
	l := &lognormal{mu: math.Log(mean) - s2/2, sigma: math.Sqrt(s2)}
	for i := lognormalTail; i <= lognormalCells-lognormalTail; i++ {
		l.table[i] = math.Exp(l.mu + l.sigma*math.Sqrt2*math.Erfinv(2*float64(i)/lognormalCells-1))
	}
	return l
}

func (l *lognormal) draw(w uint32) float64 {
	const bits = 32 - 12 // of the word within a cell
	i := w >> bits
	if i < lognormalTail || i >= lognormalCells-lognormalTail {
		return math.Exp(l.mu + l.sigma*rng.Normal(w))
	}
	f := (float64(w&(1<<bits-1)) + 0.5) / (1 << bits)
	return l.table[i] + (l.table[i+1]-l.table[i])*f
}

// serviceLaw is a law of service times.
type serviceLaw struct {
	law    string
	mean   float64 // ms
	skewed *lognormal
}

func newServiceLaw(s scenarios.ServiceTime) *serviceLaw {
	l := &serviceLaw{law: s.Law, mean: float64(s.Mean.Milliseconds())}
	if s.Law == "lognormal" {
		l.skewed = newLognormal(l.mean, s.CV)
	}
	return l
}

// draw maps a word to a service time (ms) of at least one.
func (l *serviceLaw) draw(w uint32) int64 {
	var x float64
	switch l.law {
	case "fixed":
		x = l.mean
	case "exponential":
		x = l.mean * rng.Exp(w)
	default:
		x = l.skewed.draw(w)
	}
	return max(1, int64(x))
}
