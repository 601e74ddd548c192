package camera

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// The threshold and qualities at which these tests judge: false matches of one in
// a million, and the usual false non-matches.
const (
	threshold = 0.405
	live      = 0.60
	livePoor  = 0.50
	photo     = 0.53
	photoOld  = 0.45
)

var model = Model{Dimension: 128}

func stream(name byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{name}) }

// cosine is the matcher's formula, written again: the camera may not know the
// matcher.
func cosine(t Template, p Probe) float64 {
	var dot, tt, pp float64
	for i := range t {
		a, b := float64(t[i]), float64(p[i])
		dot, tt, pp = dot+a*b, tt+a*a, pp+b*b
	}
	return dot / math.Sqrt(tt*pp)
}

// interval is the Clopper-Pearson interval of k in n at 99.9 %, as ISO/IEC
// 19795-1 uses for rates from independent comparisons.
func interval(k, n int) (low, high float64) {
	const alpha = 0.001
	if k > 0 {
		low = mathext.InvRegIncBeta(float64(k), float64(n-k+1), alpha/2)
	}
	high = 1
	if k < n {
		high = mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-alpha/2)
	}
	return low, high
}

func holds(t *testing.T, what string, k, n int, want float64) {
	t.Helper()
	low, high := interval(k, n)
	if want < low || want > high {
		t.Errorf("%s: closed form %.5g lies outside of [%.5g, %.5g], %d of %d", what, want, low, high, k, n)
	}
}

func TestImpostorLawIsExactWhereItCanBeWrittenByHand(t *testing.T) {
	for _, s := range []float64{-0.9, -0.3, 0, 0.2, 0.7, 0.99} {
		if got, want := (Model{3}).FMR(s), (1-s)/2; math.Abs(got-want) > 1e-12 {
			t.Errorf("three dimensions at %v: %v, want %v (Archimedes)", s, got, want)
		}
		if got, want := (Model{5}).FMR(s), (2-3*s+s*s*s)/4; math.Abs(got-want) > 1e-12 {
			t.Errorf("five dimensions at %v: %v, want %v", s, got, want)
		}
	}
}

func TestGenuineLawHasItsLimits(t *testing.T) {
	for _, c := range []struct {
		name              string
		th, record, live_ float64
		want              float64
	}{
		{"no noise at all", 0.999, 1, 1, 0},
		{"no signal: as likely as an impostor", 0.1, 0, 0, 1 - model.FMR(0.1)},
		{"a good photo against pure noise", 0.1, 0.9, 0, 1 - model.FMR(0.1)},
	} {
		if got := model.FNMR(c.th, c.record, c.live_); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if a, b := model.FNMR(threshold, photo, live), model.FNMR(threshold, live, photo); math.Abs(a-b) > 1e-9 {
		t.Errorf("the law is not symmetric in its captures: %v and %v", a, b)
	}
}

func TestImpostorScoresFollowTheClosedForm(t *testing.T) {
	const n = 40000
	random := stream(1)
	at := []float64{0, 0.1, 0.2, 0.25, 0.3}
	matches := make([]int, len(at))
	var square float64
	for range n {
		a, b := model.Identity(random), model.Identity(random)
		s := cosine(a.Enrol(photo, random), b.Capture(live, random))
		square += s * s
		for k, th := range at {
			if s >= th {
				matches[k]++
			}
		}
	}
	for k, th := range at {
		holds(t, "false matches", matches[k], n, model.FMR(th))
	}
	// The variance of the score is 1/d; its own relative error is √(2/n).
	if d := square / n * float64(model.Dimension); math.Abs(d-1) > 3.3*math.Sqrt(2.0/n) {
		t.Errorf("variance × d = %v", d)
	}
}

func TestGenuineScoresFollowTheClosedForm(t *testing.T) {
	const n = 20000
	for name, c := range map[string]struct{ record, live float64 }{
		"good": {photo, live}, "poor": {photo, livePoor}, "old": {photoOld, live}, "old and poor": {photoOld, livePoor},
	} {
		t.Run(name, func(t *testing.T) {
			random := stream(2)
			at := []float64{threshold, 0.45, 0.5, 0.55, 0.6}
			misses := make([]int, len(at))
			for range n {
				i := model.Identity(random)
				s := cosine(i.Enrol(c.record, random), i.Capture(c.live, random))
				for k, th := range at {
					if s < th {
						misses[k]++
					}
				}
			}
			for k, th := range at {
				holds(t, "false non-matches", misses[k], n, model.FNMR(th, c.record, c.live))
			}
		})
	}
}

// session draws the scores of several tries without vectors: the form for
// retries in the package comment.
func session(d int, record, live, fresh float64, tries int, r *rand.Rand) []float64 {
	chi := func(n int) (sum float64) {
		for range n {
			x := r.NormFloat64()
			sum += x * x
		}
		return math.Sqrt(sum)
	}
	coordinate := func() float64 { x := r.NormFloat64(); return x / math.Hypot(x, chi(d-1)) }
	c1, s1 := toIdentity(record, coordinate())
	a, b, rest := r.NormFloat64(), r.NormFloat64(), chi(d-2)
	keep, take := math.Sqrt(1-fresh), math.Sqrt(fresh)
	out := make([]float64, tries)
	for k := range out {
		a, b := keep*a+take*r.NormFloat64(), keep*b+take*r.NormFloat64()
		rest := math.Hypot(keep*rest+take*r.NormFloat64(), take*chi(d-3))
		across := math.Hypot(b, rest)
		c2, s2 := toIdentity(live, a/math.Hypot(a, across))
		out[k] = c1*c2 + s1*s2*b/across
	}
	return out
}

func TestRetriesFollowTheClosedForm(t *testing.T) {
	const n, fresh, tries = 10000, 0.3, 3
	random, r := stream(3), rand.New(stream(4))
	var vectors, law [tries]int // sessions whose first k+1 tries all failed
	count := func(failed *[tries]int, scores []float64) {
		for k, s := range scores {
			if s >= threshold {
				return
			}
			failed[k]++
		}
	}
	for range n {
		i := model.Identity(random)
		record := i.Enrol(photoOld, random)
		in := i.Session(livePoor, fresh, random)
		scores := make([]float64, tries)
		for k := range scores {
			scores[k] = cosine(record, in.Capture(random))
		}
		count(&vectors, scores)
		count(&law, session(model.Dimension, photoOld, livePoor, fresh, tries, r))
	}
	first := model.FNMR(threshold, photoOld, livePoor)
	holds(t, "first try, vectors", vectors[0], n, first)
	holds(t, "first try, law", law[0], n, first)
	for k := range tries {
		// Two binomial samples of the same rate.
		p := float64(vectors[k]+law[k]) / (2 * n)
		if z := float64(vectors[k]-law[k]) / math.Sqrt(2*n*p*(1-p)); math.Abs(z) > 3.3 {
			t.Errorf("%d failed tries: %d sessions by vectors, %d by the law (z = %.1f)", k+1, vectors[k], law[k], z)
		}
	}
	if independent := n * math.Pow(first, tries); float64(vectors[tries-1]) < 3*independent {
		t.Errorf("%d sessions failed %d times, which is little more than the %.0f of independent tries", vectors[tries-1], tries, independent)
	}
}

func TestTheQualitiesOfTheScenariosGiveUsualErrorRates(t *testing.T) {
	rate := func(record, live float64) float64 { return model.FNMR(threshold, record, live) }
	if fmr := model.FMR(threshold); fmr > 1e-6 || fmr < 0.9e-6 {
		t.Errorf("FMR %v at %v, want 1e-6", fmr, threshold)
	}
	if got := model.Threshold(1e-6); math.Abs(got-threshold) > 1e-3 {
		t.Errorf("the threshold of 1e-6 is %v", got)
	}
	for name, c := range map[string]struct{ got, low, high float64 }{
		"good capture, half of the photos ten years old": {0.5*rate(photo, live) + 0.5*rate(photoOld, live), 0.003, 0.01},
		"poor capture, recent photo":                     {rate(photo, livePoor), 0.01, 0.06},
		"good capture, old photo":                        {rate(photoOld, live), 0.015, 0.06},
	} {
		if c.got < c.low || c.got > c.high {
			t.Errorf("%s: FNMR %.4f, want %v to %v", name, c.got, c.low, c.high)
		}
	}
	// Rule of three: 3e6 comparisons without a match would be needed to claim
	// 1e-6 at 95 %, which is why the closed form carries that figure.
}

func TestABuiltCaptureHasItsScore(t *testing.T) {
	random := stream(5)
	for k := range 200 {
		record := model.Identity(random).Enrol(photo, random)
		score := -1 + 2*float64(k)/199
		got := cosine(record, CaptureWithScore(record, score, random))
		if math.Abs(got-score) > 1e-6 {
			t.Fatalf("wanted %v, got %v", score, got)
		}
	}
}

func TestBuiltCapturesDifferFromEachOther(t *testing.T) {
	random := stream(6)
	record := model.Identity(random).Enrol(photo, random)
	if CaptureWithScore(record, 0.5, random) == CaptureWithScore(record, 0.5, random) {
		t.Error("the same capture twice")
	}
}

func TestEmbeddingKeepsAngles(t *testing.T) {
	random := stream(7)
	for _, d := range []int{3, 64, 128, 511, 512} {
		a, b := normals(random, d), normals(random, d)
		var want, got float64
		for k := range a {
			want += a[k] * b[k]
		}
		x, y := embed(a), embed(b)
		for k := range x {
			got += x[k] * y[k]
		}
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%d dimensions: %v became %v", d, want, got)
		}
	}
}

func TestAPortraitIsAJPEGThatDiffersFromPersonToPerson(t *testing.T) {
	random := stream(8)
	a, b := Portrait(random), Portrait(random)
	if bytes.Equal(a, b) {
		t.Error("two people look the same")
	}
	if len(a) > 12<<10 {
		t.Errorf("%d bytes are much for a chip", len(a))
	}
	if !bytes.Equal(a, Portrait(stream(8))) {
		t.Error("the same draws give another picture")
	}
}

func BenchmarkEnrol(b *testing.B) {
	random := stream(9)
	i := model.Identity(random)
	for b.Loop() {
		i.Enrol(photo, random)
	}
}

func BenchmarkCaptureWithScore(b *testing.B) {
	random := stream(9)
	t := model.Identity(random).Enrol(photo, random)
	for b.Loop() {
		CaptureWithScore(t, 0.6, random)
	}
}
