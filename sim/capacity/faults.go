package capacity

import (
	"math"
	"slices"
	"time"

	"rollcall.example/rollcall/scenarios"
)

// fault is one of the scenario's, in seconds since its start.
type fault struct {
	from, to int64           // until the last node is back, the plant included
	felt     int64           // until when requests can meet it
	back     [maxNodes]int64 // when each is; 0: it is not struck
	slow     bool
	permille int64
	lists    int64 // until then status lists can be neither published nor fetched; 0: they can
}

// strikes says whether a node is struck at a second.
func (f *fault) strikes(n int, sec int64) bool { return sec >= f.from && sec < f.back[n] }

func (sv *Service) compileFaults(s *scenarios.Scenario, index map[string]int) {
	for _, f := range s.Faults {
		x := fault{
			from: int64(f.At.Sub(s.Start.Time) / time.Second), slow: f.Kind == "slow",
			permille: permille(f.Severity),
		}
		for _, n := range f.Nodes {
			back := x.from + int64(f.Lasts(n)/time.Second)
			x.to = max(x.to, back)
			if n == scenarios.Plant {
				continue // no request passes it
			}
			x.felt = max(x.felt, back)
			if slices.Contains(scenarios.Edges, n) {
				continue // requests that are cut off never come here
			}
			x.back[index[n]] = back
			if n == StatusNode && !x.slow && x.permille >= 500 {
				x.lists = back
			}
		}
		sv.faults = append(sv.faults, x)
		st := &sv.Stats
		st.FirstFailed, st.Touched = append(st.FirstFailed, -1), append(st.Touched, 0)
		st.Tried, st.Answered = append(st.Tried, [NumOps]int64{}), append(st.Answered, [NumOps]int64{})
		st.Restored = append(st.Restored, [NumOps]int64{-1, -1, -1, -1, -1, -1, -1})
		n, first := x.unpublished(s.StatusLists.PublishInterval.Milliseconds())
		st.Unpublished, st.FirstUnpublished = append(st.Unpublished, n), append(st.FirstUnpublished, first)
	}
}

// unpublished is the number of lists that are due, one at every multiple of the
// interval (ms), while the fault keeps them from being published, and the second
// of the first.
func (f *fault) unpublished(interval int64) (n, first int64) {
	from, to := f.from*1000, f.lists*1000
	if due := (from + interval - 1) / interval * interval; due < to {
		return (to-1-due)/interval + 1, due / 1000
	}
	return 0, -1
}

// down returns the permille of requests that fail at a node in a second, and
// the permille of its capacity that is left.
func (sv *Service) down(n int, sec int64) (fail, capacity int64) {
	capacity = 1000
	for i := range sv.faults {
		f := &sv.faults[i]
		if !f.strikes(n, sec) {
			continue
		}
		if f.slow {
			capacity = min(capacity, 1000-f.permille)
		} else {
			fail = max(fail, f.permille)
		}
	}
	return fail, capacity
}

// disturbed says whether anything makes this second differ from calm.
func (sv *Service) disturbed(sec int64) bool {
	for i := range sv.nodes {
		if sv.nodes[i].backlog > 0 {
			return true
		}
	}
	for i := range sv.clients {
		if sv.clients[i].openUntil >= 0 {
			return true
		}
	}
	for i := range sv.faults {
		if sec >= sv.faults[i].from && sec < sv.faults[i].felt {
			return true
		}
	}
	return false
}

// watch keeps what a fault did: of n attempts at a second some failed, permille
// of them on average.
func (sv *Service) watch(op Op, sec, n, failed, permille int64) {
	for i := range sv.faults {
		f := &sv.faults[i]
		if sec < f.from {
			continue
		}
		st := &sv.Stats
		on := sec < f.felt
		if sec < f.to {
			st.Tried[i][op] += n
			st.Answered[i][op] += n - failed
		}
		if failed > 0 && (on || st.Touched[i] > 0 && st.Restored[i][op] < 0) {
			st.Touched[i] += failed
			if st.FirstFailed[i] < 0 {
				st.FirstFailed[i] = sec
			}
		} else if (permille == 0 || !on && permille < 500) && st.Restored[i][op] < 0 && st.Answered[i][op] < st.Tried[i][op] {
			st.Restored[i][op] = sec
		}
	}
}

// During is what fault i did to a function while it was on: attempts, those that
// were answered, and the second from which the last operation that had failed was
// served again; −1 if one never was, or none had failed. Further captures of a face
// are part of an issue, not one themselves.
func (st *Stats) During(i int, fn Function) (tried, answered, restored int64) {
	restored = -1
	for op := range Op(NumOps) {
		if Of(op) != fn || op == FaceAgain {
			continue
		}
		tried += st.Tried[i][op]
		answered += st.Answered[i][op]
	}
	for op := range Op(NumOps) {
		if Of(op) == fn && op != FaceAgain && st.Answered[i][op] < st.Tried[i][op] {
			if st.Restored[i][op] < 0 {
				return tried, answered, -1
			}
			restored = max(restored, st.Restored[i][op])
		}
	}
	return tried, answered, restored
}

// StatusUp says whether verifiers can fetch lists, and lists are published, at
// a second.
func (sv *Service) StatusUp(sec int64) bool {
	for i := range sv.faults {
		f := &sv.faults[i]
		if sec >= f.from && sec < f.lists {
			return false
		}
	}
	return true
}

// StatusSince is the second since which StatusUp holds, of a second at which it
// does: the end of the last fault before, when the lists are published at once.
func (sv *Service) StatusSince(sec int64) int64 {
	since := int64(math.MinInt64 / 1000)
	for i := range sv.faults {
		f := &sv.faults[i]
		if f.lists > 0 && f.lists <= sec {
			since = max(since, f.lists)
		}
	}
	return since
}

// ListsBack is the second from which the lists that fault i stopped are published
// again.
func (sv *Service) ListsBack(i int) int64 { return sv.faults[i].lists }

// Health is what the service's own health signal saw of a fault: the second of
// the first alarm, or -1. The signal looks at every multiple of "detect"; a look
// at the instant at which the fault begins still finds all well.
func (sv *Service) Health(i int) int64 {
	f := &sv.faults[i]
	for at := (f.from/sv.detect + 1) * sv.detect; at < f.felt; at += sv.detect {
		for n := range sv.nodes {
			if fail, left := sv.down(n, at); f.strikes(n, at) && (fail >= 500 || left <= 500) {
				return at
			}
		}
	}
	return -1
}

// Survives says whether a function works while fault i is on.
func (sv *Service) Survives(i int, fn Function) bool {
	f := &sv.faults[i]
	if f.slow {
		return true
	}
	if fn == OfflineVerification {
		return true // a list that was fetched needs no service until its ttl is over
	}
	for op := range Op(NumOps) {
		if Of(op) != fn || op == FaceAgain {
			continue
		}
		for _, h := range sv.path[op] {
			if f.back[h.node] > 0 && f.permille >= 500 {
				return false
			}
		}
	}
	return true
}
