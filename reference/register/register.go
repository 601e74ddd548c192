// Package register is the one place where the register changes. It judges an
// event by package lifecycle and writes, in the caller's transaction, all that
// follows from it: the person's state, what came into force and what ended, the
// report, and exactly one audit entry, whose number is the change's sequence
// number.
//
// It also holds what every use case needs: who asks (By), exactly-once answers
// (Once), and the names of the status lists.
package register

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
)

// MaxText limits what a caller may write into the register in one field:
// reasons, keys, names.
const MaxText = 200

var (
	// ErrNoKey: a request that changes the register needs an idempotency key.
	ErrNoKey = errors.New("the request has no idempotency key, or one longer than 200 bytes: choose a random one and use it again for every repetition")
	// ErrKeyReused: the key came before, with another request.
	ErrKeyReused = errors.New("this idempotency key belongs to another request: choose a new one for a new request")
	// ErrUnknownPerson: the register has no such resident.
	ErrUnknownPerson = errors.New("the register has no such resident")
	// ErrTooLong: a text is longer than MaxText.
	ErrTooLong = errors.New("a reason or name is longer than 200 bytes: shorten it")
)

// By is who asks. The caller has authenticated them.
type By struct {
	Actor string
	Role  lifecycle.Role
}

// Citizen is a resident acting for themselves.
func Citizen(id store.PersonID) By {
	return By{strconv.FormatUint(uint64(id), 10), lifecycle.Citizen}
}

// May says whether they may cause the event for that person: by the table of
// roles, and a citizen only for themselves.
func (b By) May(e lifecycle.Event, person store.PersonID) bool {
	return lifecycle.May(b.Role, e) && (b.Role != lifecycle.Citizen || b == Citizen(person))
}

// itself is the register acting on the calendar.
var itself = By{"register", lifecycle.Registrar}

// Register is the register with what it needs from outside.
type Register struct {
	store.Store
	// Now is the clock.
	Now func() time.Time
	// Random is drawn from by one caller at a time. Every request takes one
	// seed from it.
	Random io.Reader
	// Lists names the status lists.
	Lists Lists

	mu sync.Mutex
}

// Seed draws 32 bytes.
func (r *Register) Seed() (seed [32]byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err = io.ReadFull(r.Random, seed[:]); err != nil {
		err = fmt.Errorf("the source of randomness failed: %w", err)
	}
	return seed, err
}

// Lists says how status lists are named and how large they are.
type Lists struct {
	Base string // URI up to the list's number, as "https://status.example/lists/"
	Size uint64 // entries of one list
}

// URI names a list.
func (l Lists) URI(number uint32) string { return l.Base + strconv.FormatUint(uint64(number), 10) }

// Number reads a list's name; false if it is not one of ours.
func (l Lists) Number(uri string) (uint32, bool) {
	rest, ours := strings.CutPrefix(uri, l.Base)
	n, err := strconv.ParseUint(rest, 10, 32)
	return uint32(n), ours && err == nil && l.URI(uint32(n)) == uri
}

// Change is an event to happen to a person.
type Change struct {
	Event lifecycle.Event
	By    By
	Why   string
	At    time.Time

	Card       *store.Card       // CardIssued: what comes into force
	Credential *store.Credential // CredentialIssued: what is issued
	Copies     []audit.Copy      // CredentialIssued: places that are free
	Channel    lifecycle.Channel // CredentialIssued
	Centre     string            // CredentialIssued at the counter

	// Wallet names the wallet that a ReleaseMobile is about; empty: the one
	// that holds the live credential.
	Wallet string
}

// causeOf names the cause that an event puts in force or lifts.
var causeOf = map[lifecycle.Event]lifecycle.Causes{
	lifecycle.ReportPhysicalLost:    lifecycle.PhysicalLost,
	lifecycle.ReportMobileLost:      lifecycle.MobileLost,
	lifecycle.SuspendAdministrative: lifecycle.Administrative,
	lifecycle.ReleasePhysical:       lifecycle.PhysicalLost,
	lifecycle.ReleaseMobile:         lifecycle.MobileLost,
	lifecycle.ReleaseAdministrative: lifecycle.Administrative,
}

// Apply makes the change, or says why not and changes nothing. p is brought up
// to date. The sequence number is 0 if refused.
func Apply(tx store.Tx, p *store.Person, c Change) (lifecycle.Reason, uint64, error) {
	if len(c.Why) > MaxText || len(c.By.Actor) > MaxText {
		return 0, 0, ErrTooLong
	}
	if !c.By.May(c.Event, p.ID) {
		return lifecycle.NotAuthorised, 0, nil
	}
	before := p.State
	var current store.Credential
	var err error
	if p.Credential != 0 {
		if current, err = tx.Credential(p.Credential); err != nil {
			return 0, 0, fmt.Errorf("credential %d of person %d: %w", p.Credential, p.ID, err)
		}
	}
	cause := causeOf[c.Event]
	subject := ""
	switch cause {
	case lifecycle.PhysicalLost:
		subject = p.Card
	case lifecycle.MobileLost:
		subject = current.Wallet
	}

	// A wallet that was reported lost and then replaced still carries the
	// report. To release it is judged by the same rule, in the state that the
	// person would be in if it held their credential.
	judged := before
	replaced := c.Event == lifecycle.ReleaseMobile && c.Wallet != "" && c.Wallet != subject
	if replaced {
		subject = c.Wallet
		w, err := tx.Wallet(p.ID, c.Wallet)
		if err != nil {
			return 0, 0, err
		}
		judged &^= lifecycle.State(lifecycle.MobileLost)
		if w.Lost != 0 {
			judged |= lifecycle.State(lifecycle.MobileLost)
		}
	}
	outcome := lifecycle.Apply(judged, c.Event)
	if outcome.Reason != lifecycle.Granted {
		return outcome.Reason, 0, nil
	}
	if !replaced {
		p.State = outcome.Next
	}

	seq, err := tx.Sequence()
	if err != nil {
		return 0, 0, err
	}
	seq++ // Append below gives this number; it is checked there
	entry := audit.Entry{
		At: c.At, Event: c.Event.String(), Person: uint64(p.ID), Actor: c.By.Actor, Role: c.By.Role.String(), Reason: c.Why,
		Before: plain(before), After: plain(p.State),
	}
	p.Changed = seq

	if p.Credential != 0 && (c.Event == lifecycle.CredentialIssued || p.State&lifecycle.HasCredential == 0) {
		current.Ended = seq
		entry.EndedCredential = uint64(current.ID)
		p.Credential = 0
		if err := tx.PutCredential(current); err != nil {
			return 0, 0, err
		}
	}
	if p.Card != "" && (c.Event == lifecycle.CardIssued || p.State&lifecycle.HasCard == 0) {
		old, err := tx.Card(p.Card)
		if err != nil {
			return 0, 0, fmt.Errorf("card of person %d: %w", p.ID, err)
		}
		old.Ended = seq
		entry.EndedCard = old.Number
		p.Card = ""
		if err := tx.PutCard(old); err != nil {
			return 0, 0, err
		}
	}
	switch c.Event {
	case lifecycle.CardIssued:
		card := *c.Card
		card.Person, card.Issued, card.Ended = p.ID, c.At, 0
		if err := tx.AddCard(card); err != nil {
			return 0, 0, fmt.Errorf("card number %s: %w", card.Number, err)
		}
		p.Card, entry.Card = card.Number, card.Number
	case lifecycle.CredentialIssued:
		cred := *c.Credential
		cred.Person, cred.Card, cred.Issued, cred.Ended = p.ID, p.Card, c.At, 0
		if p.Credential, err = tx.AddCredential(cred); err != nil {
			return 0, 0, err
		}
		for _, copy := range c.Copies {
			if err := tx.AddEntry(copy.List, copy.Index, p.Credential); err != nil {
				return 0, 0, fmt.Errorf("index %d of status list %d: %w", copy.Index, copy.List, err)
			}
		}
		entry.Credential, entry.Card, entry.Wallet, entry.Copies = uint64(p.Credential), p.Card, cred.Wallet, c.Copies
		entry.Until = cred.Until.UTC().Format(time.RFC3339)
		entry.Channel, entry.Centre = c.Channel.String(), c.Centre
	case lifecycle.ReportMobileLost:
		err = tx.PutWallet(store.Wallet{ID: subject, Person: p.ID, Lost: seq})
	case lifecycle.ReleaseMobile:
		err = tx.PutWallet(store.Wallet{ID: subject, Person: p.ID})
	}
	if err != nil {
		return 0, 0, err
	}
	switch c.Event {
	case lifecycle.ReportPhysicalLost, lifecycle.ReportMobileLost, lifecycle.SuspendAdministrative:
		if err := tx.AddReport(store.Report{Sequence: seq, Person: p.ID, Cause: cause, Subject: subject, Actor: c.By.Actor, At: c.At}); err != nil {
			return 0, 0, err
		}
	}
	if cause != 0 {
		entry.Cause, entry.Subject = cause.String(), subject
	}
	if err := tx.PutPerson(*p); err != nil {
		return 0, 0, err
	}
	given, err := audit.Append(tx, entry)
	if err == nil && given != seq {
		err = fmt.Errorf("the audit log gave number %d to change %d", given, seq)
	}
	return lifecycle.Granted, seq, err
}

func plain(s lifecycle.State) audit.State {
	return audit.State{
		Card:           s&lifecycle.HasCard != 0,
		Credential:     s&lifecycle.HasCredential != 0,
		PhysicalLost:   s.Causes()&lifecycle.PhysicalLost != 0,
		MobileLost:     s.Causes()&lifecycle.MobileLost != 0,
		Administrative: s.Causes()&lifecycle.Administrative != 0,
	}
}

// Load reads a person as of now: a credential whose validity is over has ended,
// whether or not the sweep has come by.
func Load(tx store.Tx, id store.PersonID, now time.Time) (*store.Person, error) {
	p, err := tx.Person(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w (%d)", ErrUnknownPerson, id)
	}
	if err != nil || p.Credential == 0 {
		return &p, err
	}
	c, err := tx.Credential(p.Credential)
	if err != nil || now.Before(c.Until) {
		return &p, err
	}
	return &p, Expire(tx, &p, now)
}

// Expire ends the person's live credential because its validity is over.
func Expire(tx store.Tx, p *store.Person, now time.Time) error {
	_, _, err := Apply(tx, p, Change{Event: lifecycle.CredentialExpired, By: itself, Why: "end of validity", At: now})
	return err
}

// Request is what every request that changes the register carries. Key is the
// idempotency key: the same key and the same request have the effect of one,
// and get the same answer.
type Request struct {
	By  By
	Key string
}

// Fingerprint condenses a request, so that a key is not used for another one.
func Fingerprint(request any) ([]byte, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(b)
	return h[:], nil
}

// Retention is how long answers, challenges, offers and nonces are remembered
// at least: a request must not be repeated later than that.
const Retention = 7 * 24 * time.Hour

// Forget deletes what is older than Retention, at most limit records of each
// kind, and returns how many.
func (r *Register) Forget(ctx context.Context, limit int) (n int, err error) {
	err = r.Update(ctx, func(tx store.Tx) (err error) {
		n, err = tx.Forget(r.Now().Add(-Retention), limit)
		return err
	})
	return n, err
}

// Once answers a request exactly once, within Retention. If the key is known, it returns the
// stored answer; otherwise it runs f in a transaction and stores what it
// returns, refusals too, in the same commit. An error of f is not an answer:
// nothing is stored and the request may be repeated.
func Once[A any](ctx context.Context, r *Register, operation string, q Request, fingerprint []byte, f func(store.Tx, time.Time) (A, error)) (answer A, err error) {
	if q.Key == "" || len(q.Key) > MaxText {
		return answer, ErrNoKey
	}
	err = r.Update(ctx, func(tx store.Tx) error {
		found, err := stored(tx, operation, q, fingerprint, &answer)
		if found || err != nil {
			return err
		}
		now := r.Now()
		if answer, err = f(tx, now); err != nil {
			return err
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return tx.PutAnswer(scope(operation, q.By), q.Key, store.Answer{Request: fingerprint, Body: body, At: now})
	})
	if err != nil {
		var none A
		return none, err
	}
	return answer, nil
}

// Before looks for a stored answer without a commit, for requests that are
// costly to work out.
func Before[A any](ctx context.Context, r *Register, operation string, q Request, fingerprint []byte) (answer A, found bool, err error) {
	if q.Key == "" || len(q.Key) > MaxText {
		return answer, false, ErrNoKey
	}
	err = r.View(ctx, func(tx store.Reader) (err error) {
		found, err = stored(tx, operation, q, fingerprint, &answer)
		return err
	})
	return answer, found, err
}

func stored(tx store.Reader, operation string, q Request, fingerprint []byte, answer any) (bool, error) {
	a, err := tx.Answer(scope(operation, q.By), q.Key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if string(a.Request) != string(fingerprint) {
		return false, ErrKeyReused
	}
	return true, json.Unmarshal(a.Body, answer)
}

func scope(operation string, by By) string {
	return operation + " " + by.Role.String() + " " + by.Actor
}

// ErrPersonExists: the number is in the register.
var ErrPersonExists = errors.New("the register has a resident with this number already")

// Add enters a resident, who holds nothing yet.
func Add(tx store.Tx, p store.Person, by By, why string, at time.Time) (*store.Person, uint64, error) {
	if _, err := tx.Person(p.ID); err == nil {
		return nil, 0, fmt.Errorf("%w (%d)", ErrPersonExists, p.ID)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, 0, err
	}
	for _, text := range []string{p.RRN, p.FamilyName, p.GivenName, p.Municipality, p.Centre, p.Address, why, by.Actor} {
		if len(text) > MaxText {
			return nil, 0, ErrTooLong
		}
	}
	p.State, p.Card, p.Credential = 0, "", 0
	seq, err := audit.Append(tx, audit.Entry{
		At: at, Event: "resident-registered", Person: uint64(p.ID), Actor: by.Actor, Role: by.Role.String(), Reason: why,
	})
	if err != nil {
		return nil, 0, err
	}
	p.Changed = seq
	return &p, seq, tx.PutPerson(p)
}
