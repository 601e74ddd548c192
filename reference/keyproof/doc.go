// Package keyproof makes and checks how a wallet proves to an issuer which keys a
// credential shall be bound to (OpenID4VCI 1.0):
//
//   - key attestations (Appendix D): a phone's maker or a wallet provider says
//     that keys lie in a secure element;
//   - proofs of the types jwt and attestation (Appendix F): the wallet holds a key,
//     and asks with it for this issuer and nonce.
//
// It is used by wallet and issuer alike. Which nonces are good is for the caller
// to know; nothing is stored here, and time is passed in. Refusals are those of
// package oauth, with the codes of OpenID4VCI §8.3.1.2.
package keyproof

import (
	"crypto/ecdsa"
	"fmt"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/oauth"
)

// Codes of refusals (OpenID4VCI 1.0 §8.3.1.2).
const (
	InvalidProof = "invalid_proof"
	InvalidNonce = "invalid_nonce"
)

// Limits of what is read.
const (
	maxToken = 32 << 10
	maxText  = 512 // bytes of an identifier, a nonce
	maxKeys  = 64  // of an attestation, and proofs of one request
)

func refuse(format string, args ...any) error { return oauth.Refuse(InvalidProof, format, args...) }

// checkNonce says whether a nonce is one that the issuer gave, if it asks for one.
func checkNonce(what, nonce string, good func(string) bool) error {
	switch {
	case good == nil:
		return nil
	case nonce == "":
		return refuse("%s has no nonce: ask the nonce endpoint for one", what)
	case !good(nonce):
		return oauth.Refuse(InvalidNonce, "the nonce of %s is not of this issuer, or too old: ask the nonce endpoint for another", what)
	}
	return nil
}

// addKey adds a key that is not yet among the keys.
func addKey(keys []*ecdsa.PublicKey, k *ecdsa.PublicKey) ([]*ecdsa.PublicKey, error) {
	for _, other := range keys {
		if k.Equal(other) {
			return nil, fmt.Errorf("key %d stands there twice", len(keys)+1)
		}
	}
	return append(keys, k), nil
}

// parse reads a token of a type.
func parse(what, token, typ string) (*jws.Token, jws.Header, error) {
	if len(token) > maxToken {
		return nil, jws.Header{}, refuse("%s has %d bytes; at most %d are read", what, len(token), maxToken)
	}
	t, err := jws.Parse([]byte(token))
	if err != nil {
		return nil, jws.Header{}, refuse("%s: %v", what, err)
	}
	h, err := t.ReadHeader(typ)
	if err != nil {
		return nil, jws.Header{}, refuse("%s: %v", what, err)
	}
	return t, h, nil
}
