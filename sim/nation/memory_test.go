package nation

import (
	"runtime"
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

// A service that is down for as long as the run lasts, and a quarter all of whose people
// have lost their card and want to report it: a backlog that only grows. People and
// machines that try again ten times as often take no more memory, as whoever waits
// has one request.
func TestABacklogTakesMemoryByCitizensNotByRetries(t *testing.T) {
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	type run struct {
		heap                       uint64 // at most, at the end of a day
		citizens, retries, backlog int64
	}
	with := func(settings ...string) (x run) {
		t.Helper()
		s, err := scenarios.Load("announced", append([]string{`population.centres=["3611055600"]`, "panel.citizens=0", "start=2025-02-12", "end=2025-02-15",
			"losses.plastic.rate=2/day", "losses.plastic.found_at_home=0%", "losses.plastic.report=1h", "losses.plastic.channels={call: 1}",
			"faults=[{name: gone, kind: down, nodes: [gateway], at: 2025-02-12, for: 72h}]"}, settings...))
		if err != nil {
			t.Fatal(err)
		}
		day := int64(-1)
		o, err := Run(t.Context(), s, n, rollout.Options{Workers: 1, Progress: func(done, _, _ int64) {
			if d := done / rollout.Day; d != day {
				day = d
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				x.heap = max(x.heap, m.HeapAlloc)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		x.citizens = int64(o.Citizens)
		for _, t := range o.Tallies {
			if t == nil {
				continue
			}
			for h, b := range t.Backlog {
				x.backlog += int64(b)
				x.retries += int64(t.Retries[h])
			}
		}
		return x
	}
	few := with("service.clients.wallet.retries=0", "channels.outage_retry=12h")
	many := with("service.clients.wallet.retries=7", "channels.outage_retry=40m")
	if many.retries < 10*few.retries || few.backlog < few.citizens/2 || many.backlog < many.citizens/2 {
		t.Errorf("%+v, %+v: there was no backlog, or no storm", few, many)
	}
	if most := few.heap + uint64(200*few.citizens); many.heap > most {
		t.Errorf("%d bytes for %d retries, %d for %d: want at most %d", many.heap, many.retries, few.heap, few.retries, most)
	}
}
