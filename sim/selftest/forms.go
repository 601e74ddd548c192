package selftest

import (
	"fmt"
	"math"
	"slices"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
	"rollcall.example/rollcall/sim/rollout"
)

// forms is the table. What each measures stands below, in its order.
var forms = []form{
	{"M/M/1", "Erlang 1917", "erlang-c-1", twoWeeks, delay},
	{"M/M/3", "Erlang 1917", "erlang-c-3", twoWeeks, delay},
	{"M/M/3+M", "Palm 1946", "erlang-a", twoWeeks, abandonment},
	{"M/M/1+M", "Palm 1946", "erlang-a-short", twoWeeks, abandonment},
	{"M/D/1", "Pollaczek 1930, Khinchine 1932", "pollaczek-fixed", twoWeeks, wait},
	{"M/G/1", "Pollaczek 1930, Khinchine 1932", "pollaczek-lognormal", twoWeeks, wait},
	{"M/G/1, skewed", "Pollaczek 1930, Khinchine 1932", "pollaczek-skewed", nil, wait},
	{"M_t/G/∞", "Eick, Massey, Whitt 1993", "infinite", []string{"end=2025-06-02"}, inService},
	{"diffusion", "Bass 1969", "bass", oneTown, wishes},
	{"losses", "constant hazard", "losses", oneTown, reports},
	{"exposure", "two uniform phases", "exposure", []string{"end=2025-04-07"}, exposures},
	{"face", "densities of cosines", "face", oneTown, faces},
}

// What makes a run short, for tests.
var (
	twoWeeks = []string{"end=2025-03-22"}
	oneTown  = []string{`population={regions: [], centres: ["3611025000"]}`}
)

// queue is the parameters of the one centre of a scenario with other business only;
// time in seconds.
type queue struct {
	counters                    int
	arrivals, service, patience float64
	cv                          float64
}

func (r *run) queue() queue {
	c := &r.s.Centres
	centre, _ := r.o.Model.Nation.CentreIndex(r.s.Population.Centres[0])
	q := queue{
		counters: c.Counters[r.s.Population.Centres[0]],
		arrivals: float64(c.OtherBusiness) * float64(r.o.Model.Nation.Centres[centre].Adults()) / 86_400,
		service:  c.OtherService.Mean.Seconds(), patience: c.Patience.Seconds(),
	}
	// Virtual time is whole milliseconds: what is drawn is cut off there, half of one
	// on average. Before three busy counters that is a fifth of a per cent of the wait.
	const cut = 0.0005
	q.arrivals = 1 / (1/q.arrivals - cut)
	switch c.OtherService.Law {
	case "lognormal":
		q.cv = c.OtherService.CV
		q.service -= cut
	case "exponential":
		q.cv = 1
		q.service -= cut
	}
	return q
}

// days are the open days of the run, all its municipalities together. At midnight
// everybody is sent home, so that they are independent.
func (r *run) days() (out []*rollout.DayTally) {
	for _, t := range r.o.Tallies {
		if t == nil {
			continue
		}
		for d := range t.Day {
			if r.o.Model.Cal.Open[d] {
				out = append(out, &t.Day[d])
			}
		}
	}
	return out
}

func customers(d *rollout.DayTally) float64 { return float64(d.OtherServed) + float64(d.OtherLeft) }

// ratio is the ratio of two sums over independent days, with its standard error.
func ratio(days []*rollout.DayTally, above, below func(*rollout.DayTally) float64) (value, se float64, n int64) {
	var y, x float64
	for _, d := range days {
		y += above(d)
		x += below(d)
	}
	value = y / x
	var square float64
	for _, d := range days {
		e := above(d) - value*below(d)
		square += e * e
	}
	k := float64(len(days))
	return value, math.Sqrt(square*k/(k-1)) / x, int64(x)
}

// delay measures how many wait, and how long all do on average.
func delay(r *run) []Measure {
	q := r.queue()
	share, se, n := ratio(r.days(), func(d *rollout.DayTally) float64 { return float64(d.Delayed) }, customers)
	a := q.arrivals * q.service
	waits := erlangC(q.counters, a)
	first := Measure{What: "share who wait", Unit: "%", Expected: 100 * waits, Measured: 100 * share, SE: 100 * se, N: n, Of: "customers", Wide: 0.02}
	mean := waits * q.service / (float64(q.counters) - a)
	return []Measure{first, meanWait(r, mean)}
}

func meanWait(r *run, expected float64) Measure {
	w, se, n := ratio(r.days(), func(d *rollout.DayTally) float64 { return float64(d.Waited) / 1000 }, customers)
	return Measure{What: "mean wait", Unit: "s", Expected: expected, Measured: w, SE: se, N: n, Of: "customers", Wide: 0.03}
}

// wait measures the mean wait before one counter.
func wait(r *run) []Measure {
	q := r.queue()
	return []Measure{meanWait(r, pollaczekKhinchine(q.arrivals, q.service, q.cv))}
}

// abandonment measures the share of those who leave the queue.
func abandonment(r *run) []Measure {
	q := r.queue()
	share, se, n := ratio(r.days(), func(d *rollout.DayTally) float64 { return float64(d.OtherLeft) }, customers)
	return []Measure{{What: "share who leave", Unit: "%", Expected: 100 * erlangA(q.counters, q.arrivals, 1/q.service, 1/q.patience),
		Measured: 100 * share, SE: 100 * se, N: n, Of: "customers", Wide: 0.02}}
}

// inService measures the mean number being served while the profile rises, stands
// at its height, and falls.
func inService(r *run) []Measure {
	q := r.queue()
	var perHour [24]float64
	sum := 0.0
	for _, w := range r.s.Centres.Hours {
		sum += w
	}
	for h, w := range r.s.Centres.Hours {
		perHour[h] = q.arrivals * 86_400 * w / sum
	}
	expected := infiniteServers(perHour, lognormalSurvival(q.service/3600, q.cv))
	var out []Measure
	for _, h := range []int{6, 9, 12, 15, 17, 20} {
		m, se, n := ratio(r.days(), func(d *rollout.DayTally) float64 { return float64(d.Busy[h]) / 3_600_000 },
			func(*rollout.DayTally) float64 { return 1 })
		out = append(out, Measure{What: fmt.Sprintf("in service, %d-%d h", h, h+1), Unit: "", Expected: expected[h],
			Measured: m, SE: se, N: n, Of: "days", Wide: 0.05})
	}
	return out
}

// share is a measure of independent yes and no: k of n, each with probability p.
func share(what string, p float64, k, n int64, of string, wide float64) Measure {
	return Measure{What: what, Unit: "%", Expected: 100 * p, Measured: 100 * float64(k) / float64(n),
		SE: 100 * math.Sqrt(p*(1-p)/float64(n)), N: n, Of: of, Wide: wide}
}

// citizens of the run: all, and those of the youngest age.
func (r *run) citizens() (all, youngest int64) {
	for i := range r.o.Model.Nation.Centres {
		if n := r.o.Model.Residents(i); n > 0 {
			all += int64(n)
			youngest += int64(r.o.Model.Nation.Centres[i].Age[0])
		}
	}
	return all, youngest
}

// wishes measures how many have wanted the mobile card after a third, two thirds
// and all of the run.
func wishes(r *run) []Measure {
	a := &r.s.Adoption
	people, _ := r.citizens()
	var out []Measure
	length := r.o.Model.Cal.Days
	for _, days := range []int{length / 3, 2 * length / 3, length} {
		var k int64
		for _, t := range r.o.Tallies {
			if t != nil {
				for d := range days {
					k += int64(t.Day[d].Wanted)
				}
			}
		}
		p := float64(a.Level) * bass(float64(days), float64(a.Innovation), float64(a.Imitation))
		out = append(out, share(fmt.Sprintf("want it by day %d", days), p, k, people, "residents", 0.02))
	}
	return out
}

// reports measures how many have reported their card lost at the end. Half of those
// of 17 have no card yet.
func reports(r *run) []Measure {
	var k int64
	for _, t := range r.o.Tallies {
		if t != nil {
			for d := range t.Day {
				k += int64(t.Day[d].ReportsPhysical)
			}
		}
	}
	people, young := r.citizens()
	cards := people - young/2
	days := float64(r.o.Model.Cal.Days)
	return []Measure{share("cards reported lost", -math.Expm1(-float64(r.s.Losses.Plastic.Rate)*days), k, cards, "cards", 0.02)}
}

// exposures measures how long a verifier's cached list shows a suspended card as
// good: until the next publication, and from then until the verifier fetches, both
// uniform.
func exposures(r *run) []Measure {
	var out []Measure
	interval := r.s.StatusLists.PublishInterval.Seconds()
	for k, p := range r.s.Demand.Places {
		if p.Check != "cached" {
			continue
		}
		var n, sum, square float64
		for _, t := range r.o.Tallies {
			if t == nil {
				continue
			}
			for i := range t.Exposure {
				x := float64(t.Exposure[i].ByKind[k]) / 1000
				n++
				sum += x
				square += x * x
			}
		}
		mean := sum / n
		out = append(out, Measure{What: "mean exposure, " + p.Name, Unit: "s", Expected: (interval + p.Refresh.Seconds()) / 2, Measured: mean,
			SE: math.Sqrt((square/n - mean*mean) / (n - 1)), N: int64(n), Of: "reports", Wide: 0.02})
	}
	return out
}

// strangers is how many pairs of different people are compared.
const strangers = 20_000

// faces measures both errors: false non-matches among the residents who come for
// their card, and false matches of the emulated camera's strangers at the real
// matcher.
func faces(r *run) []Measure {
	f := &r.s.Face
	var failed, sessions int64
	for _, t := range r.o.Tallies {
		if t == nil {
			continue
		}
		for d := range t.Day {
			failed += int64(t.Day[d].Refused[lifecycle.FaceNotMatched])
			sessions += int64(t.Day[d].FaceSessions)
		}
	}
	photo := f.Photo.At(scenarios.FirstAge)
	return []Measure{
		withInterval(share("false non-matches", falseNonMatch(f.Threshold, f.Dimension, photo, f.Live), failed, sessions, "sessions", 0.05), failed),
		impostors(f, photo, r.s.Seed, strangers),
	}
}

func impostors(f *scenarios.Face, photo float64, seed uint64, pairs int) Measure {
	var matched int64
	model, matcher := camera.Model{Dimension: f.Dimension}, face.Matcher{Threshold: f.Threshold}
	for i := range uint32(pairs) {
		random := rng.New(seed).Stream(i, population.ForFace, 0)
		record := model.Identity(random).Enrol(photo, random)
		if _, ok := matcher.Match(record, model.Identity(random).Capture(f.Live, random)); ok {
			matched++
		}
	}
	return withInterval(share("false matches", falseMatch(f.Threshold, f.Dimension), matched, int64(pairs), "pairs", 0.1), matched)
}

func withInterval(m Measure, k int64) Measure {
	low, high := clopperPearson(k, m.N)
	m.Low, m.High = 100*low, 100*high
	return m
}

// conservation measures what is exact in every run: the times that people waited
// sum to the queue's length, integrated over time, and what was posted is done,
// given up or, as the residents' records say, still wanted.
func conservation(r *run) []Measure {
	little := Measure{What: "waits = queue integrated", Unit: "s", Of: "customers"}
	intents := Measure{What: "posted = ended + open", Unit: "intents", Of: "intents"}
	var waited, queue int64
	for _, t := range r.o.Tallies {
		if t == nil {
			continue
		}
		for d := range t.Day {
			x := &t.Day[d]
			waited += x.Waited
			little.N += int64(x.Served) + int64(x.Reneged) + int64(x.Shut) + int64(x.OtherServed) + int64(x.OtherLeft)
		}
		for c := range t.ByCentre {
			queue += t.ByCentre[c].Queue
		}
		for k, i := range t.Intents {
			intents.Expected += float64(i.Posted)
			intents.Measured += float64(i.Done + i.Abandoned + t.Open[k])
			intents.N += i.Posted
		}
	}
	// Whole milliseconds: no rounding before the comparison.
	little.Expected, little.Measured = float64(queue), float64(waited)
	little.Unit = "ms"
	return []Measure{little, intents}
}

// Forms names the closed forms in the order of the table.
func Forms() []string {
	names := make([]string, len(forms))
	for i, f := range forms {
		names[i] = f.name
	}
	return slices.Clip(names)
}
