// Package mdoc is the mobile resident registration card as a document of
// ISO/IEC 18013-5:2021: what the issuer signs, what a phone presents and what a
// verifier checks.
//
//   - Issue makes an IssuerSigned (§8.3.2.1.2.2) with its mobile security object
//     (§9.1.2.4): salted digests of the elements in random order, the phone's key,
//     the times, and where the status is published.
//   - Present makes a DeviceResponse that shows only the elements asked for,
//     signed by the phone over this session's transcript (§9.1.3.4, .6).
//   - Verify checks all of it (§9.3.1) against TrustAnchors at a given time;
//     VerifyCard what a holder gets from the issuer.
//   - Respond and VerifyResponse do the same nearby (package proximity): several
//     cards, a MAC instead of a signature, what is missing or withheld.
//   - NewIACA, NewDocumentSigner, NewStatusSigner and NewReader make the
//     certificates of Annex B.
//
// It is pure: keys, time and randomness are handed in; nothing is stored but what
// TrustAnchors remembers of chains and signatures it has verified. It may not know
// who holds a card or whether a card is suspended: Presented.Status tells where to
// ask.
package mdoc
