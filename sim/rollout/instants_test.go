package rollout

import (
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
)

// What happens where two things meet at one instant, or at the edge of a stretch
// of time. Random instants seldom do.

func TestWhatIsDueAtTheAnswersInstantComesBehindIt(t *testing.T) {
	c := Citizen{Card: 599, Phone: 600, Affair: 601, Finder: Never, Demand: 600}
	c.notBefore(600)
	if c.Card <= 600 || c.Phone <= 600 || c.Demand <= 600 || c.Affair != 601 || c.Finder != Never {
		t.Errorf("after an answer at 600: %+v", c)
	}
}

func TestPlasticCardsAreShownAheadUpToAnInstantNotAtIt(t *testing.T) {
	m := model(t, "announced")
	until := 20 * day
	for due, shown := range map[int64]int32{until - 1: 1, until: 0, until + 1: 0} {
		p := place(m, sejong, 19*day)
		c := &Citizen{ID: 4, Card: Never, Phone: Never, Affair: Never, Finder: Never, Demand: due, Flags: PlasticHeld}
		m.ShowPlastic(p, c, until)
		if got := p.T.Day[19].Plastic + p.T.Day[20].Plastic; got != shown || shown == 0 && c.Demand != due {
			t.Errorf("due %d ms before it: shown %d times, next %d ms before it", until-due, got, until-c.Demand)
		}
	}
}

// At one instant: commit before publish before fetch.
func TestAListPublishedAtTheInstantOfACommitShowsIt(t *testing.T) {
	m := model(t, "announced")
	interval := m.Scenario.StatusLists.PublishInterval.Milliseconds()
	commit := 40 * day
	if commit%interval != 0 {
		t.Fatal("no list is published at the commit")
	}
	for _, k := range cachedPlaces(m) {
		for id := range uint32(2000) {
			if e, refresh := m.exposed(&Citizen{ID: id}, k, commit), m.demand.places[k].Refresh.Milliseconds(); e > refresh {
				t.Fatalf("%s: the next fetch is within %d ms, and yet the suspension is not seen for %d", m.demand.places[k].Name, refresh, e)
			}
		}
	}
}

func TestAListIsGoodForItsTTLAndNotLonger(t *testing.T) {
	m, from, _ := statusDown(t) // so that the list is held for longer than that
	for _, k := range cachedPlaces(m) {
		if m.demand.places[k].Name != "bank" {
			continue
		}
		end := m.lists.seen(m, k, 7, from).fetched + m.demand.places[k].TTL.Milliseconds()
		if m.lists.seen(m, k, 7, end).expired {
			t.Error("a list exactly as old as its ttl is refused")
		}
		if !m.lists.seen(m, k, 7, end+1).expired {
			t.Error("a millisecond later it is still good")
		}
	}
}

// S4: a verifier that goes by a list may be wrong for an interval, a ttl and the
// allowance; what is later is a false accept.
func TestAnAcceptanceIsFalseFromTheMomentAfterItsBound(t *testing.T) {
	m := model(t, "announced")
	k := cachedPlaces(m)[0]
	l := &m.Scenario.StatusLists
	report := 20 * day
	bound := report + (l.PublishInterval + m.demand.places[k].TTL + l.Allowance).Milliseconds()
	if l.Allowance == 0 {
		t.Fatal("there is no allowance")
	}
	for _, x := range []struct {
		at             int64
		cached         bool
		exposed, false int32
	}{
		{report, false, 1, 0}, // the report is committed at that instant
		{report + 1, false, 0, 1},
		{report + 1, true, 1, 0},
		{bound, true, 1, 0},
		{bound + 1, true, 0, 1},
	} {
		p := place(m, sejong, x.at)
		c := aHolder(m, p, 9)
		m.move(p, c, lifecycle.ReportMobileLost, report)
		m.presented(p, c, c.Wallet, OfDemand, lifecycle.Accepted, false, Record{At: x.at, Place: int16(k), Cached: x.cached})
		if d := p.day(x.at); d.ExposureAccepts != x.exposed || d.FalseAccepts != x.false {
			t.Errorf("%d ms after the report, by a list %v: %d within the bound, %d false", x.at-report, x.cached, d.ExposureAccepts, d.FalseAccepts)
		}
	}
}

func TestAWaveOfLossesLastsAsLongAsItSays(t *testing.T) {
	m := model(t, "announced", "losses.waves=[{from: 2025-02-28 18:00, for: 3h, plastic: 12, phone: 8}]")
	first := int(at(t, m, "2025-02-28 18:00") / hour)
	calm := m.cardClock.within(first-1) * m.cardLoss[first-1]
	calmPhones := m.phoneClock.within(first-1) * m.phoneLoss[first-1]
	for h := first - 1; h <= first+4; h++ {
		plastic, phone := 1.0, 1.0
		if h >= first && h < first+3 {
			plastic, phone = 12, 8
		}
		near(t, "plastic cards lost in an hour", m.cardClock.within(h)*m.cardLoss[h]/calm, plastic, 1e-6)
		near(t, "phones lost in an hour", m.phoneClock.within(h)*m.phoneLoss[h]/calmPhones, phone, 1e-6)
	}
}

// A request belongs to the hour in which it was made, however late its answer.
func TestGoodputIsCountedInTheHourOfTheRequest(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := aHolder(m, p, 1)
	c.CardStep, c.cardBy = ReportCardReady, ByCall
	m.Answer(p, c, Request{Citizen: 1, Op: capacity.Report, From: OfCard, At: p.End - 1}, works)
	if rec := p.Records[0]; rec.At < p.End {
		t.Fatal("the answer came within the hour")
	}
	h := int(p.Start / hour)
	if p.T.Goodput[h][capacity.Suspension] != 1 || p.T.Goodput[h+1][capacity.Suspension] != 0 {
		t.Errorf("counted %d in its hour, %d in the next", p.T.Goodput[h][capacity.Suspension], p.T.Goodput[h+1][capacity.Suspension])
	}
}

// A request is posted in the second whose fate it is given, also where a window
// begins within one.
func TestARequestIsPostedInItsOwnSecond(t *testing.T) {
	m := model(t, "announced")
	for _, start := range []int64{20 * day, 20*day + 514_285} {
		for _, after := range []int64{0, 485, 715, 999, 1000, 59_999} {
			p := place(m, sejong, start)
			c := aHolder(m, p, 1)
			p.request(c, Request{Op: capacity.Report, At: start + after}, 0)
			if second := (start+after)/1000 - start/1000; p.Load[second][capacity.Report] != 1 {
				t.Errorf("a window from %d ms on: what is asked %d ms later is not posted in second %d", start%1000, after, second)
			}
		}
	}
}
