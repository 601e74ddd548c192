// Package attribution says why people queued at a centre: it shares out the wait
// among its causes.
//
// The measure is the Shapley value (L. S. Shapley, A value for n-person games, 1953),
// as it is used for the outputs of simulations (A. B. Owen and C. Prieur, On Shapley
// value for measuring importance of dependent inputs, 2017). The players are the
// causes, the worth of a set of them is the wait in a run in which they alone are
// present, and a cause's share is what it adds, averaged over every order in which
// causes may come. It is the only rule under which the shares sum to the wait, a
// cause that changes nothing has none, causes that do the same have the same, and
// the shares of a sum are the sums of the shares.
//
// Nothing is sampled. All 2^k sets are run, with the same random numbers, so that two
// runs differ by what was taken out alone. A municipality is a world of its own but
// for the national service and for visits elsewhere once any centre serves anybody;
// so only the centre's municipality is run, and the rest of the nation is the load on
// the service that a run of some regions has, too. What is shared out is therefore
// the wait of that run, which may lie off that of the whole nation.
package attribution

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// Cause is one reason for queues that can be taken out of a scenario.
type Cause int

// The causes. What is left without them is the rest: the wait of first visits, spread
// by ordinary diffusion, before the counters that there are.
const (
	OtherBusiness Cause = iota // everything else that people come for
	FaceFailures               // faces that are not matched, with the new photos that follow
	SecondVisits               // those not served, or sent away, who come again
	Outages                    // the scenario's faults
	OpeningSpike               // the keen, who come in the days after the opening
	NumCauses     = iota
)

// causes is how each is taken out, and how one sees that it is not there.
var causes = [NumCauses]struct {
	name   string
	absent func(*scenarios.Scenario) bool
	remove func(*scenarios.Scenario)
}{
	OtherBusiness: {"other_business",
		func(s *scenarios.Scenario) bool { return s.Centres.OtherBusiness == 0 },
		func(s *scenarios.Scenario) { s.Centres.OtherBusiness = 0 }},
	FaceFailures: {"face_failures",
		func(s *scenarios.Scenario) bool { return s.Face.Threshold <= anyFace },
		func(s *scenarios.Scenario) { s.Face.Threshold = anyFace }},
	SecondVisits: {"second_visits",
		func(s *scenarios.Scenario) bool { return s.Centres.NoReturn },
		func(s *scenarios.Scenario) { s.Centres.NoReturn = true }},
	Outages: {"outages",
		func(s *scenarios.Scenario) bool { return len(s.Faults) == 0 },
		func(s *scenarios.Scenario) { s.Faults = nil }},
	OpeningSpike: {"opening_spike",
		func(s *scenarios.Scenario) bool { return s.Adoption.Keen == 0 },
		func(s *scenarios.Scenario) { s.Adoption.Keen = 0 }},
}

// anyFace is a threshold that every score reaches: scores are cosines.
const anyFace = -1

func (c Cause) String() string { return causes[c].name }

// Wait is how a centre's queue did. Who waits: everybody. Whose mean and percentile:
// visitors, who come for a mobile card, a plastic card or a loss.
type Wait struct {
	Waited int64 // ms in the queue, summed over everybody, other business included
	Mean   int64 // ms: arrival to counter of the visitors who were served
	P95    int64 // ms: the same, upper end of the bucket in which the 95th percentile lies
	Left   int64 // visitors who were not served: too long a queue, too long a wait, closing time
	Served int64 // visitors; not shared out
}

// Share is what one cause has to do with a wait; it can be negative.
type Share struct {
	Cause                   Cause
	Waited, Mean, P95, Left int64 // of those of the wait
	Without                 Wait  // the wait if this cause alone were taken out
}

// Explanation is a centre's wait and what it consists of: Waited, Mean, P95 and Left of
// the rest and of the shares each sum to that of the wait, to the millisecond.
type Explanation struct {
	Centre int     // of the nation
	Wait   Wait    // all causes present
	Rest   Wait    // all taken out
	Shares []Share // of every cause, the largest of Waited first
}

// Options are what an explanation may choose; it depends on none of them.
type Options struct {
	Workers  int                   // runs at a time
	Progress func(done, total int) // of the runs; may be nil
}

// ErrNotSimulated says that nobody lives at a centre in the scenario.
var ErrNotSimulated = errors.New("the scenario does not simulate the centre")

// Explain shares out the waits of some centres of a scenario, in the order asked for.
func Explain(ctx context.Context, s *scenarios.Scenario, n *scenarios.Nation, centres []int, o Options) ([]Explanation, error) {
	m, err := rollout.New(s, n)
	if err != nil {
		return nil, err
	}
	var live []Cause
	for c := range Cause(NumCauses) {
		if !causes[c].absent(s) {
			live = append(live, c)
		}
	}
	var towns []int
	for _, c := range centres {
		if m.Residents(c) == 0 {
			return nil, fmt.Errorf("%w %s", ErrNotSimulated, n.Centres[c].Code)
		}
		if i := n.Centres[c].Municipality; !slices.Contains(towns, i) {
			towns = append(towns, i)
		}
	}
	worth, err := play(ctx, s, n, m, towns, live, o)
	if err != nil {
		return nil, err
	}
	var out []Explanation
	for _, c := range centres {
		i := n.Centres[c].Municipality
		out = append(out, explain(c, live, func(present uint) Wait { return worth[slices.Index(towns, i)][present][c-n.Municipalities[i].First] }))
	}
	return out, nil
}

// play runs each municipality with every set of the live causes present: the waits of
// its centres by municipality and set.
func play(ctx context.Context, s *scenarios.Scenario, n *scenarios.Nation, m *rollout.Model, towns []int, live []Cause, o Options) ([][][]Wait, error) {
	sets := 1 << len(live)
	worth := make([][][]Wait, len(towns))
	for t := range worth {
		worth[t] = make([][]Wait, sets)
	}
	jobs := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	var broken any // a run's panic is the caller's
	done := 0
	for range max(1, min(o.Workers, len(towns)*sets)) {
		wg.Go(func() {
			for job := range jobs {
				town, set := job/sets, job%sets
				waits, panicked, err := run(ctx, only(s, n, m, towns[town], live, uint(set)), n, towns[town])
				mu.Lock()
				worth[town][set] = waits
				if failed == nil {
					failed = err
				}
				if panicked != nil {
					broken = panicked
				}
				if done++; o.Progress != nil {
					o.Progress(done, len(towns)*sets)
				}
				mu.Unlock()
			}
		})
	}
	for job := range len(towns) * sets {
		jobs <- job
	}
	close(jobs)
	wg.Wait()
	if broken != nil {
		panic(broken)
	}
	return worth, failed
}

// only is the scenario for one municipality with a set of the live causes present.
func only(s *scenarios.Scenario, n *scenarios.Nation, m *rollout.Model, town int, live []Cause, present uint) *scenarios.Scenario {
	x := *s
	x.Panel.Citizens = 0
	mu := &n.Municipalities[town]
	x.Population = scenarios.Population{}
	for c := mu.First; c < mu.End; c++ {
		if m.Residents(c) > 0 {
			x.Population.Centres = append(x.Population.Centres, n.Centres[c].Code)
		}
	}
	for i, c := range live {
		if present>>i&1 == 0 {
			causes[c].remove(&x)
		}
	}
	return &x
}

// run is the waits of a municipality's centres.
func run(ctx context.Context, s *scenarios.Scenario, n *scenarios.Nation, town int) (waits []Wait, panicked any, err error) {
	defer func() { panicked = recover() }()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	o, err := nation.Run(ctx, s, n, rollout.Options{Workers: 1})
	if err != nil {
		return nil, nil, err
	}
	if !o.Complete {
		return nil, nil, ctx.Err()
	}
	for i := range o.Tallies[town].ByCentre {
		t := &o.Tallies[town].ByCentre[i]
		w := Wait{Served: t.Visits, Left: t.Left, Waited: t.Queue, P95: max(0, t.Wait.Quantile(0.95))}
		if w.Served > 0 {
			w.Mean = (2*t.Wait.Sum + w.Served) / (2 * w.Served)
		}
		waits = append(waits, w)
	}
	return waits, nil, nil
}

// explain is the game of one centre: worth by the set of live causes that are present.
func explain(centre int, live []Cause, worth func(uint) Wait) Explanation {
	all := uint(1)<<len(live) - 1
	e := Explanation{Centre: centre, Wait: worth(all), Rest: worth(0)}
	shares := make([]Share, NumCauses)
	for c := range shares {
		shares[c] = Share{Cause: Cause(c), Without: e.Wait}
	}
	for _, measure := range []struct {
		of func(*Wait) int64
		to func(*Share) *int64
	}{
		{func(w *Wait) int64 { return w.Mean }, func(s *Share) *int64 { return &s.Mean }},
		{func(w *Wait) int64 { return w.P95 }, func(s *Share) *int64 { return &s.P95 }},
		{func(w *Wait) int64 { return w.Left }, func(s *Share) *int64 { return &s.Left }},
		{func(w *Wait) int64 { return w.Waited }, func(s *Share) *int64 { return &s.Waited }},
	} {
		for i, share := range Shapley(len(live), func(present uint) int64 { w := worth(present); return measure.of(&w) }) {
			*measure.to(&shares[live[i]]) = share
		}
	}
	for i, c := range live {
		shares[c].Without = worth(all &^ (1 << i))
	}
	slices.SortStableFunc(shares, func(a, b Share) int { return cmp.Compare(b.Waited, a.Waited) })
	e.Shares = shares
	return e
}

// MaxPlayers bounds the players of a game: their factorial times a worth has to fit.
const MaxPlayers = 8

// Shapley is the Shapley value of a game of n players, rounded so that the shares sum
// to worth(all) − worth(none) exactly. worth is asked for by set, player i at bit i.
func Shapley(n int, worth func(present uint) int64) []int64 {
	if n > MaxPlayers {
		panic(fmt.Sprintf("attribution: %d players are too many", n))
	}
	factorial := make([]int64, n+1)
	factorial[0] = 1
	for i := 1; i <= n; i++ {
		factorial[i] = factorial[i-1] * int64(i)
	}
	// n! times the shares, of which the sum is divisible by n!.
	shares := make([]int64, n)
	for set := range uint(1) << n {
		size := bits.OnesCount(set)
		for i := range n {
			if set>>i&1 == 0 {
				shares[i] += factorial[size] * factorial[n-size-1] * (worth(set|1<<i) - worth(set))
			}
		}
	}
	return apportion(shares, factorial[n])
}

// apportion divides by d, of which the parts' sum is a multiple: each part is rounded
// down, and what is missing goes to those with the largest remainders, the first of
// equals first.
func apportion(parts []int64, d int64) []int64 {
	out, rest := make([]int64, len(parts)), make([]int64, len(parts))
	order := make([]int, len(parts))
	missing := int64(0)
	for i, p := range parts {
		order[i] = i
		out[i], rest[i] = p/d, p%d
		if rest[i] < 0 {
			out[i], rest[i] = out[i]-1, rest[i]+d
		}
		missing += rest[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rest[b], rest[a]) })
	for _, i := range order[:missing/d] {
		out[i]++
	}
	return out
}
