package wallet

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/p256"
	"rollcall.example/rollcall/reference/sdjwt"
)

// Request is a verifier's request as the wallet has understood and checked it.
type Request struct {
	ClientID    string          `json:"client_id"`
	Type        string          `json:"response_type"`
	Mode        string          `json:"response_mode"`
	ResponseURI string          `json:"response_uri"`
	Audience    string          `json:"aud"`
	Nonce       string          `json:"nonce"`
	WalletNonce string          `json:"wallet_nonce"`
	State       string          `json:"state"`
	Query       json.RawMessage `json:"dcql_query"`
	// What this wallet does not do stands in no request that it answers.
	TransactionData json.RawMessage `json:"transaction_data,omitempty"`
	RedirectURI     string          `json:"redirect_uri,omitempty"`
	Expires         int64           `json:"exp"`
	Metadata        struct {
		Keys struct {
			Keys []jws.Key `json:"keys"`
		} `json:"jwks"`
		Encryption []jwe.Encryption `json:"encrypted_response_enc_values_supported"`
	} `json:"client_metadata"`

	// Verifier is what the certificate calls who asks.
	Verifier string `json:"-"`
	query    *dcql.Query
	key      *ecdsa.PublicKey
	kid      string
	enc      jwe.Encryption
}

// ErrRequest: the request is not one that this wallet answers.
var ErrRequest = errors.New("the verifier's request is not accepted")

func unacceptable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRequest}, args...)...)
}

// Open fetches and checks the request in a QR code or link (OpenID4VP 1.0 §5).
func (w *Wallet) Open(ctx context.Context, text string) (*Request, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, unacceptable("%v", err)
	}
	q := u.Query()
	address := q.Get("request_uri")
	if address == "" {
		return nil, unacceptable("there is no request_uri: only signed requests are answered")
	}
	nonce := ""
	var a answer
	if q.Get("request_uri_method") == "post" {
		if nonce, err = w.random(); err != nil {
			return nil, err
		}
		a, err = w.proven(ctx, call{method: http.MethodPost, url: address, noProof: true, form: url.Values{"wallet_nonce": {nonce}},
			header: http.Header{"Accept": {"application/oauth-authz-req+jwt"}}})
	} else {
		a, err = w.get(ctx, address, "application/oauth-authz-req+jwt")
	}
	if err != nil {
		return nil, err
	}
	r, err := w.read(ctx, a.body)
	switch {
	case err != nil:
		return nil, err
	case r.ClientID != q.Get("client_id"):
		return nil, unacceptable("it is of %.80q, not of %.80q", r.ClientID, q.Get("client_id"))
	case nonce != "" && r.WalletNonce != nonce:
		return nil, unacceptable("it was made for another wallet")
	}
	return r, nil
}

// read checks a signed request.
func (w *Wallet) read(ctx context.Context, signed []byte) (*Request, error) {
	token, err := jws.Parse(signed)
	if err != nil {
		return nil, unacceptable("%v", err)
	}
	header, err := token.ReadHeader("oauth-authz-req+jwt")
	if err != nil {
		return nil, unacceptable("%v", err)
	}
	if len(header.Chain) == 0 {
		return nil, unacceptable("it is not signed by a certificate")
	}
	leaf, err := x509.ParseCertificate(header.Chain[0])
	if err != nil {
		return nil, unacceptable("its certificate: %v", err)
	}
	public, _ := leaf.PublicKey.(*ecdsa.PublicKey)
	reader, err := p256.NewKey(public)
	if err != nil {
		return nil, unacceptable("its certificate's key is not P-256")
	}
	if w.o.Readers != nil {
		if reader, err = w.o.Readers.Key(header.Chain, w.o.Now()); err != nil {
			return nil, unacceptable("%v", err)
		}
		if err := w.checkRevoked(ctx, leaf); err != nil {
			return nil, err
		}
	}
	if !token.VerifyBy(reader) {
		return nil, unacceptable("its signature is wrong")
	}
	r := &Request{}
	if err := token.Claims(r); err != nil {
		return nil, unacceptable("%v", err)
	}
	hash := sha256.Sum256(header.Chain[0])
	switch {
	case r.ClientID != "x509_hash:"+base64.RawURLEncoding.EncodeToString(hash[:]):
		return nil, unacceptable("the client_id is not the hash of its certificate")
	case r.Type != "vp_token" || r.Mode != "direct_post.jwt":
		return nil, unacceptable("it wants %q by %q", r.Type, r.Mode)
	case r.Audience != "https://self-issued.me/v2":
		return nil, unacceptable("it is for %.80q", r.Audience)
	case r.Nonce == "" || !strings.HasPrefix(r.ResponseURI, "https://"):
		return nil, unacceptable("it has no nonce, or no response_uri by https")
	case r.TransactionData != nil:
		return nil, unacceptable("it wants transaction_data to be confirmed, of which this wallet knows none")
	case r.RedirectURI != "":
		return nil, unacceptable("it has a redirect_uri beside the response_uri")
	case r.Expires != 0 && w.o.Now().Unix() >= r.Expires:
		return nil, unacceptable("its time is over")
	}
	for _, k := range r.Metadata.Keys.Keys {
		if (k.Use == "" || k.Use == "enc") && (k.Algorithm == "" || k.Algorithm == "ECDH-ES") {
			if r.key, err = k.Public(); err == nil {
				r.kid = k.KeyID
				break
			}
		}
	}
	if r.key == nil {
		return nil, unacceptable("it has no key to encrypt the answer to")
	}
	if r.enc = encryption(r.Metadata.Encryption); r.enc == "" {
		return nil, unacceptable("it wants its answer encrypted by %q; this wallet knows A256GCM and A128GCM", r.Metadata.Encryption)
	}
	if r.query, err = dcql.Parse(r.Query); err != nil {
		return nil, unacceptable("%v", err)
	}
	r.Verifier = leaf.Subject.CommonName
	return r, nil
}

// encryption is the strongest of those that a verifier reads; A128GCM where it does not
// say (OpenID4VP 1.0 §5.1), and none if there is no common one.
func encryption(read []jwe.Encryption) jwe.Encryption {
	if len(read) == 0 {
		return jwe.A128GCM
	}
	for _, enc := range []jwe.Encryption{jwe.A256GCM, jwe.A128GCM} {
		if slices.Contains(read, enc) {
			return enc
		}
	}
	return ""
}

// Choice is what the wallet would show: a copy, and of it the named claims.
type Choice struct {
	Query  string
	Copy   int
	Claims []string
	claims []dcql.Claim
}

// Choose picks what answers the request, for the holder to consent to.
func (w *Wallet) Choose(r *Request) ([]Choice, error) {
	held := make([]dcql.Held, len(w.held))
	order := make([]int, len(w.held)) // the copy shown least often first
	for i := range w.held {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.held[a].Shown, w.held[b].Shown) })
	for i, n := range order {
		h, err := w.held[n].describe()
		if err != nil {
			return nil, err
		}
		held[i] = h
	}
	picked, err := r.query.Choose(held)
	if err != nil {
		return nil, err
	}
	var out []Choice
	for _, p := range picked {
		c := Choice{Query: p.Query, Copy: order[p.Held], claims: p.Claims}
		for _, claim := range p.Claims {
			c.Claims = append(c.Claims, claim.Path.String())
		}
		out = append(out, c)
	}
	return out, nil
}

// describe is a copy as queries see it.
func (c Copy) describe() (dcql.Held, error) {
	h := dcql.Held{Format: c.Format, HolderBound: true}
	if c.Format == sdjwt.Format {
		claims, _, err := sdjwt.Claims(string(c.Credential))
		if err != nil {
			return h, err
		}
		h.Claims = claims
		h.Type, _ = claims["vct"].(string)
		token, err := jws.Parse([]byte(strings.SplitN(string(c.Credential), "~", 2)[0]))
		if err != nil {
			return h, err
		}
		header, err := token.ReadHeader(sdjwt.Format)
		if err != nil {
			return h, err
		}
		h.AuthorityKeyIDs, err = authorities(header.Chain)
		return h, err
	}
	info, err := mdoc.Inspect(c.Credential)
	if err != nil {
		return h, err
	}
	elements := map[string]any{}
	for _, e := range info.Elements {
		if date, ok := e.Value.(mdoc.Date); ok {
			elements[e.Name] = string(date)
		} else {
			elements[e.Name] = e.Value
		}
	}
	h.Type, h.Claims = info.DocType, map[string]any{mdoc.Namespace: elements}
	h.AuthorityKeyIDs, err = authorities(info.Chain)
	return h, err
}

// authorities are the key identifiers of who signed for the certificates.
func authorities(chain [][]byte) (ids []string, err error) {
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		ids = append(ids, base64.RawURLEncoding.EncodeToString(c.AuthorityKeyId))
	}
	return ids, nil
}

// Answer shows what was chosen, and says where the user's browser goes next; empty:
// nowhere.
func (w *Wallet) Answer(ctx context.Context, r *Request, choices []Choice) (redirect string, err error) {
	token := map[string][]string{}
	for _, c := range choices {
		shown, err := w.show(r, c)
		if err != nil {
			return "", err
		}
		token[c.Query] = append(token[c.Query], shown)
	}
	plain, err := json.Marshal(map[string]any{"vp_token": token, "state": r.State})
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	message, err := jwe.Recipient{Key: r.key, KeyID: r.kid, Encryption: r.enc}.Encrypt(w.o.Random, nil, nil, plain)
	w.mu.Unlock()
	if err != nil {
		return "", err
	}
	return w.post(ctx, r, url.Values{"response": {message}})
}

// Decline tells the verifier that the holder does not want to.
func (w *Wallet) Decline(ctx context.Context, r *Request) (redirect string, err error) {
	return w.post(ctx, r, url.Values{"error": {"access_denied"}, "state": {r.State}})
}

func (w *Wallet) post(ctx context.Context, r *Request, form url.Values) (string, error) {
	a, err := w.proven(ctx, call{method: http.MethodPost, url: r.ResponseURI, noProof: true, form: form})
	if err != nil {
		return "", err
	}
	var v struct {
		Redirect string `json:"redirect_uri"`
	}
	err = json.Unmarshal(a.body, &v)
	return v.Redirect, err
}

// show makes one presentation.
func (w *Wallet) show(r *Request, c Choice) (string, error) {
	held := &w.held[c.Copy]
	held.Shown++
	if held.Format == sdjwt.Format {
		var paths []sdjwt.Path
		for _, claim := range c.claims {
			text, err := json.Marshal(claim.Path)
			if err != nil {
				return "", err
			}
			var path sdjwt.Path
			if err := json.Unmarshal(text, (*[]any)(&path)); err != nil {
				return "", err
			}
			for i, step := range path {
				if n, ok := step.(float64); ok {
					path[i] = int(n)
				}
			}
			paths = append(paths, path)
		}
		return sdjwt.Present(string(held.Credential), paths, sdjwt.Binding{Audience: r.ClientID, Nonce: r.Nonce, IssuedAt: w.o.Now()}, held.Key)
	}
	var names []string
	for _, claim := range c.claims {
		var path []string
		text, err := json.Marshal(claim.Path)
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(text, &path); err != nil {
			return "", err
		}
		names = append(names, path[1])
	}
	k, err := jws.KeyOf(r.key)
	if err != nil {
		return "", err
	}
	thumbprint := k.Thumbprint()
	response, err := mdoc.Present(held.Credential, names, mdoc.OpenID4VPTranscript(r.ClientID, r.Nonce, thumbprint[:], r.ResponseURI), held.Key)
	return base64.RawURLEncoding.EncodeToString(response), err
}
