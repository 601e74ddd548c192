package chaos

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/world"
)

// bug is a wrong service. It lives in tests alone.
type bug struct {
	name   string
	breaks oracle.Property
	// plant makes the wrong service, anew for every campaign.
	plant func() world.Plant
	// tables changes the rulebook, which all services share; it is put back.
	tables func()
	// seeds: it is found in a campaign of one of the seeds 1 to so many.
	seeds int
	// left: it shrinks to at most so many operations, those between the steps of
	// others included.
	left int
}

// bugs are all of them, a file for each way to plant them.
var bugs = slices.Concat(bugsOfStore, bugsOfTables, bugsOfRequests, bugsOfFront, bugsOfPolicy, bugsOfRecords, bugsOfRenewals)

var update = flag.Bool("update", false, "with ROLLCALL_CAMPAIGN=1, write what planted bugs shrink to into testdata")

// campaign says whether the long versions of tests run: ROLLCALL_CAMPAIGN=1, as
// in .ci/run.
func campaign() bool { return os.Getenv("ROLLCALL_CAMPAIGN") == "1" }

// planted is the built-in world with the wrong service in it.
func (b *bug) planted(t *testing.T) *Place {
	p := *place(t)
	p.plant = b.plant
	if b.tables != nil {
		rules, authority, reach, admission := lifecycle.Rulebook, lifecycle.Authority, lifecycle.Reach, lifecycle.Admission
		lifecycle.Reach = maps.Clone(reach)
		t.Cleanup(func() {
			lifecycle.Rulebook, lifecycle.Authority, lifecycle.Reach, lifecycle.Admission = rules, authority, reach, admission
		})
		b.tables()
	}
	return &p
}

// path is where the few operations are kept that show it.
func (b *bug) path() string {
	name := strings.Map(func(r rune) rune {
		if r == ' ' {
			return '-'
		}
		if strings.ContainsRune("',.", r) {
			return -1
		}
		return r
	}, b.name)
	return filepath.Join("testdata", "planted", strings.ToLower(string(b.breaks))+"-"+name+".json")
}

// size counts operations, those between the steps of others included.
func size(c Campaign) int {
	n := len(c.Operations)
	for _, o := range c.Operations {
		if o.Cut != nil {
			n += len(o.Cut.Then)
			if o.Cut.Crash {
				n++
			}
		}
	}
	return n
}

// violated lists the properties that are.
func violated(v *oracle.Verdict) (out []oracle.Property) {
	for _, p := range oracle.Properties {
		if v.ByProperty[p].Violations > 0 {
			out = append(out, p)
		}
	}
	return out
}

// Each wrong service is found as what it is, by a handful of operations: the
// property is named, with the citizen and the number of the change; with the
// check of that property taken out nobody sees it; and the real service does the
// same operations right.
func TestEveryPlantedBugIsFound(t *testing.T) {
	for _, b := range bugs {
		t.Run(fmt.Sprintf("%s/%s", b.breaks, b.name), func(t *testing.T) {
			raw, err := os.ReadFile(b.path())
			if err != nil {
				t.Fatalf("%v (ROLLCALL_CAMPAIGN=1 go test -run Chance -update writes it)", err)
			}
			var c Campaign
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			right, err := Run(t.Context(), place(t), c)
			if err != nil {
				t.Fatal(err)
			}
			if got := violated(right.Verdict); got != nil {
				t.Errorf("the real service violates %v", got)
			}
			wrong, err := Run(t.Context(), b.planted(t), c)
			if err != nil {
				t.Fatal(err)
			}
			b.judge(t, c, wrong)
		})
	}
}

// judge says what is to be said of a wrong service's shrunken campaign.
func (b *bug) judge(t *testing.T, c Campaign, o *Outcome) {
	t.Helper()
	f := newFinding(c, o, b.breaks, len(c.Operations))
	t.Logf("%s", printed(f))
	if size(c) > b.left {
		t.Errorf("%d operations are left, %d would do", size(c), b.left)
	}
	if got := violated(o.Verdict); !slices.Equal(got, []oracle.Property{b.breaks}) {
		t.Errorf("found as %v", got)
	}
	if f.Citizen == "" || f.Sequence == 0 || f.Sentence == "" {
		t.Errorf("the finding names citizen %q, sequence %d: %s", f.Citizen, f.Sequence, f.Sentence)
	}
	if v := oracle.Judge(o.History, oracle.Options{Without: []oracle.Property{b.breaks}}); v.Violations() != 0 {
		t.Errorf("with the check of %s taken out it is found as %v", b.breaks, violated(v))
	}
}

// Nobody told the campaigns where to look.
func TestEveryPlantedBugIsFoundByChance(t *testing.T) {
	if !campaign() {
		t.Skip("takes minutes: ROLLCALL_CAMPAIGN=1 searches for each planted bug by seeds, and shrinks what it finds")
	}
	silent := map[uint64]bool{} // the real service, by seed
	rows := make([]string, len(bugs))
	t.Cleanup(func() { fmt.Print(strings.Join(rows, "")) })
	for i, b := range bugs {
		t.Run(fmt.Sprintf("%s/%s", b.breaks, b.name), func(t *testing.T) {
			if b.tables == nil {
				t.Parallel() // after all that moves a rule, which every service goes by
			}
			p := b.planted(t)
			operations := 0
			for seed := uint64(1); seed <= uint64(b.seeds); seed++ {
				whole := Draw(p, seed, Length)
				o, err := Run(t.Context(), p, whole)
				if err != nil {
					t.Fatal(err)
				}
				operations += o.Done
				if also := violated(o.Verdict); !slices.Contains(also, b.breaks) {
					if also != nil {
						t.Logf("seed %d: only %v are violated: %s", seed, also, o.Verdict.Findings[0].Sentence)
					}
					continue
				}
				small, seen, runs, err := Shrink(t.Context(), p, whole, b.breaks)
				if err != nil {
					t.Fatal(err)
				}
				rows[i] = fmt.Sprintf("| %s | %s | %d | %d | %d |\n", b.breaks, b.name, operations, size(small), runs)
				b.judge(t, small, seen)
				if *update && !t.Failed() {
					raw, err := json.MarshalIndent(small, "", " ")
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(b.path(), append(raw, '\n'), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				return
			}
			t.Errorf("not found in %d campaigns", b.seeds)
		})
	}
	for _, b := range bugs { // with every rule where it was
		for seed := uint64(1); seed <= uint64(b.seeds); seed++ {
			if silent[seed] {
				continue
			}
			silent[seed] = true
			o, err := Run(t.Context(), place(t), Draw(place(t), seed, Length))
			if err != nil {
				t.Fatal(err)
			}
			if got := violated(o.Verdict); got != nil {
				t.Errorf("seed %d: the real service violates %v", seed, got)
			}
		}
	}
}

// printed is the finding as people read it.
func printed(f *Finding) string {
	var b strings.Builder
	if err := f.Print(&b); err != nil {
		return err.Error()
	}
	return b.String()
}
