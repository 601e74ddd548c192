package oauth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	other "github.com/lestrrat-go/jwx/v3/jwt"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/x5c"
)

var now = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

func testKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func is(nonces ...string) func(string) bool {
	return func(n string) bool {
		for _, good := range nonces {
			if n == good {
				return true
			}
		}
		return false
	}
}

// refused says whether an error has the code, and gives the reason.
func refused(t *testing.T, name string, err error, code, because string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Code != code || !strings.Contains(r.Reason, because) {
		t.Errorf("%s: %v; wanted %s for %q", name, err, code, because)
	}
}

// RFC 7636 appendix B.
func TestTheExampleOfRFC7636(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if Challenge(verifier) != challenge {
		t.Errorf("the challenge is %s", Challenge(verifier))
	}
	if err := errors.Join(CheckChallenge(challenge, "S256"), CheckVerifier(verifier, challenge)); err != nil {
		t.Error(err)
	}
}

func TestACodeIsOfUseOnlyToWhoAskedForIt(t *testing.T) {
	verifier := strings.Repeat("v", 43)
	for name, v := range map[string]string{
		"another": strings.Repeat("w", 43), "none": "", "too short": verifier[1:], "too long": strings.Repeat("v", 129), "a space": verifier[1:] + " ", "the challenge": Challenge(verifier),
	} {
		challenge := Challenge(verifier)
		if name != "another" && name != "the challenge" {
			challenge = Challenge(v)
		}
		refused(t, name, CheckVerifier(v, challenge), InvalidGrant, "code_verifier")
	}
	for name, c := range map[string][2]string{
		"plain": {verifier, "plain"}, "plain, as long as S256": {Challenge(verifier), "plain"}, "no method": {Challenge(verifier), ""}, "no challenge": {"", "S256"}, "a verifier": {strings.Repeat("v", 60), "S256"}, "padding": {Challenge(verifier) + "=", "S256"},
	} {
		refused(t, name, CheckChallenge(c[0], c[1]), InvalidRequest, "code_challenge")
	}
}

// RFC 9449 sections 4.1 and 7.1.
const (
	dpopOfToken = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	dpopOfUse   = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)

func TestTheExamplesOfRFC9449AreAccepted(t *testing.T) {
	at := time.Unix(1562262618, 0)
	p, err := CheckDPoP(dpopOfToken, ExpectedDPoP{Method: "POST", URL: "https://server.example.com/token", At: at})
	if err != nil || p.Thumbprint != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" || p.ID != "-BwC3ESc6acc2lTc" {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = CheckDPoP(dpopOfUse, ExpectedDPoP{Method: "GET", URL: "https://resource.example.org/protectedresource", At: at,
		AccessToken: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
	if err != nil || p.ID != "e1j3V_bKic8-LAEB" {
		t.Errorf("%+v, %v", p, err)
	}
}

func proof() DPoP {
	return DPoP{Method: "POST", URL: "https://id.example/token", ID: "j-1", IssuedAt: now, AccessToken: "token", Nonce: "n-1"}
}

func expectedDPoP() ExpectedDPoP {
	return ExpectedDPoP{Method: "POST", URL: "https://id.example/token", AccessToken: "token", At: now, Nonce: is("n-1")}
}

func TestAProofIsForOneRequestOfOneKey(t *testing.T) {
	key := testKey("wallet")
	for _, c := range []struct {
		name   string
		change func(*DPoP, *ExpectedDPoP)
	}{
		{"as asked for", func(d *DPoP, e *ExpectedDPoP) {}},
		{"no nonce asked for", func(d *DPoP, e *ExpectedDPoP) { e.Nonce = nil }},
		{"neither token nor nonce", func(d *DPoP, e *ExpectedDPoP) { d.AccessToken, e.AccessToken, d.Nonce, e.Nonce = "", "", "", nil }},
		{"a query", func(d *DPoP, e *ExpectedDPoP) { e.URL += "?a=b#c" }},
		{"another spelling", func(d *DPoP, e *ExpectedDPoP) { d.URL = "HTTPS://ID.example:443/%74oken" }},
		{"the root", func(d *DPoP, e *ExpectedDPoP) { d.URL, e.URL = "https://id.example", "https://id.example/" }},
		{"a clock ahead", func(d *DPoP, e *ExpectedDPoP) { d.IssuedAt = now.Add(time.Minute) }},
		{"a clock behind", func(d *DPoP, e *ExpectedDPoP) { d.IssuedAt = now.Add(-6 * time.Minute) }},
		{"the bound key", func(d *DPoP, e *ExpectedDPoP) {
			k, _ := jws.KeyOf(&key.PublicKey)
			e.Thumbprint = k.ThumbprintText()
		}},
	} {
		d, e := proof(), expectedDPoP()
		c.change(&d, &e)
		text, err := d.Proof(key)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := CheckDPoP(text, e); err != nil || !p.Key.Equal(&key.PublicKey) || p.ID != "j-1" || !p.IssuedAt.Equal(d.IssuedAt) {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	for _, c := range []struct {
		name, code, because string
		change              func(*DPoP, *ExpectedDPoP)
	}{
		{"another method", InvalidDPoPProof, "method", func(d *DPoP, e *ExpectedDPoP) { e.Method = "GET" }},
		{"another path", InvalidDPoPProof, "request is for", func(d *DPoP, e *ExpectedDPoP) { e.URL += "s" }},
		{"another host", InvalidDPoPProof, "request is for", func(d *DPoP, e *ExpectedDPoP) { e.URL = "https://id.example.org/token" }},
		{"another scheme", InvalidDPoPProof, "request is for", func(d *DPoP, e *ExpectedDPoP) { e.URL = "http://id.example/token" }},
		{"another port", InvalidDPoPProof, "request is for", func(d *DPoP, e *ExpectedDPoP) { e.URL = "https://id.example:8443/token" }},
		{"an escaped slash", InvalidDPoPProof, "request is for", func(d *DPoP, e *ExpectedDPoP) { d.URL, e.URL = "https://id.example/a%2Fb", "https://id.example/a/b" }},
		{"made in the future", InvalidDPoPProof, "ahead", func(d *DPoP, e *ExpectedDPoP) { d.IssuedAt = now.Add(61 * time.Second) }},
		{"made long ago", InvalidDPoPProof, "too long ago", func(d *DPoP, e *ExpectedDPoP) { d.IssuedAt = now.Add(-361 * time.Second) }},
		{"another access token", InvalidDPoPProof, "ath", func(d *DPoP, e *ExpectedDPoP) { e.AccessToken = "other" }},
		{"no hash of the token", InvalidDPoPProof, "ath", func(d *DPoP, e *ExpectedDPoP) { d.AccessToken = "" }},
		{"a hash of no token", InvalidDPoPProof, "ath", func(d *DPoP, e *ExpectedDPoP) { e.AccessToken = "" }},
		{"another key", InvalidDPoPProof, "bound", func(d *DPoP, e *ExpectedDPoP) { e.Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }},
		{"no nonce", UseDPoPNonce, "no nonce", func(d *DPoP, e *ExpectedDPoP) { d.Nonce = "" }},
		{"another nonce", UseDPoPNonce, "too old", func(d *DPoP, e *ExpectedDPoP) { d.Nonce = "n-0" }},
		{"a long identifier", InvalidDPoPProof, "jti", func(d *DPoP, e *ExpectedDPoP) { d.ID = strings.Repeat("j", maxText+1) }},
		{"larger than any", InvalidDPoPProof, "at most", func(d *DPoP, e *ExpectedDPoP) { d.Nonce = strings.Repeat("n", maxToken) }},
	} {
		d, e := proof(), expectedDPoP()
		c.change(&d, &e)
		text, err := d.Proof(key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = CheckDPoP(text, e)
		refused(t, c.name, err, c.code, c.because)
	}
}

// Each of these is signed by its own key, as it should be.
func TestProofsOfAnotherFormAreRefused(t *testing.T) {
	key := testKey("wallet")
	jwk, err := jws.KeyOf(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := jws.KeyOf(&testKey("stranger").PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private := jwk
	secret := json.RawMessage(`"AA"`)
	private.D = &secret
	good := map[string]any{"jti": "j-1", "htm": "POST", "htu": "https://id.example/token", "iat": now.Unix(), "ath": Challenge("token"), "nonce": "n-1"}
	for _, c := range []struct {
		name, because string
		header        jws.Header
		change        func(map[string]any)
	}{
		{"another type", "typ", jws.Header{Type: "jwt", Key: &jwk}, nil},
		{"no key", "jwk", jws.Header{Type: dpopType}, nil},
		{"a named key", "jwk", jws.Header{Type: dpopType, KeyID: "1"}, nil},
		{"somebody else's key", "signature", jws.Header{Type: dpopType, Key: &stranger}, nil},
		{"a private key", "private", jws.Header{Type: dpopType, Key: &private}, nil},
		{"no identifier", "jti", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { delete(c, "jti") }},
		{"no method", "method", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { delete(c, "htm") }},
		{"no URL", "request is for", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { delete(c, "htu") }},
		{"a URL that is none", "request is for", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { c["htu"] = "%zz" }},
		{"a URL with a password", "request is for", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { c["htu"] = "https://a:b@id.example/token" }},
		{"no time", "iat", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { delete(c, "iat") }},
		{"a time as text", "claims", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { c["iat"] = "1" }},
		{"a claim in capitals", "another case", jws.Header{Type: dpopType, Key: &jwk}, func(c map[string]any) { c["NONCE"] = "n-2" }},
	} {
		claims := map[string]any{}
		for k, v := range good {
			claims[k] = v
		}
		if c.change != nil {
			c.change(claims)
		}
		text, err := jws.With(key).Token(c.header, claims)
		if err != nil {
			t.Fatal(err)
		}
		_, err = CheckDPoP(text, expectedDPoP())
		refused(t, c.name, err, InvalidDPoPProof, c.because)
	}
	whole, err := proof().Proof(key)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(whole, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"dpop+jwt"}`)) + "." + parts[1] + "."
	for name, text := range map[string]string{"nothing": "", "no signature": parts[0] + "." + parts[1] + ".", "alg none": none, "two proofs": whole + "," + whole} {
		_, err := CheckDPoP(text, expectedDPoP())
		refused(t, name, err, InvalidDPoPProof, "")
	}
}

func TestProofsThatNobodyWouldAcceptAreNotMade(t *testing.T) {
	for name, change := range map[string]func(*DPoP){
		"no method": func(d *DPoP) { d.Method = "" }, "no identifier": func(d *DPoP) { d.ID = "" }, "no time": func(d *DPoP) { d.IssuedAt = time.Time{} },
		"no URL": func(d *DPoP) { d.URL = "id.example" }, "a query": func(d *DPoP) { d.URL += "?a=b" },
	} {
		d := proof()
		change(&d)
		if text, err := d.Proof(testKey("wallet")); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// provider is a wallet provider with its certificate, and what a server knows of
// it.
type provider struct {
	sign  jws.Sign
	chain [][]byte
	want  ExpectedClient
}

func newProvider(t testing.TB) provider {
	t.Helper()
	serial := sha256.Sum256([]byte("provider"))
	spec := mdoc.CertificateSpec{Serial: serial[:16], CommonName: "Wallet Provider", NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0)}
	root, err := mdoc.NewIACA(testKey("root"), mdoc.IACASpec{CertificateSpec: spec, Country: "KR", Contact: "https://provider.example/", CRL: "https://provider.example/crl"})
	if err != nil {
		t.Fatal(err)
	}
	spec.CommonName = "Wallet Provider 1"
	leaf, err := mdoc.NewStatusSigner(root, &testKey("provider").PublicKey, spec)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := x5c.NewAnchors("wallet provider", root.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return provider{jws.With(testKey("provider")), [][]byte{leaf},
		ExpectedClient{Providers: anchors, ClientID: "https://wallet.example", Audience: "https://id.example", At: now, Challenge: is("c-1")}}
}

func attestation() ClientAttestation {
	return ClientAttestation{Provider: "https://provider.example", ClientID: "https://wallet.example", Key: &testKey("instance").PublicKey,
		IssuedAt: now.Add(-time.Hour), Expires: now.Add(time.Hour), WalletName: "지갑", WalletLink: "https://wallet.example/about"}
}

func pop() PoP {
	return PoP{Audience: "https://id.example", ID: "j-1", IssuedAt: now, Challenge: "c-1"}
}

func TestAWalletIsOneThatItsProviderVouchesFor(t *testing.T) {
	p := newProvider(t)
	for _, c := range []struct {
		name, code, because string // no code: it is accepted
		change              func(*ClientAttestation, *PoP, *ExpectedClient)
	}{
		{"as expected", "", "", func(a *ClientAttestation, p *PoP, e *ExpectedClient) {}},
		{"a request that names no client", "", "", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { e.ClientID = "" }},
		{"no challenge asked for", "", "", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { e.Challenge, p.Challenge = nil, "" }},
		{"just young enough", "", "", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { e.MaxAge = time.Hour }},
		{"another client", InvalidClientAttestation, "for the client", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { a.ClientID = "https://other.example" }},
		{"a long client", InvalidClientAttestation, "sub", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { a.ClientID = strings.Repeat("c", maxText+1) }},
		{"expired", UseFreshAttestation, "expired", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { a.Expires = now }},
		{"too old for this server", UseFreshAttestation, "older", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { e.MaxAge = 50 * time.Minute }},
		{"made in the future", InvalidClientAttestation, "not valid yet", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { a.IssuedAt = now.Add(2 * time.Minute) }},
		{"another key", InvalidClientAttestation, "attested key", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { a.Key = &testKey("another").PublicKey }},
		{"another server", InvalidClientAttestation, "it is for", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { p.Audience += "/" }},
		{"a long identifier", InvalidClientAttestation, "jti", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { p.ID = strings.Repeat("j", maxText+1) }},
		{"a proof from the future", InvalidClientAttestation, "ahead", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { p.IssuedAt = now.Add(61 * time.Second) }},
		{"a proof made long ago", InvalidClientAttestation, "too long ago", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { p.IssuedAt = now.Add(-361 * time.Second) }},
		{"no challenge", UseAttestationChallenge, "no challenge", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { p.Challenge = "" }},
		{"another challenge", UseAttestationChallenge, "too old", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { p.Challenge = "c-0" }},
		{"a provider out of its time", InvalidClientAttestation, "not trusted", func(a *ClientAttestation, p *PoP, e *ExpectedClient) { e.At = now.AddDate(2, 0, 0) }},
	} {
		a, proof, e := attestation(), pop(), p.want
		c.change(&a, &proof, &e)
		first, err := a.Sign(p.sign, p.chain)
		if err != nil {
			t.Fatal(err)
		}
		second, err := proof.Sign(testKey("instance"))
		if err != nil {
			t.Fatal(err)
		}
		client, err := CheckClient(first, second, e)
		if c.code != "" {
			refused(t, c.name, err, c.code, c.because)
		} else if err != nil || client.ClientID != a.ClientID || !client.Key.Equal(a.Key) || client.PoPID != "j-1" || client.WalletName != "지갑" || client.Provider != a.Provider || !client.Expires.Equal(a.Expires) {
			t.Errorf("%s: %+v, %v", c.name, client, err)
		}
	}
}

func TestAttestationsOfAnotherFormAreRefused(t *testing.T) {
	p := newProvider(t)
	jwk, err := jws.KeyOf(attestation().Key)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := attestation().Sign(p.sign, p.chain)
	if err != nil {
		t.Fatal(err)
	}
	wholePoP, err := pop().Sign(testKey("instance"))
	if err != nil {
		t.Fatal(err)
	}
	token := func(sign jws.Sign, h jws.Header, claims map[string]any) string {
		text, err := sign.Token(h, claims)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{"sub": "https://wallet.example", "iat": now.Unix(), "exp": now.Unix() + 60, "cnf": map[string]any{"jwk": jwk}}
		if change != nil {
			change(c)
		}
		return c
	}
	h := jws.Header{Type: attestationType, Chain: p.chain}
	for name, c := range map[string]struct{ text, because string }{
		"nothing":                  {"", "three parts"},
		"larger than any":          {strings.Repeat("x", maxToken+1), "at most"},
		"a proof":                  {wholePoP, "typ"},
		"no chain":                 {token(p.sign, jws.Header{Type: attestationType}, claims(nil)), "x5c"},
		"a key instead of a chain": {token(p.sign, jws.Header{Type: attestationType, Key: &jwk}, claims(nil)), "x5c"},
		"signed by another":        {token(jws.With(testKey("thief")), h, claims(nil)), "signature"},
		"no client":                {token(p.sign, h, claims(func(c map[string]any) { delete(c, "sub") })), "sub"},
		"a time before all times":  {token(p.sign, h, claims(func(c map[string]any) { c["iat"] = -1 })), "iat"},
		"no end":                   {token(p.sign, h, claims(func(c map[string]any) { delete(c, "exp") })), "exp"},
		"not before tomorrow":      {token(p.sign, h, claims(func(c map[string]any) { c["nbf"] = now.Unix() + 86400 })), "not valid yet"},
		"no key":                   {token(p.sign, h, claims(func(c map[string]any) { delete(c, "cnf") })), "cnf"},
		"a key by thumbprint":      {token(p.sign, h, claims(func(c map[string]any) { c["cnf"] = map[string]any{"jkt": "x"} })), "cnf"},
		"a private key": {token(p.sign, h, claims(func(c map[string]any) {
			c["cnf"] = map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-256", "x": jwk.X, "y": jwk.Y, "d": "AA"}}
		})), "private"},
		"a key on another curve": {token(p.sign, h, claims(func(c map[string]any) {
			c["cnf"] = map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-384"}}
		})), "P-256"},
		"a client twice": {token(p.sign, h, claims(func(c map[string]any) { c["SUB"] = "x" })), "another case"},
	} {
		_, err := CheckClient(c.text, wholePoP, p.want)
		refused(t, name, err, InvalidClientAttestation, c.because)
	}
	// When it was made may be left out, unless it must not be old.
	untimed := token(p.sign, h, claims(func(c map[string]any) { delete(c, "iat") }))
	if a, err := CheckClient(untimed, wholePoP, p.want); err != nil || !a.IssuedAt.IsZero() {
		t.Errorf("without iat: %+v, %v", a, err)
	}
	young := p.want
	young.MaxAge = time.Hour
	_, err = CheckClient(untimed, wholePoP, young)
	refused(t, "without iat, where it must be young", err, UseFreshAttestation, "iat")
	with := func(typ string, change func(map[string]any)) string {
		c := map[string]any{"aud": "https://id.example", "jti": "j-1", "iat": now.Unix(), "challenge": "c-1"}
		change(c)
		return token(jws.With(testKey("instance")), jws.Header{Type: typ}, c)
	}
	for name, c := range map[string]struct{ text, because string }{
		"nothing": {"", "three parts"}, "larger than any": {strings.Repeat("x", maxToken+1), "at most"}, "the attestation": {whole, "typ"},
		"no audience":    {with(popType, func(c map[string]any) { delete(c, "aud") }), "it is for"},
		"many audiences": {with(popType, func(c map[string]any) { c["aud"] = []string{"https://id.example"} }), "claims"},
		"no identifier":  {with(popType, func(c map[string]any) { delete(c, "jti") }), "jti"},
		"no time":        {with(popType, func(c map[string]any) { delete(c, "iat") }), "iat"},
		"another issuer": {with(popType, func(c map[string]any) { c["iss"] = "x" }), "iss"},
	} {
		_, err := CheckClient(whole, c.text, p.want)
		refused(t, "the proof: "+name, err, InvalidClientAttestation, c.because)
	}
	if _, err := CheckClient(whole, with(popType, func(c map[string]any) { c["iss"] = "https://wallet.example" }), p.want); err != nil {
		t.Errorf("a proof as older drafts have it: %v", err)
	}
}

func TestAnotherImplementationReadsWhatIsSigned(t *testing.T) {
	p := newProvider(t)
	first, err := attestation().Sign(p.sign, p.chain)
	if err != nil {
		t.Fatal(err)
	}
	second, err := pop().Sign(testKey("instance"))
	if err != nil {
		t.Fatal(err)
	}
	third, err := proof().Proof(testKey("wallet"))
	if err != nil {
		t.Fatal(err)
	}
	clock := other.WithClock(other.ClockFunc(func() time.Time { return now }))
	for name, c := range map[string]struct {
		text string
		key  *ecdsa.PrivateKey
	}{"attestation": {first, testKey("provider")}, "pop": {second, testKey("instance")}, "dpop": {third, testKey("wallet")}} {
		if _, err := other.Parse([]byte(c.text), other.WithKey(jwa.ES256(), &c.key.PublicKey), clock); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAttestationsThatNobodyWouldAcceptAreNotMade(t *testing.T) {
	p := newProvider(t)
	for name, change := range map[string]func(*ClientAttestation){
		"no client": func(a *ClientAttestation) { a.ClientID = "" }, "no key": func(a *ClientAttestation) { a.Key = nil },
		"no time": func(a *ClientAttestation) { a.IssuedAt = time.Time{} }, "no end": func(a *ClientAttestation) { a.Expires = a.IssuedAt },
	} {
		a := attestation()
		change(&a)
		if _, err := a.Sign(p.sign, p.chain); err == nil {
			t.Errorf("%s: it is signed", name)
		}
	}
	for name, change := range map[string]func(*PoP){
		"no audience": func(p *PoP) { p.Audience = "" }, "no identifier": func(p *PoP) { p.ID = "" }, "no time": func(p *PoP) { p.IssuedAt = time.Time{} },
	} {
		proof := pop()
		change(&proof)
		if _, err := proof.Sign(testKey("instance")); err == nil {
			t.Errorf("%s: it is signed", name)
		}
	}
}

func TestRefusalsAreKnownByTheirCode(t *testing.T) {
	err := Refuse(UseDPoPNonce, "%d", 1)
	if !errors.Is(err, &Refusal{Code: UseDPoPNonce}) || errors.Is(err, &Refusal{Code: InvalidDPoPProof}) || errors.Is(err, errors.New("x")) || err.Error() != "use_dpop_nonce: 1" {
		t.Error(err)
	}
}

// Whatever comes in, nothing panics, and only what was signed is accepted.
func FuzzCheckDPoP(f *testing.F) {
	good, err := proof().Proof(testKey("wallet"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(dpopOfToken)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := CheckDPoP(text, expectedDPoP())
		if err == nil && !p.Key.Equal(&testKey("wallet").PublicKey) && p.ID == "" {
			t.Errorf("%+v", p)
		}
		var r *Refusal
		if err != nil && !errors.As(err, &r) {
			t.Errorf("an error without a code: %v", err)
		}
	})
}

func FuzzCheckClient(f *testing.F) {
	p := newProvider(f)
	first, err := attestation().Sign(p.sign, p.chain)
	if err != nil {
		f.Fatal(err)
	}
	second, err := pop().Sign(testKey("instance"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(first), []byte(second))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if _, err := CheckClient(string(a), string(b), p.want); err == nil && (!bytes.Equal(a, []byte(first)) || !bytes.Equal(b, []byte(second))) {
			t.Errorf("%q and %q are accepted", a, b)
		}
	})
}

// BenchmarkFloorP256 is the least that a proof can cost.
func BenchmarkFloorP256(b *testing.B) { floor(b, 1) }

// BenchmarkFloorP256x2 is the least that an attestation and its proof can cost.
func BenchmarkFloorP256x2(b *testing.B) { floor(b, 2) }

func floor(b *testing.B, n int) {
	key, digest := testKey("wallet"), sha256.Sum256([]byte("x"))
	signature, err := ecdsa.SignASN1(nil, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for range n {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
				b.Fatal("floor")
			}
		}
	}
}

func BenchmarkCheckDPoP(b *testing.B) {
	text, err := proof().Proof(testKey("wallet"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CheckDPoP(text, expectedDPoP()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckClient(b *testing.B) {
	p := newProvider(b)
	first, err := attestation().Sign(p.sign, p.chain)
	if err != nil {
		b.Fatal(err)
	}
	second, err := pop().Sign(testKey("instance"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CheckClient(first, second, p.want); err != nil {
			b.Fatal(err)
		}
	}
}
