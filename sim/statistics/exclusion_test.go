package statistics

import (
	"reflect"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// excludedIn is the exclusion of a scenario in which one centre's people live.
func excludedIn(t *testing.T, name string, settings ...string) (reports.Exclusion, *reports.Nation) {
	t.Helper()
	s, err := scenarios.Load(name, append([]string{"panel.citizens=0"}, settings...))
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	o, err := nation.Run(t.Context(), s, n, rollout.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	r := &reports.Result{}
	Fill(r, o, nil)
	if _, err := reports.Encode(r); err != nil {
		t.Fatal(err)
	}
	return r.Nation.Exclusion, &r.Nation
}

// few is one centre in Sejong for two weeks, where everybody wants the card at once,
// and nothing but what a test sets goes wrong.
var few = []string{
	"start=2025-03-10", "end=2025-03-24", `population.centres=["3611039000"]`,
	"adoption.level=50%", "adoption.keen=100%", "adoption.keen_decay=1d", "channels.early_attempt=0%", "channels.wrong_centre=0%",
	"phones.replaced_every=36500d", "cards.other_reissue=0/year", "losses.plastic.rate=0/year", "losses.phone.rate=0/year",
	"channels.tag_lost=0%", "channels.wrong_pin=0%", "face.threshold=0.1",
	"centres.other_business=0/day", "centres.visit_delay=1h", "centres.balk_at=1000", "centres.patience=1000d",
	"channels.chip_upgrade={17: 0, 20: 0, 30: 0, 40: 0, 50: 0, 60: 0, 70: 0}", "phones.owned={17: 100%, 60: 100%, 70: 100%}", "phones.nfc=100%",
}

func with(settings ...string) []string { return append(append([]string{}, few...), settings...) }

// total sums rows into one without a name.
func total(rows []reports.ExclusionRow) (sum reports.ExclusionRow) {
	for _, r := range rows {
		v, s := reflect.ValueOf(r), reflect.ValueOf(&sum).Elem()
		for i := range v.NumField() {
			if v.Field(i).Kind() == reflect.Int64 {
				s.Field(i).SetInt(s.Field(i).Int() + v.Field(i).Int())
			}
		}
	}
	return sum
}

func TestEverybodyStandsInOneCellAndNobodyIsLost(t *testing.T) {
	for _, name := range []string{"smoke", "announced"} {
		x, n := excludedIn(t, name, "population.regions=[KR-50]", "start=2025-02-12", "end=2025-02-20")
		rows := append([]reports.ExclusionRow{x.Total}, x.Cells...)
		for _, table := range [][]reports.ExclusionRow{x.ByAge, x.ByPhone, x.ByRegion, x.Cells} {
			if got, all := total(table), total([]reports.ExclusionRow{x.Total}); got != all {
				t.Errorf("%s: a table comes to %+v, all to %+v", name, got, x.Total)
			}
			rows = append(rows, table...)
		}
		for _, r := range rows {
			reasons := r.NoPhone + r.GaveUpNoNFC + r.GaveUpNoChip + r.GaveUp + r.FaceFailed + r.Refused + r.NoPlastic + r.NotOpen
			if r.Excluded != reasons || r.Wanted != r.Got+r.Excluded+r.Pending || r.Citizens != r.Wanted+r.NotWanted {
				t.Errorf("%s: not conserved: %+v", name, r)
			}
			if (r.Phone == "none") != (r.NoPhone > 0) && r.Phone != "" && r.Wanted > 0 {
				t.Errorf("%s: no phone, or no wish without one: %+v", name, r)
			}
		}
		// Other accounts, made event by event.
		if x.Total.Citizens != n.Citizens || x.Total.Got != n.Issued.First {
			t.Errorf("%s: %d citizens and %d first cards, of them %d and %d are in the cells", name, n.Citizens, n.Issued.First, x.Total.Citizens, x.Total.Got)
		}
		if x.Total.Got == 0 || x.Total.NoPhone == 0 || x.Total.Pending == 0 {
			t.Errorf("%s proves nothing: %+v", name, x.Total)
		}
	}
}

func TestWithoutAPhoneTheSameWantIt(t *testing.T) {
	everybody, n := excludedIn(t, "announced", few...)
	nobody, _ := excludedIn(t, "announced", with("phones.owned={17: 0%, 60: 0%, 70: 0%}")...)
	elderly, _ := excludedIn(t, "announced", with("phones.owned={17: 100%, 60: 100%, 70: 0%}")...)
	if n.Intents.ByKind[rollout.GetMobile].Posted != everybody.Total.Wanted || everybody.Total.Wanted < 1000 {
		t.Errorf("%d intents, %d wanted it", n.Intents.ByKind[rollout.GetMobile].Posted, everybody.Total.Wanted)
	}
	for k, age := range everybody.ByAge {
		if x := nobody.ByAge[k]; x.Wanted != age.Wanted || x.NoPhone != x.Wanted || x.NotWanted != age.NotWanted {
			t.Errorf("aged %d, %d want it with phones; without: %+v", age.From, age.Wanted, x)
		}
		if x := elderly.ByAge[k]; (x.From == 70) != (x.NoPhone > 0) || x.Wanted != age.Wanted || x.From == 70 && (x.Share != 1 || x.NoPhone != x.Excluded) {
			t.Errorf("aged %d, the elderly without phones: %+v", age.From, x)
		}
	}
}

// Counters that turn everybody round exclude those who have no other way: who could
// tap is not among them.
func TestWhoIsNotServedIsExcludedUnlessTheyCanTap(t *testing.T) {
	closed := []string{"centres.balk_at=1", `centres.counters={"3611039000": 1}`, "centres.issue_service.mean=9h", "centres.issue_service.law=fixed",
		"centres.card_service.mean=9h", "centres.card_service.law=fixed", "centres.patience=1s",
		"channels.tap_tries=1", "centres.visit_tries=1", "centres.come_back=1h"}
	without, _ := excludedIn(t, "announced", with(append(closed, "phones.nfc=0%")...)...)
	if x := without.Total; x.GaveUpNoNFC < x.Wanted/2 || x.GaveUpNoChip+x.GaveUp+x.FaceFailed+x.Refused > 0 {
		t.Errorf("phones that read no cards: %+v", x)
	}
	old, _ := excludedIn(t, "announced", with(closed...)...)
	if x := old.Total; x.GaveUpNoChip < x.Wanted/2 || x.GaveUpNoNFC+x.GaveUp+x.FaceFailed+x.Refused > 0 {
		t.Errorf("cards without a chip: %+v", x)
	}
	// The same people before counters that serve: a phone that reads no cards excludes
	// nobody, whatever their card.
	served, _ := excludedIn(t, "announced", with("phones.nfc=0%", `centres.counters={"3611039000": 40}`)...)
	if x := served.Total; x.Excluded != x.NoPlastic || x.Got < x.Wanted*9/10 {
		t.Errorf("who is served gets it: %+v", x)
	}
}

func TestAFaceThatNeverMatchesExcludes(t *testing.T) {
	x, _ := excludedIn(t, "announced", with("face.threshold=0.9", "channels.tap_tries=1", "centres.visit_tries=1", `centres.counters={"3611039000": 40}`,
		"centres.come_back=1h", "cards.handling=1d", "cards.collect_delay=1h", "cards.by_mail=0%", "cards.printed_per_day=1000000")...)
	if x := x.Total; x.FaceFailed < x.Wanted/4 || x.Got > 0 || x.Excluded != x.FaceFailed+x.NoPlastic {
		t.Errorf("%+v", x)
	}
}

func TestAskingBeforeTheOpeningExcludesWhereNothingOpens(t *testing.T) {
	x, _ := excludedIn(t, "announced", `population.centres=["1111051500"]`, "start=2025-03-01", "end=2025-03-13",
		"adoption.level=100%", "adoption.keen=100%", "channels.early_attempt=100%", "phones.owned={17: 100%, 60: 100%, 70: 100%}")
	if x := x.Total; x.NotOpen == 0 || x.NotOpen != x.Wanted || x.Got > 0 {
		t.Errorf("%+v", x)
	}
}

func TestALostPlasticCardExcludesWhileItIsMissing(t *testing.T) {
	calm, _ := excludedIn(t, "announced", few...)
	lost, _ := excludedIn(t, "announced", with("losses.plastic.rate=2/day", "losses.plastic.found_at_home=0%", "losses.plastic.found=0%", "losses.plastic.reissue=0%")...)
	if calm.Total.NoPlastic >= lost.Total.NoPlastic || lost.Total.NoPlastic < lost.Total.Wanted/4 {
		t.Errorf("missing plastic cards exclude %d in calm and %d of %d where all are lost", calm.Total.NoPlastic, lost.Total.NoPlastic, lost.Total.Wanted)
	}
}
