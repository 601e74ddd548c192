// Package scenarios holds the rollout as data: what a scenario is, the loader
// that reads one from YAML and says file:line:column when something is wrong,
// its JSON Schema, the scenarios that are built in, and the data files with
// real population figures.
//
// It is data that the simulation, the service and the reports read; it imports
// none of them.
package scenarios

import (
	"slices"
	"time"
)

// KST is the civil time of the whole model (UTC+9, no daylight saving).
var KST = time.FixedZone("KST", 9*60*60)

// Share is a proportion, 0 to 1. Written "95%" or 0.95.
type Share float64

// Won is an amount of money in won. Written "10000 KRW".
type Won int64

// PerDay is a rate in events per day. Written "0.05/day" or "3.6%/year".
type PerDay float64

// Moment is a point in civil time. Written "2025-03-14" (midnight) or
// "2025-03-14 09:00".
type Moment struct{ time.Time }

// Hours is a profile over the hours of a day, 24 weights of any scale.
type Hours [24]float64

// ByAge is a value per age band; the key is the band's first age ("17", "20",
// "30", ... "70"): a band reaches to the next key. The loader fills it in
// ascending order.
type ByAge []AgeValue

// AgeValue is one band of a ByAge.
type AgeValue struct {
	From  int
	Value float64
}

// At returns the value at an age; 0 below the first band.
func (b ByAge) At(age int) float64 {
	v := 0.0
	for _, x := range b {
		if age < x.From {
			break
		}
		v = x.Value
	}
	return v
}

// Scenario is a scenario after extends, --set and defaults are resolved: every
// field has its value. Times of the run are Start <= t < End.
type Scenario struct {
	Name        string `yaml:"-"`
	Title       string
	Description string
	Seed        uint64
	Start       Moment
	End         Moment

	Population  Population
	Phases      []Phase
	Calendar    Calendar
	Adoption    Adoption
	Channels    Channels
	Centres     Centres
	Cards       Cards
	Phones      Phones
	Face        Face
	Panel       Panel
	Demand      Demand
	Losses      Losses
	Habits      Habits
	Service     Service
	StatusLists StatusLists `yaml:"status_lists"`
	Faults      []Fault
	Expect      []string

	// Assumptions lists every parameter with its mark, source and plausible
	// range, by path.
	Assumptions []Assumption `yaml:"-"`
}

// Assumption is what stands beside a parameter's value in a scenario file:
// `{value: 30%, mark: A, source: "...", range: [10%, 50%]}`.
type Assumption struct {
	Path      string // "adoption.level"
	Value     string // as written
	Mark      string // "S" read in a source, "A" approximate, "M" measured
	Source    string
	Low, High string // plausible range, as written; empty where none
	Changed   bool   // by a scenario that extends the one with the note, or by a setting
}

// Population says who is simulated.
type Population struct {
	Regions []string // ISO codes ("KR-50"); empty: the whole nation
	Centres []string // ten-digit codes; then nobody but the residents of these centres
}

// Phase opens regions and single municipalities on a day.
type Phase struct {
	Name           string
	From           Moment
	Regions        []string // ISO codes
	Municipalities []string // five-digit codes ("41280": a city without its gu)
}

// Calendar is when centres are open.
type Calendar struct {
	AnyCentreFrom Moment        `yaml:"any_centre_from"` // until then only centres of one's own municipality
	Holidays      []Moment      // centres are closed on these days, Saturdays and Sundays
	Opens         time.Duration // of day: 9h
	Closes        time.Duration // of day: 18h
	LunchFrom     time.Duration `yaml:"lunch_from"`
	LunchTo       time.Duration `yaml:"lunch_to"`
	LunchStaff    Share         `yaml:"lunch_staff"` // share of the counters that stay open
}

// Adoption is who wants a mobile card, and when: a pulse of the keen when their
// place opens, and Bass diffusion among the others.
type Adoption struct {
	Level              Share         // of residents 17+ who ever want one
	Keen               Share         // of those, who come with the launch pulse
	KeenDecay          time.Duration `yaml:"keen_decay"` // mean delay of the keen
	Innovation         PerDay        // Bass p
	Imitation          PerDay        // Bass q
	ByAge              ByAge         `yaml:"by_age"`              // relative propensity; mean over residents is normalised to 1
	StaffExponent      float64       `yaml:"staff_exponent"`      // propensity ∝ (officials per resident)^this
	MunicipalitySpread float64       `yaml:"municipality_spread"` // σ of the log of a municipality's factor
}

// Channels is how they go about it.
type Channels struct {
	ChipUpgrade   ByAge         `yaml:"chip_upgrade"`  // share of those without a chip who pay for one instead of a QR visit
	EarlyAttempt  Share         `yaml:"early_attempt"` // of those who want one within four weeks of the opening: try before it
	WrongCentre   Share         `yaml:"wrong_centre"`  // of visits before any_centre_from: to another municipality by mistake
	TapHours      Hours         `yaml:"tap_hours"`
	TagLost       Share         `yaml:"tag_lost"`     // of taps: the card leaves the field too early
	WrongPIN      Share         `yaml:"wrong_pin"`    // of PIN entries
	TapRetry      time.Duration `yaml:"tap_retry"`    // mean delay to the next try after a failed one
	OutageRetry   time.Duration `yaml:"outage_retry"` // mean delay to the next try after the service could not be reached
	TapTries      int           `yaml:"tap_tries"`    // then they go to a centre
	ScanDelay     time.Duration `yaml:"scan_delay"`   // mean from QR shown to scanned
	ScanSpread    float64       `yaml:"scan_spread"`  // σ of its logarithm
	OfferLifetime time.Duration `yaml:"offer_lifetime"`
	Validity      time.Duration // of a mobile card
	MinimumAge    int           `yaml:"minimum_age"`
}

// Centres are the community centres with their counters.
type Centres struct {
	ResidentsPerOfficial struct{ Dong, Eup, Myeon float64 } `yaml:"residents_per_official"`
	CounterShare         Share                              `yaml:"counter_share"` // of the officials, rounded, at least one
	Counters             map[string]int                     // exact number at each centre of a region ("KR-26") or centre code; overrides
	CounterFactor        float64                            `yaml:"counter_factor"` // multiplies the number of counters
	Appointments         map[string]int                     // visits that each centre of a region, or one centre, takes in an hour; who comes to a full one gets a later day
	OtherBusiness        PerDay                             `yaml:"other_business"` // visits per resident and open day for everything else
	Hours                Hours                              // when people come
	OtherService         ServiceTime                        `yaml:"other_service"`
	IssueService         ServiceTime                        `yaml:"issue_service"`
	CardService          ServiceTime                        `yaml:"card_service"`   // applying for a plastic card
	PickupService        ServiceTime                        `yaml:"pickup_service"` // collecting one
	LossService          ServiceTime                        `yaml:"loss_service"`   // reporting or releasing at the counter
	VisitDelay           time.Duration                      `yaml:"visit_delay"`    // mean from wanting to going
	OwnCentre            Share                              `yaml:"own_centre"`     // of visits to the nearest centre of one's municipality
	AwayShare            Share                              `yaml:"away_share"`     // of visits after any_centre_from to another municipality
	BalkAt               int                                `yaml:"balk_at"`        // waiting people per open counter at which a newcomer turns round
	Patience             time.Duration                      // mean of the exponential patience of those who wait
	ComeBack             time.Duration                      `yaml:"come_back"`    // mean delay to the next try of somebody not served
	VisitTries           int                                `yaml:"visit_tries"`  // then they give up
	NoReturn             bool                               `yaml:"-"`            // nobody comes a second time: no scenario says so, sim/attribution asks what if
	CounterWage          Won                                `yaml:"counter_wage"` // of an official at a counter, for an open day; prices plans
}

// ServiceTime is a distribution of the time at a counter.
type ServiceTime struct {
	Law  string // "lognormal", "exponential", "fixed"
	Mean time.Duration
	CV   float64 // coefficient of variation (lognormal)
}

// Cards are the plastic cards.
type Cards struct {
	ChipFrom      Moment        `yaml:"chip_from"` // first cards at 17 carry a chip from then on, where the place is open
	FeeReissue    Won           `yaml:"fee_reissue"`
	FeeChip       Won           `yaml:"fee_chip"`
	ChipOnReissue Share         `yaml:"chip_on_reissue"` // of cards re-issued for other reasons
	OtherReissue  PerDay        `yaml:"other_reissue"`   // damage, change of data: per resident
	PrintedPerDay int           `yaml:"printed_per_day"` // cards a working day, the whole plant
	Handling      time.Duration // application to printed, without queue
	ByMail        Share         `yaml:"by_mail"` // of new cards; the others are collected
	CollectDelay  time.Duration `yaml:"collect_delay"`
}

// Phones are the phones.
type Phones struct {
	Owned         ByAge         // share with a smartphone
	NFC           Share         // of the smartphones
	ReplacedEvery time.Duration `yaml:"replaced_every"` // mean life of a phone
	ReissueDelay  time.Duration `yaml:"reissue_delay"`  // mean from new phone to wanting the card on it
}

// Face is the comparison of a live capture with the photo on record.
// Scores are cosines (docs/model.md, "Face").
type Face struct {
	Threshold   float64
	Dimension   int     // effective dimension of an identity
	Live        float64 // ρ of a capture by a phone in good conditions
	LivePoor    float64 `yaml:"live_poor"`  // ρ in poor light or pose
	PoorShare   Share   `yaml:"poor_share"` // of sessions in poor conditions
	Photo       ByAge   // ρ of the photo on record
	PhotoOld    float64 `yaml:"photo_old"`    // ρ of a photo that is ten years old or more
	OldShare    ByAge   `yaml:"old_share"`    // share of such photos
	RetrySpread float64 `yaml:"retry_spread"` // share of the capture noise that is fresh at a retry
	Tries       int     // captures in one session
}

// Panel is the sample that lives against the real service.
type Panel struct {
	Citizens int // 0: off
	// Rare lives are oversampled: relative weight of citizens with such an event.
	Oversample struct {
		Loss      float64
		PhoneLost float64 `yaml:"phone_lost"`
		Refused   float64
		Reissue   float64
		NewPhone  float64 `yaml:"new_phone"`
	}
}

// Demand is where people show who they are.
type Demand struct {
	Spread float64 // σ of the log of a person's own rate
	Places []Place
}

// Place is a kind of place that asks for identity.
type Place struct {
	Name       string // "office", "bank", "hospital", "airport", "shop", "online"
	Rate       PerDay // presentations per resident
	Weekday    Hours
	Weekend    Hours
	Check      string        // "online" or "cached"
	Verifiers  int           // how many independent verifiers the nation has of this kind
	Refresh    time.Duration // cached: how often a list is fetched
	TTL        time.Duration // cached: how long a fetched list may be used
	Mobile     Share         // of the presentations of a holder made with the mobile card
	Plastic    bool          // the plastic card is accepted instead
	Disclosure []string      // mdoc elements asked for
}

// Losses is what gets lost, and what people do then.
type Losses struct {
	Plastic PlasticLoss
	Phone   PhoneLoss
	Waves   []Wave
	Misuse  struct {
		Phone    Share         // of lost phones: the finder tries to use the card
		Attempts float64       // mean number of tries
		Every    time.Duration // mean time between them
	}
}

// PlasticLoss is the loss of a plastic card.
type PlasticLoss struct {
	Rate          PerDay        // per card
	Noticed       time.Duration // mean from lost to noticed
	FoundAtHome   Share         `yaml:"found_at_home"` // found before it is reported
	Report        time.Duration // mean from noticed to report made
	Channels      ReportChannels
	PortalHandled time.Duration `yaml:"portal_handled"` // a portal report is handled within this, in office hours
	Found         Share         // of the reported: found later
	FoundAfter    time.Duration `yaml:"found_after"` // mean
	Reissue       Share         // of the reported and not found: apply for a new one
	ReissueAfter  time.Duration `yaml:"reissue_after"` // mean
}

// PhoneLoss is the loss of a phone.
type PhoneLoss struct {
	Rate       PerDay // per phone
	Noticed    time.Duration
	Reported   Share // of holders who lose a phone
	Report     time.Duration
	Channels   ReportChannels
	Found      Share         // of lost phones
	FoundAfter time.Duration `yaml:"found_after"`
	NewPhone   time.Duration `yaml:"new_phone"` // mean from lost to a new one, where not found
}

// Habits are mean delays of small steps in people's lives; all exponential.
type Habits struct {
	EarlyBy        time.Duration `yaml:"early_by"`      // before the opening, of an early attempt
	AfterOpening   time.Duration `yaml:"after_opening"` // after the opening, of who was refused before it
	PhoneMissing   time.Duration `yaml:"phone_missing"` // to the next try while the phone is not at hand
	CardAtHand     time.Duration `yaml:"card_at_hand"`  // from the plastic card at hand to going on
	ReleaseCard    time.Duration `yaml:"release_card"`  // from found to withdrawn
	ReleasePhone   time.Duration `yaml:"release_phone"` // from found to withdrawn
	ReportVisit    time.Duration `yaml:"report_visit"`  // to the centre, to report a loss
	CollectVisit   time.Duration `yaml:"collect_visit"` // to the centre, to collect a card
	Mail           time.Duration // from printed to delivered
	SecondCode     time.Duration `yaml:"second_code"`      // fixed: until a second QR code is redeemed
	SecondCodeScan time.Duration `yaml:"second_code_scan"` // fixed: of that, from shown to redeemed
}

// ReportChannels are weights of the ways to report.
type ReportChannels struct{ Call, Portal, App, Centre float64 }

// Wave multiplies loss rates for a while.
type Wave struct {
	From    Moment
	For     time.Duration
	Plastic float64
	Phone   float64
}

// Service is the ID service as nodes.
type Service struct {
	Nodes map[string]Node // gateway, register, face, signing, status
	// Demands is the time an operation takes at a node, by operation
	// ("issue", "face", "verify", "report", "release", "register-card") and node.
	Demands map[string]map[string]time.Duration
	Clients Clients
	Network time.Duration // round trip
	Detect  time.Duration // the health signal looks this often
	// Admission lets so many requests a second through the gateway; those of First
	// come before the others.
	Admission struct {
		Rate  int // 0: all
		First []string
	}
	Standby Standby
}

// Standby is another site that has copies of the register and can serve from one
// when the site that holds it is lost. It knows nothing that was committed since.
type Standby struct {
	CopiesEvery time.Duration `yaml:"copies_every"` // 0: there is no such site
	At          time.Duration // of day, of one of the copies
}

// Clients are the three kinds of machines that ask the service, each with its own
// way to try again. What people do when a machine has given up is apart.
type Clients struct {
	Wallet   Client // issuing by tap, reports and releases
	Terminal Client // of a centre: issuing by QR code, plastic cards
	Verifier Client // online checks
}

// Client is how a kind of machine behaves.
type Client struct {
	Timeout time.Duration
	Retries int           // after the first attempt
	Backoff time.Duration // before the first retry
	Growth  float64       // of the delay, from retry to retry: 1 is fixed, 2 doubles
	Jitter  string        // "none"; "full": anywhere between now and the delay
	Budget  Share         // retries of the last minute, at most, as a share of its first attempts; 0: no limit
	Breaker struct {
		Failures Share         // of the attempts of the last ten seconds: then nothing is sent; 0: no breaker
		Open     time.Duration // until some are let through to see
	}
}

// Node is one part of the service.
type Node struct {
	Replicas  int
	Workers   int           // requests served at once by a replica
	ShedAfter time.Duration `yaml:"shed_after"` // what would wait longer is refused at once; 0: never
}

// StatusLists is how suspensions reach verifiers that cache.
type StatusLists struct {
	PublishInterval time.Duration `yaml:"publish_interval"`
	Allowance       time.Duration // stated for build, fetch and clock skew
	Expired         string        // what a verifier does past the ttl: "refuse" or "accept"
	Size            int           // entries of one list
}

// Fault is something that breaks.
type Fault struct {
	Name     string
	Kind     string // "down", "slow" or "site-lost"
	Nodes    []string
	Regions  []string // of an edge: whose; none: everybody's
	Places   []string // of verifiers: which kinds; none: all
	At       Moment
	For      time.Duration
	Restore  map[string]time.Duration // nodes that are back at another time after At
	Severity Share                    // down: share of the requests that fail; slow: share of the capacity lost

	// Of a lost site: when the stand-by site serves in its place, and who of those
	// whose acknowledged report the stand-by does not know makes it again there.
	StandbyAfter     time.Duration `yaml:"standby_after"`
	ReportAgain      Share         `yaml:"report_again"`
	ReportAgainAfter time.Duration `yaml:"report_again_after"` // mean, from when it serves
}

// SiteLost is the kind of a fault that takes the site with the register away. What
// is committed since the last copy is unknown until that site is back.
const SiteLost = "site-lost"

// atStandby are the nodes that serve at the stand-by site; nothing is issued there.
var atStandby = []string{"gateway", "register", "status"}

// Lasts is how long a node is struck; 0 if it is not.
func (f *Fault) Lasts(node string) time.Duration {
	if d, ok := f.Restore[node]; ok {
		return d
	}
	switch {
	case !slices.Contains(f.Nodes, node):
		return 0
	case f.Kind == SiteLost && slices.Contains(atStandby, node):
		return f.StandbyAfter
	}
	return f.For
}

// Felt is until when requests can meet the fault: until the last of its nodes is back
// but for the plant, which serves none; at once where it strikes the plant alone.
func (f *Fault) Felt() time.Time {
	if len(f.Nodes) == 0 {
		return f.At.Add(f.For)
	}
	var last time.Duration
	if f.Kind == SiteLost {
		last = f.For
	}
	for _, n := range f.Nodes {
		if n != Plant {
			last = max(last, f.Lasts(n))
		}
	}
	return f.At.Add(last)
}

// End is when the last of its nodes is back, and of a lost site that itself.
func (f *Fault) End() time.Time {
	if len(f.Nodes) == 0 {
		return f.At.Add(f.For)
	}
	var last time.Duration
	if f.Kind == SiteLost {
		last = f.For
	}
	for _, n := range f.Nodes {
		last = max(last, f.Lasts(n))
	}
	return f.At.Add(last)
}

// LostSite is the fault that takes the site with the register away; nil: none does.
func (s *Scenario) LostSite() *Fault {
	for i := range s.Faults {
		if s.Faults[i].Kind == SiteLost {
			return &s.Faults[i]
		}
	}
	return nil
}

// LastCopy is when the stand-by site was given the last copy before a moment.
func (s *Scenario) LastCopy(before time.Time) time.Time {
	first := s.Start.Add(s.Service.Standby.At)
	every := s.Service.Standby.CopiesEvery
	n := (before.Sub(first) - 1) / every
	if before.Sub(first) <= 0 {
		n--
	}
	return first.Add(n * every)
}
