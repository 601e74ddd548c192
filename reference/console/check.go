package console

import (
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/web"
)

// checked is a plastic card whose number was entered, with what is said of it; empty
// before.
type checked struct{ Number, Verdict string }

// CheckPage asks for the number of a plastic card.
func (c *Console) CheckPage(w http.ResponseWriter, r *http.Request) error {
	v := c.view(w, r, "check.title", "/console/cards")
	v.Data = checked{}
	return render(w, http.StatusOK, "check", "layout", v)
}

// Check says whether a plastic card is good, to somebody who holds it and has no
// terminal. It changes nothing, and is no GET, because a card's number does not belong
// into a browser's history.
func (c *Console) Check(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	number := strings.ToUpper(strings.TrimSpace(form.Get("number")))
	v := c.view(w, r, "check.title", "/console/cards")
	if number == "" {
		e := web.Report(w, r, web.Refuse(http.StatusBadRequest, "card-number", "Enter the number that stands on the card."))
		v.Problem, v.Data = v.explain(e), checked{}
		return render(w, e.Status, "check", "layout", v)
	}
	verdict, err := c.o.Desk.CheckPlastic(r.Context(), number)
	if err != nil {
		return err
	}
	v.Data = checked{number, verdict.String()}
	return render(w, http.StatusOK, "check", "layout", v)
}
