package oracle

import (
	"testing"
	"time"
)

// S4 bounded staleness

func TestStuckPublisherIsFound(t *testing.T) {
	planted(t, "S4", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		old := w.publish()
		w.lose("1", MobileLost)
		w.pass(5 * time.Minute)
		fresh := w.publish()
		w.pass(2 * time.Hour)
		list := fresh
		if wrong { // the cache in front of the verifier still hands out the old one
			list = old
		}
		w.showCached(card, list, w.stamp())
	})
}

func TestListUsedPastItsTTLIsFound(t *testing.T) {
	planted(t, "S4", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		list, fetched := w.publish(), w.stamp()
		w.pass(61*time.Minute + time.Second)
		w.showCached(card, list, fetched, or(wrong, Accepted)...)
	})
}

func TestVerifierThatTakesAListServedAgainForANewOneIsFound(t *testing.T) {
	planted(t, "S4", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		list := w.publish()
		w.pass(90 * time.Minute)
		outcome := CannotTell
		if wrong {
			outcome = Accepted
		}
		w.showCached(card, list, w.stamp(), outcome).Cached.FromIssue = true // fetched just now
	})
}

func TestVerifierThatDisregardsItsListIsFound(t *testing.T) {
	planted(t, "S4", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", PhysicalLost)
		list, fetched := w.publish(), w.stamp()
		w.showCached(card, list, fetched, or(wrong, Accepted)...)
		w.pass(70 * time.Minute)
		w.showCached(card, w.publish(), w.stamp())
	})
}

func TestAcceptanceWithinTheBoundIsExposureAndNoViolation(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	list, fetched := w.publish(), w.stamp()
	w.pass(time.Minute)
	r := w.report(Report{Call: Call{Citizen: "1"}, Cause: MobileLost, Lost: w.now.Add(-time.Hour), Submitted: w.now.Add(-time.Minute)})
	w.pass(20 * time.Minute)
	p := w.showCached(card, list, fetched)
	p.Entitled = false
	w.pass(time.Minute)
	w.showCached(card, w.publish(), w.stamp())
	v := Judge(w.history(), Options{})
	if v.Violations() != 0 || p.Outcome != Accepted {
		t.Fatalf("%s: %s", p.Outcome, sentences(v))
	}
	want := Exposure{Citizen: "1", Sequence: r.Sequence, Cause: MobileLost, Kind: "bank", Cached: true, Tries: 2, Accepts: 1,
		FromLoss: p.Begin.At.Sub(r.Lost), FromSubmission: p.Begin.At.Sub(r.Submitted), FromAcknowledgement: p.Begin.At.Sub(r.End.At)}
	if len(v.Exposures) != 1 || v.Exposures[0] != want {
		t.Errorf("exposures %+v, want %+v", v.Exposures, want)
	}
	if v.FalseAccepts != 0 {
		t.Errorf("an acceptance within the bound is counted as a false one")
	}
}

func TestVerifierThatAcceptsExpiredListsIsCounted(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	list, fetched := w.publish(), w.stamp()
	w.lose("1", MobileLost)
	w.pass(5 * time.Hour)
	w.showCached(card, list, fetched, Accepted).Cached.AcceptsExpired = true
	if v := Judge(w.history(), Options{}); v.Violations() != 0 || v.PastTTL != 1 {
		t.Errorf("past ttl %d, %s", v.PastTTL, sentences(v))
	}
}

// S11 list consistency

func TestListThatDoesNotShowItsRegisterIsFound(t *testing.T) {
	planted(t, "S11", func(w *world, wrong bool) {
		cards := w.holders("1", "2", "3")
		w.lose("1", MobileLost)
		w.publish()
		bits := make([]byte, 1<<10)
		for i, c := range cards[0].copies {
			if wrong && i == 1 {
				break // the second copy of the batch stays valid
			}
			setEntry(bits, c.Status.Index, statusSuspended)
		}
		w.publishBits(w.seq, bits)
	})
}

func TestListPublishedBeforeTheCommitIsFound(t *testing.T) {
	planted(t, "S11", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		bits := make([]byte, 1<<10)
		if wrong {
			for _, c := range card.copies {
				setEntry(bits, c.Status.Index, statusSuspended)
			}
			w.publishBits(w.seq+1, bits)
		} else {
			w.publishBits(w.seq, bits)
		}
		w.lose("1", MobileLost)
	})
}

func TestListThatShowsAnIndexNobodyHasIsFound(t *testing.T) {
	planted(t, "S11", func(w *world, wrong bool) {
		w.holders("1")
		bits := make([]byte, 1<<10)
		if wrong {
			setEntry(bits, 3000, statusSuspended)
		}
		w.publishBits(w.seq, bits)
	})
}

func TestIndexUsedAgainAfterARestartIsFound(t *testing.T) {
	planted(t, "S11", func(w *world, wrong bool) {
		w.holders("1")
		w.publish()
		w.crash()
		w.citizens("2")
		if wrong {
			w.index -= 14
		}
		w.issue("2", "phone-2")
	})
}

func TestListOfOneBitIsFound(t *testing.T) {
	planted(t, "S11", func(w *world, wrong bool) {
		w.holders("1")
		w.publish()
		if wrong {
			w.h.Lists[0].Token = token(w.uri, w.now, w.seq, 1, make([]byte, 64))
		}
	})
}
