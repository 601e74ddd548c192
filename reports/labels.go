package reports

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"math/bits"
	"slices"
	"unicode"
)

// Names in pictures are set in HTML, so that they are as large on a phone as
// anywhere. How wide they are is not known here, only how many letters they have:
// enough to lay them out so that none touches another one.

// mark names a vertical line of the picture above it, on a phone and on a wide
// screen.
type mark struct {
	At    float64 // percent
	Label phrase
	Fault bool // names a fault
	lanes [2]int
	left  [2]bool // stands left of its line
}

// Class says on which screens the name stands left of its line.
func (m mark) Class() string {
	class := "flag"
	for i, c := range []string{" left", " wleft"} {
		if m.left[i] {
			class += c
		}
	}
	if m.Fault {
		class += " fault"
	}
	return class
}

// Lanes are the rows of the name.
func (m mark) Lanes() template.CSS {
	return template.CSS(fmt.Sprintf("--lane:%d;--wlane:%d", m.lanes[0], m.lanes[1]))
}

// MarksHeight is how many rows of names there are.
func (p plot) MarksHeight() template.CSS {
	var rows [2]int
	for _, m := range p.Marks {
		for i, l := range m.lanes {
			rows[i] = max(rows[i], l+1)
		}
	}
	return template.CSS(fmt.Sprintf("--rows:%d;--wrows:%d", rows[0], rows[1]))
}

// Ko is the name's other language, for the switch.
func (m mark) Ko() template.HTMLAttr { return dataKo(m.Label) }

// Ko is the label's other language, for the switch.
func (t tick) Ko() template.HTMLAttr { return dataKo(t.Label) }

// letters is the width of a letter in percent of a picture, on the narrowest phone
// and on the narrowest of wide screens (see page.css).
var letters = [2]struct{ latin, hangul float64 }{{2.8, 4.8}, {1.2, 2.1}}

// width of a label in the wider of both languages.
func (f phrase) width(screen int) float64 {
	of := func(s string) (w float64) {
		for _, r := range s {
			if unicode.Is(unicode.Hangul, r) {
				w += letters[screen].hangul
			} else {
				w += letters[screen].latin
			}
		}
		return w
	}
	return math.Max(of(f.en), of(f.ko))
}

// lanes lays the names in rows, right or left of their lines, so that none touches
// another one or is crossed by another's line. A line begins at its own name's row:
// one that would cross a name has to begin below it. There are few marks, so all
// choices of sides are tried, for the one with the fewest rows.
func lanes(marks []mark) []mark {
	slices.SortStableFunc(marks, func(a, b mark) int { return cmp.Compare(a.At, b.At) })
	for screen := range letters {
		best := math.MaxInt
		for choice := range 1 << min(len(marks), 10) {
			rows, ok := laneRows(marks, screen, choice)
			if cost := 100*slices.Max(append(rows, 0)) + bits.OnesCount(uint(choice)); ok && cost < best {
				best = cost
				for i := range marks {
					marks[i].lanes[screen], marks[i].left[screen] = rows[i], choice>>i&1 == 1
				}
			}
		}
		if best == math.MaxInt { // too many for the width
			for i := range marks {
				marks[i].lanes[screen] = i
			}
		}
	}
	return marks
}

// laneRows are the rows when those whose bit is set stand on the left; not ok if
// there are none, or a name leaves the picture.
func laneRows(marks []mark, screen, left int) (rows []int, ok bool) {
	near := letters[screen].latin / 2 // a name's distance from its own line
	from, to := make([]float64, len(marks)), make([]float64, len(marks))
	for i, m := range marks {
		from[i], to[i] = m.At, m.At+near+m.Label.width(screen)
		if left>>i&1 == 1 {
			from[i], to[i] = m.At-near-m.Label.width(screen), m.At
		}
		if from[i] < 0 || to[i] > 100 {
			return nil, false
		}
	}
	crosses := func(i, j int) bool { return from[i]+near < marks[j].At && marks[j].At < to[i]-near }
	touch := func(i, j int) bool { return rows[i] == rows[j] && from[i] < to[j] && from[j] < to[i] }
	rows = make([]int, len(marks))
	below := func(must func(i, j int) bool) bool {
		for j := range marks {
			for i := range marks {
				if i != j && rows[j] <= rows[i] && must(i, j) {
					rows[j] = rows[i] + 1
					return true
				}
			}
		}
		return false
	}
	for range 4 * len(marks) * len(marks) {
		if !below(crosses) && !below(touch) {
			return rows, true
		}
	}
	return nil, false
}

// thin leaves out labels of an axis for which there is no room, and those for which
// there is none on a phone.
func thin(ticks []tick) []tick {
	var out []tick
	end, phone := math.Inf(-1), math.Inf(-1)
	for _, t := range ticks {
		at := func(screen int) (from, to float64) {
			half := t.Label.width(screen)/2 + letters[screen].latin/2
			center := math.Min(math.Max(t.At, half), 100-half)
			return center - half, center + half
		}
		from, to := at(1)
		if from < end {
			continue
		}
		end = to
		if from, to := at(0); !t.Minor {
			if t.Minor = from < phone; !t.Minor {
				phone = to
			}
		}
		out = append(out, t)
	}
	return out
}
