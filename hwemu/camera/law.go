package camera

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
)

// FMR is the false match rate at a threshold: the chance that the score of two
// different people reaches it (package comment).
func (m Model) FMR(threshold float64) float64 {
	return upperTail(m.Dimension, threshold)
}

// Threshold is where the false match rate is fmr.
func (m Model) Threshold(fmr float64) float64 {
	low, high := -1.0, 1.0
	for range 60 {
		if mid := (low + high) / 2; m.FMR(mid) > fmr {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// FNMR is the false non-match rate of one try at a threshold: the chance that
// the score of a photo on record of quality record and a capture of quality live,
// of the same person, stays below it (package comment). Integrated to 1e-9.
func (m Model) FNMR(threshold, record, live float64) float64 {
	return m.overCoordinate(func(x1 float64) float64 {
		c1, s1 := toIdentity(record, x1)
		return m.overCoordinate(func(x2 float64) float64 {
			c2, s2 := toIdentity(live, x2)
			across := s1 * s2
			if across < 1e-12 {
				if c1*c2 < threshold {
					return 1
				}
				return 0
			}
			return 1 - upperTail(m.Dimension-1, (threshold-c1*c2)/across)
		})
	})
}

// overCoordinate is the mean of f over one coordinate of a random unit vector.
func (m Model) overCoordinate(f func(x float64) float64) float64 {
	d := float64(m.Dimension)
	reach := min(1, 7/math.Sqrt(d))
	logNorm, _ := math.Lgamma(d / 2)
	half, _ := math.Lgamma((d - 1) / 2)
	logNorm -= half + math.Log(math.Pi)/2
	return quad.Fixed(func(x float64) float64 {
		return math.Exp(logNorm+(d-3)/2*math.Log1p(-x*x)) * f(x)
	}, -reach, reach, 64, quad.Legendre{}, 0)
}

// toIdentity is c and s of the package comment.
func toIdentity(quality, x float64) (c, s float64) {
	a, b := math.Sqrt(quality), math.Sqrt(1-quality)
	c = (a + b*x) / math.Sqrt(1+2*a*b*x)
	c = min(c, 1)
	return c, math.Sqrt(1 - c*c)
}

// upperTail is the chance that one coordinate of a random unit vector in d
// dimensions reaches t.
func upperTail(d int, t float64) float64 {
	switch {
	case t <= -1:
		return 1
	case t >= 1:
		return 0
	}
	a := float64(d-1) / 2
	return mathext.RegIncBeta(a, a, (1-t)/2)
}
