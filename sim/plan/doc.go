// Package plan turns a limit on waiting into a decision: which centres need how many
// counters, so that nobody waits longer than promised, and what that costs.
//
// It does not search by runs of the nation. One run keeps who came to each centre;
// each centre's queue is then asked by itself how the same people would fare before
// other numbers of counters (nation.Alone), a few milliseconds a question. What that
// leaves out, that who is served at once does not come again, is put right by a full
// run of the plan, whose visits begin another round where the target is missed.
//
// The answer does not depend on the number of workers, and the last thing that
// happens to a plan is a full run that says whether it holds.
package plan
