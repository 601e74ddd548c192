// Package row is what stands in the columns of the register, in whatever database it is
// kept: in which order a record's columns are asked for, and how a record is made of them.
// Moments are kept in milliseconds since 1970, no moment as 0.
//
// The package may not know a database, nor what a record means.
package row

import (
	"time"

	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
)

// Scan stores the columns of the row at hand behind pointers.
type Scan = func(to ...any) error

// Millis is a moment as it is kept.
func Millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// Moment is what is kept, as a moment (UTC).
func Moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Columns, each in the order in which the function of the same name scans them.
const (
	PersonColumns     = `id, rrn, family_name, given_name, birth_date, sex, address, municipality, centre, state, card, credential, changed`
	SharedColumns     = `person, first`
	CardColumns       = `number, person, chip, template, portrait, issued, ended`
	CredentialColumns = `id, person, card, wallet, issued, until, ended, outdated, document, formats`
	ListColumns       = `number, size, allotted, secret`
	// RunColumns join a run (entry e) with what its status depends on (credential c,
	// person p), so that status is kept nowhere twice.
	RunColumns       = `e.list, e.place, e.copies, c.id, c.person, p.state, c.ended <> 0, c.outdated <> 0, c.until`
	OfferColumns     = `hash, person, centre, clerk, made, used`
	ChallengeColumns = `value, made, used`
	TicketColumns    = `kind, key, body, expires`
	PartyColumns     = `id, role, body, ended`
	AnswerColumns    = `request, body, at`
	ReportColumns    = `sequence, person, cause, subject, actor, at`
	AuditColumns     = `sequence, body, hash`
)

// Person scans PersonColumns.
func Person(scan Scan) (p store.Person, err error) {
	if err := scan(&p.ID, &p.RRN, &p.FamilyName, &p.GivenName, &p.BirthDate, &p.Sex, &p.Address, &p.Municipality, &p.Centre,
		&p.State, &p.Card, &p.Credential, &p.Changed); err != nil {
		return store.Person{}, err
	}
	return p, nil
}

// Shared scans SharedColumns.
func Shared(scan Scan) (s store.Shared, err error) {
	err = scan(&s.Person, &s.First)
	return s, err
}

// Card scans CardColumns.
func Card(scan Scan) (c store.Card, err error) {
	var issued int64
	err = scan(&c.Number, &c.Person, &c.Chip, &c.Template, &c.Portrait, &issued, &c.Ended)
	c.Issued = Moment(issued)
	return c, err
}

// Credential scans CredentialColumns.
func Credential(scan Scan) (c store.Credential, err error) {
	var issued, until int64
	err = scan(&c.ID, &c.Person, &c.Card, &c.Wallet, &issued, &until, &c.Ended, &c.Outdated, &c.Document, &c.Formats)
	c.Issued, c.Until = Moment(issued), Moment(until)
	return c, err
}

// ID scans the number of a credential.
func ID(scan Scan) (id store.CredentialID, err error) {
	err = scan(&id)
	return id, err
}

// List scans ListColumns.
func List(scan Scan) (l store.List, err error) {
	err = scan(&l.Number, &l.Size, &l.Allotted, &l.Secret)
	if len(l.Secret) == 0 {
		l.Secret = nil
	}
	return l, err
}

// A Run is a credential's entries at places that follow each other in the order of their
// list.
type Run struct {
	places.Run
	store.Entry // without an index
}

// Entries scans RunColumns.
func Entries(scan Scan) (r Run, err error) {
	var until int64
	err = scan(&r.List, &r.First, &r.Length, &r.Credential, &r.Person, &r.State, &r.Ended, &r.Outdated, &until)
	r.Until = Moment(until)
	return r, err
}

// Each calls f for every entry of a run in its list's order.
func (r Run) Each(o places.Order, f func(store.Entry) error) error {
	for _, r.Index = range o.Indices(r.Run) {
		if err := f(r.Entry); err != nil {
			return err
		}
	}
	return nil
}

// Offer scans OfferColumns.
func Offer(scan Scan) (o store.Offer, err error) {
	var made int64
	err = scan(&o.Hash, &o.Person, &o.Centre, &o.Clerk, &made, &o.Used)
	o.Made = Moment(made)
	return o, err
}

// Challenge scans ChallengeColumns.
func Challenge(scan Scan) (c store.Challenge, err error) {
	var made int64
	err = scan(&c.Value, &made, &c.Used)
	c.Made = Moment(made)
	return c, err
}

// Ticket scans TicketColumns.
func Ticket(scan Scan) (k store.Ticket, err error) {
	var expires int64
	err = scan(&k.Kind, &k.Key, &k.Body, &expires)
	k.Expires = Moment(expires)
	return k, err
}

// Party scans PartyColumns.
func Party(scan Scan) (p store.Party, err error) {
	var ended int64
	err = scan(&p.ID, &p.Role, &p.Body, &ended)
	p.Ended = Moment(ended)
	return p, err
}

// Answer scans AnswerColumns.
func Answer(scan Scan) (a store.Answer, err error) {
	var at int64
	err = scan(&a.Request, &a.Body, &at)
	a.At = Moment(at)
	return a, err
}

// Report scans ReportColumns.
func Report(scan Scan) (r store.Report, err error) {
	var at int64
	err = scan(&r.Sequence, &r.Person, &r.Cause, &r.Subject, &r.Actor, &at)
	r.At = Moment(at)
	return r, err
}

// Audit scans AuditColumns.
func Audit(scan Scan) (r store.AuditRecord, err error) {
	err = scan(&r.Sequence, &r.Body, &r.Hash)
	return r, err
}
