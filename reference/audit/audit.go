// Package audit keeps the register's log: one entry per change, in the commit
// of the change, each bound to the one before by a hash. Whoever removes,
// changes or reorders an entry breaks the chain at that entry, and Verify says
// where.
//
// The entry's number is the register's sequence number. The entries alone are
// enough to rebuild who held what in which state, and what stood at each index
// of each status list, at every sequence number: an oracle needs nothing else.
//
// A chain can't show that its end was cut off. Keep a Head elsewhere (a
// published status list states its sequence number) and hand it to Verify.
//
// It may not know what an event means or who may cause it: it binds what it is
// given. The hash is SHA-256 (FIPS 180-4) over the hash before and the entry's JSON.
package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"rollcall.example/rollcall/reference/store"
)

// Entry is one change of the register, in the order and form in which it is
// hashed and exported.
type Entry struct {
	Sequence uint64    `json:"sequence"`
	At       time.Time `json:"at"`     // UTC, milliseconds
	Event    string    `json:"event"`  // as lifecycle names it, or "resident-registered"
	Person   uint64    `json:"person"` // the registrar's number
	Actor    string    `json:"actor"`
	Role     string    `json:"role"`
	Reason   string    `json:"reason"`
	Before   State     `json:"before"`
	After    State     `json:"after"`
	// Cause is set by reports and releases, Subject is what carries it: a card
	// number or a wallet. Of an entry about a party (its Person is 0) Subject is the
	// party's id, and Digest that of what was kept of it; of "certificate-revoked" it is
	// the number of the certificate, the service's own, or there is List.
	Cause   string `json:"cause,omitempty"`
	Subject string `json:"subject,omitempty"`
	Digest  string `json:"digest,omitempty"`
	// What came into force, and what ended.
	Card            string `json:"card,omitempty"`
	Credential      uint64 `json:"credential,omitempty"`
	Wallet          string `json:"wallet,omitempty"`
	Until           string `json:"until,omitempty"` // RFC 3339
	Copies          []Copy `json:"copies,omitempty"`
	EndedCard       string `json:"ended_card,omitempty"`
	EndedCredential uint64 `json:"ended_credential,omitempty"`
	// List is by which another authority has revoked certificates ("certificate-revoked").
	List *List `json:"list,omitempty"`
	// How an issue came about.
	Channel string `json:"channel,omitempty"`
	Centre  string `json:"centre,omitempty"`
}

// State is the legal state as plain data.
type State struct {
	Card           bool `json:"card"`
	Credential     bool `json:"credential"`
	PhysicalLost   bool `json:"physical_lost"`
	MobileLost     bool `json:"mobile_lost"`
	Administrative bool `json:"administrative"`
	Removed        bool `json:"removed,omitempty"` // by death or emigration
}

// List is a list of revoked certificates by another authority than the service, and what
// of it no list before has named.
type List struct {
	Authority string    `json:"authority"` // its name, cut to a hundred characters
	Root      string    `json:"root"`      // SHA-256 of its certificate, in hexadecimal
	Number    string    `json:"number"`    // in decimal
	Made      string    `json:"made"`      // RFC 3339
	Revoked   []Revoked `json:"revoked"`   // a hundred at most: a long list has several entries
}

// Revoked is a certificate on a list.
type Revoked struct {
	Serial string `json:"serial"` // in hexadecimal
	At     string `json:"at"`     // RFC 3339
	Reason string `json:"reason"` // as RFC 5280 §5.3.1 names it
}

// Copy is the place of one copy of a credential in the status lists.
type Copy struct {
	List  uint32 `json:"list"`  // number of the list
	Index uint64 `json:"index"` // place in it, from 0
}

// Line is an entry in its external form, one line of an export. Hash is
// SHA-256 over the previous hash (32 zero bytes before the first entry) and
// the bytes of entry as they stand in the line.
type Line struct {
	Previous string          `json:"previous"`
	Hash     string          `json:"hash"`
	Entry    json.RawMessage `json:"entry"`
}

// Head is the end of a chain.
type Head struct {
	Sequence uint64            // of its last entry; 0 of an empty chain
	Hash     [sha256.Size]byte // of its last entry; zero of an empty chain
}

// Fault says what is wrong with a chain, and at which entry.
type Fault struct {
	Sequence uint64
	What     string
}

// Error says which entry it is, and what is wrong with it.
func (f *Fault) Error() string { return fmt.Sprintf("audit entry %d: %s", f.Sequence, f.What) }

func link(previous [sha256.Size]byte, body []byte) (out [sha256.Size]byte) {
	h := sha256.New()
	h.Write(previous[:])
	h.Write(body)
	h.Sum(out[:0])
	return out
}

// Append adds the entry for a change to the transaction that makes it, and
// returns the sequence number it has given it.
func Append(tx store.Tx, e Entry) (uint64, error) {
	var head Head
	last, err := tx.AuditHead()
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return 0, err
	case len(last.Hash) != sha256.Size:
		return 0, &Fault{last.Sequence, "its hash is malformed, nothing can follow it"}
	default:
		head.Sequence = last.Sequence
		copy(head.Hash[:], last.Hash)
	}
	e.Sequence = head.Sequence + 1
	e.At = e.At.UTC().Truncate(time.Millisecond)
	body, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	hash := link(head.Hash, body)
	return e.Sequence, tx.AppendAudit(store.AuditRecord{Sequence: e.Sequence, Body: body, Hash: hash[:]})
}

// follow checks one link and moves the head.
func (h *Head) follow(sequence uint64, body, hash []byte) error {
	want := h.Sequence + 1
	switch {
	case sequence > want:
		return &Fault{want, fmt.Sprintf("it is missing; %d follows %d", sequence, h.Sequence)}
	case sequence < want:
		return &Fault{sequence, fmt.Sprintf("it stands after %d: entries were reordered or repeated", h.Sequence)}
	}
	var numbered struct {
		Sequence uint64 `json:"sequence"`
	}
	if err := json.Unmarshal(body, &numbered); err != nil || numbered.Sequence != sequence {
		return &Fault{sequence, "it was changed: its text bears another number"}
	}
	next := link(h.Hash, body)
	if !bytes.Equal(next[:], hash) {
		return &Fault{sequence, "it was changed, or the entry before it was: the hashes do not follow"}
	}
	h.Sequence, h.Hash = sequence, next
	return nil
}

// agrees compares the end of a chain with a head kept elsewhere.
func (h Head) agrees(known []Head) error {
	for _, k := range known {
		if h.Sequence < k.Sequence {
			return &Fault{h.Sequence + 1, fmt.Sprintf("it and all after it are missing: entry %d is known", k.Sequence)}
		}
	}
	return nil
}

// Verify walks the whole chain of a register. A known head must lie on it. The
// error is a *Fault if the chain is broken.
func Verify(ctx context.Context, s store.Store, known ...Head) (head Head, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		return r.Audit(1, ^uint64(0), func(a store.AuditRecord) error {
			if err := head.follow(a.Sequence, a.Body, a.Hash); err != nil {
				return err
			}
			return head.passes(known)
		})
	})
	if err == nil {
		err = head.agrees(known)
	}
	return head, err
}

func (h Head) passes(known []Head) error {
	for _, k := range known {
		if k.Sequence == h.Sequence && k.Hash != h.Hash {
			return &Fault{h.Sequence, "the chain up to it was written anew: its hash is not the one that is known"}
		}
	}
	return nil
}

// Export writes the entries from a sequence number on, one Line each.
func Export(ctx context.Context, s store.Store, from uint64, w io.Writer) error {
	from = max(from, 1)
	out := bufio.NewWriter(w)
	err := s.View(ctx, func(r store.Reader) error {
		var previous [sha256.Size]byte
		return r.Audit(from-1, ^uint64(0), func(a store.AuditRecord) error {
			if a.Sequence >= from {
				line, err := written(previous[:], a.Hash, a.Body)
				if err != nil {
					return err
				}
				if _, err := out.Write(append(line, '\n')); err != nil {
					return err
				}
			}
			copy(previous[:], a.Hash)
			return nil
		})
	})
	return errors.Join(err, out.Flush())
}

// written is a line as it stands in an export.
func written(previous, hash, body []byte) ([]byte, error) {
	return json.Marshal(Line{hex.EncodeToString(previous), hex.EncodeToString(hash), body})
}

// maxLine limits one line of an export: an issue of the largest batch.
const maxLine = 1 << 20

// VerifyExport checks a complete export, the first entry included.
func VerifyExport(r io.Reader, known ...Head) (head Head, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return head, &Fault{head.Sequence + 1, "the line is malformed: " + err.Error()}
		}
		var numbered struct {
			Sequence uint64 `json:"sequence"`
		}
		if err := json.Unmarshal(l.Entry, &numbered); err != nil {
			return head, &Fault{head.Sequence + 1, "the entry is malformed: " + err.Error()}
		}
		hash, err := hex.DecodeString(l.Hash)
		if err != nil {
			return head, &Fault{numbered.Sequence, "its hash is malformed"}
		}
		before := head.Hash
		if err := head.follow(numbered.Sequence, l.Entry, hash); err != nil {
			return head, err
		}
		if l.Previous != hex.EncodeToString(before[:]) {
			return head, &Fault{numbered.Sequence, "it names another entry as the one before it"}
		}
		// Another reader must not find another entry in the line: by a name that comes
		// twice, or with other letters, which encoding/json takes for the same.
		if line, err := written(before[:], hash, l.Entry); err != nil || !bytes.Equal(line, lines.Bytes()) {
			return head, &Fault{numbered.Sequence, "its line was written anew: it is not as it is exported"}
		}
		if err := head.passes(known); err != nil {
			return head, err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return head, &Fault{head.Sequence + 1, fmt.Sprintf("its line has more than %d bytes, which none has that is exported", maxLine)}
	} else if err != nil {
		return head, fmt.Errorf("audit export after entry %d: %w", head.Sequence, err)
	}
	return head, head.agrees(known)
}
