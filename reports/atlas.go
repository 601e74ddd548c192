package reports

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"strings"
)

// The regions: on the map, in the table beside it, and as small pictures laid
// out like the map. One slider moves them all.

// A ramp has seven classes: from nothing, and from the six largest steps of a
// ladder that the run reaches. Regions differ by factors, not by amounts.
type ramp [7]Num

func newRamp(top Num, ladder []Num) ramp {
	n := 6
	for n < len(ladder) && ladder[n] <= top {
		n++
	}
	var r ramp
	copy(r[1:], ladder[n-6:n])
	return r
}

func (r ramp) class(v Num) int {
	c := 0
	for i, from := range r {
		if v >= from {
			c = i
		}
	}
	return c
}

// uptake are the classes of the map, by holders per thousand.
func (p *page) uptake() ramp {
	return newRamp(p.top(), []Num{.1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500})
}

// top is the largest uptake of the run, and topScale the axis up to it.
func (p *page) top() Num {
	top := Num(0)
	for _, row := range p.Nation.Series {
		if row.PerThousand.Known() {
			top = max(top, row.PerThousand)
		}
	}
	return top
}

func (p *page) topScale() scale { return newScale(float64(p.top())) }

// UptakeLegend are the lower ends of the classes of the map.
func (p *page) UptakeLegend() []string {
	var out []string
	for _, from := range p.uptake() {
		out = append(out, string(from.append(nil)))
	}
	return out
}

// Top is the upper end of the axis of the small pictures.
func (p *page) Top() string { return string(Num(p.topScale().top).append(nil)) }

// longestWait is the largest wait of a region and day that 95 of 100 did not
// exceed.
func (p *page) longestWait() Num {
	top := Num(0)
	for _, row := range p.Nation.Series {
		if row.WaitP95.Known() {
			top = max(top, row.WaitP95)
		}
	}
	return top
}

// waitClass is the class of the circle of a region, w0 to w6, or none where
// nobody ever came.
func (p *page) waitClass(v Num) string {
	if !v.Known() {
		return "none"
	}
	return fmt.Sprint("w", p.waits().class(v))
}

// MapShapes draws the regions and the waits of their centres, as they were on
// the last day.
func (p *page) MapShapes() template.HTML {
	var s shapes
	index := make(map[string]int)
	for i, row := range p.Nation.ByRegion {
		index[row.Region] = i
	}
	up := p.uptake()
	for _, code := range p.Map.codes() {
		g := p.Map.Regions[code]
		i, ok := index[code]
		if !ok {
			s.f(`<path class="absent" d="%v"/>`, g.Path)
			continue
		}
		k := p.SeriesIndex(p.LastDay(), i)
		at := fmt.Sprintf("/nation/series/%d/holders_per_thousand", k)
		s.f(`<path class="q%d" data-region="%d" data-s="%d"%v d="%v"/>`, up.class(p.Nation.Series[k].PerThousand), i, i, p.point(at, "perthousand"), g.Path)
	}
	for _, code := range p.Map.codes() {
		if i, ok := index[code]; ok {
			g, k := p.Map.Regions[code], p.WaitRow(p.LastDay(), i)
			off := circleOffsets[code]
			s.f(`<circle class="wait %v" data-region="%d" data-s="%d" cx="%v" cy="%v" r="16"%v/>`, p.waitClass(p.Nation.Series[k].WaitP95), i, i+len(index), g.Label[0]+off[0], g.Label[1]+off[1],
				p.point(fmt.Sprintf("/nation/series/%d/wait_p95_s", k), "duration"))
		}
	}
	s.f(`<g aria-hidden="true">`) // the table beside the map has them
	for _, code := range p.Map.codes() {
		g := p.Map.Regions[code]
		name := shortRegion(g.Name, g.NameKo)
		off := circleOffsets[code]
		x, y, class := g.Label[0]+off[0], g.Label[1]+off[1], sides[code]
		switch class {
		case "left":
			x, y = x-22, y+8
		case "right":
			x, y = x+22, y+8
		case "below":
			y += 42
		default:
			y -= 23
		}
		if _, ok := index[code]; !ok {
			class += " absent"
		}
		s.f(`<text class="%v" x="%v" y="%v" data-ko="%v">%v</text>`, class, x+shifted[code], y, name.ko, name.en)
	}
	s.f(`</g>`)
	return s.html()
}

// circleOffsets move circles of the map apart that would lie on one another; sides
// say where a name stands beside its circle, if not above it, and shifted moves it
// away from the next one.
var (
	circleOffsets = map[string][2]float64{
		"KR-11": {-4, 0}, "KR-28": {-6, 4}, "KR-41": {42, 44}, "KR-44": {-24, 8}, "KR-50": {-4, -6}, "KR-30": {6, 10}, "KR-46": {24, 24}, "KR-29": {-6, 0}, "KR-43": {14, 0},
	}
	sides = map[string]string{
		"KR-28": "left", "KR-44": "left", "KR-29": "left", "KR-46": "below",
		"KR-41": "right", "KR-43": "right", "KR-30": "right", "KR-27": "right", "KR-31": "right", "KR-26": "right",
	}
	shifted = map[string]float64{"KR-48": -12}
)

// NameList are the names of what the map's points belong to: regions for their
// shade, then again for their circle.
func (p *page) NameList() template.HTMLAttr {
	var names []phrase
	for range 2 {
		for _, row := range p.Nation.ByRegion {
			names = append(names, regionName(row.Name, row.NameKo))
		}
	}
	return plot{Names: names}.NameList()
}

// ViewBox of the map.
func (p *page) ViewBox() string {
	v := p.Map.ViewBox
	return fmt.Sprintf("%g %g %g %g", v[0], v[1], v[2], v[3])
}

// SliderData is what the script needs to move map, table and small pictures:
// for each day the classes of the regions, and for each row of Series the
// figures as text.
func (p *page) SliderData() (template.JS, error) {
	type data struct {
		Classes []string `json:"classes"`
		Holders []string `json:"holders"`
		Wait    []string `json:"wait"`
		WaitKo  []string `json:"wait_ko"`
		WaitRow []int    `json:"wait_row"` // of Series
		Bars    []int    `json:"bars"`     // percent of the longest bar
		Waits   []string `json:"waits"`    // classes of the circles of the map
	}
	var d data
	up, axis := p.uptake(), p.topScale()
	for i := range p.Nation.ByDay {
		classes := ""
		for j := range p.Nation.ByRegion {
			row := p.Nation.Series[p.SeriesIndex(i, j)]
			classes += fmt.Sprint(up.class(row.PerThousand))
			d.Holders = append(d.Holders, say("perthousand", row.PerThousand))
			w := p.WaitRow(i, j)
			n := p.number(fmt.Sprintf("/nation/series/%d/wait_p95_s", w))
			d.Wait, d.WaitKo = append(d.Wait, say("duration", n)), append(d.WaitKo, sayKo("duration", n))
			d.WaitRow = append(d.WaitRow, w)
			d.Bars = append(d.Bars, barPercent(row.PerThousand, axis))
			d.Waits = append(d.Waits, p.waitClass(n))
		}
		d.Classes = append(d.Classes, classes)
	}
	b, err := json.Marshal(d)
	return template.JS(b), err
}

// LabelData are the dates and hours in both languages, to which the points of
// the pictures refer by number.
func (p *page) LabelData() (template.JS, error) {
	d := map[string][2][]string{}
	add := func(name string, en, ko string) {
		l := d[name]
		l[0], l[1] = append(l[0], en), append(l[1], ko)
		d[name] = l
	}
	for _, day := range p.Nation.ByDay {
		add("days", sayTime(day.Date, "Mon 2 Jan 2006"), sayDateKo(day.Date))
	}
	for i, f := range p.Recovery {
		for _, h := range f.Timeline {
			add(fmt.Sprint("hours-", i), sayHour(h.T), sayHourKo(h.T))
		}
	}
	b, err := json.Marshal(d)
	return template.JS(b), err
}

// WaitRow is the row of Series with the region's last known wait on a day.
func (p *page) WaitRow(day, region int) int {
	for d := day; d >= 0; d-- {
		if k := p.SeriesIndex(d, region); p.Nation.Series[k].WaitP95.Known() {
			return k
		}
	}
	return p.SeriesIndex(day, region)
}

func barPercent(v Num, s scale) int {
	if !v.Known() {
		return 0
	}
	return int(math.Round(100 * float64(v) / s.top))
}

// Bar is the length of a region's bar on the last day, in percent.
func (p *page) Bar(k int) int { return barPercent(p.Nation.Series[k].PerThousand, p.topScale()) }

// tilePlaces lay the regions out like the map: column and row.
var tilePlaces = map[string][2]int{
	"KR-28": {1, 1}, "KR-11": {2, 1}, "KR-41": {3, 1}, "KR-42": {4, 1},
	"KR-44": {1, 2}, "KR-50": {2, 2}, "KR-43": {3, 2}, "KR-47": {4, 2},
	"KR-45": {1, 3}, "KR-30": {2, 3}, "KR-27": {3, 3}, "KR-31": {4, 3},
	"KR-29": {1, 4}, "KR-46": {2, 4}, "KR-48": {3, 4}, "KR-26": {4, 4},
	"KR-49": {1, 5},
}

// Tile is the small picture of a region.
type Tile struct {
	Region int
	Row    int // of Series, on the last day
	Name   phrase
	Place  template.CSS
	Plot   plot
	Opened string  // the day, if it is in the run
	At     float64 // its place, in percent
	Late   bool    // its name stands left of its line
}

// NameHTML is the region's name.
func (t Tile) NameHTML() template.HTML { return swap("span", "", t.Name.en, t.Name.ko) }

// Gridded says whether there are enough regions to lay them out like the map.
func (p *page) Gridded() bool { return len(p.Nation.ByRegion) > 8 }

// Tiles are the small pictures in the order of Rows.
func (p *page) Tiles() []Tile {
	up := p.topScale()
	var out []Tile
	for _, i := range p.Rows {
		row := p.Nation.ByRegion[i]
		var s shapes
		var line strings.Builder
		for d := range p.Nation.ByDay {
			v := p.Nation.Series[p.SeriesIndex(d, i)].PerThousand
			if !v.Known() {
				v = 0
			}
			fmt.Fprintf(&line, "%s,%s ", short(float64(d)+0.5), short(up.y(float64(v))))
		}
		points := strings.TrimSpace(line.String())
		s.f(`<polygon class="fill" points="0.5,100 %v %v,100"/>`, points, float64(p.LastDay())+0.5)
		s.f(`<polyline class="line s0" points="%v"/>`, points)
		if x, ok := p.days.at(row.Opens); ok {
			s.f(`<path class="phase" d="M%v,0V100"/>`, x)
		}
		t := Tile{
			Region: i, Row: p.SeriesIndex(p.LastDay(), i), Name: shortRegion(row.Name, row.NameKo),
			Plot: plot{Width: float64(p.days.n), Height: 72, Shapes: s.html()},
		}
		if x, ok := p.days.at(row.Opens); ok {
			t.Opened, t.At = row.Opens, p.days.percent(x)
			t.Late = t.At > 50
		}
		if at, ok := tilePlaces[row.Region]; ok && p.Gridded() {
			t.Place = template.CSS(fmt.Sprintf("grid-area:%d/%d", at[1], at[0]))
		}
		out = append(out, t)
	}
	return out
}
