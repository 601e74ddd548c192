package issuance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
)

// ErrOutdated: what stands on the card is no longer right.
var ErrOutdated = errors.New("what stands on this mobile card is no longer right: apply for a new one")

// MoreRequest asks for further copies of a mobile card that was issued.
type MoreRequest struct {
	Person     store.PersonID
	Credential store.CredentialID
	Document   string
	Phone      Phone
	Format     string
	Places     []audit.Copy // one for each key, from Issued.Spare; its user sees to it that none is used twice
}

// IssueMore signs further copies, at places that were kept for them. The card must
// be in force and not suspended, when it is looked up and once more when the copies are
// signed. Nothing changes in the register.
func (s *Service) IssueMore(ctx context.Context, q MoreRequest) (copies [][]byte, reason lifecycle.Reason, err error) {
	find := func(r store.Reader) (m inForce, err error) {
		if n := len(q.Phone.Keys); n != len(q.Places) {
			return m, fmt.Errorf("%d keys for %d places", n, len(q.Places))
		}
		if m, err = s.inForce(r, q.Person, q.Credential, q.Phone.Wallet); err != nil {
			return m, err
		}
		for _, place := range q.Places {
			if e, err := r.Entry(place.List, place.Index); err != nil || e.Credential != m.card.ID {
				return m, errors.Join(ErrNoCard, err)
			}
		}
		m.document, m.places = q.Document, q.Places
		return m, nil
	}
	_, copies, reason, err = s.further(ctx, q.Phone, q.Format, find)
	if err != nil || reason != lifecycle.Granted {
		return nil, reason, err
	}
	if err := s.register.View(ctx, func(r store.Reader) error {
		now, err := find(r)
		reason = suspended(now.person.State)
		return err
	}); err != nil || reason != lifecycle.Granted {
		return nil, reason, err
	}
	return copies, reason, nil
}

// AgainRequest asks for the copies of a mobile card anew.
type AgainRequest struct {
	Person store.PersonID
	Phone  Phone  // whose wallet has the card, and keys that its attestation has proven
	Format string // one of those in which the card was issued
	// Then writes what belongs to the commit in which the copies are given out; it may be nil.
	Then func(store.Tx) error
}

// IssueAgain signs the copies of a card in force anew, in one of its formats: they end
// with the certificate of their signer (mdoc.Validity.Under), which is before the card
// does. They stand at the places that its copies in this format have, so that nothing
// changes in the register, and whatever it knows of the card holds for them too. The card
// must not be suspended: as with an issue, that is judged on a snapshot, to know whether
// to sign at all, and in a commit, after which the copies are given out. ErrBusy: the card
// was another one each time.
func (s *Service) IssueAgain(ctx context.Context, q AgainRequest) ([][]byte, lifecycle.Reason, error) {
	find := func(r store.Reader) (inForce, error) { return s.anew(r, q) }
	for range tries {
		signed, copies, reason, err := s.further(ctx, q.Phone, q.Format, find)
		if err != nil || reason != lifecycle.Granted {
			return nil, reason, err
		}
		fits := false
		if err := s.register.Update(ctx, func(tx store.Tx) error {
			now, err := find(tx)
			if err != nil {
				return err
			}
			reason = suspended(now.person.State)
			fits = now.card.ID == signed.card.ID && content(now.person) == content(signed.person)
			if reason != lifecycle.Granted || !fits || q.Then == nil {
				return nil
			}
			return q.Then(tx)
		}); err != nil || reason != lifecycle.Granted {
			return nil, reason, err
		}
		if fits {
			return copies, reason, nil
		}
	}
	return nil, 0, ErrBusy
}

// anew is the card that a request asks for anew, with the places of its copies.
func (s *Service) anew(r store.Reader, q AgainRequest) (m inForce, err error) {
	p, err := r.Person(q.Person)
	if err != nil {
		return m, err
	}
	if m, err = s.inForce(r, q.Person, p.Credential, q.Phone.Wallet); err != nil {
		return m, err
	}
	if m.card.Outdated != 0 {
		return m, ErrOutdated
	}
	issued := strings.Fields(m.card.Formats)
	n := slices.Index(issued, q.Format)
	switch {
	case len(issued) == 0:
		return m, fmt.Errorf("%w: it was issued before its formats were kept", ErrNotIssued)
	case n < 0:
		return m, fmt.Errorf("%w: it was issued as %s", ErrNotIssued, strings.Join(issued, ", "))
	}
	all, err := placesOf(r, m.card.ID)
	if err != nil {
		return m, err
	}
	each := len(all) / len(issued)
	if len(q.Phone.Keys) > each {
		return m, fmt.Errorf("%w: %d keys for %d places in this format", ErrTooMany, len(q.Phone.Keys), each)
	}
	m.document, m.places = m.card.Document, all[n*each:][:len(q.Phone.Keys)]
	return m, nil
}

// ErrNotIssued: a card has no copies in this format that could be signed anew.
var ErrNotIssued = errors.New("this mobile card has no copies in this format: apply for a new one")

// ErrTooMany: a card has no places for so many copies.
var ErrTooMany = errors.New("too many copies")

// placesOf are the places of a card in the order in which they were given (draw).
func placesOf(r store.Reader, id store.CredentialID) (out []audit.Copy, err error) {
	entries, err := r.EntriesOf(id)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	lists, err := r.Lists()
	if err != nil {
		return nil, err
	}
	l := lists[entries[0].List] // numbered from 0 without a gap; all copies of a card stand in one
	order, err := places.New(l.Secret, l.Size)
	if err != nil {
		return nil, fmt.Errorf("status list %d: %w", l.Number, err)
	}
	at := map[uint64]uint64{}
	for _, e := range entries {
		at[order.Position(e.Index)] = e.Index
	}
	positions := make([]uint64, 0, len(at))
	for p := range at {
		positions = append(positions, p)
	}
	slices.Sort(positions)
	for _, p := range positions {
		out = append(out, audit.Copy{List: l.Number, Index: at[p]})
	}
	return out, nil
}

// inForce is a card of which further copies may be signed.
type inForce struct {
	person   store.Person
	card     store.Credential
	plastic  store.Card
	document string
	places   []audit.Copy // of the copies
}

// inForce is a person's card, if it is this one, in this wallet.
func (s *Service) inForce(r store.Reader, person store.PersonID, id store.CredentialID, wallet string) (m inForce, err error) {
	if m.person, err = r.Person(person); err != nil {
		return m, err
	}
	if id == 0 || m.person.Credential != id {
		return m, ErrNoCard
	}
	if m.card, err = r.Credential(id); err != nil {
		return m, err
	}
	if m.card.Wallet != wallet || !s.register.Now().Before(m.card.Until) {
		return m, ErrNoCard
	}
	m.plastic, err = r.Card(m.person.Card)
	return m, err
}

// further signs copies of a card that was issued, one for each key. Whoever gets them
// holds what the register has said of it all the time: they are issued on the same day,
// and their validity ends with it.
func (s *Service) further(ctx context.Context, phone Phone, name string, find func(store.Reader) (inForce, error)) (m inForce, copies [][]byte, reason lifecycle.Reason, err error) {
	format, ok := s.formats[name]
	if !ok {
		return m, nil, 0, fmt.Errorf("no mobile card is issued in the format %q", name)
	}
	if n := len(phone.Keys); n == 0 || n > s.o.MaxCopies {
		return m, nil, 0, fmt.Errorf("%w: %d keys; a mobile card has 1 to %d copies", ErrTooMany, n, s.o.MaxCopies)
	}
	seed, err := s.register.Seed()
	if err != nil {
		return m, nil, 0, err
	}
	now := s.register.Now()
	if err := s.register.View(ctx, func(r store.Reader) (err error) {
		m, err = find(r)
		reason = suspended(m.person.State)
		return err
	}); err != nil || reason != lifecycle.Granted {
		return m, nil, reason, err
	}
	signed := now.Truncate(time.Second)
	record := s.record(m.person, m.plastic, m.document, m.card.Issued, m.card.Until, signed)
	copies, err = s.sign(format, record, phone, m.places, signed, m.card.Until, rand.NewChaCha8(seed))
	return m, copies, reason, err
}

// suspended is the reason for which no copies of a card in force are given out, as
// the rulebook gives it to an application.
func suspended(s lifecycle.State) lifecycle.Reason {
	switch {
	case lifecycle.Judge(s) == lifecycle.Accepted:
		return lifecycle.Granted
	case s.Causes()&lifecycle.MobileLost != 0:
		return lifecycle.WalletReportedLost
	default:
		return lifecycle.Apply(s, lifecycle.CredentialIssued).Reason
	}
}
