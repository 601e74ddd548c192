package scenarios

import (
	"math"
	"strings"
	"testing"
)

func TestTargetsOneToTwelveAreThereWithTheirSources(t *testing.T) {
	targets, err := LoadTargets()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, x := range targets {
		seen[x.ID]++
		if x.Source == "" || x.Unit == "" || x.Tolerance.Text == "" || x.Run == "" || x.Measure == "" || x.Value <= 0 {
			t.Errorf("%+v", x)
		}
	}
	for i := 1; i <= 12; i++ {
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
		if x.ID == "T9" && x.Date.Year() >= 2016 && x.Run == "formula" && math.Abs(perYear/x.Value-1) > 0.1 {
			t.Errorf("%.0f cards a year are re-issued for loss; in %d there were %.0f", perYear, x.Date.Year(), x.Value)
		}
	}
	other := float64(s.Cards.OtherReissue) * 365 * adults
	if published := (1_129_811 + 2_072_403) / 4.5; math.Abs(other/published-1) > 0.05 {
		t.Errorf("%.0f cards a year are re-issued for other reasons, published %.0f", other, published)
	}
}

func TestATargetSaysHowFarOffItsAnswerMayLie(t *testing.T) {
	for _, c := range []struct {
		tolerance     string
		answer, error float64 // to a published 100
		holds         bool
	}{
		{"factor 2", 200, 2, true},
		{"factor 2", 49, 100. / 49, false},
		{"10 %", 90, -0.1, true},
		{"10 %", 111, 0.11, false},
		{"5 points", 95, -5, true},
		{"5 points", 106, 6, false},
		{"order of magnitude", 999, 9.99, true},
		{"none", 100, 0, false},
		{"factor 2", math.NaN(), math.NaN(), false},
	} {
		x, err := parseTolerance(c.tolerance)
		if err != nil {
			t.Fatal(err)
		}
		if e := x.Error(100, c.answer); math.Abs(e-c.error) > 1e-12 {
			t.Errorf("%s: %v is off by %v, want %v", c.tolerance, c.answer, e, c.error)
		}
		if x.Holds(100, c.answer) != c.holds {
			t.Errorf("%s: %v holds: %v", c.tolerance, c.answer, !c.holds)
		}
	}
}

func TestATargetOfOnesOwnIsRefusedWithItsPlace(t *testing.T) {
	const head = "target,item,value,unit,date,source,tolerance,mark,run,measure,use\n"
	for _, c := range []struct{ row, want string }{
		{"T1,x,1,people,2025-01-24,s,factor 4,S,announced,holders 31710,fitted", ""},
		{"T1,x,one,people,2025-01-24,s,factor 4,S,announced,holders 31710,fitted", `mine.csv:2:6: value: "one" is not a number`},
		{"T1,x,1,people,2025-13-24,s,factor 4,S,announced,holders 31710,fitted", "mine.csv:2:15: date: "},
		{"T1,x,1,people,2025-01-24,s,roughly,S,announced,holders 31710,fitted", `mine.csv:2:28: tolerance: "roughly" is no tolerance`},
		{"T1,x,1,people,2025-01-24,s,factor 0.5,S,announced,holders 31710,fitted", "is no tolerance"},
		{"T1,x,1,people,2025-01-24,s,none,S,announced,holders 31710,fitted", "needs a tolerance"},
		{"T1,x,1,people,2025-01-24,s,none,S,announced,holders 31710,shown", ""},
		{"T1,x,1,people,2025-01-24,s,5 %,?,announced,holders 31710,shown", `"?" is no mark`},
		{"T1,x,1,people,2025-01-24,s,5 %,S,announced,holders 31710,guessed", `"guessed" is no use`},
	} {
		_, err := ParseTargets("mine.csv", []byte(head+c.row+"\n"))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.row, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.row, err, c.want)
		}
	}
}
