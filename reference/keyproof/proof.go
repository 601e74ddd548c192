package keyproof

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/oauth"
)

const proofType = "openid4vci-proof+jwt"

// Proof is a wallet's proof that it holds a key, of the type jwt (Appendix F.1).
type Proof struct {
	ClientID    string // iss; empty where the client is not known to the issuer
	Audience    string // aud: the credential issuer identifier
	IssuedAt    time.Time
	Nonce       string // of the nonce endpoint; empty: the issuer has none
	Attestation string // key_attestation: a key attestation that has this key among its keys; may be empty
}

type proofClaims struct {
	Issuer   string `json:"iss,omitempty"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Nonce    string `json:"nonce,omitempty"`
}

// Sign signs it with the key that the credential shall be bound to.
func (p Proof) Sign(key crypto.Signer) (string, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || p.Audience == "" || p.IssuedAt.Unix() <= 0 {
		return "", errors.New("a proof needs a P-256 key, an audience and a time")
	}
	jwk, err := jws.KeyOf(public)
	if err != nil {
		return "", err
	}
	return jws.With(key).Token(jws.Header{Type: proofType, Key: &jwk, KeyAttestation: p.Attestation},
		proofClaims{p.ClientID, p.Audience, p.IssuedAt.Unix(), p.Nonce})
}

// Proofs is the parameter proofs of a credential request (§8.2): one of the two
// types.
type Proofs struct {
	JWT         []string `json:"jwt,omitempty"`
	Attestation []string `json:"attestation,omitempty"` // exactly one

	types int // that it names
}

// UnmarshalJSON implements json.Unmarshaler: it also counts the types, of which a
// request may name others than these.
func (p *Proofs) UnmarshalJSON(text []byte) error {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	type plain Proofs
	*p = Proofs{types: len(named)}
	return json.Unmarshal(text, (*plain)(p))
}

// Expected is what an issuer expects.
type Expected struct {
	Audience string // the credential issuer identifier
	ClientID string // of the access token; empty: the client is not known
	At       time.Time
	Nonce    func(nonce string) bool // whether it is a nonce of this issuer that still lives; nil: there is no nonce endpoint
	Policy
}

// Proven is what proofs prove: the keys to bind credentials to, in order, and who
// attested them.
type Proven struct {
	Keys        []*ecdsa.PublicKey
	Attestation *Attestation // nil: nobody
	Nonces      []string     // those that were used, each once; to be spent
}

// Check checks all proofs of a request (Appendix F.4). With the type jwt there is a
// key for each proof; or one proof with a key attestation that has its key, then
// all attested keys are to be bound.
func (p Proofs) Check(want Expected) (*Proven, error) {
	switch {
	case len(p.JWT) > 0 && len(p.Attestation) > 0 || p.types > 1:
		return nil, refuse("proofs are of one type, not of two")
	case len(p.Attestation) > 1:
		return nil, refuse("proofs of the type attestation hold exactly one, not %d", len(p.Attestation))
	case len(p.Attestation) == 1:
		a, err := want.Policy.Check(p.Attestation[0], want.At, want.Nonce)
		if err != nil {
			return nil, err
		}
		if err := oauth.CheckFresh(a.IssuedAt, want.At); err != nil && want.Nonce == nil {
			return nil, refuse("the key attestation: iat: %v", err)
		}
		return &Proven{Keys: a.Keys, Attestation: a, Nonces: nonces(a.Nonce)}, nil
	case len(p.JWT) == 0:
		return nil, refuse("there is no proof of the types jwt and attestation")
	case len(p.JWT) > maxKeys:
		return nil, refuse("%d proofs; at most %d are read", len(p.JWT), maxKeys)
	}
	proven := &Proven{}
	for i, text := range p.JWT {
		what := "proof " + strconv.Itoa(i+1)
		key, c, a, err := want.checkJWT(what, text)
		if err != nil {
			return nil, err
		}
		if a != nil {
			if len(p.JWT) > 1 {
				return nil, refuse("%s has a key attestation, and is not the only proof: one with all keys attested is enough", what)
			}
			return &Proven{Keys: a.Keys, Attestation: a, Nonces: nonces(c.Nonce, a.Nonce)}, nil
		}
		if want.Required {
			return nil, refuse("%s has no key attestation, which is demanded here", what)
		}
		if proven.Keys, err = addKey(proven.Keys, key); err != nil {
			return nil, refuse("%s: %v", what, err)
		}
		proven.Nonces = nonces(append(proven.Nonces, c.Nonce)...)
	}
	return proven, nil
}

// nonces are those that are not empty, each once.
func nonces(used ...string) (out []string) {
	for _, n := range used {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// checkJWT checks one proof of the type jwt.
func (want Expected) checkJWT(what, text string) (*ecdsa.PublicKey, proofClaims, *Attestation, error) {
	fail := func(err error) (*ecdsa.PublicKey, proofClaims, *Attestation, error) {
		return nil, proofClaims{}, nil, err
	}
	t, h, err := parse(what, text, proofType)
	if err != nil {
		return fail(err)
	}
	var a *Attestation
	if h.KeyAttestation != "" && want.Attesters != nil { // who does not read them passes over them
		if a, err = want.Policy.Check(h.KeyAttestation, want.At, want.Nonce); err != nil {
			return fail(err)
		}
		if a.Expires.IsZero() {
			return fail(refuse("the key attestation has no exp, which it must have within a proof of the type jwt"))
		}
	}
	key, err := signingKey(h, a)
	if err != nil {
		return fail(refuse("%s: header: %v", what, err))
	}
	if !t.Verify(key) {
		return fail(refuse("%s: its signature is wrong", what))
	}
	var c proofClaims
	if err := t.Claims(&c); err != nil {
		return fail(refuse("%s: %v", what, err))
	}
	made, err := oauth.Moment(c.IssuedAt)
	if err != nil {
		return fail(refuse("%s: iat: %v", what, err))
	}
	switch {
	case c.Audience != want.Audience:
		return fail(refuse("%s is for %.200q, not for %s", what, c.Audience, want.Audience))
	case c.Issuer != "" && c.Issuer != want.ClientID:
		return fail(refuse("%s: iss is %.80q, and the access token is of %.80q", what, c.Issuer, want.ClientID))
	case len(c.Nonce) > maxToken/2:
		return fail(refuse("%s: its nonce is too long", what))
	}
	if err := oauth.CheckFresh(made, want.At); err != nil {
		return fail(refuse("%s: iat: %v", what, err))
	}
	if err := checkNonce(what, c.Nonce, want.Nonce); err != nil {
		return fail(err)
	}
	return key, c, a, nil
}

// signingKey is the key that the header names: itself, or its place among the
// attested keys.
func signingKey(h jws.Header, a *Attestation) (*ecdsa.PublicKey, error) {
	switch {
	case h.Key != nil:
		key, err := h.Key.Public()
		if err != nil || a == nil {
			return key, err
		}
		for _, attested := range a.Keys {
			if attested.Equal(key) {
				return key, nil
			}
		}
		return nil, errors.New("jwk is not among the attested keys")
	case h.KeyID != "" && a != nil:
		place, err := strconv.Atoi(h.KeyID)
		if err != nil || place < 0 || place >= len(a.Keys) || strconv.Itoa(place) != h.KeyID {
			return nil, errors.New("kid is no place among the attested keys, counted from 0")
		}
		return a.Keys[place], nil
	}
	return nil, errors.New("the key is not named: jwk is expected, or kid with a key attestation")
}
