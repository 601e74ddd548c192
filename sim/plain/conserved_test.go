package plain

import (
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
