package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAVerifierAsksAndLearnsNoReason(t *testing.T) {
	o := newOffice(t)
	b := o.as("bank")
	home := b.follow(b.get("/console/"))
	home.has(t, "what may be asked", "19 or over", "family name")
	none := b.post("/console/verify", home.form("/console/verify"))
	none.has(t, "nothing chosen", "Choose at least one element")
	made := b.post("/console/verify", with(home.form("/console/verify"), "element.age_over_19", "yes", "element.resident_address", "yes"))
	p := b.follow(made)
	p.has(t, "asked", "openid4vp://", `role="img"`, "<strong>Waiting", "Asked for: 19 or over<")
	if got := b.get(made.header.Get("Location") + "/state"); got.header.Get("X-Over") != "" {
		t.Error("over before it began")
	}
	if p := o.as("clerk").get(made.header.Get("Location")); p.status != http.StatusForbidden {
		t.Errorf("a clerk looks at a verifier's transaction: %d", p.status)
	}
	o.Pass(6 * time.Minute)
	b.get(made.header.Get("Location")+"/state").has(t, "over", "Over: nobody answered in time")
}

func TestAPlasticCardIsCheckedWithoutATerminal(t *testing.T) {
	o := newOffice(t)
	c := o.Resident()
	for _, id := range []string{"clerk", "bank"} {
		b := o.as(id)
		form := b.get("/console/cards")
		form.has(t, id, `aria-current="page">Check a plastic card`)
		n := o.sequence()
		ask := func(number string) page {
			return b.post("/console/cards", with(form.form("/console/cards"), "number", number))
		}
		ask(" "+strings.ToLower(c.Number)+" ").has(t, id, `class="verdict accepted"`, "Good: this number", "Card "+c.Number, `role="status"`)
		ask("A99999999").has(t, id, `class="verdict not-valid"`, "Card A99999999")
		if p := ask("  "); p.status != http.StatusBadRequest {
			t.Errorf("no number: %d", p.status)
		}
		if o.sequence() != n {
			t.Error("a look changes the register")
		}
	}
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	clerk, bank := o.as("clerk"), o.as("bank")
	clerk.follow(clerk.post(at+"/reports", with(clerk.get(at).form(at+"/reports"), "cause", "physical-lost", "why", "left on a bus")))
	p := bank.post("/console/cards", with(bank.get("/console/cards").form("/console/cards"), "number", c.Number))
	p.has(t, "after the report", `class="verdict suspended"`)
	for _, secret := range []string{"lost", "bus", "김하늘"} {
		if strings.Contains(p.body, secret) {
			t.Errorf("the bank is told %q", secret)
		}
	}
}
