package oracle

import (
	"testing"
	"time"
)

// S5 durability

func TestReportLostInACrashIsFound(t *testing.T) {
	planted(t, "S5", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		before := w.keep()
		w.lose("1", MobileLost)
		if wrong {
			w.restore(before)
		}
		w.crash()
		w.pass(time.Hour)
		w.show(card)
	})
}

func TestIssuanceLostInACrashIsFoundInTheAuditAlone(t *testing.T) {
	planted(t, "S5", func(w *world, wrong bool) {
		w.citizens("1", "2")
		before := w.keep()
		w.issue("1", "phone-1")
		if wrong {
			w.restore(before)
		}
		w.crash()
		w.pass(time.Hour)
		w.issue("2", "phone-2") // gets the number again
	})
}

func TestReleaseLostInACrashIsFound(t *testing.T) {
	planted(t, "S5", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", MobileLost)
		before := w.keep()
		w.find("1", MobileLost)
		if wrong {
			w.restore(before)
		}
		w.crash()
		w.pass(time.Hour)
		w.show(card)
	})
}

func TestDeclaredLossIsCountedAndNotHeldAgainstTheService(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	before := w.keep()
	r := w.lose("1", MobileLost)
	w.show(card)
	w.restore(before)
	w.crash()
	w.h.Restarts[0].DeclaredLost = []uint64{r.Sequence}
	w.pass(time.Hour)
	w.show(card)
	if v := Judge(w.history(), Options{}); v.Violations() != 0 || v.DeclaredLost != 1 {
		t.Errorf("declared lost %d, %s", v.DeclaredLost, sentences(v))
	}
}

func TestRequestWithoutAnAnswerMayHaveHappenedOrNot(t *testing.T) {
	for _, happened := range []bool{true, false} {
		w := newWorld()
		card := w.holders("1")[0]
		r := Report{Call: Call{Citizen: "1"}, Cause: MobileLost}
		w.call(&r.Call, func() {
			if happened {
				w.decideReport(&r)
			}
		})
		r.End, r.Granted, r.Sequence = Stamp{}, false, 0
		w.h.Reports = append(w.h.Reports, r)
		w.crash()
		w.pass(time.Hour)
		w.show(card)
		if v := Judge(w.history(), Options{}); v.Violations() != 0 {
			t.Errorf("happened %v: %s", happened, sentences(v))
		}
	}
}

// S9 exactly once

func TestRepeatedReportCountedTwiceIsFound(t *testing.T) {
	planted(t, "S9", func(w *world, wrong bool) {
		w.holders("1")
		r := w.lose("1", MobileLost)
		if again := (Report{Call: Call{Citizen: "1", Key: r.Key}, Cause: MobileLost}); true {
			if wrong {
				delete(w.answer, r.Key)
			}
			w.report(again)
		}
	})
}

func TestLateDuplicateOfAReleaseThatTakesEffectAgainIsFound(t *testing.T) {
	planted(t, "S9", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", MobileLost)
		r := w.find("1", MobileLost)
		w.lose("1", MobileLost)
		w.release(Release{Call: Call{Citizen: "1", Role: "registrar", Key: r.Key}, Cause: MobileLost})
		w.show(card, or(wrong, Accepted)...)
	})
}

func TestReleaseOfAnOlderReportThatIsGrantedIsFound(t *testing.T) {
	planted(t, "S9", func(w *world, wrong bool) {
		w.holders("1")
		first := w.lose("1", MobileLost).Sequence
		w.lose("1", MobileLost)
		r := Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Names: first}
		w.call(&r.Call, func() {
			if w.decideRelease(&r); wrong {
				r.Granted, r.Reason = true, ""
				r.Sequence = w.enter(ReleaseMobile, "1", r.Call, AuditEntry{Cause: "mobile-lost"})
			}
		})
		w.h.Releases = append(w.h.Releases, r)
	})
}

func TestSilentRefusalOfAnOlderReleaseIsFound(t *testing.T) {
	planted(t, "S9", func(w *world, wrong bool) {
		w.holders("1")
		first := w.lose("1", MobileLost).Sequence
		w.lose("1", MobileLost)
		if r := w.release(Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Names: first}); wrong {
			r.Reason = "nothing-to-release"
		}
	})
}

func TestRepetitionAfterARestartThatIsDoneAgainIsFound(t *testing.T) {
	planted(t, "S9", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		w.call(&a.Call, func() { w.decideApplication(&a, "") })
		a.End, a.Granted, a.Sequence, a.Copies = Stamp{}, false, 0, nil // the answer was lost
		w.h.Applications = append(w.h.Applications, a)
		w.crash()
		again := w.tap("1", "phone-1")
		again.Key = a.Key
		if wrong {
			delete(w.answer, a.Key)
		}
		w.apply(again, false)
		w.apply(again, false)
	})
}

func TestNumbersThatContradictTheOrderOfAnswersAreFound(t *testing.T) {
	planted(t, "S9", func(w *world, wrong bool) {
		w.holders("1", "2")
		r := w.lose("1", MobileLost)
		w.report(Report{Call: Call{Citizen: "1", Key: r.Key}, Cause: MobileLost})
		w.lose("2", MobileLost)
		if n := len(w.log); wrong {
			a, b := &w.h.Reports[0], &w.h.Reports[2]
			a.Sequence, b.Sequence = b.Sequence, a.Sequence
			w.h.Reports[1].Sequence = a.Sequence
			x, y := &w.log[n-2], &w.log[n-1]
			x.Person, y.Person, x.At, y.At, x.Actor, y.Actor = y.Person, x.Person, y.At, x.At, y.Actor, x.Actor
		}
	})
}
