package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rolesOf says who may open which page. It is written by hand, beside the table of
// package httpapi, to disagree with it.
var rolesOf = map[string]string{
	"/console/":             "clerk operator registrar auditor admin bank",
	"/console/residents/1":  "clerk operator registrar",
	"/console/offers/none":  "clerk",
	"/console/verify":       "bank",
	"/console/verify/none":  "bank",
	"/console/audit":        "auditor",
	"/console/audit/log":    "auditor",
	"/console/cards":        "clerk bank",
	"/console/sessions":     "admin",
	"/console/parties":      "admin",
	"/console/parties/bank": "admin",
}

func TestEachRoleOpensItsPagesAndNoOther(t *testing.T) {
	o := newOffice(t)
	o.Resident()
	for id := range staff {
		b := o.as(id)
		for path, who := range rolesOf {
			p := b.get(path)
			may := slices.Contains(strings.Fields(who), id)
			if refused := p.status == http.StatusForbidden; refused == may {
				t.Errorf("%s opens %s: %d", id, path, p.status)
			}
			if p.status == http.StatusForbidden {
				p.has(t, id+" at "+path, "Your role may not do this.", "<!DOCTYPE html>", `action="/console/sign-out"`)
			}
		}
	}
}

// posts are all forms, and who may send them.
var posts = map[string]string{
	"/console/residents":             "clerk operator registrar",
	"/console/residents/1/reports":   "clerk operator registrar",
	"/console/residents/1/releases":  "clerk registrar",
	"/console/residents/1/offers":    "clerk",
	"/console/residents/1/cards":     "clerk registrar",
	"/console/residents/1/address":   "registrar",
	"/console/residents/1/removal":   "registrar",
	"/console/verify":                "bank",
	"/console/parties":               "admin",
	"/console/parties/bank":          "admin",
	"/console/parties/bank/end":      "admin",
	"/console/parties/bank/sessions": "admin",
	"/console/cards":                 "clerk bank",
}

func TestAFormOfAnotherRoleChangesNothing(t *testing.T) {
	o := newOffice(t)
	o.Resident()
	form := url.Values{"key": {"k"}, "why": {"x"}, "sure": {"yes"}, "cause": {"physical-lost"}, "number": {"N1"}, "address": {"a"}, "id": {"x"}, "role": {"auditor"}}
	for id := range staff {
		b := o.as(id)
		form.Set("csrf", regexp.MustCompile(`name="csrf" value="([^"]*)"`).FindStringSubmatch(b.get("/console/nowhere-"+id).body + b.followed("/console/"))[1])
		for path, who := range posts {
			if slices.Contains(strings.Fields(who), id) {
				continue
			}
			n := o.sequence()
			if p := b.post(path, form); p.status != http.StatusForbidden || o.sequence() != n {
				t.Errorf("%s sends %s: %d, %d changes", id, path, p.status, o.sequence()-n)
			}
		}
	}
}

// followed is the page at which an address ends.
func (b *browser) followed(path string) string {
	p := b.get(path)
	for p.status == http.StatusSeeOther {
		p = b.get(p.header.Get("Location"))
	}
	return p.body
}

// every is each page once, with what is on it.
func (o *office) every() map[string]page {
	c := o.Resident()
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	out := map[string]page{"sign in": o.browser().get("/console/sign-in")}
	clerk, registrar, bank, auditor, admin := o.as("clerk"), o.as("registrar"), o.as("bank"), o.as("auditor"), o.as("admin")
	out["look up"] = clerk.get("/console/")
	out["resident"] = clerk.get(at)
	out["offer"] = clerk.follow(clerk.post(at+"/offers", out["resident"].form(at+"/offers")))
	out["reported"] = clerk.follow(clerk.post(at+"/reports", with(out["resident"].form(at+"/reports"), "cause", "physical-lost", "why", `<script>"'&`)))
	out["refused"] = clerk.post(at+"/cards", with(out["reported"].form(at+"/cards"), "number", `"><script>alert(1)</script>`, "why", "worn out"))
	registrar.post(at+"/reports", with(registrar.get(at).form(at+"/reports", "administrative"), "why", "order"))
	out["registrar"] = registrar.get(at)
	out["verify"] = bank.get("/console/verify")
	out["transaction"] = bank.follow(bank.post("/console/verify", with(out["verify"].form("/console/verify"), "element.age_over_19", "yes")))
	out["audit"] = auditor.get("/console/audit")
	out["parties"] = admin.get("/console/parties")
	out["party"] = admin.get("/console/parties/clerk")
	out["nobody"] = clerk.get("/console/residents/99999")
	out["forbidden"] = clerk.get("/console/audit")
	return out
}

var (
	tag     = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^>"']|"[^"]*"|'[^']*')*)>`)
	attr    = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
	void    = []string{"meta", "link", "input", "rect", "path", "br"}
	foreign = regexp.MustCompile(`(?i)<(script|style)[^>]*>[^<]|\son[a-z]+="|\sstyle="|(src|href)="(https?:)?//`)
)

// invalid says what is wrong with a page's HTML: elements that do not close in order,
// ids that come twice or are missing, controls without a label.
func invalid(body string) (problems []string) {
	var open []string
	ids, labelled := map[string]bool{}, map[string]bool{}
	var needs []string    // ids
	var controls []string // ids of what needs a label; "" for one without an id
	for _, m := range tag.FindAllStringSubmatch(body, -1) {
		closing, name := m[1] != "", m[2]
		if closing {
			if len(open) == 0 || open[len(open)-1] != name {
				return append(problems, fmt.Sprintf("</%s> closes %v", name, open))
			}
			open = open[:len(open)-1]
			continue
		}
		a := map[string]string{}
		for _, x := range attr.FindAllStringSubmatch(m[3], -1) {
			if _, twice := a[x[1]]; twice && x[2] != "" {
				problems = append(problems, fmt.Sprintf("<%s> has %s twice", name, x[1]))
			}
			a[x[1]] = x[2]
		}
		if id, ok := a["id"]; ok {
			if ids[id] {
				problems = append(problems, "two elements have the id "+id)
			}
			ids[id] = true
		}
		needs = append(needs, strings.Fields(a["aria-labelledby"]+" "+a["aria-describedby"]+" "+a["for"])...)
		labelled[a["for"]] = true
		if hidden := a["type"] == "hidden"; slices.Contains([]string{"input", "select", "textarea"}, name) && !hidden && !slices.Contains(open, "label") {
			controls = append(controls, a["id"])
		}
		if !slices.Contains(void, strings.ToLower(name)) {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		problems = append(problems, fmt.Sprintf("%v are not closed", open))
	}
	for _, id := range needs {
		if !ids[id] {
			problems = append(problems, "nothing has the id "+id)
		}
	}
	for _, id := range controls {
		if !labelled[id] || id == "" {
			problems = append(problems, fmt.Sprintf("the control %q has no label", id))
		}
	}
	return problems
}

func TestPagesAreValidAndBringNothingForeign(t *testing.T) {
	for name, p := range newOffice(t).every() {
		for _, problem := range invalid(p.body) {
			t.Errorf("%s: %s", name, problem)
		}
		if m := foreign.FindString(p.body); m != "" {
			t.Errorf("%s: %q is in the page", name, m)
		}
		if !strings.HasPrefix(p.body, "<!DOCTYPE html>\n<html lang=\"en\">") || strings.Count(p.body, "<h1>") != 1 || strings.Contains(p.body, "⟨") {
			t.Errorf("%s: no page, or not one heading, or a word is missing", name)
		}
		policy := p.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: its policy is %q", name, policy)
		}
		if p.header.Get("Cache-Control") != "no-store" || p.header.Get("X-Frame-Options") != "DENY" || p.header.Get("Content-Language") != "en" {
			t.Errorf("%s: headers %v", name, p.header)
		}
	}
}

// Somebody has to see that the check above can fail.
func TestWhatIsNotValidIsFound(t *testing.T) {
	for body, want := range map[string]string{
		`<p><b></p></b>`:               "closes",
		`<p id="a"></p><p id="a"></p>`: "two elements",
		`<p aria-describedby="x"></p>`: "nothing has the id x",
		`<input id="a">`:               "no label",
		`<div>`:                        "not closed",
		`<label for="a">A</label><input type="text">`: "no label",
	} {
		if got := strings.Join(invalid(body), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q", body, got)
		}
	}
	for _, body := range []string{`<script>x`, `<p onclick="x">`, `<p style="x">`, `<img src="//x">`, `<a href="https://x">`} {
		if !foreign.MatchString(body) {
			t.Errorf("%s passes", body)
		}
	}
}

func TestAPageSpeaksKoreanToo(t *testing.T) {
	o := newOffice(t)
	o.Resident()
	b := o.as("clerk")
	p := b.get("/console/residents/1?lang=ko")
	p.has(t, "in Korean", `<html lang="ko">`, "보유 신분증", "2025. 3. 14.", `href="/console/residents/1?lang=en"`)
	if later := b.get("/console/"); !strings.Contains(later.body, `<html lang="ko">`) {
		t.Error("the choice is forgotten")
	}
	if refused := b.get("/console/audit"); !strings.Contains(refused.body, "권한이 없습니다.") {
		t.Error("refusals speak another language")
	}
}

func TestStyleAndScriptAreFetchedOnce(t *testing.T) {
	o := newOffice(t)
	for path, kind := range map[string]string{"/console/style.css": "text/css; charset=utf-8", "/console/script.js": "text/javascript; charset=utf-8"} {
		first := o.browser().get(path)
		if first.status != http.StatusOK || first.header.Get("Content-Type") != kind || len(first.body) < 500 {
			t.Errorf("%s: %d %s", path, first.status, first.header.Get("Content-Type"))
		}
		r := httptest.NewRequest("GET", base+path, nil)
		r.Header.Set("If-None-Match", first.header.Get("ETag"))
		w := httptest.NewRecorder()
		o.router.ServeHTTP(w, r)
		if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s again: %d", path, w.Code)
		}
	}
}

func TestEveryStaffRoleHasAPageToBeginWith(t *testing.T) {
	o := newOffice(t)
	for id, role := range staff {
		if body := o.as(id).followed("/console/"); !strings.Contains(body, `aria-current="page"`) {
			t.Errorf("a %s has no page to begin with", role)
		}
	}
	if p := o.browser().get("/"); p.header.Get("Location") != "/console/" {
		t.Errorf("the front page: %d", p.status)
	}
}
