package demo

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/web"
	"rollcall.example/rollcall/reference/x5c"
	"rollcall.example/rollcall/scenarios"
)

var now = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func made(t *testing.T, residents int) *Town {
	t.Helper()
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	town, err := New(s, n, residents)
	if err != nil {
		t.Fatal(err)
	}
	return town
}

func TestATownIsTheSameEverywhere(t *testing.T) {
	a, b := made(t, 7), made(t, 7)
	if !bytes.Equal(a.CountryCA, b.CountryCA) || !bytes.Equal(a.PhoneMaker, b.PhoneMaker) || !bytes.Equal(a.WalletProvider, b.WalletProvider) {
		t.Error("authorities differ")
	}
	names := map[string]bool{}
	for i, r := range a.Residents {
		if other := b.Residents[i]; r.Name != other.Name || r.Document != other.Document || r.template != other.template {
			t.Errorf("resident %d differs", r.ID)
		}
		names[r.Name+r.Document] = true
	}
	if len(names) != 7 {
		t.Errorf("%d residents", len(names))
	}
	if Key("demo-bank").Equal(Key("demo-shop")) || !Key("demo-bank").Equal(Key("demo-bank")) {
		t.Error("keys of parties")
	}
}

// What a wallet of somebody else gets over HTTP is what the service believes.
func TestWhatTheHandsGiveIsBelieved(t *testing.T) {
	town := made(t, 5)
	h := Hands{Town: town, Now: func() time.Time { return now }}
	mux := http.NewServeMux()
	for path, f := range map[string]web.Handler{"GET /r": h.Residents, "POST /r/{id}/tap": h.Tap, "POST /r/{id}/look": h.Look, "POST /wallet": h.AttestWallet, "POST /keys": h.AttestKeys} {
		mux.Handle(path, web.Problem(f))
	}
	ask := func(method, path string, body, out any) int {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(method, path, bytes.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if out != nil {
			if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
				t.Fatalf("%s: %s", path, w.Body)
			}
		}
		return w.Code
	}
	var all []struct {
		ID  int
		PIN string
	}
	if ask("GET", "/r", nil, &all); len(all) != 5 || all[0].PIN == "" || all[4].PIN != "" {
		t.Errorf("%v", all)
	}
	challenge := make([]byte, card.ChallengeSize)
	var tapped struct {
		Card struct {
			SOD, DG1, DG13, DG15, Template, Signature []byte
			PIN                                       []byte `json:"pin_status"`
		}
	}
	ask("POST", "/r/1/tap", map[string]any{"challenge": challenge, "pin": "123456"}, &tapped)
	v, err := card.NewVerifier(town.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	c := tapped.Card
	got, err := v.Verify(card.Evidence{SOD: c.SOD, DG1: c.DG1, DG13: c.DG13, DG15: c.DG15, Template: c.Template, Signature: c.Signature, PIN: c.PIN}, challenge, now)
	if err != nil || got.DocumentNumber != town.Residents[0].Document {
		t.Errorf("%+v %v", got, err)
	}
	var looked struct{ Capture []byte }
	ask("POST", "/r/1/look", nil, &looked)
	probe, err := face.ParseProbe(looked.Capture)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := scenarios.Load("announced", nil)
	if score, ok := (face.Matcher{Threshold: s.Face.Threshold}).Match(face.Template(town.Residents[0].template), probe); !ok {
		t.Errorf("score %v", score)
	}
	if code := ask("POST", "/r/5/tap", map[string]any{"challenge": challenge, "pin": "123456"}, nil); code != 409 {
		t.Errorf("a card without a chip was tapped: %d", code)
	}
	if code := ask("POST", "/r/6/look", nil, nil); code != 404 {
		t.Errorf("somebody who does not exist looks: %d", code)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	jwk, _ := jws.KeyOf(&private.PublicKey)
	var attested struct {
		Text string `json:"key_attestation"`
	}
	ask("POST", "/keys", map[string]any{"keys": []jws.Key{jwk}, "nonce": "n"}, &attested)
	makers, err := x5c.NewAnchors("phone maker", town.PhoneMaker)
	if err != nil {
		t.Fatal(err)
	}
	a, err := keyproof.Policy{Attesters: makers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}}.Check(attested.Text, now, func(n string) bool { return n == "n" })
	if err != nil || len(a.Keys) != 1 || !a.Keys[0].Equal(&private.PublicKey) {
		t.Errorf("%v", err)
	}
	var vouched struct {
		ID   string `json:"client_id"`
		Text string `json:"attestation"`
	}
	if code := ask("POST", "/wallet", map[string]any{"jwk": jwk}, &vouched); code != 200 || vouched.ID == "" || vouched.Text == "" {
		t.Errorf("%d %+v", code, vouched)
	}
	if code := ask("POST", "/wallet", map[string]any{"jwk": map[string]string{"kty": "RSA"}}, nil); code != 400 {
		t.Errorf("a key that is none: %d", code)
	}
}

func TestAResidentsWalletIsTheSameAtEachStart(t *testing.T) {
	a, err := made(t, 1).Residents[0].Wallet(http.DefaultClient, func() time.Time { return now }, rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := made(t, 1).Residents[0].Wallet(http.DefaultClient, func() time.Time { return now }, rand.NewChaCha8([32]byte{2}))
	if err != nil || a.Phone().Wallet() != b.Phone().Wallet() {
		t.Errorf("%v", err)
	}
}

func TestEveryResidentOfATownHasANumberOfTheirOwn(t *testing.T) {
	whose := map[string]int{}
	for i, r := range made(t, 3000).Residents {
		if other, ok := whose[r.person.RRN]; ok {
			t.Errorf("residents %d and %d have the same number", other, i)
		}
		whose[r.person.RRN] = i
	}
}
