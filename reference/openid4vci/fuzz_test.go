package openid4vci_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/web"
)

const (
	issuer   = "https://id.example"
	clientID = "https://wallet.example"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wallet is one with access tokens, and a phone whose maker attests keys.
type wallet struct {
	*servicetest.World
	rehearsal servicetest.Rehearsal
	server    *authorization.Server
	vci, slow *openid4vci.Issuer // slow never has the patience to issue
	keys      *seal.Keys
	attested  []*ecdsa.PublicKey
	maker     [][]byte // chain of the phone's attestations
	recipient jwe.Recipient
	read      time.Time // when the recipient was

	status *mdoc.StatusRef // of attestations
	list   func() ([]byte, error)
}

func newWallet(t testing.TB) *wallet {
	w := &wallet{}
	w.World = servicetest.New(t, servicetest.Rehearsing(&w.rehearsal))
	chain, makers := servicetest.Vouched(t, "phone maker", "attestations", "Maker's attestations")
	w.maker = chain
	var err error
	w.keys, err = seal.NewKeys([32]byte{7})
	check(t, err)
	w.server, err = authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: w.keys, Issuer: issuer, Path: "/oauth/",
		Providers: makers, Scopes: openid4vci.Scopes})
	check(t, err)
	lists := standing.New(standing.Options{Anchors: makers, Now: w.Now, Fetch: func(context.Context, string) ([]byte, error) { return w.list() }})
	for i, patience := range []time.Duration{time.Minute, time.Nanosecond} {
		made, err := openid4vci.New(openid4vci.Options{Register: w.Register, Issuance: w.Issuance, Keys: w.keys, Issuer: issuer, Path: "/vci/", Copies: servicetest.Copies,
			Proofs:   keyproof.Policy{Attesters: makers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}},
			Standing: lists,
			Signer:   func() (jws.Sign, [][]byte) { return jws.With(servicetest.Key("metadata")), [][]byte{{1}} },
			Secret:   func(begin time.Time) [32]byte { return sha256.Sum256([]byte("requests of " + begin.String())) },
			Patience: patience, Interval: 5 * time.Second, Nonces: w.server.GiveNonce})
		check(t, err)
		if w.slow = made; i == 0 {
			w.vci = made
		}
	}
	for _, name := range []string{"device 1", "device 2"} {
		w.attested = append(w.attested, &servicetest.Key(name).PublicKey)
	}
	return w
}

// granted is the context of a request with the access token of a grant.
func (w *wallet) granted(t testing.TB, name string, c *servicetest.Citizen, byID bool, change ...func(*authorization.Grant)) context.Context {
	t.Helper()
	challenge, err := w.Issuance.Challenge(context.Background())
	check(t, err)
	approval, reason, err := w.Issuance.ApproveTap(context.Background(), challenge, c.Evidence(challenge), c.Capture())
	check(t, err)
	if reason != lifecycle.Granted {
		t.Fatal(reason)
	}
	dpop, err := jws.KeyOf(&servicetest.Key("dpop").PublicKey)
	check(t, err)
	g := authorization.Grant{ID: name, Client: clientID, Wallet: "instance of " + name, Key: dpop.ThumbprintText(), Approval: &approval, Person: uint64(c.ID),
		Configs: []string{openid4vci.MdocID, openid4vci.SDJWTID}, ByID: byID}
	for _, f := range change {
		f(&g)
	}
	token, err := w.keys.Seal(sha256.Sum256([]byte(name)), "access token", w.Now().Add(authorization.TokenLife), g)
	check(t, err)
	rec := httptest.NewRecorder()
	check(t, w.server.GiveNonce(rec))
	r := httptest.NewRequest("POST", issuer+"/vci/credential", nil)
	proof, err := oauth.DPoP{Method: "POST", URL: issuer + "/vci/credential", ID: name, IssuedAt: w.Now(), AccessToken: token, Nonce: rec.Header().Get("DPoP-Nonce")}.Proof(servicetest.Key("dpop"))
	check(t, err)
	r.Header.Set("DPoP", proof)
	ctx, err := w.server.DPoP(r, token)
	check(t, err)
	return ctx
}

// proofs are of the wallet's keys, of the type jwt or attestation.
func (w *wallet) proofs(t testing.TB, typ string) map[string][]string {
	t.Helper()
	return w.proofsWith(t, typ, w.nonce(t))
}

// nonce is one of the issuer's.
func (w *wallet) nonce(t testing.TB) string {
	t.Helper()
	rec := httptest.NewRecorder()
	check(t, w.vci.Nonce(rec, httptest.NewRequest("POST", "/vci/nonce", nil)))
	var nonce struct {
		Nonce string `json:"c_nonce"`
	}
	check(t, json.Unmarshal(rec.Body.Bytes(), &nonce))
	return nonce.Nonce
}

func (w *wallet) proofsWith(t testing.TB, typ, nonce string) map[string][]string {
	t.Helper()
	text, err := keyproof.Attestation{Wallet: "wallet", IssuedAt: w.Now(), Expires: w.Now().Add(time.Hour), Keys: w.attested,
		KeyStorage: []keyproof.Resistance{keyproof.High}, Nonce: nonce, Status: w.status}.Sign(jws.With(servicetest.Key("attestations")), w.maker)
	check(t, err)
	if typ == "jwt" {
		text, err = keyproof.Proof{ClientID: clientID, Audience: issuer, IssuedAt: w.Now(), Nonce: nonce, Attestation: text}.Sign(servicetest.Key("device 1"))
		check(t, err)
	}
	return map[string][]string{typ: {text}}
}

// response is a credential response.
type response struct {
	Credentials []struct {
		Credential string `json:"credential"`
	} `json:"credentials"`
	Notice      string `json:"notification_id"`
	Transaction string `json:"transaction_id"`
}

// send sends a request as wallets do: one that wants an encrypted response is encrypted.
func (w *wallet) send(ctx context.Context, h web.Handler, text string) (*httptest.ResponseRecorder, response) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) == nil && members["credential_response_encryption"] != nil {
		if sealed, err := w.to().Encrypt(rand.NewChaCha8([32]byte{1}), nil, nil, []byte(text)); err == nil {
			return sendAs(ctx, h, "application/jwt", sealed)
		}
	}
	return sendAs(ctx, h, "application/json", text)
}

// to is for whom requests are encrypted.
func (w *wallet) to() jwe.Recipient {
	if w.recipient.Key == nil || !w.read.Equal(w.Now()) {
		m := w.metadata()
		key, err := m.Requests.Keys.Keys[0].Public()
		if err != nil {
			panic(err)
		}
		w.recipient, w.read = jwe.Recipient{Key: key, KeyID: m.Requests.Keys.Keys[0].KeyID, Encryption: m.Requests.Encryption[0]}, w.Now()
	}
	return w.recipient
}

type metadata struct {
	Requests struct {
		Keys struct {
			Keys []jws.Key `json:"keys"`
		} `json:"jwks"`
		Encryption []jwe.Encryption `json:"enc_values_supported"`
		Required   *bool            `json:"encryption_required"`
	} `json:"credential_request_encryption"`
}

func (w *wallet) metadata() (m metadata) {
	rec := httptest.NewRecorder()
	if err := w.vci.Metadata(rec, httptest.NewRequest("GET", "/", nil)); err != nil {
		panic(err)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil {
		panic(err)
	}
	return m
}

func sendAs(ctx context.Context, h web.Handler, kind, text string) (*httptest.ResponseRecorder, response) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/vci/", strings.NewReader(text))
	r.Body = http.MaxBytesReader(rec, r.Body, 128<<10)
	r.Header.Set("Content-Type", kind)
	web.OAuth(h).ServeHTTP(rec, r.WithContext(ctx))
	var out response
	_ = json.Unmarshal(rec.Body.Bytes(), &out)
	return rec, out
}

func (w *wallet) good(t testing.TB, ctx context.Context, h web.Handler, text string) response {
	t.Helper()
	rec, out := w.send(ctx, h, text)
	if rec.Code >= 300 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return out
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	check(t, err)
	return string(text)
}

// holder is the key that a copy is bound to.
func holder(t *testing.T, text string) *ecdsa.PublicKey {
	t.Helper()
	if card, err := base64.RawURLEncoding.DecodeString(text); err == nil {
		held, err := mdoc.Inspect(card)
		check(t, err)
		return held.DeviceKey
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	check(t, err)
	var claims struct {
		Confirmation struct {
			Key jws.Key `json:"jwk"`
		} `json:"cnf"`
	}
	check(t, json.Unmarshal(payload, &claims))
	key, err := claims.Confirmation.Key.Public()
	check(t, err)
	return key
}

// A wallet's requests for cards, changed. None makes the issuer fail, and one that is
// refused changes nothing. One that is accepted issues one card at most, to the citizen of
// the token, and every copy is bound to a key that the phone's maker has attested. With a
// refreshed token none is issued: the copies stand where the first ones stood.
func FuzzRequests(f *testing.F) {
	w := newWallet(f)
	first, second := w.Resident(), w.Resident()
	plain, byID, holds := w.granted(f, "plain", first, false), w.granted(f, "by id", first, true), w.granted(f, "holds a card", second, false)
	issued := w.good(f, holds, w.vci.Credential, marshal(f, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(f, "jwt")}))
	anew := func(g *authorization.Grant) { g.Approval, g.Wallet = nil, "instance of holds a card" }
	later, laterByID := w.granted(f, "signed anew", second, false, anew), w.granted(f, "signed anew by id", second, true, anew)
	stood := indices(f, openid4vci.MdocID, issued)
	w.rehearsal.Begin()

	own := servicetest.Key("answers")
	to, err := jws.KeyOf(&own.PublicKey)
	check(f, err)
	to.Algorithm, to.KeyID, to.Use = "ECDH-ES", "1", "enc"
	encrypted := map[string]any{"jwk": to, "enc": jwe.A256GCM}
	waits := w.good(f, plain, w.slow.Credential, marshal(f, map[string]any{"credential_configuration_id": openid4vci.SDJWTID, "proofs": w.proofs(f, "attestation")}))
	if waits.Transaction == "" {
		f.Fatal("nothing is deferred")
	}

	waitsAnew := w.good(f, later, w.slow.Credential, marshal(f, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(f, "attestation")}))

	var secrets servicetest.Secrets
	byJWT, byAttestation := w.proofs(f, "jwt"), w.proofs(f, "attestation")
	secrets.Add("jwt", byJWT["jwt"][0])
	secrets.Add("attestation", byAttestation["attestation"][0])
	secrets.Add("waits", waits.Transaction)
	secrets.Add("waits anew", waitsAnew.Transaction)
	secrets.Add("notice", issued.Notice)
	secrets.Add("x", to.X)
	secrets.Add("y", to.Y)

	// The order is that of the seeds that lie in testdata.
	steps := []struct {
		name    string
		ctx     context.Context
		handler web.Handler
		citizen *servicetest.Citizen // for whom a card may be issued
		seeds   []map[string]any
	}{
		{"credential", plain, w.vci.Credential, first, []map[string]any{
			{"credential_configuration_id": openid4vci.MdocID, "proofs": byJWT},
			{"credential_configuration_id": openid4vci.SDJWTID, "proofs": byAttestation, "credential_response_encryption": encrypted},
		}},
		{"credential by its identifier", byID, w.vci.Credential, first, []map[string]any{
			{"credential_identifier": authorization.Identifier(openid4vci.SDJWTID), "proofs": byJWT},
		}},
		{"more copies", holds, w.vci.Credential, nil, []map[string]any{
			{"credential_configuration_id": openid4vci.SDJWTID, "proofs": byAttestation},
		}},
		{"credential that takes long", plain, w.slow.Credential, nil, []map[string]any{
			{"credential_configuration_id": openid4vci.MdocID, "proofs": byAttestation, "credential_response_encryption": encrypted},
		}},
		{"deferred", plain, w.vci.Deferred, first, []map[string]any{
			{"transaction_id": waits.Transaction}, {"transaction_id": waits.Transaction, "credential_response_encryption": encrypted},
		}},
		{"notification", holds, w.vci.Notify, nil, []map[string]any{
			{"notification_id": issued.Notice, "event": "credential_accepted", "event_description": "stored"},
			{"notification_id": issued.Notice, "event": "credential_deleted"},
		}},
		{"signed anew", later, w.vci.Credential, nil, []map[string]any{
			{"credential_configuration_id": openid4vci.MdocID, "proofs": byJWT},
			{"credential_configuration_id": openid4vci.SDJWTID, "proofs": byAttestation, "credential_response_encryption": encrypted},
		}},
		{"signed anew by its identifier", laterByID, w.vci.Credential, nil, []map[string]any{
			{"credential_identifier": authorization.Identifier(openid4vci.MdocID), "proofs": byAttestation},
		}},
		{"to be signed anew later", later, w.slow.Credential, nil, []map[string]any{
			{"credential_configuration_id": openid4vci.MdocID, "proofs": byJWT},
		}},
		{"deferred and signed anew", later, w.vci.Deferred, nil, []map[string]any{
			{"transaction_id": waitsAnew.Transaction}, {"transaction_id": waitsAnew.Transaction, "credential_response_encryption": encrypted},
		}},
	}
	for i, s := range steps {
		for _, seed := range s.seeds {
			w.good(f, s.ctx, s.handler, marshal(f, seed))
			f.Add(byte(i), secrets.Hide(marshal(f, seed)), byte(0), "x")
			for k, value := range servicetest.Fields(secrets.Hide(marshal(f, seed))) {
				f.Add(byte(i), secrets.Hide(marshal(f, seed)), byte(k+1), value)
			}
		}
	}
	f.Add(byte(0), `{"credential_configuration_id":"rrc_mdoc","proof":{"proof_type":"jwt","jwt":""},"proofs":{"jwt":[],"attestation":["a","b"],"di_vp":[]}}`, byte(0), "x")
	w.rehearsal.Take()

	f.Fuzz(func(t *testing.T, n byte, text string, field byte, value string) {
		s := steps[int(n)%len(steps)]
		text = secrets.Show(servicetest.Changed(text, field, value))
		rec, out := w.send(s.ctx, s.handler, text)
		wrote := w.rehearsal.Take()
		switch {
		case rec.Code >= 500:
			t.Fatalf("%s: %d %s", s.name, rec.Code, rec.Body)
		case len(text) > 128<<10 && rec.Code < 300:
			t.Fatalf("%d bytes are read", len(text))
		case rec.Code >= 300:
			if !wrote.Only() {
				t.Fatalf("%s: refused with %d %s, and written: %+v", s.name, rec.Code, rec.Body, wrote)
			}
			return
		}
		var asked struct {
			Config      string    `json:"credential_configuration_id"`
			Identifier  string    `json:"credential_identifier"`
			Transaction string    `json:"transaction_id"`
			Notice      string    `json:"notification_id"`
			Event       string    `json:"event"`
			Encryption  *struct{} `json:"credential_response_encryption"`
		}
		check(t, json.Unmarshal([]byte(text), &asked))
		var issues []string
		for _, e := range wrote.Entries {
			issues = append(issues, e.Event)
			if s.citizen == nil || e.Person != uint64(s.citizen.ID) || e.Role != "citizen" || len(e.Copies) > 2*servicetest.Copies {
				t.Errorf("%s: in the log: %+v", s.name, e)
			}
		}
		switch s.name {
		case "notification":
			if asked.Notice != issued.Notice || !slices.Contains([]string{"credential_accepted", "credential_failure", "credential_deleted"}, asked.Event) {
				t.Errorf("accepted: %+v", asked)
			}
			if !wrote.Only("PutTicket") || len(wrote.Tickets) != 1 || rec.Code != http.StatusNoContent {
				t.Errorf("%d, written: %+v", rec.Code, wrote)
			}
			return
		case "deferred":
			if asked.Transaction != waits.Transaction {
				t.Errorf("accepted: %+v", asked)
			}
		case "signed anew", "signed anew by its identifier":
			if !wrote.Only("UseNonce") || wrote.Only() {
				t.Errorf("%s: written: %+v", s.name, wrote)
			}
		case "to be signed anew later":
			if rec.Code != http.StatusAccepted || !wrote.Only("UseNonce") || wrote.Only() {
				t.Errorf("%d, written: %+v", rec.Code, wrote)
			}
			return
		case "deferred and signed anew":
			if asked.Transaction != waitsAnew.Transaction || !wrote.Only() {
				t.Errorf("accepted: %+v, written: %+v", asked, wrote)
			}
		case "credential that takes long":
			if rec.Code != http.StatusAccepted || !wrote.Only() {
				t.Errorf("%d, written: %+v", rec.Code, wrote)
			}
			return
		case "more copies":
			again := asked.Config == openid4vci.MdocID // it has these already: they are signed anew, and nothing is spent
			if !wrote.Only("PutTicket", "UseNonce") || again != wrote.Only() {
				t.Errorf("written: %+v", wrote)
			}
		}
		if s.citizen != nil && !slices.Equal(issues, []string{"credential-issued"}) {
			t.Errorf("%s: in the log: %q", s.name, issues)
		}
		if s.citizen != nil && !slices.Contains(wrote.Calls, "UseNonce") {
			t.Errorf("%s: the nonce can be used again: %q", s.name, wrote.Calls)
		}
		if asked.Encryption != nil {
			if strings.Contains(rec.Body.String(), "credential") || rec.Header().Get("Content-Type") != "application/jwt" {
				t.Errorf("not encrypted: %s", rec.Body)
			}
			return
		}
		if len(out.Credentials) != len(w.attested) {
			t.Errorf("%s: %d copies for %d keys", s.name, len(out.Credentials), len(w.attested))
		}
		mdocs := asked.Config == openid4vci.MdocID || asked.Identifier == authorization.Identifier(openid4vci.MdocID) || asked.Transaction == waitsAnew.Transaction
		if s.citizen == nil && mdocs && !slices.Equal(indices(t, openid4vci.MdocID, out), stood) {
			t.Errorf("%s: the copies stand at %d, the first stood at %d", s.name, indices(t, openid4vci.MdocID, out), stood)
		}
		for _, c := range out.Credentials {
			key := holder(t, c.Credential)
			if !slices.ContainsFunc(w.attested, func(k *ecdsa.PublicKey) bool { return k.Equal(key) }) {
				t.Errorf("%s: a copy is bound to a key that nobody has attested", s.name)
			}
		}
	})
}

// A response that cannot be encrypted as the wallet wants it is refused before a card is
// issued: afterwards it would be there, and nobody would have it.
func TestAnEncryptionThatCannotBeIsRefusedBeforeACardIsIssued(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "plain", w.Resident(), false)
	proofs := w.proofs(t, "attestation")
	w.rehearsal.Begin()
	waits := w.good(t, ctx, w.slow.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}))
	key, err := jws.KeyOf(&servicetest.Key("answers").PublicKey)
	check(t, err)
	key.Algorithm, key.KeyID = "ECDH-ES", "1"
	for name, change := range map[string]func(e map[string]any, k *jws.Key){
		"a long kid":      func(_ map[string]any, k *jws.Key) { k.KeyID = strings.Repeat("k", 5000) },
		"no alg":          func(_ map[string]any, k *jws.Key) { k.Algorithm = "" },
		"no point":        func(_ map[string]any, k *jws.Key) { k.X = k.Y },
		"unknown enc":     func(e map[string]any, _ *jws.Key) { e["enc"] = "A128CBC-HS256" },
		"compressed":      func(e map[string]any, _ *jws.Key) { e["zip"] = "DEF" },
		"as it should be": nil,
	} {
		k, e := key, map[string]any{"enc": jwe.A256GCM}
		want := http.StatusOK
		if change != nil {
			change(e, &k)
			want = http.StatusBadRequest
		}
		e["jwk"] = k
		for what, h := range map[string]web.Handler{
			marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs, "credential_response_encryption": e}): w.vci.Credential,
			marshal(t, map[string]any{"transaction_id": waits.Transaction, "credential_response_encryption": e}):                                w.vci.Deferred,
		} {
			rec, _ := w.send(ctx, h, what)
			wrote := w.rehearsal.Take()
			if rec.Code != want || wrote.Only() != (want != http.StatusOK) {
				t.Errorf("%s: %d %.200s, written: %q", name, rec.Code, rec.Body, wrote.Calls)
			}
			if want != http.StatusOK && !strings.Contains(rec.Body.String(), "invalid_encryption_parameters") {
				t.Errorf("%s: %s", name, rec.Body)
			}
		}
	}
}
