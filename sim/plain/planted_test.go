package plain

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall.example/rollcall/sim/rollout"
)

// A tie broken the other way round must show: else equality would prove little
// about ties. Two engines of this package, one of which lets those who arrive
// at one instant in by falling number.
func TestATieBrokenTheOtherWayRoundShows(t *testing.T) {
	c := scene{"", "smoke", sejong, tightHours}
	s, n := c.load(t)
	run := func(place func(rollout.Visit) uint64) canonical {
		e, err := newEngine(s, n, rollout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e.place = place
		return canon(e.run(t.Context()))
	}
	a := run(byNumber)
	if d := differences(a, run(func(v rollout.Visit) uint64 { return 1<<38 - byNumber(v) })); len(d) == 0 {
		t.Error("reversing the order of those who arrive together changes nothing that is counted")
	} else {
		t.Log("seen:", d[0])
	}
}

// The two engines share the model and the protocol, not a line of scheduling.
func TestPlainDoesNotKnowTheFastEngine(t *testing.T) {
	const module = "rollcall.example/rollcall/"
	seen := map[string]bool{}
	var visit func(pkg string)
	visit = func(pkg string) {
		if seen[pkg] {
			return
		}
		seen[pkg] = true
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no files (%v)", pkg, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), f, src, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range parsed.Imports {
				if path, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ours {
					visit(path)
				}
			}
		}
	}
	visit("sim/plain")
	if seen["sim/nation"] {
		t.Error("sim/plain reaches sim/nation through its imports")
	}
	if !seen["sim/des"] || !seen["sim/rollout"] {
		t.Errorf("the walk over imports is broken: it saw %v", seen)
	}
}
