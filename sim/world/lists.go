package world

import (
	"bytes"
	"context"
	"time"

	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
)

// Listing is a status list as verifiers fetch it.
type Listing struct {
	URI   string
	JWT   []byte
	Index int // in the history
}

// Due says whether the lists have to be published now: there may be something
// new in them, or they grow old. Else what is published would be the same.
func (w *World) Due() bool {
	return w.Current == nil || w.Dirty || !w.Clock.Now().Before(w.resign)
}

// Resign is when the lists have to be signed again at the latest.
func (w *World) Resign() time.Time { return w.resign }

// Publish has the service publish its lists, and keeps those that are new.
func (w *World) Publish(ctx context.Context) ([]suspension.Published, error) {
	w.Dirty = false
	w.N.Operations++
	lists, _, err := w.Front.Publish(ctx)
	if err != nil {
		return nil, err
	}
	stamp := w.Stamp()
	for i, l := range lists {
		if i < len(w.Current) && bytes.Equal(w.Current[i].JWT, l.JWT) {
			continue
		}
		next := Listing{l.URI, l.JWT, len(w.History.Lists)}
		w.History.Lists = append(w.History.Lists, oracle.PublishedList{Published: stamp, Token: l.JWT})
		w.N.Lists++
		if i < len(w.Current) {
			w.Current[i] = next
		} else {
			w.Current = append(w.Current, next)
		}
	}
	w.resign = lists[0].IssuedAt.Add(w.validity / 2)
	for _, l := range lists {
		if t := l.IssuedAt.Add(w.validity / 2); t.Before(w.resign) {
			w.resign = t
		}
	}
	return lists, nil
}

// Checker is a verifier with cached lists as it works. The real one is a
// verification.Offline; a wrong one wraps it.
type Checker interface {
	Fetched(token []byte) error
	Begin() (verification.Transaction, error)
	Verify(verification.Transaction, []byte) (verification.Answer, error)
}

// Offline is a verifier with cached lists.
type Offline struct {
	Checker
	Kind           string
	TTL            time.Duration
	AcceptsExpired bool
	fetched        oracle.Stamp
	held           map[string]int // list in the history, by URI
}

// FetchedAt is when it fetched its lists; the zero time: never.
func (v *Offline) FetchedAt() time.Time { return v.fetched.At }

// NewOffline is the verifier of a kind of place with a number; past is what it
// does with a list past its ttl, "refuse" or "accept".
func (w *World) NewOffline(place int, number int32, past string) (*Offline, error) {
	p := &w.Scenario.Demand.Places[place]
	policy, err := verification.ParsePastTTL(past)
	if err != nil {
		return nil, err
	}
	v := &Offline{Kind: p.Name, TTL: p.TTL, AcceptsExpired: policy == verification.Accept, held: map[string]int{}}
	o := verification.OfflineOptions{
		Verifier: Verifier(p.Name, number), Anchors: w.Readers, MaxAge: p.TTL, PastTTL: policy,
		Lifetime: transaction, Now: w.Clock.Now, Random: w.stream(uint32(number), ofVerifier, uint32(place)),
	}
	if w.Plant.Verifier != nil {
		w.Plant.Verifier(&o)
	}
	if v.Checker, err = verification.NewOffline(o); err != nil {
		return nil, err
	}
	if w.Plant.Checker != nil {
		v.Checker = w.Plant.Checker(v.Checker, o)
	}
	return v, nil
}

// Held is the list of a URI that it holds, by its place in the history.
func (v *Offline) Held(uri string) (index int, ok bool) {
	index, ok = v.held[uri]
	return index, ok
}

// Fetch has an offline verifier take lists.
func (w *World) Fetch(v *Offline, lists []Listing) error {
	at := w.Stamp()
	for _, l := range lists {
		w.N.Verified++
		if err := v.Fetched(l.JWT); err != nil {
			return err
		}
		v.held[l.URI] = l.Index
	}
	v.fetched = at
	return nil
}

// CachedPlaces are the kinds of places that go by cached lists, as numbers in
// the scenario's demand.
func CachedPlaces(s *scenarios.Scenario) (out []int) {
	for i, p := range s.Demand.Places {
		if p.Check == "cached" {
			out = append(out, i)
		}
	}
	return out
}
