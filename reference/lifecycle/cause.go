package lifecycle

import "strings"

// Causes is the set of reasons for which something is suspended. A credential
// is active iff no cause reaches it and it has not ended.
type Causes uint8

const (
	// PhysicalLost belongs to the plastic card, by document number: it ends
	// with that number.
	PhysicalLost Causes = 1 << iota
	// MobileLost belongs to the wallet: a new phone starts clean of it.
	MobileLost
	// Administrative belongs to the person.
	Administrative
)

// Scope is what a cause reaches.
type Scope uint8

const (
	// Plastic is the physical resident registration card.
	Plastic Scope = 1 << iota
	// Mobile is every live mobile credential of the person.
	Mobile
)

// Reach says what each cause suspends (facts of the rollout: a lost plastic
// card suspends both, a lost phone only the mobile card).
var Reach = map[Causes]Scope{
	PhysicalLost:   Plastic | Mobile,
	MobileLost:     Mobile,
	Administrative: Plastic | Mobile,
}

// AllCauses lists the single causes in the order in which they are shown.
var AllCauses = [...]Causes{PhysicalLost, MobileLost, Administrative}

// Events says which event puts each cause in force, and which lifts it.
var Events = map[Causes]struct{ Report, Release Event }{
	PhysicalLost:   {ReportPhysicalLost, ReleasePhysical},
	MobileLost:     {ReportMobileLost, ReleaseMobile},
	Administrative: {SuspendAdministrative, ReleaseAdministrative},
}

// Cause is the cause that e puts in force or lifts; none for other events.
func (e Event) Cause() (cause Causes, lifts bool) {
	for _, one := range AllCauses {
		switch e {
		case Events[one].Report:
			return one, false
		case Events[one].Release:
			return one, true
		}
	}
	return 0, false
}

// Reaching returns those causes of c that suspend s.
func (c Causes) Reaching(s Scope) Causes {
	var out Causes
	for _, one := range AllCauses {
		if c&one != 0 && Reach[one]&s != 0 {
			out |= one
		}
	}
	return out
}

// String names the set: "none", or names joined by "+".
func (c Causes) String() string {
	var names []string
	for i, one := range AllCauses {
		if c&one != 0 {
			names = append(names, [...]string{"physical-lost", "mobile-lost", "administrative"}[i])
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}
