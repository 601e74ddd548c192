package rollout

import "rollcall.example/rollcall/sim/capacity"

// Outcome is what a run of a scenario counted. Every engine gives the same.
type Outcome struct {
	Model *Model // with the service as the run left it
	Plant *capacity.Plant
	// Tallies by municipality of the nation; nil where it is not simulated.
	Tallies []*Tally
	// Records are the kept lives, by citizen, each in the order of time.
	Records []Record
	// Visits are who came to each centre of the nation, in the order in which its
	// queue saw them, without other business; nil unless Options.KeepVisits.
	Visits   [][]Visit
	Citizens int64
	Absent   bool // other regions are present as load only
	Complete bool // false: interrupted
	Until    int64
}

// Options are what a run may choose without changing what is modelled. The
// result depends on Narrow alone, and hardly.
type Options struct {
	Workers int
	// Narrow makes windows so many times narrower than planned; 0 is 1. It is there
	// to show that windows are not the model (docs/engine.md).
	Narrow int
	// KeepVisits keeps who came to the centres (Outcome.Visits), 48 bytes each.
	KeepVisits bool
	// Progress is told the virtual milliseconds done, all of them, and the events
	// so far; may be nil.
	Progress func(done, total, events int64)
}
