package calibrate

import (
	"strings"
	"testing"
)

// sample is a small profile that is whole.
func sample() *Profile {
	e := func(v float64) Estimate { return Estimate{v, v * 0.9, v * 1.1} }
	p := &Profile{Schema: Schema, Date: "2026-01-31T09:00:00Z", Version: "1", Machine: Machine{CPU: `Chip "9"`, System: "linux/amd64", Cores: 2, ServiceCores: 1, GeneratorCores: 1, Apart: true},
		Operations: []Operation{{Name: Present, Count: 100, Processor: e(2e-3)}},
		Demands:    map[string]map[string]Estimate{"verify": {"gateway": e(1.2345e-3), "register": e(8e-4)}},
		Servers:    map[string]int{"gateway": 1},
		Checks:     []Check{{DoneBy: map[string]int{Present: 60, FetchLists: 40}, Count: 100}},
	}
	for _, op := range []string{"issue", "report", "release"} {
		p.Demands[op] = map[string]Estimate{"gateway": e(1e-3), "register": e(2e-3)}
	}
	return p
}

func encoded(t testing.TB) string {
	text, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAProfileIsReadAsItWasWritten(t *testing.T) {
	text := encoded(t)
	p, err := ReadProfile("p.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Encode()
	if err != nil || string(again) != text {
		t.Errorf("%v: written again it is another:\n%s", err, again)
	}
}

func TestWhatIsWrongInAProfileIsSaidWithItsPlace(t *testing.T) {
	text := encoded(t)
	for _, c := range []struct{ old, new, want string }{
		{`"rollcall-profile/2"`, `"rollcall-profile/1"`, `p.json:2:13: schema: is "rollcall-profile/1": this program reads rollcall-profile/2`},
		{`"2026-01-31T09:00:00Z"`, `"yesterday"`, `p.json:3:11: date: "yesterday" is no date`},
		{`"date"`, `"dote"`, `p.json:3:11: dote: unknown name`},
		{`"gateway": {`, `"gate": {`, `demands.issue.gateway: was not measured, and a run needs it: measure again`},
		{`"verify": {`, `"vote": {`, `demands.verify.gateway: was not measured`},
		{`"verify": {`, `"verify": {"gate": {"value": 1, "low": 1, "high": 1},`, `demands.verify.gate: is no node of the capacity model`},
		{`"demands": {`, `"demands": {"vote": {},`, `demands.vote: is no operation of the capacity model`},
		{`"demands": {`, `"demands": {"register-card": {},`, `demands.register-card: names no node`},
		{`"version": "1"`, `"version": ""`, `version: says not which version`},
		{`"count": 100`, `"count": 19`, `operations[0].count: "present" was measured 19 times, which is too few (20 at least): measure longer`},
		{`"value": 0.0012345,`, `"value": -1,`, `demands.verify.gateway.value: -1 s is no service demand`},
		{`"value": 0.0012345,`, `"value": 0.0022345,`, `demands.verify.gateway: the interval`},
		{`"value": 0.0012345,`, `"value": "fast",`, `string stands here, where float64 belongs`},
		{`"value": 0.0012345,`, `"value": 0.0012345, "value": 1,`, `demands.verify.gateway.value: is said twice`},
		{`"gateway": 1`, `"gateway": 0`, `servers.gateway: 0 servers of gateway`},
		{`"present": 60`, `"present": 600`, `checks[0].done_by_operation.present: 600 of 100 operations cannot be`},
		{`"schema"`, `schema`, `p.json:2:3: is not JSON`},
		{text, `[]`, `p.json:1:1: is no profile`},
		{text, ``, `p.json:1:1: ends too early`},
		{text, text + "{}", `something follows the profile`},
		{text, text[:len(text)/2], `ends too early`},
		{text, `{"notes":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}", `nests too deep`},
		{text, strings.Repeat(" ", MaxProfile+1), `is larger than`},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if changed == text {
			t.Fatalf("the profile has no %s", c.old)
		}
		_, err := ReadProfile("p.json", []byte(changed))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "p.json:") {
			t.Errorf("%.60s -> %.60s: %v\nwant %s", c.old, c.new, err, c.want)
		}
	}
}

func TestSettingsNameWhereTheyAreFrom(t *testing.T) {
	got := strings.Join(sample().Settings("12ab"), "\n")
	for _, want := range []string{
		`service.demands.verify.gateway={value: 1235us, mark: M, source: "measured by rollcall calibrate on Chip _9_, 2026-01-31T09:00:00Z, profile 12ab", range: [1111us, 1358us]}`,
		`service.nodes.gateway.workers=1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in\n%s", want, got)
		}
	}
}

// Whatever a file holds, it is read or refused with a place; what is read can be used.
func FuzzProfile(f *testing.F) {
	text := encoded(f)
	f.Add([]byte(text))
	f.Add([]byte(`{"schema":"rollcall-profile/2","demands":{"issue":{"register":{"value":1e-3,"low":1e-4,"high":1}}}}`))
	f.Add([]byte(`{"a":[{},{"b":null}],"c":"\ud800"}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := ReadProfile("p.json", src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p.json:") {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		for _, s := range p.Settings("12ab") {
			if strings.ContainsAny(s, "\n\r") {
				t.Fatalf("a setting of two lines: %q", s)
			}
		}
		if _, err := p.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}
