// Package selftest holds the simulation to what is known on paper: for each closed
// form a scenario in which it applies, run by the fast engine and measured from
// what the engine counts for every run. The scenarios are the files of this
// folder; each can be run by itself (`rollcall run FILE`) and changed.
//
// A form is checked against the parameters that the scenario states, so that an
// error anywhere on the way from the file to the count shows. It may not look into
// an engine: no form has a hook of its own there.
package selftest

import (
	"context"
	"embed"
	"fmt"
	"math"
	"sync"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

//go:embed *.yaml
var files embed.FS

// Limit is how many standard errors a measurement may lie off its closed form.
const Limit = 3

// Measure is one number beside its closed form.
type Measure struct {
	What     string  `json:"what"`
	Unit     string  `json:"unit"`
	Expected float64 `json:"closed_form"`
	Measured float64 `json:"measured"`
	// SE is the standard error of Measured; 0 where the law is exact in every run.
	SE float64 `json:"standard_error"`
	// Low and High are an exact interval of 95 % (Clopper and Pearson) where what is
	// measured is an error rate, by ISO/IEC 19795-1; else 0.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
	// N is the effort: how many observations there were, and of what.
	N  int64  `json:"n"`
	Of string `json:"of"`
	// Wide is the largest standard error, as a share of the closed form, at which the
	// comparison still says something.
	Wide float64 `json:"widest_error"`
}

// Deviation is how far the measurement lies off, in standard errors.
func (m Measure) Deviation() float64 {
	switch d := m.Measured - m.Expected; {
	case d == 0:
		return 0
	case m.SE == 0:
		return math.Inf(1)
	default:
		return d / m.SE
	}
}

// Holds says whether the measurement agrees with the closed form and is precise
// enough to disagree.
func (m Measure) Holds() bool {
	return math.Abs(m.Deviation()) <= Limit && m.N > 0 && m.SE <= m.Wide*math.Abs(m.Expected)
}

// Result is a form with what was measured.
type Result struct {
	Form     string    `json:"form"`
	Law      string    `json:"law"`
	Scenario string    `json:"scenario"`
	Measures []Measure `json:"measures"`
	Seconds  float64   `json:"seconds"`
}

// Holds says whether every measurement does.
func (r *Result) Holds() bool {
	for _, m := range r.Measures {
		if !m.Holds() {
			return false
		}
	}
	return len(r.Measures) > 0
}

// A form is a closed form: where it is written, the scenario in which it applies,
// and how it is measured.
type form struct {
	name, law string
	scenario  string   // file without its ending
	short     []string // settings with which it takes a second, and says less
	measure   func(*run) []Measure
}

// run is a scenario as its file says and what the engine made of it.
type run struct {
	s *scenarios.Scenario
	o *rollout.Outcome
}

// Options are how the forms are run.
type Options struct {
	Workers int
	Seed    uint64           // 0: each scenario's own
	Now     func() time.Time // tells the effort in seconds
	// Done is told each result as soon as it is there, in any order; may be nil.
	Done func(Result)
}

// Run runs all forms and returns their results in the order of the table. The last
// of them is about all the runs before it.
func Run(ctx context.Context, n *scenarios.Nation, o Options) ([]Result, error) {
	out := make([]Result, len(forms)+1)
	errs := make([]error, len(forms))
	var ledger Result
	ledger.Form, ledger.Law, ledger.Scenario = "conservation", "Little 1961", "all"
	kept := make([][]Measure, len(forms))

	work := make(chan int)
	var all sync.WaitGroup
	for range max(1, o.Workers) {
		all.Go(func() {
			for i := range work {
				began := o.Now()
				var r *run
				if r, errs[i] = forms[i].run(ctx, n, o.settings(), nil); errs[i] != nil {
					continue
				}
				out[i] = forms[i].result(r)
				kept[i] = conservation(r)
				out[i].Seconds = o.Now().Sub(began).Seconds()
				if o.Done != nil {
					o.Done(out[i])
				}
			}
		})
	}
	for i := range forms {
		work <- i
	}
	close(work)
	all.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", forms[i].name, err)
		}
	}
	for _, k := range kept {
		ledger.Measures = join(ledger.Measures, k)
	}
	out[len(forms)] = ledger
	return out, nil
}

func (o *Options) settings() []string {
	if o.Seed == 0 {
		return nil
	}
	return []string{fmt.Sprintf("seed=%d", o.Seed)}
}

// run simulates the form's scenario. planted are settings that the engine alone is
// told: errors on the way from the file to the count.
func (f *form) run(ctx context.Context, n *scenarios.Nation, settings, planted []string) (*run, error) {
	file := f.scenario + ".yaml"
	src, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	told, err := scenarios.Parse(file, src, settings)
	if err != nil {
		return nil, err
	}
	simulated := told
	if len(planted) > 0 {
		if simulated, err = scenarios.Parse(file, src, append(settings[:len(settings):len(settings)], planted...)); err != nil {
			return nil, err
		}
	}
	o, err := nation.Run(ctx, simulated, n, rollout.Options{Workers: 1})
	if err != nil {
		return nil, err
	}
	if !o.Complete {
		return nil, context.Cause(ctx)
	}
	return &run{told, o}, nil
}

func (f *form) result(r *run) Result {
	return Result{Form: f.name, Law: f.law, Scenario: f.scenario, Measures: f.measure(r)}
}

// join adds up measures of the same things from several runs.
func join(sum, more []Measure) []Measure {
	if sum == nil {
		return more
	}
	for i := range sum {
		sum[i].Expected += more[i].Expected
		sum[i].Measured += more[i].Measured
		sum[i].N += more[i].N
	}
	return sum
}
