package scenarios

import (
	"math"
	"reflect"
	"strconv"
	"time"
)

// Range is an assumption as numbers: a parameter that is marked A, its value and
// the plausible range that stands beside it.
type Range struct {
	Path             string
	Unit             string // "share", "1/year", "s", "KRW" or "1"
	Value, Low, High float64
	field            *field
}

// Ranges returns the assumptions of a scenario that can be varied, in the order
// of the file, and the paths of those that cannot, with the reason. A value that
// a scenario or a setting has put in place of the one with the range is a decision
// and stays: else a what-if that changes it would not differ from its base.
func (s *Scenario) Ranges() (ranges []Range, held map[string]string) {
	held = map[string]string{}
	for _, a := range s.Assumptions {
		f := fieldAt(a.Path)
		unit, numeric := units[f.kind]
		switch {
		case a.Mark != "A":
		case a.Path == "centres.counter_wage":
			held[a.Path] = "moves no figure of a run"
		case a.Changed:
			held[a.Path] = a.Source
		case a.Low == "" || !numeric:
			held[a.Path] = "has no range"
		case f.measure(a.Low) == f.measure(a.High):
			held[a.Path] = "its range is one value"
		default:
			k := unit.scale
			ranges = append(ranges, Range{a.Path, unit.name, f.measure(a.Value) / k, f.measure(a.Low) / k, f.measure(a.High) / k, f})
		}
	}
	return ranges, held
}

// units are those in which a Range is told, and what the loader's own are of them.
var units = map[kind]struct {
	name  string
	scale float64
}{
	integer: {"1", 1}, number: {"1", 1}, share: {"share", 1}, won: {"KRW", 1},
	rate: {"1/year", 1.0 / 365}, duration: {"s", float64(time.Second)},
}

// Setting writes a value as one for Load and Parse, rounded to what the parameter
// can be, but not out of its range, and says what it came to.
func (r Range) Setting(x float64) (setting string, rounded float64) {
	f := r.field
	x = min(max(x, r.Low), r.High)
	switch f.kind {
	case integer, won:
		x = math.Round(x)
	case duration:
		step := r.step().Seconds()
		x = math.Round(x/step) * step
		if x > r.High {
			x -= step
		}
		if x < r.Low {
			x += step
		}
	default:
		x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
		x = min(max(x, r.Low), r.High)
	}
	var written string
	switch f.kind {
	case rate:
		written = strconv.FormatFloat(x, 'g', -1, 64) + "/year"
	case duration:
		written = formatDuration(time.Duration(math.Round(x * float64(time.Second))))
	case integer, won:
		written = f.format(reflect.ValueOf(int64(x)))
	default:
		written = f.format(reflect.ValueOf(x))
	}
	return r.Path + "=" + written, x
}

// step is the largest round duration that still divides a range into a thousand,
// or the unit in which the model counts where that is larger.
func (r Range) step() time.Duration {
	if u, ok := wholeUnits[everyIndex.ReplaceAllString(r.Path, "[]")]; ok && u > time.Millisecond {
		return u
	}
	fine := (r.High - r.Low) / 1000
	for _, step := range []time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond} {
		if step.Seconds() <= fine {
			return step
		}
	}
	return time.Microsecond
}

// fieldAt is the field of a path that the loader made.
func fieldAt(path string) *field {
	segments, m := splitPath(path)
	if m != nil {
		panic("scenarios: " + m.Error())
	}
	f := scenarioFields()
	for _, s := range segments {
		if f.kind == section {
			f = f.child(s.key)
		} else {
			f = f.elem
		}
	}
	return f
}

// With returns the scenario with other values for some parameters, checked as
// when it was loaded. Marks and sources are not kept.
func (s *Scenario) With(settings ...string) (*Scenario, error) {
	return Parse(s.Name+".yaml", s.YAML(), settings)
}
