package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// Forms, queries and addresses of the console, changed, from a browser that has signed in.
// None makes it fail. A page changes nothing, nor does a form that is refused or comes from
// elsewhere; one that is accepted makes one entry in the log, about the resident of its
// page and by the one who has sent it, and leads to a page of the console. What was typed
// never becomes a part of the page, and nobody sees a whole registration number.
func FuzzForms(f *testing.F) {
	var rehearsal servicetest.Rehearsal
	o := newOffice(f, servicetest.Rehearsing(&rehearsal))
	c, lost := o.Resident(), o.Resident()
	at, atLost := fmt.Sprintf("/console/residents/%d", c.ID), fmt.Sprintf("/console/residents/%d", lost.ID)
	cookies, tokens := map[string]map[string]string{}, map[string]string{}
	for _, id := range []string{"clerk", "operator", "registrar", "bank", "auditor", "admin"} { // in order, so that seeds stay good
		b := o.as(id)
		p := b.get("/console/")
		if p.status == http.StatusSeeOther {
			p = b.follow(p)
		}
		cookies[id], tokens[id] = b.cookies, p.form("/console/sign-out").Get("csrf")
		if tokens[id] == "" {
			f.Fatalf("%s: %d", id, p.status)
		}
	}
	clerk, bank := &browser{o, cookies["clerk"]}, &browser{o, cookies["bank"]}
	reported := clerk.post(atLost+"/reports", url.Values{"csrf": {tokens["clerk"]}, "key": {"0"}, "cause": {"physical-lost"}, "why": {"left on a bus"}})
	told := strings.TrimPrefix(reported.header.Get("Location"), atLost+"?")
	sequence := fmt.Sprint(o.sequence())
	offer := strings.TrimPrefix(clerk.post(at+"/offers", url.Values{"csrf": {tokens["clerk"]}, "key": {"1"}}).header.Get("Location"), "/console/offers/")
	asked := strings.TrimPrefix(bank.post("/console/verify", url.Values{"csrf": {tokens["bank"]}, "element.age_over_19": {"yes"}}).header.Get("Location"), "/console/verify/")
	version := (&browser{o, cookies["admin"]}).get("/console/parties/bank").form("/console/parties/bank").Get("version")
	rehearsal.Begin()

	form := func(fields ...string) string { return with(url.Values{"key": {"k"}}, fields...).Encode() }
	// The order is that of the seeds that lie in testdata.
	steps := []struct {
		by, method, path string // a path with %s takes the text itself
		person           uint64
		seeds            []string
	}{
		{"", "GET", "/console/sign-in", 0, []string{"next=%2Fconsole%2Faudit%3Ffrom%3D1&lang=en", "lang=ko&next=//evil.example"}},
		{"", "POST", "/console/sign-in", 0, []string{"id=clerk&next=%2Fconsole%2F&passphrase=" + url.QueryEscape(passphrase("clerk"))}},
		{"clerk", "POST", "/console/sign-out", 0, []string{""}},
		{"clerk", "GET", "/console/", 0, []string{"lang=en"}},
		{"clerk", "POST", "/console/residents", 0, []string{form("number", c.Number), form("number", " 1 ")}},
		{"registrar", "GET", atLost, 0, []string{told + "&lang=en", "lang=ko"}},
		{"clerk", "POST", at + "/reports", uint64(c.ID), []string{form("cause", "physical-lost", "why", "left on a <zz>bus")}},
		{"registrar", "POST", atLost + "/reports", uint64(lost.ID), []string{form("cause", "administrative", "why", "an order")}},
		{"clerk", "POST", atLost + "/releases", uint64(lost.ID), []string{form("cause", "physical-lost", "sequence", sequence, "why", "found")}},
		{"clerk", "POST", at + "/offers", uint64(c.ID), []string{form()}},
		{"clerk", "GET", "/console/offers/%s", 0, []string{offer, offer + "/state"}},
		{"clerk", "POST", at + "/cards", uint64(c.ID), []string{form("number", "b0000001", "chip", "yes", "why", "worn")}},
		{"registrar", "POST", at + "/address", uint64(c.ID), []string{form("address", "한누리대로 1", "why", "moved"), form("address", "새길 2", "municipality", "36110", "centre", "3611051500", "why", "moved")}},
		{"registrar", "POST", at + "/removal", uint64(c.ID), []string{form("sure", "yes", "why", "emigrated")}},
		{"bank", "POST", "/console/verify", 0, []string{form("element.age_over_19", "yes", "element.family_name", "yes")}},
		{"bank", "GET", "/console/verify/%s", 0, []string{asked, asked + "/state"}},
		{"bank", "POST", "/console/cards", 0, []string{form("number", c.Number)}},
		{"auditor", "GET", "/console/audit", 0, []string{"from=1&lang=en"}},
		{"auditor", "GET", "/console/audit/log", 0, []string{"from=1"}},
		{"admin", "POST", "/console/parties", 0, []string{
			form("id", "clinic", "name", "Clinic", "role", "verifier", "elements", "age_over_19 family_name", "why", "contract",
				"keys", `{"kty":"EC","crv":"P-256","x":"H7ic8A5vKUtl3kfTd2AkOgrPAcQ3kNvwnqTGRlPBkfE","y":"AA"}`),
			form("id", "clerk-2", "name", "김서기", "role", "clerk", "centre", "36110", "passphrase", "a passphrase of hers", "why", "new"),
		}},
		{"admin", "GET", "/console/parties/%s", 0, []string{"bank", "nobody"}},
		{"admin", "POST", "/console/parties/bank", 0, []string{form("version", version, "name", "Bank", "elements", "age_over_19", "why", "less"), form("name", "<zz>", "why", "x")}},
		{"admin", "POST", "/console/parties/bank/end", 0, []string{form("sure", "yes", "why", "over")}},
		{"admin", "POST", "/console/parties/clerk/sessions", 0, []string{form(), form("session", "none")}},
	}
	send := func(n int, foreign bool, text string) page {
		s := steps[n]
		path := s.path
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, text)
		}
		r := httptest.NewRequest(s.method, base+"/", strings.NewReader(text))
		r.URL.Path, r.RequestURI = path, path
		if s.method == "GET" && path == s.path {
			r.URL.RawQuery = text
		}
		if s.method == "GET" {
			r.Body, r.ContentLength = http.NoBody, 0
		} else {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("Accept-Language", "en")
		for name, value := range cookies[s.by] {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		if foreign {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		} else {
			r.Header.Set(parties.CSRFHeader, tokens[s.by])
		}
		w := httptest.NewRecorder()
		o.router.ServeHTTP(w, r)
		return page{w.Code, w.Header(), w.Body.String()}
	}
	for i, s := range steps {
		for j, seed := range s.seeds {
			if p := send(i, false, seed); j == 0 && (p.status >= 400) != strings.HasPrefix(seed, "id=clinic") && !strings.Contains(seed, "clinic") {
				f.Fatalf("%s %s %s: %d %s", s.by, s.path, seed, p.status, p.body)
			}
			f.Add(byte(i), false, seed, byte(0), "x")
			for k, value := range servicetest.Fields(seed) {
				f.Add(byte(i), false, seed, byte(k+1), value)
			}
		}
	}
	f.Add(byte(6), true, form("cause", "physical-lost", "why", "a prank"), byte(0), "x")
	f.Add(byte(1), true, "id=clerk", byte(0), "x")
	rehearsal.Take()

	f.Fuzz(func(t *testing.T, n byte, foreign bool, text string, field byte, value string) {
		i := int(n) % len(steps)
		s := steps[i]
		if text = servicetest.Changed(text, field, value); s.method == "GET" && strings.Contains(s.path, "%s") && text != url.PathEscape(text) && !strings.HasSuffix(text, "/state") {
			return
		}
		p := send(i, foreign, text)
		wrote := rehearsal.Take()
		what := fmt.Sprintf("%s %s by %s: %d", s.method, s.path, s.by, p.status)
		switch {
		case p.status >= 500:
			t.Fatalf("%s %s", what, p.body)
		case strings.Contains(p.body, "9001021234560") || strings.Contains(p.body, "900102-1234560"):
			t.Errorf("%s: a whole registration number", what)
		case strings.Contains(p.body, "<zz"):
			t.Errorf("%s: what was typed is a part of the page", what)
		case s.method == "POST" && (foreign || len(text) > 16<<10) && p.status < 400:
			t.Errorf("%s: from elsewhere %v, %d bytes", what, foreign, len(text))
		}
		if s.method == "GET" || p.status >= 400 || p.status == http.StatusOK {
			if !wrote.Only("PutAnswer") || s.method == "GET" && !wrote.Only() {
				t.Errorf("%s: written: %+v", what, wrote)
			}
		}
		if to := p.header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/console/") || strings.ContainsAny(to, "\r\n\\")) && s.method == "POST" {
			t.Errorf("%s: leads to %q", what, to)
		}
		if len(wrote.Entries) > 1 {
			t.Errorf("%s: in the log: %+v", what, wrote.Entries)
		}
		for _, e := range wrote.Entries {
			if e.Person != s.person || s.by == "" || !slices.Contains(strings.Fields(e.Actor), s.by) || len(e.Reason) > 200 {
				t.Errorf("%s: in the log: %+v", what, e)
			}
		}
	})
}
