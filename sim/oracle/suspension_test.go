package oracle

import (
	"testing"
)

// S1 cascade

func TestCascadeInTwoCommitsIsFound(t *testing.T) {
	planted(t, "S1", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		r := Report{Call: Call{Citizen: "1"}, Cause: PhysicalLost}
		w.call(&r.Call, func() {
			w.decideReport(&r)
			w.showPlastic("1") // suspended already, and then the phone is not
			w.show(card, or(wrong, Accepted)...)
		})
		w.h.Reports = append(w.h.Reports, r)
	})
}

func TestCascadeThatForgetsTheMobileCardIsFound(t *testing.T) {
	planted(t, "S1", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", PhysicalLost)
		w.showPlastic("1")
		w.show(card, or(wrong, Accepted)...)
	})
}

func TestAnswerThatShowsHalfACascadeIsFound(t *testing.T) {
	planted(t, "S1", func(w *world, wrong bool) {
		w.holders("1")
		r := Report{Call: Call{Citizen: "1"}, Cause: PhysicalLost}
		w.call(&r.Call, func() {
			w.decideReport(&r)
			if q := w.inquire("1"); wrong {
				q.Mobile = Accepted
			}
		})
		w.h.Reports = append(w.h.Reports, r)
	})
}

func TestSecondCommitOfACascadeIsFoundInTheAudit(t *testing.T) {
	planted(t, "S1", func(w *world, wrong bool) {
		w.holders("1")
		r := Report{Call: Call{Citizen: "1"}, Cause: PhysicalLost}
		w.call(&r.Call, func() {
			w.decideReport(&r)
			if wrong {
				w.enter(ReportMobileLost, "1", r.Call, AuditEntry{Cause: "mobile-lost"})
			}
		})
		w.h.Reports = append(w.h.Reports, r)
	})
}

// S2 containment

func TestLostPhoneThatSuspendsThePlasticCardIsFound(t *testing.T) {
	planted(t, "S2", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		w.showPlastic("1", or(wrong, Suspended)...)
	})
}

func TestLostPhoneThatSuspendsSomebodyElseIsFound(t *testing.T) {
	planted(t, "S2", func(w *world, wrong bool) {
		cards := w.holders("1", "2")
		w.lose("1", MobileLost)
		w.show(cards[1], or(wrong, Suspended)...)
	})
}

func TestLostPhoneThatStopsAnApplicationWithThePlasticCardIsFound(t *testing.T) {
	planted(t, "S2", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		a := w.tap("1", "new phone")
		w.call(&a.Call, func() {
			if wrong {
				a.Reason = "card-suspended"
			} else {
				w.decideApplication(&a, w.refuses(&a))
			}
		})
		w.h.Applications = append(w.h.Applications, a)
	})
}

// Who has lost only the phone scans a code that was made for somebody else, whose plastic
// card is reported lost: that card is refused, not theirs.
func TestACodeOfSomebodyElseWhoseCardIsLostIsNoCardOfTheScanner(t *testing.T) {
	w := newWorld()
	w.holders("1", "2")
	w.lose("1", MobileLost)
	code := w.offer("2", "open")
	w.lose("2", PhysicalLost)
	a := Application{Call: Call{Citizen: "1"}, Channel: Centre, Centre: "open", Municipality: "open", Age: 40, Wallet: "new phone", Offer: code, FaceScore: 0.8}
	w.call(&a.Call, func() { a.Reason = "card-suspended" })
	w.h.Applications = append(w.h.Applications, a)
	if v := Judge(w.history(), Options{}); v.Violations() != 0 {
		t.Errorf("%s", sentences(v))
	}
}

// S3 freshness

func TestReplicaThatLagsBehindIsFound(t *testing.T) {
	planted(t, "S3", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", MobileLost)
		w.show(card, or(wrong, Accepted)...)
		w.show(card)
	})
}

func TestAnswerThatGoesBackBeforeTheAcknowledgementIsFound(t *testing.T) {
	planted(t, "S3", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		r := Report{Call: Call{Citizen: "1"}, Cause: MobileLost}
		w.call(&r.Call, func() {
			w.decideReport(&r)
			w.show(card)
			w.show(card, or(wrong, Accepted)...)
		})
		w.h.Reports = append(w.h.Reports, r)
		w.show(card)
	})
}

func TestAdministrativeSuspensionNotSeenByTheVerifierIsFound(t *testing.T) {
	planted(t, "S3", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", Administrative)
		w.show(card, or(wrong, Accepted)...)
	})
}

func TestRequestsThatOverlapMayBeOrderedEitherWay(t *testing.T) {
	for _, outcome := range []Outcome{Accepted, Suspended} {
		w := newWorld()
		card := w.holders("1")[0]
		r := Report{Call: Call{Citizen: "1"}, Cause: MobileLost}
		w.call(&r.Call, func() {
			w.decideReport(&r)
			w.show(card, outcome)
		})
		w.h.Reports = append(w.h.Reports, r)
		if v := Judge(w.history(), Options{}); v.Violations() != 0 {
			t.Errorf("%s: %s", outcome, sentences(v))
		}
	}
}

func TestEqualInstantsAreSimultaneousWithoutRunningNumbers(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	r := w.lose("1", MobileLost)
	p := w.show(card, Accepted)
	p.Begin.At, p.End.At = r.End.At, r.End.At
	h := w.history()
	if v := Judge(h, Options{}); v.ByProperty["S3"].Violations != 1 {
		t.Errorf("with running numbers the presentation follows the answer: %s", sentences(v))
	}
	p.Begin.N, p.End.N = 0, 0
	if v := Judge(h, Options{}); v.Violations() != 0 {
		t.Errorf("without, it may have come first: %s", sentences(v))
	}
}

// S6 no resurrection

func TestReleaseByTheWrongCauseIsFound(t *testing.T) {
	planted(t, "S6", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", MobileLost)
		w.lose("1", PhysicalLost)
		w.find("1", PhysicalLost)
		w.show(card, or(wrong, Accepted)...)
	})
}

func TestReleaseByARoleThatMayNotIsFound(t *testing.T) {
	planted(t, "S6", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", PhysicalLost)
		r := Release{Call: Call{Citizen: "1", Role: "call-centre"}, Cause: PhysicalLost}
		w.call(&r.Call, func() {
			if w.decideRelease(&r); wrong {
				r.Granted, r.Reason = true, ""
				r.Sequence = w.enter(ReleasePhysical, "1", r.Call, AuditEntry{Cause: "physical-lost"})
			}
		})
		w.h.Releases = append(w.h.Releases, r)
	})
}

func TestRefusedReleaseThatTakesEffectIsFound(t *testing.T) {
	planted(t, "S6", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.lose("1", Administrative)
		w.release(Release{Call: Call{Citizen: "1", Role: "clerk"}, Cause: Administrative})
		w.show(card, or(wrong, Accepted)...)
	})
}

func TestIssueToAWalletReportedLostIsFound(t *testing.T) {
	planted(t, "S6", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		w.apply(w.tap("1", "phone-1"), wrong)
	})
}
