package scenarios

import "slices"

// rules says of every parameter what it means and what it may be. Keys and
// kinds come from the struct Scenario; together they are the one source of the
// loader's checks, of the JSON Schema and of `scenario show`. A list's element
// is written [], a map's {}.
var rules = []rule{
	r("title", "one line for people"),
	r("description", "what this scenario is for"),
	r("seed", "the root of all randomness"),
	r("start", "first moment of the run"),
	r("end", "first moment after the run"),

	r("population", "who is simulated; left out: everybody", optional),
	r("population.regions", "ISO codes; left out or empty: the whole nation", optional),
	r("population.regions[]", "a region", form("region")),
	r("population.centres", "single centres with their residents and counters, instead of regions; other centres have neither residents nor other business", optional),
	r("population.centres[]", "a centre's ten-digit code", form("centre")),

	r("phases", "what opens when: regions, and single municipalities; in the order of their dates"),
	r("phases[].name", "how reports call it"),
	r("phases[].from", "opens on this day"),
	r("phases[].regions", "ISO codes", optional),
	r("phases[].regions[]", "a region", form("region")),
	r("phases[].municipalities", "five-digit codes; a city is one, without its gu", optional),
	r("phases[].municipalities[]", "a municipality", form("municipality")),

	r("calendar", "when centres are open"),
	r("calendar.any_centre_from", "until then only centres of one's own municipality, from then on any"),
	r("calendar.holidays", "closed days beside Saturdays and Sundays"),
	r("calendar.holidays[]", "a day"),
	r("calendar.opens", "time of day", form("clock")),
	r("calendar.closes", "time of day", form("clock")),
	r("calendar.lunch_from", "time of day", form("clock")),
	r("calendar.lunch_to", "time of day", form("clock")),
	r("calendar.lunch_staff", "of the counters, open over lunch"),

	r("adoption", "who wants a mobile card, and when: a pulse of the keen when their place opens, and Bass diffusion among the others"),
	r("adoption.level", "of residents of 17 and over, who ever want one"),
	r("adoption.keen", "of those, who come with the launch pulse"),
	r("adoption.keen_decay", "mean delay of the keen", positive),
	r("adoption.innovation", "Bass p"),
	r("adoption.imitation", "Bass q"),
	r("adoption.by_age", "relative propensity by age; only the proportions count", atMost(100)),
	r("adoption.staff_exponent", "propensity goes with (officials per resident) to this power", between(-4, 4)),
	r("adoption.municipality_spread", "standard deviation of the logarithm of a municipality's factor", between(0, 3)),

	r("channels", "how people go about it"),
	r("channels.chip_upgrade", "of those without a chip, who pay for one instead of going to a centre, by age", atMost(1)),
	r("channels.early_attempt", "of those who want one within four weeks of the opening, who try before it"),
	r("channels.wrong_centre", "of visits while the municipality rule holds, to another municipality by mistake"),
	r("channels.tap_hours", "when people tap"),
	r("channels.tag_lost", "of taps: the card leaves the field too early"),
	r("channels.wrong_pin", "of PIN entries"),
	r("channels.tap_retry", "mean delay to the next try", positive),
	r("channels.outage_retry", "mean delay to the next try after the service could not be reached", positive),
	r("channels.tap_tries", "tries before they go to a centre", between(1, 100)),
	r("channels.scan_delay", "mean from QR code shown to scanned", positive),
	r("channels.scan_spread", "standard deviation of its logarithm", between(0, 3)),
	r("channels.offer_lifetime", "a QR code is good for this long", positive),
	r("channels.validity", "of a mobile card", positive),
	r("channels.minimum_age", "of holders", between(FirstAge, LastAge)),

	r("centres", "community centres and their counters"),
	r("centres.residents_per_official", "staffing by kind of centre"),
	r("centres.residents_per_official.dong", "neighbourhood", above(0)),
	r("centres.residents_per_official.eup", "town", above(0)),
	r("centres.residents_per_official.myeon", "township", above(0)),
	r("centres.counter_share", "of the officials, who serve at counters; rounded, at least one"),
	r("centres.counters", "exact number of counters at each centre of a region, or at one centre; overrides", optional, keys("a region (KR-26) or a centre's ten-digit code", `^(KR-[0-9]{2}|[0-9]{10})$`)),
	r("centres.counters{}", "counters", between(1, maxCounters)),
	r("centres.counter_factor", "multiplies the number of counters", above(0)),
	r("centres.appointments", "visits for mobile and plastic cards and losses that each centre of a region, or one centre, takes in an hour by the clock; who would come to a full hour is given the same time of the next open day with room; left out: as many as come", optional, keys("a region (KR-26) or a centre's ten-digit code", `^(KR-[0-9]{2}|[0-9]{10})$`)),
	r("centres.appointments{}", "visits in an hour", between(1, 1_000_000)),
	r("centres.other_business", "visits for everything else, per resident and open day"),
	r("centres.hours", "when people come"),
	r("centres.other_service", "everything else at the counter"),
	r("centres.issue_service", "issuing a mobile card by QR code"),
	r("centres.card_service", "applying for a plastic card"),
	r("centres.pickup_service", "collecting a plastic card"),
	r("centres.loss_service", "reporting or releasing a loss"),
	r("centres.visit_delay", "mean from wanting to going", positive),
	r("centres.own_centre", "of visits, to the nearest centre of one's municipality"),
	r("centres.away_share", "of visits once any centre serves anybody, to another municipality"),
	r("centres.balk_at", "waiting people per open counter at which a newcomer turns round", between(1, 10000)),
	r("centres.patience", "mean of the exponential patience of those who wait", positive),
	r("centres.come_back", "mean delay to the next try of somebody not served", positive),
	r("centres.visit_tries", "tries before they give up", between(1, 100)),
	r("centres.counter_wage", "what an official at a counter costs for an open day; prices the plans of rollcall plan and moves no figure of a run"),
	r("centres.*_service.law", "distribution", oneOf("lognormal", "exponential", "fixed")),
	r("centres.*_service.mean", "mean time", positive),
	r("centres.*_service.cv", "coefficient of variation, of a lognormal", optional, between(0, 10)),

	r("cards", "plastic cards"),
	r("cards.chip_from", "first cards carry a chip from then on, where the place is open"),
	r("cards.fee_reissue", "for a new card in place of an old one"),
	r("cards.fee_chip", "for a chip on it"),
	r("cards.chip_on_reissue", "of cards re-issued for other reasons, with a chip"),
	r("cards.other_reissue", "re-issues for damage or changed data, per resident"),
	r("cards.printed_per_day", "cards on a working day, the whole plant", between(1, 100_000_000)),
	r("cards.handling", "from application to printed, without queue", positive),
	r("cards.by_mail", "of new cards; the others are collected"),
	r("cards.collect_delay", "mean from ready to collected", positive),

	r("phones", "phones"),
	r("phones.owned", "residents with a smartphone, by age", atMost(1)),
	r("phones.nfc", "of the smartphones, with NFC"),
	r("phones.replaced_every", "mean life of a phone", positive),
	r("phones.reissue_delay", "mean from a new phone to wanting the card on it", positive),

	r("face", "comparison of a live capture with the photo on record; scores are cosines"),
	r("face.threshold", "score at which it is the same person", between(-1, 1)),
	r("face.dimension", "effective dimension of an identity", between(2, 4096)),
	r("face.live", "fidelity of a capture in good conditions", between(0, 1)),
	r("face.live_poor", "fidelity of a capture in poor light or pose", between(0, 1)),
	r("face.poor_share", "of sessions, in poor conditions"),
	r("face.photo", "fidelity of the photo on record, by age", atMost(1)),
	r("face.photo_old", "fidelity of a photo of ten years or more", between(0, 1)),
	r("face.old_share", "photos of ten years or more, by age", atMost(1)),
	r("face.retry_spread", "share of the capture noise that is fresh at a retry", between(0, 1)),
	r("face.tries", "captures in one session", between(1, MaxTries)),

	r("panel", "the sample that lives against the real service"),
	r("panel.citizens", "how many; 0: off", between(0, 1_000_000)),
	r("panel.oversample", "relative weight of citizens with a rare event"),
	r("panel.oversample.loss", "lost plastic card", between(0, 1e6)),
	r("panel.oversample.phone_lost", "lost phone", between(0, 1e6)),
	r("panel.oversample.refused", "refused application", between(0, 1e6)),
	r("panel.oversample.reissue", "re-issued plastic card", between(0, 1e6)),
	r("panel.oversample.new_phone", "new phone", between(0, 1e6)),

	r("demand", "where people show who they are"),
	r("demand.spread", "standard deviation of the logarithm of a person's own rate", between(0, 3)),
	r("demand.places", "kinds of places"),
	r("demand.places[].name", "office, bank, hospital, ..."),
	r("demand.places[].rate", "presentations per resident"),
	r("demand.places[].weekday", "weights of the hours from Monday to Friday, on one scale with the weekend's; the rate is the mean over a week"),
	r("demand.places[].weekend", "weights of the hours of Saturdays, Sundays and holidays"),
	r("demand.places[].check", "online: asks the service; cached: looks at a list it has fetched", oneOf("online", "cached")),
	r("demand.places[].verifiers", "independent verifiers of this kind in the nation", between(1, 10_000_000)),
	r("demand.places[].refresh", "cached: a list is fetched this often", optional),
	r("demand.places[].ttl", "cached: a fetched list may be used this long", optional),
	r("demand.places[].mobile", "of a holder's presentations, made with the mobile card"),
	r("demand.places[].plastic", "the plastic card is accepted too"),
	r("demand.places[].disclosure", "data elements that are asked for"),
	r("demand.places[].disclosure[]", "an element of the mobile card", form("element")),

	r("losses", "what gets lost, and what people do then"),
	r("losses.plastic", "the plastic card"),
	r("losses.plastic.rate", "losses per card"),
	r("losses.plastic.noticed", "mean from lost to noticed", positive),
	r("losses.plastic.found_at_home", "found before it is reported"),
	r("losses.plastic.report", "mean from noticed to reported", positive),
	r("losses.plastic.channels", "ways to report, by weight"),
	r("losses.plastic.portal_handled", "a report by portal is handled within this, in office hours", positive),
	r("losses.plastic.found", "of the reported, found later"),
	r("losses.plastic.found_after", "mean", positive),
	r("losses.plastic.reissue", "of the reported and not found, who apply for a new one"),
	r("losses.plastic.reissue_after", "mean", positive),
	r("losses.phone", "the phone"),
	r("losses.phone.rate", "losses per phone"),
	r("losses.phone.noticed", "mean from lost to noticed", positive),
	r("losses.phone.reported", "of holders who lose a phone"),
	r("losses.phone.report", "mean from noticed to reported", positive),
	r("losses.phone.channels", "ways to report, by weight"),
	r("losses.phone.found", "of lost phones"),
	r("losses.phone.found_after", "mean", positive),
	r("losses.phone.new_phone", "mean from lost to a new one, where it is not found", positive),
	r("losses.*.channels.call", "call centre", between(0, 1e6)),
	r("losses.*.channels.portal", "web portal", between(0, 1e6)),
	r("losses.*.channels.app", "app", between(0, 1e6)),
	r("losses.*.channels.centre", "community centre", between(0, 1e6)),
	r("losses.waves", "times of more losses", optional),
	r("losses.waves[].from", "when it begins"),
	r("losses.waves[].for", "how long it lasts", positive),
	r("losses.waves[].plastic", "times as many plastic cards are lost", between(0, 1e6)),
	r("losses.waves[].phone", "times as many phones are lost", between(0, 1e6)),
	r("losses.misuse", "finders who try to use a phone they found"),
	r("losses.misuse.phone", "of lost phones"),
	r("losses.misuse.attempts", "mean number of tries", between(0, 1000)),
	r("losses.misuse.every", "mean time between them", positive),

	r("habits", "mean delays of small steps in people's lives; exponential but for the second code"),
	r("habits.early_by", "before the opening, of an early attempt", positive),
	r("habits.after_opening", "after the opening, of who was refused before it", positive),
	r("habits.phone_missing", "to the next try while the phone is not at hand", positive),
	r("habits.card_at_hand", "from the plastic card at hand to going on", positive),
	r("habits.release_card", "from found to withdrawn", positive),
	r("habits.release_phone", "from found to withdrawn", positive),
	r("habits.report_visit", "to the centre, to report a loss", positive),
	r("habits.collect_visit", "to the centre, to collect a card", positive),
	r("habits.mail", "from printed to delivered", positive),
	r("habits.second_code", "fixed: until a second QR code is redeemed", positive),
	r("habits.second_code_scan", "fixed: of that, from shown to redeemed", positive),

	r("service", "the ID service as nodes"),
	r("service.nodes", "its parts", named(Nodes...)),
	r("service.nodes{}.replicas", "how many of this node", between(1, 100_000)),
	r("service.nodes{}.workers", "requests served at once by one of them", between(1, 100_000)),
	r("service.demands", "time of an operation at each node it needs", named(Operations...)),
	r("service.demands{}", "by node", named(Nodes...)),
	r("service.demands{}{}", "time of one operation", positive),
	r("service.nodes{}.shed_after", "what would wait longer is refused at once, so that the others are served in time; left out: nothing is refused", optional),
	r("service.clients", "the machines that ask the service, each kind with its own way to try again"),
	r("service.clients.wallet", "issuing by tap, reports and releases"),
	r("service.clients.terminal", "of a centre: issuing by QR code, plastic cards"),
	r("service.clients.verifier", "online checks"),
	r("service.clients.*.timeout", "then an attempt has failed", positive),
	r("service.clients.*.retries", "by the machine, after the first attempt", between(0, MaxRetries)),
	r("service.clients.*.backoff", "before the first retry", positive),
	r("service.clients.*.growth", "of the delay, from retry to retry: 1 is fixed, 2 doubles", between(1, 10)),
	r("service.clients.*.jitter", "none; full: anywhere between now and the delay", oneOf("none", "full")),
	r("service.clients.*.budget", "retries of the last minute, at most, as a share of its first attempts; left out: no limit", optional),
	r("service.clients.*.breaker", "sends nothing while too much fails; left out: sends always", optional),
	r("service.clients.*.breaker.failures", "of the attempts of the last ten seconds", optional),
	r("service.clients.*.breaker.open", "how long nothing is sent; then one in ten, to see", optional),
	r("service.admission", "the gateway lets so many through; left out: all", optional),
	r("service.admission.rate", "requests a second", optional, between(0, 100_000_000)),
	r("service.admission.first", "what comes before the rest, in this order", optional),
	r("service.admission.first[]", "a function", oneOf("suspension", "online_verification", "issuance")),
	r("service.standby", "another site that has copies of the register and serves from the last one when the register's site is lost; left out: there is none", optional),
	r("service.standby.copies_every", "a copy is taken this often", optional),
	r("service.standby.at", "time of day of one of the copies", optional, form("clock")),
	r("service.network", "round trip"),
	r("service.detect", "the health signal looks this often", positive),

	r("status_lists", "how suspensions reach verifiers that cache"),
	r("status_lists.publish_interval", "a new list is published this often", positive),
	r("status_lists.allowance", "stated for building, fetching and clock skew"),
	r("status_lists.expired", "what a verifier does when its list is past the ttl", oneOf("refuse", "accept")),
	r("status_lists.size", "entries of one list", between(1024, 1<<24)),

	r("faults", "what breaks", optional),
	r("faults[].name", "how reports call it"),
	r("faults[].kind", "down: requests fail, the plant stops; slow: capacity is lost; site-lost: what stands with the register is gone, and a stand-by site serves from its last copy", oneOf("down", "slow", SiteLost)),
	r("faults[].nodes", "where it strikes"),
	r("faults[].nodes[]", "a node of the service; a way to it: network (all of a region), terminals (of centres), verifiers (their own network); or plant, which prints plastic cards", oneOf(faultNodes...)),
	r("faults[].regions", "network, terminals, verifiers: of the residents of these regions; left out: everywhere", optional),
	r("faults[].regions[]", "a region", form("region")),
	r("faults[].places", "verifiers: of these kinds of places; left out: all", optional),
	r("faults[].places[]", "the name of one of demand.places"),
	r("faults[].at", "when it begins"),
	r("faults[].for", "how long it lasts", positive),
	r("faults[].restore", "nodes that come back at another time than the others, sooner or later: staged restoration", optional, named(faultNodes...)),
	r("faults[].restore{}", "how long this node is struck", positive),
	r("faults[].standby_after", "site-lost: then gateway, register and status serve at the stand-by site; nothing is issued there", optional),
	r("faults[].report_again", "site-lost: of those whose acknowledged report the stand-by site does not know, who make it again there; left out: nobody", optional),
	r("faults[].report_again_after", "site-lost: mean delay of that, from when the stand-by site serves", optional),
	r("faults[].severity", "of the requests (down) or of the capacity (slow); left out: 100%", optional),

	r("expect", "what must hold of the result, such as suspension.violations == 0", optional),
	r("expect[]", "an expectation", form("expectation")),
}

// What a run can hold.
const (
	MaxPlaces  = 12 // kinds of places
	MaxTries   = 4  // captures in one session
	MaxRetries = 7  // by a machine
)

// Nodes are the parts of the service, in the order of a request.
var Nodes = []string{"gateway", "register", "face", "signing", "status"}

// Edges are the ways to the service that can be cut.
var Edges = []string{"network", "terminals", "verifiers"}

// Plant is where plastic cards are printed. It is no part of the service: no request
// waits for it.
const Plant = "plant"

// faultNodes are where a fault can strike.
var faultNodes = slices.Concat(Nodes, Edges, []string{Plant})

// Operations are what the service is asked to do.
var Operations = []string{"issue", "face", "verify", "report", "release", "register-card"}

// rule is what is said of a parameter beyond its type.
type rule struct {
	path, doc string
	limits
}

// limits are checked by the loader and, except positive, by the JSON Schema.
type limits struct {
	optional   bool
	min, max   *float64
	over       bool     // min itself is too little
	positive   bool     // of a duration
	oneOf      []string // values
	names      []string // the keys of a map
	keyIs      string   // what the keys of a map are
	keyPattern string
	form       string // "clock", "region", "municipality", "centre", "element", "expectation"
}

func r(path, doc string, options ...func(*limits)) rule {
	x := rule{path: path, doc: doc}
	for _, o := range options {
		o(&x.limits)
	}
	return x
}

func optional(l *limits) { l.optional = true }

func positive(l *limits) { l.positive = true }

func between(lo, hi float64) func(*limits) { return func(l *limits) { l.min, l.max = &lo, &hi } }

func above(lo float64) func(*limits) { return func(l *limits) { l.min, l.over = &lo, true } }

func atMost(hi float64) func(*limits) { return between(0, hi) }

func oneOf(v ...string) func(*limits) { return func(l *limits) { l.oneOf = v } }

func named(v ...string) func(*limits) { return func(l *limits) { l.names = v } }

func form(f string) func(*limits) { return func(l *limits) { l.form = f } }

func keys(is, pattern string) func(*limits) {
	return func(l *limits) { l.keyIs, l.keyPattern = is, pattern }
}
