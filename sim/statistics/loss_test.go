package statistics

import (
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

func TestWhatALostSiteCostIsAddedUpOverTheMunicipalities(t *testing.T) {
	s, err := scenarios.Load("smoke", []string{`service.standby={copies_every: 24h, at: "01:00"}`,
		"faults=[{name: fire, kind: site-lost, nodes: [gateway, register, face, signing, status], at: 2025-02-14 20:15, standby_after: 2h, for: 2d}]"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	m, err := rollout.New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	o := &rollout.Outcome{Model: m, Tallies: make([]*rollout.Tally, len(n.Municipalities))}
	for i := range 2 {
		x := rollout.NewTally(m, 1)
		*x.Loss = rollout.LossTally{Acknowledged: [rollout.NumLostKinds]int64{rollout.LostIssuance: 5, rollout.LostReport: 3, rollout.LostRelease: 2, rollout.LostCard: 4},
			People: 12, Again: 1, NotTaken: 2, Usable: 5, Unusable: []int64{1000, int64(2+i) * 1000}, Exposed: []int64{int64(i) * 5000}}
		x.Loss.Refused[0], x.Loss.Accepted[1], x.Loss.Misused[1] = 7, 1, 2
		o.Tallies[i] = x
	}
	r := recovery(0, o, o)
	if r.LostAcknowledged != 28 || r.Loss.Acknowledged != (reports.LossByKind{Issuances: 10, Cards: 8, Reports: 6, Releases: 4}) {
		t.Errorf("%d lost: %+v", r.LostAcknowledged, r.Loss.Acknowledged)
	}
	l := r.Loss
	if l.Copy != "2025-02-14T01:00:00+09:00" || l.Serves != "2025-02-14T22:15:00+09:00" || l.Back != "2025-02-16T20:15:00+09:00" || l.Window != 19.25*3600 {
		t.Errorf("copy %s, serves %s, back %s, window %v s", l.Copy, l.Serves, l.Back, l.Window)
	}
	if l.People != 24 || l.Again != 2 || l.NotTaken != 4 || l.Usable != 10 || l.Refused != 14 || l.Accepted != 2 || l.Misused != 4 ||
		l.ByPlace[0].Refused != 14 || l.ByPlace[1].Misused != 4 {
		t.Errorf("%+v", l)
	}
	if l.Unusable != (reports.LossTimes{Cards: 4, P50: 2, P95: 3, Max: 3}) || l.Exposed != (reports.LossTimes{Cards: 2, P50: 5, P95: 5, Max: 5}) {
		t.Errorf("unusable %+v, exposed %+v", l.Unusable, l.Exposed)
	}
}
