package reports

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
)

// exclusionReasons are the columns of a row that exclude, the same in every picture and
// table; reasons of one kind have one colour.
var exclusionReasons = []struct {
	column string
	colour int
	of     func(*ExclusionRow) *int64
}{
	{"no_phone", 0, func(r *ExclusionRow) *int64 { return &r.NoPhone }},
	{"gave_up_no_nfc", 1, func(r *ExclusionRow) *int64 { return &r.GaveUpNoNFC }},
	{"gave_up_no_chip", 1, func(r *ExclusionRow) *int64 { return &r.GaveUpNoChip }},
	{"gave_up", 1, func(r *ExclusionRow) *int64 { return &r.GaveUp }},
	{"no_plastic", 2, func(r *ExclusionRow) *int64 { return &r.NoPlastic }},
	{"face_failed", 5, func(r *ExclusionRow) *int64 { return &r.FaceFailed }},
	{"refused", 5, func(r *ExclusionRow) *int64 { return &r.Refused }},
	{"not_open", 5, func(r *ExclusionRow) *int64 { return &r.NotOpen }},
}

// mainReason is the reason that excludes most; −1 where none does.
func (r *ExclusionRow) mainReason() int {
	most, n := -1, int64(0)
	for i, x := range exclusionReasons {
		if k := *x.of(r); k > n {
			most, n = i, k
		}
	}
	return most
}

// Reasons are the names of the columns that exclude.
func (p *page) Reasons() (names []string) {
	for _, x := range exclusionReasons {
		names = append(names, x.column)
	}
	return names
}

// MainReason names the reason that excludes most; empty where none does.
func (p *page) MainReason() string {
	if i := p.Nation.Exclusion.Total.mainReason(); i >= 0 {
		return exclusionReasons[i].column
	}
	return ""
}

// exclusionTop is the largest share excluded of an age or a region, in percent.
func (p *page) exclusionTop() float64 {
	top := 0.0
	for _, rows := range [][]ExclusionRow{p.Nation.Exclusion.ByAge, p.Nation.Exclusion.ByRegion} {
		for _, r := range rows {
			if r.Share.Known() {
				top = math.Max(top, 100*float64(r.Share))
			}
		}
	}
	return top
}

// stack draws a row's reasons side by side, as shares of those who wanted one.
func (p *page) stack(s *shapes, r *ExclusionRow, at string, where phrase, sc scale, y, height float64) {
	x := 0.0
	for i, reason := range exclusionReasons {
		n := *reason.of(r)
		if n == 0 {
			continue
		}
		width := 100 * 100 * float64(n) / float64(r.Wanted) / sc.top
		s.f(`<rect class="c%d" x="%v" y="%v" width="%v" height="%v" data-s="%d" data-l="%v" data-kl="%v"%v/>`, reason.colour, x, y, width, height, i, where.en, where.ko,
			p.point(at+"/"+reason.column, "count"))
		x += width
	}
}

func (p *page) reasonNames() (names []phrase) {
	for _, r := range exclusionReasons {
		names = append(names, p.phrase("left."+r.column))
	}
	return names
}

// ExclusionPlot is the picture of who was left out, a row for each age.
func (p *page) ExclusionPlot() plot {
	var s shapes
	sc := newScale(p.exclusionTop())
	rows := float64(len(p.Nation.Exclusion.ByAge))
	for i := range p.Nation.Exclusion.ByAge {
		r := &p.Nation.Exclusion.ByAge[i]
		p.stack(&s, r, fmt.Sprintf("/nation/exclusion/by_age/%d", i), ages(r), sc, 100*(float64(i)+0.14)/rows, 72/rows)
	}
	return plot{ID: "left", Title: p.phrase("left.svg"), Desc: p.phrase("left.desc"), Width: 100, Height: 22 * len(p.Nation.Exclusion.ByAge), Shapes: s.html(),
		X: sc.ticks(func(v float64) phrase {
			t := strconv.FormatFloat(v, 'f', -1, 64)
			return phrase{t + "\u00a0%", t + "%"}
		}), Names: p.reasonNames(),
		Keys: []key{{Class: "c0", Label: p.t("left.no_phone")}, {Class: "c1", Label: p.t("left.key.gave_up")}, {Class: "c2", Label: p.t("left.no_plastic")}, {Class: "c5", Label: p.t("left.key.other")}}}
}

// ages names a band of ages.
func ages(r *ExclusionRow) phrase {
	if r.To == 0 {
		f := messages["and.over"]
		return phrase{fmt.Sprint(r.From, " ", f.en), fmt.Sprint(r.From, f.ko)}
	}
	return phrase{fmt.Sprintf("%d–%d", r.From, r.To), fmt.Sprintf("%d–%d", r.From, r.To)}
}

// ExclusionTile is a region with its bar.
type ExclusionTile struct {
	Region int
	Name   phrase
	Place  template.CSS
	Plot   plot
}

// NameHTML is the region's name.
func (t ExclusionTile) NameHTML() template.HTML { return swap("span", "", t.Name.en, t.Name.ko) }

// ExclusionTiles are the regions, laid out like the map.
func (p *page) ExclusionTiles() (out []ExclusionTile) {
	rows := p.Nation.Exclusion.ByRegion
	if len(rows) != len(p.Nation.ByRegion) {
		return nil
	}
	sc := newScale(p.exclusionTop())
	for _, i := range p.Rows {
		region := p.Nation.ByRegion[i]
		var s shapes
		p.stack(&s, &rows[i], fmt.Sprintf("/nation/exclusion/by_region/%d", i), regionName(region.Name, region.NameKo), sc, 0, 100)
		t := ExclusionTile{Region: i, Name: shortRegion(region.Name, region.NameKo), Plot: plot{Width: 100, Height: 12, Shapes: s.html(), Names: p.reasonNames()}}
		if at, ok := tilePlaces[region.Region]; ok && p.Gridded() {
			t.Place = template.CSS(fmt.Sprintf("grid-area:%d/%d", at[1], at[0]))
		}
		out = append(out, t)
	}
	return out
}
