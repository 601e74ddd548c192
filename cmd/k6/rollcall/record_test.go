package rollcall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/loadgen"
)

func began() *record {
	r := &record{}
	r.start(time.Now())
	return r
}

func shown(citizen string) loadgen.Result {
	return loadgen.Result{Citizen: citizen, Did: "present at shop", Verdict: "accepted"}
}

func TestThePartsOfALoadHaveFiguresOfTheirOwnInTheirOrder(t *testing.T) {
	r := began()
	for i, part := range []string{"at 500/s", "at 1000/s"} {
		for range 10 * (i + 1) {
			r.add("present", "shop", part, shown("1"), float64(i+1))
		}
	}
	r.add("present", "bank", "", shown("1"), 7)
	l := r.live()
	var names []string
	for _, o := range l.Operations {
		names = append(names, o.Name())
	}
	if want := []string{"present[bank]", "present[shop at 500/s]", "present[shop at 1000/s]"}; !slices.Equal(names, want) {
		t.Fatalf("%q, want %q", names, want)
	}
	if one, other := l.Operations[1], l.Operations[2]; one.Count != 10 || other.Count != 20 || one.P50 != 1 || other.P50 != 2 || l.Answers != 31 {
		t.Errorf("%+v, %+v, %d answers", one, other, l.Answers)
	}
}

func TestRequestsWithoutAnAnswerHaveNoTime(t *testing.T) {
	r := began()
	r.add("present", "shop", "", loadgen.Result{Citizen: "1", Unknown: true, Err: fmt.Errorf("connection refused")}, 9000)
	r.add("present", "shop", "", shown("1"), 2)
	if o := r.live().Operations[0]; o.Count != 2 || o.Unknown != 1 || o.Max != 2 {
		t.Errorf("%+v", o)
	}
}

func TestTheFirstWrongAnswersAreToldWithTheirHistory(t *testing.T) {
	r := began()
	wrong := shown("1")
	wrong.Wrong = "the card is accepted, and should be suspended"
	r.add("issue", "tap", "", loadgen.Result{Citizen: "1", Did: "issue by tap", Granted: true}, 1)
	told := 0
	for range maxFindings + 5 {
		history, first := r.add("present", "shop", "", wrong, 1)
		if first {
			told++
		}
		if !strings.Contains(history, "issue by tap: granted") && told == 1 {
			t.Errorf("the history is %q", history)
		}
	}
	if l := r.live(); told != maxFindings || len(l.Findings) != maxFindings || l.Wrong != maxFindings+5 {
		t.Errorf("%d were told, %d are kept, %d are wrong", told, len(l.Findings), l.Wrong)
	}
}

func TestAGeneratorThatFillsTheMachineHasMeasuredItself(t *testing.T) {
	for share, invalid := range map[float64]bool{0.2: false, 0.84: false, 0.9: true} {
		l := &reports.Live{Answers: 1, Judged: true, Generator: reports.Process{Share: reports.Num(share)}}
		if got := doubts(l, nil); (len(got) == 1) != invalid {
			t.Errorf("%v of the machine: %q", share, got)
		}
	}
	if got := doubts(&reports.Live{Answers: 1, Judged: true, Generator: reports.Process{Share: reports.None()}}, nil); got != nil {
		t.Errorf("its share is not known: %q", got)
	}
}

// Compare takes what is valid, so a load that nobody judged is not.
func TestALoadThatWasNotJudgedIsInvalid(t *testing.T) {
	none := reports.Process{Share: reports.None()}
	if got := doubts(&reports.Live{Answers: 1, Generator: none}, nil); len(got) != 1 || !strings.Contains(got[0], "the history was not judged") {
		t.Errorf("%q", got)
	}
	if got := doubts(&reports.Live{Answers: 1, Generator: none, Doubts: []string{"the load was given up"}}, nil); got != nil {
		t.Errorf("why is known already: %q", got)
	}
}

// What comes when it is asked for again is returned by no call of a script; it counts all the same.
func TestWrongAnswersThatNoCallReturnsCount(t *testing.T) {
	r := began()
	late := loadgen.Result{Citizen: "1", Did: "release physical-lost", Reason: "not-in-force", Wrong: "the release of report 7 was refused"}
	r.aside(late)
	r.aside(shown("1"))
	if got := r.untold(); len(got) != 1 || got[0] != late || len(r.untold()) != 0 {
		t.Errorf("to be told: %v", got)
	}
	if l := r.live(); l.Wrong != 1 || l.Answers != 1 || len(l.Findings) != 1 || !strings.Contains(l.Findings[0], "the release of report 7 was refused") {
		t.Errorf("%+v", l)
	}
}

// k6 hands over its metrics as maps of numbers.
func TestThresholdsBecomeExpectationsWithTheirValues(t *testing.T) {
	data := map[string]any{"metrics": map[string]any{
		"iterations": map[string]any{"values": map[string]float64{"count": 12, "rate": 1.5}},
		"vus_max":    map[string]any{"values": map[string]float64{"value": 4}},
		"rollcall_present_duration{verifier:shop}": map[string]any{
			"values": map[string]float64{"p(95)": 17, "p(99)": 1200}, "thresholds": map[string]any{"p(99)<1000": map[string]any{"ok": false}, "p(95) < 500": map[string]any{"ok": true}}},
	}}
	if count(data, "iterations") != 12 || count(data, "vus_max") != 4 || count(data, "dropped_iterations") != 0 {
		t.Errorf("iterations %d, vus %d, dropped %d", count(data, "iterations"), count(data, "vus_max"), count(data, "dropped_iterations"))
	}
	const name = "rollcall_present_duration{verifier:shop}: "
	want := []reports.Expectation{{Text: name + "p(95) < 500", Value: 17, Holds: true}, {Text: name + "p(99)<1000", Value: 1200}}
	if got := thresholds(data); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
