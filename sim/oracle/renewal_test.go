package oracle

import (
	"testing"
	"time"
)

// Copies signed anew must not get round the register.

func TestCopiesSignedAnewWhileSuspendedAreFound(t *testing.T) {
	for _, cause := range []Cause{PhysicalLost, MobileLost, Administrative} {
		t.Run(string(cause), func(t *testing.T) {
			planted(t, "S8", func(w *world, wrong bool) {
				w.holders("1")
				w.lose("1", cause)
				w.renew("1", "phone-1", wrong)
			})
		})
	}
}

func TestCopiesSignedAnewOfACardThatHasEndedAreFound(t *testing.T) {
	for what, ends := range map[string]func(w *world){
		"by a new plastic card": func(w *world) { w.reissue("1", "M1-2") },
		"by a new phone":        func(w *world) { w.issue("1", "new phone") },
		"by a removal":          func(w *world) { w.remove("1") },
		"reported lost before": func(w *world) {
			w.lose("1", MobileLost)
			w.issue("1", "new phone")
		},
	} {
		t.Run(what, func(t *testing.T) {
			planted(t, "S7", func(w *world, wrong bool) {
				w.holders("1")
				ends(w)
				w.renew("1", "phone-1", wrong)
			})
		})
	}
}

func TestCopiesSignedAnewForAWalletThatNeverHadTheCardAreFound(t *testing.T) {
	planted(t, "S7", func(w *world, wrong bool) {
		w.holders("1")
		w.renew("1", "another phone", wrong)
	})
}

func TestCopiesSignedAnewOfACardWhoseValidityIsOverAreFound(t *testing.T) {
	planted(t, "E5", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.now = card.until.Add(time.Second)
		w.renew("1", "phone-1", wrong)
	})
}

func TestCopiesSignedAnewAtOtherPlacesAreFound(t *testing.T) {
	for what, spoil := range map[string]func(mine, others *Copy){
		"another's":           func(mine, others *Copy) { *mine = *others },
		"nobody's":            func(mine, _ *Copy) { mine.Status.Index++ },
		"in another list":     func(mine, _ *Copy) { mine.Status.URI += "0" },
		"that cannot be read": func(mine, _ *Copy) { mine.IssuerSigned = []byte{0xA0} },
	} {
		t.Run(what, func(t *testing.T) {
			planted(t, "S11", func(w *world, wrong bool) {
				other := w.holders("1", "2")[1]
				if r := w.renew("1", "phone-1", false); wrong {
					spoil(&r.Copies[1], &other.copies[0])
				}
			})
		})
	}
}

func TestCopiesSignedAnewAtOnePlaceAreFound(t *testing.T) {
	planted(t, "S11", func(w *world, wrong bool) {
		w.holders("1")
		if r := w.renew("1", "phone-1", false); wrong {
			r.Copies[1] = r.Copies[0]
		}
	})
}

func TestCopiesSignedAnewAfterACrashThatLostTheReportAreTheCrashs(t *testing.T) {
	for what, change := range map[string]func(w *world){
		"the report":     func(w *world) { w.lose("1", PhysicalLost) },
		"a new phone":    func(w *world) { w.issue("1", "new phone") },
		"a plastic card": func(w *world) { w.reissue("1", "M1-2") },
	} {
		t.Run(what, func(t *testing.T) {
			planted(t, "S5", func(w *world, wrong bool) {
				w.holders("1")
				before := w.keep()
				change(w)
				if wrong {
					w.restore(before)
					for _, c := range w.held {
						c.ended = false
					}
				}
				w.crash()
				w.renew("1", "phone-1", wrong)
			})
		})
	}
}

func TestCopiesSignedAnewAfterAReleaseThatMustNotCountAreTheReleases(t *testing.T) {
	planted(t, "S6", func(w *world, wrong bool) {
		w.holders("1")
		w.lose("1", MobileLost)
		w.lose("1", PhysicalLost)
		w.find("1", PhysicalLost)
		w.find("1", Administrative) // nothing to release
		w.renew("1", "phone-1", wrong)
	})
	planted(t, "S9", func(w *world, wrong bool) {
		w.holders("1")
		first := w.lose("1", MobileLost).Sequence
		w.lose("1", MobileLost)
		w.release(Release{Call: Call{Citizen: "1"}, Cause: MobileLost, Names: first})
		w.renew("1", "phone-1", wrong)
	})
}

// While the report is under way either is right.
func TestCopiesSignedAnewDuringTheReportAreRight(t *testing.T) {
	w := newWorld()
	w.holders("1")
	begin := w.stamp()
	w.lose("1", PhysicalLost)
	granted := w.renew("1", "phone-1", true)
	granted.Begin = begin
	refused := w.renew("1", "phone-1", false)
	refused.Begin = begin
	v := Judge(w.history(), Options{})
	if v.Violations() != 0 {
		t.Error(sentences(v))
	}
	if n := v.ByProperty["S8"].Opportunities; n != 2 {
		t.Errorf("%d opportunities of S8, want 2", n)
	}
}

// Copies end with their signer: those signed anew are good when the first have ended.
func TestCopiesSignedAnewAreGoodLongerThanTheFirst(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		w := newWorld()
		card := w.holders("1")[0]
		signer := w.now.AddDate(1, 0, 0)
		for i := range card.copies {
			card.copies[i].Until = signer
		}
		if w.now = signer.Add(-time.Hour); renewed {
			r := w.renew("1", "phone-1", false)
			for i := range r.Copies {
				r.Copies[i].Until = card.until
			}
		}
		w.now = signer.Add(time.Hour)
		w.show(card)
		if got := Judge(w.history(), Options{}).ByProperty["E5"].Violations == 0; got != renewed {
			t.Errorf("signed anew: %v, good after the first have ended: %v", renewed, got)
		}
		w.now = card.until.Add(time.Hour)
		w.show(card, Accepted)
		if Judge(w.history(), Options{}).ByProperty["E5"].Violations == 0 {
			t.Errorf("signed anew: %v, good after the card has ended", renewed)
		}
	}
}

// A copy signed anew may end before the first ones do.
func TestARefusalOfACopySignedAnewThatHasEndedIsRight(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	for _, c := range w.renew("1", "phone-1", false).Copies {
		c.Until = w.now.Add(time.Hour)
		w.h.Renewals[0].Copies = []Copy{c}
	}
	w.pass(2 * time.Hour)
	w.show(card, Refused)
	if v := Judge(w.history(), Options{}); v.Violations() != 0 {
		t.Error(sentences(v))
	}
}

// What nobody can know is judged by nobody: an answer that never came or was no decision, and what a
// release without an answer did, if there is no audit.
func TestRenewalsOfWhichNothingIsKnownAreNotJudged(t *testing.T) {
	w := newWorld()
	w.holders("1")
	w.lose("1", PhysicalLost)
	lost := w.renew("1", "phone-1", false)
	lost.End, lost.Reason = Stamp{}, ""
	shed := w.renew("1", "phone-1", false)
	shed.TurnedAway, shed.Reason = true, ""
	v := Judge(w.history(), Options{})
	if n := v.ByProperty["S8"]; n.Opportunities != 0 || n.Violations != 0 {
		t.Errorf("without an answer: %+v", n)
	}

	w = newWorld()
	w.holders("1")
	w.lose("1", PhysicalLost)
	w.find("1", PhysicalLost).Call.End = Stamp{}
	w.renew("1", "phone-1", false)
	h := w.history()
	h.Audit, h.Releases[0].Granted, h.Releases[0].Sequence = nil, false, 0
	if v := Judge(h, Options{}); v.Violations() != 0 {
		t.Error(sentences(v))
	}
}

// The stand-by goes by its copy, the main register by what it knows.
func TestARenewalIsJudgedByTheSiteThatWasAsked(t *testing.T) {
	planted(t, "S8", ofSites(func(s *sites, wrong bool) {
		s.holders("1", "2")
		s.lose("2", PhysicalLost)
		s.copied()
		s.lose("1", PhysicalLost)
		s.burns()
		s.renew("1", "phone-1", false) // lost, and the stand-by does not know
		s.renew("2", "phone-2", wrong)
		s.back()
		s.renew("1", "phone-1", false)
	}))
}

func TestATimelineShowsWhoMayHaveCopiesSignedAnew(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		w := newWorld()
		w.holders("1")
		beside := w.renew("1", "phone-1", false)
		w.renew("1", "another phone", wrong)
		w.lose("1", PhysicalLost)
		w.renew("1", "phone-1", wrong)
		if wrong {
			beside.Copies[1].Status.Index++
		}
		want := []Line{
			{What: "copies are signed anew for phone phon", Seen: "granted", Demanded: "granted, at the places of credential-issued (sequence 2)"},
			{What: "copies are signed anew for phone anot", Seen: "refused as no-card", Demanded: "refused: no mobile card is on this phone (S7)"},
			{What: "copies are signed anew for phone phon", Seen: "refused as card-suspended", Demanded: "refused: report-physical-lost (sequence 3) is in force (S8)"},
		}
		if wrong {
			want[0].Seen += ": a copy signed anew stands at index 15 of list https://status.example/lists/0, which is not a place of credential-issued (sequence 2)"
			want[1].Seen, want[2].Seen = "granted", "granted"
		}
		for _, l := range Timeline(w.history()) {
			if l.What[:6] != "copies" {
				continue
			}
			if w := want[0]; l.What != w.What || l.Seen != w.Seen || l.Demanded != w.Demanded || l.Wrong != wrong {
				t.Errorf("%+v\nwant %+v", l, w)
			}
			want = want[1:]
		}
		if len(want) != 0 {
			t.Errorf("%d lines are missing", len(want))
		}
	}
}
