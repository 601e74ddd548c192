package rollout

import (
	"slices"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
)

// edge is a way to the service while it is cut: a region's network, the terminals
// of centres, the own network of verifiers. What is cut off is no load on the
// service, which does not know of it.
type edge struct {
	fault    int
	from, to int64 // ms
	kind     string
	regions  []bool // by region of residence; nil: all
	places   []bool // by kind of place; nil: all
}

func (m *Model) compileEdges() {
	for i, f := range m.Scenario.Faults {
		for _, n := range f.Nodes {
			if !slices.Contains(scenarios.Edges, n) {
				continue
			}
			from := m.Since(f.At.Time)
			e := edge{fault: i, from: from, to: from + f.Lasts(n).Milliseconds(), kind: n}
			if len(f.Regions) > 0 {
				e.regions = make([]bool, len(m.Nation.Regions))
				for _, iso := range f.Regions {
					if r, ok := m.Nation.RegionIndex(iso); ok {
						e.regions[r] = true
					}
				}
			}
			if len(f.Places) > 0 {
				e.places = make([]bool, len(m.demand.places))
				for k, p := range m.demand.places {
					e.places[k] = slices.Contains(f.Places, p.Name)
				}
			}
			m.edges = append(m.edges, e)
		}
	}
}

// Two of scenarios.Edges that not everything passes; the third is the network.
const (
	terminals = "terminals"
	verifiers = "verifiers"
)

// concerns says whether a resident's request goes this way.
func (e *edge) concerns(region int, op capacity.Op, place int) bool {
	if e.regions != nil && !e.regions[region] {
		return false
	}
	switch e.kind {
	case terminals:
		return op == capacity.IssueCentre || op == capacity.RegisterCard
	case verifiers:
		return op == capacity.VerifyOnline && (e.places == nil || e.places[place])
	}
	return true
}

// cutOff says whether the way of a request is cut from its first attempt to its
// last, and by which fault; or until when it is cut while a later attempt gets
// through.
func (m *Model) cutOff(region int, r *Request) (fault int, cut bool, until int64) {
	for i := range m.edges {
		e := &m.edges[i]
		if r.At < e.from || r.At >= e.to || !e.concerns(region, r.Op, int(r.place)) {
			continue
		}
		if r.At+m.Service.Span(r.Op).Milliseconds() < e.to {
			return e.fault, true, 0
		}
		until = max(until, e.to)
	}
	return 0, false, until
}

// unreachable says whether verifiers of a kind cannot fetch lists at an instant.
// They are the nation's: a cut in some regions alone does not part them from the lists.
func (m *Model) unreachable(place int, at int64) bool {
	for i := range m.edges {
		e := &m.edges[i]
		if e.kind == verifiers && e.regions == nil && (e.places == nil || e.places[place]) && at >= e.from && at < e.to {
			return true
		}
	}
	return false
}

// CutTally is what one fault cut off.
type CutTally struct {
	Requests [capacity.NumFunctions]int64 // that never reached the service
	First    int64                        // ms: the first of them
}
