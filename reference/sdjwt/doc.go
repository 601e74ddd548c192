// Package sdjwt is the mobile resident registration card as an SD-JWT: the same
// claims as reference/mdoc, in the form that verifiers on the web read.
//
//   - Issue makes an SD-JWT VC (draft-ietf-oauth-sd-jwt-vc-19, format dc+sd-jwt):
//     a signed JWT with salted digests, and the disclosures that belong to them
//     (RFC 9901 §4), bound to the phone's key.
//   - Present shows the chosen claims, signed by the phone for one verifier and one
//     nonce (§4.3).
//   - Verify checks all of it (§7) against the trust anchors that mdoc has, at a
//     given time.
//   - CardClaims makes the claims of the card; Metadata describes its type.
//
// It is pure: keys, time and randomness are handed in. It may not know whether a
// card is suspended: Presented.Status tells where to ask. Hashes are SHA-256 and
// signatures ES256, as HAIP 1.0 §7 has them; nothing else is read.
package sdjwt
