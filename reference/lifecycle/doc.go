// Package lifecycle is THE RULEBOOK: which states a resident's plastic card and
// mobile credential can be in, which events move them, which causes suspend
// what, who may do it, and in which order an application is judged.
//
// It is pure: no I/O, no clock, no randomness, no identity. The service
// (reference/issuance, verification, suspension) and the simulation
// (sim/rollout, which compiles it into a table) both use it, so a rule is
// written once. The oracle that checks the outcome never imports it.
//
// To change a rule of the country, change one of the four tables here:
//
//   - Reach (cause.go): what a cause suspends. "A lost phone suspends only the
//     mobile card" is the row MobileLost.
//   - Rulebook (rulebook.go): which event needs what and changes what.
//   - Authority (authority.go): which role may cause which event.
//   - Admission (admission.go): the order in which an application for a mobile
//     card is judged, and the reason given by each refusal.
package lifecycle
