package reports

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

//go:embed beside.html
var besideTemplate string

//go:embed beside.css
var besideCSS string

// besidePage makes compare.html. Its figures are looked up in the very bytes of
// compare.json, as those of a report are in result.json.
type besidePage struct {
	*page
	B *Beside
}

func renderBeside(b *Beside, doc *Document) ([]byte, error) {
	stub := &Result{} // the time line of all of them
	for _, d := range b.Days {
		stub.Nation.ByDay = append(stub.Nation.ByDay, DayRow{Date: d.Date})
	}
	stub.Meta.Closed = b.closed
	p := &besidePage{&page{Result: stub, doc: doc, days: newDays(stub.Nation.ByDay)}, b}
	t, err := p.template()
	if err == nil {
		t, err = t.New("beside").Funcs(template.FuncMap{"name": p.name, "namearg": p.nameArg, "remark": p.remark,
			"css": func() template.CSS { return template.CSS(themeCSS() + pageCSS + besideCSS) }}).Parse(besideTemplate)
	}
	if err != nil {
		return nil, err
	}
	var w bytes.Buffer
	if err := t.ExecuteTemplate(&w, "beside", p); err != nil {
		return nil, err
	}
	return w.Bytes(), p.err
}

// A result's name is its owner's, and the same in both languages.
func (p *besidePage) name(k int) template.HTML {
	return template.HTML(`<span class="named" translate="no" lang="en">` + escape(p.B.Results[k].Name) + `</span>`)
}

func (p *besidePage) nameArg(k int) both { return both{p.name(k), p.name(k)} }

func (p *besidePage) remark(k int) template.HTML {
	n := p.B.remarks[k]
	args := slices.Clone(n.args)
	for i := 1; i < len(args); i += 2 {
		if args[i-1] == "command" {
			args[i] = codeArg(args[i].(string))
		} else if s, ok := args[i].(string); ok && slices.ContainsFunc(p.B.Results, func(r BesideResult) bool { return r.Name == s }) {
			name := template.HTML(`<span class="named" translate="no" lang="en">` + escape(s) + `</span>`)
			args[i] = both{name, name}
		}
	}
	return p.say(n.key, args...)
}

// figureGroups order the figures of the table; what stands nowhere is of a fault,
// and shown with it.
var figureGroups = []struct {
	title   string // key of a message
	metrics []string
}{
	{"beside.cards", []string{"nation.issued.total", "nation.issued.tap_share", "nation.holders", "nation.intents.abandoned", "nation.intents.pending", "nation.face.failed"}},
	{"beside.centres", []string{"nation.visits.count", "nation.visits.wait_p50_s", "nation.visits.wait_p95_s", "nation.visits.wait_max_s", "nation.visits.balked", "nation.visits.reneged", "nation.visits.second_visits"}},
	{"beside.shown", []string{"nation.verifications.count", "nation.verifications.refused_share", "nation.verifications.rejected_suspended", "nation.verifications.false_rejects", "nation.verifications.turned_away", "nation.verifications.latency_p95_ms"}},
	{"beside.lost", []string{"nation.losses.plastic_lost", "nation.losses.phones_lost", "suspension.reports.physical", "suspension.reports.mobile", "suspension.from_loss.p95_s", "suspension.from_acknowledgement.max_s",
		"nation.verifications.unreported_accepts", "nation.verifications.exposure_accepts", "nation.verifications.false_accepts", "suspension.violations"}},
	{"beside.plastic", []string{"nation.card_reissues", "nation.card_orders.wait_p95_s", "nation.fee_revenue_krw"}},
}

type figureGroup struct {
	Title string
	Rows  []int // indices of figures
}

// Groups are the figures in the order of the table.
func (p *besidePage) Groups() []figureGroup {
	var out []figureGroup
	for _, g := range figureGroups {
		row := figureGroup{Title: g.title}
		for _, metric := range g.metrics {
			if i := slices.IndexFunc(p.B.Figures, func(f BesideFigure) bool { return f.Metric == metric }); i >= 0 {
				row.Rows = append(row.Rows, i)
			}
		}
		out = append(out, row)
	}
	return out
}

// FigureName says a figure in a few words.
func (p *besidePage) FigureName(i int) template.HTML { return p.t("figure." + p.B.Figures[i].Metric) }

// inTable is the form of a figure in a table, where counts are not rounded.
func inTable(form string) string {
	if form == "count" {
		return "exact"
	}
	return form
}

// FigureCell is a figure of a result, and below it how it differs from the first's.
func (p *besidePage) FigureCell(i, k int) template.HTML {
	f := p.B.Figures[i]
	form := inTable(f.form)
	out := template.HTML(`<td class="n" data-label="` + escape(p.B.Results[k].Name) + `"><span>`)
	at := fmt.Sprintf("/figures/%d/values/%d", i, k)
	switch {
	case !f.Has[k]:
		out += missing
	case f.never && !f.Values[k].Known():
		out += p.t("notinrun")
	default:
		out += p.fig(at, form)
	}
	if c, j := p.B.against(k, f.Metric); c != nil {
		at := fmt.Sprintf("/comparisons/%d/figures/%d/", k-1, j)
		out += `<small class="off ` + template.HTML(c.Verdict) + `">`
		if c.Difference.Known() && c.Difference != 0 {
			out += p.fig(at+"difference", "signed "+form)
			if c.Relative.Known() && f.form != "share" {
				out += ` <span>(` + p.fig(at+"relative", "change") + `)</span>`
			}
			if c.Method != Exact && c.Low.Known() && c.Low < c.High {
				out += ` <span>` + p.say("beside.interval", "low", p.arg(at+"low", "signed "+form), "high", p.arg(at+"high", "signed "+form)) + `</span>`
			}
			out += ` `
		}
		out += p.t("judged."+string(c.Verdict)) + `</small>`
	}
	return out + `</span></td>`
}

// Most is the result with most of a figure, Fewest that with least; -1 if none has any.
func (p *besidePage) Most(metric string) int   { return p.extreme(metric, 1) }
func (p *besidePage) Fewest(metric string) int { return p.extreme(metric, -1) }

func (p *besidePage) extreme(metric string, sign Num) int {
	best := -1
	i := p.Figure(metric)
	for k, v := range p.B.Figures[i].Values {
		if v.Known() && (best < 0 || sign*v > sign*p.B.Figures[i].Values[best]) {
			best = k
		}
	}
	return best
}

// Figure is the index of a metric that every result has.
func (p *besidePage) Figure(metric string) int {
	return slices.IndexFunc(p.B.Figures, func(f BesideFigure) bool { return f.Metric == metric })
}

// ---- pictures ----

// Class is the colour and dash of a result, the same in every picture.
func (p *besidePage) Class(k int) string { return fmt.Sprint("s", k) }

// keys name the lines of the results of which there is something to show.
func (p *besidePage) keys(shown func(k int) bool) []key {
	var out []key
	for k := range p.B.Results {
		if shown(k) {
			out = append(out, key{p.Class(k), true, p.name(k)})
		}
	}
	return out
}

func (p *besidePage) names() []phrase {
	var out []phrase
	for _, r := range p.B.Results {
		out = append(out, phrase{r.Name, r.Name})
	}
	return out
}

// lines draws a broken line for each result, and a point for each value.
func (p *besidePage) lines(s *shapes, sc scale, n int, x func(i int) float64, value func(i, k int) (v Num, pointer string), form string) {
	for k := range p.B.Results {
		pen := "M"
		var path strings.Builder
		for i := range n {
			v, _ := value(i, k)
			if !v.Known() {
				continue // closed days do not break a line, an end does
			}
			fmt.Fprintf(&path, "%s%s,%s", pen, short(x(i)), short(sc.y(float64(v))))
			pen = "L"
		}
		s.f(`<path class="line %v" d="%v"/>`, p.Class(k), path.String())
	}
	for k := range p.B.Results {
		for i := range n {
			if v, pointer := value(i, k); v.Known() {
				s.f(`<path class="pt %v" d="M%v,%vh0" data-s="%d" data-x="%d"%v/>`, p.Class(k), x(i), sc.y(float64(v)), k, i, p.point(pointer, form))
			}
		}
	}
}

// DayPlots are holders, waits and what was done, day by day, with a line for each
// result.
func (p *besidePage) DayPlots() []plot {
	var out []plot
	for _, x := range []struct {
		name, form string
		unit       Num // on the axis
		of         func(BesideDay) []Num
	}{
		{"holders", "count", 1, func(d BesideDay) []Num { return d.Holders }},
		{"wait_p95_s", "duration", 60, func(d BesideDay) []Num { return d.Wait }},
		{"done", "count", 1, func(d BesideDay) []Num { return d.Done }},
	} {
		top := 0.0
		for _, d := range p.B.Days {
			for _, v := range x.of(d) {
				if v.Known() {
					top = math.Max(top, float64(v/x.unit))
				}
			}
		}
		sc := newScale(top)
		pl := p.dayPlot("beside-"+x.name, "beside."+x.name+".svg", "beside.desc", "beside."+x.name+".axis", 190)
		pl.Y, pl.Names, pl.Cursor, pl.Keys = sc.ticks(sayTick), p.names(), false, p.keys(func(int) bool { return true })
		var s shapes
		p.days.bands(&s, p.Result)
		scaled := scale{sc.low * float64(x.unit), sc.top * float64(x.unit), 0}
		p.lines(&s, scaled, len(p.B.Days), func(i int) float64 { at, _ := p.days.at(p.B.Days[i].Date); return at + 0.5 }, func(i, k int) (Num, string) {
			return x.of(p.B.Days[i])[k], fmt.Sprintf("/days/%d/%s/%d", i, x.name, k)
		}, x.form)
		pl.Shapes = s.html()
		out = append(out, pl)
	}
	return out
}

// faultHours are the hours before and after the beginning of a fault that the
// pictures of recovery have; beyond a fortnight nothing can be told apart.
func (p *besidePage) faultHours() (from, to int) {
	for _, f := range p.B.Faults {
		from, to = min(from, f.First), max(to, f.First+len(f.Timeline))
	}
	return max(from, -48), min(to, 14*24)
}

// FaultPlots lay the faults over one another, from the hour in which each began.
func (p *besidePage) FaultPlots() []plot {
	from, to := p.faultHours()
	n := to - from
	if n <= 1 || !slices.ContainsFunc(p.B.Faults, func(f BesideFault) bool { return len(f.Timeline) > 0 }) {
		return nil
	}
	keys := p.keys(func(k int) bool {
		return slices.ContainsFunc(p.B.Faults, func(f BesideFault) bool { return f.Result == k && len(f.Timeline) > 0 })
	})
	var out []plot
	for _, x := range []struct {
		name string
		of   func(f BesideFault, i int) (int64, string)
	}{
		{"goodput", func(f BesideFault, i int) (int64, string) { return f.Timeline[i].Goodput, "timeline/%d/goodput" }},
		{"more", func(f BesideFault, i int) (int64, string) { return f.More[i], "more_waiting/%d" }},
	} {
		low, top := 0.0, 0.0
		for _, f := range p.B.Faults {
			for i := range f.Timeline {
				v, _ := x.of(f, i)
				low, top = math.Min(low, float64(v)), math.Max(top, float64(v))
			}
		}
		sc := newScale(math.Max(top, -low))
		if low < 0 {
			sc.low = -math.Ceil(-low/sc.step) * sc.step
		}
		var s shapes
		s.f(`<path class="phase" d="M%v,0V100"/>`, float64(-from))
		var points shapes
		for j, f := range p.B.Faults {
			pen := "M"
			var path strings.Builder
			for i := range f.Timeline {
				at := f.First + i - from
				if at < 0 || at >= n {
					continue
				}
				v, pointer := x.of(f, i)
				y := sc.y(float64(v))
				fmt.Fprintf(&path, "%s%s,%s", pen, short(float64(at)+0.5), short(y))
				pen = "L"
				points.f(`<path class="pt %v" d="M%v,%vh0" data-s="%d" data-x="%d"%v/>`, p.Class(f.Result), float64(at)+0.5, y, j, at, p.point(fmt.Sprintf("/faults/%d/"+pointer, j, i), "count"))
			}
			s.f(`<path class="line %v" d="%v"/>`, p.Class(f.Result), path.String())
		}
		s.WriteString(points.String())
		pl := plot{ID: "beside-" + x.name, Title: p.phrase("beside." + x.name + ".svg"), Desc: p.phrase("beside.fault.desc"), Width: float64(n), Height: 190,
			Axis: p.t("beside." + x.name + ".axis"), Keys: keys, Shapes: s.html(), Labels: "hours", Y: sc.ticks(sayTick)}
		for _, f := range p.B.Faults {
			ko, _ := translated(f.Fault)
			name := p.B.Results[f.Result].Name
			pl.Names = append(pl.Names, phrase{name + ", " + f.Fault, name + ", " + ko})
		}
		every := 6
		for _, e := range []int{6, 12, 24, 48, 96} {
			if every = e; n/e <= 8 {
				break
			}
		}
		for h := from; h < to; h++ {
			if h%every == 0 {
				pl.X = append(pl.X, tick{At: 100 * float64(h-from) / float64(n), Label: sinceFault(h)})
			}
		}
		pl.X = thin(pl.X)
		out = append(out, pl)
	}
	return out
}

// sinceFault names an hour by the time since the fault began.
func sinceFault(h int) phrase {
	switch {
	case h == 0:
		return phrase{"0", "0"}
	case h < 0:
		return phrase{"−" + sayDuration(Num(-3600*h)), "−" + sayKo("duration", Num(-3600*h))}
	}
	return phrase{"+" + sayDuration(Num(3600*h)), "+" + sayKo("duration", Num(3600*h))}
}

// LabelData are the days and hours in both languages, to which points refer.
func (p *besidePage) LabelData() (template.JS, error) {
	d := map[string][2][]string{}
	add := func(name, en, ko string) {
		l := d[name]
		l[0], l[1] = append(l[0], en), append(l[1], ko)
		d[name] = l
	}
	for _, day := range p.B.Days {
		add("days", sayTime(day.Date, "Mon 2 Jan 2006"), sayDateKo(day.Date))
	}
	from, to := p.faultHours()
	for h := from; h < to; h++ {
		add("hours", sinceFault(h).en, sinceFault(h).ko)
	}
	b, err := json.Marshal(d)
	return template.JS(b), err
}

// ---- faults ----

// faultColumns are the figures of a fault in the table of recovery.
var faultColumns = []struct{ Field, Form, Head string }{
	{"detected_s", "duration", "rec.detected"},
	{"restored_s", "duration", "rec.restored"},
	{"drain_s", "duration", "rec.drain"},
	{"retry_amplification", "times", "rec.retry"},
	{"turned_away", "exact", "rec.turned"},
	{"lost_acknowledged", "exact", "rec.lost"},
	{"goodput_before", "exact", "beside.before"},
	{"goodput_during", "exact", "beside.during"},
	{"goodput_after", "exact", "beside.after"},
	{"peak_backlog", "exact", "beside.peak"},
}

// lateColumns stand behind them where any fault struck the plant.
var lateColumns = []struct{ Field, Form, Head string }{
	{"cards/late", "exact", "rec.late"},
	{"cards/longest_delay_s", "duration", "rec.longest"},
}

// FaultColumns are the columns of the table of recovery.
func (p *besidePage) FaultColumns() []struct{ Field, Form, Head string } {
	if slices.ContainsFunc(p.B.Faults, func(f BesideFault) bool { return f.Cards != nil }) {
		return slices.Concat(faultColumns, lateColumns)
	}
	return faultColumns
}

// FunctionKeys are the functions that any of the faults is told of.
func (p *besidePage) FunctionKeys() []string {
	var keys []string
	for _, f := range p.B.Faults {
		for _, fn := range f.FunctionList() {
			if !slices.Contains(keys, fn.Key) {
				keys = append(keys, fn.Key)
			}
		}
	}
	return keys
}

// FunctionOf is what became of a function in a fault; nil where it is not told of.
func (p *besidePage) FunctionOf(f BesideFault, key string) *Function {
	for _, fn := range f.FunctionList() {
		if fn.Key == key {
			return fn.Function
		}
	}
	return nil
}

// FaultCell is a figure of a fault; of one that the first result has too, with the
// difference.
func (p *besidePage) FaultCell(i, column int) template.HTML {
	c, f := p.FaultColumns()[column], p.B.Faults[i]
	at := fmt.Sprintf("/faults/%d/%s", i, c.Field)
	out := template.HTML(`<td class="n" `) + template.HTML(p.attribute("data-label", c.Head)) + `><span>`
	switch {
	case f.Cards == nil && strings.HasPrefix(c.Field, "cards/"):
		out += missing
	case c.Form == "duration" && !p.number(at).Known() && c.Field == "detected_s":
		out += p.t("never")
	case c.Form == "duration" && !p.number(at).Known():
		out += p.t("notinrun")
	default:
		out += p.fig(at, c.Form)
	}
	if x, j := p.B.against(f.Result, fmt.Sprintf("recovery[%s].%s", f.Fault, c.Field)); x != nil && x.Difference.Known() && x.Difference != 0 {
		at := fmt.Sprintf("/comparisons/%d/figures/%d/", f.Result-1, j)
		out += `<small class="off ` + template.HTML(x.Verdict) + `">` + p.fig(at+"difference", "signed "+c.Form)
		if x.Method != Exact && x.Low.Known() && x.Low < x.High {
			out += ` <span>` + p.say("beside.interval", "low", p.arg(at+"low", "signed "+c.Form), "high", p.arg(at+"high", "signed "+c.Form)) + `</span>`
		}
		out += `</small>`
	}
	return out + `</span></td>`
}

// Slowest is the fault whose backlog took longest, -1 where none was gone in its run.
func (p *besidePage) Slowest() int {
	best := -1
	for i, f := range p.B.Faults {
		if f.Drain.Known() && (best < 0 || f.Drain > p.B.Faults[best].Drain) {
			best = i
		}
	}
	return best
}

// Open are the faults whose backlog was not gone by the end of the run.
func (p *besidePage) Open() []int {
	var out []int
	for i, f := range p.B.Faults {
		if !f.Drain.Known() {
			out = append(out, i)
		}
	}
	return out
}

// ---- what the template asks for ----

// Page is the page of figures and words itself.
func (p *besidePage) Page() *page { return p.page }

// Columns is how many columns the table of figures has.
func (p *besidePage) Columns() int { return 1 + len(p.B.Results) }

// At points into the comparison of a result with the first.
func (p *besidePage) At(k int, field string) string {
	return fmt.Sprintf("/comparisons/%d/%s", k-1, field)
}

// Compared is how many figures a result and the first have in common.
func (p *besidePage) Compared(k int) both { return p.Count(len(p.B.Comparisons[k-1].Figures)) }

// Count is a number of rows.
func (p *besidePage) Count(n int) both {
	b := both{tickHTML(sayCount(Num(n))), tickHTML(sayCount(Num(n)))}
	return b
}

// Intervals says whether any difference has one.
func (p *besidePage) Intervals() bool {
	return slices.ContainsFunc(p.B.Comparisons, func(c *Comparison) bool { return c.Method != Exact })
}

// parameters that are shown at once.
const fewParameters = 16

// Few and Many are the parameters that differ: those that are shown at once, and
// those in a table to open.
func (p *besidePage) Few() []BesideParameter {
	return p.B.Parameters[:min(fewParameters, len(p.B.Parameters))]
}
func (p *besidePage) Many() []BesideParameter { return p.B.Parameters[len(p.Few()):] }
