package sqlite

import (
	"errors"
	"fmt"
	"math"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/internal/row"
)

// tx implements store.Tx on a connection on which a transaction has begun.
type tx struct {
	*conn
	broken error // the first failure of the database itself
}

var _ store.Tx = (*tx)(nil)

func (t *tx) fail(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrTaken) {
		return err
	}
	if t.broken == nil {
		t.broken = err
	}
	return plain(err)
}

// get scans one row.
func (t *tx) get(query string, args []any, to ...any) error {
	s, err := t.prepare(query)
	if err == nil {
		err = s.row(args, to)
	}
	return t.fail(err)
}

// one is the record that a query asks for.
func one[R any](t *tx, scan func(row.Scan) (R, error), query string, args ...any) (R, error) {
	return scan(func(to ...any) error { return t.get(query, args, to...) })
}

// all are the records that a query asks for.
func all[R any](t *tx, scan func(row.Scan) (R, error), query string, args ...any) (out []R, err error) {
	err = t.each(query, args, func(s row.Scan) error {
		r, err := scan(s)
		out = append(out, r)
		return err
	})
	return out, err
}

// each calls f for every row; f scans.
func (t *tx) each(query string, args []any, f func(row.Scan) error) error {
	s, err := t.prepare(query)
	if err != nil {
		return t.fail(err)
	}
	var refused error // by f: that is no failure of the database
	err = s.each(args, func(scan row.Scan) error {
		refused = f(scan)
		return refused
	})
	if refused != nil {
		return refused
	}
	return t.fail(err)
}

// run says how many rows a statement changed.
func (t *tx) run(query string, args ...any) (int64, error) {
	s, err := t.prepare(query)
	if err != nil {
		return 0, t.fail(err)
	}
	n, err := s.run(args)
	return n, t.fail(err)
}

// put runs a statement that must change a row.
func (t *tx) put(otherwise error, query string, args ...any) error {
	n, err := t.run(query, args...)
	if err == nil && n == 0 {
		err = t.fail(otherwise)
	}
	return err
}

func (t *tx) Person(id store.PersonID) (store.Person, error) {
	if id > math.MaxInt64 {
		return store.Person{}, store.ErrNotFound
	}
	return one(t, row.Person, `SELECT `+row.PersonColumns+` FROM person WHERE id = ?`, int64(id))
}

func (t *tx) PutPerson(p store.Person) error {
	if p.ID > math.MaxInt64 {
		return fmt.Errorf("a person's number must be below 2^63, this is %d", p.ID)
	}
	return t.put(nil, `INSERT INTO person (`+row.PersonColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET rrn=excluded.rrn, family_name=excluded.family_name, given_name=excluded.given_name,
		birth_date=excluded.birth_date, sex=excluded.sex, address=excluded.address, municipality=excluded.municipality,
		centre=excluded.centre, state=excluded.state, card=excluded.card, credential=excluded.credential, changed=excluded.changed`,
		int64(p.ID), p.RRN, p.FamilyName, p.GivenName, p.BirthDate.Format(time.DateOnly), p.Sex, p.Address, p.Municipality, p.Centre,
		uint8(p.State), p.Card, int64(p.Credential), int64(p.Changed))
}

func (t *tx) PersonByRRN(rrn string) (id store.PersonID, err error) {
	err = t.get(`SELECT person FROM rrn WHERE number = ?`, []any{rrn}, &id)
	return id, err
}

func (t *tx) AddRRN(rrn string, person store.PersonID) error {
	return t.put(store.ErrTaken, `INSERT INTO rrn (number, person) VALUES (?,?) ON CONFLICT DO NOTHING`, rrn, int64(person))
}

func (t *tx) MoveRRN(rrn string, from, to store.PersonID) error {
	return t.put(store.ErrNotFound, `UPDATE rrn SET person = ? WHERE number = ? AND person = ?`, int64(to), rrn, int64(from))
}

func (t *tx) FreeRRN(rrn string, person store.PersonID) error {
	if err := t.put(nil, `DELETE FROM shared_rrn WHERE person = ?`, int64(person)); err != nil {
		return err
	}
	var next store.PersonID
	err := t.get(`SELECT s.person FROM shared_rrn s JOIN person p ON p.id = s.person WHERE p.rrn = ? ORDER BY s.person LIMIT 1`, []any{rrn}, &next)
	if errors.Is(err, store.ErrNotFound) {
		return t.put(nil, `DELETE FROM rrn WHERE number = ? AND person = ?`, rrn, int64(person))
	}
	if err != nil {
		return err
	}
	if err := t.MoveRRN(rrn, person, next); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil // it is somebody else's
		}
		return err
	}
	if err := t.put(nil, `DELETE FROM shared_rrn WHERE person = ?`, int64(next)); err != nil {
		return err
	}
	return t.put(nil, `UPDATE shared_rrn SET first = ? WHERE first = ?`, int64(next), int64(person))
}

func (t *tx) SharedRRNs(limit int) ([]store.Shared, error) {
	return all(t, row.Shared, `SELECT `+row.SharedColumns+` FROM shared_rrn ORDER BY person LIMIT ?`, limit)
}

func (t *tx) Card(number string) (store.Card, error) {
	return one(t, row.Card, `SELECT `+row.CardColumns+` FROM card WHERE number = ?`, number)
}

func (t *tx) AddCard(c store.Card) error {
	return t.put(store.ErrTaken, `INSERT INTO card (`+row.CardColumns+`) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		c.Number, int64(c.Person), c.Chip, c.Template, c.Portrait, row.Millis(c.Issued), int64(c.Ended))
}

func (t *tx) PutCard(c store.Card) error {
	return t.put(store.ErrNotFound, `UPDATE card SET chip=?, template=?, portrait=?, issued=?, ended=? WHERE number=? AND person=?`,
		c.Chip, c.Template, c.Portrait, row.Millis(c.Issued), int64(c.Ended), c.Number, int64(c.Person))
}

func (t *tx) Wallet(person store.PersonID, id string) (store.Wallet, error) {
	w := store.Wallet{ID: id, Person: person}
	err := t.get(`SELECT lost FROM wallet WHERE person = ? AND id = ?`, []any{int64(person), id}, &w.Lost)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return w, err
}

func (t *tx) PutWallet(w store.Wallet) error {
	return t.put(nil, `INSERT INTO wallet (id, person, lost) VALUES (?,?,?) ON CONFLICT DO UPDATE SET lost=excluded.lost`,
		w.ID, int64(w.Person), int64(w.Lost))
}

func (t *tx) Credential(id store.CredentialID) (store.Credential, error) {
	if id > math.MaxInt64 {
		return store.Credential{}, store.ErrNotFound
	}
	return one(t, row.Credential, `SELECT `+row.CredentialColumns+` FROM credential WHERE id = ?`, int64(id))
}

func (t *tx) AddCredential(c store.Credential) (id store.CredentialID, err error) {
	err = t.get(`INSERT INTO credential (person, card, wallet, issued, until, ended, outdated, document, formats) VALUES (?,?,?,?,?,?,?,?,?) RETURNING id`,
		[]any{int64(c.Person), c.Card, c.Wallet, row.Millis(c.Issued), row.Millis(c.Until), int64(c.Ended), int64(c.Outdated), c.Document, c.Formats}, &id)
	return id, err
}

func (t *tx) PutCredential(c store.Credential) error {
	return t.put(store.ErrNotFound, `UPDATE credential SET card=?, wallet=?, issued=?, until=?, ended=?, outdated=?, document=?, formats=? WHERE id=? AND person=?`,
		c.Card, c.Wallet, row.Millis(c.Issued), row.Millis(c.Until), int64(c.Ended), int64(c.Outdated), c.Document, c.Formats, int64(c.ID), int64(c.Person))
}

func (t *tx) Due(at time.Time, limit int) ([]store.CredentialID, error) {
	return all(t, row.ID, `SELECT id FROM credential WHERE ended = 0 AND until <= ? ORDER BY until, id LIMIT ?`, row.Millis(at), limit)
}

func (t *tx) Lists() ([]store.List, error) {
	return all(t, row.List, `SELECT `+row.ListColumns+` FROM list ORDER BY number`)
}

func (t *tx) PutList(l store.List) error {
	if l.Secret == nil {
		l.Secret = []byte{}
	}
	return t.put(nil, `INSERT INTO list (`+row.ListColumns+`) VALUES (?,?,?,?) ON CONFLICT (number) DO UPDATE SET allotted=excluded.allotted`,
		l.Number, int64(l.Size), int64(l.Allotted), l.Secret)
}

// order is that of a list's places.
func (t *tx) order(list uint32) (places.Order, error) {
	o, ok := t.orders[list]
	if ok {
		return o, nil
	}
	var size uint64
	var secret []byte
	err := t.get(`SELECT size, secret FROM list WHERE number = ?`, []any{list}, &size, &secret)
	if err == nil {
		o, err = places.New(secret, size)
	}
	if err == nil {
		t.orders[list] = o
	}
	return o, err
}

const runColumns = `SELECT ` + row.RunColumns + ` `

const runSelect = runColumns + `FROM entry e CROSS JOIN credential c ON c.id = e.credential CROSS JOIN person p ON p.id = c.person `

// entries calls f for every entry of a run.
func (t *tx) entries(r row.Run, f func(store.Entry) error) error {
	o, err := t.order(r.List)
	if err != nil {
		return err
	}
	return r.Each(o, f)
}

func (t *tx) Entry(list uint32, index uint64) (store.Entry, error) {
	o, err := t.order(list)
	if err != nil {
		return store.Entry{}, err
	}
	runs, err := o.Runs([]uint64{index})
	if err != nil {
		return store.Entry{}, store.ErrNotFound
	}
	place := int64(runs[0].First)
	r, err := one(t, row.Entries, runSelect+`WHERE e.list = ?1 AND e.place = (SELECT max(place) FROM entry WHERE list = ?1 AND place <= ?2) AND e.place + e.copies > ?2`,
		list, place)
	if err != nil {
		return store.Entry{}, err
	}
	r.Index = index
	return r.Entry, nil
}

func (t *tx) Free(list uint32, indices []uint64) (bool, error) {
	o, err := t.order(list)
	if err != nil {
		return false, err
	}
	runs, err := o.Runs(indices)
	if err != nil {
		return false, err
	}
	return t.free(list, runs)
}

// free says whether no run in the list overlaps one of these. They don't overlap each
// other, so it is enough to look at the last that begins before the end.
func (t *tx) free(list uint32, runs []places.Run) (bool, error) {
	for _, r := range runs {
		var taken bool
		err := t.get(`SELECT place + copies > ? FROM entry WHERE list = ? AND place < ? ORDER BY place DESC LIMIT 1`,
			[]any{int64(r.First), list, int64(r.First + r.Length)}, &taken)
		if taken || err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return true, nil
}

func (t *tx) AddEntries(list uint32, indices []uint64, id store.CredentialID) error {
	o, err := t.order(list)
	if err != nil {
		return err
	}
	runs, err := o.Runs(indices)
	if err != nil {
		return err
	}
	if free, err := t.free(list, runs); err != nil {
		return err
	} else if !free {
		return store.ErrTaken
	}
	for _, r := range runs {
		if err := t.put(nil, `INSERT INTO entry (list, place, copies, credential) VALUES (?,?,?,?)`,
			list, int64(r.First), int64(r.Length), int64(id)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) EntriesOf(id store.CredentialID) (out []store.Entry, err error) {
	runs, err := all(t, row.Entries, runSelect+`WHERE e.credential = ?`, int64(id))
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if err := t.entries(r, func(e store.Entry) error {
			out = append(out, e)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *tx) NotPlainlyValid(list uint32, f func(store.Entry) error) error {
	for _, query := range []string{
		runColumns + `FROM credential c CROSS JOIN entry e ON e.credential = c.id CROSS JOIN person p ON p.id = c.person
			WHERE c.ended <> 0 AND e.list = ?`,
		runColumns + `FROM person p CROSS JOIN credential c ON c.id = p.credential CROSS JOIN entry e ON e.credential = c.id
			WHERE p.state & 7 <> 0 AND c.ended = 0 AND e.list = ?`,
		runColumns + `FROM credential c CROSS JOIN entry e ON e.credential = c.id CROSS JOIN person p ON p.id = c.person
			WHERE c.outdated <> 0 AND c.ended = 0 AND p.state & 7 = 0 AND e.list = ?`,
	} {
		if err := t.each(query, []any{list}, func(scan row.Scan) error {
			r, err := row.Entries(scan)
			if err != nil {
				return err
			}
			return t.entries(r, f)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) Offer(hash []byte) (store.Offer, error) {
	return one(t, row.Offer, `SELECT `+row.OfferColumns+` FROM offer WHERE hash = ?`, hash)
}

func (t *tx) AddOffer(o store.Offer) error {
	return t.put(store.ErrTaken, `INSERT INTO offer (`+row.OfferColumns+`) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		o.Hash, int64(o.Person), o.Centre, o.Clerk, row.Millis(o.Made), int64(o.Used))
}

func (t *tx) PutOffer(o store.Offer) error {
	return t.put(store.ErrNotFound, `UPDATE offer SET used=? WHERE hash=?`, int64(o.Used), o.Hash)
}

func (t *tx) Challenge(value []byte) (store.Challenge, error) {
	return one(t, row.Challenge, `SELECT `+row.ChallengeColumns+` FROM challenge WHERE value = ?`, value)
}

func (t *tx) AddChallenge(c store.Challenge) error {
	return t.put(store.ErrTaken, `INSERT INTO challenge (`+row.ChallengeColumns+`) VALUES (?,?,?) ON CONFLICT DO NOTHING`, c.Value, row.Millis(c.Made), int64(c.Used))
}

func (t *tx) PutChallenge(c store.Challenge) error {
	return t.put(store.ErrNotFound, `UPDATE challenge SET made=?, used=? WHERE value=?`, row.Millis(c.Made), int64(c.Used), c.Value)
}

func (t *tx) Ticket(kind string, key []byte) (store.Ticket, error) {
	return one(t, row.Ticket, `SELECT `+row.TicketColumns+` FROM ticket WHERE kind = ? AND key = ?`, kind, key)
}

func (t *tx) AddTicket(k store.Ticket) error {
	return t.put(store.ErrTaken, `INSERT INTO ticket (`+row.TicketColumns+`) VALUES (?,?,?,?) ON CONFLICT DO NOTHING`, k.Kind, k.Key, k.Body, row.Millis(k.Expires))
}

func (t *tx) PutTicket(k store.Ticket) error {
	return t.put(store.ErrNotFound, `UPDATE ticket SET body=?, expires=? WHERE kind=? AND key=?`, k.Body, row.Millis(k.Expires), k.Kind, k.Key)
}

func (t *tx) Party(id string) (store.Party, error) {
	return one(t, row.Party, `SELECT `+row.PartyColumns+` FROM party WHERE id = ?`, id)
}

func (t *tx) Parties() ([]store.Party, error) {
	return all(t, row.Party, `SELECT `+row.PartyColumns+` FROM party ORDER BY id`)
}

func (t *tx) PutParty(p store.Party) error {
	return t.put(nil, `INSERT INTO party (`+row.PartyColumns+`) VALUES (?,?,?,?) ON CONFLICT (id) DO UPDATE SET role=excluded.role, body=excluded.body, ended=excluded.ended`,
		p.ID, p.Role, p.Body, row.Millis(p.Ended))
}

func (t *tx) UseNonce(hash []byte, expires time.Time) error {
	return t.put(store.ErrTaken, `INSERT INTO used (expires, hash) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM once WHERE hash = ?2) ON CONFLICT DO NOTHING`,
		row.Millis(expires), hash)
}

func (t *tx) UseOnce(hash []byte, until time.Time) error {
	return t.put(store.ErrTaken, `INSERT INTO once (hash, expires) VALUES (?,?) ON CONFLICT DO NOTHING`, hash, row.Millis(until))
}

func (t *tx) Answer(scope, key string) (store.Answer, error) {
	return one(t, row.Answer, `SELECT `+row.AnswerColumns+` FROM answer WHERE scope = ? AND key = ?`, scope, key)
}

func (t *tx) PutAnswer(scope, key string, a store.Answer) error {
	return t.put(store.ErrTaken, `INSERT INTO answer (scope, key, request, body, at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING`,
		scope, key, a.Request, a.Body, row.Millis(a.At))
}

const reportSelect = `SELECT ` + row.ReportColumns + ` FROM report WHERE person = ?`

func (t *tx) NewestReport(person store.PersonID, cause lifecycle.Causes, subject string) (store.Report, error) {
	return one(t, row.Report, reportSelect+` AND cause = ? AND subject = ? ORDER BY sequence DESC LIMIT 1`, int64(person), uint8(cause), subject)
}

func (t *tx) Reports(person store.PersonID) ([]store.Report, error) {
	return all(t, row.Report, reportSelect+` ORDER BY sequence`, int64(person))
}

func (t *tx) AddReport(r store.Report) error {
	return t.put(store.ErrTaken, `INSERT INTO report (`+row.ReportColumns+`) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		int64(r.Sequence), int64(r.Person), uint8(r.Cause), r.Subject, r.Actor, row.Millis(r.At))
}

func (t *tx) Sequence() (n uint64, err error) {
	err = t.get(`SELECT coalesce(max(sequence), 0) FROM audit`, nil, &n)
	return n, err
}

const auditSelect = `SELECT ` + row.AuditColumns + ` FROM audit `

func (t *tx) AuditHead() (store.AuditRecord, error) {
	return one(t, row.Audit, auditSelect+`ORDER BY sequence DESC LIMIT 1`)
}

func (t *tx) Audit(from, to uint64, f func(store.AuditRecord) error) error {
	to = min(to, math.MaxInt64)
	if from > to {
		return nil
	}
	return t.each(auditSelect+`WHERE sequence BETWEEN ? AND ? ORDER BY sequence`, []any{int64(from), int64(to)}, func(scan row.Scan) error {
		r, err := row.Audit(scan)
		if err != nil {
			return err
		}
		return f(r)
	})
}

func (t *tx) AppendAudit(r store.AuditRecord) error {
	last, err := t.Sequence()
	if err != nil {
		return err
	}
	if r.Sequence != last+1 {
		return fmt.Errorf("the audit entry after %d must be %d, not %d", last, last+1, r.Sequence)
	}
	return t.put(store.ErrTaken, `INSERT INTO audit (`+row.AuditColumns+`) VALUES (?,?,?) ON CONFLICT DO NOTHING`, int64(r.Sequence), r.Body, r.Hash)
}

func (t *tx) Forget(before, over time.Time, limit int) (n int, err error) {
	for _, kind := range []struct {
		query  string
		before time.Time
	}{
		{`DELETE FROM used WHERE (expires, hash) IN (SELECT expires, hash FROM used WHERE expires < ? LIMIT ?)`, before},
		{`DELETE FROM once WHERE hash IN (SELECT hash FROM once WHERE expires < ? LIMIT ?)`, before},
		{`DELETE FROM ticket WHERE rowid IN (SELECT rowid FROM ticket WHERE expires < ? LIMIT ?)`, over},
		{`DELETE FROM challenge WHERE value IN (SELECT value FROM challenge WHERE made < ? LIMIT ?)`, before},
		{`DELETE FROM offer WHERE hash IN (SELECT hash FROM offer WHERE made < ? LIMIT ?)`, before},
		{`DELETE FROM answer WHERE rowid IN (SELECT rowid FROM answer WHERE at < ? LIMIT ?)`, before},
	} {
		d, err := t.run(kind.query, row.Millis(kind.before), limit)
		if err != nil {
			return n, err
		}
		n += int(d)
	}
	return n, nil
}
