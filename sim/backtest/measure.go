package backtest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rollout"
)

// A run is a scenario and what the engine made of it.
type run struct {
	s *scenarios.Scenario
	n *scenarios.Nation
	o *rollout.Outcome
}

// A measure is a question that a target may ask a run.
type measure struct {
	places int // so many words are places; -1: all
	words  int // at least
	ask    func(r *run, day int, arg []string) (float64, error)
}

// measures are all of them; scenarios/data/README.md lists them, too.
//
// What a centre takes in during the first days of a place is counted as the
// published figures count it: QR are mobile cards issued at a counter, IC are
// applications for plastic cards with a chip, of everybody who gets one: of first
// cards at 17 and re-issues too, whether or not a mobile card follows.
var measures = map[string]measure{
	"holders":           {1, 1, func(r *run, day int, arg []string) (float64, error) { return r.sum(arg[0], day, first) }},
	"holders_share":     {1, 1, func(r *run, day int, arg []string) (float64, error) { return r.share(arg[0], day) }},
	"mean_share":        {-1, 1, meanShare},
	"share_from_others": {-1, 2, shareFromOthers},
	"spread":            {-1, 2, spread},
	"first_day_ratio":   {1, 2, firstDayRatio},
	"by_qr":             {1, 1, func(r *run, day int, arg []string) (float64, error) { return r.sum(arg[0], day, byQR) }},
	"by_ic":             {1, 1, func(r *run, day int, arg []string) (float64, error) { return r.sum(arg[0], day, byIC) }},
	"ic_share":          {1, 1, icShare},
	"qr_ages":           {1, 3, qrAges},
	"ic_ages":           {1, 3, icAges},
	"ic_of_ages":        {1, 3, icOfAges},
	"qr_at":             {1, 2, qrAt},
	"cards":             {0, 1, cards},
	"reissued_for_loss": {0, 0, reissuedForLoss},
	"restored":          {0, 3, restored},
	"loss_window":       {0, 1, lossWindow},
	"overloaded_days":   {0, 0, overloadedDays},
	"travellers":        {0, 2, travellers},
}

// notModelled says why a question of a target has no measure.
var notModelled = map[string]string{
	"public_service": "what came back for the public with it, and what was back before, is not published",
	"application":    "the application on the phone is no part of the service",
	"recovered_at":   "what was repaired in the night is not published; in the model an overload ends when the crowd has gone home",
}

// The counters that measures add up.
func first(d *rollout.DayTally) int32 { return d.First }
func byQR(d *rollout.DayTally) int32  { return d.Issued[lifecycle.Counter] }
func byIC(d *rollout.DayTally) int32  { return d.ChipOrders }
func chips(d *rollout.DayTally) int32 { return d.ChipsIssued }
func plain(d *rollout.DayTally) int32 { return d.CardsIssued - d.ChipsIssued }

func lossReports(d *rollout.DayTally) int32 { return d.ReportsPhysical }

func (r *run) measure(t *scenarios.Target) (float64, error) {
	words := strings.Fields(t.Measure)
	day := int(t.Date.Sub(r.s.Start.Time).Hours() / 24)
	return measures[words[0]].ask(r, day, words[1:])
}

// A place is a municipality, or all of a region, and the last day that counts.
type place struct {
	municipalities []int
	until          int
}

// place finds it by the code of a municipality or a region: 31710, KR-31, KR-31@2025-02-28.
func (r *run) place(code string, day int) (p place, err error) {
	code, date, dated := strings.Cut(code, "@")
	if dated {
		d, err := time.ParseInLocation(time.DateOnly, date, r.s.Start.Location())
		if err != nil {
			return p, fmt.Errorf("%q is no date", date)
		}
		day = int(d.Sub(r.s.Start.Time).Hours() / 24)
	}
	if day < 0 || day >= r.o.Model.Cal.Days {
		return p, fmt.Errorf("%s lies outside of the run", r.o.Model.Cal.Date(day).Format(time.DateOnly))
	}
	p = place{municipalitiesOf(r.n, code), day}
	for _, i := range p.municipalities {
		if r.o.Tallies[i] == nil {
			return p, fmt.Errorf("%s is not in the run", code)
		}
	}
	return p, nil
}

// municipalitiesOf are those of a region, or the one; none if there is no such place.
func municipalitiesOf(n *scenarios.Nation, code string) (out []int) {
	if i, ok := n.MunicipalityIndex(code); ok {
		return []int{i}
	}
	if k, ok := n.RegionIndex(code); ok {
		for i := range n.Municipalities {
			if n.Municipalities[i].Region == k {
				out = append(out, i)
			}
		}
	}
	return out
}

// opened is the day on which a municipality opens; the run's first if it never does.
func (r *run) opened(i int) int {
	if opens := r.o.Model.Opens(i); opens != rollout.Never {
		return max(0, int(opens/rollout.Day))
	}
	return 0
}

// sum adds a place's days up, from its opening to the day.
func (r *run) sum(code string, day int, counter func(*rollout.DayTally) int32) (float64, error) {
	p, err := r.place(code, day)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, i := range p.municipalities {
		for d := r.opened(i); d <= p.until; d++ {
			n += int64(counter(&r.o.Tallies[i].Day[d]))
		}
	}
	return float64(n), nil
}

// share is a place's holders in per cent of its residents.
func (r *run) share(code string, day int) (float64, error) {
	n, err := r.sum(code, day, first)
	if err != nil {
		return 0, err
	}
	p, _ := r.place(code, day)
	people := 0
	for _, i := range p.municipalities {
		people += adults(r.n, i)
	}
	return 100 * n / float64(people), nil
}

func adults(n *scenarios.Nation, municipality int) (sum int) {
	m := &n.Municipalities[municipality]
	for c := m.First; c < m.End; c++ {
		sum += n.Centres[c].Adults()
	}
	return sum
}

func meanShare(r *run, day int, arg []string) (float64, error) {
	var logs float64
	for _, code := range arg {
		x, err := r.share(code, day)
		if err != nil {
			return 0, err
		}
		logs += math.Log(x)
	}
	return math.Exp(logs / float64(len(arg))), nil
}

// shareFromOthers is the share of the first place if the common level of the others
// (the geometric mean of published over model) held there too: places other than
// the one that is predicted carry all that is fitted.
func shareFromOthers(r *run, day int, arg []string) (float64, error) {
	x, err := r.share(arg[0], day)
	if err != nil {
		return 0, err
	}
	var logs float64
	for _, a := range arg[1:] {
		code, published, ok := strings.Cut(a, "=")
		p, err := strconv.ParseFloat(published, 64)
		if !ok || err != nil {
			return 0, fmt.Errorf("%q is not place@date=published", a)
		}
		y, err := r.share(code, day)
		if err != nil {
			return 0, err
		}
		logs += math.Log(p / y)
	}
	return x * math.Exp(logs/float64(len(arg)-1)), nil
}

func spread(r *run, day int, arg []string) (float64, error) {
	low, high := math.Inf(1), 0.0
	for _, code := range arg {
		x, err := r.share(code, day)
		if err != nil {
			return 0, err
		}
		low, high = min(low, x), max(high, x)
	}
	return high / low, nil
}

// firstDayRatio is what came in on the first day over the mean of the open days up
// to a date.
func firstDayRatio(r *run, day int, arg []string) (float64, error) {
	code := arg[0]
	both := func(d *rollout.DayTally) int32 { return byQR(d) + byIC(d) }
	one, err := r.sum(code, day, both)
	if err != nil {
		return 0, err
	}
	code += "@" + arg[1]
	all, err := r.sum(code, day, both)
	if err != nil {
		return 0, err
	}
	p, _ := r.place(code, day)
	open := 0
	for d := r.opened(p.municipalities[0]); d <= p.until; d++ {
		if r.o.Model.Cal.Open[d] {
			open++
		}
	}
	return one / (all / float64(open)), nil
}

func icShare(r *run, day int, arg []string) (float64, error) {
	qr, err := r.sum(arg[0], day, byQR)
	if err != nil {
		return 0, err
	}
	ic, err := r.sum(arg[0], day, byIC)
	return 100 * ic / (qr + ic), err
}

// ages adds up the bands of a place's table by age: from and to are ages whose bands
// are whole.
func (r *run) ages(day int, arg []string, table func(*rollout.Tally) [rollout.AgeBands]int64) (part, all float64, err error) {
	p, err := r.place(arg[0], day)
	from, err1 := strconv.Atoi(arg[1])
	to, err2 := strconv.Atoi(arg[2])
	if err := errors.Join(err, err1, err2); err != nil {
		return 0, 0, err
	}
	for _, m := range p.municipalities {
		for i, n := range table(r.o.Tallies[m]) {
			all += float64(n)
			if rollout.AgeBand(from) <= i && i <= rollout.AgeBand(to) {
				part += float64(n)
			}
		}
	}
	return part, all, nil
}

func qrByAge(t *rollout.Tally) [rollout.AgeBands]int64 { return t.ByAge[lifecycle.Counter] }
func icByAge(t *rollout.Tally) [rollout.AgeBands]int64 { return t.ChipByAge }

func qrAges(r *run, day int, arg []string) (float64, error) {
	part, all, err := r.ages(day, arg, qrByAge)
	return 100 * part / all, err
}

func icOfAges(r *run, day int, arg []string) (float64, error) {
	part, _, err := r.ages(day, arg, icByAge)
	return part, err
}

func icAges(r *run, day int, arg []string) (float64, error) {
	part, all, err := r.ages(day, arg, icByAge)
	return 100 * part / all, err
}

// qrAt is the share of a municipality's QR cards that one of its centres issued, in the
// whole run.
func qrAt(r *run, day int, arg []string) (float64, error) {
	p, err := r.place(arg[0], day)
	if err != nil {
		return 0, err
	}
	var here, all float64
	for _, i := range p.municipalities {
		for c, n := range r.o.Tallies[i].IssuedAt {
			all += float64(n)
			if r.n.Centres[c].Code == arg[1] {
				here += float64(n)
			}
		}
	}
	return 100 * here / all, nil
}

// national is a sum over all that was simulated, up to a day, in proportion to the
// nation's residents.
func (r *run) national(day int, counter func(*rollout.DayTally) int32) float64 {
	var n, people, nation float64
	for i, t := range r.o.Tallies {
		here := float64(adults(r.n, i))
		nation += here
		if t == nil {
			continue
		}
		people += here
		for d := range t.Day[:min(day+1, len(t.Day))] {
			n += float64(counter(&t.Day[d]))
		}
	}
	return n * nation / people
}

// aYear is what the whole run counts, in a year of the nation.
func (r *run) aYear(counter func(*rollout.DayTally) int32) float64 {
	days := r.o.Model.Cal.Days
	return r.national(days-1, counter) * 365 / float64(days)
}

// cards are the plastic cards issued. Those with a chip may have a last day of their
// own: what the scenario does not stop, the count must.
func cards(r *run, day int, arg []string) (float64, error) {
	if day < 0 || day >= r.o.Model.Cal.Days {
		return 0, errors.New("its date lies outside of the run")
	}
	stop := day
	if len(arg) > 1 {
		d, err := time.ParseInLocation(time.DateOnly, arg[1], r.s.Start.Location())
		if err != nil {
			return 0, err
		}
		stop = int(d.Sub(r.s.Start.Time).Hours() / 24)
	}
	ic, ordinary := r.national(stop, chips), r.national(day, plain)
	switch arg[0] {
	case "ic":
		return ic, nil
	case "ordinary":
		return ordinary, nil
	case "all_a_year":
		return (ic + ordinary) * 365 / float64(day+1), nil
	case "ic_share":
		return 100 * ic / (ic + ordinary), nil
	}
	return 0, fmt.Errorf("no cards are called %q (ic, ordinary, ic_share, all_a_year)", arg[0])
}

// reissuedForLoss is a year's plastic cards that are re-issued because they were
// lost: the reports of the run, less those whose card is found or who want none.
func reissuedForLoss(r *run, _ int, _ []string) (float64, error) {
	l := &r.s.Losses.Plastic
	return r.aYear(lossReports) * float64(1-l.Found) * float64(l.Reissue), nil
}

// restored is the time, in hours or days, from a fault's beginning until an
// operation that failed is served again.
func restored(r *run, _ int, arg []string) (float64, error) {
	op, ok := map[string]capacity.Op{"tap": capacity.IssueTap, "new_card": capacity.RegisterCard, "online": capacity.VerifyOnline}[arg[1]]
	if !ok {
		return 0, fmt.Errorf("no operation is called %q", arg[1])
	}
	unit, ok := map[string]float64{"hours": 3600, "days": 86400}[arg[2]]
	if !ok {
		return 0, fmt.Errorf("%q is no unit (hours, days)", arg[2])
	}
	for i, f := range r.s.Faults {
		if f.Name != arg[0] {
			continue
		}
		until := r.o.Model.Service.Stats.Restored[i][op]
		if until < 0 {
			return 0, fmt.Errorf("%s did not fail, or was not served again within the run", arg[1])
		}
		return (float64(until) - f.At.Sub(r.s.Start.Time).Seconds()) / unit, nil
	}
	return 0, fmt.Errorf("the scenario has no fault %s", arg[0])
}

// lossWindow is the time, in hours, from the last copy that a stand-by site had to a
// fault: mobile cards issued in it are unusable until the site is back.
func lossWindow(r *run, _ int, arg []string) (float64, error) {
	f := r.s.LostSite()
	copied, _, _, ok := r.o.Model.Standby()
	if !ok || f.Name != arg[0] {
		return 0, fmt.Errorf("the scenario loses no site in a fault %s", arg[0])
	}
	var unusable int
	for _, t := range r.o.Tallies {
		if t != nil {
			unusable += len(t.Loss.Unusable)
		}
	}
	if unusable == 0 {
		return 0, errors.New("no mobile card became unusable")
	}
	return float64(r.o.Model.Since(f.At.Time)-copied) / 3_600_000, nil
}

// overloadedDays is the longest series of open days with an hour in which more
// attempts to issue were answered too late than in time.
func overloadedDays(r *run, _ int, _ []string) (float64, error) {
	st := &r.o.Model.Service.Stats
	longest, row := 0, 0
	for d := range r.o.Model.Cal.Days {
		if !r.o.Model.Cal.Open[d] {
			continue
		}
		over := false
		for h := d * 24; h < (d+1)*24 && h < len(st.Late); h++ {
			late := st.Late[h][capacity.IssueCentre] + st.Late[h][capacity.IssueTap]
			over = over || late > st.Served[h][capacity.IssueCentre]+st.Served[h][capacity.IssueTap]
		}
		if row++; !over {
			row = 0
		}
		longest = max(longest, row)
	}
	return float64(longest), nil
}

// travellers are the people whom one of several carriers turns away on a day on which
// no mobile card can be checked: holders who would have shown theirs at that kind of place
// and do not have the plastic one, as often as others who have to show something
// turn out to have nothing.
func travellers(r *run, day int, arg []string) (float64, error) {
	carriers, err := strconv.ParseFloat(arg[1], 64)
	if err != nil || carriers < 1 {
		return 0, fmt.Errorf("%q is no number of carriers", arg[1])
	}
	holders := r.national(day, func(d *rollout.DayTally) int32 { return d.Holders })
	nothing := r.national(day, func(d *rollout.DayTally) int32 { return d.NoIdentity })
	plastic := r.national(day, func(d *rollout.DayTally) int32 { return d.Plastic + d.HolderPlastic })
	for _, p := range r.s.Demand.Places {
		if p.Name == arg[0] {
			return holders * float64(p.Rate) * float64(p.Mobile) * nothing / (nothing + plastic) / carriers, nil
		}
	}
	return 0, fmt.Errorf("the scenario has no place called %q", arg[0])
}
