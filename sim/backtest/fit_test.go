package backtest

import (
	"math"
	"testing"
)

// months gives the figures that a law with known parameters would have published.
func months(l law, p []float64, n int) (out []point) {
	for i := range n {
		t := 5 + 40*float64(i)
		out = append(out, point{i, t, l.at(p, t)})
	}
	return out
}

func TestFitsFindTheParametersThatMadeTheFigures(t *testing.T) {
	for _, c := range []struct {
		law  law
		want []float64
		n    int
	}{
		{plainBass(50), []float64{12, 0.0004, 0.006}, 12},
		{pulseBass(50), []float64{2.5, 8, 12, 0.0004, 0.006}, 20},
		{pulseBassCampaign(50, 300), []float64{2.5, 8, 12, 0.0004, 0.006, 3, 25}, 30},
	} {
		got, rmse := c.law.fit(months(c.law, c.want, c.n))
		if rmse > 0.01 {
			t.Errorf("%s: rmse %.4f million of figures without any error", c.law.name, rmse)
		}
		for i, x := range c.law.terms {
			if math.Abs(got[i]/c.want[i]-1) > 0.1 {
				t.Errorf("%s: %s is %.4g, the figures were made with %.4g", c.law.name, x.name, got[i], c.want[i])
			}
		}
	}
}

func TestAPlainLawCannotFollowAPulse(t *testing.T) {
	pulsed := pulseBass(50)
	points := months(pulsed, []float64{4, 5, 12, 0.0001, 0.006}, 12)
	plain := plainBass(50)
	if _, rmse := plain.fit(points); rmse < 0.3 {
		t.Errorf("rmse %.3f", rmse)
	}
}

func TestAParameterThatTheFiguresDoNotHoldSaysSo(t *testing.T) {
	// Growth that has only begun: nothing tells the market.
	l := plainBass(50)
	points := months(law{at: func(_ []float64, t float64) float64 { return 0.001 * math.Exp(0.01*t) }}, nil, 8)
	p, _ := l.fit(points)
	for _, x := range l.parameters(p) {
		if x.Name == "market" && !x.AtLimit {
			t.Errorf("a market of %v is taken for known", x.Value)
		}
	}
}

func TestLawsAreWhatTheyAreCalled(t *testing.T) {
	const reached = 1 - 1/math.E // of a pulse after its mean delay
	bass := []float64{12, 0.0004, 0.006}
	p := append([]float64{2.5, 8}, bass...)
	plain, pulsed, campaign := plainBass(50), pulseBass(50), pulseBassCampaign(50, 300)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"nobody before it opens", pulsed.at(p, 0), 0},
		{"the keen come on top of Bass", pulsed.at(p, 8) - plain.at(bass, 8), 2.5 * reached},
		{"Bass ends at its market", plain.at(bass, 1e5), 12},
		{"a campaign changes nothing before its day", campaign.at(append(p, 3, 25), 300), pulsed.at(p, 300)},
		{"and brings its own after it", campaign.at(append(p, 3, 25), 325) - pulsed.at(p, 325), 3 * reached},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}
