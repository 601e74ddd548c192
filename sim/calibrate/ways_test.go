package calibrate

import (
	"slices"
	"testing"
	"time"
)

// at is a moment, so many milliseconds from the first.
func at(ms float64) time.Time {
	return time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC).Add(time.Duration(ms * float64(time.Millisecond)))
}

func TestAPauseIsATimeInWhichRequestsAreUnderWayAndNoneIsAnswered(t *testing.T) {
	s := &Sample{Traces: [][]Trace{{
		{Requests: []Span{{at(0), at(1)}, {at(30), at(31)}}}, // nobody asked anything in between
		{Requests: []Span{{at(31), at(45)}}},                 // 14 ms
	}, {
		{Requests: []Span{{at(40), at(46)}}}, // one of 6 ms, but there was an answer at 45
		{Requests: []Span{{at(50), at(55)}, {at(55), at(56)}}},
	}}}
	got := Paused(s, 0.005)
	if want := []float64{0.014, 0.005}; !slices.EqualFunc(got, want, func(a, b float64) bool { return a > b-1e-9 && a < b+1e-9 }) {
		t.Errorf("pauses %v, want %v", got, want)
	}
	// The first requests take 7.5 ms on average in one kind, 5.5 in the other.
	near(t, "longest", Longest(s.Traces), 3*7.5e-3, 1e-9)
}

// alone are traces of an operation whose requests take some milliseconds, with a
// caller who works before, between and after.
func alone(n int, requests ...float64) (traces []Trace) {
	for range n {
		now, t := 1.0, Trace{From: at(0)}
		for _, r := range requests {
			t.Requests = append(t.Requests, Span{at(now), at(now + r)})
			now += r + 1
		}
		t.To = at(now)
		traces = append(traces, t)
	}
	return traces
}

func total(w Way) (way, work, wait float64) {
	for _, v := range w.Visits {
		way += v.Before + v.Serve + v.Wait + v.Read
		work += v.Before + v.Serve + v.Read + v.Behind + v.Aside
		wait += v.Wait
	}
	return way + w.After, work + w.After, wait
}

func TestAWayTakesTheTimeOfItsTraceAndAllTheWork(t *testing.T) {
	for _, c := range []struct {
		what               string
		service, generator float64 // ms
		wait, held         float64
	}{
		{"work that adds up", 6, 3, 0, 0},
		{"work at the same time", 7, 4, 0, 0},
		{"waiting inside", 4, 3, 2, 2},
		{"a caller who waits", 4, 1, 4, 4},
	} {
		ways, held := WaysOf(alone(50, 2, 4), c.service/1000, c.generator/1000, 1)
		if len(ways) != 50 {
			t.Fatalf("%s: %d ways", c.what, len(ways))
		}
		way, work, wait := total(ways[0])
		near(t, c.what+": the time", way, 9e-3, 1e-9)
		near(t, c.what+": the work", work, (c.service+c.generator)/1000, 1e-9)
		near(t, c.what+": the waiting", 1+wait, 1+c.wait/1000, 1e-9)
		near(t, c.what+": held", 1+held, 1+c.held/1000, 1e-9)
		near(t, c.what+": longer requests have more", ways[0].Visits[1].Serve, 2*ways[0].Visits[0].Serve, 1e-9)
	}
}

func TestAnOperationThatMetAPauseIsNoWay(t *testing.T) {
	traces := append(alone(50, 2), alone(5, 40)...)
	ways, _ := WaysOf(traces, 2e-3, 2e-3, 0.02)
	if len(ways) != 50 {
		t.Errorf("%d ways of 50 that met none", len(ways))
	}
	if ways, _ = WaysOf(traces[50:], 2e-3, 2e-3, 0.02); len(ways) != 5 {
		t.Errorf("where all met one there are %d ways", len(ways))
	}
}
