package reports

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestABandThatTheRunDoesNotHoldSaysSo(t *testing.T) {
	r := uncertain()
	f := &r.Uncertainty.Figures[r.uncertain("recovery[six hours down].drain_s")]
	f.Assumptions.P95, f.Assumptions.Never = None(), 4
	var b bytes.Buffer
	if err := Summary(&b, r, Terminal{}); err != nil || !strings.Contains(b.String(), " to not within the run over the assumptions") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestTheTornadoHasABarForEachHalfOfFiveAssumptions(t *testing.T) {
	r := uncertain()
	r.Uncertainty.Figures[0].Movers[0].LowHalf = None()
	for i := range r.Uncertainty.Figures {
		if r.Uncertainty.Figures[i].Metric == "nation.visits.wait_p95_s" {
			for j := range r.Uncertainty.Figures[i].Movers {
				r.Uncertainty.Figures[i].Movers[j].BeyondChance = false
			}
		}
	}
	got := renderAll(t, r)
	page := got.files[ReportFile]
	figures := 0
	parsePage(t, page).walk(func(n *node) {
		if n.name != "figure" || n.attr["class"] != "tornado" {
			return
		}
		figures++
		bars, dim, names, pictures := 0, 0, 0, 0
		n.walk(func(x *node) {
			switch {
			case x.name == "rect":
				bars++
				if strings.Contains(x.attr["class"], "dim") {
					dim++
				}
			case x.name == "li":
				names++
			case x.name == "svg" && x.attr["role"] == "img" && x.attr["aria-labelledby"] != "" && x.attr["aria-describedby"] != "":
				pictures++
			}
		})
		want := map[int][2]int{1: {9, 6}, 2: {10, 10}, 3: {10, 6}, 4: {10, 6}}[figures]
		if bars != want[0] || dim != want[1] || names != 5 || pictures != 1 {
			t.Errorf("tornado %d has %d bars, %d of them pale, %d names and %d pictures; want %v", figures, bars, dim, names, pictures, want)
		}
	})
	if figures != 4 {
		t.Errorf("%d tornados, want one for each headline figure", figures)
	}
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(page), "")
	for _, want := range []string{"adoption.level moves it most", "No assumption stands out: by chance alone", "Bands of all headline figures", "has no range"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// An interrupted study has bands of what there is, and no more.
func TestFewReplicationsMakeAPageToo(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		r := small()
		u := &Uncertainty{Asked: 20, Chance: ChanceRuns{Runs: int64(n), Inside: None()}, Assumptions: AssumptionRuns{Runs: int64(n), Inside: None(), ChanceOne: None(), ChanceAny: None()}}
		for k := range n {
			u.Chance.Seeds = append(u.Chance.Seeds, uint64(k))
		}
		for _, h := range Headlines(r) {
			b := Band{P05: None(), P50: None(), P95: None()}
			for range n {
				b.Values = append(b.Values, h.Value)
			}
			if !h.Once {
				u.Figures = append(u.Figures, UncertainFigure{Metric: h.Metric, Value: h.Value, Chance: b, Assumptions: b})
			}
		}
		r.Uncertainty = u
		page := string(renderAll(t, r).files[ReportFile])
		if !strings.Contains(page, "The work was interrupted") || strings.Contains(page, `class="tornado"`) {
			t.Errorf("%d replications: the page does not say that it was interrupted, or draws what is not there", n)
		}
		var b bytes.Buffer
		if err := Summary(&b, r, Terminal{}); err != nil {
			t.Error(err)
		}
	}
}

func TestTheSummarySaysBandsAndWhatMovesThem(t *testing.T) {
	var b bytes.Buffer
	if err := Summary(&b, uncertain(), Terminal{Width: 120, Report: "out/report.html"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^bands +issued [\d,]+ to [\d,]+ by chance   [\d,]+ to [\d,]+ over the assumptions   nation$`,
		`(?m)^ +wait p95 \d+ min`, `(?m)^moved by +issued: adoption.level 0.90`,
	} {
		if !regexp.MustCompile(want).Match(b.Bytes()) {
			t.Errorf("the summary has nothing like %s:\n%s", want, b.String())
		}
	}
}

func TestAssumptionsThatMoveAHeadlineBeyondChanceAreShownFirst(t *testing.T) {
	r := uncertain()
	r.Trust.Assumptions[2].Matters = true            // centres.issue_service.mean, which moves nothing
	r.Trust.Assumptions[1].Path = "centres.patience" // moves it, as chance may
	for i := range r.Uncertainty.Figures {
		for j := range r.Uncertainty.Figures[i].Movers {
			m := &r.Uncertainty.Figures[i].Movers[j]
			m.BeyondChance = m.Path == "adoption.level"
		}
	}
	if _, err := Encode(r); err != nil {
		t.Fatal(err)
	}
	var matters []string
	for _, a := range r.Trust.Assumptions {
		if a.Matters {
			matters = append(matters, a.Path)
		}
	}
	if len(matters) != 1 || matters[0] != "adoption.level" {
		t.Errorf("%q matter", matters)
	}
}
