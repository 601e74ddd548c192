package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/x5c"
)

// The HTTP headers in which the two tokens travel, and in which the server gives
// a challenge.
const (
	HeaderAttestation = "OAuth-Client-Attestation"
	HeaderPoP         = "OAuth-Client-Attestation-PoP"
	HeaderChallenge   = "OAuth-Client-Attestation-Challenge"
)

const (
	attestationType = "oauth-client-attestation+jwt"
	popType         = "oauth-client-attestation-pop+jwt"
)

// ClientAttestation is what a wallet provider says of one of its wallets (§4 of
// the draft; OpenID4VCI 1.0 Appendix E): that it is one, and holds a key.
type ClientAttestation struct {
	Provider   string // iss; may be empty: the certificate names it
	ClientID   string // sub: the same for all wallets of the provider
	Key        *ecdsa.PublicKey
	IssuedAt   time.Time // zero: not said
	Expires    time.Time
	WalletName string // wallet_name, wallet_link: may be empty
	WalletLink string
	Status     *mdoc.StatusRef // whether it still stands (package standing); nil: not said
}

// Status is the claim of an attestation that says which entry of which list tells whether
// it still stands (draft-ietf-oauth-status-list-21 §6.2).
type Status struct {
	List *statusList `json:"status_list"`
}

type statusList struct {
	Index *uint64 `json:"idx"`
	URI   string  `json:"uri"`
}

// StatusOf is the claim for an entry; nil for none.
func StatusOf(ref *mdoc.StatusRef) *Status {
	if ref == nil {
		return nil
	}
	return &Status{&statusList{&ref.Index, ref.URI}}
}

// Ref is the entry that the claim names; nil if there is no claim.
func (s *Status) Ref() (*mdoc.StatusRef, error) {
	if s == nil {
		return nil, nil
	}
	if s.List == nil || s.List.Index == nil || s.List.URI == "" {
		return nil, errors.New("its status names no list and index, and nothing else is known here")
	}
	return &mdoc.StatusRef{URI: s.List.URI, Index: *s.List.Index}, nil
}

type confirmation struct {
	Key *jws.Key `json:"jwk"`
}

type attestationClaims struct {
	Issuer       string        `json:"iss,omitempty"`
	Subject      string        `json:"sub"`
	IssuedAt     int64         `json:"iat"`
	NotBefore    int64         `json:"nbf,omitempty"`
	Expires      int64         `json:"exp"`
	Confirmation *confirmation `json:"cnf"`
	WalletName   string        `json:"wallet_name,omitempty"`
	WalletLink   string        `json:"wallet_link,omitempty"`
	Status       *Status       `json:"status,omitempty"`
}

// Sign signs it as the provider, whose chain is sent along, leaf first and
// without the root.
func (a ClientAttestation) Sign(sign jws.Sign, chain [][]byte) (string, error) {
	if a.ClientID == "" || a.IssuedAt.Unix() <= 0 || !a.Expires.After(a.IssuedAt) {
		return "", errors.New("a client attestation needs a client, a time and an end after it")
	}
	key, err := jws.KeyOf(a.Key)
	if err != nil {
		return "", err
	}
	return sign.Token(jws.Header{Type: attestationType, Chain: chain}, attestationClaims{
		Issuer: a.Provider, Subject: a.ClientID, IssuedAt: a.IssuedAt.Unix(), Expires: a.Expires.Unix(),
		Confirmation: &confirmation{&key}, WalletName: a.WalletName, WalletLink: a.WalletLink,
		Status: StatusOf(a.Status),
	})
}

// PoP proves possession of the attested key to one server (§5.1).
type PoP struct {
	Audience  string // the server's issuer identifier
	ID        string // jti: never used before
	IssuedAt  time.Time
	Challenge string // the server's; empty: it has given none
}

type popClaims struct {
	Issuer    string `json:"iss,omitempty"` // in older drafts; not written
	Audience  string `json:"aud"`
	ID        string `json:"jti"`
	IssuedAt  int64  `json:"iat"`
	Challenge string `json:"challenge,omitempty"`
}

// Sign signs it with the attested key.
func (p PoP) Sign(key crypto.Signer) (string, error) {
	if p.Audience == "" || p.ID == "" || p.IssuedAt.Unix() <= 0 {
		return "", errors.New("a proof of possession needs an audience, an identifier and a time")
	}
	return jws.With(key).Token(jws.Header{Type: popType}, popClaims{Audience: p.Audience, ID: p.ID, IssuedAt: p.IssuedAt.Unix(), Challenge: p.Challenge})
}

// ExpectedClient is whom a server expects.
type ExpectedClient struct {
	Providers *x5c.Anchors
	ClientID  string        // of the request; empty: the request names none
	Audience  string        // this server
	MaxAge    time.Duration // of the attestation; 0: as long as it says
	At        time.Time
	Challenge func(challenge string) bool // whether it is one of this server that still lives; nil: challenges are not asked for
	Optional  bool                        // a proof without a challenge is good, too
}

// AttestedClient is a wallet that its provider vouches for and that holds its key.
type AttestedClient struct {
	ClientAttestation
	PoPID   string // to be remembered until the proof is too old
	PoPMade time.Time
}

// CheckClient checks an attestation and its proof of possession (§7.1, §7.2);
// that each of the two headers comes once, that PoPID is new, and whether the
// attestation's status is good, is for the caller to see.
func CheckClient(attestation, pop string, want ExpectedClient) (*AttestedClient, error) {
	a, err := checkAttestation(attestation, want)
	if err != nil {
		return nil, err
	}
	id, made, err := checkPoP(pop, a, want)
	if err != nil {
		return nil, err
	}
	return &AttestedClient{*a, id, made}, nil
}

func checkAttestation(attestation string, want ExpectedClient) (*ClientAttestation, error) {
	refuse := func(format string, args ...any) (*ClientAttestation, error) {
		return nil, Refuse(InvalidClientAttestation, "the client attestation: "+format, args...)
	}
	if len(attestation) > maxToken {
		return refuse("%d bytes; at most %d are read", len(attestation), maxToken)
	}
	t, err := jws.Parse([]byte(attestation))
	if err != nil {
		return refuse("%v", err)
	}
	h, err := t.ReadHeader(attestationType)
	if err != nil {
		return refuse("%v", err)
	}
	provider, err := want.Providers.Key(h.Chain, want.At)
	if err != nil {
		return refuse("%v", err)
	}
	if !t.VerifyBy(provider) {
		return refuse("its signature is wrong")
	}
	var c attestationClaims
	if err := t.Claims(&c); err != nil {
		return refuse("%v", err)
	}
	a := &ClientAttestation{Provider: c.Issuer, ClientID: c.Subject, WalletName: c.WalletName, WalletLink: c.WalletLink}
	switch {
	case c.IssuedAt == 0 && want.MaxAge > 0:
		return nil, Refuse(UseFreshAttestation, "the client attestation has no iat, by which its age is known")
	case c.IssuedAt != 0: // which is optional
		if a.IssuedAt, err = Moment(c.IssuedAt); err != nil {
			return refuse("iat: %v", err)
		}
	}
	if a.Expires, err = Moment(c.Expires); err != nil {
		return refuse("exp: %v", err)
	}
	if a.Status, err = c.Status.Ref(); err != nil {
		return refuse("%v", err)
	}
	switch {
	case c.Subject == "" || len(c.Subject) > maxText:
		return refuse("sub is missing or longer than %d bytes", maxText)
	case want.ClientID != "" && c.Subject != want.ClientID:
		return refuse("it is for the client %.80q, the request is of %.80q", c.Subject, want.ClientID)
	case a.IssuedAt.After(want.At.Add(MaxClockSkew)) || time.Unix(c.NotBefore, 0).After(want.At.Add(MaxClockSkew)):
		return refuse("it is not valid yet")
	case !want.At.Before(a.Expires):
		return nil, Refuse(UseFreshAttestation, "the client attestation has expired")
	case want.MaxAge > 0 && a.IssuedAt.Before(want.At.Add(-want.MaxAge-MaxClockSkew)):
		return nil, Refuse(UseFreshAttestation, "the client attestation is older than %s", want.MaxAge)
	case c.Confirmation == nil || c.Confirmation.Key == nil:
		return refuse("cnf has no jwk")
	}
	if a.Key, err = c.Confirmation.Key.Public(); err != nil {
		return refuse("cnf: %v", err)
	}
	return a, nil
}

func checkPoP(pop string, a *ClientAttestation, want ExpectedClient) (id string, made time.Time, err error) {
	refuse := func(format string, args ...any) (string, time.Time, error) {
		return "", made, Refuse(InvalidClientAttestation, "the proof of possession: "+format, args...)
	}
	if len(pop) > maxToken {
		return refuse("%d bytes; at most %d are read", len(pop), maxToken)
	}
	t, err := jws.Parse([]byte(pop))
	if err != nil {
		return refuse("%v", err)
	}
	if err := t.Header(popType, &struct{}{}); err != nil {
		return refuse("%v", err)
	}
	if !t.Verify(a.Key) {
		return refuse("it is not signed with the attested key")
	}
	var c popClaims
	if err := t.Claims(&c); err != nil {
		return refuse("%v", err)
	}
	if made, err = Moment(c.IssuedAt); err != nil {
		return refuse("iat: %v", err)
	}
	switch {
	case c.Audience != want.Audience:
		return refuse("it is for %.200q, not for %s", c.Audience, want.Audience)
	case c.ID == "" || len(c.ID) > maxText:
		return refuse("jti is missing or longer than %d bytes", maxText)
	case c.Issuer != "" && c.Issuer != a.ClientID:
		return refuse("iss is not the client")
	}
	if err := CheckFresh(made, want.At); err != nil {
		return refuse("iat: %v", err)
	}
	if want.Challenge != nil {
		switch {
		case c.Challenge == "" && want.Optional:
		case c.Challenge == "":
			return "", made, Refuse(UseAttestationChallenge, "the proof of possession has no challenge of this server")
		case !want.Challenge(c.Challenge):
			return "", made, Refuse(UseAttestationChallenge, "the proof's challenge is not of this server, or too old")
		}
	}
	return c.ID, made, nil
}
