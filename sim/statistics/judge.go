package statistics

import (
	"encoding/json"
	"fmt"
	"math"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

// CheckExpectations finds, before a run, expectations of a scenario that name
// what no result has.
func CheckExpectations(s *scenarios.Scenario) (problems scenarios.Problems) {
	var schema any
	if err := json.Unmarshal(reports.Schema(), &schema); err != nil {
		panic(err) // our own
	}
	for i, text := range s.Expect {
		e, err := scenarios.ParseExpectation(text)
		if err == nil {
			err = e.Check(schema)
		}
		if err != nil {
			problems = append(problems, scenarios.Problem{Path: fmt.Sprintf("expect[%d]", i), What: err.Error()})
		}
	}
	return problems
}

// Judge evaluates the scenario's expectations and those that hold for every run
// without being written: no violation, equal lives, conserved intents
// (by the counts and by the citizens' records), Little's law at the centres, every
// property with an opportunity in a default panel, no fault that tested nothing.
// An expectation over an element of a list that this run has not does not hold.
func Judge(r *reports.Result, s *scenarios.Scenario) error {
	r.Expectations = []reports.Expectation{}
	standing := func(text string, value int64, holds bool) {
		r.Expectations = append(r.Expectations, reports.Expectation{Text: text, Value: reports.Num(value), Holds: holds, Standing: true})
	}
	n := &r.Nation.Intents
	standing("nation.intents.posted == done + abandoned + pending", n.Posted, n.Posted == n.Done+n.Abandoned+n.Pending && conserved(n.ByKind))
	standing("nation.intents.pending == nation.intents.open", n.Pending-n.Open, n.Pending == n.Open && conserved(n.ByKind))
	v := &r.Nation.Visits
	standing("nation.visits.waited_ms == nation.visits.queue_ms", v.Waited-v.Queue, v.Waited == v.Queue)
	var early int64
	for _, p := range r.Nation.ByPhase {
		early += p.Before
	}
	standing("nation.by_phase[*].issued_before == 0", early, early == 0)
	if p := r.Panel; p != nil {
		standing("suspension.violations == 0", r.Suspension.Violations, r.Suspension.Violations == 0)
		standing("panel.trajectories_equal == panel.citizens", p.TrajectoriesEqual, p.TrajectoriesEqual == p.Citizens)
		different := int64(len(p.TrajectoriesDifferent)) // adversaries of the panel's own cast are among them
		standing("panel.trajectories_different is empty", different, different == 0)
		standing("panel.restart.missing == 0", p.Restart.Missing, p.Restart.Missing == 0)
		standing("panel.restart.twice == 0", p.Restart.Twice, p.Restart.Twice == 0)
		if p.Citizens >= 100 {
			var idle int64
			for _, name := range reports.PropertyNames {
				if r.Suspension.ByProperty[name].Opportunities == 0 {
					idle++
				}
			}
			standing("properties without an opportunity == 0", idle, idle == 0)
		}
	}
	for i, f := range r.Recovery {
		standing(fmt.Sprintf("recovery[%d].touched > 0", i), f.Touched, f.Touched > 0)
	}

	encoded, err := reports.Encode(r)
	if err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		return err
	}
	written := map[string]bool{}
	for _, e := range r.Expectations {
		written[e.Text] = true
	}
	for _, text := range s.Expect {
		if written[text] {
			continue // it stands already
		}
		e, err := scenarios.ParseExpectation(text)
		if err != nil {
			return fmt.Errorf("expect: %w", err)
		}
		if r.Panel == nil && e.About("panel", "suspension.violations", "suspension.by_property") {
			continue // the panel was off: there is nothing to judge
		}
		value, holds, err := e.Eval(tree)
		if err != nil {
			// Names were checked before the run: here an element of a list is
			// missing, and what is not there does not hold.
			value, holds = nil, false
		}
		r.Expectations = append(r.Expectations, reports.Expectation{Text: text, Value: number(value), Holds: holds})
	}
	return nil
}

func conserved(kinds []reports.IntentKind) bool {
	for _, k := range kinds {
		if k.Posted != k.Done+k.Abandoned+k.Pending || k.Pending < 0 || k.Pending != k.Open {
			return false
		}
	}
	return true
}

func number(v any) reports.Num {
	switch x := v.(type) {
	case float64:
		return reports.Num(x)
	case bool:
		if x {
			return 1
		}
		return 0
	}
	return reports.Num(math.NaN())
}
