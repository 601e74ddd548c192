package attribution

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/scenarios"
)

func people(t *testing.T) *scenarios.Nation {
	t.Helper()
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func load(t *testing.T, name string, settings ...string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load(name, settings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// centre is the index of a centre; here is one of Sejong.
func centre(t *testing.T, n *scenarios.Nation, code string) int {
	t.Helper()
	i := slices.IndexFunc(n.Centres, func(c scenarios.Centre) bool { return c.Code == code })
	if i < 0 {
		t.Fatal(code)
	}
	return i
}

const here, there = "3611051000", "3611025000"

func explainOne(t *testing.T, s *scenarios.Scenario, code string) Explanation {
	t.Helper()
	n := people(t)
	e, err := Explain(t.Context(), s, n, []int{centre(t, n, code)}, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return e[0]
}

func (e Explanation) of(c Cause) Share {
	return e.Shares[slices.IndexFunc(e.Shares, func(s Share) bool { return s.Cause == c })]
}

// busy is smoke at two centres of Sejong with one counter each: an outage, faces that
// fail, people who come again, a crowd in the first days, and other business.
func busy(t *testing.T, settings ...string) *scenarios.Scenario {
	return load(t, "smoke", append([]string{"population.regions=[]", `population.centres=["` + here + `", "` + there + `"]`,
		`centres.counters={"` + here + `": 1, "` + there + `": 1}`, "adoption.level=4%", "face.threshold=0.42",
		"start=2025-02-17", "end=2025-02-19", "centres.patience=2h", "centres.other_business=0.006/day", "faults.outage.for=3h", "centres.come_back=2h"}, settings...)...)
}

func TestTheSharesSumToTheWaitToTheMillisecond(t *testing.T) {
	n := people(t)
	explained, err := Explain(t.Context(), busy(t), n, []int{centre(t, n, here), centre(t, n, there)}, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range explained {
		sum := e.Rest
		for _, s := range e.Shares {
			sum.Mean, sum.P95, sum.Waited, sum.Left = sum.Mean+s.Mean, sum.P95+s.P95, sum.Waited+s.Waited, sum.Left+s.Left
			t.Logf("%-15v %9d ms of %9d ms, mean %6d, p95 %7d, left %3d; without it %+v", s.Cause, s.Waited, e.Wait.Waited, s.Mean, s.P95, s.Left, s.Without)
		}
		if sum.Served = e.Wait.Served; sum != e.Wait {
			t.Errorf("the parts come to %+v, the wait is %+v", sum, e.Wait)
		}
		if e.Wait.Waited < 3_600_000 {
			t.Errorf("nobody waited: %+v", e.Wait)
		}
		for _, c := range []Cause{OtherBusiness, SecondVisits, OpeningSpike, Outages} {
			if e.of(c).Waited == 0 {
				t.Errorf("%v has no share: the test proves little", c)
			}
		}
	}
}

func TestWhatIsNotInTheScenarioHasNoShare(t *testing.T) {
	e := explainOne(t, busy(t, "faults.outage.for=1s", "faults.outage.at=2025-02-17 03:00", "centres.other_business=0/day", "adoption.keen=0%", "face.threshold=0.1"), here)
	if e.Wait.Waited == 0 {
		t.Error("nobody waited")
	}
	for _, c := range []Cause{OtherBusiness, OpeningSpike, FaceFailures} {
		if s := e.of(c); s.Mean != 0 || s.P95 != 0 || s.Waited != 0 || s.Left != 0 || s.Without != e.Wait {
			t.Errorf("%v: %+v of %+v", c, s, e.Wait)
		}
	}
	calm := busy(t)
	calm.Faults = nil
	if s := explainOne(t, calm, here).of(Outages); s.Mean != 0 || s.P95 != 0 || s.Waited != 0 {
		t.Errorf("no outage, but %+v", s)
	}
}

func TestAnExplanationDependsNeitherOnItsCompanyNorOnTheWorkers(t *testing.T) {
	n, s := people(t), busy(t, "adoption.keen=0%")
	s.Faults = nil
	a, b := centre(t, n, here), centre(t, n, there)
	ask := func(workers int, centres ...int) []Explanation {
		e, err := Explain(t.Context(), s, n, centres, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	both, turned, alone := ask(3, a, b), ask(1, b, a), ask(2, b)
	if !reflect.DeepEqual(both[0], turned[1]) || !reflect.DeepEqual(both[1], turned[0]) || !reflect.DeepEqual(alone[0], both[1]) {
		t.Errorf("%+v\n%+v\n%+v", both, turned, alone)
	}
}

func TestAPlantedCauseRanksFirst(t *testing.T) {
	for _, c := range []struct {
		cause    Cause
		settings []string
	}{
		{OpeningSpike, []string{"adoption.keen=90%", "adoption.keen_decay=6h", "centres.other_business=0.001/day"}},
		{OtherBusiness, []string{"adoption.keen=0%", "adoption.level=2%", "centres.other_business=0.012/day"}},
	} {
		s := busy(t, c.settings...)
		s.Faults, s.Face.Threshold = nil, anyFace
		e := explainOne(t, s, here)
		if e.Shares[0].Cause != c.cause || e.Shares[0].Waited <= 0 {
			t.Errorf("%v was planted: %+v", c.cause, e)
		}
	}
}

// Visitors who take no time among much other business see what Erlang C says. What
// they wait is due to it alone, and without it nobody waits.
func TestVisitorsAmongOtherBusinessWaitByErlangC(t *testing.T) {
	const counters, offered = 3, 2.4
	n := people(t)
	residents := float64(n.Centres[centre(t, n, there)].Adults())
	s := load(t, "../selftest/erlang-c-3.yaml", "end=2025-03-15", "adoption.level=100%", "adoption.keen=0%", "adoption.innovation=0.1/day",
		`population.centres=["`+there+`"]`, fmt.Sprintf(`centres.counters={"%s": %d}`, there, counters),
		fmt.Sprintf("centres.other_business=%.6f/day", offered*43200/residents), // of two seconds each
		"centres.visit_delay=1h", "centres.own_centre=100%", "centres.issue_service.law=fixed", "centres.issue_service.mean=1ms",
		"centres.card_service.law=fixed", "centres.card_service.mean=1ms", "centres.pickup_service.law=fixed", "centres.pickup_service.mean=1ms",
		"channels.wrong_centre=0%", "channels.early_attempt=0%", "phones.nfc=0%")
	s.Face.Threshold = anyFace
	e := explainOne(t, s, there)
	b := 1.0
	for k := 1.0; k <= counters; k++ { // Erlang B
		b = offered * b / (k + offered*b)
	}
	wait := b / (1 - offered/counters*(1-b)) / (counters - offered) * 2000
	other := e.of(OtherBusiness)
	t.Logf("%d visitors, mean %d ms, by Erlang C %.0f ms; other business %d ms", e.Wait.Served, e.Wait.Mean, wait, other.Mean)
	if e.Wait.Served < 8000 || math.Abs(float64(other.Mean)/wait-1) > 0.06 {
		t.Errorf("other business makes %d visitors wait %d ms, by Erlang C %.0f ms", e.Wait.Served, other.Mean, wait)
	}
	if e.Rest.Mean != 0 || other.Mean != e.Wait.Mean || e.Rest.Waited > 0 {
		t.Errorf("without it they still wait: %+v", e.Rest)
	}
}

func TestACentreThatIsNotSimulatedIsRefused(t *testing.T) {
	n := people(t)
	if _, err := Explain(t.Context(), busy(t), n, []int{0}, Options{}); !errors.Is(err, ErrNotSimulated) {
		t.Error(err)
	}
}

// Games whose value is known.
func TestShapleyValuesOfKnownGames(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		worth func(uint) int64
		want  []int64
	}{
		{"one left glove and two right ones, in sixths", 3, func(s uint) int64 {
			if s&1 == 1 && s > 1 {
				return 6
			}
			return 0
		}, []int64{4, 1, 1}},
		{"a runway for 12, 18 and 30", 3, func(s uint) int64 {
			return slices.Max([]int64{int64(s&1) * 12, int64(s>>1&1) * 18, int64(s>>2&1) * 30})
		}, []int64{4, 7, 19}},
		{"a game with a worth of nobody", 2, func(s uint) int64 { return 100 + 10*int64(bits.OnesCount(s)) }, []int64{10, 10}},
		{"a pair that shares an odd number", 2, func(s uint) int64 { return int64(s / 3) }, []int64{1, 0}},
		{"nobody", 0, func(uint) int64 { return 7 }, []int64{}},
	} {
		if got := Shapley(c.n, c.worth); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSharesSumAndNullPlayersHaveNoneInAnyGame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "players")
		null := uint(1) << rapid.IntRange(0, n-1).Draw(t, "who adds nothing")
		worth := make([]int64, 1<<n)
		for i := range worth {
			worth[i] = rapid.Int64Range(-1e12, 1e12).Draw(t, "worth")
		}
		game := func(s uint) int64 { return worth[s&^null] }
		shares := Shapley(n, game)
		sum := int64(0)
		for _, s := range shares {
			sum += s
		}
		if want := game(uint(1)<<n-1) - game(0); sum != want {
			t.Fatalf("%v sum to %d, not %d", shares, sum, want)
		}
		if s := shares[bits.TrailingZeros(null)]; s != 0 {
			t.Fatalf("who adds nothing has %d", s)
		}
	})
}
