package scenarios

import (
	"bytes"
	"slices"
	"testing"
)

func TestParametersAreNamedAsSettingsNameThem(t *testing.T) {
	s, err := Load("six-hour-outage", []string{"faults.outage.for=2h", "centres.counters.KR-26=4", "adoption.level=41%"})
	if err != nil {
		t.Fatal(err)
	}
	all := s.Parameters()
	for path, want := range map[string]string{"faults.outage.for": "2h", "centres.counters.KR-26": "4", "adoption.level": "41%", "seed": "1"} {
		i := slices.IndexFunc(all, func(p Parameter) bool { return p.Path == path })
		if i < 0 {
			t.Errorf("%s is missing", path)
		} else if all[i].Value != want {
			t.Errorf("%s is %s, want %s", path, all[i].Value, want)
		}
	}
	seen := map[string]bool{}
	for _, p := range all {
		if seen[p.Path] {
			t.Errorf("%s stands there twice", p.Path)
		}
		seen[p.Path] = true
	}
}

// Whatever a scenario writes, its parameters hold: they differ where the files do.
func TestScenariosDifferInAParameterIfTheirFilesDo(t *testing.T) {
	names := builtInNames()
	for i, a := range names {
		for _, b := range names[i+1:] {
			x, err := Load(a, nil)
			if err != nil {
				t.Fatal(err)
			}
			y, err := Load(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			y.Title, y.Description = x.Title, x.Description
			if same := slices.Equal(x.Parameters(), y.Parameters()); same != bytes.Equal(x.YAML(), y.YAML()) {
				t.Errorf("%s and %s: the same parameters: %v, the same file: %v", a, b, same, !same)
			}
		}
	}
}
