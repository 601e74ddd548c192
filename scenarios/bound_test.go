package scenarios

import (
	"errors"
	"slices"
	"testing"
)

func TestAnExpectationIsReadAsLimitsWhicheverSideTheFigureStandsOn(t *testing.T) {
	e, err := ParseExpectation("centre.wait_p95 < 30m && 5% >= visits.left")
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Bounds()
	want := []Bound{{"centre.wait_p95", "<", 1800, "30m", true, 0}, {"visits.left", "<=", 0.05, "5%", false, 31}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatIsWrongWithAnExpectationHasItsPlace(t *testing.T) {
	for text, at := range map[string]int{
		"visits.wait_p95 < 30furlongs": 18, "visits.wait_p95 = 3": 16, "a < 1 < 2": 6, "a < 1 && ": 9, "a <": 3, "1 < 2": 4,
		"visits.wait_p95 < region.wait_p95": 18, `a == "x"`: 5,
	} {
		e, err := ParseExpectation(text)
		if err == nil {
			_, err = e.Bounds()
		}
		m, ok := errors.AsType[*Misplaced](err)
		if !ok || m.At != at {
			t.Errorf("%q: %v, at %d; want at %d", text, err, m.At, at)
		}
	}
}
