package oracle

import "time"

// History is what an outside observer saw, in any order. Records of one kind
// need not be sorted.
//
// A driver appends a record when a request is answered, or given up
// (zero End): a request without an answer may have happened, and the audit
// export tells. Each attempt of a repeated request is a record of its own with
// the same Key.
type History struct {
	Policy        Policy          `json:"policy"`
	Residents     []Resident      `json:"residents,omitempty"`
	Registrations []Registration  `json:"registrations,omitempty"`
	Offers        []Offer         `json:"offers,omitempty"`
	Applications  []Application   `json:"applications,omitempty"`
	Renewals      []Renewal       `json:"renewals,omitempty"`
	Reports       []Report        `json:"reports,omitempty"`
	Releases      []Release       `json:"releases,omitempty"`
	Endings       []Ending        `json:"endings,omitempty"`
	Presentations []Presentation  `json:"presentations,omitempty"`
	Inquiries     []Inquiry       `json:"inquiries,omitempty"`
	Lists         []PublishedList `json:"lists,omitempty"`
	Faults        []Fault         `json:"faults,omitempty"`
	Restarts      []Restart       `json:"restarts,omitempty"`
	Failover      *Failover       `json:"failover,omitempty"`

	// Audit is the export taken at the end: one JSON object a line
	// (see AuditLine). Empty: there was none, and S10 has no opportunity.
	Audit []byte `json:"audit,omitempty"`
	// Exports were taken before: the one at the end must begin with each.
	Exports []Export `json:"exports,omitempty"`

	// Partial marks an excerpt: the audit holds only some lines, lists and
	// other people's records are missing. Checks of the whole are left out.
	Partial bool `json:"partial,omitempty"`
	// Others says that the register holds people of whom this observer knows
	// nothing: what the audit and the lists say of them is judged by nobody.
	Others bool `json:"others,omitempty"`
}

// Policy is what the service was told to do. Judgements rest on it.
type Policy struct {
	// Opens is the first moment at which residents of a municipality may be
	// issued; absent: never (E1).
	Opens map[string]time.Time `json:"opens"`
	// AnyCentreFrom is when a centre may serve residents of elsewhere (E3).
	AnyCentreFrom time.Time `json:"any_centre_from"`
	// MinimumAge in completed years (E2).
	MinimumAge int `json:"minimum_age"`
	// OfferLifetime of a one-time QR code (E4).
	OfferLifetime time.Duration `json:"offer_lifetime"`
	// FaceThreshold: a score below it is no match (E5).
	FaceThreshold float64 `json:"face_threshold"`
	// PublishInterval of status lists (S4, S12).
	PublishInterval time.Duration `json:"publish_interval"`
	// Allowance is the sum of the stated build, fetch and clock skew
	// allowances (S4, S12).
	Allowance time.Duration `json:"allowance"`
	// TTL of a cached list by kind of verifier; a presentation's own TTL wins.
	TTL map[string]time.Duration `json:"ttl,omitempty"`
	// Releasers are the roles that may release a cause (S6). Nil: whoever has
	// seen the thing (DefaultReleasers).
	Releasers map[Cause][]string `json:"releasers,omitempty"`
	// AuditSkew is how far the time of an audit entry may lie outside the
	// request that caused it (S10).
	AuditSkew time.Duration `json:"audit_skew,omitempty"`
}

// DefaultReleasers: finding a thing needs somebody who has it in hand, so a
// call is not enough; what the registrar ordered only the registrar lifts.
func DefaultReleasers() map[Cause][]string {
	return map[Cause][]string{
		PhysicalLost:   {"citizen", "clerk", "registrar"},
		MobileLost:     {"citizen", "clerk", "registrar"},
		Administrative: {"registrar"},
	}
}

// Stamp is a moment as the observer's clock shows it. N is the observer's
// running number, from 1; it orders what happened at the same instant
// (virtual time stands still within one). With N zero, two equal instants count
// as simultaneous, and the service is free to order them either way.
type Stamp struct {
	At time.Time `json:"at"`
	N  uint64    `json:"n,omitempty"`
}

// IsZero says that there was no such moment.
func (s Stamp) IsZero() bool { return s.At.IsZero() }

// Before says that s certainly precedes t.
func (s Stamp) Before(t Stamp) bool {
	if c := s.At.Compare(t.At); c != 0 {
		return c < 0
	}
	return s.N != 0 && t.N != 0 && s.N < t.N
}

// Recorder hands out stamps with running numbers. Not for concurrent use.
type Recorder struct{ n uint64 }

// Stamp returns the next stamp at time t.
func (r *Recorder) Stamp(t time.Time) Stamp {
	r.n++
	return Stamp{At: t, N: r.n}
}

// Resident is somebody the registrar knew before the history begins.
type Resident struct {
	// Citizen is the registrar's number in decimal, here and in all records;
	// the audit export names people by it.
	Citizen      string `json:"citizen"`
	Municipality string `json:"municipality,omitempty"`
	// Document is the number of the plastic card in force at the start; empty:
	// none. No registration need be recorded for it.
	Document string `json:"document,omitempty"`
}

// Cause is why something is suspended.
type Cause string

const (
	// PhysicalLost belongs to the plastic card, by document number.
	PhysicalLost Cause = "physical-lost"
	// MobileLost belongs to the wallet.
	MobileLost Cause = "mobile-lost"
	// Administrative belongs to the person.
	Administrative Cause = "administrative"
)

// Call is what is common to all requests that may change the register.
type Call struct {
	Citizen string `json:"citizen"`
	// Key is the idempotency key; empty: the request had none, and is never
	// repeated.
	Key   string `json:"key,omitempty"`
	Actor string `json:"actor,omitempty"` // who, as the audit should name them; empty: not checked
	Role  string `json:"role,omitempty"`  // "citizen", "clerk", "call-centre", "registrar"
	Begin Stamp  `json:"begin"`           // the request was sent
	End   Stamp  `json:"end,omitzero"`    // the answer was there; zero: none came
	// Granted, Reason and Sequence are the answer.
	Granted  bool   `json:"granted,omitempty"`
	Reason   string `json:"reason,omitempty"`   // of a refusal, as the service named it; of one turned away perhaps too
	Sequence uint64 `json:"sequence,omitempty"` // of the register, of the change that was granted
	// Dated is the moment that a grant gives as that of the change; zero: it gives none.
	Dated time.Time `json:"dated,omitzero"`
	// TurnedAway: the answer was no decision but a shed request or a failure
	// of the service; it changed nothing as far as the caller can tell.
	TurnedAway bool `json:"turned_away,omitempty"`
}

// Answered says whether there was an answer that decides.
func (c *Call) Answered() bool { return !c.End.IsZero() && !c.TurnedAway }

// Registration brings a plastic card with a new number into force.
type Registration struct {
	Call
	Document string `json:"document"`
}

// Offer is a clerk's one-time QR code.
type Offer struct {
	Call
	ID string `json:"id"`
	// Centre is the municipality of the centre.
	Centre string `json:"centre"`
}

// Channels of an application.
const (
	Tap    = "tap"
	Centre = "centre"
)

// Application asks for a mobile credential. Somebody whom the clerk turns down
// before there is a QR code has applied as well: AtOffer, without code or face.
type Application struct {
	Call
	Channel      string `json:"channel"` // Tap or Centre
	Municipality string `json:"municipality"`
	Age          int    `json:"age"` // completed years at Begin
	// Centre is the municipality of the centre, Offer the QR code redeemed;
	// both only at a centre.
	Centre string `json:"centre,omitempty"`
	Offer  string `json:"offer,omitempty"`
	Wallet string `json:"wallet"`
	// Document is the number of the plastic card shown.
	Document string `json:"document,omitempty"`
	// FaceScore is the similarity of the capture presented and the photo on
	// record; NoFace: there was no capture.
	FaceScore float64 `json:"face_score,omitempty"`
	NoFace    bool    `json:"no_face,omitempty"`
	// AtOffer: refused (or not) when the clerk asked for the code.
	AtOffer bool `json:"at_offer,omitempty"`
	// Copies of the credential that was issued.
	Copies []Copy `json:"copies,omitempty"`
}

// StatusRef is an entry of a status list.
type StatusRef struct {
	URI   string `json:"uri"`
	Index uint64 `json:"index"`
}

// Copy is one copy of a credential. IssuerSigned is decoded if it is there and
// then wins over the other fields.
type Copy struct {
	IssuerSigned []byte    `json:"issuer_signed,omitempty"` // CBOR, ISO/IEC 18013-5 §9.1.2
	Status       StatusRef `json:"status,omitzero"`
	From         time.Time `json:"from,omitzero"`
	Until        time.Time `json:"until,omitzero"` // zero: never expires
}

// Renewal asks for the copies of the mobile credential that a wallet holds signed
// anew. It changes nothing in the register and has no key: each is judged by itself.
type Renewal struct {
	Citizen string `json:"citizen"`
	Wallet  string `json:"wallet"`
	Begin   Stamp  `json:"begin"`
	End     Stamp  `json:"end,omitzero"` // zero: no answer came
	Granted bool   `json:"granted,omitempty"`
	Reason  string `json:"reason,omitempty"` // of a refusal
	// TurnedAway: the answer was no decision.
	TurnedAway bool   `json:"turned_away,omitempty"`
	Copies     []Copy `json:"copies,omitempty"`
}

// ReasonNoCard is the reason of a renewal that was refused because the wallet holds no
// credential, or not any more.
const ReasonNoCard = "no-card"

// Report suspends for a cause.
type Report struct {
	Call
	Cause Cause `json:"cause"`
	// Document or Wallet is what was lost; empty: the one in force.
	Document string `json:"document,omitempty"`
	Wallet   string `json:"wallet,omitempty"`
	// Lost is when it was lost, Submitted when the citizen told (a portal
	// hands the report on later, at Begin). Zero: as Begin.
	Lost      time.Time `json:"lost,omitzero"`
	Submitted time.Time `json:"submitted,omitzero"`
}

// Release withdraws a cause.
type Release struct {
	Call
	Cause Cause `json:"cause"`
	// Names is the sequence number of the report it means; zero: none named.
	Names uint64 `json:"names,omitempty"`
	// Wallet to release; empty: the one with the live credential.
	Wallet string `json:"wallet,omitempty"`
}

// Ending ends credentials for another reason.
type Ending struct {
	Call
	Event string `json:"event"` // CredentialExpired, or PersonRemoved, after which nothing comes
}

// Outcome of a presentation.
type Outcome string

const (
	Accepted   Outcome = "accepted"
	Suspended  Outcome = "suspended"   // status 2
	NotValid   Outcome = "not-valid"   // status 1: replaced, expired, revoked; for plastic: an ended number
	Refused    Outcome = "refused"     // decided for another reason (signature, expiry, holder)
	CannotTell Outcome = "cannot-tell" // neither register nor a usable list at hand
	TurnedAway Outcome = "turned-away" // for load: timeout, shed
)

// Decided says whether the outcome is a judgement on the card.
func (o Outcome) Decided() bool { return o != CannotTell && o != TurnedAway && o != "" }

// Presentation shows a card to a verifier.
type Presentation struct {
	Citizen  string `json:"citizen"` // whose card it is
	Verifier string `json:"verifier,omitempty"`
	Kind     string `json:"kind"` // "office", "bank", "hospital", ...
	// Exactly one of Status (mobile card) and Document (plastic card).
	Status   StatusRef `json:"status,omitzero"`
	Document string    `json:"document,omitempty"`
	Entitled bool      `json:"entitled"` // the presenter is the rightful holder
	Begin    Stamp     `json:"begin"`
	End      Stamp     `json:"end,omitzero"`
	Outcome  Outcome   `json:"outcome"`
	// Cached is nil when the service was asked.
	Cached *CachedCheck `json:"cached,omitempty"`
}

// CachedCheck is how a verifier judged without asking the service.
type CachedCheck struct {
	// List is the index in History.Lists of the list it held; -1: none.
	List int `json:"list"`
	// Fetched is when.
	Fetched Stamp `json:"fetched,omitzero"`
	// TTL it was told; zero: Policy.TTL of its kind.
	TTL time.Duration `json:"ttl,omitempty"`
	// AcceptsExpired is its stated policy for a list past its ttl: accept and
	// be counted, or (false) refuse.
	AcceptsExpired bool `json:"accepts_expired,omitempty"`
	// FromIssue: TTL counts from when the list was issued, not from Fetched.
	FromIssue bool `json:"from_issue,omitempty"`
}

// Inquiry is an online answer that shows both cards of a person at once, such
// as a receipt that states the legal state.
// An empty outcome: that card was not shown.
type Inquiry struct {
	Citizen string  `json:"citizen"`
	Begin   Stamp   `json:"begin"`
	End     Stamp   `json:"end"`
	Plastic Outcome `json:"plastic,omitempty"`
	Mobile  Outcome `json:"mobile,omitempty"` // of the live credential; NotValid: there is none
}

// PublishedList is a status list as verifiers could fetch it.
type PublishedList struct {
	Published Stamp  `json:"published"`
	Token     []byte `json:"token"` // compact JWT
}

// Export is an audit export that was taken on the way.
type Export struct {
	Taken  Stamp  `json:"taken"`
	Length int    `json:"length"` // in bytes
	SHA256 []byte `json:"sha256"`
}

// Fault is an interval in which something was broken.
type Fault struct {
	Name string    `json:"name,omitempty"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Restart is a moment at which the service came back from a crash or a
// failover: what was acknowledged before Down must still be there.
type Restart struct {
	Down Stamp `json:"down"`
	Up   Stamp `json:"up"`
	// DeclaredLost are sequence numbers that the service itself declares lost
	// (an asynchronous stand-by site): counted, not held against it.
	DeclaredLost []uint64 `json:"declared_lost,omitempty"`
}

// Failover is a time in which an asynchronous stand-by site served, from a copy of
// the register. What was acknowledged after the copy and before the stand-by served
// is declared lost until the main site was back: not in general, but by citizen,
// change and time. For then the stand-by must answer exactly as its copy and what it
// took since demand, and the main register as if it had never been away, with what
// the stand-by took applied to it first: each granted report and release is asked for
// once more at Back, with the same key.
type Failover struct {
	Copied Stamp `json:"copied"`
	Up     Stamp `json:"up"`   // the stand-by serves
	Back   Stamp `json:"back"` // the main site does again
	// Audit is the stand-by's export, taken when the main site was back.
	Audit []byte `json:"audit,omitempty"`
}

func compareStamps(a, b Stamp) int {
	switch {
	case a.Before(b):
		return -1
	case b.Before(a):
		return 1
	}
	return 0
}
