package wallet_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// asked is a request on its way to a wallet, good until something of it is changed.
type asked struct {
	link   url.Values     // what stands in the QR code
	claims map[string]any // of the request
	typ    string
	signer string // name of the key
	chain  [][]byte
	nonce  bool // whether the wallet's goes back to it
}

// A wallet answers requests that are signed by a known verifier, for it, in their time and
// by the profile (OpenID4VP 1.0 §5; HAIP 1.0 §5), and no others.
func TestAWalletAnswersNoOtherRequestThanThatOfTheProfile(t *testing.T) {
	w := newWorld(t)
	r, stranger := newRegistrar(w, "registrar"), newRegistrar(w, "stranger")
	one := r.wallet()
	var serve asked
	w.mux.HandleFunc("/hostile", func(rw http.ResponseWriter, q *http.Request) {
		if err := q.ParseForm(); err != nil {
			t.Error(err)
		}
		if nonce := q.PostForm.Get("wallet_nonce"); nonce != "" && serve.nonce {
			serve.claims["wallet_nonce"] = nonce
		}
		text, err := jws.With(servicetest.Key(serve.signer)).Token(jws.Header{Type: serve.typ, Chain: serve.chain}, serve.claims)
		check(t, err)
		_, _ = rw.Write([]byte(text))
	})
	for what, change := range map[string]func(*asked){
		"":                                           func(*asked) {},
		"by GET":                                     func(a *asked) { a.link.Del("request_uri_method"); delete(a.claims, "wallet_nonce") },
		"!no request_uri":                            func(a *asked) { a.link.Del("request_uri") },
		"!another client_id in the QR code":          func(a *asked) { a.link.Set("client_id", "x509_hash:other") },
		"!the client_id of another certificate":      func(a *asked) { a.claims["client_id"] = "x509_hash:other"; a.link.Set("client_id", "x509_hash:other") },
		"!a client_id by another scheme":             func(a *asked) { a.claims["client_id"] = "shop"; a.link.Set("client_id", "shop") },
		"!without the wallet's nonce":                func(a *asked) { a.nonce = false },
		"!with another wallet's nonce":               func(a *asked) { a.nonce = false; a.claims["wallet_nonce"] = "other" },
		"!for somebody else":                         func(a *asked) { a.claims["aud"] = issuer },
		"!for nobody":                                func(a *asked) { delete(a.claims, "aud") },
		"!at its end":                                func(a *asked) { a.claims["exp"] = w.Now().Unix() },
		"!another response_type":                     func(a *asked) { a.claims["response_type"] = "vp_token id_token" },
		"!unencrypted":                               func(a *asked) { a.claims["response_mode"] = "direct_post" },
		"!without a nonce":                           func(a *asked) { delete(a.claims, "nonce") },
		"!to be answered without TLS":                func(a *asked) { a.claims["response_uri"] = "http://shop.example/" },
		"!without a key to encrypt to":               func(a *asked) { a.claims["client_metadata"] = map[string]any{"jwks": map[string]any{"keys": []any{}}} },
		"!with a key to encrypt to in another way":   func(a *asked) { a.key()["alg"] = "ECDH-ES+A256KW" },
		"!with a key to sign with":                   func(a *asked) { a.key()["use"] = "sig" },
		"!encrypted in no way that there is here":    func(a *asked) { a.encrypted("A256CBC-HS512") },
		"encrypted also in another way":              func(a *asked) { a.encrypted("A256GCM", "A256CBC-HS512") },
		"encrypted as it comes":                      func(a *asked) { delete(a.metadata(), "encrypted_response_enc_values_supported") },
		"!with a payment to confirm":                 func(a *asked) { a.claims["transaction_data"] = []string{"e30"} },
		"!with a redirect_uri beside the other":      func(a *asked) { a.claims["redirect_uri"] = "https://shop.example/" },
		"!a query that is none":                      func(a *asked) { a.claims["dcql_query"] = map[string]any{"credentials": []any{}} },
		"!of another type of token":                  func(a *asked) { a.typ = "JWT" },
		"!signed with another key":                   func(a *asked) { a.signer = "thief" },
		"!without a certificate":                     func(a *asked) { a.chain = nil },
		"!of a verifier whom no authority knows":     func(a *asked) { a.by(stranger.leaf) },
		"!with the authority itself behind the leaf": func(a *asked) { a.chain = [][]byte{r.leaf, r.root.Raw} },
	} {
		w.signs = func(string) (openid4vp.Reader, error) {
			return openid4vp.Reader{Sign: jws.With(servicetest.Key("reader shop")), Chain: [][]byte{r.leaf}}, nil
		}
		begun, err := w.vp.Ask(ctx, shop, openid4vp.Asked{Elements: []string{"age_over_19"}})
		check(t, err)
		_, query, _ := strings.Cut(begun.Request, "?")
		link, err := url.ParseQuery(query)
		check(t, err)
		good, err := one.Open(ctx, begun.Request)
		check(t, err)
		text, err := json.Marshal(good)
		check(t, err)
		serve = asked{link: link, typ: "oauth-authz-req+jwt", signer: "reader shop", chain: [][]byte{r.leaf}, nonce: true}
		check(t, json.Unmarshal(text, &serve.claims))
		serve.claims["wallet_nonce"] = "of the first fetch"
		serve.link.Set("request_uri", issuer+"/hostile")
		change(&serve)
		_, err = one.Open(ctx, "openid4vp://?"+serve.link.Encode())
		if wrong := strings.HasPrefix(what, "!"); wrong && !errors.Is(err, wallet.ErrRequest) || !wrong && err != nil {
			t.Errorf("%q: %v", what, err)
		}
		w.Pass(time.Second)
	}
}

func (a *asked) metadata() map[string]any { return a.claims["client_metadata"].(map[string]any) }

func (a *asked) key() map[string]any {
	return a.metadata()["jwks"].(map[string]any)["keys"].([]any)[0].(map[string]any)
}

func (a *asked) encrypted(ways ...string) {
	a.metadata()["encrypted_response_enc_values_supported"] = ways
}

// by lets a verifier with another certificate ask in its own name.
func (a *asked) by(leaf []byte) {
	id := openid4vp.Reader{Chain: [][]byte{leaf}}.ClientID()
	a.chain, a.claims["client_id"] = [][]byte{leaf}, id
	a.link.Set("client_id", id)
}
