package console

import (
	"errors"
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/web"
)

// signIn is the data of the page.
type signIn struct{ Next, ID string }

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request, status int, next, problem string) error {
	v := c.view(w, r, "signin.title", "/console/sign-in")
	v.Nav, v.Data, v.Problem = nil, signIn{Next: own(next)}, problem
	return render(w, status, "signin", "layout", v)
}

// own is an address of the console; anything else becomes its first page, so that
// nobody is sent elsewhere.
func own(next string) string {
	if !strings.HasPrefix(next, "/console/") || strings.ContainsAny(next, "\\\r\n") || strings.HasPrefix(next, "/console/sign-") {
		return "/console/"
	}
	return next
}

// SignInPage asks who somebody is.
func (c *Console) SignInPage(w http.ResponseWriter, r *http.Request) error {
	return c.signInPage(w, r, http.StatusOK, r.URL.Query().Get("next"), "")
}

// SignIn begins a session.
func (c *Console) SignIn(w http.ResponseWriter, r *http.Request) error {
	// There is no session yet whose token could tell: the browser says where the
	// form was.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return web.Refuse(http.StatusForbidden, "csrf", "This request does not come from a page of the console. Open the page again.")
	}
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	id, known := strings.TrimSpace(form.Get("id")), ""
	if cookie, err := r.Cookie(parties.KnownName(id)); err == nil {
		known = cookie.Value
	}
	caller, err := c.o.Parties.SignIn(r.Context(), id, form.Get("passphrase"), known)
	if e, ok := errors.AsType[*web.Error](err); ok && (e.Code == "access_denied" || e.Code == "too_many_guesses") {
		web.Report(w, r, err)
		v := c.view(w, r, "signin.title", "/console/sign-in")
		v.Problem, v.Data = v.explain(e), signIn{own(form.Get("next")), form.Get("id")}
		return render(w, e.Status, "signin", "layout", v)
	}
	if err != nil {
		return err
	}
	again, err := c.o.Parties.Known(caller.ID)
	if err != nil {
		return err
	}
	cookie, err := c.o.Parties.Begin(r.Context(), caller.ID, web.Address(r.Context()))
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	http.SetCookie(w, again)
	return away(w, r, own(form.Get("next")))
}

// SignOut ends the session.
func (c *Console) SignOut(w http.ResponseWriter, r *http.Request) error {
	if cookie, err := r.Cookie(parties.CookieName); err == nil {
		if err := c.o.Parties.SignOut(r.Context(), cookie.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, c.o.Parties.EndSession())
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return away(w, r, "/console/sign-in")
}
