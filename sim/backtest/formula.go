package backtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"rollcall.example/rollcall/scenarios"
)

// A formulaOf is an answer that needs no run: arithmetic on the scenario's parameters,
// for the nation and a year, as docs/model.md has it.
type formulaOf func(s *scenarios.Scenario, n *scenarios.Nation, arg []string) (float64, error)

var formulas = map[string]formulaOf{
	// Lost, not found at home, reported, not found again, wanted again.
	"reissued_for_loss": func(s *scenarios.Scenario, n *scenarios.Nation, _ []string) (float64, error) {
		return reissued(s) * residents(n), nil
	},
	// A year before there were chips: lost, damaged or changed, and first cards of a
	// year's seventeen-year-olds.
	"cards_a_year_before": func(s *scenarios.Scenario, n *scenarios.Nation, _ []string) (float64, error) {
		var seventeen float64
		for i := range n.Centres {
			seventeen += float64(n.Centres[i].Age[0])
		}
		return (reissued(s)+365*float64(s.Cards.OtherReissue))*residents(n) + seventeen, nil
	},
	// arg: millions of phones, years.
	"phone_reports": func(s *scenarios.Scenario, _ *scenarios.Nation, arg []string) (float64, error) {
		x, err := numbers(arg, 2)
		return 365 * float64(s.Losses.Phone.Rate) * x[0] * 1e6 * x[1], err
	},
	"phones_found": func(s *scenarios.Scenario, _ *scenarios.Nation, _ []string) (float64, error) {
		return 100 * float64(s.Losses.Phone.Found), nil
	},
	// arg: millions of phones.
	"phones_gone": func(s *scenarios.Scenario, _ *scenarios.Nation, arg []string) (float64, error) {
		x, err := numbers(arg, 1)
		return 365 * float64(s.Losses.Phone.Rate) * x[0] * 1e6 * float64(1-s.Losses.Phone.Found), err
	},
	// The factor of the waves in force on the last days of December.
	"december_phones": func(s *scenarios.Scenario, _ *scenarios.Nation, _ []string) (float64, error) {
		at := time.Date(2024, 12, 30, 12, 0, 0, 0, s.Start.Location())
		f := 1.0
		for _, w := range s.Losses.Waves {
			if !at.Before(w.From.Time) && at.Before(w.From.Add(w.For)) {
				f *= w.Phone
			}
		}
		if f == 1 {
			return 0, fmt.Errorf("announced has no wave of losses in December; --set losses.waves, or a scenario as loss-wave, gives one")
		}
		return 100 * (f - 1), nil
	},
}

func formula(s *scenarios.Scenario, n *scenarios.Nation, t *scenarios.Target) answer {
	words := strings.Fields(t.Measure)
	if len(words) == 0 {
		return answer{why: "it names no formula"}
	}
	f, ok := formulas[words[0]]
	if !ok {
		return answer{why: fmt.Sprintf("there is no formula %q", words[0])}
	}
	v, err := f(s, n, words[1:])
	if err != nil {
		return answer{why: err.Error()}
	}
	return answer{values: []float64{v}}
}

// reissued is a resident's rate of re-issues for loss, a year.
func reissued(s *scenarios.Scenario) float64 {
	l := &s.Losses.Plastic
	return 365 * float64(l.Rate) * float64(1-l.FoundAtHome) * float64(1-l.Found) * float64(l.Reissue)
}

func residents(n *scenarios.Nation) (people float64) {
	for i := range n.Centres {
		people += float64(n.Centres[i].Adults())
	}
	return people
}

func numbers(arg []string, n int) ([]float64, error) {
	out := make([]float64, n)
	if len(arg) != n {
		return out, fmt.Errorf("a formula with %d numbers got %d", n, len(arg))
	}
	for i, a := range arg {
		x, err := strconv.ParseFloat(a, 64)
		if err != nil {
			return out, fmt.Errorf("%q is not a number", a)
		}
		out[i] = x
	}
	return out, nil
}
