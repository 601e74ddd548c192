// Package uncertainty says how far the headline figures of a scenario move: by
// chance, in runs that differ in nothing but their seeds, and by what is assumed,
// in runs whose parameters are drawn within their plausible ranges. It draws the
// seeds and the parameters, has the runs made by whoever calls it, and turns their
// figures into bands and rank correlations (reports.Uncertainty).
//
// It knows no engine: a run is a function from a scenario to a result.
//
// Sampling: McKay, Beckman, Conover: "A comparison of three methods for selecting
// values of input variables", Technometrics 21 (1979). Rank correlation: Spearman's.
package uncertainty
