package calibrate

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// emulated is a service in virtual time with one processor: whoever comes waits for
// it, first come, first served.
type emulated struct {
	line           chan struct{} // a place at the processor
	mu             sync.Mutex
	service, calls time.Duration
	demands        []time.Duration
	random         *rand.Rand
}

const think = 300 * time.Microsecond // of the generator, for each operation

func (e *emulated) do(k int) func(context.Context) (Trace, error) {
	return func(ctx context.Context) (t Trace, err error) {
		t.From = time.Now()
		time.Sleep(think)
		from := time.Now()
		e.line <- struct{}{}
		d := time.Duration(float64(e.demands[k]) * (0.5 + e.random.Float64()))
		time.Sleep(d)
		<-e.line
		t.Requests = []Span{{from, time.Now()}}
		t.To = time.Now()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.service += d
		e.calls += think
		return t, ctx.Err()
	}
}

func (e *emulated) bench() Bench {
	read := func(d *time.Duration) func() time.Duration {
		return func() time.Duration { e.mu.Lock(); defer e.mu.Unlock(); return *d }
	}
	b := Bench{Now: time.Now, Until: func(ctx context.Context, at time.Time) error {
		select {
		case <-time.After(time.Until(at)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, Service: read(&e.service), Generator: read(&e.calls)}
	for k := range e.demands {
		b.Do = append(b.Do, e.do(k))
	}
	return b
}

func emulatedPlan() Plan {
	return Plan{Names: []string{Present, Report}, Groups: [][]int{{0}, {1}}, Mix: []float64{0.7, 0.3},
		Ready: func(int) bool { return true }, Alone: 5 * time.Second, Slice: time.Second, Profiled: time.Second, Callers: []int{1, 2, 4, 8, 16}, Slices: 3,
		Rates: []float64{0.2, 0.4, 0.6, 0.8}, Rate: 20 * time.Second, Checks: []float64{0.3, 0.5, 0.7}, Check: 10 * time.Second, Predict: 4_000, Seed: 1,
		Profile: func(context.Context, time.Duration) (map[string]float64, int, error) {
			return map[string]float64{"gateway": 0.6, "register": 0.4}, 100, nil
		}}
}

func newEmulated() *emulated {
	return &emulated{line: make(chan struct{}, 1), demands: []time.Duration{2 * time.Millisecond, 800 * time.Microsecond}, random: rand.New(rand.NewPCG(5, 5))}
}

func TestAServiceWhoseDemandsAreKnownIsMeasuredAndItsLatencyPredicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEmulated()
		out := &Profile{Schema: Schema, Date: "2026-01-31T09:00:00Z", Version: "1", Machine: Machine{CPU: "emulated", Cores: 2, ServiceCores: 1, GeneratorCores: 64}}
		p := emulatedPlan()
		p.Predict, p.Check = 30_000, 60*time.Second // so that chance is small beside the tolerance
		if err := Measure(t.Context(), e.bench(), p, out); err != nil {
			t.Fatal(err)
		}
		for k, o := range out.Operations {
			if off := Off(o.Processor.Value, e.demands[k].Seconds()); math.Abs(off) > 0.03 {
				t.Errorf("%s: %.4g s, and it is %v", o.Name, o.Processor.Value, e.demands[k])
			}
			if o.Held.Value > 0.02*o.Processor.Value {
				t.Errorf("%s is held for %v s, and nothing holds it", o.Name, o.Held.Value)
			}
		}
		near(t, "verify at the gateway", out.Demands["verify"]["gateway"].Value, 0.6*2e-3, 0.03)
		near(t, "verify at the register", out.Demands["verify"]["register"].Value, 0.4*2e-3, 0.05)
		near(t, "highest throughput", out.Callers[len(out.Callers)-1].PerSecond, 1/(0.7*2e-3+0.3*0.8e-3), 0.05)
		if len(out.Checks) != 3 || len(out.Off()) > 0 {
			t.Errorf("predictions of a plain queue do not hold: %v", out.Off())
		}
		text, err := out.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadProfile("p.json", text); err == nil || !strings.Contains(err.Error(), "demands.issue.gateway: was not measured") {
			t.Errorf("the profile of a service that issues nothing is read: %v", err)
		}
		var b strings.Builder
		if err := Print(&b, out); err != nil || !strings.Contains(b.String(), "All within 15 %") {
			t.Errorf("%v\n%s", err, b.String())
		}
	})
}

// Within a short time, on a machine that others use, an operation may seem to take
// nothing, and no sample of the profile may have met the gateway. Nothing takes no time.
func TestWhatIsTooLittleToBeToldIsNotLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p := newEmulated(), emulatedPlan()
		e.demands[1] = 200 * time.Nanosecond
		p.Profile = func(context.Context, time.Duration) (map[string]float64, int, error) {
			return map[string]float64{"register": 1}, 8, nil
		}
		out := &Profile{Machine: Machine{CPU: "emulated", Cores: 2, ServiceCores: 1, GeneratorCores: 64}}
		if err := Measure(t.Context(), e.bench(), p, out); err != nil {
			t.Fatal(err)
		}
		near(t, "verify at the gateway", out.Demands["verify"]["gateway"].Value, 0.1*2e-3, 0.05)
		if d := out.Demands["report"]["register"]; d.Value < least || d.Low < least || d.High < d.Value {
			t.Errorf("a report takes %+v of the register", d)
		}
		if !strings.Contains(strings.Join(out.Notes, "\n"), "What "+Report+" takes could not be told") {
			t.Errorf("notes: %q", out.Notes)
		}
	})
}

// A prediction from wrong demands is found to be wrong.
func TestAServiceThatBecomesSlowerAfterwardsIsNotAsPredicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEmulated()
		p := emulatedPlan()
		p.Step = func(what string, _ float64) {
			if strings.HasPrefix(what, "prediction at 30") {
				e.demands[0] = 3 * time.Millisecond
			}
		}
		out := &Profile{Machine: Machine{CPU: "emulated", Cores: 2, ServiceCores: 1, GeneratorCores: 64}}
		if err := Measure(t.Context(), e.bench(), p, out); err != nil {
			t.Fatal(err)
		}
		if len(out.Off()) == 0 {
			t.Error("every prediction holds")
		}
	})
}

func TestWhatWasMeasuredBeforeAnInterruptionIsKept(t *testing.T) {
	for at, want := range map[string]string{"mix, 4 callers": "scaling", "prediction at 50": "1 of 3 predictions"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			p := emulatedPlan()
			p.Step = func(what string, _ float64) {
				if strings.HasPrefix(what, at) {
					cancel()
				}
			}
			out := &Profile{Machine: Machine{CPU: "emulated", Cores: 2, ServiceCores: 1, GeneratorCores: 1}}
			if err := Measure(ctx, newEmulated().bench(), p, out); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Encode(); err != nil {
				t.Errorf("interrupted at %s it cannot be kept: %v", at, err)
			}
			if !strings.Contains(out.Partial, want) || len(out.Demands) == 0 {
				t.Errorf("interrupted at %s: %q, %d demands", at, out.Partial, len(out.Demands))
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := emulatedPlan()
		p.Step = func(what string, _ float64) {
			if strings.HasPrefix(what, Report) {
				cancel()
			}
		}
		if err := Measure(ctx, newEmulated().bench(), p, &Profile{}); err == nil {
			t.Error("without every operation there is nothing to keep")
		}
	})
}

// What predictions are made of is found again: the pace at each rate, from processor
// time alone, and pauses that come with the operations.
func TestPacesAndPausesAreLearntFromWhatWasUsed(t *testing.T) {
	s := &session{p: Plan{Names: []string{Present}, Mix: []float64{1}, Predict: 4000, Seed: 1}, longest: 5e-3, ways: [][]Way{served(1e-3)},
		out: &Profile{Machine: Machine{ServiceCores: 1, GeneratorCores: 8}, Fit: Quality{Background: Estimate{Value: 0.02}}}}
	pace := map[float64]float64{100: 1.2, 300: 1, 700: 0.8}
	for _, n := range []float64{2, 4, 8} { // alone, 10 ms of pause for 100 of them, half of it work
		lengths := []Trace{{Requests: []Span{{at(0), at(10 * n)}}}}
		s.light = append(s.light, Interval{Group: Present, Seconds: 1, Done: []float64{100 * n}, Used: 0.02 + 0.1*n + 0.005*n})
		s.quiet = append(s.quiet, &Sample{Traces: [][]Trace{lengths}})
	}
	for range 3 { // nothing asked, so that background and pauses can be told apart
		s.light = append(s.light, Interval{Group: "idle", Seconds: 1, Done: []float64{0}, Used: 0.02})
		s.quiet = append(s.quiet, &Sample{})
	}
	s.light = append(s.light, Interval{Group: Present, Seconds: 1, Done: []float64{500}, Used: 0.02 + 0.5})
	s.quiet = append(s.quiet, &Sample{})
	for rate, p := range pace {
		o := Offered{PerSecond: rate, Seconds: 10, Done: rate, ServiceBusy: 0.02 + rate*1e-3*p + 0.5*0.004*rate*0.01, GeneratorBusy: 0.1, work: rate * 1e-3, ours: 0.1}
		for range int(rate * 10 * 0.004) { // 4 of 1000 operations
			o.Pauses = append(o.Pauses, 0.01)
		}
		s.out.Saturation = append(s.out.Saturation, o)
	}
	// Nothing is learnt of what the service did not hold.
	s.out.Saturation = append(s.out.Saturation, Offered{PerSecond: 2000, Seconds: 10, Done: 900, ServiceBusy: 1, GeneratorBusy: 1, Pauses: []float64{9}, work: 0.1, ours: 0.1})
	s.learn()
	m := s.out.Model
	near(t, "pauses of an operation", m.PausesPerOperation, 0.004, 0.01)
	near(t, "pauses of a second", 1+m.PausesPerSecond, 1, 0.01)
	near(t, "their mean", m.PauseMean, 0.01, 1e-9)
	near(t, "work within", m.PauseWorks.Value, 0.5, 0.01)
	for rate, p := range pace {
		near(t, "pace", m.at(rate).Service, p, 0.001)
	}
	near(t, "pace between", m.at(500).Service, 0.9, 0.001)
	near(t, "pace below all", m.at(1).Service, 1.2, 0.001)
	near(t, "pace beyond all", m.at(5000).Service, 0.8, 0.001)
}
