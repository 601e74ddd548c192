package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/service/servicetest"
)

func TestAnAdministratorEntersChangesAndEndsParties(t *testing.T) {
	o := newOffice(t)
	b := o.as("admin")
	p := b.follow(b.get("/console/"))
	suggested := regexp.MustCompile(`name="passphrase" value="([a-z2-7-]{23})"`).FindStringSubmatch(p.body)
	if suggested == nil {
		t.Fatal("no passphrase is proposed")
	}
	form := with(p.form("/console/parties"), "id", "lee", "name", "Lee at window 2", "role", "clerk", "centre", servicetest.Sejong, "passphrase", suggested[1], "why", "hired")
	b.follow(b.post("/console/parties", form)).has(t, "entered", "The party is entered", "Lee at window 2")
	n := o.sequence()
	b.follow(b.post("/console/parties", form))
	if o.sequence() != n {
		t.Error("a double click entered twice")
	}
	if p := o.browser().post("/console/sign-in", url.Values{"id": {"lee"}, "passphrase": {suggested[1]}}); p.status != http.StatusSeeOther {
		t.Errorf("the party that was entered cannot sign in: %d", p.status)
	}
	taken := b.post("/console/parties", with(b.get("/console/parties").form("/console/parties"), "id", "lee", "name", "another", "role", "auditor", "passphrase", suggested[1], "why", "x"))
	taken.has(t, "taken", "This id is taken", `value="another"`)
	for at, fields := range map[string][]string{
		"/console/parties":         {"id", "shop", "name", "Shop", "role", "auditor", "passphrase", suggested[1]},
		"/console/parties/lee":     {"name", "Lee", "centre", "50110"},
		"/console/parties/lee/end": {"sure", "yes"},
	} {
		page, _ := strings.CutSuffix(at, "/end")
		silent := b.post(at, with(b.get(page).form(at), append(fields, "why", " ")...))
		silent.has(t, at+" without a reason", "Say why: it goes into the audit log.")
		if silent.status != http.StatusBadRequest {
			t.Errorf("%s without a reason: %d", at, silent.status)
		}
	}
	private := b.post("/console/parties", with(b.get("/console/parties").form("/console/parties"), "id", "shop", "name", "Shop", "role", "verifier", "why", "x",
		"keys", `{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}`))
	private.has(t, "a private key", "This is a private key")
	b.follow(b.post("/console/parties/lee", with(b.get("/console/parties/lee").form("/console/parties/lee"), "name", "Lee", "centre", "50110", "why", "moved to Jeju"))).
		has(t, "changed", "The party is changed", `value="50110"`)
	// Two administrators have the page open: the second form undoes nothing, and says so.
	other := o.as("admin")
	one, two := b.get("/console/parties/lee").form("/console/parties/lee"), other.get("/console/parties/lee").form("/console/parties/lee")
	b.follow(b.post("/console/parties/lee", with(one, "name", "Lee", "centre", "36110", "why", "moved back"))).has(t, "changed", "The party is changed", `value="36110"`)
	late := other.post("/console/parties/lee", with(two, "name", "Lee H.", "centre", "50110", "why", "named"))
	late.has(t, "changed meanwhile", "Somebody else has changed this meanwhile", `value="Lee H."`)
	if late.status != http.StatusConflict {
		t.Errorf("changed meanwhile: %d", late.status)
	}
	b.get("/console/parties/lee").has(t, "what stands there", `value="36110"`, `value="Lee"`)
	lee := o.browser()
	lee.post("/console/sign-in", url.Values{"id": {"lee"}, "passphrase": {suggested[1]}})
	b.post("/console/parties/lee/end", with(b.get("/console/parties/lee").form("/console/parties/lee/end"), "why", "left")).has(t, "not sure", "Tick that you are sure")
	b.follow(b.post("/console/parties/lee/end", with(b.get("/console/parties/lee").form("/console/parties/lee/end"), "why", "left", "sure", "yes"))).has(t, "ended", "The party is ended", "ended 14 Mar 2025")
	if p := lee.get("/console/"); p.status != http.StatusUnauthorized {
		t.Errorf("an ended clerk's session goes on: %d", p.status)
	}
	if p := b.get("/console/parties/nobody"); p.status != http.StatusNotFound {
		t.Errorf("nobody: %d", p.status)
	}
}
