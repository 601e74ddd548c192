package sdjwt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/x5c"
)

// Independent implementations in readers/ judge cards and tokens: they read what
// we write (tokens.json), and we read what they write (theirs.json), both for the
// same parties at the same moment.

const (
	serviceURL = "https://id.example"
	clientID   = "https://wallet.example"
	nonce      = "nonce-1"
	audience   = "x509_hash:bank"
	answer     = `{"vp_token":{"card":["..."]}}`
)

var moment = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

// parties are those of the sample: an issuing authority, a wallet provider, a
// phone, a verifier.
type parties struct {
	iaca              *mdoc.IACA
	issuer            *mdoc.KeySigner
	anchors           *mdoc.TrustAnchors
	provider          *mdoc.KeySigner
	providers         *x5c.Anchors
	phone, verifier   *ecdsa.PrivateKey
	claims            map[string]any
	disclosable, show []sdjwt.Path
}

func namedKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func random(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

// authority is one with a certificate for a signer under it.
func authority(t *testing.T, name string, leaf func(*mdoc.IACA, *ecdsa.PublicKey, mdoc.CertificateSpec) ([]byte, error)) (*mdoc.IACA, *mdoc.KeySigner) {
	t.Helper()
	spec := func(name string) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: moment.AddDate(0, -1, 0), NotAfter: moment.AddDate(1, 0, 0)}
	}
	root, err := mdoc.NewIACA(namedKey(name), mdoc.IACASpec{CertificateSpec: spec(name), Country: "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/crl"})
	if err != nil {
		t.Fatal(err)
	}
	key := namedKey(name + " signer")
	certificate, err := leaf(root, &key.PublicKey, spec(name+" signer"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := mdoc.NewKeySigner(key, certificate)
	if err != nil {
		t.Fatal(err)
	}
	return root, signer
}

func newParties(t *testing.T) *parties {
	t.Helper()
	p := &parties{phone: namedKey("phone"), verifier: namedKey("verifier"),
		show: []sdjwt.Path{{"family_name"}, {"age_equal_or_over", "19"}, {"address"}, {"nationalities", nil}}}
	p.iaca, p.issuer = authority(t, "Rollcall IACA", mdoc.NewDocumentSigner)
	var root *mdoc.IACA
	root, p.provider = authority(t, "Wallet Provider", mdoc.NewStatusSigner)
	var err error
	if p.anchors, err = mdoc.NewTrustAnchors(p.iaca.Certificate()); err != nil {
		t.Fatal(err)
	}
	if p.providers, err = x5c.NewAnchors("wallet provider", root.Certificate()); err != nil {
		t.Fatal(err)
	}
	p.claims, p.disclosable, err = sdjwt.CardClaims(mdoc.Card{
		FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2, ResidentNumber: "900102-2345670",
		Address: "세종특별자치시 한누리대로 2130", Municipality: "36110", Portrait: []byte{0xff, 0xd8, 0xff, 0xd9},
		IssueDate: "2025-03-14", ExpiryDate: "2028-03-14", IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// private is a key as a JWK with its secret, for the other side to sign with.
func private(t *testing.T, k *ecdsa.PrivateKey) map[string]string {
	t.Helper()
	jwk, err := jws.KeyOf(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	d, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"kty": jwk.Kty, "crv": jwk.Crv, "x": jwk.X, "y": jwk.Y, "d": base64.RawURLEncoding.EncodeToString(d)}
}

// With ROLLCALL_SAMPLE=DIR, tokens.json is written there for readers/tokens.mjs.
func TestSampleForIndependentReaders(t *testing.T) {
	p := newParties(t)
	must := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	chain := [][]byte{p.provider.Certificate()}
	card := must(sdjwt.Issue(p.issuer, random("card"), sdjwt.Credential{
		Type: sdjwt.Type, Issuer: serviceURL, Issued: moment, NotBefore: moment, Expires: moment.AddDate(0, 6, 0),
		Holder: &p.phone.PublicKey, Status: &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: 4711},
		Claims: p.claims, Disclosure: p.disclosable, Decoys: 5,
	}))
	presentation := must(sdjwt.Present(card, p.show, sdjwt.Binding{Audience: audience, Nonce: nonce, IssuedAt: moment}, p.phone))
	shown, err := sdjwt.Verify([]byte(presentation), p.anchors, sdjwt.Expected{Types: []string{sdjwt.Type}, Audience: audience, Nonce: nonce, At: moment})
	if err != nil {
		t.Fatal(err)
	}
	encrypted := map[string]string{}
	for _, enc := range []jwe.Encryption{jwe.A128GCM, jwe.A256GCM} {
		encrypted[string(enc)] = must(jwe.Recipient{Key: &p.verifier.PublicKey, KeyID: "k1", Encryption: enc}.Encrypt(random("answer"), []byte("wallet"), []byte(nonce), []byte(answer)))
	}
	attestation := must(keyproof.Attestation{IssuedAt: moment, Expires: moment.Add(time.Hour), Keys: []*ecdsa.PublicKey{&p.phone.PublicKey},
		KeyStorage: []keyproof.Resistance{keyproof.High}, Nonce: nonce}.Sign(p.provider.Sign, chain))
	sample := map[string]any{
		"now": moment.Unix(), "type": sdjwt.Type, "metadata": json.RawMessage(sdjwt.Metadata()), "service": serviceURL, "client": clientID, "nonce": nonce, "audience": audience, "answer": answer,
		"iaca": p.iaca.Certificate(), "issuer": private(t, namedKey("Rollcall IACA signer")), "issuer_x5c": [][]byte{p.issuer.Certificate()},
		"provider": private(t, namedKey("Wallet Provider signer")), "provider_x5c": chain, "phone": private(t, p.phone), "verifier": private(t, p.verifier),
		"card": card, "presentation": presentation, "claims": p.claims, "shown": shown.Claims, "encrypted": encrypted,
		"dpop":               must(oauth.DPoP{Method: "POST", URL: serviceURL + "/token", ID: "j-1", IssuedAt: moment, AccessToken: "token", Nonce: nonce}.Proof(p.phone)),
		"client_attestation": must(oauth.ClientAttestation{ClientID: clientID, Key: &p.phone.PublicKey, IssuedAt: moment, Expires: moment.Add(time.Hour)}.Sign(p.provider.Sign, chain)),
		"pop":                must(oauth.PoP{Audience: serviceURL, ID: "j-1", IssuedAt: moment, Challenge: nonce}.Sign(p.phone)),
		"key_attestation":    attestation,
		"proof":              must(keyproof.Proof{ClientID: clientID, Audience: serviceURL, IssuedAt: moment, Nonce: nonce, Attestation: attestation}.Sign(p.phone)),
	}
	dir := os.Getenv("ROLLCALL_SAMPLE")
	if dir == "" {
		return
	}
	text, err := json.MarshalIndent(sample, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokens.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// With ROLLCALL_THEIRS=FILE, what readers/tokens.mjs wrote is read; else what it
// wrote once.
func TestWhatOthersWriteIsRead(t *testing.T) {
	name := os.Getenv("ROLLCALL_THEIRS")
	if name == "" {
		name = "testdata/theirs.json"
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var theirs struct {
		Card              string            `json:"card"`
		Presentation      string            `json:"presentation"`
		Encrypted         map[string]string `json:"encrypted"`
		DPoP              string            `json:"dpop"`
		ClientAttestation string            `json:"client_attestation"`
		PoP               string            `json:"pop"`
		KeyAttestation    string            `json:"key_attestation"`
		Proof             string            `json:"proof"`
	}
	if err := json.Unmarshal(text, &theirs); err != nil {
		t.Fatal(err)
	}
	p := newParties(t)
	card, err := sdjwt.VerifyCard(theirs.Card, p.anchors, []string{sdjwt.Type}, moment)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range p.disclosable {
		got, err := path.Select(card.Claims)
		want, _ := path.Select(p.claims)
		if err != nil || len(got) != 1 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v; not %v", path, got, err, want)
		}
	}
	shown, err := sdjwt.Verify([]byte(theirs.Presentation), p.anchors, sdjwt.Expected{Types: []string{sdjwt.Type}, Audience: audience, Nonce: nonce, At: moment})
	if err != nil {
		t.Fatal(err)
	}
	if got := shown.Claims["age_equal_or_over"]; shown.Claims["family_name"] != "김" || shown.Claims["given_name"] != nil || !reflect.DeepEqual(got, map[string]any{"19": true}) {
		t.Errorf("%v is shown", shown.Claims)
	}
	// Their card can be presented by our phone.
	again, err := sdjwt.Present(theirs.Card, p.show, sdjwt.Binding{Audience: audience, Nonce: nonce, IssuedAt: moment}, p.phone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sdjwt.Verify([]byte(again), p.anchors, sdjwt.Expected{Types: []string{sdjwt.Type}, Audience: audience, Nonce: nonce, At: moment}); err != nil {
		t.Error(err)
	}
	if len(theirs.Encrypted) != 2 {
		t.Errorf("%d messages", len(theirs.Encrypted))
	}
	for enc, message := range theirs.Encrypted {
		m, err := jwe.Decrypt(message, p.verifier)
		if err != nil || string(m.Plaintext) != answer || string(m.Encryption) != enc || m.KeyID != "k1" || string(m.PartyU) != "wallet" || string(m.PartyV) != nonce {
			t.Errorf("%s: %+v, %v", enc, m, err)
		}
	}
	good := func(n string) bool { return n == nonce }
	if _, err := oauth.CheckDPoP(theirs.DPoP, oauth.ExpectedDPoP{Method: "POST", URL: serviceURL + "/token", AccessToken: "token", At: moment, Nonce: good}); err != nil {
		t.Error(err)
	}
	if _, err := oauth.CheckClient(theirs.ClientAttestation, theirs.PoP, oauth.ExpectedClient{Providers: p.providers, ClientID: clientID, Audience: serviceURL, At: moment, Challenge: good}); err != nil {
		t.Error(err)
	}
	want := keyproof.Expected{Audience: serviceURL, ClientID: clientID, At: moment, Nonce: good,
		Policy: keyproof.Policy{Attesters: p.providers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}}}
	for name, proofs := range map[string]keyproof.Proofs{"jwt": {JWT: []string{theirs.Proof}}, "attestation": {Attestation: []string{theirs.KeyAttestation}}} {
		if got, err := proofs.Check(want); err != nil || len(got.Keys) != 1 || !got.Keys[0].Equal(&p.phone.PublicKey) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
