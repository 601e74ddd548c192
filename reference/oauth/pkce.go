package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"rollcall.example/rollcall/reference/jws"
)

// Same compares what a caller may not guess piece by piece: it takes as long for two
// texts that differ at once as for two that differ at the end.
func Same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Challenge is the code_challenge of a verifier by S256 (RFC 7636 §4.2).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckChallenge says whether an authorization request has a challenge by S256,
// the only method that HAIP allows.
func CheckChallenge(challenge, method string) error {
	if method != "S256" {
		return Refuse(InvalidRequest, "code_challenge_method is %.20q, not S256", method)
	}
	if b, err := jws.Decode([]byte(challenge)); err != nil || len(b) != sha256.Size {
		return Refuse(InvalidRequest, "code_challenge is not 32 bytes in base64url")
	}
	return nil
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// CheckVerifier says whether a token request comes from who sent the challenge
// (§4.6).
func CheckVerifier(verifier, challenge string) error {
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return Refuse(InvalidGrant, "code_verifier is not 43 to 128 unreserved letters")
	}
	if !Same(Challenge(verifier), challenge) {
		return Refuse(InvalidGrant, "code_verifier does not belong to the code")
	}
	return nil
}
