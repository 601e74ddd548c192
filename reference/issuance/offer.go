package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/store"
)

// Challenge returns 32 random bytes for a card to sign. It is good for one
// issue, within its lifetime; several captures of the face may be tried on it.
func (s *Service) Challenge(ctx context.Context) ([]byte, error) {
	return s.ChallengeFor(ctx, func(seed [32]byte) [32]byte { return seed })
}

// ChallengeFor is Challenge for whoever wants to know its own challenges again: stamp
// makes one of fresh randomness, of which it must keep enough.
func (s *Service) ChallengeFor(ctx context.Context, stamp func(seed [32]byte) [32]byte) ([]byte, error) {
	return redraw(s, func(seed [32]byte) ([]byte, error) {
		value := stamp(seed)
		return value[:], s.register.Update(ctx, func(tx store.Tx) error {
			return tx.AddChallenge(store.Challenge{Value: value[:], Made: s.register.Now()})
		})
	})
}

// redraw asks again with other randomness while what was drawn is taken. That
// happens only if the source repeats itself, as one with a fixed seed does after
// a restart.
func redraw[A any](s *Service, f func(seed [32]byte) (A, error)) (a A, err error) {
	for range 1 << 16 {
		var seed [32]byte
		if seed, err = s.register.Seed(); err != nil {
			return a, err
		}
		if a, err = f(seed); !errors.Is(err, store.ErrTaken) {
			return a, err
		}
	}
	return a, fmt.Errorf("the source of randomness repeats itself: %w", err)
}

// OfferRequest is a clerk's: the citizen is at the counter with the plastic
// card.
type OfferRequest struct {
	register.Request
	Person store.PersonID
	Centre string // municipality code of the clerk's centre
}

// Offer is a one-time code, shown as a QR code.
type Offer struct {
	Reason  lifecycle.Reason // Granted, or why no code is made
	Code    string           // empty as soon as the request may be repeated no more (register.Retention)
	Expires time.Time        // zero without a code
}

// offerMade is an Offer as the answer to its request is kept: whoever reads a copy of the
// register finds no code that opens one.
type offerMade struct {
	Reason  lifecycle.Reason
	Sealed  string // the code; empty in answers of versions that kept it in clear
	Expires time.Time
}

const kindCode = "one-time code"

// CreateOffer makes a one-time code for a citizen. Only a clerk may.
func (s *Service) CreateOffer(ctx context.Context, q OfferRequest) (Offer, error) {
	made, err := redraw(s, func(seed [32]byte) (offerMade, error) {
		return register.Once(ctx, s.register, "create-offer", q.Request, q, func(tx store.Tx, now time.Time) (offerMade, error) {
			if q.By.Role != lifecycle.Clerk {
				return offerMade{Reason: lifecycle.NotAuthorised}, nil
			}
			p, err := register.Load(tx, q.Person, now)
			if err != nil {
				return offerMade{}, err
			}
			a := s.application(lifecycle.Counter, p, q.Centre, now)
			if reason := lifecycle.AdmitOffer(a, s.o.Policy); reason != lifecycle.Granted {
				return offerMade{Reason: reason}, nil
			}
			code := base64.RawURLEncoding.EncodeToString(seed[:])
			// The nonce of the seal is public, and the seed is the code itself.
			sealed, err := s.o.Seals.Seal(sha256.Sum256([]byte("seal of "+code)), kindCode, now.Add(register.Retention), code)
			if err != nil {
				return offerMade{}, err
			}
			return offerMade{Sealed: sealed, Expires: now.Add(s.o.Policy.OfferLifetime)},
				tx.AddOffer(store.Offer{Hash: hashCode(code), Person: q.Person, Centre: q.Centre, Clerk: q.By.Actor, Made: now})
		})
	})
	if err != nil || made.Sealed == "" {
		return Offer{Reason: made.Reason}, err
	}
	offer := Offer{Expires: made.Expires}
	switch _, err := s.o.Seals.Open(kindCode, made.Sealed, s.register.Now(), &offer.Code); {
	case errors.Is(err, seal.ErrOver):
		return Offer{}, nil
	case err != nil:
		return Offer{}, fmt.Errorf("the code that this request has made before cannot be read (have all replicas the same keys?): %w", err)
	}
	return offer, nil
}

func hashCode(code string) []byte {
	h := sha256.Sum256([]byte(code))
	return h[:]
}
