package rollout

// Act is what a citizen did, as it is kept for the panel.
type Act uint8

// The acts. The first group goes to the service; the second is what happens to
// things, which the panel must follow.
const (
	ActIssueTap Act = iota
	ActIssueCentre
	ActPresent
	ActFinderPresents
	ActReportPhysical
	ActReportMobile
	ActReleasePhysical
	ActReleaseMobile
	ActRegisterCard
	NumActs = iota
)

func (a Act) String() string {
	return [...]string{"issue-tap", "issue-centre", "present", "finder-presents", "report-physical",
		"report-mobile", "release-physical", "release-mobile", "register-card"}[a]
}

// Env is an outcome that the service did not decide.
type Env uint8

// The environmental outcomes.
const (
	Reached     Env = iota // the request came through
	Unavailable            // it did not, after all machine retries
	TagLost                // the card left the field, every time
	PINWrong               // three wrong entries: the chip is blocked
)

func (e Env) String() string {
	return [...]string{"reached", "unavailable", "tag-lost", "pin-wrong"}[e]
}

// Record is one act of one citizen: what it depended on that the service does
// not decide, and what nation decided. The panel hands the first part to the
// real service and compares its answer with the second.
type Record struct {
	Citizen   uint32
	Act       Act
	Env       Env
	At        int64 // ms: the instant of commit or answer
	Submitted int64 // ms: when the person asked (a portal report: earlier than At)

	Device    uint8    // which of their phones acts (issue: receives)
	Serial    uint8    // which of their issuances is presented, or came of it
	Place     int16    // present: index of the kind of place
	Verifier  int32    // present: which verifier of that kind
	Centre    int32    // centre: where; −1 elsewhere
	Channel   ReportBy // reports, releases, register-card
	Cached    bool     // present: against a cached list
	Fetched   int64    // cached: when the list was fetched
	Published int64    // cached: when it was published
	Expired   bool     // cached: past its ttl
	Faces     Session
	WrongPINs uint8 // before the right one
	TagsLost  uint8 // taps that broke off before the one that went through
	QRAge     int64 // ms from offer to redemption
	Chip      bool  // register-card: the new card carries one
	NewPhoto  bool  // register-card: with a new photo

	Decided uint8 // lifecycle.Reason, or lifecycle.Verdict for presentations
}

// ReportBy is the way of a report or release.
type ReportBy uint8

// The ways.
const (
	ByCall ReportBy = iota
	ByPortal
	ByApp
	ByCentre
	ByPost // register-card: handed over by registered mail
)
