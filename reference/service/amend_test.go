package service_test

import (
	"errors"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
)

// Who moves keeps a good card that is to be renewed (status 3).

func (c *citizen) move(by register.By, address string) issuance.Entered {
	c.w.t.Helper()
	a, err := c.w.Issuance.Amend(ctx, issuance.AmendRequest{Request: c.w.Request(by), Person: c.ID, Why: "moved", Amendment: register.Amendment{Address: &address}})
	must(c.w.t, err)
	return a
}

// listed is how the citizen's first copy stands in the published list.
func (c *citizen) listed(a issuance.Issued) statuslist.Status {
	c.w.t.Helper()
	token, err := statuslist.ParseJWT(c.w.publish()[a.Indices[0].List].JWT, authority().Anchors, c.w.Now())
	must(c.w.t, err)
	s, err := token.List.Get(a.Indices[0].Index)
	must(c.w.t, err)
	return s
}

func TestWhoMovesKeepsAGoodCardThatIsToBeRenewed(t *testing.T) {
	w := newWorld(t)
	c, neighbour := w.resident(), w.holder()
	first := c.tap()
	old := c.phone.held[0]
	if a := w.look(old); a.Renew || c.listed(first) != statuslist.Valid {
		t.Fatal("a new card is to be renewed already")
	}
	w.decided(c.move(registrar, "새 주소 1").Reason, lifecycle.Granted)
	if a := w.look(old); a.Verdict != lifecycle.Accepted || !a.Renew {
		t.Errorf("online: %+v", a)
	}
	if s := c.listed(first); s != statuslist.RenewalRequired {
		t.Errorf("in the list: %v", s)
	}
	if a := w.look(neighbour.phone.held[0]); a.Renew {
		t.Error("a neighbour's card is to be renewed")
	}
	// A loss comes first, and what is released is to be renewed still.
	report := c.report(callCentre, lifecycle.PhysicalLost)
	if a := w.look(old); a.Verdict != lifecycle.Suspended || a.Renew || c.listed(first) != statuslist.Suspended {
		t.Errorf("after a report: %+v, %v", a, c.listed(first))
	}
	c.release(clerk, lifecycle.PhysicalLost, report.Sequence)
	if s := c.listed(first); s != statuslist.RenewalRequired {
		t.Errorf("after the release: %v", s)
	}
	// The new card says the new address, and ends the old one.
	second := c.tap()
	if a := w.look(c.phone.held[0]); a.Verdict != lifecycle.Accepted || a.Renew || c.listed(second) != statuslist.Valid {
		t.Errorf("the new card: %+v", a)
	}
	if v := w.look(old).Verdict; v != lifecycle.NotValid || c.listed(first) != statuslist.Invalid {
		t.Errorf("the old card: %v, %v", v, c.listed(first))
	}
}

func TestOnlyTheRegistrarChangesWhatIsSaidOfAResident(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	seq := w.sequence()
	w.decided(c.move(clerk, "elsewhere").Reason, lifecycle.NotAuthorised)
	w.decided(c.move(me(c.ID), "elsewhere").Reason, lifecycle.NotAuthorised)
	if w.sequence() != seq {
		t.Error("a refusal changed the register")
	}
	w.decided(c.move(registrar, "한누리대로 2130").Reason, lifecycle.Granted)
	if a := w.look(c.phone.held[0]); a.Renew || w.sequence() != seq {
		t.Error("what was so already made the card outdated")
	}
}

func (c *citizen) renumber(by register.By, rrn string) (issuance.Entered, error) {
	return c.w.Issuance.Amend(ctx, issuance.AmendRequest{Request: c.w.Request(by), Person: c.ID, Why: "entered wrongly", Amendment: register.Amendment{RRN: &rrn}})
}

func TestAWrongRegistrationNumberIsCorrectedAndTheCardIsToBeRenewed(t *testing.T) {
	w := newWorld(t)
	c, neighbour := w.resident(), w.resident()
	first := c.tap()
	old := c.phone.held[0]
	wrong, right := w.person(c.ID).RRN, "9001021239999"
	shown := func(want string) {
		t.Helper()
		for _, e := range w.disclosed(c, "resident_registration_number") {
			if e.Value != want {
				t.Errorf("the card says %v, not %s", e.Value, want)
			}
		}
	}
	shown(wrong[:6] + "-" + wrong[6:])

	// By nobody else, and with nobody else's.
	seq := w.sequence()
	if a, err := c.renumber(clerk, right); err != nil || a.Reason != lifecycle.NotAuthorised {
		t.Errorf("by a clerk: %+v, %v", a, err)
	}
	var taken register.RRNTaken
	if _, err := c.renumber(registrar, w.person(neighbour.ID).RRN); !errors.As(err, &taken) || taken.By != neighbour.ID {
		t.Errorf("with a neighbour's number: %v", err)
	}
	if a, err := c.renumber(registrar, wrong); err != nil || a.Reason != lifecycle.Granted {
		t.Errorf("with their own: %+v, %v", a, err)
	}
	if w.sequence() != seq || w.look(old).Renew || w.person(c.ID).RRN != wrong {
		t.Error("what was refused, or is so already, has changed something")
	}

	if a, err := c.renumber(registrar, right); err != nil || a.Reason != lifecycle.Granted || a.Sequence != seq+1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a := w.look(old); a.Verdict != lifecycle.Accepted || !a.Renew || c.listed(first) != statuslist.RenewalRequired {
		t.Errorf("the card with the wrong number: %+v, %v", a, c.listed(first))
	}
	entries, lines := w.export()
	if last := entries[len(entries)-1]; last.Event != register.ResidentChanged || last.Person != uint64(c.ID) || last.Reason != "entered wrongly" || strings.Contains(lines[len(lines)-1], right[6:]) {
		t.Errorf("the audit log says %+v", last)
	}
	c.tap()
	shown("900102-1239999")

	// The wrong number is whose it is.
	if _, err := neighbour.renumber(registrar, right); !errors.As(err, &taken) || taken.By != c.ID {
		t.Errorf("with the number that was corrected to: %v", err)
	}
	if a, err := neighbour.renumber(registrar, wrong); err != nil || a.Reason != lifecycle.Granted {
		t.Errorf("with the number that is free: %+v, %v", a, err)
	}
	// Who was entered without a number is given one.
	child := w.resident(func(q *issuance.ResidentRequest) { q.Resident.RRN = "" })
	if _, err := child.renumber(registrar, wrong); !errors.As(err, &taken) || taken.By != neighbour.ID {
		t.Errorf("with a number that was free for a moment: %v", err)
	}
	if a, err := child.renumber(registrar, "9001021238888"); err != nil || a.Reason != lifecycle.Granted || w.person(child.ID).RRN != "9001021238888" {
		t.Errorf("who had none: %+v, %v", a, err)
	}
}

// person is how a resident stands in the register.
func (w *world) person(id store.PersonID) (p store.Person) {
	w.t.Helper()
	must(w.t, w.Register.View(ctx, func(r store.Reader) (err error) { p, err = r.Person(id); return err }))
	return p
}
