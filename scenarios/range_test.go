package scenarios

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func ranges(t *testing.T, s *Scenario) map[string]Range {
	t.Helper()
	all, _ := s.Ranges()
	out := map[string]Range{}
	for _, r := range all {
		out[r.Path] = r
	}
	return out
}

func TestAssumptionsAreNumbersInTheirUnit(t *testing.T) {
	s, err := Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	all := ranges(t, s)
	for _, c := range []struct {
		path, unit       string
		low, value, high float64
	}{
		{"adoption.level", "share", 0.25, 0.45, 0.65},
		{"adoption.innovation", "1/year", 0.0365, 0.0876, 0.1825},
		{"losses.plastic.rate", "1/year", 0.04, 0.06, 0.09},
		{"centres.patience", "s", 20 * 60, 45 * 60, 2 * 3600},
		{"centres.balk_at", "1", 5, 12, 30},
		{"service.demands.face.face", "s", 0.01, 0.05, 0.3},
		{"demand.places[1].ttl", "s", 3600, 12 * 3600, 24 * 3600},
		{"face.threshold", "1", 0.35, 0.405, 0.5},
	} {
		r := all[c.path]
		for _, x := range [][2]float64{{r.Low, c.low}, {r.Value, c.value}, {r.High, c.high}} {
			if math.Abs(x[0]-x[1]) > 1e-12 || r.Unit != c.unit {
				t.Errorf("%s: %v, want %v to %v to %v %s", c.path, r, c.low, c.value, c.high, c.unit)
				break
			}
		}
	}
	if _, there := all["phases[0].from"]; there || len(all) < 100 {
		t.Errorf("%d assumptions, a published date among them: %v", len(all), there)
	}
}

// What a what-if decides must not be drawn anew, or the what-if would be lost.
func TestWhatAScenarioChangesIsHeldAndWhatItMarksItselfIsNot(t *testing.T) {
	s, err := Load("testdata/marked.yaml", []string{"centres.patience=30m"})
	if err != nil {
		t.Fatal(err)
	}
	all := ranges(t, s)
	_, held := s.Ranges()
	for path, want := range map[string]string{"adoption.level": "changed in marked", "centres.patience": "changed by --set", "adoption.by_age": "has no range"} {
		if _, varied := all[path]; varied || held[path] != want {
			t.Errorf("%s: varied %v, held because it %q, want %q", path, varied, held[path], want)
		}
	}
	if r := all["adoption.keen"]; r.Low != 0.001 || r.High != 0.004 {
		t.Errorf("adoption.keen: %v, want the range that this scenario gives", r)
	}
}

// Each end, the middle and odd values between are spelled so that the loader
// reads them as what was said.
func TestEveryValueOfARangeCanBeSet(t *testing.T) {
	for _, name := range builtInNames() {
		s, err := Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := s.YAML()
		all, _ := s.Ranges()
		for _, u := range []float64{-0.5, 0, 0.001, 0.3333, 0.5, 0.77777, 1, 2} {
			var settings []string
			for _, r := range all {
				setting, x := r.Setting(r.Low + u*(r.High-r.Low))
				settings = append(settings, setting)
				wanted := r.Low + min(max(u, 0), 1)*(r.High-r.Low)
				if x < r.Low || x > r.High || math.Abs(x-wanted) > max((r.High-r.Low)/500, 1e-5*wanted, 1) && r.Unit != "s" {
					t.Errorf("%s: %v is rounded to %v", r.Path, wanted, x)
				}
			}
			other, err := s.With(settings...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, r := range all {
				_, x := r.Setting(r.Low + u*(r.High-r.Low))
				_, written, _ := strings.Cut(settings[i], "=")
				if got := r.field.measure(written) / units[r.field.kind].scale; math.Abs(got-x) > 1e-9*math.Abs(x) {
					t.Errorf("%s: %s is %v, said to be %v", r.Path, written, got, x)
				}
			}
			if bytes.Equal(other.YAML(), before) {
				t.Errorf("%s: nothing was set", name)
			}
		}
		same, err := s.With()
		if err != nil || !bytes.Equal(same.YAML(), before) {
			t.Errorf("%s without other values is another scenario: %v", name, err)
		}
	}
}
