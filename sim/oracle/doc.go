// Package oracle judges suspension correctness (S1-S12) and entitlement
// (E1-E5) of an ID service from outside: from what was asked, what was
// answered and when, which status lists were published, and what the audit
// export says. It never looks into the service.
//
// A driver fills a [History]; [Judge] replays it against its own model of
// causes (by document number, by wallet, by person) and returns a [Verdict]:
// for every property the number of opportunities (moments at which a wrong
// service could have been caught) and of violations, and for each violation a
// [Finding] with the citizen, the sequence number, one sentence and the excerpt
// of the history that shows it. A property that had no opportunity was not
// tested, whatever its violations say.
//
// The package imports nothing of the service and nothing of the simulation, so
// that a mistake in the rulebook or in a codec cannot excuse itself here. It
// has its own decoders of the status list token (draft-ietf-oauth-status-list,
// JWT form), of the mobile security object (ISO/IEC 18013-5 §9.1.2.4) and of
// the audit export.
//
// Each wrong observation is attributed to exactly one property, the most
// specific one (attribute.go says in which order), so that taking one property
// out of the judgement shows that no other one finds its bugs.
package oracle
