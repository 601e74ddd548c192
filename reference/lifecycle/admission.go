package lifecycle

import "time"

// Reason is why an event or an application was refused; Granted if it was not.
// Registers keep answers with its number: a new one comes last.
type Reason uint8

const (
	// Granted: not refused.
	Granted Reason = iota
	// NotOpenYet: the applicant's region has not opened (E1).
	NotOpenYet
	// TooYoung: under the minimum age (E2).
	TooYoung
	// NoPlasticCard: no plastic card in force (E2).
	NoPlasticCard
	// CardSuspended: the plastic card is reported lost (S8).
	CardSuspended
	// PersonSuspended: an administrative cause is in force (S8).
	PersonSuspended
	// WrongCentre: a centre of another municipality before the day from which
	// any centre serves everyone (E3).
	WrongCentre
	// OfferExpired: the one-time QR code is older than it may be (E4).
	OfferExpired
	// OfferUsed: the one-time QR code was used before (E4).
	OfferUsed
	// CardNotGenuine: passive or active authentication failed.
	CardNotGenuine
	// PINNotVerified: the card did not confirm the PIN.
	PINNotVerified
	// FaceNotMatched: the score is below the threshold (E5).
	FaceNotMatched
	// WalletReportedLost: this wallet was reported lost and not released (S6).
	WalletReportedLost
	// NothingToSuspend: there is no card or credential to report.
	NothingToSuspend
	// NothingToRelease: the cause is not in force.
	NothingToRelease
	// NothingToEnd: there is no credential to end.
	NothingToEnd
	// OlderThanReport: the release names an older sequence than the newest
	// report (S9).
	OlderThanReport
	// NotAuthorised: this role may not do that (S6).
	NotAuthorised
	// NoLongerResident: the person was removed, by death or emigration. Nothing is
	// issued, reported, released or ended for them any more.
	NoLongerResident
	// NumReasons is the number of reasons.
	NumReasons = iota
)

var reasonNames = [NumReasons]string{
	"granted", "not-open-yet", "too-young", "no-plastic-card", "card-suspended", "person-suspended",
	"wrong-centre", "offer-expired", "offer-used", "card-not-genuine", "pin-not-verified",
	"face-not-matched", "wallet-reported-lost", "nothing-to-suspend", "nothing-to-release",
	"nothing-to-end", "older-than-report", "not-authorised", "no-longer-resident",
}

// String is the reason as in answers and results: "card-not-genuine".
func (r Reason) String() string { return reasonNames[r] }

// Channel is the way to a mobile card.
type Channel uint8

const (
	// Tap: an IC card is held to the phone.
	Tap Channel = iota
	// Counter: a clerk shows a one-time QR code at a centre.
	Counter
)

// String is "tap" or "centre".
func (c Channel) String() string { return [...]string{"tap", "centre"}[c] }

// Application is all that the admission of a mobile card depends on. The
// service fills it from evidence, the simulation from its draws.
type Application struct {
	Channel       Channel
	RegionOpen    bool  // Policy.Open for the registered municipality
	Age           int   // completed years
	State         State // legal state at the moment of the commit
	CentreAllowed bool  // Policy.CentreAllowed; true for Tap
	OfferAge      time.Duration
	OfferUsed     bool
	CardGenuine   bool // Tap: passive and active authentication
	PINVerified   bool // Tap
	FaceMatched   bool
	WalletLost    bool // the receiving wallet carries MobileLost
}

// Check is one row of the admission.
type Check struct {
	Reason  Reason
	Channel []Channel // the channels it concerns
	AtOffer bool      // judged already when the clerk makes the QR code
	Fails   func(a *Application, p *Policy) bool
}

var both = []Channel{Tap, Counter}

// Admission lists the checks in the order in which they are made. The first
// that fails gives the reason.
var Admission = [...]Check{
	{NoLongerResident, both, true, func(a *Application, _ *Policy) bool { return issueRefusal(a) == NoLongerResident }},
	{NotOpenYet, both, true, func(a *Application, _ *Policy) bool { return !a.RegionOpen }},
	{TooYoung, both, true, func(a *Application, p *Policy) bool { return a.Age < p.MinimumAge }},
	{NoPlasticCard, both, true, func(a *Application, _ *Policy) bool { return issueRefusal(a) == NoPlasticCard }},
	{CardSuspended, both, true, func(a *Application, _ *Policy) bool { return issueRefusal(a) == CardSuspended }},
	{PersonSuspended, both, true, func(a *Application, _ *Policy) bool { return issueRefusal(a) == PersonSuspended }},
	{WrongCentre, []Channel{Counter}, true, func(a *Application, _ *Policy) bool { return !a.CentreAllowed }},
	{OfferUsed, []Channel{Counter}, false, func(a *Application, _ *Policy) bool { return a.OfferUsed }},
	{OfferExpired, []Channel{Counter}, false, func(a *Application, p *Policy) bool { return a.OfferAge > p.OfferLifetime }},
	{CardNotGenuine, []Channel{Tap}, false, func(a *Application, _ *Policy) bool { return !a.CardGenuine }},
	{PINNotVerified, []Channel{Tap}, false, func(a *Application, _ *Policy) bool { return !a.PINVerified }},
	{WalletReportedLost, both, false, func(a *Application, _ *Policy) bool { return a.WalletLost }},
	{FaceNotMatched, both, false, func(a *Application, _ *Policy) bool { return !a.FaceMatched }},
}

func issueRefusal(a *Application) Reason { return Apply(a.State, CredentialIssued).Reason }

// Admit judges an application at the moment of its commit.
func Admit(a *Application, p *Policy) Reason { return admit(a, p, false) }

// AdmitOffer judges it when the clerk is to make the QR code: the checks that
// need neither code nor face.
func AdmitOffer(a *Application, p *Policy) Reason { return admit(a, p, true) }

func admit(a *Application, p *Policy, offer bool) Reason {
	for i := range Admission {
		c := &Admission[i]
		if offer && !c.AtOffer {
			continue
		}
		for _, ch := range c.Channel {
			if ch == a.Channel && c.Fails(a, p) {
				return c.Reason
			}
		}
	}
	return Granted
}

// Policy is the rollout's calendar and limits. It is data: it comes from the
// scenario and is handed to the service and to the simulation.
type Policy struct {
	MinimumAge         int                  // completed years
	Opens              map[string]time.Time // municipality code → its first day; absent: never
	AnyCentreFrom      time.Time            // from then on any centre serves everyone
	OfferLifetime      time.Duration        // of the one-time QR code
	CredentialValidity time.Duration        // of a mobile credential
}

// Open says whether residents of the municipality may be issued mobile cards.
func (p *Policy) Open(municipality string, at time.Time) bool {
	opens, ok := p.Opens[municipality]
	return ok && !at.Before(opens)
}

// CentreAllowed says whether a centre may serve a resident of home.
func (p *Policy) CentreAllowed(home, centre string, at time.Time) bool {
	return home == centre || !at.Before(p.AnyCentreFrom)
}
