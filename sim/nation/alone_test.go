package nation

import (
	"testing"

	"rollcall.example/rollcall/sim/rollout"
)

// What a planner asks of a centre by itself is worth something only if the answer
// for today's counters is the run's own: with few and busy ones, so that people
// turn round, leave and are sent home, through an outage with narrow windows.
func TestACentreAloneWithAsManyCountersIsTheRunsOwn(t *testing.T) {
	s, n := ulsan(t)
	s.Centres.Counters = map[string]int{"KR-31": 2}
	s.Centres.OtherBusiness *= 2
	s.Centres.BalkAt = 5
	s.Centres.Appointments = map[string]int{n.Centres[n.Municipalities[municipality(t, n, "31110")].First].Code: 1}
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 2, KeepVisits: true})
	if err != nil {
		t.Fatal(err)
	}
	var served, left, fewer, putOff int64
	for i, tally := range o.Tallies {
		if tally == nil {
			continue
		}
		mu := &n.Municipalities[i]
		for c := mu.First; c < mu.End; c++ {
			want := tally.ByCentre[c-mu.First]
			want.Citizens = 0
			alone := NewAlone(o.Model, c, o.Visits[c])
			if got := alone.Serve(2, o.Model.Appointments(c)); got != want {
				t.Errorf("%s: %d served, %d left, %d ms in the queue; in the run %d, %d, %d", n.Centres[c].Code,
					got.Visits, got.Left, got.Queue, want.Visits, want.Left, want.Queue)
			}
			served, left = served+want.Visits, left+want.Left
			putOff += want.PutOff.Visits
			fewer += alone.Serve(3, o.Model.Appointments(c)).Left
		}
	}
	if served == 0 || left < 10 || fewer >= left || putOff == 0 {
		t.Errorf("the test says little: %d served, %d left, with a counter more %d; %d put off", served, left, fewer, putOff)
	}
}

func TestVisitsAreKeptOnlyWhenAsked(t *testing.T) {
	s, n := ulsan(t)
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 2})
	if err != nil || o.Visits != nil {
		t.Errorf("%d, %v", len(o.Visits), err)
	}
}
