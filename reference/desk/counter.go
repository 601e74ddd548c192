package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// What follows has no route of its own: the console asks for it.

// maxNumber is the length of a plastic card's number that is typed in, at most.
const maxNumber = 32

func checkNumber(number string) error {
	if number == "" || len(number) > maxNumber || strings.Trim(number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return web.Refuse(http.StatusBadRequest, "bad-number", "A plastic card's number has 1 to %d characters of A-Z, 0-9 and hyphen.", maxNumber)
	}
	return nil
}

// Reissue puts a new plastic card with the photo on record into force; the one
// before ends with all that hung on it.
func (d *Desk) Reissue(ctx context.Context, q register.Request, id store.PersonID, number string, chip bool, why string) (sequence uint64, err error) {
	err = checkNumber(number)
	if err == nil {
		err = reasoned(q.By, why)
	}
	if err != nil {
		return 0, err
	}
	c := issuance.NewCard{Number: number, Chip: chip}
	err = d.o.Register.View(ctx, func(r store.Reader) error {
		p, err := r.Person(id)
		if err != nil {
			return err
		}
		if p.State&lifecycle.Removed != 0 {
			return refused(lifecycle.NoLongerResident)
		}
		if p.Card == "" {
			return web.Refuse(http.StatusConflict, "no-plastic-card", "The resident has no plastic card whose photo could be used: the registrar enters a new one with its photo.")
		}
		before, err := r.Card(p.Card)
		if err != nil {
			return err
		}
		c.Portrait = before.Portrait
		c.Template, err = face.ParseTemplate(before.Template)
		return err
	})
	if err != nil {
		return 0, explain(err)
	}
	return changed(d.o.Issuance.RegisterCard(ctx, issuance.CardRequest{Request: q, Person: id, Card: c, Why: why}))
}

// Change changes what the register says of a resident.
func (d *Desk) Change(ctx context.Context, q register.Request, id store.PersonID, a register.Amendment, why string) (sequence uint64, err error) {
	if a.Municipality != nil {
		if err := municipality(*a.Municipality); err != nil {
			return 0, err
		}
	}
	if a.RRN != nil {
		var p store.Person
		if err := d.o.Register.View(ctx, func(r store.Reader) (err error) { p, err = r.Person(id); return err }); err != nil {
			return 0, explain(err)
		}
		if err := residentNumber(*a.RRN, p.BirthDate); err != nil {
			return 0, err
		}
	}
	if err := reasoned(q.By, why); err != nil {
		return 0, err
	}
	return changed(d.o.Issuance.Amend(ctx, issuance.AmendRequest{Request: q, Person: id, Amendment: a, Why: why}))
}

// End ends everything that a resident holds: death or emigration.
func (d *Desk) End(ctx context.Context, q register.Request, id store.PersonID, why string) (sequence uint64, err error) {
	if err := reasoned(q.By, why); err != nil {
		return 0, err
	}
	return changed(d.o.Issuance.Remove(ctx, issuance.RemovalRequest{Request: q, Person: id, Why: why}))
}

// Log reads at most n entries of the audit log from a sequence number on, and the
// number of the last entry there is.
func (d *Desk) Log(ctx context.Context, from uint64, n int) (entries []audit.Entry, last uint64, err error) {
	err = d.o.Register.View(ctx, func(r store.Reader) error {
		head, err := r.AuditHead()
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		last = head.Sequence
		return r.Audit(from, min(last, from+uint64(n)-1), func(a store.AuditRecord) error {
			var e audit.Entry
			if err := json.Unmarshal(a.Body, &e); err != nil {
				return fmt.Errorf("audit entry %d: %w", a.Sequence, err)
			}
			entries = append(entries, e)
			return nil
		})
	})
	return entries, last, err
}
