package reports

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"sort"
	"strings"
)

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// page makes report.html. Every figure is looked up by its pointer in the very
// bytes of result.json, formatted, and carries that pointer.
type page struct {
	*Result
	Map  *Map // nil: no map
	doc  *Document
	text messages
	days days
	err  error // the first figure that was not found

	// Rows are indices into ByRegion in the order of display: by opening day,
	// then by uptake.
	Rows []int
}

// renderHTML writes the page for a result whose JSON is in doc.
func renderHTML(r *Result, doc *Document, m *Map, text messages) ([]byte, error) {
	p := &page{Result: r, Map: m, doc: doc, text: text, days: newDays(r.Nation.ByDay)}
	for i := range r.Nation.ByRegion {
		p.Rows = append(p.Rows, i)
	}
	sort.SliceStable(p.Rows, func(a, b int) bool {
		x, y := r.Nation.ByRegion[p.Rows[a]], r.Nation.ByRegion[p.Rows[b]]
		if x.Opens != y.Opens {
			return x.Opens < y.Opens
		}
		return x.PerThousand > y.PerThousand
	})
	t, err := template.New("page").Funcs(template.FuncMap{
		"t": p.t, "say": p.say, "fig": p.fig, "td": p.td, "way": p.way, "def": p.defLink,
		"day": timeElement(sayDay), "date": timeElement(sayDate), "hour": timeElement(sayHour),
		"a": fmt.Sprintf, "css": func() template.CSS { return template.CSS(themeCSS() + pageCSS) },
		"js": func() template.JS { return template.JS(pageJS) }, "dict": dict, "join": func(a []string) string { return strings.Join(a, ", ") },
	}).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), p.err
}

// t is a message without places.
func (p *page) t(key string) string {
	s, ok := p.text[key]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("no message %q", key)
	}
	return s
}

// say is a message with figures in its places: name, HTML, name, HTML.
func (p *page) say(key string, args ...any) template.HTML {
	s := template.HTMLEscapeString(p.t(key))
	for i := 0; i+1 < len(args); i += 2 {
		v, ok := args[i+1].(template.HTML)
		if !ok {
			v = template.HTML(template.HTMLEscapeString(fmt.Sprint(args[i+1])))
		}
		s = strings.ReplaceAll(s, "{"+args[i].(string)+"}", string(v))
	}
	return template.HTML(s)
}

func (p *page) number(pointer string) Num {
	n, err := p.doc.Number(pointer)
	if err != nil && p.err == nil {
		p.err = err
	}
	return n
}

// fig shows the figure at a pointer in one of the forms of format.go.
func (p *page) fig(pointer, form string) template.HTML {
	return template.HTML("<b" + attrs(pointer, form) + ">" + say(form, p.number(pointer)) + "</b>")
}

// td is the same as a cell of a table.
func (p *page) td(pointer, form string) template.HTML {
	return template.HTML("<td" + attrs(pointer, form) + ">" + say(form, p.number(pointer)) + "</td>")
}

// Cell is td with the name of its column, for phones, where a row is stacked.
func (p *page) Cell(column, pointer, form string) template.HTML {
	return template.HTML(`<td data-label="` + template.HTMLEscapeString(p.t(column)) + `"` + attrs(pointer, form) + ">" + say(form, p.number(pointer)) + "</td>")
}

// Text is the text of a figure of a row of Series.
func (p *page) Text(row int, field, form string) string {
	return say(form, p.number(fmt.Sprintf("/nation/series/%d/%s", row, field)))
}

func attrs(pointer, form string) string {
	return ` data-pointer="` + template.HTMLEscapeString(pointer) + `" data-as="` + form + `"`
}

// way names who found a figure; defLink leads to its definition.
func (p *page) way(pointer string) string {
	_, d, _ := definitionOf(p.Definitions, pointer)
	return p.t("way." + d.Way)
}

func (p *page) defLink(pointer string) string {
	pattern, _, _ := definitionOf(p.Definitions, pointer)
	return "#" + definitionID(pattern)
}

func definitionID(pattern string) string {
	return "def" + strings.NewReplacer("/", "-", "*", "x").Replace(pattern)
}

func timeElement(form func(string) string) func(string) template.HTML {
	return func(s string) template.HTML {
		return template.HTML(`<time datetime="` + template.HTMLEscapeString(s) + `">` + template.HTMLEscapeString(form(s)) + `</time>`)
	}
}

func dict(args ...any) map[string]any {
	m := make(map[string]any)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i].(string)] = args[i+1]
	}
	return m
}

// figure values for titles inside pictures: " data-…" and the text.
func (p *page) shapeTitle(s *shapes, before, pointer, form string) {
	s.f(`<title>%v: %v</title>`, before, say(form, p.number(pointer)))
}

// ---- what the template asks for ----

// LastDay is the index of the last day.
func (p *page) LastDay() int { return len(p.Nation.ByDay) - 1 }

// SeriesIndex is the row of Series of a day and a region.
func (p *page) SeriesIndex(day, region int) int { return day*len(p.Nation.ByRegion) + region }

// HasSeries says whether Series is complete, so that rows can be found by index.
func (p *page) HasSeries() bool {
	return len(p.Nation.ByDay) > 0 && len(p.Nation.Series) == len(p.Nation.ByDay)*len(p.Nation.ByRegion)
}

// Best and Least are the regions with most and fewest holders per thousand.
func (p *page) Best() int  { return p.extreme(func(a, b Num) bool { return a > b }) }
func (p *page) Least() int { return p.extreme(func(a, b Num) bool { return a < b }) }

func (p *page) extreme(better func(a, b Num) bool) int {
	best := 0
	for i, row := range p.Nation.ByRegion {
		if better(row.PerThousand, p.Nation.ByRegion[best].PerThousand) {
			best = i
		}
	}
	return best
}

// LongestRegion is the region of the longest wait, -1 if nobody waited.
func (p *page) LongestRegion() int {
	best, wait := -1, Num(0)
	for i, row := range p.Nation.ByRegion {
		if row.WaitMax.Known() && row.WaitMax > wait {
			best, wait = i, row.WaitMax
		}
	}
	return best
}

// WaitPlace names the place of the longest wait.
func (p *page) WaitPlace() string {
	l := p.Nation.Visits.Longest
	place := l.Municipality
	for _, row := range p.Nation.ByRegion {
		if row.Region != l.Region || row.Name == place {
			continue
		}
		if place == "" {
			return row.Name
		}
		return place + " (" + row.Name + ")"
	}
	return place
}

// Waited says whether anybody had to wait.
func (p *page) Waited() bool { return p.Nation.Visits.WaitMax.Known() && p.Nation.Visits.WaitMax > 0 }

// WorstCurve is the curve with the longest use after acknowledgement, -1 if none.
func (p *page) WorstCurve() int {
	best, longest := -1, Num(0)
	for i, c := range p.Suspension.Curves {
		if c.Since == "acknowledgement" && c.Max.Known() && c.Max > longest {
			best, longest = i, c.Max
		}
	}
	return best
}

// WorstCentres are the indices of the centres with the longest waits.
func (p *page) WorstCentres() []int {
	var out []int
	for i, c := range p.Nation.ByCentre {
		if c.WaitMax.Known() && c.WaitMax > 0 {
			out = append(out, i)
		}
	}
	sort.SliceStable(out, func(a, b int) bool {
		return p.Nation.ByCentre[out[a]].WaitMax > p.Nation.ByCentre[out[b]].WaitMax
	})
	return out[:min(10, len(out))]
}

// MunicipalityName finds a municipality by its code.
func (p *page) MunicipalityName(code string) string {
	for _, m := range p.Nation.Municipality {
		if m.Code == code {
			return m.Name
		}
	}
	return code
}

// PropertyList is the properties to show, in order.
func (p *page) PropertyList() []string {
	var out []string
	for _, name := range PropertyNames {
		if _, ok := p.Suspension.ByProperty[name]; ok {
			out = append(out, name)
		}
	}
	return out
}

// PropertyState is "holds", "fails" or "untested".
func (p *page) PropertyState(name string) string {
	switch x := p.Suspension.ByProperty[name]; {
	case x.Violations > 0:
		return "fails"
	case x.Opportunities == 0:
		return "untested"
	}
	return "holds"
}

// FunctionState is "works", "stopped" or "unused".
func (p *page) FunctionState(f Function) string {
	switch {
	case f.Attempts == 0:
		return "unused"
	case f.Works:
		return "works"
	}
	return "stopped"
}

// FunctionList pairs each function with its key.
func (r Recovery) FunctionList() []struct {
	Key string
	Function
} {
	f := r.Functions
	return []struct {
		Key string
		Function
	}{
		{"issuance", f.Issuance}, {"online_verification", f.OnlineVerification},
		{"offline_verification", f.OfflineVerification}, {"suspension", f.Suspension},
	}
}

// Assumed and Published are the indices of the assumptions with that mark,
// and Mattering those that are said to move the answer most.
func (p *page) Mattering() []int {
	var out []int
	for i, a := range p.Trust.Assumptions {
		if a.Matters {
			out = append(out, i)
		}
	}
	return out
}
func (p *page) Assumed() []int   { return p.marked(false) }
func (p *page) Published() []int { return p.marked(true) }

func (p *page) marked(published bool) []int {
	var out []int
	for i, a := range p.Trust.Assumptions {
		if (a.Mark == "S") == published {
			out = append(out, i)
		}
	}
	return out
}

// PanelCounters are the figures of the panel to show.
func (p *page) PanelCounters() []string {
	return []string{"citizens", "operations", "issued", "presentations", "reports", "releases",
		"apdus", "signatures_made", "signatures_verified", "commits", "status_lists"}
}

// Failing are the indices of the expectations that do not hold.
func (p *page) Failing() []int {
	var out []int
	for i, e := range p.Expectations {
		if !e.Holds {
			out = append(out, i)
		}
	}
	return out
}

// DefinitionList is the definitions in order of their pointer.
func (p *page) DefinitionList() []struct {
	ID, Pointer string
	Definition
} {
	var out []struct {
		ID, Pointer string
		Definition
	}
	for k, d := range p.Definitions {
		out = append(out, struct {
			ID, Pointer string
			Definition
		}{definitionID(k), k, d})
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Pointer < out[b].Pointer })
	return out
}

// ---- pictures ----

// uptake is the scale of the map: classes of equal width up to the largest
// value of the run.
func (p *page) uptake() scale {
	top := 0.0
	for _, row := range p.Nation.Series {
		if row.PerThousand.Known() {
			top = math.Max(top, float64(row.PerThousand))
		}
	}
	if top <= 0 {
		top = 7
	}
	step := math.Pow(10, math.Floor(math.Log10(top/7)))
	for _, k := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if step*k*7 >= top {
			step *= k
			break
		}
	}
	return scale{7 * step, step}
}

func (s scale) class(v Num) int {
	if !v.Known() {
		return 0
	}
	return min(6, int(float64(v)/s.step))
}

// UptakeLegend are the lower ends of the classes of the map.
func (p *page) UptakeLegend() []string {
	s := p.uptake()
	var out []string
	for i := range 7 {
		out = append(out, string(Num(s.step*float64(i)).append(nil)))
	}
	return out
}

var waitClasses = [7]Num{0, 5 * 60, 10 * 60, 20 * 60, 30 * 60, 60 * 60, 120 * 60}

func waitClass(v Num) int {
	c := 0
	for i, from := range waitClasses {
		if v >= from {
			c = i
		}
	}
	return c
}

// WaitLegend are the lower ends of the classes of the strip of waits.
func (p *page) WaitLegend() []string {
	var out []string
	for _, c := range waitClasses {
		out = append(out, sayDuration(c))
	}
	return out
}

// MapShapes draws the regions, as they were on the last day.
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
		if !ok || !p.HasSeries() {
			s.f(`<path class="absent" d="%v"><title>%v</title></path>`, g.Path, g.Name)
			continue
		}
		k := p.SeriesIndex(p.LastDay(), i)
		at := fmt.Sprintf("/nation/series/%d/holders_per_thousand", k)
		s.f(`<path class="q%d" data-region="%d"%v d="%v">`, up.class(p.Nation.Series[k].PerThousand), i, template.HTML(attrs(at, "perthousand")), g.Path)
		p.shapeTitle(&s, p.Nation.ByRegion[i].Name, at, "perthousand")
		s.f(`</path>`)
	}
	for _, code := range p.Map.codes() {
		g := p.Map.Regions[code]
		off := labelOffsets[code]
		s.f(`<text x="%v" y="%v">%v</text>`, g.Label[0]+off[0], g.Label[1]+off[1], g.Name)
	}
	return s.html()
}

// labelOffsets move names of the map that would lie on one another.
var labelOffsets = map[string][2]float64{
	"KR-11": {6, -26}, "KR-28": {-62, 10}, "KR-41": {42, 56}, "KR-44": {-40, 34}, "KR-43": {36, -22},
	"KR-50": {-26, -4}, "KR-30": {42, 16}, "KR-29": {-6, 0}, "KR-46": {10, 60}, "KR-31": {26, 0}, "KR-26": {30, 16},
}

// ViewBox of the map.
func (p *page) ViewBox() string {
	v := p.Map.ViewBox
	return fmt.Sprintf("%g %g %g %g", v[0], v[1], v[2], v[3])
}

// SliderData is what the script needs to move map and table: for each day the
// classes of the regions, and for each row of Series the figures as text.
func (p *page) SliderData() (template.JS, error) {
	type data struct {
		Days    []string `json:"days"`
		Classes []string `json:"classes"`
		Holders []string `json:"holders"`
		Wait    []string `json:"wait"`
		WaitRow []int    `json:"wait_row"` // of Series
		Bars    []int    `json:"bars"`     // percent of the longest bar
	}
	var d data
	up := p.uptake()
	for i, day := range p.Nation.ByDay {
		d.Days = append(d.Days, sayTime(day.Date, "Mon 2 Jan 2006"))
		classes := ""
		for j := range p.Nation.ByRegion {
			row := p.Nation.Series[p.SeriesIndex(i, j)]
			classes += fmt.Sprint(up.class(row.PerThousand))
			d.Holders = append(d.Holders, say("perthousand", row.PerThousand))
			w := p.WaitRow(i, j)
			d.Wait = append(d.Wait, p.Text(w, "wait_p95_s", "duration"))
			d.WaitRow = append(d.WaitRow, w)
			d.Bars = append(d.Bars, barPercent(row.PerThousand, up))
		}
		d.Classes = append(d.Classes, classes)
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
func (p *page) Bar(k int) int { return barPercent(p.Nation.Series[k].PerThousand, p.uptake()) }

// series is one part of a stack of bars by day.
type series struct {
	field, class string
}

func (p *page) dayBars(id, title, desc, axis string, height int, marks bool, parts ...series) plot {
	var s shapes
	p.days.bands(&s, p.Result)
	top := 0.0
	values := make([][]Num, len(p.Nation.ByDay))
	for i := range p.Nation.ByDay {
		sum := 0.0
		for _, part := range parts {
			v := p.number(fmt.Sprintf("/nation/by_day/%d/%s", i, part.field))
			values[i] = append(values[i], v)
			sum += float64(v)
		}
		top = math.Max(top, sum)
	}
	sc := newScale(top)
	for i, row := range p.Nation.ByDay {
		x, _ := p.days.at(row.Date)
		sum := 0.0
		for j, part := range parts {
			v := float64(values[i][j])
			if v == 0 {
				continue
			}
			at := fmt.Sprintf("/nation/by_day/%d/%s", i, part.field)
			s.f(`<rect class="%v" x="%v" y="%v" width=".84" height="%v"%v>`, part.class, x+0.08, sc.y(sum+v), 100*v/sc.top, template.HTML(attrs(at, "count")))
			p.shapeTitle(&s, sayDay(row.Date), at, "count")
			s.f(`</rect>`)
			sum += v
		}
	}
	out := plot{
		ID: id, Title: p.t(title), Desc: p.t(desc), Width: float64(p.days.n), Height: height,
		Axis: p.t(axis), Y: sc.ticks(sayTick), X: p.days.ticks(),
	}
	if m := p.days.marks(&s, p.Result, p.t("anycentre")); marks {
		out.Marks = m
	}
	out.Shapes = s.html()
	return out
}

// IssuedPlot is cards issued by day and channel.
func (p *page) IssuedPlot() plot {
	out := p.dayBars("issued", "issued.svg", "issued.desc", "issued.axis", 220, true,
		series{"issued_tap", "c0"}, series{"issued_centre", "c1"})
	out.Cursor = true
	return out
}

// VerifyPlots are presentations, refusals and those not answered, each with its
// own scale.
func (p *page) VerifyPlots() []plot {
	out := []plot{
		p.dayBars("shown", "verify.svg", "verify.desc", "verify.axis", 150, true, series{"verifications", "c0"}),
		p.dayBars("refused", "refused.svg", "verify.desc", "refused.axis", 90, false, series{"rejected_suspended", "c5"}),
	}
	for _, d := range p.Nation.ByDay {
		if d.TurnedAway > 0 {
			return append(out, p.dayBars("turned", "turned.svg", "verify.desc", "turned.axis", 90, false, series{"turned_away", "alarm"}))
		}
	}
	return out
}

// WaitPlot is the strip of waits: a row for each region, in the order of Rows.
func (p *page) WaitPlot() plot {
	var s shapes
	rows := float64(len(p.Rows))
	p.days.bands(&s, p.Result)
	for k, region := range p.Rows {
		y := 100 * float64(k) / rows
		if x, ok := p.days.at(p.Nation.ByRegion[region].Opens); ok {
			s.f(`<path class="opens" d="M%v,%vV%v"/>`, x, y, y+100/rows)
		}
		for i, day := range p.Nation.ByDay {
			n := p.SeriesIndex(i, region)
			if !p.Nation.Series[n].WaitP95.Known() {
				continue
			}
			x, _ := p.days.at(day.Date)
			at := fmt.Sprintf("/nation/series/%d/wait_p95_s", n)
			s.f(`<rect class="q%d" x="%v" y="%v" width="1" height="%v"%v>`, waitClass(p.Nation.Series[n].WaitP95), x, y+6/rows, 88/rows, template.HTML(attrs(at, "duration")))
			p.shapeTitle(&s, p.Nation.ByRegion[region].Name+", "+sayDay(day.Date), at, "duration")
			s.f(`</rect>`)
		}
	}
	return plot{
		ID: "waits", Title: p.t("waits.svg"), Desc: p.t("waits.desc"), Width: float64(p.days.n),
		Height: 22 * len(p.Rows), Shapes: s.html(), X: p.days.ticks(),
	}
}

// CurveClass gives each kind of verifier its colour and dash, the same in every
// picture.
func (p *page) CurveClass(verifier string) int {
	var kinds []string
	for _, c := range p.Suspension.Curves {
		known := false
		for _, k := range kinds {
			known = known || k == c.Verifier
		}
		if !known {
			kinds = append(kinds, c.Verifier)
		}
	}
	for i, k := range kinds {
		if k == verifier {
			return i % 6
		}
	}
	return 5
}

// Moments are the beginnings from which the last acceptance is counted.
func (p *page) Moments() []string { return moments }

var moments = []string{"acknowledgement", "submission", "loss"}

// CheckOf says how a kind of verifier that keeps a list keeps it.
func (p *page) CheckOf(place string) template.HTML {
	for i, row := range p.Nation.ByPlace {
		if row.Place == place && row.Check == "cached" {
			return p.say("check.cached", "refresh", p.fig(fmt.Sprintf("/nation/by_place/%d/refresh_s", i), "duration"),
				"ttl", p.fig(fmt.Sprintf("/nation/by_place/%d/ttl_s", i), "duration"))
		}
	}
	return template.HTML(template.HTMLEscapeString(p.t("check.list")))
}

// ExposurePlots are the cumulative curves, one picture for each moment.
func (p *page) ExposurePlots() []plot {
	longest := 600.0
	for _, c := range p.Suspension.Curves {
		for _, q := range c.Points {
			longest = math.Max(longest, float64(q.T))
		}
	}
	var out []plot
	for _, since := range moments {
		var s shapes
		found := false
		for _, c := range p.Suspension.Curves {
			if c.Since != since || len(c.Points) == 0 {
				continue
			}
			found = true
			s.f(`<path class="line s%d" d="`, p.CurveClass(c.Verifier))
			for i, q := range c.Points {
				form := `H%vV%v`
				if i == 0 {
					form = `M%v,%v`
				}
				s.f(form, stretch(float64(q.T), longest), 100-100*float64(q.Share))
			}
			s.f(`H100"><title>%v</title></path>`, c.Verifier)
		}
		if !found {
			continue
		}
		pl := plot{
			ID: "exposure-" + since, Width: 100, Height: 200, Shapes: s.html(),
			Title: string(p.say("exposure.svg", "since", p.t("exposure."+since))), Desc: p.t("exposure.desc"),
			Axis: p.t("exposure." + since),
			Y:    []tick{{At: 0, Label: "0"}, {At: 50, Label: "50\u00a0%"}, {At: 100, Label: "100\u00a0%"}},
		}
		for _, t := range stretchTicks {
			if n := len(pl.X); t.at <= longest && (n == 0 || stretch(t.at, longest)-pl.X[n-1].At > 12) {
				pl.X = append(pl.X, tick{At: stretch(t.at, longest), Label: sayDuration(Num(t.at)), Minor: t.minor})
			}
		}
		out = append(out, pl)
	}
	return out
}

// RecoveryPlots are goodput and backlog beside the twin, and retries.
func (p *page) RecoveryPlots(i int) []plot {
	rows := p.Recovery[i].Timeline
	if len(rows) == 0 {
		return nil
	}
	h := hours{rows}
	n := float64(len(rows))
	base := func(s *shapes) {
		from, to := h.at(p.Recovery[i].From), h.at(p.Recovery[i].Until)
		s.f(`<rect class="fault" x="%v" y="0" width="%v" height="100"/>`, from, math.Max(to-from, n/300))
	}
	pair := func(name string, with, twin func(RecoveryPoint) int64) plot {
		var s shapes
		base(&s)
		top := int64(0)
		for _, r := range rows {
			top = max(top, with(r), twin(r))
		}
		sc := newScale(float64(top))
		line := func(v func(RecoveryPoint) int64) string {
			var l shapes
			for k, r := range rows {
				l.f(`%v,%v `, float64(k)+0.5, sc.y(float64(v(r))))
			}
			return strings.TrimSpace(l.String())
		}
		a, b := line(with), line(twin)
		back := strings.Fields(b)
		for l, r := 0, len(back)-1; l < r; l, r = l+1, r-1 {
			back[l], back[r] = back[r], back[l]
		}
		s.f(`<polygon class="between" points="%v %v"/>`, a, strings.Join(back, " "))
		s.f(`<polyline class="line twin" points="%v"/><polyline class="line s0" points="%v"/>`, b, a)
		return plot{
			ID: fmt.Sprintf("recovery-%d-%s", i, name), Title: p.t("recovery." + name + ".svg"), Desc: p.t("recovery.desc"),
			Width: n, Height: 170, Shapes: s.html(), Axis: p.t("recovery." + name + ".axis"), Y: sc.ticks(sayTick), X: h.ticks(),
		}
	}
	out := []plot{
		pair("goodput", func(r RecoveryPoint) int64 { return r.Goodput }, func(r RecoveryPoint) int64 { return r.GoodputTwin }),
		pair("backlog", func(r RecoveryPoint) int64 { return r.Backlog }, func(r RecoveryPoint) int64 { return r.BacklogTwin }),
	}
	var s shapes
	base(&s)
	top := int64(0)
	for _, r := range rows {
		top = max(top, r.RetriesMachine+r.RetriesPeople)
	}
	if top == 0 {
		return out
	}
	sc := newScale(float64(top))
	for k, r := range rows {
		sum := 0.0
		for _, part := range []struct {
			field, class string
			v            int64
		}{{"retries_machine", "c5", r.RetriesMachine}, {"retries_people", "c1", r.RetriesPeople}} {
			if part.v == 0 {
				continue
			}
			at := fmt.Sprintf("/recovery/%d/timeline/%d/%s", i, k, part.field)
			s.f(`<rect class="%v" x="%v" y="%v" width=".84" height="%v"%v>`, part.class, float64(k)+0.08,
				sc.y(sum+float64(part.v)), 100*float64(part.v)/sc.top, template.HTML(attrs(at, "count")))
			p.shapeTitle(&s, sayHour(r.T), at, "count")
			s.f(`</rect>`)
			sum += float64(part.v)
		}
	}
	return append(out, plot{
		ID: fmt.Sprintf("recovery-%d-retries", i), Title: p.t("recovery.retries.svg"), Desc: p.t("recovery.desc"),
		Width: n, Height: 110, Shapes: s.html(), Axis: p.t("recovery.retries.axis"), Y: sc.ticks(sayTick), X: h.ticks(),
	})
}
