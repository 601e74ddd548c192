package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func backtestSample() *Backtest {
	b := &Backtest{
		Schema: BacktestSchema, Version: "1.2.3", Command: "rollcall backtest X", Seeds: 5,
		Targets: []BacktestTarget{
			{ID: "X", Item: "cards <in> a place", Published: 1339, Unit: "people", Date: "2025-01-24", Source: "paper 1", Mark: "S", Tolerance: "factor 4",
				Use: "fitted", Run: "announced", Measure: "holders 31710", Model: 1220, Low: 795, High: 1864, Error: 1.0975, ErrorKind: "factor", Verdict: Within},
			{ID: "X", Item: "a share", Published: 50, Unit: "%", Date: "2025-01-24", Source: "paper 2", Mark: "S", Tolerance: "5 points",
				Use: "predicted", Model: 43.7, Low: None(), High: None(), Error: -6.3, ErrorKind: "amount", Verdict: Off},
			{ID: "Y", Item: "an outage", Published: 31.5, Unit: "d", Date: "2025-10-28", Source: "paper 3", Mark: "derived", Tolerance: "5 %",
				Use: "input", Model: None(), Low: None(), High: None(), Error: None(), Verdict: NotAnswered, Why: "needs a fire"},
		},
		Curves: []BacktestCurve{{
			Wallet: "Atlantis", Opened: "2020-01-01", Source: "legend", Unit: "million users",
			Points: []BacktestPoint{{0, "2020-01-01", 0}, {100, "2020-04-10", 2}},
			Fits: []BacktestFit{{Law: "Bass", RMSE: 0.25, Figures: 2, Parameters: []BacktestFitted{{"market", 50, "million", true}},
				Residuals: []Num{0, 0.35}, Line: [][2]Num{{0, 0}, {50, 1}, {100, 2.35}}}},
		}},
		Parameters: []BacktestParameter{{"adoption.keen", "0.5%", "A", "X", "so that X"}},
		Unknown:    []string{"What the weather was."},
	}
	b.Count()
	return b
}

func TestABacktestIsToldInATableWithTheVerdictLast(t *testing.T) {
	var w bytes.Buffer
	if err := PrintBacktest(&w, backtestSample(), Terminal{Report: "out/backtest.html"}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(w.String(), "\n"), "\n")
	column := strings.Index(lines[0], "published")
	for _, l := range lines[1:4] {
		if l[column-1] != ' ' || l[column] == ' ' {
			t.Errorf("not under its heading: %q", l)
		}
	}
	for _, want := range []string{
		"1,339 people 1,220 people 795 to 1,864 factor 1.10 factor 4 fitted within",
		"-6.30 points", "OFF", " Y an outage: needs a fire",
		"Bass: rmse 0.250 of 2 figures; market 50 million (at its limit: the figures do not hold it)",
		"residuals +0.00 +0.35 million users", "adoption.keen = 0.5% (X)", "What the weather was.",
	} {
		if !strings.Contains(regexp.MustCompile(" +").ReplaceAllString(w.String(), " "), want) {
			t.Errorf("%q is missing in\n%s", want, w.String())
		}
	}
	if want := "1 of 2 claimed targets within their tolerance, 1 off; 0 shown without a claim, 1 not answered   report: out/backtest.html"; lines[len(lines)-1] != want {
		t.Errorf("the last line is %q", lines[len(lines)-1])
	}
}

func TestABacktestIsFoldedToTheTerminal(t *testing.T) {
	b := backtestSample()
	b.Targets[0].Item = "cards in a place, of which a report says at some length how they were counted, and that it is not sure"
	b.Curves[0].Fits[0].Residuals = slices.Repeat([]Num{0.25}, 30)
	for _, width := range []int{80, 100, 300} {
		var w bytes.Buffer
		if err := PrintBacktest(&w, b, Terminal{Width: width}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(w.String(), "\n")
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > width {
				t.Errorf("%d columns: a line has %d: %s", width, n, l)
			}
		}
		if folded := !strings.HasPrefix(lines[0], "target"); folded != (width < 300) {
			t.Errorf("%d columns: folded is %v", width, folded)
		}
		flat := strings.Join(strings.Fields(w.String()), " ")
		for _, want := range []string{"X cards in a place, of which a report says at some length how they were counted, and that it is not sure, 2025-01-24", "1,339 people", "factor 1.10", "OFF", "+0.25 +0.25 million users"} {
			if !strings.Contains(flat, want) {
				t.Errorf("%d columns: %q is missing in\n%s", width, want, w.String())
			}
		}
		// Figures stand under their heads.
		if width < 300 {
			at := strings.Index(lines[0], "verdict")
			for _, l := range lines[1:] {
				if strings.HasSuffix(l, Within) && strings.Index(l, Within) != at {
					t.Errorf("%d columns: the verdict of %q does not stand under its head", width, l)
				}
			}
		}
	}
}

func TestTheBacktestsPageIsWholeAndLoadsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := WriteBacktest(dir, backtestSample()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, BacktestReportFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cards &lt;in&gt; a place", "needs a fire", "Atlantis: plain Bass misses its 2 figures by 0.250 million", "adoption.keen", "What the weather was."} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, never := range []string{"<script", "http://", "https://", "ZgotmplZ", "NaN", "%!"} {
		if bytes.Contains(page, []byte(never)) {
			t.Errorf("the page has %q", never)
		}
	}
	// Both languages stand there, and the style sheet shows one.
	for _, want := range []string{"모형과 실제로 있었던 일", "답하지 못함", "Atlantis: 단순한 Bass 법칙은 수치", `id="ko"`, "body:has(#ko:checked) .en{display:none}"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("%q is missing", want)
		}
	}
	if en, ko := bytes.Count(page, []byte(`<span class="en">`)), bytes.Count(page, []byte(`<span class="ko" lang="ko">`)); en != ko || en < 30 {
		t.Errorf("%d pieces in English, %d in Korean", en, ko)
	}
	from, to := bytes.Index(page, []byte("<svg")), bytes.Index(page, []byte("</svg>"))
	d := xml.NewDecoder(bytes.NewReader(page[from : to+6]))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the picture is not XML: %v", err)
		}
	}

	data, err := os.ReadFile(filepath.Join(dir, BacktestFile))
	if err != nil {
		t.Fatal(err)
	}
	var back Backtest
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.Targets[0].Model != 1220 || back.Targets[2].Model.Known() || back.Verdict.Holds {
		t.Errorf("read back: %+v", back)
	}
}
