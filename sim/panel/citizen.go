package panel

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/world"
)

// citizen is a member of the panel.
type citizen struct {
	*world.Citizen
	Member
	newest map[lifecycle.Causes]uint64
	offers map[int]offered // by record

	nation, panel []string // histories
	step          int      // first that differs; -1
	flight        *flight  // their next request is in flight when the service is dropped
}

// offered is what came of asking for a QR code.
type offered struct {
	code   string
	reason lifecycle.Reason
	failed string // no answer that decides
}

// newCitizen says who a resident is, without any card yet.
func newCitizen(w *world.World, m Member, p population.Person, home string) *citizen {
	return &citizen{Citizen: w.NewCitizen(m.Citizen, p, home), Member: m,
		newest: map[lifecycle.Causes]uint64{}, offers: map[int]offered{}, step: -1}
}
