package postgres

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/internal/row"
)

// tx implements store.Tx on a link on which a transaction has begun.
type tx struct {
	*link
	broken error // the first failure of the database itself
	// chain is for who writes: it holds the lock, so nobody else moves the end of
	// the audit chain. Readers ask the database.
	chain *chain
}

// chain is the end of the audit chain in a transaction that writes.
type chain struct {
	known   bool
	end     store.AuditRecord
	granted store.AuditRecord // the end before the request under way
}

// head is the end of the chain; its sequence number is 0 before the first entry.
func (t *tx) head() (r store.AuditRecord, err error) {
	if t.chain != nil {
		if !t.chain.known { // it comes with the lock
			if err := t.flush(); err != nil {
				return r, t.fail(err)
			}
		}
		return t.chain.end, nil
	}
	if r, err = one(t, row.Audit, headSelect); errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return r, err
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
	err := t.row(query, args, to...)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return t.fail(err)
}

// one is the record that a query asks for.
func one[R any](t *tx, scan func(row.Scan) (R, error), query string, args ...any) (R, error) {
	return scan(func(to ...any) error { return t.get(query, args, to...) })
}

// all are the records that a query asks for.
func all[R any](t *tx, scan func(row.Scan) (R, error), query string, args ...any) (out []R, err error) {
	err = t.rows(query, args, func(rows pgx.Rows) error {
		r, err := scan(rows.Scan)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, t.fail(err)
	}
	return out, nil
}

// page is how many rows are asked for at a time where there may be very many. No
// statement then takes long, and f may ask for other things.
const page = 1000

// put runs a statement that must change a row.
func (t *tx) put(otherwise error, query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		err = otherwise
	}
	return t.fail(err)
}

// text refuses what PostgreSQL cannot keep as text.
func text(fields ...string) error {
	for _, s := range fields {
		if !keepable(s) {
			return fmt.Errorf("%q cannot be kept: text must be UTF-8 without zero bytes", s)
		}
	}
	return nil
}

func keepable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func (t *tx) Person(id store.PersonID) (store.Person, error) {
	if id > math.MaxInt64 {
		return store.Person{}, store.ErrNotFound
	}
	return one(t, row.Person, `SELECT `+row.PersonColumns+` FROM person WHERE id = $1`, int64(id))
}

func (t *tx) PutPerson(p store.Person) error {
	if p.ID > math.MaxInt64 {
		return fmt.Errorf("a person's number must be below 2^63, this is %d", p.ID)
	}
	if err := text(p.RRN, p.FamilyName, p.GivenName, p.Address, p.Municipality, p.Centre, p.Card); err != nil {
		return err
	}
	t.later(`INSERT INTO person (`+row.PersonColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)
		ON CONFLICT (id) DO UPDATE SET rrn=excluded.rrn, family_name=excluded.family_name, given_name=excluded.given_name,
		birth_date=excluded.birth_date, sex=excluded.sex, address=excluded.address, municipality=excluded.municipality,
		centre=excluded.centre, state=excluded.state, card=excluded.card, credential=excluded.credential, changed=excluded.changed`,
		int64(p.ID), p.RRN, p.FamilyName, p.GivenName, p.BirthDate, int16(p.Sex), p.Address, p.Municipality, p.Centre,
		int16(p.State), p.Card, int64(p.Credential), int64(p.Changed))
	return nil
}

func (t *tx) PersonByRRN(rrn string) (id store.PersonID, err error) {
	if !keepable(rrn) {
		return 0, store.ErrNotFound
	}
	err = t.get(`SELECT person FROM rrn WHERE number = $1`, []any{rrn}, &id)
	return id, err
}

func (t *tx) MoveRRN(rrn string, from, to store.PersonID) error {
	if err := text(rrn); err != nil {
		return err
	}
	return t.put(store.ErrNotFound, `UPDATE rrn SET person = $1 WHERE number = $2 AND person = $3`, int64(to), rrn, int64(from))
}

func (t *tx) AddRRN(rrn string, person store.PersonID) error {
	if err := text(rrn); err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO rrn (number, person) VALUES ($1,$2) ON CONFLICT DO NOTHING`, rrn, int64(person))
}

func (t *tx) FreeRRN(rrn string, person store.PersonID) error {
	if err := text(rrn); err != nil {
		return err
	}
	if err := t.put(nil, `DELETE FROM shared_rrn WHERE person = $1`, int64(person)); err != nil {
		return err
	}
	var next store.PersonID
	err := t.get(`SELECT s.person FROM shared_rrn s JOIN person p ON p.id = s.person WHERE p.rrn = $1 ORDER BY s.person LIMIT 1`, []any{rrn}, &next)
	if errors.Is(err, store.ErrNotFound) {
		return t.put(nil, `DELETE FROM rrn WHERE number = $1 AND person = $2`, rrn, int64(person))
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
	if err := t.put(nil, `DELETE FROM shared_rrn WHERE person = $1`, int64(next)); err != nil {
		return err
	}
	return t.put(nil, `UPDATE shared_rrn SET first = $1 WHERE first = $2`, int64(next), int64(person))
}

func (t *tx) SharedRRNs(limit int) ([]store.Shared, error) {
	return all(t, row.Shared, `SELECT `+row.SharedColumns+` FROM shared_rrn ORDER BY person LIMIT $1`, limit)
}

func (t *tx) Card(number string) (store.Card, error) {
	if !keepable(number) {
		return store.Card{}, store.ErrNotFound
	}
	return one(t, row.Card, `SELECT `+row.CardColumns+` FROM card WHERE number = $1`, number)
}

func (t *tx) AddCard(c store.Card) error {
	if err := text(c.Number); err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO card (`+row.CardColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7) ON CONFLICT DO NOTHING`,
		c.Number, int64(c.Person), c.Chip, c.Template, c.Portrait, row.Millis(c.Issued), int64(c.Ended))
}

func (t *tx) PutCard(c store.Card) error {
	if !keepable(c.Number) {
		return store.ErrNotFound
	}
	return t.put(store.ErrNotFound, `UPDATE card SET chip=$1, template=$2, portrait=$3, issued=$4, ended=$5 WHERE number=$6 AND person=$7`,
		c.Chip, c.Template, c.Portrait, row.Millis(c.Issued), int64(c.Ended), c.Number, int64(c.Person))
}

func (t *tx) Wallet(person store.PersonID, id string) (store.Wallet, error) {
	w := store.Wallet{ID: id, Person: person}
	if !keepable(id) {
		return w, nil
	}
	err := t.get(`SELECT lost FROM wallet WHERE person = $1 AND id = $2`, []any{int64(person), id}, &w.Lost)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return w, err
}

func (t *tx) PutWallet(w store.Wallet) error {
	if err := text(w.ID); err != nil {
		return err
	}
	t.later(`INSERT INTO wallet (id, person, lost) VALUES ($1,$2,$3) ON CONFLICT (person, id) DO UPDATE SET lost=excluded.lost`,
		w.ID, int64(w.Person), int64(w.Lost))
	return nil
}

func (t *tx) Credential(id store.CredentialID) (store.Credential, error) {
	if id > math.MaxInt64 {
		return store.Credential{}, store.ErrNotFound
	}
	return one(t, row.Credential, `SELECT `+row.CredentialColumns+` FROM credential WHERE id = $1`, int64(id))
}

// AddCredential gives the next number under the lock, so that there is no gap and
// the order is that of the commits; a sequence of PostgreSQL promises neither.
func (t *tx) AddCredential(c store.Credential) (id store.CredentialID, err error) {
	if err := text(c.Card, c.Wallet, c.Document, c.Formats); err != nil {
		return 0, err
	}
	err = t.get(`INSERT INTO credential (`+row.CredentialColumns+`)
		SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM credential RETURNING id`,
		[]any{int64(c.Person), c.Card, c.Wallet, row.Millis(c.Issued), row.Millis(c.Until), int64(c.Ended), int64(c.Outdated), c.Document, c.Formats}, &id)
	return id, err
}

func (t *tx) PutCredential(c store.Credential) error {
	if err := text(c.Card, c.Wallet, c.Document, c.Formats); err != nil {
		return err
	}
	return t.put(store.ErrNotFound, `UPDATE credential SET card=$1, wallet=$2, issued=$3, until=$4, ended=$5, outdated=$6, document=$7, formats=$8 WHERE id=$9 AND person=$10`,
		c.Card, c.Wallet, row.Millis(c.Issued), row.Millis(c.Until), int64(c.Ended), int64(c.Outdated), c.Document, c.Formats, int64(c.ID), int64(c.Person))
}

func (t *tx) Due(at time.Time, limit int) ([]store.CredentialID, error) {
	return all(t, row.ID, `SELECT id FROM credential WHERE ended = 0 AND until <= $1 ORDER BY until, id LIMIT $2`, row.Millis(at), limit)
}

func (t *tx) Lists() ([]store.List, error) {
	return all(t, row.List, `SELECT `+row.ListColumns+` FROM list ORDER BY number`)
}

func (t *tx) PutList(l store.List) error {
	if l.Secret == nil {
		l.Secret = []byte{}
	}
	t.later(`INSERT INTO list (`+row.ListColumns+`) VALUES ($1,$2,$3,$4) ON CONFLICT (number) DO UPDATE SET allotted=excluded.allotted`,
		int64(l.Number), int64(l.Size), int64(l.Allotted), l.Secret)
	return nil
}

// order is that of a list's places.
func (t *tx) order(list uint32) (places.Order, error) {
	o, ok := t.orders[list]
	if ok {
		return o, nil
	}
	var size uint64
	var secret []byte
	err := t.get(`SELECT size, secret FROM list WHERE number = $1`, []any{int64(list)}, &size, &secret)
	if err == nil {
		o, err = places.New(secret, size)
	}
	if err == nil {
		t.orders[list] = o
	}
	return o, err
}

const runColumns = `SELECT ` + row.RunColumns + ` `

const runSelect = runColumns + `FROM entry e JOIN credential c ON c.id = e.credential JOIN person p ON p.id = c.person `

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
	r, err := one(t, row.Entries, runSelect+`WHERE e.list = $1 AND e.place = (SELECT max(place) FROM entry WHERE list = $1 AND place <= $2) AND e.place + e.copies > $2`,
		int64(list), place)
	if err != nil {
		return store.Entry{}, err
	}
	r.Index = index
	return r.Entry, nil
}

// overlapping is a run that begins before the end of one of those in $2 and $3 and
// ends after its beginning. Runs in the table don't overlap each other, so it is enough
// to look at the last that begins before the end.
const overlapping = `FROM unnest($2::bigint[], $3::bigint[]) AS new (place, copies)
	WHERE (SELECT e.place + e.copies FROM entry e WHERE e.list = $1 AND e.place < new.place + new.copies ORDER BY e.place DESC LIMIT 1) > new.place`

// runs are those of indices of a list, as firsts and lengths.
func (t *tx) runs(list uint32, indices []uint64) (firsts, lengths []int64, err error) {
	o, err := t.order(list)
	if err != nil {
		return nil, nil, err
	}
	runs, err := o.Runs(indices)
	for _, r := range runs {
		firsts, lengths = append(firsts, int64(r.First)), append(lengths, int64(r.Length))
	}
	return firsts, lengths, err
}

func (t *tx) Free(list uint32, indices []uint64) (free bool, err error) {
	firsts, lengths, err := t.runs(list, indices)
	if err != nil {
		return false, err
	}
	err = t.get(`SELECT NOT EXISTS (SELECT `+overlapping+`)`, []any{int64(list), firsts, lengths}, &free)
	return free, err
}

func (t *tx) AddEntries(list uint32, indices []uint64, id store.CredentialID) error {
	firsts, lengths, err := t.runs(list, indices)
	if err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO entry (list, place, copies, credential)
		SELECT $1, place, copies, $4 FROM unnest($2::bigint[], $3::bigint[]) AS given (place, copies) WHERE NOT EXISTS (SELECT `+overlapping+`)`,
		int64(list), firsts, lengths, int64(id))
}

func (t *tx) EntriesOf(id store.CredentialID) (out []store.Entry, err error) {
	runs, err := all(t, row.Entries, runSelect+`WHERE e.credential = $1`, int64(id))
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

func byCredential(r row.Run) int64 { return int64(r.Credential) }
func byPerson(r row.Run) int64     { return int64(r.Person) }

func (t *tx) NotPlainlyValid(list uint32, f func(store.Entry) error) error {
	for _, part := range []struct {
		query string
		key   func(row.Run) int64 // by which it is ordered
	}{
		{runColumns + `FROM credential c JOIN entry e ON e.credential = c.id JOIN person p ON p.id = c.person
			WHERE c.ended <> 0 AND e.list = $1 AND (c.id, e.place) > ($2, $3) ORDER BY c.id, e.place LIMIT $4`, byCredential},
		{runColumns + `FROM person p JOIN credential c ON c.id = p.credential JOIN entry e ON e.credential = c.id
			WHERE p.state & 7 <> 0 AND c.ended = 0 AND e.list = $1 AND (p.id, e.place) > ($2, $3) ORDER BY p.id, e.place LIMIT $4`, byPerson},
		{runColumns + `FROM credential c JOIN entry e ON e.credential = c.id JOIN person p ON p.id = c.person
			WHERE c.outdated <> 0 AND c.ended = 0 AND p.state & 7 = 0 AND e.list = $1 AND (c.id, e.place) > ($2, $3) ORDER BY c.id, e.place LIMIT $4`, byCredential},
	} {
		after, place := int64(-1), int64(-1)
		for more := true; more; {
			runs, err := all(t, row.Entries, part.query, int64(list), after, place, page)
			if err != nil {
				return err
			}
			for _, r := range runs {
				if err := t.entries(r, f); err != nil {
					return err
				}
			}
			if more = len(runs) == page; more {
				last := runs[page-1]
				after, place = part.key(last), int64(last.First)
			}
		}
	}
	return nil
}

func (t *tx) Offer(hash []byte) (store.Offer, error) {
	return one(t, row.Offer, `SELECT `+row.OfferColumns+` FROM offer WHERE hash = $1`, hash)
}

func (t *tx) AddOffer(o store.Offer) error {
	if err := text(o.Centre, o.Clerk); err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO offer (`+row.OfferColumns+`) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING`,
		o.Hash, int64(o.Person), o.Centre, o.Clerk, row.Millis(o.Made), int64(o.Used))
}

func (t *tx) PutOffer(o store.Offer) error {
	return t.put(store.ErrNotFound, `UPDATE offer SET used=$1 WHERE hash=$2`, int64(o.Used), o.Hash)
}

func (t *tx) Challenge(value []byte) (store.Challenge, error) {
	return one(t, row.Challenge, `SELECT `+row.ChallengeColumns+` FROM challenge WHERE value = $1`, value)
}

func (t *tx) AddChallenge(c store.Challenge) error {
	return t.put(store.ErrTaken, `INSERT INTO challenge (`+row.ChallengeColumns+`) VALUES ($1,$2,$3) ON CONFLICT DO NOTHING`, c.Value, row.Millis(c.Made), int64(c.Used))
}

func (t *tx) PutChallenge(c store.Challenge) error {
	return t.put(store.ErrNotFound, `UPDATE challenge SET made=$1, used=$2 WHERE value=$3`, row.Millis(c.Made), int64(c.Used), c.Value)
}

func (t *tx) Ticket(kind string, key []byte) (store.Ticket, error) {
	if !keepable(kind) {
		return store.Ticket{}, store.ErrNotFound
	}
	return one(t, row.Ticket, `SELECT `+row.TicketColumns+` FROM ticket WHERE kind = $1 AND key = $2`, kind, key)
}

func (t *tx) AddTicket(k store.Ticket) error {
	if err := text(k.Kind); err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO ticket (`+row.TicketColumns+`) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING`, k.Kind, k.Key, k.Body, row.Millis(k.Expires))
}

func (t *tx) PutTicket(k store.Ticket) error {
	if !keepable(k.Kind) {
		return store.ErrNotFound
	}
	return t.put(store.ErrNotFound, `UPDATE ticket SET body=$1, expires=$2 WHERE kind=$3 AND key=$4`, k.Body, row.Millis(k.Expires), k.Kind, k.Key)
}

func (t *tx) Party(id string) (store.Party, error) {
	if !keepable(id) {
		return store.Party{}, store.ErrNotFound
	}
	return one(t, row.Party, `SELECT `+row.PartyColumns+` FROM party WHERE id = $1`, id)
}

func (t *tx) Parties() ([]store.Party, error) {
	return all(t, row.Party, `SELECT `+row.PartyColumns+` FROM party ORDER BY id`)
}

func (t *tx) PutParty(p store.Party) error {
	if err := text(p.ID, p.Role); err != nil {
		return err
	}
	t.later(`INSERT INTO party (`+row.PartyColumns+`) VALUES ($1,$2,$3,$4) ON CONFLICT (id) DO UPDATE SET role=excluded.role, body=excluded.body, ended=excluded.ended`,
		p.ID, p.Role, p.Body, row.Millis(p.Ended))
	return nil
}

func (t *tx) UseNonce(hash []byte, expires time.Time) error {
	return t.put(store.ErrTaken, `INSERT INTO used (expires, hash) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM once WHERE hash = $2) ON CONFLICT DO NOTHING`,
		row.Millis(expires), hash)
}

func (t *tx) UseOnce(hash []byte, until time.Time) error {
	return t.put(store.ErrTaken, `INSERT INTO once (hash, expires) VALUES ($1,$2) ON CONFLICT DO NOTHING`, hash, row.Millis(until))
}

func (t *tx) Answer(scope, key string) (store.Answer, error) {
	if !keepable(scope) || !keepable(key) {
		return store.Answer{}, store.ErrNotFound
	}
	return one(t, row.Answer, `SELECT `+row.AnswerColumns+` FROM answer WHERE scope = $1 AND key = $2`, scope, key)
}

func (t *tx) PutAnswer(scope, key string, a store.Answer) error {
	if err := text(scope, key); err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO answer (scope, key, request, body, at) VALUES ($1,$2,$3,$4,$5) ON CONFLICT DO NOTHING`,
		scope, key, a.Request, a.Body, row.Millis(a.At))
}

const reportSelect = `SELECT ` + row.ReportColumns + ` FROM report WHERE person = $1`

func (t *tx) NewestReport(person store.PersonID, cause lifecycle.Causes, subject string) (store.Report, error) {
	if !keepable(subject) {
		return store.Report{}, store.ErrNotFound
	}
	return one(t, row.Report, reportSelect+` AND cause = $2 AND subject = $3 ORDER BY sequence DESC LIMIT 1`, int64(person), int16(cause), subject)
}

func (t *tx) Reports(person store.PersonID) ([]store.Report, error) {
	return all(t, row.Report, reportSelect+` ORDER BY sequence`, int64(person))
}

func (t *tx) AddReport(r store.Report) error {
	if err := text(r.Subject, r.Actor); err != nil {
		return err
	}
	return t.put(store.ErrTaken, `INSERT INTO report (`+row.ReportColumns+`) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING`,
		int64(r.Sequence), int64(r.Person), int16(r.Cause), r.Subject, r.Actor, row.Millis(r.At))
}

func (t *tx) Sequence() (uint64, error) {
	r, err := t.head()
	return r.Sequence, err
}

const auditSelect = `SELECT ` + row.AuditColumns + ` FROM audit `

// headSelect is the end of the chain.
const headSelect = auditSelect + `ORDER BY sequence DESC LIMIT 1`

func (t *tx) AuditHead() (store.AuditRecord, error) {
	r, err := t.head()
	if err == nil && r.Sequence == 0 {
		err = store.ErrNotFound
	}
	return r, err
}

func (t *tx) Audit(from, to uint64, f func(store.AuditRecord) error) error {
	to = min(to, math.MaxInt64)
	for from <= to {
		records, err := all(t, row.Audit, auditSelect+`WHERE sequence BETWEEN $1 AND $2 ORDER BY sequence LIMIT $3`, int64(from), int64(to), page)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(records) < page {
			break
		}
		from = records[page-1].Sequence + 1
	}
	return nil
}

func (t *tx) AppendAudit(r store.AuditRecord) error {
	last, err := t.Sequence()
	if err != nil {
		return err
	}
	if r.Sequence != last+1 {
		return fmt.Errorf("the audit entry after %d must be %d, not %d", last, last+1, r.Sequence)
	}
	t.later(`INSERT INTO audit (`+row.AuditColumns+`) VALUES ($1,$2,$3)`, int64(r.Sequence), r.Body, r.Hash)
	t.chain.end = r
	return nil
}

func (t *tx) Forget(before, over time.Time, limit int) (n int, err error) {
	for _, kind := range []struct {
		query  string
		before time.Time
	}{
		{`DELETE FROM used WHERE ctid = ANY(ARRAY(SELECT ctid FROM used WHERE expires < $1 LIMIT $2))`, before},
		{`DELETE FROM once WHERE ctid = ANY(ARRAY(SELECT ctid FROM once WHERE expires < $1 LIMIT $2))`, before},
		{`DELETE FROM ticket WHERE ctid = ANY(ARRAY(SELECT ctid FROM ticket WHERE expires < $1 LIMIT $2))`, over},
		{`DELETE FROM challenge WHERE ctid = ANY(ARRAY(SELECT ctid FROM challenge WHERE made < $1 LIMIT $2))`, before},
		{`DELETE FROM offer WHERE ctid = ANY(ARRAY(SELECT ctid FROM offer WHERE made < $1 LIMIT $2))`, before},
		{`DELETE FROM answer WHERE ctid = ANY(ARRAY(SELECT ctid FROM answer WHERE at < $1 LIMIT $2))`, before},
	} {
		d, err := t.exec(kind.query, row.Millis(kind.before), limit)
		if err != nil {
			return n, t.fail(err)
		}
		n += int(d)
	}
	return n, nil
}
