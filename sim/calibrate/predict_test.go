package calibrate

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if off := Off(got, want); !(math.Abs(off) <= within) {
		t.Errorf("%s: %.5g, by the closed form %.5g (%+.1f %%)", what, got, want, 100*off)
	}
}

// served are ways of one request each, which takes so long of the service.
func served(seconds ...float64) (ways []Way) {
	for _, s := range seconds {
		ways = append(ways, Way{Visits: []Visit{{Serve: s}}})
	}
	return ways
}

// exponential are times of that law, of a mean, at even shares.
func exponential(mean float64, n int) (times []float64) {
	for i := range n {
		times = append(times, -mean*math.Log(1-(float64(i)+0.5)/float64(n)))
	}
	return times
}

var (
	one  = Station{Servers: 1}
	only = []float64{1}
)

// M/M/1: the time there is exponential, of rate μ−λ.
func TestOneQueueIsPredictedAsTheClosedFormHasIt(t *testing.T) {
	const mu, lambda = 1000, 600
	_, all := Predict([][]Way{served(exponential(1.0/mu, 50_000)...)}, Load{lambda, only}, one, one, 50_000, 1)
	for p, got := range map[float64]float64{0.5: all.P50, 0.95: all.P95, 0.99: all.P99} {
		near(t, "M/M/1", got, -math.Log(1-p)/(mu-lambda), 0.08)
	}
}

// M/D/1: whoever comes waits for nobody with probability 1−ρ, and less than one service
// time D with probability (1−ρ)·exp(ρ) (Erlang). So at ρ = 0.6 more than half, and fewer
// than three quarters, are done within 2·D; with half the pace ρ is 0.3, and more are.
func TestAServiceThatAlwaysTakesAsLongIsPredictedAsTheClosedFormHasIt(t *testing.T) {
	const d, rho = 1e-3, 0.6
	_, all := Predict([][]Way{served(d)}, Load{rho / d, only}, one, one, 50_000, 1)
	within := func(rho, t float64) float64 { // P(wait <= t), t <= D
		return (1 - rho) * math.Exp(rho*t/d)
	}
	near(t, "M/D/1", within(rho, all.P50-d), 0.5, 0.02)
	half := one
	half.Pace = 0.5
	_, all = Predict([][]Way{served(2 * d)}, Load{rho / d, only}, one, half, 50_000, 1)
	near(t, "M/D/1 at half the pace", within(rho, all.P50-d), 0.5, 0.02)
}

// What an operation passes adds up where nobody waits; what is done behind it or aside
// does not.
func TestALoneOperationTakesTheSumOfItsParts(t *testing.T) {
	w := Way{Visits: []Visit{{Before: 1e-3, Serve: 2e-3, Wait: 3e-3, Read: 4e-3}, {Serve: 5e-3, Behind: 1, Aside: 1}}, After: 6e-3}
	by, _ := Predict([][]Way{{w}, nil}, Load{0.001, []float64{1, 0}}, Station{Servers: 2}, one, 500, 1)
	near(t, "alone", by[0].P50, 21e-3, 1e-6)
	if !math.IsNaN(by[1].P50) {
		t.Errorf("an operation that never happens takes %v", by[1].P50)
	}
}

// Work for which nobody waits keeps the processor from the next ones.
func TestWorkBehindAnAnswerIsWaitedForByTheNext(t *testing.T) {
	way := Way{Visits: []Visit{{Serve: 0.5e-3}}}
	load := Load{900, only}
	_, without := Predict([][]Way{{way}}, load, one, one, 20_000, 1)
	way.Visits[0].Behind = 0.7e-3 // 108 % together
	_, with := Predict([][]Way{{way}}, load, one, one, 20_000, 1)
	if without.P99 > 0.01 || with.P50 < 0.3 {
		t.Errorf("p99 of what can be carried %.3f s, p50 of what cannot %.3f s", without.P99, with.P50)
	}
}

// Waiting for the disk is no load: as many wait at once as there are (M/G/∞), and the
// processor serves others meanwhile.
func TestWhoWaitsForTheDiskKeepsTheProcessorFromNobody(t *testing.T) {
	way := Way{Visits: []Visit{{Serve: 1e-6, Wait: 20e-3}}}
	_, all := Predict([][]Way{{way}}, Load{1000, only}, one, one, 20_000, 1)
	near(t, "p50 of a wait", all.P50, 20e-3, 0.01)
	near(t, "p99 of a wait", all.P99, 20e-3, 0.01)
}

// A pace above one makes a load that could be carried one that cannot.
func TestAPaceChangesWhatCanBeCarried(t *testing.T) {
	load := Load{900, only}
	_, fast := Predict([][]Way{served(1e-3)}, load, one, Station{Servers: 1, Pace: 0.7}, 20_000, 1)
	_, slow := Predict([][]Way{served(1e-3)}, load, one, Station{Servers: 1, Pace: 1.2}, 20_000, 1)
	if fast.P99 > 0.01 || slow.P50 < 0.5 {
		t.Errorf("p99 at 63 %% %.3f s, p50 at 108 %% %.3f s", fast.P99, slow.P50)
	}
	near(t, "half of it busy with something else", func() float64 {
		_, all := Predict([][]Way{served(1e-3)}, Load{0.1, only}, one, Station{Servers: 1, Background: 0.5}, 100, 1)
		return all.P50
	}(), 2e-3, 1e-6)
}

// Pauses of a share f that come by chance, exponential of mean w, to which nobody else
// comes: they queue, M/M/1 of load ρ = rate·mean; the wait beyond x has probability
// ρ·exp(−x(1−ρ)/mean).
func TestAPauseIsWaitedForAsTheClosedFormHasIt(t *testing.T) {
	const rho, mean = 0.25, 0.05
	pausing := one
	pausing.Pauses = Pauses{PerSecond: rho / mean, Lengths: exponential(mean, 10_000)}
	_, all := Predict([][]Way{served(1e-6)}, Load{2, only}, one, pausing, 40_000, 1)
	if all.P50 > 1e-3 {
		t.Errorf("most wait for nobody: p50 is %v s", all.P50)
	}
	for p, got := range map[float64]float64{0.95: all.P95, 0.99: all.P99} {
		near(t, "waiting for a pause", got, mean/(1-rho)*math.Log(rho/(1-p)), 0.08)
	}
}
