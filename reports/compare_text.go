package reports

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxResult is the largest result.json that is read; that of the nation has a
// hundredth.
const maxResult = 256 << 20

// Read reads the result of a folder, or a result.json by its name.
func Read(path string) (*Result, error) {
	file := path
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		file = filepath.Join(path, ResultFile)
		if info, err = os.Stat(file); os.IsNotExist(err) {
			if _, err := os.Stat(filepath.Join(path, PartialResultFile)); err == nil {
				return nil, fmt.Errorf("%s holds the days of an interrupted run, which are no result: run the scenario again", path)
			}
			return nil, fmt.Errorf("%s holds no %s: name the folder of a result, as rollcall-out/announced", path, ResultFile)
		}
	}
	switch {
	case os.IsNotExist(err):
		return nil, fmt.Errorf("%s is not there: name the folder of a result, as rollcall-out/announced", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", file)
	case info.Size() > maxResult:
		return nil, fmt.Errorf("%s is larger than %d bytes and no result", file, maxResult)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Print writes the comparison as a table, the verdict last.
func (c *Comparison) Print(w io.Writer, t Terminal) error {
	s := summary{t: t}
	intervals, assumed := c.Method != Exact, false
	for _, f := range c.Figures {
		assumed = assumed || f.Assumed != nil
	}
	head := []string{"figure", "BASE", "HEAD", "difference", ""}
	if intervals {
		head = append(head, "95 % interval")
	}
	if assumed {
		head = append(head, "over the assumptions")
	}
	rows := [][]string{append(head, "verdict")}
	for _, f := range c.Figures {
		row := []string{f.Metric, s.reached(f, f.Base, f.BaseNever, c.Runs[0]), s.reached(f, f.Head, f.HeadNever, c.Runs[1]), s.signed(f.form, f.Difference), s.relative(f)}
		if intervals {
			row = append(row, s.between(f.form, f.Low, f.High, f.Method != Exact && f.Low < f.High))
		}
		if assumed {
			if a := f.Assumed; a != nil {
				row = append(row, s.between(f.form, a.P05, a.P95, a.P05 < a.P95))
			} else {
				row = append(row, "")
			}
		}
		rows = append(rows, append(row, string(f.Verdict)))
	}
	// On a narrow terminal the columns go that say least: they are in the JSON.
	for _, optional := range []string{"over the assumptions", "", "HEAD", "BASE"} {
		if t.Width > 0 && tableWidth(rows) > t.Width {
			rows = without(rows, optional)
		}
	}
	s.table(rows, func(row int) string {
		switch {
		case row == 0:
			return bold
		case c.Figures[row-1].Verdict == Beyond:
			return red
		case c.Figures[row-1].Verdict == Same:
			return faint
		}
		return ""
	})
	s.b.WriteString("\n")
	say := func(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }
	say("BASE  %s", about(c.Base))
	say("HEAD  %s", about(c.Head))
	switch c.Method {
	case Paired:
		say("interval: paired t of %d replications; each pair has the same seed, hence the same random numbers", c.Runs[0])
	case Ranks:
		say("interval: rank sums (Wilcoxon) of %d and %d replications, whose seeds are their own; BASE and HEAD are medians", c.Runs[0], c.Runs[1])
	case Welch:
		say("interval: Welch's t of %d and %d replications, whose seeds are their own; four of each would do better", c.Runs[0], c.Runs[1])
	default:
		say("no interval: the difference of single runs is exact, and nobody knows how much of it is chance")
	}
	say("tolerance: %s (shares are of BASE's figure)", strings.Join(c.Tolerance, ", "))
	for _, n := range c.Notes {
		say("note: %s", n)
	}
	for _, only := range []struct {
		in   string
		what []string
	}{{"BASE", c.OnlyBase}, {"HEAD", c.OnlyHead}} {
		if len(only.what) > 0 {
			say("only in %s: %s", only.in, strings.Join(only.what, ", "))
		}
	}
	verdict := fmt.Sprintf("%d of %d figures differ", c.Differ, len(c.Figures))
	if c.ByChance.Known() {
		verdict += fmt.Sprintf(", %s would by chance alone", s.say("plain", tenths(c.ByChance)))
	}
	mark := s.paint(green, "✓")
	if c.Fails() {
		mark = s.paint(red, "✗")
	}
	say("%s %s; %s", mark, verdict, c.outcome())
	_, err := io.WriteString(w, s.b.String())
	return err
}

func tenths(n Num) Num { return Num(math.Round(float64(n)*10) / 10) }

// widths are those of the columns.
func widths(rows [][]string) []int {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	return width
}

func tableWidth(rows [][]string) (sum int) {
	for _, w := range widths(rows) {
		sum += w + 2
	}
	return sum - 2
}

// without leaves out the column with this head, if there is one.
func without(rows [][]string, head string) [][]string {
	i := slices.Index(rows[0], head)
	if i < 0 {
		return rows
	}
	for r, row := range rows {
		rows[r] = slices.Delete(row, i, i+1)
	}
	return rows
}

func about(c Compared) string {
	return fmt.Sprintf("%s, seed %d, inputs %.12s: %s", c.Scenario, c.Seed, c.Inputs, c.Command)
}

// table aligns rows: the first and the last column to the left, the others to
// the right.
func (s *summary) table(rows [][]string, colour func(row int) string) {
	width := widths(rows)
	for r, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch i {
			case 0:
				line.WriteString(cell + pad)
			case len(row) - 1:
				line.WriteString("  " + cell)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if code := colour(r); code != "" {
			text = s.paint(code, text)
		}
		s.b.WriteString(text + "\n")
	}
}

// reached is a figure, and in how many replications it was never reached.
func (s *summary) reached(f ComparedFigure, n Num, never, of int) string {
	switch {
	case never == 0:
		return s.say(f.form, n)
	case f.Method == Exact || never == of:
		return "never"
	}
	return fmt.Sprintf("%s, never in %d", s.say(f.form, n), never)
}

// signed is a difference in the terminal's spelling.
func (s *summary) signed(form string, n Num) string { return signed(form, n, s.say) }

func (s *summary) between(form string, low, high Num, wide bool) string {
	if !low.Known() || !wide {
		return ""
	}
	return s.signed(form, low) + " to " + s.signed(form, high)
}

func (s *summary) relative(f ComparedFigure) string {
	if !f.Relative.Known() || f.Relative == 0 {
		return ""
	}
	sign := "+"
	if f.Relative < 0 {
		sign = "−"
	}
	return sign + s.say("share", Num(math.Abs(float64(f.Relative))))
}
