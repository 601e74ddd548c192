package httpapi

import (
	"net/http"
	"slices"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/web"
)

// Sets of roles that several routes share.
const (
	anyone    = access.Anyone
	operators = access.Auditor | access.Administrator
)

// Sizes of bodies, in bytes.
const (
	none  = 0
	small = 16 << 10  // forms, tokens
	keyed = 128 << 10 // requests with attestations of many keys
	faces = 512 << 10 // a card's evidence with its portrait, a capture, a card that is entered
	shown = 2 << 20   // a presentation, encrypted
)

// API is all whose methods the routes lead to. A module that is nil is for
// reading the table only.
type API struct {
	Health  *Health
	Parties *parties.Parties
	Lists   *publication.Lists
	Roots   *keys.Roots

	Authorization *authorization.Server
	OpenID4VCI    *openid4vci.Issuer
	OpenID4VP     *openid4vp.Endpoints
	Desk          *desk.Desk
	Console       *console.Console

	// Extra are routes that are not of the service itself: those of a
	// demonstration.
	Extra []Route
}

// table lists every route there is.
func (a *API) table() []Route {
	return slices.Concat(
		a.health(),
		a.parties(),
		a.roots(),
		a.lists(),
		a.issuing(),
		a.presenting(),
		a.desks(),
		a.console(),
		a.Extra,
	)
}

// health is for balancers, probes and metrics. What they tell concerns nobody.
func (a *API) health() []Route {
	h := a.Health
	return []Route{
		{Name: "alive", Method: http.MethodGet, Path: "/healthz", Roles: anyone, Body: none, Handler: web.Problem(h.Alive)},
		{Name: "ready", Method: http.MethodGet, Path: "/readyz", Roles: anyone, Body: none, Handler: web.Problem(h.Ready)},
		{Name: "openapi", Method: http.MethodGet, Path: "/openapi.yaml", Roles: anyone, Body: none, Handler: web.Problem(openAPI)},
		{Name: "metrics", Method: http.MethodGet, Path: "/metrics", Roles: operators, Body: none, Handler: web.Problem(h.Metrics)},
	}
}

// parties is where staff and verifiers get an access token.
func (a *API) parties() []Route {
	return []Route{
		{Name: "party-token", Method: http.MethodPost, Path: "/parties/token", Roles: anyone, Body: small, Handler: web.OAuth(a.Parties.Token)},
	}
}

// roots is for those who trust the authority of cards, or that of verifiers' requests.
func (a *API) roots() []Route {
	r := a.Roots
	return []Route{
		{Name: "iaca", Method: http.MethodGet, Path: "/iaca.cer", Roles: anyone, Body: none, Handler: web.Problem(r.Certificate)},
		{Name: "iaca-revocations", Method: http.MethodGet, Path: "/iaca.crl", Roles: anyone, Body: none, Handler: web.Problem(r.List)},
		{Name: "authority-revocations", Method: http.MethodGet, Path: "/authority.crl", Roles: anyone, Body: none, Handler: web.Problem(r.AuthorityList)},
	}
}

// lists is where anybody fetches status lists. As they stood in the past they tell
// how long somebody was suspended: that is for auditors.
func (a *API) lists() []Route {
	l := a.Lists
	return []Route{
		{Name: "status-lists", Method: http.MethodGet, Path: "/status-lists", Roles: anyone, Body: none, Handler: web.Problem(l.All)},
		{Name: "status-list", Method: http.MethodGet, Path: "/status-lists/{list}", Roles: anyone, Body: none, Handler: web.Problem(l.List)},
		{Name: "status-list-past", Method: http.MethodGet, Path: "/status-lists/{list}/past", Roles: access.Auditor, Body: none, Handler: web.Problem(l.Past)},
	}
}

// issuing is what a wallet needs to get a card (OpenID4VCI 1.0 by HAIP 1.0). Up to
// the access token it proves what it is in each step's own way.
func (a *API) issuing() []Route {
	s, i := a.Authorization, a.OpenID4VCI
	return []Route{
		{Name: "authorization-metadata", Method: http.MethodGet, Path: "/.well-known/oauth-authorization-server", Roles: anyone, Body: none, Handler: web.OAuth(s.Metadata)},
		{Name: "issuer-metadata", Method: http.MethodGet, Path: "/.well-known/openid-credential-issuer", Roles: anyone, Body: none, Handler: web.OAuth(i.Metadata)},
		{Name: "attestation-challenge", Method: http.MethodPost, Path: "/oauth/challenge", Roles: anyone, Body: small, Handler: web.OAuth(s.AttestationChallenge)},
		{Name: "push-request", Method: http.MethodPost, Path: "/oauth/par", Roles: anyone, Body: small, Handler: web.OAuth(s.Push)},
		{Name: "authorize", Method: http.MethodGet, Path: "/oauth/authorize", Roles: anyone, Body: none, Handler: web.OAuth(s.Authorize)},
		{Name: "card-challenge", Method: http.MethodPost, Path: "/oauth/authorize/challenge", Roles: anyone, Body: small, Handler: web.OAuth(s.Challenge)},
		{Name: "card-evidence", Method: http.MethodPost, Path: "/oauth/authorize/evidence", Roles: anyone, Body: faces, Handler: web.OAuth(s.Prove)},
		{Name: "offer", Method: http.MethodGet, Path: "/oauth/offers/{offer}", Roles: anyone, Body: none, Handler: web.OAuth(s.FetchOffer)},
		{Name: "face-check", Method: http.MethodPost, Path: "/oauth/face-check", Roles: anyone, Body: small, Handler: web.OAuth(s.FaceCheck)},
		{Name: "token", Method: http.MethodPost, Path: "/oauth/token", Roles: anyone, Body: small, Handler: web.OAuth(s.Token)},
		{Name: "nonce", Method: http.MethodPost, Path: "/vci/nonce", Roles: anyone, Body: small, Handler: web.OAuth(i.Nonce)},
		{Name: "credential", Spends: true, Method: http.MethodPost, Path: "/vci/credential", Roles: access.Citizen, Body: keyed, Handler: web.OAuth(i.Credential)},
		{Name: "deferred-credential", Spends: true, Method: http.MethodPost, Path: "/vci/deferred", Roles: access.Citizen, Body: small, Handler: web.OAuth(i.Deferred)},
		{Name: "notification", Spends: true, Method: http.MethodPost, Path: "/vci/notification", Roles: access.Citizen, Body: small, Handler: web.OAuth(i.Notify)},
	}
}

// presenting is where a verifier asks, and a wallet answers it (OpenID4VP 1.0).
func (a *API) presenting() []Route {
	v := a.OpenID4VP
	return []Route{
		{Name: "ask", Method: http.MethodPost, Path: "/vp/transactions", Roles: access.Verifier, Body: small, Handler: web.Problem(v.Begin)},
		{Name: "outcome", Method: http.MethodGet, Path: "/vp/transactions/{id}", Roles: access.Verifier, Body: none, Handler: web.Problem(v.Result)},
		{Name: "presentation-request", Method: http.MethodGet, Path: "/vp/request/{id}", Roles: anyone, Body: none, Handler: web.OAuth(v.Request)},
		{Name: "presentation-request-posted", Method: http.MethodPost, Path: "/vp/request/{id}", Roles: anyone, Body: small, Handler: web.OAuth(v.Request)},
		{Name: "presentation", Method: http.MethodPost, Path: "/vp/response/{id}", Roles: anyone, Body: shown, Handler: web.OAuth(v.Respond)},
	}
}

// desks is for those who look somebody up, report, release and enter. What a role
// may cause is the rulebook's: it says no to whom this table lets in.
func (a *API) desks() []Route {
	const (
		counters = access.Clerk | access.CallCentre | access.Registrar
		losers   = access.Citizen | counters
		finders  = access.Citizen | access.Clerk | access.Registrar
		printers = access.Clerk | access.Registrar
	)
	d := a.Desk
	return []Route{
		{Name: "find-resident", Method: http.MethodGet, Path: "/residents", Roles: counters, Body: none, Handler: web.Problem(d.Find)},
		{Name: "enter-resident", Method: http.MethodPost, Path: "/residents", Roles: access.Registrar, Body: faces, Handler: web.Problem(d.Enter)},
		{Name: "resident", Method: http.MethodGet, Path: "/residents/{id}", Roles: losers, Body: none, Handler: web.Problem(d.Look)},
		{Name: "amend-resident", Method: http.MethodPatch, Path: "/residents/{id}", Roles: access.Registrar, Body: small, Handler: web.Problem(d.Amend)},
		{Name: "enter-card", Method: http.MethodPost, Path: "/residents/{id}/cards", Roles: printers, Body: faces, Handler: web.Problem(d.EnterCard)},
		{Name: "remove-resident", Method: http.MethodPost, Path: "/residents/{id}/removal", Roles: access.Registrar, Body: small, Handler: web.Problem(d.Remove)},
		{Name: "reports", Method: http.MethodGet, Path: "/residents/{id}/reports", Roles: losers, Body: none, Handler: web.Problem(d.Reports)},
		{Name: "report", Method: http.MethodPost, Path: "/residents/{id}/reports", Roles: losers, Body: small, Handler: web.Problem(d.Suspend)},
		{Name: "release", Method: http.MethodPost, Path: "/residents/{id}/releases", Roles: finders, Body: small, Handler: web.Problem(d.Release)},
		{Name: "make-offer", Method: http.MethodPost, Path: "/residents/{id}/offers", Roles: access.Clerk, Body: small, Handler: web.Problem(d.Offer)},
		{Name: "check-card", Method: http.MethodPost, Path: "/cards/check", Roles: access.Clerk | access.Verifier, Body: small, Handler: web.Problem(d.Plastic)},
		{Name: "audit", Method: http.MethodGet, Path: "/audit", Roles: access.Auditor, Long: true, Body: none, Handler: web.Problem(d.Audit)},
		{Name: "parties", Method: http.MethodGet, Path: "/parties", Roles: access.Administrator, Body: none, Handler: web.Problem(d.Parties)},
		{Name: "enter-party", Method: http.MethodPost, Path: "/parties", Roles: access.Administrator, Body: small, Handler: web.Problem(d.EnterParty)},
		{Name: "party", Method: http.MethodGet, Path: "/parties/{party}", Roles: access.Administrator, Body: none, Handler: web.Problem(d.Party)},
		{Name: "change-party", Method: http.MethodPut, Path: "/parties/{party}", Roles: access.Administrator, Body: small, Handler: web.Problem(d.ChangeParty)},
		{Name: "end-party", Method: http.MethodPost, Path: "/parties/{party}/end", Roles: access.Administrator, Body: small, Handler: web.Problem(d.EndParty)},
		{Name: "audit-checkpoint", Method: http.MethodGet, Path: "/audit/checkpoint", Roles: operators, Body: none, Handler: web.Problem(d.Checkpoint)},
	}
}

// console is the pages of staff, and of verifiers without software of their own.
// The same roles may do there what they may do by the routes above.
func (a *API) console() []Route {
	const (
		counters = access.Clerk | access.CallCentre | access.Registrar
		finders  = access.Clerk | access.Registrar
		everyone = counters | access.Verifier | operators
	)
	c := a.Console
	page := func(name, method, path string, roles access.Role, h web.Handler) Route {
		r := Route{Name: "console-" + name, Method: method, Path: path, Roles: roles, Session: roles != anyone, Handler: c.Page(h)}
		if method == http.MethodPost {
			r.Body = small
		}
		return r
	}
	const get, post = http.MethodGet, http.MethodPost
	return []Route{
		page("front", get, "/{$}", anyone, c.Front),
		page("style", get, "/console/style.css", anyone, console.Style),
		page("script", get, "/console/script.js", anyone, console.Script),
		page("sign-in-page", get, "/console/sign-in", anyone, c.SignInPage),
		page("sign-in", post, "/console/sign-in", anyone, c.SignIn),
		page("sign-out", post, "/console/sign-out", everyone, c.SignOut),
		page("home", get, "/console/{$}", everyone, c.Home),
		page("find", post, "/console/residents", counters, c.Find),
		page("resident", get, "/console/residents/{id}", counters, c.Resident),
		page("report", post, "/console/residents/{id}/reports", counters, c.Report),
		page("release", post, "/console/residents/{id}/releases", finders, c.Release),
		page("make-offer", post, "/console/residents/{id}/offers", access.Clerk, c.MakeOffer),
		page("offer", get, "/console/offers/{offer}", access.Clerk, c.Offer),
		page("offer-state", get, "/console/offers/{offer}/state", access.Clerk, c.OfferState),
		page("reissue", post, "/console/residents/{id}/cards", finders, c.Reissue),
		page("move", post, "/console/residents/{id}/address", access.Registrar, c.Move),
		page("remove", post, "/console/residents/{id}/removal", access.Registrar, c.Remove),
		page("verify", get, "/console/verify", access.Verifier, c.Verify),
		page("ask", post, "/console/verify", access.Verifier, c.Ask),
		page("transaction", get, "/console/verify/{transaction}", access.Verifier, c.Transaction),
		page("transaction-state", get, "/console/verify/{transaction}/state", access.Verifier, c.TransactionState),
		page("check-page", get, "/console/cards", access.Clerk|access.Verifier, c.CheckPage),
		page("check", post, "/console/cards", access.Clerk|access.Verifier, c.Check),
		page("audit", get, "/console/audit", access.Auditor, c.Log),
		page("audit-log", get, "/console/audit/log", access.Auditor, c.Export),
		page("audit-checkpoint", get, "/console/audit/checkpoint", access.Auditor, c.Checkpoint),
		page("parties", get, "/console/parties", access.Administrator, c.PartiesPage),
		page("enter-party", post, "/console/parties", access.Administrator, c.EnterParty),
		page("party", get, "/console/parties/{party}", access.Administrator, c.PartyPage),
		page("change-party", post, "/console/parties/{party}", access.Administrator, c.ChangeParty),
		page("end-party", post, "/console/parties/{party}/end", access.Administrator, c.EndParty),
		page("sessions", get, "/console/sessions", access.Administrator, c.SessionsPage),
		page("end-sessions", post, "/console/parties/{party}/sessions", access.Administrator, c.EndSessions),
	}
}
