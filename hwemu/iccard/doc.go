// Package iccard emulates the chip of an IC resident card, from blank to
// personalised: bytes in, bytes out, as ISO/IEC 7816-4:2020 and ICAO Doc 9303
// (eighth edition, parts 5, 10 and 11) say. The profile of the real card is not
// public; this one is open and made of parts that independent readers know.
//
//   - Master file: EF.DIR, EF.ATR/INFO; EF.CardAccess and EF.CardSecurity on a
//     protected chip.
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
// # Access
//
// A chip that is given a card access number in personalisation (Holder.CAN) is
// protected: EF.CardAccess, EF.DIR and EF.ATR/INFO aside it tells nothing until it
// was opened by PACE (Doc 9303-11 §4.4; CAN, MRZ or PIN; P-256 or
// brainpoolP256r1) or by BAC (§4.3; MRZ). What follows goes through secure
// messaging (§9.8), which the first error, or a command in the clear, ends, and
// with it all that was allowed. Chip authentication (§6.2) re-keys it with a key
// pair that is not the one that signs. CAN and MRZ never block, but each failure
// makes the next try a second slower; PACE with the PIN takes the tries of VERIFY,
// and with one left asks for the CAN first (suspended). Without a CAN the chip is
// read in the clear and knows none of these commands.
//
// # Tearing
//
// Non-volatile memory is written byte by byte, and CutPower lets the field
// vanish between any two of them. What has to change as one is kept twice with a
// checksum (cell), and a try is taken off the counter before the comparison.
//
// # Not yet
//
// The transport key that protects a blank chip; integrated and chip authentication
// mapping of PACE; chip authentication with 3DES; secure messaging with longer
// keys. Keys are named curves in certificates, DG14 and DG15, where Doc 9303-12
// asks for explicit parameters, because Go's crypto/x509 refuses those.
//
// hwemu/iccard may use no part of the service: what reads and judges this card
// (reference/card) is written apart from what makes it.
package iccard
