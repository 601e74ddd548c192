// Package proximity is how a card is shown in person by ISO/IEC 18013-5:2021: a
// phone and a reader meet by QR code or NFC, agree on keys, and one asks and the
// other answers over an encrypted session.
//
//   - Engagement is what the phone says first (§8.2.1): its ephemeral key and how
//     it may be reached; as a QR code (§8.2.2.3) or within NDEF messages of NFC
//     handover, static and negotiated (§8.2.2.1, NFC Forum Connection Handover 1.5
//     and TNEP 1.0).
//   - Session encrypts and decrypts (§9.1.1): one side Accepts what the other
//     Engages with. Messages out of order, repeated, changed or of another session
//     end it.
//   - Request is what the reader asks (§8.3.2.1.2.1), signed by a reader that says
//     who it is (§9.1.4). What the phone answers is mdoc.Respond and
//     mdoc.VerifyResponse.
//   - DataObject carries the messages over NFC (§8.3.3.1.2).
//
// It is pure, for both sides: keys, time and trust are handed in, and the radio is
// somebody else's. It may not know what a holder permits or whether a card is
// suspended. Server retrieval and Wi-Fi Aware are not here; a phone that offers them
// too is understood.
package proximity
