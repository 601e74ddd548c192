package oracle

import (
	"slices"
	"strings"
	"testing"
)

// The two columns part where the property was broken, and nowhere else.
func TestATimelineShowsWhatWasSeenBesideWhatIsDemanded(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		w := newWorld()
		card := w.holders("1")[0]
		r := w.lose("1", PhysicalLost)
		w.apply(w.tap("1", "phone-2"), false)
		w.show(card, or(wrong, Accepted)...)
		w.release(Release{Call: Call{Citizen: "1", Role: "call-centre"}, Cause: PhysicalLost})
		w.release(Release{Call: Call{Citizen: "1", Role: "registrar"}, Cause: PhysicalLost, Names: r.Sequence})
		w.show(card)
		w.inquire("1")
		w.publish()
		w.crash()
		lines := Timeline(w.history())
		if !slices.IsSortedFunc(lines, func(a, b Line) int { return compareStamps(a.At, b.At) }) {
			t.Error("the lines are not in order")
		}
		want := []string{
			"credential-issued by tap, face 0.8000, phone phon by citizen | granted as sequence 2 | granted, if",
			"report-physical-lost M1-1 by citizen | granted as sequence 3 | both cards are suspended, in one commit",
			"credential-issued by tap, face 0.8000, phone phon by citizen | refused as card-suspended | refused: report-physical-lost (sequence 3) is in force (S8)",
			"the mobile card is shown online | suspended | suspended",
			"release-physical by call-centre | refused as not-authorised | refused: call-centre may not (S6)",
			"release-physical naming 3 by registrar | granted as sequence 4 | report-physical-lost (sequence 3) is lifted, nothing else",
			"the mobile card is shown online | accepted | accepted",
			"the receipt shows both cards | plastic accepted, mobile accepted | plastic accepted, mobile accepted",
			"list 0 is published | as of 4 | the register at 4",
			"the service crashes | back at",
		}
		if wrong {
			want[3] = "the mobile card is shown online | accepted | suspended"
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines: %+v", len(lines), lines)
		}
		for i, l := range lines {
			got := strings.Join([]string{l.What, l.Seen, l.Demanded}, " | ")
			if !strings.HasPrefix(got, want[i]) {
				t.Errorf("line %d: %s\nwant %s", i, got, want[i])
			}
			if l.Wrong != (wrong && i == 3) {
				t.Errorf("line %d is wrong: %v", i, l.Wrong)
			}
		}
	}
}

func TestATimelineDemandsThatWhatFollowsARemovalIsRefused(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		w := newWorld()
		w.citizens("1")
		w.remove("1")
		w.people["1"].removed = !wrong
		w.reissue("1", "M1-2")
		lines := Timeline(w.history())
		if len(lines) != 2 || lines[0].Wrong || lines[0].Demanded != "what hung on it before ends" ||
			lines[1].Wrong != wrong || lines[1].Demanded != "refused: person-removed (sequence 2) has ended everything (S7)" {
			t.Errorf("wrong: %v: %+v", wrong, lines)
		}
	}
}
