// Package storetest is the conformance suite of store.Store: every
// implementation passes it. What the comments of that interface promise is tried
// here, through the interface alone: it may not know how a register is kept, only
// that what was kept at a place can be opened there again.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
)

// Open opens the register that is kept at a place, and makes it if there is
// none.
type Open func(t testing.TB, place string) store.Store

var ctx = context.Background()

// moment is a time as stores keep them: milliseconds, UTC.
var moment = time.Date(2025, 3, 14, 9, 0, 0, 123e6, time.UTC)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"EverythingWrittenIsReadBackAlsoAfterReopening", everything},
		{"AFailedUpdateWritesNothing", failed},
		{"APanickingUpdateWritesNothingAndHurtsNobody", panicking},
		{"ATransactionSeesItsOwnWritesAndNobodyElseDoesBeforeTheCommit", isolation},
		{"AViewBegunAfterAnUpdateReturnedSeesIt", fresh},
		{"AViewIsOneSnapshot", snapshot},
		{"UpdatesAreSerial", serial},
		{"TheFailureOfOneUpdateUndoesThatOneAlone", alone},
		{"KeysAreGivenOnce", once},
		{"WhatWasUsedOnceIsKnownByItsHashAndANonceByItsMomentToo", nonces},
		{"AnAuditEntryHasTheNextNumber", numbers},
		{"AFencedRegisterAcknowledgesNothing", fenced},
		{"ACancelledRequestIsNotRun", cancelled},
		{"WhatIsOldIsForgotten", forgotten},
		{"EntriesShowTheStateOfTheirPersonAndCredential", entries},
		{"CopiesStandWhereTheyWerePutInWhateverOrderAListHas", copies},
		{"NoPlaceOfARunIsGivenAgainAndNothingOfARunThatOverlaps", overlaps},
		{"AListKeepsItsSizeAndItsOrder", kept},
		{"AListWhoseOpeningWasUndoneLeavesNoOrderBehind", undone},
		{"TextThatIsNoTextIsKeptOrRefusedAndHurtsNobody", oddities},
		{"ItSaysWhetherItCanBeAsked", ready},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func update(t testing.TB, s store.Store, f func(store.Tx) error) {
	t.Helper()
	must(t, s.Update(ctx, f))
}

func view(t testing.TB, s store.Store, f func(store.Reader) error) {
	t.Helper()
	must(t, s.View(ctx, f))
}

func opened(t *testing.T, open Open) store.Store {
	s := open(t, t.TempDir())
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func person(id store.PersonID) store.Person {
	return store.Person{
		ID: id, RRN: "9001021234560", FamilyName: "김", GivenName: "하늘", BirthDate: time.Date(1955, 2, 28, 0, 0, 0, 0, time.UTC),
		Sex: 'F', Address: "한누리대로 2130", Municipality: "36110", Centre: "3611051500", State: lifecycle.HasCard, Card: "A1", Credential: 7, Changed: 3,
	}
}

func everything(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	p := person(1 << 40)
	card := store.Card{Number: "A1", Person: p.ID, Chip: true, Template: []byte{1, 2}, Portrait: []byte{3}, Issued: moment, Ended: 9}
	wallet := store.Wallet{ID: "w", Person: p.ID, Lost: 4}
	cred := store.Credential{Person: p.ID, Card: "A1", Wallet: "w", Issued: moment, Until: moment.AddDate(3, 0, 0), Outdated: 11}
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

func second[T any](_ T, err error) error { return err }

func exists(t testing.TB, s store.Store, id store.PersonID) (yes bool) {
	t.Helper()
	view(t, s, func(r store.Reader) error {
		_, err := r.Person(id)
		yes = err == nil
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	return yes
}

func failed(t *testing.T, open Open) {
	s := opened(t, open)
	own := errors.New("my own reason")
	if err := s.Update(ctx, func(tx store.Tx) error {
		must(t, tx.PutPerson(person(1)))
		return own
	}); !errors.Is(err, own) {
		t.Fatalf("the reason of the caller was lost: %v", err)
	}
	if exists(t, s, 1) {
		t.Error("a failed Update left a person behind")
	}
	if n := s.Stats().Commits; n != 0 {
		t.Errorf("%d commits were counted", n)
	}
}

func panicking(t *testing.T, open Open) {
	s := opened(t, open)
	if err := s.Update(ctx, func(tx store.Tx) error {
		must(t, tx.PutPerson(person(1)))
		panic("oops")
	}); err == nil {
		t.Fatal("a panic was acknowledged")
	}
	if err := s.View(ctx, func(store.Reader) error { panic("oops") }); err == nil {
		t.Fatal("a panic in a View was swallowed")
	}
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(2)) })
	if exists(t, s, 1) || !exists(t, s, 2) {
		t.Error("a panic had an effect beyond its own request")
	}
}

func isolation(t *testing.T, open Open) {
	s := opened(t, open)
	inside, go_ := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.Update(ctx, func(tx store.Tx) error {
			if err := tx.PutPerson(person(1)); err != nil {
				return err
			}
			_, err := tx.Person(1)
			close(inside)
			<-go_
			return err
		})
	}()
	<-inside
	if exists(t, s, 1) {
		t.Error("a View saw what was not committed")
	}
	close(go_)
	must(t, <-done)
	if !exists(t, s, 1) {
		t.Error("a View did not see what was acknowledged")
	}
}

func fresh(t *testing.T, open Open) {
	s := opened(t, open)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 10 {
				id := store.PersonID(worker*1000 + i)
				if err := s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(person(id)) }); err != nil {
					t.Error(err)
					return
				}
				if err := s.View(ctx, func(r store.Reader) error { return second(r.Person(id)) }); err != nil {
					t.Errorf("person %d was acknowledged and is not there: %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.Stats(); n.Commits != 40 || n.Batches > n.Commits {
		t.Errorf("stats %+v after 40 commits", n)
	}
}

func snapshot(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	view(t, s, func(r store.Reader) error {
		before, err := r.Person(1)
		must(t, err)
		done := make(chan error)
		go func() { // not within the View: by another caller
			p := person(1)
			p.GivenName = "바다"
			done <- s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(p) })
		}()
		must(t, <-done)
		after, err := r.Person(1)
		if before != after {
			t.Error("a View changed under its reader")
		}
		return err
	})
}

func serial(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if err := s.Update(ctx, func(tx store.Tx) error {
					p, err := tx.Person(1)
					if err != nil {
						return err
					}
					p.Changed++
					return tx.PutPerson(p)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(r store.Reader) error {
		p, err := r.Person(1)
		if want := person(1).Changed + workers*each; p.Changed != want {
			t.Errorf("%d increments came to %d", want, p.Changed)
		}
		return err
	})
}

func alone(t *testing.T, open Open) {
	s := opened(t, open)
	var wg sync.WaitGroup
	own := errors.New("odd ones fail")
	for i := range store.PersonID(64) {
		wg.Go(func() {
			err := s.Update(ctx, func(tx store.Tx) error {
				last, err := tx.Sequence()
				if err == nil {
					err = tx.AppendAudit(store.AuditRecord{Sequence: last + 1, Body: []byte{byte(i)}, Hash: []byte{1}})
				}
				if err == nil {
					err = tx.PutPerson(person(i))
				}
				if err != nil || i%2 == 0 {
					return err
				}
				return own
			})
			if i%2 == 0 && err != nil || i%2 == 1 && !errors.Is(err, own) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i := range store.PersonID(64) {
		if exists(t, s, i) != (i%2 == 0) {
			t.Errorf("person %d: exists = %v", i, i%2 != 0)
		}
	}
	view(t, s, func(r store.Reader) error {
		n := uint64(0)
		err := r.Audit(1, 100, func(a store.AuditRecord) error {
			if n++; a.Sequence != n || a.Body[0]%2 != 0 {
				t.Errorf("entry %d is number %d, of update %d", n, a.Sequence, a.Body[0])
			}
			return nil
		})
		if n != 32 {
			t.Errorf("%d entries of 32 updates", n)
		}
		return err
	})
}

func once(t *testing.T, open Open) {
	s := opened(t, open)
	adds := map[string]func(store.Tx) error{
		"card number":            func(tx store.Tx) error { return tx.AddCard(store.Card{Number: "A1"}) },
		"index":                  func(tx store.Tx) error { return tx.AddEntries(0, []uint64{5}, 1) },
		"challenge":              func(tx store.Tx) error { return tx.AddChallenge(store.Challenge{Value: []byte("x"), Made: moment}) },
		"nonce":                  func(tx store.Tx) error { return tx.UseNonce([]byte("x"), moment) },
		"nonce without a moment": func(tx store.Tx) error { return tx.UseOnce([]byte("y"), moment) },
		"ticket": func(tx store.Tx) error {
			return tx.AddTicket(store.Ticket{Kind: "k", Key: []byte("x"), Body: []byte{}, Expires: moment})
		},
		"idempotency key": func(tx store.Tx) error {
			return tx.PutAnswer("s", "k", store.Answer{Request: []byte{}, Body: []byte{}})
		},
		"report": func(tx store.Tx) error { return tx.AddReport(store.Report{Sequence: 1}) },
	}
	update(t, s, func(tx store.Tx) error { return tx.PutList(store.List{Size: 64, Secret: secret(1)}) })
	for what, add := range adds {
		update(t, s, add)
		if err := s.Update(ctx, add); !errors.Is(err, store.ErrTaken) {
			t.Errorf("a %s was given twice: %v", what, err)
		}
		// A caller may go on after that in the same transaction.
		update(t, s, func(tx store.Tx) error {
			if err := add(tx); !errors.Is(err, store.ErrTaken) {
				t.Errorf("a %s was given twice: %v", what, err)
			}
			return nil
		})
	}
	update(t, s, func(tx store.Tx) error {
		a, err := tx.AddCredential(store.Credential{})
		must(t, err)
		b, err := tx.AddCredential(store.Credential{})
		if b <= a {
			t.Errorf("credential %d came after %d", b, a)
		}
		return err
	})
}

func nonces(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	nonce := func(hash string, at time.Time) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.UseNonce([]byte(hash), at) }
	}
	once := func(hash string, until time.Time) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.UseOnce([]byte(hash), until) }
	}
	later := moment.Add(time.Millisecond)
	for _, step := range []struct {
		what  string
		use   func(store.Tx) error
		taken bool
	}{
		{"a nonce", nonce("a", moment), false},
		{"it in the same millisecond", nonce("a", moment.Add(999*time.Microsecond)), true},
		{"it in another zone", nonce("a", moment.In(time.FixedZone("KST", 9*60*60))), true},
		{"its hash with another moment", nonce("a", later), false},
		{"that again", nonce("a", later), true},
		{"another hash of the same moment", nonce("b", moment), false},
		{"what has no moment", once("c", moment), false},
		{"it until another moment", once("c", later), true},
		{"it as a nonce", nonce("c", moment), true},
		{"it as a nonce of another moment", nonce("c", later), true},
	} {
		if err := s.Update(ctx, step.use); errors.Is(err, store.ErrTaken) != step.taken || !step.taken && err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	must(t, s.Close())
	s = open(t, place)
	defer s.Close()
	for what, use := range map[string]func(store.Tx) error{"the nonce": nonce("a", moment), "what has no moment": once("c", later), "it as a nonce": nonce("c", later)} {
		if err := s.Update(ctx, use); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s, after reopening: %v", what, err)
		}
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := s.Update(ctx, nonce("raced for", moment)); err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 used one nonce", won.Load())
	}
}

func numbers(t *testing.T, open Open) {
	s := opened(t, open)
	add := func(n uint64) error {
		return s.Update(ctx, func(tx store.Tx) error {
			return tx.AppendAudit(store.AuditRecord{Sequence: n, Body: fmt.Append(nil, n), Hash: []byte{byte(n)}})
		})
	}
	must(t, add(1))
	must(t, add(2))
	for _, wrong := range []uint64{0, 1, 2, 4} {
		if add(wrong) == nil {
			t.Errorf("entry %d was taken after 2", wrong)
		}
	}
	must(t, add(3))
	for _, span := range []struct {
		from, to uint64
		want     string
	}{{0, 0, ""}, {1, ^uint64(0), "123"}, {2, 2, "2"}, {3, 1, ""}, {4, 9, ""}} {
		var got bytes.Buffer
		view(t, s, func(r store.Reader) error {
			return r.Audit(span.from, span.to, func(a store.AuditRecord) error {
				got.Write(a.Body)
				return nil
			})
		})
		if got.String() != span.want {
			t.Errorf("entries %d to %d: %q, want %q", span.from, span.to, &got, span.want)
		}
	}
}

func fenced(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	defer s.Close()
	inside, go_ := make(chan struct{}), make(chan struct{})
	flight := make(chan error, 9)
	go func() {
		flight <- s.Update(ctx, func(tx store.Tx) error {
			close(inside)
			<-go_
			return tx.PutPerson(person(1))
		})
	}()
	<-inside
	for i := range store.PersonID(8) {
		go func() {
			flight <- s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(person(2 + i)) })
		}()
	}
	s.Fence()
	close(go_)
	for range 9 {
		if err := <-flight; !errors.Is(err, store.ErrFenced) {
			t.Errorf("an Update in flight at the fence returned %v", err)
		}
	}
	if err := s.Update(ctx, func(store.Tx) error { return nil }); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a fenced register took an Update: %v", err)
	}
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a fenced register answered a View: %v", err)
	}
	if n := s.Stats().Commits; n != 0 {
		t.Errorf("%d commits were acknowledged", n)
	}
}

func cancelled(t *testing.T, open Open) {
	s := opened(t, open)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Update(gone, func(tx store.Tx) error { return tx.PutPerson(person(1)) }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Update returned %v", err)
	}
	if exists(t, s, 1) {
		t.Error("a cancelled Update was run")
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
	update(t, s, func(tx store.Tx) error {
		n, err := tx.Forget(new, 10)
		if n != 6 {
			t.Errorf("%d records were forgotten, want 6", n)
		}
		return err
	})
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

func entries(t *testing.T, open Open) {
	s := opened(t, open)
	// Six people: active, suspended, one whose first credential ended, one
	// suspended in another list, one whose credential is outdated, and one whose is
	// and who is suspended.
	const lost = lifecycle.HasCard | lifecycle.HasCredential | lifecycle.State(lifecycle.MobileLost)
	states := []lifecycle.State{lifecycle.HasCard | lifecycle.HasCredential, lost, lifecycle.HasCard | lifecycle.HasCredential, lost,
		lifecycle.HasCard | lifecycle.HasCredential, lost}
	ids := make([]store.CredentialID, 6)
	var ended store.CredentialID
	update(t, s, func(tx store.Tx) (err error) {
		must(t, tx.PutList(store.List{Number: 0, Size: 100, Secret: secret(1)}))
		must(t, tx.PutList(store.List{Number: 1, Size: 100}))
		for i, state := range states {
			p := person(store.PersonID(i + 1))
			if i == 2 {
				ended, err = tx.AddCredential(store.Credential{Person: p.ID, Until: moment, Ended: 5})
				must(t, err)
				must(t, tx.AddEntries(0, []uint64{90}, ended))
			}
			c := store.Credential{Person: p.ID, Until: moment.Add(time.Duration(-i) * time.Hour)}
			list := uint32(0)
			if i >= 4 {
				c.Outdated, c.Until = 7, moment.AddDate(1, 0, 0)
			} else {
				list = uint32(i / 3)
			}
			ids[i], err = tx.AddCredential(c)
			must(t, err)
			p.State, p.Credential = state, ids[i]
			must(t, tx.PutPerson(p))
			must(t, tx.AddEntries(list, []uint64{uint64(20 - 2*i), uint64(20-2*i) - 1}, ids[i]))
		}
		return nil
	})
	view(t, s, func(r store.Reader) error {
		e, err := r.Entry(0, 18)
		if want := (store.Entry{List: 0, Index: 18, Credential: ids[1], Person: 2, State: lost, Until: moment.Add(-time.Hour)}); err != nil || e != want {
			t.Errorf("entry: %+v, %v; want %+v", e, err, want)
		}
		of, err := r.EntriesOf(ids[1])
		if err != nil || len(of) != 2 || of[0].Index+of[1].Index != 17+18 || of[0].Index == of[1].Index || of[0].State != lost || of[1].State != lost {
			t.Errorf("entries of a credential: %+v, %v", of, err)
		}
		verdicts := map[uint64]lifecycle.Verdict{}
		must(t, r.NotPlainlyValid(0, func(e store.Entry) error {
			if _, twice := verdicts[e.Index]; twice {
				t.Errorf("index %d came twice", e.Index)
			}
			verdicts[e.Index] = e.Verdict()
			if e.Outdated != (e.Person >= 5) {
				t.Errorf("index %d of person %d: outdated %v", e.Index, e.Person, e.Outdated)
			}
			return nil
		}))
		want := map[uint64]lifecycle.Verdict{17: lifecycle.Suspended, 18: lifecycle.Suspended, 90: lifecycle.NotValid,
			11: lifecycle.Accepted, 12: lifecycle.Accepted, 9: lifecycle.Suspended, 10: lifecycle.Suspended}
		if !reflect.DeepEqual(verdicts, want) {
			t.Errorf("not plainly valid: %v, want %v", verdicts, want)
		}
		due, err := r.Due(moment.Add(-time.Hour), 9)
		if wantDue := []store.CredentialID{ids[3], ids[2], ids[1]}; err != nil || !reflect.DeepEqual(due, wantDue) {
			t.Errorf("due: %v, %v; want %v", due, err, wantDue)
		}
		if due, err := r.Due(moment, 1); err != nil || len(due) != 1 {
			t.Errorf("due, at most one: %v, %v", due, err)
		}
		return nil
	})
}

// secret is that of a list.
func secret(of byte) []byte { return bytes.Repeat([]byte{of}, places.SecretSize) }

// ordered is a register with two lists of 1000 places: one with a secret, and one as they
// were before there were secrets. A list's indices are handed out in its order.
func ordered(t *testing.T, open Open) (s store.Store, orders []places.Order) {
	t.Helper()
	s = opened(t, open)
	for n, key := range [][]byte{secret(1), nil} {
		update(t, s, func(tx store.Tx) error {
			return tx.PutList(store.List{Number: uint32(n), Size: 1000, Secret: key})
		})
		o, err := places.New(key, 1000)
		must(t, err)
		orders = append(orders, o)
	}
	return s, orders
}

// holder enters a person with a live credential.
func holder(t *testing.T, tx store.Tx, id store.PersonID) store.CredentialID {
	t.Helper()
	c, err := tx.AddCredential(store.Credential{Person: id, Until: moment})
	must(t, err)
	p := person(id)
	p.State, p.Credential = lifecycle.HasCard|lifecycle.HasCredential, c
	must(t, tx.PutPerson(p))
	return c
}

func copies(t *testing.T, open Open) {
	s, orders := ordered(t, open)
	for list, o := range orders {
		// Neighbours at both ends of the list and in the middle, and places all over it.
		given := map[uint64]store.CredentialID{}
		all := [][]uint64{o.Indices(places.Run{First: 0, Length: 10}), o.Indices(places.Run{First: 990, Length: 10}),
			o.Indices(places.Run{First: 500, Length: 10}), o.Indices(places.Run{First: 510, Length: 1}),
			{o.At(100), o.At(102), o.At(104), o.At(103), o.At(900)}, {o.At(101)}}
		for i, indices := range all {
			update(t, s, func(tx store.Tx) error {
				id := holder(t, tx, store.PersonID(100*list+i+1))
				for _, index := range indices {
					given[index] = id
				}
				return tx.AddEntries(uint32(list), indices, id)
			})
		}
		view(t, s, func(r store.Reader) error {
			for index := range uint64(1000) {
				id, taken := given[index]
				e, err := r.Entry(uint32(list), index)
				if want := (store.Entry{List: uint32(list), Index: index, Credential: id, Person: store.PersonID(100*list) + e.Person%100,
					State: lifecycle.HasCard | lifecycle.HasCredential, Until: moment}); taken && (err != nil || e != want) {
					t.Errorf("list %d, index %d: %+v, %v; want %+v", list, index, e, err, want)
				}
				if !taken && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("list %d, index %d, which was not given: %+v, %v", list, index, e, err)
				}
				if free, err := r.Free(uint32(list), []uint64{index}); err != nil || free == taken {
					t.Errorf("list %d, index %d: free %v, %v", list, index, free, err)
				}
			}
			for _, indices := range all {
				want := map[uint64]bool{}
				for _, index := range indices {
					want[index] = true
				}
				of, err := r.EntriesOf(given[indices[0]])
				must(t, err)
				if len(of) != len(indices) {
					t.Errorf("list %d: %d entries of a credential with %d copies", list, len(of), len(indices))
				}
				for _, e := range of {
					if !want[e.Index] {
						t.Errorf("list %d: %+v, or twice", list, e)
					}
					delete(want, e.Index)
				}
			}
			return nil
		})
	}
}

func overlaps(t *testing.T, open Open) {
	s, orders := ordered(t, open)
	for list, o := range orders {
		run := func(first, length uint64) []uint64 { return o.Indices(places.Run{First: first, Length: length}) }
		number, id := uint32(list), store.CredentialID(0)
		update(t, s, func(tx store.Tx) error {
			id = holder(t, tx, store.PersonID(list+1))
			return tx.AddEntries(number, run(100, 10), id)
		})
		for what, indices := range map[string][]uint64{
			"the same": run(100, 10), "its first": run(100, 1), "its last": run(109, 1), "its middle": run(103, 4),
			"up to its first": run(95, 6), "from its last": run(109, 6), "around it": run(95, 20), "long before to long after": run(0, 1000),
			"its last and others": {o.At(500), o.At(109), o.At(600)},
		} {
			update(t, s, func(tx store.Tx) error {
				if free, err := tx.Free(number, indices); err != nil || free {
					t.Errorf("list %d, %s: free %v, %v", list, what, free, err)
				}
				if err := tx.AddEntries(number, indices, id+1); !errors.Is(err, store.ErrTaken) {
					t.Errorf("list %d, %s was given again: %v", list, what, err)
				}
				return nil
			})
		}
		around := append(run(0, 100), run(110, 890)...)
		view(t, s, func(r store.Reader) error {
			if free, err := r.Free(number, around); err != nil || !free {
				t.Errorf("list %d: what was refused has left something: %v", list, err)
			}
			return nil
		})
		for what, indices := range map[string][]uint64{"the index after the last": {1000}, "an index that no number has": {1 << 63}, "an index twice": {7, 8, 7}} {
			if err := s.Update(ctx, func(tx store.Tx) error { return tx.AddEntries(number, indices, id) }); err == nil {
				t.Errorf("list %d: %s was given", list, what)
			}
		}
		update(t, s, func(tx store.Tx) error { return tx.AddEntries(number, around, id) })
	}
	if err := s.Update(ctx, func(tx store.Tx) error { return tx.AddEntries(9, []uint64{1}, 1) }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a place in a list that is not there: %v", err)
	}
}

func kept(t *testing.T, open Open) {
	s := opened(t, open)
	want := store.List{Number: 0, Size: 64, Secret: secret(1)}
	update(t, s, func(tx store.Tx) error { return tx.PutList(want) })
	want.Allotted = 7
	update(t, s, func(tx store.Tx) error { return tx.PutList(store.List{Size: 128, Secret: secret(2), Allotted: 7}) })
	view(t, s, func(r store.Reader) error {
		lists, err := r.Lists()
		if err != nil || !reflect.DeepEqual(lists, []store.List{want}) {
			t.Errorf("%+v, %v; want %+v", lists, err, want)
		}
		return nil
	})
}

func undone(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	update(t, s, func(tx store.Tx) error { return tx.PutPerson(person(1)) })
	no := errors.New("no")
	attempt := func(list uint32, key []byte, end error) error {
		return s.Update(ctx, func(tx store.Tx) error {
			must(t, tx.PutList(store.List{Number: list, Size: 1000, Secret: key}))
			must(t, tx.AddEntries(list, []uint64{5, 6, 7}, 1))
			if _, err := tx.Free(list, []uint64{9}); err != nil {
				t.Error(err)
			}
			return end
		})
	}
	update(t, s, func(tx store.Tx) error { return second(tx.AddCredential(store.Credential{Person: 1, Until: moment})) })
	for list := range uint32(8) {
		var others sync.WaitGroup // who share the commit, perhaps
		for range list % 4 {
			others.Go(func() { must(t, s.Update(ctx, func(tx store.Tx) error { return tx.PutPerson(person(2)) })) })
		}
		if err := attempt(list, secret(1), no); !errors.Is(err, no) {
			t.Fatal(err)
		}
		others.Wait()
		must(t, attempt(list, secret(2), nil))
	}
	for range 2 {
		view(t, s, func(r store.Reader) error {
			for list := range uint32(8) {
				for _, index := range []uint64{5, 6, 7} {
					if e, err := r.Entry(list, index); err != nil || e.Credential != 1 {
						t.Errorf("list %d, index %d: %+v, %v", list, index, e, err)
					}
				}
			}
			return nil
		})
		must(t, s.Close())
		s = open(t, place)
	}
	must(t, s.Close())
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

func ready(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)
	must(t, s.Ready(ctx))
	must(t, s.Close())
	if err := s.Ready(ctx); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed register says %v", err)
	}
	s = open(t, place)
	defer s.Close()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Ready(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait is told %v", err)
	}
	must(t, s.Ready(ctx))
	s.Fence()
	if err := s.Ready(ctx); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a fenced register says %v", err)
	}
}
