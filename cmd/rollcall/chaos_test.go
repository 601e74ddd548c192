package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/sim/chaos"
	"rollcall.example/rollcall/sim/oracle"
)

func code(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*exit](err); ok {
		return e.code
	}
	return -1
}

// The real service violates nothing, so what a violation looks like is shown by
// one that is made up.
func TestAViolationIsToldKeptAndEndsWith99(t *testing.T) {
	finding := &chaos.Finding{Property: "S3", Citizen: "1", Sequence: 4, Sentence: "the mobile card was accepted", Found: 400,
		Campaign: chaos.Campaign{Seed: 7, Operations: []chaos.Op{{ID: 1, Do: "show", Who: 1}}}, Told: []string{"accepted"},
		History: []oracle.Line{{Citizen: "1", What: "the mobile card is shown online", Seen: "accepted", Demanded: "suspended", Wrong: true}}}
	r := &chaos.Result{Campaigns: 1, Violations: 1, Findings: []*chaos.Finding{finding},
		ByProperty: map[oracle.Property]oracle.Count{"S3": {Opportunities: 3, Violations: 1}}}
	f := &chaosFlags{out: t.TempDir()}
	var stdout bytes.Buffer
	err := tellChaos(r, f, time.Second, &stdout, &stdout)
	if code(err) != exitExpect || !strings.Contains(err.Error(), "S3") {
		t.Error(err)
	}
	path := filepath.Join(f.out, "finding-s3-seed-7.json")
	for _, want := range []string{"S3 is violated, citizen 1, sequence 4: the mobile card was accepted.", "1 of 400 operations matter (seed 7)", "show 1: accepted",
		"demanded", "suspended", "Again: rollcall chaos --replay " + path, "1 violations of 3", "1 campaign "} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing from\n%s", want, stdout.String())
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if kept, err := chaos.ReadFinding(file); err != nil || kept.Property != "S3" || len(kept.Campaign.Operations) != 1 {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := tellReplay(finding, finding, f, &stdout, &stdout); code(err) != exitExpect {
		t.Error(err)
	}
	if err := tellReplay(finding, nil, f, &stdout, &stdout); err != nil {
		t.Error(err)
	}
}

func TestWhatWasNotTestedEndsWith99(t *testing.T) {
	r := &chaos.Result{Campaigns: 3, Untested: []oracle.Property{"S12"}}
	var out bytes.Buffer
	if err := tellChaos(r, &chaosFlags{}, time.Second, &out, &out); code(err) != exitExpect || !strings.Contains(err.Error(), "S12 had no opportunity") {
		t.Error(err)
	}
	r.Interrupted = true
	if err := tellChaos(r, &chaosFlags{}, time.Second, &out, &out); code(err) != exitInternal {
		t.Error(err)
	}
}
