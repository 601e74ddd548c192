package reports

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// sampleSides are four results: with replications of the same seeds, a single run that
// went wrong, and one without a fault that began three days later.
func sampleSides() []Side {
	parameters := func(changed ...Parameter) []Parameter {
		out := []Parameter{{"title", "A sample"}, {"seed", "1"}, {"start", "2025-03-06"}, {"adoption.level", "4%"}, {"centres.counter_factor", "1"}, {"faults.six hours down.for", "6h"}}
		for _, c := range changed {
			if i := slices.IndexFunc(out, func(p Parameter) bool { return p.Path == c.Path }); i < 0 {
				out = append(out, c)
			} else {
				out[i] = c
			}
		}
		return out
	}
	calm := small()
	calm.Recovery = nil
	calm.Nation.ByDay = calm.Nation.ByDay[3:]
	calm.Meta.Start, calm.Meta.Seed = calm.Nation.ByDay[0].Date, 2
	calm.Meta.Scenario, calm.Meta.Title = "calm", "A calm rollout"
	none := parameters(Parameter{"start", "2025-03-09"}, Parameter{"seed", "2"})
	none = none[:len(none)-1]
	more := replicated(small(), 20, 0.8)
	for i := range more.Nation.ByDay {
		more.Nation.ByDay[i].Holders = more.Nation.ByDay[i].Holders * 5 / 4
		more.Nation.ByDay[i].WaitP95 /= 2
	}
	wrong := failing()
	wrong.Recovery[0].Cards, wrong.Recovery[0].Functions.CardDelivery = press().Recovery[0].Cards, press().Recovery[0].Functions.CardDelivery
	return []Side{
		{Name: "base", Result: replicated(small(), 20, 0), Parameters: parameters()},
		{Name: "keen", Result: more, Parameters: parameters(Parameter{"title", "Another"}, Parameter{"adoption.level", "5%"})},
		{Name: "wrong", Result: wrong, Parameters: parameters(Parameter{"service.retry", "none"})},
		{Name: "calm", Result: calm, Parameters: none},
	}
}

func laid(t *testing.T, all []Side) (*Beside, *Document, []byte) {
	t.Helper()
	tol, err := ParseTolerances(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LayBeside(all, tol, "rollcall compare base keen")
	if err != nil {
		t.Fatal(err)
	}
	data, err := EncodeBeside(b)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseDocument(data)
	if err != nil {
		t.Fatal(err)
	}
	page, err := renderBeside(b, doc)
	if err != nil {
		t.Fatal(err)
	}
	return b, doc, page
}

func TestResultsSideBySideAreWhatTheyWere(t *testing.T) {
	dir := t.TempDir()
	b, _, _ := laid(t, sampleSides())
	if err := WriteBeside(dir, b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{BesideFile, BesideReportFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "beside."+name, data)
	}
}

// What the page of a run promises, that of several keeps.
func TestThePageOfSeveralResultsKeepsThePromisesOfAReport(t *testing.T) {
	alike := []Side{{Name: "one", Result: small()}, {Name: "two", Result: small()}}
	nation := []Side{{Name: "one", Result: large(true)}, {Name: "two", Result: large(false)}}
	nothing := []Side{{Name: "one", Result: empty()}, {Name: "two", Result: empty()}}
	for name, all := range map[string][]Side{"four": sampleSides(), "alike": alike, "nation": nation, "nothing": nothing} {
		t.Run(name, func(t *testing.T) {
			b, doc, page := laid(t, all)
			figures := map[string]bool{}
			if n := figuresShown(t, page, doc, func(pointer string) bool { figures[pointer] = true; return true }); n < 50 {
				t.Errorf("only %d figures carry a pointer", n)
			}
			for i, f := range b.Figures {
				for k := range all {
					at := fmt.Sprintf("/figures/%d/values/%d", i, k)
					ofFault := strings.HasPrefix(f.Metric, "recovery[") // these are shown with the fault
					if f.Has[k] && !ofFault && !figures[at] && f.Values[k].Known() {
						t.Errorf("%s of %s is not shown", f.Metric, b.Results[k].Name)
					}
				}
			}
			var names []string
			for _, s := range all {
				names = append(names, s.Name)
			}
			untranslated(t, page, names...)
			if m := messagePlace.Find(rawText.ReplaceAll(page, nil)); m != nil {
				t.Errorf("a place %s is not filled", m)
			}
			for _, never := range []string{"http://", "https://", "ZgotmplZ", "NaN", "%!", "<no value>"} {
				if bytes.Contains(page, []byte(never)) {
					t.Errorf("the page has %q", never)
				}
			}
			if len(page) > 3_000_000 {
				t.Errorf("the page has %d bytes", len(page))
			}
		})
	}
}

func TestEveryHeadlineFigureHasItsPlaceBesideTheOthers(t *testing.T) {
	placed := map[string]bool{}
	for _, g := range figureGroups {
		for _, m := range g.metrics {
			placed["/"+strings.ReplaceAll(m, ".", "/")] = true
		}
	}
	for _, c := range faultColumns {
		placed["/recovery/*/"+c.Field] = true
	}
	for _, h := range headlines {
		if !placed[h.at] {
			t.Errorf("%s is in no table of the page", h.at)
		}
	}
}

func TestEachResultIsHeldAgainstTheFirst(t *testing.T) {
	all := sampleSides()
	b, doc, _ := laid(t, all)
	if len(b.Comparisons) != 3 || b.Comparisons[0].Method != Paired || b.Comparisons[1].Method != Exact {
		t.Fatalf("%d comparisons", len(b.Comparisons))
	}
	tol, _ := ParseTolerances(nil)
	for k, c := range b.Comparisons {
		alone, err := Compare(all[0].Result, all[k+1].Result, tol)
		if err != nil {
			t.Fatal(err)
		}
		if alone.Differ != c.Differ || alone.Beyond != c.Beyond || len(alone.Figures) != len(c.Figures) {
			t.Errorf("%s: %d differ, alone %d", all[k+1].Name, c.Differ, alone.Differ)
		}
	}
	if b.Beyond != b.Comparisons[0].Beyond+b.Comparisons[1].Beyond+b.Comparisons[2].Beyond || b.Beyond == 0 {
		t.Errorf("%d beyond in all", b.Beyond)
	}
	for pointer, want := range map[string]string{"/schema": BesideID, "/results/3/name": "calm", "/results/3/title": "A calm rollout", "/comparisons/0/method": "paired t"} {
		if got, err := doc.At(pointer); err != nil || got != want {
			t.Errorf("%s is %v, want %s (%v)", pointer, got, want, err)
		}
	}
	notes := strings.Join(b.Notes, "\n")
	for _, want := range []string{"wrong without replications", "the seeds of base and calm differ (1 and 2)", "the days of base and calm differ: 2025-03-06 to"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note says %q:\n%s", want, notes)
		}
	}
}

func TestOfTheScenariosOnlyWhatDiffersIsSaid(t *testing.T) {
	b, _, page := laid(t, sampleSides())
	want := []BesideParameter{
		{"seed", []string{"1", "1", "1", "2"}}, {"start", []string{"2025-03-06", "2025-03-06", "2025-03-06", "2025-03-09"}},
		{"adoption.level", []string{"4%", "5%", "4%", "4%"}}, {"faults.six hours down.for", []string{"6h", "6h", "6h", ""}}, {"service.retry", []string{"", "", "none", ""}},
	}
	if !slices.EqualFunc(b.Parameters, want, func(x, y BesideParameter) bool { return x.Path == y.Path && slices.Equal(x.Values, y.Values) }) || b.Alike != 1 || !b.WholeScenarios {
		t.Errorf("%+v, %d alike", b.Parameters, b.Alike)
	}
	if !bytes.Contains(page, []byte("<code>adoption.level</code>")) {
		t.Error("the page does not say what was changed")
	}

	// Where a scenario is not known, what a result says of its assumptions has to do.
	all := sampleSides()
	all[1].Parameters, all[2].Parameters, all[2].OtherInputs = nil, nil, true
	all[3].Result.Trust.Assumptions = slices.Clone(all[3].Result.Trust.Assumptions)
	all[3].Result.Trust.Assumptions[1].Value = "30%"
	b, _, _ = laid(t, all)
	var paths []string
	for _, p := range b.Parameters {
		paths = append(paths, p.Path)
	}
	if b.WholeScenarios || !slices.Equal(paths, []string{"seed", "start", "centres.counter_share"}) {
		t.Errorf("%q, whole scenarios: %v", paths, b.WholeScenarios)
	}
	notes := strings.Join(b.Notes, "\n")
	if !strings.Contains(notes, "keen does not say what its whole scenario was") || !strings.Contains(notes, "the resolved.yaml beside wrong is not what") {
		t.Errorf("the notes do not say so:\n%s", notes)
	}
}

func TestDaysAndFaultsOfSeveralResultsAreLaidOverOneAnother(t *testing.T) {
	b, _, _ := laid(t, sampleSides())
	first := b.Days[0]
	if first.Date != "2025-03-06" || first.Holders[3].Known() || !first.Holders[0].Known() || b.Days[3].Holders[3] != b.Days[3].Holders[0] {
		t.Errorf("days: %+v", b.Days[:4])
	}
	d := small().Nation.ByDay[8]
	if want := Num(d.IssuedTap + d.IssuedCentre + d.Verifications - d.TurnedAway + d.ReportsPhysical + d.ReportsMobile + d.Releases); b.Days[8].Done[0] != want {
		t.Errorf("done on %s: %v, want %v", d.Date, b.Days[8].Done[0], want)
	}
	if len(b.Faults) != 3 {
		t.Fatalf("%d faults, want three", len(b.Faults))
	}
	for _, f := range b.Faults {
		if f.First != -9 || f.More[9] != f.Timeline[9].Backlog-f.Timeline[9].BacklogTwin {
			t.Errorf("the fault of result %d begins at hour %d", f.Result, f.First)
		}
	}
}

func TestTheTableOfSeveralResultsFitsTheTerminal(t *testing.T) {
	b, _, _ := laid(t, sampleSides())
	for _, width := range []int{0, 80, 100, 160} {
		var w bytes.Buffer
		if err := b.Print(&w, Terminal{Width: width}); err != nil {
			t.Fatal(err)
		}
		if width > 0 {
			golden(t, fmt.Sprintf("beside.%d.txt", width), w.Bytes())
		}
		heads := ""
		for i, l := range strings.Split(w.String(), "\n") {
			table := i == 0 || strings.Contains(l, "nation.") || strings.HasPrefix(l, "figure ")
			if n := utf8.RuneCountInString(l); table && width > 0 && n > width {
				t.Errorf("%d columns: a line has %d: %s", width, n, l)
			}
			if strings.HasPrefix(l, "figure ") {
				heads += l + " "
			}
		}
		for _, r := range b.Results {
			if !slices.Contains(strings.Fields(heads), r.Name) {
				t.Errorf("%d columns: %s has no column: %s", width, r.Name, heads)
			}
		}
		lines := strings.Split(strings.TrimSpace(w.String()), "\n")
		if want := "calm: "; !strings.Contains(lines[len(lines)-1], want) {
			t.Errorf("the last line is %q", lines[len(lines)-1])
		}
	}
	var plain, colour bytes.Buffer
	if err := b.Print(&plain, Terminal{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Print(&colour, Terminal{Colour: true}); err != nil {
		t.Fatal(err)
	}
	bare := colour.String()
	for _, code := range []string{bold, faint, green, red, "0"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	if bare != plain.String() {
		t.Error("colours change the words")
	}
}

func TestOneResultAndSevenAreNotLaidSideBySide(t *testing.T) {
	tol, _ := ParseTolerances(nil)
	for _, n := range []int{1, MostBeside + 1} {
		if _, err := LayBeside(slices.Repeat([]Side{{Name: "x", Result: small()}}, n), tol, ""); err == nil || !strings.Contains(err.Error(), "name 2 to 6") {
			t.Errorf("%d results: %v", n, err)
		}
	}
	other := small()
	other.Nation.Citizens++
	if _, err := LayBeside([]Side{{Name: "here", Result: small()}, {Name: "there", Result: other}}, tol, ""); err == nil || !strings.Contains(err.Error(), "HEAD is there") {
		t.Errorf("other people: %v", err)
	}
}

func TestANameOfAResultCannotBecomeMarkup(t *testing.T) {
	all := sampleSides()
	const evil = `</script><script>alert(1)</script>"'&|`
	all[1].Name, all[1].Parameters[3].Value = evil, evil
	all[1].Result.Meta.Title, all[2].Result.Recovery[0].Fault = evil, evil
	_, _, page := laid(t, all)
	if bytes.Contains(page, []byte("<script>alert")) {
		t.Error("a name became a script")
	}
	parsePage(t, page)
}
