package servicetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
)

// Rehearsal is a register on which everything is tried and nothing happens: each
// change runs up to its commit, is noted, and is undone. So one world serves any
// number of changed messages, and each of them meets it as the first did, with every
// code, proof and nonce still to be used.
type Rehearsal struct {
	store.Store
	mu    sync.Mutex
	on    bool
	wrote Wrote
}

// Wrote is what changes would have written.
type Wrote struct {
	Calls   []string // of the transactions' methods, but AppendAudit: "UseNonce"
	Entries []audit.Entry
	Tickets []store.Ticket
}

// Only says whether nothing but these calls wrote, and nothing is in the audit log.
func (w Wrote) Only(calls ...string) bool {
	return len(w.Entries) == 0 && !slices.ContainsFunc(w.Calls, func(c string) bool { return !slices.Contains(calls, c) })
}

// Rehearsing puts a rehearsal before a world's register: a change of its configuration.
// It lets everything happen until it is begun.
func Rehearsing(r *Rehearsal) func(*service.Config) {
	return func(c *service.Config) { r.Store, c.Store = c.Store, r }
}

// Begin ends what really happens.
func (r *Rehearsal) Begin() { r.mu.Lock(); defer r.mu.Unlock(); r.on, r.wrote = true, Wrote{} }

// Take is what would have been written since it was asked last.
func (r *Rehearsal) Take() Wrote {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.wrote
	r.wrote = Wrote{}
	return out
}

var errRehearsed = errors.New("it was a rehearsal")

// Update implements store.Store.
func (r *Rehearsal) Update(ctx context.Context, f func(store.Tx) error) error {
	r.mu.Lock()
	on := r.on
	r.mu.Unlock()
	if !on {
		return r.Store.Update(ctx, f)
	}
	n := &noting{}
	err := r.Store.Update(ctx, func(tx store.Tx) error {
		*n = noting{Tx: tx}
		if err := f(n); err != nil {
			return err
		}
		return errRehearsed
	})
	if !errors.Is(err, errRehearsed) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote.Calls = append(r.wrote.Calls, n.wrote.Calls...)
	r.wrote.Entries = append(r.wrote.Entries, n.wrote.Entries...)
	r.wrote.Tickets = append(r.wrote.Tickets, n.wrote.Tickets...)
	return nil
}

// noting is a transaction that notes what it writes.
type noting struct {
	store.Tx
	wrote Wrote
}

func (n *noting) call(name string) store.Tx {
	n.wrote.Calls = append(n.wrote.Calls, name)
	return n.Tx
}

func (n *noting) PutPerson(p store.Person) error { return n.call("PutPerson").PutPerson(p) }
func (n *noting) AddRRN(rrn string, person store.PersonID) error {
	return n.call("AddRRN").AddRRN(rrn, person)
}
func (n *noting) MoveRRN(rrn string, from, to store.PersonID) error {
	return n.call("MoveRRN").MoveRRN(rrn, from, to)
}
func (n *noting) FreeRRN(rrn string, person store.PersonID) error {
	return n.call("FreeRRN").FreeRRN(rrn, person)
}
func (n *noting) AddCard(c store.Card) error     { return n.call("AddCard").AddCard(c) }
func (n *noting) PutCard(c store.Card) error     { return n.call("PutCard").PutCard(c) }
func (n *noting) PutWallet(w store.Wallet) error { return n.call("PutWallet").PutWallet(w) }
func (n *noting) PutCredential(c store.Credential) error {
	return n.call("PutCredential").PutCredential(c)
}
func (n *noting) PutList(l store.List) error           { return n.call("PutList").PutList(l) }
func (n *noting) AddOffer(o store.Offer) error         { return n.call("AddOffer").AddOffer(o) }
func (n *noting) PutOffer(o store.Offer) error         { return n.call("PutOffer").PutOffer(o) }
func (n *noting) AddChallenge(c store.Challenge) error { return n.call("AddChallenge").AddChallenge(c) }
func (n *noting) PutChallenge(c store.Challenge) error { return n.call("PutChallenge").PutChallenge(c) }
func (n *noting) PutParty(p store.Party) error         { return n.call("PutParty").PutParty(p) }
func (n *noting) AddReport(r store.Report) error       { return n.call("AddReport").AddReport(r) }

func (n *noting) AddCredential(c store.Credential) (store.CredentialID, error) {
	return n.call("AddCredential").AddCredential(c)
}

func (n *noting) AddEntries(list uint32, indices []uint64, id store.CredentialID) error {
	return n.call("AddEntries").AddEntries(list, indices, id)
}

func (n *noting) AddTicket(t store.Ticket) error {
	n.wrote.Tickets = append(n.wrote.Tickets, t)
	return n.call("AddTicket").AddTicket(t)
}

// PutTicket of one that is not there is how callers find out that they must add it.
func (n *noting) PutTicket(t store.Ticket) error {
	err := n.Tx.PutTicket(t)
	if err == nil {
		n.call("PutTicket")
		n.wrote.Tickets = append(n.wrote.Tickets, t)
	}
	return err
}

func (n *noting) UseNonce(hash []byte, expires time.Time) error {
	return n.call("UseNonce").UseNonce(hash, expires)
}

func (n *noting) UseOnce(hash []byte, until time.Time) error {
	return n.call("UseOnce").UseOnce(hash, until)
}

func (n *noting) PutAnswer(scope, key string, a store.Answer) error {
	return n.call("PutAnswer").PutAnswer(scope, key, a)
}

func (n *noting) Forget(before, over time.Time, limit int) (int, error) {
	return n.call("Forget").Forget(before, over, limit)
}

func (n *noting) AppendAudit(r store.AuditRecord) error {
	var e audit.Entry
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return err
	}
	n.wrote.Entries = append(n.wrote.Entries, e)
	return n.Tx.AppendAudit(r)
}
