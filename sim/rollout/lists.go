package rollout

import (
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// lists says which status list a verifier that caches has in hand. Lists are
// published at every multiple of the interval; a verifier fetches at its own
// phase and takes the newest. At one instant: commit before publish before
// fetch before present. While the status node is down nothing is published and
// no fetch succeeds; the verifier tries again at its next turn, and what is there
// then was published when the node came back, at the latest.
type lists struct {
	service  *capacity.Service
	interval int64
}

// Seen is the list in a verifier's hand.
type seen struct {
	fetched, published int64
	expired            bool
}

func (m *Model) phase(place int, verifier int32) int64 {
	refresh := m.demand.places[place].Refresh.Milliseconds()
	w := m.Source.Draw(uint32(verifier), population.ForVerifier, uint32(place))
	return int64(rng.Uniform(w[0]) * float64(refresh))
}

func (l *lists) seen(m *Model, place int, verifier int32, at int64) seen {
	pl := &m.demand.places[place]
	refresh := pl.Refresh.Milliseconds()
	ph := m.phase(place, verifier)
	f := floorTo(at-ph, refresh) + ph
	for !l.service.StatusUp(floorDiv(f, second)) || m.unreachable(place, f) {
		f -= refresh
	}
	p := max(floorTo(f, l.interval), l.service.StatusSince(floorDiv(f, second))*second)
	return seen{fetched: f, published: p, expired: at-f > pl.TTL.Milliseconds()}
}

// exposed is the time from a commit until a verifier of the kind, drawn at
// random, has a list that shows it; 0 where the check is online.
func (m *Model) exposed(c *Citizen, place int, at int64) int64 {
	pl := &m.demand.places[place]
	if pl.Check == "online" {
		return 0
	}
	w := m.Source.Draw(c.ID, population.ForVerifier, uint32(place)|uint32(c.nCard)<<8|uint32(c.nPhone)<<16)
	v := int32(rng.Uniform(w[0]) * float64(pl.Verifiers))
	refresh, ph := pl.Refresh.Milliseconds(), m.phase(place, v)
	f := floorTo(at-ph, refresh) + ph
	for {
		f += refresh
		if s := m.lists.seen(m, place, v, f); s.published >= at && !(m.standby.loses(at) && m.standby.serves(s.published)) {
			return s.fetched - at
		}
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorTo(a, b int64) int64 { return floorDiv(a, b) * b }
