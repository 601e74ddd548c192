package authorization

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

const (
	grantCode          = "authorization_code"
	grantPreAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	grantRefresh       = "refresh_token"
)

// Grant is what an access token gives its wallet.
type Grant struct {
	ID       string             `json:"id"` // of the authorization it comes from
	Client   string             `json:"client"`
	Wallet   string             `json:"wallet"`             // thumbprint of the wallet's instance key
	Key      string             `json:"jkt"`                // thumbprint of the DPoP key
	Approval *issuance.Approval `json:"approval,omitempty"` // none: the token was refreshed
	Person   uint64             `json:"person"`
	Configs  []string           `json:"configs,omitempty"` // that may be issued, or signed anew by a refreshed token
	ByID     bool               `json:"by_id,omitempty"`   // they are asked for by credential_identifier
}

// Refreshed says whether the token came by a refresh: it gives no card, and has copies of
// one signed anew.
func (g Grant) Refreshed() bool { return g.Approval == nil }

// Identifier is the credential_identifier of a configuration.
func Identifier(config string) string { return config + "#1" }

// Token is the token endpoint.
func (s *Server) Token(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	c, err := s.client(r, form.Get("client_id"))
	if err != nil {
		return err
	}
	proven, err := s.dpop(r, s.endpoint("token"), "", "")
	if err != nil {
		return err
	}
	g := Grant{Client: c.ID, Wallet: c.Thumbprint, Key: proven.Thumbprint}
	use := func(store.Tx) error { return nil }
	later := &g // what comes with a refresh token; nil: there is none
	switch form.Get("grant_type") {
	case grantCode:
		use, err = s.byCode(form, &g)
	case grantPreAuthorized:
		use, err = s.byOffer(r.Context(), form, &g)
	case grantRefresh:
		later, err = s.byRefresh(r.Context(), form, &g)
	default:
		err = web.Refuse(http.StatusBadRequest, "unsupported_grant_type", "The grant_type is none of those in the metadata.")
	}
	if err != nil {
		return err
	}
	if err := s.update(r.Context(), func(tx store.Tx) error {
		if err := s.spendProof(tx, proven); err != nil {
			return err
		}
		if err := c.spend(tx); err != nil {
			return err
		}
		return use(tx)
	}); err != nil {
		return err
	}
	return s.answer(w, g, later)
}

func (s *Server) answer(w http.ResponseWriter, g Grant, later *Grant) error {
	token, err := s.seal(kindToken, TokenLife, g)
	if err != nil {
		return err
	}
	scopes := []string{ScopeSelf}
	var details []detail
	for _, id := range g.Configs {
		scopes = append(scopes, s.o.Scopes[id])
		if g.ByID {
			details = append(details, detail{Type: detailsType, ConfigID: id, Identifiers: []string{Identifier(id)}})
		}
	}
	out := struct {
		Token   string   `json:"access_token"`
		Type    string   `json:"token_type"`
		Life    int      `json:"expires_in"`
		Scope   string   `json:"scope"`
		Details []detail `json:"authorization_details,omitempty"`
		Refresh string   `json:"refresh_token,omitempty"`
	}{token, "DPoP", int(TokenLife.Seconds()), strings.Join(scopes, " "), details, ""}
	if later != nil {
		refresh := *later
		refresh.Approval = nil
		if out.Refresh, err = s.seal(kindRefresh, RefreshLife, refresh); err != nil {
			return err
		}
	}
	if err := s.GiveNonce(w); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, out)
	return nil
}

func invalidGrant(format string, args ...any) *web.Error {
	return web.Refuse(http.StatusBadRequest, oauth.InvalidGrant, format, args...)
}

// byCode redeems an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6).
func (s *Server) byCode(form url.Values, g *Grant) (func(store.Tx) error, error) {
	var c code
	sealed, err := s.open(kindCode, form.Get("code"), &c)
	switch {
	case err != nil:
		return nil, invalidGrant("The code is not one of this server, or its time is over.")
	case c.Client != g.Client || !oauth.Same(c.Thumbprint, g.Wallet):
		return nil, invalidGrant("The code was given to another wallet.")
	case c.DPoP != "" && !oauth.Same(c.DPoP, g.Key):
		return nil, invalidGrant("The code was asked for with another DPoP key.")
	case form.Get("redirect_uri") != c.Redirect:
		return nil, invalidGrant("The redirect_uri is not the one of the request.")
	}
	if err := oauth.CheckVerifier(form.Get("code_verifier"), c.Challenge); err != nil {
		return nil, refusal(err)
	}
	s.approve(g, c.Approval, sealed.ID[:], c.Configs, c.Details)
	return func(tx store.Tx) error {
		return used(once(tx, kindRequest, c.ID, sealed.End), "A code of this request was used before.")
	}, nil
}

// byOffer redeems a pre-authorized code (OpenID4VCI 1.0 §6.1).
func (s *Server) byOffer(ctx context.Context, form url.Values, g *Grant) (func(store.Tx) error, error) {
	o, err := s.openOffer(ctx, form.Get("pre-authorized_code"), form.Get("tx_code"))
	if err != nil {
		return nil, err
	}
	var ids []string
	byID := form.Has("authorization_details")
	if byID {
		if ids, err = s.details(form.Get("authorization_details")); err != nil {
			return nil, err
		}
	} else if ids, err = s.scopes(form.Get("scope")); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		for id := range s.o.Scopes {
			ids = append(ids, id)
		}
		slices.Sort(ids)
	}
	var a issuance.Approval
	if err := s.o.Register.View(ctx, func(r store.Reader) (err error) {
		a, err = s.checked(r, o.Code)
		return err
	}); err != nil {
		return nil, err
	}
	s.approve(g, a, store.TicketKey(o.Code), ids, byID)
	return func(tx store.Tx) error {
		return used(once(tx, kindOffer, store.TicketKey(o.Code), s.o.Register.Now().Add(2*checkLife)), "The pre-authorized_code was used before.")
	}, nil
}

// approve puts what an approval allows into a grant.
func (s *Server) approve(g *Grant, a issuance.Approval, id []byte, configs []string, byID bool) {
	g.ID, g.Approval, g.Person, g.Configs, g.ByID = hex.EncodeToString(id), &a, uint64(a.Person), configs, byID
}

// byRefresh gives a wallet a token by which it sees and reports what concerns its
// citizen, and has the copies of its card signed anew, and nothing else; with a scope, no
// more than that of it (RFC 6749 §6). Another refresh token gives what the one before did.
func (s *Server) byRefresh(ctx context.Context, form url.Values, g *Grant) (later *Grant, err error) {
	var before Grant
	_, err = s.open(kindRefresh, form.Get("refresh_token"), &before)
	switch {
	case err != nil:
		return nil, invalidGrant("The refresh_token is not one of this server, or its time is over.")
	case before.Client != g.Client || before.Wallet != g.Wallet || before.Key != g.Key:
		return nil, invalidGrant("The refresh_token was given to another wallet, or is bound to another DPoP key.")
	}
	*g = before
	if form.Get("scope") != "" {
		if g.Configs, err = s.scopes(form.Get("scope")); err != nil {
			return nil, err
		}
		for _, id := range g.Configs {
			if !slices.Contains(before.Configs, id) {
				return nil, web.Refuse(http.StatusBadRequest, "invalid_scope", "The refresh_token does not give the scope %s.", s.o.Scopes[id])
			}
		}
	}
	if holds, err := s.holds(ctx, before); err != nil || !holds {
		return nil, err
	}
	return &before, nil
}

// holds says whether the grant's wallet holds its citizen's card. As long as it does, a
// wallet that comes before its refresh token ends gets another one; as they are bound to
// the wallet's keys, the one before is of no use to anybody else (RFC 9700 §4.14.2). That
// ends with a report that the wallet is lost, until it is released: whoever has it has its
// keys. A register that was restored may not know the citizen yet.
func (s *Server) holds(ctx context.Context, g Grant) (holds bool, err error) {
	err = s.o.Register.View(ctx, func(r store.Reader) error {
		p, err := r.Person(store.PersonID(g.Person))
		if errors.Is(err, store.ErrNotFound) || err == nil && p.Credential == 0 {
			holds = false
			return nil
		}
		if err != nil {
			return err
		}
		c, err := r.Credential(p.Credential)
		holds = err == nil && c.Wallet == g.Wallet && s.o.Register.Now().Before(c.Until) && p.State.Causes()&lifecycle.MobileLost == 0
		return err
	})
	return holds, err
}

func used(err error, sentence string) error {
	if errors.Is(err, store.ErrTaken) {
		return invalidGrant("%s", sentence)
	}
	return err
}

type grantKey struct{}

// Granted is the grant of a request's access token.
func Granted(ctx context.Context) (Grant, bool) {
	g, ok := ctx.Value(grantKey{}).(Grant)
	return g, ok
}

type laterKey struct{}

// SpentLater is the context of a request whose handler sees to it that the proof is
// marked as used: in the commit that it makes anyway, or else by register.Settle.
func SpentLater(ctx context.Context) context.Context {
	return context.WithValue(ctx, laterKey{}, true)
}

// DPoP is the citizen of a wallet's access token, as httpapi asks for it. Each proof
// of a request that changes something is good once.
func (s *Server) DPoP(r *http.Request, token string) (context.Context, error) {
	var g Grant
	if _, err := s.open(kindToken, token, &g); err != nil {
		return nil, s.unauthorised(web.Refuse(http.StatusUnauthorized, "invalid_token", "The access token is not one of this server, or its time is over."))
	}
	issuer, err := url.Parse(s.o.Issuer)
	if err != nil {
		return nil, err
	}
	proven, err := s.dpop(r, issuer.Scheme+"://"+issuer.Host+r.URL.Path, token, g.Key)
	spend := func(tx store.Tx) error { return s.wrongProof(s.spendProof(tx, proven)) }
	ctx := r.Context()
	switch later, _ := ctx.Value(laterKey{}).(bool); {
	case err != nil || r.Method == http.MethodGet || r.Method == http.MethodHead:
	case later:
		ctx = register.Also(ctx, spend)
	default:
		err = s.update(ctx, spend)
	}
	if err != nil {
		return nil, s.wrongProof(err)
	}
	caller := access.Caller{
		Role: access.Citizen, ID: strconv.FormatUint(g.Person, 10), Person: store.PersonID(g.Person), Wallet: g.Wallet, Fresh: !g.Refreshed(),
	}
	return context.WithValue(access.With(ctx, caller), grantKey{}, g), nil
}

// wrongProof is what is said of a proof to whoever asks for a resource: that they are
// not authorised (RFC 9449 §7.1).
func (s *Server) wrongProof(err error) error {
	refused, ok := errors.AsType[*web.Error](err)
	if !ok || refused.Status == http.StatusUnauthorized {
		return err
	}
	refused.Status = http.StatusUnauthorized
	return s.unauthorised(refused)
}

// unauthorised says how to come back (RFC 9449 §7.1).
func (s *Server) unauthorised(e *web.Error) error {
	return e.With("WWW-Authenticate", `DPoP error="`+e.Code+`", algs="ES256"`)
}

func thumbprintOf(c *oauth.AttestedClient) (string, error) {
	k, err := jws.KeyOf(c.Key)
	return k.ThumbprintText(), err
}
