package statistics

import (
	"math"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// erlangC is the probability of a wait and its mean, in units of the mean service
// time, for Poisson arrivals at an offered load of a before c servers.
func erlangC(c int, a float64) (wait, mean float64) {
	b := 1.0
	for k := 1; k <= c; k++ { // Erlang B by its recursion
		b = a * b / (float64(k) + a*b)
	}
	rho := a / float64(c)
	wait = b / (1 - rho*(1-b))
	return wait, wait / (float64(c) - a)
}

// Whoever holds a queue to Erlang C needs nothing but the scenario and the result:
// the rate is other_business for each resident of the centre, and result.json says
// how many came, how many waited, and how long.
func TestOtherBusinessOfASingleCentreIsErlangC(t *testing.T) {
	s, err := scenarios.Load("../selftest/erlang-c-3.yaml", []string{"end=2025-03-29"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	o, err := nation.Run(t.Context(), s, n, rollout.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	filled := &reports.Result{}
	Fill(filled, o, nil)
	written, err := reports.Encode(filled)
	if err != nil {
		t.Fatal(err)
	}
	r, err := reports.Decode(written)
	if err != nil {
		t.Fatal(err)
	}

	const openDays = 15 // three weeks without their weekends
	x := r.Nation.Other
	perDay := float64(s.Centres.OtherBusiness) * float64(r.Nation.Citizens)
	if got := float64(x.Count) / (openDays * perDay); math.Abs(got-1) > 0.01 {
		t.Errorf("%d customers are %.3f of the rate", x.Count, got)
	}
	if x.Served+x.Left != x.Count || x.Left > x.Count/10_000 || r.Nation.Visits.Count != 0 { // a few stand there at midnight
		t.Errorf("%+v, and %d visits", x, r.Nation.Visits.Count)
	}
	service := s.Centres.OtherService.Mean.Seconds()
	wait, mean := erlangC(3, perDay/86400*service)
	t.Logf("%d customers: P(wait) %.4f, by Erlang C %.4f; mean %.4f s, %.4f", x.Count, x.WaitedShare, wait, x.WaitMean, mean*service)
	if !(math.Abs(float64(x.WaitedShare)/wait-1) <= 0.02) { // none is wrong, too
		t.Errorf("%.4f of the customers waited, by Erlang C %.4f", x.WaitedShare, wait)
	}
	if got := float64(x.WaitMean) / (mean * service); !(math.Abs(got-1) <= 0.04) {
		t.Errorf("they waited %.4f s on average, by Erlang C %.4f s", x.WaitMean, mean*service)
	}
}
