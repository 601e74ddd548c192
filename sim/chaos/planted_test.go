package chaos

import (
	"fmt"
	"slices"
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
var bugs = slices.Concat(bugsOfStore, bugsOfTables)

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

// Each wrong service is found as what it is: the property is named, with the
// citizen and the number of the change; with the check of that property taken
// out nobody sees it; and it comes down to a handful of operations.
func TestEveryPlantedBugIsFound(t *testing.T) {
	p := place(t)
	for _, b := range bugs {
		t.Run(fmt.Sprintf("%s/%s", b.breaks, b.name), func(t *testing.T) {
			if b.tables != nil {
				rules, authority, reach, admission := lifecycle.Rulebook, lifecycle.Authority, lifecycle.Reach, lifecycle.Admission
				lifecycle.Reach = map[lifecycle.Causes]lifecycle.Scope{}
				for cause, scope := range reach {
					lifecycle.Reach[cause] = scope
				}
				defer func() {
					lifecycle.Rulebook, lifecycle.Authority, lifecycle.Reach, lifecycle.Admission = rules, authority, reach, admission
				}()
				b.tables()
			}
			p := *p
			p.plant = b.plant
			for seed := uint64(1); seed <= uint64(b.seeds); seed++ {
				whole := Draw(&p, seed, Length)
				o, err := Run(t.Context(), &p, whole)
				if err != nil {
					t.Fatal(err)
				}
				also := violated(o.Verdict)
				if !slices.Contains(also, b.breaks) {
					if len(also) > 0 {
						t.Logf("seed %d: only %v are violated: %s", seed, also, o.Verdict.Findings[0].Sentence)
					}
					continue
				}
				small, seen, runs, err := Shrink(t.Context(), &p, whole, b.breaks)
				if err != nil {
					t.Fatal(err)
				}
				f := newFinding(small, seen, b.breaks, len(whole.Operations))
				t.Logf("seed %d, %v violated; %d runs", seed, also, runs)
				t.Logf("%s", printed(f))
				if size(small) > b.left {
					t.Errorf("%d operations are left, %d would do", size(small), b.left)
				}
				if got := violated(seen.Verdict); !slices.Equal(got, []oracle.Property{b.breaks}) {
					t.Errorf("found as %v", got)
				}
				if f.Citizen == "" || f.Sequence == 0 || f.Sentence == "" {
					t.Errorf("the finding names citizen %q, sequence %d: %s", f.Citizen, f.Sequence, f.Sentence)
				}
				if v := oracle.Judge(seen.History, oracle.Options{Without: []oracle.Property{b.breaks}}); v.Violations() != 0 {
					t.Errorf("with the check of %s taken out it is found as %v", b.breaks, violated(v))
				}
				return
			}
			t.Errorf("not found in %d campaigns", b.seeds)
		})
	}
}

// printed is the finding as people read it.
func printed(f *Finding) string {
	var b writer
	if err := f.Print(&b); err != nil {
		return err.Error()
	}
	return string(b)
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}
