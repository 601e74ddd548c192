package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Target is a figure of what really happened, to test the model against, with how
// the model is asked for the same figure.
type Target struct {
	ID        string // "T1" ... "T12"; several figures share one
	Item      string
	Value     float64
	Unit      string
	Date      Moment
	Source    string
	Tolerance Tolerance
	Mark      string // "S", "A" or "derived"

	Run     string // scenario that answers; "formula" or "curve" where none runs
	Measure string // what is measured of it, with its arguments
	Use     Use
}

// Use is what a figure was used for, and so what agreement with it is worth.
type Use string

// The uses.
const (
	Fitted    Use = "fitted"    // parameters were set with it: agreement is calibration
	Predicted Use = "predicted" // nothing was set with it
	Input     Use = "input"     // the scenario states it; the run only carries it through
	Shown     Use = "shown"     // laid beside the model, which does not claim to meet it
)

// Tolerance is how far off an answer may lie.
type Tolerance struct {
	Text string
	Kind ToleranceKind
	By   float64
}

// ToleranceKind is how a tolerance is meant.
type ToleranceKind int

// The kinds.
const (
	NoTolerance ToleranceKind = iota
	ByFactor                  // answer within value / By to value · By
	ByShare                   // answer within value · (1 ± By)
	ByAmount                  // answer within value ± By
)

// Error is how far an answer lies off, in the tolerance's own terms: a factor of at
// least 1, a share, an amount.
func (t Tolerance) Error(value, answer float64) float64 {
	switch t.Kind {
	case ByFactor:
		return max(answer/value, value/answer)
	case ByShare:
		return answer/value - 1
	default:
		return answer - value
	}
}

// Holds says whether an answer lies within.
func (t Tolerance) Holds(value, answer float64) bool {
	e := t.Error(value, answer)
	return t.Kind != NoTolerance && e <= t.By && -e <= t.By // false for a missing answer
}

func parseTolerance(s string) (Tolerance, error) {
	t := Tolerance{Text: s}
	if s == "none" {
		return t, nil
	}
	number := s
	switch {
	case s == "order of magnitude":
		t.Kind, number = ByFactor, "10"
	case strings.HasPrefix(s, "factor "):
		t.Kind, number = ByFactor, strings.TrimPrefix(s, "factor ")
	case strings.HasSuffix(s, " %"):
		t.Kind, number = ByShare, strings.TrimSuffix(s, " %")
	default:
		t.Kind = ByAmount
		number, _, _ = strings.Cut(s, " ")
	}
	by, err := strconv.ParseFloat(number, 64)
	if err != nil || by <= 0 || t.Kind == ByFactor && by <= 1 {
		return t, fmt.Errorf(`%q is no tolerance (write "factor 2", "10 %%", "5 points" or "none")`, s)
	}
	if t.Kind == ByShare {
		by /= 100
	}
	t.By = by
	return t, nil
}

// LoadTargets reads the built-in figures of what really happened.
func LoadTargets() ([]Target, error) {
	const name = "backtest.csv"
	b, err := DataFile(name)
	if err != nil {
		return nil, err
	}
	return ParseTargets(name, b)
}

// ParseTargets reads figures in the form of backtest.csv; file is what errors call
// them.
func ParseTargets(file string, b []byte) ([]Target, error) {
	t, err := parseTable(file, b, "target", "item", "value", "unit", "date", "source", "tolerance", "mark", "run", "measure", "use")
	if err != nil {
		return nil, err
	}
	var out []Target
	for t.next() {
		date, m := parseMoment(t.text(4))
		if m != nil {
			t.failf(4, "%v", m)
		}
		tolerance, err := parseTolerance(t.text(6))
		if err != nil {
			t.failf(6, "%v", err)
		}
		if !slices.Contains([]string{"S", "A", "derived"}, t.text(7)) {
			t.failf(7, "%q is no mark (S, A or derived)", t.text(7))
		}
		use := Use(t.text(10))
		if !slices.Contains([]Use{Fitted, Predicted, Input, Shown}, use) {
			t.failf(10, "%q is no use (fitted, predicted, input or shown)", use)
		}
		if use != Shown && tolerance.Kind == NoTolerance {
			t.failf(6, "a target that the model claims to meet needs a tolerance (or the use shown)")
		}
		out = append(out, Target{t.text(0), t.text(1), t.real(2), t.text(3), date, t.text(5), tolerance, t.text(7), t.text(8), t.text(9), use})
	}
	return out, t.err
}
