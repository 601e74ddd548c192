package rng

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// Known answers for philox4x32 with ten rounds, from Random123's kat_vectors.
func TestPhiloxGivesTheKnownAnswersOfRandom123(t *testing.T) {
	const f = 0xffffffff
	for _, v := range []struct {
		ctr  Block
		key  [2]uint32
		want Block
	}{
		{Block{}, [2]uint32{}, Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{Block{f, f, f, f}, [2]uint32{f, f}, Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{Block{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Philox4x32(v.ctr, v.key); got != v.want {
			t.Errorf("philox4x32-10(%08x, %08x) = %08x, want %08x", v.ctr, v.key, got, v.want)
		}
	}
}

func TestADrawDependsOnSeedSubjectPurposeAndOccurrence(t *testing.T) {
	seen := map[Block]bool{}
	n := 0
	for seed := range uint64(3) {
		for subject := range uint32(5) {
			for p := range Purpose(5) {
				for k := range uint32(5) {
					b := New(seed).Draw(subject, p, k)
					if b != New(seed).Draw(subject, p, k) {
						t.Fatal("the same draw differs")
					}
					seen[b] = true
					n++
				}
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d different blocks of %d draws", len(seen), n)
	}
}

func TestAStreamBeginsWithItsDraw(t *testing.T) {
	s := New(7).Stream(1, 2, 3)
	want := New(7).Draw(1, 2, 3)
	for i := range want {
		if got := s.Uint32(); got != want[i] {
			t.Errorf("word %d = %08x, want %08x", i, got, want[i])
		}
	}
	var _ rand.Source = s
}

// The sample mean and variance of each law stand within three standard errors.
func TestVariatesHaveTheirMoments(t *testing.T) {
	const n = 200_000
	src := New(1)
	laws := []struct {
		name           string
		draw           func(uint32) float64
		mean, variance float64
	}{
		{"uniform", Uniform, 0.5, 1.0 / 12},
		{"exponential", Exp, 1, 1},
		{"normal", Normal, 0, 1},
		{"poisson 3", func(w uint32) float64 { return float64(Poisson(w, 3)) }, 3, 3},
		{"poisson 900", func(w uint32) float64 { return float64(Poisson(w, 900)) }, 900, 900},
	}
	for p, law := range laws {
		var sum, sq float64
		for i := range uint32(n) {
			x := law.draw(src.Draw(i, Purpose(p), 0)[0])
			sum += x
			sq += (x - law.mean) * (x - law.mean)
		}
		if d := math.Abs(sum/n-law.mean) / math.Sqrt(law.variance/n); d > 3 {
			t.Errorf("%s: mean %g is %.1f standard errors from %g", law.name, sum/n, d, law.mean)
		}
		if v := sq / n; math.Abs(v/law.variance-1) > 0.03 {
			t.Errorf("%s: variance %g, want %g", law.name, v, law.variance)
		}
	}
}

func TestPoissonInversionAgreesWithGonum(t *testing.T) {
	d := distuv.Poisson{Lambda: 12}
	for i := range uint32(1000) {
		w := New(2).Draw(i, 0, 0)[0]
		k := Poisson(w, 12)
		u := Uniform(w)
		if u > d.CDF(float64(k))+1e-9 || (k > 0 && u < d.CDF(float64(k-1))-1e-9) {
			t.Fatalf("quantile of %g is not %d", u, k)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	src := New(1)
	var x uint32
	for i := range b.N {
		x ^= src.Draw(uint32(i), 1, 2)[0]
	}
	sink = x
}

var sink uint32

func TestExpIsTheLogarithm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := []uint32{0, 1, 2, 3, 1<<31 - 1, 1 << 31, 1<<32 - 2, 1<<32 - 1}
	for range 1_000_000 {
		words = append(words, r.Uint32()>>r.UintN(32))
	}
	for _, w := range words {
		if got, want := Exp(w), -math.Log(Uniform(w)); math.Abs(got-want) > 1e-11 || got <= 0 {
			t.Fatalf("Exp(%d) = %g, want %g", w, got, want)
		}
	}
}
