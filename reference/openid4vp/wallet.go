package openid4vp

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/reference/web"
)

// answer is what came of a transaction. There is one, and it is kept as a ticket.
type answer struct {
	State   State        `json:"state"`           // Answered or Declined
	Error   string       `json:"error,omitempty"` // Declined: what the wallet said
	Code    string       `json:"code,omitempty"`  // same device: hash of the response_code
	Verdict string       `json:"verdict,omitempty"`
	Shown   []Credential `json:"shown,omitempty"`
}

// keep keeps the answer of a transaction, if it is the first, and is the body of its
// ticket. That may be remembered once it is committed.
func (e *Endpoints) keep(tx store.Tx, t *transaction, a answer) (body []byte, err error) {
	if err := e.inTime(t); err != nil {
		return nil, err
	}
	if body, err = json.Marshal(a); err != nil {
		return nil, err
	}
	err = tx.AddTicket(store.Ticket{Kind: kindAnswered, Key: t.key(), Body: body, Expires: t.until})
	if errors.Is(err, store.ErrTaken) {
		err = hasHad()
	}
	return body, err
}

// known is an error, unless it says that there is nothing.
func known(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func hasHad() *web.Error {
	return web.Refuse(http.StatusBadRequest, "invalid_request", "This request has had its answer.")
}

// inTime says whether there is time to answer.
func (e *Endpoints) inTime(t *transaction) error {
	if !e.o.Register.Now().Before(t.ends) {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The time to answer this request is over.")
	}
	return nil
}

// requestObject is a signed request (RFC 9101; OpenID4VP 1.0 §5).
type requestObject struct {
	ResponseType string          `json:"response_type"`
	ResponseMode string          `json:"response_mode"`
	ClientID     string          `json:"client_id"`
	ResponseURI  string          `json:"response_uri"`
	Audience     string          `json:"aud"`
	Nonce        string          `json:"nonce"`
	WalletNonce  string          `json:"wallet_nonce,omitempty"`
	State        string          `json:"state"`
	Query        json.RawMessage `json:"dcql_query"`
	Metadata     clientMetadata  `json:"client_metadata"`
	IssuedAt     int64           `json:"iat"`
	Expires      int64           `json:"exp"`
}

type clientMetadata struct {
	Keys struct {
		Keys []jws.Key `json:"keys"`
	} `json:"jwks"`
	Encryption []jwe.Encryption `json:"encrypted_response_enc_values_supported"`
	Formats    json.RawMessage  `json:"vp_formats_supported"`
}

// formats are those that are verified here (OpenID4VP 1.0 Appendices B.2.2, B.3.4).
var formats = json.RawMessage(`{"` + dcql.Mdoc + `":{"deviceauth_alg_values":[-7],"issuerauth_alg_values":[-7]},` +
	`"` + sdjwt.Format + `":{"kb-jwt_alg_values":["ES256"],"sd-jwt_alg_values":["ES256"]}}`)

// requestType is the media type of a signed request (RFC 9101 §10.2).
const requestType = "oauth-authz-req+jwt"

const maxWalletNonce = 256

// Request answers a wallet with the signed request, by GET, or by POST with the
// wallet's nonce (OpenID4VP 1.0 §5.10). It may be fetched again until it is
// answered: a wallet that has lost the answer must not lose the transaction.
func (e *Endpoints) Request(w http.ResponseWriter, r *http.Request) error {
	id, walletNonce := r.PathValue("id"), ""
	if r.Method == http.MethodPost {
		form, err := web.ReadForm(r)
		if err != nil {
			return err
		}
		if walletNonce = form.Get("wallet_nonce"); len(walletNonce) > maxWalletNonce {
			return web.Refuse(http.StatusBadRequest, "invalid_request", "The wallet_nonce is longer than %d bytes.", maxWalletNonce)
		}
	}
	t, err := e.open(r.Context(), id)
	if err != nil {
		return err
	}
	if err := e.inTime(&t); err != nil {
		return err
	}
	fetched := !t.Progress
	if err := e.o.Register.View(r.Context(), func(r store.Reader) error {
		switch _, err := r.Ticket(kindAnswered, t.key()); {
		case err == nil:
			return hasHad()
		case !errors.Is(err, store.ErrNotFound) || fetched:
			return known(err)
		}
		_, err := r.Ticket(kindFetched, t.key())
		fetched = err == nil
		return known(err)
	}); err != nil {
		return err
	}
	reader, err := e.reader(r.Context(), &t)
	if err != nil {
		return err
	}
	if !t.by(reader) {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The certificate of the party that asks has changed: it must begin again.")
	}
	query, err := e.queryText(&t)
	if err != nil {
		return err
	}
	v, err := e.answering(&t)
	if err != nil {
		return err
	}
	object := requestObject{
		ResponseType: "vp_token", ResponseMode: "direct_post.jwt", ClientID: v.ClientID, ResponseURI: v.ResponseURI,
		Audience: "https://self-issued.me/v2", Nonce: v.Nonce, WalletNonce: walletNonce, State: id, Query: query,
		IssuedAt: e.o.Register.Now().Unix(), Expires: t.ends.Unix(),
	}
	key := v.public
	key.KeyID, key.Use, key.Algorithm = keyID, "enc", "ECDH-ES"
	object.Metadata.Keys.Keys = []jws.Key{key}
	object.Metadata.Encryption = []jwe.Encryption{jwe.A128GCM, jwe.A256GCM}
	object.Metadata.Formats = formats
	signed, err := reader.Sign.Token(jws.Header{Type: requestType, Chain: reader.Chain}, object)
	if err != nil {
		return err
	}
	if !fetched {
		if err := e.o.Register.Update(r.Context(), func(tx store.Tx) error {
			err := tx.AddTicket(store.Ticket{Kind: kindFetched, Key: t.key(), Body: []byte("{}"), Expires: t.until})
			if errors.Is(err, store.ErrTaken) { // meanwhile
				return nil
			}
			return err
		}); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/"+requestType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(signed))) // not in chunks
	_, _ = w.Write([]byte(signed))
	return nil
}

// reader is the access certificate of the party that asks, to a wallet.
func (e *Endpoints) reader(ctx context.Context, t *transaction) (Reader, error) {
	reader, err := e.o.Reader(ctx, t.Party)
	if errors.Is(err, ErrRevoked) {
		return reader, web.Refuse(http.StatusBadRequest, "invalid_request", "The certificate of the party that asks was revoked: do not answer it.").Because(err)
	}
	return reader, err
}

// keyID names the key of an answer; there is one in each transaction.
const keyID = "answer"

// maxPresentations limits how many presentations an answer may hold.
const maxPresentations = 16

// Respond takes a wallet's answer (OpenID4VP 1.0 §8.2, §8.3.1).
func (e *Endpoints) Respond(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	t, err := e.open(r.Context(), id)
	if err != nil {
		return err
	}
	if err := e.inTime(&t); err != nil {
		return err
	}
	if form.Has("error") {
		if state := form.Get("state"); state != t.id {
			return otherState(state == "")
		}
		return e.decline(w, r, &t, form.Get("error"))
	}
	if e.o.Revoked != nil && e.o.Revoked() {
		if _, err := e.reader(r.Context(), &t); err != nil {
			return err
		}
	}
	if !form.Has("response") {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The answer must be encrypted: send it as response (direct_post.jwt).")
	}
	v, err := e.answering(&t)
	if err != nil {
		return err
	}
	shown, said, err := decrypt(id, v.private, form.Get("response"))
	if err != nil {
		return err
	}
	if said != "" {
		return e.decline(w, r, &t, said)
	}
	query, err := e.query(&t)
	if err != nil {
		return err
	}
	var all []verification.Shown
	var asked []*dcql.Credential // for which each of them was shown
	for i := range query.Credentials {
		c := &query.Credentials[i]
		for _, text := range shown[c.ID] {
			one := verification.Shown{Format: c.Format, Presentation: []byte(text)}
			if c.Format == dcql.Mdoc {
				if one.Presentation, err = jws.Decode([]byte(text)); err != nil {
					return web.Refuse(http.StatusBadRequest, "invalid_request", "The DeviceResponse for %q is not base64url.", c.ID)
				}
			}
			all, asked = append(all, one), append(asked, c)
		}
		delete(shown, c.ID)
	}
	for id := range shown {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The vp_token answers %.80q, which was not asked for.", id)
	}
	if len(all) == 0 || len(all) > maxPresentations {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The vp_token holds %d presentations; 1 to %d are read.", len(all), maxPresentations)
	}
	code := ""
	if t.Redirect != "" {
		seed, err := e.o.Register.Seed()
		if err != nil {
			return err
		}
		code = base64.RawURLEncoding.EncodeToString(seed[:])
	}
	var verdict lifecycle.Verdict
	var body []byte
	_, err = e.o.Verification.VerifyShown(r.Context(), v.Transaction, all, func(tx store.Tx, judged []verification.Credential) error {
		verdict = overall(query, asked, judged)
		a := answer{State: Answered, Verdict: verdict.String()}
		for i, c := range judged {
			one := Credential{Query: asked[i].ID, Format: c.Format, Verdict: c.Verdict.String()}
			if verdict == lifecycle.Accepted {
				one.Claims, one.Renew = told(asked[i], c), c.Renew
			}
			a.Shown = append(a.Shown, one)
		}
		if code != "" && verdict != lifecycle.NotValid { // with which nobody is sent back
			a.Code = hashOf(code)
		}
		var err error
		body, err = e.keep(tx, &t, a)
		return err
	})
	switch {
	case errors.Is(err, verification.ErrReplayed):
		return hasHad().Because(err)
	case errors.Is(err, verification.ErrTransactionOver):
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The time to answer this request is over.").Because(err)
	case err != nil:
		return err
	}
	e.answers.Put(string(t.key()), given{body, t.until})
	return e.sendBack(w, t.Redirect, code, verdict == lifecycle.NotValid)
}

// told is what the party is told of an accepted credential: its type, where that stands
// among the claims, and what was asked for. Wallets may show more, and every
// SD-JWT does: where its status stands, and the holder's key.
func told(asked *dcql.Credential, c verification.Credential) map[string]any {
	claims := asked.Asked(c.Claims)
	if c.Format == sdjwt.Format {
		if claims == nil {
			claims = map[string]any{}
		}
		claims["vct"] = c.Type
	}
	return claims
}

// sendBack tells the wallet where to send its user, and whether its answer was one.
func (e *Endpoints) sendBack(w http.ResponseWriter, redirect, code string, wrong bool) error {
	if wrong {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The presentation is not valid.")
	}
	var out struct {
		Redirect string `json:"redirect_uri,omitempty"`
	}
	if redirect != "" {
		u, err := url.Parse(redirect)
		if err != nil {
			return err
		}
		u.Fragment = url.Values{"response_code": {code}}.Encode()
		out.Redirect = u.String()
	}
	web.JSON(w, http.StatusOK, out)
	return nil
}

// decline keeps the error that the wallet said instead of an answer (OpenID4VP 1.0 §8.5).
func (e *Endpoints) decline(w http.ResponseWriter, r *http.Request, t *transaction, said string) error {
	if said == "" || len(said) > 100 {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The error has 1 to 100 bytes.")
	}
	var body []byte
	err := e.o.Register.Update(r.Context(), func(tx store.Tx) (err error) {
		body, err = e.keep(tx, t, answer{State: Declined, Error: said})
		return err
	})
	if err == nil {
		e.answers.Put(string(t.key()), given{body, t.until})
		web.JSON(w, http.StatusOK, struct{}{})
	}
	return err
}

// decrypt reads the presentations of an encrypted answer, by the ids of the query, or the
// error that the wallet said instead: it sends that in the clear only if it cannot encrypt
// (OpenID4VP 1.0 §8.3.1).
func decrypt(id string, key *ecdh.PrivateKey, message string) (shown map[string][]string, said string, err error) {
	m, err := jwe.Open(message, key, jwe.A128GCM, jwe.A256GCM)
	if err != nil {
		return nil, "", web.Refuse(http.StatusBadRequest, "invalid_request", "The answer cannot be decrypted: %v.", err)
	}
	if m.KeyID != keyID {
		return nil, "", web.Refuse(http.StatusBadRequest, "invalid_request", "The answer is encrypted for the key %.80q; this request's is %q.", m.KeyID, keyID)
	}
	answer, err := jws.Object(m.Plaintext)
	if err != nil {
		return nil, "", web.Refuse(http.StatusBadRequest, "invalid_request", "The answer is not one: %v.", err)
	}
	if state, there := answer["state"]; state != id {
		return nil, "", otherState(!there)
	}
	token, shows := answer["vp_token"]
	if declined, there := answer["error"]; there {
		said, text := declined.(string)
		if !text || said == "" || shows {
			return nil, "", web.Refuse(http.StatusBadRequest, "invalid_request", "The error is not a text that comes instead of a vp_token.")
		}
		return nil, said, nil
	}
	shown, ok := tokenOf(token)
	if !ok {
		return nil, "", web.Refuse(http.StatusBadRequest, "invalid_request", "The vp_token is not an object of arrays of texts.")
	}
	return shown, "", nil
}

// otherState refuses what does not say which request it answers. Every request has a state,
// so that answers and errors have it (RFC 6749 §4.1.2).
func otherState(missing bool) error {
	if missing {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The state is missing: send that of the request back.")
	}
	return web.Refuse(http.StatusBadRequest, "invalid_request", "The state is another transaction's.")
}

// tokenOf is a vp_token as the presentations in it (OpenID4VP 1.0 §8.1).
func tokenOf(v any) (map[string][]string, bool) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	token := make(map[string][]string, len(object))
	for id, v := range object {
		all, ok := v.([]any)
		if !ok {
			return nil, false
		}
		texts := make([]string, len(all))
		for i, v := range all {
			if texts[i], ok = v.(string); !ok {
				return nil, false
			}
		}
		token[id] = texts
	}
	return token, true
}

// overall is one verdict on all that was shown: accepted only if each is, and
// together they are what was asked for.
func overall(query *dcql.Query, asked []*dcql.Credential, judged []verification.Credential) lifecycle.Verdict {
	shown := map[string][]dcql.Held{}
	suspended := false
	for i, c := range judged {
		switch c.Verdict {
		case lifecycle.Accepted:
		case lifecycle.Suspended:
			suspended = true
			continue
		default:
			return lifecycle.NotValid
		}
		shown[asked[i].ID] = append(shown[asked[i].ID], dcql.Held{
			Format: c.Format, Type: c.Type, Claims: c.Claims, HolderBound: true,
			AuthorityKeyIDs: []string{base64.RawURLEncoding.EncodeToString(c.Authority)},
		})
	}
	if suspended {
		return lifecycle.Suspended
	}
	if query.Answered(shown) != nil {
		return lifecycle.NotValid
	}
	return lifecycle.Accepted
}
