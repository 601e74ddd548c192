package wallet

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/sdjwt"
)

// Issuer is an issuer and its authorization server, as their metadata say.
type Issuer struct {
	ID         string                   `json:"credential_issuer"`
	Credential string                   `json:"credential_endpoint"`
	Nonce      string                   `json:"nonce_endpoint"`
	Deferred   string                   `json:"deferred_credential_endpoint"`
	Notify     string                   `json:"notification_endpoint"`
	Configs    map[string]Configuration `json:"credential_configurations_supported"`
	Batch      struct {
		Size int `json:"batch_size"`
	} `json:"batch_credential_issuance"`
	Requests struct { // how they are encrypted
		Keys struct {
			Keys []jws.Key `json:"keys"`
		} `json:"jwks"`
		Encryption []jwe.Encryption `json:"enc_values_supported"`
	} `json:"credential_request_encryption"`

	Server struct {
		Issuer    string `json:"issuer"`
		Authorize string `json:"authorization_endpoint"`
		Push      string `json:"pushed_authorization_request_endpoint"`
		Token     string `json:"token_endpoint"`
	} `json:"-"`
}

// Configuration is what an issuer offers in one format.
type Configuration struct {
	Format  string `json:"format"`
	Scope   string `json:"scope"`
	DocType string `json:"doctype"` // of mso_mdoc
	Type    string `json:"vct"`     // of dc+sd-jwt
}

// wellKnown is where the metadata of an issuer lie: between host and path (§12.2.2).
func wellKnown(issuer, name string) (string, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host + "/.well-known/" + name + strings.TrimSuffix(u.Path, "/"), nil
}

// Discover reads the metadata of an issuer.
func (w *Wallet) Discover(ctx context.Context, issuer string) (*Issuer, error) {
	if i := w.issuers[issuer]; i != nil {
		return i, nil
	}
	i := &Issuer{}
	for _, part := range []struct {
		name string
		v    any
	}{{"openid-credential-issuer", i}, {"oauth-authorization-server", &i.Server}} {
		address, err := wellKnown(issuer, part.name)
		if err != nil {
			return nil, err
		}
		if err := w.getJSON(ctx, address, part.v); err != nil {
			return nil, err
		}
	}
	if i.ID != issuer || i.Server.Issuer != issuer {
		return nil, fmt.Errorf("the metadata are of %q and %q, not of %q", i.ID, i.Server.Issuer, issuer)
	}
	w.issuers[issuer] = i
	return i, nil
}

// Application is an authorization that has begun: a card is to be held to the phone.
type Application struct {
	w          *Wallet
	Issuer     *Issuer
	RequestURI string
	verifier   string
	state      string
}

// Apply pushes an authorization request for configurations of an issuer.
func (w *Wallet) Apply(ctx context.Context, issuer string, configs ...string) (*Application, error) {
	i, err := w.Discover(ctx, issuer)
	if err != nil {
		return nil, err
	}
	var scopes []string
	for _, id := range configs {
		c, ok := i.Configs[id]
		if !ok {
			return nil, fmt.Errorf("the issuer has no configuration %q", id)
		}
		scopes = append(scopes, c.Scope)
	}
	a := &Application{w: w, Issuer: i}
	var parts [3]string
	for n := range parts {
		if parts[n], err = w.random(); err != nil {
			return nil, err
		}
	}
	a.verifier, a.state = parts[0]+parts[1], parts[2]
	answer, err := w.proven(ctx, call{method: http.MethodPost, url: i.Server.Push, client: i.Server.Issuer, form: url.Values{
		"client_id": {w.o.Provider.ClientID}, "response_type": {"code"}, "redirect_uri": {w.o.Redirect}, "scope": {strings.Join(scopes, " ")},
		"state": {a.state}, "code_challenge": {oauth.Challenge(a.verifier)}, "code_challenge_method": {"S256"},
	}})
	if err != nil {
		return nil, err
	}
	var pushed struct {
		URI string `json:"request_uri"`
	}
	if err := json.Unmarshal(answer.body, &pushed); err != nil || pushed.URI == "" {
		return nil, fmt.Errorf("the pushed request got no request_uri: %s", answer.body)
	}
	a.RequestURI = pushed.URI
	return a, nil
}

// Page is the address at which the citizen's browser goes on.
func (a *Application) Page() string {
	return a.Issuer.Server.Authorize + "?" + url.Values{"client_id": {a.w.o.Provider.ClientID}, "request_uri": {a.RequestURI}}.Encode()
}

// Challenge fetches the challenge that the card is to sign.
func (a *Application) Challenge(ctx context.Context) ([]byte, error) {
	answer, err := a.w.proven(ctx, call{method: http.MethodPost, url: a.Issuer.Server.Authorize + "/challenge", noProof: true,
		json: map[string]string{"client_id": a.w.o.Provider.ClientID, "request_uri": a.RequestURI}})
	if err != nil {
		return nil, err
	}
	var v struct {
		Challenge []byte `json:"challenge"`
	}
	err = json.Unmarshal(answer.body, &v)
	return v.Challenge, err
}

// Prove hands over what was read from the card, and a capture of the face, and
// redeems the code that comes back.
func (a *Application) Prove(ctx context.Context, challenge []byte, e phone.Evidence, capture []byte) (*Token, error) {
	answer, err := a.w.proven(ctx, call{method: http.MethodPost, url: a.Issuer.Server.Authorize + "/evidence", noProof: true, json: map[string]any{
		"client_id": a.w.o.Provider.ClientID, "request_uri": a.RequestURI, "challenge": challenge, "capture": capture,
		"card": map[string][]byte{"sod": e.SOD, "dg1": e.DG1, "dg2": e.DG2, "dg13": e.DG13, "dg15": e.DG15,
			"template": e.Template, "signature": e.Signature, "pin_status": e.PIN},
	}})
	if err != nil {
		return nil, err
	}
	var v struct {
		Redirect string `json:"redirect_uri"`
	}
	if err := json.Unmarshal(answer.body, &v); err != nil {
		return nil, err
	}
	return a.Redeem(ctx, v.Redirect)
}

// Redeem takes the redirect with which the authorization server sends its user back.
func (a *Application) Redeem(ctx context.Context, redirect string) (*Token, error) {
	u, err := url.Parse(redirect)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	switch {
	case q.Get("error") != "":
		return nil, &Refused{Status: http.StatusOK, Code: q.Get("error"), Description: q.Get("error_description")}
	case q.Get("iss") != a.Issuer.Server.Issuer:
		return nil, fmt.Errorf("the answer is of %q, not of %q (RFC 9207)", q.Get("iss"), a.Issuer.Server.Issuer)
	case q.Get("state") != a.state:
		return nil, errors.New("the answer is to another request")
	}
	return a.w.token(ctx, a.Issuer, url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {a.w.o.Redirect}, "code_verifier": {a.verifier},
	})
}

// Token is an access token of this wallet.
type Token struct {
	w       *Wallet
	Issuer  *Issuer
	Access  string
	Refresh string
	Scope   string
	Details []struct {
		ConfigID    string   `json:"credential_configuration_id"`
		Identifiers []string `json:"credential_identifiers"`
	}
	Ends time.Time
}

func (w *Wallet) token(ctx context.Context, i *Issuer, form url.Values) (*Token, error) {
	form.Set("client_id", w.o.Provider.ClientID)
	answer, err := w.proven(ctx, call{method: http.MethodPost, url: i.Server.Token, client: i.Server.Issuer, form: form})
	if err != nil {
		return nil, err
	}
	t := &Token{w: w, Issuer: i}
	var v struct {
		Access  string          `json:"access_token"`
		Type    string          `json:"token_type"`
		Life    int             `json:"expires_in"`
		Refresh string          `json:"refresh_token"`
		Scope   string          `json:"scope"`
		Details json.RawMessage `json:"authorization_details"`
	}
	if err := json.Unmarshal(answer.body, &v); err != nil {
		return nil, err
	}
	if v.Type != "DPoP" || v.Access == "" {
		return nil, fmt.Errorf("the token is of the type %q, not bound to this wallet's key", v.Type)
	}
	if v.Details != nil {
		if err := json.Unmarshal(v.Details, &t.Details); err != nil {
			return nil, err
		}
	}
	t.Access, t.Refresh, t.Scope, t.Ends = v.Access, v.Refresh, v.Scope, w.o.Now().Add(time.Duration(v.Life)*time.Second)
	return t, nil
}

// Renew gets a token that lets the wallet see and report what concerns its citizen, and
// have the copies of its card signed anew (Due).
func (t *Token) Renew(ctx context.Context) (*Token, error) {
	later, err := t.w.token(ctx, t.Issuer, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh}})
	if err == nil && later.Refresh == "" {
		later.Refresh = t.Refresh
	}
	return later, err
}

// Offer is a credential offer that was scanned.
type Offer struct {
	w       *Wallet
	Issuer  *Issuer
	Configs []string
	Code    string
	NeedsTx bool
}

const preAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// Scan reads the credential offer in a QR code (OpenID4VCI 1.0 §4.1.3).
func (w *Wallet) Scan(ctx context.Context, text string) (*Offer, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "openid-credential-offer" {
		return nil, fmt.Errorf("%.60q is no credential offer", text)
	}
	body := []byte(u.Query().Get("credential_offer"))
	if reference := u.Query().Get("credential_offer_uri"); reference != "" {
		a, err := w.get(ctx, reference, "application/json")
		if err != nil {
			return nil, err
		}
		body = a.body
	}
	var v struct {
		Issuer  string   `json:"credential_issuer"`
		Configs []string `json:"credential_configuration_ids"`
		Grants  map[string]struct {
			Code   string `json:"pre-authorized_code"`
			TxCode *struct {
				Length int `json:"length"`
			} `json:"tx_code"`
		} `json:"grants"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("the credential offer: %w", err)
	}
	grant, ok := v.Grants[preAuthorized]
	if !ok {
		return nil, errors.New("the offer has no pre-authorized code")
	}
	i, err := w.Discover(ctx, v.Issuer)
	if err != nil {
		return nil, err
	}
	return &Offer{w, i, v.Configs, grant.Code, grant.TxCode != nil}, nil
}

// Check has the face held against the photo on record.
func (o *Offer) Check(ctx context.Context, tx string, capture []byte) error {
	endpoint := strings.TrimSuffix(o.Issuer.Server.Token, "token") + "face-check"
	_, err := o.w.proven(ctx, call{method: http.MethodPost, url: endpoint, noProof: true,
		json: map[string]any{"pre-authorized_code": o.Code, "tx_code": tx, "capture": capture}})
	return err
}

// Redeem redeems the code.
func (o *Offer) Redeem(ctx context.Context, tx string) (*Token, error) {
	return o.w.token(ctx, o.Issuer, url.Values{"grant_type": {preAuthorized}, "pre-authorized_code": {o.Code}, "tx_code": {tx}})
}

// ErrLater: the issuer is slow; call for the card later.
var ErrLater = errors.New("the issuer is slow: call for the card later")

// Pending is a card to be called for.
type Pending struct {
	Token       *Token
	Config      string
	Transaction string
	Interval    time.Duration
	keys        []*ecdsa.PrivateKey
	encrypt     jwe.Encryption
}

// Error says so.
func (p *Pending) Error() string { return ErrLater.Error() }
func (p *Pending) Unwrap() error { return ErrLater }

// Ask is how a card is asked for.
type Ask struct {
	Copies  int
	JWT     bool           // by the proof type jwt; else attestation
	Encrypt jwe.Encryption // of the response; empty: none
}

// Issue gets copies of a configuration. They replace those of that configuration
// that the wallet has. A *Pending means: later.
func (t *Token) Issue(ctx context.Context, config string, ask Ask) ([]Copy, error) {
	return t.IssueFor(ctx, config, t.w.phone.Keys(max(ask.Copies, 1)), ask)
}

// IssueFor is Issue for keys that the phone has made before: a wallet that lost the
// answer asks again with the same keys, and gets copies at the same places.
func (t *Token) IssueFor(ctx context.Context, config string, keys []*ecdsa.PrivateKey, ask Ask) ([]Copy, error) {
	p, err := t.prepare(ctx, config, keys, ask)
	if err != nil {
		return nil, err
	}
	return p.Ask(ctx)
}

// Prepared is a credential request that is ready but for the proof of who sends it.
type Prepared struct {
	token   *Token
	config  string
	keys    []*ecdsa.PrivateKey
	proofs  keyproof.Proofs
	encrypt jwe.Encryption
}

// Prepare makes keys and their proofs for a request.
func (t *Token) Prepare(ctx context.Context, config string, ask Ask) (*Prepared, error) {
	return t.prepare(ctx, config, t.w.phone.Keys(max(ask.Copies, 1)), ask)
}

func (t *Token) prepare(ctx context.Context, config string, keys []*ecdsa.PrivateKey, ask Ask) (*Prepared, error) {
	nonce, err := t.Nonce(ctx)
	if err != nil {
		return nil, err
	}
	proofs, err := t.Prove(keys, nonce, ask.JWT)
	if err != nil {
		return nil, err
	}
	return &Prepared{t, config, keys, proofs, ask.Encrypt}, nil
}

// Ask sends the request; what Issue says of its answer holds.
func (p *Prepared) Ask(ctx context.Context) ([]Copy, error) {
	return p.token.ask(ctx, p.config, p.keys, p.proofs, p.encrypt)
}

// Nonce fetches a nonce for proofs.
func (t *Token) Nonce(ctx context.Context) (string, error) {
	a, err := t.w.proven(ctx, call{method: http.MethodPost, url: t.Issuer.Nonce, noProof: true})
	if err != nil {
		return "", err
	}
	var v struct {
		Nonce string `json:"c_nonce"`
	}
	err = json.Unmarshal(a.body, &v)
	return v.Nonce, err
}

// Prove makes the proofs of keys (Appendix F), with the maker's attestation.
func (t *Token) Prove(keys []*ecdsa.PrivateKey, nonce string, asJWT bool) (keyproof.Proofs, error) {
	now := t.w.o.Now()
	a := keyproof.Attestation{IssuedAt: now, Expires: now.Add(5 * time.Minute), Nonce: nonce, Status: t.w.o.KeyStatus,
		KeyStorage: []keyproof.Resistance{keyproof.High}, UserAuthentication: []keyproof.Resistance{keyproof.High}}
	for _, k := range keys {
		a.Keys = append(a.Keys, &k.PublicKey)
	}
	attestation, err := a.Sign(t.w.o.Maker.Sign, [][]byte{t.w.o.Maker.Attestation})
	if err != nil || !asJWT {
		return keyproof.Proofs{Attestation: []string{attestation}}, err
	}
	proof, err := keyproof.Proof{ClientID: t.w.o.Provider.ClientID, Audience: t.Issuer.ID, IssuedAt: now, Nonce: nonce, Attestation: attestation}.Sign(keys[0])
	return keyproof.Proofs{JWT: []string{proof}}, err
}

func (t *Token) ask(ctx context.Context, config string, keys []*ecdsa.PrivateKey, proofs keyproof.Proofs, encrypt jwe.Encryption) ([]Copy, error) {
	if format := t.Issuer.Configs[config].Format; format != dcql.Mdoc && format != sdjwt.Format {
		return nil, fmt.Errorf("the issuer offers %s in the format %.40q, in which this wallet holds no cards", config, format)
	}
	body := map[string]any{"proofs": proofs}
	n := slices.IndexFunc(t.Details, func(d struct {
		ConfigID    string   `json:"credential_configuration_id"`
		Identifiers []string `json:"credential_identifiers"`
	}) bool {
		return d.ConfigID == config
	})
	switch {
	case n >= 0 && len(t.Details[n].Identifiers) == 0:
		return nil, fmt.Errorf("the token's authorization_details name no credential_identifier for %s (OpenID4VCI 1.0 §6.2)", config)
	case n >= 0:
		body["credential_identifier"] = t.Details[n].Identifiers[0]
	default:
		body["credential_configuration_id"] = config
	}
	a, key, err := t.send(ctx, t.Issuer.Credential, body, encrypt)
	if err != nil {
		return nil, err
	}
	return t.take(ctx, a, config, keys, key, encrypt)
}

// send asks an endpoint for a card. Who wants the answer encrypted, to the key that is
// returned, encrypts the request (OpenID4VCI 1.0 §8.2).
func (t *Token) send(ctx context.Context, to string, body map[string]any, encrypt jwe.Encryption) (answer, *ecdsa.PrivateKey, error) {
	c := call{method: http.MethodPost, url: to, token: t.Access, json: body}
	if encrypt == "" {
		a, err := t.w.proven(ctx, c)
		return a, nil, err
	}
	key := t.w.phone.Keys(1)[0]
	k, err := jws.KeyOf(&key.PublicKey)
	if err != nil {
		return answer{}, nil, err
	}
	k.KeyID, k.Use, k.Algorithm = "response", "enc", "ECDH-ES"
	body["credential_response_encryption"] = map[string]any{"jwk": k, "enc": encrypt}
	if c.jwt, err = t.w.encrypted(t.Issuer, body, encrypt); err != nil {
		return answer{}, nil, err
	}
	c.json = nil
	a, err := t.w.proven(ctx, c)
	return a, key, err
}

// encrypted is a request that only the issuer can read (§10).
func (w *Wallet) encrypted(i *Issuer, body any, enc jwe.Encryption) (string, error) {
	n := slices.IndexFunc(i.Requests.Keys.Keys, func(k jws.Key) bool { return k.Algorithm == "ECDH-ES" })
	if n < 0 || !slices.Contains(i.Requests.Encryption, enc) {
		return "", fmt.Errorf("the issuer names no key to which requests are encrypted by ECDH-ES and %s", enc)
	}
	key, err := i.Requests.Keys.Keys[n].Public()
	if err != nil {
		return "", fmt.Errorf("the key to which requests are encrypted: %w", err)
	}
	plain, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return jwe.Recipient{Key: key, KeyID: i.Requests.Keys.Keys[n].KeyID, Encryption: enc}.Encrypt(w.o.Random, nil, nil, plain)
}

// take reads a credential response, checks what came, and keeps it.
func (t *Token) take(ctx context.Context, a answer, config string, keys []*ecdsa.PrivateKey, key *ecdsa.PrivateKey, encrypt jwe.Encryption) ([]Copy, error) {
	if key != nil {
		m, err := jwe.Decrypt(string(a.body), key)
		if err != nil {
			return nil, fmt.Errorf("the encrypted response: %w", err)
		}
		a.body = m.Plaintext
	}
	var v struct {
		Credentials []struct {
			Credential string `json:"credential"`
		} `json:"credentials"`
		Notice      string `json:"notification_id"`
		Transaction string `json:"transaction_id"`
		Interval    int    `json:"interval"`
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		return nil, err
	}
	if v.Transaction != "" {
		return nil, &Pending{t, config, v.Transaction, time.Duration(v.Interval) * time.Second, keys, encrypt}
	}
	var came []string
	for _, c := range v.Credentials {
		came = append(came, c.Credential)
	}
	got, err := t.w.check(config, t.Issuer.Configs[config], came, keys)
	if err != nil {
		return nil, t.reject(ctx, v.Notice, err)
	}
	t.w.held = append(slices.DeleteFunc(t.w.held, func(c Copy) bool { return c.Config == config }), got...)
	if v.Notice != "" && t.Issuer.Notify != "" {
		if err := t.Notify(ctx, v.Notice, "credential_accepted"); err != nil {
			return got, err
		}
	}
	return got, nil
}

// reject tells the issuer why nothing was kept of what it sent.
func (t *Token) reject(ctx context.Context, notice string, why error) error {
	if notice == "" || t.Issuer.Notify == "" {
		return why
	}
	if err := t.notify(ctx, notice, "credential_failure", why.Error()); err != nil {
		return errors.Join(why, fmt.Errorf("and the issuer could not be told: %w", err))
	}
	return why
}

// Notify tells the issuer what became of a card.
func (t *Token) Notify(ctx context.Context, id, event string) error {
	return t.notify(ctx, id, event, "")
}

func (t *Token) notify(ctx context.Context, id, event, description string) error {
	body := map[string]string{"notification_id": id, "event": event}
	if description != "" {
		body["event_description"] = describable(description)
	}
	_, err := t.w.proven(ctx, call{method: http.MethodPost, url: t.Issuer.Notify, token: t.Access, json: body})
	return err
}

// maxDescription limits an event_description: what it is for is to be read by somebody.
const maxDescription = 200

// describable is a text in the characters that an event_description may have (§11.1).
func describable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ' || r == '\\' || r > '~':
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), maxDescription)]
}

// Call calls for a card that was not ready.
func (p *Pending) Call(ctx context.Context) ([]Copy, error) {
	a, key, err := p.Token.send(ctx, p.Token.Issuer.Deferred, map[string]any{"transaction_id": p.Transaction}, p.encrypt)
	if err != nil {
		return nil, err
	}
	return p.Token.take(ctx, a, p.Config, p.keys, key, p.encrypt)
}

// Desk asks the service for what concerns the citizen: "GET", "/residents/me", nil.
func (t *Token) Desk(ctx context.Context, method, address string, body any, key string, out any) error {
	c := call{method: method, url: address, token: t.Access, json: body, header: http.Header{}}
	if key != "" {
		c.header.Set("Idempotency-Key", key)
	}
	a, err := t.w.proven(ctx, c)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(a.body, out)
}
