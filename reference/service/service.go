// Package service puts the ID service together: one register, the use cases on
// it, and what they need from outside. It decides nothing. There is no HTTP here;
// routes call the same use cases.
package service

import (
	"context"
	"errors"
	"io"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

// Config is everything the service needs from outside.
type Config struct {
	Store  store.Store
	Now    func() time.Time
	Random io.Reader // used by one caller at a time

	Policy *lifecycle.Policy
	Civil  *time.Location // the country's civil time
	Cards  issuance.CardVerifier
	// Distrusted is told of cards whose signer is good no more (issuance.Options); may be nil.
	Distrusted func(context.Context, error)
	Faces      issuance.FaceMatcher
	Phones     *issuance.Makers

	DocumentSigner mdoc.Signer
	StatusSigner   mdoc.Signer
	Anchors        *mdoc.TrustAnchors // the authority's root
	Authority      string             // its name on the cards
	Issuer         string             // URL of the issuer in SD-JWTs; empty: the certificate names it

	Copies            int           // of a mobile card, at most
	ChallengeLifetime time.Duration // of a card's challenge
	Transaction       time.Duration // of an online verification
	// Nonces is the secret of verifications that began at a moment, the same in every
	// replica.
	Nonces func(begun time.Time) [32]byte
	// Seals seal what the register must not tell (issuance.Options), the same in every
	// replica.
	Seals *seal.Keys

	Lists    register.Lists
	TTL      time.Duration // how long a verifier may keep a status list
	Validity time.Duration // of a signed status list
	Renew    time.Duration // of a list that has not changed (suspension.PublisherOptions)
	// Aggregation is the URI of the document that names all status lists; empty: the
	// lists do not say.
	Aggregation string
}

// Service is the ID service.
type Service struct {
	Register     *register.Register
	Issuance     *issuance.Service
	Suspension   *suspension.Service
	Verification *verification.Service
	Publisher    *suspension.Publisher
}

// The real card reader's and matcher's server sides.
var (
	_ issuance.CardVerifier = (*card.Verifier)(nil)
	_ issuance.FaceMatcher  = face.Matcher{}
)

// New puts a service together on a register, and opens the first status list.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Store == nil || c.Now == nil || c.Random == nil {
		return nil, errors.New("the service needs a store, a clock and randomness")
	}
	r := &register.Register{Store: c.Store, Now: c.Now, Random: c.Random, Lists: c.Lists}
	i, err := issuance.New(r, issuance.Options{
		Policy: c.Policy, Cards: c.Cards, Faces: c.Faces, Phones: c.Phones, Signer: c.DocumentSigner,
		ChallengeLifetime: c.ChallengeLifetime, MaxCopies: c.Copies, Authority: c.Authority, Civil: c.Civil,
		Formats: map[string]issuance.Format{sdjwt.Format: issuance.SDJWT(c.DocumentSigner, c.Issuer)}, Seals: c.Seals, Distrusted: c.Distrusted,
	})
	if err != nil {
		return nil, err
	}
	v, err := verification.New(r, verification.Options{Nonces: c.Nonces, Lifetime: c.Transaction, Anchors: c.Anchors})
	if err != nil {
		return nil, err
	}
	p, err := suspension.NewPublisher(r, c.StatusSigner, suspension.PublisherOptions{TTL: c.TTL, Validity: c.Validity, Renew: c.Renew, Aggregation: c.Aggregation})
	if err != nil {
		return nil, err
	}
	return &Service{r, i, suspension.New(r), v, p}, i.Prepare(ctx)
}
