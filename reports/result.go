package reports

// SchemaID names the version of the result. A field that changes its meaning
// or goes away makes a new version; a new field does not.
const SchemaID = "rollcall-result/1"

// The tags beside each field are data: `unit` and `def` say what the figure is,
// `way` who found it (nation: the fast model of everybody; panel: the sample on
// the real service, judged by the oracle; live: the service under load; input:
// it was given) and `clock` which time it counts in (virtual unless said).
// A tag holds for everything below the field until another one is met. The
// schema and the definitions in result.json are made from them, and a test
// finds a number without a unit or a definition.

// Result is one run. Fill it, then call [Write].
//
// Figures whose definition ends in "derived" are arithmetic on the others and
// are filled by Write, like Meta.Schema and Definitions.
//
// Wall-clock figures stand in Meta.Started, Meta.Host and Live and nowhere else: all
// the rest is the same, byte for byte, whatever the number of workers.
type Result struct {
	Meta         Meta                  `json:"meta" way:"input"`
	Nation       Nation                `json:"nation" way:"nation"`
	Panel        *Panel                `json:"panel" way:"panel"` // nil: the panel was off
	Suspension   Suspension            `json:"suspension" way:"nation"`
	Recovery     []Recovery            `json:"recovery" way:"nation"`
	Agreement    []Agreement           `json:"agreement"`
	Expectations []Expectation         `json:"expectations" way:"nation"`
	Verdict      Verdict               `json:"verdict" way:"nation"`
	Trust        Trust                 `json:"trust" way:"input"`
	Uncertainty  *Uncertainty          `json:"uncertainty,omitempty" way:"nation"`     // nil: no replications were asked for
	Live         *Live                 `json:"live,omitempty" way:"live" clock:"wall"` // nil: no load on a service that runs; else there is no nation
	Definitions  map[string]Definition `json:"definitions"`                            // by JSON pointer, * for any index or key; filled by Write

	// Scenario is the resolved scenario as a file; empty: Write leaves none.
	Scenario []byte `json:"-"`
}

// Meta says what was run.
type Meta struct {
	Schema       string   `json:"schema"`       // SchemaID; filled by Write
	Scenario     string   `json:"scenario"`     // its name
	Title        string   `json:"title"`        // its title
	Description  string   `json:"description"`  // one sentence
	Start        string   `json:"start"`        // first day, YYYY-MM-DD
	End          string   `json:"end"`          // last day, YYYY-MM-DD
	Regions      []string `json:"regions"`      // ISO codes of the regions that were run, in the order of Nation.ByRegion
	WholeNation  bool     `json:"whole_nation"` // false: the absent regions are only a load on the service
	PanelAsked   int64    `json:"panel_asked" unit:"citizens" def:"size of the panel that was asked for; 0 when it was off"`
	Closed       []string `json:"closed"`                   // days on which centres are closed, YYYY-MM-DD
	AnyCentre    string   `json:"any_centre_from"`          // from this day any centre of the country may be used
	InputsSHA256 string   `json:"inputs_sha256"`            // of all that can change the answer: resolved scenario, data, profile, options; not workers, not engine
	ProfileSHA   string   `json:"profile_sha256,omitempty"` // of the profile that the service's demands are from; empty: none was given
	Seed         uint64   `json:"seed" unit:"1" def:"seed of every random stream"`
	Version      string   `json:"version"` // of rollcall
	Command      string   `json:"command"` // that gives this result again; without workers, engine and folder, which cannot change it
	Started      string   `json:"started"` // RFC 3339, wall clock
	Host         Host     `json:"host" clock:"wall"`
}

// Host is how long it took and on what: the only wall-clock figures of a simulation.
type Host struct {
	WallSeconds     Num    `json:"wall_seconds" unit:"s" def:"from process start to the written report"`
	Events          int64  `json:"events" unit:"events" def:"decisions and changes of state of identified citizens, twin runs included"`
	EventsPerSecond Num    `json:"events_per_second" unit:"events/s" def:"events by the wall time of the simulation itself"`
	PeakRSSBytes    int64  `json:"peak_rss_bytes" unit:"B" def:"largest resident memory of the process"`
	Workers         int    `json:"workers" unit:"threads" def:"worker threads"`
	Engine          string `json:"engine"` // fast or plain
	CPU             string `json:"cpu"`
	OS              string `json:"os"`
	Fsyncs          int64  `json:"fsyncs" unit:"calls" def:"flushes to disk by the panel's store"`
	Batches         int64  `json:"batches" unit:"commits" def:"group commits by the panel's store"`
}

// Nation is what happened to everybody.
type Nation struct {
	Citizens     int64           `json:"citizens" unit:"citizens" def:"residents aged 17 and over who were simulated"`
	Events       int64           `json:"events" unit:"events" def:"decisions and changes of state of identified citizens; queue hops and clock ticks do not count"`
	Intents      Intents         `json:"intents"`
	Issued       Issued          `json:"issued"`
	Holders      int64           `json:"holders" unit:"citizens" def:"people with a live mobile credential at the end (suspended ones included)"`
	ChipCards    int64           `json:"chip_cards" unit:"cards" def:"plastic cards with a chip in people's hands at the end"`
	Visits       Visits          `json:"visits"`
	Other        OtherBusiness   `json:"other_business"`
	Verification Verifications   `json:"verifications"`
	Losses       Losses          `json:"losses"`
	Face         FaceChecks      `json:"face"`
	CardReissues int64           `json:"card_reissues" unit:"cards" def:"plastic cards issued in place of another one, with or without a chip"`
	CardOrders   CardOrders      `json:"card_orders"`
	FeeRevenue   int64           `json:"fee_revenue_krw" unit:"KRW" def:"fees paid for plastic cards"`
	ByRegion     []RegionRow     `json:"by_region"`
	ByPhase      []PhaseRow      `json:"by_phase"`
	ByPlace      []PlaceRow      `json:"by_place"`
	ByAge        []AgeRow        `json:"by_age"`
	Exclusion    Exclusion       `json:"exclusion"`
	Population   []PopulationRow `json:"population" way:"input"`
	Municipality []MunicipalRow  `json:"by_municipality"`
	ByCentre     []CentreRow     `json:"by_centre"`
	ByDay        []DayRow        `json:"by_day"` // one row a day, all regions together, region empty
	Series       []DayRow        `json:"series"` // day by day and, within a day, in the order of ByRegion
}

// Intents are what citizens set out to do. Posted = Done + Abandoned + Pending,
// in total and for each kind.
type Intents struct {
	Posted    int64        `json:"posted" unit:"intents" def:"things citizens set out to do"`
	Done      int64        `json:"done" unit:"intents" def:"of the posted, done"`
	Abandoned int64        `json:"abandoned" unit:"intents" def:"of the posted, given up"`
	Pending   int64        `json:"pending" unit:"intents" def:"of the posted, still open at the end"`
	Open      int64        `json:"open" unit:"intents" def:"things that citizens still want at the end, counted from their records"`
	ByKind    []IntentKind `json:"by_kind"`
}

// IntentKind is the same for one kind: "issue", "report", "release", ...
type IntentKind struct {
	Kind      string `json:"kind"`
	Posted    int64  `json:"posted" unit:"intents" def:"things citizens set out to do, of this kind"`
	Done      int64  `json:"done" unit:"intents" def:"of the posted, done"`
	Abandoned int64  `json:"abandoned" unit:"intents" def:"of the posted, given up"`
	Pending   int64  `json:"pending" unit:"intents" def:"of the posted, still open at the end"`
	Open      int64  `json:"open" unit:"intents" def:"things of this kind that citizens still want at the end, counted from their records"`
}

// Issued counts committed issuances. Total = Tap + Centre.
type Issued struct {
	Total       int64 `json:"total" unit:"cards" def:"committed issuances of a mobile card, renewals on a new phone included"`
	Tap         int64 `json:"tap" unit:"cards" def:"issued by tapping an IC card on the phone"`
	Centre      int64 `json:"centre" unit:"cards" def:"issued at a centre by QR code"`
	First       int64 `json:"first" unit:"cards" def:"of the total, somebody's first one"`
	TapShare    Num   `json:"tap_share" unit:"share" def:"tap by total; derived"`
	CentreShare Num   `json:"centre_share" unit:"share" def:"centre by total; derived"`
}

// Visits are arrivals of those who come for a mobile card, a plastic card, or a
// loss; other business at the counters is load, not counted here.
type Visits struct {
	Count        int64       `json:"count" unit:"visits" def:"arrivals at a centre"`
	Served       int64       `json:"served" unit:"visits" def:"arrivals that reached a counter"`
	WaitedShare  Num         `json:"waited_share" unit:"share" def:"of those served, did not find a counter free: the probability of a wait above zero"`
	WaitMean     Num         `json:"wait_mean_s" unit:"s" def:"arrival to counter of those served, mean; who did not wait counts as zero"`
	WaitP50      Num         `json:"wait_p50_s" unit:"s" def:"arrival to counter of those served, median"`
	WaitP95      Num         `json:"wait_p95_s" unit:"s" def:"arrival to counter of those served, 95th percentile"`
	WaitMax      Num         `json:"wait_max_s" unit:"s" def:"arrival to counter of those served, longest"`
	Balked       int64       `json:"balked" unit:"visits" def:"turned round at the door: the queue was too long"`
	Reneged      int64       `json:"reneged" unit:"visits" def:"left the queue unserved"`
	SecondVisits int64       `json:"second_visits" unit:"visits" def:"visits by somebody who had come for the same thing before"`
	WrongCentre  int64       `json:"wrong_centre" unit:"visits" def:"refused: centre of another municipality before any centre was open to all"`
	Waited       int64       `json:"waited_ms" unit:"ms" def:"time in the queues, summed over everybody who left one, other business included"`
	Queue        int64       `json:"queue_ms" unit:"ms" def:"number of people in the queues, integrated over the run: by Little's law the same"`
	Longest      LongestWait `json:"longest"`
}

// OtherBusiness is visits for everything else at the same counters: a load that
// waits in the same queues, first come, first served. Count = Served + Left.
type OtherBusiness struct {
	Count       int64 `json:"count" unit:"visits" def:"customers with other business who were served or left; who still waits at the end is not counted"`
	Served      int64 `json:"served" unit:"visits" def:"of those, reached a counter"`
	Left        int64 `json:"left" unit:"visits" def:"of those, turned round at the door, left the queue, or were sent home at closing time"`
	WaitedShare Num   `json:"waited_share" unit:"share" def:"of those served, did not find a counter free: the probability of a wait above zero"`
	WaitMean    Num   `json:"wait_mean_s" unit:"s" def:"arrival to counter of those served, mean; who did not wait counts as zero"`
	WaitP50     Num   `json:"wait_p50_s" unit:"s" def:"arrival to counter of those served, median"`
	WaitP95     Num   `json:"wait_p95_s" unit:"s" def:"arrival to counter of those served, 95th percentile"`
	WaitMax     Num   `json:"wait_max_s" unit:"s" def:"arrival to counter of those served, longest"`
}

// LongestWait is where and when Visits.WaitMax was.
type LongestWait struct {
	Region       string `json:"region"`       // ISO code
	Municipality string `json:"municipality"` // name
	Centre       string `json:"centre"`       // name
	Date         string `json:"date"`         // YYYY-MM-DD
	Wait         Num    `json:"wait_s" unit:"s" def:"the longest wait from arrival to counter"`
}

// Verifications are presentations of the mobile card to a verifier.
type Verifications struct {
	Count             int64 `json:"count" unit:"presentations" def:"presentations of a mobile card"`
	Accepted          int64 `json:"accepted" unit:"presentations" def:"accepted"`
	RejectedSuspended int64 `json:"rejected_suspended" unit:"presentations" def:"refused because the card is suspended"`
	RejectedOther     int64 `json:"rejected_other" unit:"presentations" def:"refused for another reason: replaced, expired, status list out of date"`
	FalseAccepts      int64 `json:"false_accepts" unit:"presentations" def:"accepted though the presenter was not entitled, beyond the bound that S4 allows"`
	ExposureAccepts   int64 `json:"exposure_accepts" unit:"presentations" def:"accepted after the acknowledgement of a report, within the bound that S4 allows"`
	UnreportedAccepts int64 `json:"unreported_accepts" unit:"presentations" def:"accepted from a lost phone before a report was acknowledged"`
	FalseRejects      int64 `json:"false_rejects" unit:"presentations" def:"refused though the presenter was entitled"`
	TurnedAway        int64 `json:"turned_away" unit:"presentations" def:"not answered: the service was down or shed the load"`
	LatencyP50        Num   `json:"latency_p50_ms" unit:"ms" def:"request to answer of online checks, median"`
	LatencyP95        Num   `json:"latency_p95_ms" unit:"ms" def:"request to answer of online checks, 95th percentile"`
	LatencyP99        Num   `json:"latency_p99_ms" unit:"ms" def:"request to answer of online checks, 99th percentile"`
	RefusedShare      Num   `json:"refused_share" unit:"share" def:"refused for any reason, by count; derived"`
	Plastic           int64 `json:"plastic" unit:"presentations" def:"shown a plastic card instead, by holders of a mobile one"`
}

// Losses are plastic cards and phones lost.
type Losses struct {
	PlasticLost     int64 `json:"plastic_lost" unit:"cards" def:"plastic cards lost"`
	PlasticReported int64 `json:"plastic_reported" unit:"reports" def:"of those, reported and acknowledged"`
	PlasticReleased int64 `json:"plastic_released" unit:"releases" def:"reports of a lost plastic card withdrawn"`
	PhonesLost      int64 `json:"phones_lost" unit:"phones" def:"phones with a mobile card lost"`
	PhonesReported  int64 `json:"phones_reported" unit:"reports" def:"of those, reported and acknowledged"`
	PhonesReleased  int64 `json:"phones_released" unit:"releases" def:"reports of a lost phone withdrawn"`
	NewPhones       int64 `json:"new_phones" unit:"phones" def:"phones replaced by people who held a mobile card"`
}

// FaceChecks are comparisons of a live capture with the photo on record.
type FaceChecks struct {
	Sessions int64 `json:"sessions" unit:"sessions" def:"sessions of face capture"`
	Failed   int64 `json:"failed" unit:"sessions" def:"of those, below the threshold at every try"`
	NewPhoto int64 `json:"new_photo" unit:"citizens" def:"had to apply for a new plastic card with a new photo"`
}

// CardOrders are plastic cards in the plant.
type CardOrders struct {
	Ordered int64 `json:"ordered" unit:"cards" def:"plastic cards applied for"`
	Chip    int64 `json:"chip" unit:"cards" def:"of those, with a chip"`
	Printed int64 `json:"printed" unit:"cards" def:"of those, printed by the end"`
	Handed  int64 `json:"handed" unit:"cards" def:"of those, in the citizen's hands by the end"`
	WaitP50 Num   `json:"wait_p50_s" unit:"s" def:"application to hand, of those handed over, median"`
	WaitP95 Num   `json:"wait_p95_s" unit:"s" def:"application to hand, of those handed over, 95th percentile"`
}

// RegionRow is one first-level region; people belong to the region in which
// they are registered, visits and waits to the region of the centre.
type RegionRow struct {
	Region       string `json:"region"` // ISO 3166-2:KR
	Name         string `json:"name"`
	NameKo       string `json:"name_ko"`
	Opens        string `json:"opens"` // its phase's date, YYYY-MM-DD
	Citizens     int64  `json:"citizens" unit:"citizens" def:"residents aged 17 and over registered in the region"`
	Issued       int64  `json:"issued" unit:"cards" def:"committed issuances to residents of the region"`
	Tap          int64  `json:"tap" unit:"cards" def:"issued by tapping an IC card on the phone"`
	Centre       int64  `json:"centre" unit:"cards" def:"issued at a centre by QR code"`
	Holders      int64  `json:"holders" unit:"citizens" def:"people with a live mobile credential at the end"`
	PerThousand  Num    `json:"holders_per_thousand" unit:"per 1,000 citizens" def:"holders by citizens of the region; derived"`
	Centres      int64  `json:"centres" unit:"centres" def:"community centres"`
	Counters     int64  `json:"counters" unit:"counters" def:"counters that serve this business"`
	Visits       int64  `json:"visits" unit:"visits" def:"arrivals at the region's centres"`
	WaitP50      Num    `json:"wait_p50_s" unit:"s" def:"arrival to counter of those served, median"`
	WaitP95      Num    `json:"wait_p95_s" unit:"s" def:"arrival to counter of those served, 95th percentile"`
	WaitMax      Num    `json:"wait_max_s" unit:"s" def:"arrival to counter of those served, longest"`
	Balked       int64  `json:"balked" unit:"visits" def:"turned round at the door: the queue was too long"`
	Reneged      int64  `json:"reneged" unit:"visits" def:"left the queue unserved"`
	SecondVisits int64  `json:"second_visits" unit:"visits" def:"visits by somebody who had come for the same thing before"`
	CardReissues int64  `json:"card_reissues" unit:"cards" def:"plastic cards issued in place of another one to residents of the region"`
}

// PhaseRow is one phase: a region counts to the phase that opens it as a
// whole, a municipality that opened before its region to its own.
type PhaseRow struct {
	Phase    string `json:"phase"`
	From     string `json:"from"` // YYYY-MM-DD
	Citizens int64  `json:"citizens" unit:"citizens" def:"residents aged 17 and over of the places this phase opened"`
	Issued   int64  `json:"issued" unit:"cards" def:"committed issuances to residents of the places this phase opened"`
	Tap      int64  `json:"tap" unit:"cards" def:"issued by tapping an IC card on the phone"`
	Centre   int64  `json:"centre" unit:"cards" def:"issued at a centre by QR code"`
	Holders  int64  `json:"holders" unit:"citizens" def:"people with a live mobile credential at the end"`
	Before   int64  `json:"issued_before" unit:"cards" def:"of the issuances, committed before the phase opened; must be none"`
}

// PlaceRow is one kind of place that asks for identity.
type PlaceRow struct {
	Place             string `json:"place"` // "bank"
	Check             string `json:"check"` // "online" or "cached"
	Refresh           Num    `json:"refresh_s" way:"input" unit:"s" def:"how often a cached status list is fetched; null for online checks"`
	TTL               Num    `json:"ttl_s" way:"input" unit:"s" def:"how long a fetched status list may be used; null for online checks"`
	Count             int64  `json:"count" unit:"presentations" def:"presentations of a mobile card"`
	Accepted          int64  `json:"accepted" unit:"presentations" def:"accepted"`
	RejectedSuspended int64  `json:"rejected_suspended" unit:"presentations" def:"refused because the card is suspended"`
	RejectedOther     int64  `json:"rejected_other" unit:"presentations" def:"refused for another reason"`
	TurnedAway        int64  `json:"turned_away" unit:"presentations" def:"not answered: the service was down or shed the load"`
	Plastic           int64  `json:"plastic" unit:"presentations" def:"shown a plastic card instead, by holders of a mobile one"`
}

// AgeRow is one band of age.
type AgeRow struct {
	From     int   `json:"age_from" way:"input" unit:"years" def:"first age of the band"`
	To       int   `json:"age_to" way:"input" unit:"years" def:"last age of the band, inclusive; 0: no upper end"`
	Citizens int64 `json:"citizens" unit:"citizens" def:"residents of that age"`
	Issued   int64 `json:"issued" unit:"cards" def:"committed issuances"`
	Tap      int64 `json:"tap" unit:"cards" def:"issued by tapping an IC card on the phone"`
	Centre   int64 `json:"centre" unit:"cards" def:"issued at a centre by QR code"`
	Holders  int64 `json:"holders" unit:"citizens" def:"people with a live mobile credential at the end"`
}

// Exclusion is who wanted the mobile card and could not get it. Everybody stands in
// exactly one of the columns, and in exactly one of the cells: in each row
// Citizens = Wanted + NotWanted, Wanted = Got + Excluded + Pending, and Excluded is
// the sum of the reasons, which follow it.
type Exclusion struct {
	Total    ExclusionRow   `json:"total"`
	ByAge    []ExclusionRow `json:"by_age"`
	ByPhone  []ExclusionRow `json:"by_phone"`
	ByRegion []ExclusionRow `json:"by_region"` // in the order of Nation.ByRegion
	Cells    []ExclusionRow `json:"cells"`     // region by age by phone, where somebody lives
}

// ExclusionRow is one group of residents by region, age and phone.
type ExclusionRow struct {
	Region string `json:"region"` // ISO code; empty: all
	From   int    `json:"age_from" way:"input" unit:"years" def:"first age of the group; 0: all ages"`
	To     int    `json:"age_to" way:"input" unit:"years" def:"last age of the group, inclusive; 0: no upper end"`
	Phone  string `json:"phone"` // "none", "without_nfc", "nfc"; empty: all

	Citizens  int64 `json:"citizens" unit:"citizens" def:"residents of the group"`
	NotWanted int64 `json:"not_wanted" unit:"citizens" def:"of the residents, did not want a mobile card by the end of the run, and would not have with a phone"`
	Wanted    int64 `json:"wanted" unit:"citizens" def:"of the residents, set out to get a mobile card by the end of the run, or would have but had no smartphone"`
	Got       int64 `json:"got" unit:"citizens" def:"of those who wanted one, were issued one at least once"`
	Pending   int64 `json:"pending" unit:"citizens" def:"of those who wanted one, still on the way at the end: before a visit, a tap, a next try, or a plastic card on order"`
	Excluded  int64 `json:"excluded" unit:"citizens" def:"of those who wanted one, neither got it nor are on the way: the sum of the reasons"`
	Share     Num   `json:"excluded_share" unit:"share" def:"excluded by wanted; derived"`

	NoPhone      int64 `json:"no_phone" unit:"citizens" def:"excluded: would have wished for one, by the same draws as everybody, but has no smartphone"`
	GaveUpNoNFC  int64 `json:"gave_up_no_nfc" unit:"citizens" def:"excluded: gave up after visits in which they were not served, and could not tap instead, because the phone does not read cards"`
	GaveUpNoChip int64 `json:"gave_up_no_chip" unit:"citizens" def:"excluded: gave up after visits in which they were not served, and could not tap instead, because the plastic card has no chip and they have not paid for one"`
	GaveUp       int64 `json:"gave_up" unit:"citizens" def:"excluded: gave up after visits in which they were not served, though card and phone could have tapped"`
	FaceFailed   int64 `json:"face_failed" unit:"citizens" def:"excluded: gave up after the face was not matched at the last try, a new photo included"`
	Refused      int64 `json:"refused" unit:"citizens" def:"excluded: gave up after they were refused, or the card could not be read, at the last try, for another reason than the face"`
	NoPlastic    int64 `json:"no_plastic" unit:"citizens" def:"excluded: still wants one at the end, but the plastic card that issuing needs is lost, suspended, or not yet had"`
	NotOpen      int64 `json:"not_open" unit:"citizens" def:"excluded: asked for one where the region does not open before the end"`
}

// PopulationRow is one region and band of age of the synthetic population.
type PopulationRow struct {
	Region   string `json:"region"`
	From     int    `json:"age_from" unit:"years" def:"first age of the band"`
	To       int    `json:"age_to" unit:"years" def:"last age of the band, inclusive; 0: no upper end"`
	Citizens int64  `json:"citizens" unit:"citizens" def:"residents of the region and band as synthesised; equal to the published figure"`
}

// MunicipalRow is one basic municipality.
type MunicipalRow struct {
	Code     string `json:"code"` // five digits
	Name     string `json:"name"`
	NameKo   string `json:"name_ko"`
	Region   string `json:"region"`
	Opens    string `json:"opens"` // YYYY-MM-DD
	Citizens int64  `json:"citizens" unit:"citizens" def:"residents aged 17 and over"`
	Issued   int64  `json:"issued" unit:"cards" def:"committed issuances to its residents"`
	Tap      int64  `json:"tap" unit:"cards" def:"issued by tapping an IC card on the phone"`
	Centre   int64  `json:"centre" unit:"cards" def:"issued at a centre by QR code"`
	Holders  int64  `json:"holders" unit:"citizens" def:"people with a live mobile credential at the end"`
	Visits   int64  `json:"visits" unit:"visits" def:"arrivals at its centres"`
	WaitP50  Num    `json:"wait_p50_s" unit:"s" def:"arrival to counter of those served, median"`
	WaitP95  Num    `json:"wait_p95_s" unit:"s" def:"arrival to counter of those served, 95th percentile"`
	WaitMax  Num    `json:"wait_max_s" unit:"s" def:"arrival to counter of those served, longest"`
}

// CentreRow is one community centre.
type CentreRow struct {
	Code         string `json:"code"` // ten digits
	Name         string `json:"name"`
	Municipality string `json:"municipality"` // code
	Citizens     int64  `json:"citizens" way:"input" unit:"citizens" def:"residents aged 17 and over whose own centre it is"`
	Counters     int64  `json:"counters" way:"input" unit:"counters" def:"counters that serve this business"`
	Visits       int64  `json:"visits" unit:"visits" def:"arrivals that reached a counter"`
	Issued       int64  `json:"issued" unit:"cards" def:"mobile cards issued at its counters"`
	Left         int64  `json:"left" unit:"visits" def:"arrivals that did not reach a counter: turned round at the door, left the queue, or were sent home at closing time"`
	Waited       int64  `json:"waited_ms" unit:"ms" def:"time in its queue, summed over all visitors who left it, served or not; other business not included"`
	Queue        int64  `json:"queue_ms" unit:"ms" def:"number of people in its queue, integrated over the run: the time waited by everybody, other business included"`
	WaitMean     Num    `json:"wait_mean_s" unit:"s" def:"arrival to counter of those served, mean; who did not wait counts as zero"`
	WaitP95      Num    `json:"wait_p95_s" unit:"s" def:"arrival to counter of those served, 95th percentile"`
	WaitMax      Num    `json:"wait_max_s" unit:"s" def:"arrival to counter of those served, longest"`
}

// DayRow is one day of one region, or of all of them. series.csv has these
// columns in this order.
type DayRow struct {
	Date              string `json:"date"`   // YYYY-MM-DD
	Region            string `json:"region"` // ISO code; empty for all together
	Wanted            int64  `json:"wanted" unit:"citizens" def:"began to want a mobile card on this day"`
	IssuedTap         int64  `json:"issued_tap" unit:"cards" def:"issued by tapping an IC card on the phone"`
	IssuedCentre      int64  `json:"issued_centre" unit:"cards" def:"issued at a centre by QR code"`
	Holders           int64  `json:"holders" unit:"citizens" def:"people with a live mobile credential at the end of the day"`
	Visits            int64  `json:"visits" unit:"visits" def:"arrivals at the region's centres"`
	WaitP50           Num    `json:"wait_p50_s" unit:"s" def:"arrival to counter of those served, median; null when nobody came"`
	WaitP95           Num    `json:"wait_p95_s" unit:"s" def:"arrival to counter of those served, 95th percentile; null when nobody came"`
	WaitMax           Num    `json:"wait_max_s" unit:"s" def:"arrival to counter of those served, longest; null when nobody came"`
	Verifications     int64  `json:"verifications" unit:"presentations" def:"presentations of a mobile card"`
	RejectedSuspended int64  `json:"rejected_suspended" unit:"presentations" def:"refused because the card is suspended"`
	RejectedOther     int64  `json:"rejected_other" unit:"presentations" def:"refused for another reason"`
	TurnedAway        int64  `json:"turned_away" unit:"presentations" def:"not answered: the service was down or shed the load"`
	ReportsPhysical   int64  `json:"reports_physical" unit:"reports" def:"plastic cards reported lost, acknowledged"`
	ReportsMobile     int64  `json:"reports_mobile" unit:"reports" def:"phones reported lost, acknowledged"`
	Releases          int64  `json:"releases" unit:"releases" def:"reports withdrawn"`
	CardOrders        int64  `json:"card_orders" unit:"cards" def:"plastic cards applied for"`
	PerThousand       Num    `json:"holders_per_thousand" unit:"per 1,000 citizens" def:"holders by citizens of the region; derived"`
}

// Panel is what the sample did to the real service.
type Panel struct {
	Citizens              int64        `json:"citizens" unit:"citizens" def:"citizens of the panel"`
	Operations            int64        `json:"operations" unit:"operations" def:"requests to the real service"`
	Issued                int64        `json:"issued" unit:"cards" def:"mobile cards issued by the real service"`
	Presentations         int64        `json:"presentations" unit:"presentations" def:"mobile cards presented to a real verifier"`
	Reports               int64        `json:"reports" unit:"reports" def:"losses reported to the real service"`
	Releases              int64        `json:"releases" unit:"releases" def:"reports withdrawn at the real service"`
	APDUs                 int64        `json:"apdus" unit:"APDUs" def:"commands answered by emulated IC cards"`
	SignaturesMade        int64        `json:"signatures_made" unit:"signatures" def:"signatures made by service, cards and phones"`
	SignaturesVerified    int64        `json:"signatures_verified" unit:"signatures" def:"signatures checked by service and verifiers"`
	Commits               int64        `json:"commits" unit:"transactions" def:"committed register transactions"`
	StatusLists           int64        `json:"status_lists" unit:"lists" def:"status lists signed and published"`
	TrajectoriesEqual     int64        `json:"trajectories_equal" unit:"citizens" def:"lives whose every outcome on the real service equals the nation's"`
	TrajectoriesDifferent []Trajectory `json:"trajectories_different"`
	Restart               Restart      `json:"restart"`
	Lost                  *PanelLoss   `json:"lost,omitempty"` // nil: no site was lost
}

// Trajectory is a life that went otherwise on the real service.
type Trajectory struct {
	Citizen uint64   `json:"citizen" unit:"1" def:"number of the citizen whose two histories differ"`
	Step    int      `json:"step" unit:"1" def:"index of the first outcome that differs, from 0"`
	Nation  []string `json:"nation"` // history, one line an outcome
	Panel   []string `json:"panel"`
}

// Restart is the drop of the service in the middle of the panel's run.
type Restart struct {
	At           string `json:"at"` // RFC 3339, virtual
	InFlight     int64  `json:"in_flight" unit:"requests" def:"requests without an answer when the service was dropped"`
	Acknowledged int64  `json:"acknowledged" unit:"operations" def:"operations acknowledged before the drop and looked for after it"`
	Missing      int64  `json:"missing" unit:"operations" def:"of the acknowledged, missing after the restart"`
	Twice        int64  `json:"twice" unit:"operations" def:"repeated requests that took effect twice"`
}

// Suspension is whether a card reported lost could still be used.
type Suspension struct {
	Reports       Reports    `json:"reports"`
	Opportunities int64      `json:"opportunities" way:"panel" unit:"checks" def:"times a property could have been violated and was checked, all together; derived"`
	Properties    int64      `json:"properties" way:"panel" unit:"properties" def:"properties that had an opportunity; derived"`
	Violations    int64      `json:"violations" way:"panel" unit:"violations" def:"violations of all properties together, found by the oracle"`
	ByProperty    Properties `json:"by_property" way:"panel"` // nil when the panel was off
	// From loss, submission and acknowledgement of a report to the last time
	// the card was accepted after it.
	FromLoss            LastAcceptance  `json:"from_loss"`
	FromSubmission      LastAcceptance  `json:"from_submission"`
	FromAcknowledgement LastAcceptance  `json:"from_acknowledgement"`
	Curves              []ExposureCurve `json:"curves"`
}

// Reports are acknowledged reports of loss.
type Reports struct {
	Physical int64 `json:"physical" unit:"reports" def:"plastic cards reported lost, acknowledged"`
	Mobile   int64 `json:"mobile" unit:"reports" def:"phones reported lost, acknowledged"`
}

// Property is how often one property was put to the test, and failed.
type Property struct {
	Opportunities int64 `json:"opportunities" unit:"checks" def:"times the property could have been violated and was checked"`
	Violations    int64 `json:"violations" unit:"violations" def:"times it was"`
}

// LastAcceptance is the time from a moment to the last acceptance after it, of
// reported losses; 0 where nothing was accepted any more.
type LastAcceptance struct {
	Count    int64 `json:"count" unit:"reports" def:"reports counted"`
	Accepted int64 `json:"accepted" unit:"reports" def:"of those, with an acceptance after the moment"`
	P50      Num   `json:"p50_s" unit:"s" def:"time to the last acceptance, median"`
	P95      Num   `json:"p95_s" unit:"s" def:"time to the last acceptance, 95th percentile"`
	Max      Num   `json:"max_s" unit:"s" def:"time to the last acceptance, longest"`
	// ByVerifier sums the time until a verifier of a kind of place, drawn at
	// random, refuses.
	ByVerifier map[string]Num `json:"exposure_seconds_by_verifier" unit:"s" def:"time until a verifier of this kind, drawn at random, refuses, summed over reports"`
}

// ExposureCurve is, for one kind of verifier and one moment, the share of
// reports after which a verifier of that kind, drawn at random, refuses no later
// than t after it.
type ExposureCurve struct {
	Verifier string          `json:"verifier"` // PlaceRow.Place
	Check    string          `json:"check"`    // "online" or "cached"
	Since    string          `json:"since"`    // "loss", "submission" or "acknowledgement"
	Reports  int64           `json:"reports" unit:"reports" def:"reports that suspended a mobile card"`
	Accepted int64           `json:"accepted" unit:"reports" def:"of those, after which such a verifier would have accepted for some time"`
	Bound    Num             `json:"bound_s" way:"input" unit:"s" def:"the latest that S4 allows after the acknowledgement; null where it does not apply"`
	P50      Num             `json:"p50_s" unit:"s" def:"time until such a verifier refuses, median"`
	P95      Num             `json:"p95_s" unit:"s" def:"time until such a verifier refuses, 95th percentile"`
	Max      Num             `json:"max_s" unit:"s" def:"time until such a verifier refuses, longest"`
	Points   []ExposurePoint `json:"points"` // ascending in both
}

// ExposurePoint is a point of a cumulative curve.
type ExposurePoint struct {
	T     Num `json:"t_s" unit:"s" def:"time since the moment"`
	Share Num `json:"share" unit:"share" def:"share of the reports after which such a verifier refuses by then"`
}

// Recovery is one fault and what followed, beside the same run without it.
type Recovery struct {
	Fault              string          `json:"fault"` // its name
	Kind               string          `json:"kind"`  // "down", "slow", "site-lost"
	Nodes              []string        `json:"nodes"`
	From               string          `json:"from"`  // RFC 3339, virtual
	Until              string          `json:"until"` // RFC 3339, virtual
	Touched            int64           `json:"touched" unit:"operations" def:"operations that met the fault; none would make the run a test of nothing"`
	Detected           Num             `json:"detected_s" unit:"s" def:"first failed intent to the first alarm of the service's own health signal; null: never"`
	Restored           Num             `json:"restored_s" unit:"s" def:"beginning of the fault to the first success of every function that had failed; null: never"`
	Drain              Num             `json:"drain_s" unit:"s" def:"end of the fault until the waiting intents are back at the same hour's level of the run without it, within a twentieth of the largest difference; null: not within the run"`
	RetryAmplification Num             `json:"retry_amplification" unit:"attempts/intent" def:"attempts while the fault lasted for each request of the same hours without it, by people and machines"`
	RetriesMachine     Num             `json:"retry_amplification_machine" unit:"attempts/intent" def:"attempts for each request while the fault lasted: repeated by machines alone"`
	RetriesPeople      Num             `json:"retry_amplification_people" unit:"attempts/intent" def:"requests while the fault lasted for each of the same hours without it: repeated by people alone"`
	LostAcknowledged   int64           `json:"lost_acknowledged" unit:"operations" def:"acknowledged operations lost"`
	Loss               *Loss           `json:"loss,omitempty"` // nil: no site was lost
	GoodputBefore      Num             `json:"goodput_before" unit:"operations/h" def:"operations done an hour, the same hours a week before"`
	GoodputDuring      Num             `json:"goodput_during" unit:"operations/h" def:"operations done an hour, while the fault lasted"`
	GoodputAfter       Num             `json:"goodput_after" unit:"operations/h" def:"operations done an hour, in as many hours after the fault"`
	TurnedAway         int64           `json:"turned_away" unit:"presentations" def:"presentations not answered because of the fault"`
	PeakBacklog        int64           `json:"peak_backlog" unit:"intents" def:"most intents waiting at the end of an hour; derived"`
	PeakBacklogTwin    int64           `json:"peak_backlog_twin" unit:"intents" def:"the same without the fault; derived"`
	EndBacklog         int64           `json:"end_backlog" unit:"intents" def:"intents waiting at the end of the last hour of the time line; derived"`
	TurnedAwayByPlace  []TurnedAway    `json:"turned_away_by_place"`
	Functions          Functions       `json:"functions"`
	Cards              *LateCards      `json:"cards,omitempty"` // nil: the fault did not strike the plant of plastic cards
	Timeline           []RecoveryPoint `json:"timeline"`        // hour by hour, some hours before to the end of the drain
}

// TurnedAway is one kind of place.
type TurnedAway struct {
	Place string `json:"place"`
	Count int64  `json:"count" unit:"presentations" def:"presentations not answered at this kind of place because of the fault"`
}

// Functions is what went on working while the fault lasted.
type Functions struct {
	Issuance            Function `json:"issuance"`
	OnlineVerification  Function `json:"online_verification"`
	OfflineVerification Function `json:"offline_verification"`
	Suspension          Function `json:"suspension"`
	// CardDelivery counts, as attempts, the cards of the whole plant that would have been
	// printed on the days of the fault; nil where it did not strike the plant.
	CardDelivery *Function `json:"card_delivery,omitempty"`
}

// LateCards is what a fault of the plant did to plastic cards: to all that it prints,
// those of regions that are only a load included, beside the same orders without a fault.
type LateCards struct {
	Late        int64 `json:"late" unit:"cards" def:"plastic cards printed later than without the fault"`
	Mean        Num   `json:"mean_delay_s" unit:"s" def:"how much later, mean of the late cards; null: none was late"`
	Longest     Num   `json:"longest_delay_s" unit:"s" def:"how much later, the latest of them; null: none was late"`
	Waiting     int64 `json:"peak_waiting" unit:"cards" def:"most plastic cards ordered and not printed at the end of a day, from the fault on"`
	WaitingTwin int64 `json:"peak_waiting_twin" unit:"cards" def:"the same day without the fault"`
}

// Function is one function of the service while a fault lasted.
type Function struct {
	Works     bool  `json:"works"` // most attempts succeeded
	Attempts  int64 `json:"attempts" unit:"attempts" def:"attempts while the fault lasted"`
	Succeeded int64 `json:"succeeded" unit:"attempts" def:"of those, successful"`
	Share     Num   `json:"share" unit:"share" def:"succeeded by attempts; derived"`
	Restored  Num   `json:"restored_s" unit:"s" def:"beginning of the fault to the function's first success after it had failed; null: it did not fail, or never came back"`
}

// RecoveryPoint is one hour, with and without the fault.
type RecoveryPoint struct {
	T              string `json:"t"` // RFC 3339, virtual: the hour's beginning
	Goodput        int64  `json:"goodput" unit:"operations" def:"operations done in this hour"`
	GoodputTwin    int64  `json:"goodput_twin" unit:"operations" def:"the same without the fault"`
	Backlog        int64  `json:"backlog" unit:"intents" def:"intents waiting at the hour's end"`
	BacklogTwin    int64  `json:"backlog_twin" unit:"intents" def:"the same without the fault"`
	RetriesMachine int64  `json:"retries_machine" unit:"attempts" def:"repeated attempts by machines in this hour"`
	RetriesPeople  int64  `json:"retries_people" unit:"attempts" def:"repeated attempts by people in this hour"`
}

// Agreement compares one metric between the ways; null where a way has none.
type Agreement struct {
	Metric string `json:"metric"`
	Nation Num    `json:"nation" way:"nation" unit:"of the metric" def:"the metric as nation has it"`
	Panel  Num    `json:"panel" way:"panel" unit:"of the metric" def:"the metric as panel has it"`
	Live   Num    `json:"live" way:"live" clock:"wall" unit:"of the metric" def:"the metric as live has it"`
	Margin Num    `json:"margin" way:"input" unit:"of the metric" def:"the difference that still counts as agreement"`
	Agrees bool   `json:"agrees"`
}

// Expectation is a sentence about the result that holds or does not.
type Expectation struct {
	Text     string `json:"text"` // as written: "recovery[0].drain_s < 45m"
	Value    Num    `json:"value" unit:"of the expression" def:"what the left side came to; a truth value is 1 or 0; null: there is no such figure"`
	Holds    bool   `json:"holds"`
	Standing bool   `json:"standing"` // holds for every run without being written
}

// Verdict counts the expectations; filled by Write.
type Verdict struct {
	Expectations int64 `json:"expectations" unit:"expectations" def:"expectations that were judged; derived"`
	Failed       int64 `json:"failed" unit:"expectations" def:"of those, that do not hold; derived"`
	Holds        bool  `json:"holds"`
}

// Trust is how far the answer can be believed.
type Trust struct {
	Assumptions    []Assumption `json:"assumptions"`
	NeverValidated []string     `json:"never_validated"` // sentences
	Sources        []string     `json:"sources"`         // attributions of the data
}

// Assumption is a parameter with its mark. Values are as a scenario writes them.
type Assumption struct {
	Path    string `json:"path"` // "adoption.level"
	Value   string `json:"value"`
	Mark    string `json:"mark"` // S: read in a source; A: approximate; M: measured
	Source  string `json:"source"`
	Low     string `json:"low"` // plausible range; empty where none is stated
	High    string `json:"high"`
	Matters bool   `json:"matters"` // one of the few that move the answer most: shown first
}

// Definition says what a figure is.
type Definition struct {
	Way        string `json:"way"`   // nation, panel, live, input
	Clock      string `json:"clock"` // virtual, wall
	Unit       string `json:"unit"`
	Definition string `json:"definition"`
}
