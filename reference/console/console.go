// Package console is the service as people use it in a browser: clerks, operators
// of the loss line, registrars, auditors and administrators at their desks, and
// verifiers that have no software of their own.
//
// Pages are made here and need no script; the one script only saves waiting and
// double clicks. They are in Korean and English, and meant to be used by keyboard
// and by ear (WCAG 2.2, level AA).
//
// The package decides nothing. It shows what packages desk, parties, authorization
// and openid4vp answer; which role may open a page is package httpapi's table, and
// what a role may cause in the register is lifecycle's. Every form that changes
// something carries an idempotency key of its own, so that a double click or a
// reload has the effect of one, and the session's token, so that no other site can
// send it.
package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/web"
)

// Options are what the console needs.
type Options struct {
	Register *register.Register
	Parties  *parties.Parties
	Desk     *desk.Desk
	Keys     *seal.Keys
	Civil    *time.Location // in which times are shown
	// Offers says how far a clerk's offer has come.
	Offers interface {
		Progress(ctx context.Context, code string) (authorization.Progress, error)
	}
	// Verifier is how verifiers ask for cards; nil: they cannot.
	Verifier *openid4vp.Endpoints
	// Phones is where a demonstration has its phones; empty: this is none.
	Phones string
}

// Console serves the pages.
type Console struct{ o Options }

// New returns a console.
func New(o Options) (*Console, error) {
	if o.Register == nil || o.Parties == nil || o.Desk == nil || o.Keys == nil || o.Civil == nil || o.Offers == nil {
		return nil, errors.New("the console needs a register, parties, a desk, offers, keys to seal with, and a time zone")
	}
	return &Console{o}, nil
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/style.css assets/script.js
var assets embed.FS

// pages holds each page with the layout around it.
var pages = func() map[string]*template.Template {
	all := map[string]*template.Template{}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".html"); name != "layout" {
			all[name] = template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/"+f.Name()))
		}
	}
	return all
}()

// view is what a template sees.
type view struct {
	Words
	Caller  access.Caller
	CSRF    string
	Title   string // a word
	Name    string // for the title, beside it
	Here    string // the address of this page in the other language
	Nav     []link
	Told    *told
	Problem string
	Phones  string
	Data    any

	c *Console
}

type link struct {
	Word, To string
	Current  bool
}

// picture is a QR code with its name.
type picture struct {
	qrCode
	Title string
}

// Picture names a QR code.
func (v *view) Picture(word string, code qrCode) picture { return picture{code, v.T(word)} }

// Wallet is an address that opens a wallet. It was made by the service itself.
func (v *view) Wallet(request string) template.URL { return template.URL(request) }

// Key is an idempotency key for a form.
func (v *view) Key() (string, error) { return v.c.key() }

func (c *Console) key() (string, error) {
	seed, err := c.o.Register.Seed()
	return base64.RawURLEncoding.EncodeToString(seed[:18]), err
}

// navigation lists the sections, and who sees them.
var navigation = []struct {
	word, to string
	roles    access.Role
}{
	{"nav.residents", "/console/", desks},
	{"nav.verify", "/console/verify", access.Verifier},
	{"nav.check", "/console/cards", access.Clerk | access.Verifier},
	{"nav.audit", "/console/audit", access.Auditor},
	{"nav.parties", "/console/parties", access.Administrator},
	{"nav.sessions", "/console/sessions", access.Administrator},
}

const desks = access.Clerk | access.CallCentre | access.Registrar

// policy lets a page have its own style, script and pictures, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// view begins a page. here is its address, as a GET.
func (c *Console) view(w http.ResponseWriter, r *http.Request, title, here string) *view {
	v := &view{Words: Words{Language(w, r), c.o.Civil}, Caller: access.From(r.Context()), CSRF: parties.CSRF(r.Context()), Title: title, Phones: c.o.Phones, c: c}
	u, q := url.URL{Path: here}, url.Values{}
	if r.Method == http.MethodGet {
		q = r.URL.Query()
	}
	q.Set("lang", v.Other())
	u.RawQuery = q.Encode()
	v.Here = u.String()
	for _, n := range navigation {
		if n.roles&v.Caller.Role != 0 {
			current := strings.HasPrefix(here, n.to)
			if n.to == "/console/" { // residents and what is done for them
				current = here == n.to || strings.HasPrefix(here, "/console/residents") || strings.HasPrefix(here, "/console/offers")
			}
			v.Nav = append(v.Nav, link{n.word, n.to, current})
		}
	}
	return v
}

// render writes a page, or a named part of it.
func render(w http.ResponseWriter, status int, page, part string, v *view) error {
	var body bytes.Buffer
	if err := pages[page].ExecuteTemplate(&body, part, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", v.Lang)
	h.Set("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
	return nil
}

// page is a handler whose errors are pages.
type page struct {
	c *Console
	h web.Handler
}

// Page makes a route's handler of one of the console's.
func (c *Console) Page(h web.Handler) http.Handler { return &page{c, h} }

// ServeHTTP implements http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := p.h(w, r); err != nil {
		p.Refuse(w, r, err)
	}
}

// Refuse implements web.Refuser. Who has not signed in is asked to.
func (p *page) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := web.Report(w, r, err)
	r = p.c.recognise(r)
	if e.Status == http.StatusUnauthorized {
		next := "/console/"
		if r.Method == http.MethodGet {
			next = r.URL.RequestURI()
		}
		if err = p.c.signInPage(w, r, e.Status, next, ""); err == nil {
			return
		}
	}
	v := p.c.view(w, r, "problem.title", "/console/")
	v.Problem = v.explain(e)
	if render(w, e.Status, "problem", "layout", v) != nil {
		http.Error(w, e.Description, e.Status)
	}
}

// recognise is a request with its caller where it was refused before anybody had
// said who that is, so that the page that says so is one of theirs.
func (c *Console) recognise(r *http.Request) *http.Request {
	cookie, err := r.Cookie(parties.CookieName)
	if err != nil || access.From(r.Context()).Role != access.Anyone {
		return r
	}
	look := r.Clone(r.Context())
	look.Method = http.MethodGet // nothing is changed by it
	ctx, err := c.o.Parties.Session(look, cookie.Value)
	if err != nil {
		return r
	}
	return r.WithContext(ctx)
}

// explain says in the reader's language why something was refused.
func (w Words) explain(e *web.Error) string {
	if e.Status >= http.StatusInternalServerError && e.Code == "server_error" {
		return w.T("problem.server")
	}
	if e.Code == "too_many_guesses" {
		return w.T("problem."+e.Code, e.Header.Get("Retry-After"))
	}
	if _, known := words["problem."+e.Code]; known {
		return w.T("problem." + e.Code)
	}
	return e.Description
}

// told is a notice of what was done, on the page that follows. It travels sealed
// in that page's address: nobody can make a link that claims something.
type told struct {
	Party      string    `json:"p"`
	Word       string    `json:"w"`
	Sequence   uint64    `json:"s"`
	At         time.Time `json:"a,omitzero"`
	Everywhere time.Time `json:"e,omitzero"`
}

const (
	toldKind = "console notice"
	toldLife = 10 * time.Minute
)

// done sends the browser on to a page that says what was done.
func (c *Console) done(w http.ResponseWriter, r *http.Request, to string, t told) error {
	t.Party = access.From(r.Context()).ID
	text, err := c.seal(toldKind, toldLife, t)
	if err != nil {
		return err
	}
	return away(w, r, to+"?told="+text)
}

func (c *Console) seal(kind string, life time.Duration, v any) (string, error) {
	seed, err := c.o.Register.Seed()
	if err != nil {
		return "", err
	}
	return c.o.Keys.Seal(seed, kind, c.o.Register.Now().Add(life), v)
}

// tell puts the notice that the page's address carries on it.
func (c *Console) tell(v *view, r *http.Request) {
	var t told
	text := r.URL.Query().Get("told")
	if text == "" {
		return
	}
	if _, err := c.o.Keys.Open(toldKind, text, c.o.Register.Now(), &t); err == nil && t.Party == v.Caller.ID {
		v.Told = &t
	}
}

// away sends the browser to another page by GET.
func away(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// Home is where everybody's work begins.
func (c *Console) Home(w http.ResponseWriter, r *http.Request) error {
	for _, n := range navigation {
		if n.roles&access.From(r.Context()).Role == 0 {
			continue
		}
		if n.to != "/console/" {
			return away(w, r, n.to)
		}
		break
	}
	v := c.view(w, r, "find.title", "/console/")
	return render(w, http.StatusOK, "find", "layout", v)
}

// Front sends who opens the service in a browser to the console.
func (c *Console) Front(w http.ResponseWriter, r *http.Request) error { return away(w, r, "/console/") }

// asset serves a file of the console's own. Its name never changes, so browsers ask
// whether it has.
func asset(name, kind string) web.Handler {
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		if slices.Contains(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		_, _ = w.Write(content)
		return nil
	}
}

// Style and Script are the console's own.
var (
	Style  = asset("style.css", "text/css; charset=utf-8")
	Script = asset("script.js", "text/javascript; charset=utf-8")
)
