package reports

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// sampleWhy is invented, to show form.
func sampleWhy() *Why {
	return &Why{Schema: WhySchema, Version: "0.0.0-sample", Command: "rollcall why sample --centre 3611051000", Scenario: "sample", Title: "A sample", Seed: 1,
		Centres: []WhyCentre{{
			Code: "3611051000", Name: "견본동", Municipality: "Sample-gu", MunicipalityKo: "견본구", Region: "KR-50", Counters: 3,
			Wait:  WhyWait{Waited: 360_000_000, Mean: 420_000, P95: 1_320_000, Left: 104, Served: 524},
			InRun: &WhyWait{Waited: 370_000_000, Mean: 430_000, P95: 1_320_000, Left: 110, Served: 530},
			Causes: []WhyCause{
				{Cause: "other_business", Share: 0.8, Waited: 288_000_000, Mean: 300_000, P95: 960_000, Left: 80, Without: &WhyWait{Waited: 36_000_000, Mean: 77_000, P95: 240_000, Left: 20, Served: 608}},
				{Cause: WhyRest, Share: 0.3, Waited: 108_000_000, Mean: 110_000, P95: 360_000, Left: 24},
				{Cause: "outages", Share: 0, Without: &WhyWait{Waited: 360_000_000, Mean: 420_000, P95: 1_320_000, Left: 104, Served: 524}},
				{Cause: "face_failures", Share: -0.1, Waited: -36_000_000, Mean: 10_000, Without: &WhyWait{Waited: 380_000_000, Mean: 410_000, P95: 1_320_000, Left: 104, Served: 524}},
			},
		}}}
}

func TestAPlannerReadsWhyPeopleQueued(t *testing.T) {
	var b strings.Builder
	if err := PrintWhy(&b, sampleWhy(), Terminal{Report: "why/why.html"}); err != nil {
		t.Fatal(err)
	}
	const want = `견본동, Sample-gu (3611051000): counters 3
  Everybody together waited 100 h. Visitors waited 7 min on average, 95 in 100 at most 22 min; 104 of 628 left unserved.
  That is its municipality by itself. In the run itself: 103 h, 7 min on average, 95 in 100 at most 22 min, 110 of 640 left unserved.
  share   waited        mean    95 %  unserved
   80 %   80.0 h       5 min  16 min        80  other business
   30 %   30.0 h  1 min 50 s   6 min        24  the rest
    0 %    0.0 h         0 s     0 s         0  outages
  −10 %  −10.0 h        10 s     0 s         0  faces that did not match
  Other business: if nobody came to these counters for anything else, everybody together would have waited 10.0 h instead of 100 h, visitors 1 min 17 s on average instead of 7 min, and 20 instead of 104 would have left unserved.
  The rest: with none of these causes, first visits before this number of counters would have waited 30.0 h all the same, 1 min 50 s on average.
  Faces that did not match: if every face had matched at the first try, with no new photo to apply for, everybody together would have waited 106 h instead of 100 h, and visitors 7 min on average instead of 7 min.

report: why/why.html
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if err := PrintWhy(&b, sampleWhy(), Terminal{Width: 80, Colour: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "\x1b[1m견본동") {
		t.Errorf("%q", b.String()[:20])
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 && !strings.Contains(line, "\x1b") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// The page is one file, in both languages, and every piece of one stands beside the
// same in the other.
func TestThePageOfCausesIsInBothLanguages(t *testing.T) {
	page, err := renderWhy(sampleWhy())
	if err != nil {
		t.Fatal(err)
	}
	s := string(page)
	pairs := regexp.MustCompile(`(?s)<span class="en">(.*?)</span><span class="ko" lang="ko">(.*?)</span>`).FindAllStringSubmatch(s, -1)
	if len(pairs) < 30 || strings.Count(s, `class="en"`) != len(pairs) {
		t.Errorf("%d pairs, %d in English", len(pairs), strings.Count(s, `class="en"`))
	}
	for _, p := range pairs {
		if hasHangul(strings.ReplaceAll(p[1], "견본동", "")) || hasLatinWord(p[1]) && !hasHangul(p[2]) {
			t.Errorf("%q and %q", p[1], p[2])
		}
	}
	if strings.Contains(s, "{cause}") || strings.Contains(s, "<no value>") || strings.Contains(s, "ZgotmplZ") || strings.Contains(s, "http") {
		t.Error("the page has an unfilled place or leaves the file")
	}
}

func TestWhyIsWrittenWithEveryFigure(t *testing.T) {
	b, err := EncodeWhy(sampleWhy())
	if err != nil {
		t.Fatal(err)
	}
	var back Why
	if err := json.Unmarshal(b, &back); err != nil || back.Centres[0].Causes[0].Without.Left != 20 || back.Centres[0].Causes[1].Without != nil {
		t.Errorf("%v, %+v", err, back)
	}
}

func TestTheReportSaysWhichCommandAnswersWhy(t *testing.T) {
	for run, want := range map[string]string{
		"rollcall run announced": "rollcall why announced --centre 3611051000",
		"rollcall run ./my.yaml --set 'start=2025-01-01 09:00' --panel off --seed 7": "rollcall why ./my.yaml --set 'start=2025-01-01 09:00' --seed 7 --centre 3611051000",
		"rollcall run announced --regions KR-50 --panel 5 --replications 20":         "rollcall why announced --regions KR-50 --centre 3611051000",
	} {
		if got := whyCommand(&Result{Meta: Meta{Command: run}}, "3611051000"); got != want {
			t.Errorf("%s: %s", run, got)
		}
	}
}
