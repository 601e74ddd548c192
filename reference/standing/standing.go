// Package standing says whether what a maker of phones or a provider of wallets has
// attested still stands: it looks the attestation's entry up in the status list that the
// attestation names (Token Status List, draft-ietf-oauth-status-list-21 §8.3; OpenID4VCI
// 1.0 Appendix D.1 and E).
//
// Lists lie with whoever made them, so they have to be fetched from outside: by Fetch,
// which is handed in (HTTPS is the one for a service). A list is believed if its signer
// comes from the same anchors as the attestation, and kept for its ttl. If it cannot be
// had, nobody knows whether the attestation was revoked, and it is not taken for the time
// being: ErrUnknown.
//
// The package may not know what was attested.
package standing

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/recent"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/x5c"
)

var (
	// ErrNotValid: the list says that it was revoked or suspended, or has no such entry.
	ErrNotValid = errors.New("it does not stand any more")
	// ErrUnknown: the list cannot be had now. Ask again.
	ErrUnknown = errors.New("whether it still stands cannot be told now")
)

// Limits of what is fetched, kept and waited for.
const (
	MaxList  = 2 << 20         // bytes of a list's token
	MaxWait  = 5 * time.Second // for a list
	maxURI   = 1024
	keptMost = 32 // lists, at least; twice as many at most (package recent)

	// kept is for how long a list is gone by that names no ttl; longest however long its
	// ttl, so that a revocation is known after it.
	kept    = 5 * time.Minute
	longest = time.Hour
	// again is when a list that could not be had is asked for again.
	again = 10 * time.Second
)

// Fetch gets the token of a list, a JWT of at most MaxList bytes, from its URI.
type Fetch func(ctx context.Context, uri string) ([]byte, error)

// Options are what lists need.
type Options struct {
	Anchors *x5c.Anchors // whose lists are believed: those of whoever attests
	Fetch   Fetch
	Now     func() time.Time
	// Failed is told of each list that could not be had; nil: nobody is.
	Failed func(uri string, err error)
}

// Lists are the status lists of makers. Many may ask at once; a list is fetched by one of
// them. Of nil, every attestation that names a list is ErrUnknown.
type Lists struct {
	o    Options
	mu   sync.Mutex // so that nobody fetches for an entry that another has just made
	held recent.Memory[string, *held]
}

// held is a list as it was fetched last.
type held struct {
	busy   chan struct{} // full while one fetches; guards what follows
	token  *statuslist.Token
	until  time.Time // it is gone by before
	failed error     // why it could not be had
	again  time.Time // it is not fetched before
}

// New returns lists, none of which is fetched yet.
func New(o Options) *Lists {
	return &Lists{o: o, held: recent.Memory[string, *held]{Limit: keptMost}}
}

// Check looks an attestation up whose signature was found good, by the status that it
// names: nil, nothing, stands. Otherwise the error is ErrNotValid, ErrUnknown, or that of
// the context.
func (l *Lists) Check(ctx context.Context, ref *mdoc.StatusRef) error {
	if ref == nil {
		return nil
	}
	u, err := url.Parse(ref.URI)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || len(ref.URI) > maxURI {
		return fmt.Errorf("%w: its status list is at no https URL of at most %d bytes", ErrNotValid, maxURI)
	}
	if l == nil {
		return fmt.Errorf("%w: no status lists of others are read here", ErrUnknown)
	}
	list, err := l.list(ctx, ref.URI)
	if err != nil {
		return err
	}
	switch status, err := list.Get(ref.Index); {
	case err != nil:
		return fmt.Errorf("%w: its status list has no entry %d", ErrNotValid, ref.Index)
	case status != statuslist.Valid:
		return fmt.Errorf("%w: its status is %s", ErrNotValid, status)
	}
	return nil
}

// list is a list in its time.
func (l *Lists) list(ctx context.Context, uri string) (*statuslist.List, error) {
	l.mu.Lock()
	h, ok := l.held.Get(uri)
	if !ok {
		h = &held{busy: make(chan struct{}, 1)}
		l.held.Put(uri, h)
	}
	l.mu.Unlock()
	select {
	case h.busy <- struct{}{}:
		defer func() { <-h.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := l.o.Now()
	if h.token != nil && now.Before(h.until) {
		return h.token.List, nil
	}
	if now.Before(h.again) {
		return nil, h.failed
	}
	token, err := l.fetch(ctx, uri, h.token)
	if err != nil {
		h.failed, h.again = fmt.Errorf("%w: its status list cannot be had: %w", ErrUnknown, err), now.Add(again)
		if l.o.Failed != nil {
			l.o.Failed(uri, err)
		}
		return nil, h.failed
	}
	h.token, h.until = token, now.Add(keeps(token))
	if end := token.Expires; !end.IsZero() && end.Before(h.until) {
		h.until = end
	}
	return token.List, nil
}

func keeps(t *statuslist.Token) time.Duration {
	if t.TTL == 0 {
		return kept
	}
	return min(t.TTL, longest)
}

// fetch gets a list that is not older than the one before. Who asked first may go away:
// others wait for it, too.
func (l *Lists) fetch(ctx context.Context, uri string, before *statuslist.Token) (*statuslist.Token, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), MaxWait)
	defer cancel()
	text, err := l.o.Fetch(ctx, uri)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxList {
		return nil, fmt.Errorf("it has more than %d bytes", MaxList)
	}
	now := l.o.Now()
	t, err := statuslist.ParseJWTBy(text, now, func(chain [][]byte) (*ecdsa.PublicKey, error) {
		key, err := l.o.Anchors.Key(chain, now)
		if err != nil {
			return nil, err
		}
		return key.Public(), nil
	})
	switch {
	case err != nil:
		return nil, err
	case t.Subject != uri:
		return nil, fmt.Errorf("it is the list %.200q", t.Subject)
	case before != nil && t.IssuedAt.Before(before.IssuedAt):
		return nil, fmt.Errorf("it is of %s, and one of %s was held", t.IssuedAt.Format(time.RFC3339), before.IssuedAt.Format(time.RFC3339))
	}
	return t, nil
}
