package verification

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/statuslist"
)

// PastTTL is what an offline verifier does with a list that is older than it
// may be.
type PastTTL uint8

const (
	// Refuse answers CannotTell until a fresh list is there.
	Refuse PastTTL = iota
	// Accept goes by the old list, marks the answer as stale and counts it.
	Accept
)

// ParsePastTTL reads "refuse" or "accept".
func ParsePastTTL(s string) (PastTTL, error) {
	switch s {
	case "refuse":
		return Refuse, nil
	case "accept":
		return Accept, nil
	}
	return 0, fmt.Errorf("%q is not a policy for a list past its ttl (write refuse or accept)", s)
}

// OfflineOptions are a verifier's.
type OfflineOptions struct {
	Verifier
	Anchors *mdoc.TrustAnchors // of cards and of status lists
	// MaxAge limits how long a list is used, below the list's own ttl; 0: as
	// long as the ttl says.
	MaxAge time.Duration
	// FromIssue counts the ttl (and MaxAge) from when the list was issued, not from
	// when it was fetched. Then a suspension is known ttl after its acknowledgement,
	// whoever serves old lists, and for however long (S4). It needs a service that signs
	// lists anew within their ttl.
	FromIssue bool
	PastTTL   PastTTL
	// Revocations demands a list of revoked certificates in its time (Anchors.Revoked) of
	// the authorities of card and status list: without one it cannot tell.
	Revocations bool
	Lifetime    time.Duration // of a transaction
	Now         func() time.Time
	Random      io.Reader
}

// Offline is a verifier with its own copy of the status lists, as a bank or a
// shop has it. It knows nothing of the register.
type Offline struct {
	o OfflineOptions

	mu      sync.Mutex
	lists   map[string]fetched
	pending map[string]time.Time // nonces given out and not used → their end
	stale   uint64
}

type fetched struct {
	token     *statuslist.Token
	at        time.Time
	authority []byte // key identifier of the root of who signed it
}

// maxPending limits the transactions that an offline verifier has open at once.
const maxPending = 4096

// NewOffline returns a verifier without lists.
func NewOffline(o OfflineOptions) (*Offline, error) {
	if o.Anchors == nil || o.Now == nil || o.Random == nil || o.Lifetime <= 0 {
		return nil, errors.New("an offline verifier needs trust anchors, a clock, randomness and a lifetime of transactions")
	}
	return &Offline{o: o, lists: map[string]fetched{}, pending: map[string]time.Time{}}, nil
}

// Fetched takes a status list token (JWT) that was fetched now. A list that is
// older than the one held is refused: nobody may turn a suspension back by
// serving an old list.
func (v *Offline) Fetched(token []byte) error {
	now := v.o.Now()
	t, err := statuslist.ParseJWT(token, v.o.Anchors, now)
	if err != nil {
		return err
	}
	signer, err := x509.ParseCertificate(t.Signer())
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if held, ok := v.lists[t.Subject]; ok && t.RegisterSeq < held.token.RegisterSeq {
		return fmt.Errorf("%s was served as of change %d, but change %d is held: keep the newer one", t.Subject, t.RegisterSeq, held.token.RegisterSeq)
	}
	v.lists[t.Subject] = fetched{t, now, signer.AuthorityKeyId}
	return nil
}

// Stale counts what was accepted on a list past its ttl.
func (v *Offline) Stale() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stale
}

// Begin makes a transaction.
func (v *Offline) Begin() (Transaction, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.o.Now()
	if len(v.pending) >= maxPending {
		for nonce, end := range v.pending {
			if now.After(end) {
				delete(v.pending, nonce)
			}
		}
		if len(v.pending) >= maxPending {
			return Transaction{}, errors.New("too many presentations are awaited at once: wait for some to end")
		}
	}
	var random [nonceRandom]byte
	if _, err := io.ReadFull(v.o.Random, random[:]); err != nil {
		return Transaction{}, fmt.Errorf("the source of randomness failed: %w", err)
	}
	nonce := base64.RawURLEncoding.EncodeToString(random[:])
	v.pending[nonce] = now.Add(v.o.Lifetime)
	return Transaction{v.o.Verifier, nonce}, nil
}

// Verify judges a presentation by the lists held.
func (v *Offline) Verify(t Transaction, response []byte) (Answer, error) {
	now := v.o.Now()
	v.mu.Lock()
	end, open := v.pending[t.Nonce]
	delete(v.pending, t.Nonce)
	v.mu.Unlock()
	if !open || t.ClientID != v.o.ClientID {
		return Answer{}, ErrTransaction
	}
	if now.After(end) {
		return Answer{}, ErrTransactionOver
	}
	p, err := mdoc.Verify(response, Transaction{v.o.Verifier, t.Nonce}.Transcript(), v.o.Anchors, now)
	if err != nil {
		return Answer{Verdict: lifecycle.NotValid}, nil
	}
	return v.judge(p, now)
}

// judge looks a card up in the lists.
func (v *Offline) judge(p *mdoc.Presented, now time.Time) (Answer, error) {
	if p.Status == nil {
		return Answer{Verdict: lifecycle.NotValid}, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	held, ok := v.lists[p.Status.URI]
	if !ok || v.revoked(held, now) || v.o.Revocations && !(v.o.Anchors.Listed(p.Authority, now) && v.o.Anchors.Listed(held.authority, now)) {
		return Answer{Verdict: lifecycle.CannotTell}, nil
	}
	stale := v.past(held, now)
	if stale && v.o.PastTTL == Refuse {
		return Answer{Verdict: lifecycle.CannotTell}, nil
	}
	status, err := held.token.List.Get(p.Status.Index)
	if err != nil {
		return Answer{Verdict: lifecycle.NotValid}, nil
	}
	switch status {
	case statuslist.Valid, statuslist.RenewalRequired:
		if stale {
			v.stale++
		}
		return Answer{Verdict: lifecycle.Accepted, Elements: p.Elements, Stale: stale, Renew: status == statuslist.RenewalRequired}, nil
	case statuslist.Suspended:
		return Answer{Verdict: lifecycle.Suspended}, nil
	}
	return Answer{Verdict: lifecycle.NotValid}, nil
}

// revoked says whether the certificate of who signed a list was revoked since the list was
// fetched: what it says counts no more, and another one must be fetched.
func (v *Offline) revoked(f fetched, now time.Time) bool {
	_, err := v.o.Anchors.StatusSigner([][]byte{f.token.Signer()}, now)
	return errors.Is(err, mdoc.ErrSignerRevoked)
}

// past says whether a list is older than it may be used.
func (v *Offline) past(f fetched, now time.Time) bool {
	age := f.token.TTL
	if v.o.MaxAge > 0 && (age == 0 || v.o.MaxAge < age) {
		age = v.o.MaxAge
	}
	since := f.at
	if v.o.FromIssue {
		since = f.token.IssuedAt
	}
	return age > 0 && now.Sub(since) > age || !f.token.Expires.IsZero() && !now.Before(f.token.Expires)
}
