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
// What is asked stands, sealed, in the transaction's identifier, and keys are derived
// from it: any replica can go on where another one stopped, and nothing is written
// before the wallet's answer. That is one commit, and finds out if there was one
// before. (What would make a QR code too large is kept: asked.go.)
package openid4vp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/recent"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/seal"
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
func (r Reader) ClientID() string { return clientID(r.hash()) }

func (r Reader) hash() []byte {
	h := sha256.Sum256(r.Chain[0])
	return h[:]
}

func clientID(hash []byte) string { return "x509_hash:" + base64.RawURLEncoding.EncodeToString(hash) }

// ErrRevoked: a relying party's access certificate was revoked. It may not ask, and what
// it has asked is not answered.
var ErrRevoked = errors.New("the certificate of the party that asks was revoked")

// Options are what the verifier endpoints need.
type Options struct {
	Register     *register.Register
	Verification *verification.Service
	// Base is the URL under which Request and Respond are found, as
	// "https://id.example/vp/".
	Base string
	// Wallet is where a wallet is invoked, "openid4vp://" or a https URL.
	Wallet string
	// Reader is the access certificate of a relying party, by its name; ErrRevoked if
	// it was revoked.
	Reader func(ctx context.Context, party string) (Reader, error)
	// Revoked says whether Reader is ErrRevoked for any party: then each answer of a wallet
	// is worth looking whose it would be. nil: never.
	Revoked func() bool
	// Authorities are the key identifiers of the roots whose cards are asked for.
	Authorities [][]byte
	// Keys seal what is asked into the identifiers of transactions.
	Keys *seal.Keys
	// Secret makes the keys to which answers are encrypted in transactions begun at a
	// moment. It is asked for again as long as they last, and every replica must give
	// the same.
	Secret func(begun time.Time) [32]byte
	// Lifetime is how long a wallet has to answer, Kept how long a result can be
	// asked for after that.
	Lifetime, Kept time.Duration
}

// Endpoints are the verifier's endpoints. What they remember is worked out again, or read
// from the register, by whoever does not: another replica, or this one after a start.
type Endpoints struct {
	o       Options
	queries recent.Memory[string, question]  // by elements: parties ask the same again and again
	keys    recent.Memory[string, answering] // by transaction, from the wallet's fetching the request to its answer
	answers recent.Memory[string, given]     // by ticket: bodies that are in the register and never change there
}

// given is the body of an answer's ticket, and until when a result can be asked for.
type given struct {
	body  []byte
	until time.Time
}

// Forget forgets the answers that nobody can ask for any more, and the keys of
// transactions whose time to answer is over. Otherwise they would stay in memory until
// enough others have come, however long that takes.
func (e *Endpoints) Forget() {
	now := e.o.Register.Now()
	e.keys.Forget(func(_ string, a answering) bool { return !now.Before(a.ends) })
	e.answers.Forget(func(_ string, a given) bool { return !now.Before(a.until) })
}

// How much is remembered, twice at most.
const (
	rememberedQueries      = 64
	rememberedTransactions = 4096
)

// New returns the endpoints.
func New(o Options) (*Endpoints, error) {
	if o.Register == nil || o.Verification == nil || o.Reader == nil || o.Keys == nil || o.Secret == nil || o.Lifetime <= 0 || o.Kept <= 0 || len(o.Authorities) == 0 {
		return nil, errors.New("presenting needs a register, verification, readers' certificates, authorities, keys to seal with, a secret for answers, and times")
	}
	if u, err := url.Parse(o.Base); err != nil || u.Scheme != "https" || u.Host == "" || o.Base[len(o.Base)-1] != '/' {
		return nil, fmt.Errorf("the base of presenting is an https URL that ends in a slash, not %q", o.Base)
	}
	if o.Wallet == "" {
		o.Wallet = "openid4vp://"
	}
	e := &Endpoints{o: o}
	e.queries.Limit, e.keys.Limit, e.answers.Limit = rememberedQueries, rememberedTransactions, rememberedTransactions
	return e, nil
}

// Formats in which a card is asked for, unless the party says otherwise.
const (
	mdocID  = "rrc_mdoc"
	sdjwtID = "rrc_sd_jwt"
)

// State is how far a transaction has come.
type State string

const (
	Waiting  State = "waiting"  // nobody has answered
	Fetched  State = "fetched"  // a wallet has fetched the request; told if Asked.Progress
	Declined State = "declined" // its holder did not want to answer, or it could not
	Answered State = "answered"
)

// Credential is what was shown for one part of the query.
type Credential struct {
	Query   string         `json:"query"` // its id
	Format  string         `json:"format"`
	Verdict string         `json:"verdict"`
	Claims  map[string]any `json:"claims,omitempty"`           // of an accepted one
	Renew   bool           `json:"renewal_required,omitempty"` // it is good, and something on it is outdated
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
	// Progress is for who watches the transaction: it is told, too, when a wallet
	// has fetched the request. That costs a commit.
	Progress bool `json:"progress"`
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
	if err := web.ReadKnown(r, &asked); err != nil {
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
		if u, err := url.Parse(asked.Redirect); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || len(asked.Redirect) > 2000 {
			return Begun{}, web.Refuse(http.StatusBadRequest, "invalid_request", "The redirect_uri is not an https URL without a user and a fragment.")
		}
		if len(caller.Redirects) > 0 && !oauth.Redirects(caller.Redirects, asked.Redirect) {
			return Begun{}, web.Refuse(http.StatusBadRequest, "invalid_request", "The redirect_uri is not one that is registered for this party.")
		}
	}
	if err := e.may(caller, asked); err != nil {
		return Begun{}, err
	}
	reader, err := e.o.Reader(ctx, caller.ID)
	if errors.Is(err, ErrRevoked) {
		return Begun{}, web.Refuse(http.StatusForbidden, "access_denied", "The certificate with which this party asks was revoked.").Because(err)
	}
	if err != nil {
		return Begun{}, err
	}
	t := transaction{Party: caller.ID, Certificate: reader.hash(), Elements: asked.Elements, Retain: asked.Retain, Query: asked.Query,
		Purpose: asked.Purpose, Redirect: asked.Redirect, Progress: asked.Progress,
		ends: e.o.Register.Now().Add(e.o.Lifetime).Truncate(time.Millisecond)}
	if err := e.name(ctx, &t); err != nil {
		return Begun{}, err
	}
	uri := e.o.Base + "request/" + t.id
	return Begun{ID: t.id, RequestURI: uri, Expires: t.ends,
		Request: e.o.Wallet + "?" + url.Values{"client_id": {t.clientID()}, "request_uri": {uri}, "request_uri_method": {"post"}}.Encode()}, nil
}

// may says whether the party may ask for this, and whether it is a question.
func (e *Endpoints) may(caller access.Caller, asked Asked) error {
	if (len(asked.Elements) == 0) == (len(asked.Query) == 0) {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "Ask either for elements or by a dcql_query.")
	}
	if len(asked.Query) > 0 {
		q, err := dcql.Parse(asked.Query)
		if err != nil {
			return web.Refuse(http.StatusBadRequest, "invalid_request", "%v.", err)
		}
		for _, c := range q.Credentials {
			for _, claim := range c.Claims {
				if !mayAsk(caller.Elements, c.Format, claim.Path) {
					return web.Refuse(http.StatusForbidden, "insufficient_scope", "This party may not ask for %s.", claim.Path)
				}
			}
		}
		return nil
	}
	for _, name := range asked.Elements {
		if _, ok := claimPath(name); !ok {
			return web.Refuse(http.StatusBadRequest, "invalid_request", "No card has an element %.80q.", name)
		}
		if !slices.Contains(caller.Elements, name) {
			return web.Refuse(http.StatusForbidden, "insufficient_scope", "This party may not ask for %s.", name)
		}
	}
	if _, err := e.elements(asked.Elements, asked.Retain); err != nil {
		return web.Refuse(http.StatusBadRequest, "invalid_request", "%v.", err)
	}
	return nil
}

// question is what elements ask for, as DCQL, which nobody changes any more, and its JSON.
type question struct {
	query *dcql.Query
	text  json.RawMessage
}

// elements asks for data elements that cards have, in either format.
func (e *Endpoints) elements(names []string, retain bool) (question, error) {
	key := strconv.FormatBool(retain) + " " + strings.Join(names, " ")
	if q, ok := e.queries.Get(key); ok {
		return q, nil
	}
	query := e.elementsQuery(names, retain)
	if err := query.Valid(); err != nil {
		return question{}, err
	}
	text, err := json.Marshal(query)
	if err != nil {
		return question{}, err
	}
	q := question{query, text}
	e.queries.Put(key, q)
	return q, nil
}

// elementsQuery is the query of elements, made anew.
func (e *Endpoints) elementsQuery(names []string, retain bool) *dcql.Query {
	var roots []string
	for _, id := range e.o.Authorities {
		roots = append(roots, base64.RawURLEncoding.EncodeToString(id))
	}
	ours := []dcql.Authority{{Type: dcql.AuthorityKeyID, Values: roots}}
	q := &dcql.Query{
		Credentials: []dcql.Credential{
			{ID: mdocID, Format: dcql.Mdoc, Meta: dcql.Meta{DocType: mdoc.DocType}, Authorities: ours},
			{ID: sdjwtID, Format: dcql.SDJWT, Meta: dcql.Meta{VCT: []string{sdjwt.Type}}, Authorities: ours},
		},
		Sets: []dcql.Set{{Options: [][]string{{mdocID}, {sdjwtID}}}},
	}
	for _, name := range names {
		path, _ := claimPath(name)
		q.Credentials[0].Claims = append(q.Credentials[0].Claims, dcql.Claim{Path: dcql.Names(mdoc.Namespace, name), IntentToRetain: retain})
		q.Credentials[1].Claims = append(q.Credentials[1].Claims, dcql.Claim{Path: path})
	}
	return q
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
		allowed, ok := claimPath(name)
		if !ok { // registered when more were taken
			return false
		}
		if format != dcql.SDJWT {
			allowed = dcql.Names(mdoc.Namespace, name)
		}
		return len(path) >= len(allowed) && slices.Equal(path[:len(allowed)], allowed)
	})
}
