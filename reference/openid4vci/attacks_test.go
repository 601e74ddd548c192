package openid4vci_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
)

// refuses sends a credential request that must be refused, and change nothing.
func (w *wallet) refuses(t *testing.T, what string, ctx context.Context, body any, status int, code string) {
	t.Helper()
	w.rehearsal.Begin()
	text, ok := body.(string)
	if !ok {
		text = marshal(t, body)
	}
	rec, _ := w.send(ctx, w.vci.Credential, text)
	if rec.Code != status || !strings.Contains(rec.Body.String(), `"`+code+`"`) || !w.rehearsal.Take().Only() {
		t.Errorf("%s: %d %.200s, want %d %s", what, rec.Code, rec.Body, status, code)
	}
}

// Metadata are signed for who asks for that (§12.2.2), and for nobody else.
func TestMetadataAreSignedForWhoAcceptsThat(t *testing.T) {
	w := newWallet(t)
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/json": "application/json", "application/jwt": "application/jwt", "Application/JWT": "application/jwt",
		"application/json;q=0.5, application/jwt": "application/jwt", "application/jwt;q=0": "application/json", "application/json, application/jwt; q=0.0": "application/json",
		"application/jwt+x": "application/json", "text/plain;a=\"application/jwt\"": "application/json",
	} {
		r := httptest.NewRequest("GET", "/.well-known/openid-credential-issuer", nil)
		r.Header.Set("Accept", accept)
		rec := httptest.NewRecorder()
		check(t, w.vci.Metadata(rec, r))
		if got := rec.Header().Get("Content-Type"); got != want || rec.Header().Get("Vary") != "Accept" {
			t.Errorf("%q: %s", accept, got)
		}
	}
}

// A nonce in a proof is one of this issuer's nonce endpoint, not over, and good for one
// order: in either type of proof.
func TestANonceIsOfThisIssuerAndForProofs(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	others, err := seal.NewKeys([32]byte{8})
	check(t, err)
	another, err := others.Seal([32]byte{1}, "c_nonce", w.Now().Add(time.Hour), struct{}{})
	check(t, err)
	dpop := httptest.NewRecorder()
	check(t, w.server.GiveNonce(dpop))
	over := w.nonce(t)
	w.Pass(5 * time.Minute)
	for _, typ := range []string{"jwt", "attestation"} {
		for what, nonce := range map[string]string{"made up": "made up", "of another issuer": another, "for DPoP": dpop.Header().Get("DPoP-Nonce"), "over": over} {
			w.refuses(t, typ+": a nonce that is "+what, ctx, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofsWith(t, typ, nonce)}, 400, "invalid_nonce")
		}
		w.refuses(t, typ+": no nonce", ctx, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofsWith(t, typ, "")}, 400, "invalid_proof")
	}
}

func TestANonceIsNotGoodForTheOtherFormatToo(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	proofs := w.proofs(t, "jwt")
	w.good(t, ctx, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}))
	w.refuses(t, "the nonce again", ctx, map[string]any{"credential_configuration_id": openid4vci.SDJWTID, "proofs": proofs}, 400, "invalid_nonce")
	w.rehearsal.Begin()
	w.good(t, ctx, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.SDJWTID, "proofs": w.proofs(t, "jwt")}))
}

// A token gives what it says, in the way that it says.
func TestATokenGivesWhatItWasAskedFor(t *testing.T) {
	w := newWallet(t)
	c := w.Resident()
	plain, byID := w.granted(t, "plain", c, false), w.granted(t, "by id", c, true)
	mdocs := w.granted(t, "mdocs alone", c, false, func(g *authorization.Grant) { g.Configs = []string{openid4vci.MdocID} })
	mdocsByID := w.granted(t, "mdocs alone by id", c, true, func(g *authorization.Grant) { g.Configs = []string{openid4vci.MdocID} })
	later := w.granted(t, "refreshed", c, false, func(g *authorization.Grant) { g.Approval, g.Configs = nil, nil })
	holdsNone := w.granted(t, "holds none", c, false, func(g *authorization.Grant) { g.Approval = nil })
	id := authorization.Identifier(openid4vci.SDJWTID)
	for _, r := range []struct {
		what       string
		ctx        context.Context
		config, id string
		status     int
		code       string
	}{
		{"by configuration, with identifiers", byID, openid4vci.SDJWTID, "", 400, "invalid_credential_request"},
		{"by identifier, without any", plain, "", id, 400, "unknown_credential_identifier"},
		{"by both", byID, openid4vci.SDJWTID, id, 400, "invalid_credential_request"},
		{"another identifier", mdocsByID, "", id, 400, "unknown_credential_identifier"},
		{"another configuration", mdocs, openid4vci.SDJWTID, "", 403, "insufficient_scope"},
		{"a refreshed token that gives nothing", later, openid4vci.MdocID, "", 403, "insufficient_scope"},
		{"a refreshed token of a wallet that holds no card", holdsNone, openid4vci.MdocID, "", 400, "credential_request_denied"},
	} {
		body := map[string]any{"proofs": w.proofs(t, "attestation")}
		if r.config != "" {
			body["credential_configuration_id"] = r.config
		}
		if r.id != "" {
			body["credential_identifier"] = r.id
		}
		w.refuses(t, r.what, r.ctx, body, r.status, r.code)
	}
}

// One bad proof spoils a batch, and a key attestation is of use for its own keys alone.
func TestABatchWithABadProofIsRefused(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	storage := keyproof.High
	attest := func(keys ...string) string {
		a := keyproof.Attestation{IssuedAt: w.Now(), Expires: w.Now().Add(time.Hour), KeyStorage: []keyproof.Resistance{storage}, Nonce: w.nonce(t)}
		for _, name := range keys {
			a.Keys = append(a.Keys, &servicetest.Key(name).PublicKey)
		}
		text, err := a.Sign(jws.With(servicetest.Key("attestations")), w.maker)
		check(t, err)
		return text
	}
	sign := func(key *ecdsa.PrivateKey, attestation string) string {
		text, err := keyproof.Proof{ClientID: clientID, Audience: issuer, IssuedAt: w.Now(), Nonce: w.nonce(t), Attestation: attestation}.Sign(key)
		check(t, err)
		return text
	}
	good, own := w.proofs(t, "jwt")["jwt"][0], servicetest.Key("device 3")
	attestation := w.proofs(t, "attestation")["attestation"][0]
	storage = keyproof.Moderate
	weak := attest("device 1", "device 2")
	storage = keyproof.High
	for what, proofs := range map[string]any{
		"a second proof without an attestation": map[string]any{"jwt": []string{good, sign(own, "")}},
		"a second proof that is none":           map[string]any{"jwt": []string{good, "x"}},
		"a proof of a key that is not attested": map[string]any{"jwt": []string{sign(own, attest("device 1", "device 2"))}},
		"a key twice":                           map[string]any{"attestation": []string{attest("device 1", "device 1")}},
		"no keys of the attestation":            map[string]any{"jwt": []string{sign(own, good)}}, // a proof in its place
		"more keys than copies":                 map[string]any{"attestation": []string{attest("a", "b", "c", "d")}},
		"two attestations":                      map[string]any{"attestation": []string{attest("device 1"), attest("device 2")}},
		"no attestation":                        map[string]any{"jwt": []string{sign(own, "")}},
		"keys in weak storage":                  map[string]any{"attestation": []string{weak}},
		"keys in weak storage, by a proof":      map[string]any{"jwt": []string{sign(servicetest.Key("device 1"), weak)}},
		"two types":                             map[string]any{"jwt": []string{good}, "attestation": []string{attestation}},
		"a type that is not offered":            map[string]any{"jwt": []string{good}, "di_vp": []any{map[string]any{}}},
		"an attestation as a proof":             map[string]any{"jwt": []string{attestation}},
		"a proof as an attestation":             map[string]any{"attestation": []string{good}},
		"none":                                  map[string]any{"jwt": []string{}},
	} {
		w.refuses(t, what, ctx, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}, 400, "invalid_proof")
	}
	// What two readers would read otherwise is refused, too.
	body := marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": map[string]any{"jwt": []string{good}}})
	for what, twice := range map[string]string{
		"the configuration twice": strings.Replace(body, "{", `{"credential_configuration_id":"rrc_sd_jwt",`, 1),
		"proofs twice":            strings.Replace(body, "{", `{"proofs":{"jwt":[]},`, 1),
		"a type twice":            strings.Replace(body, `{"jwt"`, `{"jwt":["x"],"jwt"`, 1),
		"proofs in capitals":      strings.Replace(body, "{", `{"Proofs":{"jwt":[]},`, 1),
		"something after it":      body + "{}",
	} {
		w.refuses(t, what, ctx, twice, 400, "invalid_credential_request")
	}
	w.good(t, ctx, w.vci.Credential, body)
}

// Keys that their maker has taken back bind no card, in either type of proof, nor when the
// card is fetched later; and nobody is told that they are bad where nobody knows.
func TestKeysWhoseAttestationWasRevokedBindNoCard(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	w.rehearsal.Begin()
	const uri = "https://maker.example/lists/1"
	lists := func(status statuslist.Status) {
		w.Pass(11 * time.Second) // past the ttl of the one before
		l, err := statuslist.New(2, 8)
		check(t, err)
		check(t, l.Set(5, status))
		token := servicetest.StatusList(t, "attestations", "Maker's attestations", statuslist.Token{Subject: uri, IssuedAt: w.Now(), TTL: time.Second, List: l})
		w.list = func() ([]byte, error) { return token, nil }
	}
	w.status = &mdoc.StatusRef{URI: uri, Index: 5}
	for _, typ := range []string{"jwt", "attestation"} {
		body := func() map[string]any {
			return map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, typ)}
		}
		for status, code := range map[statuslist.Status]int{statuslist.Invalid: 400, statuslist.Suspended: 400, statuslist.Valid: 200} {
			lists(status)
			if code == 200 {
				w.good(t, ctx, w.vci.Credential, marshal(t, body()))
			} else {
				w.refuses(t, typ+": "+status.String(), ctx, body(), code, "invalid_proof")
			}
		}
		w.Pass(11 * time.Second)
		w.list = func() ([]byte, error) { return nil, errors.New("the maker is not there") }
		w.refuses(t, typ+": nobody can tell", ctx, body(), 503, "temporarily_unavailable")
		w.refuses(t, typ+": again", ctx, body(), 503, "temporarily_unavailable")
		lists(statuslist.Valid)
		waits := w.good(t, ctx, w.slow.Credential, marshal(t, body()))
		lists(statuslist.Invalid)
		w.rehearsal.Begin()
		rec, _ := w.send(ctx, w.vci.Deferred, marshal(t, map[string]any{"transaction_id": waits.Transaction}))
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), `"credential_request_denied"`) || !w.rehearsal.Take().Only() {
			t.Errorf("%s, deferred: %d %s", typ, rec.Code, rec.Body)
		}
	}
}
