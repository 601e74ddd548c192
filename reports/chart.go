package reports

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// plot is one picture: shapes in an SVG that is stretched to the width of the
// page, and all text around it in HTML, so that it stays readable on a phone.
type plot struct {
	ID          string
	Title, Desc phrase
	Width       float64 // of the viewBox; the height is 100
	Height      int     // pixels on the page
	Shapes      template.HTML
	Axis        template.HTML // what the vertical axis counts
	Keys        []key
	Y, X        []tick
	Marks       []mark // named vertical lines
	Notes       []note
	Cursor      bool     // has the line that follows the slider
	Names       []phrase // of the series, by the data-s of their points
	Labels      string   // list of the page's labels that the data-x of points counts in
}

// key says what a line or a colour stands for, beside the name of the axis.
type key struct {
	Class string
	Line  bool
	Label template.HTML
}

// note names a curve in the picture, at a place in percent.
type note struct {
	X, Y  float64
	Below bool // stands right below the place, otherwise left above it
	Names []template.HTML
}

// NameList are the names as attributes, for the script.
func (p plot) NameList() template.HTMLAttr {
	var en, ko []string
	for _, n := range p.Names {
		en, ko = append(en, n.en), append(ko, n.ko)
	}
	return template.HTMLAttr(`data-names="` + escape(strings.Join(en, "|")) + `" data-ko-names="` + escape(strings.Join(ko, "|")) + `"`)
}

// TitleKo and DescKo are attributes for the switch.
func (p plot) TitleKo() template.HTMLAttr { return dataKo(p.Title) }
func (p plot) DescKo() template.HTMLAttr  { return dataKo(p.Desc) }

// dataKo is the Korean of an element for the switch; without one the element is
// marked as English.
func dataKo(f phrase) template.HTMLAttr {
	if f.en == f.ko {
		if latin.MatchString(f.en) {
			return `lang="en"`
		}
		return ""
	}
	return template.HTMLAttr(`data-ko="` + escape(f.ko) + `"`)
}

type tick struct {
	At    float64 // percent
	Label phrase
	Minor bool // left out on a phone
}

// shapes collects SVG elements. Numbers are written with few digits.
type shapes struct{ strings.Builder }

func (s *shapes) f(format string, args ...any) {
	for i, a := range args {
		switch x := a.(type) {
		case float64:
			args[i] = short(x)
		case template.HTML:
			args[i] = string(x)
		case string:
			args[i] = template.HTMLEscapeString(x)
		}
	}
	fmt.Fprintf(s, format, args...)
}

func short(x float64) string {
	x = math.Round(x*100) / 100
	if x == 0 {
		return "0"
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func (s *shapes) html() template.HTML { return template.HTML(s.String()) }

// scale is a vertical axis with few round ticks. For bars it begins at zero.
type scale struct {
	low, top, step float64
}

func newScale(max float64) scale {
	if max <= 0 || math.IsNaN(max) || math.IsInf(max, 0) {
		max = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(max)))
	for _, k := range []float64{0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10} {
		if s := step * k; max/s <= 4 && (s >= 1 || max < 1) && (s == math.Trunc(s) || max < 1) {
			step = s
			break
		}
	}
	return scale{0, math.Ceil(max/step) * step, step}
}

// y is the distance from the top, in percent.
func (s scale) y(v float64) float64 { return 100 - 100*(v-s.low)/(s.top-s.low) }

func (s scale) ticks(label func(float64) phrase) []tick {
	var out []tick
	for i := 0; s.low+float64(i)*s.step <= s.top*1.0001; i++ {
		v := s.low + float64(i)*s.step
		out = append(out, tick{At: 100 - s.y(v), Label: label(v)})
	}
	return out
}

// sayTick is short: 200 k, 20만.
func sayTick(v float64) phrase {
	digits := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	en, ko := sayCount(Num(v)), sayCount(Num(v))
	switch {
	case v >= 1e6:
		en = digits(v/1e6) + "\u00a0M"
	case v >= 1e5:
		en = digits(v/1e3) + "\u00a0k"
	}
	switch {
	case v >= 1e8:
		ko = digits(v/1e8) + "억"
	case v >= 1e4:
		ko = digits(v/1e4) + "만"
	}
	return phrase{en, ko}
}

// days is a horizontal axis of days.
type days struct {
	first time.Time
	n     int
}

func newDays(rows []DayRow) days {
	if len(rows) == 0 {
		return days{n: 1}
	}
	first, _ := parseTime(rows[0].Date)
	last, _ := parseTime(rows[len(rows)-1].Date)
	return days{first, int(last.Sub(first).Hours()/24+0.5) + 1}
}

// at is the place of a moment, in days from the left.
func (d days) at(s string) (float64, bool) {
	t, ok := parseTime(s)
	if !ok {
		return 0, false
	}
	_, offset := t.Zone()
	x := t.Add(time.Duration(offset)*time.Second).UTC().Sub(d.first).Hours() / 24
	return x, x >= 0 && x < float64(d.n)
}

func (d days) percent(x float64) float64 { return 100 * x / float64(d.n) }

// ticks: the first of each month, or every few days of a short run.
func (d days) ticks() []tick {
	var out []tick
	for i := range d.n {
		t := d.first.AddDate(0, 0, i)
		switch {
		case d.n > 45 && t.Day() == 1, d.n > 10 && d.n <= 45 && i%7 == 0, d.n <= 10:
			out = append(out, tick{At: d.percent(float64(i) + 0.5), Label: tickDay(t), Minor: d.n <= 10 && i%3 != 0})
		}
	}
	return thin(out)
}

// bands draws closed days and faults over the whole height.
func (d days) bands(s *shapes, r *Result) {
	for _, c := range r.Meta.Closed {
		if x, ok := d.at(c); ok {
			s.f(`<rect class="closed" x="%v" y="0" width="1" height="100"/>`, x)
		}
	}
	for _, f := range r.Recovery {
		x, ok := d.at(f.From)
		if !ok {
			continue
		}
		to, _ := d.at(f.Until)
		s.f(`<rect class="fault" x="%v" y="0" width="%v" height="100"/>`, x, math.Max(to-x, float64(d.n)/250))
	}
}

func tickDay(t time.Time) phrase {
	return phrase{t.Format("2 Jan"), strings.ReplaceAll(t.Format("1. 2."), " ", "\u00a0")}
}

// marks draws a line where each phase opens and returns the names of the lines,
// and of the faults.
func (d days) marks(s *shapes, r *Result) []mark {
	var out []mark
	line := func(date string, label phrase) {
		x, ok := d.at(date)
		if !ok {
			return
		}
		s.f(`<path class="phase" d="M%v,0V100"/>`, x)
		out = append(out, mark{At: d.percent(x), Label: label})
	}
	for _, p := range r.Nation.ByPhase {
		ko, _ := translated(p.Phase)
		line(p.From, phrase{p.Phase, ko})
	}
	line(r.Meta.AnyCentre, messages["anycentre"])
	for _, f := range r.Recovery {
		if x, ok := d.at(f.From); ok {
			ko, _ := translated(f.Fault)
			out = append(out, mark{At: d.percent(x), Label: phrase{f.Fault, ko}, Fault: true})
		}
	}
	return lanes(out)
}

// hours is a horizontal axis of hours.
type hours struct{ rows []RecoveryPoint }

func (h hours) at(s string) float64 {
	t, ok := parseTime(s)
	first, ok2 := parseTime(h.rows[0].T)
	if !ok || !ok2 {
		return 0
	}
	return math.Min(math.Max(t.Sub(first).Hours(), 0), float64(len(h.rows)))
}

func (h hours) ticks() []tick {
	n := float64(len(h.rows))
	every := 1
	for _, e := range []int{1, 2, 4, 7, 14} {
		if every = e; n/24/float64(e) <= 6 {
			break
		}
	}
	var out []tick
	day := 0
	for i, p := range h.rows {
		t, _ := parseTime(p.T)
		switch {
		case t.Hour() == 0:
			if day%every == 0 {
				out = append(out, tick{At: 100 * float64(i) / n, Label: phrase{t.Format("Mon 2 Jan"), sayDayKo(p.T)}})
			}
			day++
		case n <= 60 && t.Hour()%6 == 0, n > 60 && n <= 100 && t.Hour() == 12:
			out = append(out, tick{At: 100 * float64(i) / n, Label: phrase{t.Format("15:04"), t.Format("15:04")}, Minor: true})
		}
	}
	return thin(out)
}

// stretch is the axis of times after a loss: zero at the left, long times
// compressed.
func stretch(seconds, longest float64) float64 {
	f := func(s float64) float64 { return math.Log1p(s / 60) }
	return 100 * f(seconds) / f(longest)
}

var stretchTicks = []struct {
	at    float64
	minor bool
}{{0, false}, {60, true}, {600, false}, {3600, true}, {6 * 3600, false}, {86400, true}, {7 * 86400, false}, {30 * 86400, true}}
