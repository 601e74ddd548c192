package storetest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
)

func everything(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	p := person(1 << 40)
	card := store.Card{Number: "A1", Person: p.ID, Chip: true, Template: []byte{1, 2}, Portrait: []byte{3}, Issued: moment, Ended: 9}
	wallet := store.Wallet{ID: "w", Person: p.ID, Lost: 4}
	cred := store.Credential{Person: p.ID, Card: "A1", Wallet: "w", Issued: moment, Until: moment.AddDate(3, 0, 0), Outdated: 11, Document: "M1", Formats: "one two"}
	list := store.List{Number: 0, Size: 1 << 20, Allotted: 5, Secret: secret(1)}
	offer := store.Offer{Hash: []byte("h"), Person: p.ID, Centre: "36110", Clerk: "clerk", Made: moment}
	challenge := store.Challenge{Value: []byte("12345678"), Made: moment}
	answer := store.Answer{Request: []byte{1}, Body: []byte(`{}`), At: moment}
	reports := []store.Report{
		{Sequence: 1, Person: p.ID, Cause: lifecycle.PhysicalLost, Subject: "A1", Actor: "a", At: moment},
		{Sequence: 2, Person: p.ID, Cause: lifecycle.PhysicalLost, Subject: "A1", Actor: "b", At: moment},
		{Sequence: 3, Person: p.ID, Cause: lifecycle.PhysicalLost, Subject: "A0", Actor: "b", At: moment},
	}
	ticket := store.Ticket{Kind: "k", Key: []byte("t"), Body: []byte(`{"n":2}`), Expires: moment}
	party := store.Party{ID: "bank", Role: "verifier", Body: []byte(`{"n":2}`), Ended: moment}
	other := store.Party{ID: "office", Role: "clerk", Body: []byte(`{}`)}
	record := store.AuditRecord{Sequence: 1, Body: []byte("body"), Hash: []byte("hash")}
	update(t, s, func(tx store.Tx) (err error) {
		must(t, tx.PutPerson(p))
		must(t, tx.AddRRN(p.RRN, p.ID))
		must(t, tx.AddCard(store.Card{Number: "A1", Person: p.ID}))
		must(t, tx.PutCard(card))
		must(t, tx.PutWallet(wallet))
		cred.ID, err = tx.AddCredential(store.Credential{Person: p.ID})
		must(t, err)
		must(t, tx.PutCredential(cred))
		must(t, tx.PutList(list))
		must(t, tx.AddOffer(offer))
		offer.Used = 8
		must(t, tx.PutOffer(offer))
		must(t, tx.AddChallenge(challenge))
		challenge.Used = 6
		must(t, tx.PutChallenge(challenge))
		must(t, tx.PutAnswer("scope", "key", answer))
		must(t, tx.AddTicket(store.Ticket{Kind: "k", Key: []byte("t"), Body: []byte(`{"n":1}`), Expires: moment.Add(time.Hour)}))
		must(t, tx.PutTicket(ticket))
		must(t, tx.PutParty(other))
		must(t, tx.PutParty(store.Party{ID: "bank", Role: "clerk", Body: []byte(`{"n":1}`)}))
		must(t, tx.PutParty(party))
		for _, r := range reports {
			must(t, tx.AddReport(r))
		}
		return tx.AppendAudit(record)
	})
	check := func(s store.Store) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			same := func(what string, want any, got any, err error) {
				t.Helper()
				if err != nil || !reflect.DeepEqual(want, got) {
					t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
				}
			}
			gotPerson, err := r.Person(p.ID)
			same("person", p, gotPerson, err)
			whose, err := r.PersonByRRN(p.RRN)
			same("whose registration number", p.ID, whose, err)
			shared, err := r.SharedRRNs(10)
			same("shared registration numbers", []store.Shared(nil), shared, err)
			if _, err := r.PersonByRRN("9001021234561"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a registration number that nobody has: %v", err)
			}
			gotCard, err := r.Card("A1")
			same("card", card, gotCard, err)
			gotWallet, err := r.Wallet(p.ID, "w")
			same("wallet", wallet, gotWallet, err)
			gotCred, err := r.Credential(cred.ID)
			same("credential", cred, gotCred, err)
			lists, err := r.Lists()
			same("lists", []store.List{list}, lists, err)
			gotOffer, err := r.Offer([]byte("h"))
			same("offer", offer, gotOffer, err)
			gotChallenge, err := r.Challenge([]byte("12345678"))
			same("challenge", challenge, gotChallenge, err)
			gotAnswer, err := r.Answer("scope", "key")
			same("answer", answer, gotAnswer, err)
			gotTicket, err := r.Ticket("k", []byte("t"))
			same("ticket", ticket, gotTicket, err)
			gotParty, err := r.Party("bank")
			same("party", party, gotParty, err)
			parties, err := r.Parties()
			same("parties", []store.Party{party, other}, parties, err)
			newest, err := r.NewestReport(p.ID, lifecycle.PhysicalLost, "A1")
			same("newest report", reports[1], newest, err)
			all, err := r.Reports(p.ID)
			same("reports", reports, all, err)
			head, err := r.AuditHead()
			same("audit head", record, head, err)
			seq, err := r.Sequence()
			same("sequence", uint64(1), seq, err)

			for what, err := range map[string]error{
				"person":     second(r.Person(2)),
				"card":       second(r.Card("A2")),
				"credential": second(r.Credential(99)),
				"offer":      second(r.Offer([]byte("x"))),
				"challenge":  second(r.Challenge([]byte("x"))),
				"ticket":     second(r.Ticket("k", []byte("x"))),
				"ticket2":    second(r.Ticket("x", []byte("t"))),
				"party":      second(r.Party("x")),
				"answer":     second(r.Answer("scope", "other")),
				"answer2":    second(r.Answer("other", "key")),
				"report":     second(r.NewestReport(p.ID, lifecycle.MobileLost, "w")),
				"entry":      second(r.Entry(0, 1)),
				"entry2":     second(r.Entry(0, 1<<20)),
				"entry3":     second(r.Entry(1, 1)),
				"list":       second(r.Free(1, []uint64{1})),
			} {
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("a %s that is not there: %v", what, err)
				}
			}
			clean, err := r.Wallet(p.ID, "never heard of")
			same("wallet never heard of", store.Wallet{ID: "never heard of", Person: p.ID}, clean, err)
			return nil
		})
	}
	check(s)
	must(t, s.Close())
	s = open(t, place)
	check(s)
	must(t, s.Close())
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed register answered a View: %v", err)
	}
	if err := s.Update(ctx, func(store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed register took an Update: %v", err)
	}
}

func forgotten(t *testing.T, open Open) {
	s := opened(t, open)
	old, new := moment, moment.Add(time.Hour)
	update(t, s, func(tx store.Tx) error {
		for name, at := range map[string]time.Time{"old": old, "new": new} {
			must(t, tx.UseNonce([]byte(name), at))
			must(t, tx.UseOnce([]byte(name+" once"), at))
			must(t, tx.AddChallenge(store.Challenge{Value: []byte(name), Made: at}))
			must(t, tx.AddOffer(store.Offer{Hash: []byte(name), Made: at}))
			must(t, tx.PutAnswer("s", name, store.Answer{Request: []byte{}, Body: []byte{}, At: at}))
			must(t, tx.AddTicket(store.Ticket{Kind: "k", Key: []byte(name), Body: []byte{}, Expires: at}))
		}
		return nil
	})
	for _, c := range []struct {
		before, over time.Time
		want         int
	}{{old, old, 0}, {old, new, 1}, {new, old, 5}} { // tickets, and all else
		update(t, s, func(tx store.Tx) error {
			n, err := tx.Forget(c.before, c.over, 10)
			if n != c.want {
				t.Errorf("%d records were forgotten, want %d", n, c.want)
			}
			return err
		})
	}
	for _, use := range []func(store.Tx) error{
		func(tx store.Tx) error { return tx.UseNonce([]byte("new"), new) },
		func(tx store.Tx) error { return tx.UseOnce([]byte("new once"), new) },
	} {
		if err := s.Update(ctx, use); !errors.Is(err, store.ErrTaken) {
			t.Errorf("a nonce that has not expired was forgotten: %v", err)
		}
	}
	view(t, s, func(r store.Reader) error {
		must(t, second(r.Challenge([]byte("new"))))
		must(t, second(r.Offer([]byte("new"))))
		must(t, second(r.Answer("s", "new")))
		must(t, second(r.Ticket("k", []byte("new"))))
		if err := second(r.Ticket("k", []byte("old"))); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an old ticket is still there: %v", err)
		}
		if err := second(r.Answer("s", "old")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an old answer is still there: %v", err)
		}
		return nil
	})
}

// Keys, names and reasons come from outside.
func oddities(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	for i, odd := range []string{"", "\x00", "a\x00b", "\xff", "\xed\xa0\x80", "\\x41", "'; DROP TABLE person; --", "한글", "\u202e"} {
		for what, keep := range map[string]struct {
			put func(store.Tx) error
			get func(store.Reader) (string, error)
		}{
			"name": {
				func(tx store.Tx) error {
					return tx.PutPerson(store.Person{ID: store.PersonID(10 + i), FamilyName: odd})
				},
				func(r store.Reader) (string, error) {
					p, err := r.Person(store.PersonID(10 + i))
					return p.FamilyName, err
				}},
			"card": {
				func(tx store.Tx) error { return tx.AddCard(store.Card{Number: odd, Person: 1}) },
				func(r store.Reader) (string, error) {
					c, err := r.Card(odd)
					return c.Number, err
				}},
			"wallet": {
				func(tx store.Tx) error { return tx.PutWallet(store.Wallet{ID: odd, Person: 1, Lost: 5}) },
				func(r store.Reader) (string, error) {
					w, err := r.Wallet(1, odd)
					if w.Lost != 5 {
						err = errors.Join(err, store.ErrNotFound)
					}
					return w.ID, err
				}},
			"idempotency key": {
				func(tx store.Tx) error {
					return tx.PutAnswer(odd, odd, store.Answer{Request: []byte{}, Body: []byte(odd)})
				},
				func(r store.Reader) (string, error) {
					a, err := r.Answer(odd, odd)
					return string(a.Body), err
				}},
			"subject": {
				func(tx store.Tx) error {
					return tx.AddReport(store.Report{Sequence: uint64(i + 1), Person: 1, Cause: lifecycle.MobileLost, Subject: odd})
				},
				func(r store.Reader) (string, error) {
					p, err := r.NewestReport(1, lifecycle.MobileLost, odd)
					return p.Subject, err
				}},
			"ticket": {
				func(tx store.Tx) error {
					return tx.AddTicket(store.Ticket{Kind: odd, Key: []byte(odd), Body: []byte{}})
				},
				func(r store.Reader) (string, error) {
					k, err := r.Ticket(odd, []byte(odd))
					return k.Kind, err
				}},
			"party": {
				func(tx store.Tx) error { return tx.PutParty(store.Party{ID: odd, Body: []byte{}}) },
				func(r store.Reader) (string, error) {
					p, err := r.Party(odd)
					return p.ID, err
				}},
		} {
			refused := s.Update(ctx, keep.put)
			view(t, s, func(r store.Reader) error {
				switch got, err := keep.get(r); {
				case refused == nil && (err != nil || got != odd):
					t.Errorf("%s %q was kept as %q, %v", what, odd, got, err)
				case refused != nil && !errors.Is(err, store.ErrNotFound):
					t.Errorf("%s %q was refused (%v) and is there: %q, %v", what, odd, refused, got, err)
				case refused != nil && (odd == "" || utf8.ValidString(odd) && !strings.Contains(odd, "\x00")):
					t.Errorf("%s %q is text: %v", what, odd, refused)
				}
				return nil
			})
		}
	}
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(2)) })
}
