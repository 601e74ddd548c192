package issuance

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/x5c"
)

// ErrAttestation: the key attestation is not good.
var ErrAttestation = errors.New("the phone's key attestation is not accepted")

// Phone is what a key attestation proves: which wallet it is, and keys that its
// secure element holds.
type Phone struct {
	Wallet string
	Keys   []*ecdsa.PublicKey
}

// Makers are the phone makers whose attestation keys are trusted.
type Makers struct {
	policy keyproof.Policy
}

// NewMakers reads root certificates, DER.
func NewMakers(roots ...[]byte) (*Makers, error) {
	anchors, err := x5c.NewAnchors("phone maker", roots...)
	if err != nil {
		return nil, err
	}
	return &Makers{keyproof.Policy{Attesters: anchors}}, nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrAttestation}, args...)...)
}

// Check reads a key attestation (OpenID4VCI 1.0 Appendix D.1) and checks who signed
// it, for which nonce, and when. Beyond the standard, sub must name the wallet
// instance; it is the same in every attestation of one wallet. One that names a status list
// is refused: where those are read (package standing), keys come by other ways.
func (m *Makers) Check(attestation, nonce string, at time.Time) (Phone, error) {
	a, err := m.policy.Check(attestation, at, func(n string) bool { return oauth.Same(n, nonce) })
	if refusal, ok := errors.AsType[*oauth.Refusal](err); ok {
		return Phone{}, refuse("%s", refusal.Reason)
	}
	if err != nil {
		return Phone{}, refuse("%v", err)
	}
	if a.Status != nil {
		return Phone{}, refuse("it names a status list, and none is read here")
	}
	if a.Wallet == "" || len(a.Wallet) > register.MaxText {
		return Phone{}, refuse("it does not name the wallet in sub, in at most %d bytes", register.MaxText)
	}
	return Phone{Wallet: a.Wallet, Keys: a.Keys}, nil
}
