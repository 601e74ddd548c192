package rollout

import "rollcall.example/rollcall/reference/lifecycle"

// Never is the time of what does not happen.
const Never int64 = 1 << 62

// Citizen is the record of one resident: five clocks, each the time of the next
// step of one process of their life, and what is needed to take it. It holds no
// pointer, so that a nation of records costs the collector nothing.
//
// Times are milliseconds since the start of the scenario.
type Citizen struct {
	Card   int64 // the plastic card: lost, reported, found, re-issued
	Phone  int64 // the phone: lost, reported, back, replaced
	Affair int64 // getting the mobile card
	Finder int64 // somebody who found the phone tries to use it
	Demand int64 // next time they have to show who they are

	ID     uint32
	Wallet int32 // their newest wallet in the municipality's table, +1; 0: none
	Centre uint16
	Flags  Flags
	Age    uint8
	Law    lifecycle.State
	Habit  uint8 // their own demand rate, see Model.habit
	Tries  uint8 // of the affair, or of the visit for a card

	CardStep   Step
	PhoneStep  Step
	AffairStep Step
	Device     uint8 // how many phones they have had

	Order Order // what the plastic card on order is for

	nCard, nPhone, nAffair, nVisit, nFinder uint8 // occurrences, for the streams
	nDemand                                 uint16
	cardBy, phoneBy                         ReportBy // the way of the report under way
	cardAt, phoneAt, affairAt               uint16   // the centre that served the process's last visit
	ordered                                 uint16   // hour of the application for the card on order
	failed                                  failure  // of the affair's last try
}

// failure is what a try to get the mobile card broke off at.
type failure uint8

const (
	notServed failure = iota + 1 // at the counter: the queue too long, the wait too long, closing time
	notMatched
	otherwise // no card read, wrong PIN, wrong centre, service not reached, refused for another reason
)

// Flags are what is true of a citizen.
type Flags uint16

// The flags.
const (
	Male           Flags = 1 << iota
	HasPhone             // owns a smartphone
	HasNFC               // and it reads cards
	Chip                 // the plastic card in force carries a chip
	PlasticHeld          // the plastic card is in their hands
	PhoneHeld            // the phone is
	WalletHeld           // the newest wallet is on that phone
	KnowsSuspended       // was refused as suspended since the last report
	WantsCard            // the affair waits for a plastic card
	Busy                 // a request is with the service: nothing else happens before the barrier
	PINBlocked           // of the chip
	NewPhoto             // the photo on record is a fresh one
	InPool               // their life is kept
	WantsMobile          // the intent to get a mobile card is open
)

// Next is the time of the citizen's next step.
func (c *Citizen) Next() int64 {
	return min(c.Card, c.Phone, c.Affair, c.Finder, c.Demand)
}

// Wallet is one issuance: a credential on a phone. Entries are never removed.
type Wallet struct {
	Issued, Expires, Ended int64
	Lost, Submitted, Acked int64 // of the report in force; Never
	LastAccepted           int64
	changes                [4]change // the newest last
	Prev                   int32     // the wallet before, +1
	Serial                 uint8
	Device                 uint8
	Found                  bool  // a finder has it
	Reported               bool  // carries the report of a lost phone: outlives its credential, until it is released
	exposure               int32 // of the report in force, +1
}

type change struct {
	at      int64
	verdict lifecycle.Verdict
}

// at returns the verdict that the register would have given at an instant.
func (w *Wallet) verdictAt(at int64) lifecycle.Verdict { return verdictAt(&w.changes, at) }

func verdictAt(changes *[4]change, at int64) lifecycle.Verdict {
	for i := len(changes) - 1; i >= 0; i-- {
		if changes[i].verdict != 0 && changes[i].at <= at {
			return changes[i].verdict
		}
	}
	return lifecycle.Accepted // a list from before the issue shows the index as valid
}

func (w *Wallet) push(at int64, v lifecycle.Verdict) { push(&w.changes, at, v) }

func push(changes *[4]change, at int64, v lifecycle.Verdict) {
	copy(changes[:], changes[1:])
	changes[len(changes)-1] = change{at, v}
}

// Process is one of the three processes that ask for service or visit a centre,
// and the two that present.
type Process uint8

// The processes.
const (
	OfCard Process = iota
	OfPhone
	OfAffair
	OfFinder
	OfDemand
)

// Order is why a plastic card was ordered, and whether it will carry a chip.
type Order uint8

// The reasons.
const (
	NoOrder Order = iota
	OrderFirst
	OrderLost
	OrderOther
	OrderUpgrade
	OrderPhoto
	orderReason Order = 1<<4 - 1
	withChip    Order = 1 << 4
)

// Step is where a process stands.
type Step uint8

// The steps of the three processes.
const (
	Idle Step = iota

	WantMobile // the wish begins
	GoMobile   // decide how
	TapCard    // hold the card to the phone
	AtCounter  // the counter is done: scan the QR code
	WaitVisit  // on the way or in the queue
	Expire     // the mobile card's validity ends

	FoundAtHome
	ReportCard      // tell somebody that the plastic card is lost
	ReportCardReady // the report reaches the register
	FindCard
	ReleaseCard
	ApplyCard // go and apply for a plastic card
	OrderCard // the counter is done: the order goes to the plant
	CardPrinted
	CollectCard
	ActivateCard // the new number comes into force

	ReportPhone
	ReportPhoneReady
	PhoneBack
	ReleasePhone
	PhoneNew

	ComeAgain  // decide how, after a try that failed
	ApplyAgain // go and apply, after a visit that failed or on a day that was chosen
	WantToday  // the wish begins on the day that was chosen for going

	ReportAgain      // make a report again that the register of a stand-by site lacks
	ReportAgainReady // that report reaches the register
	NumSteps         = iota
)
