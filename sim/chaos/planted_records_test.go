package chaos

import (
	"encoding/json"
	"strings"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfRecords look up the wrong thing in a register that is right.
var bugsOfRecords = []bug{
	{name: "the chip of a card that has ended stands for the card in force", breaks: "E2", seeds: 50, left: 2,
		plant: reads(func(tx store.Tx) store.Tx { return anyChip{tx} }, func(r store.Reader) store.Reader { return anyChipSeen{r} })},
	{name: "a used code is good again once the card issued on it has ended", breaks: "E4", seeds: 200, left: 5,
		plant: reads(func(tx store.Tx) store.Tx { return goodAgain{tx} }, func(r store.Reader) store.Reader { return goodAgainSeen{r} })},
	{name: "a lost phone is looked up by the number of the next card", breaks: "S2", seeds: 200, left: 5,
		plant: reads(func(tx store.Tx) store.Tx { return nextCard{tx} }, nil)},
	{name: "a release is held against the first report, not the newest", breaks: "S9", seeds: 10, left: 3,
		plant: reads(func(tx store.Tx) store.Tx { return firstReport{tx} }, nil)},
	{name: "keys are kept apart by role, not by who asks", breaks: "S9", seeds: 50, left: 2,
		plant: reads(func(tx store.Tx) store.Tx { return keyOfRole{tx} }, func(r store.Reader) store.Reader { return keyOfRoleSeen{r} })},
	{name: "a card is good at the very moment at which it ends", breaks: "E5", seeds: 10, left: 4,
		plant: reads(func(tx store.Tx) store.Tx { return lastMoment{tx} }, nil)},
	{name: "lists made anew after a restart leave out who is suspended by order", breaks: "S11", seeds: 50, left: 3,
		plant: reads(nil, func(r store.Reader) store.Reader { return noOrders{r} })},
}

// reads is a store that is read through a transaction and a reader of another
// kind, or of one of them.
func reads(tx func(store.Tx) store.Tx, reader func(store.Reader) store.Reader) func() world.Plant {
	return func() world.Plant {
		return world.Plant{Store: func(s store.Store) store.Store { return &lying{Store: s, tx: tx, reader: reader} }}
	}
}

// anyChip does not see that a card's number has ended.
type anyChip struct{ store.Tx }

func (t anyChip) Card(number string) (store.Card, error) { return cardInForce(t.Tx, number) }

type anyChipSeen struct{ store.Reader }

func (s anyChipSeen) Card(number string) (store.Card, error) { return cardInForce(s.Reader, number) }

func cardInForce(r store.Reader, number string) (store.Card, error) {
	c, err := r.Card(number)
	if err != nil || c.Ended == 0 {
		return c, err
	}
	p, err := r.Person(c.Person)
	c.Number = p.Card
	return c, err
}

// goodAgain finds a code unused whose card has ended.
type goodAgain struct{ store.Tx }

func (t goodAgain) Offer(hash []byte) (store.Offer, error) { return unusedOffer(t.Tx, hash) }

type goodAgainSeen struct{ store.Reader }

func (s goodAgainSeen) Offer(hash []byte) (store.Offer, error) { return unusedOffer(s.Reader, hash) }

func unusedOffer(r store.Reader, hash []byte) (store.Offer, error) {
	o, err := r.Offer(hash)
	if err != nil || o.Used == 0 {
		return o, err
	}
	var issue audit.Entry
	if err := r.Audit(o.Used, o.Used, func(a store.AuditRecord) error { return json.Unmarshal(a.Body, &issue) }); err != nil {
		return o, err
	}
	c, err := r.Credential(store.CredentialID(issue.Credential))
	if c.Ended != 0 {
		o.Used = 0
	}
	return o, err
}

// nextCard answers verifiers for a card that is suspended if the one issued next
// is, for a lost phone.
type nextCard struct{ store.Tx }

func (t nextCard) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	if err != nil {
		return e, err
	}
	if next, err := t.Tx.Credential(e.Credential + 1); err == nil && next.Ended == 0 {
		p, err := t.Tx.Person(next.Person)
		if err != nil {
			return e, err
		}
		e.State |= p.State & lifecycle.State(lifecycle.MobileLost)
	}
	return e, nil
}

// firstReport takes the first report there ever was for the newest.
type firstReport struct{ store.Tx }

func (t firstReport) NewestReport(person store.PersonID, cause lifecycle.Causes, subject string) (store.Report, error) {
	all, err := t.Reports(person)
	for _, r := range all {
		if r.Cause == cause && r.Subject == subject {
			return r, nil
		}
	}
	if err == nil {
		err = store.ErrNotFound
	}
	return store.Report{}, err
}

// keyOfRole keeps answers without saying whose they are.
type keyOfRole struct{ store.Tx }

func (t keyOfRole) Answer(scope, key string) (store.Answer, error) {
	return t.Tx.Answer(withoutActor(scope), key)
}

func (t keyOfRole) PutAnswer(scope, key string, a store.Answer) error {
	return t.Tx.PutAnswer(withoutActor(scope), key, a)
}

type keyOfRoleSeen struct{ store.Reader }

func (s keyOfRoleSeen) Answer(scope, key string) (store.Answer, error) {
	return s.Reader.Answer(withoutActor(scope), key)
}

// withoutActor is the operation and the role alone.
func withoutActor(scope string) string {
	return strings.Join(strings.Fields(scope)[:2], " ")
}

// lastMoment takes the end of a card's validity for a part of it.
type lastMoment struct{ store.Tx }

func (t lastMoment) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := t.Tx.Entry(list, index)
	e.Until = e.Until.Add(1)
	return e, err
}

// noOrders lists who is not plainly valid, but for those whom the registrar alone
// has suspended.
type noOrders struct{ store.Reader }

func (r noOrders) NotPlainlyValid(list uint32, f func(store.Entry) error) error {
	return r.Reader.NotPlainlyValid(list, func(e store.Entry) error {
		if !e.Ended && e.State.Causes() == lifecycle.Administrative {
			return nil
		}
		return f(e)
	})
}
