package oracle

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"
)

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

func TestAuditEntriesThatRevokeACertificateTwiceAreFound(t *testing.T) {
	by := Call{Actor: "operator", Role: "administrator"}
	listed := func(serials ...string) *AuditList {
		l := &AuditList{Authority: "C=KR, CN=CSCA"}
		for _, s := range serials {
			l.Revoked = append(l.Revoked, struct {
				Serial string `json:"serial"`
			}{s})
		}
		return l
	}
	for name, again := range map[string]AuditEntry{
		"its own":                            {Subject: "a1"},
		"by the same list":                   {List: listed("b2")},
		"by a longer list":                   {List: listed("b3", "b1")},
		"twice in one list":                  {List: listed("b3", "b3")},
		"without saying of which, its own":   {},
		"without saying of which, by a list": {List: listed()},
	} {
		t.Run(name, func(t *testing.T) {
			planted(t, "S10", func(w *world, wrong bool) {
				w.holders("1")
				w.enter(CertificateRevoked, "0", by, AuditEntry{Subject: "a1"})
				w.enter(CertificateRevoked, "0", by, AuditEntry{List: listed("b1", "b2")})
				// Another's certificate may have the same number.
				w.enter(CertificateRevoked, "0", by, AuditEntry{List: listed("a1")})
				if wrong {
					w.enter(CertificateRevoked, "0", by, again)
				}
				w.pass(time.Second)
			})
		})
	}
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

// That somebody was removed stays in the states of their entries; those of before states
// said so leave it open.
func TestAnEntryThatForgetsARemovalIsFound(t *testing.T) {
	planted(t, "S10", func(w *world, wrong bool) {
		by := Call{Actor: "registrar", Role: "registrar"}
		none, removed := AuditState{}, AuditState{Removed: true}
		w.citizens("1", "2")
		for _, removal := range []AuditState{removed, none} {
			w.pass(time.Second)
			citizen := map[AuditState]string{removed: "1", none: "2"}[removal]
			w.h.Endings = append(w.h.Endings, Ending{Call: Call{Citizen: citizen, Role: "registrar", Granted: true}, Event: PersonRemoved})
			e := &w.h.Endings[len(w.h.Endings)-1]
			w.call(&e.Call, func() {
				e.Sequence = w.enter(PersonRemoved, citizen, e.Call, AuditEntry{Before: &none, After: &removal})
			})
			after := &removed
			if wrong && removal.Removed {
				after = &none
			}
			w.enter(ResidentRegistered, citizen, by, AuditEntry{Before: after, After: after})
		}
	})
}
