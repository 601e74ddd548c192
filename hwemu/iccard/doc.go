// Package iccard emulates the chip of an IC resident card, from blank to
// personalised: bytes in, bytes out, as ISO/IEC 7816-4:2020 and ICAO Doc 9303
// (eighth edition, parts 5, 10 and 11) say. The profile of the real card is not
// public; this one is open and made of parts that independent readers know.
//
//   - Master file: EF.DIR, EF.ATR/INFO.
//   - eMRTD application A0000002471001, LDS 1.8: EF.COM, EF.SOD (signed by the
//     document signer of an IssuerKit), DG1 (TD1 MRZ), DG2 (ISO/IEC 19794-5
//     portrait), DG11, DG12, DG13 (hash of the face template), DG14, DG15 (the
//     chip's own key). INTERNAL AUTHENTICATE is active authentication over the
//     reader's eight bytes (Doc 9303-11 §6.1).
//   - Resident application F0524F4C4C43414C4C01: card number; the face template,
//     readable after the PIN; PIN with three tries and a resetting code for the
//     clerk. INTERNAL AUTHENTICATE signs a statement (below).
//
// # The statement
//
// A server cannot see whether the PIN was verified, and a phone in between may
// lie. So the chip says it: over a 32-byte challenge from the server it signs,
// with the key of DG15,
//
//	SHA-256( StatementLabel ‖ challenge ‖ status )
//
// where the status byte is made by the chip alone (PINVerified in this session,
// PINBlocked), and answers 7C { 80 status, 81 signature r‖s }. The eMRTD
// application signs eight bytes and nothing else, so that neither signature can
// pass for the other. A relay to a distant card is not prevented by this.
//
// # Tearing
//
// Non-volatile memory is written byte by byte, and CutPower lets the field
// vanish between any two of them. What has to change as one is kept twice with a
// checksum (cell), and a try is taken off the counter before the comparison.
//
// # Not yet
//
// PACE, BAC, chip authentication and secure messaging (EF.CardAccess and
// EF.CardSecurity with them), and the transport key that protects a blank chip.
// Until then files are read in the clear, and class bytes that ask for secure
// messaging get 6882. Its place is Transmit, around process: unwrap before, wrap
// after; no command will change for it. Keys are named curves in certificates
// and DG15, where Doc 9303-12 asks for explicit parameters, because Go's
// crypto/x509 refuses those.
//
// hwemu/iccard may use no part of the service: what reads and judges this card
// (reference/card) is written apart from what makes it.
package iccard
