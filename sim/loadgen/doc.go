// Package loadgen lets emulated citizens use a running service over HTTP, as
// wallets, clerks, the loss line and verifiers do: cards are tapped, codes scanned,
// cards shown, lost, found and replaced, at wall-clock speed and many at a time.
//
// It looks at the service from outside. Each answer is held at once against what
// the citizen's own history allows, and everything is written down as an observer
// sees it, so that in the end sim/oracle judges S1-S12 and E1-E5 from it, from the
// status lists that were fetched and from the audit export. A request that got no
// answer is unknown until it is asked again with the same key.
//
// Clock, randomness, waiting and keys are handed in. The package knows no engine and
// no load tool: whoever makes the load calls the methods of Citizen, in any order.
package loadgen
