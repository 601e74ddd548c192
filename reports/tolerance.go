package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultTolerance is how far a figure may move where nothing is stated.
const DefaultTolerance = "5%"

// Tolerances say how far each figure may move.
type Tolerances struct {
	stated []string
	rest   tolerance
	by     map[string]tolerance // by metric, or by what several begin with
}

// tolerance is a share of BASE's figure, or an amount in the figure's unit.
type tolerance struct {
	share, amount float64
}

func (t tolerance) around(base Num) Num {
	if t.share > 0 && base.Known() {
		return Num(t.share * math.Abs(float64(base)))
	}
	return Num(t.amount)
}

// ParseTolerances reads "5%" or "100" for all figures, and
// "nation.visits.wait_p95_s=2m" or "recovery=10%" for one, or for those below it.
func ParseTolerances(stated []string) (Tolerances, error) {
	t := Tolerances{by: map[string]tolerance{}}
	general := false
	for _, s := range stated {
		metric, written, one := strings.Cut(s, "=")
		if !one {
			metric, written = "", s
		}
		x, err := parseTolerance(metric, strings.TrimSpace(written))
		_, twice := t.by[metric]
		switch {
		case err != nil:
			return t, err
		case twice || !one && general:
			return t, fmt.Errorf("%q: a tolerance for the same figures stands there already (write one)", s)
		case one:
			t.by[metric] = x
		default:
			t.rest, general = x, true
		}
	}
	t.stated = slices.Clone(stated)
	if !general {
		t.stated = append([]string{DefaultTolerance}, t.stated...)
		t.rest, _ = parseTolerance("", DefaultTolerance)
	}
	return t, nil
}

func parseTolerance(metric, s string) (t tolerance, err error) {
	wrong := fmt.Errorf("%q is no tolerance (write 5%%, or 100 in the figure's unit, or 2m for one that is a time)", s)
	if p, ok := strings.CutSuffix(s, "%"); ok {
		x, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return t, wrong
		}
		return tolerance{share: x / 100}, nil
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil && x >= 0 && !math.IsInf(x, 0) {
		return tolerance{amount: x}, nil
	}
	if s == "" {
		return t, wrong
	}
	days := 0.0
	if d, rest, ok := strings.Cut(s, "d"); ok {
		if days, err = strconv.ParseFloat(strings.TrimSpace(d), 64); err != nil {
			return t, wrong
		}
		s = strings.TrimSpace(rest)
	}
	d := time.Duration(0)
	if s != "" {
		if d, err = time.ParseDuration(strings.ReplaceAll(s, " ", "")); err != nil {
			return t, wrong
		}
	}
	seconds := days*86400 + d.Seconds()
	switch {
	case seconds < 0:
		return t, wrong
	case strings.HasSuffix(metric, "_s"):
		return tolerance{amount: seconds}, nil
	case strings.HasSuffix(metric, "_ms"):
		return tolerance{amount: seconds * 1000}, nil
	}
	return t, fmt.Errorf("%q is a time, and belongs to one figure that is a time (write nation.visits.wait_p95_s=%s)", s, s)
}

// of is the tolerance of a metric: the most exact that was stated.
func (t Tolerances) of(metric string) tolerance {
	best, length := t.rest, -1
	for name, x := range t.by {
		if covers(name, metric) && len(name) > length {
			best, length = x, len(name)
		}
	}
	return best
}

func covers(name, metric string) bool {
	return metric == name || strings.HasPrefix(metric, name+".") || strings.HasPrefix(metric, name+"[")
}

// check wants each stated tolerance to be about some figure.
func (t Tolerances) check(known map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(t.by)) {
		of := false
		for metric := range known {
			of = of || covers(name, metric)
		}
		if !of {
			return fmt.Errorf("there is no figure %q to compare (known are %s)", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}
