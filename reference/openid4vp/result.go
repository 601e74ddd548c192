package openid4vp

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// Outcome is what a relying party's backend is told of a transaction.
type Outcome struct {
	State   State        `json:"state"`
	Purpose string       `json:"purpose,omitempty"`
	Error   string       `json:"error,omitempty"`   // Declined: what the wallet said
	Verdict string       `json:"verdict,omitempty"` // Answered: accepted, suspended or not-valid
	Shown   []Credential `json:"credentials,omitempty"`
}

// Result answers the relying party that began a transaction. In a same-device flow
// it must bring the response_code with which the wallet sent its user back, so that
// nobody else's answer is taken for theirs (OpenID4VP 1.0 §13.3).
func (e *Endpoints) Result(w http.ResponseWriter, r *http.Request) error {
	query, err := web.ReadQuery(r)
	if err != nil {
		return err
	}
	out, err := e.Outcome(r.Context(), access.From(r.Context()), r.PathValue("id"), query.Get("response_code"))
	if err == nil {
		web.JSON(w, http.StatusOK, out)
	}
	return err
}

// Outcome is Result for the demonstration page.
func (e *Endpoints) Outcome(ctx context.Context, caller access.Caller, id, code string) (Outcome, error) {
	t, err := e.open(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	if t.Party != caller.ID {
		return Outcome{}, unknown()
	}
	a, err := e.answered(ctx, &t)
	if err != nil {
		return Outcome{}, err
	}
	if a.Code != "" && subtle.ConstantTimeCompare([]byte(hashOf(code)), []byte(a.Code)) != 1 {
		return Outcome{}, web.Refuse(http.StatusForbidden, "access_denied", "The response_code is not the one with which the wallet sent its user back.")
	}
	return Outcome{State: a.State, Purpose: t.Purpose, Error: a.Error, Verdict: a.Verdict, Shown: a.Shown}, nil
}

// answered is what came of a transaction so far.
func (e *Endpoints) answered(ctx context.Context, t *transaction) (a answer, err error) {
	a.State = Waiting
	kept, remembered := e.answers.Get(string(t.key()))
	body := kept.body
	if !remembered {
		err = e.o.Register.View(ctx, func(r store.Reader) error {
			ticket, err := r.Ticket(kindAnswered, t.key())
			if err == nil {
				body = ticket.Body
			}
			if errors.Is(err, store.ErrNotFound) && t.Progress {
				if _, err = r.Ticket(kindFetched, t.key()); err == nil {
					a.State = Fetched
				}
			}
			return known(err)
		})
	}
	if err == nil && body != nil {
		err = json.Unmarshal(body, &a)
	}
	return a, err
}
