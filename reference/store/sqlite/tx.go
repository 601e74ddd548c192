package sqlite

import (
	"errors"
	"fmt"
	"math"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
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

// each calls f for every row; f scans.
func (t *tx) each(query string, args []any, f func(scan func(...any) error) error) error {
	s, err := t.prepare(query)
	if err != nil {
		return t.fail(err)
	}
	var refused error // by f: that is no failure of the database
	err = s.each(args, func(scan func(...any) error) error {
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

func millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

const personColumns = `id, rrn, family_name, given_name, birth_date, sex, address, municipality, centre, state, card, credential, changed`

func (t *tx) Person(id store.PersonID) (p store.Person, err error) {
	if id > math.MaxInt64 {
		return p, store.ErrNotFound
	}
	var birth string
	if err := t.get(`SELECT `+personColumns+` FROM person WHERE id = ?`, []any{int64(id)},
		&p.ID, &p.RRN, &p.FamilyName, &p.GivenName, &birth, &p.Sex, &p.Address, &p.Municipality, &p.Centre, &p.State, &p.Card, &p.Credential, &p.Changed); err != nil {
		return store.Person{}, err
	}
	p.BirthDate, err = time.Parse(time.DateOnly, birth)
	return p, t.fail(err)
}

func (t *tx) PutPerson(p store.Person) error {
	if p.ID > math.MaxInt64 {
		return fmt.Errorf("a person's number must be below 2^63, this is %d", p.ID)
	}
	return t.put(nil, `INSERT INTO person (`+personColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET rrn=excluded.rrn, family_name=excluded.family_name, given_name=excluded.given_name,
		birth_date=excluded.birth_date, sex=excluded.sex, address=excluded.address, municipality=excluded.municipality,
		centre=excluded.centre, state=excluded.state, card=excluded.card, credential=excluded.credential, changed=excluded.changed`,
		int64(p.ID), p.RRN, p.FamilyName, p.GivenName, p.BirthDate.Format(time.DateOnly), p.Sex, p.Address, p.Municipality, p.Centre,
		uint8(p.State), p.Card, int64(p.Credential), int64(p.Changed))
}

func (t *tx) Card(number string) (c store.Card, err error) {
	var issued int64
	err = t.get(`SELECT number, person, chip, template, portrait, issued, ended FROM card WHERE number = ?`, []any{number},
		&c.Number, &c.Person, &c.Chip, &c.Template, &c.Portrait, &issued, &c.Ended)
	c.Issued = moment(issued)
	return c, err
}

func (t *tx) AddCard(c store.Card) error {
	return t.put(store.ErrTaken, `INSERT INTO card (number, person, chip, template, portrait, issued, ended) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		c.Number, int64(c.Person), c.Chip, c.Template, c.Portrait, millis(c.Issued), int64(c.Ended))
}

func (t *tx) PutCard(c store.Card) error {
	return t.put(store.ErrNotFound, `UPDATE card SET chip=?, template=?, portrait=?, issued=?, ended=? WHERE number=? AND person=?`,
		c.Chip, c.Template, c.Portrait, millis(c.Issued), int64(c.Ended), c.Number, int64(c.Person))
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

func (t *tx) Credential(id store.CredentialID) (c store.Credential, err error) {
	var issued, until int64
	err = t.get(`SELECT id, person, card, wallet, issued, until, ended, outdated FROM credential WHERE id = ?`, []any{int64(id)},
		&c.ID, &c.Person, &c.Card, &c.Wallet, &issued, &until, &c.Ended, &c.Outdated)
	c.Issued, c.Until = moment(issued), moment(until)
	return c, err
}

func (t *tx) AddCredential(c store.Credential) (id store.CredentialID, err error) {
	err = t.get(`INSERT INTO credential (person, card, wallet, issued, until, ended, outdated) VALUES (?,?,?,?,?,?,?) RETURNING id`,
		[]any{int64(c.Person), c.Card, c.Wallet, millis(c.Issued), millis(c.Until), int64(c.Ended), int64(c.Outdated)}, &id)
	return id, err
}

func (t *tx) PutCredential(c store.Credential) error {
	return t.put(store.ErrNotFound, `UPDATE credential SET card=?, wallet=?, issued=?, until=?, ended=?, outdated=? WHERE id=? AND person=?`,
		c.Card, c.Wallet, millis(c.Issued), millis(c.Until), int64(c.Ended), int64(c.Outdated), int64(c.ID), int64(c.Person))
}

func (t *tx) Due(at time.Time, limit int) (out []store.CredentialID, err error) {
	err = t.each(`SELECT id FROM credential WHERE ended = 0 AND until <= ? ORDER BY until, id LIMIT ?`, []any{millis(at), limit},
		func(scan func(...any) error) error {
			var id store.CredentialID
			err := scan(&id)
			out = append(out, id)
			return err
		})
	return out, err
}

func (t *tx) Lists() (out []store.List, err error) {
	err = t.each(`SELECT number, size, allotted, secret FROM list ORDER BY number`, nil, func(scan func(...any) error) error {
		var l store.List
		err := scan(&l.Number, &l.Size, &l.Allotted, &l.Secret)
		if len(l.Secret) == 0 {
			l.Secret = nil
		}
		out = append(out, l)
		return err
	})
	return out, err
}

func (t *tx) PutList(l store.List) error {
	if l.Secret == nil {
		l.Secret = []byte{}
	}
	return t.put(nil, `INSERT INTO list (number, size, allotted, secret) VALUES (?,?,?,?) ON CONFLICT (number) DO UPDATE SET allotted=excluded.allotted`,
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

const runColumns = `SELECT e.list, e.place, e.copies, c.id, c.person, p.state, c.ended <> 0, c.outdated <> 0, c.until `

// runSelect joins a run with what its status depends on, so that status is kept
// nowhere twice.
const runSelect = runColumns + `FROM entry e CROSS JOIN credential c ON c.id = e.credential CROSS JOIN person p ON p.id = c.person `

// run is a credential's entries at places that follow each other.
type run struct {
	places.Run
	store.Entry // without an index
}

func scanRun(scan func(...any) error) (r run, err error) {
	var until int64
	err = scan(&r.List, &r.First, &r.Length, &r.Credential, &r.Person, &r.State, &r.Ended, &r.Outdated, &until)
	r.Until = moment(until)
	return r, err
}

// entries calls f for every entry of a run.
func (t *tx) entries(r run, f func(store.Entry) error) error {
	o, err := t.order(r.List)
	if err != nil {
		return err
	}
	for _, r.Index = range o.Indices(r.Run) {
		if err := f(r.Entry); err != nil {
			return err
		}
	}
	return nil
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
	r, err := scanRun(func(to ...any) error {
		return t.get(runSelect+`WHERE e.list = ?1 AND e.place = (SELECT max(place) FROM entry WHERE list = ?1 AND place <= ?2) AND e.place + e.copies > ?2`,
			[]any{list, place}, to...)
	})
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
	var runs []run
	if err := t.each(runSelect+`WHERE e.credential = ?`, []any{int64(id)}, func(scan func(...any) error) error {
		r, err := scanRun(scan)
		runs = append(runs, r)
		return err
	}); err != nil {
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
		if err := t.each(query, []any{list}, func(scan func(...any) error) error {
			r, err := scanRun(scan)
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

func (t *tx) Offer(hash []byte) (o store.Offer, err error) {
	var made int64
	err = t.get(`SELECT hash, person, centre, clerk, made, used FROM offer WHERE hash = ?`, []any{hash},
		&o.Hash, &o.Person, &o.Centre, &o.Clerk, &made, &o.Used)
	o.Made = moment(made)
	return o, err
}

func (t *tx) AddOffer(o store.Offer) error {
	return t.put(store.ErrTaken, `INSERT INTO offer (hash, person, centre, clerk, made, used) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		o.Hash, int64(o.Person), o.Centre, o.Clerk, millis(o.Made), int64(o.Used))
}

func (t *tx) PutOffer(o store.Offer) error {
	return t.put(store.ErrNotFound, `UPDATE offer SET used=? WHERE hash=?`, int64(o.Used), o.Hash)
}

func (t *tx) Challenge(value []byte) (c store.Challenge, err error) {
	var made int64
	err = t.get(`SELECT value, made, used FROM challenge WHERE value = ?`, []any{value}, &c.Value, &made, &c.Used)
	c.Made = moment(made)
	return c, err
}

func (t *tx) AddChallenge(c store.Challenge) error {
	return t.put(store.ErrTaken, `INSERT INTO challenge (value, made, used) VALUES (?,?,?) ON CONFLICT DO NOTHING`, c.Value, millis(c.Made), int64(c.Used))
}

func (t *tx) PutChallenge(c store.Challenge) error {
	return t.put(store.ErrNotFound, `UPDATE challenge SET made=?, used=? WHERE value=?`, millis(c.Made), int64(c.Used), c.Value)
}

func (t *tx) Ticket(kind string, key []byte) (k store.Ticket, err error) {
	var expires int64
	err = t.get(`SELECT kind, key, body, expires FROM ticket WHERE kind = ? AND key = ?`, []any{kind, key}, &k.Kind, &k.Key, &k.Body, &expires)
	k.Expires = moment(expires)
	return k, err
}

func (t *tx) AddTicket(k store.Ticket) error {
	return t.put(store.ErrTaken, `INSERT INTO ticket (kind, key, body, expires) VALUES (?,?,?,?) ON CONFLICT DO NOTHING`, k.Kind, k.Key, k.Body, millis(k.Expires))
}

func (t *tx) PutTicket(k store.Ticket) error {
	return t.put(store.ErrNotFound, `UPDATE ticket SET body=?, expires=? WHERE kind=? AND key=?`, k.Body, millis(k.Expires), k.Kind, k.Key)
}

const partySelect = `SELECT id, role, body, ended FROM party `

func scanParty(scan func(...any) error) (p store.Party, err error) {
	var ended int64
	err = scan(&p.ID, &p.Role, &p.Body, &ended)
	p.Ended = moment(ended)
	return p, err
}

func (t *tx) Party(id string) (store.Party, error) {
	return scanParty(func(to ...any) error { return t.get(partySelect+`WHERE id = ?`, []any{id}, to...) })
}

func (t *tx) Parties() (out []store.Party, err error) {
	err = t.each(partySelect+`ORDER BY id`, nil, func(scan func(...any) error) error {
		p, err := scanParty(scan)
		out = append(out, p)
		return err
	})
	return out, err
}

func (t *tx) PutParty(p store.Party) error {
	return t.put(nil, `INSERT INTO party (id, role, body, ended) VALUES (?,?,?,?) ON CONFLICT (id) DO UPDATE SET role=excluded.role, body=excluded.body, ended=excluded.ended`,
		p.ID, p.Role, p.Body, millis(p.Ended))
}

func (t *tx) UseNonce(hash []byte, expires time.Time) error {
	return t.put(store.ErrTaken, `INSERT INTO used (expires, hash) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM once WHERE hash = ?2) ON CONFLICT DO NOTHING`,
		millis(expires), hash)
}

func (t *tx) UseOnce(hash []byte, until time.Time) error {
	return t.put(store.ErrTaken, `INSERT INTO once (hash, expires) VALUES (?,?) ON CONFLICT DO NOTHING`, hash, millis(until))
}

func (t *tx) Answer(scope, key string) (a store.Answer, err error) {
	var at int64
	err = t.get(`SELECT request, body, at FROM answer WHERE scope = ? AND key = ?`, []any{scope, key}, &a.Request, &a.Body, &at)
	a.At = moment(at)
	return a, err
}

func (t *tx) PutAnswer(scope, key string, a store.Answer) error {
	return t.put(store.ErrTaken, `INSERT INTO answer (scope, key, request, body, at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING`,
		scope, key, a.Request, a.Body, millis(a.At))
}

const reportSelect = `SELECT sequence, person, cause, subject, actor, at FROM report WHERE person = ?`

func scanReport(scan func(...any) error) (r store.Report, err error) {
	var at int64
	err = scan(&r.Sequence, &r.Person, &r.Cause, &r.Subject, &r.Actor, &at)
	r.At = moment(at)
	return r, err
}

func (t *tx) NewestReport(person store.PersonID, cause lifecycle.Causes, subject string) (store.Report, error) {
	return scanReport(func(to ...any) error {
		return t.get(reportSelect+` AND cause = ? AND subject = ? ORDER BY sequence DESC LIMIT 1`, []any{int64(person), uint8(cause), subject}, to...)
	})
}

func (t *tx) Reports(person store.PersonID) (out []store.Report, err error) {
	err = t.each(reportSelect+` ORDER BY sequence`, []any{int64(person)}, func(scan func(...any) error) error {
		r, err := scanReport(scan)
		out = append(out, r)
		return err
	})
	return out, err
}

func (t *tx) AddReport(r store.Report) error {
	return t.put(store.ErrTaken, `INSERT INTO report (sequence, person, cause, subject, actor, at) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		int64(r.Sequence), int64(r.Person), uint8(r.Cause), r.Subject, r.Actor, millis(r.At))
}

func (t *tx) Sequence() (n uint64, err error) {
	err = t.get(`SELECT coalesce(max(sequence), 0) FROM audit`, nil, &n)
	return n, err
}

const auditSelect = `SELECT sequence, body, hash FROM audit `

func (t *tx) AuditHead() (r store.AuditRecord, err error) {
	err = t.get(auditSelect+`ORDER BY sequence DESC LIMIT 1`, nil, &r.Sequence, &r.Body, &r.Hash)
	return r, err
}

func (t *tx) Audit(from, to uint64, f func(store.AuditRecord) error) error {
	to = min(to, math.MaxInt64)
	if from > to {
		return nil
	}
	return t.each(auditSelect+`WHERE sequence BETWEEN ? AND ? ORDER BY sequence`, []any{int64(from), int64(to)}, func(scan func(...any) error) error {
		var r store.AuditRecord
		if err := scan(&r.Sequence, &r.Body, &r.Hash); err != nil {
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
	return t.put(store.ErrTaken, `INSERT INTO audit (sequence, body, hash) VALUES (?,?,?) ON CONFLICT DO NOTHING`, int64(r.Sequence), r.Body, r.Hash)
}

func (t *tx) Forget(before time.Time, limit int) (n int, err error) {
	for _, query := range []string{
		`DELETE FROM used WHERE (expires, hash) IN (SELECT expires, hash FROM used WHERE expires < ? LIMIT ?)`,
		`DELETE FROM once WHERE hash IN (SELECT hash FROM once WHERE expires < ? LIMIT ?)`,
		`DELETE FROM ticket WHERE rowid IN (SELECT rowid FROM ticket WHERE expires < ? LIMIT ?)`,
		`DELETE FROM challenge WHERE value IN (SELECT value FROM challenge WHERE made < ? LIMIT ?)`,
		`DELETE FROM offer WHERE hash IN (SELECT hash FROM offer WHERE made < ? LIMIT ?)`,
		`DELETE FROM answer WHERE rowid IN (SELECT rowid FROM answer WHERE at < ? LIMIT ?)`,
	} {
		d, err := t.run(query, millis(before), limit)
		if err != nil {
			return n, err
		}
		n += int(d)
	}
	return n, nil
}
