package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// judged are the signs of the judgements in a table, where there is no room for words.
var judged = map[Judgement]string{Same: "=", Unclear: "?", Differs: "≠", Beyond: "✗"}

// fewTold are how many parameters the terminal is told of.
const fewTold = 12

// Print writes the results as a table, a column for each, the verdict last. On a narrow
// terminal the table is folded: the first result and some of the others, then the first
// and more of them; where not even two have room, each has a table of its own.
func (b *Beside) Print(w io.Writer, t Terminal) error {
	s := summary{t: t}
	fits := func(columns []int) bool { return t.Width == 0 || tableWidth(b.rows(&s, columns)) <= t.Width }
	for k := 0; k < len(b.Results); {
		if k > 0 {
			s.b.WriteString("\n")
		}
		columns := []int{k}
		if k > 0 && fits([]int{0, k}) {
			columns = []int{0, k}
		}
		for k++; k < len(b.Results) && fits(append(columns, k)); k++ {
			columns = append(columns, k)
		}
		b.table(&s, columns)
	}
	say := func(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }
	say("\n= the same   ? unclear   ≠ differs from the first   ✗ beyond the tolerance")
	width := 0
	for _, r := range b.Results {
		width = max(width, utf8.RuneCountInString(r.Name))
	}
	for _, r := range b.Results {
		say("%s%s  %s", r.Name, strings.Repeat(" ", width-utf8.RuneCountInString(r.Name)), about(r.Compared))
	}
	b.changed(&s)
	say("tolerance: %s (shares are of the first result's figure)", strings.Join(b.Tolerance, ", "))
	for _, n := range b.Notes {
		say("note: %s", n)
	}
	for k, c := range b.Comparisons {
		mark := s.paint(green, "✓")
		if c.Fails() {
			mark = s.paint(red, "✗")
		}
		verdict := fmt.Sprintf("%s %s: %d of %d figures differ", mark, b.Results[k+1].Name, c.Differ, len(c.Figures))
		if c.ByChance.Known() {
			verdict += fmt.Sprintf(", %s would by chance alone", s.say("plain", tenths(c.ByChance)))
		}
		say("%s; %s", verdict, c.outcome())
	}
	_, err := io.WriteString(w, s.b.String())
	return err
}

// rows are those of some results.
func (b *Beside) rows(s *summary, columns []int) [][]string {
	head := []string{"figure"}
	for _, k := range columns {
		head = append(head, b.Results[k].Name)
		if k > 0 {
			head = append(head, "")
		}
	}
	rows := [][]string{append(head, "")}
	for _, f := range b.Figures {
		row := []string{f.Metric}
		for _, k := range columns {
			row = append(row, b.cell(s, f, k))
			if k == 0 {
				continue
			}
			change := ""
			if c, _ := b.against(k, f.Metric); c != nil {
				change = judged[c.Verdict]
				if c.Relative.Known() && c.Relative != 0 {
					change = s.say("change", c.Relative) + " " + change
				}
			}
			row = append(row, change)
		}
		rows = append(rows, append(row, ""))
	}
	return rows
}

func (b *Beside) cell(s *summary, f BesideFigure, k int) string {
	switch {
	case !f.Has[k]:
		return missing
	case f.never && !f.Values[k].Known():
		return "never"
	}
	return s.say(f.form, f.Values[k])
}

func (b *Beside) table(s *summary, columns []int) {
	s.table(b.rows(s, columns), func(row int) string {
		if row == 0 {
			return bold
		}
		worst := Same
		for _, k := range columns {
			if c, _ := b.against(k, b.Figures[row-1].Metric); c != nil && slices.Index(judgements, c.Verdict) > slices.Index(judgements, worst) {
				worst = c.Verdict
			}
		}
		switch worst {
		case Beyond:
			return red
		case Same:
			return faint
		}
		return ""
	})
}

var judgements = []Judgement{Same, Unclear, Differs, Beyond}

// changed says what differs between the scenarios, a parameter a line.
func (b *Beside) changed(s *summary) {
	what := "parameters"
	if !b.WholeScenarios {
		what = "parameters with a source"
	}
	fmt.Fprintf(&s.b, "%d %s differ, %d are the same in all\n", len(b.Parameters), what, b.Alike)
	for i, p := range b.Parameters {
		if i == fewTold {
			fmt.Fprintf(&s.b, "  and %d more (--out DIR writes them all)\n", len(b.Parameters)-i)
			break
		}
		values := slices.Clone(p.Values)
		for k, v := range values {
			if v == "" {
				values[k] = missing
			}
		}
		line := "  " + p.Path + ": " + strings.Join(values, " | ")
		if r := []rune(line); s.t.Width > 0 && len(r) > s.t.Width {
			line = string(r[:s.t.Width-1]) + "…"
		}
		s.b.WriteString(line + "\n")
	}
}
