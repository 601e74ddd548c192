package rollout

import (
	"math"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rng"
)

// lognormalTable is the quantile function of the lognormal law with a mean and
// a coefficient of variation, at 4097 equally spaced probabilities; the ends are
// cut at half a cell. Linear between: the mean is right to 0.1 %.
func lognormalTable(mean, cv float64) []float64 {
	s2 := math.Log(1 + cv*cv)
	mu, s := math.Log(mean)-s2/2, math.Sqrt(s2)
	t := make([]float64, 4097)
	for i := range t {
		u := min(max(float64(i)/4096, 0.5/4096), 1-0.5/4096)
		t[i] = math.Exp(mu + s*math.Sqrt2*math.Erfinv(2*u-1))
	}
	return t
}

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

// after is an exponential delay of the given mean (ms), at least a second.
func after(w uint32, mean int64) int64 {
	return max(second, int64(float64(mean)*rng.Exp(w)))
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

// serviceLaw is a law of service times; the lognormal as a table of its quantiles.
type serviceLaw struct {
	law   string
	mean  float64 // ms
	table []float64
}

func newServiceLaw(s scenarios.ServiceTime) *serviceLaw {
	l := &serviceLaw{law: s.Law, mean: float64(s.Mean.Milliseconds())}
	if s.Law == "lognormal" {
		l.table = lognormalTable(l.mean, s.CV)
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
		i := w >> 20
		f := float64(w&(1<<20-1)) / (1 << 20)
		x = l.table[i] + (l.table[i+1]-l.table[i])*f
	}
	return max(1, int64(x))
}
