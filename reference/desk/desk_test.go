package desk_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

var (
	clerk     = access.Caller{Role: access.Clerk, ID: "clerk-1", Centre: servicetest.Sejong}
	operator  = access.Caller{Role: access.CallCentre, ID: "operator-1"}
	registrar = access.Caller{Role: access.Registrar, ID: "registrar-1"}
	auditor   = access.Caller{Role: access.Auditor, ID: "auditor-1"}
)

func citizen(c *servicetest.Citizen) access.Caller {
	return access.Caller{Role: access.Citizen, ID: fmt.Sprint(c.ID), Person: c.ID}
}

// counter is a desk with the residents before it.
type counter struct {
	*servicetest.World
	t    testing.TB
	mux  *http.ServeMux
	n    int
	scan func() error // happens while a code is made into what is scanned; may be nil
}

func (c *counter) unscannable() error {
	if c.scan == nil {
		return nil
	}
	return c.scan()
}

func open(t testing.TB, change ...func(*service.Config)) *counter {
	w := servicetest.New(t, change...)
	keys, err := seal.NewKeys([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	all, err := parties.New(w.Register, parties.Options{Issuer: "https://id.example", TokenEndpoint: "https://id.example/parties/token", Keys: keys, Cost: parties.Cost{Memory: 8, Passes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{World: w, t: t, mux: http.NewServeMux()}
	d, err := desk.New(desk.Options{Register: w.Register, Issuance: w.Issuance, Suspension: w.Suspension, Verification: w.Verification, Parties: all, Published: 65 * time.Minute,
		Scan: func(_ context.Context, o issuance.Offer) (desk.Scan, error) {
			return desk.Scan{URI: o.Code, Expires: o.Expires}, c.unscannable()
		}})
	if err != nil {
		t.Fatal(err)
	}
	for path, h := range map[string]web.Handler{
		"GET /residents": d.Find, "GET /residents/{id}": d.Look, "POST /residents": d.Enter, "POST /residents/{id}/cards": d.EnterCard,
		"POST /residents/{id}/removal": d.Remove, "POST /residents/{id}/reports": d.Suspend, "GET /residents/{id}/reports": d.Reports,
		"POST /residents/{id}/releases": d.Release, "POST /residents/{id}/offers": d.Offer, "POST /cards/check": d.Plastic,
		"PATCH /residents/{id}": d.Amend, "GET /parties": d.Parties, "POST /parties": d.EnterParty, "GET /parties/{party}": d.Party,
		"PUT /parties/{party}": d.ChangeParty, "POST /parties/{party}/end": d.EndParty, "GET /audit": d.Audit, "GET /audit/checkpoint": d.Checkpoint,
	} {
		c.mux.Handle(path, web.Problem(h))
	}
	return c
}

type answer struct {
	status int
	body   map[string]any
	text   string
}

// problem is the end of the problem's type.
func (a answer) problem() string {
	text, _ := a.body["type"].(string)
	return strings.TrimPrefix(text, "urn:rollcall:problem:")
}

func (c *counter) ask(by access.Caller, method, path string, body any, headers ...string) answer {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	if text, ok := body.(string); ok {
		data = []byte(text)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(data))
	r.Header.Set("Content-Type", "application/json")
	c.n++
	r.Header.Set("Idempotency-Key", fmt.Sprint("desk-", c.n))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	c.mux.ServeHTTP(w, r.WithContext(access.With(context.Background(), by)))
	a := answer{status: w.Code, text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.body)
	c.asDescribed(method, path, w)
	return a
}

// document is what callers are told of the routes.
var document = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("../httpapi/openapi.yaml")
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// asDescribed holds an answer against the document.
func (c *counter) asDescribed(method, path string, w *httptest.ResponseRecorder) {
	c.t.Helper()
	router, err := document()
	if err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, nil)
	route, params, err := router.FindRoute(r)
	if err != nil {
		c.t.Fatalf("%s %s is not described: %v", method, path, err)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" && ct != "application/problem+json" {
		return
	}
	if err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}); err != nil {
		c.t.Errorf("%s %s answered otherwise than described: %v", method, path, err)
	}
}

func path(c *servicetest.Citizen, rest string) string {
	return fmt.Sprintf("/residents/%d%s", c.ID, rest)
}

// issue gives the resident a mobile card.
func (c *counter) issue(r *servicetest.Citizen) {
	c.t.Helper()
	challenge, err := c.Issuance.Challenge(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	v, reason, err := c.Issuance.ApproveTap(context.Background(), challenge, r.Evidence(challenge), r.Capture())
	if err != nil || reason != lifecycle.Granted {
		c.t.Fatal(reason, err)
	}
	phone := issuance.Phone{Wallet: fmt.Sprint("phone-", r.ID)}
	phone.Keys = append(phone.Keys, &servicetest.Key(phone.Wallet).PublicKey)
	a, err := c.Issuance.IssueApproved(context.Background(), issuance.ApprovedRequest{Request: c.Request(register.Citizen(r.ID)), Approval: v, Phone: phone, Format: issuance.Mdoc})
	if err != nil || a.Reason != lifecycle.Granted {
		c.t.Fatal(a.Reason, err)
	}
}

func verdicts(a answer) string {
	state, _ := a.body["state"].(map[string]any)
	return fmt.Sprint(state["plastic"], " ", state["mobile"])
}

func TestALostCardIsReportedFoundAndReleased(t *testing.T) {
	c := open(t)
	r := c.Resident()
	c.issue(r)
	at := c.Now()
	a := c.ask(operator, "POST", path(r, "/reports"), map[string]string{"cause": "physical-lost", "why": "left on the train"})
	if a.status != 200 || verdicts(a) != "suspended suspended" {
		t.Fatalf("%+v", a)
	}
	for name, want := range map[string]time.Time{"at": at, "online": at, "everywhere": at.Add(65 * time.Minute)} {
		if got, err := time.Parse(time.RFC3339Nano, fmt.Sprint(a.body[name])); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, want %v", name, a.body[name], want)
		}
	}
	seq := a.body["sequence"]
	if a := c.ask(clerk, "GET", path(r, "/reports"), nil); !strings.Contains(a.text, `"subject":"`+r.Number+`"`) || !strings.Contains(a.text, fmt.Sprintf(`"sequence":%v`, seq)) {
		t.Errorf("%+v", a)
	}
	if a := c.ask(clerk, "POST", path(r, "/releases"), map[string]any{"cause": "physical-lost", "sequence": 1, "why": "found"}); a.status != 409 || a.problem() != "older-than-report" {
		t.Errorf("a release by who has not seen the report: %+v", a)
	}
	if a := c.ask(operator, "POST", path(r, "/releases"), map[string]any{"cause": "physical-lost", "sequence": seq, "why": "says so"}); a.status != 403 || a.problem() != "not-authorised" {
		t.Errorf("a release by telephone: %+v", a)
	}
	if a := c.ask(clerk, "POST", path(r, "/releases"), map[string]any{"cause": "physical-lost", "sequence": seq, "why": "it is here"}); a.status != 200 || verdicts(a) != "accepted accepted" {
		t.Errorf("%+v", a)
	}
}

// Who names a number that is yet to come would lift whatever is reported until then.
func TestAReleaseCannotNameAReportThatIsYetToCome(t *testing.T) {
	c := open(t)
	r := c.Resident()
	lost := c.ask(operator, "POST", path(r, "/reports"), map[string]any{"cause": "physical-lost", "why": "lost"})
	newest := lost.body["sequence"].(float64)
	for _, n := range []float64{newest + 1, 1 << 40} {
		a := c.ask(clerk, "POST", path(r, "/releases"), map[string]any{"cause": "physical-lost", "sequence": n, "why": "found"}, "Idempotency-Key", "found")
		if a.status != 409 || a.problem() != "unknown-sequence" {
			t.Errorf("%v: %+v", n, a)
		}
	}
	if a := c.ask(clerk, "GET", path(r, ""), nil); !strings.HasPrefix(verdicts(a), "suspended") {
		t.Errorf("%+v", a)
	}
	// What was refused so is no answer: the same key may be used again.
	if a := c.ask(clerk, "POST", path(r, "/releases"), map[string]any{"cause": "physical-lost", "sequence": newest, "why": "found"}, "Idempotency-Key", "found"); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

func TestALostPhoneLeavesThePlasticCardAlone(t *testing.T) {
	c := open(t)
	r := c.Resident()
	c.issue(r)
	if a := c.ask(citizen(r), "POST", "/residents/me/reports", map[string]string{"cause": "mobile-lost", "why": "stolen"}); a.status != 200 || verdicts(a) != "accepted suspended" {
		t.Errorf("%+v", a)
	}
}

func TestARequestThatIsRepeatedHasTheEffectOfOne(t *testing.T) {
	c := open(t)
	r := c.Resident()
	report := map[string]string{"cause": "physical-lost", "why": "gone"}
	first := c.ask(operator, "POST", path(r, "/reports"), report, "Idempotency-Key", "once")
	again := c.ask(operator, "POST", path(r, "/reports"), report, "Idempotency-Key", "once")
	if first.status != 200 || again.text != first.text {
		t.Errorf("%+v\n%+v", first, again)
	}
	report["why"] = "something else"
	if a := c.ask(operator, "POST", path(r, "/reports"), report, "Idempotency-Key", "once"); a.status != 422 || a.problem() != "idempotency-key-reused" {
		t.Errorf("another request with the same key: %+v", a)
	}
	if a := c.ask(operator, "POST", path(r, "/reports"), report, "Idempotency-Key", ""); a.status != 400 || a.problem() != "no-idempotency-key" {
		t.Errorf("without a key: %+v", a)
	}
	if a := c.ask(operator, "POST", path(r, "/reports"), report, "Idempotency-Key", strings.Repeat("x", 201)); a.status != 400 {
		t.Errorf("with a long key: %+v", a)
	}
}

func TestACitizenSeesAndChangesOnlyThemselves(t *testing.T) {
	c := open(t)
	r, other := c.Resident(), c.Resident()
	if a := c.ask(citizen(r), "GET", "/residents/me", nil); a.status != 200 || a.body["id"] != float64(r.ID) {
		t.Errorf("%+v", a)
	}
	unknown := c.ask(citizen(r), "GET", "/residents/987654", nil)
	for _, a := range []answer{
		c.ask(citizen(r), "GET", path(other, ""), nil),
		c.ask(citizen(r), "GET", path(other, "/reports"), nil),
		c.ask(citizen(r), "POST", path(other, "/reports"), map[string]string{"cause": "physical-lost"}),
	} {
		if a.status != 404 || a.text != unknown.text {
			t.Errorf("somebody else looks different from nobody: %+v, %+v", a, unknown)
		}
	}
	if a := c.ask(clerk, "GET", path(other, ""), nil); verdicts(a) != "accepted not-valid" {
		t.Errorf("%+v", a)
	}
}

func TestAResidentIsFoundByTheNumberOfACard(t *testing.T) {
	c := open(t)
	r := c.Resident()
	if a := c.ask(operator, "GET", "/residents?card="+r.Number, nil); a.status != 200 || a.body["card"] != r.Number {
		t.Errorf("%+v", a)
	}
	if a := c.ask(operator, "GET", "/residents?card=X1", nil); a.status != 404 {
		t.Errorf("%+v", a)
	}
	for _, query := range []string{"", "?card=", "?kard=" + r.Number} {
		if a := c.ask(operator, "GET", "/residents"+query, nil); a.status != 400 || a.problem() != "no-number" {
			t.Errorf("%q: %+v", query, a)
		}
	}
}

func TestARegistrationNumberLeavesMasked(t *testing.T) {
	c := open(t)
	r := c.Resident()
	for _, by := range []access.Caller{clerk, operator, registrar, citizen(r)} {
		a := c.ask(by, "GET", path(r, ""), nil)
		if a.body["resident_number"] != "900102-1******" || strings.Contains(a.text, "23456") {
			t.Errorf("to %v: %s", by.Role, a.text)
		}
	}
}

func TestARegistrarEntersReplacesAndRemoves(t *testing.T) {
	c := open(t)
	template, picture := servicetest.Portrait(7), base64.StdEncoding.EncodeToString([]byte{0xff, 0xd8})
	resident := map[string]any{
		"id": 4711, "resident_number": "9001022345670", "family_name": "이", "given_name": "소라", "birth_date": "1990-01-02", "sex": "F",
		"address": "한누리대로 2130", "municipality": servicetest.Sejong, "centre": "3611051500", "why": "moved here",
		"card": map[string]any{"number": "B1", "chip": true, "template": template.Bytes(), "portrait": picture},
	}
	if a := c.ask(clerk, "POST", "/residents", resident); a.status != 403 {
		t.Errorf("by a clerk: %+v", a)
	}
	if a := c.ask(registrar, "POST", "/residents", resident); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	if a := c.ask(registrar, "POST", "/residents", resident); a.status != 409 || a.problem() != "number-taken" {
		t.Errorf("twice: %+v", a)
	}
	resident["id"], resident["card"] = 4712, nil
	if a := c.ask(registrar, "POST", "/residents", resident); a.status != 409 || a.problem() != "resident-number-taken" ||
		!strings.Contains(a.text, "4711") || strings.Contains(a.text, "234567") {
		t.Errorf("with another's registration number: %+v", a)
	}
	next := map[string]any{"number": "B2", "template": template.Bytes(), "portrait": picture, "why": "damaged"}
	if a := c.ask(clerk, "POST", "/residents/4711/cards", next); a.status != 201 {
		t.Errorf("%+v", a)
	}
	for number, want := range map[string]string{"B1": "not-valid", "B2": "accepted", "B3": "not-valid"} {
		if a := c.ask(access.Caller{Role: access.Verifier}, "POST", "/cards/check", map[string]string{"card": number}); a.body["verdict"] != want {
			t.Errorf("%s: %+v, want %s", number, a, want)
		}
	}
	if a := c.ask(clerk, "GET", "/residents?card=B1", nil); a.body["id"] != 4711.0 || a.body["card"] != "B2" {
		t.Errorf("found by an old number: %+v", a)
	}
	if a := c.ask(registrar, "POST", "/residents/4711/removal", map[string]string{"why": "emigrated"}); a.status != 201 {
		t.Errorf("%+v", a)
	}
	if a := c.ask(clerk, "GET", "/residents/4711", nil); verdicts(a) != "not-valid not-valid" {
		t.Errorf("%+v", a)
	}
	if a := c.ask(registrar, "POST", "/residents", resident); a.status != 201 { // they have come back
		t.Errorf("with the number of a resident who was removed: %+v", a)
	}
	resident["id"] = 4715
	if a := c.ask(registrar, "POST", "/residents", resident); a.problem() != "resident-number-taken" || !strings.Contains(a.text, "4712") {
		t.Errorf("with the number of a resident who has come back: %+v", a)
	}
	for number, want := range map[string]string{"": "bad-resident-number", "900102-234567": "bad-resident-number", "9101022345670": "bad-resident-number", "9001022345670": "resident-number-taken"} {
		if a := c.ask(registrar, "PATCH", path(c.Resident(), ""), map[string]string{"resident_number": number, "why": "wrong"}); a.status < 400 || a.problem() != want {
			t.Errorf("corrected to %q: %+v", number, a)
		}
	}
	if a := c.ask(registrar, "PATCH", "/residents/4712", map[string]string{"resident_number": "9001022345688", "why": ""}); a.problem() != "no-why" {
		t.Errorf("corrected without a reason: %+v", a)
	}
	if a := c.ask(registrar, "PATCH", "/residents/99", map[string]string{"resident_number": "9001022345688", "why": "wrong"}); a.status != 404 {
		t.Errorf("of nobody: %+v", a)
	}
	if a := c.ask(registrar, "PATCH", "/residents/4712", map[string]string{"resident_number": "9001022345688", "why": "wrong"}); a.status != 201 {
		t.Errorf("corrected: %+v", a)
	}
	if a := c.ask(registrar, "POST", "/residents", resident); a.status != 201 { // whose the number really is
		t.Errorf("with a number that was another's by mistake: %+v", a)
	}
	for _, resident["id"] = range []int{4713, 4714} { // who have no number yet
		resident["resident_number"] = ""
		if a := c.ask(registrar, "POST", "/residents", resident); a.status != 201 {
			t.Errorf("without a registration number: %+v", a)
		}
	}
}

// Whatever is asked for somebody who was removed, the desk says that they were.
func TestNothingIsDoneForAResidentWhoWasRemoved(t *testing.T) {
	c := open(t)
	r := c.Resident()
	c.issue(r)
	lost := c.ask(operator, "POST", path(r, "/reports"), map[string]string{"cause": "mobile-lost", "why": "gone"})
	wallet := c.ask(clerk, "GET", path(r, ""), nil).body["wallet"]
	if a := c.ask(clerk, "GET", path(r, ""), nil); strings.Contains(a.text, "removed") {
		t.Errorf("before: %s", a.text)
	}
	if a := c.ask(registrar, "POST", path(r, "/removal"), map[string]string{"why": "emigrated"}); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	for _, by := range []access.Caller{clerk, operator, registrar, citizen(r)} {
		a := c.ask(by, "GET", path(r, ""), nil)
		if state, _ := a.body["state"].(map[string]any); a.status != 200 || state["removed"] != true || verdicts(a) != "not-valid not-valid" {
			t.Errorf("to %v: %+v", by.Role, a)
		}
	}
	template, picture := servicetest.Portrait(7), base64.StdEncoding.EncodeToString([]byte{0xff, 0xd8})
	for what, ask := range map[string]func() answer{
		"a plastic card": func() answer {
			return c.ask(clerk, "POST", path(r, "/cards"), map[string]any{"number": "B2", "template": template.Bytes(), "portrait": picture, "why": "back"})
		},
		"a code": func() answer { return c.ask(clerk, "POST", path(r, "/offers"), struct{}{}) },
		"a report": func() answer {
			return c.ask(operator, "POST", path(r, "/reports"), map[string]string{"cause": "physical-lost", "why": "gone"})
		},
		"an order": func() answer {
			return c.ask(registrar, "POST", path(r, "/reports"), map[string]string{"cause": "administrative", "why": "court"})
		},
		"a release": func() answer {
			return c.ask(clerk, "POST", path(r, "/releases"), map[string]any{"cause": "mobile-lost", "sequence": lost.body["sequence"], "wallet": wallet, "why": "found"})
		},
		"a removal": func() answer { return c.ask(registrar, "POST", path(r, "/removal"), map[string]string{"why": "dead"}) },
	} {
		if a := ask(); a.status != 409 || a.problem() != "no-longer-resident" || !strings.Contains(a.text, "was removed") {
			t.Errorf("%s: %+v", what, a)
		}
	}
	if a := c.ask(access.Caller{Role: access.Verifier}, "POST", "/cards/check", map[string]string{"card": r.Number}); a.body["verdict"] != "not-valid" || strings.Contains(a.text, "removed") {
		t.Errorf("to a verifier: %+v", a)
	}
}

func TestAClerkMakesAnOfferAtTheirOwnCentre(t *testing.T) {
	c := open(t)
	r := c.Resident()
	a := c.ask(clerk, "POST", path(r, "/offers"), struct{}{})
	if end, err := time.Parse(time.RFC3339Nano, fmt.Sprint(a.body["expires"])); a.status != 201 || err != nil || !end.Equal(c.Now().Add(90*time.Second)) {
		t.Fatalf("%+v", a)
	}
	if _, reason, err := c.Issuance.ApproveOffer(context.Background(), fmt.Sprint(a.body["uri"]), r.Capture()); err != nil || reason != lifecycle.Granted {
		t.Errorf("%v, %v", reason, err)
	}
	elsewhere := clerk
	elsewhere.Centre = "11010"
	if a := c.ask(elsewhere, "POST", path(r, "/offers"), struct{}{}); a.status != 409 || a.problem() != "wrong-centre" {
		t.Errorf("%+v", a)
	}
	if a := c.ask(operator, "POST", path(r, "/offers"), struct{}{}); a.status != 403 {
		t.Errorf("by telephone: %+v", a)
	}
	never := c.Resident(func(q *issuance.ResidentRequest) { q.Resident.Municipality = servicetest.Never })
	if a := c.ask(clerk, "POST", path(never, "/offers"), struct{}{}); a.status != 409 || a.problem() != "not-open-yet" {
		t.Errorf("%+v", a)
	}
}

// A key has one offer: who asks again is shown it while it is good, and is told then that it
// is over, not shown one that nobody can scan.
func TestAClerkWhoAsksAgainIsShownTheOfferThatTheKeyHasMade(t *testing.T) {
	c := open(t)
	r := c.Resident()
	ask := func(key string) answer {
		return c.ask(clerk, "POST", path(r, "/offers"), struct{}{}, "Idempotency-Key", key)
	}
	first := ask("at the window")
	c.Pass(89 * time.Second)
	if a := ask("at the window"); a.status != 201 || a.text != first.text {
		t.Errorf("asked again: %+v, the first time %+v", a, first)
	}
	c.Pass(time.Second)
	if a := ask("at the window"); a.status != 409 || a.problem() != "offer-over" {
		t.Errorf("asked again when it is over: %+v", a)
	}
	if a := ask("another"); a.status != 201 || a.text == first.text {
		t.Errorf("%+v", a)
	}
}

// The time of an offer may be over while it is made, where the register is slow.
func TestAnOfferThatIsOverBeforeItIsShownIsNoFailureOfTheService(t *testing.T) {
	c := open(t)
	r := c.Resident()
	for _, test := range []struct {
		takes  time.Duration
		status int
		code   string
	}{{89 * time.Second, 500, ""}, {90 * time.Second, 409, "offer-over"}} {
		c.scan = func() error {
			c.Pass(test.takes)
			return errors.New("it cannot be read")
		}
		if a := c.ask(clerk, "POST", path(r, "/offers"), struct{}{}); a.status != test.status || test.code != "" && a.problem() != test.code {
			t.Errorf("after %s: %+v", test.takes, a)
		}
	}
}

func TestWhatIsAskedWronglyIsRefusedAndChangesNothing(t *testing.T) {
	c := open(t)
	r := c.Resident()
	sequence := func() (n uint64) {
		_ = c.DB.View(context.Background(), func(r store.Reader) (err error) { n, err = r.Sequence(); return err })
		return n
	}
	before := sequence()
	for name, test := range map[string]struct {
		by         access.Caller
		path, body string
		want       int
	}{
		"an unknown resident":      {operator, "/residents/99/reports", `{"cause":"physical-lost","why":"x"}`, 404},
		"no number":                {operator, "/residents/kim/reports", `{"cause":"physical-lost"}`, 404},
		"a number of 64 bits":      {operator, "/residents/18446744073709551615/reports", `{"cause":"physical-lost"}`, 404},
		"an unknown cause":         {operator, path(r, "/reports"), `{"cause":"eaten"}`, 400},
		"two causes":               {operator, path(r, "/reports"), `{"cause":"physical-lost+mobile-lost"}`, 400},
		"a cause twice":            {operator, path(r, "/reports"), `{"cause":"mobile-lost","cause":"physical-lost"}`, 400},
		"no phone to be lost":      {operator, path(r, "/reports"), `{"cause":"mobile-lost","why":"x"}`, 409},
		"an order by an operator":  {operator, path(r, "/reports"), `{"cause":"administrative","why":"x"}`, 403},
		"by an auditor":            {auditor, path(r, "/reports"), `{"cause":"physical-lost","why":"x"}`, 403},
		"a long reason":            {operator, path(r, "/reports"), `{"cause":"physical-lost","why":"` + strings.Repeat("x", 201) + `"}`, 400},
		"nothing to release":       {clerk, path(r, "/releases"), `{"cause":"physical-lost","sequence":1,"why":"x"}`, 409},
		"a negative sequence":      {clerk, path(r, "/releases"), `{"cause":"physical-lost","sequence":-1}`, 400},
		"a card without template":  {clerk, path(r, "/cards"), `{"number":"C1","portrait":""}`, 400},
		"a number given before":    {clerk, path(r, "/cards"), `{"number":"` + r.Number + `","template":"` + base64.StdEncoding.EncodeToString(r.Face.Bytes()) + `","why":"x"}`, 409},
		"a resident without names": {registrar, "/residents", `{"id":5,"birth_date":"1990-01-02","municipality":"36110"}`, 400},
		"a name that is misspelt":  {registrar, "/residents", `{"id":5,"family_name":"김","birth_date":"1990-01-02","municipality":"36110","adress":"새 주소 1"}`, 400},
		"a member of another body": {clerk, path(r, "/reports"), `{"cause":"physical-lost","sequence":1}`, 400},
		"no municipality's code":   {registrar, "/residents", `{"id":5,"family_name":"김","birth_date":"1990-01-02","municipality":"Sejong"}`, 400},
		"a sex of another letter":  {registrar, "/residents", `{"id":5,"family_name":"김","birth_date":"1990-01-02","municipality":"36110","sex":"X"}`, 400},
		"a birth yet to come":      {registrar, "/residents", `{"id":5,"family_name":"김","birth_date":"2990-01-02","municipality":"36110"}`, 400},
		"another's number":         {registrar, "/residents", `{"id":5,"family_name":"김","birth_date":"1990-01-02","municipality":"36110","resident_number":"9101021234567"}`, 400},
		"a resident of no birth":   {registrar, "/residents", `{"id":5,"family_name":"김","birth_date":"soon","municipality":"36110"}`, 400},
	} {
		if a := c.ask(test.by, "POST", test.path, test.body); a.status != test.want || a.problem() == "" {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.text, test.want)
		}
	}
	if after := sequence(); after != before {
		t.Errorf("the register went from %d to %d", before, after)
	}
}

func TestWhoMovesIsToldToTheRegister(t *testing.T) {
	c := open(t)
	r := c.Resident()
	c.issue(r)
	if a := c.ask(registrar, "PATCH", path(r, ""), map[string]string{"address": "새 주소 1", "why": "moved"}); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	if a := c.ask(clerk, "GET", path(r, ""), nil); a.body["renewal_required"] != true || verdicts(a) != "accepted accepted" {
		t.Errorf("%+v", a)
	}
	if a := c.ask(registrar, "PATCH", path(r, ""), map[string]string{"municipality": "11010"}); a.status != 400 {
		t.Errorf("a municipality without its centre: %+v", a)
	}
	for _, body := range []string{`{}`, `{"why":"nothing"}`, `{"adress":"새 주소 2"}`, `{"municipality":"Sejong","centre":"3611051500"}`} {
		if a := c.ask(registrar, "PATCH", path(r, ""), body); a.status != 400 {
			t.Errorf("%s: %+v", body, a)
		}
	}
	if a := c.ask(clerk, "PATCH", path(r, ""), map[string]string{"address": "x", "why": "moved"}); a.status != 403 {
		t.Errorf("by a clerk: %+v", a)
	}
}

func TestAnAdministratorEntersChangesAndEndsParties(t *testing.T) {
	c := open(t)
	administrator := access.Caller{Role: access.Administrator, ID: "admin"}
	key, err := jws.KeyOf(&servicetest.Key("bank").PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	bank := map[string]any{"id": "bank", "role": "verifier", "name": "Rollcall Bank", "keys": []jws.Key{key}, "elements": []string{"age_over_19"}, "why": "contract"}
	if a := c.ask(clerk, "POST", "/parties", bank); a.status != 403 {
		t.Errorf("by a clerk: %+v", a)
	}
	if a := c.ask(administrator, "POST", "/parties", bank); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	if a := c.ask(administrator, "POST", "/parties", bank); a.status != 409 {
		t.Errorf("twice: %+v", a)
	}
	bank["elements"] = []string{"age_over_19", "family_name"}
	if a := c.ask(administrator, "PUT", "/parties/bank", bank); a.status != 400 || a.problem() != "no-version" {
		t.Errorf("without the version that it replaces: %+v", a)
	}
	bank["version"] = c.ask(administrator, "GET", "/parties/bank", nil).body["version"]
	if a := c.ask(administrator, "PUT", "/parties/bank", bank); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if a := c.ask(administrator, "PUT", "/parties/bank", bank); a.status != 409 || a.problem() != "changed-meanwhile" {
		t.Errorf("of a version that was replaced: %+v", a)
	}
	if a := c.ask(administrator, "GET", "/parties/bank", nil); !strings.Contains(a.text, "family_name") || a.body["role"] != "verifier" {
		t.Errorf("%+v", a)
	}
	// What GET answers can be changed and sent back.
	var kept map[string]any
	if err := json.Unmarshal([]byte(c.ask(administrator, "GET", "/parties/bank", nil).text), &kept); err != nil {
		t.Fatal(err)
	}
	kept["name"], kept["why"] = "Rollcall Bank and Sons", "renamed"
	if a := c.ask(administrator, "PUT", "/parties/bank", kept); a.status != 200 {
		t.Errorf("%+v", a)
	}
	for name, body := range map[string]map[string]any{
		"a misspelt name": {"role": "verifier", "name": "x", "keys": []jws.Key{key}, "element": []string{"age_over_19"}},
		"another role":    {"role": "clerk", "name": "x", "centre": servicetest.Sejong}, "no role": {"role": "king", "name": "x"}, "another id": {"id": "shop", "role": "verifier", "name": "x"},
	} {
		body["version"], body["why"] = c.ask(administrator, "GET", "/parties/bank", nil).body["version"], "x"
		if a := c.ask(administrator, "PUT", "/parties/bank", body); a.status != 400 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := c.ask(administrator, "GET", "/parties/bank", nil); !strings.Contains(a.text, "family_name") || a.body["name"] != kept["name"] {
		t.Errorf("what was refused has changed something: %+v", a)
	}
	if a := c.ask(administrator, "POST", "/parties/bank/end", map[string]string{"why": "contract over"}); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if a := c.ask(administrator, "GET", "/parties", nil); !strings.Contains(a.text, `"ended"`) {
		t.Errorf("%+v", a)
	}
	if a := c.ask(administrator, "PUT", "/parties/bank", bank); a.status != 409 {
		t.Errorf("after its end: %+v", a)
	}
	if a := c.ask(administrator, "GET", "/parties/nobody", nil); a.status != 404 {
		t.Errorf("%+v", a)
	}
}

func TestAnAuditorGetsTheLogAsItIsChecked(t *testing.T) {
	c := open(t)
	c.Resident()
	c.Resident()
	all := c.ask(auditor, "GET", "/audit", nil)
	head, err := audit.VerifyExport(strings.NewReader(all.text))
	if err != nil || head.Sequence != 4 {
		t.Errorf("%d entries, %v", head.Sequence, err)
	}
	if a := c.ask(auditor, "GET", "/audit?from=3", nil); strings.Count(a.text, "\n") != 2 {
		t.Errorf("%+v", a)
	}
	if a := c.ask(auditor, "GET", "/audit?from=x", nil); a.status != 400 {
		t.Errorf("%+v", a)
	}
	if a := c.ask(auditor, "GET", "/audit/checkpoint", nil); a.status != 404 {
		t.Errorf("a service without a signer: %+v", a)
	}
}

// All that the audit log has of whoever asks staff for something are their words. Who
// reports the own card or phone lost is believed without.
func TestStaffSayWhyAndACitizenNeedNot(t *testing.T) {
	c := open(t)
	r := c.Resident()
	c.issue(r)
	template, picture := servicetest.Portrait(7), base64.StdEncoding.EncodeToString([]byte{0xff, 0xd8})
	resident := map[string]any{"id": 4711, "family_name": "이", "birth_date": "1990-01-02", "municipality": servicetest.Sejong}
	seq := c.ask(registrar, "POST", path(r, "/reports"), map[string]any{"cause": "administrative", "why": "an order"}).body["sequence"]
	administrator := access.Caller{Role: access.Administrator, ID: "admin"}
	kiosk := func(id string) map[string]any {
		return map[string]any{"id": id, "role": "verifier", "name": "A kiosk", "elements": []string{"age_over_19"}, "passphrase": "a passphrase of twenty letters", "why": "new"}
	}
	if a := c.ask(administrator, "POST", "/parties", kiosk("kiosk")); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	changed := kiosk("kiosk")
	changed["version"] = c.ask(administrator, "GET", "/parties/kiosk", nil).body["version"]
	for _, test := range []struct {
		by           access.Caller
		method, path string
		body         map[string]any
		status       int // with words
	}{
		{operator, "POST", path(r, "/reports"), map[string]any{"cause": "physical-lost"}, 200},
		{registrar, "POST", path(r, "/releases"), map[string]any{"cause": "administrative", "sequence": seq}, 200},
		{clerk, "POST", path(r, "/cards"), map[string]any{"number": "B2", "template": template.Bytes(), "portrait": picture}, 201},
		{registrar, "PATCH", path(r, ""), map[string]any{"address": "새 주소 1"}, 201},
		{registrar, "POST", "/residents", resident, 201},
		{registrar, "POST", path(r, "/removal"), map[string]any{}, 201},
		{administrator, "POST", "/parties", kiosk("kiosk-2"), 201},
		{administrator, "PUT", "/parties/kiosk", changed, 200},
		{administrator, "POST", "/parties/kiosk/end", map[string]any{}, 200},
	} {
		for _, why := range []any{nil, "", " \t "} {
			if test.body["why"] = why; why == nil {
				delete(test.body, "why")
			}
			if a := c.ask(test.by, test.method, test.path, test.body); a.status != 400 || a.problem() != "no-why" {
				t.Errorf("%s %s without words (%q): %d %s", test.method, test.path, why, a.status, a.text)
			}
		}
		test.body["why"] = "as they asked"
		if a := c.ask(test.by, test.method, test.path, test.body); a.status != test.status {
			t.Errorf("%s %s with words: %d %s", test.method, test.path, a.status, a.text)
		}
	}
	mine := c.Resident()
	lost := c.ask(citizen(mine), "POST", "/residents/me/reports", map[string]any{"cause": "physical-lost"})
	if lost.status != 200 {
		t.Errorf("a citizen's own loss: %d %s", lost.status, lost.text)
	}
	fresh := citizen(mine)
	fresh.Fresh = true
	if a := c.ask(fresh, "POST", "/residents/me/releases", map[string]any{"cause": "physical-lost", "sequence": lost.body["sequence"]}); a.status != 200 {
		t.Errorf("a citizen's own release: %d %s", a.status, a.text)
	}
}
