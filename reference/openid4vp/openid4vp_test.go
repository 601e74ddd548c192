package openid4vp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/reference/web"
)

var (
	ctx  = context.Background()
	bank = access.Caller{Role: access.Verifier, ID: "bank", Elements: []string{"age_over_19", "family_name", "resident_address"}}
	shop = access.Caller{Role: access.Verifier, ID: "shop", Elements: []string{"age_over_19"}}
)

const base = "https://id.example/vp/"

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a service with verifiers before it, and one citizen with a card in both
// formats.
type world struct {
	*servicetest.World
	t       testing.TB
	mux     *http.ServeMux
	citizen *servicetest.Citizen
	mdoc    copyOf
	jwt     copyOf
	revoked string // the verifier whose certificate was
}

type copyOf struct {
	key  *ecdsa.PrivateKey
	card []byte
}

func (w *world) reader(_ context.Context, party string) (openid4vp.Reader, error) {
	if w.revoked == party {
		return openid4vp.Reader{}, openid4vp.ErrRevoked
	}
	key := servicetest.Key("reader " + party)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: servicetest.Noon.AddDate(-1, 0, 0), NotAfter: servicetest.Noon.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
	return openid4vp.Reader{Sign: jws.With(key), Chain: [][]byte{der}}, err
}

func newWorld(t testing.TB, change ...func(*service.Config)) *world {
	w := &world{World: servicetest.New(t, change...), t: t}
	w.mux = w.replica(w.Verification, func(time.Time) [32]byte { return sha256.Sum256([]byte("answers")) })
	w.citizen = w.Resident()
	w.issue()
	return w
}

// replica is a verifier's endpoints before the service.
func (w *world) replica(v *verification.Service, secret func(time.Time) [32]byte) *http.ServeMux {
	t, mux := w.t, http.NewServeMux()
	a := servicetest.Authorities()
	signer, err := a.Anchors.DocumentSigner([][]byte{a.DS.Certificate()}, w.Now())
	check(t, err)
	sealing, err := seal.NewKeys([32]byte{3})
	check(t, err)
	e, err := openid4vp.New(openid4vp.Options{
		Register: w.Register, Verification: v, Base: base, Reader: w.reader, Revoked: func() bool { return w.revoked != "" }, Authorities: [][]byte{signer.Authority},
		Keys: sealing, Secret: secret, Lifetime: 5 * time.Minute, Kept: 10 * time.Minute,
	})
	check(t, err)
	for path, h := range map[string]web.Handler{
		"POST /transactions": e.Begin, "GET /transactions/{id}": e.Result,
		"GET /vp/request/{id}": e.Request, "POST /vp/request/{id}": e.Request, "POST /vp/response/{id}": e.Respond,
	} {
		mux.Handle(path, web.OAuth(h))
	}
	return mux
}

// issue puts a new card, in both formats, on the citizen's phone.
func (w *world) issue() {
	w.t.Helper()
	challenge, err := w.Issuance.Challenge(ctx)
	check(w.t, err)
	approval, _, err := w.Issuance.ApproveTap(ctx, challenge, w.citizen.Evidence(challenge), w.citizen.Capture())
	check(w.t, err)
	k1, k2 := servicetest.Key("copy 1"), servicetest.Key("copy 2")
	first, err := w.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{Request: w.World.Request(register.Citizen(w.citizen.ID)), Approval: approval,
		Phone: issuance.Phone{Wallet: "phone", Keys: []*ecdsa.PublicKey{&k1.PublicKey}}, Format: issuance.Mdoc, Spare: 1})
	check(w.t, err)
	more, _, err := w.Issuance.IssueMore(ctx, issuance.MoreRequest{Person: w.citizen.ID, Credential: first.Credential, Document: first.Document,
		Phone: issuance.Phone{Wallet: "phone", Keys: []*ecdsa.PublicKey{&k2.PublicKey}}, Format: sdjwt.Format, Places: first.Spare})
	check(w.t, err)
	w.mdoc, w.jwt = copyOf{k1, first.Copies[0]}, copyOf{k2, more[0]}
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) refused(t *testing.T, name string, status int, code string) {
	t.Helper()
	if a.status != status || a.body["error"] != code {
		t.Errorf("%s: %d %s, want %d %s", name, a.status, a.text, status, code)
	}
}

func (w *world) do(by access.Caller, method, path, contentType, body string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r.WithContext(access.With(ctx, by)))
	a := answer{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
	return a
}

func (w *world) begin(by access.Caller, asked any) (id string, a answer) {
	w.t.Helper()
	body, err := json.Marshal(asked)
	check(w.t, err)
	a = w.do(by, "POST", "/transactions", "application/json", string(body))
	id, _ = a.body["transaction"].(string)
	return id, a
}

func (w *world) age(by access.Caller) string {
	w.t.Helper()
	id, a := w.begin(by, map[string]any{"elements": []string{"age_over_19"}})
	if a.status != 201 {
		w.t.Fatalf("%+v", a)
	}
	return id
}

func (w *world) outcome(by access.Caller, id string, code ...string) answer {
	return w.do(by, "GET", "/transactions/"+id+"?response_code="+strings.Join(code, ""), "", "")
}

// request is a request as a wallet reads it, judged by the wallet's own rules.
type request struct {
	ClientID     string `json:"client_id"`
	ResponseType string `json:"response_type"`
	ResponseMode string `json:"response_mode"`
	ResponseURI  string `json:"response_uri"`
	Audience     string `json:"aud"`
	Nonce        string `json:"nonce"`
	WalletNonce  string `json:"wallet_nonce"`
	State        string
	Query        json.RawMessage `json:"dcql_query"`
	Metadata     struct {
		Keys struct {
			Keys []jws.Key `json:"keys"`
		} `json:"jwks"`
		Encryption []jwe.Encryption `json:"encrypted_response_enc_values_supported"`
	} `json:"client_metadata"`
}

// fetch is what a wallet does with a request_uri.
func (w *world) fetch(id string, post bool) request {
	w.t.Helper()
	a := w.do(access.Caller{Role: access.Anyone}, "GET", "/vp/request/"+id, "", "")
	if post {
		a = w.do(access.Caller{Role: access.Anyone}, "POST", "/vp/request/"+id, "application/x-www-form-urlencoded", "wallet_nonce=mine")
	}
	if a.status != 200 || a.header.Get("Content-Type") != "application/oauth-authz-req+jwt" {
		w.t.Fatalf("%+v", a)
	}
	token, err := jws.Parse([]byte(a.text))
	check(w.t, err)
	header, err := token.ReadHeader("oauth-authz-req+jwt")
	check(w.t, err)
	leaf, err := x509.ParseCertificate(header.Chain[0])
	check(w.t, err)
	if !token.Verify(leaf.PublicKey.(*ecdsa.PublicKey)) {
		w.t.Fatal("the request is not signed by its certificate")
	}
	payload, err := token.Payload()
	check(w.t, err)
	var q request
	check(w.t, json.Unmarshal(payload, &q))
	hash := sha256.Sum256(header.Chain[0])
	if q.ClientID != "x509_hash:"+base64.RawURLEncoding.EncodeToString(hash[:]) || q.ResponseType != "vp_token" || q.ResponseMode != "direct_post.jwt" ||
		q.Audience != "https://self-issued.me/v2" || !strings.HasPrefix(q.ResponseURI, base) || post != (q.WalletNonce == "mine") {
		w.t.Fatalf("%s", payload)
	}
	return q
}

// showMdoc and showJWT present what the query asks for.
func (w *world) showMdoc(q request, change ...func(*request)) string {
	w.t.Helper()
	for _, f := range change {
		f(&q)
	}
	thumbprint := q.Metadata.Keys.Keys[0].Thumbprint()
	response, err := mdoc.Present(w.mdoc.card, []string{"age_over_19"}, mdoc.OpenID4VPTranscript(q.ClientID, q.Nonce, thumbprint[:], q.ResponseURI), w.mdoc.key)
	check(w.t, err)
	return base64.RawURLEncoding.EncodeToString(response)
}

func (w *world) showJWT(q request, b sdjwt.Binding, key *ecdsa.PrivateKey) string {
	w.t.Helper()
	path, _ := sdjwt.PathOf("age_over_19")
	text, err := sdjwt.Present(string(w.jwt.card), []sdjwt.Path{path}, b, key)
	check(w.t, err)
	return text
}

func (w *world) binding(q request) sdjwt.Binding {
	return sdjwt.Binding{Audience: q.ClientID, Nonce: q.Nonce, IssuedAt: w.Now()}
}

// send posts presentations to the response_uri.
func (w *world) send(q request, token any, change ...func(*jwe.Recipient)) answer {
	w.t.Helper()
	plain, err := json.Marshal(map[string]any{"vp_token": token})
	check(w.t, err)
	return w.sendPlain(q, plain, change...)
}

func (w *world) sendPlain(q request, plain []byte, change ...func(*jwe.Recipient)) answer {
	w.t.Helper()
	key, err := q.Metadata.Keys.Keys[0].Public()
	check(w.t, err)
	to := jwe.Recipient{Key: key, KeyID: q.Metadata.Keys.Keys[0].KeyID, Encryption: jwe.A256GCM}
	for _, f := range change {
		f(&to)
	}
	message, err := to.Encrypt(rand.NewChaCha8([32]byte{1}), nil, nil, plain)
	check(w.t, err)
	return w.post(q, url.Values{"response": {message}})
}

func (w *world) post(q request, form url.Values) answer {
	w.t.Helper()
	u, err := url.Parse(q.ResponseURI)
	check(w.t, err)
	return w.do(access.Caller{Role: access.Anyone}, "POST", u.Path, "application/x-www-form-urlencoded", form.Encode())
}

func TestHappyFlow(t *testing.T) {
	for _, post := range []bool{false, true} {
		for _, format := range []string{"rrc_mdoc", "rrc_sd_jwt"} {
			t.Run(fmt.Sprint(format, " post=", post), func(t *testing.T) {
				w := newWorld(t)
				id := w.age(shop)
				if a := w.outcome(shop, id); a.body["state"] != "waiting" {
					t.Errorf("%+v", a)
				}
				q := w.fetch(id, post)
				token := map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}
				if format == "rrc_sd_jwt" {
					token = map[string][]string{"rrc_sd_jwt": {w.showJWT(q, w.binding(q), w.jwt.key)}}
				}
				if a := w.send(q, token); a.status != 200 {
					t.Fatalf("%+v", a)
				}
				a := w.outcome(shop, id)
				if a.body["state"] != "answered" || a.body["verdict"] != "accepted" || !strings.Contains(a.text, `true`) || strings.Contains(a.text, "하늘") {
					t.Errorf("%+v", a)
				}
			})
		}
	}
}

// Two replicas with the same file of keys: each transaction is begun at one, goes on at
// the other, and lasts while the secrets of its nonce change by themselves and by the
// operator.
func TestSecretsChangeWhileTransactionsLast(t *testing.T) {
	maker := keys.Maker{Random: rand.NewChaCha8([32]byte{1}), URL: "https://id.example", Hosts: []string{"id.example"}}
	all, err := maker.Found(servicetest.Noon.Add(-time.Hour))
	check(t, err)
	at := servicetest.Noon
	rings := [2]*keys.Ring{}
	for i := range rings {
		rings[i], err = keys.NewRing(all, func() time.Time { return at }, nil)
		check(t, err)
	}
	secret := func(i int) func(time.Time) [32]byte {
		return func(begun time.Time) [32]byte { return rings[i].Epoch(keys.Nonce, begun) }
	}
	w := newWorld(t, func(c *service.Config) { c.Nonces = secret(0) })
	other := w.Config
	other.Nonces = secret(1)
	second, err := service.New(ctx, other)
	check(t, err)
	replicas := [2]*http.ServeMux{w.replica(w.Verification, secret(0)), w.replica(second.Verification, secret(1))}
	turn := 0
	next := func() { turn++; w.mux = replicas[turn%2] }

	type open struct {
		id  string
		end time.Time
	}
	var pending []open
	answered, used := 0, map[[32]byte]bool{}
	for n := range 60 { // an hour, a transaction a minute, each answered almost five minutes later
		at = servicetest.Noon.Add(time.Duration(n) * time.Minute)
		w.Set(at)
		switch n {
		case 15: // the operator's next secret
			all, err = maker.Rotate(all, keys.Nonce, at, at.Add(10*time.Minute))
			check(t, err)
			check(t, rings[0].Load(all))
		case 22:
			check(t, rings[1].Load(all))
		}
		next()
		used[secret(turn%2)(at)] = true
		pending = append(pending, open{w.age(shop), at.Add(5 * time.Minute)})
		if n < 5 {
			continue
		}
		first := pending[0]
		pending = pending[1:]
		w.Set(first.end.Add(-time.Second))
		next()
		q := w.fetch(first.id, false)
		next()
		if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
			t.Fatalf("minute %d: %+v", n, a)
		}
		next()
		if a := w.outcome(shop, first.id); a.body["verdict"] != "accepted" {
			t.Fatalf("minute %d: %+v", n, a)
		}
		answered++
	}
	if answered != 55 || len(used) != 6 {
		t.Errorf("%d answered, under %d secrets", answered, len(used))
	}
	before := secret(0)(at)
	all, err = maker.Rotate(all, keys.Nonce, at, at.Add(time.Second))
	check(t, err)
	check(t, rings[0].Load(all))
	if later := at.Add(time.Hour); secret(0)(at) != before || secret(0)(later) == secret(1)(later) {
		t.Error("a new secret is not taken up, or changes what is begun")
	}
}

// What is asked travels in the identifier, whoever asks and however it ends: one commit
// for the answer, and one more for whoever wants to know of the fetch.
func TestNothingIsWrittenBeforeTheAnswer(t *testing.T) {
	w := newWorld(t)
	commits := func() uint64 { return w.Register.Stats().Commits }
	before := commits()
	id, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "purpose": "cigarettes"})
	q := w.fetch(id, true)
	w.outcome(shop, id)
	if n := commits() - before; n != 0 {
		t.Errorf("%d commits before the answer", n)
	}
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if n := commits() - before; n != 1 {
		t.Errorf("%d commits for a presentation", n)
	}
	if out := w.outcome(shop, id); out.body["purpose"] != "cigarettes" || out.body["verdict"] != "accepted" {
		t.Errorf("%+v", out)
	}
	if n := len(fmt.Sprint(a.body["authorization_request"])); n > 400 {
		t.Errorf("a QR code of %d bytes", n)
	}
}

func TestWhoWatchesIsToldOfTheFetch(t *testing.T) {
	w := newWorld(t)
	id, _ := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "progress": true})
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Errorf("%+v", a)
	}
	w.fetch(id, false)
	q := w.fetch(id, false)
	if a := w.outcome(shop, id); a.body["state"] != "fetched" {
		t.Errorf("%+v", a)
	}
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["state"] != "answered" {
		t.Errorf("%+v", a)
	}
}

// What is too long for a QR code is kept, and is the same transaction to everybody.
func TestALongQuestionHasAShortIdentifier(t *testing.T) {
	w := newWorld(t)
	id, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "purpose": strings.Repeat("x", 200)})
	if n := len(fmt.Sprint(a.body["authorization_request"])); n > 400 || len(id) != 43 {
		t.Errorf("%d bytes with the identifier %q", n, id)
	}
	q := w.fetch(id, true)
	w.outcome(bank, id).refused(t, "another party's transaction", 404, "invalid_request")
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "again", 400, "invalid_request")
	if a := w.outcome(shop, id); a.body["verdict"] != "accepted" || a.body["purpose"] != strings.Repeat("x", 200) {
		t.Errorf("%+v", a)
	}
}

func TestAnIdentifierThatWasChangedIsUnknown(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	for i := range id {
		b := []byte(id)
		b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
		w.outcome(shop, string(b)).refused(t, "a changed identifier", 404, "invalid_request")
		w.do(access.Caller{}, "GET", "/vp/request/"+string(b), "", "").refused(t, "its request", 404, "invalid_request")
	}
}

func TestBothEncryptionsOfTheProfileAreRead(t *testing.T) {
	w := newWorld(t)
	for _, enc := range []jwe.Encryption{jwe.A128GCM, jwe.A256GCM} {
		q := w.fetch(w.age(shop), false)
		if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}, func(to *jwe.Recipient) { to.Encryption = enc }); a.status != 200 {
			t.Errorf("%s: %+v", enc, a)
		}
	}
}

func TestASuspendedCardIsSaidToBeSuspendedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	receipt, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.World.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}),
		Person: w.citizen.ID, Cause: lifecycle.PhysicalLost})
	check(t, err)
	show := func() answer {
		id := w.age(shop)
		q := w.fetch(id, false)
		if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
			t.Fatalf("%+v", a)
		}
		return w.outcome(shop, id)
	}
	a := show()
	if a.body["verdict"] != "suspended" || strings.Contains(a.text, "claims") || strings.Contains(a.text, "lost") {
		t.Errorf("%+v", a)
	}
	_, err = w.Suspension.Release(ctx, suspension.ReleaseRequest{Request: w.World.Request(register.By{Actor: "c", Role: lifecycle.Clerk}),
		Person: w.citizen.ID, Cause: lifecycle.PhysicalLost, Sequence: receipt.Sequence})
	check(t, err)
	if a := show(); a.body["verdict"] != "accepted" {
		t.Errorf("after the release: %+v", a)
	}
}

// The cases of the OpenID conformance suite for verifiers, and more: each is
// refused, and the verifier learns of nothing.
func TestWrongAnswersAreRefused(t *testing.T) {
	mdocToken := func(text string) map[string][]string { return map[string][]string{"rrc_mdoc": {text}} }
	jwtToken := func(text string) map[string][]string { return map[string][]string{"rrc_sd_jwt": {text}} }
	swap := func(text string) string { // changes a byte within a signature
		b := []byte(text)
		i := len(b) - 20
		b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
		return string(b)
	}
	for _, c := range []struct {
		name  string
		token func(*world, request) any
		final bool // judged: the transaction is used up, as not valid
	}{
		{"InvalidCredentialSignature of an SD-JWT", func(w *world, q request) any {
			text := w.showJWT(q, w.binding(q), w.jwt.key)
			head, rest, _ := strings.Cut(text, "~")
			return jwtToken(swap(head) + "~" + rest)
		}, true},
		{"InvalidCredentialSignature of an mdoc", func(w *world, q request) any {
			raw, _ := base64.RawURLEncoding.DecodeString(w.showMdoc(q))
			return mdocToken(base64.RawURLEncoding.EncodeToString(bytes.Replace(raw, []byte{0x58, 0x40}, []byte{0x58, 0x40, 0}, 1)))
		}, true},
		{"InvalidSessionTranscript", func(w *world, q request) any {
			return mdocToken(w.showMdoc(q, func(q *request) { q.ResponseURI += "x" }))
		}, true},
		{"a transcript of another nonce", func(w *world, q request) any { return mdocToken(w.showMdoc(q, func(q *request) { q.Nonce += "x" })) }, true},
		{"InvalidKbJwtAud", func(w *world, q request) any {
			b := w.binding(q)
			b.Audience = "x509_hash:other"
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"InvalidKbJwtNonce", func(w *world, q request) any {
			b := w.binding(q)
			b.Nonce += "x"
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"InvalidKbJwtSignature", func(w *world, q request) any { return jwtToken(w.showJWT(q, w.binding(q), servicetest.Key("thief"))) }, true},
		{"InvalidSdHash", func(w *world, q request) any {
			text := w.showJWT(q, w.binding(q), w.jwt.key)
			parts := strings.Split(text, "~")
			return jwtToken(strings.Join(append(append([]string{}, parts[0]), parts[2:]...), "~"))
		}, true},
		{"KbJwtIatFuture", func(w *world, q request) any {
			b := w.binding(q)
			b.IssuedAt = b.IssuedAt.Add(time.Hour)
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"KbJwtIatPast", func(w *world, q request) any {
			b := w.binding(q)
			b.IssuedAt = b.IssuedAt.Add(-time.Hour)
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"without a key binding", func(w *world, q request) any {
			text := w.showJWT(q, w.binding(q), w.jwt.key)
			return jwtToken(text[:strings.LastIndex(text, "~")+1])
		}, true},
		{"not what was asked for", func(w *world, q request) any {
			thumbprint := q.Metadata.Keys.Keys[0].Thumbprint()
			response, err := mdoc.Present(w.mdoc.card, []string{"sex"}, mdoc.OpenID4VPTranscript(q.ClientID, q.Nonce, thumbprint[:], q.ResponseURI), w.mdoc.key)
			check(w.t, err)
			return mdocToken(base64.RawURLEncoding.EncodeToString(response))
		}, true},
		{"an SD-JWT as an mdoc", func(w *world, q request) any { return mdocToken(w.showJWT(q, w.binding(q), w.jwt.key)) }, false},
		{"garbage", func(*world, request) any { return mdocToken("AAAA") }, true},
		{"under an unknown id", func(w *world, q request) any { return map[string][]string{"x": {w.showMdoc(q)}} }, false},
		{"nothing", func(*world, request) any { return map[string][]string{} }, false},
		{"no array", func(w *world, q request) any { return map[string]string{"rrc_mdoc": w.showMdoc(q)} }, false},
		{"more than are read", func(w *world, q request) any {
			return map[string][]string{"rrc_mdoc": strings.Split(strings.Repeat(w.showMdoc(q)+" ", 17), " ")}
		}, false},
		{"two for one", func(w *world, q request) any { return map[string][]string{"rrc_mdoc": {w.showMdoc(q), w.showMdoc(q)}} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.age(shop)
			q := w.fetch(id, false)
			w.send(q, c.token(w, q)).refused(t, c.name, 400, "invalid_request")
			a := w.outcome(shop, id)
			if c.final && a.body["verdict"] != "not-valid" || !c.final && a.body["state"] != "waiting" || strings.Contains(a.text, "claims") {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestAnAnswerIsTakenOnceInTimeAndEncryptedForThisTransaction(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	q := w.fetch(id, false)
	token := map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}

	w.post(q, url.Values{"vp_token": {"{}"}}).refused(t, "not encrypted", 400, "invalid_request")
	w.post(q, url.Values{"response": {"a.b.c.d.e"}}).refused(t, "not a JWE", 400, "invalid_request")
	w.sendPlain(q, []byte(`{"vp_token":{"rrc_mdoc":["AAAA"]},"vp_token":{}}`)).refused(t, "a name twice", 400, "invalid_request")
	w.sendPlain(q, []byte(`{"vp_token":{"rrc_mdoc":["AAAA"]},"state":"x"}`)).refused(t, "another state", 400, "invalid_request")
	other := w.fetch(w.age(shop), false)
	w.send(q, token, func(to *jwe.Recipient) { to.Key, _ = other.Metadata.Keys.Keys[0].Public() }).refused(t, "for another key", 400, "invalid_request")
	w.send(q, token, func(to *jwe.Recipient) { to.KeyID = "x" }).refused(t, "another kid", 400, "invalid_request")
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Fatalf("a wrong answer was taken: %+v", a)
	}
	if a := w.send(q, token); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	w.send(q, token).refused(t, "again", 400, "invalid_request")
	w.do(access.Caller{}, "GET", "/vp/request/"+id, "", "").refused(t, "fetched after the answer", 400, "invalid_request")

	late := w.age(shop)
	q = w.fetch(late, false)
	token = map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}
	w.Pass(5 * time.Minute)
	w.send(q, token).refused(t, "late", 400, "invalid_request")
	w.do(access.Caller{}, "GET", "/vp/request/"+late, "", "").refused(t, "fetched late", 400, "invalid_request")
	w.Pass(10 * time.Minute)
	w.outcome(shop, late).refused(t, "after its result is forgotten", 404, "invalid_request")
}

func TestRequestUriMethodPost(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	if q := w.fetch(id, true); q.WalletNonce != "mine" {
		t.Errorf("the request has the wallet's nonce %q", q.WalletNonce)
	}
	anyone := access.Caller{Role: access.Anyone}
	if a := w.do(anyone, "POST", "/vp/request/"+id, "application/x-www-form-urlencoded", ""); a.status != 200 || strings.Contains(a.text, "wallet_nonce") {
		t.Errorf("without a nonce: %+v", a)
	}
	w.do(anyone, "POST", "/vp/request/"+id, "application/json", "{}").refused(t, "a body that is no form", 415, "invalid_request")
	w.do(anyone, "POST", "/vp/request/"+id, "application/x-www-form-urlencoded", "wallet_nonce=a&wallet_nonce=b").refused(t, "two nonces", 400, "invalid_request")
}

func TestRequestUriFetchedTwice(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	first, again := w.fetch(id, false), w.fetch(id, true)
	if first.Nonce != again.Nonce || first.ResponseURI != again.ResponseURI {
		t.Error("the same transaction has two requests")
	}
	if a := w.send(first, map[string][]string{"rrc_mdoc": {w.showMdoc(first)}}); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

func TestAHolderMayDecline(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	q := w.fetch(id, false)
	w.post(q, url.Values{"error": {"access_denied"}, "state": {"x"}}).refused(t, "another state", 400, "invalid_request")
	if a := w.post(q, url.Values{"error": {"access_denied"}, "state": {id}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["state"] != "declined" || a.body["error"] != "access_denied" {
		t.Errorf("%+v", a)
	}
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "after all", 400, "invalid_request")
}

func TestOnTheSameDeviceTheUserComesBackWithACode(t *testing.T) {
	w := newWorld(t)
	id, _ := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": "https://shop.example/back?basket=7"})
	q := w.fetch(id, false)
	a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}})
	back, err := url.Parse(fmt.Sprint(a.body["redirect_uri"]))
	if err != nil || a.status != 200 || back.Host != "shop.example" || back.RawQuery != "basket=7" {
		t.Fatalf("%+v", a)
	}
	fragment, err := url.ParseQuery(back.Fragment)
	check(t, err)
	w.outcome(shop, id).refused(t, "without the code", 403, "access_denied")
	w.outcome(shop, id, "guess").refused(t, "with a guess", 403, "access_denied")
	if a := w.outcome(shop, id, fragment.Get("response_code")); a.body["verdict"] != "accepted" {
		t.Errorf("%+v", a)
	}
	for _, bad := range []string{"http://shop.example/", "https://shop.example/#x", "shop", "javascript:alert(1)"} {
		_, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": bad})
		a.refused(t, bad, 400, "invalid_request")
	}
}

func TestAPartyAsksOnlyForWhatItMayAndSeesOnlyItsOwn(t *testing.T) {
	w := newWorld(t)
	_, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19", "family_name"}})
	a.refused(t, "a name for a shop", 403, "insufficient_scope")
	_, a = w.begin(bank, map[string]any{"elements": []string{"shoe_size"}})
	a.refused(t, "an element that does not exist", 400, "invalid_request")
	_, a = w.begin(bank, map[string]any{})
	a.refused(t, "nothing", 400, "invalid_request")
	query := func(claims string) map[string]any {
		return map[string]any{"dcql_query": json.RawMessage(`{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["` + sdjwt.Type + `"]},"claims":` + claims + `}]}`)}
	}
	_, a = w.begin(shop, query(`[{"path":["family_name"]}]`))
	a.refused(t, "a name by DCQL", 403, "insufficient_scope")
	_, a = w.begin(shop, query(`[{"path":["age_equal_or_over"]}]`))
	a.refused(t, "all ages for one", 403, "insufficient_scope")
	if _, a = w.begin(shop, query(`[{"path":["age_equal_or_over","19"]}]`)); a.status != 201 {
		t.Errorf("%+v", a)
	}
	_, a = w.begin(shop, query(`[]`))
	a.refused(t, "a query that is none", 400, "invalid_request")
	id := w.age(shop)
	w.outcome(bank, id).refused(t, "another party's transaction", 404, "invalid_request")
	w.outcome(shop, "made-up").refused(t, "a made-up transaction", 404, "invalid_request")
	w.do(access.Caller{}, "GET", "/vp/request/made-up", "", "").refused(t, "a made-up request", 404, "invalid_request")
}

func TestAQueryAsksForBothFormatsOfOurOwnAuthorities(t *testing.T) {
	w := newWorld(t)
	q, err := dcql.Parse(w.fetch(w.age(shop), false).Query)
	check(t, err)
	choices, err := q.Choose([]dcql.Held{{Format: dcql.SDJWT, Type: sdjwt.Type, HolderBound: true,
		AuthorityKeyIDs: q.Credentials[1].Authorities[0].Values, Claims: map[string]any{"age_equal_or_over": map[string]any{"19": true}}}})
	if err != nil || len(choices) != 1 || choices[0].Query != "rrc_sd_jwt" {
		t.Errorf("%v, %v", choices, err)
	}
}

// What was begun before is not answered either: the wallet keeps what it has, or the
// answer is refused unread.
func TestAVerifierWhoseCertificateWasRevokedGetsNoAnswer(t *testing.T) {
	w := newWorld(t)
	fetched, unfetched := w.age(shop), w.age(shop)
	q := w.fetch(fetched, false)
	w.revoked = shop.ID
	_, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}})
	a.refused(t, "asking", 403, "access_denied")
	anyone := access.Caller{Role: access.Anyone}
	w.do(anyone, "GET", "/vp/request/"+unfetched, "", "").refused(t, "fetching the request", 400, "invalid_request")
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "answering", 400, "invalid_request")
	if a := w.outcome(shop, fetched); a.body["state"] != "waiting" {
		t.Errorf("the verifier is told %s", a.text)
	}
	q = w.fetch(w.age(bank), false)
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Errorf("another verifier's wallet: %+v", a)
	}
}
