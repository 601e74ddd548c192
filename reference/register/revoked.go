package register

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

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
				hash := sha256.Sum256([]byte("certificate-revoked " + c.Root + " " + c.Serial))
				if err := tx.UseOnce(hash[:], now.Add(revokedKept)); errors.Is(err, store.ErrTaken) {
					continue
				} else if err != nil {
					return err
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
