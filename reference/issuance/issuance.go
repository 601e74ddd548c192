// Package issuance enters residents and plastic cards into the register and
// issues mobile cards: by tapping an IC card (IssueByTap), or at a centre, where
// a clerk makes a one-time offer (CreateOffer) that the phone redeems
// (IssueByOffer).
//
// Whether a mobile card is issued is decided by lifecycle.Admit alone. This
// package gathers the facts from evidence, and judges them in the transaction
// that commits the issue, so that there is no moment between a suspension and
// an issue (S8).
//
// Over a protocol with several steps the evidence comes first (ApproveTap,
// ApproveOffer), and the phone's keys later (IssueApproved, IssueMore): what the
// evidence has shown is carried by an Approval, and all else is judged when the
// issue commits.
//
// A mobile card is a batch of copies in one or more formats, mdocs
// (ISO/IEC 18013-5) always among those on offer, each bound to a key of
// its own in the phone and each with its own status index, by which nobody can tell
// which others belong to it, and never used again.
//
// It may not know how a card is read or a phone is made: it is handed what was
// read from the chip (package card), a capture of the face (package face), and a
// key attestation of the phone (OpenID4VCI 1.0 appendix D.1).
package issuance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/store"
)

var (
	// ErrNoOffer: no such offer was made to this person.
	ErrNoOffer = errors.New("no such offer was made to this person: ask the clerk for a new code")
	// ErrNumberTaken: the card number was given before.
	ErrNumberTaken = errors.New("this card number was given before: card numbers are never given twice")
	// ErrBusy: others took the free places in the status lists again and again.
	ErrBusy = errors.New("the register is too busy to issue: try again with the same idempotency key")
)

// CardVerifier authenticates what was read from an IC card (package card).
type CardVerifier interface {
	// Verify says which card it is, if the country signed its content and the
	// chip has answered this very challenge.
	Verify(e card.Evidence, challenge []byte, at time.Time) (card.Card, error)
	// Good says whether the signer of a card that was verified before is good now.
	Good(by card.Signer, at time.Time) error
}

// FaceMatcher compares a capture with a template (package face).
type FaceMatcher interface {
	Match(face.Template, face.Probe) (score float64, ok bool)
}

// Options are the service's.
type Options struct {
	Policy            *lifecycle.Policy
	Cards             CardVerifier
	Faces             FaceMatcher
	Phones            *Makers        // whose key attestations are trusted
	Signer            mdoc.Signer    // the document signer
	ChallengeLifetime time.Duration  // from Challenge to the issue
	MaxCopies         int            // of a mobile card
	Authority         string         // issuing authority, as it stands on the card
	Civil             *time.Location // the country's civil time
	// Formats are those besides Mdoc, by the names of OpenID4VCI.
	Formats map[string]Format
	// Seals seal the one-time codes that answers to repeated requests hold; the same in every
	// replica.
	Seals *seal.Keys
	// Distrusted is told when a card is refused, or an approval that rests on one, because
	// its signer was revoked, is out of its time, or cannot be told about: whoever applies is
	// told what everybody is told whose card does not verify, whoever operates the
	// service must know more. Nothing in the error is the caller's. It may be nil.
	Distrusted func(ctx context.Context, err error)
}

// verify is Cards.Verify, and tells of signers that are good no more.
func (s *Service) verify(ctx context.Context, e card.Evidence, challenge []byte, now time.Time) (card.Card, error) {
	read, err := s.o.Cards.Verify(e, challenge, now)
	s.distrust(ctx, err)
	return read, err
}

func (s *Service) distrust(ctx context.Context, err error) {
	if s.o.Distrusted != nil && (errors.Is(err, card.ErrSignerRevoked) || errors.Is(err, card.ErrSignerExpired) || errors.Is(err, card.ErrUnlisted)) {
		s.o.Distrusted(ctx, err)
	}
}

// Service issues.
type Service struct {
	register *register.Register
	o        Options
	formats  map[string]Format
}

// New returns the service of a register.
func New(r *register.Register, o Options) (*Service, error) {
	if o.Policy == nil || o.Cards == nil || o.Faces == nil || o.Phones == nil || o.Signer == nil || o.Civil == nil || o.Seals == nil {
		return nil, errors.New("issuance needs a policy, a card verifier, a face matcher, trusted phone makers, a signer, the country's civil time and keys to seal with")
	}
	if o.MaxCopies < 1 || o.ChallengeLifetime <= 0 {
		return nil, errors.New("issuance needs at least one copy of a mobile card and a positive lifetime of challenges")
	}
	if r.Lists.Size < uint64(8*o.MaxCopies) {
		return nil, fmt.Errorf("a status list of %d entries is too small for cards of %d copies", r.Lists.Size, o.MaxCopies)
	}
	formats := map[string]Format{Mdoc: mdocs{o.Signer}}
	for name, f := range o.Formats {
		if _, taken := formats[name]; taken || f == nil {
			return nil, fmt.Errorf("the format %q is there already, or nobody makes it", name)
		}
		formats[name] = f
	}
	return &Service{r, o, formats}, nil
}

// Prepare opens the first status list, so that verifiers can fetch it before
// the first card is issued.
func (s *Service) Prepare(ctx context.Context) error {
	return s.register.Update(ctx, func(tx store.Tx) error {
		lists, err := tx.Lists()
		if err != nil || len(lists) > 0 {
			return err
		}
		seed, err := s.register.Seed()
		if err != nil {
			return err
		}
		key, err := secret(rand.NewChaCha8(seed))
		if err != nil {
			return err
		}
		return tx.PutList(store.List{Number: 0, Size: s.register.Lists.Size, Secret: key})
	})
}
