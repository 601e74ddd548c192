package demo

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/web"
	"rollcall.example/rollcall/reference/x5c"
	"rollcall.example/rollcall/scenarios"
)

const serviceURL = "https://id.example"

var ctx = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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

// street is a town with the service that its phones talk to.
type street struct {
	*servicetest.World
	t      *testing.T
	town   *Town
	server *authorization.Server
	vp     *openid4vp.Endpoints
	people *parties.Parties
	lists  *publication.Lists
	api    httpapi.API
	router http.Handler
}

func newStreet(t *testing.T, change ...func(*service.Config)) *street {
	s := &street{t: t, town: made(t, 5)}
	scenario, err := scenarios.Load("announced", nil)
	check(t, err)
	s.World = servicetest.New(t, func(c *service.Config) {
		c.Cards, err = card.NewVerifier(s.town.CountryCA)
		check(t, err)
		c.Phones, err = issuance.NewMakers(s.town.PhoneMaker)
		check(t, err)
		c.Faces = face.Matcher{Threshold: scenario.Face.Threshold}
		for _, f := range change {
			f(c)
		}
	})
	check(t, s.town.Enter(ctx, s.Issuance))
	sealing, err := seal.NewKeys([32]byte{1})
	check(t, err)
	providers, err := x5c.NewAnchors("wallet provider", s.town.WalletProvider)
	check(t, err)
	makers, err := x5c.NewAnchors("phone maker", s.town.PhoneMaker)
	check(t, err)
	s.server, err = authorization.New(authorization.Options{Register: s.Register, Issuance: s.Issuance, Keys: sealing, Issuer: serviceURL, Path: "/oauth/",
		Providers: providers, Scopes: openid4vci.Scopes})
	check(t, err)
	vci, err := openid4vci.New(openid4vci.Options{Register: s.Register, Issuance: s.Issuance, Keys: sealing, Issuer: serviceURL, Path: "/vci/", Name: map[string]string{"ko": "행정안전부"},
		Copies: servicetest.Copies, Proofs: keyproof.Policy{Attesters: makers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}},
		Secret: func(time.Time) [32]byte { return sha256.Sum256([]byte("requests")) },
		Signer: func() (jws.Sign, [][]byte) { return jws.With(servicetest.Key("metadata")), [][]byte{{1}} }, Patience: time.Minute, Interval: 5 * time.Second, Nonces: s.server.GiveNonce})
	check(t, err)
	a := servicetest.Authorities()
	signer, err := a.Anchors.DocumentSigner([][]byte{a.DS.Certificate()}, s.Now())
	check(t, err)
	s.vp, err = openid4vp.New(openid4vp.Options{Register: s.Register, Verification: s.Verification, Base: serviceURL + "/vp/", Authorities: [][]byte{signer.Authority},
		Keys: sealing, Secret: func(time.Time) [32]byte { return sha256.Sum256([]byte("answers")) }, Lifetime: 5 * time.Minute, Kept: 10 * time.Minute,
		Reader: func(_ context.Context, party string) (openid4vp.Reader, error) {
			key := servicetest.Key("reader")
			c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: servicetest.Noon.AddDate(-1, 0, 0), NotAfter: servicetest.Noon.AddDate(1, 0, 0)}
			c.Subject.CommonName = party
			der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
			return openid4vp.Reader{Sign: jws.With(key), Chain: [][]byte{der}}, err
		}})
	check(t, err)
	s.people, err = parties.New(s.Register, parties.Options{Issuer: serviceURL, TokenEndpoint: serviceURL + "/parties/token", Keys: sealing, Cost: parties.Cost{Memory: 8, Passes: 1}})
	check(t, err)
	d, err := desk.New(desk.Options{Register: s.Register, Issuance: s.Issuance, Suspension: s.Suspension, Verification: s.Verification, Parties: s.people, Published: time.Hour,
		Scan: func(ctx context.Context, o issuance.Offer) (desk.Scan, error) {
			scan, err := s.server.Offer(ctx, o)
			return desk.Scan{URI: scan.URI, TxCode: scan.TxCode, Expires: scan.Expires, Code: o.Code}, err
		},
		Checkpoint: func(audit.Checkpoint) (string, error) { return "signed", nil },
	})
	check(t, err)
	s.lists, err = publication.New(publication.Options{Publisher: s.Publisher, Now: s.Now, Interval: time.Minute})
	check(t, err)
	check(t, s.lists.Publish(ctx))
	desks, err := console.New(console.Options{Register: s.Register, Parties: s.people, Desk: d, Keys: sealing, Civil: scenarios.KST, Offers: s.server, Verifier: s.vp})
	check(t, err)
	phones := NewPhones(PhoneOptions{Town: s.town, Issuer: serviceURL, Now: s.Now, Random: &chance{r: rand.NewChaCha8(sha256.Sum256([]byte("phones")))},
		Service: func() http.Handler { return s.router }})
	var extra []httpapi.Route
	for path, h := range map[string]web.Handler{
		"GET ": phones.List, "GET /{id}": phones.Show, "POST /{id}/scan": phones.Scan, "POST /{id}/face": phones.Face, "POST /{id}/tap": phones.Tap,
		"POST /{id}/open": phones.Open, "POST /{id}/answer": phones.Answer, "POST /{id}/new": phones.Replace,
	} {
		method, rest, _ := strings.Cut(path, " ")
		extra = append(extra, httpapi.Route{Name: "demo " + path, Method: method, Path: PhonesPath + rest, Roles: access.Anyone, Body: 1 << 16, Handler: web.Problem(h)})
	}
	s.api = httpapi.API{Health: &httpapi.Health{}, Parties: s.people, Lists: s.lists, Authorization: s.server, OpenID4VCI: vci, OpenID4VP: s.vp, Desk: d, Console: desks, Extra: extra}
	s.serve()
	return s
}

// serve makes the router, with what it tells of requests as options say.
func (s *street) serve(options ...func(*httpapi.Options)) {
	s.t.Helper()
	o := httpapi.Options{Now: s.Now, Random: &chance{r: rand.NewChaCha8([32]byte{})},
		Authentication: httpapi.Authentication{DPoP: s.server.DPoP, Session: s.people.Session, Bearer: s.people.Bearer, Certificate: s.people.Certificate}}
	for _, f := range options {
		f(&o)
	}
	var err error
	s.router, err = httpapi.New(&s.api, o)
	check(s.t, err)
}

// page is the page of a phone.
func (s *street) page(path, lang string) string {
	s.t.Helper()
	r, w := httptest.NewRequest("GET", serviceURL+PhonesPath+path, nil), httptest.NewRecorder()
	r.Header.Set("Accept-Language", lang)
	s.router.ServeHTTP(w, r)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "⟨") {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// do presses a button of a resident's phone, and is the page that comes.
func (s *street) do(id int, what string, fields ...string) string {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, w := httptest.NewRequest("POST", fmt.Sprintf("%s%s/%d/%s", serviceURL, PhonesPath, id, what), strings.NewReader(form.Encode())), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.router.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: %d %s", what, w.Code, w.Body)
	}
	return s.page(fmt.Sprintf("/%d", id), "en")
}

func (s *street) offer(id int) authorization.Scan {
	s.t.Helper()
	o, err := s.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: s.Request(register.By{Actor: "clerk", Role: lifecycle.Clerk}), Person: store.PersonID(id), Centre: Municipality})
	check(s.t, err)
	scan, err := s.server.Offer(ctx, o)
	check(s.t, err)
	return scan
}

var bank = access.Caller{Role: access.Verifier, ID: "bank", Elements: []string{"family_name"}}

// ask lets the bank ask, and the phone decide; it is what the bank then knows.
func (s *street) ask(id int, decision string) openid4vp.Outcome {
	s.t.Helper()
	begun, err := s.vp.Ask(ctx, bank, openid4vp.Asked{Elements: []string{"family_name"}})
	check(s.t, err)
	if p := s.do(id, "scan", "text", begun.Request); !strings.Contains(p, "bank asks") || !strings.Contains(p, "<li>family name</li>") {
		s.t.Fatalf("the holder does not see who asks for what:\n%s", p)
	}
	s.do(id, "answer", "do", decision)
	out, err := s.vp.Outcome(ctx, bank, begun.ID, "")
	check(s.t, err)
	return out
}

func TestAPhoneScansAClerksCodeAndAnswersABank(t *testing.T) {
	s := newStreet(t)
	o := s.offer(2)
	if p := s.do(2, "scan", "text", " "+o.URI+" "); !strings.Contains(p, "The offer is scanned.") || !strings.Contains(p, `name="tx"`) {
		t.Fatal(p)
	}
	if p := s.do(2, "face", "tx", "xxxxxx", "face", "own"); !strings.Contains(p, `role="alert"`) || !strings.Contains(p, "tx_code is wrong") {
		t.Error("a wrong number:", p)
	}
	if p := s.do(2, "face", "tx", o.TxCode, "face", "other"); !strings.Contains(p, "access_denied") {
		t.Error("somebody else's face:", p)
	}
	if p := s.do(2, "face", "tx", o.TxCode, "face", "own"); !strings.Contains(p, "The mobile card is on this phone.") || strings.Count(p, "copies</li>") != 2 {
		t.Fatal("the card is not issued:", p)
	}
	if out := s.ask(2, "agree"); out.Verdict != "accepted" || len(out.Shown) != 1 {
		t.Errorf("%+v", out)
	}
	if out := s.ask(2, "decline"); out.State != openid4vp.Declined || out.Error != "access_denied" {
		t.Errorf("%+v", out)
	}
	_, err := s.Suspension.Report(ctx, suspension.ReportRequest{Request: s.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}), Person: 2, Cause: lifecycle.MobileLost})
	check(t, err)
	if out := s.ask(2, "agree"); out.Verdict != "suspended" {
		t.Errorf("%+v", out)
	}
	// A new phone is clean, and ends the cards of the old.
	s.do(2, "new")
	again := s.offer(2)
	s.do(2, "scan", "text", again.URI)
	s.do(2, "face", "tx", again.TxCode, "face", "own")
	if out := s.ask(2, "agree"); out.Verdict != "accepted" {
		t.Errorf("%+v", out)
	}
}

func TestAnICCardIsHeldToThePhone(t *testing.T) {
	s := newStreet(t)
	if p := s.do(1, "tap", "pin", "000000", "face", "own"); !strings.Contains(p, "That did not work.") {
		t.Error("a wrong PIN:", p)
	}
	if p := s.do(1, "tap", "pin", s.town.Residents[0].PIN, "face", "own"); !strings.Contains(p, "The mobile card is on this phone.") {
		t.Error(p)
	}
	if out := s.ask(1, "agree"); out.Verdict != "accepted" {
		t.Errorf("%+v", out)
	}
	if p := s.page("/5", "en"); strings.Contains(p, "Hold the IC card") {
		t.Error("a card without a chip can be held to the phone")
	}
}

func TestPhonesSpeakBothLanguagesAndKeepWhatIsToBeScanned(t *testing.T) {
	s := newStreet(t)
	for lang, want := range map[string]string{"en": "Whose phone do you hold?", "ko": "누구의 휴대폰입니까?"} {
		if p := s.page("?show=openid4vp%3A%2F%2F%3Fa%3Db%26c", lang); !strings.Contains(p, want) || !strings.Contains(p, "/demo/phones/1?show=openid4vp%3A%2F%2F%3Fa%3Db%26c") {
			t.Error(p)
		}
		if p := s.page("/1?show=openid4vp%3A%2F%2F%3Fa%3Db%26c", lang); !strings.Contains(p, ">openid4vp://?a=b&amp;c</textarea>") {
			t.Error(p)
		}
	}
	for what, text := range map[string]string{"nothing known": "hello", "no offer": "openid-credential-offer://?x=y", "no request": "openid4vp://?request_uri=https%3A%2F%2Fid.example%2Fnowhere"} {
		if p := s.do(1, "scan", "text", text); !strings.Contains(p, `role="alert"`) {
			t.Errorf("%s: %s", what, p)
		}
	}
}

func TestAnotherSiteCannotUseAPhone(t *testing.T) {
	s := newStreet(t)
	r, w := httptest.NewRequest("POST", serviceURL+PhonesPath+"/1/new", strings.NewReader("")), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	s.router.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
	if r, w := httptest.NewRequest("GET", serviceURL+PhonesPath+"/99", nil), httptest.NewRecorder(); true {
		if s.router.ServeHTTP(w, r); w.Code != http.StatusNotFound {
			t.Errorf("nobody's phone: %d", w.Code)
		}
	}
}
