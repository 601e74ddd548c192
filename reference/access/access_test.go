package access

import (
	"context"
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
)

func TestEveryRoleHasANameThatReadsBack(t *testing.T) {
	for _, r := range Roles {
		if got, ok := ParseRole(r.String()); !ok || got != r {
			t.Errorf("%v reads back as %v, %v", r, got, ok)
		}
	}
	if _, ok := ParseRole("clerk+registrar"); ok {
		t.Error("two roles were read as one")
	}
	if got := (Clerk | Auditor).String(); got != "clerk+auditor" {
		t.Error(got)
	}
}

func TestTheRegisterObeysOnlyThoseWhomItsRulebookKnows(t *testing.T) {
	for _, r := range Roles {
		by := Caller{Role: r, ID: "x", Person: 7}.By()
		for e := range lifecycle.Event(lifecycle.NumEvents) {
			if may := by.May(e, 7); may && lawful[r] == 0 {
				t.Errorf("the register would obey %v about %v", r, e)
			}
		}
	}
	if by := (Caller{Role: Citizen, ID: "someone else", Person: 7}).By(); by != register.Citizen(7) {
		t.Errorf("a citizen is %+v to the register", by)
	}
}

func TestWhoWasNotAuthenticatedIsAnyone(t *testing.T) {
	if c := From(context.Background()); c.Role != Anyone || c.ID != "" {
		t.Errorf("%+v", c)
	}
	want := Caller{Role: Clerk, ID: "kim", Centre: "36110"}
	if got := From(With(context.Background(), want)); got.Role != want.Role || got.ID != want.ID || got.Centre != want.Centre {
		t.Errorf("%+v", got)
	}
}
