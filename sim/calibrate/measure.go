package calibrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Operations by name, and the name that the capacity model has for each: "" if it has
// none.
const (
	IssueTap   = "issue by tap"
	IssueQR    = "issue by QR code"
	Present    = "present"
	FetchLists = "fetch status lists"
	Report     = "report loss"
	Release    = "release"
)

var modelled = map[string]string{IssueTap: "issue", IssueQR: "issue", Present: "verify", Report: "report", Release: "release"}

// Plan is what is measured, and for how long.
type Plan struct {
	Names  []string // of operations, as in Bench.Do
	Groups [][]int  // measured alone; those of a group take turns, as one needs what the other leaves
	Mix    []float64
	Ready  func(operation int) bool

	Alone    time.Duration // for each operation
	Slice    time.Duration
	Profiled time.Duration // for each group, once more
	Callers  []int
	Slices   int       // for each number of callers
	Rates    []float64 // of the highest throughput, offered
	Rate     time.Duration
	Checks   []float64 // the same, not used in fitting
	Check    time.Duration
	Spare    time.Duration // for measuring again what others disturbed
	Predict  int           // operations that a prediction lets happen
	Seed     uint64

	// Profile collects a CPU profile of the service for a time, and says which share of
	// it fell to which node; nil: there is none.
	Profile func(context.Context, time.Duration) (shares map[string]float64, samples int, err error)
	// Step hears what is done next and which share of the time has passed; nil: nobody.
	Step func(what string, done float64)
}

// Length is about how long the plan takes.
func (p *Plan) Length() time.Duration {
	d := 2*p.Slice + time.Duration(len(p.Names))*p.Alone + time.Duration(len(p.Callers)*p.Slices)*p.Slice
	if p.Profile != nil {
		d += time.Duration(len(p.Groups)) * p.Profiled
	}
	return d + time.Duration(len(p.Rates))*p.Rate + time.Duration(len(p.Checks))*p.Check
}

// session is a measurement on its way.
type session struct {
	b      Bench
	p      Plan
	random *rand.Rand
	passed time.Duration
	spare  time.Duration // for measuring again what others disturbed: each step has its part, and what is left
	slices int           // measured
	busy   int           // of those that were used, disturbed

	alone  []Sample // by operation, all slices together
	light  []Interval
	lightG []Interval // of the generator
	quiet  []*Sample  // of which they are the intervals

	longest float64   // time without an answer that is no pause yet
	lengths []float64 // of pauses
	ways    [][]Way   // of operations

	shares []map[string]float64
	counts []int // samples of the profile
	out    *Profile
}

// Measure measures by a plan and fills a profile's figures. Interrupted, it makes the
// best of what it has; the profile says what is missing. It is an error if no
// operation could be measured.
func Measure(ctx context.Context, b Bench, p Plan, out *Profile) error {
	s := &session{b: b, p: p, random: source(p.Seed, 99), out: out, alone: make([]Sample, len(p.Names)),
		shares: make([]map[string]float64, len(p.Names)), counts: make([]int, len(p.Names))}
	for k := range s.alone {
		s.alone[k] = newSample(len(p.Names))
	}
	stopped := func(err error) bool {
		if err != nil && ctx.Err() != nil {
			if out.Partial == "" {
				out.Partial = "interrupted"
			}
			return true
		}
		return false
	}
	if err := s.measureAlone(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted before every operation was measured alone: there is nothing to keep")
		}
		return err
	}
	err := s.measureTogether(ctx)
	if err != nil && !stopped(err) {
		return err
	}
	if err := s.fit(); err != nil {
		return err
	}
	if s.busy > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("Others took more than %.0f %% of a core in %d of %d slices that were used: measure on a machine that does nothing else.", 100*disturbed, s.busy, s.slices))
	}
	if out.Partial != "" {
		out.Partial += ": scaling and saturation are incomplete, no prediction was checked"
		return nil
	}
	if err := s.saturate(ctx); stopped(err) {
		out.Partial += ": saturation is incomplete, no prediction was checked"
		return nil
	} else if err != nil {
		return err
	}
	s.learn()
	if err := s.check(ctx); stopped(err) {
		out.Partial += fmt.Sprintf(": %d of %d predictions were checked", len(out.Checks), len(p.Checks))
		return nil
	} else if err != nil {
		return err
	}
	return nil
}

func (s *session) step(what string, d time.Duration) {
	if s.p.Step != nil {
		s.p.Step(what, float64(s.passed)/float64(s.p.Length()))
	}
	s.passed += d
	s.spare += time.Duration(float64(s.p.Spare) * float64(d) / float64(s.p.Length()))
}

// disturbed is the share of a core that others may take of a slice: where they take
// more it is measured again, as long as there is spare time for it.
const disturbed = 0.1

func (s *session) undisturbed(measure func() (*Sample, error)) (*Sample, error) {
	for {
		one, err := measure()
		if err != nil {
			return nil, err
		}
		s.slices++
		if one.Others <= disturbed*one.Seconds {
			return one, nil
		}
		if s.spare <= 0 {
			s.busy++
			return one, nil
		}
		s.spare -= time.Duration(one.Seconds * float64(time.Second))
	}
}

// only picks one operation until nobody is left who could do it.
func (s *session) only(k int) func() int {
	return func() int {
		if !s.p.Ready(k) {
			return -1
		}
		return k
	}
}

// mixed picks by shares, among what somebody can do.
func (s *session) mixed(shares []float64) func() int {
	pick := Mixed(shares, s.random)
	return func() int {
		k := pick()
		for range 50 {
			if s.p.Ready(k) {
				break
			}
			k = pick()
		}
		return k
	}
}

// measureAlone measures the service with nothing to do, and then each operation at one
// caller.
func (s *session) measureAlone(ctx context.Context) error {
	s.step("idle", 2*s.p.Slice)
	for range 4 {
		one, err := s.idle(ctx, s.p.Slice/2)
		if err != nil {
			return err
		}
		s.light = append(s.light, one.Interval("idle", one.Service))
		s.lightG = append(s.lightG, one.Interval("idle", one.Generator))
		s.quiet = append(s.quiet, one)
	}
	for _, group := range s.p.Groups {
		for _, k := range group { // everybody's first time is not the rule
			if _, err := s.b.Closed(ctx, 1, s.p.Slice/4, s.only(k)); err != nil {
				return err
			}
		}
		for _, k := range group {
			s.step(s.p.Names[k]+", alone", s.p.Alone)
		}
		// Too few of them tell nothing, however long they took.
		enough := func(spent []float64) bool {
			least := slices.Min(spent)
			for _, k := range group {
				if s.alone[k].Done[k] < few && least < 50*s.p.Alone.Seconds() {
					return false
				}
			}
			return least >= s.p.Alone.Seconds()
		}
		for spent := make([]float64, len(group)); !enough(spent); {
			for i, k := range group {
				one, err := s.undisturbed(func() (*Sample, error) { return s.b.Closed(ctx, 1, s.p.Slice, s.only(k)) })
				if err != nil {
					return err
				}
				spent[i] += one.Seconds
				if one.Total() == 0 {
					spent[i] += s.p.Slice.Seconds() / 100 // nobody was there: do not turn for ever
					continue
				}
				s.light = append(s.light, one.Interval(s.p.Names[k], one.Service))
				s.lightG = append(s.lightG, one.Interval(s.p.Names[k], one.Generator))
				s.alone[k].add(one)
				s.quiet = append(s.quiet, one)
			}
		}
		if s.p.Profile == nil {
			continue
		}
		s.step(s.p.Names[group[0]]+", profiled", s.p.Profiled)
		if err := s.profiled(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// idle lets nothing happen for a time.
func (s *session) idle(ctx context.Context, d time.Duration) (*Sample, error) {
	_, end := s.b.begin()
	if err := s.b.Until(ctx, s.b.Now().Add(d)); err != nil {
		return nil, err
	}
	return end()
}

// profiled lets the operations of a group happen while a CPU profile is taken: those
// of one group go the same way through the service.
func (s *session) profiled(ctx context.Context, group []int) error {
	type answer struct {
		shares  map[string]float64
		samples int
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		shares, n, err := s.p.Profile(ctx, s.p.Profiled)
		got <- answer{shares, n, err}
	}()
	for {
		for _, k := range group {
			if _, err := s.b.Closed(ctx, 1, s.p.Slice/4, s.only(k)); err != nil {
				return err
			}
		}
		select {
		case a := <-got:
			for _, k := range group {
				s.shares[k], s.counts[k] = a.shares, a.samples
			}
			return a.err
		default:
		}
	}
}

func (s *Sample) add(o *Sample) {
	s.Seconds += o.Seconds
	s.Service += o.Service
	s.Generator += o.Generator
	s.Others += o.Others
	s.Missed += o.Missed
	s.Flying = max(s.Flying, o.Flying)
	for k := range o.Done {
		s.Done[k] += o.Done[k]
		s.Traces[k] = append(s.Traces[k], o.Traces[k]...)
		s.Latency[k] = append(s.Latency[k], o.Latency[k]...)
	}
}

// measureTogether lets more and more callers mix operations.
func (s *session) measureTogether(ctx context.Context) error {
	var busy []float64
	for _, n := range s.p.Callers {
		s.step(fmt.Sprintf("mix, %d callers", n), time.Duration(s.p.Slices)*s.p.Slice)
		for range s.p.Slices {
			one, err := s.undisturbed(func() (*Sample, error) { return s.b.Closed(ctx, n, s.p.Slice, s.mixed(s.p.Mix)) })
			if err != nil {
				return err
			}
			s.out.Callers = append(s.out.Callers, Throughput{n, float64(one.Total()) / one.Seconds})
			busy = append(busy, one.Service/one.Seconds)
		}
	}
	slices.Sort(busy)
	if n := len(busy); n > 0 {
		s.out.Busy = Estimate{Quantile(busy, 0.95), Quantile(busy, 0.9), busy[n-1]}
	}
	return nil
}

// fit fits everything but what is predicted.
func (s *session) fit() error {
	n := len(s.p.Names)
	demands, generator := FitDemands(s.light, n, s.p.Seed), FitDemands(s.lightG, n, s.p.Seed)
	var traces [][]Trace
	for k := range s.alone {
		traces = append(traces, s.alone[k].Traces[k])
	}
	s.longest = Longest(traces)
	s.out.Fit = Quality{R2: demands.R2, Residual: demands.Residual, Background: demands.Background, Intervals: len(s.light)}
	for k, name := range s.p.Names {
		a := &s.alone[k]
		if a.Done[k] == 0 {
			return fmt.Errorf("%s was never done: nothing can be said of it", name)
		}
		o := Operation{Name: name, Count: a.Done[k], Processor: demands.PerOperation[k], Generator: generator.PerOperation[k], Nodes: s.shares[k], Samples: s.counts[k]}
		if o.Processor.Value < least { // what was done takes something: at most all that was used meanwhile
			all := max(least, a.Service/float64(a.Done[k]))
			o.Processor = Estimate{all, 0, all}
			s.out.Notes = append(s.out.Notes, fmt.Sprintf("What %s takes could not be told from what the service does by itself: all that was used while it was done is taken for it. Measure for longer, on a machine that does nothing else.", name))
		}
		ways, held := WaysOf(a.Traces[k], o.Processor.Value, o.Generator.Value, s.longest)
		s.ways = append(s.ways, ways)
		o.Held = heldWithin(a.Traces[k], held, o.Processor.Value, o.Generator.Value, s.p.Seed)
		var times []float64
		for i := range a.Traces[k] {
			times = append(times, a.Traces[k][i].took())
		}
		o.Alone = LatencyOf(times)
		laws, err := FitLaw(times, s.p.Seed)
		if err == nil {
			o.Laws = laws
		} else if !errors.Is(err, ErrFewTimes) {
			return err
		}
		s.out.Operations = append(s.out.Operations, o)
	}
	if len(s.out.Callers) > 0 {
		scaling, err := FitScaling(s.out.Callers, s.p.Seed)
		if err == nil {
			s.out.Scaling = &scaling
		} else if !errors.Is(err, ErrFewPoints) {
			return err
		}
	}
	s.apply()
	return nil
}

// heldWithin resamples the time in which nobody worked.
func heldWithin(traces []Trace, held, service, generator float64, seed uint64) Estimate {
	random := source(seed, forDemands)
	var again []float64
	for range resamples {
		sum := 0.0
		for range traces {
			sum += traces[random.IntN(len(traces))].took()
		}
		again = append(again, max(0, sum/float64(len(traces))-service-generator))
	}
	return between(held, again)
}

// least is the smallest demand that the capacity model can have.
const least = 1e-6

// apply makes of what was measured what the capacity model is given: processor time by
// node, and at the register the time until a commit is durable. Two ways to issue are
// one operation there: their mean.
func (s *session) apply() {
	s.out.Demands = map[string]map[string]Estimate{}
	count := map[string]float64{}
	for _, o := range s.out.Operations {
		if m := modelled[o.Name]; m != "" {
			count[m]++
		}
	}
	for _, o := range s.out.Operations {
		m := modelled[o.Name]
		if m == "" {
			continue
		}
		if s.out.Demands[m] == nil {
			s.out.Demands[m] = map[string]Estimate{}
		}
		for _, node := range nodes {
			if node == "face" || node == StatusNode || node == "signing" && m != "issue" {
				continue // the emulated cameras give templates: no recognition model ran
			}
			share := o.Nodes[node]
			if node == "gateway" { // and all that no other node has
				share = 1
				for _, n := range nodes[1:] {
					if _, has := s.out.Demands[m][n]; has || n == "register" || n == "signing" && m == "issue" {
						share -= o.Nodes[n]
					}
				}
				// What none of n samples met is not nothing: rule of succession.
				share = max(share, 1/float64(o.Samples+2))
			}
			e := Estimate{o.Processor.Value * share, o.Processor.Low * share, o.Processor.High * share}
			if node == "register" {
				e = Estimate{e.Value + o.Held.Value, e.Low + o.Held.Low, e.High + o.Held.High}
			}
			was := s.out.Demands[m][node]
			add := func(a, b float64) float64 { return a + b/count[m] }
			s.out.Demands[m][node] = Estimate{add(was.Value, e.Value), add(was.Low, e.Low), add(was.High, e.High)}
		}
	}
	for _, by := range s.out.Demands {
		for node, e := range by {
			if e.Value < least {
				delete(by, node)
				continue
			}
			e.Low = max(e.Low, least)
			by[node] = e
		}
	}
	s.out.Servers = map[string]int{}
	for _, node := range []string{"gateway", "register", "signing"} {
		s.out.Servers[node] = max(1, s.out.Machine.ServiceCores)
	}
	s.out.Unmeasured = map[string]string{
		"demands.face.face":     "the emulated cameras give templates, so that no recognition model ran",
		"demands.register-card": "plastic cards are entered, not printed",
		"nodes.status":          "the capacity model gives it no demand; the fetch of lists is among the operations",
	}
}

// StatusNode is the name of the node that gives out status lists.
const StatusNode = "status"

// saturate offers more and more until the service can do no more.
func (s *session) saturate(ctx context.Context) error {
	top := s.out.Top()
	for _, share := range s.p.Rates {
		s.step(fmt.Sprintf("open, %.0f %% of the highest throughput", 100*share), s.p.Rate)
		one, _, err := s.offer(ctx, top*share, s.p.Rate)
		if err != nil {
			return err
		}
		s.out.Saturation = append(s.out.Saturation, s.offered(top*share, &one))
		if float64(one.Missed) > 0.05*float64(one.Total()+one.Missed) {
			s.out.Notes = append(s.out.Notes, fmt.Sprintf("at %.0f operations a second %d were left out, as no citizen was free: it is beyond saturation", top*share, one.Missed))
			break
		}
	}
	return nil
}

// A load is measured in pieces: between them all is quiet once, the generator rests,
// and what others disturbed is measured again. There are some at least, so that they
// tell how far chance goes.
const (
	piece  = 2500 * time.Millisecond
	pieces = 5
)

// offer offers the mix at a rate for a time, in pieces.
func (s *session) offer(ctx context.Context, perSecond float64, d time.Duration) (all Sample, parts []*Sample, err error) {
	all = newSample(len(s.p.Names))
	for n := max(pieces, int((d+piece/2)/piece)); len(parts) < n; {
		one, err := s.undisturbed(func() (*Sample, error) {
			return s.b.Open(ctx, perSecond, d/time.Duration(n), s.mixed(s.p.Mix), s.random)
		})
		if err != nil {
			return all, nil, err
		}
		all.add(one)
		parts = append(parts, one)
	}
	return all, parts, nil
}

// compare puts a prediction beside what was measured in parts.
func (s *session) compare(predicted Latency, parts []*Sample, times func(*Sample) []float64) Compared {
	c := Compared{Predicted: predicted}
	var all [][]float64
	for _, p := range parts {
		all = append(all, times(p))
		c.Count += len(times(p))
	}
	c.Measured, c.Low, c.High = quantilesWithin(all, s.p.Seed)
	return c
}

// quantilesWithin are quantiles of times in pieces, and the interval of each: what
// comes of drawing pieces again.
func quantilesWithin(pieces [][]float64, seed uint64) (at, low, high Latency) {
	at = LatencyOf(slices.Concat(pieces...))
	random := source(seed, forChecks)
	var p50, p95, p99 []float64
	drawn := make([][]float64, len(pieces))
	for range resamples / 4 { // each sorts all times
		for i := range drawn {
			drawn[i] = pieces[random.IntN(len(pieces))]
		}
		l := LatencyOf(slices.Concat(drawn...))
		p50, p95, p99 = append(p50, l.P50), append(p95, l.P95), append(p99, l.P99)
	}
	a, b, c := between(at.P50, p50), between(at.P95, p95), between(at.P99, p99)
	return at, Latency{a.Low, b.Low, c.Low}, Latency{a.High, b.High, c.High}
}

func (s *session) offered(rate float64, one *Sample) Offered {
	o := Offered{PerSecond: rate, Seconds: one.Seconds, Done: float64(one.Total()) / one.Seconds, ServiceBusy: one.Service / one.Seconds,
		GeneratorBusy: one.Generator / one.Seconds, OthersBusy: one.Others / one.Seconds, Pauses: Paused(one, s.longest), Latency: LatencyOf(one.Times())}
	for k, n := range one.Done {
		o.work += float64(n) * s.out.Operations[k].Processor.Value / one.Seconds
		o.ours += float64(n) * s.out.Operations[k].Generator.Value / one.Seconds
	}
	return o
}

// learn takes from the rates what predictions are made of: how often the service
// pauses, and for how long; and then how much of its processor time an operation takes
// besides. Nothing is taken from latencies; how well these come out is said.
func (s *session) learn() {
	// What the service did not hold lasted as long as the measurement. A rate that others
	// disturbed counts: without it a check would lie beyond those that are left.
	use := slices.DeleteFunc(slices.Clone(s.out.Saturation), func(o Offered) bool { return o.Done <= 0.95*o.PerSecond })
	m := &Model{Longest: s.longest}
	s.out.Model = m
	var rows []Interval
	for _, o := range use {
		rows = append(rows, Interval{Seconds: o.Seconds, Done: []float64{o.Done * o.Seconds}, Used: float64(len(o.Pauses))})
		s.lengths = append(s.lengths, o.Pauses...)
	}
	often := leastSquares(rows, 1)
	m.PausesPerOperation, m.PausesPerSecond = often[0], often[1]
	for _, d := range s.lengths {
		m.PauseMean += d / float64(len(s.lengths))
	}
	m.PauseWorks = s.pauseWorks()
	for _, o := range use {
		service := o.ServiceBusy - s.out.Fit.Background.Value - m.PauseWorks.Value*sum(o.Pauses)/o.Seconds
		if service > 0 && o.work > 0 && o.ours > 0 {
			m.Paces = append(m.Paces, Pace{PerSecond: o.Done, Service: service / o.work, Generator: o.GeneratorBusy / o.ours})
		}
	}
	slices.SortFunc(m.Paces, func(a, b Pace) int { return cmp.Compare(a.PerSecond, b.PerSecond) })
	var left, points float64
	for _, o := range use {
		callers, service := s.network(o.Done)
		_, all := Predict(s.ways, Load{o.Done, s.p.Mix}, callers, service, s.p.Predict/4, s.p.Seed)
		for _, q := range [][2]float64{{all.P50, o.Latency.P50}, {all.P95, o.Latency.P95}, {all.P99, o.Latency.P99}} {
			if q[0] > 0 && q[1] > 0 {
				left += math.Pow(math.Log(q[0]/q[1]), 2)
				points++
			}
		}
	}
	if points > 0 {
		m.Error = math.Sqrt(left / points)
	}
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// pauseWorks is the share of a pause in which the processor works: on a disk the service
// may wait. A regression like that of the demands, with pauses as one more operation.
func (s *session) pauseWorks() Estimate {
	n := len(s.p.Names)
	var rows []Interval
	for i, r := range s.light {
		r.Done = append(slices.Clone(r.Done), sum(Paused(s.quiet[i], s.longest)))
		rows = append(rows, r)
	}
	e := FitDemands(rows, n+1, s.p.Seed).PerOperation[n]
	return Estimate{min(e.Value, 1), min(e.Low, 1), min(e.High, 1)}
}

// network is what a load is predicted with.
func (s *session) network(perSecond float64) (callers, service Station) {
	m := s.out.Model
	p := m.at(perSecond)
	return Station{Servers: max(1, s.out.Machine.GeneratorCores), Pace: p.Generator},
		Station{Servers: max(1, s.out.Machine.ServiceCores), Background: s.out.Fit.Background.Value, Pace: p.Service,
			Pauses: Pauses{PerSecond: m.pauses(perSecond), Lengths: s.lengths}}
}

// check predicts loads, measures them, and keeps both.
func (s *session) check(ctx context.Context) error {
	each := 0.0
	for k, o := range s.out.Operations {
		each += s.p.Mix[k] * o.Processor.Value
	}
	top, m := s.out.Top(), s.out.Model
	for _, share := range s.p.Checks {
		load := Load{PerSecond: top * share, Shares: s.p.Mix}
		callers, service := s.network(load.PerSecond)
		by, all := Predict(s.ways, load, callers, service, s.p.Predict, s.p.Seed)
		busy := service.Background + load.PerSecond*each*service.Pace + m.pauses(load.PerSecond)*m.PauseMean*m.PauseWorks.Value

		s.step(fmt.Sprintf("prediction at %.0f %%", 100*share), s.p.Check)
		one, parts, err := s.offer(ctx, load.PerSecond, s.p.Check)
		if err != nil {
			return err
		}
		c := Check{Offered: s.offered(load.PerSecond, &one), PredictedBusy: busy, Count: one.Total(),
			All: s.compare(all, parts, (*Sample).Times), Operations: map[string]Compared{}, DoneBy: map[string]int{}}
		for k, name := range s.p.Names {
			c.DoneBy[name] = one.Done[k]
			if len(one.Latency[k]) < few {
				continue
			}
			c.Operations[name] = s.compare(by[k], parts, func(p *Sample) []float64 { return p.Latency[k] })
		}
		s.out.Checks = append(s.out.Checks, c)
	}
	return nil
}

// few is how many measurements at least a quantile is taken of.
const few = 20
