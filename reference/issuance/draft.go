package issuance

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

// draft is a signed mobile card that is not issued yet.
type draft struct {
	person   store.Person // what was signed
	until    time.Time
	document string
	copies   [][]byte
	places   []audit.Copy
	next     []byte // the secret of the next list, should it have to be opened
}

// content is the part of a person that stands on the card.
func content(p store.Person) store.Person {
	p.State, p.Credential, p.Changed = 0, 0, 0
	return p
}

// draft draws free places and signs the copies, unless the application would
// be refused as things stand.
func (s *Service) draft(ctx context.Context, id store.PersonID, by register.By, o order, f facts) (*draft, error) {
	format, ok := s.formats[o.formats[0]]
	if !ok {
		return nil, fmt.Errorf("no mobile card is issued in the format %q", o.formats[0])
	}
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
		reason, _, _, err := s.judge(r, &p, by, o.phone, f, s.register.Now())
		if refused = reason != lifecycle.Granted; refused || err != nil {
			return err
		}
		if onRecord, err = r.Card(p.Card); err != nil {
			return err
		}
		d.places, err = draw(r, o.each*len(o.formats), rand.New(random))
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
	if d.copies, err = s.sign(format, s.record(p, onRecord, d.document, now, d.until, now), o.phone, d.places, now, d.until, random); err != nil {
		return nil, err
	}
	d.next, err = secret(random)
	return d, err
}

// record is what stands on a mobile card that was issued then and is signed now.
func (s *Service) record(p store.Person, plastic store.Card, document string, issued, until, now time.Time) mdoc.Card {
	return mdoc.Card{
		FamilyName: p.FamilyName, GivenName: p.GivenName, BirthDate: mdoc.DateOf(p.BirthDate), Sex: iso5218(p.Sex),
		ResidentNumber: mdoc.Hyphenated(p.RRN), Address: p.Address, Municipality: p.Municipality, Portrait: plastic.Portrait,
		IssueDate: mdoc.DateOf(issued.In(s.o.Civil)), ExpiryDate: mdoc.DateOf(until.In(s.o.Civil)), SigningDate: mdoc.DateOf(now.In(s.o.Civil)),
		IssuingAuthority: s.o.Authority, DocumentNumber: document, PlasticCardNumber: plastic.Number,
	}
}

// sign signs a copy for each key, at the places in turn.
func (s *Service) sign(format Format, record mdoc.Card, phone Phone, places []audit.Copy, now, until time.Time, random io.Reader) (copies [][]byte, err error) {
	batch, err := format.Batch(record, mdoc.Validity{Signed: now, From: now, Until: until})
	if err != nil {
		return nil, fmt.Errorf("the mobile card cannot be signed: %w", err)
	}
	for i, key := range phone.Keys {
		signed, err := batch(key, mdoc.StatusRef{URI: s.register.Lists.URI(places[i].List), Index: places[i].Index}, random)
		if err != nil {
			return nil, fmt.Errorf("the mobile card cannot be signed: %w", err)
		}
		copies = append(copies, signed)
	}
	return copies, nil
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

// A status list is filled to three quarters, so that free places are found after four
// draws on average when it is fullest; the next list is opened when half is taken, long
// before a card stands in it.
func hasRoom(l store.List, n int) bool { return l.Allotted+uint64(n) <= l.Size/4*3 }

// secret draws that of a new list.
func secret(random io.Reader) ([]byte, error) {
	s := make([]byte, places.SecretSize)
	_, err := io.ReadFull(random, s)
	return s, err
}

// patience is how often a run of places is drawn before a shorter one is tried. Where
// every card takes as many, one in ten thousand waits that long in the fullest list.
const patience = 32

// draw draws n places that are free in this snapshot: neighbours in the list's secret
// order, so that they are kept as one record and looked at with one question, and
// shorter runs of neighbours where none is free. That a run begins at a multiple of its
// length leaves no gaps between cards of as many copies. Where a run begins is drawn, not
// counted: drafts that are signed at the same time do not want the same places, nor does
// a replica or a restored register have to know what others gave. All stand in one list,
// in the order of its places.
func draw(r store.Reader, n int, random *rand.Rand) ([]audit.Copy, error) {
	lists, err := r.Lists()
	if err != nil {
		return nil, err
	}
	for _, l := range lists {
		if !hasRoom(l, n) {
			continue
		}
		order, err := places.New(l.Secret, l.Size)
		if err != nil {
			return nil, fmt.Errorf("status list %d: %w", l.Number, err)
		}
		length := uint64(n)
		if l.Secret == nil { // neighbours would be seen to belong together
			length = 1
		}
		out, runs, drawn := make([]audit.Copy, 0, n), []places.Run{}, map[uint64]bool{}
		for misses := 0; len(drawn) < n; {
			length = min(length, uint64(n-len(drawn)))
			run := places.Run{First: random.Uint64N(l.Size/length) * length, Length: length}
			indices := order.Indices(run)
			ok := !slices.ContainsFunc(indices, func(i uint64) bool { return drawn[i] })
			if ok {
				if ok, err = r.Free(l.Number, indices); err != nil {
					return nil, err
				}
			}
			if !ok {
				if misses++; misses%patience == 0 {
					length = (length + 1) / 2
				}
				continue
			}
			for _, i := range indices {
				drawn[i] = true
			}
			runs = append(runs, run)
		}
		slices.SortFunc(runs, func(a, b places.Run) int { return cmp.Compare(a.First, b.First) })
		for _, run := range runs {
			for _, i := range order.Indices(run) {
				out = append(out, audit.Copy{List: l.Number, Index: i})
			}
		}
		return out, nil
	}
	return nil, errors.New("no status list has room: open one (Prepare)")
}

// allot counts the draft's places as given, and opens the next list in time; false if
// there is no room any more.
func (s *Service) allot(tx store.Tx, d *draft) (bool, error) {
	lists, err := tx.Lists()
	if err != nil {
		return false, err
	}
	l := lists[d.places[0].List] // numbered from 0 without a gap
	if !hasRoom(l, len(d.places)) {
		return false, nil
	}
	l.Allotted += uint64(len(d.places))
	if last := len(lists) - 1; int(l.Number) == last && register.NextListDue(l.Allotted, l.Size) {
		if err := tx.PutList(store.List{Number: uint32(last) + 1, Size: s.register.Lists.Size, Secret: d.next}); err != nil {
			return false, err
		}
	}
	return true, tx.PutList(l)
}
