package authorization_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// pushing is a good request to push.
func pushing() url.Values {
	return url.Values{"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"s"},
		"code_challenge": {oauth.Challenge(verifier)}, "code_challenge_method": {"S256"}, "scope": {"rrc_mdoc"}}
}

// redeeming is a good request for a token, by the code in where the browser goes.
func redeeming(t *testing.T, to string) url.Values {
	t.Helper()
	back, err := url.Parse(to)
	check(t, err)
	return url.Values{"client_id": {clientID}, "grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

func refused(t *testing.T, what string, rec *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var answer struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	if rec.Code != status || answer.Error != code {
		t.Errorf("%s: %d %s, want %d %s", what, rec.Code, rec.Body, status, code)
	}
}

// as gives the wallet other keys, which its provider vouches for as well.
func (w *wallet) as(t *testing.T, instance, dpop string) {
	t.Helper()
	chain, _ := servicetest.Vouched(t, "wallet provider", "provider", "Wallet Provider")
	var err error
	w.attestation, err = oauth.ClientAttestation{ClientID: clientID, Key: &servicetest.Key(instance).PublicKey, IssuedAt: w.Now(), Expires: w.Now().Add(time.Hour)}.
		Sign(jws.With(servicetest.Key("provider")), chain)
	check(t, err)
	w.times++
	w.pop, err = oauth.PoP{Audience: issuer, ID: fmt.Sprint("as ", w.times), IssuedAt: w.Now()}.Sign(servicetest.Key(instance))
	check(t, err)
	rec := httptest.NewRecorder()
	check(t, w.server.GiveNonce(rec))
	for _, path := range []string{"/oauth/par", "/oauth/token"} {
		w.proofs[path], err = oauth.DPoP{Method: "POST", URL: issuer + path, ID: fmt.Sprint("as ", w.times), IssuedAt: w.Now(), Nonce: rec.Header().Get("DPoP-Nonce")}.Proof(servicetest.Key(dpop))
		check(t, err)
	}
}

// A card's signature is evidence for the request that its challenge was given for: whoever
// comes by it cannot bring it with a request of their own.
func TestEvidenceIsForTheRequestThatItsChallengeWasGivenFor(t *testing.T) {
	w := newWallet(t)
	victims := w.good(t, push, pushing().Encode(), "request_uri")
	w.as(t, "thief", "thief's dpop")
	thiefs := w.good(t, push, pushing().Encode(), "request_uri")
	nonce := w.challenged(t, victims)
	refused(t, "another's evidence", w.send(evidence, marshal(t, proof(w.citizen, thiefs, nonce))), 403, "access_denied")
	own, err := w.Issuance.Challenge(context.Background())
	check(t, err)
	refused(t, "a challenge that was given for no request", w.send(evidence, marshal(t, proof(w.citizen, victims, own))), 403, "access_denied")
	// Not even another citizen's challenge of the same wallet.
	mixed := proof(w.citizen, victims, nonce)
	mixed.Challenge = w.challenged(t, thiefs)
	refused(t, "signature and challenge of two requests", w.send(evidence, marshal(t, mixed)), 403, "access_denied")
	w.good(t, evidence, marshal(t, proof(w.citizen, victims, nonce)), "redirect_uri")
}

// A code is of use to the wallet that asked for it, with the keys that it asked with.
func TestACodeIsBoundToTheKeysThatItWasAskedForWith(t *testing.T) {
	w := newWallet(t)
	by := w.coded(t)
	w.as(t, "instance", "another dpop")
	refused(t, "another DPoP key", w.send(token, by.Encode()), 400, "invalid_grant")
	w.as(t, "another instance", "dpop")
	refused(t, "another wallet of the same provider", w.send(token, by.Encode()), 400, "invalid_grant")
	w.as(t, "instance", "dpop")
	refresh := url.Values{"client_id": {clientID}, "grant_type": {"refresh_token"}, "refresh_token": {w.good(t, token, by.Encode(), "refresh_token")}}
	w.as(t, "instance", "another dpop")
	refused(t, "a refresh token with another DPoP key", w.send(token, refresh.Encode()), 400, "invalid_grant")
	w.as(t, "another instance", "dpop")
	refused(t, "a refresh token of another wallet", w.send(token, refresh.Encode()), 400, "invalid_grant")
	w.as(t, "instance", "dpop")
	w.good(t, token, refresh.Encode(), "access_token")
}

// A dpop_jkt binds the code without a proof at the pushed request (RFC 9449 §10).
func TestACodeIsBoundByItsThumbprint(t *testing.T) {
	w := newWallet(t)
	key, err := jws.KeyOf(&servicetest.Key("another dpop").PublicKey)
	check(t, err)
	form := pushing()
	form.Set("dpop_jkt", key.ThumbprintText())
	refused(t, "a proof by another key than dpop_jkt", w.send(push, form.Encode()), 400, "invalid_dpop_proof")
	w.as(t, "instance", "dpop")
	w.proofs["/oauth/par"] = ""
	uri := w.good(t, push, form.Encode(), "request_uri")
	by := redeeming(t, w.good(t, evidence, marshal(t, proof(w.citizen, uri, w.challenged(t, uri))), "redirect_uri"))
	w.as(t, "instance", "dpop")
	refused(t, "another key", w.send(token, by.Encode()), 400, "invalid_grant")
	w.as(t, "instance", "another dpop")
	w.good(t, token, by.Encode(), "access_token")
}

// One request gives one token, however many codes it was answered with, and when.
func TestARequestIsAnsweredOnce(t *testing.T) {
	w := newWallet(t)
	uri := w.good(t, push, pushing().Encode(), "request_uri")
	w.prove(t, " 1")
	w.good(t, token, redeeming(t, w.good(t, evidence, marshal(t, proof(w.citizen, uri, w.challenged(t, uri))), "redirect_uri")).Encode(), "access_token")
	w.Pass(authorization.RequestLife - time.Second)
	_, err := w.Register.Forget(context.Background(), 1000)
	check(t, err)
	again := redeeming(t, w.good(t, evidence, marshal(t, proof(w.citizen, uri, w.challenged(t, uri))), "redirect_uri"))
	w.Pass(authorization.CodeLife - time.Second)
	_, err = w.Register.Forget(context.Background(), 1000)
	check(t, err)
	w.prove(t, " 2")
	refused(t, "another code of the request", w.send(token, again.Encode()), 400, "invalid_grant")
}

// between does something after the next look at the register.
type between struct {
	store.Store
	then func()
}

func (b *between) View(ctx context.Context, f func(store.Reader) error) error {
	err := b.Store.View(ctx, f)
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
	return err
}

// Guesses that are all sent at once are as few as those that are sent one after another:
// while one looks how many there were, others are made.
func TestGuessesThatComeAllAtOnceAreCounted(t *testing.T) {
	for name, n := range map[string]int{"face check": faceCheck, "token": token} {
		db := &between{}
		w := newWallet(t, func(c *service.Config) { db.Store = c.Store; c.Store = db })
		scan, _, code := w.offered(t)
		ask := func(tx string) *httptest.ResponseRecorder {
			if n == faceCheck {
				return w.send(n, marshal(t, checking{code, tx, capture(w.citizen)}))
			}
			w.prove(t, tx)
			return w.send(n, url.Values{"client_id": {clientID}, "grant_type": {"urn:ietf:params:oauth:grant-type:pre-authorized_code"}, "pre-authorized_code": {code}, "tx_code": {tx}}.Encode())
		}
		if n == token {
			w.good(t, faceCheck, marshal(t, checking{code, scan.TxCode, capture(w.citizen)}), "")
		}
		db.then = func() {
			for i := range 5 {
				refused(t, name+": a guess", ask(fmt.Sprint("guess ", i)), 400, "invalid_grant")
			}
		}
		refused(t, name+": the right one after five others", ask(scan.TxCode), 400, "invalid_grant")
	}
}

// A challenge in a wallet's proof of possession is one that this server gave: one that is
// not is refused, and another given with the refusal.
func TestAChallengeInAWalletsProofIsOfThisServer(t *testing.T) {
	w := newWallet(t)
	ids := 0
	try := func(challenge string) *httptest.ResponseRecorder {
		ids++
		w.prove(t, fmt.Sprint(ids))
		var err error
		w.pop, err = oauth.PoP{Audience: issuer, ID: fmt.Sprint("challenged ", ids), IssuedAt: w.Now(), Challenge: challenge}.Sign(servicetest.Key("instance"))
		check(t, err)
		return w.send(push, pushing().Encode())
	}
	rec := httptest.NewRecorder()
	check(t, w.server.AttestationChallenge(rec, httptest.NewRequest("POST", issuer+"/oauth/challenge", nil)))
	var given struct {
		Challenge string `json:"attestation_challenge"`
	}
	check(t, json.Unmarshal(rec.Body.Bytes(), &given))
	if rec := try(given.Challenge); rec.Code != 201 {
		t.Errorf("its challenge: %d %s", rec.Code, rec.Body)
	}
	others, err := seal.NewKeys([32]byte{8})
	check(t, err)
	another, err := others.Seal([32]byte{1}, "attestation challenge", w.Now().Add(time.Hour), struct{}{})
	check(t, err)
	nonce := httptest.NewRecorder()
	check(t, w.server.GiveNonce(nonce))
	for what, challenge := range map[string]string{"made up": "made up", "of another server": another, "a nonce for DPoP": nonce.Header().Get("DPoP-Nonce"), "changed": given.Challenge + "A"} {
		rec := try(challenge)
		refused(t, what, rec, 400, "use_attestation_challenge")
		if next := rec.Header().Get(oauth.HeaderChallenge); next == "" || try(next).Code != 201 {
			t.Errorf("%s: the next challenge is %q", what, next)
		}
	}
	w.Pass(authorization.NonceLife)
	refused(t, "over", try(given.Challenge), 400, "use_attestation_challenge")
}

// Parameters that come twice, and other people's parameters beside one's own, are refused.
func TestAParameterComesOnce(t *testing.T) {
	w := newWallet(t)
	for name := range pushing() {
		for _, second := range []string{pushing().Get(name), "other", ""} {
			refused(t, name+" twice", w.send(push, pushing().Encode()+"&"+url.Values{name: {second}}.Encode()), 400, "invalid_request")
		}
	}
	uri := w.good(t, push, pushing().Encode(), "request_uri")
	refused(t, "a request_uri twice", w.send(authorize, url.Values{"client_id": {clientID}, "request_uri": {uri, uri}}.Encode()), 400, "invalid_request")
	p := marshal(t, proof(w.citizen, uri, w.challenged(t, uri)))
	for _, name := range []string{"client_id", "request_uri", "challenge", "card", "capture", "dg1"} {
		twice := strings.Replace(p, `"`+name+`":`, `"`+name+`":"","`+name+`":`, 1)
		refused(t, name+" twice", w.send(evidence, twice), 400, "invalid_request")
	}
}

// nonces are DPoP nonces that are none of this server's now.
func (w *wallet) nonces(t *testing.T) map[string]string {
	t.Helper()
	others, err := seal.NewKeys([32]byte{8})
	check(t, err)
	another, err := others.Seal([32]byte{1}, "dpop nonce", w.Now().Add(time.Hour), struct{}{})
	check(t, err)
	proofs, err := w.keys.Seal([32]byte{2}, "c_nonce", w.Now().Add(time.Hour), struct{}{})
	check(t, err)
	over, err := w.keys.Seal([32]byte{3}, "dpop nonce", w.Now(), struct{}{})
	check(t, err)
	return map[string]string{"no nonce": "", "a made-up nonce": "made up", "another server's nonce": another, "a nonce for proofs of keys": proofs, "a nonce that is over": over}
}

// A DPoP proof has a nonce that this server gave for DPoP; one without is refused, and
// another nonce given (RFC 9449 §8, §9).
func TestAProofHasANonceOfThisServer(t *testing.T) {
	w := newWallet(t)
	access, err := w.keys.Seal([32]byte{4}, "access token", w.Now().Add(time.Minute), authorization.Grant{Client: clientID, Key: thumbprint(t, "dpop")})
	check(t, err)
	for what, nonce := range w.nonces(t) {
		for _, path := range []string{"/oauth/par", "/oauth/token", "/vci/credential"} {
			try := func(nonce string) (code string, next string) {
				w.prove(t, fmt.Sprint(what, path, nonce))
				claims := oauth.DPoP{Method: "POST", URL: issuer + path, ID: what + path + nonce, IssuedAt: w.Now(), Nonce: nonce}
				if path == "/vci/credential" {
					claims.AccessToken = access
					err := w.use(t, access, claims, "dpop")
					if e, ok := errors.AsType[*web.Error](err); ok {
						return e.Code, e.Header.Get("DPoP-Nonce")
					}
					check(t, err)
					return "", ""
				}
				w.proofs[path], err = claims.Proof(servicetest.Key("dpop"))
				check(t, err)
				step, text := push, pushing().Encode()
				if path == "/oauth/token" {
					step, text = token, redeeming(t, callback+"?code=made-up").Encode()
				}
				rec := w.send(step, text)
				var answer struct {
					Error string `json:"error"`
				}
				_ = json.Unmarshal(rec.Body.Bytes(), &answer)
				return answer.Error, rec.Header().Get("DPoP-Nonce")
			}
			code, next := try(nonce)
			if code != "use_dpop_nonce" || next == "" {
				t.Errorf("%s at %s: %q, and the next nonce is %q", what, path, code, next)
			}
			if code, _ := try(next); code != "" && code != "invalid_grant" {
				t.Errorf("%s: with the nonce that was given: %s", path, code)
			}
		}
	}
}

func thumbprint(t *testing.T, name string) string {
	t.Helper()
	k, err := jws.KeyOf(&servicetest.Key(name).PublicKey)
	check(t, err)
	return k.ThumbprintText()
}

// use brings an access token with a proof by a key.
func (w *wallet) use(t *testing.T, access string, claims oauth.DPoP, key string) error {
	t.Helper()
	r := httptest.NewRequest("POST", issuer+"/vci/credential", nil)
	proof, err := claims.Proof(servicetest.Key(key))
	check(t, err)
	r.Header.Set("DPoP", proof)
	_, err = w.server.DPoP(r, access)
	return err
}

// An access token is of use to who holds the key that it was given for, at the place and in
// the way that the proof says, once.
func TestATokenIsOfUseToItsKeyAlone(t *testing.T) {
	w := newWallet(t)
	give := func(key string) string {
		w.times++
		access, err := w.keys.Seal([32]byte{byte(w.times)}, "access token", w.Now().Add(time.Minute), authorization.Grant{Client: clientID, Key: thumbprint(t, key)})
		check(t, err)
		return access
	}
	access, anothers := give("dpop"), give("thief")
	try := func(key string, change func(*oauth.DPoP)) error {
		w.times++
		rec := httptest.NewRecorder()
		check(t, w.server.GiveNonce(rec))
		claims := oauth.DPoP{Method: "POST", URL: issuer + "/vci/credential", ID: fmt.Sprint(w.times), IssuedAt: w.Now(), AccessToken: access, Nonce: rec.Header().Get("DPoP-Nonce")}
		if change != nil {
			change(&claims)
		}
		return w.use(t, access, claims, key)
	}
	check(t, try("dpop", nil))
	for what, err := range map[string]error{
		"another key":              try("thief", nil),
		"a proof of another token": try("dpop", func(d *oauth.DPoP) { d.AccessToken = anothers }),
		"a proof of no token":      try("dpop", func(d *oauth.DPoP) { d.AccessToken = "" }),
		"another place":            try("dpop", func(d *oauth.DPoP) { d.URL = issuer + "/vci/deferred" }),
		"another server":           try("dpop", func(d *oauth.DPoP) { d.URL = "https://other.example/vci/credential" }),
		"another method":           try("dpop", func(d *oauth.DPoP) { d.Method = "GET" }),
		"a proof that is old":      try("dpop", func(d *oauth.DPoP) { d.IssuedAt = w.Now().Add(-time.Hour) }),
	} {
		if e, ok := errors.AsType[*web.Error](err); !ok || e.Status != 401 || e.Code != "invalid_dpop_proof" || !strings.HasPrefix(e.Header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	same := func(d *oauth.DPoP) { d.ID = "the same" }
	check(t, try("dpop", same))
	if e, ok := errors.AsType[*web.Error](try("dpop", same)); !ok || e.Status != 401 || e.Code != "invalid_dpop_proof" {
		t.Errorf("the same proof again: %v", e)
	}
	for _, wrong := range []string{"refresh token", "authorization code"} { // texts of another kind
		w.times++
		text, err := w.keys.Seal([32]byte{byte(w.times)}, wrong, w.Now().Add(time.Minute), authorization.Grant{Client: clientID, Key: thumbprint(t, "dpop")})
		check(t, err)
		access = text
		if e, ok := errors.AsType[*web.Error](try("dpop", nil)); !ok || e.Code != "invalid_token" {
			t.Errorf("a %s as an access token: %v", wrong, e)
		}
	}
}

// A code goes to an address that is registered, not to one that begins as one.
func TestACodeGoesToARegisteredAddress(t *testing.T) {
	w := newWallet(t)
	to := func(redirect string) *httptest.ResponseRecorder {
		w.times++
		w.prove(t, fmt.Sprint("redirect ", w.times))
		form := pushing()
		form.Set("redirect_uri", redirect)
		return w.send(push, form.Encode())
	}
	for _, wrong := range []string{callback + ".evil", callback + "/../../thief", callback + "@evil.example", callback + "x", "https://wallet.example.evil/cb", "https://wallet.example@evil.example/cb",
		"https://thief@wallet.example/cb", "https://wallet.example:8443/cb", "https://wallet.example/", callback + "#x", "http://wallet.example/cb"} {
		refused(t, wrong, to(wrong), 400, "invalid_request")
	}
	for _, right := range []string{callback, callback + "?a=b"} {
		if rec := to(right); rec.Code != 201 {
			t.Errorf("%s: %d %s", right, rec.Code, rec.Body)
		}
	}
	open, err := authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: w.keys, Issuer: issuer, Path: "/oauth/", Providers: w.providers, Scopes: scopes})
	check(t, err)
	w.server = open
	refused(t, "somebody in it, where any is accepted", to("https://wallet.example@evil.example/cb"), 400, "invalid_request")
}

// A pushed request names its client, as any authorization request does (RFC 9126 §2.1). At
// the token endpoint the attestation says who it is: there a client_id may be missing (RFC
// 6749 §4.1.3), but is no other one.
func TestARequestNamesItsClient(t *testing.T) {
	w := newWallet(t)
	named := func(form url.Values, id ...string) string {
		form["client_id"] = id
		w.times++
		w.prove(t, fmt.Sprint("named ", w.times))
		return form.Encode()
	}
	for _, id := range [][]string{nil, {""}} {
		refused(t, fmt.Sprintf("pushed for %q", id), w.send(push, named(pushing(), id...)), 400, "invalid_request")
	}
	refused(t, "pushed for another", w.send(push, named(pushing(), "https://other.example")), 401, "invalid_client_attestation")
	uri := w.good(t, push, named(pushing(), clientID), "request_uri")
	form := redeeming(t, w.good(t, evidence, marshal(t, proof(w.citizen, uri, w.challenged(t, uri))), "redirect_uri"))
	refused(t, "redeemed for another", w.send(token, named(form, "https://other.example")), 401, "invalid_client_attestation")
	w.good(t, token, named(form), "access_token")
}

// A pushed request is of use to its client, as long as it lives, and nobody else can make
// one: at the page, for a challenge, and with evidence.
func TestAPushedRequestIsItsClients(t *testing.T) {
	w := newWallet(t)
	uri := w.good(t, push, pushing().Encode(), "request_uri")
	nonce := w.challenged(t, uri)
	w.good(t, authorize, url.Values{"client_id": {clientID}, "request_uri": {uri}}.Encode(), "")
	try := func(what, client, uri string) {
		t.Helper()
		p := proof(w.citizen, uri, nonce)
		p.ClientID = client
		for step, text := range map[int]string{
			authorize: url.Values{"client_id": {client}, "request_uri": {uri}}.Encode(),
			challenge: marshal(t, map[string]string{"client_id": client, "request_uri": uri}),
			evidence:  marshal(t, p),
		} {
			refused(t, fmt.Sprint(what, " at step ", step), w.send(step, text), 400, "invalid_request")
		}
	}
	try("another client", "https://other.example", uri)
	try("no client", "", uri)
	try("no request", clientID, "")
	try("a made-up request", clientID, uri+"A")
	try("a request without its name", clientID, strings.TrimPrefix(uri, "urn:ietf:params:oauth:request_uri:"))
	refused(t, "a request that was not pushed", w.send(authorize, pushing().Encode()), 400, "invalid_request")
	w.Pass(authorization.RequestLife)
	try("a request that is over", clientID, uri)
}

// Ninety seconds are for scanning; who has scanned in time has five minutes for the face,
// and five more for the token.
func TestAnOfferAndAFaceCheckEnd(t *testing.T) {
	w := newWallet(t)
	redeem := func(code, tx string) *httptest.ResponseRecorder {
		w.times++
		w.prove(t, fmt.Sprint("redeem ", w.times))
		return w.send(token, url.Values{"client_id": {clientID}, "grant_type": {"urn:ietf:params:oauth:grant-type:pre-authorized_code"}, "pre-authorized_code": {code}, "tx_code": {tx}}.Encode())
	}
	scan, offer, code := w.offered(t)
	w.good(t, faceCheck, marshal(t, checking{code, scan.TxCode, capture(w.citizen)}), "")
	w.Pass(80 * time.Second)
	var fetched struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		} `json:"grants"`
	}
	check(t, json.Unmarshal(w.send(fetchOffer, offer).Body.Bytes(), &fetched))
	later := fetched.Grants["urn:ietf:params:oauth:grant-type:pre-authorized_code"].Code
	w.Pass(3*time.Minute + 40*time.Second)
	refused(t, "a code that is over", redeem(code, scan.TxCode), 400, "invalid_grant")
	refused(t, "a face check that is over", redeem(later, scan.TxCode), 400, "invalid_grant")

	scan, _, code = w.offered(t)
	w.Pass(5 * time.Minute)
	refused(t, "a face for a code that is over", w.send(faceCheck, marshal(t, checking{code, scan.TxCode, capture(w.citizen)})), 400, "invalid_grant")

	scan, _, code = w.offered(t)
	refused(t, "no tx_code", redeem(code, ""), 400, "invalid_request")
	refused(t, "an older code", redeem(later, scan.TxCode), 400, "invalid_grant")
	w.good(t, faceCheck, marshal(t, checking{code, scan.TxCode, capture(w.citizen)}), "")
	if rec := redeem(code, scan.TxCode); rec.Code != 200 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	refused(t, "the code again", redeem(code, scan.TxCode), 400, "invalid_grant")
}

// A clerk who asks again is shown the same QR code and tells the same tx_code, by which the
// card is then issued: another one would be good beside it.
func TestAClerkWhoAsksAgainIsShownTheSameOffer(t *testing.T) {
	w := newWallet(t)
	o, err := w.Issuance.CreateOffer(t.Context(), issuance.OfferRequest{
		Request: w.Request(register.By{Actor: "clerk-1", Role: lifecycle.Clerk}), Person: w.citizen.ID, Centre: servicetest.Sejong})
	check(t, err)
	var all []authorization.Scan
	for _, meanwhile := range []func(){
		func() {},
		func() {},
		func() { w.Pass(80 * time.Second) },
		func() { check(t, w.keys.Replace([32]byte{8}, [32]byte{7})) }, // as rotated
		func() { _, err := w.Register.Forget(t.Context(), 1000); check(t, err) },
	} {
		meanwhile()
		scan, err := w.server.Offer(t.Context(), o)
		check(t, err)
		if all = append(all, scan); scan != all[0] {
			t.Errorf("asked %d times: %+v, not %+v", len(all), scan, all[0])
		}
	}
	many := make(chan authorization.Scan)
	o, err = w.Issuance.CreateOffer(t.Context(), issuance.OfferRequest{
		Request: w.Request(register.By{Actor: "clerk-1", Role: lifecycle.Clerk}), Person: w.citizen.ID, Centre: servicetest.Sejong})
	check(t, err)
	for range 8 {
		go func() {
			scan, err := w.server.Offer(context.Background(), o)
			if err != nil {
				t.Error(err)
			}
			many <- scan
		}()
	}
	first := <-many
	for range 7 {
		if scan := <-many; scan != first {
			t.Errorf("asked at the same time: %+v and %+v", scan, first)
		}
	}
	if first.URI == all[0].URI {
		t.Error("two codes have one offer")
	}
}

// Of many guesses at the same time, five are looked at.
func TestManyGuessesAtTheSameTimeAreFive(t *testing.T) {
	w := newWallet(t)
	scan, _, code := w.offered(t)
	said := make(chan string)
	for i := range 64 {
		go func() {
			said <- w.send(faceCheck, marshal(t, checking{code, fmt.Sprint("guess ", i), capture(w.citizen)})).Body.String()
		}()
	}
	looked := 0
	for range 64 {
		if strings.Contains(<-said, "The tx_code is wrong.") {
			looked++
		}
	}
	if looked != 5 {
		t.Errorf("%d guesses were looked at", looked)
	}
	refused(t, "the right one", w.send(faceCheck, marshal(t, checking{code, scan.TxCode, capture(w.citizen)})), 400, "invalid_grant")
}

// A wallet that its provider has taken back is none, wherever it proves itself.
func TestAWalletThatItsProviderHasRevokedIsNone(t *testing.T) {
	w := newWallet(t)
	const uri = "https://provider.example/lists/1"
	chain, _ := servicetest.Vouched(t, "wallet provider", "provider", "Wallet Provider")
	attest := func() {
		t.Helper()
		var err error
		w.attestation, err = oauth.ClientAttestation{ClientID: clientID, Key: &servicetest.Key("instance").PublicKey, IssuedAt: w.Now(), Expires: w.Now().Add(time.Hour),
			Status: &mdoc.StatusRef{URI: uri, Index: 2}}.Sign(jws.With(servicetest.Key("provider")), chain)
		check(t, err)
		w.times++
		w.prove(t, fmt.Sprint("attested ", w.times))
	}
	lists := func(status statuslist.Status) {
		w.Pass(2 * time.Minute) // past the ttl of the one before
		l, err := statuslist.New(2, 8)
		check(t, err)
		check(t, l.Set(2, status))
		token := servicetest.StatusList(t, "provider", "Wallet Provider", statuslist.Token{Subject: uri, IssuedAt: w.Now(), TTL: time.Minute, List: l})
		w.list = func() ([]byte, error) { return token, nil }
		attest()
	}
	for _, status := range []statuslist.Status{statuslist.Invalid, statuslist.Suspended} {
		lists(status)
		refused(t, "pushed by a wallet that is "+status.String(), w.send(push, pushing().Encode()), 401, "invalid_client_attestation")
	}
	lists(statuslist.Valid)
	asked := w.good(t, push, pushing().Encode(), "request_uri")
	to := w.good(t, evidence, marshal(t, proof(w.citizen, asked, w.challenged(t, asked))), "redirect_uri")
	w.Pass(2 * time.Minute)
	w.list = func() ([]byte, error) { return nil, errors.New("the provider is not there") }
	attest()
	refused(t, "redeemed while nobody can tell", w.send(token, redeeming(t, to).Encode()), 503, "temporarily_unavailable")
}
