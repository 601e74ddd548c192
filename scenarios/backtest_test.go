package scenarios

import (
	"math"
	"testing"
)

func TestTargetsOneToElevenAreThereWithTheirSources(t *testing.T) {
	targets, err := LoadTargets()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, x := range targets {
		seen[x.ID]++
		if x.Source == "" || x.Unit == "" || x.Tolerance == "" || x.Value <= 0 {
			t.Errorf("%+v", x)
		}
	}
	for i := 1; i <= 11; i++ {
		if seen["T"+itoa(i)] == 0 {
			t.Errorf("nothing of T%d", i)
		}
	}
}

// The base rates of announced give the published numbers of cards.
func TestLossRatesGiveThePublishedReissues(t *testing.T) {
	s := load(t, "announced")
	const adults = 44_765_276
	l := s.Losses.Plastic
	perYear := float64(l.Rate) * 365 * adults * float64(1-l.FoundAtHome) * float64(1-l.Found) * float64(l.Reissue)
	targets, err := LoadTargets()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range targets {
		if x.ID == "T9" && x.Date.Year() >= 2016 && math.Abs(perYear/x.Value-1) > 0.1 {
			t.Errorf("%.0f cards a year are re-issued for loss; in %d there were %.0f", perYear, x.Date.Year(), x.Value)
		}
	}
	other := float64(s.Cards.OtherReissue) * 365 * adults
	if published := (1_129_811 + 2_072_403) / 4.5; math.Abs(other/published-1) > 0.05 {
		t.Errorf("%.0f cards a year are re-issued for other reasons, published %.0f", other, published)
	}
}
