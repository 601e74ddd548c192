// Package chaos does whatever comes to mind to the real ID service, and has the
// oracle judge what came of it.
//
// A Campaign is a small world and a list of operations: applications, copies signed
// anew, reports, releases, presentations, repeated and reordered requests, time, outages,
// crashes at a commit, and other operations between the steps of one. All of it
// is data, drawn from a seed (Draw), so a campaign can be kept, replayed (Run)
// and cut: any subset of its operations is a campaign again, because an
// operation that finds nothing to do does nothing and says so. What a campaign
// shows is a history for sim/oracle, the same bytes every time.
//
// A violation is shrunk to the few operations that matter (Shrink) and kept as a
// Finding: both histories, what was seen and what the properties demand, and a
// campaign that shows it again.
//
// Nothing happens at once here: an operation that is to be in flight while others
// come is stopped at a call of its store, the others are run there, and it goes
// on. A use case commits once, in a serializable transaction, so no order in
// which two of them can meet is missed, and each can be written down.
//
// The package may know everything that sim/world knows, and nothing of a nation.
package chaos
