package oracle

import (
	"testing"
	"time"
)

// S12 liveness

func TestRefusingEverybodyAfterAnOutageIsFound(t *testing.T) {
	planted(t, "S12", func(w *world, wrong bool) {
		cards := w.holders("1", "2")
		from := w.now
		w.pass(6 * time.Hour)
		w.h.Faults = append(w.h.Faults, Fault{Name: "outage", From: from, To: w.now})
		w.pass(5*time.Minute + time.Second)
		w.show(cards[0], or(wrong, Refused)...)
		w.show(cards[1], or(wrong, CannotTell)...)
	})
}

func TestReleaseThatNeverReachesTheVerifierIsFound(t *testing.T) {
	planted(t, "S12", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", MobileLost)
		old := w.publish()
		w.find("1", MobileLost)
		fresh := w.publish()
		w.pass(2 * time.Hour)
		if wrong {
			fresh = old
		}
		w.showCached(card, fresh, w.stamp())
	})
}

func TestReleaseThatIsAcknowledgedAndDoesNothingIsFound(t *testing.T) {
	planted(t, "S12", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", PhysicalLost)
		w.find("1", PhysicalLost)
		w.pass(time.Hour)
		w.show(card, or(wrong, Suspended)...)
	})
}

func TestRefusalsForLoadAndDuringAFaultAreNotHeldAgainstTheService(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	w.show(card, TurnedAway)
	from := w.now
	w.pass(time.Hour)
	w.show(card, CannotTell)
	w.h.Faults = append(w.h.Faults, Fault{From: from, To: w.now})
	w.pass(4 * time.Minute)
	w.show(card, CannotTell)
	w.lose("1", MobileLost)
	w.find("1", MobileLost)
	w.show(card, Suspended) // within publish interval + ttl
	if v := Judge(w.history(), Options{}); v.Violations() != 0 || v.TurnedAway != 1 {
		t.Errorf("turned away %d, %s", v.TurnedAway, sentences(v))
	}
}
