package servetest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
)

// Fault is something that is wrong inside a service.
type Fault struct {
	Name string
	Does string
	// Breaks are the properties (S1 to S12, E1 to E5) one of which a judge has to name; none:
	// it is for the citizen who is answered to see.
	Breaks []string

	store  func(store.Store) store.Store   // between the service and its register
	every  time.Duration                   // status lists are published no more often
	before func(http.Handler) http.Handler // between the service and those who ask
}

// Faults are all there are.
func Faults() []Fault { return slices.Clone(faults) }

var faults = []Fault{
	{Name: "lists-a-minute-old", Does: "status lists are published once a minute", Breaks: []string{"S4"}, every: time.Minute},
	{Name: "lost-card-leaves-mobile", Does: "a lost plastic card does not suspend the mobile card", Breaks: []string{"S1", "S3", "S11"},
		store: reads(leaves(lifecycle.PhysicalLost))},
	{Name: "lost-phone-leaves-mobile", Does: "a lost phone does not suspend its mobile card", Breaks: []string{"S3", "S11"},
		store: reads(leaves(lifecycle.MobileLost))},
	{Name: "suspended-is-accepted", Does: "a verifier who asks is told that a suspended card is good; the lists say that it is not", Breaks: []string{"S3"},
		store: transactions(func(tx store.Tx) store.Tx { return goodWhenAsked{tx} })},
	{Name: "index-given-twice", Does: "two cards get the same places in the status lists", Breaks: []string{"S11"},
		store: both(func(r store.Reader) store.Reader { return &fewPlaces{Reader: r} }, func(tx store.Tx) store.Tx { return givenAgain{tx} })},
	{Name: "report-not-written", Does: "a report is acknowledged and not kept", Breaks: []string{"S3", "S5", "S10"},
		store: func(s store.Store) store.Store { return unwritten{s} }},
	{Name: "release-lifts-all", Does: "the release of the plastic card lifts every other report", Breaks: []string{"S6"},
		store: transactions(func(tx store.Tx) store.Tx { return liftsAll{tx} })},
	{Name: "release-not-seen", Does: "a verifier who asks is told of a report that was released", Breaks: []string{"S12"},
		store: transactions(func(tx store.Tx) store.Tx { return onceReported{tx} })},
	{Name: "audit-entry-missing", Does: "a release has no entry in the audit log", Breaks: []string{"S10"},
		store: transactions(func(tx store.Tx) store.Tx { return silentRelease{tx} })},
	{Name: "key-forgotten", Does: "a request that is repeated with its idempotency key is another one", Breaks: []string{"S9"},
		store: both(func(r store.Reader) store.Reader { return noAnswersSeen{r} }, func(tx store.Tx) store.Tx { return noAnswers{tx} })},
	{Name: "code-good-twice", Does: "a clerk's one-time code is good after it was used", Breaks: []string{"E4"},
		store: func(s store.Store) store.Store { return &goodTwice{Store: s, forgot: map[string]bool{}} }},
	{Name: "order-leaves-cards", Does: "an order of the registrar suspends nothing", Breaks: []string{"S3", "S11"},
		store: reads(leaves(lifecycle.Administrative))},
	{Name: "old-card-is-good", Does: "a plastic card that was replaced is good for an application", Breaks: []string{"E2"},
		store: both(func(r store.Reader) store.Reader { return oldCards{r} }, func(tx store.Tx) store.Tx { return oldCardsTx{tx} })},
	{Name: "office-told-good", Does: "one verifier alone is told that a suspended card is good", Breaks: []string{"S3"},
		before: answers(officeToldGood)},
	{Name: "told-more", Does: "a verifier is told what it did not ask for", before: answers(toldMore)},
	{Name: "told-another", Does: "a verifier is told another's name", before: toldAs("family_name", "Hong")},
	{Name: "told-old-address", Does: "a verifier is told where the holder lived before", before: toldAs("resident_address", "세종특별자치시 옛길 1")},
	{Name: "told-anothers-number", Does: "a verifier is told another's registration number", before: toldOfTheFirst("resident_registration_number")},
	{Name: "told-anothers-portrait", Does: "a verifier is told another's portrait", before: toldOfTheFirst("portrait")},
	{Name: "asks-more", Does: "a wallet is asked for more than the verifier asked for", before: asksMore},
	{Name: "released-is-turned-away", Does: "once a report is released, no wallet's answer is taken", before: turnedAway},
	{Name: "plastic-unchecked", Does: "a clerk who holds a plastic card is told nothing of it", before: refuses("/cards/check")},
	{Name: "lists-not-signed", Does: "the signatures of the status lists are wrong", before: signedWrongly},
}

func faultOf(name string) (Fault, error) {
	if name == "" {
		return Fault{}, nil
	}
	var names []string
	for _, f := range faults {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Fault{}, fmt.Errorf("no service is wrong by the name %q (there are %s)", name, strings.Join(names, ", "))
}

// lying is a store whose readers and transactions do not tell the truth.
type lying struct {
	store.Store
	reader func(store.Reader) store.Reader
	tx     func(store.Tx) store.Tx
}

func (l lying) View(ctx context.Context, f func(store.Reader) error) error {
	return l.Store.View(ctx, func(r store.Reader) error {
		if l.reader != nil {
			r = l.reader(r)
		}
		return f(r)
	})
}

func (l lying) Update(ctx context.Context, f func(store.Tx) error) error {
	return l.Store.Update(ctx, func(tx store.Tx) error { return f(l.tx(tx)) })
}

func both(reader func(store.Reader) store.Reader, tx func(store.Tx) store.Tx) func(store.Store) store.Store {
	return func(s store.Store) store.Store { return lying{s, reader, tx} }
}

func transactions(tx func(store.Tx) store.Tx) func(store.Store) store.Store { return both(nil, tx) }

// reads is a store in which the places of the status lists are seen otherwise.
func reads(see func(store.Entry) store.Entry) func(store.Store) store.Store {
	return both(func(r store.Reader) store.Reader { return placesSeen{r, see} }, func(tx store.Tx) store.Tx { return places{tx, see} })
}

// leaves does not see a cause.
func leaves(cause lifecycle.Causes) func(store.Entry) store.Entry {
	return func(e store.Entry) store.Entry {
		e.State &^= lifecycle.State(cause)
		return e
	}
}

type placesSeen struct {
	store.Reader
	see func(store.Entry) store.Entry
}

func (s placesSeen) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := s.Reader.Entry(list, index)
	return s.see(e), err
}

func (s placesSeen) EntriesOf(id store.CredentialID) ([]store.Entry, error) {
	all, err := s.Reader.EntriesOf(id)
	for i := range all {
		all[i] = s.see(all[i])
	}
	return all, err
}

func (s placesSeen) NotPlainlyValid(list uint32, f func(store.Entry) error) error {
	return s.Reader.NotPlainlyValid(list, func(e store.Entry) error { return f(s.see(e)) })
}

type places struct {
	store.Tx
	see func(store.Entry) store.Entry
}

func (t places) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	return t.see(e), err
}

// goodWhenAsked sees no cause where a verifier's question is answered.
type goodWhenAsked struct{ store.Tx }

func (t goodWhenAsked) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	e.State &^= lifecycle.State(e.State.Causes())
	return e, err
}

// fewPlaces shows, to who has looked up a plastic card in order to sign a mobile one,
// a short status list in which every place is free, and that has room for two cards.
type fewPlaces struct {
	store.Reader
	signing bool
}

func (s *fewPlaces) Card(number string) (store.Card, error) {
	s.signing = true
	return s.Reader.Card(number)
}

func (s *fewPlaces) Lists() ([]store.List, error) {
	all, err := s.Reader.Lists()
	for i := range all {
		if s.signing {
			all[i].Size, all[i].Allotted = 12, 0
		}
	}
	return all, err
}

func (s *fewPlaces) Free(list uint32, indices []uint64) (bool, error) {
	if s.signing {
		return true, nil
	}
	return s.Reader.Free(list, indices)
}

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

// unwritten undoes what has a report in it, and says that it is done.
type unwritten struct{ store.Store }

var errUndone = errors.New("undone")

func (u unwritten) Update(ctx context.Context, f func(store.Tx) error) error {
	err := u.Store.Update(ctx, func(tx store.Tx) error {
		t := &reporting{Tx: tx}
		if err := f(t); err != nil || !t.report {
			return err
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}

type reporting struct {
	store.Tx
	report bool
}

func (t *reporting) AddReport(r store.Report) error {
	t.report = true
	return t.Tx.AddReport(r)
}

// liftsAll forgets every cause when the plastic card is found.
type liftsAll struct{ store.Tx }

func (t liftsAll) PutPerson(p store.Person) error {
	was, err := t.Tx.Person(p.ID)
	if err == nil && was.Card == p.Card && (was.State&^p.State).Causes()&lifecycle.PhysicalLost != 0 {
		p.State &^= lifecycle.State(p.State.Causes())
	}
	return t.Tx.PutPerson(p)
}

// onceReported sees every person as reported whose plastic card ever was.
type onceReported struct{ store.Tx }

func (t onceReported) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	if err != nil {
		return e, err
	}
	all, err := t.Tx.Reports(e.Person)
	for _, r := range all {
		e.State |= lifecycle.State(r.Cause & lifecycle.PhysicalLost)
	}
	return e, err
}

// oldCards takes a plastic card that was replaced for the one in force.
type oldCards struct{ store.Reader }

func (s oldCards) Card(number string) (store.Card, error) { return inForce(s.Reader, number) }

type oldCardsTx struct{ store.Tx }

func (t oldCardsTx) Card(number string) (store.Card, error) { return inForce(t.Tx, number) }

func inForce(r store.Reader, number string) (store.Card, error) {
	c, err := r.Card(number)
	if err != nil || c.Ended == 0 {
		return c, err
	}
	p, err := r.Person(c.Person)
	if err == nil && p.Card != "" {
		c.Number, c.Ended = p.Card, 0
	}
	return c, err
}

// silentRelease enters no release into the log.
type silentRelease struct{ store.Tx }

func (t silentRelease) AppendAudit(a store.AuditRecord) error {
	for _, e := range []lifecycle.Event{lifecycle.ReleasePhysical, lifecycle.ReleaseMobile, lifecycle.ReleaseAdministrative} {
		if strings.Contains(string(a.Body), fmt.Sprintf(`"event":%q`, e)) {
			return nil
		}
	}
	return t.Tx.AppendAudit(a)
}

// noAnswers keeps no answer to a request.
type noAnswers struct{ store.Tx }

func (noAnswers) Answer(string, string) (store.Answer, error) {
	return store.Answer{}, store.ErrNotFound
}

func (noAnswers) PutAnswer(string, string, store.Answer) error { return nil }

type noAnswersSeen struct{ store.Reader }

func (noAnswersSeen) Answer(string, string) (store.Answer, error) {
	return store.Answer{}, store.ErrNotFound
}

// goodTwice forgets what a one-time code has led to when a face is checked for it
// again.
type goodTwice struct {
	store.Store
	mu     sync.Mutex
	forgot map[string]bool // tickets of grants, by key
}

// Kinds of tickets: a face that was checked for a code, and what was issued on a grant.
const faceChecked, issuedOnGrant = "face check", "issued on a grant"

func (g *goodTwice) forgotten(kind string, key []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return kind == issuedOnGrant && g.forgot[string(key)]
}

// forget has the grant of a code forgotten, or known again.
func (g *goodTwice) forget(key []byte, forgot bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgot[string(key)] = forgot
}

func (g *goodTwice) View(ctx context.Context, f func(store.Reader) error) error {
	return g.Store.View(ctx, func(r store.Reader) error { return f(goodTwiceSeen{r, g}) })
}

func (g *goodTwice) Update(ctx context.Context, f func(store.Tx) error) error {
	return g.Store.Update(ctx, func(tx store.Tx) error { return f(goodTwiceTx{tx, g}) })
}

type goodTwiceSeen struct {
	store.Reader
	g *goodTwice
}

func (s goodTwiceSeen) Offer(hash []byte) (store.Offer, error) {
	o, err := s.Reader.Offer(hash)
	o.Used = 0
	return o, err
}

func (s goodTwiceSeen) Ticket(kind string, key []byte) (store.Ticket, error) {
	if s.g.forgotten(kind, key) {
		return store.Ticket{}, store.ErrNotFound
	}
	return s.Reader.Ticket(kind, key)
}

type goodTwiceTx struct {
	store.Tx
	g *goodTwice
}

func (t goodTwiceTx) Offer(hash []byte) (store.Offer, error) {
	o, err := t.Tx.Offer(hash)
	o.Used = 0
	return o, err
}

func (t goodTwiceTx) PutTicket(ticket store.Ticket) error {
	err := t.Tx.PutTicket(ticket)
	if err == nil && ticket.Kind == faceChecked {
		t.g.forget(store.TicketKey(hex.EncodeToString(ticket.Key)), true)
	}
	return err
}

func (t goodTwiceTx) AddTicket(ticket store.Ticket) error {
	if !t.g.forgotten(ticket.Kind, ticket.Key) {
		return t.Tx.AddTicket(ticket)
	}
	t.g.forget(ticket.Key, false)
	return t.Tx.PutTicket(ticket)
}

func (t goodTwiceTx) UseNonce(hash []byte, expires time.Time) error {
	return again(t.Tx.UseNonce(hash, expires))
}

func (t goodTwiceTx) UseOnce(hash []byte, until time.Time) error {
	return again(t.Tx.UseOnce(hash, until))
}

// again does not mind that something was used before.
func again(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return nil
	}
	return err
}
