package service_test

import (
	"testing"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
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
