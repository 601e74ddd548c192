package httpapi

import (
	"net/http"
	"slices"

	"rollcall.example/rollcall/reference/access"
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
	small = 16 << 10 // forms, tokens
)

// API is all whose methods the routes lead to. A module that is nil is for
// reading the table only.
type API struct {
	Health  *Health
	Parties *parties.Parties
	Lists   *publication.Lists
	// Modules: each stands here by its package's name, its routes in a section
	// of the table below.

	// Extra are routes that are not of the service itself: those of a
	// demonstration.
	Extra []Route
}

// table lists every route there is.
func (a *API) table() []Route {
	return slices.Concat(
		a.health(),
		a.parties(),
		a.lists(),
		a.Extra,
	)
}

// health is for balancers, probes and metrics. What they tell concerns nobody.
func (a *API) health() []Route {
	h := a.Health
	return []Route{
		{Name: "alive", Method: http.MethodGet, Path: "/healthz", Roles: anyone, Body: none, Handler: web.Problem(h.Alive)},
		{Name: "ready", Method: http.MethodGet, Path: "/readyz", Roles: anyone, Body: none, Handler: web.Problem(h.Ready)},
		{Name: "metrics", Method: http.MethodGet, Path: "/metrics", Roles: operators, Body: none, Handler: web.Problem(h.Metrics)},
	}
}

// parties is where staff and verifiers get an access token.
func (a *API) parties() []Route {
	return []Route{
		{Name: "party-token", Method: http.MethodPost, Path: "/parties/token", Roles: anyone, Body: small, Handler: web.OAuth(a.Parties.Token)},
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
