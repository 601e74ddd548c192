package authorization_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/web"
	"rollcall.example/rollcall/reference/x5c"
)

const (
	issuer   = "https://id.example"
	clientID = "https://wallet.example"
	callback = "https://wallet.example/cb"
)

var (
	verifier = strings.Repeat("v", 43)
	scopes   = map[string]string{"rrc_mdoc": "rrc_mdoc", "rrc_sd_jwt": "rrc_sd_jwt"}
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wallet is one that its provider vouches for, before the server.
type wallet struct {
	*servicetest.World
	rehearsal   servicetest.Rehearsal
	server      *authorization.Server
	keys        *seal.Keys
	providers   *x5c.Anchors
	citizen     *servicetest.Citizen
	attestation string
	pop         string
	proofs      map[string]string // path → DPoP proof
	times       int               // that proofs were made
	list        func() ([]byte, error)
}

func newWallet(t testing.TB, change ...func(*service.Config)) *wallet {
	w := &wallet{proofs: map[string]string{}}
	w.World = servicetest.New(t, append(change, servicetest.Rehearsing(&w.rehearsal))...)
	chain, anchors := servicetest.Vouched(t, "wallet provider", "provider", "Wallet Provider")
	w.providers = anchors
	var err error
	w.keys, err = seal.NewKeys([32]byte{7})
	check(t, err)
	w.server, err = authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: w.keys, Issuer: issuer, Path: "/oauth/",
		Standing:  standing.New(standing.Options{Anchors: anchors, Now: w.Now, Fetch: func(context.Context, string) ([]byte, error) { return w.list() }}),
		Providers: anchors, Scopes: scopes, Redirects: []string{callback}})
	check(t, err)
	w.attestation, err = oauth.ClientAttestation{Provider: "https://provider.example", ClientID: clientID, Key: &servicetest.Key("instance").PublicKey,
		IssuedAt: w.Now(), Expires: w.Now().AddDate(0, 0, 1)}.Sign(jws.With(servicetest.Key("provider")), chain)
	check(t, err)
	w.prove(t, "")
	w.citizen = w.Resident()
	w.Resident() // somebody else
	return w
}

// prove makes the proofs of the next requests.
func (w *wallet) prove(t testing.TB, name string) {
	t.Helper()
	var err error
	w.pop, err = oauth.PoP{Audience: issuer, ID: "pop" + name, IssuedAt: w.Now()}.Sign(servicetest.Key("instance"))
	check(t, err)
	rec := httptest.NewRecorder()
	check(t, w.server.GiveNonce(rec))
	for _, path := range []string{"/oauth/par", "/oauth/token"} {
		w.proofs[path], err = oauth.DPoP{Method: "POST", URL: issuer + path, ID: path + name, IssuedAt: w.Now(), Nonce: rec.Header().Get("DPoP-Nonce")}.Proof(servicetest.Key("dpop"))
		check(t, err)
	}
}

// challenged is a challenge for a pushed request.
func (w *wallet) challenged(t testing.TB, uri string) []byte {
	t.Helper()
	text := w.good(t, challenge, marshal(t, map[string]string{"client_id": clientID, "request_uri": uri}), "challenge")
	nonce, err := base64.StdEncoding.DecodeString(text)
	check(t, err)
	return nonce
}

// proof is what a citizen's phone read and saw.
func proof(c *servicetest.Citizen, uri string, nonce []byte) proving {
	e := c.Evidence(nonce)
	return proving{clientID, uri, nonce, authorization.Evidence{DG1: e.DG1, Template: e.Template, Signature: e.Signature, PIN: e.PIN}, capture(c)}
}

// offered is a clerk's offer that was scanned, and the pre-authorized code in it.
func (w *wallet) offered(t testing.TB) (scan authorization.Scan, offer, code string) {
	t.Helper()
	o, err := w.Issuance.CreateOffer(context.Background(), issuance.OfferRequest{
		Request: w.Request(register.By{Actor: "clerk-1", Role: lifecycle.Clerk}), Person: w.citizen.ID, Centre: servicetest.Sejong})
	check(t, err)
	scan, err = w.server.Offer(context.Background(), o)
	check(t, err)
	_, query, _ := strings.Cut(scan.URI, "?")
	values, err := url.ParseQuery(query)
	check(t, err)
	offer = strings.TrimPrefix(values.Get("credential_offer_uri"), issuer+"/oauth/offers/")
	var fetched struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		} `json:"grants"`
	}
	check(t, json.Unmarshal(w.send(fetchOffer, offer).Body.Bytes(), &fetched))
	return scan, offer, fetched.Grants["urn:ietf:params:oauth:grant-type:pre-authorized_code"].Code
}

// step is one of the server's endpoints.
type step struct {
	method, path, contentType string
	size                      int64 // of the body, as package httpapi limits it
	handler                   func(*authorization.Server) web.Handler
}

const (
	asForm = "application/x-www-form-urlencoded"
	asJSON = "application/json"
)

// The order of the steps is that of the seeds that lie in testdata.
const (
	push = iota
	authorize
	challenge
	evidence
	token
	faceCheck
	fetchOffer
)

var steps = []step{
	push:       {"POST", "/oauth/par", asForm, 16 << 10, func(s *authorization.Server) web.Handler { return s.Push }},
	authorize:  {"GET", "/oauth/authorize", "", 0, func(s *authorization.Server) web.Handler { return s.Authorize }},
	challenge:  {"POST", "/oauth/authorize/challenge", asJSON, 16 << 10, func(s *authorization.Server) web.Handler { return s.Challenge }},
	evidence:   {"POST", "/oauth/authorize/evidence", asJSON, 512 << 10, func(s *authorization.Server) web.Handler { return s.Prove }},
	token:      {"POST", "/oauth/token", asForm, 16 << 10, func(s *authorization.Server) web.Handler { return s.Token }},
	faceCheck:  {"POST", "/oauth/face-check", asJSON, 16 << 10, func(s *authorization.Server) web.Handler { return s.FaceCheck }},
	fetchOffer: {"GET", "/oauth/offers/", "", 0, func(s *authorization.Server) web.Handler { return s.FetchOffer }},
}

// send sends a text: as the body, the query, or the end of the path.
func (w *wallet) send(n int, text string) *httptest.ResponseRecorder {
	s, rec := steps[n], httptest.NewRecorder()
	r := httptest.NewRequest(s.method, issuer+s.path, nil)
	switch {
	case n == fetchOffer:
		r.SetPathValue("offer", text)
	case s.method == "GET":
		r.URL.RawQuery = text
	default:
		r.Body = http.MaxBytesReader(rec, &body{*strings.NewReader(text)}, s.size)
		r.Header.Set("Content-Type", s.contentType)
	}
	if proof, there := w.proofs[s.path]; there {
		if proof != "" {
			r.Header.Set("DPoP", proof)
		}
		r.Header.Set(oauth.HeaderAttestation, w.attestation)
		r.Header.Set(oauth.HeaderPoP, w.pop)
	}
	web.OAuth(s.handler(w.server)).ServeHTTP(rec, r)
	return rec
}

type body struct{ strings.Reader }

func (*body) Close() error { return nil }

// good sends what must be accepted, and is the field of the answer.
func (w *wallet) good(t testing.TB, n int, text, field string) string {
	t.Helper()
	rec := w.send(n, text)
	if rec.Code >= 300 {
		t.Fatalf("step %d: %d %s", n, rec.Code, rec.Body)
	}
	var out map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &out)
	value, _ := out[field].(string)
	return value
}

func capture(c *servicetest.Citizen) (out []byte) {
	for _, v := range c.Capture() {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	check(t, err)
	return string(text)
}

// proving is the body of the step evidence.
type proving struct {
	ClientID   string                 `json:"client_id"`
	RequestURI string                 `json:"request_uri"`
	Challenge  []byte                 `json:"challenge"`
	Card       authorization.Evidence `json:"card"`
	Capture    []byte                 `json:"capture"`
}

// checking is the body of the step faceCheck.
type checking struct {
	Code    string `json:"pre-authorized_code"`
	TxCode  string `json:"tx_code"`
	Capture []byte `json:"capture"`
}

// A wallet's messages, changed. None makes the server fail. One that is refused changes
// nothing, but that wrong tx_codes are counted. One that is accepted still carries every
// secret of the good one, and gives its own wallet no more than was asked for, for the
// citizen whose card and face it showed.
func FuzzMessages(f *testing.F) {
	w := newWallet(f)
	pushed := url.Values{"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {callback + "?a=b"}, "state": {"s"},
		"code_challenge": {oauth.Challenge(verifier)}, "code_challenge_method": {"S256"}, "scope": {"self rrc_mdoc"}}
	detailed := url.Values{"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {callback}, "code_challenge": {oauth.Challenge(verifier)}, "code_challenge_method": {"S256"},
		"authorization_details": {`[{"type":"openid_credential","credential_configuration_id":"rrc_sd_jwt"}]`}}

	uri := w.good(f, push, pushed.Encode(), "request_uri")
	nonce := w.challenged(f, uri)
	evidenced := proof(w.citizen, uri, nonce)
	w.prove(f, " again")
	scan, offer, preAuthorized := w.offered(f)
	face := checking{preAuthorized, scan.TxCode, capture(w.citizen)}
	w.good(f, faceCheck, marshal(f, face), "")

	w.rehearsal.Begin()
	named := url.Values{"client_id": {clientID}, "request_uri": {uri}}.Encode()
	back, err := url.Parse(w.good(f, evidence, marshal(f, evidenced), "redirect_uri"))
	check(f, err)
	byCode := url.Values{"client_id": {clientID}, "grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {callback + "?a=b"}, "code_verifier": {verifier}}
	refresh := w.good(f, token, byCode.Encode(), "refresh_token")
	byRefresh := url.Values{"client_id": {clientID}, "grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	less := url.Values{"client_id": {clientID}, "grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {"self"}}
	byOffer := url.Values{"client_id": {clientID}, "grant_type": {"urn:ietf:params:oauth:grant-type:pre-authorized_code"},
		"pre-authorized_code": {preAuthorized}, "tx_code": {scan.TxCode}, "authorization_details": detailed["authorization_details"]}

	var secrets servicetest.Secrets
	base64 := base64.StdEncoding.EncodeToString
	secrets.Add("uri", uri)
	secrets.Add("code", byCode.Get("code"))
	secrets.Add("refresh", refresh)
	secrets.Add("pre", preAuthorized)
	secrets.Add("offer", offer)
	secrets.Add("verifier", verifier)
	secrets.Add("challenge", oauth.Challenge(verifier))
	secrets.Add("nonce", base64(nonce))
	secrets.Add("template", base64(evidenced.Card.Template))
	secrets.Add("capture", base64(face.Capture))

	wrong := face
	wrong.TxCode = "000000"
	for _, s := range []struct {
		step int
		text string
	}{
		{push, pushed.Encode()}, {push, detailed.Encode()}, {authorize, named}, {challenge, marshal(f, map[string]string{"client_id": clientID, "request_uri": uri})},
		{evidence, marshal(f, evidenced)}, {token, byCode.Encode()}, {token, byRefresh.Encode()}, {token, less.Encode()}, {token, byOffer.Encode()},
		{faceCheck, marshal(f, face)}, {fetchOffer, offer},
	} {
		w.good(f, s.step, s.text, "")
		f.Add(byte(s.step), secrets.Hide(s.text), byte(0), "x")
		for i, value := range servicetest.Fields(secrets.Hide(s.text)) {
			f.Add(byte(s.step), secrets.Hide(s.text), byte(i+1), value)
		}
	}
	f.Add(byte(token), byCode.Encode(), byte(0), "x")
	f.Add(byte(faceCheck), secrets.Hide(marshal(f, wrong)), byte(0), "x")
	f.Add(byte(push), strings.Replace(pushed.Encode(), "self", "other", 1)+"&request_uri=urn", byte(0), "x")
	w.rehearsal.Take()

	same := func(t *testing.T, what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("accepted with %s %q, not %q", what, got, want)
		}
	}
	f.Fuzz(func(t *testing.T, n byte, text string, field byte, value string) {
		s := int(n) % len(steps)
		text = secrets.Show(servicetest.Changed(text, field, value))
		rec := w.send(s, text)
		wrote := w.rehearsal.Take()
		form, _ := url.ParseQuery(text)
		switch {
		case rec.Code >= 500:
			t.Fatalf("%d %s", rec.Code, rec.Body)
		case int64(len(text)) > steps[s].size && steps[s].method == "POST" && rec.Code < 300:
			t.Fatalf("%d bytes are read", len(text))
		case rec.Code >= 300:
			counted := len(wrote.Tickets) == 1 && wrote.Tickets[0].Kind == "tx code" && wrote.Only("AddTicket") && rec.Code == http.StatusBadRequest && (s == token || s == faceCheck)
			if !wrote.Only() && !counted {
				t.Fatalf("refused with %d %s, and written: %+v", rec.Code, rec.Body, wrote)
			}
			return
		}
		var answer map[string]any
		_ = json.Unmarshal(rec.Body.Bytes(), &answer)
		switch s {
		case push:
			same(t, "the client", form.Get("client_id"), clientID)
			same(t, "the response_type", form.Get("response_type"), "code")
			same(t, "the method", form.Get("code_challenge_method"), "S256")
			if redirect, err := url.Parse(form.Get("redirect_uri")); err != nil || !strings.EqualFold(redirect.Host, "wallet.example") || redirect.Scheme != "https" || len(form.Get("code_challenge")) != 43 || form.Has("request_uri") {
				t.Errorf("%q is accepted", text)
			}
			if !wrote.Only("UseNonce") || len(wrote.Calls) != 2 {
				t.Errorf("written: %+v", wrote)
			}
		case authorize:
			same(t, "the client", form.Get("client_id"), clientID)
			same(t, "the request", form.Get("request_uri"), uri)
			if !wrote.Only() {
				t.Errorf("written: %+v", wrote)
			}
		case challenge:
			var got struct {
				ClientID   string `json:"client_id"`
				RequestURI string `json:"request_uri"`
			}
			check(t, json.Unmarshal([]byte(text), &got))
			same(t, "the client", got.ClientID, clientID)
			same(t, "the request", got.RequestURI, uri)
			if !wrote.Only("AddChallenge") || len(wrote.Calls) != 1 {
				t.Errorf("written: %+v", wrote)
			}
		case evidence:
			var got proving
			check(t, json.Unmarshal([]byte(text), &got))
			same(t, "the client", got.ClientID, clientID)
			same(t, "the request", got.RequestURI, uri)
			if !bytes.Equal(got.Challenge, nonce) || !bytes.Equal(got.Card.Signature, nonce) || string(got.Card.DG1) != w.citizen.Number || string(got.Card.PIN) != "verified" {
				t.Errorf("accepted: %+v", got)
			}
			if to, _ := answer["redirect_uri"].(string); !strings.HasPrefix(to, callback+"?a=b&code=") || !wrote.Only() {
				t.Errorf("to %q, written: %+v", to, wrote)
			}
		case faceCheck:
			var got checking
			check(t, json.Unmarshal([]byte(text), &got))
			same(t, "the code", got.Code, preAuthorized)
			same(t, "the tx_code", got.TxCode, scan.TxCode)
			if !wrote.Only("PutTicket", "AddTicket") || len(wrote.Tickets) != 1 || wrote.Tickets[0].Kind != "face check" {
				t.Errorf("written: %+v", wrote)
			}
		case fetchOffer:
			same(t, "the offer", text, offer)
			if !wrote.Only() {
				t.Errorf("written: %+v", wrote)
			}
		case token:
			w.judgeToken(t, form, answer, wrote, map[string]url.Values{"authorization_code": byCode, "refresh_token": byRefresh, byOffer.Get("grant_type"): byOffer})
		}
	})
}

// judgeToken holds a token against the request that it was given for, and that against
// the good one.
func (w *wallet) judgeToken(t *testing.T, form url.Values, answer map[string]any, wrote servicetest.Wrote, good map[string]url.Values) {
	by := form.Get("grant_type")
	for name, want := range good[by] {
		if name == "authorization_details" || name == "client_id" && form.Get(name) == "" { // the attestation names the client
			continue
		}
		if form.Get(name) != want[0] {
			t.Errorf("accepted with %s %q, not %q", name, form.Get(name), want[0])
		}
	}
	var g authorization.Grant
	text, _ := answer["access_token"].(string)
	if _, err := w.keys.Open("access token", text, w.Now(), &g); err != nil {
		t.Fatalf("the answer is %v: %v", answer, err)
	}
	instance, err := jws.KeyOf(&servicetest.Key("instance").PublicKey)
	check(t, err)
	dpop, err := jws.KeyOf(&servicetest.Key("dpop").PublicKey)
	check(t, err)
	if g.Client != clientID || g.Wallet != instance.ThumbprintText() || g.Key != dpop.ThumbprintText() || g.Person != uint64(w.citizen.ID) {
		t.Errorf("the token is for %+v", g)
	}
	uses := 2
	switch by {
	case "authorization_code":
		uses = 3
		if !slices.Equal(g.Configs, []string{"rrc_mdoc"}) || g.ByID || g.Approval == nil || g.Approval.Person != w.citizen.ID {
			t.Errorf("the token gives %+v", g)
		}
	case "refresh_token":
		// The citizen holds no card: there is nothing for which the wallet should come again.
		configs, scope := []string{"rrc_mdoc"}, "self rrc_mdoc"
		if form.Get("scope") != "" && !slices.Contains(strings.Fields(form.Get("scope")), "rrc_mdoc") {
			configs, scope = nil, "self"
		}
		if !slices.Equal(g.Configs, configs) || g.Approval != nil || answer["scope"] != scope || answer["refresh_token"] != nil {
			t.Errorf("a refreshed token gives %+v: %v", g, answer)
		}
	default:
		uses = 3
		if g.Approval == nil || g.Approval.Person != w.citizen.ID || len(g.Configs) == 0 || g.ByID != form.Has("authorization_details") {
			t.Errorf("the token gives %+v", g)
		}
	}
	if !wrote.Only("UseNonce", "UseOnce") || len(wrote.Calls) != uses {
		t.Errorf("written for %s: %+v", by, wrote)
	}
}
