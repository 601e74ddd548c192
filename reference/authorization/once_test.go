package authorization_test

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/web"
)

// kept is a register that can be closed and opened again.
type kept struct {
	store.Store
	path string
}

func (k *kept) open(t testing.TB) {
	t.Helper()
	if k.Store != nil {
		check(t, k.Close())
	}
	db, err := sqlite.Open(k.path, sqlite.Options{Readers: 1})
	check(t, err)
	k.Store = db
}

// otherSignature is the second signature that ECDSA has for the same text.
func otherSignature(t testing.TB, token string) string {
	t.Helper()
	cut := strings.LastIndexByte(token, '.') + 1
	raw, err := base64.RawURLEncoding.DecodeString(token[cut:])
	check(t, err)
	n := servicetest.Key("instance").Params().N
	new(big.Int).Sub(n, new(big.Int).SetBytes(raw[32:])).FillBytes(raw[32:])
	return token[:cut] + base64.RawURLEncoding.EncodeToString(raw)
}

// A proof is recorded under its own moment, not under that of its arrival: whichever
// replica it comes to, whatever that replica's clock, after a restart, after what is old
// was forgotten, and with the other signature that its key could have made.
func TestAProofIsGoodOnceWheneverAndWhereverItComes(t *testing.T) {
	db := &kept{path: filepath.Join(t.TempDir(), "register.db")}
	db.open(t)
	t.Cleanup(func() { _ = db.Close() })
	sealing, err := seal.NewKeys([32]byte{7})
	check(t, err)
	chain, anchors := servicetest.Vouched(t, "wallet provider", "provider", "Wallet Provider")
	attestation, err := oauth.ClientAttestation{Provider: "https://provider.example", ClientID: clientID, Key: &servicetest.Key("instance").PublicKey,
		IssuedAt: servicetest.Noon.AddDate(0, 0, -1), Expires: servicetest.Noon.AddDate(0, 0, 1)}.Sign(jws.With(servicetest.Key("provider")), chain)
	check(t, err)
	nonce, err := sealing.Seal([32]byte{1}, "dpop nonce", servicetest.Noon.AddDate(0, 0, 1), struct{}{})
	check(t, err)
	type replica struct {
		*servicetest.World
		server *authorization.Server
	}
	var replicas []replica
	for range 2 {
		w := servicetest.On(t, db)
		s, err := authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: sealing, Issuer: issuer, Path: "/oauth/",
			Providers: anchors, Scopes: scopes})
		check(t, err)
		replicas = append(replicas, replica{w, s})
	}
	form := url.Values{"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"rrc_mdoc"},
		"code_challenge": {oauth.Challenge(verifier)}, "code_challenge_method": {"S256"}}.Encode()
	push := func(r replica, pop, proof string) (int, string) {
		q := httptest.NewRequest("POST", issuer+"/oauth/par", strings.NewReader(form))
		q.Header.Set("Content-Type", asForm)
		q.Header.Set("DPoP", proof)
		q.Header.Set(oauth.HeaderAttestation, attestation)
		q.Header.Set(oauth.HeaderPoP, pop)
		rec := httptest.NewRecorder()
		web.OAuth(r.server.Push).ServeHTTP(rec, q)
		return rec.Code, rec.Body.String()
	}
	ids := 0
	rapid.Check(t, func(rt *rapid.T) {
		made := servicetest.Noon.Add(time.Duration(rapid.IntRange(-3600, 3600).Draw(rt, "made")) * time.Second)
		fresh := func(pop, proof string) (string, string) { // what is not given
			ids++
			var err error
			if pop == "" {
				pop, err = oauth.PoP{Audience: issuer, ID: fmt.Sprint("pop ", ids), IssuedAt: made}.Sign(servicetest.Key("instance"))
				check(t, err)
			}
			if proof == "" {
				proof, err = oauth.DPoP{Method: "POST", URL: issuer + "/oauth/par", ID: fmt.Sprint("dpop ", ids), IssuedAt: made, Nonce: nonce}.Proof(servicetest.Key("dpop"))
				check(t, err)
			}
			return pop, proof
		}
		life := rapid.Int64Range(-int64(oauth.MaxClockSkew/time.Microsecond), int64((oauth.MaxProofAge+oauth.MaxClockSkew)/time.Microsecond))
		arrive := func(name string) replica {
			r := replicas[rapid.IntRange(0, 1).Draw(rt, name+" at")]
			r.Set(made.Add(time.Duration(life.Draw(rt, name)) * time.Microsecond))
			return r
		}
		pop, proof := fresh("", "")
		if code, text := push(arrive("first"), pop, proof); code != 201 {
			rt.Fatalf("a good request: %d %s", code, text)
		}
		if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
			db.open(t)
		}
		second := arrive("second")
		if rapid.Bool().Draw(rt, "forget") {
			_, err := second.Register.Forget(t.Context(), 1000)
			check(t, err)
		}
		if rapid.Bool().Draw(rt, "signed otherwise") {
			pop, proof = otherSignature(t, pop), otherSignature(t, proof)
		}
		for what, given := range map[string][2]string{"the wallet's proof": {pop, ""}, "the DPoP proof": {"", proof}} {
			again, by := fresh(given[0], given[1])
			if code, text := push(second, again, by); code == 201 || !strings.Contains(text, "used before") {
				rt.Errorf("%s again: %d %s", what, code, text)
			}
		}
	})
}
