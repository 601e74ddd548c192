package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

//go:embed uncertain.html
var uncertainTemplate string

//go:embed uncertain.css
var uncertainCSS string

// What replications say under "Trust" and on the terminal.

// heads are the metrics of the page's headline figures, with the name that each
// has there.
func (r *Result) heads() []struct{ metric, title string } {
	third := struct{ metric, title string }{"nation.verifications.count", "unsure.verify"}
	if len(r.Recovery) > 0 {
		third = struct{ metric, title string }{fmt.Sprintf("recovery[%s].drain_s", r.Recovery[0].Fault), "unsure.drain"}
	}
	return []struct{ metric, title string }{
		{"nation.issued.total", "unsure.cards"}, {"nation.visits.wait_p95_s", "unsure.wait"}, third,
		{"suspension.from_acknowledgement.max_s", "unsure.exposure"},
	}
}

// uncertain is the index of a metric among the figures with bands, or -1.
func (r *Result) uncertain(metric string) int {
	if r.Uncertainty == nil {
		return -1
	}
	return slices.IndexFunc(r.Uncertainty.Figures, func(f UncertainFigure) bool { return f.Metric == metric })
}

// FormOf is formOf, for the template.
func (p *page) FormOf(metric string) string { return formOf(metric) }

// formOf is the form in which a metric is shown.
func formOf(metric string) string {
	for _, h := range headlines {
		name := strings.ReplaceAll(h.at[1:], "/", ".")
		if figure, ok := strings.CutPrefix(name, "recovery.*."); ok && strings.HasPrefix(metric, "recovery[") && strings.HasSuffix(metric, "]."+figure) || name == metric {
			return h.form
		}
	}
	return "plain"
}

// BandKinds are the kinds of bands that a figure has.
func (p *page) BandKinds() []string { return []string{"chance", "assumptions"} }

// open says whether an end of a band lies behind the end of the run.
func (b Band) open() bool { return b.Never > 0 && !b.P95.Known() }

// Unfinished says whether the replications were interrupted.
func (p *page) Unfinished() bool { return p.Uncertainty.Assumptions.Runs < p.Uncertainty.Asked }

// tornado is the picture of what moves one figure: a bar for each assumption from
// the figure's median with the lower half of its values to that with the upper.
type tornado struct {
	plot
	Form  string
	Rows  []tornadoRow
	title string
}

type tornadoRow struct {
	Mover
	At string // its pointer
}

// Tornados are those of the page's headline figures that anything moves.
func (p *page) Tornados() []tornado {
	var out []tornado
	for k, h := range p.heads() {
		i := p.uncertain(h.metric)
		if i < 0 || len(p.Uncertainty.Figures[i].Movers) == 0 {
			continue
		}
		f := p.Uncertainty.Figures[i]
		t := tornado{Form: formOf(h.metric), title: h.title}
		low, high := f.Assumptions.P50, f.Assumptions.P50
		for j, m := range f.Movers {
			t.Rows = append(t.Rows, tornadoRow{m, fmt.Sprintf("/uncertainty/figures/%d/movers/%d", i, j)})
			for _, x := range []Num{m.LowHalf, m.HighHalf} {
				if x.Known() {
					low, high = least(low, x), most(high, x)
				}
			}
		}
		span := float64(high - low)
		if !(span > 0) {
			continue
		}
		x := func(n Num) float64 { return 2 + 96*float64(n-low)/span }
		middle := x(f.Assumptions.P50)
		if !f.Assumptions.P50.Known() {
			middle = 98
		}
		var s shapes
		rows := float64(len(t.Rows))
		s.f(`<path class="phase" d="M%v,0V100"/>`, middle)
		var names []phrase
		for j, r := range t.Rows {
			names = append(names, phrase{r.Path, r.Path})
			dim := ""
			if !r.BeyondChance {
				dim = " dim"
			}
			for _, side := range []struct{ class, field, label string }{{"c1", "low_half", "unsure.low"}, {"c0", "high_half", "unsure.high"}} {
				at := r.At + "/" + side.field
				n := p.number(at)
				if !n.Known() {
					continue
				}
				from, to := min(middle, x(n)), max(middle, x(n))
				label := p.phrase(side.label)
				s.f(`<rect class="%v%v" x="%v" y="%v" width="%v" height="%v" data-s="%d" data-l="%v" data-kl="%v"%v/>`, side.class, dim, from, 100*(float64(j)+0.55)/rows, math.Max(to-from, 0.3), 30/rows, j, label.en, label.ko, p.point(at, t.Form))
			}
		}
		t.plot = plot{ID: fmt.Sprint("tornado-", k), Title: p.phrase("unsure.svg"), Desc: p.phrase("unsure.desc"), Width: 100, Height: 46 * len(t.Rows), Shapes: s.html(),
			Axis: p.t("unsure.axis"), Keys: []key{{"c1", false, p.t("unsure.low")}, {"c0", false, p.t("unsure.high")}}, Names: names}
		for _, n := range []Num{low, f.Assumptions.P50, high} {
			if !n.Known() {
				continue
			}
			if k := len(t.X); k == 0 || x(n)-t.X[k-1].At > 16 {
				t.X = append(t.X, tick{At: x(n), Label: phrase{say(t.Form, n), sayKo(t.Form, n)}})
			}
		}
		out = append(out, t)
	}
	return out
}

func least(a, b Num) Num {
	if !a.Known() || b < a {
		return b
	}
	return a
}

func most(a, b Num) Num {
	if !a.Known() || b > a {
		return b
	}
	return a
}

// TornadoTitle names the figure, TornadoFinding says what moves it.
func (p *page) TornadoTitle(t tornado) template.HTML { return p.t(t.title) }

func (p *page) TornadoFinding(t tornado) template.HTML {
	first := t.Rows[0]
	if !first.BeyondChance {
		return p.say("unsure.nothing", "any", p.arg("/uncertainty/assumptions/chance_correlation_any", "correlation"))
	}
	return p.say("unsure.finding", "path", codeArg(first.Path), "low", p.arg(first.At+"/low_half", t.Form), "high", p.arg(first.At+"/high_half", t.Form))
}

// mark shows the assumptions first that move a headline figure beyond chance.
func (u *Uncertainty) mark(r *Result) {
	moves := map[string]bool{}
	for _, h := range r.heads() {
		if i := r.uncertain(h.metric); i >= 0 {
			for _, m := range u.Figures[i].Movers {
				moves[m.Path] = moves[m.Path] || m.BeyondChance
			}
		}
	}
	for i := range r.Trust.Assumptions {
		a := &r.Trust.Assumptions[i]
		a.Matters = moves[a.Path]
	}
}

// uncertain says between what the headline figures lie, and what moves them.
func (s *summary) uncertain() {
	u := s.r.Uncertainty
	if u == nil || u.Chance.Runs == 0 {
		return
	}
	short := []string{"issued", "wait p95", "presentations", "last use"}
	if len(s.r.Recovery) > 0 {
		short[2] = "backlog gone after"
	}
	label := s.text("term.bands")
	var moved []string
	for k, h := range s.r.heads() {
		i := s.r.uncertain(h.metric)
		if i < 0 {
			continue
		}
		f, form := u.Figures[i], formOf(h.metric)
		between := func(b Band) string {
			if b.open() {
				return s.say(form, b.P05) + " to not within the run"
			}
			return s.say(form, b.P05) + " to " + s.say(form, b.P95)
		}
		by := []string{short[k] + " " + between(f.Chance) + " by chance"}
		if u.Assumptions.Runs > 0 {
			by = append(by, between(f.Assumptions)+" over the assumptions")
		}
		s.line(label, s.text("way.nation"), by...)
		label = ""
		if len(f.Movers) > 0 && f.Movers[0].BeyondChance {
			moved = append(moved, short[k]+": "+f.Movers[0].Path+" "+s.say("correlation", f.Movers[0].Correlation))
		}
	}
	if len(moved) == 0 {
		moved = []string{fmt.Sprintf("no assumption stands out of chance in %d runs", u.Assumptions.Runs)}
	}
	s.line(s.text("term.moved"), "", moved...)
}
