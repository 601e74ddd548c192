package issuance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// NewCard is a plastic card that comes into force.
type NewCard struct {
	Number   string        // never given before
	Chip     bool          // an IC card: a phone can read it
	Template face.Template // of the photo on record
	Portrait []byte        // the photo
}

// ResidentRequest enters a resident, with the plastic card they hold, if any.
type ResidentRequest struct {
	register.Request
	Resident store.Person // State, Card, Credential and Changed are ignored
	Card     *NewCard
	Why      string
}

// CardRequest puts a plastic card into force.
type CardRequest struct {
	register.Request
	Person store.PersonID
	Card   NewCard
	Why    string
}

// Entered is the answer to both.
type Entered struct {
	Reason   lifecycle.Reason
	Sequence uint64 // of the latest change made; 0 if refused
}

// RegisterResident enters a resident. Only a registrar may.
func (s *Service) RegisterResident(ctx context.Context, q ResidentRequest) (Entered, error) {
	return register.Once(ctx, s.register, "register-resident", q.Request, q, func(tx store.Tx, now time.Time) (Entered, error) {
		if q.By.Role != lifecycle.Registrar {
			return Entered{Reason: lifecycle.NotAuthorised}, nil
		}
		p, seq, err := register.Add(tx, q.Resident, q.By, q.Why, now)
		if err != nil || q.Card == nil {
			return Entered{Sequence: seq}, err
		}
		return enterCard(tx, p, q.By, *q.Card, q.Why, now)
	})
}

// RegisterCard puts a plastic card with a new number into force: a first card,
// or a re-issued one, which ends the old number and all that hung on it.
func (s *Service) RegisterCard(ctx context.Context, q CardRequest) (Entered, error) {
	return register.Once(ctx, s.register, "register-card", q.Request, q, func(tx store.Tx, now time.Time) (Entered, error) {
		p, err := register.Load(tx, q.Person, now)
		if err != nil {
			return Entered{}, err
		}
		return enterCard(tx, p, q.By, q.Card, q.Why, now)
	})
}

// MaxPortrait limits the photo of a plastic card, in bytes.
const MaxPortrait = 200 << 10

func enterCard(tx store.Tx, p *store.Person, by register.By, c NewCard, why string, now time.Time) (Entered, error) {
	if c.Number == "" || len(c.Number) > register.MaxText || len(c.Portrait) > MaxPortrait {
		return Entered{}, fmt.Errorf("a card needs a number of at most %d bytes and a portrait of at most %d", register.MaxText, MaxPortrait)
	}
	reason, seq, err := register.Apply(tx, p, register.Change{
		Event: lifecycle.CardIssued, By: by, Why: why, At: now,
		Card: &store.Card{Number: c.Number, Chip: c.Chip, Template: c.Template.Bytes(), Portrait: c.Portrait},
	})
	if errors.Is(err, store.ErrTaken) {
		err = fmt.Errorf("%w (%s)", ErrNumberTaken, c.Number)
	}
	return Entered{reason, seq}, err
}

// AmendRequest changes what the register says of a resident: a new address or
// name, a registration number that was entered wrongly.
type AmendRequest struct {
	register.Request
	Person    store.PersonID
	Amendment register.Amendment
	Why       string
}

// Amend changes it. The mobile card stays good, and is to be renewed. Only a
// registrar may.
func (s *Service) Amend(ctx context.Context, q AmendRequest) (Entered, error) {
	return register.Once(ctx, s.register, "amend", q.Request, q, func(tx store.Tx, now time.Time) (Entered, error) {
		if q.By.Role != lifecycle.Registrar {
			return Entered{Reason: lifecycle.NotAuthorised}, nil
		}
		p, err := register.Load(tx, q.Person, now)
		if err != nil {
			return Entered{}, err
		}
		seq, err := register.Amend(tx, p, q.Amendment, q.By, q.Why, now)
		return Entered{Sequence: seq}, err
	})
}

// RemovalRequest removes a resident: death or emigration.
type RemovalRequest struct {
	register.Request
	Person store.PersonID
	Why    string
}

// Remove ends everything that a resident holds, for good: nothing is issued, reported
// or released after it. Who was removed cannot be removed again.
func (s *Service) Remove(ctx context.Context, q RemovalRequest) (Entered, error) {
	return register.Once(ctx, s.register, "remove", q.Request, q, func(tx store.Tx, now time.Time) (Entered, error) {
		p, err := register.Load(tx, q.Person, now)
		if err != nil {
			return Entered{}, err
		}
		reason, seq, err := register.Apply(tx, p, register.Change{Event: lifecycle.PersonRemoved, By: q.By, Why: q.Why, At: now})
		return Entered{reason, seq}, err
	})
}

// ExpireDue ends at most limit credentials whose validity is over, and returns
// how many. Nothing depends on when it runs: an expired credential is never
// accepted, and whoever touches its holder ends it first.
func (s *Service) ExpireDue(ctx context.Context, limit int) (n int, err error) {
	err = s.register.Update(ctx, func(tx store.Tx) error {
		now := s.register.Now()
		due, err := tx.Due(now, limit)
		if err != nil {
			return err
		}
		for _, id := range due {
			c, err := tx.Credential(id)
			if err != nil {
				return err
			}
			p, err := tx.Person(c.Person)
			if err != nil {
				return err
			}
			if err := register.Expire(tx, &p, now); err != nil {
				return err
			}
		}
		n = len(due)
		return nil
	})
	return n, err
}
