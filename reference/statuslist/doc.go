// Package statuslist publishes whether cards are valid without telling who asks
// for which: Token Status List (draft-ietf-oauth-status-list-21), lists of 1, 2, 4
// or 8 bits in a signed JWT or CWT.
//
// A List is the packed array (§4), a Token the signed statement about it (§5).
// ParseJWT and ParseCWT check the signer's certificate against the roots that a
// verifier trusts: it comes from the IACA itself, not from the document signer.
//
// The package is pure. It may not know which card has which index, nor when a list
// is to be published or may be used: times are handed in, the verifier's policy for
// a list past its time is the verifier's.
package statuslist
