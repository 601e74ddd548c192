package demo

import (
	"crypto/ecdsa"
	"net/http"
	"strconv"
	"time"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// Hands lets wallets that have no emulated hardware of ours use the town's over
// HTTP: tap a card, look into the camera, have keys and wallets attested. Whoever
// may call it can be anybody in town.
type Hands struct {
	Town *Town
	Now  func() time.Time
}

const attestedFor = 5 * time.Minute

// Residents lists who lives in town, and what they hold.
func (h Hands) Residents(w http.ResponseWriter, _ *http.Request) error {
	type resident struct {
		ID        uint64 `json:"id"`
		Name      string `json:"name"`
		Romanised string `json:"romanised"`
		Born      string `json:"born"`
		Centre    string `json:"centre"`
		Document  string `json:"document"`
		Chip      bool   `json:"chip"`
		PIN       string `json:"pin,omitempty"`
	}
	out := []resident{}
	for _, r := range h.Town.Residents {
		one := resident{uint64(r.ID), r.Name, r.Romanised, r.Born().Format(time.DateOnly), r.Centre(), r.Document, r.Chip(), ""}
		if r.Chip() {
			one.PIN = r.PIN
		}
		out = append(out, one)
	}
	web.JSON(w, http.StatusOK, out)
	return nil
}

func (h Hands) resident(r *http.Request) (*Resident, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if one, ok := h.Town.Resident(store.PersonID(id)); ok && err == nil {
		return one, nil
	}
	return nil, web.Refuse(http.StatusNotFound, "no-such-resident", "Nobody of the demonstration has this number.")
}

// Tap holds a resident's card to a phone: a body {"challenge", "pin"}, the answer
// as the authorization server wants it.
func (h Hands) Tap(w http.ResponseWriter, r *http.Request) error {
	one, err := h.resident(r)
	if err != nil {
		return err
	}
	var body struct {
		Challenge []byte `json:"challenge"`
		PIN       string `json:"pin"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	if !one.Chip() {
		return web.Refuse(http.StatusConflict, "no-chip", "This resident's card has no chip: go to the counter.")
	}
	tap, err := one.Tap(body.Challenge, body.PIN)
	if err != nil {
		return web.Refuse(http.StatusConflict, "tap-failed", "The card could not be read.").Because(err)
	}
	web.JSON(w, http.StatusOK, struct {
		Card authorization.Evidence `json:"card"`
	}{authorization.Evidence(tap.Evidence)})
	return nil
}

// Look has a resident look into the camera.
func (h Hands) Look(w http.ResponseWriter, r *http.Request) error {
	one, err := h.resident(r)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct {
		Capture []byte `json:"capture"`
	}{one.Capture().Bytes()})
	return nil
}

// AttestWallet vouches for a wallet: a body {"jwk"} with the key of its instance.
func (h Hands) AttestWallet(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Key jws.Key `json:"jwk"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	key, err := body.Key.Public()
	if err != nil {
		return web.Refuse(http.StatusBadRequest, "bad-key", "The key cannot be attested: %v.", err)
	}
	p, now := h.Town.provider, h.Now()
	text, err := oauth.ClientAttestation{ClientID: p.ClientID, IssuedAt: now, Expires: now.Add(attestedFor), Key: key}.Sign(p.Sign, [][]byte{p.Attestation})
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, map[string]string{"client_id": p.ClientID, "attestation": text})
	return nil
}

// AttestKeys vouches for keys of a phone: a body {"keys", "nonce", "wallet"}.
func (h Hands) AttestKeys(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Keys   []jws.Key `json:"keys"`
		Nonce  string    `json:"nonce"`
		Wallet string    `json:"wallet"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	var attested []*ecdsa.PublicKey
	for _, k := range body.Keys {
		key, err := k.Public()
		if err != nil {
			return web.Refuse(http.StatusBadRequest, "bad-key", "A key cannot be attested: %v.", err)
		}
		attested = append(attested, key)
	}
	m, now := h.Town.maker, h.Now()
	text, err := keyproof.Attestation{
		Issuer: "https://phones.example", Wallet: body.Wallet, IssuedAt: now, Expires: now.Add(attestedFor), Nonce: body.Nonce, Keys: attested,
		KeyStorage: []keyproof.Resistance{keyproof.High}, UserAuthentication: []keyproof.Resistance{keyproof.High},
	}.Sign(m.Sign, [][]byte{m.Attestation})
	if err != nil {
		return web.Refuse(http.StatusBadRequest, "bad-keys", "These keys cannot be attested: %v.", err)
	}
	web.JSON(w, http.StatusOK, map[string]string{"key_attestation": text})
	return nil
}
