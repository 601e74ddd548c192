package selftest

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
)

func people(t testing.TB) *scenarios.Nation {
	t.Helper()
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func named(t testing.TB, name string) *form {
	t.Helper()
	for i := range forms {
		if forms[i].name == name {
			return &forms[i]
		}
	}
	t.Fatalf("there is no form %q", name)
	return nil
}

// Short runs with fixed seeds; `rollcall selftest` makes the long ones.
func TestTheSimulationAgreesWithItsClosedForms(t *testing.T) {
	n := people(t)
	for i := range forms {
		f := &forms[i]
		t.Run(f.name, func(t *testing.T) {
			r, err := f.run(t.Context(), n, f.short, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range f.measure(r) {
				t.Logf("%s: %g, closed form %g, off by %.2f standard errors of %g; %d %s", m.What, m.Measured, m.Expected, m.Deviation(), m.SE, m.N, m.Of)
				if math.Abs(m.Deviation()) > Limit || m.N == 0 || m.SE > 5*m.Wide*m.Expected {
					t.Errorf("%s is off", m.What)
				}
				if m.High > 0 && (m.Low >= m.Measured || m.High <= m.Measured) {
					t.Errorf("%s: %g lies outside %g to %g", m.What, m.Measured, m.Low, m.High)
				}
			}
			for _, m := range conservation(r) {
				if m.Measured != m.Expected {
					t.Errorf("%s: %.0f, not %.0f", m.What, m.Measured, m.Expected)
				}
			}
		})
	}
}

// Each form sees an error of a few per cent in what the engine is told.
func TestAPlantedErrorShows(t *testing.T) {
	n := people(t)
	for _, c := range []struct {
		form    string
		planted string
	}{
		{"M/M/1", "centres.other_business=32/day"},
		{"M/M/3", "centres.counters={\"3611039000\": 4}"},
		{"M/M/3+M", "centres.patience=48s"},
		{"M/D/1", "centres.other_service.mean=1010ms"},
		{"M/G/1", "centres.other_service.cv=0.7"},
		{"M_t/G/∞", "centres.other_service.mean=48m"},
		{"diffusion", "adoption.imitation=0.16/day"},
		{"losses", "losses.plastic.rate=55%/year"},
		{"exposure", "status_lists.publish_interval=50m"},
		{"face", "face.photo={17: 0.37, 30: 0.37, 50: 0.37, 70: 0.37}"},
	} {
		f := named(t, c.form)
		r, err := f.run(t.Context(), n, f.short, []string{c.planted})
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for _, m := range f.measure(r) {
			worst = max(worst, math.Abs(m.Deviation()))
		}
		t.Logf("%s with %s: off by %.1f standard errors", c.form, c.planted, worst)
		if worst <= Limit {
			t.Errorf("%s does not notice %s", c.form, c.planted)
		}
	}
}

func TestAMeasureHoldsOnlyIfItCouldFail(t *testing.T) {
	good := Measure{Expected: 10, Measured: 10.2, SE: 0.1, N: 100, Wide: 0.02}
	for _, c := range []struct {
		name   string
		change func(*Measure)
		holds  bool
	}{
		{"two standard errors off", func(*Measure) {}, true},
		{"four standard errors off", func(m *Measure) { m.Measured = 10.4 }, false},
		{"nothing observed", func(m *Measure) { m.N = 0 }, false},
		{"an error so wide that all would hold", func(m *Measure) { m.SE = 1 }, false},
		{"exact and equal", func(m *Measure) { m.SE, m.Measured = 0, 10 }, true},
		{"exact and not equal", func(m *Measure) { m.SE = 0 }, false},
		{"not a number", func(m *Measure) { m.Measured = math.NaN() }, false},
	} {
		m := good
		if c.change(&m); m.Holds() != c.holds {
			t.Errorf("%s: holds is %v", c.name, m.Holds())
		}
	}
}

func TestTheTableNamesWhatIsOff(t *testing.T) {
	results := []Result{{Form: "M/M/1", Seconds: 1.25, Measures: []Measure{
		{What: "mean wait", Unit: "s", Expected: 2.32154, Measured: 2.33, SE: 0.011, N: 3629942, Of: "customers", Wide: 0.02},
		{What: "share who wait", Unit: "%", Expected: 70, Measured: 71, SE: 0.06, N: 3629942, Of: "customers", Wide: 0.02},
	}}}
	var b bytes.Buffer
	if err := Print(&b, results, time.Second); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2.322 s", "+0.77", "3,629,942 customers, 1.2 s", "OFF", "1 of 2 hold"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
	if off := Failed(results); len(off) != 1 || !strings.Contains(off[0], "share who wait") {
		t.Errorf("%q", off)
	}
}
