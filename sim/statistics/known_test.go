package statistics

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

var update = flag.Bool("update", false, "write the figures of smoke anew")

// Both engines share the behaviour model, the service's queues and the figures: a
// mistake there is the same in both. This holds every figure of smoke to the run
// that was last read by somebody. Whoever changes the model on purpose reads what
// moved, and writes it anew:
//
//	go test ./sim/statistics -run Figures -update
func TestTheFiguresOfSmokeAreThoseThatWereRead(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("another architecture may round logarithms differently")
	}
	s, err := scenarios.Load("smoke", []string{"panel.citizens=0"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	run := func(s *scenarios.Scenario) *rollout.Outcome {
		o, err := nation.Run(t.Context(), s, n, rollout.Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	calm := *s
	calm.Faults = nil
	o, r := run(s), &reports.Result{}
	Fill(r, o, run(&calm))
	got := figures(t, r)
	for _, x := range o.Tallies {
		if x == nil {
			continue
		}
		for d := range x.Day {
			for name, k := range map[string]int32{"served": x.Day[d].OtherServed, "left": x.Day[d].OtherLeft, "delayed": x.Day[d].Delayed} {
				got["/other_business/"+name] = got["/other_business/"+name].(int64) + int64(k)
			}
		}
	}

	path := filepath.Join("testdata", "smoke.txt")
	if *update {
		var b strings.Builder
		for _, pointer := range slices.Sorted(maps.Keys(got)) {
			fmt.Fprintf(&b, "%s %v\n", pointer, got[pointer])
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	moved, lines := 0, 0
	for line := range strings.Lines(string(text)) {
		pointer, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines++
		if is := fmt.Sprint(got[pointer]); is != want {
			if moved++; moved <= 20 {
				t.Errorf("%s was %s, is %s", pointer, want, is)
			}
		}
	}
	if moved > 0 || lines != len(got) {
		t.Errorf("%d of %d figures moved, there are %d now: read why, then go test ./sim/statistics -run Figures -update", moved, lines, len(got))
	}
}

// figures are the numbers of a result by JSON pointer; without inputs, series and
// what is told centre by centre.
func figures(t *testing.T, r *reports.Result) map[string]any {
	t.Helper()
	b, err := json.Marshal(map[string]any{"nation": r.Nation, "suspension": r.Suspension, "recovery": r.Recovery})
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	out := map[string]any{"/other_business/served": int64(0), "/other_business/left": int64(0), "/other_business/delayed": int64(0)}
	var walk func(pointer string, v any)
	walk = func(pointer string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, y := range x {
				switch k {
				case "population", "series", "by_centre", "cells", "timeline", "points":
				default:
					walk(pointer+"/"+k, y)
				}
			}
		case []any:
			for i, y := range x {
				walk(fmt.Sprint(pointer, "/", i), y)
			}
		case json.Number, nil, bool:
			out[pointer] = x
		}
	}
	walk("", tree)
	return out
}
