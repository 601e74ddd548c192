package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed live.html
var liveHTML string

var livePage = template.Must(template.New("live").Parse(liveHTML))

// renderLive makes the page of a load: one file, in the colours of the report,
// without a script. Every figure carries its pointer into result.json.
func renderLive(r *Result) ([]byte, error) {
	l := r.Live
	type figure struct{ Text, Pointer string }
	type row struct {
		Name  string
		Cells []figure
		Bars  []int // p50, p95, p99 as a share of the longest p99, in thousandths
	}
	type property struct {
		Name, What string
		Cells      []figure
		Broken     bool
	}
	fig := func(form string, n Num, pointer string) figure { return figure{say(form, n), pointer} }
	page := struct {
		*Result
		Theme      template.CSS
		Lead       string
		Head       []struct{ What, Text, Pointer string }
		Rows       []row
		Properties []property
	}{Result: r, Theme: template.CSS(themeCSS()), Lead: l.headline()}
	for _, h := range []struct {
		what, form string
		n          Num
		at         string
	}{
		{"answers checked", "count", Num(l.Answers), "/live/answers"}, {"of them wrong", "count", Num(l.Wrong), "/live/wrong"},
		{"without an answer", "count", Num(l.Unknown), "/live/unknown"}, {"violations by the whole history", "count", Num(l.Violations), "/live/violations"},
		{"under load", "duration", l.Seconds, "/live/seconds"}, {"citizens", "count", Num(l.Citizens), "/live/citizens"},
		{"iterations that could not begin", "count", Num(l.Dropped), "/live/dropped_iterations"},
		{"of the machine by the generator", "share", l.Generator.Share, "/live/generator/cpu_share"},
		{"of the machine by the service", "share", l.Server.Share, "/live/server/cpu_share"},
	} {
		page.Head = append(page.Head, struct{ What, Text, Pointer string }{h.what, say(h.form, h.n), h.at})
	}
	longest := Num(0)
	for _, o := range l.Operations {
		if o.P99.Known() {
			longest = max(longest, o.P99)
		}
	}
	for i := range l.Operations {
		o := &l.Operations[i]
		at := fmt.Sprintf("/live/operations/%d/", i)
		one := row{Name: o.Name(), Cells: []figure{fig("count", Num(o.Count), at+"count"), {say1(o.PerSecond), at + "answers_per_second"},
			fig("ms", o.P50, at+"p50_ms"), fig("ms", o.P95, at+"p95_ms"), fig("ms", o.P99, at+"p99_ms"), fig("ms", o.Max, at+"max_ms"),
			fig("count", Num(o.Unknown), at+"unknown"), fig("count", Num(o.Wrong), at+"wrong")}}
		for _, n := range []Num{o.P50, o.P95, o.P99} {
			if longest > 0 && n.Known() {
				one.Bars = append(one.Bars, int(1000*n/longest))
			}
		}
		page.Rows = append(page.Rows, one)
	}
	for _, name := range PropertyNames {
		if p, ok := l.ByProperty[name]; ok {
			at := "/live/by_property/" + name + "/"
			page.Properties = append(page.Properties, property{name, english(name), []figure{fig("count", Num(p.Opportunities), at+"opportunities"),
				fig("count", Num(p.Violations), at+"violations")}, p.Violations > 0})
		}
	}
	var w bytes.Buffer
	err := livePage.Execute(&w, page)
	return w.Bytes(), err
}

// headline says in one sentence what a load came to.
func (l *Live) headline() string {
	switch {
	case l.Wrong > 0 || l.Violations > 0:
		return fmt.Sprintf("The service answered wrongly: %s of %s answers, and %s violations by the whole history.", sayCount(Num(l.Wrong)), sayCount(Num(l.Answers)), sayCount(Num(l.Violations)))
	case !l.Valid:
		return "This is no measurement of the service: the load could not be made as it was asked for."
	case !l.Judged:
		return fmt.Sprintf("%s answers were checked and none was wrong; the history as a whole was not judged.", sayCount(Num(l.Answers)))
	}
	return fmt.Sprintf("%s answers were checked and none was wrong; the whole history keeps every property in %s checks.", sayCount(Num(l.Answers)), sayCount(Num(l.Opportunities)))
}

//go:embed live_beside.html
var liveBesideHTML string

var liveBesidePage = template.Must(template.New("live beside").Parse(liveBesideHTML))

// renderLoads makes the page of loads side by side.
func renderLoads(b *Beside) ([]byte, error) {
	type cell struct {
		Text, Pointer string
		Beyond        bool
	}
	type row struct {
		Metric, Unit string
		Cells        []cell
	}
	page := struct {
		*Beside
		Theme     template.CSS
		Lead      string
		Tolerance []string
		Rows      []row
	}{Beside: b, Theme: template.CSS(themeCSS()), Tolerance: b.Comparisons[0].Tolerance}
	page.Lead = fmt.Sprintf("%d figures differ from those of %s, %d of them beyond the tolerance.", b.Differ, b.Results[0].Name, b.Beyond)
	for i, f := range b.Figures {
		one := row{Metric: f.Metric, Unit: f.Unit}
		for k := range b.Results {
			c := cell{Text: say(f.form, f.Values[k]), Pointer: fmt.Sprintf("/figures/%d/values/%d", i, k)}
			if against, _ := b.against(k, f.Metric); against != nil {
				c.Beyond = against.Verdict == Beyond
			}
			one.Cells = append(one.Cells, c)
		}
		page.Rows = append(page.Rows, one)
	}
	var w bytes.Buffer
	err := liveBesidePage.Execute(&w, page)
	return w.Bytes(), err
}
