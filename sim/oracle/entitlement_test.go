package oracle

import (
	"testing"
	"time"
)

func TestIssueADayBeforeThePhaseIsFound(t *testing.T) {
	planted(t, "E1", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.Municipality = "later"
		w.apply(a, wrong)
		w.pass(4 * time.Hour)
		a.Key = ""
		w.apply(a, false)
	})
}

func TestIssueWhereThePhaseNeverOpensIsFound(t *testing.T) {
	planted(t, "E1", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.Municipality = "never"
		w.apply(a, wrong)
	})
}

func TestIssueAtSixteenIsFound(t *testing.T) {
	planted(t, "E2", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.Age = 16
		w.apply(a, wrong)
	})
}

func TestIssueOnAnEndedPlasticNumberIsFound(t *testing.T) {
	planted(t, "E2", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		w.reissue("1", "M1-2")
		w.apply(a, wrong)
	})
}

func TestIssueWithoutAPlasticCardIsFound(t *testing.T) {
	planted(t, "E2", func(w *world, wrong bool) {
		w.citizens("1")
		w.h.Residents[0].Document = ""
		w.people["1"].document = ""
		w.apply(w.tap("1", "phone-1"), wrong)
	})
}

func TestIssueAtAnotherMunicipalitysCentreIsFound(t *testing.T) {
	planted(t, "E3", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.Channel, a.Centre, a.Offer = Centre, "elsewhere", w.offer("1", "elsewhere")
		w.apply(a, wrong)
	})
}

func TestIssueAtTheLastMomentOfTheMunicipalityRuleIsFound(t *testing.T) {
	planted(t, "E3", func(w *world, wrong bool) {
		w.citizens("1", "2")
		for i, c := range []string{"1", "2"} {
			w.now = w.h.Policy.AnyCentreFrom.Add(time.Duration(i)*time.Second - 500*time.Millisecond)
			a := w.tap(c, "phone-"+c)
			a.Channel, a.Centre, a.Offer = Centre, "elsewhere", w.offer(c, "elsewhere")
			w.apply(a, wrong && i == 0)
		}
	})
}

func TestQRCodeUsedTwiceIsFound(t *testing.T) {
	planted(t, "E4", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.Channel, a.Centre, a.Offer = Centre, "open", w.offer("1", "open")
		w.apply(a, false)
		a.Wallet = "phone-2"
		w.apply(a, wrong)
	})
}

func TestQRCodeOlderThanNinetySecondsIsFound(t *testing.T) {
	planted(t, "E4", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.Channel, a.Centre, a.Offer = Centre, "open", w.offer("1", "open")
		w.pass(90 * time.Second)
		w.apply(a, wrong)
	})
}

func TestQRCodeJustInTimeIsNoViolation(t *testing.T) {
	w := newWorld()
	w.citizens("1")
	a := w.tap("1", "phone-1")
	a.Channel, a.Centre, a.Offer = Centre, "open", w.offer("1", "open")
	w.pass(89 * time.Second)
	if r := w.apply(a, false); !r.Granted {
		t.Fatal(r.Reason)
	}
	if v := Judge(w.history(), Options{}); v.Violations() != 0 || v.ByProperty["E4"].Opportunities != 0 {
		t.Error(sentences(v))
	}
}

func TestIssueJustBelowTheThresholdIsFound(t *testing.T) {
	planted(t, "E5", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.FaceScore = w.h.Policy.FaceThreshold - 0.00005
		w.apply(a, wrong)
		a.Key, a.FaceScore = "", w.h.Policy.FaceThreshold+0.00005
		w.apply(a, false)
	})
}

func TestIssueWithoutAFaceIsFound(t *testing.T) {
	planted(t, "E5", func(w *world, wrong bool) {
		w.citizens("1")
		a := w.tap("1", "phone-1")
		a.NoFace = true
		w.apply(a, wrong)
	})
}

func TestAcceptanceAfterExpiryIsFound(t *testing.T) {
	planted(t, "E5", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.now = card.until.Add(time.Minute)
		w.show(card, or(wrong, Accepted)...)
	})
}

func TestCachedAcceptanceAfterExpiryIsFound(t *testing.T) {
	planted(t, "E5", func(w *world, wrong bool) {
		card := w.holders("1")[0]
		w.now = card.until.Add(2 * time.Minute)
		w.showCached(card, w.publish(), w.stamp(), or(wrong, Accepted)...)
	})
}
