package wallet_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// The cases of the OpenID conformance suite for issuers, by its names: each is
// refused with the code that the standard gives it, and nothing is issued.

// tamper changes the wallet's requests to a path on their way.
func (w *world) tamper(path string, change func(*http.Request)) {
	inner := w.mux
	w.mux = http.NewServeMux()
	w.mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			change(r)
		}
		inner.ServeHTTP(rw, r)
	})
}

// rewrite changes a body of JSON.
func rewrite(change func(body map[string]any)) func(*http.Request) {
	return func(r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			panic(err)
		}
		change(body)
		text, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
	}
}

// reform changes a form.
func reform(change func(url.Values)) func(*http.Request) {
	return func(r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		form, err := url.ParseQuery(string(text))
		if err != nil {
			panic(err)
		}
		change(form)
		r.Body = io.NopCloser(strings.NewReader(form.Encode()))
	}
}

// encrypt makes of a request in JSON one that only the issuer can read.
func encrypt(t *testing.T, i *wallet.Issuer, r *http.Request) {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	check(t, err)
	k := i.Requests.Keys.Keys[0]
	key, err := k.Public()
	check(t, err)
	sealed, err := jwe.Recipient{Key: key, KeyID: k.KeyID, Encryption: jwe.A128GCM}.Encrypt(rand.NewChaCha8([32]byte{}), nil, nil, text)
	check(t, err)
	r.Header.Set("Content-Type", "application/jwt")
	r.Body = io.NopCloser(strings.NewReader(sealed))
}

// badSignature spoils the signature of a token.
func badSignature(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	b := []byte(token)
	b[i+5] = map[bool]byte{true: 'B', false: 'A'}[b[i+5] == 'A']
	return string(b)
}

func TestFailOnTheClient(t *testing.T) {
	for _, c := range []struct {
		name   string
		header func(w *world, one *wallet.Wallet, h http.Header)
		code   string
	}{
		{"FailOnClientAttestationExpInPast", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Set(oauth.HeaderAttestation, w.attestation(one, func(c map[string]any) { c["exp"] = w.Now().Add(-time.Minute).Unix() }))
		}, oauth.UseFreshAttestation},
		{"FailOnClientAttestationNoSub", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Set(oauth.HeaderAttestation, w.attestation(one, func(c map[string]any) { delete(c, "sub") }))
		}, oauth.InvalidClientAttestation},
		{"FailOnInvalidClientAttestationSignature", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Set(oauth.HeaderAttestation, badSignature(h.Get(oauth.HeaderAttestation)))
		}, oauth.InvalidClientAttestation},
		{"a provider that is not trusted", func(w *world, one *wallet.Wallet, h http.Header) {
			other, err := wallet.NewProvider("https://wallet.example", []byte("impostor"), servicetest.Noon.AddDate(-1, 0, 0))
			check(w.t, err)
			text, err := oauth.ClientAttestation{ClientID: other.ClientID, Key: &one.InstanceForTests().PublicKey, IssuedAt: w.Now(), Expires: w.Now().Add(time.Hour)}.Sign(other.Sign, [][]byte{other.Attestation})
			check(w.t, err)
			h.Set(oauth.HeaderAttestation, text)
		}, oauth.InvalidClientAttestation},
		{"FailOnPopWrongAud", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Set(oauth.HeaderPoP, w.pop(one.InstanceForTests(), "https://other.example"))
		}, oauth.InvalidClientAttestation},
		{"FailOnInvalidPopSignature", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Set(oauth.HeaderPoP, badSignature(h.Get(oauth.HeaderPoP)))
		}, oauth.InvalidClientAttestation},
		{"FailOnMismatchedPopKey", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Set(oauth.HeaderPoP, w.pop(servicetest.Key("another"), issuer))
		}, oauth.InvalidClientAttestation},
		{"no attestation", func(w *world, one *wallet.Wallet, h http.Header) { h.Del(oauth.HeaderAttestation) }, oauth.InvalidClientAttestation},
		{"two attestations", func(w *world, one *wallet.Wallet, h http.Header) {
			h.Add(oauth.HeaderAttestation, h.Get(oauth.HeaderAttestation))
		}, oauth.InvalidClientAttestation},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			one := w.wallet("phone")
			w.tamper("/oauth/par", func(r *http.Request) { c.header(w, one, r.Header) })
			_, err := one.Apply(ctx, issuer, openid4vci.MdocID)
			status := 401
			if c.code == oauth.UseFreshAttestation {
				status = 400
			}
			refused(t, c.name, err, status, c.code)
		})
	}
}

// attestation is one of the wallet with other claims.
func (w *world) attestation(one *wallet.Wallet, change func(map[string]any)) string {
	w.t.Helper()
	key, err := jws.KeyOf(&one.InstanceForTests().PublicKey)
	check(w.t, err)
	claims := map[string]any{"sub": w.provider.ClientID, "iat": w.Now().Unix(), "exp": w.Now().Add(time.Hour).Unix(), "cnf": map[string]any{"jwk": key}}
	change(claims)
	text, err := jws.Sign(w.provider.Sign).Token(jws.Header{Type: "oauth-client-attestation+jwt", Chain: [][]byte{w.provider.Attestation}}, claims)
	check(w.t, err)
	return text
}

func (w *world) pop(key *ecdsa.PrivateKey, audience string) string {
	w.t.Helper()
	text, err := oauth.PoP{Audience: audience, ID: "some id", IssuedAt: w.Now()}.Sign(key)
	check(w.t, err)
	return text
}

func TestAnAttestationMadeByHandIsGood(t *testing.T) { // or the cases above would prove nothing
	w := newWorld(t)
	one := w.wallet("phone")
	w.tamper("/oauth/par", func(r *http.Request) {
		r.Header.Set(oauth.HeaderAttestation, w.attestation(one, func(map[string]any) {}))
		r.Header.Set(oauth.HeaderPoP, w.pop(one.InstanceForTests(), issuer))
	})
	_, err := one.Apply(ctx, issuer, openid4vci.MdocID)
	check(t, err)
	_, err = one.Apply(ctx, issuer, openid4vci.MdocID)
	refused(t, "the same proof of possession again", err, 401, oauth.InvalidClientAttestation)
}

func TestFailOnTheCredentialRequest(t *testing.T) {
	proofs := func(change func(w *world, p *keyproof.Proofs, token *wallet.Token, keys []*ecdsa.PrivateKey)) func(*world, *wallet.Token, []*ecdsa.PrivateKey, map[string]any) {
		return func(w *world, token *wallet.Token, keys []*ecdsa.PrivateKey, body map[string]any) {
			nonce, err := token.Nonce(ctx)
			check(w.t, err)
			p, err := token.Prove(keys, nonce, true)
			check(w.t, err)
			change(w, &p, token, keys)
			body["proofs"] = p
		}
	}
	for _, c := range []struct {
		name   string
		change func(*world, *wallet.Token, []*ecdsa.PrivateKey, map[string]any)
		code   string
	}{
		{"FailOnInvalidJwtProofSignature", proofs(func(w *world, p *keyproof.Proofs, _ *wallet.Token, _ []*ecdsa.PrivateKey) {
			p.JWT[0] = badSignature(p.JWT[0])
		}), keyproof.InvalidProof},
		{"FailOnInvalidKeyAttestationSignature", func(w *world, token *wallet.Token, keys []*ecdsa.PrivateKey, body map[string]any) {
			nonce, err := token.Nonce(ctx)
			check(w.t, err)
			p, err := token.Prove(keys, nonce, false)
			check(w.t, err)
			p.Attestation[0] = badSignature(p.Attestation[0])
			body["proofs"] = p
		}, keyproof.InvalidProof},
		{"keys that nobody attests", proofs(func(w *world, p *keyproof.Proofs, token *wallet.Token, keys []*ecdsa.PrivateKey) {
			nonce, err := token.Nonce(ctx)
			check(w.t, err)
			p.JWT[0], err = keyproof.Proof{ClientID: w.provider.ClientID, Audience: issuer, IssuedAt: w.Now(), Nonce: nonce}.Sign(keys[0])
			check(w.t, err)
		}), keyproof.InvalidProof},
		{"FailOnInvalidNonce", proofs(func(w *world, p *keyproof.Proofs, token *wallet.Token, keys []*ecdsa.PrivateKey) {
			again, err := token.Prove(keys, "made up", true)
			check(w.t, err)
			*p = again
		}), keyproof.InvalidNonce},
		{"a nonce that is over", proofs(func(w *world, p *keyproof.Proofs, token *wallet.Token, keys []*ecdsa.PrivateKey) {
			nonce, err := token.Nonce(ctx)
			check(w.t, err)
			w.Pass(5 * time.Minute)
			again, err := token.Prove(keys, nonce, true)
			check(w.t, err)
			*p = again
		}), "invalid_token_or_nonce"},
		{"FailOnMissingProof", func(_ *world, _ *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) { delete(body, "proofs") }, keyproof.InvalidProof},
		{"a proof of drafts", func(_ *world, _ *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) {
			body["proof"] = map[string]any{"proof_type": "jwt"}
		}, "invalid_credential_request"},
		{"FailOnUnknownCredentialConfigurationId", func(_ *world, _ *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) {
			body["credential_configuration_id"] = "passport"
		}, "unknown_credential_configuration"},
		{"FailOnUnknownCredentialIdentifier", func(_ *world, _ *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) {
			delete(body, "credential_configuration_id")
			body["credential_identifier"] = "passport"
		}, "unknown_credential_identifier"},
		{"neither configuration nor identifier", func(_ *world, _ *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) {
			delete(body, "credential_configuration_id")
		}, "invalid_credential_request"},
		{"FailOnUnsupportedEncryptionAlgorithm", func(w *world, _ *wallet.Token, keys []*ecdsa.PrivateKey, body map[string]any) {
			k, err := jws.KeyOf(&keys[0].PublicKey)
			check(w.t, err)
			k.Algorithm = "ECDH-ES"
			body["credential_response_encryption"] = map[string]any{"jwk": k, "enc": "A192CBC-HS384"}
		}, "invalid_encryption_parameters"},
		{"an unsupported key agreement", func(w *world, _ *wallet.Token, keys []*ecdsa.PrivateKey, body map[string]any) {
			k, err := jws.KeyOf(&keys[0].PublicKey)
			check(w.t, err)
			k.Algorithm = "RSA-OAEP"
			body["credential_response_encryption"] = map[string]any{"jwk": k, "enc": jwe.A128GCM}
		}, "invalid_encryption_parameters"},
		{"an encrypted response without any parameters", func(_ *world, _ *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) {
			body["credential_response_encryption"] = map[string]any{}
		}, "invalid_encryption_parameters"},
		{"more keys than copies", func(w *world, token *wallet.Token, _ []*ecdsa.PrivateKey, body map[string]any) {
			nonce, err := token.Nonce(ctx)
			check(w.t, err)
			var keys []*ecdsa.PrivateKey
			for _, name := range strings.Split("a b c d", " ") {
				keys = append(keys, servicetest.Key(name))
			}
			body["proofs"], err = token.Prove(keys, nonce, false)
			check(w.t, err)
		}, keyproof.InvalidProof},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			one, citizen := w.wallet("phone"), w.Resident()
			token := w.authorise(one, citizen)
			keys := one.Phone().Keys(1)
			before := w.sequence()
			w.tamper("/vci/credential", func(r *http.Request) {
				rewrite(func(body map[string]any) { c.change(w, token, keys, body) })(r)
				if c.code == "invalid_encryption_parameters" { // or that would be why
					encrypt(t, token.Issuer, r)
				}
			})
			_, err := token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
			if c.code == "invalid_token_or_nonce" {
				// The proof of the request is five minutes old as well: either may be said.
				if err == nil {
					t.Error("a nonce that is over was taken")
				}
			} else {
				refused(t, c.name, err, 400, c.code)
			}
			if w.sequence() != before || len(one.Copies()) != 0 {
				t.Error("something was issued")
			}
		})
	}
}

func TestFailOnTheToken(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string
		change func(*world, *http.Request)
		status int
		code   string
	}{
		{"FailOnAccessTokenInQuery", "/vci/credential", func(_ *world, r *http.Request) {
			r.URL.RawQuery = url.Values{"access_token": {strings.TrimPrefix(r.Header.Get("Authorization"), "DPoP ")}}.Encode()
			r.Header.Del("Authorization")
		}, 401, "invalid_token"},
		{"a token that was changed", "/vci/credential", func(_ *world, r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"A") }, 401, "invalid_token"},
		{"a token of another server", "/vci/credential", func(_ *world, r *http.Request) { r.Header.Set("Authorization", "DPoP made-up") }, 401, "invalid_token"},
		{"no DPoP proof", "/vci/credential", func(_ *world, r *http.Request) { r.Header.Del("DPoP") }, 401, oauth.InvalidDPoPProof},
		{"two DPoP proofs", "/vci/credential", func(_ *world, r *http.Request) { r.Header.Add("DPoP", r.Header.Get("DPoP")) }, 401, oauth.InvalidDPoPProof},
		{"a DPoP proof with a bad signature", "/vci/credential", func(_ *world, r *http.Request) { r.Header.Set("DPoP", badSignature(r.Header.Get("DPoP"))) }, 401, oauth.InvalidDPoPProof},
		{"a DPoP proof of another key", "/vci/credential", func(w *world, r *http.Request) {
			proof, err := oauth.DPoP{Method: "POST", URL: issuer + r.URL.Path, ID: "x", IssuedAt: w.Now(), AccessToken: strings.TrimPrefix(r.Header.Get("Authorization"), "DPoP ")}.Proof(servicetest.Key("thief"))
			check(w.t, err)
			r.Header.Set("DPoP", proof)
		}, 401, ""},
		{"another code", "/oauth/token", func(_ *world, r *http.Request) { reform(func(f url.Values) { f.Set("code", "made up") })(r) }, 400, oauth.InvalidGrant},
		{"another verifier", "/oauth/token", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) })(r)
		}, 400, oauth.InvalidGrant},
		{"another redirect_uri", "/oauth/token", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("redirect_uri", "https://thief.example") })(r)
		}, 400, oauth.InvalidGrant},
		{"an unknown grant", "/oauth/token", func(_ *world, r *http.Request) { reform(func(f url.Values) { f.Set("grant_type", "password") })(r) }, 400, "unsupported_grant_type"},
		{"a parameter twice", "/oauth/token", func(_ *world, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(text) + "&grant_type=authorization_code"))
		}, 400, "invalid_request"},
		{"plain PKCE", "/oauth/par", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("code_challenge_method", "plain") })(r)
		}, 400, "invalid_request"},
		{"no PKCE", "/oauth/par", func(_ *world, r *http.Request) { reform(func(f url.Values) { f.Del("code_challenge") })(r) }, 400, "invalid_request"},
		{"a response type that shows the token", "/oauth/par", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("response_type", "token") })(r)
		}, 400, "unsupported_response_type"},
		{"an unknown scope", "/oauth/par", func(_ *world, r *http.Request) { reform(func(f url.Values) { f.Set("scope", "passport") })(r) }, 400, "invalid_scope"},
		{"a redirect into a script", "/oauth/par", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("redirect_uri", "javascript:alert(1)") })(r)
		}, 400, "invalid_request"},
		{"a redirect without TLS", "/oauth/par", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("redirect_uri", "http://wallet.example/") })(r)
		}, 400, "invalid_request"},
		{"a request_uri in a pushed request", "/oauth/par", func(_ *world, r *http.Request) {
			reform(func(f url.Values) { f.Set("request_uri", "urn:x") })(r)
		}, 400, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			one, citizen := w.wallet("phone"), w.Resident()
			before := 0
			w.tamper(c.path, func(r *http.Request) { before++; c.change(w, r) })
			err := func() error {
				a, err := one.Apply(ctx, issuer, openid4vci.MdocID)
				if err != nil {
					return err
				}
				challenge, err := a.Challenge(ctx)
				check(t, err)
				token, err := a.Prove(ctx, challenge, evidence(citizen, challenge), capture(citizen))
				if err != nil {
					return err
				}
				_, err = token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
				return err
			}()
			if before == 0 {
				t.Fatal("nothing was tampered with")
			}
			if c.code == "" {
				if err == nil {
					t.Error("it was taken")
				}
			} else {
				refused(t, c.name, err, c.status, c.code)
			}
			if len(one.Copies()) != 0 {
				t.Error("something was issued")
			}
		})
	}
}

func TestACodeAndAProofAreUsedOnce(t *testing.T) {
	w := newWorld(t)
	one, citizen := w.wallet("phone"), w.Resident()
	var token, credential *http.Request
	keep := func(to **http.Request) func(*http.Request) {
		return func(r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			again := r.Clone(ctx)
			again.Body = io.NopCloser(bytes.NewReader(text))
			*to = again
			r.Body = io.NopCloser(bytes.NewReader(text))
		}
	}
	w.tamper("/oauth/token", keep(&token))
	w.tamper("/vci/credential", keep(&credential))
	got := w.authorise(one, citizen)
	_, err := got.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	check(t, err)
	seq := w.sequence()
	for name, again := range map[string]*http.Request{"the token request": token, "the credential request": credential} {
		res, err := w.RoundTrip(again)
		check(t, err)
		if res.StatusCode/100 == 2 {
			t.Errorf("%s was taken twice", name)
		}
	}
	if w.sequence() != seq {
		t.Error("something was issued")
	}
}

func TestHappyFlowAdditionalRequestsMultipleClientsSkipNotification(t *testing.T) {
	w := newWorld(t)
	citizens := []*servicetest.Citizen{w.Resident(), w.Resident()}
	wallets := []*wallet.Wallet{w.wallet("first"), w.wallet("second")}
	for i, one := range wallets {
		token := w.authorise(one, citizens[i])
		// AdditionalRequests: nonces and metadata as often as one likes.
		for range 3 {
			_, err := token.Nonce(ctx)
			check(t, err)
		}
		_, err := token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1, JWT: i == 0})
		check(t, err)
	}
	for _, one := range wallets {
		if v := w.look(one); v != "accepted" {
			t.Errorf("verdict %s", v)
		}
	}
	// SkipNotification: nobody waits for the wallet's word.
	w.tamper("/vci/notification", func(r *http.Request) { r.Body = http.NoBody })
	silent, citizen := w.wallet("silent"), w.Resident()
	_, _ = w.authorise(silent, citizen).Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	if v := w.look(silent); v != "accepted" {
		t.Errorf("without a notification: %s", v)
	}
}

// Each copy of a batch is bound to a key of its own.
func TestBatchIssuance(t *testing.T) {
	w := newWorld(t)
	one, c := w.wallet("batch"), w.Resident()
	token := w.authorise(one, c)
	keys := map[string]bool{}
	for i, config := range []string{openid4vci.MdocID, openid4vci.SDJWTID} {
		copies, err := token.Issue(ctx, config, wallet.Ask{Copies: servicetest.Copies, JWT: i == 0})
		check(t, err)
		if len(copies) != servicetest.Copies {
			t.Errorf("%s: %d copies, want %d", config, len(copies), servicetest.Copies)
		}
		for _, one := range copies {
			raw, err := one.Key.PublicKey.Bytes()
			check(t, err)
			keys[string(raw)] = true
		}
	}
	if len(keys) != 2*servicetest.Copies {
		t.Errorf("%d keys of %d copies", len(keys), 2*servicetest.Copies)
	}
	if v := w.look(one); v != "accepted" {
		t.Errorf("a copy of the batch: %s", v)
	}
}

func TestNotificationsAreOfTheTokenThatGotTheCard(t *testing.T) {
	w := newWorld(t)
	one, citizen := w.wallet("phone"), w.Resident()
	var id string
	w.tamper("/vci/notification", rewrite(func(body map[string]any) { id, _ = body["notification_id"].(string) }))
	token := w.authorise(one, citizen)
	_, err := token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1})
	check(t, err)
	check(t, token.Notify(ctx, id, "credential_deleted"))
	refused(t, "an unknown event", token.Notify(ctx, id, "credential_eaten"), 400, "invalid_notification_request")
	refused(t, "a made-up id", token.Notify(ctx, "made up", "credential_deleted"), 400, "invalid_notification_id")
	other := w.authorise(w.wallet("other"), w.Resident())
	refused(t, "another token", other.Notify(ctx, id, "credential_deleted"), 400, "invalid_notification_id")
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	get := func(path, accept string) (*http.Response, []byte) {
		r, err := http.NewRequest("GET", issuer+path, nil)
		check(t, err)
		r.Header.Set("Accept", accept)
		res, err := w.RoundTrip(r)
		check(t, err)
		body, err := io.ReadAll(res.Body)
		check(t, err)
		return res, body
	}
	_, body := get("/.well-known/openid-credential-issuer", "application/json")
	var m map[string]any
	check(t, json.Unmarshal(body, &m))
	configs := m["credential_configurations_supported"].(map[string]any)
	for id, want := range map[string]string{openid4vci.MdocID: "mso_mdoc", openid4vci.SDJWTID: "dc+sd-jwt"} {
		c := configs[id].(map[string]any)
		if c["format"] != want || c["scope"] != id || c["proof_types_supported"].(map[string]any)["jwt"].(map[string]any)["key_attestations_required"] == nil {
			t.Errorf("%s: %v", id, c)
		}
	}
	for _, name := range []string{"credential_request_encryption", "credential_response_encryption"} {
		if e := m[name].(map[string]any); e["encryption_required"] != false || len(e["enc_values_supported"].([]any)) != 2 {
			t.Errorf("%s: %v", name, e)
		}
	}
	if m["credential_issuer"] != issuer || m["nonce_endpoint"] != issuer+"/vci/nonce" || m["batch_credential_issuance"].(map[string]any)["batch_size"] != float64(servicetest.Copies) {
		t.Errorf("%s", body)
	}
	_, body = get("/.well-known/oauth-authorization-server", "application/json")
	check(t, json.Unmarshal(body, &m))
	if m["require_pushed_authorization_requests"] != true || m["issuer"] != issuer || !slices.Contains(m["code_challenge_methods_supported"].([]any), any("S256")) {
		t.Errorf("%s", body)
	}

	// MetadataSigned.
	res, body := get("/.well-known/openid-credential-issuer", "application/jwt")
	token, err := jws.Parse(body)
	check(t, err)
	header, err := token.ReadHeader("openidvci-issuer-metadata+jwt")
	check(t, err)
	var claims struct{ Sub, Iss string }
	check(t, token.Claims(&claims))
	if res.Header.Get("Content-Type") != "application/jwt" || claims.Sub != issuer || len(header.Chain) != 1 || !token.Verify(&servicetest.Key("metadata").PublicKey) {
		t.Errorf("%+v %+v", claims, header)
	}
}
