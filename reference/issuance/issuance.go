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
// A mobile card is a batch of mdocs (ISO/IEC 18013-5), each bound to a key of
// its own in the phone and each with its own status index, drawn at random and
// never used again.
package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
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
	Phones            *Makers     // whose key attestations are trusted
	Signer            mdoc.Signer // the document signer
	ChallengeLifetime time.Duration
	MaxCopies         int            // of a mobile card
	Authority         string         // issuing authority, as it stands on the card
	Civil             *time.Location // the country's civil time
}

// Service issues.
type Service struct {
	register *register.Register
	o        Options
}

// New returns the service of a register.
func New(r *register.Register, o Options) (*Service, error) {
	if o.Policy == nil || o.Cards == nil || o.Faces == nil || o.Phones == nil || o.Signer == nil || o.Civil == nil {
		return nil, errors.New("issuance needs a policy, a card verifier, a face matcher, trusted phone makers, a signer and the country's civil time")
	}
	if o.MaxCopies < 1 || o.ChallengeLifetime <= 0 {
		return nil, errors.New("issuance needs at least one copy of a mobile card and a positive lifetime of challenges")
	}
	if r.Lists.Size < uint64(8*o.MaxCopies) {
		return nil, fmt.Errorf("a status list of %d entries is too small for cards of %d copies", r.Lists.Size, o.MaxCopies)
	}
	return &Service{r, o}, nil
}

// Prepare opens the first status list, so that verifiers can fetch it before
// the first card is issued.
func (s *Service) Prepare(ctx context.Context) error {
	return s.register.Update(ctx, func(tx store.Tx) error {
		lists, err := tx.Lists()
		if err != nil || len(lists) > 0 {
			return err
		}
		return tx.PutList(store.List{Number: 0, Size: s.register.Lists.Size})
	})
}

// NewCard is a plastic card that comes into force.
type NewCard struct {
	Number   string
	Chip     bool
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
	fingerprint, err := register.Fingerprint(q)
	if err != nil {
		return Entered{}, err
	}
	return register.Once(ctx, s.register, "register-resident", q.Request, fingerprint, func(tx store.Tx, now time.Time) (Entered, error) {
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
	fingerprint, err := register.Fingerprint(q)
	if err != nil {
		return Entered{}, err
	}
	return register.Once(ctx, s.register, "register-card", q.Request, fingerprint, func(tx store.Tx, now time.Time) (Entered, error) {
		p, err := register.Load(tx, q.Person, now)
		if err != nil {
			return Entered{}, err
		}
		return enterCard(tx, p, q.By, q.Card, q.Why, now)
	})
}

const maxPortrait = 200 << 10

func enterCard(tx store.Tx, p *store.Person, by register.By, c NewCard, why string, now time.Time) (Entered, error) {
	if c.Number == "" || len(c.Number) > register.MaxText || len(c.Portrait) > maxPortrait {
		return Entered{}, fmt.Errorf("a card needs a number of at most %d bytes and a portrait of at most %d", register.MaxText, maxPortrait)
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

// RemovalRequest removes a resident: death or emigration.
type RemovalRequest struct {
	register.Request
	Person store.PersonID
	Why    string
}

// Remove ends everything that a resident holds.
func (s *Service) Remove(ctx context.Context, q RemovalRequest) (Entered, error) {
	fingerprint, err := register.Fingerprint(q)
	if err != nil {
		return Entered{}, err
	}
	return register.Once(ctx, s.register, "remove", q.Request, fingerprint, func(tx store.Tx, now time.Time) (Entered, error) {
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

// Challenge returns 32 random bytes for a card to sign. It is good for one
// issue, within its lifetime; several captures of the face may be tried on it.
func (s *Service) Challenge(ctx context.Context) ([]byte, error) {
	return redraw(s, func(seed [32]byte) ([]byte, error) {
		return seed[:], s.register.Update(ctx, func(tx store.Tx) error {
			return tx.AddChallenge(store.Challenge{Value: seed[:], Made: s.register.Now()})
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
	fingerprint, err := register.Fingerprint(q)
	if err != nil {
		return Offer{}, err
	}
	return redraw(s, func(seed [32]byte) (Offer, error) {
		return register.Once(ctx, s.register, "create-offer", q.Request, fingerprint, func(tx store.Tx, now time.Time) (Offer, error) {
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
}

// IssueByTap issues a mobile card on the evidence of an IC card.
func (s *Service) IssueByTap(ctx context.Context, q TapRequest) (Issued, error) {
	now := s.register.Now()
	phone, err := s.o.Phones.Check(q.Attestation, base64.RawURLEncoding.EncodeToString(q.Challenge), now)
	if err != nil {
		return Issued{}, err
	}
	read, cardErr := s.o.Cards.Verify(q.Card, q.Challenge, now)
	_, faceMatched := s.o.Faces.Match(read.Template, q.Probe)

	return s.issue(ctx, "issue-by-tap", q.Request, q.Person, phone, q, func(r store.Reader, p *store.Person, now time.Time) (*lifecycle.Application, *evidence, error) {
		a := s.application(lifecycle.Tap, p, "", now)
		a.PINVerified = cardErr == nil && read.PINVerified
		a.FaceMatched = cardErr == nil && faceMatched
		challenge, err := r.Challenge(q.Challenge)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, err
		}
		fresh := err == nil && challenge.Used == 0 && now.Sub(challenge.Made) <= s.o.ChallengeLifetime
		if cardErr == nil {
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
	})
}

// IssueByOffer issues a mobile card on a clerk's one-time code.
func (s *Service) IssueByOffer(ctx context.Context, q RedeemRequest) (Issued, error) {
	phone, err := s.o.Phones.Check(q.Attestation, q.Code, s.register.Now())
	if err != nil {
		return Issued{}, err
	}
	return s.issue(ctx, "issue-by-offer", q.Request, q.Person, phone, q, func(r store.Reader, p *store.Person, now time.Time) (*lifecycle.Application, *evidence, error) {
		offer, err := r.Offer(hashCode(q.Code))
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
				_, a.FaceMatched = s.o.Faces.Match(template, q.Probe)
			}
		}
		return a, &evidence{centre: offer.Centre, spend: func(tx store.Tx, seq uint64) error {
			offer.Used = seq
			return tx.PutOffer(offer)
		}}, nil
	})
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
func (s *Service) issue(ctx context.Context, operation string, q register.Request, person store.PersonID, phone Phone, request any, f facts) (Issued, error) {
	fingerprint, err := register.Fingerprint(request)
	if err != nil {
		return Issued{}, err
	}
	if answer, found, err := register.Before[Issued](ctx, s.register, operation, q, fingerprint); found || err != nil {
		return answer, err
	}
	if len(phone.Keys) > s.o.MaxCopies {
		return Issued{}, fmt.Errorf("the phone attests %d keys; a mobile card has at most %d copies", len(phone.Keys), s.o.MaxCopies)
	}
	for range tries {
		d, err := s.draft(ctx, person, q.By, phone, f)
		if err != nil {
			return Issued{}, err
		}
		answer, err := register.Once(ctx, s.register, operation, q, fingerprint, func(tx store.Tx, now time.Time) (Issued, error) {
			p, err := register.Load(tx, person, now)
			if err != nil {
				return Issued{}, err
			}
			reason, a, used, err := s.judge(tx, p, q.By, phone, f, now)
			if err != nil || reason != lifecycle.Granted {
				return Issued{Reason: reason, At: now}, err
			}
			if d.copies == nil || d.person != content(*p) {
				return Issued{}, errAgain
			}
			if room, err := s.allot(tx, d.places); err != nil {
				return Issued{}, err
			} else if !room {
				return Issued{}, errAgain
			}
			reason, seq, err := register.Apply(tx, p, register.Change{
				Event: lifecycle.CredentialIssued, By: q.By, Why: "applied by " + a.Channel.String(), At: now,
				Credential: &store.Credential{Wallet: phone.Wallet, Until: d.until},
				Copies:     d.places, Channel: a.Channel, Centre: used.centre,
			})
			if errors.Is(err, store.ErrTaken) {
				err = errAgain
			}
			if err != nil || reason != lifecycle.Granted {
				return Issued{Reason: reason, At: now}, err
			}
			return Issued{
				Sequence: seq, At: now, Until: d.until, Document: d.document, Copies: d.copies, Indices: d.places,
			}, used.spend(tx, seq)
		})
		if !errors.Is(err, errAgain) {
			return answer, err
		}
	}
	return Issued{}, ErrBusy
}

// draft is a signed mobile card that is not issued yet.
type draft struct {
	person   store.Person // what was signed
	until    time.Time
	document string
	copies   [][]byte
	places   []audit.Copy
}

// content is the part of a person that stands on the card.
func content(p store.Person) store.Person {
	p.State, p.Credential, p.Changed = 0, 0, 0
	return p
}

// draft draws free places and signs the copies, unless the application would
// be refused as things stand.
func (s *Service) draft(ctx context.Context, id store.PersonID, by register.By, phone Phone, f facts) (*draft, error) {
	seed, err := s.register.Seed()
	if err != nil {
		return nil, err
	}
	random := rand.NewChaCha8(seed)
	var p store.Person
	var onRecord store.Card
	d := &draft{}
	refused := false
	if err := s.register.View(ctx, func(r store.Reader) (err error) {
		if p, err = r.Person(id); errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w (%d)", register.ErrUnknownPerson, id)
		}
		if err != nil {
			return err
		}
		reason, _, _, err := s.judge(r, &p, by, phone, f, s.register.Now())
		if refused = reason != lifecycle.Granted; refused || err != nil {
			return err
		}
		if onRecord, err = r.Card(p.Card); err != nil {
			return err
		}
		d.places, err = free(r, len(phone.Keys), random)
		return err
	}); err != nil || refused {
		return d, err
	}

	now := s.register.Now().Truncate(time.Second)
	d.person = content(p)
	d.until = now.Add(s.o.Policy.CredentialValidity)
	var number [8]byte
	if _, err := io.ReadFull(random, number[:]); err != nil {
		return nil, err
	}
	d.document = "M" + hex.EncodeToString(number[:])
	elements, err := mdoc.Card{
		FamilyName: p.FamilyName, GivenName: p.GivenName, BirthDate: mdoc.DateOf(p.BirthDate), Sex: iso5218(p.Sex),
		ResidentNumber: hyphenated(p.RRN), Address: p.Address, Municipality: p.Municipality, Portrait: onRecord.Portrait,
		IssueDate: mdoc.DateOf(now.In(s.o.Civil)), ExpiryDate: mdoc.DateOf(d.until.In(s.o.Civil)),
		IssuingAuthority: s.o.Authority, DocumentNumber: d.document, PlasticCardNumber: onRecord.Number,
	}.Elements()
	if err != nil {
		return nil, err
	}
	for i, key := range phone.Keys {
		signed, err := mdoc.Issue(s.o.Signer, random, key, elements,
			mdoc.Validity{Signed: now, From: now, Until: d.until},
			&mdoc.StatusRef{URI: s.register.Lists.URI(d.places[i].List), Index: d.places[i].Index})
		if err != nil {
			return nil, fmt.Errorf("the mobile card cannot be signed: %w", err)
		}
		d.copies = append(d.copies, signed)
	}
	return d, nil
}

func iso5218(sex byte) int {
	switch sex {
	case 'M':
		return 1
	case 'F':
		return 2
	}
	return 0
}

// hyphenated writes a registration number as people do, 900102-1234567.
func hyphenated(rrn string) string {
	if len(rrn) == 13 {
		return rrn[:6] + "-" + rrn[6:]
	}
	return rrn
}

// A status list is filled to three quarters, so that a free place is found
// after 4/3 draws on average when it is fullest; the next list is opened when
// half is taken, long before a card stands in it.
func hasRoom(l store.List, n int) bool { return l.Allotted+uint64(n) <= l.Size/4*3 }

// free draws n places that are free in this snapshot.
func free(r store.Reader, n int, random *rand.ChaCha8) ([]audit.Copy, error) {
	lists, err := r.Lists()
	if err != nil {
		return nil, err
	}
	draw := rand.New(random)
	for _, l := range lists {
		if !hasRoom(l, n) {
			continue
		}
		places := make([]audit.Copy, 0, n)
		taken := map[uint64]bool{}
		for len(places) < n {
			index := draw.Uint64N(l.Size)
			if taken[index] {
				continue
			}
			if _, err := r.Entry(l.Number, index); err == nil {
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			taken[index] = true
			places = append(places, audit.Copy{List: l.Number, Index: index})
		}
		return places, nil
	}
	return nil, errors.New("no status list has room: open one (Prepare)")
}

// allot counts the places as given, and opens the next list in time; false if
// there is no room any more.
func (s *Service) allot(tx store.Tx, places []audit.Copy) (bool, error) {
	lists, err := tx.Lists()
	if err != nil {
		return false, err
	}
	l := lists[places[0].List] // numbered from 0 without a gap
	if !hasRoom(l, len(places)) {
		return false, nil
	}
	l.Allotted += uint64(len(places))
	if last := len(lists) - 1; int(l.Number) == last && l.Allotted >= l.Size/2 {
		if err := tx.PutList(store.List{Number: uint32(last) + 1, Size: s.register.Lists.Size}); err != nil {
			return false, err
		}
	}
	return true, tx.PutList(l)
}
