package rollout

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
)

// Intent is something that a citizen sets out to do.
type Intent uint8

// The intents. Showing an identity is done or given up at once.
const (
	GetMobile Intent = iota
	ReportLoss
	ReleaseLoss
	GetCard
	ShowIdentity
	NumIntents = iota
)

func (i Intent) String() string {
	return [...]string{"get_mobile", "report_loss", "release", "get_card", "show_identity"}[i]
}

// IntentCount counts the intents of one kind; pending = Posted − Done − Abandoned.
type IntentCount struct{ Posted, Done, Abandoned int64 }

// AgeBands are the bands of the age table: 17-19, 20s, ... 70 and over.
const AgeBands = 7

// AgeBand is the band of an age.
func AgeBand(age int) int { return min(max(age/10-1, 0), AgeBands-1) }

// Counter is how wide a counter is: a municipality's day fits into 32 bits, which
// keeps a nation of days small; a sum of them may not.
type Counter interface{ int32 | int64 }

// DayTally is one municipality's day. Visits and waits belong to the
// municipality of the centre, all else to that of the citizen.
type DayTally = DayCount[int32]

// DaySum is the sum of such days.
type DaySum = DayCount[int64]

// DayCount is everything that is counted by day.
type DayCount[N Counter] struct {
	Wanted       N
	Issued       [2]N // by lifecycle.Channel
	First        N    // of the issued: the citizen's first
	Ended        N    // credentials that ended
	Holders      N    // change of the number of holders
	FaceSessions N
	FaceFailed   N
	NewPhotos    N
	Refused      [lifecycle.NumReasons]N // applications, by reason
	Unavailable  N                       // requests that failed after all machine retries
	PeopleRetry  N

	Served, Balked, Reneged, Shut N // visits for mobile and plastic cards and losses
	SecondVisits                  N
	OtherServed, OtherLeft        N // other business
	OtherDelayed                  N // of the served with other business: did not find a counter free
	Wait                          Histogram[N]
	Delayed                       N         // of all served, other business too: did not find a counter free
	Waited                        int64     // ms in the queue, by all who left it
	Busy                          [24]int64 // ms of service at the counters, by hour

	Presentations, Accepted          N // of mobile cards
	RejectedSuspended, RejectedOther N
	CannotTell                       N
	FalseAccepts                     N // by somebody not entitled, beyond the bound of cached lists
	ExposureAccepts                  N // the same within that bound
	UnreportedAccepts                N // from a lost phone before a report
	FalseRejects                     N
	Plastic                          N // shown by people without a mobile card
	HolderPlastic                    N // shown by holders of a mobile card
	Fallback                         N // shown after the mobile card failed
	NoIdentity                       N // could not show who they are

	PlasticLost, PhonesLost, NewPhones N // phones: with a mobile card on them
	ReportsPhysical, ReportsMobile     N
	ReleasesPhysical, ReleasesMobile   N

	CardOrders, ChipOrders, CardsPrinted N
	CardsIssued, Reissues                N
	ChipsIssued                          N // of the cards issued
	FeeWon                               int64
}

// Histogram counts waits: ten seconds wide up to 10 minutes, a minute up to
// an hour, ten minutes beyond.
type Histogram[N Counter] struct {
	Bucket   [WaitBuckets]N
	Max, Sum int64 // ms
}

// WaitBuckets is the number of buckets.
const WaitBuckets = 60 + 50 + 54

// Add counts a wait in milliseconds.
func (h *Histogram[N]) Add(ms int64) {
	h.Bucket[waitBucket(ms)]++
	h.Max = max(h.Max, ms)
	h.Sum += ms
}

// Count is the number of waits.
func (h *Histogram[N]) Count() (n int64) {
	for _, k := range h.Bucket {
		n += int64(k)
	}
	return n
}

// Quantile is the upper end (ms) of the bucket in which a quantile lies, at most the
// longest wait; −1 where nobody was counted.
func (h *Histogram[N]) Quantile(q float64) int64 {
	n, seen := h.Count(), int64(0)
	need := max(1, int64(q*float64(n)+0.5))
	for i, k := range h.Bucket {
		if seen += int64(k); seen < need {
			continue
		}
		if q == 1 || i == WaitBuckets-1 {
			return h.Max
		}
		return min(WaitEdge(i+1), h.Max)
	}
	return -1
}

func waitBucket(ms int64) int {
	switch {
	case ms < 10*minute:
		return int(ms / (10 * second))
	case ms < hour:
		return 60 + int((ms-10*minute)/minute)
	default:
		return min(110+int((ms-hour)/(10*minute)), WaitBuckets-1)
	}
}

// WaitEdge is the upper end (ms) of the bucket before the i-th; the last has none.
func WaitEdge(i int) int64 {
	switch {
	case i <= 60:
		return int64(i) * 10 * second
	case i <= 110:
		return 10*minute + int64(i-60)*minute
	default:
		return hour + int64(i-110)*10*minute
	}
}

// LatencyBuckets: 2 % wide from 1 ms to a minute.
const LatencyBuckets = 560

// MaxPlaces bounds the kinds of places.
const MaxPlaces = scenarios.MaxPlaces

// Tally is what one municipality counted.
type Tally struct {
	Totals
	Day      []DayTally
	Backlog  []int32                        // by hour: change of the intents that wait for something
	Retries  []int32                        // by hour: people who try again
	Goodput  [][capacity.NumFunctions]int32 // by hour
	Turned   [][MaxPlaces]int32             // by hour: presentations that were not answered; nil without faults
	ByCentre []CentreTally                  // of the municipality, in order
	IssuedAt []int32                        // to its citizens, by centre of the nation
	CutOff   []CutTally                     // by fault
	Exposure []Exposure
	Loss     *LossTally // nil: no site is lost
}

// Totals are what is counted over the whole run.
type Totals struct {
	Events    int64
	Intents   [NumIntents]IntentCount
	Open      [NumIntents]int64     // at the end, as the citizens' records say
	ByAge     [2][AgeBands]int64    // issued, by channel
	ChipByAge [AgeBands]int64       // applications for a plastic card with a chip
	Holders   [AgeBands]int64       // at the end
	Latency   [LatencyBuckets]int64 // of online verifications
	OrderWait [OrderHours / 6]int64 // plastic cards, application to hand, six hours wide
	OtherWait Histogram[int64]      // of those with other business who were served
	ChipCards int64
	ByPlace   [MaxPlaces]PlaceTally
	Endings   Endings // at the end, as the citizens' records say
}

// OrderHours bounds the waits for plastic cards that are told apart.
const OrderHours = 24 * 120

// PlaceTally is one kind of place.
type PlaceTally struct {
	Presentations, Accepted, Suspended, Other, CannotTell, HolderPlastic, NoIdentity int64
}

// CentreTally is one centre.
type CentreTally struct {
	Citizens, Visits int64 // visits that were served
	Left             int64 // visits that were not: balked, reneged, shut
	Wait             Histogram[int32]
	Queue            int64 // ms: the number of people waiting, integrated over the run
	Waited           int64 // ms in the queue, by all who left it, without other business
	PutOff           PutOff
}

// PutOff is what appointments do to those who would have come to a full day.
type PutOff struct {
	Visits, Days int64 // how many there are, and by how many days together
	Longest      int64 // days
}

// Add counts a visit that was put off by some days.
func (p *PutOff) Add(days int) {
	p.Visits++
	p.Days += int64(days)
	p.Longest = max(p.Longest, int64(days))
}

// NewTally makes an empty tally.
func NewTally(m *Model, centres int) *Tally {
	hours := m.Cal.Days*24 + 1
	t := &Tally{
		Day: make([]DayTally, m.Cal.Days), Backlog: make([]int32, hours), Retries: make([]int32, hours),
		Goodput: make([][capacity.NumFunctions]int32, hours), ByCentre: make([]CentreTally, centres),
		IssuedAt: make([]int32, len(m.Nation.Centres)),
	}
	if len(m.Scenario.Faults) > 0 {
		t.Turned = make([][MaxPlaces]int32, hours)
		t.CutOff = make([]CutTally, len(m.Scenario.Faults))
	}
	if m.standby != nil {
		t.Loss = &LossTally{}
	}
	return t
}

// hourOf is the hour of an instant in an hourly series; what lies behind its end
// belongs to the last.
func hourOf[T any](series []T, at int64) *T { return &series[min(int(at/hour), len(series)-1)] }

func (t *Tally) post(i Intent, at int64) {
	t.Intents[i].Posted++
	t.waiting(i, at, 1)
}

func (t *Tally) done(i Intent, at int64) {
	t.Intents[i].Done++
	t.waiting(i, at, -1)
}

func (t *Tally) abandon(i Intent, at int64) {
	t.Intents[i].Abandoned++
	t.waiting(i, at, -1)
}

func (t *Tally) waiting(i Intent, at int64, by int32) {
	if i == ShowIdentity {
		return
	}
	*hourOf(t.Backlog, at) += by
}

// Serve counts the service of a customer, whatever their business.
func (t *Tally) Serve(arrive, start, service int64, other bool) {
	d := &t.Day[start/day]
	if start > arrive {
		d.Delayed++
		d.Waited += start - arrive
		if other {
			d.OtherDelayed++
		}
	}
	for end := start + service; start < end; {
		h := start / hour
		next := min((h+1)*hour, end)
		if int(h/24) >= len(t.Day) {
			return
		}
		t.Day[h/24].Busy[h%24] += next - start
		start = next
	}
}

// StillWaiting counts a customer who stands in the queue when the run ends.
func (t *Tally) StillWaiting(arrive, end int64) {
	t.Day[len(t.Day)-1].Waited += end - arrive
}

// CountOpen counts what a citizen still wants when the run ends. It looks at the
// record alone, so that it is another account of what was posted and not done.
func (t *Tally) CountOpen(c *Citizen) {
	if c.Flags&WantsMobile != 0 {
		t.Open[GetMobile]++
	}
	if c.Order != NoOrder {
		t.Open[GetCard]++
	}
	switch c.CardStep {
	case ReportCardReady, ReportAgainReady:
		t.Open[ReportLoss]++
	case ReleaseCard:
		t.Open[ReleaseLoss]++
	}
	switch c.PhoneStep {
	case ReportPhoneReady, ReportAgainReady:
		t.Open[ReportLoss]++
	case ReleasePhone:
		t.Open[ReleaseLoss]++
	}
}

func latencyBucket(ms int64) int {
	b := 0
	for x := int64(1000); x < ms*1000 && b < LatencyBuckets-1; b++ {
		x += max(x/50, 1)
	}
	return b
}

// LatencyEdge is the upper end of a latency bucket in milliseconds.
func LatencyEdge(i int) float64 {
	x := int64(1000)
	for range i {
		x += max(x/50, 1)
	}
	return float64(x) / 1000
}
