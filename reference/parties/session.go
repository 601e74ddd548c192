package parties

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// SessionLife is how long a session of the console lives: a shift.
const SessionLife = 8 * time.Hour

const sessionKind = "session"

// CSRFField and CSRFHeader carry the token of a session with every request of the
// console that changes something: a form has the field, a script sends the header.
const (
	CSRFField  = "csrf"
	CSRFHeader = "X-CSRF-Token"
)

// session is what stands sealed in the console's cookie. It counts as long as it is
// among those that are open.
type session struct {
	Party string `json:"p"`
	ID    string `json:"i"`
	CSRF  string `json:"x"`
	Mark  string `json:"m"` // of the passphrase it began with
}

// Begin begins a session of a party that has signed in from an address: the value of
// its cookie.
func (p *Parties) Begin(ctx context.Context, id, from string) (*http.Cookie, error) {
	one, err := p.Party(ctx, id)
	if err != nil {
		return nil, err
	}
	seed, err := p.register.Seed()
	if err != nil {
		return nil, err
	}
	token, err := p.register.Seed()
	if err != nil {
		return nil, err
	}
	now := p.register.Now()
	open := Open{base64.RawURLEncoding.EncodeToString(token[18:30]), id, now, now.Add(SessionLife), from, mark(one.passphrase)}
	text, err := p.o.Keys.Seal(seed, sessionKind, open.Ends, session{id, open.ID, base64.RawURLEncoding.EncodeToString(token[:18]), open.Mark})
	if err != nil {
		return nil, err
	}
	if err := p.begin(ctx, open); err != nil {
		return nil, err
	}
	return cookie(text, int(SessionLife/time.Second)), nil
}

// EndSession is the cookie that ends a session.
func (p *Parties) EndSession() *http.Cookie { return cookie("", -1) }

// CookieName is the name of the console's cookie. Browsers refuse a cookie so
// named without Secure, or for another path or domain (RFC 6265bis §4.1.3.2).
const CookieName = "__Host-rollcall"

func cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: CookieName, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

type csrfKey struct{}

// CSRF is the token that forms of the request's session must carry; empty without
// a session.
func CSRF(ctx context.Context) string {
	text, _ := ctx.Value(csrfKey{}).(string)
	return text
}

// Session is the party of a session, as httpapi asks for it. A request that
// changes something must come from the console's own pages.
func (p *Parties) Session(r *http.Request, text string) (context.Context, error) {
	var s session
	if _, err := p.o.Keys.Open(sessionKind, text, p.register.Now(), &s); err != nil {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The session is over: sign in again.")
	}
	one, err := p.Party(r.Context(), s.Party)
	if err != nil && !isUnknown(err) {
		return nil, err
	}
	if err != nil || !one.inForce(p.register.Now()) || subtle.ConstantTimeCompare([]byte(mark(one.passphrase)), []byte(s.Mark)) != 1 {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The session is over: sign in again.")
	}
	if open, err := p.isOpen(r.Context(), s.Party, s.ID); err != nil {
		return nil, err
	} else if !open {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The session is over: sign in again.")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	default:
		if err := fromOwnPage(r, s.CSRF); err != nil {
			return nil, err
		}
	}
	ctx := context.WithValue(context.WithValue(r.Context(), sessionKey{}, s.ID), csrfKey{}, s.CSRF)
	return access.With(ctx, one.caller()), nil
}

func fromOwnPage(r *http.Request, want string) error {
	foreign := web.Refuse(http.StatusForbidden, "csrf", "This request does not come from a page of the console. Open the page again.")
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return foreign
	}
	got := r.Header.Get(CSRFHeader)
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); got == "" && err == nil && t == "application/x-www-form-urlencoded" {
		body, err := io.ReadAll(r.Body) // httpapi has limited it
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return foreign
		}
		got = form.Get(CSRFField)
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return foreign
	}
	return nil
}
