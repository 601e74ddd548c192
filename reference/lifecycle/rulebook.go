package lifecycle

// Event is something that happens to a resident's cards in the register.
type Event uint8

const (
	// CardIssued: a plastic card with a new number comes into force (first card
	// at 17, or re-issue). It ends the old number and all that hung on it.
	CardIssued Event = iota
	// CredentialIssued: a mobile credential is issued to a wallet. It ends the
	// credentials of the wallet before: one phone per person.
	CredentialIssued
	// ReportPhysicalLost: the plastic card is reported lost.
	ReportPhysicalLost
	// ReportMobileLost: the phone, or the mobile card, is reported lost.
	ReportMobileLost
	// ReleasePhysical: the report of the plastic card is withdrawn.
	ReleasePhysical
	// ReleaseMobile: the report of the phone is withdrawn.
	ReleaseMobile
	// SuspendAdministrative: the registrar suspends the person's cards.
	SuspendAdministrative
	// ReleaseAdministrative: the registrar lifts that.
	ReleaseAdministrative
	// CredentialExpired: the mobile credential reached its end of validity.
	CredentialExpired
	// PersonRemoved: death or emigration ends everything, for good.
	PersonRemoved
	// NumEvents is the number of events.
	NumEvents = iota
)

var eventNames = [NumEvents]string{
	"card-issued", "credential-issued", "report-physical-lost", "report-mobile-lost",
	"release-physical", "release-mobile", "suspend-administrative", "release-administrative",
	"credential-expired", "person-removed",
}

// String is the event as in the audit log: "report-mobile-lost".
func (e Event) String() string { return eventNames[e] }

// Need is a condition on the state, and the reason of the refusal without it.
type Need struct {
	Present State // bits that must be set
	Absent  State // bits that must be clear
	Else    Reason
}

// Rule says what one event needs and what it changes.
type Rule struct {
	On     Event
	Needs  []Need // judged in order; the first that fails refuses
	Sets   State
	Clears State
}

// resident is what every event needs: nothing happens to somebody who was removed. A
// second removal is refused like the rest, as an end of what has ended is.
var resident = Need{Absent: Removed, Else: NoLongerResident}

// Rulebook is the whole law of transitions, one row per event, in the order of
// the events.
var Rulebook = [NumEvents]Rule{
	{On: CardIssued,
		Needs:  []Need{resident},
		Sets:   HasCard,
		Clears: State(PhysicalLost) | HasCredential | State(MobileLost)},
	{On: CredentialIssued,
		Needs: []Need{
			resident,
			{Present: HasCard, Else: NoPlasticCard},
			{Absent: State(PhysicalLost), Else: CardSuspended},
			{Absent: State(Administrative), Else: PersonSuspended},
		},
		Sets:   HasCredential,
		Clears: State(MobileLost)},
	{On: ReportPhysicalLost,
		Needs: []Need{resident, {Present: HasCard, Else: NothingToSuspend}},
		Sets:  State(PhysicalLost)},
	{On: ReportMobileLost,
		Needs: []Need{resident, {Present: HasCredential, Else: NothingToSuspend}},
		Sets:  State(MobileLost)},
	{On: ReleasePhysical,
		Needs:  []Need{resident, {Present: State(PhysicalLost), Else: NothingToRelease}},
		Clears: State(PhysicalLost)},
	{On: ReleaseMobile,
		Needs:  []Need{resident, {Present: State(MobileLost), Else: NothingToRelease}},
		Clears: State(MobileLost)},
	{On: SuspendAdministrative,
		Needs: []Need{resident},
		Sets:  State(Administrative)},
	{On: ReleaseAdministrative,
		Needs:  []Need{resident, {Present: State(Administrative), Else: NothingToRelease}},
		Clears: State(Administrative)},
	{On: CredentialExpired,
		Needs:  []Need{resident, {Present: HasCredential, Else: NothingToEnd}},
		Clears: HasCredential | State(MobileLost)},
	{On: PersonRemoved,
		Needs:  []Need{resident},
		Sets:   Removed,
		Clears: HasCard | HasCredential | causeBits},
}

// Outcome is what came of an event: the next state, and Granted or a reason.
type Outcome struct {
	Next   State
	Reason Reason
}

// Changed says whether the event moved the state from s.
func (o Outcome) Changed(s State) bool { return o.Reason == Granted && o.Next != s }

// Apply judges event e in state s. A refused event leaves the state as it is.
// A report of what is reported already is granted and changes nothing: it has
// the effect of one, but it is the newest report all the same.
func Apply(s State, e Event) Outcome {
	r := &Rulebook[e]
	for _, n := range r.Needs {
		if s&n.Present != n.Present || s&n.Absent != 0 {
			return Outcome{s, n.Else}
		}
	}
	return Outcome{s&^r.Clears | r.Sets, Granted}
}

// Table is the rulebook compiled: one outcome per event and state.
type Table [NumEvents][NumStates]Outcome

// Compile evaluates the rulebook for every state × event.
func Compile() *Table {
	var t Table
	for e := range t {
		for s := range t[e] {
			t[e][s] = Apply(State(s), Event(e))
		}
	}
	return &t
}
