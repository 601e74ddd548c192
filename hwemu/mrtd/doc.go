// Package mrtd is the cryptography that a chip and its reader share (ICAO Doc
// 9303-11, eighth edition): keys from passwords and shared secrets (§9.7), PACE
// with generic mapping (§4.4), BAC (§4.3), key agreement for chip authentication
// (§6.2), secure messaging (§9.8), and the security infos that say what a chip
// can do (§9.2).
//
// PACE is id-PACE-ECDH-GM-AES-CBC-CMAC-128 over P-256 (parameters 12) or
// brainpoolP256r1 (13). Curve arithmetic is filippo.io/nistec for P-256 and
// ProtonMail's brainpool for the other, which is not constant-time: enough for
// emulated chips, whose timing tells nobody anything, and for nothing else.
//
// It keeps no state but that of a channel or a run of PACE, draws no randomness,
// and may not know what commands mean: hwemu/iccard is the chip, hwemu/phone the
// reader.
package mrtd
