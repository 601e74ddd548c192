package desk

import (
	"context"
	"errors"
	"net/http"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/web"
)

// Party is one that is or was allowed to call the service.
type Party struct {
	ID    string     `json:"id"`
	Role  string     `json:"role"`
	Ended *time.Time `json:"ended,omitempty"`
	parties.Profile
	HasPassphrase bool   `json:"has_passphrase"`
	Version       string `json:"version"`
}

func partyOf(p parties.Party) Party {
	out := Party{ID: p.ID, Role: p.Role.String(), Profile: p.Profile, HasPassphrase: p.HasPassphrase, Version: p.Version}
	if !p.Ended.IsZero() {
		out.Ended = &p.Ended
	}
	return out
}

// Parties lists those who may call the service besides citizens, ended ones too.
func (d *Desk) Parties(w http.ResponseWriter, r *http.Request) error {
	all, err := d.o.Parties.All(r.Context())
	if err != nil {
		return err
	}
	out := struct {
		Parties []Party `json:"parties"`
	}{[]Party{}}
	for _, p := range all {
		out.Parties = append(out.Parties, partyOf(p))
	}
	web.JSON(w, http.StatusOK, out)
	return nil
}

// Party answers with one of them.
func (d *Desk) Party(w http.ResponseWriter, r *http.Request) error {
	p, err := d.o.Parties.Party(r.Context(), r.PathValue("party"))
	if err == nil {
		web.JSON(w, http.StatusOK, partyOf(p))
	}
	return explainParty(err)
}

// EnterParty enters one: a body {"id", "role", ...profile, "passphrase", "why"}.
func (d *Desk) EnterParty(w http.ResponseWriter, r *http.Request) error {
	return d.putParty(w, r, "", http.StatusCreated, d.o.Parties.Enter)
}

// ChangeParty replaces what is said about one: a body as that of EnterParty, with the
// "version" of what is replaced.
func (d *Desk) ChangeParty(w http.ResponseWriter, r *http.Request) error {
	return d.putParty(w, r, r.PathValue("party"), http.StatusOK, d.o.Parties.Change)
}

func (d *Desk) putParty(w http.ResponseWriter, r *http.Request, id string, status int, put func(context.Context, parties.Request) (parties.Done, error)) error {
	q, err := request(r)
	if err != nil {
		return err
	}
	var body struct {
		ID   string `json:"id"`
		Role string `json:"role"`
		parties.Profile
		Passphrase string `json:"passphrase"`
		Why        string `json:"why"`
		Version    string `json:"version"`
		// Who changes what GET has answered sends this back; it changes nothing.
		HasPassphrase bool `json:"has_passphrase"`
	}
	if err := web.ReadKnown(r, &body); err != nil {
		return err
	}
	if id != "" && body.Version == "" {
		return web.Refuse(http.StatusBadRequest, "no-version", "Say which version is replaced: get the party, and send its version back with what changes.")
	}
	role, ok := access.ParseRole(body.Role)
	if !ok {
		return web.Refuse(http.StatusBadRequest, "unknown-role", "There is no role %.40q.", body.Role)
	}
	if id == "" {
		id = body.ID
	} else if body.ID != "" && body.ID != id {
		return web.Refuse(http.StatusBadRequest, "another-id", "The id in the body is not the one in the path.")
	}
	done, err := put(r.Context(), parties.Request{
		By: access.From(r.Context()), Key: q.Key, ID: id, Role: role, Profile: body.Profile, Version: body.Version, Passphrase: body.Passphrase, Why: body.Why,
	})
	if err == nil {
		web.JSON(w, status, entry{done.Sequence})
	}
	return explainParty(err)
}

// EndParty ends one: a body {"why"}.
func (d *Desk) EndParty(w http.ResponseWriter, r *http.Request) error {
	q, err := request(r)
	if err != nil {
		return err
	}
	var body struct {
		Why string `json:"why"`
	}
	if err := web.ReadKnown(r, &body); err != nil {
		return err
	}
	done, err := d.o.Parties.End(r.Context(), parties.Ending{By: access.From(r.Context()), Key: q.Key, ID: r.PathValue("party"), Why: body.Why})
	if err == nil {
		web.JSON(w, http.StatusOK, entry{done.Sequence})
	}
	return explainParty(err)
}

func explainParty(err error) error {
	switch {
	case errors.Is(err, parties.ErrUnknown):
		return web.Refuse(http.StatusNotFound, "no-such-party", "There is no such party.")
	case errors.Is(err, parties.ErrEntered):
		return web.Refuse(http.StatusConflict, "number-taken", "A party with this id is there already, or was: choose another id.")
	case errors.Is(err, parties.ErrEnded):
		return web.Refuse(http.StatusConflict, "ended", "This party was ended. Enter it anew under another id.")
	case errors.Is(err, parties.ErrChanged):
		return web.Refuse(http.StatusConflict, "changed-meanwhile", "This party was changed since it was looked at: get it again, and change what it is now.")
	case errors.Is(err, parties.ErrNotAdministrator):
		return web.Refuse(http.StatusForbidden, "not-authorised", "Only an administrator enters, changes and ends parties.")
	case errors.Is(err, parties.ErrNoWhy):
		return noWhy()
	case errors.Is(err, parties.ErrProfile):
		return web.Refuse(http.StatusBadRequest, "bad-profile", "%v.", err)
	case errors.Is(err, register.ErrNoKey), errors.Is(err, register.ErrKeyReused), errors.Is(err, register.ErrTooLong):
		return explain(err)
	}
	return err
}
