package bench

import (
	"errors"
	"fmt"
	"path/filepath"
	gosync "sync"
	"time"

	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// cards are cards issued, shown and verified, status lists and commits, each by
// itself: no network, no protocol around it.
func cards() []benchmark {
	return []benchmark{
		{name: "Card/mdoc/Verify/cold", floor: []part{{verify, 4}}, make: verifyMdoc(cold)},
		{name: "Card/mdoc/Verify/chain-cached", floor: []part{{verify, 2}}, may: 1.1, make: verifyMdoc(chainCached)},
		{name: "Card/mdoc/Verify/seen", floor: []part{{verify, 1}}, may: 1.2, make: verifyMdoc(seen)},
		{name: "Card/mdoc/Issue", floor: []part{{sign, 1}}, make: issueMdoc},
		{name: "Card/sdjwt/Verify/chain-cached", floor: []part{{verify, 2}}, may: 1.1, make: verifySDJWT},
		{name: "Card/sdjwt/Issue", floor: []part{{sign, 1}}, make: issueSDJWT},
		{name: "Status/Get", make: statusGet},
		{name: "Status/Publish/JWT", floor: []part{{sign, 1}}, make: publish(statuslist.Token.SignJWT)},
		{name: "Status/Publish/CWT", floor: []part{{sign, 1}}, make: publish(statuslist.Token.SignCWT)},
		{name: "DCQL/Choose", make: chooseDCQL},
		{name: "Store/Update/callers=1", make: updates(1)},
		{name: "Store/Update/callers=8", make: updates(8)},
		{name: "Store/Update/callers=64", make: updates(64)},
	}
}

// memory is what a verifier remembers of the issuer.
type memory int

const (
	cold        memory = iota // nothing: root and certificate are verified, too
	chainCached               // its certificate, and not the card
	seen                      // the card
)

func verifyMdoc(m memory) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		w, err := e.world()
		if err != nil {
			return nil, err
		}
		responses, err := w.responses()
		if err != nil {
			return nil, err
		}
		first, err := w.present(w.card)
		if err != nil {
			return nil, err
		}
		anchors, i := (*mdoc.TrustAnchors)(nil), 0
		return &subject{run: each(func() error {
			if anchors == nil || m == cold || m == chainCached && i == 0 {
				var err error
				if anchors, err = mdoc.NewTrustAnchors(w.iaca.Certificate()); err != nil {
					return err
				}
				if m == chainCached { // once in many times
					if _, err = mdoc.Verify(first, w.transcript, anchors, at); err != nil {
						return err
					}
				}
			}
			_, err := mdoc.Verify(responses[i], w.transcript, anchors, at)
			if m != seen {
				i = (i + 1) % many
			}
			return err
		})}, nil
	}
}

func issueMdoc(e *env) (*subject, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	random := chance("issue")
	ref := &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: 1}
	return &subject{run: each(func() error {
		_, err := mdoc.Issue(w.signer, random, &w.phone.PublicKey, w.elements, mdoc.Validity{Signed: signed, From: signed, Until: signed.AddDate(3, 0, 0)}, ref)
		return err
	})}, nil
}

func verifySDJWT(e *env) (*subject, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	shown := make([][]byte, many)
	for i := range shown {
		c := w.credential
		c.Status = &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: uint64(i)}
		card, err := sdjwt.Issue(w.signer, chance(fmt.Sprint(i)), c)
		if err != nil {
			return nil, err
		}
		text, err := sdjwt.Present(card, []sdjwt.Path{{"family_name"}, {"given_name"}, {"birthdate"}, {"age_equal_or_over", "19"}},
			sdjwt.Binding{Audience: w.want.Audience, Nonce: w.want.Nonce, IssuedAt: w.want.At}, w.phone)
		if err != nil {
			return nil, err
		}
		shown[i] = []byte(text)
	}
	anchors, err := mdoc.NewTrustAnchors(w.iaca.Certificate())
	if err != nil {
		return nil, err
	}
	i := 0
	return &subject{run: each(func() error {
		i = (i + 1) % many
		_, err := sdjwt.Verify(shown[i], anchors, w.want)
		return err
	})}, nil
}

func issueSDJWT(e *env) (*subject, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	random := chance("issue")
	return &subject{run: each(func() error {
		_, err := sdjwt.Issue(w.signer, random, w.credential)
		return err
	})}, nil
}

// full is a list of 2^20 places, one in fifty of them suspended.
func full() (*statuslist.List, error) {
	l, err := statuslist.New(2, 1<<20)
	if err != nil {
		return nil, err
	}
	for i := uint64(0); i < l.Len()/50; i++ {
		if err := l.Set(i*2654435761%l.Len(), statuslist.Suspended); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func statusGet(*env) (*subject, error) {
	l, err := full()
	if err != nil {
		return nil, err
	}
	i := uint64(0)
	return &subject{run: func(n int) error {
		for range n {
			i = (i*2654435761 + 1) % l.Len()
			if _, err := l.Get(i); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

func publish(form func(statuslist.Token, mdoc.Signer) ([]byte, error)) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		w, err := e.world()
		if err != nil {
			return nil, err
		}
		l, err := full()
		if err != nil {
			return nil, err
		}
		token := statuslist.Token{Subject: "https://rollcall.example/status/1", IssuedAt: signed, Expires: signed.Add(24 * time.Hour), TTL: 15 * time.Minute,
			RegisterSeq: 987654321, List: l}
		i := uint64(0)
		return &subject{run: each(func() error {
			i = (i*2654435761 + 1) % l.Len()
			if err := l.Set(i, statuslist.Suspended); err != nil {
				return err
			}
			_, err := form(token, w.status)
			return err
		})}, nil
	}
}

func chooseDCQL(e *env) (*subject, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	q := &dcql.Query{Credentials: []dcql.Credential{{ID: "card", Format: dcql.SDJWT, Meta: dcql.Meta{VCT: []string{sdjwt.Type}},
		Claims: []dcql.Claim{{Path: dcql.Names("family_name")}, {Path: dcql.Names("given_name")}, {Path: dcql.Names("birthdate")}, {Path: dcql.Names("age_equal_or_over", "19")}}}}}
	if err := q.Valid(); err != nil {
		return nil, err
	}
	held := []dcql.Held{{Format: dcql.SDJWT, Type: sdjwt.Type, Claims: w.credential.Claims, HolderBound: true}}
	return &subject{run: each(func() error {
		_, err := q.Choose(held)
		return err
	})}, nil
}

// updates are durable commits by so many callers at once: those that wait share one
// sync (group commit).
func updates(callers int) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		db, err := sqlite.Open(filepath.Join(e.o.Dir, fmt.Sprintf("updates-%d.db", callers)), sqlite.Options{})
		if err != nil {
			return nil, err
		}
		e.atEnd(func() { _ = db.Close() })
		id, before := uint64(0), db.Stats()
		var mu gosync.Mutex
		next := func() store.PersonID { mu.Lock(); defer mu.Unlock(); id++; return store.PersonID(id) }
		return &subject{
			run: func(n int) error {
				var wg gosync.WaitGroup
				errs := make([]error, callers)
				for c := range callers {
					share := n / callers
					if c < n%callers {
						share++
					}
					wg.Go(func() {
						for range share {
							person := store.Person{ID: next(), FamilyName: "김", GivenName: "하늘"}
							if err := db.Update(e.ctx, func(tx store.Tx) error { return tx.PutPerson(person) }); err != nil {
								errs[c] = err
								return
							}
						}
					})
				}
				wg.Wait()
				return errors.Join(errs...)
			},
			figures: func() []figure {
				now := db.Stats()
				commits, syncs := now.Commits-before.Commits, now.Batches-before.Batches
				before = now
				return []figure{{float64(commits) / float64(max(syncs, 1)), "updates/sync"}}
			},
		}, nil
	}
}
