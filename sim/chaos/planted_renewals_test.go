package chaos

import (
	"context"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfRenewals sign copies anew that they should not.
var bugsOfRenewals = []bug{
	{name: "copies are signed anew while the card is suspended", breaks: "S8", seeds: 10, left: 3,
		plant: renewing(func(r store.Reader, _ *renewingNow) store.Reader { return unsuspended{r} })},
	{name: "copies are signed anew for whatever phone asks", breaks: "S7", seeds: 10, left: 3,
		plant: renewing(func(r store.Reader, now *renewingNow) store.Reader { return anyPhone{r, now.wallet} })},
	{name: "copies are signed anew of a card that a new plastic card has ended", breaks: "S7", seeds: 10, left: 3,
		plant: renewing(func(r store.Reader, now *renewingNow) store.Reader { return remembered{r, now.last} })},
	{name: "copies signed anew stand one place beside the card's", breaks: "S11", seeds: 10, left: 2,
		plant: renewing(func(r store.Reader, _ *renewingNow) store.Reader { return placesBeside{r} })},
}

// renewingNow says whether the request under way has copies signed anew, and for which
// wallet; and which cards people had last.
type renewingNow struct {
	running bool
	wallet  string
	last    map[store.PersonID]store.CredentialID
}

// renewing is a service that has copies signed anew by what another reader shows it.
func renewing(reader func(store.Reader, *renewingNow) store.Reader) func() world.Plant {
	return func() world.Plant {
		now := &renewingNow{last: map[store.PersonID]store.CredentialID{}}
		return world.Plant{
			Front: func(f world.Front) world.Front { return watchRenewing{f, now} },
			Store: func(s store.Store) store.Store {
				return &lying{Store: s,
					tx: func(tx store.Tx) store.Tx {
						if now.running { // it is judged once more in the commit
							return shown{tx, reader(tx, now)}
						}
						return lastCards{tx, now.last}
					},
					reader: func(r store.Reader) store.Reader {
						if now.running {
							return reader(r, now)
						}
						return r
					}}
			},
		}
	}
}

type watchRenewing struct {
	world.Front
	now *renewingNow
}

func (w watchRenewing) IssueAgain(ctx context.Context, q issuance.AgainRequest) ([][]byte, lifecycle.Reason, error) {
	w.now.running, w.now.wallet = true, q.Phone.Wallet
	defer func() { w.now.running = false }()
	return w.Front.IssueAgain(ctx, q)
}

// shown is a transaction that reads what another reader shows it.
type shown struct {
	store.Tx
	by store.Reader
}

func (s shown) Person(id store.PersonID) (store.Person, error) { return s.by.Person(id) }

func (s shown) Credential(id store.CredentialID) (store.Credential, error) {
	return s.by.Credential(id)
}

func (s shown) EntriesOf(id store.CredentialID) ([]store.Entry, error) { return s.by.EntriesOf(id) }

// lastCards remembers which card each has had last.
type lastCards struct {
	store.Tx
	last map[store.PersonID]store.CredentialID
}

func (t lastCards) PutPerson(p store.Person) error {
	if p.Credential != 0 {
		t.last[p.ID] = p.Credential
	}
	return t.Tx.PutPerson(p)
}

// unsuspended shows nobody suspended.
type unsuspended struct{ store.Reader }

func (s unsuspended) Person(id store.PersonID) (store.Person, error) {
	p, err := s.Reader.Person(id)
	for _, cause := range lifecycle.AllCauses {
		p.State &^= lifecycle.State(cause)
	}
	return p, err
}

// anyPhone shows every card on the phone that asks.
type anyPhone struct {
	store.Reader
	wallet string
}

func (s anyPhone) Credential(id store.CredentialID) (store.Credential, error) {
	c, err := s.Reader.Credential(id)
	c.Wallet = s.wallet
	return c, err
}

// remembered shows people with the card that they had last.
type remembered struct {
	store.Reader
	last map[store.PersonID]store.CredentialID
}

func (s remembered) Person(id store.PersonID) (store.Person, error) {
	p, err := s.Reader.Person(id)
	if p.Credential == 0 {
		p.Credential = s.last[id]
	}
	return p, err
}

// placesBeside shows the place beside each that a card has.
type placesBeside struct{ store.Reader }

func (s placesBeside) EntriesOf(id store.CredentialID) ([]store.Entry, error) {
	all, err := s.Reader.EntriesOf(id)
	for i := range all {
		all[i].Index ^= 1
	}
	return all, err
}
