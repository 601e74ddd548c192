// Package panel lets some thousands of the nation's citizens live the same lives
// against the real ID service: its register in SQLite, its cryptography, IC cards
// that answer APDUs, phones with secure elements, cameras, verifiers with cached
// status lists. Everything is in process and in virtual time.
//
// # Same life, two judges
//
// A nation run keeps the lives of a pool of citizens (rollout.Record). Choose
// draws the panel from them; Run replays its records. What the service does not
// decide (an outage, a torn tap, a verifier's moment of fetching a list) comes
// from the record and is put in at the seams. What it does decide is never told:
// Record.Decided is read only when the service has answered, and must then be the
// same. A life that went otherwise is kept with both histories.
//
// Beside the lives there are adversaries: repeated requests, used codes, cloned
// cards, releases by those who may not, old wallets. They must be refused, and a
// refusal changes nothing, so that the lives go on as if nobody had tried.
//
// In the middle of the run the service is dropped with requests in flight, and
// goes on from what was on disk at its last acknowledgement.
//
// Everything that an outside observer can see goes into a history, which
// sim/oracle judges.
//
// # Order
//
// Records are replayed in the order of time. At one instant: commit before
// publish before fetch before present.
//
// The package may import everything but sim/nation: it takes lives from any
// engine.
package panel
