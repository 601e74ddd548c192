package rollout

// Window is a stretch of virtual time between two barriers.
type Window struct{ Start, End int64 }

// Width of windows: an hour in calm, five minutes while something is down and
// for an hour after. The plan follows from the scenario, never from workers.
const (
	calmWidth      = hour
	disturbedWidth = 5 * minute
)

// Windows plans the barriers of the run, day by day, so many times narrower than
// the widths above; 0 is 1. Every window lies within one hour.
func (m *Model) Windows(narrow int) [][]Window {
	type span struct{ from, to int64 }
	calmWidth, disturbedWidth := calmWidth/int64(max(1, narrow)), disturbedWidth/int64(max(1, narrow))
	var disturbed []span
	for _, f := range m.Scenario.Faults {
		if from, to := m.Since(f.At.Time), m.Since(f.Felt()); to > from {
			disturbed = append(disturbed, span{floorTo(from, disturbedWidth), to + hour})
		}
	}
	out := make([][]Window, m.Cal.Days)
	for d := range out {
		for t := int64(d) * day; t < int64(d+1)*day && t < m.End; {
			end := floorTo(t, calmWidth) + calmWidth
			for _, s := range disturbed {
				if t >= s.from && t < s.to {
					end = min(end, floorTo(t, disturbedWidth)+disturbedWidth)
				} else if s.from > t && s.from < end {
					end = s.from
				}
			}
			out[d] = append(out[d], Window{t, min(end, m.End)})
			t = end
		}
	}
	return out
}
