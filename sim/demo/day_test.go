package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/parties"
)

// message is a request as bytes of somebody.
type message struct {
	method, target string // target: path and query
	header         http.Header
	body           []byte
}

func (m message) clone() message {
	m.header, m.body = m.header.Clone(), bytes.Clone(m.body)
	return m
}

// request is the message as a server reads it; false if no server would.
func (m message) request() (*http.Request, bool) {
	u, err := url.ParseRequestURI(m.target)
	if err != nil || !strings.HasPrefix(m.target, "/") {
		return nil, false
	}
	r := &http.Request{Method: m.method, URL: u, RequestURI: m.target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "id.example",
		RemoteAddr: "192.0.2.1:4711", Header: m.header.Clone(), Body: io.NopCloser(bytes.NewReader(m.body)), ContentLength: int64(len(m.body))}
	return r.WithContext(ctx), true
}

// day is what everybody does over HTTP on one day, each by their own software. What
// they send goes through sent.
type day struct {
	*street
	sent  func(message, *httptest.ResponseRecorder) // is told of each message and its answer
	first func(message)                             // is shown each message before it is sent; nil: nobody
	token map[string]string                         // party → access token
	n     int
}

func (d *day) send(m message) *httptest.ResponseRecorder {
	d.t.Helper()
	r, ok := m.request()
	if !ok {
		d.t.Fatalf("%s %s is no request", m.method, m.target)
	}
	w := httptest.NewRecorder()
	d.router.ServeHTTP(w, r)
	return w
}

// exchange sends a message of the day.
func (d *day) exchange(m message) *httptest.ResponseRecorder {
	if d.first != nil {
		d.first(m)
	}
	w := d.send(m)
	if d.sent != nil {
		d.sent(m, w)
	}
	return w
}

// RoundTrip implements http.RoundTripper, for wallets.
func (d *day) RoundTrip(r *http.Request) (*http.Response, error) {
	m := message{method: r.Method, target: r.URL.RequestURI(), header: r.Header.Clone()}
	if r.Body != nil {
		var err error
		if m.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	res := d.exchange(m).Result()
	res.Request = r
	return res, nil
}

// as is a request of a party, which must be granted.
func (d *day) as(party, method, target string, body any) map[string]any {
	d.t.Helper()
	d.n++
	m := message{method: method, target: target, header: http.Header{"Authorization": {"Bearer " + d.token[party]}, "Idempotency-Key": {fmt.Sprint("day-", d.n)}}}
	if body != nil {
		var err error
		m.body, err = json.Marshal(body)
		check(d.t, err)
		m.header.Set("Content-Type", "application/json")
	}
	w := d.exchange(m)
	if w.Code/100 != 2 {
		d.t.Fatalf("%s: %s %s: %d %s", party, method, target, w.Code, w.Body)
	}
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out) // an export is none
	return out
}

func (d *day) form(target string, form url.Values, header http.Header) *httptest.ResponseRecorder {
	d.t.Helper()
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	w := d.exchange(message{"POST", target, h, []byte(form.Encode())})
	if w.Code >= 400 {
		d.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w
}

func (d *day) get(target, accept string, header http.Header) *httptest.ResponseRecorder {
	d.t.Helper()
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if accept != "" {
		h.Set("Accept", accept)
	}
	w := d.exchange(message{method: "GET", target: target, header: h})
	if w.Code != 200 {
		d.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w
}

// people of the day, by role.
var dayParties = map[string]access.Role{"clerk": access.Clerk, "operator": access.CallCentre, "registrar": access.Registrar, "auditor": access.Auditor,
	"admin": access.Administrator, "bank": access.Verifier, "shop": access.Verifier}

func dayPassphrase(id string) string { return "the long passphrase of " + id }

// enterParties enters staff and verifiers.
func (d *day) enterParties() {
	for id, role := range dayParties {
		public, err := jws.KeyOf(&Key(id).PublicKey)
		check(d.t, err)
		public.KeyID = id
		q := parties.Request{By: access.Caller{Role: access.Administrator, ID: "first"}, Key: "party " + id, ID: id, Role: role, Passphrase: dayPassphrase(id), Why: "test",
			Profile: parties.Profile{Name: "the " + id, Keys: []jws.Key{public}}}
		switch role {
		case access.Clerk:
			q.Centre = Municipality
		case access.Verifier:
			q.Elements = []string{"family_name", "age_over_19"}
		}
		_, err = d.people.Enter(ctx, q)
		check(d.t, err)
	}
}

// arrive gets a party its access token.
func (d *day) arrive(party string) {
	d.t.Helper()
	d.n++
	now := d.Now()
	assertion, err := jws.With(Key(party)).Token(jws.Header{Type: "client-authentication+jwt", KeyID: party}, map[string]any{
		"iss": party, "sub": party, "aud": serviceURL, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": fmt.Sprint("assertion-", d.n)})
	check(d.t, err)
	w := d.form("/parties/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, nil)
	var out struct {
		Token string `json:"access_token"`
	}
	check(d.t, json.Unmarshal(w.Body.Bytes(), &out))
	d.token[party] = out.Token
}

func (d *day) wallet(r *Resident) *wallet.Wallet {
	d.t.Helper()
	w, err := r.Wallet(&http.Client{Transport: d}, d.Now, rand.NewChaCha8([32]byte{byte(r.ID)}))
	check(d.t, err)
	return w
}

// ask lets a verifier ask; it is the link for the wallet.
func (d *day) ask(party string) (id, link string) {
	d.t.Helper()
	out := d.as(party, "POST", "/vp/transactions", map[string]any{"elements": []string{"age_over_19"}, "purpose": "a day"})
	return out["transaction"].(string), out["authorization_request"].(string)
}

var (
	field = regexp.MustCompile(`name="(csrf|key)" value="([^"]*)"`)
)

// live is the day: two citizens get their cards, one by tapping and one at a centre;
// they show them; one loses the phone and finds it. Staff do their part by their own
// software, and some of it at the console.
func (d *day) live() {
	t, town := d.t, d.town
	d.token = map[string]string{}
	for _, party := range []string{"clerk", "operator", "registrar", "auditor", "admin", "bank", "shop"} {
		d.arrive(party)
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.yaml", "/status-lists", "/.well-known/oauth-authorization-server"} {
		d.get(path, "", nil)
	}
	d.get("/.well-known/openid-credential-issuer", "application/jwt", nil)

	one, two := town.Residents[0], town.Residents[1]
	// The registrar enters somebody, who moves and gets another card.
	d.as("registrar", "POST", "/residents", map[string]any{"id": 9001, "resident_number": "9001021234560", "family_name": "남궁", "given_name": "별님",
		"birth_date": "1990-01-02", "sex": "F", "address": "한누리대로 2130", "municipality": Municipality, "centre": town.Residents[0].Centre(),
		"card": map[string]any{"number": "X0009001", "chip": true, "template": face.Template(two.template).Bytes(), "portrait": []byte{0xff, 0xd8, 0xff, 0xd9}}, "why": "moved in"})
	d.as("registrar", "PATCH", "/residents/9001", map[string]any{"address": "보람로 1", "why": "moved"})
	d.as("registrar", "POST", "/residents/9001/cards", map[string]any{"number": "X0009002", "chip": false, "template": face.Template(two.template).Bytes(), "portrait": []byte{0xff, 0xd8, 0xff, 0xd9}, "why": "worn"})

	// One taps.
	w1, w2 := d.wallet(one), d.wallet(two)
	a, err := w1.Apply(ctx, serviceURL, openid4vci.MdocID, openid4vci.SDJWTID)
	check(t, err)
	d.get(strings.TrimPrefix(a.Page(), serviceURL), "", nil)
	challenge, err := a.Challenge(ctx)
	check(t, err)
	// The other is at the clerk's counter meanwhile.
	offer := d.as("clerk", "POST", "/residents/2/offers", map[string]any{})
	o, err := w2.Scan(ctx, offer["uri"].(string))
	check(t, err)
	tap, err := one.Tap(challenge, one.PIN)
	check(t, err)
	t1, err := a.Prove(ctx, challenge, tap.Evidence, one.Capture().Bytes())
	check(t, err)
	check(t, o.Check(ctx, offer["tx_code"].(string), two.Capture().Bytes()))
	t2, err := o.Redeem(ctx, offer["tx_code"].(string))
	check(t, err)
	copies, err := t1.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 2, JWT: true})
	check(t, err)
	if len(copies) != 2 {
		t.Fatal(copies)
	}
	_, err = t1.Issue(ctx, openid4vci.SDJWTID, wallet.Ask{Copies: 1, Encrypt: jwe.A256GCM})
	check(t, err)
	_, err = t2.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 2})
	check(t, err)
	_, err = (&wallet.Pending{Token: t2, Config: openid4vci.MdocID, Transaction: "none"}).Call(ctx)
	if err == nil {
		t.Fatal("a card that nobody waits for is given")
	}
	// Its copies are signed anew later.
	renewed, err := t1.Renew(ctx)
	check(t, err)
	_, err = renewed.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 2, Encrypt: jwe.A256GCM})
	check(t, err)
	check(t, d.lists.Publish(ctx))
	d.get("/status-lists/0", "application/statuslist+jwt", nil)
	d.get("/status-lists/0", "application/statuslist+cwt", nil)

	// Both show them: one agrees, one declines.
	id, link := d.ask("bank")
	shown := func(w *wallet.Wallet, link string) {
		q, err := w.Open(ctx, link)
		check(t, err)
		choices, err := w.Choose(q)
		check(t, err)
		_, err = w.Answer(ctx, q, choices)
		check(t, err)
	}
	other, otherLink := d.ask("shop")
	shown(w1, link)
	if out := d.as("bank", "GET", "/vp/transactions/"+id, nil); out["verdict"] != "accepted" {
		t.Fatal(out)
	}
	q, err := w2.Open(ctx, otherLink)
	check(t, err)
	_, err = w2.Decline(ctx, q)
	check(t, err)
	d.as("shop", "GET", "/vp/transactions/"+other, nil)
	d.as("shop", "POST", "/cards/check", map[string]any{"card": one.Document})

	// One phone is lost, and found; a plastic card, too.
	d.as("operator", "GET", "/residents?card="+one.Document, nil)
	d.as("operator", "GET", "/residents/1", nil)
	lost := d.as("operator", "POST", "/residents/1/reports", map[string]any{"cause": "mobile-lost", "why": "lost on a bus"})
	d.as("clerk", "POST", "/residents/1/releases", map[string]any{"cause": "mobile-lost", "sequence": lost["sequence"], "wallet": w1.ID(), "why": "found"})
	var receipt struct {
		Sequence uint64 `json:"sequence"`
	}
	check(t, t1.Desk(ctx, "POST", serviceURL+"/residents/me/reports", map[string]any{"cause": "physical-lost", "why": "at home?"}, "citizen-1", &receipt))
	check(t, t1.Desk(ctx, "POST", serviceURL+"/residents/me/releases", map[string]any{"cause": "physical-lost", "sequence": receipt.Sequence, "why": "at home"}, "citizen-2", nil))
	check(t, renewed.Desk(ctx, "GET", serviceURL+"/residents/me", nil, "", nil))
	d.as("registrar", "GET", "/residents/1/reports", nil)

	// The clerk at the console.
	page := d.form("/console/sign-in", url.Values{"id": {"clerk"}, "passphrase": {dayPassphrase("clerk")}}, http.Header{"Sec-Fetch-Site": {"same-origin"}})
	cookie, _, _ := strings.Cut(page.Header().Get("Set-Cookie"), ";")
	session := http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {serviceURL}}
	d.get("/console/", "", session)
	home := d.get("/console/residents/2", "", session)
	values := url.Values{}
	for _, m := range field.FindAllStringSubmatch(home.Body.String(), -1) {
		if values.Get(m[1]) == "" {
			values.Set(m[1], html.UnescapeString(m[2]))
		}
	}
	with := func(more ...string) url.Values {
		out := url.Values{}
		for name, v := range values {
			out[name] = v
		}
		for i := 0; i < len(more); i += 2 {
			out.Set(more[i], more[i+1])
		}
		return out
	}
	d.form("/console/residents", with("number", two.Document), session)
	d.form("/console/residents/2/reports", with("cause", "mobile-lost", "why", "lost in town"), session)

	// The end of the day.
	d.get("/audit?from=1", "", http.Header{"Authorization": {"Bearer " + d.token["auditor"]}})
	d.as("auditor", "GET", "/audit/checkpoint", nil)
	d.as("admin", "GET", "/parties", nil)
	d.as("admin", "POST", "/parties", map[string]any{"id": "kiosk", "role": "verifier", "name": "A kiosk", "elements": []string{"age_over_19"}, "passphrase": "a passphrase of twenty letters", "why": "new"})
	version := d.as("admin", "GET", "/parties/kiosk", nil)["version"]
	d.as("admin", "PUT", "/parties/kiosk", map[string]any{"version": version, "role": "verifier", "name": "The kiosk", "elements": []string{"age_over_19"}, "why": "renamed"})
	d.as("admin", "GET", "/parties/kiosk", nil)
	d.as("admin", "POST", "/parties/kiosk/end", map[string]any{"why": "gone"})
	d.as("registrar", "POST", "/residents/9001/removal", map[string]any{"why": "emigrated"})
	d.form("/console/sign-out", values, session)
}

func newDay(t *testing.T, s *street) *day {
	d := &day{street: s}
	d.enterParties()
	return d
}

func TestADayGoesWell(t *testing.T) {
	d := newDay(t, newStreet(t))
	n := 0
	d.sent = func(m message, w *httptest.ResponseRecorder) {
		n++
		if w.Code >= 400 {
			t.Logf("%s %s: %d %s", m.method, m.target, w.Code, w.Body)
		}
	}
	d.live()
	t.Logf("%d messages", n)
}

// Whatever a wallet's request did, and in whichever commit: who sends it again, as it
// was, is not the wallet (RFC 9449 §11.1).
func TestAWalletsRequestThatComesAgainIsNotTheWallets(t *testing.T) {
	d := newDay(t, newStreet(t))
	again := map[string]int{}
	d.sent = func(m message, first *httptest.ResponseRecorder) {
		if m.method != "POST" || m.header.Get("DPoP") == "" || first.Code >= 300 {
			return
		}
		w := d.send(m)
		if status := map[bool]int{true: http.StatusUnauthorized, false: http.StatusBadRequest}[m.header.Get("Authorization") != ""]; w.Code != status || !strings.Contains(w.Body.String(), "invalid_dpop_proof") {
			t.Errorf("%s again: %d %.200s", m.target, w.Code, w.Body)
		}
		again[m.target]++
	}
	d.live()
	for _, target := range []string{"/oauth/par", "/oauth/token", "/vci/credential", "/vci/notification"} {
		if again[target] == 0 {
			t.Errorf("nothing was sent again to %s: %v", target, again)
		}
	}
}
