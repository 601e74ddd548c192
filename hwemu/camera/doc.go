// Package camera emulates cameras: what a face looks like to a recogniser when
// it is photographed for the record, or captured by a phone. Every draw comes
// from the reader that is passed in.
//
// # The model
//
// An Identity i is a direction, uniform on the sphere of an effective dimension
// d (Model.Dimension; recognisers use far fewer directions than the 512 they
// write down). It is embedded into 512 dimensions by a fixed orthonormal map. A
// capture of quality ρ is
//
//	x = normalise(√ρ·i + √(1−ρ)·n),   n uniform on the same sphere.
//
// The score of two captures is their cosine.
//
// # Its closed form
//
// Two different people: both directions are uniform and independent whatever
// their qualities, so the density of the score s is ∝ (1−s²)^((d−3)/2), that is
// (s+1)/2 ~ Beta((d−1)/2, (d−1)/2), with variance 1/d (FMR).
//
// The same person: with x1 = i·n1 and x2 = i·n2 (each one coordinate of a random
// unit vector in d dimensions) and w one coordinate of a random unit vector in
// d−1 dimensions,
//
//	c(ρ, x) = (√ρ + √(1−ρ)·x) / √(1 + 2·√(ρ(1−ρ))·x),   s = √(1−c²)
//	score   = c1·c2 + s1·s2·w                                            (FNMR)
//
// exactly, for c is the cosine of a capture with its identity, and the parts
// across it point in independent uniform directions.
//
// Retries are no fresh draws: the photo on record stays (x1 of all tries is the
// same), and of the noise of a session, light and pose and glasses, only a share
// f is new in each capture: n2 = normalise(√(1−f)·g + √f·h), g drawn once a
// session and h at every try, both normal. Seen from i and the direction across
// it in which the record lies, g is two normal coordinates and a rest of d−2
// dimensions, so that this too needs no vectors:
//
//	(a, b, R) of n2:  x2 = a/√(a²+b²+R²),  w = b/√(b²+R²).
//
// Tests hold the generator to these forms, never to itself.
//
// # Built captures
//
// CaptureWithScore makes a capture that has a wanted score against a given
// template, for a simulation that has drawn the score from the law above: the
// real matcher then has to come to the same decision.
//
// Liveness detection and presentation attacks (ISO/IEC 30107-3) are not modelled
// yet.
package camera
