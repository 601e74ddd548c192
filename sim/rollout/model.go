// Package rollout is the behaviour model: who becomes eligible when, who wants
// the mobile card, by which way they get it, what they lose and report, and
// where they show who they are. docs/model.md describes it by the ODD protocol.
//
// It is a set of functions on one citizen's record, free of any engine: the
// fast engine (sim/nation) and the plain one run the very same functions with
// calendars, layouts and queues of their own. Legal states move only by the
// table compiled from reference/lifecycle. The package knows nothing of the
// real service.
//
// An engine gives birth to citizens ([Model.Birth]), lets them take their steps
// ([Model.Act]), and tells them what came of a visit ([Model.Visited]) and of a
// request ([Model.Answer]). A tap is told in affair.go: the wish, the decision,
// the sitting with card and phone, the service's answer, the card. A loss is told in
// card.go and phone.go, and by the files that they lead to: the report (loss.go),
// the suspension and how long the card can still be used (exposure.go), the list
// in a verifier's hand (lists.go), the card shown there (demand.go). What a stand-by
// site does not know of all that is in standby.go.
package rollout

import (
	"fmt"
	"math"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Model is a compiled scenario: read-only, shared by all workers, but for the
// service's queues, which an engine solves at its barriers.
type Model struct {
	Scenario *scenarios.Scenario
	Nation   *scenarios.Nation
	Pop      *population.Population
	Draws    *population.Drawer
	Source   rng.Source
	Cal      *Calendar
	Policy   lifecycle.Policy
	Table    *lifecycle.Table
	Service  *capacity.Service
	End      int64 // ms

	present      []bool    // by centre: simulated
	opens        []int64   // by municipality: its first day; Never
	anyFrom      int64     // any centre serves everyone
	chipFrom     int64     // first cards carry a chip
	appeal       []float64 // by municipality: factor of the propensity
	byAge        [scenarios.Ages]float64
	upgrade      [scenarios.Ages]float64
	counters     []int32   // by centre
	appointments []int32   // by centre: visits in an hour; 0: no limit
	near         [][]int32 // by region: its municipalities, for visits elsewhere
	cumulated    [][]float64

	tapClock   *clock
	cardClock  *clock // mean number of events of one plastic card
	phoneClock *clock
	cardLoss   []float64 // share of losses among those events, by hour
	phoneLoss  []float64
	waitOther  *clock // other business: visits per resident

	service [5]*serviceLaw // by Purpose
	scan    *serviceLaw    // QR code shown to redeemed
	face    *faceModel
	demand  demand
	lists   *lists
	edges   []edge
	standby *standby // nil: no site is lost
	Pool    float64  // share of the citizens whose lives are kept
}

// New compiles a scenario, its service too.
func New(s *scenarios.Scenario, n *scenarios.Nation) (*Model, error) {
	service, err := capacity.New(s)
	if err != nil {
		return nil, err
	}
	m := &Model{
		Service:  service,
		Scenario: s, Nation: n, Pop: population.New(n), Source: rng.New(s.Seed),
		Cal: newCalendar(s), Table: lifecycle.Compile(),
		End: s.End.Sub(s.Start.Time).Milliseconds(),
	}
	m.Draws = population.NewDrawer(m.Source, n, &s.Phones)
	m.Policy = lifecycle.Policy{
		MinimumAge: s.Channels.MinimumAge, AnyCentreFrom: s.Calendar.AnyCentreFrom.Time,
		OfferLifetime: s.Channels.OfferLifetime, CredentialValidity: s.Channels.Validity,
		Opens: map[string]time.Time{},
	}
	if err := m.compilePhases(); err != nil {
		return nil, err
	}
	m.compilePresence()
	m.compileAdoption()
	m.compileCentres()
	m.tapClock = newClock(m.Cal, hourly(s.Channels.TapHours, s.Channels.TapHours, 1))
	m.compileLosses()
	m.waitOther = newClock(m.Cal, func(off bool, h int) float64 {
		if off {
			return 0
		}
		return float64(s.Centres.OtherBusiness) * (m.Cal.visit[h+1] - m.Cal.visit[h])
	})
	for i, t := range []scenarios.ServiceTime{
		ToIssue: s.Centres.IssueService, ToOrder: s.Centres.CardService, ToCollect: s.Centres.PickupService,
		ToReport: s.Centres.LossService, OtherBusiness: s.Centres.OtherService,
	} {
		m.service[i] = newServiceLaw(t)
	}
	scanMean, spread := float64(s.Channels.ScanDelay.Milliseconds()), s.Channels.ScanSpread
	m.scan = &serviceLaw{law: "lognormal", mean: scanMean, skewed: newLognormal(scanMean, math.Sqrt(math.Exp(spread*spread)-1))}
	m.face = newFaceModel(&s.Face)
	m.compileDemand()
	m.compileEdges()
	m.compileStandby()
	m.lists = &lists{service: service, interval: s.StatusLists.PublishInterval.Milliseconds()}
	m.Pool = m.poolShare()
	return m, nil
}

// Since turns a civil time into the model's milliseconds.
func (m *Model) Since(t time.Time) int64 { return t.Sub(m.Scenario.Start.Time).Milliseconds() }

func (m *Model) compilePhases() error {
	m.opens = make([]int64, len(m.Nation.Municipalities))
	for i := range m.opens {
		m.opens[i] = Never
	}
	open := func(i int, at scenarios.Moment) {
		if t := m.Since(at.Time); t < m.opens[i] {
			m.opens[i] = t
			m.Policy.Opens[m.Nation.Municipalities[i].Code] = at.Time
		}
	}
	for _, p := range m.Scenario.Phases {
		for _, iso := range p.Regions {
			r, ok := m.Nation.RegionIndex(iso)
			if !ok {
				return fmt.Errorf("phases: there is no region %q", iso)
			}
			for i := range m.Nation.Municipalities {
				if m.Nation.Municipalities[i].Region == r {
					open(i, p.From)
				}
			}
		}
		for _, code := range p.Municipalities {
			i, ok := m.Nation.MunicipalityIndex(code)
			if !ok {
				return fmt.Errorf("phases: there is no municipality %q", code)
			}
			open(i, p.From)
		}
	}
	m.anyFrom = m.Since(m.Scenario.Calendar.AnyCentreFrom.Time)
	m.chipFrom = m.Since(m.Scenario.Cards.ChipFrom.Time)
	return nil
}

// Opens is the first day (ms) of a municipality; Never.
func (m *Model) Opens(municipality int) int64 { return m.opens[municipality] }

// officials is the number of officials of a centre, by its kind.
func (m *Model) officials(c *scenarios.Centre) float64 {
	r := m.Scenario.Centres.ResidentsPerOfficial
	per := map[string]float64{"dong": r.Dong, "eup": r.Eup, "myeon": r.Myeon}[c.Kind]
	return c.Everybody() / per
}

func (m *Model) compileAdoption() {
	a := &m.Scenario.Adoption
	var people, weight float64
	for i := range m.Nation.Centres {
		for k, n := range m.Nation.Centres[i].Age {
			people += float64(n)
			weight += float64(n) * a.ByAge.At(scenarios.FirstAge+k)
		}
	}
	for k := range m.byAge {
		m.byAge[k] = a.ByAge.At(scenarios.FirstAge+k) * people / weight
		m.upgrade[k] = m.Scenario.Channels.ChipUpgrade.At(scenarios.FirstAge + k)
	}
	var staff, all float64
	density := make([]float64, len(m.Nation.Municipalities))
	for i := range m.Nation.Municipalities {
		mu := &m.Nation.Municipalities[i]
		var officials, adults float64
		for c := mu.First; c < mu.End; c++ {
			officials += m.officials(&m.Nation.Centres[c])
			adults += float64(m.Nation.Centres[c].Adults())
		}
		density[i] = officials / adults
		staff += officials
		all += adults
	}
	m.appeal = make([]float64, len(density))
	for i, d := range density {
		s := a.MunicipalitySpread
		z := rng.Normal(m.Source.Draw(uint32(i), population.ForMunicipality, 0)[0])
		m.appeal[i] = math.Pow(d/(staff/all), a.StaffExponent) * math.Exp(s*z-s*s/2)
	}
}

func (m *Model) compileCentres() {
	c := &m.Scenario.Centres
	m.counters = make([]int32, len(m.Nation.Centres))
	factor := c.CounterFactor
	for i := range m.counters {
		x := &m.Nation.Centres[i]
		n := int(math.Round(m.officials(x) * float64(c.CounterShare) * factor))
		if k, ok := c.Counters[m.Nation.Regions[m.Nation.Municipalities[x.Municipality].Region].ISO]; ok {
			n = k
		}
		if k, ok := c.Counters[x.Code]; ok {
			n = k
		}
		m.counters[i] = int32(max(1, n))
	}
	m.appointments = make([]int32, len(m.Nation.Centres))
	for i := range m.appointments {
		x := &m.Nation.Centres[i]
		m.appointments[i] = int32(c.Appointments[m.Nation.Regions[m.Nation.Municipalities[x.Municipality].Region].ISO])
		if k, ok := c.Appointments[x.Code]; ok {
			m.appointments[i] = int32(k)
		}
	}
	m.near = make([][]int32, len(m.Nation.Regions))
	m.cumulated = make([][]float64, len(m.Nation.Regions))
	for i := range m.Nation.Municipalities {
		if !m.Present(i) { // nobody is there to receive them
			continue
		}
		mu := &m.Nation.Municipalities[i]
		n := 0
		for c := mu.First; c < mu.End; c++ {
			n += m.Nation.Centres[c].Adults()
		}
		r := mu.Region
		before := 0.0
		if k := len(m.cumulated[r]); k > 0 {
			before = m.cumulated[r][k-1]
		}
		m.near[r] = append(m.near[r], int32(i))
		m.cumulated[r] = append(m.cumulated[r], before+float64(n))
	}
}

// Counters is the number of counters of a centre.
func (m *Model) Counters(centre int) int { return int(m.counters[centre]) }

func hourly(weekday, weekend scenarios.Hours, perDay float64) func(bool, int) float64 {
	var sum float64
	for h := range 24 {
		sum += (5*weekday[h] + 2*weekend[h]) / 7
	}
	return func(off bool, h int) float64 {
		if off {
			return perDay * weekend[h] / sum
		}
		return perDay * weekday[h] / sum
	}
}

// compileLosses cumulates the hazards of cards and phones over the run, waves
// included, with the share of losses hour by hour.
func (m *Model) compileLosses() {
	l := &m.Scenario.Losses
	hours := m.Cal.Days * 24
	wave := func(h int, plastic bool) float64 {
		f := 1.0
		for _, w := range l.Waves {
			from := m.Since(w.From.Time)
			if t := int64(h) * hour; t >= from && t < from+w.For.Milliseconds() {
				if plastic {
					f *= w.Plastic
				} else {
					f *= w.Phone
				}
			}
		}
		return f
	}
	other := float64(m.Scenario.Cards.OtherReissue)
	replaced := 0.0
	if e := m.Scenario.Phones.ReplacedEvery; e > 0 {
		replaced = 1 / (e.Hours() / 24)
	}
	m.cardLoss, m.phoneLoss = make([]float64, hours), make([]float64, hours)
	var card, phone []float64
	for h := range hours {
		lost := float64(l.Plastic.Rate) * wave(h, true) / 24
		card = append(card, lost+other/24)
		m.cardLoss[h] = share(lost, lost+other/24)
		lost = float64(l.Phone.Rate) * wave(h, false) / 24
		phone = append(phone, lost+replaced/24)
		m.phoneLoss[h] = share(lost, lost+replaced/24)
	}
	m.cardClock, m.phoneClock = clockOf(m.Cal, card), clockOf(m.Cal, phone)
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

func clockOf(cal *Calendar, rate []float64) *clock {
	i := -1
	return newClock(cal, func(bool, int) float64 { i++; return rate[i] })
}
