package statistics

import (
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

// bucketOf is the bucket of a histogram in which a quantile lies; -1 where
// nothing was counted.
func bucketOf[N rollout.Counter](h []N, q float64) int {
	var n, seen int64
	for _, k := range h {
		n += int64(k)
	}
	need := max(1, int64(q*float64(n)+0.5))
	for i, k := range h {
		if seen += int64(k); seen >= need {
			return i
		}
	}
	return -1
}

// wait is a quantile of the waits in seconds, the upper end of its bucket; none
// where nobody was served. The longest is known exactly.
func wait[N rollout.Counter](h *rollout.Histogram[N], q float64) reports.Num {
	if ms := h.Quantile(q); ms >= 0 {
		return reports.Num(float64(ms) / 1000)
	}
	return reports.None()
}

// Wait is that quantile, for whoever asks about other sums of waits than a result has.
func Wait[N rollout.Counter](h *rollout.Histogram[N], q float64) reports.Num { return wait(h, q) }

// mean is the mean wait in seconds; none where nobody was served.
func mean[N rollout.Counter](h *rollout.Histogram[N]) reports.Num {
	return share(h.Sum, 1000*h.Count())
}

// share is a part of a whole; none where there is no whole.
func share(part, whole int64) reports.Num {
	if whole == 0 {
		return reports.None()
	}
	return reports.Num(float64(part) / float64(whole))
}

// latency is a quantile of the times of online verifications in milliseconds.
func latency(h []int64, q float64) reports.Num {
	if i := bucketOf(h, q); i >= 0 {
		return reports.Num(rollout.LatencyEdge(i))
	}
	return reports.None()
}

// order is a quantile of the times from an application for a plastic card to the
// card in hand, in seconds: the middle of its six hours.
func order(h []int64, q float64) reports.Num {
	if i := bucketOf(h, q); i >= 0 {
		return reports.Num((float64(i) + 0.5) * 6 * 3600)
	}
	return reports.None()
}

// at is a quantile of sorted milliseconds, in seconds.
func at(sorted []int64, q float64) reports.Num {
	if len(sorted) == 0 {
		return reports.None()
	}
	return reports.Num(float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]) / 1000)
}
