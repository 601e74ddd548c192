package console_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/x5c"
)

const base = "https://id.example"

var ctx = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is the whole service behind its router, as a browser meets it.
type office struct {
	*servicetest.World
	t      testing.TB
	router http.Handler
	desk   *desk.Desk
}

type chance struct {
	mu sync.Mutex
	r  io.Reader
}

func (c *chance) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.Read(b)
}

// staff are the parties of an office, each with a passphrase made of its id.
var staff = map[string]access.Role{
	"clerk": access.Clerk, "operator": access.CallCentre, "registrar": access.Registrar, "bank": access.Verifier,
	"auditor": access.Auditor, "admin": access.Administrator,
}

func passphrase(id string) string { return "the passphrase of " + id }

func newOffice(t testing.TB, change ...func(*service.Config)) *office {
	w := servicetest.New(t, change...)
	sealing, err := seal.NewKeys([32]byte{7})
	check(t, err)
	people, err := parties.New(w.Register, parties.Options{Issuer: base, TokenEndpoint: base + "/parties/token", Keys: sealing, Cost: parties.Cost{Memory: 64, Passes: 1}})
	check(t, err)
	anchors, err := x5c.NewAnchors("wallet provider", servicetest.Authorities().Maker)
	check(t, err)
	server, err := authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: sealing, Issuer: base, Path: "/oauth/",
		Providers: anchors, Scopes: openid4vci.Scopes})
	check(t, err)
	vp, err := openid4vp.New(openid4vp.Options{Register: w.Register, Verification: w.Verification, Base: base + "/vp/", Authorities: [][]byte{{1}},
		Keys: sealing, Secret: func(time.Time) [32]byte { return [32]byte{1} }, Lifetime: 5 * time.Minute, Kept: 10 * time.Minute,
		Reader: func(context.Context, string) (openid4vp.Reader, error) {
			return openid4vp.Reader{Sign: jws.With(servicetest.Key("reader")), Chain: [][]byte{{1}}}, nil
		}})
	check(t, err)
	d, err := desk.New(desk.Options{Register: w.Register, Issuance: w.Issuance, Suspension: w.Suspension, Verification: w.Verification, Parties: people, Published: time.Hour,
		Scan: func(ctx context.Context, o issuance.Offer) (desk.Scan, error) {
			s, err := server.Offer(ctx, o)
			return desk.Scan{URI: s.URI, TxCode: s.TxCode, Expires: s.Expires}, err
		},
		Checkpoint: func(audit.Checkpoint) (string, error) { return "signed", nil },
	})
	check(t, err)
	c, err := console.New(console.Options{Register: w.Register, Parties: people, Desk: d, Keys: sealing, Civil: servicetest.Noon.Location(), Offers: server, Verifier: vp})
	check(t, err)
	router, err := httpapi.New(&httpapi.API{Parties: people, Authorization: server, OpenID4VP: vp, Desk: d, Console: c}, httpapi.Options{
		Now: w.Now, Random: &chance{r: rand.NewChaCha8(sha256.Sum256([]byte("ids")))},
		Authentication: httpapi.Authentication{Session: people.Session, Bearer: people.Bearer},
	})
	check(t, err)
	for id, role := range staff {
		q := parties.Request{By: access.Caller{Role: access.Administrator, ID: "first"}, Key: id, ID: id, Role: role, Passphrase: passphrase(id), Why: "test",
			Profile: parties.Profile{Name: id}}
		switch role {
		case access.Clerk:
			q.Centre = servicetest.Sejong
		case access.Verifier:
			q.Elements = []string{"age_over_19", "family_name"}
		}
		_, err := people.Enter(ctx, q)
		check(t, err)
	}
	return &office{w, t, router, d}
}

// browser is somebody's, with its cookies. It speaks English.
type browser struct {
	*office
	cookies map[string]string
}

// page is an answer.
type page struct {
	status int
	header http.Header
	body   string
}

func (o *office) browser() *browser { return &browser{o, map[string]string{}} }

// as is the browser of somebody who has signed in.
func (o *office) as(id string) *browser {
	o.t.Helper()
	b := o.browser()
	p := b.post("/console/sign-in", url.Values{"id": {id}, "passphrase": {passphrase(id)}})
	if p.status != http.StatusSeeOther {
		o.t.Fatalf("%s cannot sign in: %d %s", id, p.status, p.body)
	}
	return b
}

func (b *browser) send(method, path string, form url.Values) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, base+path, body)
	r.RequestURI = path
	r.Header.Set("Accept-Language", "en")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return page{w.Code, w.Header(), w.Body.String()}
}

func (b *browser) get(path string) page { b.t.Helper(); return b.send("GET", path, nil) }

func (b *browser) post(path string, form url.Values) page {
	b.t.Helper()
	return b.send("POST", path, form)
}

// follow goes on to where a form sends the browser.
func (b *browser) follow(p page) page {
	b.t.Helper()
	if p.status != http.StatusSeeOther {
		b.t.Fatalf("%d instead of a redirect:\n%s", p.status, p.body)
	}
	return b.get(p.header.Get("Location"))
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// form is the form of a page that is sent to an address; nil: there is none. With a
// mark, it is the one that has it.
func (p page) form(action string, mark ...string) url.Values {
	for _, part := range strings.Split(p.body, "<form ")[1:] {
		part, _, _ = strings.Cut(part, "</form>")
		if !strings.Contains(part, `action="`+action+`"`) || len(mark) > 0 && !strings.Contains(part, mark[0]) {
			continue
		}
		out := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(part, -1) {
			out.Set(m[1], m[2])
		}
		return out
	}
	return nil
}

func (p page) has(t testing.TB, what string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("%s: %q is not on the page (%d)", what, text, p.status)
		}
	}
}

// with fills a form in.
func with(form url.Values, fields ...string) url.Values {
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

func (o *office) sequence() (n uint64) {
	o.t.Helper()
	check(o.t, o.DB.View(ctx, func(r store.Reader) (err error) { n, err = r.Sequence(); return err }))
	return n
}

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
	if out.status != http.StatusSeeOther || len(b.cookies) != 0 {
		t.Errorf("signed out: %d, cookies %v", out.status, b.cookies)
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

func TestAClerkSeesAnOfferScannedCheckedOrOver(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	start := func() (string, page) {
		made := b.post(at+"/offers", b.get(at).form(at+"/offers"))
		return made.header.Get("Location"), b.follow(made)
	}
	offer, p := start()
	p.has(t, "an offer", `role="img"`, `<title id="qr-title">QR code`, "openid-credential-offer://", `role="status"`, "<strong>Waiting", "14 Mar 2025 12:01:30")
	uri := strings.ReplaceAll(regexp.MustCompile(`(?s)<textarea id="uri"[^>]*>(.*?)</textarea>`).FindStringSubmatch(p.body)[1], "&amp;", "&")
	tx := regexp.MustCompile(`class="tx">(\d{6})<`).FindStringSubmatch(p.body)[1]

	u, err := url.Parse(uri)
	check(t, err)
	reference, err := url.Parse(u.Query().Get("credential_offer_uri"))
	check(t, err)
	phone := o.browser()
	fetched := phone.get(reference.Path)
	var body struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		}
	}
	check(t, json.Unmarshal([]byte(fetched.body), &body))
	b.get(offer+"/state").has(t, "scanned", `aria-current="step"`, "<strong>Scanned: the phone now")
	if phone.get(reference.Path); o.as("clerk").get(offer).status != http.StatusOK {
		t.Error("another session of the same clerk may not look")
	}
	for _, code := range body.Grants {
		text, err := json.Marshal(map[string]any{"pre-authorized_code": code.Code, "tx_code": tx, "capture": c.Capture().Bytes()})
		check(t, err)
		r := httptest.NewRequest("POST", base+"/oauth/face-check", strings.NewReader(string(text)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		o.router.ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			t.Fatalf("face check: %d %s", w.Code, w.Body)
		}
	}
	b.get(offer+"/state").has(t, "checked", "<strong>Face checked")
	if p := b.get(offer + "/state"); p.header.Get("X-Over") != "" {
		t.Error("the script is told to stop before the card is issued")
	}

	other, _ := start()
	o.Pass(90 * time.Second)
	over := b.get(other + "/state")
	over.has(t, "over", "<strong>Over: the 90 seconds have passed")
	if over.header.Get("X-Over") != "true" {
		t.Error("the script is not told that it is over")
	}
	if p := b.get(other); strings.Contains(p.body, "<svg") || strings.Contains(p.body, "openid-credential-offer") {
		t.Error("a code that is over is still shown")
	}
	if p := o.as("registrar").get(other); p.status != http.StatusForbidden {
		t.Errorf("a registrar looks at an offer: %d", p.status)
	}
	if p := b.get("/console/offers/" + strings.Repeat("A", 90)); p.status != http.StatusNotFound {
		t.Errorf("an offer that is none: %d", p.status)
	}
}

func TestADoubleClickMakesOneOffer(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	form := b.get(at).form(at + "/offers")
	var ends []string
	for range 2 {
		p := b.follow(b.post(at+"/offers", form))
		ends = append(ends, regexp.MustCompile(`Valid until [^<]*`).FindString(p.body))
		o.Pass(10 * time.Second)
	}
	if ends[0] != ends[1] {
		t.Errorf("a reload makes the time begin anew: %v", ends)
	}
}

func TestAnOfferIsRefusedWithTheReasonInWords(t *testing.T) {
	o := newOffice(t)
	far := o.Resident(func(q *issuance.ResidentRequest) { q.Resident.Municipality, q.Resident.Centre = servicetest.Never, "" })
	b := o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", far.ID)
	p := b.post(at+"/offers", b.get(at).form(at+"/offers"))
	if p.status != http.StatusConflict {
		t.Errorf("%d", p.status)
	}
	p.has(t, "not open", "not issued yet to residents of this municipality")
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
		has(t, "removed", "cards have ended", `id="plastic-state">none`)
	if p := o.as("clerk").post(at+"/removal", with(o.as("clerk").get("/console/").form("/console/residents"), "why", "x", "sure", "yes")); p.status != http.StatusForbidden {
		t.Errorf("a clerk removes: %d", p.status)
	}
}

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

func TestAnAuditorReadsAndTakesTheLog(t *testing.T) {
	o := newOffice(t)
	for range 60 {
		o.Resident()
	}
	b := o.as("auditor")
	last := o.sequence()
	p := b.follow(b.get("/console/"))
	p.has(t, "the newest page", fmt.Sprintf("Entries %d to %d of %d", last-49, last, last), "resident entered", "registrar-1", fmt.Sprintf("/console/audit?from=%d", last-99))
	b.get("/console/audit?from=1").has(t, "the first page", "Entries 1 to 50", "/console/audit?from=51", "party entered")
	b.get("/console/audit?from=99999").has(t, "beyond the end", "There are no entries here.")
	log := b.get("/console/audit/log")
	if head, err := audit.VerifyExport(strings.NewReader(log.body)); err != nil || head.Sequence != last || log.header.Get("Content-Disposition") == "" {
		t.Errorf("the download: %v, %v", head.Sequence, err)
	}
	if c := b.get("/console/audit/checkpoint"); c.body != "signed" {
		t.Errorf("the checkpoint: %d %s", c.status, c.body)
	}
}

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
	private := b.post("/console/parties", with(b.get("/console/parties").form("/console/parties"), "id", "shop", "name", "Shop", "role", "verifier", "why", "x",
		"keys", `{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}`))
	private.has(t, "a private key", "This is a private key")
	b.follow(b.post("/console/parties/lee", with(b.get("/console/parties/lee").form("/console/parties/lee"), "name", "Lee", "centre", "50110", "why", "moved to Jeju"))).
		has(t, "changed", "The party is changed", `value="50110"`)
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

// issue puts a mobile card onto a phone of a citizen, by their IC card.
func (o *office) issue(c *servicetest.Citizen, wallet string) {
	o.t.Helper()
	challenge, err := o.Issuance.Challenge(ctx)
	check(o.t, err)
	approval, reason, err := o.Issuance.ApproveTap(ctx, challenge, c.Evidence(challenge), c.Capture())
	check(o.t, err)
	key := servicetest.Key("copy on " + wallet)
	first, err := o.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{Request: o.World.Request(register.Citizen(c.ID)), Approval: approval,
		Phone: issuance.Phone{Wallet: wallet, Keys: []*ecdsa.PublicKey{&key.PublicKey}}, Format: issuance.Mdoc})
	check(o.t, err)
	if first.Reason != lifecycle.Granted {
		o.t.Fatalf("no card for %s: %v %v", wallet, reason, first.Reason)
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
