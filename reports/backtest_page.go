package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strings"
)

//go:embed backtest.html
var backtestHTML string

// renderBacktest makes the page: one file, in the colours of the report, without a
// script: the style sheet shows one of the two languages. What comes with the figures
// (items, sources, units, laws) is in English and marked so.
func renderBacktest(b *Backtest) ([]byte, error) {
	type row struct{ ID, Item, Date, Published, Model, Seeds, Off, Tolerance, Use, Verdict, Class, Source, Run string }
	type fit struct{ Law, RMSE, Parameters, Residuals string }
	type curve struct {
		Name, Source string
		Caption      template.HTML
		Picture      template.HTML
		Fits         []fit
	}
	view := struct {
		*Backtest
		Theme           template.CSS
		English, Korean string
		Rows            []row
		Draw            []curve
		Left            []BacktestTarget
	}{Backtest: b, Theme: template.CSS(themeCSS()), English: messages["lang.name"].en, Korean: messages["lang.name"].ko}
	words := new(page)
	for _, t := range b.Targets {
		view.Rows = append(view.Rows, row{t.ID, t.Item, t.Date, t.published(), t.model(), t.seeds(), t.off(), t.Tolerance, t.Use, t.Verdict,
			strings.ReplaceAll(t.Verdict, " ", "-"), t.Source + " [" + t.Mark + "]", t.Run + ": " + t.Measure})
		if t.Verdict == NotAnswered {
			view.Left = append(view.Left, t)
		}
	}
	for i := range b.Curves {
		c := &b.Curves[i]
		d := curve{Name: c.Wallet, Source: c.Source, Picture: template.HTML(drawCurve(c))}
		key, args := captionOf(c)
		d.Caption = words.say(key, args...)
		for _, f := range c.Fits {
			d.Fits = append(d.Fits, fit{f.Law, spell(f.RMSE), f.parameters(), f.residuals()})
		}
		view.Draw = append(view.Draw, d)
	}
	t, err := template.New("backtest").Funcs(template.FuncMap{"say": words.say,
		"both": func(key string) string { return words.phrase(key).en + " · " + words.phrase(key).ko },
		"word": func(s string) template.HTML { return words.say("bt." + strings.ReplaceAll(s, " ", "")) },
	}).Parse(backtestHTML)
	if err != nil {
		return nil, err
	}
	var w bytes.Buffer
	if err := t.Execute(&w, view); err != nil {
		return nil, err
	}
	return w.Bytes(), words.err
}

// captionOf states what the picture shows: a message and what stands in its places.
func captionOf(c *BacktestCurve) (key string, args []any) {
	plain, best := c.Fits[0], c.Fits[len(c.Fits)-1]
	key, args = "bt.caption", []any{"wallet", c.Wallet, "law", plain.Law, "figures", plain.Figures, "rmse", spell(plain.RMSE)}
	if len(c.Fits) > 1 {
		key, args = key+".best", append(args, "best", best.Law, "least", spell(best.RMSE))
	}
	return key, args
}

func caption(c *BacktestCurve) string {
	key, args := captionOf(c)
	return remark{key, args}.english()
}

// drawCurve draws figures and laws above, what the laws leave below.
func drawCurve(c *BacktestCurve) string {
	const (
		left, right, top, width = 46, 180, 14, 760
		high, gap, low          = 230, 34, 80
	)
	days, users, rest := 1.0, 0.0, 0.0
	for _, p := range c.Points {
		days, users = max(days, float64(p.Days)), max(users, float64(p.Published))
	}
	for _, f := range c.Fits {
		for _, q := range f.Line {
			users = max(users, float64(q[1]))
		}
		for _, r := range f.Residuals {
			rest = max(rest, float64(r), -float64(r))
		}
	}
	users, rest = users*1.05, max(rest*1.1, 0.01)
	x := func(d Num) float64 { return left + float64(d)/days*(width-left-right) }
	y := func(n float64) float64 { return top + high*(1-n/users) }
	middle := float64(top + high + gap + low/2)
	z := func(r float64) float64 { return middle - r/rest*low/2 }

	var s strings.Builder
	title := escape(caption(c))
	fmt.Fprintf(&s, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title>`, width, top+high+gap+low+30, title, title)
	step := math.Pow10(int(math.Floor(math.Log10(users))))
	for _, f := range []float64{0.2, 0.5} { // at least three lines
		if users/step < 2 {
			step *= f
		}
	}
	for v := 0.0; v <= users; v += step {
		fmt.Fprintf(&s, `<line class="rule" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, width-right, y(v), y(v), left-6, y(v)+4, spell(Num(v)))
	}
	fmt.Fprintf(&s, `<text x="%d" y="10">million</text>`, left)
	fmt.Fprintf(&s, `<line class="rule" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, middle, middle)
	fmt.Fprintf(&s, `<text x="%d" y="%.1f" text-anchor="end">+%.1f</text><text x="%d" y="%.1f" text-anchor="end">−%.1f</text>`,
		left-6, z(rest)+10, rest, left-6, z(-rest), rest)
	fmt.Fprintf(&s, `<text x="%d" y="%.1f">fitted less published</text>`, left, middle-low/2-6)
	last := -100.0
	for i, p := range c.Points {
		if at := x(p.Days); i == 0 || at-last > 80 {
			last = at
			fmt.Fprintf(&s, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, at, top+high+gap+low+22, p.Date)
		}
	}
	// Names stand right of the curves' ends, at least a line apart.
	type name struct {
		at   float64
		text string
		k    int
	}
	var names []name
	for k, f := range c.Fits {
		var path strings.Builder
		for i, q := range f.Line {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], x(q[0]), y(float64(q[1])))
		}
		fmt.Fprintf(&s, `<path class="s%d" d="%s"/>`, k, path.String())
		for i, r := range f.Residuals {
			at := x(c.Points[i].Days) + float64(k-1)*5
			fmt.Fprintf(&s, `<line class="s%d" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"><title>%s, %s: %+.2f million</title></line>`,
				k, at, at, middle, z(float64(r)), escape(f.Law), c.Points[i].Date, float64(r))
		}
		end := y(float64(f.Line[len(f.Line)-1][1]))
		for _, n := range names {
			if d := end - n.at; d > -14 && d < 14 {
				end = n.at + 14
			}
		}
		names = append(names, name{end, f.Law, k})
	}
	for _, n := range names {
		fmt.Fprintf(&s, `<text class="n%d" x="%d" y="%.1f">%s</text>`, n.k, width-right+8, n.at+4, escape(n.text))
	}
	for _, p := range c.Points {
		fmt.Fprintf(&s, `<circle cx="%.1f" cy="%.1f" r="4"><title>%s: %s million published</title></circle>`, x(p.Days), y(float64(p.Published)), p.Date, spell(p.Published))
	}
	s.WriteString(`</svg>`)
	return s.String()
}
