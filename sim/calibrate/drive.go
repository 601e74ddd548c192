package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Bench is the clock by which operations happen, and what they use.
type Bench struct {
	Now func() time.Time
	// Until waits for a moment, as exactly as the system can.
	Until func(context.Context, time.Time) error
	// Processor time used so far by the service, and by who makes the load.
	Service, Generator func() time.Duration
	// Machine is the processor time that all of the machine has used; nil: not known.
	Machine func() time.Duration
	// Rest puts in order what would disturb a stretch of load, before it begins: the
	// generator collects its garbage. nil: there is nothing.
	Rest func()
	// Do does an operation: what came of it is in the trace. ErrNobody says that
	// nobody is free to do it.
	Do []func(context.Context) (Trace, error)
}

// ErrNobody: more operations at once than there is anybody to do them.
var ErrNobody = errors.New("there are not enough citizens for so many operations at once")

// Trace is what one operation looked like to its caller.
type Trace struct {
	From, To time.Time
	Requests []Span // one after the other
}

// Span is a request: from its first byte to the last of its answer.
type Span struct{ From, To time.Time }

func (s Span) took() float64 { return s.To.Sub(s.From).Seconds() }

func (t *Trace) took() float64 { return t.To.Sub(t.From).Seconds() }

// asked is how long requests of it were under way.
func (t *Trace) asked() (seconds float64) {
	for _, q := range t.Requests {
		seconds += q.took()
	}
	return seconds
}

// Sample is what was seen of a stretch of load. It began and ended with nothing under
// way.
type Sample struct {
	Seconds            float64
	Done               []int
	Service, Generator float64 // processor time used, seconds
	Others             float64 // the same of everybody else on the machine
	Traces             [][]Trace
	Latency            [][]float64 // by operation, from its intended beginning, seconds
	Missed             int         // had to be left out, for nobody was free
	Flying             int         // at once at most
}

func newSample(operations int) Sample {
	return Sample{Done: make([]int, operations), Traces: make([][]Trace, operations), Latency: make([][]float64, operations)}
}

// Times are latencies of all operations together.
func (s *Sample) Times() []float64 { return slices.Concat(s.Latency...) }

// Total is how many operations were done.
func (s *Sample) Total() (n int) {
	for _, d := range s.Done {
		n += d
	}
	return n
}

// Interval is the sample as the regression of one resource's demands sees it.
func (s *Sample) Interval(group string, used float64) Interval {
	i := Interval{Group: group, Seconds: s.Seconds, Used: used}
	for _, n := range s.Done {
		i.Done = append(i.Done, float64(n))
	}
	return i
}

// gather collects a sample of operations that run at the same time.
type gather struct {
	mu     sync.Mutex
	s      Sample
	err    error
	flying int
}

func (b *Bench) begin() (*gather, func() (*Sample, error)) {
	if b.Rest != nil {
		b.Rest()
	}
	n := len(b.Do)
	g := &gather{s: newSample(n)}
	machine := b.Machine
	if machine == nil {
		machine = func() time.Duration { return 0 }
	}
	all, service, generator, at := machine(), b.Service(), b.Generator(), b.Now()
	return g, func() (*Sample, error) {
		g.s.Seconds = b.Now().Sub(at).Seconds()
		g.s.Service, g.s.Generator = (b.Service() - service).Seconds(), (b.Generator() - generator).Seconds()
		g.s.Others = max(0, (machine()-all).Seconds()-g.s.Service-g.s.Generator)
		return &g.s, g.err
	}
}

func (g *gather) up() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying++
	g.s.Flying = max(g.s.Flying, g.flying)
}

// done keeps an operation that was meant to begin at a moment; false: it is over.
func (g *gather) done(k int, meant time.Time, t Trace, err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
	switch {
	case errors.Is(err, ErrNobody):
		g.s.Missed++
		return true
	case err != nil:
		if g.err == nil {
			g.err = err
		}
		return false
	}
	g.s.Done[k]++
	g.s.Traces[k] = append(g.s.Traces[k], t)
	g.s.Latency[k] = append(g.s.Latency[k], t.To.Sub(meant).Seconds())
	return g.err == nil
}

// Closed lets so many callers ask again and again for a time, each at once when it is
// answered; pick says which operation is next, below zero that there is none.
func (b *Bench) Closed(ctx context.Context, callers int, d time.Duration, pick func() int) (*Sample, error) {
	g, end := b.begin()
	until := b.Now().Add(d)
	var picking sync.Mutex
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for b.Now().Before(until) && ctx.Err() == nil {
				picking.Lock()
				k := pick()
				picking.Unlock()
				if k < 0 {
					return
				}
				g.up()
				meant := b.Now()
				t, err := b.Do[k](ctx)
				if !g.done(k, meant, t, err) {
					return
				}
			}
		})
	}
	wg.Wait()
	s, err := end()
	return s, errors.Join(err, ctx.Err())
}

// Open lets operations begin by chance, so many a second whatever comes of them, for
// a time, and waits for all. Their latency counts from the moment at which they were
// to begin.
func (b *Bench) Open(ctx context.Context, perSecond float64, d time.Duration, pick func() int, random *rand.Rand) (*Sample, error) {
	if !(perSecond > 0) {
		return nil, fmt.Errorf("a load of %v operations a second is none", perSecond)
	}
	g, end := b.begin()
	at := b.Now()
	until := at.Add(d)
	var wg sync.WaitGroup
	for {
		at = at.Add(time.Duration(random.ExpFloat64() / perSecond * float64(time.Second)))
		if at.After(until) {
			break
		}
		k := pick()
		if b.Until(ctx, at) != nil {
			break
		}
		meant := at
		g.up()
		wg.Go(func() {
			t, err := b.Do[k](ctx)
			g.done(k, meant, t, err)
		})
	}
	wg.Wait()
	s, err := end()
	return s, errors.Join(err, ctx.Err())
}

// Mixed picks operations by their shares.
func Mixed(shares []float64, random *rand.Rand) func() int {
	return func() int {
		at := random.Float64()
		for k, s := range shares {
			if at -= s; at < 0 {
				return k
			}
		}
		return slices.IndexFunc(shares, func(s float64) bool { return s > 0 })
	}
}
