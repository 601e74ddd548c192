// Package world is the real ID service with all that stands around it: the
// authorities that sign, the card plant, the phone maker, a clock that is set,
// residents with cards and phones in their pockets, verifiers that ask or go by
// a cached status list. Everything is in process, in virtual time, and
// reproducible from a seed.
//
// Its people ask the service for things by Requests, which are written into an
// oracle's history as an outside observer sees them: what was asked, what was
// answered and when. sim/panel lets a nation's citizens live here; sim/chaos
// lets anything happen.
//
// The package decides nothing: when something happens, and who does it, is its
// user's business; what comes of it is the service's.
package world
