package service_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/suspension"
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
