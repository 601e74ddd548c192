package suspension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
)

// statusOf is how a verdict stands in a list. It never tells why.
var statusOf = map[lifecycle.Verdict]statuslist.Status{
	lifecycle.Accepted:  statuslist.Valid,
	lifecycle.Suspended: statuslist.Suspended,
	lifecycle.NotValid:  statuslist.Invalid,
}

// status is how an entry stands in a list. A card that is good and to be renewed
// stands there as such.
func status(e store.Entry) statuslist.Status {
	s := statusOf[e.Verdict()]
	if s == statuslist.Valid && e.Outdated {
		s = statuslist.RenewalRequired
	}
	return s
}

// Published is a status list as verifiers fetch it.
type Published struct {
	URI         string    // under which it is fetched, and its sub
	RegisterSeq uint64    // number of the change up to which it is true
	IssuedAt    time.Time // whole seconds
	Expires     time.Time
	TTL         time.Duration // how long a verifier may keep it
	JWT, CWT    []byte        // the same list in both forms
}

// PublisherOptions say how long a list may be used, and where all are named.
type PublisherOptions struct {
	TTL      time.Duration // how long a verifier may keep a fetched list
	Validity time.Duration // from issue to exp, at least twice the ttl
	// Renew is how old a list becomes that has not changed before it is signed anew, at
	// most half of its validity; 0: half of it. Below the ttl, verifiers may count the
	// ttl from the issue (verification.OfflineOptions.FromIssue).
	Renew time.Duration
	// Aggregation is where the document is that names all lists (draft §9); empty: the
	// lists do not say.
	Aggregation string
}

// Publisher signs the status lists. It reads committed states only, so that a
// list is published strictly after the commit of what it shows.
type Publisher struct {
	register *register.Register
	signer   mdoc.Signer
	options  PublisherOptions

	mu    sync.Mutex
	seq   uint64 // of the register, at which the lists below stand
	lists map[uint32]*listed
}

type listed struct {
	bits      *statuslist.List
	changed   bool   // since the last signature
	by        []byte // certificate of who made it
	published Published
}

// NewPublisher returns a publisher; signer's certificate is a status signer's.
func NewPublisher(r *register.Register, signer mdoc.Signer, o PublisherOptions) (*Publisher, error) {
	if o.TTL <= 0 || o.Validity < 2*o.TTL {
		return nil, fmt.Errorf("a status list must be valid (%v) for twice its ttl (%v) or longer, or one fetched late ends before its ttl does", o.Validity, o.TTL)
	}
	if o.Renew == 0 {
		o.Renew = o.Validity / 2
	}
	if o.Renew < time.Second || o.Renew > o.Validity/2 {
		return nil, fmt.Errorf("a status list that has not changed is signed anew after a second to half of its validity (%v), not after %v", o.Validity/2, o.Renew)
	}
	return &Publisher{register: r, signer: signer, options: o}, nil
}

// Publish brings every list to the state of the register and signs those that
// changed, are old enough to be renewed, or whose signer was followed by another. It
// returns all lists as they are
// now published, and whether any is new.
func (p *Publisher) Publish(ctx context.Context) (all []Published, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.register.Now()
	// One signer for all: a list by one that was followed by another is made anew, for it
	// may have been revoked.
	signer := mdoc.InForce(p.signer)
	by := signer.Certificate()
	if err := p.register.View(ctx, p.catchUp); err != nil {
		p.lists = nil // half brought up to date: begin anew next time
		return nil, false, err
	}
	for n := range uint32(len(p.lists)) {
		l := p.lists[n]
		stale := l.published.JWT == nil || !now.Before(l.published.IssuedAt.Add(p.options.Renew))
		if l.changed || stale || !bytes.Equal(l.by, by) {
			made, err := p.sign(signer, n, p.seq, now.Truncate(time.Second), l.bits)
			if err != nil {
				return nil, false, err
			}
			l.published, l.changed, l.by, fresh = made, false, by, true
		}
		all = append(all, l.published)
	}
	return all, fresh, nil
}

// sign signs a list as it was at a change, in both forms.
func (p *Publisher) sign(signer mdoc.Signer, number uint32, seq uint64, at time.Time, bits *statuslist.List) (made Published, err error) {
	token := statuslist.Token{
		Subject: p.register.Lists.URI(number), IssuedAt: at, Expires: at.Add(p.options.Validity), TTL: p.options.TTL,
		RegisterSeq: seq, Aggregation: p.options.Aggregation, List: bits,
	}
	made = Published{URI: token.Subject, RegisterSeq: seq, IssuedAt: token.IssuedAt, Expires: token.Expires, TTL: token.TTL}
	if made.JWT, err = token.SignJWT(signer); err != nil {
		return Published{}, err
	}
	made.CWT, err = token.SignCWT(signer)
	return made, err
}

// catchUp brings the lists to the snapshot.
func (p *Publisher) catchUp(r store.Reader) error {
	seq, err := r.Sequence()
	if err != nil {
		return err
	}
	lists, err := r.Lists()
	if err != nil {
		return err
	}
	whole := p.lists == nil
	if whole {
		p.lists = map[uint32]*listed{}
	}
	for i, l := range lists {
		if l.Number != uint32(i) {
			return fmt.Errorf("status list %d is missing from the register", i)
		}
		if p.lists[l.Number] == nil {
			bits, err := statuslist.New(2, l.Size)
			if err != nil {
				return err
			}
			p.lists[l.Number] = &listed{bits: bits, changed: true}
		}
	}
	switch {
	case whole:
		for _, l := range lists {
			if err := r.NotPlainlyValid(l.Number, p.set); err != nil {
				return err
			}
		}
	case seq < p.seq:
		return fmt.Errorf("the register went back from change %d to %d", p.seq, seq)
	case seq > p.seq:
		if err := p.follow(r, p.seq+1, seq); err != nil {
			return err
		}
	}
	p.seq = seq
	return nil
}

// follow takes the credentials that the changes name, and sets them to what
// they are now.
func (p *Publisher) follow(r store.Reader, from, to uint64) error {
	touched := map[store.CredentialID]bool{}
	people := map[store.PersonID]bool{}
	if err := r.Audit(from, to, func(a store.AuditRecord) error {
		var e audit.Entry
		if err := json.Unmarshal(a.Body, &e); err != nil {
			return fmt.Errorf("audit entry %d: %w", a.Sequence, err)
		}
		people[store.PersonID(e.Person)] = true
		if e.EndedCredential != 0 {
			touched[store.CredentialID(e.EndedCredential)] = true
		}
		return nil
	}); err != nil {
		return err
	}
	for id := range people {
		person, err := r.Person(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if person.Credential != 0 {
			touched[person.Credential] = true
		}
	}
	for id := range touched {
		entries, err := r.EntriesOf(id)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := p.set(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Publisher) set(e store.Entry) error {
	l := p.lists[e.List]
	if l == nil {
		return fmt.Errorf("entry %d stands in status list %d, which does not exist", e.Index, e.List)
	}
	want := status(e)
	is, err := l.bits.Get(e.Index)
	if err != nil || is == want {
		return err
	}
	l.changed = true
	return l.bits.Set(e.Index, want)
}
