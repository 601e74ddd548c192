package plain

import (
	"slices"
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/rollout"
)

// What is counted and what the citizens' records say at the end are two
// accounts of the same run: intents posted less done and abandoned are the
// people who still want something, issued less ended are those who hold a card.
func TestTheCountsAgreeWithTheCitizensAtTheEnd(t *testing.T) {
	s, n := scene{"", "smoke", sejong, []string{"end=2025-02-18"}}.load(t)
	e, err := newEngine(s, n, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := e.run(t.Context())
	tally := o.Tallies[e.towns[0].place.Municipality]

	var open [rollout.NumIntents]int64
	var holders, chips int64
	for _, p := range e.people {
		if !p.Law.Well() {
			t.Fatalf("citizen %d ends in the impossible state %v", p.ID, p.Law)
		}
		if p.Flags&rollout.Busy != 0 {
			t.Fatalf("citizen %d still waits for an answer after the end", p.ID)
		}
		count := func(i rollout.Intent, is bool) {
			if is {
				open[i]++
			}
		}
		count(rollout.GetMobile, p.Flags&rollout.WantsMobile != 0)
		count(rollout.GetCard, p.Order != rollout.NoOrder)
		count(rollout.ReportLoss, p.CardStep == rollout.ReportCardReady)
		count(rollout.ReportLoss, p.PhoneStep == rollout.ReportPhoneReady)
		count(rollout.ReleaseLoss, p.CardStep == rollout.ReleaseCard)
		count(rollout.ReleaseLoss, p.PhoneStep == rollout.ReleasePhone)
		if p.Law&lifecycle.HasCredential != 0 {
			holders++
		}
		if p.Flags&rollout.Chip != 0 {
			chips++
		}
	}
	var pending int64
	for i, x := range tally.Intents {
		left := x.Posted - x.Done - x.Abandoned
		if left != open[i] {
			t.Errorf("%v: %d posted − %d done − %d abandoned = %d pending, but %d citizens want it",
				rollout.Intent(i), x.Posted, x.Done, x.Abandoned, left, open[i])
		}
		if tally.Open[i] != open[i] {
			t.Errorf("%v: the run's own count of the records is %d, it is %d", rollout.Intent(i), tally.Open[i], open[i])
		}
		if x.Posted == 0 || x.Done == 0 {
			t.Errorf("%v: %+v proves nothing", rollout.Intent(i), x)
		}
		pending += left
	}
	var backlog int64
	for _, k := range tally.Backlog {
		backlog += int64(k)
	}
	if backlog != pending {
		t.Errorf("the hourly backlog ends at %d, pending are %d", backlog, pending)
	}

	var held, issued, ended, byDay int64
	for _, k := range tally.Holders {
		held += k
	}
	for d := range tally.Day {
		x := &tally.Day[d]
		issued += int64(x.Issued[0] + x.Issued[1])
		ended += int64(x.Ended)
		byDay += int64(x.Holders)
	}
	if held != holders || byDay != holders || issued-ended != holders {
		t.Errorf("%d citizens hold a mobile card; counted %d by age, %d by day, %d issued − %d ended", holders, held, byDay, issued, ended)
	}
	if tally.ChipCards != chips {
		t.Errorf("%d cards carry a chip, counted %d", chips, tally.ChipCards)
	}
}

// Who still waits when the run ends is in both accounts of Little's law (same
// compares them in every scene).
func TestTheRunMayEndWhilePeopleWait(t *testing.T) {
	o := scene{"", "smoke", sejong, []string{"end=2025-02-14 11:00", "faults[0].at=2025-02-13 12:00", "centres.counters={KR-50: 1}"}}.same(t)
	last := &o.Tallies[slices.IndexFunc(o.Tallies, func(t *rollout.Tally) bool { return t != nil })].Day[o.Model.Cal.Days-1]
	if last.Waited < int64(last.Delayed)*60_000 {
		t.Errorf("%d people waited %d ms: the test proves nothing", last.Delayed, last.Waited)
	}
}

// A run of single centres has their residents and their other business only, in
// both engines; nobody goes to a municipality of which no centre is in the run.
func TestARunOfSingleCentresHasNobodyElse(t *testing.T) {
	o := scene{"", "smoke", nil, []string{"end=2025-02-16", "faults[0].at=2025-02-13 12:00", "channels.wrong_centre=50%",
		"population={regions: [], centres: [\"3611025000\", \"3611031000\", \"5011025000\"]}"}}.same(t)
	n := o.Model.Nation
	var citizens int64
	for i, tally := range o.Tallies {
		if tally == nil {
			continue
		}
		for k := range tally.ByCentre {
			centre := n.Municipalities[i].First + k
			citizens += int64(o.Model.Residents(centre))
			if here := tally.ByCentre[k].Citizens; here != int64(o.Model.Residents(centre)) {
				t.Errorf("%s: %d citizens of %d", n.Centres[centre].Code, here, o.Model.Residents(centre))
			}
		}
	}
	for _, r := range o.Records {
		if home, _ := o.Model.Pop.Home(r.Citizen); o.Model.Residents(home) == 0 {
			t.Fatalf("citizen %d of %s is not in the run", r.Citizen, n.Centres[home].Code)
		}
	}
	if citizens == 0 || o.Citizens != citizens {
		t.Errorf("%d citizens, the centres have %d", o.Citizens, citizens)
	}
}
