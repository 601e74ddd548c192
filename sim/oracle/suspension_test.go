package oracle

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"
)

// or returns the wrong outcome if the history is to be wrong.
func or(wrong bool, o Outcome) []Outcome {
	if wrong {
		return []Outcome{o}
	}
	return nil
}

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

// S10 audit

func TestAuditEntryThatIsMissingIsFound(t *testing.T) {
	planted(t, "S10", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		if wrong {
			w.log = w.log[:len(w.log)-1]
		}
	})
}

func TestAuditLogWrittenAnewAfterAnExportIsFound(t *testing.T) {
	planted(t, "S10", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		taken := export(w.log)
		sum := sha256.Sum256(taken)
		w.h.Exports = append(w.h.Exports, Export{Taken: w.stamp(), Length: len(taken), SHA256: sum[:]})
		w.find("1", MobileLost)
		if wrong { // the chain holds, and the first entry's reason is another
			w.log[0].Reason = "for no reason"
		}
	})
}

func TestAuditEntryWrittenTwiceIsFound(t *testing.T) {
	planted(t, "S10", func(w *world, wrong bool) {
		w.holders("1")
		r := w.lose("1", MobileLost)
		if wrong {
			w.enter(ReportMobileLost, "1", r.Call, AuditEntry{Cause: "mobile-lost"})
			w.pass(time.Second)
		}
	})
}

func TestAuditEntryWithAnotherActorIsFound(t *testing.T) {
	planted(t, "S10", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		if wrong {
			w.log[len(w.log)-1].Actor = "somebody"
		}
	})
}

func TestAuditEntryOfAnotherTimeThanItsAnswerIsFound(t *testing.T) {
	planted(t, "S10", func(w *world, wrong bool) {
		w.holders("1")
		w.pass(700 * time.Millisecond)
		r := w.lose("1", MobileLost)
		at := w.log[len(w.log)-1].At
		if r.Dated = at.Add(123 * time.Microsecond); wrong { // an entry has milliseconds
			r.Dated = at.Truncate(time.Second)
		}
	})
}

func TestAuditEntryWithAnotherStateBeforeOrAfterIsFound(t *testing.T) {
	for _, spoil := range []func(before, after *AuditState){
		func(before, after *AuditState) { *before = *after },
		func(before, after *AuditState) { *after = *before },
		func(before, _ *AuditState) { before.Credential = false },
		func(_, after *AuditState) { after.PhysicalLost = false },
	} {
		planted(t, "S10", func(w *world, wrong bool) {
			w.holders("1")
			w.lose("1", PhysicalLost)
			w.find("1", PhysicalLost)
			card, both := AuditState{Card: true}, AuditState{Card: true, Credential: true}
			lost := AuditState{Card: true, Credential: true, PhysicalLost: true}
			states := []AuditState{{}, card, both, lost, both}
			for i := range w.log {
				before, after := states[i], states[i+1]
				w.log[i].Before, w.log[i].After = &before, &after
			}
			if len(w.log) != 4 {
				t.Fatalf("%d entries", len(w.log))
			}
			if wrong {
				spoil(w.log[2].Before, w.log[2].After)
			}
		})
	}
}

func TestAuditEntryChangedAfterwardsIsFound(t *testing.T) {
	w := newWorld()
	w.holders("1", "2")
	w.lose("1", MobileLost)
	h := w.history()
	if v := Judge(h, Options{}); v.Violations() != 0 {
		t.Fatal(sentences(v))
	}
	for i := range h.Audit {
		changed := slices.Clone(h.Audit)
		changed[i] ^= 1
		x := *h
		x.Audit = changed
		if v := Judge(&x, Options{}); v.ByProperty["S10"].Violations == 0 {
			t.Fatalf("byte %d of the export changed and nothing found: %.80q", i, changed[max(0, i-40):])
		}
	}
}

func TestAuditEntryRemovedIsFound(t *testing.T) {
	w := newWorld()
	w.holders("1", "2")
	w.lose("1", MobileLost)
	h := w.history()
	for at := 0; at < len(h.Audit); {
		end := at + 1 + slices.Index(h.Audit[at:], '\n')
		x := *h
		x.Audit = slices.Concat(h.Audit[:at], h.Audit[end:])
		if v := Judge(&x, Options{}); v.ByProperty["S10"].Violations == 0 {
			t.Errorf("nothing found without %s", h.Audit[at:end])
		}
		at = end
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
