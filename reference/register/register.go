// Package register is the one place where the register changes. It judges an
// event by package lifecycle and writes, in the caller's transaction, all that
// follows from it: the person's state, what came into force and what ended, the
// report, and exactly one audit entry, whose number is the change's sequence
// number.
//
// It also holds what every use case needs: who asks (By), exactly-once answers
// (Once), and the names of the status lists.
//
// It may not know on which evidence somebody asks, nor the format of any card: to
// the register a mobile card is a wallet, an end, and places in status lists.
package register

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
)

// MaxText limits what a caller may write into the register in one field:
// reasons, keys, names.
const MaxText = 200

var (
	// ErrUnknownPerson: the register has no such resident.
	ErrUnknownPerson = errors.New("the register has no such resident")
	// ErrTooLong: a text is longer than MaxText.
	ErrTooLong = errors.New("a reason or name is longer than 200 bytes: shorten it")
	// ErrPersonExists: the number is in the register.
	ErrPersonExists = errors.New("the register has a resident with this number already")
	// ErrRRNTaken: another resident has the registration number.
	ErrRRNTaken = errors.New("the register has another resident with this registration number")
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

// NextListDue says whether the last status list has so many of its places given that the
// next one is opened, in the change that gave them. By the same rule it is found out when
// a list was opened, which stands nowhere.
func NextListDue(given, size uint64) bool { return given >= size/2 }

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

// fits says whether a text may be written into the register. One that is not UTF-8
// or has a NUL in it no database server takes.
func fits(text string) bool {
	return len(text) <= MaxText && utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

// Add enters a resident, who holds nothing yet. A registration number is one resident's,
// until they are removed: who comes back, or was removed by mistake, is entered anew. Who has
// none yet is entered without.
func Add(tx store.Tx, p store.Person, by By, why string, at time.Time) (*store.Person, uint64, error) {
	if _, err := tx.Person(p.ID); err == nil {
		return nil, 0, fmt.Errorf("%w (%d)", ErrPersonExists, p.ID)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, 0, err
	}
	for _, text := range []string{p.RRN, p.FamilyName, p.GivenName, p.Municipality, p.Centre, p.Address, why, by.Actor} {
		if !fits(text) {
			return nil, 0, ErrTooLong
		}
	}
	if p.RRN != "" {
		if err := number(tx, p); err != nil {
			return nil, 0, err
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

// number makes a registration number the resident's. What is said of one that is taken
// names the other resident, never the number.
func number(tx store.Tx, p store.Person) error {
	err := tx.AddRRN(p.RRN, p.ID)
	if !errors.Is(err, store.ErrTaken) {
		return err
	}
	other, err := tx.PersonByRRN(p.RRN)
	if err != nil {
		return err
	}
	was, err := tx.Person(other)
	if err != nil {
		return err
	}
	if was.State&lifecycle.Removed != 0 {
		return tx.MoveRRN(p.RRN, other, p.ID)
	}
	return RRNTaken{other}
}

// RRNTaken is ErrRRNTaken, and whose the number is.
type RRNTaken struct{ By store.PersonID }

func (e RRNTaken) Error() string { return fmt.Sprintf("%v (%d)", ErrRRNTaken, e.By) }

func (e RRNTaken) Unwrap() error { return ErrRRNTaken }
