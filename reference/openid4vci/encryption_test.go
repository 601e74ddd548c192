package openid4vci_test

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/web"
)

// wanted is how a wallet wants a response encrypted: to a key of this name.
func wanted(t *testing.T, name string) map[string]any {
	t.Helper()
	k, err := jws.KeyOf(&servicetest.Key(name).PublicKey)
	check(t, err)
	k.Algorithm, k.Use, k.KeyID = "ECDH-ES", "enc", name
	return map[string]any{"jwk": k, "enc": jwe.A128GCM}
}

// decrypted is a response to a key of this name.
func decrypted(t *testing.T, rec *httptest.ResponseRecorder, name string) (out response) {
	t.Helper()
	if kind := rec.Header().Get("Content-Type"); rec.Code != 200 || kind != "application/jwt" {
		t.Fatalf("%d %s %.200s", rec.Code, kind, rec.Body)
	}
	m, err := jwe.Decrypt(rec.Body.String(), servicetest.Key(name), jwe.A128GCM)
	check(t, err)
	if m.KeyID != name {
		t.Errorf("kid %q, not %q", m.KeyID, name)
	}
	check(t, json.Unmarshal(m.Plaintext, &out))
	return out
}

// Who wants an encrypted response encrypts the request, or whoever is on its way could put
// their own key there (OpenID4VCI 1.0 §8.2, §9.1).
func TestOnlyAnEncryptedRequestGetsAnEncryptedResponse(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	w.rehearsal.Begin()
	waits := w.good(t, ctx, w.slow.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")}))
	w.rehearsal.Take()
	for what, h := range map[string]web.Handler{
		marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt"), "credential_response_encryption": wanted(t, "answers")}): w.vci.Credential,
		marshal(t, map[string]any{"transaction_id": waits.Transaction, "credential_response_encryption": wanted(t, "answers")}):                                            w.vci.Deferred,
	} {
		rec, _ := sendAs(ctx, h, "application/json", what)
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), "invalid_encryption_parameters") || !w.rehearsal.Take().Only() {
			t.Errorf("not encrypted: %d %.200s", rec.Code, rec.Body)
		}
		rec, _ = w.send(ctx, h, what)
		if out := decrypted(t, rec, "answers"); len(out.Credentials) != len(w.attested) {
			t.Errorf("encrypted: %d copies", len(out.Credentials))
		}
		w.rehearsal.Take()
	}
	// A request may be encrypted for its own sake.
	text := marshal(t, map[string]any{"credential_configuration_id": openid4vci.SDJWTID, "proofs": w.proofs(t, "jwt")})
	sealed, err := w.to().Encrypt(rand.NewChaCha8([32]byte{2}), nil, nil, []byte(text))
	check(t, err)
	rec, out := sendAs(ctx, w.vci.Credential, "application/jwt", sealed)
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/json" || len(out.Credentials) != len(w.attested) {
		t.Errorf("%d %.200s", rec.Code, rec.Body)
	}
}

func TestMetadataNameTheKeyToWhichRequestsAreEncrypted(t *testing.T) {
	w := newWallet(t)
	m := w.metadata().Requests
	if m.Required == nil || *m.Required || !slices.Equal(m.Encryption, []jwe.Encryption{jwe.A128GCM, jwe.A256GCM}) || len(m.Keys.Keys) != 1 {
		t.Fatalf("%+v", m)
	}
	if k := m.Keys.Keys[0]; k.KeyID == "" || k.Algorithm != "ECDH-ES" || k.Use != "enc" || k.D != nil {
		t.Errorf("%+v", k)
	}
	again := w.metadata().Requests.Keys.Keys[0]
	w.Pass(24 * time.Hour)
	if later := w.metadata().Requests.Keys.Keys[0]; again != m.Keys.Keys[0] || later.X == again.X || later.KeyID == again.KeyID {
		t.Errorf("%+v, %+v", again, later)
	}
}

// What is no request to this issuer's key is refused, and nothing is issued.
func TestARequestThatIsNotEncryptedToTheIssuerIsRefused(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	text := marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")})
	encrypt := func(change func(*jwe.Recipient), text string) string {
		to := w.to()
		if change != nil {
			change(&to)
		}
		sealed, err := to.Encrypt(rand.NewChaCha8([32]byte{3}), nil, nil, []byte(text))
		check(t, err)
		return sealed
	}
	header := func(old, new string) string {
		parts := strings.SplitN(encrypt(nil, text), ".", 2)
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		check(t, err)
		changed := strings.Replace(string(raw), old, new, 1)
		if changed == string(raw) {
			t.Fatalf("%s has no %s", raw, old)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(changed)) + "." + parts[1]
	}
	w.rehearsal.Begin()
	for _, c := range []struct{ name, text, code string }{
		{"another key", encrypt(func(to *jwe.Recipient) { to.Key = &servicetest.Key("other").PublicKey }, text), "invalid_encryption_parameters"},
		{"another kid", encrypt(func(to *jwe.Recipient) { to.KeyID = "2001-01-01" }, text), "invalid_encryption_parameters"},
		{"no kid", encrypt(func(to *jwe.Recipient) { to.KeyID = "" }, text), "invalid_encryption_parameters"},
		{"an enc that is not listed", header(`"A128GCM"`, `"A192GCM"`), "invalid_encryption_parameters"},
		{"an alg that is not listed", header(`"ECDH-ES"`, `"ECDH-ES+A128KW"`), "invalid_encryption_parameters"},
		{"RSA", header(`"ECDH-ES"`, `"RSA1_5"`), "invalid_encryption_parameters"},
		{"compressed", header(`"alg"`, `"zip":"DEF","alg"`), "invalid_encryption_parameters"},
		{"another enc than it was encrypted by", header(`"A128GCM"`, `"A256GCM"`), "invalid_encryption_parameters"},
		{"a header twice", header(`"alg"`, `"alg":"ECDH-ES","alg"`), "invalid_encryption_parameters"},
		{"not encrypted", text, "invalid_encryption_parameters"},
		{"no JSON in it", encrypt(nil, "a card, please"), "invalid_credential_request"},
		{"a member twice in it", encrypt(nil, strings.Replace(text, "{", `{"credential_configuration_id":"rrc_sd_jwt",`, 1)), "invalid_credential_request"},
	} {
		rec, _ := sendAs(ctx, w.vci.Credential, "application/jwt", c.text)
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), c.code) || !w.rehearsal.Take().Only() {
			t.Errorf("%s: %d %.200s", c.name, rec.Code, rec.Body)
		}
	}
	if rec, _ := sendAs(ctx, w.vci.Credential, "application/jwt", encrypt(nil, text)); rec.Code != 200 {
		t.Errorf("as it should be: %d %s", rec.Code, rec.Body)
	}
}

// Who has read the metadata may use its key until the next day is over.
func TestTheKeyOfTheDayBeforeIsRead(t *testing.T) {
	w := newWallet(t)
	c, to := w.Resident(), w.to()
	for day, want := range []int{200, 200, 400} {
		ctx := w.granted(t, "day "+string('0'+rune(day)), c, false)
		sealed, err := to.Encrypt(rand.NewChaCha8([32]byte{byte(day)}), nil, nil,
			[]byte(marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "attestation")})))
		check(t, err)
		if rec, _ := sendAs(ctx, w.vci.Credential, "application/jwt", sealed); rec.Code != want {
			t.Errorf("%d days later: %d %s", day, rec.Code, rec.Body)
		}
		w.Pass(24 * time.Hour)
	}
}

// The response to a deferred request is encrypted as that request wants it, whatever the
// first one wanted: the key of the first may be gone (OpenID4VCI 1.0 §9.1).
func TestADeferredResponseIsEncryptedAsItsOwnRequestWants(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	rec, _ := w.send(ctx, w.slow.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt"),
		"credential_response_encryption": wanted(t, "first")}))
	m, err := jwe.Decrypt(rec.Body.String(), servicetest.Key("first"))
	check(t, err)
	var waits response
	check(t, json.Unmarshal(m.Plaintext, &waits))
	if rec.Code != 202 || waits.Transaction == "" {
		t.Fatalf("%d %s", rec.Code, m.Plaintext)
	}
	rec, _ = w.send(ctx, w.vci.Deferred, marshal(t, map[string]any{"transaction_id": waits.Transaction, "credential_response_encryption": wanted(t, "second")}))
	if out := decrypted(t, rec, "second"); len(out.Credentials) != len(w.attested) {
		t.Errorf("%d copies", len(out.Credentials))
	}
	rec, out := w.send(ctx, w.vci.Deferred, marshal(t, map[string]any{"transaction_id": waits.Transaction}))
	if rec.Code != 200 || len(out.Credentials) != len(w.attested) {
		t.Errorf("not encrypted: %d %.100s", rec.Code, rec.Body)
	}
}

// A body that cannot be read is refused by the code of its endpoint (§8.3.1, §9.3, §11.3).
func TestWhatCannotBeReadIsRefusedByTheCodeOfItsEndpoint(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	w.rehearsal.Begin()
	for _, c := range []struct {
		h    web.Handler
		name string
		code string
	}{
		{w.vci.Credential, "credential_configuration_id", "invalid_credential_request"},
		{w.vci.Deferred, "transaction_id", "invalid_credential_request"},
		{w.vci.Notify, "notification_id", "invalid_notification_request"},
	} {
		for _, text := range []string{"", "{", "[]", `{"` + c.name + `":1}`, `{"` + c.name + `":"a","` + c.name + `":"b"}`, "{\"" + c.name + "\":\"\xff\"}"} {
			rec, _ := w.send(ctx, c.h, text)
			if rec.Code != 400 || !strings.Contains(rec.Body.String(), `"`+c.code+`"`) || !w.rehearsal.Take().Only() {
				t.Errorf("%s %q: %d %s", c.name, text, rec.Code, rec.Body)
			}
		}
	}
}
