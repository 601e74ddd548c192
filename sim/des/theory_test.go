package des_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"rollcall.example/rollcall/sim/des"
)

// law is a distribution of times: its first two moments and how it is drawn.
type law struct {
	mean, square float64
	draw         func(*rand.Rand) float64
}

func exponential(mean float64) law {
	return law{mean, 2 * mean * mean, func(r *rand.Rand) float64 { return mean * r.ExpFloat64() }}
}

func fixed(mean float64) law {
	return law{mean, mean * mean, func(*rand.Rand) float64 { return mean }}
}

func lognormal(mean, cv float64) law {
	s2 := math.Log(1 + cv*cv)
	return law{mean, mean * mean * (1 + cv*cv), func(r *rand.Rand) float64 {
		return math.Exp(math.Log(mean) - s2/2 + math.Sqrt(s2)*r.NormFloat64())
	}}
}

const batches, warm, customers = 100, 1_000, 4_000

// timerQueue is the mean wait before c servers, in batches that share nothing,
// with timers alone. The unit of time is a millionth of what laws are given in.
func timerQueue(c int, arrivals, service law, seed uint64) des.Tally {
	var means des.Tally
	for b := range uint64(batches) {
		env, rnd := des.New(), rand.New(rand.NewPCG(seed, b))
		var batch des.Tally
		var queue []des.Time
		free, came := c, 0
		var begin func()
		end := func() { free++; begin() }
		begin = func() {
			for free > 0 && len(queue) > 0 {
				if came > warm {
					batch.Add(float64(env.Now()-queue[0]) / 1e6)
				}
				queue = queue[1:]
				free--
				env.At(env.Now()+des.Time(service.draw(rnd)*1e6), end)
			}
		}
		var arrival *des.Timer
		arrival = env.NewTimer(0, func() {
			queue = append(queue, env.Now())
			begin()
			if came++; came < warm+customers {
				arrival.Set(env.Now() + des.Time(arrivals.draw(rnd)*1e6))
			}
		})
		arrival.Set(0)
		env.Run(des.Forever)
		means.Add(batch.Mean())
	}
	return means
}

// The wait before c servers stands within three standard errors of Erlang C
// (exponential service) and of Pollaczek and Khinchine (one server).
func TestWaitsAgreeWithTheClosedForms(t *testing.T) {
	erlang := func(c int, a float64, s law) float64 { return erlangC(c, a) * s.mean / (float64(c) - a) }
	khinchine := func(_ int, a float64, s law) float64 { return a / s.mean * s.square / (2 * (1 - a)) }
	for seed, q := range []struct {
		name    string
		servers int
		load    float64 // erlangs
		service law
		want    func(int, float64, law) float64
	}{
		{"M/M/1", 1, 0.6, exponential(1), erlang},
		{"M/M/3", 3, 2.1, exponential(1), erlang},
		{"M/M/10", 10, 8, exponential(1), erlang},
		{"M/D/1", 1, 0.7, fixed(1), khinchine},
		{"M/G/1", 1, 0.6, lognormal(1, 0.5), khinchine},
	} {
		t.Run(q.name, func(t *testing.T) {
			got := timerQueue(q.servers, exponential(q.service.mean/q.load), q.service, uint64(seed))
			want := q.want(q.servers, q.load, q.service)
			within(t, "mean wait", got, want, 0.04)
		})
	}
}

// within asserts three standard errors, and that they are small enough to tell.
func within(t *testing.T, what string, got des.Tally, want, precision float64) {
	t.Helper()
	se := got.StandardError()
	t.Logf("%s %.4f, closed form %.4f, standard error %.4f", what, got.Mean(), want, se)
	if math.Abs(got.Mean()-want) > 3*se {
		t.Errorf("%s %g is %.1f standard errors from %g", what, got.Mean(), (got.Mean()-want)/se, want)
	}
	if se > precision*want {
		t.Errorf("a standard error of %g says little about %g", se, want)
	}
}

// With patience, M/M/c+M: the share that leaves, by the birth and death chain of
// Erlang A (Palm 1957); here with processes.
func TestTheShareThatLosesPatienceIsErlangA(t *testing.T) {
	const c, load, patience = 3, 3.2, 2.0 // more than they can serve
	var share des.Tally
	for b := range uint64(batches) {
		env, rnd := des.New(), rand.New(rand.NewPCG(77, b))
		after := func(mean float64) des.Time { return des.Time(mean * rnd.ExpFloat64() * 1e6) }
		desk := env.NewResource(c)
		var left des.Tally
		env.Go(func(street *des.Proc) {
			for i := range 3_000 {
				street.Wait(after(1 / load))
				env.Go(func(p *des.Proc) {
					served, _ := desk.RequestWithin(p, after(patience))
					if i > 500 {
						left.Add(map[bool]float64{false: 1}[served])
					}
					if served {
						p.Wait(after(1))
						desk.Release()
					}
				})
			}
		})
		env.Run(des.Forever)
		share.Add(left.Mean())
	}
	var sum, queue float64
	for k, p := 0, 1.0; k < 400; k++ {
		sum += p
		queue += p * float64(max(0, k-c))
		p *= load / (float64(min(k+1, c)) + float64(max(0, k+1-c))/patience)
	}
	within(t, "share that leaves", share, queue/sum/patience/load, 0.03)
}

// A timer that is set again and again among a hundred thousand others.
func BenchmarkTimer(b *testing.B) {
	env, rnd := des.New(), rand.New(rand.NewPCG(1, 1))
	left := b.N
	for range 100_000 {
		var t *des.Timer
		t = env.NewTimer(0, func() {
			if left--; left > 0 {
				t.Set(env.Now() + des.Time(rnd.Uint64N(1_000_000)))
			}
		})
		t.Set(des.Time(rnd.Uint64N(1_000_000)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	env.Run(des.Forever)
}

// A process that waits.
func BenchmarkProcess(b *testing.B) {
	env := des.New()
	b.ReportAllocs()
	env.Go(func(p *des.Proc) {
		for range b.N {
			p.Wait(1)
		}
	})
	env.Run(des.Forever)
}
