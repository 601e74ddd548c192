package plain

import (
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rollout"
)

// A step that is due at the start of a window belongs to that window: its request
// is with the service in that very second.
func TestAStepDueAtABarrierHappensBehindIt(t *testing.T) {
	const hour = 3_600_000
	s, n := scene{"", "smoke", nil, []string{"end=2025-02-14", "population={regions: [], centres: [\"3611025000\"]}",
		"losses.plastic.channels={call: 1, portal: 0, app: 0, centre: 0}", "faults=[]"}}.load(t)
	e, err := newEngine(s, n, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e.absent = nil
	due := map[int64]int64{} // reports, by the hour at whose first instant they are due
	for id, p := range e.people {
		if p.Law&lifecycle.HasCard != 0 && id%100 == 0 {
			at := 20 + int64(id/100)%8 // across midnight
			due[at]++
			p.Card, p.CardStep = at*hour, rollout.ReportCard
			p.Phone, p.Affair, p.Demand = rollout.Never, rollout.Never, rollout.Never
		} else {
			p.Card, p.Phone, p.Affair, p.Demand = rollout.Never, rollout.Never, rollout.Never, rollout.Never
		}
		e.plan(p)
	}
	o := e.run(t.Context())
	for h := range int64(48) {
		if got := o.Model.Service.Stats.Requests[h][capacity.Report]; got < due[h] || due[h] == 0 && due[h-1] == 0 && got > 0 {
			t.Errorf("hour %d: %d reports, %d are due at its first instant", h, got, due[h])
		}
	}
	if len(due) != 8 {
		t.Errorf("the test proves nothing: %v", due)
	}
}
