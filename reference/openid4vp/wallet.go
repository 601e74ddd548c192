package openid4vp

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/reference/web"
)

// open reads a transaction by the identifier in the path.
func (e *Endpoints) open(ctx context.Context, id string) (rec record, err error) {
	var ticket store.Ticket
	err = e.o.Register.View(ctx, func(r store.Reader) (err error) {
		ticket, err = r.Ticket(kind, store.TicketKey(id))
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && !e.o.Register.Now().Before(ticket.Expires) {
		return rec, unknown()
	}
	if err == nil {
		err = json.Unmarshal(ticket.Body, &rec)
	}
	return rec, err
}

func unknown() error {
	return web.Refuse(http.StatusNotFound, "invalid_request", "There is no such transaction, or its time is over.")
}

// change rewrites a transaction.
func (e *Endpoints) change(tx store.Tx, id string, f func(*record) error) error {
	ticket, err := tx.Ticket(kind, store.TicketKey(id))
	if err != nil {
		return err
	}
	var rec record
	if err := json.Unmarshal(ticket.Body, &rec); err != nil {
		return err
	}
	if err := f(&rec); err != nil {
		return err
	}
	if ticket.Body, err = json.Marshal(rec); err != nil {
		return err
	}
	return tx.PutTicket(ticket)
}

// unanswered says why a transaction takes no answer any more.
func unanswered(rec record, now time.Time) error {
	switch {
	case rec.State == Answered || rec.State == Declined:
		return web.Refuse(http.StatusBadRequest, "invalid_request", "This request has had its answer.")
	case !now.Before(rec.Ends):
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
	Formats    map[string]any   `json:"vp_formats_supported"`
}

// formats are those that are verified here (OpenID4VP 1.0 Appendices B.2.2, B.3.4).
var formats = map[string]any{
	dcql.Mdoc:    map[string]any{"issuerauth_alg_values": []int{-7}, "deviceauth_alg_values": []int{-7}},
	sdjwt.Format: map[string]any{"sd-jwt_alg_values": []string{"ES256"}, "kb-jwt_alg_values": []string{"ES256"}},
}

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
	rec, err := e.open(r.Context(), id)
	if err != nil {
		return err
	}
	now := e.o.Register.Now()
	if err := unanswered(rec, now); err != nil {
		return err
	}
	reader, err := e.o.Reader(r.Context(), rec.Party)
	if err != nil {
		return err
	}
	if reader.ClientID() != rec.ClientID {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The certificate of the party that asks has changed: it must begin again.")
	}
	v, err := e.answering(id, rec.ClientID)
	if err != nil {
		return err
	}
	object := requestObject{
		ResponseType: "vp_token", ResponseMode: "direct_post.jwt", ClientID: rec.ClientID, ResponseURI: v.ResponseURI,
		Audience: "https://self-issued.me/v2", Nonce: rec.Nonce, WalletNonce: walletNonce, State: id, Query: rec.Query,
		IssuedAt: now.Unix(), Expires: rec.Ends.Unix(),
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
	if rec.State == Waiting {
		if err := e.o.Register.Update(r.Context(), func(tx store.Tx) error {
			return e.change(tx, id, func(rec *record) error {
				if rec.State == Waiting {
					rec.State = Fetched
				}
				return nil
			})
		}); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/"+requestType)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(signed))
	return nil
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
	rec, err := e.open(r.Context(), id)
	if err != nil {
		return err
	}
	if err := unanswered(rec, e.o.Register.Now()); err != nil {
		return err
	}
	if form.Has("error") {
		return e.decline(w, r, id, form)
	}
	if !form.Has("response") {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The answer must be encrypted: send it as response (direct_post.jwt).")
	}
	v, err := e.answering(id, rec.ClientID)
	if err != nil {
		return err
	}
	shown, err := decrypt(id, v.private, form.Get("response"))
	if err != nil {
		return err
	}
	query, err := dcql.Parse(rec.Query)
	if err != nil {
		return err
	}
	var all []verification.Shown
	var ids []string
	for _, c := range query.Credentials {
		for _, text := range shown[c.ID] {
			one := verification.Shown{Format: c.Format, Presentation: []byte(text)}
			if c.Format == dcql.Mdoc {
				if one.Presentation, err = jws.Decode([]byte(text)); err != nil {
					return web.Refuse(http.StatusBadRequest, "invalid_request", "The DeviceResponse for %q is not base64url.", c.ID)
				}
			}
			all, ids = append(all, one), append(ids, c.ID)
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
	if rec.Redirect != "" {
		seed, err := e.o.Register.Seed()
		if err != nil {
			return err
		}
		code = base64.RawURLEncoding.EncodeToString(seed[:])
	}
	var verdict lifecycle.Verdict
	_, err = e.o.Verification.VerifyShown(r.Context(), verification.Transaction{Verifier: v.Verifier, Nonce: rec.Nonce}, all, func(tx store.Tx, judged []verification.Credential) error {
		verdict = overall(query, ids, judged)
		return e.change(tx, id, func(rec *record) error {
			if err := unanswered(*rec, e.o.Register.Now()); err != nil {
				return err
			}
			rec.State, rec.Verdict, rec.Shown = Answered, verdict.String(), nil
			for i, c := range judged {
				one := Credential{Query: ids[i], Format: c.Format, Verdict: c.Verdict.String()}
				if verdict == lifecycle.Accepted {
					one.Claims, one.Renew = c.Claims, c.Renew
				}
				rec.Shown = append(rec.Shown, one)
			}
			if code != "" {
				rec.Code = hashOf(code)
			}
			return nil
		})
	})
	switch {
	case errors.Is(err, verification.ErrReplayed):
		return web.Refuse(http.StatusBadRequest, "invalid_request", "This request has had its answer.").Because(err)
	case errors.Is(err, verification.ErrTransactionOver):
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The time to answer this request is over.").Because(err)
	case err != nil:
		return err
	}
	return e.sendBack(w, rec, code, verdict == lifecycle.NotValid)
}

// sendBack tells the wallet where to send its user, and whether its answer was one.
func (e *Endpoints) sendBack(w http.ResponseWriter, rec record, code string, wrong bool) error {
	if wrong {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The presentation is not valid.")
	}
	var out struct {
		Redirect string `json:"redirect_uri,omitempty"`
	}
	if rec.Redirect != "" {
		u, err := url.Parse(rec.Redirect)
		if err != nil {
			return err
		}
		u.Fragment = url.Values{"response_code": {code}}.Encode()
		out.Redirect = u.String()
	}
	web.JSON(w, http.StatusOK, out)
	return nil
}

// decline keeps what the wallet said instead of an answer.
func (e *Endpoints) decline(w http.ResponseWriter, r *http.Request, id string, form url.Values) error {
	said := form.Get("error")
	if len(said) > 100 {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The error is longer than 100 bytes.")
	}
	if state := form.Get("state"); state != "" && state != id {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "The state is another transaction's.")
	}
	err := e.o.Register.Update(r.Context(), func(tx store.Tx) error {
		return e.change(tx, id, func(rec *record) error {
			if err := unanswered(*rec, e.o.Register.Now()); err != nil {
				return err
			}
			rec.State, rec.Error = Declined, said
			return nil
		})
	})
	if err == nil {
		web.JSON(w, http.StatusOK, struct{}{})
	}
	return err
}

// decrypt reads the presentations of an encrypted answer, by the ids of the query.
func decrypt(id string, key *ecdsa.PrivateKey, message string) (map[string][]string, error) {
	m, err := jwe.Decrypt(message, key, jwe.A128GCM, jwe.A256GCM)
	if err != nil {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "The answer cannot be decrypted: %v.", err)
	}
	if m.KeyID != keyID {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "The answer is encrypted for the key %.80q; this request's is %q.", m.KeyID, keyID)
	}
	var answer struct {
		Token map[string][]string `json:"vp_token"`
		State string              `json:"state"`
	}
	if err := jws.Unmarshal(m.Plaintext, &answer); err != nil {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "The answer is not one: %v.", err)
	}
	if answer.State != "" && answer.State != id {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "The state is another transaction's.")
	}
	return answer.Token, nil
}

// overall is one verdict on all that was shown: accepted only if each is, and
// together they are what was asked for.
func overall(query *dcql.Query, ids []string, judged []verification.Credential) lifecycle.Verdict {
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
		shown[ids[i]] = append(shown[ids[i]], dcql.Held{
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
