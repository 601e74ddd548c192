package issuance

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// TapRequest is a citizen's, who held an IC card to the phone.
type TapRequest struct {
	register.Request
	Person      store.PersonID
	Challenge   []byte
	Card        card.Evidence
	Probe       face.Probe
	Attestation string // key attestation of the phone; its nonce is the challenge in base64url
}

// RedeemRequest is a citizen's, who scanned a clerk's QR code.
type RedeemRequest struct {
	register.Request
	Person      store.PersonID
	Code        string
	Probe       face.Probe
	Attestation string // key attestation of the phone; its nonce is the code
}

// Issued is the answer to both.
type Issued struct {
	Reason   lifecycle.Reason // Granted, or why refused
	Sequence uint64           // of the change; 0 if refused
	At       time.Time        // of the decision
	Until    time.Time        // end of validity
	Document string           // number of the mobile card
	Copies   [][]byte         // IssuerSigned, one for each attested key, in order
	Indices  []audit.Copy     // where each stands in the status lists
	// Credential and Spare are set by IssueApproved: what IssueMore asks for. Spare are the
	// places of each further format in turn.
	Credential store.CredentialID `json:",omitempty"`
	Spare      []audit.Copy       `json:",omitempty"`
}

// order is what is to be signed: one copy in the first format for each key of the phone.
// In every format there are places for as many, those for the others kept for IssueMore.
type order struct {
	phone   Phone
	formats []string
	each    int
	then    func(store.Tx, Issued) error // in the commit; may be nil
}

// ofKeys is an order of mdocs alone.
func ofKeys(phone Phone) order {
	return order{phone: phone, formats: []string{Mdoc}, each: len(phone.Keys)}
}

// IssueByTap issues a mobile card on the evidence of an IC card.
func (s *Service) IssueByTap(ctx context.Context, q TapRequest) (Issued, error) {
	now := s.register.Now()
	phone, err := s.o.Phones.Check(q.Attestation, base64.RawURLEncoding.EncodeToString(q.Challenge), now)
	if err != nil {
		return Issued{}, err
	}
	read, cardErr := s.verify(ctx, q.Card, q.Challenge, now)
	_, faceMatched := s.o.Faces.Match(read.Template, q.Probe)

	return s.issue(ctx, "issue-by-tap", q.Request, q.Person, ofKeys(phone), q,
		s.tapped(q.Challenge, read, cardErr == nil, cardErr == nil && faceMatched))
}

// tapped are the facts of an IC card that was held to a phone.
func (s *Service) tapped(value []byte, read card.Card, good, faceMatched bool) facts {
	return func(r store.Reader, p *store.Person, now time.Time) (*lifecycle.Application, *evidence, error) {
		a := s.application(lifecycle.Tap, p, "", now)
		a.PINVerified = good && read.PINVerified
		a.FaceMatched = faceMatched
		challenge, err := r.Challenge(value)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, err
		}
		fresh := err == nil && challenge.Used == 0 && now.Sub(challenge.Made) <= s.o.ChallengeLifetime
		if good {
			held, err := r.Card(read.DocumentNumber)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, nil, err
			}
			a.CardGenuine = fresh && err == nil && held.Person == p.ID
			if a.CardGenuine && held.Number != p.Card {
				a.State &^= lifecycle.HasCard // this number has ended
			}
		}
		return a, &evidence{spend: func(tx store.Tx, seq uint64) error {
			challenge.Used = seq
			return tx.PutChallenge(challenge)
		}}, nil
	}
}

// IssueByOffer issues a mobile card on a clerk's one-time code.
func (s *Service) IssueByOffer(ctx context.Context, q RedeemRequest) (Issued, error) {
	phone, err := s.o.Phones.Check(q.Attestation, q.Code, s.register.Now())
	if err != nil {
		return Issued{}, err
	}
	return s.issue(ctx, "issue-by-offer", q.Request, q.Person, ofKeys(phone), q, s.offered(q.Code, q.Probe))
}

// offered are the facts of a clerk's code that a phone has scanned.
func (s *Service) offered(code string, probe face.Probe) facts {
	return func(r store.Reader, p *store.Person, now time.Time) (*lifecycle.Application, *evidence, error) {
		offer, err := r.Offer(hashCode(code))
		if errors.Is(err, store.ErrNotFound) || err == nil && offer.Person != p.ID {
			return nil, nil, ErrNoOffer
		}
		if err != nil {
			return nil, nil, err
		}
		a := s.application(lifecycle.Counter, p, offer.Centre, now)
		a.OfferAge = now.Sub(offer.Made)
		a.OfferUsed = offer.Used != 0
		if p.Card != "" {
			onRecord, err := r.Card(p.Card)
			if err != nil {
				return nil, nil, err
			}
			if template, err := face.ParseTemplate(onRecord.Template); err == nil {
				_, a.FaceMatched = s.o.Faces.Match(template, probe)
			}
		}
		return a, &evidence{centre: offer.Centre, spend: func(tx store.Tx, seq uint64) error {
			offer.Used = seq
			return tx.PutOffer(offer)
		}}, nil
	}
}

// application fills in what depends on person and place.
func (s *Service) application(ch lifecycle.Channel, p *store.Person, centre string, now time.Time) *lifecycle.Application {
	civil := now.In(s.o.Civil)
	return &lifecycle.Application{
		Channel:       ch,
		RegionOpen:    s.o.Policy.Open(p.Municipality, now),
		Age:           completedYears(p.BirthDate, civil),
		State:         p.State,
		CentreAllowed: ch == lifecycle.Tap || s.o.Policy.CentreAllowed(p.Municipality, centre, now),
	}
}

// completedYears is the age on the civil date of at.
func completedYears(birth, at time.Time) int {
	years := at.Year() - birth.Year()
	if at.Month() < birth.Month() || at.Month() == birth.Month() && at.Day() < birth.Day() {
		years--
	}
	return years
}

// evidence is what is used up by an issue.
type evidence struct {
	centre string
	spend  func(tx store.Tx, seq uint64) error
}

// facts gathers what the admission depends on, from evidence and register.
type facts func(store.Reader, *store.Person, time.Time) (*lifecycle.Application, *evidence, error)

// judge gathers the facts and decides. It is asked twice: on a snapshot, to
// know whether to sign at all, and in the transaction that commits.
func (s *Service) judge(r store.Reader, p *store.Person, by register.By, phone Phone, f facts, now time.Time) (lifecycle.Reason, *lifecycle.Application, *evidence, error) {
	if !by.May(lifecycle.CredentialIssued, p.ID) {
		return lifecycle.NotAuthorised, nil, nil, nil
	}
	a, used, err := f(r, p, now)
	if err != nil {
		return 0, nil, nil, err
	}
	wallet, err := r.Wallet(p.ID, phone.Wallet)
	if err != nil {
		return 0, nil, nil, err
	}
	a.WalletLost = wallet.Lost != 0
	return lifecycle.Admit(a, s.o.Policy), a, used, nil
}

// errAgain says that what was signed does not fit the register any more.
var errAgain = errors.New("the register changed meanwhile")

// tries limits how often a card is signed anew for one request.
const tries = 8

// issue signs outside the transaction, because signing takes longer than all
// else, and judges and commits inside.
func (s *Service) issue(ctx context.Context, operation string, q register.Request, person store.PersonID, o order, request any, f facts) (Issued, error) {
	fingerprint, err := register.Fingerprint(request)
	if err != nil {
		return Issued{}, err
	}
	if answer, found, err := register.Before[Issued](ctx, s.register, operation, q, fingerprint); found || err != nil {
		return answer, err
	}
	if o.each > s.o.MaxCopies {
		return Issued{}, fmt.Errorf("the phone attests %d keys; a mobile card has at most %d copies in a format", o.each, s.o.MaxCopies)
	}
	for range tries {
		d, err := s.draft(ctx, person, q.By, o, f)
		if err != nil {
			return Issued{}, err
		}
		answer, err := register.OnceAs(ctx, s.register, operation, q, fingerprint, func(tx store.Tx, now time.Time) (Issued, error) {
			p, err := register.Load(tx, person, now)
			if err != nil {
				return Issued{}, err
			}
			reason, a, used, err := s.judge(tx, p, q.By, o.phone, f, now)
			if err != nil || reason != lifecycle.Granted {
				return Issued{Reason: reason, At: now}, err
			}
			if d.copies == nil || d.person != content(*p) {
				return Issued{}, errAgain
			}
			if room, err := s.allot(tx, d); err != nil {
				return Issued{}, err
			} else if !room {
				return Issued{}, errAgain
			}
			reason, seq, err := register.Apply(tx, p, register.Change{
				Event: lifecycle.CredentialIssued, By: q.By, Why: "applied by " + a.Channel.String(), At: now,
				Credential: &store.Credential{Wallet: o.phone.Wallet, Until: d.until, Document: d.document, Formats: strings.Join(o.formats, " ")},
				Copies:     d.places, Channel: a.Channel, Centre: used.centre,
			})
			if errors.Is(err, store.ErrTaken) {
				err = errAgain
			}
			if err != nil || reason != lifecycle.Granted {
				return Issued{Reason: reason, At: now}, err
			}
			out := Issued{
				Sequence: seq, At: now, Until: d.until, Document: d.document, Copies: d.copies, Indices: d.places[:len(d.copies)],
			}
			if o.then != nil || len(o.formats) > 1 {
				out.Credential, out.Spare = p.Credential, d.places[o.each:]
			}
			if err := used.spend(tx, seq); err != nil || o.then == nil {
				return out, err
			}
			return out, o.then(tx, out)
		})
		if !errors.Is(err, errAgain) {
			return answer, err
		}
	}
	return Issued{}, ErrBusy
}
