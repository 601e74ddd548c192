package issuance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// ErrNoCard: there is no such mobile card any more, or not in this wallet.
var ErrNoCard = errors.New("this mobile card has ended or is another wallet's: apply for a new one")

// Approval is what an applicant's evidence has shown, at the time at which it was
// judged. It is good for one issue. Whoever carries it from one step to the next
// keeps others from making or changing one (package seal).
type Approval struct {
	Person    store.PersonID    `json:"person"`
	Channel   lifecycle.Channel `json:"channel"`
	Document  string            `json:"document"`            // number of the plastic card it rests on
	Challenge []byte            `json:"challenge,omitempty"` // Tap: what the chip signed
	Signer    card.Signer       `json:"signer,omitzero"`     // Tap: by whom the country has signed the card
	Offer     []byte            `json:"offer,omitempty"`     // Counter: hash of the clerk's code
	At        time.Time         `json:"at"`
}

// ApproveTap judges an IC card that was held to a phone, its PIN and a capture of
// the face. The person is the one whose card it is. The approval is good only if
// the reason is Granted.
func (s *Service) ApproveTap(ctx context.Context, challenge []byte, e card.Evidence, probe face.Probe) (a Approval, reason lifecycle.Reason, err error) {
	now := s.register.Now()
	read, cardErr := s.verify(ctx, e, challenge, now)
	if cardErr != nil {
		return Approval{}, lifecycle.CardNotGenuine, nil
	}
	_, faceMatched := s.o.Faces.Match(read.Template, probe)
	err = s.register.View(ctx, func(r store.Reader) error {
		held, err := r.Card(read.DocumentNumber)
		if errors.Is(err, store.ErrNotFound) {
			reason = lifecycle.CardNotGenuine
			return nil
		}
		if err != nil {
			return err
		}
		p, err := r.Person(held.Person)
		if err != nil {
			return err
		}
		application, _, err := s.tapped(challenge, read, true, faceMatched)(r, &p, now)
		if err != nil {
			return err
		}
		reason = lifecycle.Admit(application, s.o.Policy)
		a = Approval{Person: p.ID, Channel: lifecycle.Tap, Document: held.Number, Challenge: challenge, Signer: read.Signer, At: now}
		return nil
	})
	return granted(a, reason, err)
}

// ApproveOffer judges a clerk's code that a phone has scanned and a capture of the
// face, held against the photo on record.
func (s *Service) ApproveOffer(ctx context.Context, code string, probe face.Probe) (a Approval, reason lifecycle.Reason, err error) {
	now := s.register.Now()
	err = s.register.View(ctx, func(r store.Reader) error {
		offer, err := r.Offer(hashCode(code))
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoOffer
		}
		if err != nil {
			return err
		}
		p, err := r.Person(offer.Person)
		if err != nil {
			return err
		}
		application, _, err := s.offered(code, probe)(r, &p, now)
		if err != nil {
			return err
		}
		reason = lifecycle.Admit(application, s.o.Policy)
		a = Approval{Person: p.ID, Channel: lifecycle.Counter, Document: p.Card, Offer: offer.Hash, At: now}
		return nil
	})
	return granted(a, reason, err)
}

func granted(a Approval, reason lifecycle.Reason, err error) (Approval, lifecycle.Reason, error) {
	if err != nil || reason != lifecycle.Granted {
		return Approval{}, reason, err
	}
	return a, reason, nil
}

// ApprovedRequest is a citizen's, whose evidence was approved.
type ApprovedRequest struct {
	register.Request
	Approval Approval
	Phone    Phone  // the wallet, and keys that its attestation has proven
	Format   string // of the copies: one for each key
	// Others are formats in which copies may be asked for later (IssueMore), and Each is
	// for how many in each format there are places; 0: as many as there are keys.
	Others []string
	Each   int
	// Then writes what belongs to the same commit; it may be nil.
	Then func(store.Tx, Issued) error `json:"-"`
}

// IssueApproved issues a mobile card on an approval. Everything that may have
// changed since is judged anew: state, region, centre, the wallet, whether the card's
// signer was revoked, and whether the approval was used.
func (s *Service) IssueApproved(ctx context.Context, q ApprovedRequest) (Issued, error) {
	o := order{phone: q.Phone, formats: append([]string{q.Format}, q.Others...), each: max(q.Each, len(q.Phone.Keys)), then: q.Then}
	for i, name := range o.formats {
		if s.formats[name] == nil || slices.Contains(o.formats[:i], name) {
			return Issued{}, fmt.Errorf("no mobile card is issued in the formats %q", o.formats)
		}
	}
	signed := true
	if q.Approval.Channel == lifecycle.Tap {
		err := s.o.Cards.Good(q.Approval.Signer, s.register.Now())
		s.distrust(ctx, err)
		signed = err == nil
	}
	return s.issue(ctx, "issue-approved", q.Request, q.Approval.Person, o, q, s.approved(q.Approval, signed))
}

// approved are the facts of an approval, as of now; signed says whether the signer of the
// card it rests on is good.
func (s *Service) approved(v Approval, signed bool) facts {
	return func(r store.Reader, p *store.Person, now time.Time) (*lifecycle.Application, *evidence, error) {
		used := &evidence{}
		var a *lifecycle.Application
		switch v.Channel {
		case lifecycle.Tap:
			a = s.application(lifecycle.Tap, p, "", now)
			challenge, err := r.Challenge(v.Challenge)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, nil, err
			}
			a.CardGenuine = err == nil && challenge.Used == 0 && signed
			a.PINVerified = true
			used.spend = func(tx store.Tx, seq uint64) error {
				challenge.Used = seq
				return tx.PutChallenge(challenge)
			}
		case lifecycle.Counter:
			offer, err := r.Offer(v.Offer)
			if errors.Is(err, store.ErrNotFound) || err == nil && offer.Person != p.ID {
				return nil, nil, ErrNoOffer
			}
			if err != nil {
				return nil, nil, err
			}
			a = s.application(lifecycle.Counter, p, offer.Centre, now)
			a.OfferAge = v.At.Sub(offer.Made)
			a.OfferUsed = offer.Used != 0
			used.centre = offer.Centre
			used.spend = func(tx store.Tx, seq uint64) error {
				offer.Used = seq
				return tx.PutOffer(offer)
			}
		default:
			return nil, nil, fmt.Errorf("an approval of the channel %d", v.Channel)
		}
		a.FaceMatched = true
		if p.Card != v.Document {
			a.State &^= lifecycle.HasCard // the plastic card it rests on has ended
		}
		return a, used, nil
	}
}
