package keyproof

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/x5c"
)

const attestationType = "key-attestation+jwt"

// Resistance is the attack potential that a key storage or a way of
// authentication withstands (ISO/IEC 18045; OpenID4VCI Appendix D.2).
type Resistance string

// From the strongest down.
const (
	High          Resistance = "iso_18045_high"
	Moderate      Resistance = "iso_18045_moderate"
	EnhancedBasic Resistance = "iso_18045_enhanced-basic"
	Basic         Resistance = "iso_18045_basic"
)

// Attestation is what a phone's maker or a wallet provider says of keys
// (Appendix D.1).
type Attestation struct {
	Issuer             string // iss; may be empty: the certificate names it
	Wallet             string // sub: the wallet instance. It is ours, Appendix D has none; may be empty
	IssuedAt           time.Time
	Expires            time.Time // zero: not said, which the proof type attestation allows
	Keys               []*ecdsa.PublicKey
	KeyStorage         []Resistance
	UserAuthentication []Resistance
	Certification      string          // URL; may be empty
	Nonce              string          // the issuer's; may be empty
	Status             *mdoc.StatusRef // whether it still stands (package standing); nil: not said
}

type attestationClaims struct {
	Issuer             string        `json:"iss,omitempty"`
	Subject            string        `json:"sub,omitempty"`
	IssuedAt           int64         `json:"iat"`
	Expires            int64         `json:"exp,omitempty"`
	Nonce              string        `json:"nonce,omitempty"`
	Keys               []jws.Key     `json:"attested_keys"`
	KeyStorage         []Resistance  `json:"key_storage,omitempty"`
	UserAuthentication []Resistance  `json:"user_authentication,omitempty"`
	Certification      string        `json:"certification,omitempty"`
	Status             *oauth.Status `json:"status,omitempty"`
}

// Sign signs it as the maker or provider, whose chain is sent along, leaf first
// and without the root.
func (a Attestation) Sign(sign jws.Sign, chain [][]byte) (string, error) {
	switch {
	case len(a.Keys) == 0 || len(a.Keys) > maxKeys:
		return "", fmt.Errorf("a key attestation is for 1 to %d keys, not %d", maxKeys, len(a.Keys))
	case a.IssuedAt.Unix() <= 0 || !a.Expires.IsZero() && !a.Expires.After(a.IssuedAt):
		return "", errors.New("a key attestation needs a time, and if it ends, an end after it")
	}
	c := attestationClaims{
		Issuer: a.Issuer, Subject: a.Wallet, IssuedAt: a.IssuedAt.Unix(), KeyStorage: a.KeyStorage, UserAuthentication: a.UserAuthentication,
		Certification: a.Certification, Nonce: a.Nonce, Status: oauth.StatusOf(a.Status),
	}
	if !a.Expires.IsZero() {
		c.Expires = a.Expires.Unix()
	}
	for _, k := range a.Keys {
		jwk, err := jws.KeyOf(k)
		if err != nil {
			return "", err
		}
		c.Keys = append(c.Keys, jwk)
	}
	return sign.Token(jws.Header{Type: attestationType, Chain: chain}, c)
}

// Policy is what an issuer demands of keys.
type Policy struct {
	Attesters          *x5c.Anchors // who may attest; nil: attestations are not read, and not demanded
	Required           bool         // only attested keys are bound
	KeyStorage         []Resistance // one of these; none: any, said or not
	UserAuthentication []Resistance // the same
}

// Check checks an attestation. What it may be used for beyond that depends on the
// proof that it comes in, see Proofs. Its status is for the caller to ask for.
func (p Policy) Check(attestation string, at time.Time, nonce func(string) bool) (*Attestation, error) {
	const what = "the key attestation"
	if p.Attesters == nil {
		return nil, refuse("key attestations are not accepted here")
	}
	t, h, err := parse(what, attestation, attestationType)
	if err != nil {
		return nil, err
	}
	signer, err := p.Attesters.Key(h.Chain, at)
	if err != nil {
		return nil, refuse("%s: %v", what, err)
	}
	if !t.VerifyBy(signer) {
		return nil, refuse("%s: its signature is wrong", what)
	}
	var c attestationClaims
	if err := t.Claims(&c); err != nil {
		return nil, refuse("%s: %v", what, err)
	}
	a := &Attestation{Issuer: c.Issuer, Wallet: c.Subject, KeyStorage: c.KeyStorage, UserAuthentication: c.UserAuthentication, Certification: c.Certification, Nonce: c.Nonce}
	if a.IssuedAt, err = oauth.Moment(c.IssuedAt); err != nil {
		return nil, refuse("%s: iat: %v", what, err)
	}
	if c.Expires != 0 {
		if a.Expires, err = oauth.Moment(c.Expires); err != nil {
			return nil, refuse("%s: exp: %v", what, err)
		}
	}
	switch {
	case a.IssuedAt.After(at.Add(oauth.MaxClockSkew)):
		return nil, refuse("%s was made in the future, at %s", what, a.IssuedAt.Format(time.RFC3339))
	case c.Expires != 0 && !at.Before(a.Expires):
		return nil, refuse("%s has expired at %s", what, a.Expires.Format(time.RFC3339))
	case len(c.Subject) > maxText || len(c.Nonce) > maxToken/2:
		return nil, refuse("%s: sub or nonce is too long", what)
	case len(c.Keys) == 0 || len(c.Keys) > maxKeys:
		return nil, refuse("%s is for %d keys; 1 to %d are read", what, len(c.Keys), maxKeys)
	}
	for i, j := range c.Keys {
		k, err := j.Public()
		if err == nil {
			a.Keys, err = addKey(a.Keys, k)
		}
		if err != nil {
			return nil, refuse("%s: attested key %d: %v", what, i+1, err)
		}
	}
	if a.Status, err = c.Status.Ref(); err != nil {
		return nil, refuse("%s: %v", what, err)
	}
	for _, demand := range []struct {
		name        string
		said, among []Resistance
	}{{"key_storage", a.KeyStorage, p.KeyStorage}, {"user_authentication", a.UserAuthentication, p.UserAuthentication}} {
		if len(demand.among) > 0 && !slices.ContainsFunc(demand.said, func(r Resistance) bool { return slices.Contains(demand.among, r) }) {
			return nil, refuse("%s: %s is %q; one of %q is demanded", what, demand.name, demand.said, demand.among)
		}
	}
	if err := checkNonce(what, a.Nonce, nonce); err != nil {
		return nil, err
	}
	return a, nil
}
