package console

import (
	"net/http"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

const (
	offerKind = "console offer"
	// offerLife is how long the page of an offer can be looked at: the offer's 90
	// seconds, and the minutes that a face check and the issue may take after it.
	offerLife = 15 * time.Minute
)

// offer is what the page of an offer is about. It travels sealed in the page's
// address, so that any replica can show it.
type offer struct {
	Party   string         `json:"p"`
	Person  store.PersonID `json:"n"`
	Code    string         `json:"c"`
	URI     string         `json:"u"`
	TxCode  string         `json:"t"`
	Expires time.Time      `json:"e"`
}

// MakeOffer makes a one-time code for a resident at the clerk's centre.
func (c *Console) MakeOffer(w http.ResponseWriter, r *http.Request) error {
	x, err := read(r)
	if err != nil {
		return err
	}
	caller := access.From(r.Context())
	s, err := c.o.Desk.MakeOffer(r.Context(), x.q, x.id, caller.Centre)
	if err != nil {
		return c.residentPage(w, r, x.id, x.form, err)
	}
	text, err := c.seal(offerKind, offerLife, offer{caller.ID, x.id, s.Code, s.URI, s.TxCode, s.Expires})
	if err != nil {
		return err
	}
	return away(w, r, "/console/offers/"+text)
}

// progress is how far something has come that somebody waits for: its state, one of
// a row of steps, or an end.
type progress struct {
	State string
	Over  bool // nothing more will happen
	Good  bool // it ended as it should
	Poll  string
	Steps []step
}

type step struct {
	Word    string
	Done    bool
	Current bool
}

// along makes the steps up to the one that has been reached.
func along(at string, names ...string) (out []step) {
	reached := false
	for _, n := range names {
		out = append(out, step{Word: n, Done: !reached, Current: n == at})
		reached = reached || n == at
	}
	return out
}

// offerPage is the data of the page.
type offerPage struct {
	offer
	progress
	Back string
	Code qrCode
}

func (c *Console) offer(r *http.Request) (o offer, p progress, err error) {
	_, err = c.o.Keys.Open(offerKind, r.PathValue("offer"), c.o.Register.Now(), &o)
	if err != nil || o.Party != access.From(r.Context()).ID {
		return o, p, web.Refuse(http.StatusNotFound, "no-such-offer", "There is no such offer, or its time is over.")
	}
	at, err := c.o.Offers.Progress(r.Context(), o.Code)
	if err != nil {
		return o, p, err
	}
	p.State = "offer." + string(at)
	switch {
	case at == authorization.Issued:
		p.Over, p.Good = true, true
	case at == authorization.Spent:
		p.Over = true
	case at != authorization.Checked && !c.o.Register.Now().Before(o.Expires):
		p.State, p.Over = "offer.over", true
	}
	p.Poll = "/console/offers/" + r.PathValue("offer") + "/state"
	if p.Good || !p.Over {
		p.Steps = along(p.State, "offer.waiting", "offer.scanned", "offer.checked", "offer.issued")
	}
	return o, p, nil
}

// Offer shows the QR code, what the clerk tells, and how far the citizen has come.
func (c *Console) Offer(w http.ResponseWriter, r *http.Request) error {
	o, p, err := c.offer(r)
	if err != nil {
		return err
	}
	d := offerPage{offer: o, progress: p, Back: residentPath(o.Person)}
	if !p.Over {
		if d.Code, err = encode(o.URI); err != nil {
			return err
		}
	}
	whose, err := c.o.Desk.Resident(r.Context(), o.Person)
	if err != nil {
		return err
	}
	v := c.view(w, r, "offer.title", r.URL.Path)
	v.Name, v.Data = whose.Name, d
	return render(w, http.StatusOK, "offer", "layout", v)
}

// OfferState is the part of that page that changes, for the script.
func (c *Console) OfferState(w http.ResponseWriter, r *http.Request) error {
	_, p, err := c.offer(r)
	if err != nil {
		return err
	}
	v := c.view(w, r, "offer.title", r.URL.Path)
	v.Data = p
	return c.state(w, "offer", v, p)
}

// state answers the script: a part of a page, and whether it will change again.
func (c *Console) state(w http.ResponseWriter, page string, v *view, p progress) error {
	if p.Over {
		w.Header().Set("X-Over", "true")
	}
	return render(w, http.StatusOK, page, "state", v)
}
