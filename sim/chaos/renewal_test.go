package chaos

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/world"
)

// watchShowing notes for each card that is shown whether it is a copy signed anew.
type watchShowing struct {
	world.Front
	keys  *[][]byte // of the copies signed anew
	shown *[]bool
}

func (w watchShowing) IssueAgain(ctx context.Context, q issuance.AgainRequest) ([][]byte, lifecycle.Reason, error) {
	copies, reason, err := w.Front.IssueAgain(ctx, q)
	for _, c := range copies {
		held, err := mdoc.Inspect(c)
		if err != nil {
			return nil, 0, err
		}
		point, err := held.DeviceKey.Bytes()
		if err != nil {
			return nil, 0, err
		}
		*w.keys = append(*w.keys, point[1:33]) // x, as the mobile security object has it
	}
	return copies, reason, err
}

func (w watchShowing) Verify(ctx context.Context, t verification.Transaction, response []byte) (verification.Answer, error) {
	*w.shown = append(*w.shown, slices.ContainsFunc(*w.keys, func(x []byte) bool { return bytes.Contains(response, x) }))
	return w.Front.Verify(ctx, t, response)
}

// A phone shows the copies signed anew once it has them: not while their answer is
// lost, and not when it has made other keys since.
func TestAPhoneShowsTheCopiesSignedAnew(t *testing.T) {
	renewing := []Op{
		{Do: "issue-tap", Who: 1},
		{Do: "show", Who: 1},
		{Do: "renew", Who: 1, Lost: lostRequest},
		{Do: "renew", Who: 1, Lost: lostAnswer},
		{Do: "show", Who: 1},
		{Do: "renew", Who: 1, Back: 1},
		{Do: "show", Who: 1},
		{Do: "renew", Who: 1, Back: 1},
		{Do: "show", Who: 1},
		{Do: "issue-tap", Who: 1},
		{Do: "renew", Who: 1, Back: 1},
		{Do: "show", Who: 1},
		{Do: "renew", Who: 1, Phone: 1},
		{Do: "report", Who: 1, Cause: "physical-lost"},
		{Do: "renew", Who: 1},
	}
	for i := range renewing {
		renewing[i].ID = i
	}
	var shown []bool
	p := *place(t)
	p.plant = func() world.Plant {
		return world.Plant{Front: func(f world.Front) world.Front { return watchShowing{f, new([][]byte), &shown} }}
	}
	o, err := Run(t.Context(), &p, Campaign{Seed: 1, Residents: cast[:1], Operations: renewing})
	if err != nil {
		t.Fatal(err)
	}
	if want := []bool{false, false, true, true, false}; !slices.Equal(shown, want) {
		t.Errorf("copies signed anew were shown %v, want %v", shown, want)
	}
	for _, x := range o.History.Presentations {
		if x.Outcome != "accepted" {
			t.Errorf("a presentation was %s", x.Outcome)
		}
	}
	var answers []string
	for _, r := range o.History.Renewals {
		switch {
		case r.End.IsZero():
			answers = append(answers, "none")
		case r.Granted:
			answers = append(answers, "granted")
		default:
			answers = append(answers, r.Reason)
		}
	}
	if want := []string{"none", "none", "granted", "granted", "granted", "no-card", "card-suspended"}; !slices.Equal(answers, want) {
		t.Errorf("the answers were %q, want %q", answers, want)
	}
	if got := violated(o.Verdict); got != nil {
		t.Errorf("violated: %v", got)
	}
}
