package scenarios

import (
	"path"
	"slices"
)

// Target is a figure of what really happened, to test the model against.
type Target struct {
	ID        string // "T1" ... "T11"; several figures share one
	Item      string
	Value     float64
	Unit      string
	Date      Moment
	Source    string
	Tolerance string // "factor 4", "10 %", "5 points", ...
	Mark      string // "S", "A" or "derived"
}

// LoadTargets reads the built-in figures of what really happened.
func LoadTargets() ([]Target, error) {
	t, err := openTable(dataFiles, path.Join("data", "backtest.csv"),
		"target", "item", "value", "unit", "date", "source", "tolerance", "mark")
	if err != nil {
		return nil, err
	}
	var out []Target
	for t.next() {
		date, m := parseMoment(t.text(4))
		if m != nil {
			t.failf(4, "%v", m)
		}
		if !slices.Contains([]string{"S", "A", "derived"}, t.text(7)) {
			t.failf(7, "%q is no mark (S, A or derived)", t.text(7))
		}
		out = append(out, Target{t.text(0), t.text(1), t.real(2), t.text(3), date, t.text(5), t.text(6), t.text(7)})
	}
	return out, t.err
}
