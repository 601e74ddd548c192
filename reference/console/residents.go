package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// Find opens the page of the resident whose number, or whose plastic card's, was
// entered. It is no GET: a card's number does not belong into a browser's history.
func (c *Console) Find(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	text := strings.ToUpper(strings.TrimSpace(form.Get("number")))
	id, err := c.o.Desk.HolderOf(r.Context(), text)
	if errors.Is(err, store.ErrNotFound) {
		var n uint64
		if n, err = strconv.ParseUint(text, 10, 63); err == nil {
			id = store.PersonID(n)
			_, err = c.o.Desk.Resident(r.Context(), id)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, strconv.ErrSyntax) && !errors.Is(err, strconv.ErrRange) {
			return err
		}
		if err != nil {
			v := c.view(w, r, "find.title", "/console/")
			v.Problem, v.Data = v.T("problem.no-such-resident"), form.Get("number")
			web.Report(w, r, noSuchResident())
			return render(w, http.StatusNotFound, "find", "layout", v)
		}
	}
	if err != nil {
		return err
	}
	return away(w, r, residentPath(id))
}

func noSuchResident() error {
	return web.Refuse(http.StatusNotFound, "no-such-resident", "The register has no such resident.")
}

func residentPath(id store.PersonID) string { return fmt.Sprintf("/console/residents/%d", id) }

// personIn is the resident whom a path names.
func personIn(r *http.Request) (store.PersonID, error) {
	n, err := strconv.ParseUint(r.PathValue("id"), 10, 63)
	if err != nil {
		return 0, noSuchResident()
	}
	return store.PersonID(n), nil
}

// resident is the data of a resident's page.
type resident struct {
	desk.Resident
	Reports  []desk.Report // the newest first
	May      may
	Lost     []string          // causes that can be reported
	Releases []releasable      // causes that can be lifted
	Replaced []desk.LostWallet // phones whose report can be lifted, although another holds the card
	Form     map[string]string // what was entered into the form that was refused
}

// may says which forms the page has for this caller, in this state.
type may struct{ Offer, Report, Reissue, Suspend, Move, Remove bool }

// releasable is a cause in force with the newest report of it: what a release must
// name.
type releasable struct {
	Cause    string
	Sequence uint64
}

// Resident shows who a resident is, what they hold, and what was reported.
func (c *Console) Resident(w http.ResponseWriter, r *http.Request) error {
	id, err := personIn(r)
	if err != nil {
		return err
	}
	return c.residentPage(w, r, id, nil, nil)
}

// residentPage writes the page, with why something was refused if it was.
func (c *Console) residentPage(w http.ResponseWriter, r *http.Request, id store.PersonID, form map[string]string, refused error) error {
	e, known := errors.AsType[*web.Error](refused)
	if refused != nil && (!known || e.Status >= http.StatusInternalServerError || e.Status == http.StatusForbidden) {
		return refused
	}
	one, err := c.o.Desk.Resident(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return noSuchResident()
	}
	if err != nil {
		return err
	}
	by := access.From(r.Context()).By()
	reports, err := c.o.Desk.ReportsOn(r.Context(), by, id)
	if err != nil {
		return err
	}
	slices.Reverse(reports)
	d := resident{Resident: one, Reports: reports, Form: form}
	can := func(e lifecycle.Event) bool { return by.May(e, id) }
	for _, cause := range lifecycle.AllCauses {
		there := cause == lifecycle.PhysicalLost && one.State.PlasticCard || cause == lifecycle.MobileLost && one.State.MobileCard
		if there && can(lifecycle.Events[cause].Report) {
			d.Lost = append(d.Lost, cause.String())
		}
		if n := newest(reports, cause.String()); n != 0 && slices.Contains(one.State.Causes, cause.String()) && can(lifecycle.Events[cause].Release) {
			d.Releases = append(d.Releases, releasable{cause.String(), n})
		}
	}
	if d.Replaced, err = c.o.Desk.LostWallets(r.Context(), by, id, reports); err != nil {
		return err
	}
	clerk, registrar := by.Role == lifecycle.Clerk, by.Role == lifecycle.Registrar
	d.May = may{
		Offer: clerk && one.State.PlasticCard, Report: len(d.Lost) > 0,
		Reissue: one.State.PlasticCard && can(lifecycle.CardIssued),
		Suspend: can(lifecycle.SuspendAdministrative) && !one.State.Removed, Move: registrar, Remove: can(lifecycle.PersonRemoved) && !one.State.Removed,
	}
	v := c.view(w, r, "resident.title", residentPath(id))
	v.Name, v.Data = one.Name, d
	status := http.StatusOK
	if refused != nil {
		web.Report(w, r, refused)
		v.Problem, status = v.explain(e), e.Status
	} else {
		c.tell(v, r)
	}
	return render(w, status, "resident", "layout", v)
}

// newest is the number of the newest report of a cause; reports are the newest
// first.
func newest(reports []desk.Report, cause string) uint64 {
	for _, one := range reports {
		if one.Cause == cause {
			return one.Sequence
		}
	}
	return 0
}

// change is a form that changes something of a resident.
type change struct {
	id   store.PersonID
	q    register.Request
	form map[string]string
	why  string
}

// read reads such a form.
func read(r *http.Request) (change, error) {
	id, err := personIn(r)
	if err != nil {
		return change{}, err
	}
	form, err := web.ReadForm(r)
	if err != nil {
		return change{}, err
	}
	x := change{id: id, form: map[string]string{}, q: register.Request{By: access.From(r.Context()).By(), Key: form.Get("key")}}
	for name, values := range form {
		x.form[name] = strings.TrimSpace(values[0])
	}
	x.why = x.form["why"]
	return x, nil
}

// finish answers a form: on with what was done, or the page again with why not.
func (c *Console) finish(w http.ResponseWriter, r *http.Request, x change, t told, err error) error {
	if err != nil {
		return c.residentPage(w, r, x.id, x.form, err)
	}
	return c.done(w, r, residentPath(x.id), t)
}

// Report takes a report of loss, or an order of the registrar.
func (c *Console) Report(w http.ResponseWriter, r *http.Request) error {
	x, err := read(r)
	if err != nil {
		return err
	}
	a, err := c.o.Desk.TakeReport(r.Context(), x.q, x.id, x.form["cause"], x.why)
	return c.finish(w, r, x, told{Word: "told.report", Sequence: a.Sequence, At: a.Online, Everywhere: a.Everywhere}, err)
}

// Release lifts a cause, if nothing newer was reported than its author has seen.
func (c *Console) Release(w http.ResponseWriter, r *http.Request) error {
	x, err := read(r)
	if err != nil {
		return err
	}
	seen, err := strconv.ParseUint(x.form["sequence"], 10, 63)
	if err != nil {
		err = web.Refuse(http.StatusBadRequest, "stale", "The form does not name a report.")
		return c.finish(w, r, x, told{}, err)
	}
	a, err := c.o.Desk.TakeRelease(r.Context(), x.q, x.id, desk.Withdrawal{Cause: x.form["cause"], Sequence: seen, Wallet: x.form["wallet"], Why: x.why})
	t := told{Word: "told.release", Sequence: a.Sequence, At: a.Online, Everywhere: a.Everywhere}
	if x.form["wallet"] != "" { // no card hangs on it, so nobody needs to learn of it
		t = told{Word: "told.phone", Sequence: a.Sequence}
	}
	return c.finish(w, r, x, t, err)
}

// Reissue puts a new plastic card into force.
func (c *Console) Reissue(w http.ResponseWriter, r *http.Request) error {
	x, err := read(r)
	if err != nil {
		return err
	}
	seq, err := c.o.Desk.Reissue(r.Context(), x.q, x.id, strings.ToUpper(x.form["number"]), x.form["chip"] != "", x.why)
	return c.finish(w, r, x, told{Word: "told.reissue", Sequence: seq}, err)
}

// Move writes down a new address. What stands on the mobile card is then outdated.
func (c *Console) Move(w http.ResponseWriter, r *http.Request) error {
	x, err := read(r)
	if err != nil {
		return err
	}
	address, municipality, centre := x.form["address"], x.form["municipality"], x.form["centre"]
	if address == "" || (municipality == "") != (centre == "") {
		return c.finish(w, r, x, told{}, web.Refuse(http.StatusBadRequest, "address", "Enter the address; municipality and centre together, or neither."))
	}
	a := register.Amendment{Address: &address}
	if municipality != "" {
		a.Municipality, a.Centre = &municipality, &centre
	}
	seq, err := c.o.Desk.Change(r.Context(), x.q, x.id, a, x.why)
	return c.finish(w, r, x, told{Word: "told.move", Sequence: seq}, err)
}

// Remove ends everything that a resident holds.
func (c *Console) Remove(w http.ResponseWriter, r *http.Request) error {
	x, err := read(r)
	switch {
	case err != nil:
		return err
	case x.form["sure"] == "":
		return c.finish(w, r, x, told{}, web.Refuse(http.StatusBadRequest, "sure", "Tick that you are sure: it cannot be undone."))
	}
	seq, err := c.o.Desk.End(r.Context(), x.q, x.id, x.why)
	return c.finish(w, r, x, told{Word: "told.removal", Sequence: seq}, err)
}
