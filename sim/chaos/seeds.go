package chaos

import (
	"context"
	"slices"
	"sync"

	"rollcall.example/rollcall/sim/oracle"
)

// Options of a run over many seeds.
type Options struct {
	First   uint64 // seed
	Count   int    // of seeds; 0: as long as More says
	Length  int    // of a campaign; 0: Length
	Workers int
	// More is asked before each campaign whether there is time for it; may be nil.
	More func() bool
	// Done is told after each campaign how many there were; may be nil. One
	// goroutine at a time calls it.
	Done func(campaigns int)
	// Shrinking is told before a finding is shrunk; may be nil.
	Shrinking func(oracle.Property, uint64)
}

// Result is what many campaigns came to.
type Result struct {
	Scenario   string                           `json:"scenario"`
	First      uint64                           `json:"first_seed"`
	Campaigns  int                              `json:"campaigns"`
	Operations int                              `json:"operations"` // that found something to do
	ByProperty map[oracle.Property]oracle.Count `json:"by_property"`
	Violations int                              `json:"violations"`
	// Untested lists the properties that had no opportunity.
	Untested []oracle.Property `json:"untested"`
	// Findings are the first of each property that was violated, shrunk.
	Findings    []*Finding `json:"findings"`
	Interrupted bool       `json:"interrupted,omitempty"`
}

// Seeds runs a campaign for each seed, some at a time, and shrinks the first
// violation of each property. The result does not depend on the workers. When it
// is interrupted it returns what it has, findings as they are.
func Seeds(ctx context.Context, p *Place, o Options) (*Result, error) {
	r := &Result{Scenario: p.scenario.Name, First: o.First, ByProperty: map[oracle.Property]oracle.Count{}, Untested: []oracle.Property{}, Findings: []*Finding{}}
	first := map[oracle.Property]uint64{} // seed of the first violation
	length := o.Length
	if length == 0 {
		length = Length
	}
	var mu sync.Mutex
	var failed error
	next := o.First
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed != nil || ctx.Err() != nil || o.Count > 0 && next == o.First+uint64(o.Count) || o.More != nil && !o.More() {
			return 0, false
		}
		next++
		return next - 1, true
	}
	keep := func(seed uint64, x *Outcome, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			if ctx.Err() == nil && failed == nil {
				failed = err
			}
			return
		}
		r.Campaigns++
		r.Operations += x.Done
		for _, property := range oracle.Properties {
			n, of := r.ByProperty[property], x.Verdict.ByProperty[property]
			n.Opportunities += of.Opportunities
			n.Violations += of.Violations
			r.ByProperty[property] = n
			if was, found := first[property]; of.Violations > 0 && (!found || seed < was) {
				first[property] = seed
			}
		}
		r.Violations += x.Verdict.Violations()
		if o.Done != nil {
			o.Done(r.Campaigns)
		}
	}
	var wg sync.WaitGroup
	for range max(1, o.Workers) {
		wg.Go(func() {
			for seed, more := take(); more; seed, more = take() {
				x, err := Run(ctx, p, Draw(p, seed, length))
				keep(seed, x, err)
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	r.Interrupted = ctx.Err() != nil
	for _, property := range oracle.Properties {
		if r.ByProperty[property].Opportunities == 0 {
			r.Untested = append(r.Untested, property)
		}
	}
	var properties []oracle.Property
	for property := range first {
		properties = append(properties, property)
	}
	slices.SortFunc(properties, func(a, b oracle.Property) int {
		return slices.Index(oracle.Properties[:], a) - slices.Index(oracle.Properties[:], b)
	})
	for _, property := range properties {
		if o.Shrinking != nil {
			o.Shrinking(property, first[property])
		}
		f, err := find(ctx, p, Draw(p, first[property], length), property)
		if err != nil {
			return nil, err
		}
		r.Findings = append(r.Findings, f)
	}
	return r, nil
}

// find makes a finding of a property that a campaign violates. Interrupted, it
// leaves the campaign as it is.
func find(ctx context.Context, p *Place, c Campaign, property oracle.Property) (*Finding, error) {
	small, seen, _, err := Shrink(ctx, p, c, property)
	if seen == nil {
		if ctx.Err() == nil {
			return nil, err
		}
		if seen, err = Run(context.WithoutCancel(ctx), p, c); err != nil {
			return nil, err
		}
		small = c
	}
	return newFinding(small, seen, property, len(c.Operations)), nil
}
