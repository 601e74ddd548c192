package panel

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
	"rollcall.example/rollcall/sim/rollout"
)

// Member is a citizen of the panel.
type Member struct {
	Citizen uint32
	Stratum string // region, channels of issuance, kinds of loss: "KR-50 tap+centre plastic"
	// Weight is how many citizens who act it stands for: the inverse of the
	// probability with which it was drawn.
	Weight  float64
	Records []rollout.Record
}

// candidate is a citizen with records.
type candidate struct {
	citizen     uint32
	first, end  int // of the records
	size        float64
	probability float64
	rank        float64
}

// Occurrences of population.ForPanel.
const (
	drawChoice uint32 = iota
	drawJourney
	drawProbes // and above: a kind of probe and a record
)

// Choose draws the panel from those whose lives were kept, by strata of region,
// channel of issuance and kind of loss. Strata share the places by the square
// roots of their sizes, at least one each, so that rare lives are met, and those
// who never come near a mobile card count less; within one, citizens are drawn
// with probabilities in proportion to the scenario's panel.oversample (sequential
// Poisson sampling, Ohlsson 1998). Every draw is keyed by the citizen.
func Choose(o *rollout.Outcome) []Member {
	m := o.Model
	want := m.Scenario.Panel.Citizens
	strata := map[string][]candidate{}
	for first := 0; first < len(o.Records); {
		end := first + 1
		for end < len(o.Records) && o.Records[end].Citizen == o.Records[first].Citizen {
			end++
		}
		life := o.Records[first:end]
		name, size := stratum(m, life)
		strata[name] = append(strata[name], candidate{citizen: life[0].Citizen, first: first, end: end, size: size})
		first = end
	}
	names := make([]string, 0, len(strata))
	for name := range strata {
		names = append(names, name)
	}
	slices.Sort(names)
	places := allot(want, names, strata)

	var out []Member
	for _, name := range names {
		for _, c := range sample(m.Source, strata[name], places[name]) {
			w := 1 / c.probability
			if m.Pool > 0 {
				w /= m.Pool
			}
			out = append(out, Member{Citizen: c.citizen, Stratum: name, Weight: w, Records: o.Records[c.first:c.end:c.end]})
		}
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Citizen, b.Citizen) })
	return out
}

// stratum says to which stratum a life belongs, and its size: the factor by
// which it is oversampled.
func stratum(m *rollout.Model, life []rollout.Record) (name string, size float64) {
	var tap, centre, plastic, phone, refused, reissued, newPhone bool
	for i := range life {
		r := &life[i]
		switch r.Act {
		case rollout.ActIssueTap, rollout.ActIssueCentre:
			tap = tap || r.Act == rollout.ActIssueTap
			centre = centre || r.Act == rollout.ActIssueCentre
			refused = refused || r.Env == rollout.Reached && lifecycle.Reason(r.Decided) != lifecycle.Granted
		case rollout.ActReportPhysical:
			plastic = true
		case rollout.ActReportMobile:
			phone = true
		case rollout.ActRegisterCard:
			reissued = true
		}
		newPhone = newPhone || r.Device > 0
	}
	pick := func(a, b bool, names [4]string) string {
		i := 0
		if a {
			i |= 1
		}
		if b {
			i |= 2
		}
		return names[i]
	}
	home, _ := m.Pop.Home(life[0].Citizen)
	region := m.Nation.Regions[m.Nation.Municipalities[m.Nation.Centres[home].Municipality].Region].ISO
	name = fmt.Sprintf("%s %s %s", region,
		pick(tap, centre, [4]string{noChannel, "tap", "centre", "tap+centre"}),
		pick(plastic, phone, [4]string{"nothing", "plastic", "phone", "plastic+phone"}))
	over := &m.Scenario.Panel.Oversample
	size = 1
	for _, f := range []struct {
		is     bool
		factor float64
	}{{plastic, over.Loss}, {phone, over.PhoneLost}, {refused, over.Refused}, {reissued, over.Reissue}, {newPhone, over.NewPhone}} {
		if f.is && f.factor > 0 {
			size *= f.factor
		}
	}
	return name, size
}

// allot divides the places among the strata.
func allot(want int, names []string, strata map[string][]candidate) map[string]int {
	places, left := map[string]int{}, want
	people := 0
	for _, name := range names {
		people += len(strata[name])
	}
	left = min(left, people)
	for _, name := range names { // one each, while there are any
		if left > 0 {
			places[name]++
			left--
		}
	}
	for left > 0 {
		// Each round fills strata in proportion; full ones leave room for others.
		var total float64
		for _, name := range names {
			if places[name] < len(strata[name]) {
				total += due(name, len(strata[name]))
			}
		}
		round := left
		for _, name := range names {
			room := len(strata[name]) - places[name]
			k := min(room, left, max(1, int(float64(round)*due(name, len(strata[name]))/total)))
			if room > 0 && k > 0 {
				places[name] += k
				left -= k
			}
		}
	}
	return places
}

// noChannel marks the strata of those who never apply for a mobile card.
const noChannel = "none"

// without is the share of their due that such strata get.
const without = 0.25

// due is a stratum's share of the places, up to a factor common to all.
func due(name string, people int) float64 {
	d := math.Sqrt(float64(people))
	if strings.Fields(name)[1] == noChannel {
		d *= without
	}
	return d
}

// sample draws n of a stratum.
func sample(src rng.Source, cs []candidate, n int) []candidate {
	// The probabilities: in proportion to size, at most 1.
	certain := map[uint32]bool{}
	for {
		var sum float64
		for i := range cs {
			if !certain[cs[i].citizen] {
				sum += cs[i].size
			}
		}
		more := false
		for i := range cs {
			c := &cs[i]
			if c.probability = 1; !certain[c.citizen] {
				if c.probability = float64(n-len(certain)) * c.size / sum; c.probability >= 1 {
					certain[c.citizen], more, c.probability = true, true, 1
				}
			}
		}
		if !more {
			break
		}
	}
	for i := range cs {
		c := &cs[i]
		c.rank = rng.Uniform(src.Draw(c.citizen, population.ForPanel, drawChoice)[0]) / c.probability
		if certain[c.citizen] {
			c.rank = -1
		}
	}
	slices.SortFunc(cs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.citizen, b.citizen))
	})
	return cs[:n]
}
