package openid4vp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
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
	newest  *openid4vp.Endpoints // that were made last
	citizen *servicetest.Citizen
	mdoc    copyOf
	jwt     copyOf
	revoked string // the verifier whose certificate was
	renewed string // the verifier who has another one
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
	number := int64(1)
	if w.renewed == party {
		number++
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(number), NotBefore: servicetest.Noon.AddDate(-1, 0, 0), NotAfter: servicetest.Noon.AddDate(1, 0, 0)}
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
	w.newest = e
	for path, h := range map[string]web.Handler{
		"POST /transactions": e.Begin, "GET /transactions/{id}": e.Result,
		"GET /vp/request/{id}": e.Request, "POST /vp/request/{id}": e.Request, "POST /vp/response/{id}": e.Respond,
	} {
		mux.Handle(path, web.OAuth(h))
	}
	return mux
}

// issue puts a new card, in both formats, on the citizen's phone.
func (w *world) issue() { w.issueWith("copy ") }

// issueWith does so for keys by a name.
func (w *world) issueWith(name string) {
	w.t.Helper()
	challenge, err := w.Issuance.Challenge(ctx)
	check(w.t, err)
	approval, _, err := w.Issuance.ApproveTap(ctx, challenge, w.citizen.Evidence(challenge), w.citizen.Capture())
	check(w.t, err)
	k1, k2 := servicetest.Key(name+"1"), servicetest.Key(name+"2")
	first, err := w.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{Request: w.World.Request(register.Citizen(w.citizen.ID)), Approval: approval,
		Phone: issuance.Phone{Wallet: "phone", Keys: []*ecdsa.PublicKey{&k1.PublicKey}}, Format: issuance.Mdoc, Others: []string{sdjwt.Format}})
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
	plain, err := json.Marshal(map[string]any{"vp_token": token, "state": q.State})
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
