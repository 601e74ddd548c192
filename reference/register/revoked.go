package register

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/store"
)

// Revoked is a certificate of the service's own that was taken back.
type Revoked struct {
	Root   string // names whose certificate it was
	Serial string // in hexadecimal
	Why    string // reason and moment, as its list gives them
}

// revokedKept is how long it is remembered which revocations stand in the log: longer than
// any root is used.
const revokedKept = 100 * 365 * 24 * time.Hour

// batchKept is how long it is remembered that a batch of a list was noted: that saves work,
// and nothing is wrong once it is forgotten.
const batchKept = 90 * 24 * time.Hour

// revokedAtOnce limits how many are noted in one commit.
const revokedAtOnce = 100

// NoteRevoked enters into the log that certificates were revoked: each once, whoever notes
// it again, and however late.
func (r *Register) NoteRevoked(ctx context.Context, actor, role string, all []Revoked) error {
	for len(all) > 0 {
		some := all[:min(revokedAtOnce, len(all))]
		all = all[len(some):]
		if err := r.Update(ctx, func(tx store.Tx) error {
			now := r.Now()
			for _, c := range some {
				if !fits(c.Why) || !fits(actor) {
					return ErrTooLong
				}
				if first, err := once(tx, now.Add(revokedKept), "certificate-revoked "+c.Root+" "+c.Serial); err != nil {
					return err
				} else if !first {
					continue
				}
				if _, err := audit.Append(tx, audit.Entry{
					At: now, Event: "certificate-revoked", Actor: actor, Role: role, Reason: c.Why, Subject: c.Serial,
				}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// RevocationList is a list by which another authority has revoked certificates: that of the
// IC cards' signers.
type RevocationList struct {
	Authority string // its name, in words
	Names     string // its name, whichever of its keys has signed
	Root      string // names the certificate of that key
	Number    string
	Made      time.Time
	Revoked   []ListedCertificate // in an order of their own, whatever the list
}

// ListedCertificate is a certificate on a list.
type ListedCertificate struct {
	Serial string // in hexadecimal
	At     time.Time
	Reason string
}

// NoteList enters into the log what a list has revoked that no list of this authority
// has before, whoever notes it again, and however late.
//
// An authority decides how much it revokes, so that it costs not an entry for each
// certificate, but one for each hundred: all are named, and twenty thousand are two hundred entries and
// as many commits, between which others get their turn. The usual list names one more than
// the one before, and is one entry. A batch that was noted as it is costs one look.
func (r *Register) NoteList(ctx context.Context, actor, role string, l RevocationList) error {
	if !fits(actor) {
		return ErrTooLong
	}
	for all := l.Revoked; len(all) > 0; {
		some := all[:min(revokedAtOnce, len(all))]
		all = all[len(some):]
		if err := r.Update(ctx, func(tx store.Tx) error { return noteBatch(tx, r.Now(), actor, role, l, some) }); err != nil {
			return err
		}
	}
	return nil
}

func noteBatch(tx store.Tx, now time.Time, actor, role string, l RevocationList, some []ListedCertificate) error {
	batch := "certificates-listed " + l.Names
	for _, c := range some {
		batch += " " + c.Serial
	}
	if first, err := once(tx, now.Add(batchKept), batch); err != nil || !first {
		return err
	}
	list := audit.List{Authority: brief(l.Authority), Root: l.Root, Number: brief(l.Number), Made: l.Made.UTC().Format(time.RFC3339)}
	for _, c := range some {
		if first, err := once(tx, now.Add(revokedKept), "certificate-listed "+l.Names+" "+c.Serial); err != nil {
			return err
		} else if first {
			list.Revoked = append(list.Revoked, audit.Revoked{Serial: brief(c.Serial), At: c.At.UTC().Format(time.RFC3339), Reason: brief(c.Reason)})
		}
	}
	if len(list.Revoked) == 0 {
		return nil
	}
	_, err := audit.Append(tx, audit.Entry{
		At: now, Event: "certificate-revoked", Actor: actor, Role: role, List: &list,
		Reason: fmt.Sprintf("list %s of %s", list.Number, list.Authority),
	})
	return err
}

// once says whether a text is noted for the first time in all replicas, and remembers it.
func once(tx store.Tx, until time.Time, text string) (first bool, err error) {
	hash := sha256.Sum256([]byte(text))
	err = tx.UseOnce(hash[:], until)
	if errors.Is(err, store.ErrTaken) {
		return false, nil
	}
	return err == nil, err
}

// brief is a text that another authority wrote, as the log may hold it.
func brief(text string) string {
	const most = 100
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar))))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}
