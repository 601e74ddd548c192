package reports

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// loaded is a load on a service, p95 of presentations given.
func loaded(p95 float64) *Result {
	r := &Result{}
	r.Meta.Scenario, r.Meta.Command, r.Meta.Started = "announced", "rollcall live announced", "2025-03-14T09:00:00+09:00"
	l := &Live{Load: "verify", Service: "https://localhost:8443", Valid: true, Seconds: 60, Citizens: 200, Iterations: 3000, Answers: 3000, Judged: true,
		ByProperty: Properties{"S1": {Opportunities: 12}, "S3": {Opportunities: 3000}},
		Generator:  Process{CPU: 20, Share: 0.17}, Server: Process{CPU: 12, Share: 0.1}}
	shop := LiveOperation{Operation: "present", Kind: "shop", Count: 3000}
	shop.Summarise([]float64{p95 / 2, p95 / 2, p95, p95}, 60)
	l.Operations = []LiveOperation{shop}
	r.Live = l
	r.Expectations = []Expectation{{Text: "rollcall_violations: count==0", Value: 0, Holds: true}}
	return r
}

var pointed = regexp.MustCompile(`data-at="([^"]+)">([^<]*)`)

func TestAFigureOfALoadIsTheOneItsPointerNames(t *testing.T) {
	files, err := RenderLive(loaded(20))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseDocument(files[ResultFile])
	if err != nil {
		t.Fatal(err)
	}
	all := pointed.FindAllSubmatch(files[ReportFile], -1)
	if len(all) < 15 {
		t.Errorf("only %d figures carry a pointer", len(all))
	}
	for _, m := range all {
		n, err := doc.Number(string(m[1]))
		if err != nil {
			t.Error(err)
		}
		_, d, ok := definitionOf(Definitions(), string(m[1]))
		if !ok || d.Way != "live" || d.Clock != "wall" || d.Unit == "" || d.Definition == "" {
			t.Errorf("%s: %+v", m[1], d)
		}
		shown := false
		for _, form := range []string{"count", "ms", "share", "duration"} {
			shown = shown || say(form, n) == string(m[2])
		}
		if !shown && say1(n) != string(m[2]) {
			t.Errorf("%s is %v, the page shows %q", m[1], n, m[2])
		}
	}
}

func TestALoadKeepsToTheSchemaOfResults(t *testing.T) {
	b, err := Encode(loaded(20))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := compileSchema(t).Validate(doc); err != nil {
		t.Error(err)
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Encode(back); err != nil || !bytes.Equal(again, b) {
		t.Errorf("read and written again it is other bytes: %v", err)
	}
}

func TestLoadsAreComparedByTheirOwnFigures(t *testing.T) {
	for name, c := range map[string]struct {
		head       float64
		tolerances []string
		beyond     bool
	}{
		"the same":                   {20, nil, false},
		"a quarter slower":           {25, nil, false},
		"twice as slow":              {40, nil, true},
		"a quarter, with ten stated": {25, []string{"10%"}, true},
		"one figure may":             {40, []string{"live.present[shop]=200%"}, false},
	} {
		tolerances, err := ParseTolerances(c.tolerances)
		if err != nil {
			t.Fatal(err)
		}
		sides := []Side{{Name: "base", Result: loaded(20)}, {Name: "head", Result: loaded(c.head)}}
		got, err := Compare(sides[0].Result, sides[1].Result, tolerances)
		if err != nil {
			t.Fatal(err)
		}
		if (got.Beyond > 0) != c.beyond {
			t.Errorf("%s: %d figures are beyond", name, got.Beyond)
		}
		for _, f := range got.Figures {
			if f.Way != "live" || !strings.HasPrefix(f.Metric, "live.") {
				t.Errorf("%s is compared, found by %s", f.Metric, f.Way)
			}
		}
		beside, err := LayBeside(sides, tolerances, "rollcall compare base head")
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteBeside(t.TempDir(), beside); err != nil {
			t.Error(err)
		}
	}
}

// An operation that is no longer there, or no longer answered, and a property that nobody
// checks are no figures that hold.
func TestWhatALoadNoLongerHasIsMissing(t *testing.T) {
	tolerances, err := ParseTolerances([]string{"1000%"})
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Live){
		"live.present[shop].answers_per_second, live.present[shop].p50_ms, live.present[shop].p95_ms, live.present[shop].p99_ms": func(l *Live) { l.Operations = nil },
		"live.present[shop].p50_ms, live.present[shop].p95_ms, live.present[shop].p99_ms":                                        func(l *Live) { l.Operations[0].Summarise(nil, 60) },
		"live.by_property.S1.opportunities": func(l *Live) { delete(l.ByProperty, "S1") },
		"live.by_property.S3.opportunities": func(l *Live) { l.ByProperty["S3"] = Property{} },
		"":                                  func(l *Live) { l.Operations = append(l.Operations, LiveOperation{Operation: "report"}) },
	} {
		head := loaded(20)
		change(head.Live)
		beside, err := LayBeside([]Side{{Name: "main", Result: loaded(20)}, {Name: "mine", Result: head}}, tolerances, "rollcall compare main mine")
		if err != nil {
			t.Fatal(err)
		}
		c := beside.Comparisons[0]
		if got := strings.Join(c.Missing, ", "); got != want || c.Fails() != (want != "") || c.Beyond > 0 {
			t.Errorf("missing are %s (fails: %t, beyond: %d), want %s", got, c.Fails(), c.Beyond, want)
		}
		var text bytes.Buffer
		if err := beside.Print(&text, Terminal{}); err != nil {
			t.Fatal(err)
		}
		if says := strings.Contains(text.String(), "note: mine lacks what main has, which counts as beyond every tolerance: "+want); says != (want != "") {
			t.Errorf("%q is not said:\n%s", want, text.String())
		}
	}
}

func TestWhatIsNoMeasurementIsNotCompared(t *testing.T) {
	tolerances, _ := ParseTolerances(nil)
	invalid, other := loaded(20), loaded(20)
	invalid.Live.Valid, invalid.Live.Doubts = false, []string{"the generator did not hold the rate"}
	other.Live.Load = "smoke"
	for want, head := range map[string]*Result{"did not hold the rate": invalid, "loaded by smoke": other, "the other a simulation": small()} {
		if _, err := Compare(loaded(20), head, tolerances); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestALoadThatFoundSomethingSaysSoEverywhere(t *testing.T) {
	r := loaded(20)
	l := r.Live
	l.Wrong, l.Violations, l.Findings = 1, 2, []string{"S3: citizen 1 was accepted\n  1.0 s report: granted"}
	l.ByProperty["S3"] = Property{Opportunities: 3000, Violations: 2}
	r.Expectations[0].Holds = false
	files, err := RenderLive(r)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Summary(&b, r, Terminal{}); err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"junit.xml": string(files[JUnitFile]), "report.html": string(files[ReportFile]), "the terminal": b.String()} {
		if !strings.Contains(text, "citizen 1 was accepted") || !strings.Contains(text, "rollcall_violations: count==0") {
			t.Errorf("%s does not tell it:\n%s", where, text)
		}
	}
	if n := strings.Count(string(files[JUnitFile]), "<failure"); n != 4 {
		t.Errorf("%d cases fail, want the threshold, the property, the answers and the history", n)
	}
}
