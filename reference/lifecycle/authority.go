package lifecycle

// Role is who asks.
type Role uint8

const (
	// Citizen acts by the wallet or the portal, for themselves only.
	Citizen Role = 1 << iota
	// Clerk sits at the counter of a centre.
	Clerk
	// CallCentre is an operator of the loss line.
	CallCentre
	// Registrar keeps the register.
	Registrar
)

// String is the role as in the audit log: "call-centre".
func (r Role) String() string {
	switch r {
	case Citizen:
		return "citizen"
	case Clerk:
		return "clerk"
	case CallCentre:
		return "call-centre"
	case Registrar:
		return "registrar"
	}
	return "nobody"
}

// Authority says which roles may cause which event. Finding a plastic card
// needs somebody who has seen it: a call is not enough to release it.
var Authority = [NumEvents]Role{
	CardIssued:            Clerk | Registrar,
	CredentialIssued:      Citizen,
	ReportPhysicalLost:    Citizen | Clerk | CallCentre | Registrar,
	ReportMobileLost:      Citizen | Clerk | CallCentre | Registrar,
	ReleasePhysical:       Citizen | Clerk | Registrar,
	ReleaseMobile:         Citizen | Clerk | Registrar,
	SuspendAdministrative: Registrar,
	ReleaseAdministrative: Registrar,
	CredentialExpired:     Registrar,
	PersonRemoved:         Registrar,
}

// May says whether role r may cause event e.
func May(r Role, e Event) bool { return r != 0 && Authority[e]&r == r }
