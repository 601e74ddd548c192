package calibrate

import (
	"slices"
	"time"
)

// patience is how many times as long as the longest kind of request takes alone nobody
// is answered in a pause.
const patience = 3

// Longest is the time without any answer from which on the service pauses: three times
// as long as the kind of request that takes longest takes on average, when it is alone.
func Longest(traces [][]Trace) (seconds float64) {
	for _, of := range traces {
		var sum []float64
		var count []float64
		for i := range of {
			for k, q := range of[i].Requests {
				if k == len(sum) {
					sum, count = append(sum, 0), append(count, 0)
				}
				sum[k] += q.took()
				count[k]++
			}
		}
		for k := range sum {
			seconds = max(seconds, patience*sum[k]/count[k])
		}
	}
	return seconds
}

// Paused are the times of a sample, in seconds, in which requests were under way and for
// so long none was answered. A pause in which nobody asked anything is not seen.
func Paused(s *Sample, longest float64) (lengths []float64) {
	type event struct {
		at   time.Time
		more int
	}
	var events []event
	for _, of := range s.Traces {
		for i := range of {
			for _, q := range of[i].Requests {
				events = append(events, event{q.From, 1}, event{q.To, -1})
			}
		}
	}
	slices.SortFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	under := 0
	var since time.Time
	for _, e := range events {
		if e.more < 0 {
			if d := e.at.Sub(since).Seconds(); d >= longest {
				lengths = append(lengths, d)
			}
		}
		if e.more < 0 || under == 0 {
			since = e.at
		}
		under += e.more
	}
	return lengths
}

// WaysOf are the ways of an operation through callers and service, from traces of one
// caller alone and the processor time that an operation takes of each; and how long
// nobody works for one, on average. An operation that met a pause is no way: a
// prediction has pauses by themselves. Processor time of the service goes to requests by
// their length. Service and caller may work at the same time (the one still writes its
// log, the other reads already): what does not add up to the time is work that nobody
// waits for.
func WaysOf(traces []Trace, service, generator, longest float64) (ways []Way, held float64) {
	mean := 0.0
	for i := range traces {
		mean += traces[i].took() / float64(len(traces))
	}
	held = max(0, mean-service-generator)
	smooth := slices.DeleteFunc(slices.Clone(traces), func(t Trace) bool {
		return slices.ContainsFunc(t.Requests, func(q Span) bool { return q.took() >= longest })
	})
	if len(smooth) < few {
		smooth = traces // it is made of pauses
	}
	var whole, inside float64
	for i := range smooth {
		whole += smooth[i].took() / float64(len(smooth))
		inside += smooth[i].asked() / float64(len(smooth))
	}
	if !(inside > 0) {
		return nil, held
	}
	between := whole - inside
	pace, reading := 1.0, max(0, generator-between)
	if generator < between {
		pace = generator / between // the rest is waiting
	}
	apart, wait := 1.0, max(0, whole-service-generator)
	if both := service + generator; both > whole {
		apart = whole / both
	}
	for i := range smooth {
		t := &smooth[i]
		w := Way{}
		at := t.From
		for _, q := range t.Requests {
			before, read, share := pace*q.From.Sub(at).Seconds(), reading/float64(len(t.Requests)), q.took()/inside
			w.Visits = append(w.Visits, Visit{Before: apart * before, Serve: apart * service * share, Wait: wait * share, Read: apart * read,
				Behind: (1 - apart) * service * share, Aside: (1 - apart) * (before + read)})
			at = q.To
		}
		after := pace * t.To.Sub(at).Seconds()
		w.After = apart * after
		if n := len(w.Visits); n > 0 {
			w.Visits[n-1].Aside += (1 - apart) * after
		}
		ways = append(ways, w)
	}
	return ways, held
}
