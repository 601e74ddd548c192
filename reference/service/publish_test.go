package service_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

// S11: what is published equals the register at the change it states.

func (w *world) publish() []suspension.Published {
	w.t.Helper()
	lists, _, err := w.Publisher.Publish(ctx)
	must(w.t, err)
	return lists
}

func TestS11APublishedListEqualsTheRegisterAtTheChangeItStates(t *testing.T) {
	w := newWorld(t)
	var people []*citizen
	statuses := map[audit.Copy]statuslist.Status{} // rebuilt from the audit log alone
	owner := map[uint64][]audit.Copy{}             // live credential of a person
	upTo := 0
	check := func() {
		t.Helper()
		published := w.publish()
		entries, _ := w.export()
		for _, e := range entries[upTo:] {
			if e.EndedCredential != 0 {
				for _, c := range owner[e.Person] {
					statuses[c] = statuslist.Invalid
				}
				delete(owner, e.Person)
			}
			for _, c := range e.Copies {
				if _, used := statuses[c]; used {
					t.Errorf("index %v was used twice", c)
				}
			}
			if e.Credential != 0 {
				owner[e.Person] = e.Copies
			}
			for _, c := range owner[e.Person] {
				statuses[c] = statuslist.Valid
				if e.After.PhysicalLost || e.After.MobileLost || e.After.Administrative {
					statuses[c] = statuslist.Suspended
				}
			}
		}
		upTo = len(entries)
		for n, p := range published {
			for _, parse := range []func() (*statuslist.Token, error){
				func() (*statuslist.Token, error) { return statuslist.ParseJWT(p.JWT, authority().Anchors, w.Now()) },
				func() (*statuslist.Token, error) { return statuslist.ParseCWT(p.CWT, authority().Anchors, w.Now()) },
			} {
				token, err := parse()
				must(t, err)
				if token.RegisterSeq != p.RegisterSeq || token.RegisterSeq > uint64(upTo) || token.Subject != p.URI {
					t.Errorf("token of %s at %d, published %s at %d", token.Subject, token.RegisterSeq, p.URI, p.RegisterSeq)
				}
				for i := range token.List.Len() {
					got, err := token.List.Get(i)
					must(t, err)
					if want := statuses[audit.Copy{List: uint32(n), Index: i}]; got != want {
						t.Errorf("at change %d: index %d is %v in the list, %v in the register", p.RegisterSeq, i, got, want)
					}
				}
			}
		}
	}
	check()
	for i := range 12 {
		people = append(people, w.holder())
		c := people[i/2]
		switch i % 4 {
		case 0:
			c.report(callCentre, lifecycle.PhysicalLost)
		case 1:
			c.release(clerk, lifecycle.PhysicalLost, w.sequence())
		case 2:
			c.phone = newPhone(fmt.Sprint("another ", i))
			c.tap()
		case 3:
			c.newCard(fmt.Sprint("C", i))
		}
		check()
	}
	for _, cause := range lifecycle.AllCauses { // each alone, and in force when the next publisher begins
		w.holder().report(registrar, cause)
		check()
	}
	// A publisher that begins now finds the same from the tables.
	fresh, err := suspension.NewPublisher(w.Register, authority().Status, suspension.PublisherOptions{TTL: time.Hour, Validity: 24 * time.Hour})
	must(t, err)
	again, _, err := fresh.Publish(ctx)
	must(t, err)
	for i, p := range w.publish() {
		a, err := statuslist.ParseJWT(p.JWT, authority().Anchors, w.Now())
		must(t, err)
		b, err := statuslist.ParseJWT(again[i].JWT, authority().Anchors, w.Now())
		must(t, err)
		if !a.List.Equal(b.List) {
			t.Error("two publishers differ")
		}
	}
}

func TestAListIsSignedOnlyWhenItChangedOrItsValidityIsHalfOver(t *testing.T) {
	w := newWorld(t)
	w.publish()
	for _, step := range []struct {
		name  string
		do    func()
		fresh bool
	}{
		{"nothing", func() {}, false},
		{"a card is issued: it is valid, as the list says already", func() { w.holder() }, false},
		{"a report", func() { w.holder().report(callCentre, lifecycle.MobileLost) }, true},
		{"eleven hours", func() { w.Pass(11 * time.Hour) }, false},
		{"twelve hours", func() { w.Pass(time.Hour) }, true},
	} {
		step.do()
		if _, fresh, err := w.Publisher.Publish(ctx); err != nil || fresh != step.fresh {
			t.Errorf("%s: signed %v, %v", step.name, fresh, err)
		}
	}
}

func TestAListThatHasNotChangedIsRenewed(t *testing.T) {
	w := newWorld(t)
	p, err := suspension.NewPublisher(w.Register, authority().Status, suspension.PublisherOptions{TTL: time.Hour, Validity: 24 * time.Hour, Renew: 30 * time.Minute})
	must(t, err)
	for minute := range 121 {
		lists, fresh, err := p.Publish(ctx)
		must(t, err)
		if fresh != (minute%30 == 0) {
			t.Errorf("minute %d: signed %v", minute, fresh)
		}
		if left := lists[0].Expires.Sub(w.Now()); left <= 23*time.Hour {
			t.Errorf("minute %d: it is valid for %v", minute, left)
		}
		w.Pass(time.Minute)
	}
	for _, o := range []suspension.PublisherOptions{{TTL: time.Hour, Validity: 24 * time.Hour, Renew: 13 * time.Hour}, {TTL: time.Hour, Validity: 24 * time.Hour, Renew: -1}} {
		if _, err := suspension.NewPublisher(w.Register, authority().Status, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// S4 against somebody between service and verifier who serves the list that is held
// already, again and again: it was right, its signature is, and it is not older.
func TestS4AnOldListThatIsServedAgainEndsWithItsTTLFromItsIssue(t *testing.T) {
	const ttl, validity = time.Hour, 24 * time.Hour
	w := newWorld(t)
	c := w.holder()
	p, err := suspension.NewPublisher(w.Register, authority().Status, suspension.PublisherOptions{TTL: ttl, Validity: validity, Renew: ttl / 2})
	must(t, err)
	verifier := func(fromIssue bool) *verification.Offline {
		v, err := verification.NewOffline(verification.OfflineOptions{
			Verifier: bank, Anchors: authority().Anchors, Lifetime: 5 * time.Minute, Now: w.Now, Random: zeros{}, FromIssue: fromIssue,
		})
		must(t, err)
		return v
	}
	// Served honestly, a verifier that fetches when it must, and then at most once a
	// minute, always has an answer.
	honest := verifier(true)
	fetches := 0
	for range 120 {
		lists, _, err := p.Publish(ctx)
		must(t, err)
		if c.at(honest).Verdict == lifecycle.CannotTell {
			must(t, honest.Fetched(lists[0].JWT))
			fetches++
		}
		if a := c.at(honest); a.Verdict != lifecycle.Accepted {
			t.Fatalf("at %v: %v", w.Now(), a.Verdict)
		}
		w.Pass(time.Minute)
	}
	if fetches < 2 || fetches > 4 {
		t.Errorf("it fetched %d times in two hours", fetches)
	}

	lists, _, err := p.Publish(ctx)
	must(t, err)
	old := lists[0].JWT
	exact, loose := verifier(true), verifier(false)
	w.Pass(10 * time.Second)
	c.report(callCentre, lifecycle.MobileLost)
	reported := w.Now()
	var last [2]time.Duration // after the report, at which the card was still accepted
	for range 25 * 12 {
		for i, v := range []*verification.Offline{exact, loose} {
			_ = v.Fetched(old) // refused once it has expired
			if c.at(v).Verdict == lifecycle.Accepted {
				last[i] = w.Now().Sub(reported)
			}
		}
		w.Pass(5 * time.Minute)
	}
	if last[0] > ttl || last[0] < ttl/3 {
		t.Errorf("a verifier that counts from the issue accepts until %v after the report; at most %v are allowed", last[0], ttl)
	}
	if last[1] <= 2*ttl || last[1] > validity {
		t.Errorf("a verifier that counts from the fetch accepts until %v after the report: docs/serving.md says until exp", last[1])
	}
}

func TestS11IndicesAreDrawnAtRandomAndNewListsAreOpenedInTime(t *testing.T) {
	const size = 64
	path := filepath.Join(t.TempDir(), "register.db")
	w := onFile(t, path, size)
	seen := map[audit.Copy]bool{}
	ascending, last := 0, audit.Copy{}
	issue := func(n int) {
		for range n {
			a := w.resident().tap()
			w.decided(a.Reason, lifecycle.Granted)
			for _, c := range a.Indices {
				if seen[c] {
					t.Fatalf("index %v was used twice", c)
				}
				seen[c] = true
				if c.List == last.List && c.Index > last.Index {
					ascending++
				}
				last = c
			}
		}
	}
	issue(16)
	lists := w.publish()
	if len(lists) != 2 {
		t.Errorf("%d lists when the first is three quarters full", len(lists))
	}
	issue(16)
	must(t, w.db.Close())
	n, ctr := w.Requests, w.People
	w = onFile(t, path, size) // the same seed draws the same places again
	w.Requests, w.People = n, ctr
	issue(16)
	if len(seen) != 48*copies || ascending > 48*copies*2/3 {
		t.Errorf("%d places, %d ascending", len(seen), ascending)
	}
}

// Every list that was ever published is found again by its time, whatever has happened since:
// reports, releases, moves, new phones, new cards, the end of a card and of a person.
func TestAListOfThePastIsTheOneThatWasPublishedThen(t *testing.T) {
	w := newWorld(t, func(c *service.Config) {
		policy := *c.Policy
		policy.CredentialValidity = 90 * 24 * time.Hour // within that of the signers' certificates
		c.Policy = &policy
	})
	type shown struct {
		what string
		at   time.Time
		list *statuslist.List
	}
	var all []shown
	c, moved, removed := w.holder(), w.holder(), w.holder()
	lost := suspension.Receipt{}
	seen := map[statuslist.Status]bool{}
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"three holders", func() {}},
		{"a report", func() { lost = c.report(callCentre, lifecycle.PhysicalLost) }},
		{"a move", func() { moved.move(registrar, "새 주소 1") }},
		{"a move while the card is suspended", func() { c.move(registrar, "새 주소 2") }},
		{"a report of who has moved", func() { moved.report(callCentre, lifecycle.MobileLost) }},
		{"a release", func() { c.release(clerk, lifecycle.PhysicalLost, lost.Sequence) }},
		{"a card issued again", func() { c.tap() }},
		{"another move", func() { c.move(registrar, "새 주소 3") }},
		{"a new phone", func() { c.phone = newPhone("another"); c.tap() }},
		{"a new plastic card", func() { c.newCard("H1") }},
		{"a death", func() { removed.remove() }},
		{"the end of a card's time", func() {
			w.Pass(90 * 24 * time.Hour)
			_, err := w.Issuance.ExpireDue(ctx, 100)
			must(t, err)
		}},
	} {
		w.Pass(time.Minute)
		step.do()
		token, err := statuslist.ParseJWT(w.publish()[0].JWT, authority().Anchors, w.Now())
		must(t, err)
		all = append(all, shown{step.what, w.Now(), token.List})
	}
	for _, s := range all {
		for _, at := range []time.Time{s.at, s.at.Add(59 * time.Second)} {
			if at.After(w.Now()) {
				continue
			}
			past, err := w.Publisher.At(ctx, 0, at)
			must(t, err)
			token, err := statuslist.ParseJWT(past.JWT, authority().Anchors, at)
			must(t, err)
			if !token.List.Equal(s.list) || !token.IssuedAt.Equal(at) {
				t.Errorf("%s: the list of %v is another one", s.what, at)
			}
			for i := range s.list.Len() {
				status, err := s.list.Get(i)
				must(t, err)
				seen[status] = true
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("of the four states only %v came up", seen)
	}
}

// A list that was opened later was none, not one in which everybody is valid; from the moment
// on at which it was opened it is the one that was published, before a card stands in it, too.
func TestAListOfThePastIsNoneBeforeItWasOpened(t *testing.T) {
	w := onFile(t, filepath.Join(t.TempDir(), "register.db"), 64)
	type shown struct {
		at    time.Time
		lists []suspension.Published
	}
	var all []shown
	for range 32 {
		w.holder().report(callCentre, lifecycle.PhysicalLost)
		all = append(all, shown{w.Now(), w.publish()})
		w.Pass(time.Minute)
	}
	last := all[len(all)-1].lists
	later, untouched := 0, 0
	for _, s := range all {
		for n := range last {
			past, err := w.Publisher.At(ctx, uint32(n), s.at)
			if n >= len(s.lists) {
				later++
				if !errors.Is(err, suspension.ErrNoList) {
					t.Errorf("list %d at %v, when there were %d: %v", n, s.at, len(s.lists), err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("list %d at %v, when there were %d: %v", n, s.at, len(s.lists), err)
			}
			was, err := statuslist.ParseJWT(s.lists[n].JWT, authority().Anchors, w.Now())
			must(t, err)
			is, err := statuslist.ParseJWT(past.JWT, authority().Anchors, w.Now())
			must(t, err)
			if !is.List.Equal(was.List) {
				t.Errorf("list %d at %v, when there were %d, is another one", n, s.at, len(s.lists))
			}
			if n > 0 && n == len(s.lists)-1 {
				untouched++
			}
		}
	}
	if len(last) < 3 || later == 0 || untouched == 0 {
		t.Errorf("%d lists; %d times one that was opened later, %d times the newest", len(last), later, untouched)
	}
}

// setBack is a register that has lost its last changes, as one that was put back from a copy.
type setBack struct {
	store.Store
	by uint64
}

type setBackReader struct {
	store.Reader
	by uint64
}

func (s *setBack) View(ctx context.Context, f func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return f(setBackReader{r, s.by}) })
}

func (r setBackReader) Sequence() (uint64, error) {
	n, err := r.Reader.Sequence()
	return n - r.by, err
}

// What was published tells of changes that the register does not know any more: nothing is
// published until they are begun from anew.
func TestNothingIsPublishedFromARegisterThatWentBack(t *testing.T) {
	var back *setBack
	w := newWorld(t, func(c *service.Config) {
		back = &setBack{Store: c.Store}
		c.Store = back
	})
	c := w.holder()
	c.report(callCentre, lifecycle.MobileLost)
	before := w.publish()
	back.by = 1
	if _, _, err := w.Publisher.Publish(ctx); err == nil || !strings.Contains(err.Error(), "went back") {
		t.Errorf("%v", err)
	}
	back.by = 0
	if again := w.publish(); again[0].RegisterSeq != before[0].RegisterSeq {
		t.Errorf("as of change %d, it was %d", again[0].RegisterSeq, before[0].RegisterSeq)
	}
}
