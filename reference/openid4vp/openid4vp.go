// Package openid4vp lets relying parties ask for mobile cards over the web:
// OpenID for Verifiable Presentations 1.0 in the profile of HAIP 1.0 (§5), with
// signed requests by request_uri (RFC 9101), x509_hash, DCQL, and encrypted answers
// by direct_post.jwt.
//
// A relying party's backend begins a transaction (Begin), shows its user a QR code
// or sends them to their wallet, and asks what came of it (Result). The wallet
// fetches the request (Request) and posts its answer (Respond).
//
// A verifier learns whether a card is accepted, suspended or not valid, never why,
// and of an accepted one what it was allowed to ask for. The package decides none
// of it: package verification does.
//
// State between the steps is a store.Ticket, whose key is the hash of the
// transaction's identifier, and keys that are derived from it: any replica can go
// on where another one stopped.
package openid4vp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/reference/web"
)

// Reader is a relying party's access certificate, with which its requests are
// signed: who asks stands in it.
type Reader struct {
	Sign  jws.Sign
	Chain [][]byte // leaf first, DER, the trust anchor not in it
}

// ClientID is what the party is called in a request: the hash of its certificate
// (OpenID4VP 1.0 §5.9.3, x509_hash).
func (r Reader) ClientID() string {
	h := sha256.Sum256(r.Chain[0])
	return "x509_hash:" + base64.RawURLEncoding.EncodeToString(h[:])
}

// Options are what the verifier endpoints need.
type Options struct {
	Register     *register.Register
	Verification *verification.Service
	// Base is the URL under which Request and Respond are found, as
	// "https://id.example/vp/".
	Base string
	// Wallet is where a wallet is invoked, "openid4vp://" or a https URL.
	Wallet string
	// Reader is the access certificate of a relying party, by its name.
	Reader func(ctx context.Context, party string) (Reader, error)
	// Authorities are the key identifiers of the roots whose cards are asked for.
	Authorities [][]byte
	// Key makes the keys to which answers are encrypted; every replica has the
	// same 32 bytes.
	Key [32]byte
	// Lifetime is how long a wallet has to answer, Kept how long a result can be
	// asked for after that.
	Lifetime, Kept time.Duration
}

// Endpoints are the verifier's endpoints.
type Endpoints struct{ o Options }

// New returns the endpoints.
func New(o Options) (*Endpoints, error) {
	if o.Register == nil || o.Verification == nil || o.Reader == nil || o.Key == [32]byte{} || o.Lifetime <= 0 || o.Kept <= 0 || len(o.Authorities) == 0 {
		return nil, errors.New("presenting needs a register, verification, readers' certificates, authorities, a key for answers, and times")
	}
	if u, err := url.Parse(o.Base); err != nil || u.Scheme != "https" || u.Host == "" || o.Base[len(o.Base)-1] != '/' {
		return nil, fmt.Errorf("the base of presenting is an https URL that ends in a slash, not %q", o.Base)
	}
	if o.Wallet == "" {
		o.Wallet = "openid4vp://"
	}
	return &Endpoints{o}, nil
}

// Formats in which a card is asked for, unless the party says otherwise.
const (
	mdocID  = "rrc_mdoc"
	sdjwtID = "rrc_sd_jwt"
)

// State is how far a transaction has come.
type State string

const (
	Waiting  State = "waiting"  // no wallet has fetched the request
	Fetched  State = "fetched"  // a wallet has
	Declined State = "declined" // its holder did not want to answer, or it could not
	Answered State = "answered"
)

const kind = "openid4vp"

// record is what a ticket holds.
type record struct {
	Party    string          `json:"party"`
	ClientID string          `json:"client_id"`
	Query    json.RawMessage `json:"query"`
	Nonce    string          `json:"nonce"`
	Purpose  string          `json:"purpose,omitempty"`
	Redirect string          `json:"redirect,omitempty"` // same device: where the wallet sends its user
	Ends     time.Time       `json:"ends"`               // of the time to answer
	State    State           `json:"state"`
	Error    string          `json:"error,omitempty"` // Declined: what the wallet said
	Code     string          `json:"code,omitempty"`  // same device: hash of the response_code
	Verdict  string          `json:"verdict,omitempty"`
	Shown    []Credential    `json:"shown,omitempty"`
}

// Credential is what was shown for one part of the query.
type Credential struct {
	Query   string         `json:"query"` // its id
	Format  string         `json:"format"`
	Verdict string         `json:"verdict"`
	Claims  map[string]any `json:"claims,omitempty"`           // of an accepted one
	Renew   bool           `json:"renewal_required,omitempty"` // it is good, and something on it is outdated
}

// answerKey is the key to which the answer of a transaction is encrypted.
func (e *Endpoints) answerKey(id string) (*ecdsa.PrivateKey, error) {
	for i := range byte(8) {
		d, err := hkdf.Key(sha256.New, e.o.Key[:], store.TicketKey(id), "openid4vp answer "+string('0'+rune(i)), 32)
		if err != nil {
			return nil, err
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d); err == nil { // all but one in 2^32
			return key, nil
		}
	}
	return nil, errors.New("no key can be derived for this transaction")
}

// answering is who asks in a transaction, and the key to which the answer is
// encrypted.
type answering struct {
	verification.Verifier
	private *ecdsa.PrivateKey
	public  jws.Key
}

func (e *Endpoints) answering(id, clientID string) (a answering, err error) {
	if a.private, err = e.answerKey(id); err != nil {
		return a, err
	}
	if a.public, err = jws.KeyOf(&a.private.PublicKey); err != nil {
		return a, err
	}
	thumbprint := a.public.Thumbprint()
	a.Verifier = verification.Verifier{ClientID: clientID, ResponseURI: e.o.Base + "response/" + id, Thumbprint: thumbprint[:]}
	return a, nil
}

// hashOf is how a response_code is kept.
func hashOf(code string) string {
	h := sha256.Sum256([]byte(code))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// Asked is what a relying party's backend sends to begin a transaction.
type Asked struct {
	// Elements are data elements by their names on the card; or Query is a whole
	// DCQL query.
	Elements []string        `json:"elements"`
	Query    json.RawMessage `json:"dcql_query"`
	Retain   bool            `json:"intent_to_retain"` // of the elements
	Purpose  string          `json:"purpose"`          // for the party's own log
	// Redirect is where the wallet sends its user afterwards, in same-device
	// flows; empty across devices.
	Redirect string `json:"redirect_uri"`
}

// Begun is the answer to it.
type Begun struct {
	ID         string    `json:"transaction"`
	RequestURI string    `json:"request_uri"`
	Request    string    `json:"authorization_request"` // what stands in the QR code, or in the link
	Expires    time.Time `json:"expires"`
}

const maxPurpose = 200

// Begin begins a transaction for the relying party that calls.
func (e *Endpoints) Begin(w http.ResponseWriter, r *http.Request) error {
	var asked Asked
	if err := web.ReadJSON(r, &asked); err != nil {
		return err
	}
	out, err := e.Ask(r.Context(), access.From(r.Context()), asked)
	if err == nil {
		web.JSON(w, http.StatusCreated, out)
	}
	return err
}

// Ask is Begin for the demonstration page.
func (e *Endpoints) Ask(ctx context.Context, caller access.Caller, asked Asked) (Begun, error) {
	if len(asked.Purpose) > maxPurpose {
		return Begun{}, web.Refuse(http.StatusBadRequest, "invalid_request", "The purpose is longer than %d bytes.", maxPurpose)
	}
	if asked.Redirect != "" {
		if u, err := url.Parse(asked.Redirect); err != nil || u.Scheme != "https" || u.Host == "" || u.Fragment != "" || len(asked.Redirect) > 2000 {
			return Begun{}, web.Refuse(http.StatusBadRequest, "invalid_request", "The redirect_uri is not an https URL without a fragment.")
		}
	}
	query, err := e.query(caller, asked)
	if err != nil {
		return Begun{}, err
	}
	reader, err := e.o.Reader(ctx, caller.ID)
	if err != nil {
		return Begun{}, err
	}
	seed, err := e.o.Register.Seed()
	if err != nil {
		return Begun{}, err
	}
	id := base64.RawURLEncoding.EncodeToString(seed[:])
	v, err := e.answering(id, reader.ClientID())
	if err != nil {
		return Begun{}, err
	}
	t, err := e.o.Verification.Begin(v.Verifier)
	if err != nil {
		return Begun{}, err
	}
	text, err := json.Marshal(query)
	if err != nil {
		return Begun{}, err
	}
	now := e.o.Register.Now()
	rec := record{Party: caller.ID, ClientID: v.ClientID, Query: text, Nonce: t.Nonce, Purpose: asked.Purpose, Redirect: asked.Redirect,
		Ends: now.Add(e.o.Lifetime), State: Waiting}
	body, err := json.Marshal(rec)
	if err != nil {
		return Begun{}, err
	}
	if err := e.o.Register.Update(ctx, func(tx store.Tx) error {
		return tx.AddTicket(store.Ticket{Kind: kind, Key: store.TicketKey(id), Body: body, Expires: rec.Ends.Add(e.o.Kept)})
	}); err != nil {
		return Begun{}, err
	}
	uri := e.o.Base + "request/" + id
	return Begun{ID: id, RequestURI: uri, Expires: rec.Ends,
		Request: e.o.Wallet + "?" + url.Values{"client_id": {v.ClientID}, "request_uri": {uri}, "request_uri_method": {"post"}}.Encode()}, nil
}

// query is what the party asks for, if it may.
func (e *Endpoints) query(caller access.Caller, asked Asked) (*dcql.Query, error) {
	if (len(asked.Elements) == 0) == (len(asked.Query) == 0) {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "Ask either for elements or by a dcql_query.")
	}
	if len(asked.Query) > 0 {
		q, err := dcql.Parse(asked.Query)
		if err != nil {
			return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "%v.", err)
		}
		for _, c := range q.Credentials {
			for _, claim := range c.Claims {
				if !mayAsk(caller.Elements, c.Format, claim.Path) {
					return nil, web.Refuse(http.StatusForbidden, "insufficient_scope", "This party may not ask for %s.", claim.Path)
				}
			}
		}
		return q, nil
	}
	q := &dcql.Query{
		Credentials: []dcql.Credential{
			{ID: mdocID, Format: dcql.Mdoc, Meta: dcql.Meta{DocType: mdoc.DocType}},
			{ID: sdjwtID, Format: dcql.SDJWT, Meta: dcql.Meta{VCT: []string{sdjwt.Type}}},
		},
		Sets: []dcql.Set{{Options: [][]string{{mdocID}, {sdjwtID}}}},
	}
	var roots []string
	for _, id := range e.o.Authorities {
		roots = append(roots, base64.RawURLEncoding.EncodeToString(id))
	}
	for i := range q.Credentials {
		q.Credentials[i].Authorities = []dcql.Authority{{Type: dcql.AuthorityKeyID, Values: roots}}
	}
	for _, name := range asked.Elements {
		path, ok := claimPath(name)
		if !ok {
			return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "No card has an element %.80q.", name)
		}
		if !slices.Contains(caller.Elements, name) {
			return nil, web.Refuse(http.StatusForbidden, "insufficient_scope", "This party may not ask for %s.", name)
		}
		q.Credentials[0].Claims = append(q.Credentials[0].Claims, dcql.Claim{Path: dcql.Names(mdoc.Namespace, name), IntentToRetain: asked.Retain})
		q.Credentials[1].Claims = append(q.Credentials[1].Claims, dcql.Claim{Path: path})
	}
	if err := q.Valid(); err != nil {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "%v.", err)
	}
	return q, nil
}

// claimPath is where an element of the mdoc stands in the SD-JWT.
func claimPath(element string) (dcql.Path, bool) {
	path, ok := sdjwt.PathOf(element)
	if !ok {
		return nil, false
	}
	out := make(dcql.Path, len(path))
	for i, step := range path {
		switch step := step.(type) {
		case string:
			out[i] = dcql.Name(step)
		case int:
			out[i] = dcql.Index(step)
		default:
			out[i] = dcql.All()
		}
	}
	return out, true
}

// mayAsk says whether the path is that of an element the party may ask for, or lies
// below it.
func mayAsk(elements []string, format string, path dcql.Path) bool {
	return slices.ContainsFunc(elements, func(name string) bool {
		allowed := dcql.Names(mdoc.Namespace, name)
		if format == dcql.SDJWT {
			p, ok := claimPath(name)
			if !ok {
				return false
			}
			allowed = p
		}
		return len(path) >= len(allowed) && slices.Equal(path[:len(allowed)], allowed)
	})
}
