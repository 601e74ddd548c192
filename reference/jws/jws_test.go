package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/mdoc/cose"
	"rollcall.example/rollcall/reference/p256"
)

func key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte("jws"))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var encode = base64.RawURLEncoding.EncodeToString

func sign(t testing.TB, header, claims string) string {
	t.Helper()
	text := encode([]byte(header)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	rs, err := p256.Sign(crypto.Signer(key(t)), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(rs)
}

type header struct {
	KeyID string `json:"kid"`
}

type claims struct {
	Subject string `json:"sub"`
	Inner   []struct {
		Bits int `json:"bits"`
	} `json:"inner"`
}

const (
	goodHeader = `{"alg":"ES256","typ":"x+jwt","kid":"k"}`
	goodClaims = `{"sub":"s","inner":[{"bits":2}],"unknown":{"SUBJECT":1}}`
)

// read reads a token as its users do.
func read(t testing.TB, token string) (c claims, err error) {
	p, err := Parse([]byte(token))
	if err != nil {
		return c, err
	}
	var h header
	if err := p.Header("x+jwt", &h); err != nil {
		return c, err
	}
	if !p.Verify(&key(t).PublicKey) {
		return c, cose.Unmarshal(nil, &c) // any error
	}
	return c, p.Claims(&c)
}

func TestASignedTokenIsRead(t *testing.T) {
	c, err := read(t, sign(t, goodHeader, goodClaims))
	if err != nil || c.Subject != "s" || len(c.Inner) != 1 || c.Inner[0].Bits != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Each is signed with the right key: its form alone is the reason.
func TestTokensThatTwoReadersCouldReadInTwoWaysAreRefused(t *testing.T) {
	deep := strings.Repeat("[", 9) + strings.Repeat("]", 9)
	for name, c := range map[string]struct{ header, claims string }{
		"no algorithm":             {`{"typ":"x+jwt"}`, goodClaims},
		"algorithm none":           {`{"alg":"none","typ":"x+jwt"}`, goodClaims},
		"algorithm HS256":          {`{"alg":"HS256","typ":"x+jwt"}`, goodClaims},
		"another type":             {`{"alg":"ES256","typ":"JWT"}`, goodClaims},
		"a critical header":        {`{"alg":"ES256","typ":"x+jwt","crit":["b64"],"b64":false}`, goodClaims},
		"nothing critical":         {`{"alg":"ES256","typ":"x+jwt","crit":null}`, goodClaims},
		"the algorithm twice":      {`{"alg":"none","alg":"ES256","typ":"x+jwt"}`, goodClaims},
		"the algorithm in capital": {`{"ALG":"ES256","typ":"x+jwt"}`, goodClaims},
		"a header in two cases":    {`{"alg":"ES256","typ":"x+jwt","kid":"a","KID":"b"}`, goodClaims},
		"a header that is a list":  {`[` + goodHeader + `]`, goodClaims},
		"a claim twice":            {goodHeader, `{"sub":"a","sub":"b"}`},
		"a claim twice, escaped":   {goodHeader, `{"sub":"a","s\u0075b":"b"}`},
		"a claim in two cases":     {goodHeader, `{"sub":"a","Sub":"b"}`},
		"a claim with a long s":    {goodHeader, `{"sub":"a","ſub":"b"}`},
		"an inner claim twice":     {goodHeader, `{"sub":"a","inner":[{"bits":1,"bits":2}]}`},
		"an unknown claim twice":   {goodHeader, `{"sub":"a","x":{"y":1,"y":2}}`},
		"too deep":                 {goodHeader, `{"sub":"a","x":` + deep + `}`},
		"two values":               {goodHeader, `{"sub":"a"}{"sub":"b"}`},
		"what follows":             {goodHeader, `{"sub":"a"} x`},
		"cut off":                  {goodHeader, `{"sub":"a"`},
		"no UTF-8":                 {goodHeader, "{\"sub\":\"\xff\"}"},
		"no claims":                {goodHeader, ``},
		"a number for a text":      {goodHeader, `{"sub":7}`},
		"a number too large":       {goodHeader, `{"sub":"a","inner":[{"bits":1e400}]}`},
	} {
		if got, err := read(t, sign(t, c.header, c.claims)); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func TestTokensOfAnotherShapeAreRefused(t *testing.T) {
	good := sign(t, goodHeader, goodClaims)
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"nothing": "", "one part": "e30", "two parts": "e30.e30", "four parts": good + ".e30", "only dots": "...",
		"padding": parts[0] + "=." + parts[1] + "." + parts[2], "a line break": parts[0] + "\n." + parts[1] + "." + parts[2],
		"a line break in the claims": parts[0] + "." + parts[1] + "\n." + parts[2], "a line break at the end": good + "\n",
		"base64 of another alphabet": strings.Replace(good, "-", "+", 1) + "+", "a signature cut off": good[:len(good)-4], "a signature too long": good + "AAAA",
		"no signature": parts[0] + "." + parts[1] + ".", "white space": " " + good,
	} {
		if _, err := read(t, token); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	// 64 bytes are 86 letters, of whose last one four bits are left over.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])
	if _, err := read(t, good[:len(good)-1]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last+1])); err == nil {
		t.Error("bits that are left over may be anything")
	}
}

// What our reader reads, encoding/json reads the same; and no signature of
// somebody else is accepted.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(goodClaims))
	f.Add([]byte(`{"sub":"a","Sub":"b"}`))
	f.Add([]byte(`{"inner":[{"bits":1},{"bits":2}],"x":[[[{}]]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c claims
		if Unmarshal(data, &c) != nil {
			return
		}
		var names map[string]json.RawMessage
		if err := json.Unmarshal(data, &names); err != nil {
			if string(data) != "null" && strings.TrimSpace(string(data)) != "null" {
				t.Fatalf("%q was read: %v", data, err)
			}
			return
		}
		// A map keeps names apart that a struct does not.
		var want string
		if raw, ok := names["sub"]; ok {
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
		}
		if c.Subject != want {
			t.Errorf("%q: sub is %q, not %q", data, c.Subject, want)
		}
	})
}
