package rollout

import (
	"testing"

	"rollcall.example/rollcall/sim/capacity"
)

func TestAWayThatIsCutConcernsThoseWhoGoIt(t *testing.T) {
	m := model(t, "announced", "faults=["+
		"{name: net, kind: down, nodes: [network], regions: [KR-26], at: 2025-03-14 09:00, for: 1h},"+
		"{name: desks, kind: down, nodes: [terminals], at: 2025-03-15 09:00, for: 1h},"+
		"{name: banks, kind: down, nodes: [verifiers], places: [office, bank], at: 2025-03-16 09:00, for: 1h},"+
		"{name: parts, kind: down, nodes: [gateway, verifiers], restore: {gateway: 5m}, at: 2025-03-17 09:00, for: 1h}]")
	busan, _ := m.Nation.RegionIndex("KR-26")
	seoul, _ := m.Nation.RegionIndex("KR-11")
	office, bank, airport := 0, 1, 3
	for _, x := range []struct {
		when   string
		region int
		op     capacity.Op
		place  int
		cut    bool
	}{
		{"2025-03-14 08:59", busan, capacity.IssueTap, 0, false},
		{"2025-03-14 09:00", busan, capacity.IssueTap, 0, true},
		{"2025-03-14 09:30", busan, capacity.VerifyOnline, airport, true},
		{"2025-03-14 09:30", busan, capacity.Report, 0, true},
		{"2025-03-14 09:30", seoul, capacity.Report, 0, false},
		{"2025-03-14 10:00", busan, capacity.IssueTap, 0, false},
		{"2025-03-15 09:30", seoul, capacity.IssueCentre, 0, true},
		{"2025-03-15 09:30", seoul, capacity.RegisterCard, 0, true},
		{"2025-03-15 09:30", seoul, capacity.IssueTap, 0, false},
		{"2025-03-16 09:30", seoul, capacity.VerifyOnline, office, true},
		{"2025-03-16 09:30", seoul, capacity.VerifyOnline, airport, false},
		{"2025-03-16 09:30", seoul, capacity.Report, 0, false},
		{"2025-03-17 09:30", seoul, capacity.VerifyOnline, airport, true},
		{"2025-03-17 09:30", seoul, capacity.IssueTap, 0, false},
	} {
		r := Request{Op: x.op, At: at(t, m, x.when), place: int16(x.place)}
		if _, cut, _ := m.cutOff(x.region, &r); cut != x.cut {
			t.Errorf("%s, region %d, operation %d at place %d: cut off %v", x.when, x.region, x.op, x.place, cut)
		}
	}
	// A later attempt may get through: it is answered then, not before.
	r := Request{Op: capacity.IssueTap, At: at(t, m, "2025-03-14 09:59") + 55_000}
	if _, cut, until := m.cutOff(busan, &r); cut || until != at(t, m, "2025-03-14 10:00") {
		t.Errorf("five seconds before the end: cut %v, until %d", cut, until)
	}
	// Lists cannot be fetched by those kinds of verifiers alone.
	for place, want := range map[int]bool{bank: true, airport: false} {
		if got := m.unreachable(place, at(t, m, "2025-03-16 09:30")); got != want {
			t.Errorf("place %d cannot fetch lists: %v", place, got)
		}
	}
	if m.unreachable(bank, at(t, m, "2025-03-14 09:30")) {
		t.Error("a cut in one region parts the nation's banks from the lists")
	}
}
