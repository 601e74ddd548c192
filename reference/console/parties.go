package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/web"
)

// partyForm is the data of the pages about parties.
type partyForm struct {
	All     []parties.Party
	Entered parties.Party // to be changed; empty: to be entered
	Roles   []string
	Form    map[string]string
	Keys    string // as JSON
	Version string // of what the form changes
}

// enterable are the roles that a party can have.
var enterable = []access.Role{access.Clerk, access.CallCentre, access.Registrar, access.Verifier, access.Auditor, access.Administrator}

// PartiesPage lists the parties, with a form to enter another one.
func (c *Console) PartiesPage(w http.ResponseWriter, r *http.Request) error {
	return c.partiesPage(w, r, nil, nil)
}

func (c *Console) partiesPage(w http.ResponseWriter, r *http.Request, form map[string]string, refused error) error {
	all, err := c.o.Parties.All(r.Context())
	if err != nil {
		return err
	}
	d := partyForm{All: all, Form: form}
	for _, role := range enterable {
		d.Roles = append(d.Roles, role.String())
	}
	if form == nil {
		seed, err := c.o.Register.Seed()
		if err != nil {
			return err
		}
		d.Form = map[string]string{"passphrase": parties.Passphrase(seed)}
	}
	return c.partyView(w, r, "parties", "parties.title", "/console/parties", d, refused)
}

func (c *Console) partyView(w http.ResponseWriter, r *http.Request, page, title, here string, d partyForm, refused error) error {
	v := c.view(w, r, title, here)
	v.Data, v.Name = d, d.Entered.ID
	status := http.StatusOK
	if refused != nil {
		e := web.Report(w, r, refused)
		v.Problem, status = v.explain(e), e.Status
	} else {
		c.tell(v, r)
	}
	return render(w, status, page, "layout", v)
}

// PartyPage shows a party, with a form to change it and one to end it.
func (c *Console) PartyPage(w http.ResponseWriter, r *http.Request) error {
	return c.partyPage(w, r, nil, nil)
}

func (c *Console) partyPage(w http.ResponseWriter, r *http.Request, form map[string]string, refused error) error {
	one, err := c.o.Parties.Party(r.Context(), r.PathValue("party"))
	if err != nil {
		return partyProblem(err)
	}
	if form == nil {
		form = map[string]string{"name": one.Name, "centre": one.Centre, "elements": strings.Join(one.Elements, " ")}
	}
	d := partyForm{Entered: one, Form: form, Version: one.Version}
	if form["version"] != "" { // what was filled in replaces what was seen then
		d.Version = form["version"]
	}
	if len(one.Keys) > 0 {
		text, err := json.MarshalIndent(one.Keys, "", "  ")
		if err != nil {
			return err
		}
		d.Keys = string(text)
	}
	if form["keys"] != "" {
		d.Keys = form["keys"]
	}
	return c.partyView(w, r, "party", "party.title", "/console/parties/"+one.ID, d, refused)
}

// partyProblem turns what package parties says into an answer.
func partyProblem(err error) error {
	switch {
	case errors.Is(err, parties.ErrUnknown):
		return web.Refuse(http.StatusNotFound, "no-such-party", "There is no such party.")
	case errors.Is(err, parties.ErrEntered):
		return web.Refuse(http.StatusConflict, "party-entered", "A party with this id is there already, or was: choose another id.")
	case errors.Is(err, parties.ErrEnded):
		return web.Refuse(http.StatusConflict, "party-ended", "This party was ended.")
	case errors.Is(err, parties.ErrChanged):
		return web.Refuse(http.StatusConflict, "party-changed", "This party was changed since the page was opened: open it again.")
	case errors.Is(err, parties.ErrNoWhy):
		return web.Refuse(http.StatusBadRequest, "no-why", "Say why: it goes into the audit log.")
	case errors.Is(err, parties.ErrProfile):
		return web.Refuse(http.StatusBadRequest, "party-profile", "%v.", err)
	case errors.Is(err, register.ErrKeyReused):
		return web.Refuse(http.StatusUnprocessableEntity, "idempotency-key-reused", "This form was sent before with other content.")
	case errors.Is(err, register.ErrNoKey):
		return web.Refuse(http.StatusBadRequest, "no-idempotency-key", "The form has lost its key: open the page again.")
	case errors.Is(err, register.ErrTooLong):
		return web.Refuse(http.StatusBadRequest, "too-long", "A text is longer than %d bytes.", register.MaxText)
	}
	return err
}

// partyRequest reads a form about a party.
func partyRequest(r *http.Request) (q parties.Request, form map[string]string, err error) {
	values, err := web.ReadForm(r)
	if err != nil {
		return q, nil, err
	}
	form = map[string]string{}
	for name, all := range values {
		form[name] = strings.TrimSpace(all[0])
	}
	q = parties.Request{By: access.From(r.Context()), Key: form["key"], ID: form["id"], Passphrase: values.Get("passphrase"), Why: form["why"], Version: form["version"]}
	q.Name, q.Centre, q.Elements = form["name"], form["centre"], strings.Fields(form["elements"])
	if text := form["keys"]; text != "" {
		if !strings.HasPrefix(text, "[") {
			text = "[" + text + "]"
		}
		var keys []jws.Key
		if err := json.Unmarshal([]byte(text), &keys); err != nil {
			return q, form, web.Refuse(http.StatusBadRequest, "party-keys", "The keys are not public keys in JSON (JWK): %v.", err)
		}
		for _, k := range keys {
			if k.D != nil {
				return q, form, web.Refuse(http.StatusBadRequest, "party-private", "This is a private key: keep it, and enter its public part.")
			}
		}
		q.Keys = keys
	}
	return q, form, nil
}

// EnterParty enters a party.
func (c *Console) EnterParty(w http.ResponseWriter, r *http.Request) error {
	q, form, err := partyRequest(r)
	if form == nil {
		return err
	}
	var done parties.Done
	if err == nil {
		q.Role, _ = access.ParseRole(form["role"])
		if q.Role == access.Clerk {
			q.Elements = nil
		} else {
			q.Centre = ""
		}
		done, err = c.o.Parties.Enter(r.Context(), q)
		err = partyProblem(err)
	}
	if e, ok := errors.AsType[*web.Error](err); ok && e.Status < http.StatusInternalServerError {
		return c.partiesPage(w, r, form, err)
	}
	if err != nil {
		return err
	}
	return c.done(w, r, "/console/parties", told{Word: "told.party-entered", Sequence: done.Sequence, At: done.At})
}

// ChangeParty replaces what is said about a party. What the form does not have
// stays as it is.
func (c *Console) ChangeParty(w http.ResponseWriter, r *http.Request) error {
	q, form, err := partyRequest(r)
	if form == nil {
		return err
	}
	var done parties.Done
	if err == nil {
		q.ID = r.PathValue("party")
		var one parties.Party
		if one, err = c.o.Parties.Party(r.Context(), q.ID); err == nil {
			q.Role = one.Role
			q.Certificates, q.Redirects, q.Responses = one.Certificates, one.Redirects, one.Responses
			done, err = c.o.Parties.Change(r.Context(), q)
		}
		err = partyProblem(err)
	}
	return c.partyDone(w, r, form, told{Word: "told.party-changed", Sequence: done.Sequence, At: done.At}, err)
}

// EndParty ends a party.
func (c *Console) EndParty(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	var done parties.Done
	if form.Get("sure") == "" {
		err = web.Refuse(http.StatusBadRequest, "sure", "Tick that you are sure: it cannot be undone.")
	} else {
		done, err = c.o.Parties.End(r.Context(), parties.Ending{By: access.From(r.Context()), Key: form.Get("key"), ID: r.PathValue("party"), Why: form.Get("why")})
		err = partyProblem(err)
	}
	return c.partyDone(w, r, nil, told{Word: "told.party-ended", Sequence: done.Sequence, At: done.At}, err)
}

func (c *Console) partyDone(w http.ResponseWriter, r *http.Request, form map[string]string, t told, err error) error {
	e, ok := errors.AsType[*web.Error](err)
	switch {
	case ok && e.Status < http.StatusInternalServerError && e.Status != http.StatusNotFound:
		return c.partyPage(w, r, form, err)
	case err != nil:
		return err
	}
	return c.done(w, r, "/console/parties/"+r.PathValue("party"), t)
}
