package scenarios

import (
	"encoding/json"
	"strings"
	"testing"
)

var result = func() any {
	var v any
	d := json.NewDecoder(strings.NewReader(`{
		"suspension": {"violations": 0, "by_property": {"S1": {"opportunities": 120, "violations": 0}}},
		"nation": {"citizens": 44765276, "verifications": {"latency_p99_ms": 310},
			"by_region": [{"region": "KR-11", "name": "Seoul", "issued": 400}, {"region": "KR-50", "name": "Sejong", "issued": 1200}]},
		"recovery": [{"fault": "outage", "restored_s": 21600, "drain_s": 2600, "retry_amplification": 1.4, "goodput_after": 0.98,
			"functions": {"issuance": false, "offline_verification": true}},
			{"fault": "second", "drain_s": null}],
		"verdict": "good"}`))
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}()

func TestExpectationsAreJudged(t *testing.T) {
	for _, x := range []struct {
		text  string
		value any
		holds bool
	}{
		{"suspension.violations == 0", 0.0, true},
		{"suspension.violations != 0", 0.0, false},
		{"nation.citizens == 44,765,276", 44765276.0, true},
		{"nation.citizens == 44_765_276", 44765276.0, true},
		{"recovery[0].drain_s < 45m", 2600.0, true},
		{"recovery[0].drain_s < 40 min", 2600.0, false},
		{"recovery[outage].restored_s == 6h", 21600.0, true},
		{"recovery[outage].restored_s >= 6h && recovery[outage].restored_s < 6h 10m", 21600.0, true},
		{"recovery[outage].restored_s >= 6h && recovery[outage].drain_s < 10s", 2600.0, false},
		{"nation.by_region[KR-50].issued > 1000", 1200.0, true},
		{"nation.by_region[Seoul].issued>1e3", 400.0, false},
		{"nation.by_region[1].issued > nation.by_region[0].issued", 1200.0, true},
		{"nation.verifications.latency_p99_ms < 500ms", 310.0, true},
		{"nation.verifications.latency_p99_ms < 0.3s", 310.0, false},
		{"recovery[0].goodput_after >= 95%", 0.98, true},
		{"recovery[0].functions.offline_verification == true", true, true},
		{"recovery[0].functions.issuance != false", false, false},
		{`verdict == "good"`, "good", true},
		{"0 < suspension.by_property.S1.opportunities", 120.0, true},
		{"recovery[second].drain_s < 4h", nil, false}, // it never drained
		{"recovery[second].drain_s >= 0", nil, false},
	} {
		e, err := ParseExpectation(x.text)
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		value, holds, err := e.Eval(result)
		if err != nil || value != x.value || holds != x.holds {
			t.Errorf("%s: %v, %t, %v", x.text, value, holds, err)
		}
	}
}

func TestExpectationsOfWhatIsNotThereAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"suspension.violation == 0":       "suspension.violation: suspension has no violation (did you mean violations?)",
		"recovery[2].drain_s < 4h":        "recovery[2].drain_s: recovery has no 2 (it has 2 elements)",
		"recovery[outtage].drain_s < 4h":  "recovery[outtage].drain_s: recovery has no outtage (it has 2 elements)",
		"recovery.drain_s < 4h":           "recovery.drain_s: recovery has no drain_s (it is a list; choose with [0] or [NAME])",
		"suspension == 0":                 "suspension is not one figure (go on with . or [ ])",
		"verdict < nation.citizens":       "verdict is good, which cannot be compared with nation.citizens, 4.4765276e+07",
		"verdict < verdict":               "verdict is text; it is compared by == and !=, not by <",
		"nation.citizens.total == 0":      "nation.citizens.total: citizens has no total (it is not a section)",
		`suspension.violations == "none"`: `suspension.violations is 0, which cannot be compared with "none", none`,
	} {
		e, err := ParseExpectation(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, _, err = e.Eval(result); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestExpectationsThatAreNoneAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "&&", "a", "a ==", "a = 0", "a == 0 &&", "a == 0 b == 1", "1 < 2", "a == 0 || b == 1", "a[ == 0", "a[] == 0", "a..b == 0", "a == 5 furlongs",
		"a == 1,2 && ", `a == "x`, `a < "x"`, "a < true", "a == 0x10", "(a == 0)", strings.Repeat("a", maxExpectation) + " == 0",
	} {
		if e, err := ParseExpectation(text); err == nil {
			t.Errorf("%q is read as %+v", text, e)
		}
	}
}

func FuzzExpectation(f *testing.F) {
	for _, s := range []string{"suspension.violations == 0", "recovery[outage].drain_s < 2h 30m && a.b[KR-50] >= 95%", `verdict == "good"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpectation(text)
		if err != nil {
			return
		}
		if _, holds, err := e.Eval(result); holds && err != nil {
			t.Errorf("%q holds, with %v", text, err)
		}
	})
}

func TestAMisspeltFigureIsFoundWithoutAResult(t *testing.T) {
	var schema any
	if err := json.Unmarshal([]byte(`{"type": "object", "properties": {
		"nation": {"type": "object", "properties": {
			"issued": {"type": "object", "properties": {"total": {"type": "integer"}}},
			"by_region": {"type": ["array", "null"], "items": {"type": "object", "properties": {"issued": {"type": "integer"}}}}}},
		"by_property": {"type": "object", "additionalProperties": {"type": "object", "properties": {"violations": {"type": "integer"}}}}}}`), &schema); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"nation.issued.total > 1":                               "",
		"nation.by_region[KR-50].issued > 1":                    "",
		"nation.by_region[0].issued == nation.issued.total":     "",
		"by_property.S1.violations == 0":                        "",
		"nation.isued.total > 1":                                "nation.isued.total: nation has no isued (did you mean issued?)",
		"nation.issued.total > 1 && 3 < nation.issued.all":      "nation.issued.all: issued has no all (known are total)",
		"nation.by_region.issued > 1":                           "nation.by_region.issued: by_region has no issued (it is a list; choose with [0] or [NAME])",
		"nation.by_region[0].isued > 1":                         "nation.by_region[0].isued: 0 has no isued (did you mean issued?)",
		"nation.issued.total.tap > 1":                           "nation.issued.total.tap: total has no tap (it is not a section)",
		"by_property.S1.opportunities > 0 && nation.issued > 3": "by_property.S1.opportunities: S1 has no opportunities (known are violations)",
	} {
		e, err := ParseExpectation(text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := e.Check(schema); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
