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
	Code    string
	Expires time.Time
}

// CreateOffer makes a one-time code for a citizen. Only a clerk may.
func (s *Service) CreateOffer(ctx context.Context, q OfferRequest) (Offer, error) {
	return redraw(s, func(seed [32]byte) (Offer, error) {
		return register.Once(ctx, s.register, "create-offer", q.Request, q, func(tx store.Tx, now time.Time) (Offer, error) {
			if q.By.Role != lifecycle.Clerk {
				return Offer{Reason: lifecycle.NotAuthorised}, nil
			}
			p, err := register.Load(tx, q.Person, now)
			if err != nil {
				return Offer{}, err
			}
			a := s.application(lifecycle.Counter, p, q.Centre, now)
			if reason := lifecycle.AdmitOffer(a, s.o.Policy); reason != lifecycle.Granted {
				return Offer{Reason: reason}, nil
			}
			code := base64.RawURLEncoding.EncodeToString(seed[:])
			return Offer{Code: code, Expires: now.Add(s.o.Policy.OfferLifetime)},
				tx.AddOffer(store.Offer{Hash: hashCode(code), Person: q.Person, Centre: q.Centre, Clerk: q.By.Actor, Made: now})
		})
	})
}

func hashCode(code string) []byte {
	h := sha256.Sum256([]byte(code))
	return h[:]
}
