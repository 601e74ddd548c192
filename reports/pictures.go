package reports

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// The pictures over time.

// waits are the classes of the strip of waits, in seconds.
func (p *page) waits() ramp {
	return newRamp(p.longestWait(), []Num{60, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10800, 14400})
}

// WaitLegend are the lower ends of the classes of the strip of waits.
func (p *page) WaitLegend() []template.HTML {
	var out []template.HTML
	for _, c := range p.waits() {
		out = append(out, swap("span", ` class="tick"`, sayDuration(c), sayKo("duration", c)))
	}
	return out
}

// series is one part of a stack of bars by day.
type series struct {
	field, class string
	name         string // key of a message
}

// dayBars draws counts of ByDay.
func (p *page) dayBars(id, title, desc, axis string, height int, parts ...series) plot {
	top := 0.0
	for i := range p.Nation.ByDay {
		sum := 0.0
		for _, part := range parts {
			sum += float64(p.number(fmt.Sprintf("/nation/by_day/%d/%s", i, part.field)))
		}
		top = math.Max(top, sum)
	}
	sc := newScale(top)
	out := p.dayPlot(id, title, desc, axis, height)
	out.Y = sc.ticks(sayTick)
	var s shapes
	p.days.bands(&s, p.Result)
	below := make([]float64, len(p.Nation.ByDay))
	for j, part := range parts {
		out.Names = append(out.Names, p.phrase(part.name))
		for i, row := range p.Nation.ByDay {
			at := fmt.Sprintf("/nation/by_day/%d/%s", i, part.field)
			v := float64(p.number(at))
			if v == 0 {
				continue
			}
			x, _ := p.days.at(row.Date)
			s.f(`<rect class="%v" x="%v" y="%v" width=".84" height="%v" data-s="%d" data-x="%d"%v/>`, part.class, x+0.08, sc.y(below[i]+v), 100*v/sc.top, j, i, p.point(at, "count"))
			below[i] += v
		}
	}
	out.Marks = p.days.marks(&s, p.Result)
	out.Shapes = s.html()
	return out
}

// dayPlot is an empty picture over the days.
func (p *page) dayPlot(id, title, desc, axis string, height int) plot {
	return plot{
		ID: id, Title: p.phrase(title), Desc: p.phrase(desc), Width: float64(p.days.n), Height: height,
		Axis: p.t(axis), X: p.days.ticks(), Labels: "days", Cursor: true,
	}
}

// StripPlots stand below the map and have one time line: cards issued by
// channel, waits, and what was waiting around a fault.
func (p *page) StripPlots() []plot {
	out := []plot{p.dayBars("issued", "issued.svg", "issued.desc", "issued.axis", 170,
		series{"issued_tap", "c0", "issued.tap"}, series{"issued_centre", "c1", "issued.centre"})}
	out[0].Keys = []key{{"c0", false, p.t("issued.tap")}, {"c1", false, p.t("issued.centre")}, {"closed", false, p.t("closed")}}
	for _, f := range p.Recovery {
		out[0].Keys = append(out[0].Keys, key{"fault", false, p.own(f.Fault)})
	}
	out = append(out, p.waitStrip())
	for i, f := range p.Recovery {
		if len(f.Timeline) > 0 {
			out = append(out, p.backlogStrip(i))
		}
	}
	for i := range out {
		if i > 0 {
			out[i].Marks = nil
		}
		if i < len(out)-1 {
			out[i].X = nil
		}
	}
	return out
}

func (p *page) waitStrip() plot {
	out := p.dayPlot("waitstrip", "strip.wait.svg", "strip.wait.desc", "strip.wait.axis", 76)
	top := 0.0
	for _, d := range p.Nation.ByDay {
		if d.WaitP95.Known() {
			top = math.Max(top, float64(d.WaitP95)/60)
		}
	}
	sc := newScale(top)
	out.Y = sc.ticks(sayTick)
	out.Names = []phrase{p.phrase("way.nation")}
	var s shapes
	p.days.bands(&s, p.Result)
	for i, d := range p.Nation.ByDay {
		if !d.WaitP95.Known() || d.WaitP95 <= 0 {
			continue
		}
		x, _ := p.days.at(d.Date)
		v := float64(d.WaitP95) / 60
		s.f(`<rect class="w4" x="%v" y="%v" width=".84" height="%v" data-s="0" data-x="%d"%v/>`, x+0.08, sc.y(v), 100*v/sc.top, i, p.point(fmt.Sprintf("/nation/by_day/%d/wait_p95_s", i), "duration"))
	}
	p.days.marks(&s, p.Result)
	out.Shapes = s.html()
	return out
}

// backlogStrip is the backlog of a recovery on the time line of days, with a
// point at noon of each.
func (p *page) backlogStrip(i int) plot {
	out := p.dayPlot(fmt.Sprint("backlogstrip-", i), "strip.backlog.svg", "strip.backlog.desc", "strip.backlog.axis", 92)
	out.Keys = p.twinKeys()
	rows := p.Recovery[i].Timeline
	sc := lineScale(rows, func(r RecoveryPoint) (int64, int64) { return r.Backlog, r.BacklogTwin })
	out.Y = sc.ticks(sayTick)
	out.Names = []phrase{p.phrase("recovery.with")}
	var s shapes
	p.days.bands(&s, p.Result)
	x := make([]float64, len(rows))
	for k, r := range rows {
		x[k], _ = p.days.at(r.T)
		x[k] += 1.0 / 24 // the hour's end
	}
	difference(&s, sc, x, func(k int) (float64, float64) { return float64(rows[k].Backlog), float64(rows[k].BacklogTwin) })
	for k, r := range rows {
		t, _ := parseTime(r.T)
		if day, ok := p.days.at(r.T); ok && t.Hour() == 12 {
			s.f(`<path class="pt s0" d="M%v,%vh0" data-s="0" data-x="%d"%v/>`, x[k], sc.y(float64(r.Backlog)), int(day), p.point(fmt.Sprintf("/recovery/%d/timeline/%d/backlog", i, k), "count"))
		}
	}
	p.days.marks(&s, p.Result)
	out.Shapes = s.html()
	return out
}

// lineScale fits two lines. Where they stay far from zero it begins higher, so
// that their difference can be seen.
func lineScale(rows []RecoveryPoint, of func(RecoveryPoint) (int64, int64)) scale {
	low, top := int64(math.MaxInt64), int64(0)
	for _, r := range rows {
		a, b := of(r)
		low, top = min(low, a, b), max(top, a, b)
	}
	if low < top/2 {
		return newScale(float64(top))
	}
	sc := newScale(1.4 * float64(top-low))
	sc.low = math.Floor(float64(low)/sc.step) * sc.step
	sc.top = math.Ceil(float64(top)/sc.step) * sc.step
	return sc
}

// difference draws two lines, the second dashed, and shades what lies between.
func difference(s *shapes, sc scale, x []float64, values func(k int) (with, without float64)) {
	var a, b []string
	for k := range x {
		with, without := values(k)
		a = append(a, short(x[k])+","+short(sc.y(with)))
		b = append(b, short(x[k])+","+short(sc.y(without)))
	}
	with, without := strings.Join(a, " "), strings.Join(b, " ")
	slices.Reverse(b)
	s.f(`<polygon class="between" points="%v %v"/>`, with, strings.Join(b, " "))
	s.f(`<polyline class="line twin" points="%v"/><polyline class="line s0" points="%v"/>`, without, with)
}

// VerifyPlots are presentations, refusals and those not answered, each with its
// own scale.
func (p *page) VerifyPlots() []plot {
	out := []plot{
		p.dayBars("shown", "verify.svg", "verify.desc", "verify.axis", 150, series{"verifications", "c0", "col.count"}),
		p.dayBars("refused", "refused.svg", "verify.desc", "refused.axis", 90, series{"rejected_suspended", "c5", "col.suspended"}),
	}
	out[1].Marks = nil
	for _, d := range p.Nation.ByDay {
		if d.TurnedAway > 0 {
			out = append(out, p.dayBars("turned", "turned.svg", "verify.desc", "turned.axis", 90, series{"turned_away", "alarm", "col.turned"}))
			out[2].Marks = nil
			break
		}
	}
	return out
}

// WaitPlot is the strip of waits: a row for each region, in the order of Rows.
func (p *page) WaitPlot() plot {
	var s shapes
	rows := float64(len(p.Rows))
	p.days.bands(&s, p.Result)
	classes := p.waits()
	var names []phrase
	for k, region := range p.Rows {
		names = append(names, regionName(p.Nation.ByRegion[region].Name, p.Nation.ByRegion[region].NameKo))
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
			s.f(`<rect class="w%d" x="%v" y="%v" width="1" height="%v" data-s="%d" data-x="%d"%v/>`, classes.class(p.Nation.Series[n].WaitP95), x, y+6/rows, 88/rows, k, i, p.point(at, "duration"))
		}
	}
	// On a phone names and figures beside the strip leave room for half of the labels.
	ticks := p.days.ticks()
	for i := range ticks {
		ticks[i].Minor = ticks[i].Minor || i%2 == 1
	}
	return plot{
		ID: "waits", Title: p.phrase("waits.svg"), Desc: p.phrase("waits.desc"), Width: float64(p.days.n),
		Height: 22 * len(p.Rows), Shapes: s.html(), X: ticks, Names: names, Labels: "days", Cursor: true,
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

// OtherMoments are those with curves besides the acknowledgement.
func (p *page) OtherMoments() []string {
	var out []string
	for _, m := range moments[1:] {
		if slices.ContainsFunc(p.Suspension.Curves, func(c ExposureCurve) bool { return c.Since == m }) {
			out = append(out, m)
		}
	}
	return out
}

var moments = []string{"acknowledgement", "submission", "loss"}

// CheckOf says how a kind of verifier that keeps a list keeps it.
func (p *page) CheckOf(place string) template.HTML {
	for i, row := range p.Nation.ByPlace {
		if row.Place == place && row.Check == "cached" {
			return p.say("check.cached", "refresh", p.arg(fmt.Sprintf("/nation/by_place/%d/refresh_s", i), "duration"),
				"ttl", p.arg(fmt.Sprintf("/nation/by_place/%d/ttl_s", i), "duration"))
		}
	}
	return p.t("check.list")
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
		var names []phrase
		var curves []ExposureCurve
		atOnce := note{X: 0.5, Below: true}
		for n, c := range p.Suspension.Curves {
			if c.Since != since || len(c.Points) == 0 {
				continue
			}
			if reached(c, 0.5) > 0 {
				curves = append(curves, c)
			} else {
				atOnce.Names = append(atOnce.Names, p.own(c.Verifier))
			}
			ko, _ := translated(c.Verifier)
			names = append(names, phrase{c.Verifier, ko})
			s.f(`<path class="line s%d" d="`, p.CurveClass(c.Verifier))
			for i, q := range c.Points {
				form := `H%vV%v`
				if i == 0 {
					form = `M%v,%v`
				}
				s.f(form, stretch(float64(q.T), longest), 100-100*float64(q.Share))
			}
			s.f(`H100"/>`)
			for i, q := range c.Points {
				s.f(`<path class="pt s%d" d="M%v,%vh0" data-s="%d" data-l="%v" data-kl="%v"%v/>`, p.CurveClass(c.Verifier), stretch(float64(q.T), longest), 100-100*float64(q.Share),
					len(names)-1, sayDuration(q.T), sayKo("duration", q.T), p.point(fmt.Sprintf("/suspension/curves/%d/points/%d/share", n, i), "share"))
			}
		}
		if names == nil {
			continue
		}
		notes := p.curveNotes(curves, longest)
		if atOnce.Names != nil {
			notes = append(notes, atOnce)
		}
		pl := plot{
			ID: "exposure-" + since, Width: 100, Height: 200, Shapes: s.html(), Notes: notes,
			Title: phrase{strings.ReplaceAll(p.phrase("exposure.svg").en, "{since}", p.phrase("exposure."+since).en), strings.ReplaceAll(p.phrase("exposure.svg").ko, "{since}", p.phrase("exposure."+since).ko)},
			Desc:  p.phrase("exposure.desc"), Axis: p.t("exposure.axis") + " " + p.t("exposure."+since), Names: names,
			Y: []tick{{At: 0, Label: phrase{"0", "0"}}, {At: 50, Label: phrase{"50\u00a0%", "50%"}}, {At: 100, Label: phrase{"100\u00a0%", "100%"}}},
		}
		for _, t := range stretchTicks {
			if n := len(pl.X); t.at <= longest && (n == 0 || stretch(t.at, longest)-pl.X[n-1].At > 12) {
				pl.X = append(pl.X, tick{At: stretch(t.at, longest), Label: phrase{sayDuration(Num(t.at)), sayKo("duration", Num(t.at))}, Minor: t.minor})
			}
		}
		out = append(out, pl)
	}
	return out
}

// reached is when a curve first comes to a share.
func reached(c ExposureCurve, share Num) Num {
	for _, q := range c.Points {
		if q.Share >= share {
			return q.T
		}
	}
	return 0
}

// curveNotes name curves half way up, or lower where the name would touch the
// curve before on a phone.
func (p *page) curveNotes(curves []ExposureCurve, longest float64) []note {
	slices.SortStableFunc(curves, func(a, b ExposureCurve) int { return cmp.Compare(reached(a, 0.5), reached(b, 0.5)) })
	var out []note
	last := math.Inf(-1)
	for _, c := range curves {
		ko, _ := translated(c.Verifier)
		share := Num(0.5)
		if stretch(float64(reached(c, share)), longest)-last < (phrase{c.Verifier, ko}).width(0)+letters[0].latin {
			share = 0.3
		}
		x := stretch(float64(reached(c, share)), longest)
		out = append(out, note{X: x, Y: 100 - 100*float64(share), Names: []template.HTML{p.own(c.Verifier)}})
		last = x
	}
	return out
}

// twinKeys are the keys of a picture of a run and its twin.
func (p *page) twinKeys() []key {
	return []key{{"s0", true, p.t("recovery.with")}, {"twin", true, p.t("recovery.twin")}}
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
	labels := fmt.Sprint("hours-", i)
	fault := key{"fault", false, p.own(p.Recovery[i].Fault)}
	pair := func(name string, with, twin func(RecoveryPoint) int64) plot {
		var s shapes
		base(&s)
		x := make([]float64, len(rows))
		for k := range rows {
			x[k] = float64(k) + 0.5
		}
		sc := lineScale(rows, func(r RecoveryPoint) (int64, int64) { return with(r), twin(r) })
		difference(&s, sc, x, func(k int) (float64, float64) { return float64(with(rows[k])), float64(twin(rows[k])) })
		for k, r := range rows {
			s.f(`<path class="pt s0" d="M%v,%vh0" data-s="0" data-x="%d"%v/>`, x[k], sc.y(float64(with(r))), k, p.point(fmt.Sprintf("/recovery/%d/timeline/%d/%s", i, k, name), "count"))
		}
		return plot{
			ID: fmt.Sprintf("recovery-%d-%s", i, name), Title: p.phrase("recovery." + name + ".svg"), Desc: p.phrase("recovery.desc"),
			Width: n, Height: 170, Shapes: s.html(), Axis: p.t("recovery." + name + ".axis"), Keys: append(p.twinKeys(), fault), Y: sc.ticks(sayTick), X: h.ticks(),
			Names: []phrase{p.phrase("recovery.with")}, Labels: labels,
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
	below := make([]float64, len(rows))
	for j, part := range []struct {
		field, class string
		of           func(RecoveryPoint) int64
	}{
		{"retries_machine", "c5", func(r RecoveryPoint) int64 { return r.RetriesMachine }},
		{"retries_people", "c1", func(r RecoveryPoint) int64 { return r.RetriesPeople }},
	} {
		for k, r := range rows {
			v := float64(part.of(r))
			if v == 0 {
				continue
			}
			s.f(`<rect class="%v" x="%v" y="%v" width=".84" height="%v" data-s="%d" data-x="%d"%v/>`, part.class, float64(k)+0.08,
				sc.y(below[k]+v), 100*v/sc.top, j, k, p.point(fmt.Sprintf("/recovery/%d/timeline/%d/%s", i, k, part.field), "count"))
			below[k] += v
		}
	}
	return append(out, plot{
		ID: fmt.Sprintf("recovery-%d-retries", i), Title: p.phrase("recovery.retries.svg"), Desc: p.phrase("recovery.desc"),
		Keys:  []key{{"c1", false, p.t("recovery.people")}, {"c5", false, p.t("recovery.machines")}, fault},
		Width: n, Height: 110, Shapes: s.html(), Axis: p.t("recovery.retries.axis"), Y: sc.ticks(sayTick), X: h.ticks(),
		Names: []phrase{p.phrase("recovery.machines"), p.phrase("recovery.people")}, Labels: labels,
	})
}
