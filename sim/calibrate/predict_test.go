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

// M/M/1: the time there is exponential, of rate μ−λ.
func TestOneQueueIsPredictedAsTheClosedFormHasIt(t *testing.T) {
	times := make([]float64, 200_000)
	for i := range times {
		times[i] = -math.Log(1 - (float64(i)+0.5)/float64(len(times)))
	}
	const mu, lambda = 1000, 600
	routes := []Route{{Visits: []Visit{{Serve: 1.0 / mu}}, Spread: Spread(times)}}
	_, all := Predict(routes, Load{lambda, []float64{1}}, Station{Servers: 1}, Station{Servers: 1}, 200_000, 1)
	for p, got := range map[float64]float64{0.5: all.P50, 0.95: all.P95, 0.99: all.P99} {
		near(t, "M/M/1", got, -math.Log(1-p)/(mu-lambda), 0.08)
	}
}

// What an operation passes adds up where nobody waits.
func TestALoneOperationTakesTheSumOfItsParts(t *testing.T) {
	r := Route{Visits: []Visit{{Before: 1e-3, Serve: 2e-3, Wait: 3e-3, Read: 4e-3}, {Serve: 5e-3}}, After: 6e-3}
	by, _ := Predict([]Route{r, {}}, Load{0.01, []float64{1, 0}}, Station{Servers: 1}, Station{Servers: 1}, 500, 1)
	near(t, "alone", by[0].P50, 21e-3, 1e-6)
	if !math.IsNaN(by[1].P50) {
		t.Errorf("an operation that never happens takes %v", by[1].P50)
	}
}

// With economy the highest throughput is that of never pausing: beyond the one without
// it, a load is carried.
func TestEconomyRaisesWhatCanBeCarried(t *testing.T) {
	r := []Route{{Visits: []Visit{{Serve: 1e-3}}}}
	load := Load{1200, []float64{1}}
	_, without := Predict(r, load, Station{Servers: 1}, Station{Servers: 1}, 20_000, 1)
	_, with := Predict(r, load, Station{Servers: 1}, Station{Servers: 1, Economy: 0.7}, 20_000, 1)
	if without.P50 < 0.5 || with.P99 > 0.05 {
		t.Errorf("p50 without economy %.3f s (it cannot be carried), p99 with it %.3f s (it can)", without.P50, with.P99)
	}
	near(t, "busy without economy", Busy(1200, 1e-3, Station{Servers: 1}), 1.2, 1e-9)
	near(t, "busy with economy", Busy(1200, 1e-3, Station{Servers: 1, Economy: 0.7}), 1.2*(1-0.3*0.882353), 1e-6)
}

// Pauses of a share f that come by chance, exponential of mean w, to which nobody else
// comes: whoever arrives finds one with probability f, and waits w more.
func TestAPauseIsWaitedForAsTheClosedFormHasIt(t *testing.T) {
	const share, mean = 0.2, 0.05
	r := []Route{{Visits: []Visit{{Serve: 1e-6}}}}
	_, all := Predict(r, Load{2, []float64{1}}, Station{Servers: 1}, Station{Servers: 1, Pauses: Pauses{PerSecond: share / (1 - share) / mean, Mean: mean}}, 100_000, 1)
	if all.P50 > 1e-3 {
		t.Errorf("most wait for nobody: p50 is %v s", all.P50)
	}
	// Pauses queue, too: M/M/1 of load ρ = rate·mean; the wait beyond x has probability ρ·exp(−x(1−ρ)/mean).
	const rho = share / (1 - share)
	for p, got := range map[float64]float64{0.95: all.P95, 0.99: all.P99} {
		near(t, "waiting for a pause", got, mean/(1-rho)*math.Log(rho/(1-p)), 0.08)
	}
}
