// Package parties keeps those who may call the service and are no citizens: staff
// and verifiers. It says who they are, what they may ask, and how they prove it:
// by a signed assertion (private_key_jwt, RFC 7523) for which they get an access
// token, by the certificate of their TLS connection (RFC 8705), or at the console
// by a passphrase, for which they get a session.
//
// A party that is ended, or whose keys are changed, is so for the next request to
// any replica: they are read from the register, and remembered only where nobody else
// writes to it (Options.Alone).
//
// What a role may do is not decided here: package httpapi opens routes to roles,
// and the rulebook judges what they ask.
package parties

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/store"
)

var (
	// ErrUnknown: there is no such party.
	ErrUnknown = errors.New("there is no such party")
	// ErrEntered: the id is another party's, or was: ids are never given twice.
	ErrEntered = errors.New("a party with this id is there already: choose another id")
	// ErrEnded: the party was ended; it is entered anew under another id.
	ErrEnded = errors.New("this party was ended")
	// ErrChanged: what was to be replaced is not what is in force any more.
	ErrChanged = errors.New("this party was changed meanwhile: look at it, and change what it is now")
	// ErrProfile: what is said about a party cannot be so; the error says what.
	ErrProfile = errors.New("the party cannot be entered so")
	// ErrNoWhy: who enters, changes or ends a party says why.
	ErrNoWhy = errors.New("say why: it goes into the audit log")
	// ErrNotAdministrator: only an administrator enters, changes and ends parties.
	ErrNotAdministrator = errors.New("only an administrator enters, changes and ends parties")
)

// Profile is what is said about a party.
type Profile struct {
	Name string `json:"name"` // as people know it: "Sejong City Hall", "Kim at window 3"
	// Centre is the municipality code of a clerk's centre.
	Centre string `json:"centre,omitempty"`
	// Keys sign the party's assertions; each has a kid if there are several.
	Keys []jws.Key `json:"keys,omitempty"`
	// Certificates are those of its TLS connections, as SHA-256 of the DER in
	// base64url (x5t#S256). Their common name is the party's id.
	Certificates []string `json:"certificates,omitempty"`
	// Elements are the data elements that a verifier may ask for.
	Elements []string `json:"elements,omitempty"`
	// Redirects are where a verifier's pages go on after a presentation; none: wherever it
	// says. The query is not compared.
	Redirects []string `json:"redirect_uris,omitempty"`
	// Responses are where a verifier that runs its own endpoint receives
	// presentations.
	Responses []string `json:"response_uris,omitempty"`
}

// Party is a party as it is in force, or was.
type Party struct {
	ID    string
	Role  access.Role
	Ended time.Time // zero: in force
	Profile
	// HasPassphrase: it may sign in at the console.
	HasPassphrase bool
	// Version is another one after each change: the digest in the audit entry of the
	// latest one.
	Version string

	passphrase string // its hash
}

// body is how a party stands in the store.
type body struct {
	Profile
	Passphrase string `json:"passphrase,omitempty"`
}

// Options are the service's.
type Options struct {
	// Issuer is the service's own URL: the audience of assertions.
	Issuer string
	// TokenEndpoint is accepted as their audience, too.
	TokenEndpoint string
	Keys          *seal.Keys
	// Cost of a guess at a passphrase; the zero value is the default.
	Cost Cost
	// Alone: no other process writes to this register, so that what was read of a
	// party holds until this one changes it.
	Alone bool
}

// Parties keeps the parties of a register.
type Parties struct {
	register *register.Register
	o        Options
	guesses  chan struct{} // a slot for each passphrase that is hashed at the same time
	tried    guesses
	known    known
}

// New returns the parties of a register.
func New(r *register.Register, o Options) (*Parties, error) {
	if o.Issuer == "" || o.TokenEndpoint == "" || o.Keys == nil {
		return nil, errors.New("parties need the service's URL, its token endpoint and keys to seal with")
	}
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost
	}
	return &Parties{register: r, o: o, guesses: make(chan struct{}, 2)}, nil
}

func read(s store.Party) (Party, error) {
	role, ok := access.ParseRole(s.Role)
	if !ok {
		return Party{}, fmt.Errorf("party %s has a role that is not known: %q", s.ID, s.Role)
	}
	var b body
	if err := json.Unmarshal(s.Body, &b); err != nil {
		return Party{}, fmt.Errorf("party %s cannot be read: %w", s.ID, err)
	}
	return Party{ID: s.ID, Role: role, Ended: s.Ended, Profile: b.Profile, HasPassphrase: b.Passphrase != "", Version: Digest(s), passphrase: b.Passphrase}, nil
}

// Party returns a party, ended ones too.
func (p *Parties) Party(ctx context.Context, id string) (one Party, err error) {
	if !p.o.Alone {
		return p.fetch(ctx, id)
	}
	one, there, as := p.known.get(id)
	if there {
		return one, nil
	}
	if one, err = p.fetch(ctx, id); err == nil {
		p.known.put(one, as)
	}
	return one, err
}

func (p *Parties) fetch(ctx context.Context, id string) (one Party, err error) {
	err = p.register.View(ctx, func(r store.Reader) error {
		s, err := r.Party(id)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w (%.60q)", ErrUnknown, id)
		}
		if err == nil {
			one, err = read(s)
		}
		return err
	})
	return one, err
}

// All returns all parties in order of their ids, ended ones too.
func (p *Parties) All(ctx context.Context) (all []Party, err error) {
	err = p.register.View(ctx, func(r store.Reader) error {
		found, err := r.Parties()
		if err != nil {
			return err
		}
		for _, s := range found {
			one, err := read(s)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

// caller is the party as a caller.
func (one Party) caller() access.Caller {
	return access.Caller{Role: one.Role, ID: one.ID, Centre: one.Centre, Elements: one.Elements, Redirects: one.Redirects}
}

func (one Party) inForce(now time.Time) bool { return one.Ended.IsZero() || now.Before(one.Ended) }

// staff are the roles of people.
const staff = access.Clerk | access.CallCentre | access.Registrar | access.Auditor | access.Administrator

// Limits of a profile.
const (
	maxKeys     = 8
	maxURIs     = 16
	maxURI      = 512
	maxElements = 64
)

// check says what cannot be so.
func (p Profile) check(id string, role access.Role, passphrase bool) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrProfile, fmt.Sprintf(format, args...))
	}
	switch {
	case id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "":
		return wrong("an id has 1 to 64 characters of a-z, 0-9, hyphen and dot, not %.80q", id)
	case staff&role != role && role != access.Verifier || role&(role-1) != 0 || role == 0:
		return wrong("%s is no role of a party", role)
	case p.Name == "" || len(p.Name) > register.MaxText || !utf8.ValidString(p.Name):
		return wrong("a name has 1 to %d bytes", register.MaxText)
	case (role == access.Clerk) != (p.Centre != ""):
		return wrong("a clerk has a centre, and nobody else")
	case p.Centre != "" && (len(p.Centre) != 5 || strings.Trim(p.Centre, "0123456789") != ""):
		return wrong("a centre is a municipality's code of five digits, not %.20q", p.Centre)
	case role != access.Verifier && len(p.Elements)+len(p.Redirects)+len(p.Responses) > 0:
		return wrong("only a verifier has elements, redirect and response URIs")
	case len(p.Keys) > maxKeys || len(p.Certificates) > maxKeys:
		return wrong("at most %d keys and %d certificates are kept", maxKeys, maxKeys)
	case len(p.Keys)+len(p.Certificates) == 0 && !passphrase:
		return wrong("it could not prove who it is: give a key, a certificate or a passphrase")
	case len(p.Elements) > maxElements:
		return wrong("at most %d elements are kept", maxElements)
	}
	kids := map[string]bool{}
	for _, k := range p.Keys {
		if _, err := k.Public(); err != nil {
			return wrong("%v", err)
		}
		if kids[k.KeyID] {
			return wrong("two keys have the kid %.40q", k.KeyID)
		}
		kids[k.KeyID] = true
	}
	for _, c := range p.Certificates {
		if b, err := base64.RawURLEncoding.Strict().DecodeString(c); err != nil || len(b) != 32 {
			return wrong("a certificate is named by the SHA-256 of its DER in base64url, not %.60q", c)
		}
	}
	for i, e := range p.Elements {
		if e == "" || len(e) > 64 || slices.Contains(p.Elements[:i], e) {
			return wrong("an element has a name of 1 to 64 bytes and stands there once, not %.80q", e)
		}
		if _, known := sdjwt.PathOf(e); !known {
			return wrong("no card has an element %.80q", e)
		}
	}
	if len(p.Redirects) > maxURIs || len(p.Responses) > maxURIs {
		return wrong("at most %d URIs of a kind are kept", maxURIs)
	}
	for _, text := range slices.Concat(p.Redirects, p.Responses) {
		u, err := url.Parse(text)
		if err != nil || len(text) > maxURI || u.Host == "" || u.Fragment != "" || u.User != nil ||
			u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
			return wrong("%.80q is no URI to send somebody to (https://..., without a fragment)", text)
		}
	}
	return nil
}

func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }
