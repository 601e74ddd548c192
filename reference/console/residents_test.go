package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/store"
)

// A clerk's day without a script: every step is a page.
func TestAClerkLooksUpReportsAndReleases(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	home := b.get("/console/")
	p := b.follow(b.post("/console/residents", with(home.form("/console/residents"), "number", " "+strings.ToLower(c.Number)+" ")))
	p.has(t, "look up by card", "김하늘", "900102-1******", c.Number, `id="plastic-state">good`)
	if strings.Contains(p.body, "9001021234560") {
		t.Error("the registration number is not masked")
	}
	byID := b.post("/console/residents", with(home.form("/console/residents"), "number", fmt.Sprint(c.ID)))
	if byID.header.Get("Location") != fmt.Sprintf("/console/residents/%d", c.ID) {
		t.Errorf("by the resident's number: %d %s", byID.status, byID.header.Get("Location"))
	}
	nobody := b.post("/console/residents", with(home.form("/console/residents"), "number", "ZZZ"))
	nobody.has(t, "nobody", "The register has no such resident.", `value="ZZZ"`, `aria-invalid="true"`)

	at := fmt.Sprintf("/console/residents/%d", c.ID)
	report := with(p.form(at+"/reports"), "cause", "physical-lost", "why", "left on a bus")
	first := b.post(at+"/reports", report)
	told := b.follow(first)
	n := o.sequence()
	told.has(t, "told", "The loss is reported", fmt.Sprintf("number %d", n), "14 Mar 2025 12:00:00", "14 Mar 2025 13:00:00", `id="plastic-state">suspended`)
	again := b.follow(b.post(at+"/reports", report))
	again.has(t, "a double click", fmt.Sprintf("number %d", n))
	if o.sequence() != n {
		t.Error("a double click made a second report")
	}
	other := b.post(at+"/reports", with(report, "why", "left on a train"))
	if other.status != http.StatusUnprocessableEntity {
		t.Errorf("the same form with other words: %d", other.status)
	}
	other.has(t, "the same form with other words", "sent before with other content")

	// Somebody else reports it meanwhile: the clerk's page is stale.
	stale := with(told.form(at+"/releases"), "why", "found")
	operator := o.as("operator")
	seen := operator.get(at)
	operator.follow(operator.post(at+"/reports", with(seen.form(at+"/reports"), "cause", "physical-lost", "why", "stolen")))
	late := b.post(at+"/releases", stale)
	if late.status != http.StatusConflict {
		t.Errorf("a stale release: %d", late.status)
	}
	late.has(t, "a stale release", "A newer report has come meanwhile", `id="plastic-state">suspended`)
	fresh := with(late.form(at+"/releases"), "why", "found")
	b.follow(b.post(at+"/releases", fresh)).has(t, "a release", "The report is lifted", `id="plastic-state">good`)

	if operator.get(at).form(at+"/releases") != nil {
		t.Error("the loss line is offered a release")
	}
}

func TestAWordIsNeededForTheAuditLog(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	n := o.sequence()
	p := b.post(at+"/reports", with(b.get(at).form(at+"/reports"), "cause", "physical-lost", "why", " "))
	p.has(t, "without a word", "Say why")
	if p.status != http.StatusBadRequest || o.sequence() != n {
		t.Errorf("%d, %d changes", p.status, o.sequence()-n)
	}
}

func TestACardIsReissuedAndThePhotoStays(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	form := with(b.get(at).form(at+"/cards"), "number", "b0000099", "chip", "yes", "why", "worn out")
	b.follow(b.post(at+"/cards", form)).has(t, "re-issued", "The new plastic card is in force", "B0000099")
	n := o.sequence()
	b.follow(b.post(at+"/cards", form))
	if o.sequence() != n {
		t.Error("a double click issued another card")
	}
	check(t, o.DB.View(ctx, func(r store.Reader) error {
		card, err := r.Card("B0000099")
		if string(card.Template) != string(c.Face.Bytes()) || len(card.Portrait) == 0 {
			t.Error("the photo on record was lost")
		}
		return err
	}))
	taken := b.post(at+"/cards", with(b.get(at).form(at+"/cards"), "number", c.Number, "why", "again"))
	taken.has(t, "a number that was given", "This number was given before.", `value="`+c.Number+`"`)
}

func TestARegistrarSuspendsMovesAndRemoves(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("registrar")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	b.follow(b.post(at+"/reports", with(b.get(at).form(at+"/reports", `value="administrative"`), "why", "court order"))).
		has(t, "suspended", "suspended", "In force: order of the registrar")
	b.follow(b.post(at+"/releases", with(b.get(at).form(at+"/releases"), "why", "order lifted"))).has(t, "lifted", "The report is lifted")
	half := b.post(at+"/address", with(b.get(at).form(at+"/address"), "address", "새주소 1", "municipality", "50110", "why", "moved"))
	half.has(t, "half an address", "municipality and centre together", `value="새주소 1"`)
	b.follow(b.post(at+"/address", with(b.get(at).form(at+"/address"), "address", "새주소 1", "municipality", "50110", "centre", "5011025000", "why", "moved"))).
		has(t, "moved", "The address is changed", "50110")
	unsure := b.post(at+"/removal", with(b.get(at).form(at+"/removal"), "why", "emigrated"))
	unsure.has(t, "not sure", "Tick that you are sure")
	b.follow(b.post(at+"/removal", with(unsure.form(at+"/removal"), "why", "emigrated", "sure", "yes"))).
		has(t, "removed", "cards have ended", `id="plastic-state">none`, "Removed from the register")
	if p := o.as("clerk").post(at+"/removal", with(o.as("clerk").get("/console/").form("/console/residents"), "why", "x", "sure", "yes")); p.status != http.StatusForbidden {
		t.Errorf("a clerk removes: %d", p.status)
	}
}

// The page of somebody who was removed says so and has no form that would be refused;
// those that stood open are.
func TestAResidentWhoWasRemovedIsShownAsThat(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	o.issue(c, "wallet-old")
	b.follow(b.post(at+"/reports", with(b.get(at).form(at+"/reports"), "cause", "mobile-lost", "why", "phone in the river")))
	o.issue(c, "wallet-new")
	open := b.get(at)
	if strings.Contains(open.body, "Removed from the register") {
		t.Error("a resident is shown as removed")
	}
	r := o.as("registrar")
	r.follow(r.post(at+"/removal", with(r.get(at).form(at+"/removal"), "why", "emigrated", "sure", "yes")))
	for what, refused := range map[string]page{
		"a new card":           b.post(at+"/cards", with(open.form(at+"/cards"), "number", "B2", "why", "lost")),
		"a code":               b.post(at+"/offers", open.form(at+"/offers")),
		"a report":             b.post(at+"/reports", with(open.form(at+"/reports"), "cause", "physical-lost", "why", "gone")),
		"a phone that is back": b.post(at+"/releases", with(open.form(at+"/releases", `name="wallet"`), "why", "found")),
	} {
		if refused.status != http.StatusConflict {
			t.Errorf("%s: %d", what, refused.status)
		}
		refused.has(t, what, "The resident was removed from the register")
	}
	for _, role := range []string{"clerk", "operator", "registrar"} {
		p := o.as(role).get(at)
		p.has(t, role, "Removed from the register, by death or emigration")
		for _, form := range []string{"/cards", "/offers", "/reports", "/releases", "/removal"} {
			if strings.Contains(p.body, at+form) {
				t.Errorf("%s is offered %s", role, form)
			}
		}
	}
}

// A phone was lost, another took its place, and then it was found.
func TestAPhoneThatWasReplacedIsReleased(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	const mark = `name="wallet"`
	o.issue(c, "wallet-old")
	p := b.follow(b.post(at+"/reports", with(b.get(at).form(at+"/reports"), "cause", "mobile-lost", "why", "phone in the river")))
	if p.form(at+"/releases", mark) != nil {
		t.Error("the phone that holds the card has two forms")
	}
	o.issue(c, "wallet-new")
	p = b.get(at)
	p.has(t, "the new phone", `id="mobile-state">good`, "Phones that were lost and found", "wallet-old", "Phone reported lost on 14 Mar 2025")
	form := p.form(at+"/releases", mark)
	if form.Get("wallet") != "wallet-old" || form.Get("cause") != "mobile-lost" {
		t.Fatalf("%v", form)
	}
	if o.as("operator").get(at).form(at+"/releases", mark) != nil {
		t.Error("the loss line is offered a release")
	}
	n := o.sequence()
	if p := b.post(at+"/releases", with(form, "why", " ")); p.status != http.StatusBadRequest || o.sequence() != n {
		t.Errorf("without a word: %d", p.status)
	}
	done := b.follow(b.post(at+"/releases", with(form, "why", "found by divers")))
	done.has(t, "the release", "it may get a mobile card again", `id="mobile-state">good`)
	if done.form(at+"/releases", mark) != nil || o.sequence() != n+1 {
		t.Error("the phone is still lost")
	}
	check(t, o.DB.View(ctx, func(r store.Reader) error {
		for _, wallet := range []string{"wallet-old", "wallet-new"} {
			if w, err := r.Wallet(c.ID, wallet); err != nil || w.Lost != 0 {
				t.Errorf("%s: %+v %v", wallet, w, err)
			}
		}
		return nil
	}))
}
