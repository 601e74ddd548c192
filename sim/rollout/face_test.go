package rollout

import (
	"math"
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rng"
)

// sphereDensity is that of a coordinate of a random unit vector in d
// dimensions, (1−x²)^((d−3)/2) up to a factor.
func sphereDensity(x, d float64) float64 { return math.Pow(1-x*x, (d-3)/2) }

// grid is points and weights of a coordinate's law, normalised.
func grid(d float64, n int) (x, w []float64) {
	reach := 6.5 / math.Sqrt(d)
	sum := 0.0
	for i := range n {
		v := -reach + 2*reach*(float64(i)+0.5)/float64(n)
		x = append(x, v)
		w = append(w, sphereDensity(v, d))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return x, w
}

func TestACoordinateOnTheSphereHasItsMoments(t *testing.T) {
	const n = 400_000
	for _, d := range []float64{32, 128, 512} {
		var square, fourth float64
		for i := range uint32(n) {
			x := sphere(rng.New(9).Draw(i, 1, 0)[0], d)
			square += x * x
			fourth += x * x * x * x
		}
		near(t, "second moment", square/n*d, 1, math.Sqrt(2.0/n)+1e-3)
		near(t, "fourth moment", fourth/n*d*(d+2), 3, math.Sqrt(96.0/n)+0.03)
	}
}

func TestTheFaceLawRisesWithQualityAndWithLuck(t *testing.T) {
	before := -1.0
	for _, rho := range []float64{0.1, 0.3, 0.5, 0.7, 0.9, 0.99} {
		c := toIdentity(rho, 0)
		if c <= before || math.Abs(c-math.Sqrt(rho)) > 1e-12 {
			t.Errorf("quality %g: cosine %g, want √ρ, above %g", rho, c, before)
		}
		before = c
		// Noise that points away from the identity lowers the cosine until, beyond
		// x = −√((1−ρ)/ρ), it would turn the capture round.
		luck := -1.0
		for x := max(-0.5, -0.99*math.Sqrt((1-rho)/rho)); x <= 0.5; x += 0.05 {
			if c := toIdentity(rho, x); c <= luck || c > 1 {
				t.Errorf("quality %g, noise %g: cosine %g after %g", rho, x, c, luck)
			} else {
				luck = c
			}
		}
	}
	if toIdentity(1, 0.2) != 1 {
		t.Error("a perfect capture is not the identity")
	}
}

// falseNonMatch is the share of first captures below the threshold, by numeric
// integration over the three coordinates on which a score depends.
func falseNonMatch(f *scenarios.Face, rhoPhoto, rhoLive float64) float64 {
	d := float64(f.Dimension)
	px, pw := grid(d, 60)
	lx, lw := grid(d, 60)
	// The chance that the last coordinate, by itself of law d−1, is below y.
	const n = 4000
	ox, ow := grid(d-1, n)
	cum := make([]float64, n+1)
	for i := range n {
		cum[i+1] = cum[i] + ow[i]
	}
	below := func(y float64) float64 {
		u := (y - ox[0]) / (ox[1] - ox[0])
		return cum[int(max(0, min(float64(n), u+0.5)))]
	}
	share := 0.0
	for i, a := range px {
		c1 := toIdentity(rhoPhoto, a)
		for j, b := range lx {
			c2 := toIdentity(rhoLive, b)
			share += pw[i] * lw[j] * below((f.Threshold-c1*c2)/math.Sqrt((1-c1*c1)*(1-c2*c2)))
		}
	}
	return share
}

// The first capture fails as often as the integral says, for good and poor
// captures against fresh and old photos.
func TestFalseNonMatchesAgreeWithTheirIntegral(t *testing.T) {
	m := model(t, "announced")
	const n = 100_000
	for _, c := range []struct {
		name      string
		age       int
		poor, old float64 // shares
	}{
		{"good, fresh", 30, 0, 0}, {"poor, fresh", 30, 1, 0}, {"good, old", 55, 0, 1}, {"poor, old", 75, 1, 1},
	} {
		f := m.Scenario.Face
		law := newFaceModel(&f)
		law.poor = c.poor
		k := c.age - scenarios.FirstAge
		law.oldShare[k] = c.old
		rhoPhoto, rhoLive := law.photo[k], law.live
		if c.old == 1 {
			rhoPhoto = law.photoOld
		}
		if c.poor == 1 {
			rhoLive = law.livePoor
		}
		want := falseNonMatch(&f, rhoPhoto, rhoLive)
		failed := 0.0
		for id := range uint32(n) {
			s := law.session(m.Source, &Citizen{ID: id, Age: uint8(c.age)}, 0)
			if s.Steps[0] < 0 {
				failed++
			}
		}
		t.Logf("%s: %.5f fail, integral %.5f", c.name, failed/n, want)
		near(t, c.name, failed/n, want, math.Sqrt(want*(1-want)/n)+0.01*want)
	}
}

func TestASessionEndsWithItsFirstMatch(t *testing.T) {
	m := model(t, "announced", "face.threshold=0.5")
	tries, matched := map[int]int{}, 0
	for id := range uint32(5000) {
		c := &Citizen{ID: id, Age: 60}
		s := m.face.session(m.Source, c, 7)
		if s != m.face.session(m.Source, c, 7) {
			t.Fatal("the same session scores in two ways")
		}
		tries[s.Tries]++
		for k := range s.Tries {
			last := k == s.Tries-1
			if above := s.Steps[k] >= 0; above != (last && s.Matched) {
				t.Fatalf("citizen %d: %+v", id, s)
			}
			score := Score(m.face.threshold, s.Steps[k])
			if (score > m.face.threshold) != (s.Steps[k] >= 0) || math.Abs(score-m.face.threshold) < 0.4e-4 {
				t.Fatalf("score %g stands on the threshold", score)
			}
		}
		if !s.Matched && s.Tries != m.face.tries {
			t.Fatalf("citizen %d gave up after %d of %d tries", id, s.Tries, m.face.tries)
		}
		if s.Matched {
			matched++
		}
	}
	if tries[1] == 0 || tries[2] == 0 || tries[3] == 0 || matched == 5000 {
		t.Errorf("tries %v, %d matched: the test proves nothing", tries, matched)
	}
	t.Logf("tries %v, %d matched", tries, matched)
}

// A second try of the same face is no fresh draw: it fails far more often than
// first tries do, but not always.
func TestRetriesAreCorrelated(t *testing.T) {
	m := model(t, "announced", "face.threshold=0.5")
	var first, second, both float64
	const n = 20_000
	for id := range uint32(n) {
		s := m.face.session(m.Source, &Citizen{ID: id, Age: 60}, 0)
		if s.Steps[0] < 0 {
			first++
			if second++; s.Steps[1] < 0 {
				both++
			}
		}
	}
	if p, q := first/n, both/second; q < 2*p || q > 0.95 {
		t.Errorf("%.3f of first tries fail, %.3f of second tries after them", p, q)
	}
}

func TestANewPhotoIsDrawnAnew(t *testing.T) {
	m := model(t, "announced")
	same := 0
	for id := range uint32(1000) {
		old := m.face.session(m.Source, &Citizen{ID: id, Age: 60}, 0)
		if old == m.face.session(m.Source, &Citizen{ID: id, Age: 60, Flags: NewPhoto}, 0) {
			same++
		}
	}
	if same > 5 {
		t.Errorf("%d of 1000 sessions do not notice the new photo", same)
	}
}
