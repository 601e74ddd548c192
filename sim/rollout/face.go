package rollout

import (
	"math"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// MaxTries bounds the captures of one session.
const MaxTries = scenarios.MaxTries

// Scores are on a grid of 10⁻⁴ that lies half a step off the threshold, so that
// no rounding decides: score = threshold + (k + ½)·10⁻⁴.
type faceModel struct {
	threshold, d                   float64
	live, livePoor, poor, photoOld float64
	photo, oldShare                [scenarios.Ages]float64

	fresh float64
	tries int
}

func newFaceModel(f *scenarios.Face) *faceModel {
	m := &faceModel{threshold: f.Threshold, d: float64(f.Dimension), live: f.Live, livePoor: f.LivePoor,
		poor: float64(f.PoorShare), photoOld: f.PhotoOld, fresh: f.RetrySpread, tries: min(f.Tries, MaxTries)}
	for i := range m.photo {
		age := scenarios.FirstAge + i
		m.photo[i], m.oldShare[i] = f.Photo.At(age), f.OldShare.At(age)
	}
	return m
}

// Session is what the captures of one session score, in steps of 10⁻⁴ from the
// threshold (k of score = threshold + (k+½)·10⁻⁴), and how many were needed.
type Session struct {
	Steps   [MaxTries]int16
	Tries   int
	Matched bool
}

// Score turns a step into the cosine.
func Score(threshold float64, step int16) float64 {
	return threshold + (float64(step)+0.5)*1e-4
}

// toIdentity is the cosine between a capture of quality ρ and the identity:
// normalise(√ρ·i + √(1−ρ)·n) with i·n = x.
func toIdentity(rho, x float64) float64 {
	return (math.Sqrt(rho) + math.Sqrt(1-rho)*x) / math.Sqrt(1+2*math.Sqrt(rho*(1-rho))*x)
}

// session draws the genuine scores of a citizen's session. The photo on record
// is drawn once for the citizen (and again for a new photo); the session's light
// and pose are common to its tries, a share of the capture's noise is fresh.
func (m *faceModel) session(src rng.Source, c *Citizen, occurrence uint32) Session {
	photo := src.Draw(c.ID, population.ForPhoto, uint32(c.Flags&NewPhoto))
	a := int(c.Age) - scenarios.FirstAge
	rhoPhoto := m.photo[a]
	if c.Flags&NewPhoto == 0 && rng.Below(photo[1], m.oldShare[a]) {
		rhoPhoto = m.photoOld
	}
	c1 := toIdentity(rhoPhoto, sphere(photo[0], m.d))
	s1 := math.Sqrt(1 - c1*c1)

	w := src.Draw(c.ID, population.ForFace, occurrence*16)
	rho := m.live
	if rng.Below(w[0], m.poor) {
		rho = m.livePoor
	}
	keep, fresh := math.Sqrt(1-m.fresh), math.Sqrt(m.fresh)
	x, y := sphere(w[1], m.d), sphere(w[2], m.d-1)
	var out Session
	for out.Tries < m.tries && !out.Matched {
		v := src.Draw(c.ID, population.ForFace, occurrence*16+1+uint32(out.Tries))
		c2 := toIdentity(rho, keep*x+fresh*sphere(v[0], m.d))
		score := c1*c2 + s1*math.Sqrt(1-c2*c2)*(keep*y+fresh*sphere(v[1], m.d-1))
		k := math.Floor((score - m.threshold) * 1e4)
		out.Steps[out.Tries] = int16(max(-9000, min(9000, k)))
		out.Matched = k >= 0
		out.Tries++
	}
	return out
}
