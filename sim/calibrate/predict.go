package calibrate

import (
	"math"
	"slices"

	"rollcall.example/rollcall/sim/des"
)

// Visit is a request of an operation, and what its caller does for it: seconds, with
// nobody else there.
type Visit struct {
	Before float64 // processor time of the caller: it makes the request
	Serve  float64 // processor time of the service
	Wait   float64 // neither works: the commit reaches the disk, a thread is woken
	Read   float64 // processor time of the caller: it sends and reads
	// Work that nobody waits for, as the other one works at the same time: of the
	// service (it writes its log) and of the caller.
	Behind, Aside float64
}

// Way is how one operation passed callers and service.
type Way struct {
	Visits []Visit
	After  float64 // processor time of the caller when it has its answer
}

// Load is a stream of operations that come by chance (Poisson).
type Load struct {
	PerSecond float64
	Shares    []float64 // of each kind of operation
}

// Station is something that serves one after the other, so many at once.
type Station struct {
	Servers    int
	Background float64 // share of a server that is busy with something else
	// Pace is what an operation takes, by what it takes alone: 0 as much.
	Pace float64
	// Pauses are times in which it serves nobody: whoever comes waits for their end.
	Pauses Pauses
}

// Pauses come by chance, each as long as one of those that were seen.
type Pauses struct {
	PerSecond float64
	Lengths   []float64
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
// first come, first served, through which each operation goes one of the ways of its
// kind. While one waits for the disk the service's processor serves others; now and
// then all wait for a pause to end. Callers have a queue, too: whoever measures shares
// their processor. From the operation's intended beginning to its end; by kind, and of
// all together.
func Predict(ways [][]Way, load Load, callers, service Station, operations int, seed uint64) (by []Latency, all Latency) {
	env, random := des.New(), source(seed, forPrediction)
	defer env.Close()
	const second = 1e9
	in := func(seconds float64) des.Time { return des.Time(seconds * second) }
	callersAt, serviceAt := env.NewResource(max(callers.Servers, 1)), env.NewResource(max(service.Servers, 1))
	// What is busy with something else is slower by as much.
	pace := func(s Station) float64 {
		p := 1 / (1 - min(max(s.Background, 0), 0.95))
		if s.Pace > 0 {
			p *= s.Pace
		}
		return p
	}
	callerPace, servicePace := pace(callers), pace(service)

	use := func(p *des.Proc, r *des.Resource, seconds float64) {
		if seconds > 0 && r.Request(p) == nil {
			p.Wait(in(seconds))
			r.Release()
		}
	}
	aside := func(r *des.Resource, seconds float64) {
		if seconds > 0 {
			env.Go(func(p *des.Proc) { use(p, r, seconds) })
		}
	}
	over := false
	if s := service.Pauses; s.PerSecond > 0 && len(s.Lengths) > 0 {
		env.Go(func(clock *des.Proc) {
			for !over {
				clock.Wait(in(random.ExpFloat64() / s.PerSecond))
				long := s.Lengths[random.IntN(len(s.Lengths))]
				for range max(service.Servers, 1) {
					aside(serviceAt, long)
				}
			}
		})
	}
	times := make([][]float64, len(ways))
	pick := Mixed(load.Shares, random)
	warm := operations / 10
	env.Go(func(door *des.Proc) {
		for n := range operations + warm {
			door.Wait(in(random.ExpFloat64() / load.PerSecond))
			k := pick()
			w := &ways[k][random.IntN(len(ways[k]))]
			env.Go(func(one *des.Proc) {
				began := env.Now()
				for _, v := range w.Visits {
					use(one, callersAt, (v.Before+v.Read/2)*callerPace)
					use(one, serviceAt, v.Serve*servicePace)
					one.Wait(in(v.Wait))
					aside(serviceAt, v.Behind*servicePace)
					use(one, callersAt, v.Read/2*callerPace)
					aside(callersAt, v.Aside*callerPace)
				}
				use(one, callersAt, w.After*callerPace)
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

// Off is the error of a prediction, relative to the measurement.
func Off(predicted, measured float64) float64 {
	if !(measured > 0) {
		return math.NaN()
	}
	return predicted/measured - 1
}
