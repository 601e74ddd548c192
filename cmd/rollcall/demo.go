package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/web"
	"rollcall.example/rollcall/sim/demo"
)

// demoParties are the staff and verifiers of the demonstration.
var demoParties = []struct {
	id, name   string
	role       access.Role
	passphrase string
	elements   []string
}{
	{id: "demo-clerk", name: "Clerk at a centre in Sejong", role: access.Clerk, passphrase: "demo-clerk-passphrase"},
	{id: "demo-operator", name: "Operator of the loss line", role: access.CallCentre, passphrase: "demo-operator-passphrase"},
	{id: "demo-registrar", name: "Registrar", role: access.Registrar, passphrase: "demo-registrar-passphrase"},
	{id: "demo-auditor", name: "Auditor", role: access.Auditor, passphrase: "demo-auditor-passphrase"},
	{id: "demo-bank", name: "First Bank of the Demonstration", role: access.Verifier, passphrase: "demo-bank-passphrase",
		elements: []string{"family_name", "given_name", "birth_date", "resident_registration_number", "resident_address", "portrait", "age_over_19"}},
	{id: "demo-shop", name: "Convenience store", role: access.Verifier, passphrase: "demo-shop-passphrase", elements: []string{"age_over_19", "portrait"}},
}

// enterDemo enters residents and parties, and writes the parties' keys.
func (s *running) enterDemo(ctx context.Context) error {
	if err := s.town.Enter(ctx, s.service.Issuance); err != nil {
		return err
	}
	for _, p := range demoParties {
		private := demo.Key(p.id)
		public, err := jws.KeyOf(&private.PublicKey)
		if err != nil {
			return err
		}
		public.KeyID = p.id
		q := parties.Request{By: itself, Key: "demo party " + p.id, ID: p.id, Role: p.role, Passphrase: p.passphrase, Why: "demonstration",
			Profile: parties.Profile{Name: p.name, Keys: []jws.Key{public}, Elements: p.elements}}
		if p.role == access.Clerk {
			q.Centre = demo.Municipality
		}
		if _, err := s.parties.Enter(ctx, q); err != nil && !errors.Is(err, parties.ErrEntered) && !errors.Is(err, register.ErrKeyReused) {
			return err
		}
		if _, err := s.keepKey(p.id, private); err != nil {
			return err
		}
	}
	return nil
}

// demoRoutes let wallets of others use the demonstration's emulated hardware.
func (s *running) demoRoutes() []httpapi.Route {
	if s.town == nil {
		return nil
	}
	h := demo.Hands{Town: s.town, Now: time.Now}
	const body = 64 << 10
	phones := demo.NewPhones(demo.PhoneOptions{Town: s.town, Issuer: s.url, Now: time.Now, Random: chance, Service: func() http.Handler { return s.router }})
	page := func(name, method, path string, h web.Handler) httpapi.Route {
		r := httpapi.Route{Name: "demo-" + name, Method: method, Path: path, Roles: access.Anyone, Handler: web.Problem(h)}
		if method == http.MethodPost {
			r.Body = body
		}
		return r
	}
	return []httpapi.Route{
		page("phones", "GET", demo.PhonesPath, phones.List),
		page("phone", "GET", demo.PhonesPath+"/{id}", phones.Show),
		page("phone-scan", "POST", demo.PhonesPath+"/{id}/scan", phones.Scan),
		page("phone-face", "POST", demo.PhonesPath+"/{id}/face", phones.Face),
		page("phone-tap", "POST", demo.PhonesPath+"/{id}/tap", phones.Tap),
		page("phone-open", "POST", demo.PhonesPath+"/{id}/open", phones.Open),
		page("phone-answer", "POST", demo.PhonesPath+"/{id}/answer", phones.Answer),
		page("phone-new", "POST", demo.PhonesPath+"/{id}/new", phones.Replace),
		{Name: "demo-country-revocations", Method: "GET", Path: "/demo/csca.crl", Roles: access.Anyone, Handler: web.Problem(s.countryList)},
		{Name: "demo-residents", Method: "GET", Path: "/demo/residents", Roles: access.Anyone, Handler: web.Problem(h.Residents)},
		{Name: "demo-tap", Method: "POST", Path: "/demo/residents/{id}/tap", Roles: access.Anyone, Body: body, Handler: web.Problem(h.Tap)},
		{Name: "demo-look", Method: "POST", Path: "/demo/residents/{id}/look", Roles: access.Anyone, Body: body, Handler: web.Problem(h.Look)},
		{Name: "demo-attest-wallet", Method: "POST", Path: "/demo/attestations/wallet", Roles: access.Anyone, Body: body, Handler: web.Problem(h.AttestWallet)},
		{Name: "demo-attest-keys", Method: "POST", Path: "/demo/attestations/keys", Roles: access.Anyone, Body: body, Handler: web.Problem(h.AttestKeys)},
	}
}
