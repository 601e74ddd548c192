package httpapi

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/web"
)

// A Check says who presents a credential. It returns the request's context with
// its caller (access.With), and with whatever else the handlers of its own module
// need to know of the credential.
type Check func(r *http.Request, credential string) (context.Context, error)

// Authentication is how callers prove who they are. What is nil is refused.
type Authentication struct {
	// DPoP checks a wallet's access token, with the proof in the request (RFC
	// 9449 §7.1).
	DPoP Check
	// Bearer checks a party's access token (RFC 6750).
	Bearer Check
	// Session checks the console's cookie, and that a request which changes
	// something comes from its own pages.
	Session Check
	// Certificate checks the certificate of a mutual TLS connection (RFC 8705). It counts
	// for nothing at the console.
	Certificate func(*http.Request, *x509.Certificate) (context.Context, error)
}

// who is the request with its caller; Anyone where nothing was presented.
func (a *Authentication) who(r *http.Request, route *Route) (*http.Request, error) {
	var check Check
	var credential string
	switch lines := r.Header.Values("Authorization"); {
	case len(lines) > 1:
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "There is more than one Authorization header.")
	case len(lines) == 1:
		scheme, rest, _ := strings.Cut(lines[0], " ")
		credential = strings.TrimSpace(rest)
		switch strings.ToLower(scheme) {
		case "dpop":
			check = a.DPoP
		case "bearer":
			check = a.Bearer
		}
		if check == nil || credential == "" {
			return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The Authorization header is none that is known here.")
		}
	case route.Session:
		// A browser shows a certificate whatever site has made it send the request, and no
		// form's token would stand against that: pages are opened by signing in.
		c, err := r.Cookie(parties.CookieName)
		if err != nil || a.Session == nil {
			return r, nil
		}
		check, credential = a.Session, c.Value
	case r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && a.Certificate != nil:
		check = func(r *http.Request, _ string) (context.Context, error) {
			return a.Certificate(r, r.TLS.PeerCertificates[0])
		}
	default:
		return r, nil
	}
	ctx, err := check(r, credential)
	if err != nil {
		return nil, err
	}
	return r.WithContext(ctx), nil
}

// admit is the request with its caller, and an error if they may not call the route. The
// request is nil where it is not known who calls.
func (a *Authentication) admit(r *http.Request, route *Route) (*http.Request, error) {
	if route.Roles == access.Anyone {
		return r, nil
	}
	if route.Spends {
		r = r.WithContext(authorization.SpentLater(r.Context()))
	}
	r, err := a.who(r, route)
	if err != nil {
		return nil, challenge(err, route)
	}
	caller := access.From(r.Context())
	switch {
	case route.Roles&(access.Anyone|caller.Role) != 0:
		return r, nil
	case caller.Role == access.Anyone:
		return nil, challenge(web.Refuse(http.StatusUnauthorized, "invalid_token", "Say who you are: this is for %s.", strings.ReplaceAll(route.Roles.String(), "+", ", ")).Because(errNobody), route)
	}
	return r, web.Refuse(http.StatusForbidden, "insufficient_scope", "A caller with the role %s may not do this.", caller.Role)
}

// errNobody: no credential was brought.
var errNobody = errors.New("no credential was brought")

// challenge says in a 401 how to prove who one is, if the error does not.
func challenge(err error, route *Route) error {
	e, ok := err.(*web.Error)
	if !ok || e.Status != http.StatusUnauthorized || e.Header.Get("WWW-Authenticate") != "" {
		return err
	}
	if e.Header == nil {
		e.Header = http.Header{}
	}
	if route.Roles&access.Citizen != 0 {
		e.Header.Add("WWW-Authenticate", `DPoP error="`+e.Code+`", algs="ES256"`)
	}
	if route.Roles&^access.Citizen != 0 {
		e.Header.Add("WWW-Authenticate", `Bearer error="`+e.Code+`"`)
	}
	return e
}
