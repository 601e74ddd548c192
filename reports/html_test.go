package reports

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// node is an element of a page that was read as XML.
type node struct {
	name     string
	attr     map[string]string
	parent   *node
	children []*node
	texts    []string
}

func (n *node) text() string {
	s := strings.Join(n.texts, "")
	for _, c := range n.children {
		s += c.text()
	}
	return s
}

func (n *node) walk(f func(*node)) {
	f(n)
	for _, c := range n.children {
		c.walk(f)
	}
}

func (n *node) within(f func(*node) bool) bool {
	for x := n; x != nil; x = x.parent {
		if f(x) {
			return true
		}
	}
	return false
}

var rawText = regexp.MustCompile(`(?s)(<(?:script|style)[^>]*>)(.*?)(</(?:script|style)>)`)

// parsePage reads HTML as XML: every element closed, every attribute quoted.
// It is written so that it is both.
func parsePage(t *testing.T, page []byte) *node {
	t.Helper()
	s := rawText.ReplaceAllString(string(page), "$1$3")
	d := xml.NewDecoder(strings.NewReader(s))
	d.Entity = xml.HTMLEntity
	d.Strict = true
	root := &node{name: "root"}
	at := root
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			n := &node{name: x.Name.Local, attr: map[string]string{}, parent: at}
			for _, a := range x.Attr {
				n.attr[a.Name.Local] = a.Value
			}
			at.children = append(at.children, n)
			at = n
		case xml.EndElement:
			at = at.parent
		case xml.CharData:
			at.texts = append(at.texts, string(x))
		}
	}
	if at != root {
		t.Fatalf("the page is not well formed: <%s> is never closed", at.name)
	}
	return root
}

type rendered struct {
	r     *Result
	files map[string][]byte
	doc   *Document
}

func renderAll(t *testing.T, r *Result) rendered {
	t.Helper()
	files, err := render(r, realMap(t))
	if err != nil {
		t.Fatal(err)
	}
	out := rendered{r: r, files: map[string][]byte{}}
	for _, f := range files {
		out.files[f.name] = f.data
	}
	if out.doc, err = ParseDocument(out.files[ResultFile]); err != nil {
		t.Fatal(err)
	}
	return out
}

// isKorean says whether an element is only for Korean readers.
func isKorean(n *node) bool {
	return n.within(func(x *node) bool { return x.attr["lang"] == "ko" })
}

func panelOff() *Result {
	r := small()
	r.Panel, r.Suspension.ByProperty, r.Recovery, r.Meta.PanelAsked = nil, nil, nil, 0
	return r
}

func empty() *Result { return &Result{} }

// press is small with a fault of the plant.
func press() *Result {
	r := small()
	f := &r.Recovery[0]
	f.Nodes, f.Touched, f.TurnedAway = []string{"plant"}, 91_200, 0
	f.Cards = &LateCards{Late: 91_200, Mean: 380_000, Longest: 5 * 86400, Waiting: 123_400, WaitingTwin: 88_000}
	f.Functions.CardDelivery = &Function{Attempts: 45_000, Succeeded: 900, Restored: 5 * 86400}
	return r
}

// all renders each of the samples once.
func all(t *testing.T) map[string]rendered {
	t.Helper()
	once.Do(func() {
		once.all = map[string]rendered{}
		for name, make := range samples {
			once.all[name] = renderAll(t, make())
		}
		once.all["run"] = renderAll(t, ofARun(t))
	})
	return once.all
}

var once struct {
	sync.Once
	all map[string]rendered
}

var samples = map[string]func() *Result{"small": small, "uncertain": uncertain, "failing": failing, "site lost": siteLost, "panel off": panelOff, "empty": empty, "press": press, "fault": func() *Result { return large(true) }}

func TestEveryNumberOfThePageShowsTheFigureItPointsAt(t *testing.T) {
	for name, got := range all(t) {
		t.Run(name, func(t *testing.T) {
			seen := figuresShown(t, got.files[ReportFile], got.doc, func(pointer string) bool {
				_, _, ok := definitionOf(got.r.Definitions, pointer)
				return ok
			})
			if seen < 10 {
				t.Errorf("only %d figures carry a pointer", seen)
			}
		})
	}
}

// figuresShown holds every figure of a page against the one it points at, and counts
// them.
func figuresShown(t *testing.T, page []byte, doc *Document, defined func(pointer string) bool) int {
	t.Helper()
	seen := 0
	parsePage(t, page).walk(func(n *node) {
		pointer, ok := n.attr["data-pointer"]
		if !ok {
			return
		}
		seen++
		if n.attr["data-as"] == "text" { // a parameter as the scenario writes it
			if v, err := doc.At(pointer); err != nil || v != n.text() {
				t.Errorf("%s is %v, the page shows %q", pointer, v, n.text())
			}
			return
		}
		v, err := doc.Number(pointer)
		if err != nil {
			t.Error(err)
			return
		}
		if !defined(pointer) {
			t.Errorf("%s has no definition", pointer)
		}
		form := n.attr["data-as"]
		check := func(text, want string) {
			if text != want {
				t.Errorf("%s is %s, the page shows %q", pointer, want, text)
			}
		}
		v1, shape := n.attr["data-v"]
		switch {
		case shape: // it says its figure when pointed at
			check(v1, say(form, v))
			if ko, ok := n.attr["data-kv"]; ok {
				check(ko, sayKo(form, v))
			} else if form != "count" {
				check(v1, sayKo(form, v))
			}
		case isKorean(n):
			check(n.text(), sayKo(form, v))
		default:
			check(n.text(), say(form, v))
			if ko, ok := n.attr["data-ko"]; ok {
				check(ko, sayKo(form, v))
			} else if form != "count" && !n.within(func(x *node) bool { return x.attr["class"] == "en" }) {
				check(n.text(), sayKo(form, v))
			}
		}
	})
	return seen
}

// A number without a pointer may stand in a date, in code, on an axis, or in
// words that are no figures: messages and the result's own strings.
func TestNoNumberOfThePageIsWithoutAPointer(t *testing.T) {
	digit := regexp.MustCompile(`[0-9]`)
	place := regexp.MustCompile(`\{[a-z0-9]+\}`)
	for name, got := range all(t) {
		t.Run(name, func(t *testing.T) {
			var words []string
			for _, m := range messages {
				words = append(words, place.Split(m.en, -1)...)
				words = append(words, place.Split(m.ko, -1)...)
			}
			for en, ko := range own {
				words = append(words, en, ko)
			}
			var strs func(v any)
			strs = func(v any) {
				switch x := v.(type) {
				case string:
					words = append(words, x)
				case []any:
					for _, y := range x {
						strs(y)
					}
				case map[string]any:
					for k, y := range x {
						words = append(words, k)
						strs(y)
					}
				}
			}
			strs(got.doc.root)
			words = append(words, realMap(t).Attribution)
			var known strings.Builder
			for _, w := range words {
				known.WriteString("\n" + w)
			}
			all := known.String()
			parsePage(t, got.files[ReportFile]).walk(func(n *node) {
				if n.within(func(x *node) bool {
					_, figure := x.attr["data-pointer"]
					return figure || x.name == "time" || x.name == "code" || strings.Contains(" "+x.attr["class"]+" ", " tick ")
				}) {
					return
				}
				for _, s := range n.texts {
					for _, part := range strings.Split(s, "\n") {
						if part = strings.TrimSpace(part); digit.MatchString(part) && !strings.Contains(all, part) {
							t.Errorf("<%s> shows %q, which carries no pointer", n.name, part)
						}
					}
				}
			})
		})
	}
}

func TestTheSliderMovesThroughTheFiguresOfTheSeries(t *testing.T) {
	got := renderAll(t, small())
	m := regexp.MustCompile(`(?s)id="slider-data">(.*?)</script>`).FindSubmatch(got.files[ReportFile])
	if m == nil {
		t.Fatal("the page has no data for the slider")
	}
	var d struct {
		Classes []string
		Holders []string
		Wait    []string
		WaitKo  []string `json:"wait_ko"`
		WaitRow []int    `json:"wait_row"`
		Waits   []string
	}
	if err := json.Unmarshal(m[1], &d); err != nil {
		t.Fatal(err)
	}
	regions := len(got.r.Nation.ByRegion)
	if len(d.Classes) != len(got.r.Nation.ByDay) || len(d.Holders) != len(d.Classes)*regions || len(d.Waits) != len(d.Holders) {
		t.Fatalf("%d days, %d figures of %d regions", len(d.Classes), len(d.Holders), regions)
	}
	for k := range d.Holders {
		h, _ := got.doc.Number(fmt.Sprintf("/nation/series/%d/holders_per_thousand", k))
		if say("perthousand", h) != d.Holders[k] {
			t.Errorf("row %d: holders %s, want %s", k, d.Holders[k], say("perthousand", h))
		}
		w, _ := got.doc.Number(fmt.Sprintf("/nation/series/%d/wait_p95_s", d.WaitRow[k]))
		if say("duration", w) != d.Wait[k] {
			t.Errorf("row %d: wait %s, want %s", k, d.Wait[k], say("duration", w))
		}
		if sayKo("duration", w) != d.WaitKo[k] {
			t.Errorf("row %d: wait %s, want %s", k, d.WaitKo[k], sayKo("duration", w))
		}
	}
}

func TestThePageIsOneFileWithoutRemoteAssetsUnderThreeMegabytes(t *testing.T) {
	got := all(t)["fault"]
	page := got.files[ReportFile]
	if len(page) > 3_000_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for _, bad := range []string{"@import", "url(", "http://", "https://", "//cdn"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	parsePage(t, page).walk(func(n *node) {
		for _, a := range []string{"src", "href", "srcset", "data", "action", "poster"} {
			if v, ok := n.attr[a]; ok && !strings.HasPrefix(v, "#") {
				t.Errorf("<%s %s=%q> leaves the page", n.name, a, v)
			}
		}
		if n.name == "link" || n.name == "iframe" || n.name == "img" {
			t.Errorf("the page has a <%s>", n.name)
		}
	})
}

func TestEveryPictureHasCaptionSourceTableTitleAndDescription(t *testing.T) {
	got := all(t)["fault"]
	ids := map[string]int{}
	root := parsePage(t, got.files[ReportFile])
	root.walk(func(n *node) {
		if id := n.attr["id"]; id != "" {
			ids[id]++
		}
	})
	figures := 0
	root.walk(func(n *node) {
		has := func(f func(*node) bool) (found bool) {
			n.walk(func(x *node) { found = found || f(x) })
			return
		}
		switch {
		case n.name == "figure":
			figures++
			for _, a := range []string{"aria-labelledby", "aria-describedby"} {
				if ids[n.attr[a]] != 1 {
					t.Errorf("a figure has %s=%q, which is there %d times", a, n.attr[a], ids[n.attr[a]])
				}
			}
			for what, f := range map[string]func(*node) bool{
				"caption": func(x *node) bool { return x.name == "figcaption" && strings.TrimSpace(x.text()) != "" },
				"source":  func(x *node) bool { return x.name == "p" && x.attr["class"] == "src" },
				"table":   func(x *node) bool { return x.name == "table" },
				"picture": func(x *node) bool {
					return x.name == "svg" && (x.attr["role"] == "img" || x.parent.parent.attr["class"] == "tile") // a tile says in words what it is of
				},
			} {
				if !has(f) {
					t.Errorf("figure %q has no %s", strings.TrimSpace(n.text())[:40], what)
				}
			}
		case n.name == "svg" && n.attr["aria-hidden"] != "true":
			for _, id := range strings.Fields(n.attr["aria-labelledby"]) {
				if ids[id] != 1 {
					t.Errorf("a picture is labelled by #%s, which is there %d times", id, ids[id])
				}
			}
			for _, id := range strings.Fields(n.attr["aria-describedby"]) {
				if ids[id] != 1 {
					t.Errorf("a picture is described by #%s, which is there %d times", id, ids[id])
				}
			}
			if len(strings.Fields(n.attr["aria-labelledby"])) != 1 || len(strings.Fields(n.attr["aria-describedby"])) != 1 {
				t.Errorf("a picture without title or description")
			}
		case n.name == "a":
			if id := strings.TrimPrefix(n.attr["href"], "#"); ids[id] == 0 {
				t.Errorf("a link leads to #%s, which is not there", id)
			}
		}
	})
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q is there %d times", id, n)
		}
	}
	if figures != 7 {
		t.Errorf("%d figures, want 7: map, regions, waits, left out, verifications, exposure, recovery", figures)
	}
}

func TestThePageAsksInThePlannersOrder(t *testing.T) {
	page := string(all(t)["fault"].files[ReportFile])
	at := 0
	for _, id := range []string{`class="lead"`, `class="verdict`, `id="heads"`, `id="h-map"`, `id="h-regions"`, `id="h-waits"`, `id="h-verify"`, `id="h-exposure"`, `id="h-props"`, `id="h-recovery-0"`, `id="h-trust"`, `id="h-again"`} {
		i := strings.Index(page, id)
		if i < at {
			t.Errorf("%s stands at %d, before what should precede it", id, i)
		}
		at = i
	}
}

func TestHeadlineFiguresShowTheirBands(t *testing.T) {
	r := small()
	one := []Num{7840}
	r.Uncertainty = &Uncertainty{Asked: 1, Chance: ChanceRuns{Runs: 1, Inside: 0.9, Seeds: []uint64{7}}, Assumptions: AssumptionRuns{Runs: 1, Inside: 0.9, ChanceOne: 0.4, ChanceAny: 0.6}, Figures: []UncertainFigure{
		{Metric: "nation.issued.total", Value: 7846, Chance: Band{P05: 7700, P50: 7840, P95: 7990, Values: one}, Assumptions: Band{P05: 2100, P50: 7500, P95: 31000, Values: one}},
		{Metric: "recovery[six hours down].drain_s", Value: 15120, Chance: Band{P05: 14000, P50: 15000, P95: None(), Never: 3, Values: one}, Assumptions: Band{P05: 9000, P50: 15000, P95: 90000, Values: one}},
	}}
	page := string(renderAll(t, r).files[ReportFile])
	for _, want := range []string{"/uncertainty/figures/0/chance/p05", "/uncertainty/figures/0/assumptions/p95", "/uncertainty/figures/1/assumptions/p05", ">7,990<", ">31,000<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	if heads := page[strings.Index(page, `id="heads"`):strings.Index(page, `id="h-map"`)]; strings.Contains(heads, "/uncertainty/figures/1/chance/") {
		t.Error("a band without an end is shown")
	}
	if strings.Contains(page, "One run with one seed") {
		t.Error("the page denies that there are bands")
	}
}

func TestAFailingRunOpensWithAllThatWentWrong(t *testing.T) {
	page := string(all(t)["failing"].files[ReportFile])
	at := strings.Index(page, "<h1>")
	for _, s := range []string{
		`class="verdict bad"`, `/suspension/by_property/S3/violations`, `suspension.violations == 0`, `recovery[0].drain_s`,
		`/recovery/0/lost_acknowledged`, `/panel/trajectories_different/0/citizen`, `refused, suspended`, `bank: accepted`, `<pre><code>rollcall run sample --seed 1`,
		`class="lead"`, `/suspension/violations`, `id="heads"`,
	} {
		i := strings.Index(page[at:], s)
		if i < 0 {
			t.Fatalf("%s is missing, or stands before what should precede it", s)
		}
		at += i
	}
	for name, got := range all(t) {
		if name != "failing" && name != "site lost" && strings.Contains(string(got.files[ReportFile]), `class="wrong"`) {
			t.Errorf("%s: a run in which nothing went wrong opens as if it had", name)
		}
	}
}

func TestNamesOfLinesNeitherTouchNorAreCrossed(t *testing.T) {
	name := func(at float64, s string) mark { return mark{At: at, Label: phrase{s, s}} }
	for what, marks := range map[string][]mark{
		"far apart":       {name(0, "pilot"), name(45, "phase 1"), name(80, "phase 2")},
		"close":           {name(0, "pilot"), name(45.4, "phase 1"), name(58.3, "phase 2"), name(71.3, "phase 3"), name(84.2, "any centre")},
		"a fault amid":    {name(0, "pilot"), name(45.4, "phase 1"), name(58.3, "phase 2"), name(58.8, "outage"), name(71.3, "phase 3"), name(84.2, "any centre")},
		"on the same day": {name(50, "phase 1"), name(50, "outage")},
		"at the end":      {name(97, "phase 1"), name(99, "any centre")},
	} {
		lanes(marks)
		for screen := range letters {
			for i, a := range marks {
				span := func(m mark) (from, to float64) {
					if m.left[screen] {
						return m.At - m.Label.width(screen), m.At
					}
					return m.At, m.At + m.Label.width(screen)
				}
				from, to := span(a)
				for j, b := range marks {
					if f, u := span(b); i < j && a.lanes[screen] == b.lanes[screen] && from < u && f < to {
						t.Errorf("%s, screen %d: %q and %q touch", what, screen, a.Label.en, b.Label.en)
					}
					near := letters[screen].latin
					if i != j && b.lanes[screen] <= a.lanes[screen] && from+near < b.At && b.At < to-near {
						t.Errorf("%s, screen %d: the line of %q crosses %q", what, screen, b.Label.en, a.Label.en)
					}
				}
			}
		}
		if what == "far apart" && marks[2].lanes != [2]int{} {
			t.Error("names that are far apart are not in one row")
		}
	}
}

func TestWithoutScriptThePageShowsTheLastDay(t *testing.T) {
	got := renderAll(t, small())
	last := len(got.r.Nation.ByDay) - 1
	shown := map[string]bool{}
	parsePage(t, got.files[ReportFile]).walk(func(n *node) {
		if n.name == "path" && n.attr["data-region"] != "" {
			shown[n.attr["data-pointer"]] = true
		}
	})
	for j := range got.r.Nation.ByRegion {
		if p := fmt.Sprintf("/nation/series/%d/holders_per_thousand", last*len(got.r.Nation.ByRegion)+j); !shown[p] {
			t.Errorf("the map does not show %s", p)
		}
	}
}

func TestTheTemplateHoldsNoWords(t *testing.T) {
	s := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(pageTemplate, "")
	s = regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(s, " ")
	if w := regexp.MustCompile(`[A-Za-z]{2,}`).FindAllString(s, -1); w != nil {
		t.Errorf("words that are not in the message table: %q", w)
	}
}

func TestEveryPlaceOfAMessageIsFilled(t *testing.T) {
	place := regexp.MustCompile(`\{[a-z0-9]+\}`)
	for name, got := range all(t) {
		if name == "fault" { // as small, only longer
			continue
		}
		if m := place.Find(rawText.ReplaceAll(got.files[ReportFile], nil)); m != nil {
			t.Errorf("%s: a place %s is not filled", name, m)
		}
	}
}

func TestNothingOfTheWallClockStandsInReportJUnitOrSeries(t *testing.T) {
	a, b := small(), small()
	b.Meta.Started = "2031-01-01T00:00:00Z"
	b.Meta.Host = Host{WallSeconds: 1, Events: 2, EventsPerSecond: 3, PeakRSSBytes: 4, Workers: 7, Engine: "plain", CPU: "another", OS: "other", Fsyncs: 5, Batches: 6}
	x, y := renderAll(t, a), renderAll(t, b)
	for _, f := range []string{ReportFile, JUnitFile, SeriesFile} {
		if string(x.files[f]) != string(y.files[f]) {
			t.Errorf("%s changes with the host", f)
		}
	}
	if string(x.files[ResultFile]) == string(y.files[ResultFile]) {
		t.Error("result.json does not state the host")
	}
}

func TestTextFromTheResultCannotBecomeMarkup(t *testing.T) {
	r := small()
	const evil = `</script><script>alert(1)</script>"'&`
	r.Meta.Title, r.Meta.Description, r.Meta.Command, r.Recovery[0].Fault = evil, evil, evil, evil
	r.Nation.ByRegion[0].Name, r.Nation.ByPhase[0].Phase, r.Expectations[0].Text, r.Expectations[0].Holds = evil, evil, evil, false
	r.Suspension.Curves[0].Verifier, r.Trust.Assumptions[0].Source = evil, evil
	page := string(renderAll(t, r).files[ReportFile])
	if strings.Contains(page, "<script>alert") {
		t.Error("text of the result became a script")
	}
	parsePage(t, []byte(page))
}
