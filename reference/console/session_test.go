package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/parties"
)

func TestWhoHasNotSignedInIsAskedToAndThenGoesOn(t *testing.T) {
	o := newOffice(t)
	b := o.browser()
	p := b.get("/console/audit?from=1")
	if p.status != http.StatusUnauthorized {
		t.Fatalf("%d", p.status)
	}
	p.has(t, "sign in", `name="next" value="/console/audit?from=1"`, `autocomplete="current-password"`)
	wrong := b.post("/console/sign-in", url.Values{"id": {"auditor"}, "passphrase": {"not the passphrase"}, "next": {"/console/audit?from=1"}})
	if wrong.status != http.StatusUnauthorized || len(b.cookies) != 0 {
		t.Fatalf("a wrong passphrase: %d, cookies %v", wrong.status, b.cookies)
	}
	wrong.has(t, "a wrong passphrase", `role="alert"`, "The id or the passphrase is wrong.", `value="auditor"`)
	right := b.post("/console/sign-in", url.Values{"id": {"auditor"}, "passphrase": {passphrase("auditor")}, "next": {"/console/audit?from=1"}})
	if right.header.Get("Location") != "/console/audit?from=1" {
		t.Errorf("goes to %q", right.header.Get("Location"))
	}
	log := b.follow(right)
	log.has(t, "the log", "party entered")
	out := b.post("/console/sign-out", log.form("/console/sign-out"))
	if out.status != http.StatusSeeOther || b.cookies[parties.CookieName] != "" {
		t.Errorf("signed out: %d, cookies %v", out.status, b.cookies)
	}
}

// Whoever guesses, in as many browsers as they like, keeps nobody out who has signed in
// before, and others half a minute longer than they guess.
func TestGuessesAtAPassphraseAreCountedForTheAccount(t *testing.T) {
	o := newOffice(t)
	colleague, b := o.as("clerk"), o.as("clerk")
	right, wrong := url.Values{"id": {"clerk"}, "passphrase": {passphrase("clerk")}}, url.Values{"id": {"clerk"}, "passphrase": {"not the passphrase"}}
	for n := range 10 {
		if p := o.browser().post("/console/sign-in", wrong); p.status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", n+1, p.status)
		}
	}
	for what, form := range map[string]url.Values{"one more": wrong, "the right one": right} {
		p := o.browser().post("/console/sign-in", form)
		if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") != "30" || len(p.header["Set-Cookie"]) != 0 {
			t.Errorf("%s: %d %v", what, p.status, p.header)
		}
		p.has(t, what, `role="alert"`, "Too many wrong passphrases for this id: try again in 30 seconds.", `value="clerk"`)
	}
	if p := b.post("/console/sign-in", right); p.status != http.StatusSeeOther {
		t.Errorf("in a browser that is known: %d", p.status)
	}
	for range 10 { // which has guesses of its own, no more
		colleague.post("/console/sign-in", wrong)
	}
	if p := colleague.post("/console/sign-in", right); p.status != http.StatusTooManyRequests {
		t.Errorf("guessed in a browser that is known: %d", p.status)
	}
	if p := o.browser().post("/console/sign-in", url.Values{"id": {"auditor"}, "passphrase": {passphrase("auditor")}}); p.status != http.StatusSeeOther {
		t.Errorf("somebody else: %d", p.status)
	}
	o.Pass(30 * time.Second)
	if p := o.browser().post("/console/sign-in", right); p.status != http.StatusSeeOther {
		t.Errorf("half a minute later: %d", p.status)
	}
}

func TestNobodyIsSentElsewhereBySigningIn(t *testing.T) {
	o := newOffice(t)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/console/../..//evil.example\\", "/residents", "javascript:alert(1)", "/console/\r\nX: y"} {
		p := o.browser().post("/console/sign-in", url.Values{"id": {"clerk"}, "passphrase": {passphrase("clerk")}, "next": {next}})
		if to := p.header.Get("Location"); to != "/console/" {
			t.Errorf("%q leads to %q", next, to)
		}
	}
}

// Whatever changes something comes from a page of this session.
func TestAFormWithoutTheSessionsTokenDoesNothing(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	form := with(b.get(at).form(at+"/reports"), "cause", "physical-lost", "why", "lost")
	n := o.sequence()
	for what, token := range map[string]string{"no token": "", "another's": o.as("operator").get("/console/").form("/console/sign-out").Get("csrf")} {
		p := b.post(at+"/reports", with(form, "csrf", token))
		if p.status != http.StatusForbidden || o.sequence() != n {
			t.Errorf("%s: %d", what, p.status)
		}
		p.has(t, what, "does not come from a page of the console")
	}
	r := httptest.NewRequest("POST", base+"/console/sign-in", strings.NewReader(url.Values{"id": {"clerk"}, "passphrase": {passphrase("clerk")}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	o.router.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
		t.Errorf("signed in from another site: %d", w.Code)
	}
}

// A notice is believed only if the service wrote it, for whoever looks.
func TestALinkCannotClaimThatSomethingWasDone(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	to := b.post(at+"/reports", with(b.get(at).form(at+"/reports"), "cause", "physical-lost", "why", "lost")).header.Get("Location")
	b.get(to).has(t, "own notice", "The loss is reported")
	for what, p := range map[string]page{"another's": o.as("registrar").get(to), "made up": b.get(at + "?told=abc")} {
		if p.status != http.StatusOK || strings.Contains(p.body, "The loss is reported") {
			t.Errorf("%s: %d", what, p.status)
		}
	}
	o.Pass(11 * time.Minute)
	if strings.Contains(b.get(to).body, "The loss is reported") {
		t.Error("a notice is shown for ever")
	}
}

func TestAnAdministratorSeesAndEndsSessions(t *testing.T) {
	o := newOffice(t)
	admin, first, second, bank := o.as("admin"), o.as("clerk"), o.as("clerk"), o.as("bank")
	p := admin.get("/console/sessions")
	p.has(t, "the list", "192.0.2.1", "14 Mar 2025 12:00:00", `id="of-clerk"`, "(this session)", "End all sessions of clerk", `aria-label="End the session of bank since 14 Mar 2025 12:00:00"`)
	if n := strings.Count(p.body, `name="session"`); n != 4 {
		t.Errorf("%d sessions are listed", n)
	}
	in := func(b *browser) bool { return b.get("/console/cards").status == http.StatusOK }

	// One of the clerk's two: the page has the older one first.
	end := p.form("/console/parties/clerk/sessions", `name="session"`)
	told := admin.follow(admin.post("/console/parties/clerk/sessions", end))
	told.has(t, "one", "The session is over.", fmt.Sprintf("Number %d", o.sequence()))
	if in(first) || !in(second) || !in(bank) {
		t.Error("another session than that is over")
	}
	again := admin.follow(admin.post("/console/parties/clerk/sessions", end)) // a double click
	again.has(t, "a double click", "The session is over.")
	late := admin.post("/console/parties/clerk/sessions", with(end, "key", "another form"))
	if late.status != http.StatusConflict {
		t.Errorf("a session that is over: %d", late.status)
	}
	late.has(t, "a session that is over", "This session is over already.", `role="alert"`)

	third := o.as("clerk")
	all := admin.get("/console/sessions").form("/console/parties/clerk/sessions", "End all sessions")
	admin.follow(admin.post("/console/parties/clerk/sessions", all)).has(t, "all", "All sessions of this party are over.")
	if in(second) || in(third) || !in(bank) {
		t.Error("not all of the clerk's, or not only these, are over")
	}
	// Who signs out is not there any more, and the cookie is of no use to who kept it.
	kept := bank.cookies[parties.CookieName]
	bank.post("/console/sign-out", bank.get("/console/cards").form("/console/sign-out"))
	bank.cookies[parties.CookieName] = kept
	if in(bank) || strings.Contains(admin.get("/console/sessions").body, "of-bank") {
		t.Error("signing out leaves the session open")
	}
	// One's own.
	mine := admin.get("/console/sessions").form("/console/parties/admin/sessions", "End all sessions")
	admin.post("/console/parties/admin/sessions", mine)
	if admin.get("/console/sessions").status != http.StatusUnauthorized {
		t.Error("the administrator's own session goes on")
	}
	auditor := o.as("auditor")
	auditor.follow(page{status: http.StatusSeeOther, header: http.Header{"Location": {"/console/audit"}}}).has(t, "the log", "sessions ended")
}
