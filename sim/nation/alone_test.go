package nation

import (
	"reflect"
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
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 2, KeepVisits: true})
	if err != nil {
		t.Fatal(err)
	}
	var all Ends
	for i, tally := range o.Tallies {
		if tally == nil {
			continue
		}
		var sum, want Ends
		mu := &n.Municipalities[i]
		for c := mu.First; c < mu.End; c++ {
			e := NewAlone(o.Model, c, o.Visits[c]).Serve(o.Model.Counters(c))
			if !reflect.DeepEqual(e.Wait, tally.ByCentre[c-mu.First].Wait) {
				t.Errorf("%s: other waits than in the run", n.Centres[c].Code)
			}
			sum.Served, sum.Balked, sum.Reneged, sum.Shut = sum.Served+e.Served, sum.Balked+e.Balked, sum.Reneged+e.Reneged, sum.Shut+e.Shut
		}
		for d := range tally.Day {
			x := &tally.Day[d]
			want.Served, want.Balked = want.Served+int64(x.Served), want.Balked+int64(x.Balked)
			want.Reneged, want.Shut = want.Reneged+int64(x.Reneged), want.Shut+int64(x.Shut)
		}
		if sum != want {
			t.Errorf("%s: served, balked, reneged and shut %v, in the run %v", mu.Code,
				[]int64{sum.Served, sum.Balked, sum.Reneged, sum.Shut}, []int64{want.Served, want.Balked, want.Reneged, want.Shut})
		}
		all.Served, all.Balked, all.Reneged, all.Shut = all.Served+sum.Served, all.Balked+sum.Balked, all.Reneged+sum.Reneged, all.Shut+sum.Shut
	}
	if all.Served == 0 || all.Balked == 0 || all.Reneged == 0 || all.Shut == 0 {
		t.Errorf("the test says little: served, balked, reneged, shut %v", []int64{all.Served, all.Balked, all.Reneged, all.Shut})
	}
}

func TestVisitsAreKeptOnlyWhenAsked(t *testing.T) {
	s, n := ulsan(t)
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 2})
	if err != nil || o.Visits != nil {
		t.Errorf("%d, %v", len(o.Visits), err)
	}
}
