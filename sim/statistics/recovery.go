package statistics

import (
	"math"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rollout"
)

// hours are the hourly series of a run.
type hours struct {
	backlog []int64 // intents waiting at the end of each hour
	goodput []int64 // operations of the service done in it
	retries []int64 // by people
	offline []int64 // presentations accepted against a cached list
	turned  [][rollout.MaxPlaces]int64
}

func series(o *rollout.Outcome) hours {
	n := o.Model.Cal.Days * 24
	h := hours{make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([][rollout.MaxPlaces]int64, n)}
	for _, t := range o.Tallies {
		if t == nil {
			continue
		}
		for i := range n {
			h.backlog[i] += int64(t.Backlog[i])
			h.retries[i] += int64(t.Retries[i])
			g := t.Goodput[i]
			h.goodput[i] += int64(g[capacity.Issuance]) + int64(g[capacity.OnlineVerification]) + int64(g[capacity.Suspension])
			h.offline[i] += int64(g[capacity.OfflineVerification])
			if t.Turned != nil {
				for k, x := range t.Turned[i] {
					h.turned[i][k] += int64(x)
				}
			}
		}
	}
	for i := 1; i < n; i++ {
		h.backlog[i] += h.backlog[i-1]
	}
	return h
}

// cutOff is what fault i kept from reaching the service, by function, and the
// second of the first; −1.
func cutOff(i int, o *rollout.Outcome) (n [capacity.NumFunctions]int64, first int64) {
	first = -1
	for _, t := range o.Tallies {
		if t == nil {
			continue
		}
		c := &t.CutOff[i]
		if c.Requests == [capacity.NumFunctions]int64{} {
			continue
		}
		for fn, k := range c.Requests {
			n[fn] += k
		}
		if s := c.First / 1000; first < 0 || s < first {
			first = s
		}
	}
	return n, first
}

// drained is the share of the peak excess of waiting intents at which the
// backlog counts as gone.
const drained = 0.05

// recovery measures fault i beside the twin.
func recovery(i int, o, twin *rollout.Outcome) reports.Recovery {
	m := o.Model
	f := &m.Scenario.Faults[i]
	st := &o.Model.Service.Stats
	a, b := series(o), series(twin)
	from, to := m.Since(f.At.Time), m.Since(f.End())
	r := reports.Recovery{Fault: f.Name, Kind: f.Kind, Nodes: f.Nodes,
		From: f.At.Format(time.RFC3339), Until: f.End().Format(time.RFC3339), Touched: st.Touched[i],
		Detected: reports.None(), Restored: reports.None(), Drain: reports.None(),
		RetryAmplification: reports.None(), RetriesMachine: reports.None(), RetriesPeople: reports.None()}
	failed, restored, all := st.FirstFailed[i], int64(-1), true
	if n, due := st.Unpublished[i], st.FirstUnpublished[i]; n > 0 {
		r.Touched += n
		if failed < 0 || due < failed {
			failed = due
		}
		restored = o.Model.Service.ListsBack(i) // they are published at once
	}
	cut, atFirst := cutOff(i, o)
	for _, n := range cut {
		r.Touched += n
	}
	if atFirst >= 0 && (failed < 0 || atFirst < failed) {
		failed = atFirst
	}
	if alarm := o.Model.Service.Health(i); alarm >= 0 && failed >= 0 {
		r.Detected = reports.Num(float64(max(0, alarm-failed)))
	}
	for fn := range capacity.Function(capacity.NumFunctions) {
		// What fails while the plant alone is struck, fails for another reason.
		if tried, answered, back := st.During(i, fn); answered < tried && f.Felt().After(f.At.Time) {
			all = all && back >= 0
			restored = max(restored, back)
		}
		if cut[fn] > 0 {
			restored = max(restored, to/1000) // the ways are open again
		}
	}
	if all && restored >= 0 {
		r.Restored = reports.Num(float64(restored - from/1000))
	}

	first, last := int(from/hourMs), min(int((to+hourMs-1)/hourMs), len(a.backlog)) // its hours
	var peak int64
	for h := first; h < len(a.backlog); h++ {
		peak = max(peak, a.backlog[h]-b.backlog[h])
	}
	end := len(a.backlog) - 1
	for h := max(last-1, first); h < len(a.backlog); h++ {
		if float64(a.backlog[h]-b.backlog[h]) <= drained*float64(peak) {
			r.Drain = reports.Num(math.Max(0, float64(int64(h+1)*hourMs-to)/1000))
			end = h
			break
		}
	}

	// Without the fault each request was an intent: what people sent beyond
	// those was a repetition.
	var requests, attempts, intents int64
	for h := first; h < last; h++ {
		for op := range capacity.Op(capacity.NumOps) {
			requests += st.Requests[h][op]
			attempts += st.Attempts[h][op]
			intents += twin.Model.Service.Stats.Requests[h][op]
		}
	}
	if intents > 0 && requests > 0 {
		r.RetryAmplification = reports.Num(float64(attempts) / float64(intents))
		r.RetriesMachine = reports.Num(float64(attempts) / float64(requests))
		r.RetriesPeople = reports.Num(float64(requests) / float64(intents))
	}
	const week = 7 * 24
	r.GoodputBefore = perHour(a.goodput, first-week, min(last-week, first))
	r.GoodputDuring = perHour(a.goodput, first, last)
	r.GoodputAfter = perHour(a.goodput, last, last+last-first)
	for k, p := range m.Scenario.Demand.Places {
		var n int64
		for h := first; h < last; h++ {
			n += a.turned[h][k] - b.turned[h][k]
		}
		r.TurnedAway += max(0, n)
		r.TurnedAwayByPlace = append(r.TurnedAwayByPlace, reports.TurnedAway{Place: p.Name, Count: max(0, n)})
	}
	if f.Kind == scenarios.SiteLost {
		r.Loss = loss(o)
		k := r.Loss.Acknowledged
		r.LostAcknowledged = k.Issuances + k.Cards + k.Reports + k.Releases
	}
	function := func(fn capacity.Function) reports.Function {
		tried, answered, back := st.During(i, fn)
		tried += cut[fn]
		if cut[fn] > 0 {
			back = max(back, to/1000)
		}
		x := reports.Function{Attempts: tried, Succeeded: answered, Restored: reports.None()}
		if back >= 0 {
			x.Restored = reports.Num(float64(back - from/1000))
		}
		if fn == capacity.OfflineVerification {
			for h := first; h < last; h++ {
				x.Succeeded += a.offline[h]
				for k, p := range m.Scenario.Demand.Places {
					if p.Check == "cached" {
						x.Attempts += a.turned[h][k]
					}
				}
			}
			x.Attempts += x.Succeeded
		}
		x.Works = 2*x.Succeeded > x.Attempts
		if x.Attempts == 0 {
			x.Works = o.Model.Service.Survives(i, fn)
		}
		return x
	}
	if f.Lasts(scenarios.Plant) > 0 {
		plant(&r, o, f)
	}
	r.Functions = reports.Functions{Issuance: function(capacity.Issuance), OnlineVerification: function(capacity.OnlineVerification),
		OfflineVerification: function(capacity.OfflineVerification), Suspension: function(capacity.Suspension), CardDelivery: r.Functions.CardDelivery}
	for h := max(0, first-24); h <= min(end+24, last+21*24, len(a.backlog)-1); h++ {
		p := reports.RecoveryPoint{T: m.Cal.Time(int64(h) * hourMs).Format(time.RFC3339),
			Goodput: a.goodput[h], GoodputTwin: b.goodput[h], Backlog: a.backlog[h], BacklogTwin: b.backlog[h], RetriesPeople: a.retries[h]}
		for op := range capacity.Op(capacity.NumOps) {
			p.RetriesMachine += st.Attempts[h][op] - st.Requests[h][op]
		}
		r.Timeline = append(r.Timeline, p)
	}
	return r
}

// plant adds what a fault of the plant did to plastic cards.
func plant(r *reports.Recovery, o *rollout.Outcome, f *scenarios.Fault) {
	m := o.Model
	from, to := m.Since(f.At.Time), m.Since(f.At.Add(f.Lasts(scenarios.Plant)))
	d := o.Plant.Delay(m.Cal.Day(from), m.Cal.Day(to-1))
	cards := &reports.LateCards{Late: d.Late, Mean: reports.None(), Longest: reports.None(), Waiting: d.Waiting, WaitingTwin: d.WaitingTwin}
	delivery := &reports.Function{Attempts: d.Due, Succeeded: d.Printed, Works: 2*d.Printed > d.Due, Restored: reports.None()}
	if d.Late > 0 {
		const day = 86400
		cards.Mean, cards.Longest = reports.Num(float64(d.Days)/float64(d.Late)*day), reports.Num(d.Longest*day)
		if d.Back >= 0 {
			back := max(to, int64(d.Back)*rollout.Day+m.Scenario.Calendar.Opens.Milliseconds())
			delivery.Restored = reports.Num(float64(back-from) / 1000)
			switch {
			case r.Touched == 0:
				r.Restored = delivery.Restored
			case r.Restored.Known(): // else something that failed has not come back
				r.Restored = max(r.Restored, delivery.Restored)
			}
		} else {
			r.Restored = reports.None()
		}
	}
	r.Touched += d.Late
	r.Cards, r.Functions.CardDelivery = cards, delivery
}

const hourMs = rollout.Day / 24

func perHour(series []int64, from, to int) reports.Num {
	if from < 0 || to > len(series) || from >= to {
		return reports.None()
	}
	var n int64
	for _, x := range series[from:to] {
		n += x
	}
	return reports.Num(float64(n) / float64(to-from))
}
