package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	otherjws "github.com/lestrrat-go/jwx/v3/jws"
)

func TestAnotherImplementationReadsWhatIsSigned(t *testing.T) {
	k := key(t)
	public, err := KeyOf(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	token, err := With(k).Token(Header{Type: "x+jwt", Key: &public}, map[string]any{"sub": "a<b>&c"})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := otherjws.Verify([]byte(token), otherjws.WithKey(jwa.ES256(), &k.PublicKey))
	if err != nil || string(payload) != `{"sub":"a<b>&c"}` {
		t.Errorf("%s, %v", payload, err)
	}
	p, err := Parse([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.ReadHeader("x+jwt")
	if err != nil || *h.Key != public || !p.Verify(&k.PublicKey) {
		t.Errorf("%+v, %v", h, err)
	}
	again, err := With(k).Token(Header{Type: "x+jwt", Key: &public}, map[string]any{"sub": "a<b>&c"})
	if err != nil || again != token {
		t.Errorf("the same token is signed in two ways: %v", err)
	}
}

func TestWhatAnotherImplementationSignsIsRead(t *testing.T) {
	k := key(t)
	h := otherjws.NewHeaders()
	if err := errors.Join(h.Set("typ", "x+jwt"), h.Set("kid", "1")); err != nil {
		t.Fatal(err)
	}
	token, err := otherjws.Sign([]byte(goodClaims), otherjws.WithKey(jwa.ES256(), k, otherjws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := read(t, string(token)); err != nil || c.Subject != "s" {
		t.Errorf("%+v, %v", c, err)
	}
}

// RFC 7515 appendix A.3: ES256.
func TestTheExampleOfRFC7515IsVerified(t *testing.T) {
	const header, payload = "eyJhbGciOiJFUzI1NiJ9", "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	const signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	k, err := Key{Kty: "EC", Crv: "P-256", X: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", Y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}.Public()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse([]byte(header + "." + payload + "." + signature))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Verify(k) {
		t.Error("the signature of the example is refused")
	}
	if err := p.Header("", &struct{}{}); err != nil {
		t.Errorf("its header: %v", err)
	}
	var c struct {
		Issuer  string `json:"iss"`
		Expires int64  `json:"exp"`
	}
	if err := p.Claims(&c); err != nil || c.Issuer != "joe" || c.Expires != 1300819380 {
		t.Errorf("%+v, %v", c, err)
	}
}

// RFC 7638 has an RSA key for its example; the P-256 key of RFC 7517 appendix A.1
// has the thumbprint that other implementations compute.
func TestThumbprintsAreThoseOfOthers(t *testing.T) {
	k := Key{Kty: "EC", Crv: "P-256", X: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", Y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", Use: "enc", KeyID: "1"}
	if _, err := k.Public(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwk.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := other.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Thumbprint(); !bytes.Equal(got[:], want) {
		t.Errorf("%x, elsewhere %x", got, want)
	}
	// RFC 9449 section 6.1: the key of its examples, and cnf.jkt.
	k = Key{Kty: "EC", Crv: "P-256", X: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", Y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}
	if got := k.ThumbprintText(); got != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("the thumbprint of RFC 9449 is %s", got)
	}
}

func TestKeysThatAreNonePublicOnP256AreRefused(t *testing.T) {
	good, err := KeyOf(&key(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Key){
		"another kind": func(k *Key) { k.Kty = "OKP" }, "another curve": func(k *Key) { k.Crv = "P-384" }, "no curve": func(k *Key) { k.Crv = "" },
		"no point": func(k *Key) { k.Y = k.X }, "a short coordinate": func(k *Key) { k.X = k.X[:40] }, "a long coordinate": func(k *Key) { k.X += "AAAA" },
		"padding": func(k *Key) { k.X += "=" }, "zero": func(k *Key) { k.X, k.Y = strings.Repeat("A", 43), strings.Repeat("A", 43) },
		"a private key": func(k *Key) { k.D = new(json.RawMessage) }, "a secret": func(k *Key) { k.K = new(json.RawMessage) },
	} {
		k := good
		change(&k)
		if got, err := k.Public(); err == nil {
			t.Errorf("%s was read: %v", name, got)
		}
	}
	if got, err := good.Public(); err != nil || !got.Equal(&key(t).PublicKey) {
		t.Errorf("%v, %v", got, err)
	}
	d := make([]byte, 48)
	d[47] = 1
	p384, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*ecdsa.PublicKey{nil, {}, &p384.PublicKey} {
		if jwk, err := KeyOf(k); err == nil {
			t.Errorf("%v became %v", k, jwk)
		}
	}
}

func TestHeadersBeyondTheirLimitsAreRefused(t *testing.T) {
	public, err := KeyOf(&key(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate := []byte{0x30}
	for name, h := range map[string]Header{
		"a key in two ways":      {KeyID: "1", Key: &public},
		"key and chain":          {Key: &public, Chain: [][]byte{certificate}},
		"a long kid":             {KeyID: strings.Repeat("k", maxKeyID+1)},
		"a long chain":           {Chain: [][]byte{certificate, certificate, certificate, certificate, certificate}},
		"a large certificate":    {Chain: [][]byte{make([]byte, maxCertificate+1)}},
		"an empty certificate":   {Chain: [][]byte{{}}},
		"another type of header": {Type: "y+jwt"},
	} {
		if h.Type == "" {
			h.Type = "x+jwt"
		}
		token, err := With(key(t)).Token(h, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse([]byte(token))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.ReadHeader("x+jwt"); err == nil {
			t.Errorf("%s was read: %+v", name, got)
		}
	}
}

// What a Header cannot say, others can.
func TestHeadersOfAnotherKindAreRefused(t *testing.T) {
	for name, header := range map[string]string{
		"a kid that is a number":        `"kid":1`,
		"a jwk that is a text":          `"jwk":"x"`,
		"a jwk of numbers":              `"jwk":{"kty":"EC","crv":"P-256","x":1,"y":2}`,
		"an x5c that is a text":         `"x5c":"MAA="`,
		"an x5c of numbers":             `"x5c":[1]`,
		"an x5c in base64url":           `"x5c":["MAA_-A"]`,
		"an x5c with line breaks":       `"x5c":["MA\nA="]`,
		"an x5c with bits left over":    `"x5c":["MAB="]`,
		"an attestation that is a list": `"key_attestation":[]`,
		"a name in capitals":            `"KID":"1"`,
		"a name of the key in capitals": `"jwk":{"KTY":"EC"}`,
		"a critical header":             `"crit":["kid"],"kid":"1"`,
	} {
		p, err := Parse([]byte(sign(t, `{"alg":"ES256","typ":"x+jwt",`+header+`}`, goodClaims)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.ReadHeader("x+jwt"); err == nil {
			t.Errorf("%s was read: %+v", name, got)
		}
	}
	p, err := Parse([]byte(sign(t, `{"alg":"ES256","typ":"x+jwt","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":null},"unknown":{"x":1}}`, goodClaims)))
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.ReadHeader("x+jwt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Key.Public(); err == nil || !strings.Contains(err.Error(), "private") {
		t.Errorf("a private key in a header: %v", err)
	}
}

func TestASignerThatFailsSignsNothing(t *testing.T) {
	broken := Sign(func([]byte) ([]byte, error) { return nil, errors.New("the key is locked") })
	if token, err := broken.Token(Header{Type: "x+jwt"}, 1); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("%s, %v", token, err)
	}
	if _, err := With(key(t)).Token(Header{}, func() {}); err == nil {
		t.Error("claims that are no JSON were signed")
	}
}

// Whoever makes up headers drives none out that is used.
func TestOnlyHeadersOfGoodSignaturesThatManyTokensHaveAreRemembered(t *testing.T) {
	key := key(t)
	other, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(i int) [][]byte { return [][]byte{[]byte(fmt.Sprint("certificate ", i))} }
	remembered := func(token string) bool {
		text, _, _ := strings.Cut(token, ".")
		return headers.get([]byte(text)) != nil
	}
	public, err := KeyOf(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		header Header
		by     *ecdsa.PrivateKey
		want   bool
	}{
		"a chain":                  {Header{Type: "t", Chain: certificate(-1)}, key, true},
		"nothing but a type":       {Header{Type: "of this test"}, key, true},
		"a forged one":             {Header{Type: "t", Chain: certificate(-2)}, other, false},
		"one wallet's key":         {Header{Type: "t", Key: &public}, key, false},
		"the name of a key":        {Header{Type: "t", KeyID: "k"}, key, false},
		"one wallet's attestation": {Header{Type: "t", KeyAttestation: "a"}, key, false},
	} {
		token, err := With(c.by).Token(c.header, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it may be remembered
			read, err := Parse([]byte(token))
			if err != nil {
				t.Fatal(err)
			}
			got, err := read.ReadHeader(c.header.Type)
			if err != nil || !reflect.DeepEqual(got, c.header) {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
			if good := read.Verify(&key.PublicKey); good != (c.by == key) {
				t.Errorf("%s: good: %t", what, good)
			}
			if remembered(token) != c.want {
				t.Errorf("%s: remembered: %t", what, !c.want)
			}
		}
		if again, err := Parse([]byte(token)); err != nil {
			t.Fatal(err)
		} else if _, err := again.ReadHeader("another"); err == nil || !strings.Contains(err.Error(), `not "another"`) {
			t.Errorf("%s, read as another type: %v", what, err)
		}
		var whole struct {
			Type string `json:"typ"`
		}
		if again, err := Parse([]byte(token)); err != nil {
			t.Fatal(err)
		} else if err := again.Header(c.header.Type, &whole); err != nil || whole.Type != c.header.Type {
			t.Errorf("%s, read into a struct: %q, %v", what, whole.Type, err)
		}
	}
	for i := range 5 * maxHeaders {
		token, err := With(key).Token(Header{Type: "t", Chain: certificate(i)}, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		read, err := Parse([]byte(token))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read.ReadHeader("t"); err != nil || !read.Verify(&key.PublicKey) || !remembered(token) {
			t.Fatalf("%d: %v", i, err)
		}
		if n := len(headers.young) + len(headers.old); n > 2*maxHeaders {
			t.Fatalf("%d headers are remembered", n)
		}
	}
}

func TestAKeyIsTheSameToBothPackagesOfTheLibrary(t *testing.T) {
	k := &key(t).PublicKey
	jwk, err := KeyOf(k)
	if err != nil {
		t.Fatal(err)
	}
	point, err := jwk.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := k.ECDH(); err != nil || !point.Equal(want) {
		t.Errorf("another key of crypto/ecdh: %v", err)
	}
	if again, err := KeyOfECDH(point); err != nil || again != jwk {
		t.Errorf("another JWK: %v, %v", again, err)
	}
	off := jwk
	off.Y = off.X
	if _, err := off.ECDH(); err == nil {
		t.Error("a point beside the curve is a key")
	}
	other, err := ecdh.X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := KeyOfECDH(other.PublicKey()); err == nil {
		t.Error("a key of X25519 is one of P-256")
	}
}
