package scenarios

import (
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, name string, settings ...string) *Scenario {
	t.Helper()
	s, err := Load(name, settings)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func TestEveryBuiltInScenarioLoads(t *testing.T) {
	all, err := BuiltIns()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
		if s := load(t, b.Name); s.Title == "" || s.Description == "" || len(s.Expect) == 0 {
			t.Errorf("%s: title %q, %d expectations", b.Name, s.Title, len(s.Expect))
		}
	}
	if want := []string{"announced", "big-bang", "billion", "datacentre-fire", "free-chip", "issuance-only-outage", "loss-wave", "opening-day-surge", "retry-storm", "six-hour-outage", "smoke", "stale-status"}; !reflect.DeepEqual(names, want) {
		t.Errorf("built in are %v", names)
	}
}

func TestAnnouncedIsTheRolloutAsItWasAnnounced(t *testing.T) {
	s := load(t, "announced")
	var openings []string
	for _, p := range s.Phases {
		openings = append(openings, formatMoment(p.From)+" "+strings.Join(append(p.Regions, p.Municipalities...), " "))
	}
	want := []string{
		"2024-12-27 KR-50 30170 27720 31710 41280 51720 46130 46830 48880",
		"2025-02-14 KR-27 KR-30 KR-31 KR-42 KR-45 KR-46 KR-47 KR-48 KR-49",
		"2025-02-28 KR-28 KR-41 KR-43 KR-44",
		"2025-03-14 KR-11 KR-26 KR-29",
	}
	if !reflect.DeepEqual(openings, want) {
		t.Errorf("phases:\n%s", strings.Join(openings, "\n"))
	}
	n := nation(t)
	opened := map[string]int{}
	for _, p := range s.Phases {
		for _, r := range p.Regions {
			opened[r]++
		}
	}
	for _, r := range n.Regions {
		if opened[r.ISO] != 1 {
			t.Errorf("%s opens %d times", r.ISO, opened[r.ISO])
		}
	}
	if got := formatMoment(s.Calendar.AnyCentreFrom); got != "2025-03-28" {
		t.Errorf("any centre from %s", got)
	}
	if s.Cards.FeeReissue+s.Cards.FeeChip != 10000 || s.Channels.MinimumAge != 17 || s.Channels.OfferLifetime != 90*time.Second {
		t.Errorf("fees %d and %d, from %d years, offers good for %s", s.Cards.FeeReissue, s.Cards.FeeChip, s.Channels.MinimumAge, s.Channels.OfferLifetime)
	}
	if s.End.Sub(s.Start.Time) != 108*24*time.Hour || len(s.Population.Regions) != 0 || len(s.Faults) != 0 {
		t.Errorf("%s to %s, regions %v, faults %v", s.Start, s.End, s.Population.Regions, s.Faults)
	}
}

// Holidays stand in the scenario, where a planner changes them, and as data with
// their names.
func TestHolidaysOfAnnouncedAreThoseOfTheCalendar(t *testing.T) {
	table, err := openTable(dataFiles, "data/holidays.csv", "date")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for table.next() {
		want = append(want, table.text(0))
	}
	var got []string
	for _, d := range load(t, "announced").Calendar.Holidays {
		got = append(got, formatMoment(d))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("holidays %v, data %v", got, want)
	}
}

// A parameter without a mark would pass for a fact.
func TestEveryEstimateOfAnnouncedIsMarkedAndHasASource(t *testing.T) {
	s := load(t, "announced")
	marked := map[string]Assumption{}
	for _, a := range s.Assumptions {
		marked[a.Path] = a
		if a.Source == "" {
			t.Errorf("%s has no source", a.Path)
		}
		if a.Mark != "S" && a.Mark != "A" {
			t.Errorf("%s: mark %q", a.Path, a.Mark)
		}
	}
	choices := []string{ // of the model's user, not estimates of the world
		"title", "description", "seed", "start", "end", "population", "phases", "panel", "expect", "faults", "losses.waves",
		"centres.counters", "centres.counter_factor", "service.nodes", "status_lists.expired", "status_lists.size",
		"demand.places[].weekday", "demand.places[].weekend",
	}
	var walk func(f *field, tr *tree, path, pattern string)
	walk = func(f *field, tr *tree, path, pattern string) {
		for _, c := range choices {
			if pattern == c {
				return
			}
		}
		if a, ok := marked[path]; ok {
			if a.Mark == "A" && f.ranged() && a.Low == "" {
				t.Errorf("%s is approximate, but has no range", path)
			}
			return
		}
		switch {
		case f.kind == section:
			for _, c := range f.fields {
				if x := tr.get(c.key); x != nil {
					walk(c, x, join(path, c.key), join(pattern, c.key))
				}
			}
		case f.kind == list && f.elem.kind == section:
			for i, x := range tr.items {
				walk(f.elem, x, path+"["+itoa(i)+"]", pattern+"[]")
			}
		case f.kind == mapping:
			for _, e := range tr.entries {
				walk(f.elem, e.value, join(path, e.key), pattern+"{}")
			}
		case f.kind == share, f.kind == rate, f.kind == duration, f.kind == number, f.kind == integer, f.kind == ages, f.kind == hours, f.kind == won, f.kind == moment:
			t.Errorf("%s has no mark", path)
		}
	}
	l := &loader{}
	src, err := l.open("announced", "")
	if err != nil {
		t.Fatal(err)
	}
	walk(scenarioFields(), l.read(src), "", "")
}

func TestSmokeGivesEveryRuleItsCases(t *testing.T) {
	s := load(t, "smoke")
	if got := strings.Join(s.Population.Regions, " "); got != "KR-50 KR-49" {
		t.Errorf("regions %s", got)
	}
	days := s.End.Sub(s.Start.Time).Hours() / 24
	if days > 9 {
		t.Errorf("%g days", days)
	}
	inside := func(m time.Time) bool { return m.After(s.Start.Time) && m.Before(s.End.Time) }
	if !inside(s.Phases[1].From.Time) || inside(s.Phases[0].From.Time) {
		t.Error("Sejong should be open at the start, and Jeju open within the run")
	}
	if !inside(s.Calendar.AnyCentreFrom.Time) {
		t.Error("the municipality rule should end within the run")
	}
	if s.Channels.Validity >= s.End.Sub(s.Start.Time)/2 {
		t.Error("cards should expire within the run")
	}
	if len(s.Faults) != 1 || s.Faults[0].For != time.Hour {
		t.Errorf("faults %v", s.Faults)
	}
	if s.Panel.Citizens != 200 {
		t.Errorf("panel of %d", s.Panel.Citizens)
	}
}

func TestSixHourOutageStopsIssuingAndOnlineChecksOnOpeningDay(t *testing.T) {
	f := load(t, "six-hour-outage").Faults[0]
	if formatMoment(f.At) != "2025-03-14 09:00" || f.For != 6*time.Hour || f.Severity != 1 || f.Kind != "down" {
		t.Errorf("%+v", f)
	}
	moved := load(t, "six-hour-outage", "faults[0].at=2025-03-17 10:30", "faults.outage.for=2h", "faults.outage.severity=50%").Faults[0]
	if formatMoment(moved.At) != "2025-03-17 10:30" || moved.For != 2*time.Hour || moved.Severity != 0.5 {
		t.Errorf("%+v", moved)
	}
}

func TestAScenarioSaysOnlyWhatIsDifferent(t *testing.T) {
	base := load(t, "announced")
	s, err := Parse("mine.yaml", []byte(`
extends: announced
adoption:
  level: 30%
  by_age: {70: 0.4}
demand:
  places:
    bank: {ttl: 1h, refresh: 30m}
centres:
  hours: {9-18: 1}
calendar:
  holidays: [2025-01-01]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "mine" || s.Adoption.Level != 0.3 || s.Adoption.Keen != base.Adoption.Keen {
		t.Errorf("%s: level %g, keen %g", s.Name, s.Adoption.Level, s.Adoption.Keen)
	}
	if s.Adoption.ByAge.At(75) != 0.4 || s.Adoption.ByAge.At(65) != base.Adoption.ByAge.At(65) {
		t.Errorf("a mapping should change the keys it names: %v", s.Adoption.ByAge)
	}
	if len(s.Demand.Places) != 6 || s.Demand.Places[1].TTL != time.Hour || s.Demand.Places[1].Rate != base.Demand.Places[1].Rate {
		t.Errorf("a mapping over a list with names should change the elements it names: %+v", s.Demand.Places[1])
	}
	if s.Centres.Hours.sum() != 9 {
		t.Errorf("a profile should be replaced as a whole: %v", s.Centres.Hours)
	}
	if len(s.Calendar.Holidays) != 1 {
		t.Errorf("a list should be replaced as a whole: %v", s.Calendar.Holidays)
	}
}

func TestAValueThatIsChangedIsNoLongerASourcesButKeepsItsRange(t *testing.T) {
	find := func(s *Scenario, path string) Assumption {
		for _, a := range s.Assumptions {
			if a.Path == path {
				return a
			}
		}
		return Assumption{}
	}
	path := "channels.validity"
	if a := find(load(t, "announced"), path); a.Mark != "S" || a.Value != "1095d" {
		t.Errorf("%+v", a)
	}
	if a := find(load(t, "smoke"), path); a.Mark != "A" || a.Source != "changed in smoke" || a.Value != "3d" {
		t.Errorf("%+v", a)
	}
	a := find(load(t, "announced", "adoption.level=30%"), "adoption.level")
	if want := (Assumption{"adoption.level", "30%", "A", "changed by --set", "25%", "65%", true}); a != want {
		t.Errorf("%+v", a)
	}
	a = find(load(t, "announced", "adoption.level={value: 30%, mark: S, source: a survey}"), "adoption.level")
	if want := (Assumption{"adoption.level", "30%", "S", "a survey", "", "", false}); a != want {
		t.Errorf("%+v", a)
	}
	if a := find(load(t, "announced", "demand.places.bank.ttl=1h"), "demand.places[1].ttl"); a.Value != "1h" || a.Low != "1h" || a.High != "24h" {
		t.Errorf("%+v", a)
	}
}

func TestSettingsReachEveryParameter(t *testing.T) {
	for _, x := range []struct {
		setting string
		get     func(s *Scenario) any
		want    any
	}{
		{"adoption.level=30%", func(s *Scenario) any { return s.Adoption.Level }, Share(0.3)},
		{"demand.places.bank.ttl=1h", func(s *Scenario) any { return s.Demand.Places[1].TTL }, time.Hour},
		{"demand.places[1].ttl=90m", func(s *Scenario) any { return s.Demand.Places[1].TTL }, 90 * time.Minute},
		{"centres.counters.KR-26=4", func(s *Scenario) any { return s.Centres.Counters["KR-26"] }, 4},
		{"adoption.by_age.70=0.3", func(s *Scenario) any { return s.Adoption.ByAge.At(70) }, 0.3},
		{"service.nodes.face.replicas=16", func(s *Scenario) any { return s.Service.Nodes["face"] }, Node{Replicas: 16, Workers: 8}},
		{"service.demands.issue.register=4ms", func(s *Scenario) any { return s.Service.Demands["issue"]["register"] }, 4 * time.Millisecond},
		{"phases.phase 3.from=2025-02-28", func(s *Scenario) any { return formatMoment(s.Phases[3].From) }, "2025-02-28"},
		{"population.regions=[KR-50, KR-49]", func(s *Scenario) any { return len(s.Population.Regions) }, 2},
		{"faults[0]={name: x, kind: slow, nodes: [face], at: 2025-03-01, for: 1h}", func(s *Scenario) any { return s.Faults[0].Severity }, Share(1)},
		{"expect=[]", func(s *Scenario) any { return len(s.Expect) }, 0},
		{"title=What if", func(s *Scenario) any { return s.Title }, "What if"},
		{"seed=7", func(s *Scenario) any { return s.Seed }, uint64(7)},
		{"seed=18446744073709551615", func(s *Scenario) any { return s.Seed }, uint64(math.MaxUint64)},
	} {
		if got := x.get(load(t, "announced", x.setting)); got != x.want {
			t.Errorf("--set %s: %v", x.setting, got)
		}
	}
	if s := load(t, "announced", "seed=2", "seed=3"); s.Seed != 3 {
		t.Errorf("the later setting should win: seed %d", s.Seed)
	}
}

func TestEqualScenariosGiveEqualBytesThatLoadAgain(t *testing.T) {
	for _, name := range builtInNames() {
		s := load(t, name, "seed=18446744073709551615")
		for _, text := range [][]byte{s.YAML(), s.Annotated()} {
			again, err := Parse(name+".yaml", text, nil)
			if err != nil {
				t.Fatalf("%s, written and read again: %v", name, err)
			}
			again.Assumptions = s.Assumptions
			if !reflect.DeepEqual(again, s) {
				t.Errorf("%s is not what was written", name)
			}
			if string(again.YAML()) != string(s.YAML()) {
				t.Errorf("%s has two spellings", name)
			}
		}
	}
	a := load(t, "announced", "adoption.level=0.3", "service.clients.wallet.timeout=90s").YAML()
	b := load(t, "announced", "adoption.level=30 %", "service.clients.wallet.timeout=1m 30s").YAML()
	if string(a) != string(b) {
		t.Error("30% and 0.3, 90s and 1m 30s should be the same scenario")
	}
	if string(load(t, "announced", "seed=2").YAML()) == string(load(t, "announced").YAML()) {
		t.Error("another seed should be another scenario")
	}
}

func TestAnnotatedShowsWhereValuesAreFrom(t *testing.T) {
	text := string(load(t, "announced", "centres.balk_at=20").Annotated())
	for _, line := range []string{
		"  level: 45%  # A: mObywatel reached a third of Poland's adults in three years, Italy's wallet a fifth in one; 25% to 65%\n",
		"  balk_at: 20  # A: changed by --set; 5 to 30\n",
		"  minimum_age: 17  # S: kmib 0027749869\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("there is no line %q", line)
		}
	}
}

func TestScenariosExtendEachOtherByPathAndNeverInACircle(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("base/slow.yaml", "extends: announced\nadoption: {level: 20%}\n")
	s := load(t, write("mine.yaml", "extends: base/slow.yaml\nseed: 5\n"))
	if s.Adoption.Level != 0.2 || s.Seed != 5 || s.Name != "mine" {
		t.Errorf("%s: level %g, seed %d", s.Name, s.Adoption.Level, s.Seed)
	}
	a := write("a.yaml", "extends: b.yaml\n")
	write("b.yaml", "extends: ./a.yaml\n")
	_, err := Load(a, nil)
	if want := folder + "/b.yaml:1:10: extends: a extends itself, by way of b (let one of them stand alone)"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	write("chain0.yaml", "extends: announced\n")
	for i := 1; i <= 9; i++ {
		write("chain"+itoa(i)+".yaml", "extends: chain"+itoa(i-1)+".yaml\n")
	}
	if _, err := Load(folder+"/chain7.yaml", nil); err != nil {
		t.Error(err)
	}
	_, err = Load(folder+"/chain9.yaml", nil)
	if err == nil || !strings.Contains(err.Error(), "more than 8 scenarios extend each other") {
		t.Errorf("a chain of ten: %v", err)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	folder := t.TempDir()
	big := filepath.Join(folder, "big.yaml")
	if err := os.WriteFile(big, make([]byte, maxBytes+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ name, want string }{
		{"anounced", `no scenario called "anounced" is built in (did you mean announced?; a file needs a path such as ./anounced.yaml)`},
		{"./none.yaml", "cannot read the scenario ./none.yaml: no such file or directory"},
		{folder + "/", folder + "/ is a folder, not a scenario file"},
		{"/dev/null", "/dev/null is not a regular file"},
		{big, big + " is larger than 1048576 bytes (split it with extends, or shorten it)"},
	} {
		if _, err := Load(x.name, nil); err == nil || err.Error() != x.want {
			t.Errorf("%s:\ngot  %v\nwant %s", x.name, err, x.want)
		}
	}
	var p Problems
	if _, err := Load("announced", []string{"seed=x"}); !errors.As(err, &p) || len(p) != 1 || p[0].Path != "seed" {
		t.Errorf("a mistake in a scenario should be of type Problems: %v", err)
	}
}

var update = flag.Bool("update", false, "write scenario.schema.json anew")

// Editors check a scenario while it is written, by the schema beside it.
func TestBuiltInFilesNameTheSchemaBesideThem(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("scenario.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("scenario.schema.json"); err != nil || string(got) != string(want) {
		t.Errorf("scenario.schema.json is not what Schema makes (go test ./scenarios -update): %v", err)
	}
	for _, name := range builtInNames() {
		b, err := builtInFiles.ReadFile(name + ".yaml")
		if err != nil || !strings.HasPrefix(string(b), "# yaml-language-server: $schema=scenario.schema.json\n") {
			t.Errorf("%s does not name its schema: %v", name, err)
		}
	}
}

func BenchmarkLoadAnnounced(b *testing.B) {
	for b.Loop() {
		if _, err := Load("announced", nil); err != nil {
			b.Fatal(err)
		}
	}
}
