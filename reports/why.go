package reports

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"rollcall.example/rollcall/wholefile"
)

// WhySchema is the version of Why's form.
const WhySchema = 1

// Names of the files that an explanation leaves.
const (
	WhyFile       = "why.json"
	WhyReportFile = "why.html"
)

// WhyRest is the cause that is none: what is left when all are taken out.
const WhyRest = "rest"

// Why is why people queued at some centres.
type Why struct {
	Schema   int         `json:"schema"`
	Version  string      `json:"version"`
	Command  string      `json:"command"` // that gives this again
	Scenario string      `json:"scenario"`
	Title    string      `json:"title"`
	Seed     uint64      `json:"seed"`
	Centres  []WhyCentre `json:"centres"`
}

// WhyCentre is one centre: its wait and the causes, the largest first, which sum to it
// to the millisecond.
type WhyCentre struct {
	Code           string     `json:"code"` // ten digits
	Name           string     `json:"name"`
	Municipality   string     `json:"municipality"`
	MunicipalityKo string     `json:"municipality_ko"`
	Region         string     `json:"region"` // ISO code
	Counters       int64      `json:"counters"`
	Wait           WhyWait    `json:"wait"`   // of its municipality by itself: what is shared out
	InRun          *WhyWait   `json:"in_run"` // the same centre in the run in which it was found; null where none was asked
	Causes         []WhyCause `json:"causes"`
}

// WhyWait is how a queue did.
type WhyWait struct {
	Waited int64 `json:"waited_ms"` // in the queue, summed over everybody, other business included
	Mean   int64 `json:"mean_ms"`   // arrival to counter of the visitors served; other business is no visit
	P95    int64 `json:"p95_ms"`    // the same, 95th percentile
	Left   int64 `json:"left"`      // visitors who were not served
	Served int64 `json:"served"`    // visitors
}

// WhyCause is one cause with its Shapley shares of the wait.
type WhyCause struct {
	Cause   string   `json:"cause"` // other_business, face_failures, second_visits, outages, opening_spike, rest
	Share   Num      `json:"share"` // of waited_ms; can be negative
	Waited  int64    `json:"waited_ms"`
	Mean    int64    `json:"mean_ms"`
	P95     int64    `json:"p95_ms"`
	Left    int64    `json:"left"`
	Without *WhyWait `json:"without"` // if this cause alone were taken out; null for the rest
}

// EncodeWhy writes it as JSON.
func EncodeWhy(y *Why) ([]byte, error) {
	var w bytes.Buffer
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(y)
	return w.Bytes(), err
}

// WriteWhy writes the page and the figures into a folder.
func WriteWhy(dir string, y *Why) error {
	data, err := EncodeWhy(y)
	if err != nil {
		return err
	}
	page, err := renderWhy(y)
	if err != nil {
		return fmt.Errorf("the report cannot be made: %w", err)
	}
	return folder{dir, wholefile.OS}.write([]file{{WhyReportFile, page}, {WhyFile, data}})
}

// PrintWhy writes a table and some sentences for each centre.
func PrintWhy(out io.Writer, y *Why, t Terminal) error {
	var b strings.Builder
	spaces := strings.NewReplacer("\u00a0", " ", "\u202f", "")
	for i := range y.Centres {
		c := &y.Centres[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		head := spaces.Replace(c.head().en)
		if t.Colour {
			head = "\x1b[" + bold + "m" + head + "\x1b[0m"
		}
		b.WriteString(head + "\n")
		for _, line := range c.waits() {
			b.WriteString(fold("  "+spaces.Replace(line.en), t.Width, "  "))
		}
		var table strings.Builder
		w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "share\twaited\tmean\t95 %\tunserved\t\n")
		for _, x := range c.Causes {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t  %s\n", either("share", x.Share).en, personHours(x.Waited).en,
				span(x.Mean).en, span(x.P95).en, either("count", Num(x.Left)).en, english("why.cause."+x.Cause))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		b.WriteString(spaces.Replace(table.String()))
		for _, x := range c.Causes {
			if s := c.sentence(x); s.en != "" {
				b.WriteString(fold("  "+spaces.Replace(s.en), t.Width, "  "))
			}
		}
	}
	if len(y.Centres) == 0 {
		b.WriteString(english("why.nobody") + "\n")
	}
	if t.Report != "" {
		fmt.Fprintf(&b, "\nreport: %s\n", t.Report)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// fold breaks a line between words.
func fold(s string, width int, indent string) string {
	if width <= 0 {
		return s + "\n"
	}
	var b strings.Builder
	b.WriteString(indent)
	used := len(indent)
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case used+1+n > width:
			b.WriteString("\n" + indent)
			used = len(indent)
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String() + "\n"
}

// filled is a message with its places filled.
func filled(key string, args ...any) phrase {
	f := messages[key]
	for i := 0; i+1 < len(args); i += 2 {
		place := "{" + args[i].(string) + "}"
		x, ok := args[i+1].(phrase)
		if !ok {
			x = phrase{fmt.Sprint(args[i+1]), fmt.Sprint(args[i+1])}
		}
		f.en, f.ko = strings.ReplaceAll(f.en, place, x.en), strings.ReplaceAll(f.ko, place, x.ko)
	}
	return f
}

// either is a figure that may be negative.
func either(form string, n Num) phrase {
	if n.Known() && n < 0 {
		return phrase{"−" + say(form, -n), "−" + sayKo(form, -n)}
	}
	return phrase{say(form, n), sayKo(form, n)}
}

// span is a time in milliseconds.
func span(ms int64) phrase { return either("duration", Num(float64(ms)/1000)) }

// personHours is a time in milliseconds as hours.
func personHours(ms int64) phrase {
	h := math.Abs(float64(ms)) / 3_600_000
	s := sayCount(Num(h))
	if h < 99.5 {
		s = sayDecimal(Num(h), 1)
	}
	if ms < 0 && strings.Trim(s, "0.") != "" {
		s = "−" + s
	}
	return phrase{s + "\u00a0h", s + "시간"}
}

// head names a centre.
func (c *WhyCentre) head() phrase {
	return filled("why.head", "name", c.Name, "place", phrase{c.Municipality, c.MunicipalityKo}, "code", c.Code, "counters", either("count", Num(c.Counters)))
}

// waits are what is shared out, and the same in the run.
func (c *WhyCentre) waits() []phrase {
	say := func(key string, w *WhyWait) phrase {
		return filled(key, "hours", personHours(w.Waited), "mean", span(w.Mean), "p95", span(w.P95),
			"left", either("count", Num(w.Left)), "came", either("count", Num(w.Left+w.Served)))
	}
	out := []phrase{say("why.wait", &c.Wait)}
	if c.InRun != nil {
		out = append(out, say("why.inrun", c.InRun))
	}
	return out
}

// sentence says what a cause has to do with the wait; nothing where that is less than a
// hundredth of it.
func (c *WhyCentre) sentence(x WhyCause) phrase {
	switch {
	case !x.Share.Known() || math.Abs(float64(x.Share)) < 0.01:
		return phrase{}
	case x.Without == nil:
		return filled("why.without.rest", "hours", personHours(x.Waited), "mean", span(x.Mean))
	}
	key := "why.without"
	if x.Without.Left != c.Wait.Left {
		key = "why.without.left"
	}
	return filled(key, "cause", messages["why.about."+x.Cause], "hours", personHours(x.Without.Waited), "all", personHours(c.Wait.Waited),
		"mean", span(x.Without.Mean), "meanall", span(c.Wait.Mean), "left", either("count", Num(x.Without.Left)), "leftall", either("count", Num(c.Wait.Left)))
}

//go:embed why.html
var whyHTML string

var whyPage = template.Must(template.New("why").Funcs(template.FuncMap{
	"msg": func(key string) template.HTML { return twice(messages[key]) },
}).Parse(whyHTML))

// twice is a phrase in both languages, of which the page shows one.
func twice(f phrase) template.HTML {
	return template.HTML(`<span class="en">` + escape(f.en) + `</span><span class="ko" lang="ko">` + escape(f.ko) + `</span>`)
}

// renderWhy makes the page: one file, in the colours of the report, without a script.
func renderWhy(y *Why) ([]byte, error) {
	type row struct {
		Cause, Share, Waited, Mean, P95, Left, Sentence template.HTML
		Bar                                             string // percent of the widest
		Negative, Rest                                  bool
	}
	type centre struct {
		ID     string
		Head   template.HTML
		Waits  []template.HTML
		Rows   []row
		Totals row
	}
	page := struct {
		*Why
		Theme template.CSS
		Draw  []centre
	}{Why: y, Theme: template.CSS(themeCSS())}
	for i := range y.Centres {
		c := &y.Centres[i]
		d := centre{ID: "c" + c.Code, Head: twice(c.head())}
		for _, f := range c.waits() {
			d.Waits = append(d.Waits, twice(f))
		}
		widest := 0.0
		for _, x := range c.Causes {
			if x.Share.Known() {
				widest = math.Max(widest, math.Abs(float64(x.Share)))
			}
		}
		for _, x := range c.Causes {
			r := row{Cause: twice(messages["why.cause."+x.Cause]), Share: twice(either("share", x.Share)), Waited: twice(personHours(x.Waited)),
				Mean: twice(span(x.Mean)), P95: twice(span(x.P95)), Left: twice(either("count", Num(x.Left))),
				Negative: x.Waited < 0, Rest: x.Cause == WhyRest}
			if widest > 0 && x.Share.Known() {
				r.Bar = fmt.Sprintf("%.1f", 100*math.Abs(float64(x.Share))/widest)
			}
			if s := c.sentence(x); s.en != "" {
				r.Sentence = twice(s)
			}
			d.Rows = append(d.Rows, r)
		}
		w := c.Wait
		d.Totals = row{Waited: twice(personHours(w.Waited)), Mean: twice(span(w.Mean)), P95: twice(span(w.P95)), Left: twice(either("count", Num(w.Left)))}
		page.Draw = append(page.Draw, d)
	}
	var w bytes.Buffer
	err := whyPage.Execute(&w, page)
	return w.Bytes(), err
}

// whyCommand is the command that asks why a centre queued, made from the one that made
// the result: the panel and replications have nothing to do with it.
func whyCommand(r *Result, centre string) string {
	words := strings.Split(strings.Replace(r.Meta.Command, "rollcall run ", "rollcall why ", 1), " ")
	var out []string
	for i := 0; i < len(words); i++ {
		if words[i] == "--panel" || words[i] == "--replications" {
			i++
			continue
		}
		out = append(out, words[i])
	}
	return strings.Join(append(out, "--centre", centre), " ")
}
