// Package access says who may call the service, as what: roles, and the caller
// of a request once they have been authenticated.
//
// It holds no rule about what a role may cause in the register: that is
// lifecycle's table of authority. A role here opens routes (package httpapi, whose
// table says which), and stands for one of lifecycle's behind them. It may not
// know how somebody proved who they are.
package access

import (
	"context"
	"strings"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// Role is what somebody calls as. Roles can be joined into a set.
type Role uint16

const (
	// Anyone has not been authenticated: status lists and metadata are public,
	// and some protocol steps bring a proof of their own.
	Anyone Role = 1 << iota
	// Citizen calls by a wallet or the portal, for themselves.
	Citizen
	// Clerk sits at the counter of a centre, and is bound to it.
	Clerk
	// CallCentre is an operator of the loss line.
	CallCentre
	// Registrar keeps the register.
	Registrar
	// Verifier is a relying party: an office, a bank, a hospital.
	Verifier
	// Auditor reads the audit log.
	Auditor
	// Administrator enters parties and keys.
	Administrator
)

// Roles lists the single roles in the order in which they are shown.
var Roles = [...]Role{Anyone, Citizen, Clerk, CallCentre, Registrar, Verifier, Auditor, Administrator}

var names = map[Role]string{
	Anyone: "anyone", Citizen: "citizen", Clerk: "clerk", CallCentre: "call-centre", Registrar: "registrar",
	Verifier: "verifier", Auditor: "auditor", Administrator: "administrator",
}

// String names a role, or the roles of a set joined by "+".
func (r Role) String() string {
	var out []string
	for _, one := range Roles {
		if r&one != 0 {
			out = append(out, names[one])
		}
	}
	if out == nil {
		return "nobody"
	}
	return strings.Join(out, "+")
}

// ParseRole reads the name of a single role.
func ParseRole(name string) (Role, bool) {
	for _, one := range Roles {
		if names[one] == name {
			return one, true
		}
	}
	return 0, false
}

// Includes says whether the set holds all of another.
func (r Role) Includes(other Role) bool { return r&other == other }

// lawful are the roles that the rulebook knows.
var lawful = map[Role]lifecycle.Role{
	Citizen: lifecycle.Citizen, Clerk: lifecycle.Clerk, CallCentre: lifecycle.CallCentre, Registrar: lifecycle.Registrar,
}

// Caller is who calls, once authenticated.
type Caller struct {
	Role Role   // exactly one
	ID   string // of the party; a citizen's number in decimal; empty for Anyone

	// A citizen's.
	Person store.PersonID
	Wallet string // the wallet instance they call by
	// Fresh: they proved by card and face, for this very token, who they are. Who
	// calls by a phone alone may be whoever holds it.
	Fresh bool

	// Centre is the municipality code of a clerk's centre.
	Centre string
	// Elements are the data elements that a verifier may ask for.
	Elements []string
	// Redirects are the addresses to which a verifier has its users sent back; none: any.
	Redirects []string
}

// By is the caller as the register knows them: nobody it would obey, unless
// they are a citizen or staff.
func (c Caller) By() register.By {
	if c.Role == Citizen {
		return register.Citizen(c.Person)
	}
	return register.By{Actor: c.ID, Role: lawful[c.Role]}
}

type key struct{}

// With is a context with its caller.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From is the caller of a context; Anyone where none was authenticated.
func From(ctx context.Context) Caller {
	if c, ok := ctx.Value(key{}).(Caller); ok {
		return c
	}
	return Caller{Role: Anyone}
}
