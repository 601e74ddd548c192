package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfStore keep the register wrongly.
var bugsOfStore = []bug{
	{name: "the cascade to the mobile card is a second commit", breaks: "S1", seeds: 30, left: 5,
		plant: func() world.Plant {
			return world.Plant{Store: func(s store.Store) store.Store {
				return &cascade{Store: s, late: map[store.PersonID]bool{}}
			}}
		}},
	{name: "the replica that answers verifiers lags one commit behind", breaks: "S3", seeds: 10, left: 3,
		plant: func() world.Plant {
			r := &replica{now: map[store.PersonID]lifecycle.State{}, before: map[store.PersonID]lifecycle.State{}}
			return world.Plant{Store: func(s store.Store) store.Store { r.Store = s; return r }}
		}},
	{name: "a commit is acknowledged before it is on the disk", breaks: "S5", seeds: 10, left: 3,
		plant: func() world.Plant { return world.Plant{Crash: loseLastCommit} }},
	{name: "a new phone does not end the old one's mobile card", breaks: "S7", seeds: 10, left: 3,
		plant: func() world.Plant {
			return world.Plant{Store: func(s store.Store) store.Store {
				return &lying{Store: s, tx: func(tx store.Tx) store.Tx { return &twoPhones{Tx: tx} }}
			}}
		}},
	{name: "an application is judged by what the register held when it was signed", breaks: "S8", seeds: 30, left: 3,
		plant: func() world.Plant {
			i := &issuingNow{}
			return world.Plant{
				Front: func(f world.Front) world.Front { return watchIssuing{f, i} },
				Store: func(s store.Store) store.Store { return &judgedEarly{Store: s, issuing: i} },
			}
		}},
	{name: "what an operator of the loss line does is entered under another name", breaks: "S10", seeds: 5, left: 2,
		plant: func() world.Plant {
			return world.Plant{Store: func(s store.Store) store.Store {
				return &lying{Store: s, tx: func(tx store.Tx) store.Tx { return otherName{tx} }}
			}}
		}},
	{name: "a place in the status list is given again after a restart", breaks: "S11", seeds: 10, left: 4,
		plant: func() world.Plant {
			i := &issuingNow{}
			return world.Plant{
				Config: func(c *service.Config) { c.Random = &repeating{real: c.Random, issuing: i} },
				Front:  func(f world.Front) world.Front { return watchIssuing{f, i} },
				Store: func(s store.Store) store.Store {
					return &lying{Store: s, tx: func(tx store.Tx) store.Tx { return givenAgain{tx} },
						reader: func(r store.Reader) store.Reader {
							if i.running {
								return allFree{r}
							}
							return r
						}}
				},
			}
		}},
}

// lying is a store whose readers and transactions do not tell the truth.
type lying struct {
	store.Store
	reader func(store.Reader) store.Reader
	tx     func(store.Tx) store.Tx
}

func (l *lying) View(ctx context.Context, f func(store.Reader) error) error {
	if l.reader == nil {
		return l.Store.View(ctx, f)
	}
	return l.Store.View(ctx, func(r store.Reader) error { return f(l.reader(r)) })
}

func (l *lying) Update(ctx context.Context, f func(store.Tx) error) error {
	if l.tx == nil {
		return l.Store.Update(ctx, f)
	}
	return l.Store.Update(ctx, func(tx store.Tx) error { return f(l.tx(tx)) })
}

// cascade writes a lost plastic card, and only in its next commit that the
// mobile card is suspended with it.
type cascade struct {
	store.Store
	late map[store.PersonID]bool
}

func (c *cascade) Update(ctx context.Context, f func(store.Tx) error) error {
	t := &cascadeTx{c: c}
	err := c.Store.Update(ctx, func(tx store.Tx) error {
		t.Tx = tx
		return f(t)
	})
	if err != nil || t.first == 0 {
		return err
	}
	return c.Store.Update(ctx, func(store.Tx) error { delete(c.late, t.first); return nil })
}

type cascadeTx struct {
	store.Tx
	c     *cascade
	first store.PersonID
}

func (t *cascadeTx) PutPerson(p store.Person) error {
	was, err := t.Tx.Person(p.ID)
	if err == nil && was.State.Causes()&lifecycle.PhysicalLost == 0 && p.State.Causes()&lifecycle.PhysicalLost != 0 && p.Credential != 0 {
		t.first, t.c.late[p.ID] = p.ID, true
	}
	return t.Tx.PutPerson(p)
}

func (t *cascadeTx) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	if t.c.late[e.Person] {
		e.State &^= lifecycle.State(lifecycle.PhysicalLost)
	}
	return e, err
}

// replica answers for an index from what was there one change of the register ago.
type replica struct {
	store.Store
	now, before map[store.PersonID]lifecycle.State
}

func (r *replica) Update(ctx context.Context, f func(store.Tx) error) error {
	t := &replicaTx{before: r.before, changed: map[store.PersonID]lifecycle.State{}}
	err := r.Store.Update(ctx, func(tx store.Tx) error {
		t.Tx = tx
		return f(t)
	})
	if err == nil && len(t.changed) > 0 {
		maps.Copy(r.before, r.now)
		maps.Copy(r.now, t.changed)
	}
	return err
}

type replicaTx struct {
	store.Tx
	before, changed map[store.PersonID]lifecycle.State
}

func (t *replicaTx) PutPerson(p store.Person) error {
	t.changed[p.ID] = p.State
	return t.Tx.PutPerson(p)
}

func (t *replicaTx) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	if s := t.before[e.Person]; err == nil && !e.Ended && s&lifecycle.HasCredential != 0 && s.Causes() == 0 {
		e.State = s
	}
	return e, err
}

// loseLastCommit cuts the last commit off the log, as a power cut does where the
// log was not synced: https://www.sqlite.org/fileformat.html §4.1.
func loseLastCommit(path string) error {
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		return err
	}
	const head, frame = 32, 24 + 4096
	commits := []int{head} // ends of commits
	for at := head; at+frame <= len(log); at += frame {
		if binary.BigEndian.Uint32(log[at+4:]) != 0 {
			commits = append(commits, at+frame)
		}
	}
	if len(commits) < 2 {
		return nil
	}
	return os.Truncate(path+"-wal", int64(commits[len(commits)-2]))
}

// twoPhones leaves the credential on the old phone alive.
type twoPhones struct {
	store.Tx
	ended *store.Credential // not written yet
}

func (t *twoPhones) PutCredential(c store.Credential) error {
	if c.Ended == 0 {
		return t.Tx.PutCredential(c)
	}
	t.ended = &c
	return nil
}

func (t *twoPhones) AddCredential(c store.Credential) (store.CredentialID, error) {
	if t.ended != nil && t.ended.Wallet != c.Wallet {
		t.ended = nil // the other phone's: forgotten
	}
	return t.Tx.AddCredential(c)
}

func (t *twoPhones) PutPerson(p store.Person) error { // the last write of a change but the audit's
	if t.ended != nil {
		if err := t.Tx.PutCredential(*t.ended); err != nil {
			return err
		}
		t.ended = nil
	}
	return t.Tx.PutPerson(p)
}

// issuingNow says whether the request under way issues a mobile card.
type issuingNow struct{ running bool }

type watchIssuing struct {
	world.Front
	now *issuingNow
}

func (w watchIssuing) IssueByTap(ctx context.Context, q issuance.TapRequest) (issuance.Issued, error) {
	w.now.running = true
	defer func() { w.now.running = false }()
	return w.Front.IssueByTap(ctx, q)
}

func (w watchIssuing) IssueByOffer(ctx context.Context, q issuance.RedeemRequest) (issuance.Issued, error) {
	w.now.running = true
	defer func() { w.now.running = false }()
	return w.Front.IssueByOffer(ctx, q)
}

// judgedEarly lets the transaction of an issue see the person without the causes
// that came after the snapshot on which the card was signed.
type judgedEarly struct {
	store.Store
	issuing *issuingNow
	clean   map[store.PersonID]bool // in the snapshot
}

func (j *judgedEarly) View(ctx context.Context, f func(store.Reader) error) error {
	if !j.issuing.running {
		return j.Store.View(ctx, f)
	}
	return j.Store.View(ctx, func(r store.Reader) error { return f(&snapshotSeen{r, j}) })
}

type snapshotSeen struct {
	store.Reader
	j *judgedEarly
}

func (s *snapshotSeen) Person(id store.PersonID) (store.Person, error) {
	p, err := s.Reader.Person(id)
	s.j.clean = map[store.PersonID]bool{id: err == nil && p.State.Causes()&lifecycle.PhysicalLost == 0}
	return p, err
}

func (j *judgedEarly) Update(ctx context.Context, f func(store.Tx) error) error {
	if !j.issuing.running {
		return j.Store.Update(ctx, f)
	}
	clean := j.clean
	return j.Store.Update(ctx, func(tx store.Tx) error { return f(&judgedEarlyTx{Tx: tx, clean: clean}) })
}

type judgedEarlyTx struct {
	store.Tx
	clean  map[store.PersonID]bool
	hidden lifecycle.State
}

func (t *judgedEarlyTx) Person(id store.PersonID) (store.Person, error) {
	p, err := t.Tx.Person(id)
	if t.clean[id] {
		t.hidden = p.State & lifecycle.State(lifecycle.PhysicalLost)
		p.State &^= t.hidden
	}
	return p, err
}

func (t *judgedEarlyTx) PutPerson(p store.Person) error {
	p.State |= t.hidden
	return t.Tx.PutPerson(p)
}

// otherName enters another actor than the one who acted, with a chain that holds.
type otherName struct{ store.Tx }

func (t otherName) AppendAudit(a store.AuditRecord) error {
	var e map[string]json.RawMessage
	if err := json.Unmarshal(a.Body, &e); err != nil {
		return err
	}
	if string(e["role"]) == `"call-centre"` {
		e["actor"] = json.RawMessage(`"operator"`)
		var err error
		if a.Body, err = json.Marshal(e); err != nil {
			return err
		}
		head, err := t.Tx.AuditHead()
		if err != nil {
			return err
		}
		sum := sha256.Sum256(append(append([]byte(nil), head.Hash...), a.Body...))
		a.Hash = sum[:]
	}
	return t.Tx.AppendAudit(a)
}

// repeating is a source of randomness that, for places in the status lists,
// begins anew with every start of the service.
type repeating struct {
	real    io.Reader
	issuing *issuingNow
	drawn   byte // for issues, since the start
}

func (r *repeating) Read(p []byte) (int, error) {
	if !r.issuing.running {
		return r.real.Read(p)
	}
	r.drawn++
	for i := range p {
		p[i] = r.drawn
	}
	return len(p), nil
}

// allFree sees every place as free.
type allFree struct{ store.Reader }

func (allFree) Free(uint32, []uint64) (bool, error) { return true, nil }

// givenAgain does not mind that a place is taken.
type givenAgain struct{ store.Tx }

func (t givenAgain) AddEntries(list uint32, indices []uint64, id store.CredentialID) error {
	for _, i := range indices {
		if err := t.Tx.AddEntries(list, []uint64{i}, id); err != nil && !errors.Is(err, store.ErrTaken) {
			return err
		}
	}
	return nil
}
