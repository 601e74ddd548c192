// Package oauth makes and checks the small tokens by which a wallet proves to an
// authorization server who it is, as HAIP 1.0 §4 wants:
//
//   - DPoP proofs (RFC 9449): the request comes from the holder of a key;
//   - PKCE with S256 (RFC 7636): the code is redeemed by who asked for it;
//   - client attestations and their proofs of possession
//     (draft-ietf-oauth-attestation-based-client-auth-11): the wallet is one that
//     its provider vouches for.
//
// They are pure functions, used by wallet and server alike. Whether an identifier
// (jti) was seen before, and which nonces are good, is for the caller to know:
// nothing is stored here, and time is passed in.
package oauth

import (
	"fmt"
	"time"
)

// Refusal is why a token is not accepted, with the code that the answer carries.
type Refusal struct {
	Code   string
	Reason string
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Reason }

// Is says whether two refusals have the same code, so that errors.Is finds
// &Refusal{Code: ...}.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Code == r.Code && (other.Reason == "" || other.Reason == r.Reason)
}

// Refuse makes a Refusal.
func Refuse(code, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Codes of refusals.
const (
	InvalidRequest           = "invalid_request"            // RFC 6749 §5.2
	InvalidGrant             = "invalid_grant"              // RFC 6749 §5.2
	InvalidDPoPProof         = "invalid_dpop_proof"         // RFC 9449 §5
	UseDPoPNonce             = "use_dpop_nonce"             // RFC 9449 §8
	InvalidClientAttestation = "invalid_client_attestation" // attestation-based client authentication §7.4
	UseAttestationChallenge  = "use_attestation_challenge"  // the same
	UseFreshAttestation      = "use_fresh_attestation"      // the same
)

// How old a proof may be, and how far ahead a phone's clock may go [A].
const (
	MaxProofAge  = 5 * time.Minute
	MaxClockSkew = time.Minute
)

// Limits of what is read.
const (
	maxToken = 32 << 10
	maxText  = 512 // bytes of an identifier, a nonce
)

// Moment is a NumericDate in whole seconds.
func Moment(unix int64) (time.Time, error) {
	const latest = 253402300799 // the end of the year 9999
	if unix <= 0 || unix > latest {
		return time.Time{}, fmt.Errorf("%d is no time", unix)
	}
	return time.Unix(unix, 0).UTC(), nil
}

// ProofEnds is the last moment at which a proof made at a moment is fresh: until then
// it must be remembered as used. It follows from the proof alone, whatever clock it is
// held against.
func ProofEnds(made time.Time) time.Time { return made.Add(MaxProofAge + MaxClockSkew) }

// CheckFresh says whether a proof was made now, within what is allowed for.
func CheckFresh(made, now time.Time) error {
	switch {
	case made.After(now.Add(MaxClockSkew)):
		return fmt.Errorf("it was made %s, now it is %s: the clock is ahead", made.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case now.After(ProofEnds(made)):
		return fmt.Errorf("it was made %s, now it is %s: that is too long ago", made.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}
