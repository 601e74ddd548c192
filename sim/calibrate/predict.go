package calibrate

import (
	"math"
	"slices"

	"rollcall.example/rollcall/sim/des"
)

// Visit is a request of an operation, and what its caller does before it: seconds, on
// average and with nobody else there.
type Visit struct {
	Before float64 `json:"before_s"`  // processor time of the caller: it makes the request
	Serve  float64 `json:"service_s"` // processor time of the service
	Wait   float64 `json:"wait_s"`    // neither works: the commit reaches the disk, a thread is woken
	Read   float64 `json:"read_s"`    // processor time of the caller: it sends and reads
}

// Route is an operation as the prediction sees it.
type Route struct {
	Visits []Visit `json:"visits"`
	After  float64 `json:"after_s"` // processor time of the caller when it has its answer
	// Spread is how much longer than the mean an operation takes: the means of even
	// parts of all of them, from the shortest to the longest.
	Spread []float64 `json:"spread"`
}

// Load is a stream of operations that come by chance (Poisson).
type Load struct {
	PerSecond float64
	Shares    []float64 // of each route
}

// Station is something that serves one after the other, so many at once.
type Station struct {
	Servers    int
	Background float64 // share of a server that is busy with something else
	// Economy is what a visit takes that finds others there, by what it takes alone:
	// nobody need be woken for it, and commits share a sync. 0: as much.
	Economy float64
	// Pauses are times in which it serves nobody: whoever comes waits for their end.
	Pauses Pauses
}

// Pauses come by chance, and last as long as chance has it (exponential): collections of
// garbage, syncs that take long, whatever else the machine does.
type Pauses struct {
	PerSecond float64 `json:"per_second"`
	Mean      float64 `json:"mean_s"`
}

// Latency is what was predicted or measured of a load, in seconds.
type Latency struct {
	P50 float64 `json:"p50_s"`
	P95 float64 `json:"p95_s"`
	P99 float64 `json:"p99_s"`
}

// LatencyOf takes quantiles.
func LatencyOf(times []float64) Latency {
	s := slices.Sorted(slices.Values(times))
	return Latency{Quantile(s, 0.5), Quantile(s, 0.95), Quantile(s, 0.99)}
}

// Predict is the latency of so many operations under a load: a network of two queues,
// first come, first served, through which each operation passes as its route says. A
// thread of the service that waits for the disk keeps its processor from others, so
// that what is held counts as service; now and then all wait for a pause to end.
// Callers have a queue, too: whoever measures shares their processor. From the
// operation's intended beginning to its end; by route, and of all together.
func Predict(routes []Route, load Load, callers, service Station, operations int, seed uint64) (by []Latency, all Latency) {
	env, random := des.New(), source(seed, forPrediction)
	defer env.Close()
	const second = 1e9
	in := func(seconds float64) des.Time { return des.Time(seconds * second) }
	callersAt, serviceAt := env.NewResource(max(callers.Servers, 1)), env.NewResource(max(service.Servers, 1))
	// What is busy with something else is slower by as much.
	slower := func(s Station) float64 { return 1 / (1 - min(max(s.Background, 0), 0.95)) }
	callerPace, servicePace := slower(callers), slower(service)

	times := make([][]float64, len(routes))
	draw := func() int {
		at := random.Float64()
		for i, s := range load.Shares {
			if at -= s; at < 0 {
				return i
			}
		}
		return slices.IndexFunc(load.Shares, func(s float64) bool { return s > 0 })
	}
	working := map[*des.Resource]int{} // and waiting
	use := func(p *des.Proc, r *des.Resource, s Station, seconds float64) {
		if seconds <= 0 {
			return
		}
		if s.Economy > 0 && working[r] > 0 {
			seconds *= s.Economy
		}
		working[r]++
		if r.Request(p) == nil {
			p.Wait(in(seconds))
			r.Release()
		}
		working[r]--
	}
	over := false
	if s := service.Pauses; s.PerSecond > 0 && s.Mean > 0 {
		env.Go(func(clock *des.Proc) {
			for !over {
				clock.Wait(in(random.ExpFloat64() / s.PerSecond))
				long := in(s.Mean * random.ExpFloat64())
				for range max(service.Servers, 1) {
					env.Go(func(pause *des.Proc) {
						if serviceAt.Request(pause) == nil {
							pause.Wait(long)
							serviceAt.Release()
						}
					})
				}
			}
		})
	}
	warm := operations / 10
	env.Go(func(door *des.Proc) {
		for n := range operations + warm {
			door.Wait(in(random.ExpFloat64() / load.PerSecond))
			k := draw()
			r := &routes[k]
			long := 1.0
			if len(r.Spread) > 0 {
				long = r.Spread[random.IntN(len(r.Spread))]
			}
			env.Go(func(one *des.Proc) {
				began := env.Now()
				for _, v := range r.Visits {
					use(one, callersAt, callers, (v.Before+v.Read/2)*callerPace)
					use(one, serviceAt, service, (v.Serve+v.Wait)*long*servicePace)
					use(one, callersAt, callers, v.Read/2*callerPace)
				}
				use(one, callersAt, callers, r.After*callerPace)
				if n >= warm {
					times[k] = append(times[k], float64(env.Now()-began)/second)
				}
			})
		}
		over = true
	})
	env.Run(des.Forever)
	var together []float64
	for _, t := range times {
		by = append(by, LatencyOf(t))
		together = append(together, t...)
	}
	return by, LatencyOf(together)
}

// Busy is the share of a station that operations keep busy which take so much each on
// average. One that finds it busy takes less by the economy: it need not be woken. So
// the share b is what solves b = x·(1 − (1 − economy)·b), where x is the share without
// any economy.
func Busy(perSecond, each float64, s Station) float64 {
	x := perSecond * each / float64(max(s.Servers, 1))
	saved := 0.0
	if s.Economy > 0 {
		saved = max(0, 1-s.Economy)
	}
	return x/(1+x*saved) + s.Background
}

// Off is the error of a prediction, relative to the measurement.
func Off(predicted, measured float64) float64 {
	if !(measured > 0) {
		return math.NaN()
	}
	return predicted/measured - 1
}
