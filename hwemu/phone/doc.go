// Package phone emulates a citizen's phone as far as identity goes: a secure
// element that makes and keeps P-256 keys, the maker's attestation of those keys
// (OpenID4VCI 1.0 appendix D.1), a wallet that holds the copies of a mobile card
// and presents from one (ISO/IEC 18013-5), and the reading of an IC card over
// NFC.
//
// Keys come from the seed of a phone: a new phone is a new Phone with another
// seed, and nothing of the old one is on it. The phone is handed time and
// randomness, and knows nothing of the service but the formats it speaks.
package phone
