package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/wholefile"
)

// itself is the service entering its first administrator.
var itself = access.Caller{Role: access.Administrator, ID: "serve"}

// enterAdministrators enters a first administrator where there is none, and the
// one that was asked for.
func (s *running) enterAdministrators(ctx context.Context) error {
	all, err := s.parties.All(ctx)
	if err != nil {
		return err
	}
	wanted := s.c.text("new-administrator")
	if wanted == "" {
		if slices.ContainsFunc(all, func(p parties.Party) bool { return p.Role == access.Administrator && p.Ended.IsZero() }) {
			return nil
		}
		wanted = "admin"
		for n := 2; slices.ContainsFunc(all, func(p parties.Party) bool { return p.ID == wanted }); n++ {
			wanted = fmt.Sprintf("admin-%d", n) // the ones before were ended
		}
	}
	seed, err := s.service.Register.Seed()
	if err != nil {
		return err
	}
	var private *ecdsa.PrivateKey
	for private == nil {
		secret, err := s.service.Register.Seed()
		if err != nil {
			return err
		}
		private, _ = privateKey(secret[:])
	}
	public, err := jws.KeyOf(&private.PublicKey)
	if err != nil {
		return err
	}
	public.KeyID = wanted
	passphrase := parties.Passphrase(seed)
	_, err = s.parties.Enter(ctx, parties.Request{
		By: itself, Key: "administrator " + wanted, ID: wanted, Role: access.Administrator, Passphrase: passphrase, Why: "first start",
		Profile: parties.Profile{Name: wanted, Keys: []jws.Key{public}},
	})
	if errors.Is(err, parties.ErrEntered) || errors.Is(err, register.ErrKeyReused) {
		if s.c.text("new-administrator") != "" {
			return usage(fmt.Errorf("new-administrator: there is a party %s, or was: choose another id", wanted))
		}
		return nil // another replica was first, and has shown it
	}
	if err != nil {
		return err
	}
	key, err := s.keepKey(wanted, private)
	s.first = append(s.first, credential{wanted, passphrase, key})
	return err
}

// keepKey writes a party's private key where only this user can read it.
func (s *running) keepKey(id string, private *ecdsa.PrivateKey) (string, error) {
	path := filepath.Join(s.data, id+".jwk")
	text, err := privateJWK(id, private)
	if err != nil {
		return "", err
	}
	return path, wholefile.Write(wholefile.OS, wholefile.File{Path: path, Data: text})
}

// privateJWK is a private key as RFC 7517 writes it.
func privateJWK(kid string, private *ecdsa.PrivateKey) ([]byte, error) {
	public, err := jws.KeyOf(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	d, err := private.Bytes()
	if err != nil {
		return nil, err
	}
	encoded := json.RawMessage(`"` + base64.RawURLEncoding.EncodeToString(d) + `"`)
	public.KeyID, public.Algorithm, public.D = kid, "ES256", &encoded
	text, err := json.Marshal(public)
	return append(text, '\n'), err
}
