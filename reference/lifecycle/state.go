package lifecycle

import "strings"

// State is the legal state of one resident, packed into six bits so that a
// nation of them fits into memory and the rulebook compiles into a table of
// NumStates × NumEvents outcomes. Registers keep it as a number: a bit never
// changes its meaning.
//
// Ended things (a replaced card number, a replaced or expired credential) are
// not part of it: they are terminal, and no event reaches them again.
type State uint8

const (
	causeBits State = State(PhysicalLost | MobileLost | Administrative)
	// HasCard: the resident holds a plastic card whose number has not ended.
	HasCard State = 1 << 3
	// HasCredential: a wallet holds a mobile credential that has not ended.
	HasCredential State = 1 << 4
	// Removed: death or emigration has ended everything. Nothing comes after it.
	Removed State = 1 << 5
	// NumStates is the number of bit patterns of State.
	NumStates = 1 << 6
)

// Causes returns the suspension causes in force.
func (s State) Causes() Causes { return Causes(s & causeBits) }

// CardActive says whether the plastic card is accepted.
func (s State) CardActive() bool {
	return s&HasCard != 0 && s.Causes().Reaching(Plastic) == 0
}

// MobileActive says whether the mobile credential is accepted.
func (s State) MobileActive() bool {
	return s&HasCredential != 0 && s.Causes().Reaching(Mobile) == 0
}

// Well says whether s can occur: a cause needs the thing it belongs to, and who was
// removed holds nothing.
func (s State) Well() bool {
	if s >= NumStates || s&Removed != 0 && s != Removed {
		return false
	}
	if s.Causes()&PhysicalLost != 0 && s&HasCard == 0 {
		return false
	}
	if s.Causes()&MobileLost != 0 && s&HasCredential == 0 {
		return false
	}
	return s&HasCredential == 0 || s&HasCard != 0
}

// String writes the state as "card", "card+credential", "nothing", "removed", with
// causes in brackets.
func (s State) String() string {
	var have []string
	if s&HasCard != 0 {
		have = append(have, "card")
	}
	if s&HasCredential != 0 {
		have = append(have, "credential")
	}
	if s&Removed != 0 {
		have = append(have, "removed")
	}
	if have == nil {
		have = []string{"nothing"}
	}
	out := strings.Join(have, "+")
	if c := s.Causes(); c != 0 {
		out += "[" + c.String() + "]"
	}
	return out
}

// Verdict is what a verifier learns of a card, mobile or plastic. It never tells
// why.
type Verdict uint8

const (
	// CannotTell: the register or the list could not be consulted.
	CannotTell Verdict = iota
	// Accepted: the card is active.
	Accepted
	// Suspended: at least one cause reaches it (status 2).
	Suspended
	// NotValid: it has ended: replaced, expired, revoked (status 1).
	NotValid
)

// String is the verdict as in results: "not-valid".
func (v Verdict) String() string {
	return [...]string{"cannot-tell", "accepted", "suspended", "not-valid"}[v]
}

// Judge is the verdict on the live mobile credential of a resident in state s.
func Judge(s State) Verdict { return verdict(s&HasCredential != 0, s.MobileActive()) }

// JudgePlastic is the verdict on the plastic card of a resident in state s.
func JudgePlastic(s State) Verdict { return verdict(s&HasCard != 0, s.CardActive()) }

func verdict(there, active bool) Verdict {
	switch {
	case !there:
		return NotValid
	case active:
		return Accepted
	default:
		return Suspended
	}
}
