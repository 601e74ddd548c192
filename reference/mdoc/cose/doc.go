// Package cose signs and checks the two COSE messages that an identity card
// needs: COSE_Sign1 with ES256 (RFC 9052 §4.2, RFC 9053 §2.1) and COSE_Mac0 with
// HMAC 256/256 (RFC 9052 §6.2), the certificate in x5chain (RFC 9360 §2). It also
// holds the one CBOR dialect (RFC 8949 §4.2.1 written; read strictly) in which
// these formats are spoken.
//
// It knows nothing of cards, trust or time: a key goes in, true or false comes
// out. Everything read is bytes from outside: definite lengths only, no duplicate
// key, no trailing byte, bounded depth and counts.
package cose
