package console

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/web"
)

const (
	askedKind = "console transaction"
	askedLife = 15 * time.Minute
)

// asked is what the page of a transaction is about, sealed in its address.
type asked struct {
	Party    string    `json:"p"`
	ID       string    `json:"i"`
	Request  string    `json:"r"`
	Elements []string  `json:"e"`
	Expires  time.Time `json:"x"`
}

// Verify lets a verifier choose what to ask for.
func (c *Console) Verify(w http.ResponseWriter, r *http.Request) error {
	return c.verifyPage(w, r, "", http.StatusOK)
}

func (c *Console) verifyPage(w http.ResponseWriter, r *http.Request, problem string, status int) error {
	if c.o.Verifier == nil {
		return web.Refuse(http.StatusNotFound, "no-verifier", "This service takes no presentations.")
	}
	v := c.view(w, r, "verify.title", "/console/verify")
	v.Problem, v.Data = problem, v.Caller.Elements
	return render(w, status, "verify", "layout", v)
}

// Ask begins a transaction.
func (c *Console) Ask(w http.ResponseWriter, r *http.Request) error {
	if c.o.Verifier == nil {
		return web.Refuse(http.StatusNotFound, "no-verifier", "This service takes no presentations.")
	}
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	caller := access.From(r.Context())
	var elements []string
	for _, e := range caller.Elements {
		if form.Has("element." + e) {
			elements = append(elements, e)
		}
	}
	if len(elements) == 0 {
		err := web.Refuse(http.StatusBadRequest, "nothing-asked", "Choose at least one element to ask for.")
		web.Report(w, r, err)
		return c.verifyPage(w, r, Words{Lang: Language(w, r)}.T("problem.nothing-asked"), http.StatusBadRequest)
	}
	begun, err := c.o.Verifier.Ask(r.Context(), caller, openid4vp.Asked{Elements: elements, Purpose: "console", Progress: true})
	if err != nil {
		return err
	}
	text, err := c.seal(askedKind, askedLife, asked{caller.ID, begun.ID, begun.Request, elements, begun.Expires})
	if err != nil {
		return err
	}
	return away(w, r, "/console/verify/"+text)
}

// transaction is the data of its page.
type transaction struct {
	asked
	progress
	Verdict string
	Claims  []claim
	Renew   bool
	Code    qrCode
}

// claim is one thing that was disclosed.
type claim struct{ Name, Value string }

func (c *Console) transaction(r *http.Request) (t transaction, err error) {
	if c.o.Verifier == nil {
		return t, web.Refuse(http.StatusNotFound, "no-verifier", "This service takes no presentations.")
	}
	caller := access.From(r.Context())
	if _, err = c.o.Keys.Open(askedKind, r.PathValue("transaction"), c.o.Register.Now(), &t.asked); err != nil || t.Party != caller.ID {
		return t, web.Refuse(http.StatusNotFound, "no-such-transaction", "There is no such transaction, or its time is over.")
	}
	out, err := c.o.Verifier.Outcome(r.Context(), caller, t.ID, "")
	if err != nil {
		return t, err
	}
	t.Poll = "/console/verify/" + r.PathValue("transaction") + "/state"
	t.State = "verify." + string(out.State)
	switch out.State {
	case openid4vp.Answered:
		t.Over, t.Good, t.Verdict = true, out.Verdict == "accepted", out.Verdict
		t.State = "verify." + out.Verdict
		for _, shown := range out.Shown {
			t.Claims = append(t.Claims, flat("", shown.Claims)...)
			t.Renew = t.Renew || shown.Renew
		}
	case openid4vp.Declined:
		t.Over = true
	default:
		if !c.o.Register.Now().Before(t.Expires) {
			t.State, t.Over = "verify.over", true
		} else {
			t.Steps = along(t.State, "verify.waiting", "verify.fetched", "verify.answered")
		}
	}
	return t, nil
}

// maxShown limits how much of a value stands on the page.
const maxShown = 200

// hidden are claims about the card rather than its holder.
var hidden = []string{"iss", "iat", "exp", "nbf", "vct", "cnf", "status", "_sd_alg", "vct#integrity"}

// flat lists what was disclosed, by the last part of its name.
func flat(name string, v any) (out []claim) {
	switch v := v.(type) {
	case map[string]any:
		var names []string
		for n := range v {
			if name != "" || !slices.Contains(hidden, n) {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		for _, n := range names {
			out = append(out, flat(n, v[n])...)
		}
	case []byte:
		out = append(out, claim{name, fmt.Sprintf("(%d bytes)", len(v))})
	case []any:
		for _, one := range v {
			out = append(out, flat(name, one)...)
		}
	default:
		text := []rune(fmt.Sprint(v))
		if len(text) > maxShown {
			text = append(text[:maxShown], '…')
		}
		out = append(out, claim{name, string(text)})
	}
	return out
}

// Transaction shows the QR code, and then what came of it: a verdict and never why,
// and what an accepted card disclosed.
func (c *Console) Transaction(w http.ResponseWriter, r *http.Request) error {
	t, err := c.transaction(r)
	if err != nil {
		return err
	}
	if !t.Over {
		if t.Code, err = encode(t.Request); err != nil {
			return err
		}
	}
	v := c.view(w, r, "verify.title", r.URL.Path)
	v.Data = t
	return render(w, http.StatusOK, "transaction", "layout", v)
}

// TransactionState is the part of that page that changes, for the script.
func (c *Console) TransactionState(w http.ResponseWriter, r *http.Request) error {
	t, err := c.transaction(r)
	if err != nil {
		return err
	}
	v := c.view(w, r, "verify.title", r.URL.Path)
	v.Data = t
	return c.state(w, "transaction", v, t.progress)
}
