// Package authorization is the authorization server of mobile cards: it finds out
// who applies, and gives the wallet an access token for it. OAuth 2.0 (RFC 6749) in
// the profile of HAIP 1.0 §4: pushed requests (RFC 9126), PKCE with S256 (RFC 7636),
// DPoP with nonces of the server (RFC 9449), attested wallets
// (draft-ietf-oauth-attestation-based-client-auth-11), the issuer in the answer
// (RFC 9207), and the pre-authorized code of OpenID4VCI 1.0 §4.1.1.
//
// Its own way of authenticating citizens is the IC card's answer to a challenge and
// the face match (Challenge, Prove); at a centre, the clerk's one-time code and the
// face match (FaceCheck). What these show is an issuance.Approval, which travels in
// the code and in the token. Whether a card is then issued is decided when it is
// asked for.
//
// Request URIs, codes, tokens and nonces are sealed texts (package seal): any
// replica can go on where another one stopped. What may be used once is marked in
// the register.
package authorization

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
	"rollcall.example/rollcall/reference/x5c"
)

// Lifetimes of what is handed out.
const (
	RequestLife = 5 * time.Minute     // of a pushed request: a card is searched for in a bag
	CodeLife    = time.Minute         // of an authorization code
	TokenLife   = 10 * time.Minute    // of an access token
	NonceLife   = 5 * time.Minute     // of a DPoP nonce and of a client attestation challenge
	RefreshLife = 90 * 24 * time.Hour // of a refresh token: a wallet that comes less often needs the IC card once more
	checkLife   = 5 * time.Minute     // of a face check, until the code is redeemed
)

// ScopeSelf lets a wallet see and report what concerns its citizen. Every token has
// it.
const ScopeSelf = "self"

// Options are what the server needs.
type Options struct {
	Register *register.Register
	Issuance *issuance.Service
	Keys     *seal.Keys
	// Issuer is the URL of the server, and of the credential issuer beside it,
	// without a slash at its end.
	Issuer string
	// Path is where the endpoints below lie, as "/oauth/".
	Path string
	// Providers of wallets that are trusted to attest them.
	Providers *x5c.Anchors
	// Standing says whether attestations that name a status list still stand; nil: nobody
	// can tell, and they are not taken.
	Standing *standing.Lists
	// Scopes are those by which credentials are asked for, one for each
	// configuration of the issuer, by its id.
	Scopes map[string]string
	// Redirects are the redirect URIs that are accepted, with any query (oauth.Redirects);
	// none: any.
	Redirects []string
	// Page shows a citizen's browser what to do; nil: a page of instructions.
	Page func(w http.ResponseWriter, r *http.Request, requestURI string)
}

// Server is the authorization server.
type Server struct{ o Options }

// New returns the server.
func New(o Options) (*Server, error) {
	if o.Register == nil || o.Issuance == nil || o.Keys == nil || o.Providers == nil || len(o.Scopes) == 0 {
		return nil, errors.New("the authorization server needs a register, issuance, keys, wallet providers and scopes")
	}
	if u, err := url.Parse(o.Issuer); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(o.Issuer, "/") {
		return nil, fmt.Errorf("the issuer is an https URL without query, fragment and slash at its end, not %q", o.Issuer)
	}
	if !strings.HasPrefix(o.Path, "/") || !strings.HasSuffix(o.Path, "/") {
		return nil, fmt.Errorf("the path of the endpoints begins and ends with a slash, not %q", o.Path)
	}
	return &Server{o}, nil
}

// endpoint is the URL of one of the endpoints.
func (s *Server) endpoint(name string) string { return s.o.Issuer + s.o.Path + name }

// Kinds of sealed texts.
const (
	kindRequest   = "authorization request"
	kindCode      = "authorization code"
	kindOffer     = "pre-authorized code"
	kindOfferURI  = "credential offer"
	kindToken     = "access token"
	kindRefresh   = "refresh token"
	kindDPoP      = "dpop nonce"
	kindChallenge = "attestation challenge"
)

func (s *Server) seal(kind string, life time.Duration, v any) (string, error) {
	seed, err := s.o.Register.Seed()
	if err != nil {
		return "", err
	}
	return s.o.Keys.Seal(seed, kind, s.o.Register.Now().Add(life), v)
}

func (s *Server) open(kind, text string, v any) (seal.Sealed, error) {
	return s.o.Keys.Open(kind, text, s.o.Register.Now(), v)
}

// once marks something as used, in a transaction, under its name alone: two texts
// with different ends may stand for it.
func once(tx store.Tx, what string, id []byte, until time.Time) error {
	return tx.UseOnce(nameOf(what, id), until)
}

// onceProof marks a proof as used. Whoever brings it again brings the same id and
// moment, which are signed.
func onceProof(tx store.Tx, what, id string, made time.Time) error {
	return tx.UseNonce(nameOf(what, []byte(id)), oauth.ProofEnds(made))
}

func nameOf(what string, id []byte) []byte {
	h := sha256.Sum256(append([]byte(what+" "), id...))
	return h[:]
}

// refusal turns what package oauth says into an answer.
func refusal(err error) error {
	r, ok := errors.AsType[*oauth.Refusal](err)
	if !ok {
		return err
	}
	status := http.StatusBadRequest
	if r.Code == oauth.InvalidClientAttestation {
		status = http.StatusUnauthorized
	}
	return web.Refuse(status, r.Code, "%s", r.Reason)
}

// client is a wallet that its provider vouches for.
type client struct {
	ID         string
	Thumbprint string // of its instance key
	pop        string // id and moment of the proof
	made       time.Time
}

// client checks who sends a request to the server itself.
func (s *Server) client(r *http.Request, clientID string) (client, error) {
	attestations, pops := r.Header.Values(oauth.HeaderAttestation), r.Header.Values(oauth.HeaderPoP)
	if len(attestations) != 1 || len(pops) != 1 {
		return client{}, web.Refuse(http.StatusUnauthorized, oauth.InvalidClientAttestation, "A wallet proves what it is by one %s and one %s header.", oauth.HeaderAttestation, oauth.HeaderPoP)
	}
	now := s.o.Register.Now()
	c, err := oauth.CheckClient(attestations[0], pops[0], oauth.ExpectedClient{
		Providers: s.o.Providers, ClientID: clientID, Audience: s.o.Issuer, At: now, Optional: true,
		Challenge: func(challenge string) bool {
			_, err := s.open(kindChallenge, challenge, &struct{}{})
			return err == nil
		},
	})
	if errors.Is(err, &oauth.Refusal{Code: oauth.UseAttestationChallenge}) {
		return client{}, s.withChallenge(err)
	}
	if err != nil {
		return client{}, refusal(err)
	}
	switch err := s.o.Standing.Check(r.Context(), c.Status); {
	case errors.Is(err, standing.ErrNotValid):
		return client{}, web.Refuse(http.StatusUnauthorized, oauth.InvalidClientAttestation, "The client attestation: %v.", err)
	case errors.Is(err, standing.ErrUnknown):
		return client{}, web.Refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The status list of the client attestation cannot be had now: ask again later.").
			With("Retry-After", "10").Because(err)
	case err != nil:
		return client{}, err
	}
	thumbprint, err := thumbprintOf(c)
	if err != nil {
		return client{}, err
	}
	return client{c.ClientID, thumbprint, c.PoPID, c.PoPMade}, nil
}

// spend marks the client's proof as used.
func (c client) spend(tx store.Tx) error {
	if err := onceProof(tx, "client proof", c.Thumbprint+" "+c.pop, c.made); errors.Is(err, store.ErrTaken) {
		return web.Refuse(http.StatusUnauthorized, oauth.InvalidClientAttestation, "This proof of possession was used before.")
	} else if err != nil {
		return err
	}
	return nil
}

// dpop checks the DPoP proof of a request. A refused one gets a nonce to try again
// with.
func (s *Server) dpop(r *http.Request, url, accessToken, thumbprint string) (*oauth.Proven, error) {
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		return nil, s.withNonce(web.Refuse(http.StatusBadRequest, oauth.InvalidDPoPProof, "The request needs exactly one DPoP header, not %d.", len(proofs)))
	}
	p, err := oauth.CheckDPoP(proofs[0], oauth.ExpectedDPoP{
		Method: r.Method, URL: url, AccessToken: accessToken, Thumbprint: thumbprint, At: s.o.Register.Now(),
		Nonce: func(nonce string) bool {
			_, err := s.open(kindDPoP, nonce, &struct{}{})
			return err == nil
		},
	})
	if refused, ok := errors.AsType[*oauth.Refusal](err); ok {
		return nil, s.withNonce(web.Refuse(http.StatusBadRequest, refused.Code, "%s", refused.Reason))
	}
	return p, err
}

// spendProof marks a DPoP proof as used.
func (s *Server) spendProof(tx store.Tx, p *oauth.Proven) error {
	if err := onceProof(tx, "dpop proof", p.Thumbprint+" "+p.ID, p.IssuedAt); errors.Is(err, store.ErrTaken) {
		return s.withNonce(web.Refuse(http.StatusBadRequest, oauth.InvalidDPoPProof, "This proof was used before."))
	} else if err != nil {
		return err
	}
	return nil
}

// withNonce gives a refused caller a nonce.
func (s *Server) withNonce(e *web.Error) error {
	nonce, err := s.seal(kindDPoP, NonceLife, struct{}{})
	if err != nil {
		return err
	}
	return e.With("DPoP-Nonce", nonce)
}

// GiveNonce puts the next DPoP nonce into an answer.
func (s *Server) GiveNonce(w http.ResponseWriter) error {
	nonce, err := s.seal(kindDPoP, NonceLife, struct{}{})
	if err == nil {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	return err
}

// update runs a change of what may be used once.
func (s *Server) update(ctx context.Context, f func(store.Tx) error) error {
	return s.o.Register.Update(ctx, f)
}

// scopes reads a scope; ids are the configurations that it names, in order.
func (s *Server) scopes(text string) (ids []string, err error) {
	for _, scope := range strings.Fields(text) {
		if scope == ScopeSelf {
			continue
		}
		found := false
		for id, name := range s.o.Scopes {
			if name == scope && !slices.Contains(ids, id) {
				ids, found = append(ids, id), true
			}
		}
		if !found {
			return nil, web.Refuse(http.StatusBadRequest, "invalid_scope", "There is no scope %.80q, or it comes twice.", scope)
		}
	}
	return ids, nil
}

// Metadata describes the server (RFC 8414).
func (s *Server) Metadata(w http.ResponseWriter, r *http.Request) error {
	scopes := []string{ScopeSelf}
	for _, scope := range s.o.Scopes {
		scopes = append(scopes, scope)
	}
	slices.Sort(scopes)
	w.Header().Set("Cache-Control", "public, max-age=300")
	web.JSON(w, http.StatusOK, map[string]any{
		"issuer":                                              s.o.Issuer,
		"authorization_endpoint":                              s.endpoint("authorize"),
		"pushed_authorization_request_endpoint":               s.endpoint("par"),
		"require_pushed_authorization_requests":               true,
		"token_endpoint":                                      s.endpoint("token"),
		"challenge_endpoint":                                  s.endpoint("challenge"),
		"response_types_supported":                            []string{"code"},
		"response_modes_supported":                            []string{"query"},
		"grant_types_supported":                               []string{grantCode, grantPreAuthorized, grantRefresh},
		"scopes_supported":                                    scopes,
		"code_challenge_methods_supported":                    []string{"S256"},
		"dpop_signing_alg_values_supported":                   []string{"ES256"},
		"token_endpoint_auth_methods_supported":               []string{"attest_jwt_client_auth"},
		"client_attestation_signing_alg_values_supported":     []string{"ES256"},
		"client_attestation_pop_signing_alg_values_supported": []string{"ES256"},
		"authorization_response_iss_parameter_supported":      true,
		"authorization_details_types_supported":               []string{detailsType},
		"pre-authorized_grant_anonymous_access_supported":     false,
	})
	return nil
}

// withChallenge gives a refused wallet a challenge to try again with (§6.2 of the draft).
func (s *Server) withChallenge(refused error) error {
	challenge, err := s.seal(kindChallenge, NonceLife, struct{}{})
	if err != nil {
		return err
	}
	e, ok := errors.AsType[*web.Error](refusal(refused))
	if !ok {
		return refused
	}
	return e.With(oauth.HeaderChallenge, challenge)
}

// AttestationChallenge gives a wallet a challenge for its proof of possession.
func (s *Server) AttestationChallenge(w http.ResponseWriter, r *http.Request) error {
	challenge, err := s.seal(kindChallenge, NonceLife, struct{}{})
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, map[string]string{"attestation_challenge": challenge})
	return nil
}
