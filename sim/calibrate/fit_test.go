package calibrate

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// covered counts how often an interval held what is true.
type covered struct{ held, of int }

func (c *covered) by(e Estimate, truth float64) {
	c.of++
	if e.Low <= truth && truth <= e.High {
		c.held++
	}
}

// want says that intervals of 95 % held the truth about as often. Those of few
// observations are known to be somewhat narrow.
func (c *covered) want(t *testing.T, what string) {
	t.Helper()
	if share := float64(c.held) / float64(c.of); share < 0.8 {
		t.Errorf("%s: the interval held the truth %d of %d times", what, c.held, c.of)
	}
}

func TestDemandsLieWithinTheirOwnIntervals(t *testing.T) {
	var demands, background covered
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		const operations = 4
		truth := make([]float64, operations)
		for k := range truth {
			truth[k] = math.Exp(r.NormFloat64()) * 1e-3
		}
		idle := 0.02 * r.Float64()
		var rows []Interval
		interval := func(group string, done []float64) {
			i := Interval{Group: group, Seconds: 1, Done: done, Used: idle}
			for k, n := range done {
				i.Used += n * truth[k]
			}
			i.Used *= 1 + 0.03*r.NormFloat64()
			rows = append(rows, i)
		}
		for range 10 {
			interval("idle", make([]float64, operations))
			for k := range operations {
				done := make([]float64, operations)
				done[k] = math.Floor(0.5 / truth[k])
				interval(string(rune('a'+k)), done)
			}
			mixed := make([]float64, operations)
			for k := range mixed {
				mixed[k] = math.Floor(r.Float64() * 0.2 / truth[k])
			}
			interval("mix", mixed)
		}
		d := FitDemands(rows, operations, seed)
		for k := range truth {
			demands.by(d.PerOperation[k], truth[k])
			if off := math.Abs(Off(d.PerOperation[k].Value, truth[k])); off > 0.08 {
				t.Errorf("seed %d: a demand of %.4g s was taken for %.4g s", seed, truth[k], d.PerOperation[k].Value)
			}
		}
		background.by(d.Background, idle)
		if d.R2 < 0.9 {
			t.Errorf("seed %d: demands explain %.2f of what they made", seed, d.R2)
		}
	}
	demands.want(t, "demands")
	background.want(t, "background")
}

// Whatever was measured, nothing takes less than no time.
func TestNoDemandIsBelowZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []Interval
		for range rapid.IntRange(1, 12).Draw(t, "intervals") {
			rows = append(rows, Interval{Group: "g", Seconds: rapid.Float64Range(0.01, 10).Draw(t, "seconds"), Used: rapid.Float64Range(0, 10).Draw(t, "used"),
				Done: rapid.SliceOfN(rapid.Float64Range(0, 1000), 3, 3).Draw(t, "done")})
		}
		for _, v := range leastSquares(rows, 3) {
			if !(v >= 0) || math.IsInf(v, 0) {
				t.Fatalf("a demand of %v", v)
			}
		}
	})
}

func TestScalingLiesWithinItsOwnIntervals(t *testing.T) {
	var single, contention covered
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 8))
		lambda, alpha, beta := 50+400*r.Float64(), 0.02+0.3*r.Float64(), 0.002*r.Float64()
		var all []Throughput
		for _, n := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32} {
			for range 6 {
				all = append(all, Throughput{n, usl([]float64{lambda, alpha, beta}, float64(n)) * (1 + 0.02*r.NormFloat64())})
			}
		}
		s, err := FitScaling(all, seed)
		if err != nil {
			t.Fatal(err)
		}
		single.by(s.Single, lambda)
		contention.by(s.Contention, alpha)
		for _, n := range []float64{1, 5, 32} {
			if off := Off(s.At(n), usl([]float64{lambda, alpha, beta}, n)); math.Abs(off) > 0.05 {
				t.Errorf("seed %d: %.0f callers get %.1f %% more than by the law (%.3g, %.3g, %.3g)", seed, n, 100*off, lambda, alpha, beta)
			}
		}
	}
	single.want(t, "one caller")
	contention.want(t, "contention")
}

func TestScalingNeedsThreeNumbersOfCallers(t *testing.T) {
	for _, all := range [][]Throughput{nil, {{1, 10}, {2, 20}}, {{1, 10}, {2, 0}, {3, 30}}, {{0, 10}, {2, 1}, {3, 30}}} {
		if _, err := FitScaling(all, 1); !errors.Is(err, ErrFewPoints) {
			t.Errorf("%v: %v", all, err)
		}
	}
}

func TestALawIsFoundAgainByWhatItGives(t *testing.T) {
	src := rand.NewPCG(3, 3)
	for _, c := range []struct {
		name         string
		shape, scale float64
		from         interface{ Rand() float64 }
	}{
		{"exponential", 0, 0.004, distuv.Exponential{Rate: 250, Src: src}},
		{"gamma", 5, 0.001, distuv.Gamma{Alpha: 5, Beta: 1000, Src: src}},
		{"lognormal", 0.8, 0.003, distuv.LogNormal{Mu: math.Log(0.003), Sigma: 0.8, Src: src}},
	} {
		times := make([]float64, 2000)
		for i := range times {
			times[i] = c.from.Rand()
		}
		laws, err := FitLaw(times, 1)
		if err != nil {
			t.Fatal(err)
		}
		best := laws[0]
		if c.name == "exponential" && best.Name == "gamma" && math.Abs(best.Shape-1) < 0.1 {
			best = laws[1] // a gamma of shape 1 is one
		}
		if best.Name != c.name || c.shape > 0 && math.Abs(Off(best.Shape, c.shape)) > 0.1 || math.Abs(Off(best.Scale, c.scale)) > 0.1 {
			t.Errorf("%s (%v, %v) was taken for %s (%v, %v)", c.name, c.shape, c.scale, best.Name, best.Shape, best.Scale)
		}
		if best.P < 0.02 || best.Distance > 0.05 {
			t.Errorf("%s: its own law is called unlikely: distance %.3f, p %.2f", c.name, best.Distance, best.P)
		}
		if worst := laws[2]; worst.P > 0.05 && c.name != "gamma" {
			t.Errorf("%s: %s is called likely: distance %.3f, p %.2f", c.name, worst.Name, worst.Distance, worst.P)
		}
	}
}

func TestALawNeedsTimes(t *testing.T) {
	long := make([]float64, 30)
	for i := range long {
		long[i] = 1
	}
	long[3] = 0
	for _, x := range [][]float64{nil, {1, 2, 3}, long} {
		if _, err := FitLaw(x, 1); !errors.Is(err, ErrFewTimes) {
			t.Errorf("%v: %v", x, err)
		}
	}
}
