package selftest

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes the table.
func Print(out io.Writer, results []Result, took time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "form\tmeasured\tclosed form\tmeasurement\tstandard error\toff by\teffort\tverdict")
	count, holding := 0, 0
	for _, r := range results {
		name, seconds := r.Form, fmt.Sprintf(", %.1f s", r.Seconds)
		if r.Seconds == 0 {
			seconds = ""
		}
		for _, m := range r.Measures {
			verdict := "holds"
			count++
			switch {
			case m.Holds():
				holding++
			case math.Abs(m.Deviation()) > Limit:
				verdict = "OFF"
			default:
				verdict = "SAYS TOO LITTLE"
			}
			se, off := "exact", "0"
			if m.SE > 0 {
				se, off = number(m.SE)+" "+m.Unit, fmt.Sprintf("%+.2f", m.Deviation())
			} else if !m.Holds() {
				off = number(m.Measured-m.Expected) + " " + m.Unit
			}
			fmt.Fprintf(w, "%s\t%s\t%s %s\t%s %s\t%s\t%s\t%s %s%s\t%s\n", name, m.What, number(m.Expected), m.Unit,
				number(m.Measured), m.Unit, strings.TrimSpace(se), off, grouped(m.N), m.Of, seconds, verdict)
			if m.High > 0 {
				fmt.Fprintf(w, "\t  95 %% of %s\t\t%s to %s %s\t\t\t\t\n", "Clopper-Pearson", number(m.Low), number(m.High), m.Unit)
			}
			name, seconds = "", ""
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d of %d hold: within %d standard errors, and precise enough to tell. %.0f s\n",
		holding, count, Limit, math.Ceil(took.Seconds()))
	return err
}

// Failed says what does not hold.
func Failed(results []Result) (off []string) {
	for _, r := range results {
		for _, m := range r.Measures {
			if !m.Holds() {
				off = append(off, fmt.Sprintf("%s, %s: %s %s, closed form %s", r.Form, m.What, number(m.Measured), m.Unit, number(m.Expected)))
			}
		}
	}
	return off
}

// number is short, with four digits that count; whole numbers from a thousand on are
// grouped.
func number(x float64) string {
	a := math.Abs(x)
	switch {
	case a >= 1000:
		return grouped(int64(math.Round(x)))
	case a == 0:
		return "0"
	}
	return fmt.Sprintf("%.*f", max(0, 3-int(math.Floor(math.Log10(a)))), x)
}

func grouped(n int64) string {
	s := fmt.Sprint(n)
	from := 0
	if n < 0 {
		from = 1
	}
	for i := len(s) - 3; i > from; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
