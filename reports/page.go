package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"regexp"
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
	days days
	err  error // the first figure that was not found

	// Rows are indices into ByRegion in the order of display: by opening day,
	// then by uptake.
	Rows []int
}

// renderHTML writes the page for a result whose JSON is in doc.
func renderHTML(r *Result, doc *Document, m *Map) ([]byte, error) {
	p := &page{Result: r, Map: m, doc: doc, days: newDays(r.Nation.ByDay)}
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
	t, err := p.template()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), p.err
}

// template is the page with its parts, which ask p for figures and words.
func (p *page) template() (*template.Template, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"t": p.t, "say": p.say, "fig": p.fig, "arg": p.arg, "td": p.td, "attr": p.attribute, "way": p.way, "def": p.defLink,
		"own": p.own, "ownarg": ownArg, "codearg": codeArg, "ownlist": ownList, "dataKo": p.dataKo, "region": p.region, "short": p.shortRegion, "regionarg": p.regionArg,
		"day": onDay.element, "hour": atHour.element, "aday": onDay.arg, "adate": onDate.arg, "ahour": atHour.arg,
		"en": func(key string) string { return p.phrase(key).en }, "koname": func(key string) string { return p.phrase(key).ko },
		"ko": func(key string) template.HTMLAttr { return dataKo(p.phrase(key)) }, "tickarg": func(s string) both { return both{tickHTML(s), tickHTML(s)} },
		"caption": p.caption, "known": p.known, "onshort": onShort.element, "a": fmt.Sprintf, "dict": dict, "phrasearg": func(key string) both { return p.fill(key) },
		"css": func() template.CSS { return p.css() }, "js": func() template.JS { return template.JS(pageJS) },
	}).Parse(pageTemplate)
	if err == nil {
		t, err = t.Parse(uncertainTemplate)
	}
	return t, err
}

// css is the style of what the page holds.
func (p *page) css() template.CSS {
	css := themeCSS() + pageCSS
	if p.Uncertainty != nil {
		css += uncertainCSS
	}
	return template.CSS(css)
}

func (p *page) number(pointer string) Num {
	n, err := p.doc.Number(pointer)
	if err != nil && p.err == nil {
		p.err = err
	}
	return n
}

// way names who found a figure; defLink leads to its definition.
func (p *page) way(pointer string) template.HTML {
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

func dict(args ...any) map[string]any {
	m := make(map[string]any)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i].(string)] = args[i+1]
	}
	return m
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
func (p *page) WaitPlace() both { f := waitPlace(p.Result); return plain(f.en, f.ko) }

func waitPlace(r *Result) phrase {
	l := r.Nation.Visits.Longest
	place := phrase{l.Municipality, l.Municipality}
	for _, m := range r.Nation.Municipality {
		if m.Region == l.Region && m.Name == l.Municipality && m.NameKo != "" {
			place.ko = m.NameKo
		}
	}
	for _, row := range r.Nation.ByRegion {
		if row.Region != l.Region || row.Name == place.en {
			continue
		}
		region := regionName(row.Name, row.NameKo)
		if place.en == "" {
			return region
		}
		return phrase{place.en + " (" + region.en + ")", region.ko + " " + place.ko}
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

// Why is the command that says why people queued at a centre.
func (p *page) Why(centre int) string { return whyCommand(p.Result, p.Nation.ByCentre[centre].Code) }

// MunicipalityName names a municipality by its code.
func (p *page) MunicipalityName(code string) template.HTML {
	for _, m := range p.Nation.Municipality {
		if m.Code == code {
			n := regionName(m.Name, m.NameKo)
			return swap("span", "", n.en, n.ko)
		}
	}
	return template.HTML(escape(code))
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

// WorstHour is the index of the hour at whose end most more intents waited than
// without the fault, -1 if there were never more.
func (p *page) WorstHour(f Recovery) int {
	worst, most := -1, int64(0)
	for i, h := range f.Timeline {
		if more := h.Backlog - h.BacklogTwin; more > most {
			worst, most = i, more
		}
	}
	return worst
}

// FunctionState is "works", "stopped" or "unused".
func (p *page) FunctionState(f *Function) string {
	switch {
	case f.Attempts == 0:
		return "unused"
	case f.Works:
		return "works"
	}
	return "stopped"
}

// FunctionList pairs each function with its key.
func (r Recovery) FunctionList() []keyedFunction {
	f := r.Functions
	all := []keyedFunction{
		{"issuance", &f.Issuance}, {"online_verification", &f.OnlineVerification},
		{"offline_verification", &f.OfflineVerification}, {"suspension", &f.Suspension},
	}
	if f.CardDelivery != nil {
		all = append(all, keyedFunction{"card_delivery", f.CardDelivery})
	}
	return all
}

type keyedFunction struct {
	Key string
	*Function
}

// Assumed, Measured and Published are the indices of the assumptions with that mark,
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
func (p *page) Assumed() []int   { return p.marked("A") }
func (p *page) Measured() []int  { return p.marked("M") }
func (p *page) Published() []int { return p.marked("S") }

func (p *page) marked(mark string) []int {
	var out []int
	for i, a := range p.Trust.Assumptions {
		if a.Mark == mark {
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

// Wrong says whether anything went wrong: then the page opens with it.
func (p *page) Wrong() bool {
	lost := int64(0)
	for _, f := range p.Recovery {
		lost += f.LostAcknowledged
	}
	return len(p.Failing()) > 0 || len(p.Violated()) > 0 || lost > 0 || p.Panel != nil && len(p.Panel.TrajectoriesDifferent) > 0
}

// Violated are the properties with a violation, in order.
func (p *page) Violated() []string {
	var out []string
	for _, name := range p.PropertyList() {
		if p.Suspension.ByProperty[name].Violations > 0 {
			out = append(out, name)
		}
	}
	return out
}

// ExposureSub says how many cards were used after an acknowledgement, and how
// long one could have been.
func (p *page) ExposureSub() template.HTML {
	const at = "/suspension/from_acknowledgement/"
	used := p.say("head.exposure.sub", "accepted", p.arg(at+"accepted", "count"), "count", p.arg(at+"count", "count"))
	if c := p.WorstCurve(); c >= 0 {
		used += " " + p.say("head.exposure.could", "max", p.arg(fmt.Sprintf("/suspension/curves/%d/max_s", c), "duration"), "place", ownArg(p.Suspension.Curves[c].Verifier))
	}
	return used
}

// Bands say between which values a headline figure lies in other runs, by chance
// and over the assumptions; nothing without replications.
func (p *page) Bands(pointer, form string) template.HTML {
	if p.Uncertainty == nil {
		return ""
	}
	metric := ""
	for _, h := range Headlines(p.Result) {
		if h.Pointer == pointer {
			metric = h.Metric
		}
	}
	var out template.HTML
	for i, f := range p.Uncertainty.Figures {
		if f.Metric != metric {
			continue
		}
		for _, b := range []struct {
			kind string
			Band
		}{{"chance", f.Chance}, {"assumptions", f.Assumptions}} {
			if !b.P05.Known() || !b.P95.Known() {
				continue
			}
			if out != "" {
				out += " "
			}
			at := fmt.Sprintf("/uncertainty/figures/%d/%s/", i, b.kind)
			out += p.say("head.band."+b.kind, "low", p.arg(at+"p05", form), "high", p.arg(at+"p95", form), "inside", p.arg("/uncertainty/"+b.kind+"/inside", "share"))
		}
	}
	return out
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

// ValueForm is the form in which the value of an expectation is shown: a time
// when it is about one.
func (p *page) ValueForm(i int) string {
	if aboutTime.MatchString(p.Expectations[i].Text) {
		return "duration"
	}
	return "plain"
}

var aboutTime = regexp.MustCompile(`^[a-z0-9_.\[\]*]+_s [<>=]+ [0-9]+[smhd]`)

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
