package service_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// testdata/register-of-old.db.gz was made by the program that kept a row for each copy at
// its index (schema 3). Five residents of Sejong live in it: 1 and 4 have a mobile card, 2
// has lost the phone and has reported it, 3 has moved to another phone, 5 has only the
// plastic card. The first list has 64 places, of which 15 are given.
func oldRegister(t *testing.T) *world {
	t.Helper()
	packed, err := os.Open("testdata/register-of-old.db.gz")
	must(t, err)
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	must(t, err)
	content, err := io.ReadAll(io.LimitReader(r, 1<<20))
	must(t, err)
	path := filepath.Join(t.TempDir(), "register.db")
	must(t, os.WriteFile(path, content, 0o600))
	db, err := sqlite.Open(path, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	w := onStore(t, db, db, "", 64, func(c *service.Config) { c.Random = rand.NewChaCha8([32]byte{1}) })
	w.Requests, w.People = 1000, 5
	return w
}

func TestARegisterOfBeforeCopiesWereKeptTogetherGoesOn(t *testing.T) {
	w := oldRegister(t)
	of := func(person store.PersonID) (places []audit.Copy) { // of their latest mobile card, by the log
		entries, _ := w.export()
		for _, e := range entries {
			if e.Person == uint64(person) && len(e.Copies) > 0 {
				places = e.Copies
			}
		}
		return places
	}
	given := map[audit.Copy]bool{}
	entries, _ := w.export()
	for _, e := range entries {
		for _, c := range e.Copies {
			given[c] = true
		}
	}
	if len(given) != 15 {
		t.Fatalf("%d places were given in the old register", len(given))
	}

	// Who has a card has it, in each way of looking.
	shows := func(person store.PersonID, want statuslist.Status, verdict lifecycle.Verdict) {
		t.Helper()
		lists := w.publish()
		for _, place := range of(person) {
			must(t, w.db.View(ctx, func(r store.Reader) error {
				e, err := r.Entry(place.List, place.Index)
				if err != nil || e.Person != person || e.Verdict() != verdict {
					t.Errorf("person %d: %+v, %v; want %v", person, e, err, verdict)
				}
				return nil
			}))
			token, err := statuslist.ParseJWT(lists[place.List].JWT, authority().Anchors, w.Now())
			must(t, err)
			if got, err := token.List.Get(place.Index); err != nil || got != want {
				t.Errorf("person %d: %v in the list, %v; want %v", person, got, err, want)
			}
		}
	}
	shows(1, statuslist.Valid, lifecycle.Accepted)
	shows(2, statuslist.Suspended, lifecycle.Suspended)
	shows(3, statuslist.Valid, lifecycle.Accepted)

	// A card of before is suspended, and replaced.
	resident := func(id store.PersonID) *citizen {
		return &citizen{&servicetest.Citizen{ID: id, Number: fmt.Sprintf("A%08d", id), Face: servicetest.Portrait(uint64(id))}, w, newPhone(fmt.Sprint("phone-", id))}
	}
	one := resident(1)
	w.decided(one.report(callCentre, lifecycle.MobileLost).Reason, lifecycle.Granted)
	shows(1, statuslist.Suspended, lifecycle.Suspended)

	// Cards are issued beside those of before, then in a list with a secret.
	issue := func(c *citizen) []audit.Copy {
		a := c.tap()
		w.decided(a.Reason, lifecycle.Granted)
		if c.mobile() != lifecycle.Accepted {
			t.Errorf("person %d shows %v after the issue", c.ID, c.mobile())
		}
		for _, place := range a.Indices {
			if given[place] {
				t.Errorf("%+v was given again", place)
			}
			given[place] = true
		}
		return a.Indices
	}
	five := resident(5)
	issue(five)
	shows(5, statuslist.Valid, lifecycle.Accepted)
	w.decided(five.report(callCentre, lifecycle.PhysicalLost).Reason, lifecycle.Granted)
	shows(5, statuslist.Suspended, lifecycle.Suspended)
	neighbours, in := 0, [2]int{}
	for in[1] < 3 {
		places := issue(w.resident())
		in[places[0].List]++
		slices.SortFunc(places, func(a, b audit.Copy) int { return int(a.Index) - int(b.Index) })
		if places[0].Index+copies-1 == places[copies-1].Index {
			neighbours++
		}
	}
	if neighbours > 1 {
		t.Errorf("%d cards have indices that follow each other", neighbours)
	}
	must(t, w.db.View(ctx, func(r store.Reader) error {
		lists, err := r.Lists()
		if len(lists) != 2 || lists[0].Secret != nil || lists[1].Secret == nil || lists[0].Allotted != 48 || in[0] != 10 {
			t.Errorf("%+v, %v after %v cards in them", lists, err, in)
		}
		return err
	}))
	if _, err := audit.Verify(ctx, w.db); err != nil {
		t.Error(err)
	}
}

// What the copies of a card of before say and stand for was not kept: they last until they
// end. The next card's are signed anew, also in a list without a secret.
func TestCopiesOfACardOfBeforeAreNotSignedAnewAndTheNextCardsAre(t *testing.T) {
	w := oldRegister(t)
	one := &citizen{&servicetest.Citizen{ID: 1, Number: "A00000001", Face: servicetest.Portrait(1)}, w, newPhone("phone-1")}
	again := func(format string) ([][]byte, error) {
		t.Helper()
		phone, _ := one.phone.fresh(copies)
		must(t, w.db.View(ctx, func(r store.Reader) error {
			p, err := r.Person(1)
			must(t, err)
			held, err := r.Credential(p.Credential)
			phone.Wallet = held.Wallet
			return err
		}))
		out, reason, err := w.Issuance.IssueAgain(ctx, issuance.AgainRequest{Person: 1, Phone: phone, Format: format})
		w.decided(reason, lifecycle.Granted)
		return out, err
	}
	if got, err := again(issuance.Mdoc); !errors.Is(err, issuance.ErrNotIssued) || got != nil {
		t.Errorf("%d copies: %v", len(got), err)
	}
	v, reason := one.approveTap()
	w.decided(reason, lifecycle.Granted)
	first := one.issueApproved(v, sdjwt.Format)
	w.decided(first.Reason, lifecycle.Granted)
	for format, want := range map[string][]audit.Copy{issuance.Mdoc: first.Indices, sdjwt.Format: first.Spare} {
		got, err := again(format)
		must(t, err)
		for i, c := range got {
			var at *mdoc.StatusRef
			if format == issuance.Mdoc {
				held, err := mdoc.Inspect(c)
				must(t, err)
				at = held.Status
			} else {
				held, err := sdjwt.CheckCard(string(c), []string{sdjwt.Type}, w.Now())
				must(t, err)
				at = held.Status
			}
			if at.Index != want[i].Index || want[i].List != 0 {
				t.Errorf("%s: copy %d stands at %d; its place is %+v", format, i+1, at.Index, want[i])
			}
		}
	}
}
