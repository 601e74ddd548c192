package oracle

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"
)

// A short life, counted by hand.
func TestOpportunitiesAreCounted(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]                                                            // S10: 1
	r := w.lose("1", MobileLost)                                                         // S10: 2
	w.show(card)                                                                         // S3
	w.showPlastic("1")                                                                   // S2
	w.release(Release{Call: Call{Citizen: "1", Role: "call-centre"}, Cause: MobileLost}) // S6
	w.lose("1", MobileLost)                                                              // S10: 3
	w.release(Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Names: r.Sequence})   // S9
	w.lose("1", PhysicalLost)                                                            // S1, S10: 4
	w.apply(w.tap("1", "phone-2"), false)                                                // S8
	w.find("1", PhysicalLost)                                                            // S6 (the phone is still lost), S10: 5
	w.apply(w.tap("1", "phone-1"), false)                                                // S6, S2 (only the phone is lost)
	w.crash()                                                                            // S5: 5
	w.issue("1", "phone-3")                                                              // S2 (only the phone), S10: 6
	w.show(card)                                                                         // S7
	w.publish()                                                                          // S11
	w.pass(2 * time.Hour)
	w.show(w.people["1"].cred) // S12
	v := Judge(w.history(), Options{})
	if v.Violations() != 0 {
		t.Fatal(sentences(v))
	}
	want := map[Property]int{"S1": 1, "S2": 3, "S3": 1, "S5": 5, "S6": 3, "S7": 1, "S8": 1, "S9": 1, "S10": 6, "S11": 1, "S12": 1}
	for _, p := range Properties {
		if got := v.ByProperty[p].Opportunities; got != want[p] {
			t.Errorf("%s: %d opportunities, want %d", p, got, want[p])
		}
	}
	if got := v.Untested(); !reflect.DeepEqual(got, []Property{"S4", "E1", "E2", "E3", "E4", "E5"}) {
		t.Errorf("untested: %v", got)
	}
}

func TestAllViolationsAreCountedAndOnlyTheFirstKept(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	w.lose("1", MobileLost)
	for range 50 {
		w.show(card, Accepted)
	}
	v := Judge(w.history(), Options{MaxFindings: 3})
	if v.Violations() != 50 || len(v.Findings) != 3 {
		t.Errorf("%d violations, %d kept", v.Violations(), len(v.Findings))
	}
}

func TestExposureIsMeasuredFromLossSubmissionAndAcknowledgement(t *testing.T) {
	ms := []Exposure{{FromLoss: 4}, {FromLoss: 1}, {FromLoss: 3}, {FromLoss: 2}}
	got := Summarise(ms, func(e *Exposure) time.Duration { return e.FromLoss })
	if want := (Summary{Count: 4, P50: 2, P95: 4, Max: 4, Total: 10}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Turning any answer round that leaves no doubt is found, whatever the history.
func TestAnyAnswerTurnedRoundIsFound(t *testing.T) {
	turned, found := 0, 0
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 2))
		h := randomHistory(r.IntN, 300, 3, 30*time.Hour)
		h.Faults, h.Restarts = nil, nil
		for i := range h.Presentations {
			p := &h.Presentations[i]
			if p.Cached != nil || p.Outcome != Suspended && p.Outcome != NotValid {
				continue
			}
			was := p.Outcome
			p.Outcome = Accepted
			turned++
			if Judge(h, Options{MaxFindings: 1}).Violations() > 0 {
				found++
			}
			p.Outcome = was
		}
	}
	// The others overlap a change that makes either answer right.
	if turned < 500 || found < turned*95/100 {
		t.Errorf("%d of %d found", found, turned)
	}
	t.Logf("%d of %d found", found, turned)
}

// largeHistory has about n records of 3,000 citizens.
func largeHistory(n int) *History {
	w := newWorld()
	names := make([]string, 3000)
	for i := range names {
		names[i] = strconv.Itoa(i + 1)
	}
	r := rand.New(rand.NewPCG(1, 1))
	cards := w.holders(names...)
	for i := range n - 2*len(names) {
		w.pass(time.Second)
		c := names[r.IntN(len(names))]
		switch r.IntN(20) {
		case 0:
			w.lose(c, MobileLost)
		case 1:
			w.lose(c, PhysicalLost)
		case 2, 3:
			w.find(c, MobileLost)
			w.find(c, PhysicalLost)
		default:
			w.show(cards[r.IntN(len(cards))])
		}
		if i%300 == 0 {
			w.publishBits(w.seq, w.bits(1<<18))
		}
	}
	return w.history()
}

func BenchmarkJudge100k(b *testing.B) {
	h := largeHistory(100_000)
	if v := Judge(h, Options{}); v.Violations() != 0 {
		b.Fatal(sentences(v))
	}
	for b.Loop() {
		Judge(h, Options{})
	}
}
