package backtest

import (
	"math"

	"gonum.org/v1/gonum/optimize"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

// A term is a parameter of a law: what it may be.
type term struct {
	name, unit string
	low, high  float64
}

// A law is a curve of users over time with parameters to fit.
type law struct {
	name  string
	terms []term
	at    func(p []float64, days float64) float64
}

// plainBass is the diffusion of the model without a pulse (Bass 1969). market is
// the largest number of users that there can be, in millions.
func plainBass(market float64) law {
	return law{"Bass", []term{
		{"market", "million", market / 50, market},
		{"innovation", "per day", 1e-7, 0.02},
		{"imitation", "per day", 1e-6, 0.05},
	}, func(p []float64, t float64) float64 { return p[0] * rollout.BassShare(t, p[1], p[2]) }}
}

// pulseBass is the model's form of adoption: a pulse of the keen and Bass diffusion.
func pulseBass(market float64) law {
	return law{"pulse + Bass", []term{
		{"keen", "million", 1e-4, market},
		{"keen_decay", "days", 1, 90},
		{"market", "million", market / 50, market},
		{"innovation", "per day", 1e-7, 0.02},
		{"imitation", "per day", 1e-6, 0.05},
	}, func(p []float64, t float64) float64 {
		return pulse(t, p[0], p[1]) + p[2]*rollout.BassShare(t, p[3], p[4])
	}}
}

// pulseBassCampaign has a second pulse from the day of a campaign on.
func pulseBassCampaign(market, campaign float64) law {
	l := pulseBass(market)
	calm, n := l.at, len(l.terms)
	l.name += " + campaign"
	l.terms = append(l.terms, term{"campaign", "million", 1e-4, market}, term{"campaign_decay", "days", 1, 90})
	l.at = func(p []float64, t float64) float64 { return calm(p, t) + pulse(t-campaign, p[n], p[n+1]) }
	return l
}

func pulse(t, size, decay float64) float64 {
	if t <= 0 {
		return 0
	}
	return size * (1 - math.Exp(-t/decay))
}

// fit finds the parameters with the least squares, from several starts, so that a
// valley on the way does not hold it. A parameter moves on a logarithmic scale
// within its limits: p = low · (high/low)^((1 + sin x)/2).
func (l *law) fit(points []point) (p []float64, rmse float64) {
	inside := func(x []float64) []float64 {
		p := make([]float64, len(x))
		for i, t := range l.terms {
			p[i] = t.low * math.Pow(t.high/t.low, (1+math.Sin(x[i]))/2)
		}
		return p
	}
	problem := optimize.Problem{Func: func(x []float64) float64 {
		p := inside(x)
		var sum float64
		for _, q := range points {
			d := l.at(p, q.days) - q.millions
			sum += d * d
		}
		return sum
	}}
	best := math.Inf(1)
	for start := range 24 {
		x := make([]float64, len(l.terms))
		for i := range x { // points of a lattice: the same at every run
			x[i] = math.Pi * (math.Mod(float64(start+1)*lattice[i], 1) - 0.5)
		}
		for range 3 { // a simplex that has shrunk too soon begins anew where it is
			r, err := optimize.Minimize(problem, x, &optimize.Settings{FuncEvaluations: 6000}, &optimize.NelderMead{})
			if r == nil || err != nil && math.IsNaN(r.F) {
				break
			}
			x = r.X
			if r.F < best {
				best, p = r.F, inside(r.X)
			}
		}
	}
	return p, math.Sqrt(best / float64(len(points)))
}

// lattice are the fractional parts of the square roots of primes.
var lattice = [...]float64{0.41421356, 0.73205081, 0.23606798, 0.64575131, 0.31662479, 0.60555128, 0.12310563}

func (l *law) parameters(p []float64) []reports.BacktestFitted {
	out := make([]reports.BacktestFitted, len(p))
	for i, t := range l.terms {
		at := math.Log(p[i]/t.low) / math.Log(t.high/t.low)
		out[i] = reports.BacktestFitted{Name: t.name, Value: reports.Significant(p[i]), Unit: t.unit, AtLimit: at < 0.02 || at > 0.98}
	}
	return out
}
