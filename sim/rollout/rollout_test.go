package rollout

import (
	"math"
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rng"
)

// model compiles a built-in scenario with settings.
func model(t testing.TB, scenario string, settings ...string) *Model {
	t.Helper()
	s, err := scenarios.Load(scenario, settings)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	m.Pool = 1
	return m
}

// place is a municipality in a window of an hour.
func place(m *Model, code string, start int64) *Place {
	i, ok := m.Nation.MunicipalityIndex(code)
	if !ok {
		panic("no municipality " + code)
	}
	mu := &m.Nation.Municipalities[i]
	return &Place{M: m, Municipality: i, Region: mu.Region, T: NewTally(m, mu.End-mu.First),
		Plant: capacity.NewPlant(m.Scenario, m.Cal.Open),
		Start: start, End: start + hour, Earliest: start + 2*hour, Load: make([][capacity.NumOps]int32, 3600)}
}

const sejong = "36110"

// near asserts three standard errors.
func near(t *testing.T, what string, got, want, se float64) {
	t.Helper()
	if math.Abs(got-want) > 3*se {
		t.Errorf("%s: %g, want %g ± %g (%.1f standard errors off)", what, got, want, se, (got-want)/se)
	}
}

func TestTheCompiledTableIsTheRulebookForEveryStateAndEvent(t *testing.T) {
	m := model(t, "announced")
	for e := range lifecycle.Event(lifecycle.NumEvents) {
		rule := lifecycle.Rulebook[e]
		if rule.On != e {
			t.Fatalf("row %d of the rulebook is for %v", e, rule.On)
		}
		for s := range lifecycle.State(lifecycle.NumStates) {
			want := lifecycle.Outcome{Next: s&^rule.Clears | rule.Sets}
			for _, n := range rule.Needs {
				if s&n.Present != n.Present || s&n.Absent != 0 {
					want = lifecycle.Outcome{Next: s, Reason: n.Else}
					break
				}
			}
			if got := m.Table[e][s]; got != want {
				t.Errorf("%v in state %v: table says %+v, rulebook %+v", e, s, got, want)
			}
		}
	}
}

// A move leaves the citizen in the rulebook's state, and the wallet's history
// with the verdicts before and after.
func TestAMoveFollowsTheRulebookAndWritesTheWalletsHistory(t *testing.T) {
	m := model(t, "announced")
	for e := range lifecycle.Event(lifecycle.NumEvents) {
		if e == lifecycle.CredentialIssued {
			continue // issue makes a new wallet
		}
		for s := range lifecycle.State(lifecycle.NumStates) {
			if !s.Well() {
				continue
			}
			p := place(m, sejong, 0)
			c := &Citizen{Law: s, Age: 30}
			if s&lifecycle.HasCredential != 0 {
				p.Wallets = []Wallet{{Ended: Never, Lost: Never, Submitted: Never, Acked: Never}}
				p.Wallets[0].push(100, lifecycle.Judge(s))
				c.Wallet = 1
			}
			reason := m.move(p, c, e, 5000)
			want := lifecycle.Apply(s, e)
			if c.Law != want.Next || reason != want.Reason {
				t.Errorf("%v in %v: %v, %v; want %v, %v", e, s, c.Law, reason, want.Next, want.Reason)
			}
			if c.Wallet == 0 {
				continue
			}
			w := &p.Wallets[0]
			if got := w.verdictAt(4999); got != lifecycle.Judge(s) {
				t.Errorf("%v in %v: before the commit the verdict is %v", e, s, got)
			}
			if got := w.verdictAt(5000); got != lifecycle.Judge(want.Next) {
				t.Errorf("%v in %v: at the commit the verdict is %v, want %v", e, s, got, lifecycle.Judge(want.Next))
			}
			if ended := lifecycle.Judge(want.Next) == lifecycle.NotValid; (w.Ended == 5000) != ended {
				t.Errorf("%v in %v: ended at %d", e, s, w.Ended)
			}
			if change := want.Next&lifecycle.HasCredential != s&lifecycle.HasCredential; change != (p.T.Day[0].Holders != 0) {
				t.Errorf("%v in %v: holders change by %d", e, s, p.T.Day[0].Holders)
			}
		}
	}
}

func TestBassInverseIsTheInverseOfBassShare(t *testing.T) {
	for _, pq := range [][2]float64{{0.00024, 0.02}, {0.001, 0.005}, {0.03, 0.0001}} {
		before := 0.0
		for _, u := range []float64{1e-6, 0.01, 0.3, 0.5, 0.9, 0.9999} {
			x := bassInverse(u, pq[0], pq[1])
			if got := BassShare(x, pq[0], pq[1]); math.Abs(got-u) > 1e-9 || x <= before {
				t.Errorf("p %g q %g: F(%g) = %g, want %g", pq[0], pq[1], x, got, u)
			}
			before = x
		}
		if BassShare(0, pq[0], pq[1]) != 0 || BassShare(-5, pq[0], pq[1]) != 0 {
			t.Error("somebody adopts before the beginning")
		}
	}
}

// Born citizens want the mobile card by Bass's formula: the share of the keen by
// their pulse, the others by diffusion, among those whose age, place and phone
// allow it.
func TestWishesFollowThePulseAndBassDiffusion(t *testing.T) {
	m := model(t, "announced", "channels.early_attempt=0%", "adoption.keen=10%", "adoption.innovation=0.002/day", "adoption.level=40%")
	i, _ := m.Nation.MunicipalityIndex(sejong)
	mu := &m.Nation.Municipalities[i]
	a := &m.Scenario.Adoption
	days := []float64{1, 5, 20, 50, 100}
	got, expect, variance := make([]float64, len(days)), make([]float64, len(days)), make([]float64, len(days))
	people := 0
	for centre := mu.First; centre < mu.End && people < 150_000; centre++ {
		for age := scenarios.FirstAge; age <= scenarios.LastAge; age++ {
			k := age - scenarios.FirstAge
			ever := m.Draws.Owned[k] * min(1, float64(a.Level)*m.byAge[k]*m.appeal[i])
			first, end := m.Pop.AgeRange(centre, age)
			for id := first; id < end; id++ {
				people++
				var c Citizen
				m.Birth(&c, id, centre, age, i)
				if c.Affair != Never && c.AffairStep != WantMobile && c.AffairStep != WantToday {
					t.Fatalf("citizen %d begins with step %d of the affair", id, c.AffairStep)
				}
				for j, d := range days {
					p := ever * (float64(a.Keen)*(1-math.Exp(-d*24/a.KeenDecay.Hours())) +
						(1-float64(a.Keen))*BassShare(d, float64(a.Innovation), float64(a.Imitation)))
					expect[j] += p
					variance[j] += p * (1 - p)
					if c.Affair < int64(d*float64(day)) {
						got[j]++
					}
				}
			}
		}
	}
	for j, d := range days {
		t.Logf("day %g: %g want it, formula %.0f ± %.0f", d, got[j], expect[j], math.Sqrt(variance[j]))
		near(t, "wishes", got[j], expect[j], math.Sqrt(variance[j]))
	}
}

func TestNobodyWantsItWithoutAPhoneOrWhereItNeverOpens(t *testing.T) {
	m := model(t, "announced", "adoption.level=100%")
	i, _ := m.Nation.MunicipalityIndex(sejong)
	first, _ := m.Pop.Range(m.Nation.Municipalities[i].First)
	born := func(id uint32) (c Citizen) { m.Birth(&c, id, m.Nation.Municipalities[i].First, 45, i); return }
	with, without := 0, 0
	for id := first; id < first+5000; id++ {
		switch c := born(id); {
		case c.Flags&HasPhone == 0 && c.Affair != Never:
			t.Fatalf("citizen %d has no phone and wants a mobile card", id)
		case c.Flags&HasPhone == 0:
			without++
		case c.Affair != Never:
			with++
		}
	}
	if with == 0 || without == 0 {
		t.Errorf("%d want it, %d have no phone: the test proves nothing", with, without)
	}
	m.opens[i] = Never
	for id := first; id < first+5000; id++ {
		if c := born(id); c.Affair != Never {
			t.Fatalf("citizen %d wants one where it never opens", id)
		}
	}
}

func TestBirthDependsOnTheCitizenAlone(t *testing.T) {
	m, again := model(t, "announced"), model(t, "announced")
	other := model(t, "announced", "seed=2")
	i, _ := m.Nation.MunicipalityIndex(sejong)
	centre := m.Nation.Municipalities[i].First
	first, _ := m.Pop.AgeRange(centre, 30)
	differ := 0
	for k := uint32(50); k > 0; k-- { // backwards: order must not matter
		var a, b, c Citizen
		m.Birth(&a, first+k, centre, 30, i)
		again.Birth(&b, first+k, centre, 30, i)
		other.Birth(&c, first+k, centre, 30, i)
		if a != b {
			t.Fatalf("citizen %d is born in two ways", first+k)
		}
		if a != c {
			differ++
		}
	}
	if differ < 45 {
		t.Errorf("another seed changes %d of 50 citizens", differ)
	}
}

func TestNextIsTheEarliestClockAndAnAnswerComesBeforeWhatFollows(t *testing.T) {
	c := Citizen{Card: 500, Phone: Never, Affair: 300, Finder: Never, Demand: 900}
	if c.Next() != 300 {
		t.Errorf("next %d, want 300", c.Next())
	}
	c.notBefore(600)
	if c.Card <= 600 || c.Affair <= 600 || c.Card == c.Affair || c.Demand != 900 || c.Phone != Never {
		t.Errorf("after an answer at 600: %+v", c)
	}
}

func TestLawsOfServiceTimesHaveTheirMoments(t *testing.T) {
	const n = 200_000
	src := rng.New(3)
	for _, c := range []struct {
		law      scenarios.ServiceTime
		cv       float64
		cutTails float64 // the table ends at half a cell: the deviation lacks a little
	}{
		{scenarios.ServiceTime{Law: "lognormal", Mean: 6 * 60e9, CV: 0.6}, 0.6, 0.02},
		{scenarios.ServiceTime{Law: "exponential", Mean: 6 * 60e9}, 1, 0},
		{scenarios.ServiceTime{Law: "fixed", Mean: 6 * 60e9}, 0, 0},
	} {
		law := newServiceLaw(c.law)
		var sum, square float64
		for i := range uint32(n) {
			x := float64(law.draw(src.Draw(i, 1, 0)[0]))
			if x < 1 {
				t.Fatalf("%s: a service of %g ms", c.law.Law, x)
			}
			sum += x
			square += x * x
		}
		mean := sum / n
		cv := math.Sqrt(square/n-mean*mean) / mean
		near(t, c.law.Law+" mean", mean, 360_000, 360_000*max(c.cv, 0.001)/math.Sqrt(n)+120)
		if math.Abs(cv-c.cv) > 0.01+c.cutTails {
			t.Errorf("%s: coefficient of variation %g, want %g", c.law.Law, cv, c.cv)
		}
	}
}

func TestWaitsAreCountedInBucketsWhoseEdgesAreKnown(t *testing.T) {
	var h Histogram[int32]
	for _, ms := range []int64{0, 9_999, 10_000, 10*minute - 1, 10 * minute, hour - 1, hour, 9 * hour, 500 * hour} {
		b := waitBucket(ms)
		if lo, hi := WaitEdge(b), WaitEdge(b+1); ms < lo || ms >= hi && b < WaitBuckets-1 {
			t.Errorf("%d ms in bucket %d, from %d to %d", ms, b, lo, hi)
		}
		h.Add(ms)
	}
	if h.Count() != 9 || h.Max != 500*hour {
		t.Errorf("count %d, max %d", h.Count(), h.Max)
	}
	for ms := int64(1); ms < 90_000; ms = ms*5/4 + 1 {
		b := latencyBucket(ms)
		if lo, hi := LatencyEdge(b), LatencyEdge(b+1); b < LatencyBuckets-1 && (float64(ms) > hi || b > 0 && float64(ms) < LatencyEdge(b-1) || lo >= hi) {
			t.Errorf("latency %d ms in bucket %d, %g to %g", ms, b, lo, hi)
		}
	}
}
