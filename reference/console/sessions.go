package console

import (
	"errors"
	"net/http"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/web"
)

// sessionsOf are the open sessions of a party.
type sessionsOf struct {
	Party parties.Party
	Open  []parties.Open
	Mine  string // the id of the reader's own
}

// SessionsPage lists who is signed in, since when and from where.
func (c *Console) SessionsPage(w http.ResponseWriter, r *http.Request) error {
	return c.sessionsPage(w, r, nil)
}

func (c *Console) sessionsPage(w http.ResponseWriter, r *http.Request, refused error) error {
	open, err := c.o.Parties.Sessions(r.Context())
	if err != nil {
		return err
	}
	var all []sessionsOf
	for _, s := range open {
		if len(all) == 0 || all[len(all)-1].Party.ID != s.Party {
			one, err := c.o.Parties.Party(r.Context(), s.Party)
			if err != nil {
				return err
			}
			all = append(all, sessionsOf{Party: one, Mine: parties.SessionID(r.Context())})
		}
		last := &all[len(all)-1]
		last.Open = append(last.Open, s)
	}
	v := c.view(w, r, "sessions.title", "/console/sessions")
	v.Data = all
	status := http.StatusOK
	if refused != nil {
		e := web.Report(w, r, refused)
		v.Problem, status = v.explain(e), e.Status
	} else {
		c.tell(v, r)
	}
	return render(w, status, "sessions", "layout", v)
}

// EndSessions ends a session of a party, or all of them.
func (c *Console) EndSessions(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	id, t := form.Get("session"), told{Word: "told.session-ended"}
	if id == "" {
		t.Word = "told.sessions-ended"
	}
	done, err := c.o.Parties.EndSessions(r.Context(), parties.Ending{By: access.From(r.Context()), Key: form.Get("key"), ID: r.PathValue("party")}, id)
	if errors.Is(err, parties.ErrNoSession) {
		return c.sessionsPage(w, r, web.Refuse(http.StatusConflict, "session-over", "This session is over already."))
	}
	if err != nil {
		return partyProblem(err)
	}
	t.Sequence = done.Sequence
	return c.done(w, r, "/console/sessions", t)
}
