package nation

import (
	"math"
	"testing"

	"rollcall.example/rollcall/sim/rollout"
)

// Counters with exponential service, open around the clock, without lunch or
// impatience, are M/M/c: the share of visitors who wait more than a minute is
// that of Erlang's delay formula. Through a scenario alone: all 24 centres of
// Sejong, each with its own load, weighed by their visits; each open day is a
// sample. The queues begin empty at midnight; the error of that is far below
// the standard error, for a queue forgets in minutes.
func TestWaitsAtCentresAgreeWithErlangC(t *testing.T) {
	const counters, service, rate = 2, 60.0, 0.07 // seconds; visits of a resident and day
	settings := []string{
		"start=2025-01-31", "end=2025-02-28", "panel.citizens=0", "faults=[]",
		"calendar.opens=00:00", "calendar.closes=24:00", "calendar.lunch_from=12:00", "calendar.lunch_to=12:00",
		"centres.hours={0-24: 1}", "centres.other_business=0.07/day", "centres.counters={KR-50: 2}",
		"centres.patience=10000d", "centres.balk_at=10000", "centres.own_centre=100%",
		"adoption.level=0%", "cards.other_reissue=40%/year",
		"losses.plastic.rate=0/year", "losses.phone.rate=0/year",
	}
	for _, s := range []string{"other", "issue", "card", "pickup", "loss"} {
		settings = append(settings, "centres."+s+"_service.law=exponential", "centres."+s+"_service.mean=60s")
	}
	for _, p := range []string{"office", "bank", "hospital", "airport", "shop", "online"} {
		settings = append(settings, "demand.places."+p+".rate=0.00001/day")
	}
	s, n := load(t, "announced", settings...)
	s.Population.Regions = []string{"KR-50"}
	o, err := Run(t.Context(), s, n, rollout.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	tally := o.Tallies[municipality(t, n, "36110")]

	open := 0
	for d := range tally.Day {
		if o.Model.Cal.Open[d] {
			open++
		}
	}
	var visits, expected, heaviest float64
	for i := range tally.ByCentre {
		c := &tally.ByCentre[i]
		perSecond := (rate*float64(c.Citizens) + float64(c.Visits)/float64(open)) / 86_400
		a := perSecond * service
		heaviest = max(heaviest, a/counters)
		p := erlangC(counters, a) * math.Exp(-(counters-a)*60/service)
		visits += float64(c.Visits)
		expected += float64(c.Visits) * p
	}
	expected /= visits

	var days, sum, square float64
	for d := range tally.Day {
		w := &tally.Day[d].Wait
		if w.Count() == 0 {
			continue
		}
		long := 0.0
		for _, k := range w.Bucket[6:] { // ten seconds wide
			long += float64(k)
		}
		x := long / float64(w.Count())
		days++
		sum += x
		square += x * x
	}
	mean := sum / days
	se := math.Sqrt((square/days - mean*mean) / (days - 1))
	t.Logf("%.0f visits on %.0f days, heaviest load %.2f: %.4f wait over a minute, Erlang C %.4f, standard error %.4f",
		visits, days, heaviest, mean, expected, se)
	if math.Abs(mean-expected) > 3*se {
		t.Errorf("%.4f wait longer than a minute, Erlang C says %.4f (standard error %.4f)", mean, expected, se)
	}
	if se > 0.1*expected || heaviest > 0.95 || heaviest < 0.5 {
		t.Errorf("the test says little: standard error %.4f, heaviest load %.2f", se, heaviest)
	}
}

// erlangC is the probability of waiting before c servers under a erlangs.
func erlangC(c int, a float64) float64 {
	b := 1.0
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}
