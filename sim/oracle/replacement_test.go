package oracle

import (
	"testing"
	"time"
)

// S7 replacement is final

func TestOldPhoneThatGoesOnIsFound(t *testing.T) {
	planted(t, "S7", func(w *world, wrong bool) {
		old := w.holders("1")[0]
		w.issue("1", "new phone")
		w.show(old, or(wrong, Accepted)...)
	})
}

func TestReleaseThatRevivesAReplacedCredentialIsFound(t *testing.T) {
	planted(t, "S7", func(w *world, wrong bool) {
		old := w.holders("1")[0]
		w.lose("1", MobileLost)
		w.issue("1", "new phone")
		w.release(Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Wallet: "phone-1"})
		w.show(old, or(wrong, Accepted)...)
	})
}

func TestOldPlasticNumberThatGoesOnIsFound(t *testing.T) {
	planted(t, "S7", func(w *world, wrong bool) {
		w.holders("1")
		old := w.people["1"].document
		w.reissue("1", "M1-2")
		p := w.showPlastic("1", NotValid)
		p.Document = old
		if wrong {
			p.Outcome = Accepted
		}
	})
}

func TestReplacedCredentialInAnOldCacheIsFound(t *testing.T) {
	planted(t, "S7", func(w *world, wrong bool) {
		old := w.holders("1")[0]
		list := w.publish()
		w.issue("1", "new phone")
		w.pass(3 * time.Hour)
		if fresh := w.publish(); !wrong {
			list = fresh
		}
		w.showCached(old, list, w.stamp())
	})
}

// Nothing happens any more to somebody who was removed. The wrong service has forgotten it.
func TestWhatIsGrantedAfterARemovalIsFound(t *testing.T) {
	for what, asks := range map[string]func(w *world){
		"a plastic card":       func(w *world) { w.reissue("1", "M1-2") },
		"a suspension":         func(w *world) { w.lose("1", Administrative) },
		"a report":             func(w *world) { w.lose("1", PhysicalLost) },
		"a release of a phone": func(w *world) { w.release(Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Wallet: "phone-1"}) },
		"another removal":      func(w *world) { w.remove("1") },
		"a mobile card on a new plastic card": func(w *world) {
			w.reissue("1", "M1-2")
			w.apply(w.tap("1", "new phone"), false)
		},
	} {
		t.Run(what, func(t *testing.T) {
			planted(t, "S7", func(w *world, wrong bool) {
				w.holders("1")
				w.lose("1", MobileLost)
				w.remove("1")
				w.people["1"].removed = !wrong
				asks(w)
			})
		})
	}
}

func TestACardOfSomebodyWhoWasRemovedThatGoesOnIsFound(t *testing.T) {
	planted(t, "S7", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.remove("1")
		w.show(card, or(wrong, Accepted)...)
	})
}

// A release that names an older report is refused as such, unless nobody is there any more.
func TestAnOldReleaseAfterARemovalNeedNotBeCalledOld(t *testing.T) {
	w := newWorld()
	w.holders("1")
	first := w.lose("1", MobileLost).Sequence
	w.lose("1", MobileLost)
	w.remove("1")
	w.release(Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Wallet: "phone-1", Names: first})
	if v := Judge(w.history(), Options{}); v.Violations() != 0 {
		t.Error(sentences(v))
	}
}

// S8 no issue while suspended

func TestIssueOnASuspendedCardIsFound(t *testing.T) {
	planted(t, "S8", func(w *world, wrong bool) {
		w.citizens("1")
		w.lose("1", PhysicalLost)
		w.apply(w.tap("1", "phone-1"), wrong)
	})
}

func TestIssueThatCommitsAfterAReportInFlightIsFound(t *testing.T) {
	planted(t, "S8", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		w.call(&a.Call, func() {
			refuses := w.refuses(&a) // judged before the report, committed after
			w.lose("1", PhysicalLost)
			if !wrong {
				refuses = w.refuses(&a)
			}
			w.decideApplication(&a, refuses)
		})
		w.h.Applications = append(w.h.Applications, a)
	})
}

func TestIssueInFlightThatTheCascadeMissesIsFound(t *testing.T) {
	planted(t, "S8", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		w.call(&a.Call, func() {
			w.decideApplication(&a, "")
			w.lose("1", PhysicalLost)
		})
		w.h.Applications = append(w.h.Applications, a)
		w.show(w.people["1"].cred, or(wrong, Accepted)...)
	})
}
