package keyproof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	other "github.com/lestrrat-go/jwx/v3/jws"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/x5c"
)

var now = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

const issuer = "https://id.example"

func testKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func deviceKey(i int) *ecdsa.PrivateKey { return testKey(fmt.Sprint("device ", i)) }

// world is a maker of phones, and an issuer that trusts him.
type world struct {
	sign  jws.Sign
	chain [][]byte
	want  Expected
}

func newWorld(t testing.TB) *world {
	t.Helper()
	spec := func(name string) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0)}
	}
	root, err := mdoc.NewIACA(testKey("root"), mdoc.IACASpec{CertificateSpec: spec("Maker"), Country: "KR", Contact: "https://maker.example/", CRL: "https://maker.example/crl"})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := mdoc.NewStatusSigner(root, &testKey("maker").PublicKey, spec("Maker's attestations"))
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := x5c.NewAnchors("phone maker", root.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return &world{jws.With(testKey("maker")), [][]byte{leaf}, Expected{
		Audience: issuer, ClientID: "https://wallet.example", At: now, Nonce: func(n string) bool { return n == "n-1" },
		Policy: Policy{Attesters: anchors, Required: true, KeyStorage: []Resistance{High}, UserAuthentication: []Resistance{High, Moderate}},
	}}
}

func attestation() Attestation {
	return Attestation{Issuer: "https://maker.example", Wallet: "wallet-1", IssuedAt: now, Expires: now.Add(5 * time.Minute),
		Keys: []*ecdsa.PublicKey{&deviceKey(0).PublicKey, &deviceKey(1).PublicKey}, KeyStorage: []Resistance{High}, UserAuthentication: []Resistance{Moderate},
		Certification: "https://maker.example/certificate", Nonce: "n-1", Status: &mdoc.StatusRef{URI: "https://maker.example/status", Index: 7}}
}

func (w *world) attest(t testing.TB, change func(*Attestation)) string {
	t.Helper()
	a := attestation()
	if change != nil {
		change(&a)
	}
	text, err := a.Sign(w.sign, w.chain)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func prove(t testing.TB, key *ecdsa.PrivateKey, change func(*Proof)) string {
	t.Helper()
	p := Proof{ClientID: "https://wallet.example", Audience: issuer, IssuedAt: now, Nonce: "n-1"}
	if change != nil {
		change(&p)
	}
	text, err := p.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func refused(t *testing.T, name string, err error, code, because string) {
	t.Helper()
	var r *oauth.Refusal
	if !errors.As(err, &r) || r.Code != code || !strings.Contains(r.Reason, because) {
		t.Errorf("%s: %v; wanted %s for %q", name, err, code, because)
	}
}

func TestAnAttestationProvesAllItsKeys(t *testing.T) {
	w := newWorld(t)
	got, err := Proofs{Attestation: []string{w.attest(t, nil)}}.Check(w.want)
	if err != nil {
		t.Fatal(err)
	}
	want := attestation()
	if !reflect.DeepEqual(*got.Attestation, want) || !slices.Equal(got.Nonces, []string{"n-1"}) || !reflect.DeepEqual(got.Keys, want.Keys) {
		t.Errorf("%+v, %+v", got, got.Attestation)
	}
}

func TestOneProofWithAnAttestationProvesAllAttestedKeys(t *testing.T) {
	w := newWorld(t)
	for i := range 2 {
		got, err := Proofs{JWT: []string{prove(t, deviceKey(i), func(p *Proof) { p.Attestation = w.attest(t, nil) })}}.Check(w.want)
		if err != nil || len(got.Keys) != 2 || got.Attestation.Wallet != "wallet-1" || len(got.Nonces) != 1 {
			t.Errorf("signed with key %d: %+v, %v", i, got, err)
		}
		named, err := jws.With(deviceKey(i)).Token(jws.Header{Type: proofType, KeyID: fmt.Sprint(i), KeyAttestation: w.attest(t, nil)}, proofClaims{"", issuer, now.Unix(), "n-1"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (Proofs{JWT: []string{named}}).Check(w.want); err != nil || len(got.Keys) != 2 {
			t.Errorf("key %d, named by its place: %+v, %v", i, got, err)
		}
	}
}

func TestWithoutAttestationsEachProofProvesItsKey(t *testing.T) {
	w := newWorld(t)
	w.want.Policy = Policy{}
	got, err := Proofs{JWT: []string{prove(t, deviceKey(0), nil), prove(t, deviceKey(1), func(p *Proof) { p.ClientID = "" })}}.Check(w.want)
	if err != nil || len(got.Keys) != 2 || !got.Keys[1].Equal(&deviceKey(1).PublicKey) || got.Attestation != nil || len(got.Nonces) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	// Who does not read attestations passes over them.
	if got, err := (Proofs{JWT: []string{prove(t, deviceKey(0), func(p *Proof) { p.Attestation = "x" })}}).Check(w.want); err != nil || got.Attestation != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// Appendix F.1 has a proof that anybody can check.
func TestTheExampleOfOpenID4VCIIsAccepted(t *testing.T) {
	const proof = "eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCIsImFsZyI6IkVTMjU2Iiwiand" + "rIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoiblVXQW9BdjNYWml0aDh" +
		"FN2kxOU9kYXhPTFlGT3dNLVoyRXVNMDJUaXJUNCIsInkiOiJIc2tIVThCalVpMVU" + "5WHFpN1N3bWo4Z3dBS18weGtjRGpFV183MVNvc0VZIn19.eyJhdWQiOiJodHRwcz" +
		"ovL2NyZWRlbnRpYWwtaXNzdWVyLmV4YW1wbGUuY29tIiwiaWF0IjoxNzAxOTYwND" + "Q0LCJub25jZSI6IkxhclJHU2JtVVBZdFJZTzZCUTR5bjgifQ.-a3EDsxClUB4O3L" +
		"eDD5DVGEnNMT01FCQW4P6-2-BNBqc_Zxf0Qw4CWayLEpqkAomlkLb9zioZoipdP-" + "jvh1WlA"
	got, err := Proofs{JWT: []string{proof}}.Check(Expected{Audience: "https://credential-issuer.example.com", At: time.Unix(1701960444, 0),
		Nonce: func(n string) bool { return n == "LarRGSbmUPYtRYO6BQ4yn8" }})
	if err != nil || len(got.Keys) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAttestationsAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, code, because string
		change              func(*Attestation)
		want                func(*Expected)
	}{
		{"for another nonce", InvalidNonce, "too old", func(a *Attestation) { a.Nonce = "n-0" }, nil},
		{"for no nonce", InvalidProof, "no nonce", func(a *Attestation) { a.Nonce = "" }, nil},
		{"expired", InvalidProof, "expired", func(a *Attestation) { a.IssuedAt, a.Expires = now.Add(-time.Hour), now }, nil},
		{"from the future", InvalidProof, "future", func(a *Attestation) { a.IssuedAt = now.Add(61 * time.Second) }, nil},
		{"old, and no nonce asked for", InvalidProof, "too long ago", func(a *Attestation) { a.IssuedAt = now.Add(-time.Hour) }, func(e *Expected) { e.Nonce = nil }},
		{"a key twice", InvalidProof, "twice", func(a *Attestation) { a.Keys[1] = a.Keys[0] }, nil},
		{"a weak key storage", InvalidProof, "key_storage", func(a *Attestation) { a.KeyStorage = []Resistance{Basic, Moderate} }, nil},
		{"nothing said of the key storage", InvalidProof, "key_storage", func(a *Attestation) { a.KeyStorage = nil }, nil},
		{"a weak authentication", InvalidProof, "user_authentication", func(a *Attestation) { a.UserAuthentication = []Resistance{EnhancedBasic} }, nil},
		{"a status of no list", InvalidProof, "status", func(a *Attestation) { a.Status = &mdoc.StatusRef{} }, nil},
		{"a long wallet", InvalidProof, "too long", func(a *Attestation) { a.Wallet = strings.Repeat("w", maxText+1) }, nil},
		{"a maker out of his time", InvalidProof, "not trusted", nil, func(e *Expected) { e.At = now.AddDate(2, 0, 0) }},
		{"an issuer that reads none", InvalidProof, "not accepted", nil, func(e *Expected) { e.Attesters = nil }},
	} {
		want := w.want
		if c.want != nil {
			c.want(&want)
		}
		text := w.attest(t, c.change)
		_, err := Proofs{Attestation: []string{text}}.Check(want)
		refused(t, c.name, err, c.code, c.because)
	}
	jwk, err := jws.KeyOf(&deviceKey(0).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private := map[string]any{"kty": "EC", "crv": "P-256", "x": jwk.X, "y": jwk.Y, "d": "AA"}
	for _, c := range []struct {
		name, because string
		sign          jws.Sign
		header        jws.Header
		change        func(map[string]any)
	}{
		{"another type", "typ", w.sign, jws.Header{Type: "keyattestation+jwt", Chain: w.chain}, nil},
		{"no chain", "x5c", w.sign, jws.Header{Type: attestationType}, nil},
		{"a named key", "x5c", w.sign, jws.Header{Type: attestationType, KeyID: "1"}, nil},
		{"a key of its own", "x5c", w.sign, jws.Header{Type: attestationType, Key: &jwk}, nil},
		{"signed by another", "signature", jws.With(testKey("thief")), jws.Header{Type: attestationType, Chain: w.chain}, nil},
		{"no keys", "0 keys", w.sign, jws.Header{}, func(c map[string]any) { delete(c, "attested_keys") }},
		{"too many keys", "65 keys", w.sign, jws.Header{}, func(c map[string]any) { c["attested_keys"] = make([]struct{}, maxKeys+1) }},
		{"a private key", "private", w.sign, jws.Header{}, func(c map[string]any) { c["attested_keys"] = []any{private} }},
		{"a key on another curve", "P-256", w.sign, jws.Header{}, func(c map[string]any) { c["attested_keys"] = []any{map[string]any{"kty": "EC", "crv": "P-384"}} }},
		{"no time", "iat", w.sign, jws.Header{}, func(c map[string]any) { delete(c, "iat") }},
		{"an end beyond all times", "exp", w.sign, jws.Header{}, func(c map[string]any) { c["exp"] = int64(1) << 60 }},
		{"another status mechanism", "status", w.sign, jws.Header{}, func(c map[string]any) { c["status"] = map[string]any{"ocsp": 1} }},
		{"a storage that is no list", "claims", w.sign, jws.Header{}, func(c map[string]any) { c["key_storage"] = "iso_18045_high" }},
		{"larger than any", "at most", w.sign, jws.Header{}, func(c map[string]any) { c["x"] = strings.Repeat("x", maxToken) }},
	} {
		claims := map[string]any{"iat": now.Unix(), "exp": now.Unix() + 60, "nonce": "n-1", "attested_keys": []any{jwk}, "key_storage": []Resistance{High}, "user_authentication": []Resistance{High}}
		if c.change != nil {
			c.change(claims)
		}
		if c.header.Type == "" {
			c.header = jws.Header{Type: attestationType, Chain: w.chain}
		}
		text, err := c.sign.Token(c.header, claims)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Proofs{Attestation: []string{text}}.Check(w.want)
		refused(t, c.name, err, InvalidProof, c.because)
	}
	if _, err := (Proofs{Attestation: []string{"x"}}).Check(w.want); err == nil {
		t.Error("no token is accepted")
	}
}

func TestProofsAreRefused(t *testing.T) {
	w := newWorld(t)
	attested := func(p *Proof) { p.Attestation = w.attest(t, nil) }
	one := prove(t, deviceKey(0), attested)
	plain := func(e *Expected) { e.Policy = Policy{} }
	jwk, err := jws.KeyOf(&deviceKey(0).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := jws.KeyOf(&deviceKey(5).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private, secret := jwk, json.RawMessage(`"AA"`)
	private.D = &secret
	good := proofClaims{"", issuer, now.Unix(), "n-1"}
	token := func(h jws.Header, claims any) Proofs {
		text, err := jws.With(deviceKey(0)).Token(h, claims)
		if err != nil {
			t.Fatal(err)
		}
		return Proofs{JWT: []string{text}}
	}
	jwt := func(change func(*Proof)) Proofs { return Proofs{JWT: []string{prove(t, deviceKey(0), change)}} }
	for _, c := range []struct {
		name, code, because string
		proofs              Proofs
		want                func(*Expected)
	}{
		{"none", InvalidProof, "no proof", Proofs{}, nil},
		{"of two types", InvalidProof, "two", Proofs{JWT: []string{one}, Attestation: []string{w.attest(t, nil)}}, nil},
		{"two attestations", InvalidProof, "exactly one", Proofs{Attestation: []string{w.attest(t, nil), w.attest(t, nil)}}, nil},
		{"too many", InvalidProof, "at most", Proofs{JWT: make([]string, maxKeys+1)}, nil},
		{"without an attestation, which is demanded", InvalidProof, "demanded", jwt(nil), nil},
		{"two with attestations", InvalidProof, "only proof", Proofs{JWT: []string{one, one}}, nil},
		{"a key that is not attested", InvalidProof, "not among", Proofs{JWT: []string{prove(t, deviceKey(5), attested)}}, nil},
		{"an attestation that does not end", InvalidProof, "exp", jwt(func(p *Proof) { p.Attestation = w.attest(t, func(a *Attestation) { a.Expires = time.Time{} }) }), nil},
		{"an attestation for another nonce", InvalidNonce, "key attestation", jwt(func(p *Proof) { p.Attestation = w.attest(t, func(a *Attestation) { a.Nonce = "n-0" }) }), nil},
		{"an attestation that is none", InvalidProof, "key attestation", jwt(func(p *Proof) { p.Attestation = "x" }), nil},
		{"for another issuer", InvalidProof, "is for", jwt(func(p *Proof) { p.Audience += "/" }), plain},
		{"of another client", InvalidProof, "iss", jwt(func(p *Proof) { p.ClientID = "x" }), plain},
		{"of a client, when none is known", InvalidProof, "iss", jwt(nil), func(e *Expected) { plain(e); e.ClientID = "" }},
		{"from the future", InvalidProof, "ahead", jwt(func(p *Proof) { p.IssuedAt = now.Add(61 * time.Second) }), plain},
		{"made long ago", InvalidProof, "too long ago", jwt(func(p *Proof) { p.IssuedAt = now.Add(-361 * time.Second) }), plain},
		{"without a nonce", InvalidProof, "no nonce", jwt(func(p *Proof) { p.Nonce = "" }), plain},
		{"with another nonce", InvalidNonce, "too old", jwt(func(p *Proof) { p.Nonce = "n-0" }), plain},
		{"with a long nonce", InvalidProof, "too long", jwt(func(p *Proof) { p.Nonce = strings.Repeat("n", maxToken/2+1) }), plain},
		{"a key twice", InvalidProof, "twice", Proofs{JWT: []string{prove(t, deviceKey(0), nil), prove(t, deviceKey(0), nil)}}, plain},
		{"larger than any", InvalidProof, "at most", Proofs{JWT: []string{strings.Repeat("x", maxToken+1)}}, plain},
		{"no token", InvalidProof, "three parts", Proofs{JWT: []string{"x"}}, plain},
		{"another type of token", InvalidProof, "typ", token(jws.Header{Type: "jwt", Key: &jwk}, good), plain},
		{"no key", InvalidProof, "not named", token(jws.Header{Type: proofType}, good), plain},
		{"a name for a key", InvalidProof, "not named", token(jws.Header{Type: proofType, KeyID: "0"}, good), plain},
		{"a place beyond the attested keys", InvalidProof, "no place", token(jws.Header{Type: proofType, KeyID: "2", KeyAttestation: w.attest(t, nil)}, good), nil},
		{"a place with a zero in front", InvalidProof, "no place", token(jws.Header{Type: proofType, KeyID: "00", KeyAttestation: w.attest(t, nil)}, good), nil},
		{"a place below zero", InvalidProof, "no place", token(jws.Header{Type: proofType, KeyID: "-1", KeyAttestation: w.attest(t, nil)}, good), nil},
		{"another attested key than the one that signed", InvalidProof, "signature", token(jws.Header{Type: proofType, KeyID: "1", KeyAttestation: w.attest(t, nil)}, good), nil},
		{"somebody else's key", InvalidProof, "signature", token(jws.Header{Type: proofType, Key: &stranger}, good), plain},
		{"a private key", InvalidProof, "private", token(jws.Header{Type: proofType, Key: &private}, good), plain},
		{"no time", InvalidProof, "iat", token(jws.Header{Type: proofType, Key: &jwk}, map[string]any{"aud": issuer, "nonce": "n-1"}), plain},
		{"many audiences", InvalidProof, "claims", token(jws.Header{Type: proofType, Key: &jwk}, map[string]any{"aud": []string{issuer}, "iat": now.Unix(), "nonce": "n-1"}), plain},
	} {
		want := w.want
		if c.want != nil {
			c.want(&want)
		}
		_, err := c.proofs.Check(want)
		refused(t, c.name, err, c.code, c.because)
	}
}

func TestAnotherImplementationReadsWhatIsSigned(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		text string
		key  *ecdsa.PrivateKey
	}{"attestation": {w.attest(t, nil), testKey("maker")}, "proof": {prove(t, deviceKey(0), nil), deviceKey(0)}} {
		if _, err := other.Verify([]byte(c.text), other.WithKey(jwa.ES256(), &c.key.PublicKey)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatNobodyWouldAcceptIsNotMade(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Attestation){
		"no keys": func(a *Attestation) { a.Keys = nil }, "no time": func(a *Attestation) { a.IssuedAt = time.Time{} },
		"an end before": func(a *Attestation) { a.Expires = a.IssuedAt }, "too many keys": func(a *Attestation) { a.Keys = make([]*ecdsa.PublicKey, maxKeys+1) },
		"a key that is none": func(a *Attestation) { a.Keys[0] = nil },
	} {
		a := attestation()
		change(&a)
		if _, err := a.Sign(w.sign, w.chain); err == nil {
			t.Errorf("%s: it is signed", name)
		}
	}
	for name, p := range map[string]Proof{"no audience": {IssuedAt: now}, "no time": {Audience: issuer}} {
		if _, err := p.Sign(deviceKey(0)); err == nil {
			t.Errorf("%s: it is signed", name)
		}
	}
}

// Whatever comes in, nothing panics, every refusal has a code, and only attested
// keys are proven.
func FuzzCheck(f *testing.F) {
	w := newWorld(f)
	attested := w.attest(f, nil)
	f.Add([]byte(attested), true)
	f.Add([]byte(prove(f, deviceKey(0), func(p *Proof) { p.Attestation = attested })), false)
	f.Fuzz(func(t *testing.T, text []byte, attestation bool) {
		p := Proofs{JWT: []string{string(text)}}
		if attestation {
			p = Proofs{Attestation: []string{string(text)}}
		}
		got, err := p.Check(w.want)
		var r *oauth.Refusal
		if err != nil && !errors.As(err, &r) {
			t.Errorf("an error without a code: %v", err)
		}
		if err == nil && (len(got.Keys) != 2 || !got.Keys[0].Equal(&deviceKey(0).PublicKey)) {
			t.Errorf("%+v", got)
		}
		if err == nil && attestation && !bytes.Equal(text, []byte(attested)) {
			t.Errorf("%q is accepted", text)
		}
	})
}

// BenchmarkFloorP256x2 is the least that a proof with an attestation can cost.
func BenchmarkFloorP256x2(b *testing.B) {
	key, digest := testKey("wallet"), sha256.Sum256([]byte("x"))
	signature, err := ecdsa.SignASN1(nil, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for range 2 {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
				b.Fatal("floor")
			}
		}
	}
}

func BenchmarkCheckProofWithAttestation(b *testing.B) {
	w := newWorld(b)
	p := Proofs{JWT: []string{prove(b, deviceKey(0), func(p *Proof) { p.Attestation = w.attest(b, nil) })}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Check(w.want); err != nil {
			b.Fatal(err)
		}
	}
}
