package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Figures are what a file in the Go benchmark format says: by benchmark and unit,
// one value for each count.
type Figures map[string]map[string][]float64

// maxFile and maxLine limit a file of figures.
const (
	maxFile = 16 << 20
	maxLine = 64 << 10
)

// Read reads figures. Lines that are none are passed over, as benchstat does; a line
// that begins as one and is broken is an error.
func Read(r io.Reader) (Figures, error) {
	all := Figures{}
	lines := bufio.NewScanner(io.LimitReader(r, maxFile+1))
	lines.Buffer(nil, maxLine)
	size := 0
	for n := 1; lines.Scan(); n++ {
		if size += len(lines.Bytes()) + 1; size > maxFile {
			return nil, fmt.Errorf("it is larger than %d MiB", maxFile>>20)
		}
		if !bytes.HasPrefix(lines.Bytes(), []byte("Benchmark")) {
			continue
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue // go test says so when it begins one
		}
		wrong := func(what string) error { return fmt.Errorf("line %d: %s", n, what) }
		if _, err := strconv.ParseUint(fields[1], 10, 63); err != nil || len(fields)%2 != 0 {
			return nil, wrong("this is no line of a benchmark (name, count, then values with their units)")
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i >= 0 { // the number of processors
			if _, err := strconv.ParseUint(name[i+1:], 10, 31); err == nil {
				name = name[:i]
			}
		}
		if all[name] == nil {
			all[name] = map[string][]float64{}
		}
		for i := 2; i < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return nil, wrong(fmt.Sprintf("%.40q is no value", fields[i]))
			}
			all[name][fields[i+1]] = append(all[name][fields[i+1]], v)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
	} else if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no figures in the Go benchmark format")
	}
	return all, nil
}

// judged are the units that are compared: those that another machine, or a busier
// one, changes little.
var judged = []string{"x-floor", "allocs/op"}

// Change is what became of a figure.
type Change struct {
	Name, Unit  string  // Unit is empty where a benchmark is Gone or New that has no figure which is compared
	Before, Now float64 // medians; NaN on the side that has none
	// Low and High bound the ratio of now to before with 95 % confidence; unless
	// there are too few counts for that (Known).
	Low, High float64
	Known     bool
	Worse     bool // beyond the tolerance, with that confidence
	Gone, New bool // only before, or only now: there is nothing to compare it with
}

// ErrNothing: two files have nothing in common.
var ErrNothing = errors.New("the two have no figure in common that is compared (x-floor, allocs/op)")

// Compare compares what both have, and names what only one of them has. A figure is worse if
// even the lower bound of its ratio is above 1 + tolerance: what chance may have done is not
// held against it.
func Compare(before, now Figures, tolerance float64) ([]Change, error) {
	var all []Change
	common := false
	for name := range union(before, now) {
		units := 0
		for _, unit := range judged {
			a, b := before[name][unit], now[name][unit]
			if len(a) == 0 && len(b) == 0 {
				continue
			}
			units++
			c := Change{Name: name, Unit: unit, Before: median(a), Now: median(b), Gone: len(b) == 0, New: len(a) == 0}
			if !c.Gone && !c.New {
				common = true
				c.Low, c.High, c.Known = ratio(a, b)
				c.Worse = c.Known && c.Low > 1+tolerance
			}
			all = append(all, c)
		}
		if gone, begun := now[name] == nil, before[name] == nil; units == 0 && (gone || begun) {
			all = append(all, Change{Name: name, Before: math.NaN(), Now: math.NaN(), Gone: gone, New: begun})
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Unit, a.Unit)) })
	if !common {
		return nil, ErrNothing
	}
	return all, nil
}

// union are the benchmarks of both.
func union(before, now Figures) map[string]bool {
	names := map[string]bool{}
	for _, f := range []Figures{before, now} {
		for name := range f {
			names[name] = true
		}
	}
	return names
}

// Figure is how a change is named: "Card/mdoc/Issue (x-floor)".
func (c *Change) Figure() string {
	if c.Unit == "" {
		return c.Name
	}
	return c.Name + " (" + c.Unit + ")"
}

// median of nothing is no number.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio is the interval of the ratio between two samples at 95 %, from the ranks of
// all pairs (Hodges and Lehmann; Mann and Whitney): nothing is assumed of how figures
// scatter, only that both scatter alike.
func ratio(before, now []float64) (low, high float64, known bool) {
	if len(before) > maxCounts || len(now) > maxCounts {
		before, now = before[:min(len(before), maxCounts)], now[:min(len(now), maxCounts)]
	}
	var pairs []float64
	for _, a := range before {
		for _, b := range now {
			switch {
			case a == b:
				pairs = append(pairs, 1) // 0 and 0, too
			default:
				pairs = append(pairs, b/a) // after 0: without bound
			}
		}
	}
	slices.Sort(pairs)
	k := cut(len(before), len(now))
	if k == 0 {
		return 0, math.Inf(1), false
	}
	return pairs[k-1], pairs[len(pairs)-k], true
}

// maxCounts is how many counts of a benchmark are looked at.
const maxCounts = 50

// cut is how many of the smallest (and of the largest) pairs are left out, but for the last of
// them: the most for which the statistic U of Mann and Whitney is below it with a
// probability of at most 2.5 %; 0: there are too few.
func cut(m, n int) int {
	// ways[i][u]: in how many ways i of the first sample lie so that U is u.
	ways := make([][]float64, m+1)
	for i := range ways {
		ways[i] = make([]float64, m*n+1)
	}
	ways[0][0] = 1
	// The number of subsets of {1..m+n} of size m by their sum of ranks, less m(m+1)/2.
	for rank := 1; rank <= m+n; rank++ {
		for i := min(m, rank); i >= 1; i-- {
			for u := m * n; u >= 0; u-- {
				if before := u - (rank - i); before >= 0 {
					ways[i][u] += ways[i-1][before]
				}
			}
		}
	}
	total := 0.0
	for _, w := range ways[m] {
		total += w
	}
	sum := 0.0
	for u, w := range ways[m] {
		if sum += w; sum/total > 0.025 {
			return u
		}
	}
	return 0
}

// Write writes changes as a table.
func Write(w io.Writer, changes []Change, tolerance float64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-34s %-10s %10s %10s %8s  %s\n", "benchmark", "figure", "before", "now", "ratio", "95 %")
	for _, c := range changes {
		ratio := c.Now / c.Before
		if c.Before == c.Now { // 0 and 0, too
			ratio = 1
		}
		says := "too few counts to say: measure at least 4 times each"
		switch {
		case c.Gone:
			says = "is not there any more"
		case c.New:
			says = "is new"
		case c.Known:
			says = fmt.Sprintf("%.3f to %.3f", c.Low, c.High)
		}
		if c.Worse {
			says += fmt.Sprintf("   worse by more than %.4g %%", 100*tolerance)
		}
		fmt.Fprintf(&b, "%-34s %-10s %10s %10s %8s  %s\n", c.Name, cmp.Or(c.Unit, "-"), number("%.4g", c.Before), number("%.4g", c.Now), number("%.3f", ratio), says)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// number is a number as a cell of the table; no number is a dash.
func number(form string, x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf(form, x)
}
