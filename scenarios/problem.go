package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a scenario.
type Problem struct {
	File         string // as it was named, or the whole of a --set
	Line, Column int    // from 1; 0 in a --set
	Path         string // "phases[1].from"
	What         string // "2025-13-01 is not a date"
	Instead      string // "write YYYY-MM-DD"
}

func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.What)
	if p.Instead != "" {
		b.WriteString(" (" + p.Instead + ")")
	}
	return b.String()
}

// Problems is everything that is wrong in a scenario, in the order of the file.
type Problems []Problem

// shown is how many problems are spelled out.
const shown = 25

func (ps Problems) Error() string {
	var lines []string
	for i, p := range ps {
		if i == shown {
			lines = append(lines, fmt.Sprintf("and %d more", len(ps)-shown))
			break
		}
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column,
			strings.Compare(a.Path, b.Path), strings.Compare(a.What, b.What))
	})
	return slices.Compact(ps)
}

// closest is the index of the candidate that is probably meant; -1: none. Up to a
// third of the letters may differ, two in a word of five.
func closest(word string, candidates []string) int {
	best, distance := -1, max(1, (len(word)+1)/3)+1
	for i, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d < distance && d < len(c) {
			best, distance = i, d
		}
	}
	return best
}

// didYouMean suggests the candidate that is meant, or lists them all when
// there are few.
func didYouMean(word string, candidates []string) string {
	best := closest(word, candidates)
	switch {
	case best >= 0:
		return "did you mean " + candidates[best] + "?"
	case len(candidates) > 0 && len(candidates) <= 12:
		return "known are " + strings.Join(candidates, ", ")
	}
	return ""
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
