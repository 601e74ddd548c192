package statuslist

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	gocose "github.com/veraison/go-cose"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
	"rollcall.example/rollcall/reference/p256"
)

func TestATokenComesBackAsItWasSigned(t *testing.T) {
	w := newWorld(t)
	for _, f := range forms {
		for _, token := range []Token{testToken(t), {Subject: "u", IssuedAt: issuedAt, List: filled(t, 8, 3, 1)},
			{Subject: "u", IssuedAt: issuedAt, Aggregation: "https://rollcall.example/status-lists", List: filled(t, 2, 8, 1)}} {
			signed, err := f.sign(token, w.signer)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.parse(signed, w.anchors, issuedAt.Add(time.Hour))
			if err != nil || !same(got, token) {
				t.Errorf("%s: %v\n got %+v\nwant %+v", f.name, err, got, token)
			}
			again, err := f.sign(token, w.signer)
			if err != nil || !bytes.Equal(again, signed) {
				t.Errorf("%s: signing is not repeatable", f.name)
			}
		}
	}
}

func same(got *Token, want Token) bool {
	if got == nil || !got.List.Equal(want.List) {
		return false
	}
	a, b := *got, want
	a.List, b.List, a.signer = nil, nil, b.signer
	return a == b
}

func TestTokensAreRefusedForTheirReason(t *testing.T) {
	w := newWorld(t)
	stranger := newWorld(t)
	var err error
	if stranger.iaca, err = mdoc.NewIACA(testKey("stranger"), mdoc.IACASpec{CertificateSpec: spec("Stranger", 3650), Country: "KR", Contact: "https://x.example/", CRL: "https://x.example/crl"}); err != nil {
		t.Fatal(err)
	}
	for _, f := range forms {
		sign := func(s mdoc.Signer) []byte {
			signed, err := f.sign(testToken(t), s)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		good := sign(w.signer)
		broken := bytes.Clone(good)
		broken[len(broken)-10] ^= 1
		for name, c := range map[string]struct {
			token []byte
			at    time.Time
			want  error
		}{
			"as it should be":                   {good, issuedAt, nil},
			"a moment before it expires":        {good, issuedAt.Add(24*time.Hour - 1), nil},
			"when it expires":                   {good, issuedAt.Add(24 * time.Hour), ErrExpired},
			"with another signature":            {broken, issuedAt, ErrSignature},
			"signed by a document signer":       {sign(signerOf(t, w.iaca, "ds", mdoc.NewDocumentSigner)), issuedAt, mdoc.ErrUntrusted},
			"signed under another root":         {sign(signerOf(t, stranger.iaca, "other", mdoc.NewStatusSigner)), issuedAt, mdoc.ErrUntrusted},
			"before its signer's certificate":   {good, issuedAt.AddDate(0, -2, 0), mdoc.ErrSignerExpired},
			"signed by one who has no such key": {sign(impostor{w.signer}), issuedAt, ErrSignature},
			"of no bytes":                       {nil, issuedAt, ErrMalformed},
			"too large":                         {make([]byte, MaxToken+1), issuedAt, ErrMalformed},
			"cut off":                           {good[:len(good)/2], issuedAt, ErrMalformed},
		} {
			if _, err := f.parse(c.token, w.anchors, c.at); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s %s: %v, want %v", f.name, name, err, c.want)
			}
		}
	}
}

// impostor shows a certificate that is another's.
type impostor struct{ mdoc.Signer }

func (impostor) Sign(digest []byte) ([]byte, error) {
	return p256.Sign(testKey("impostor"), digest)
}

func TestTheJWTIsThatOfTheDraft(t *testing.T) {
	w := newWorld(t)
	signed, err := testToken(t).SignJWT(w.signer)
	if err != nil {
		t.Fatal(err)
	}
	// An independent library verifies the signature with the certificate's key.
	payload, err := jws.Verify(signed, jws.WithKey(jwa.ES256(), &testKey("status").PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	var header, claims map[string]any
	part, err := base64.RawURLEncoding.DecodeString(string(signed[:bytes.IndexByte(signed, '.')]))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(part, &header), json.Unmarshal(payload, &claims)); err != nil {
		t.Fatal(err)
	}
	if header["typ"] != "statuslist+jwt" || header["alg"] != "ES256" {
		t.Errorf("header %v", header)
	}
	x5c, ok := header["x5c"].([]any)
	if !ok || len(x5c) != 1 || x5c[0] != base64.StdEncoding.EncodeToString(w.signer.Certificate()) {
		t.Errorf("x5c %v", header["x5c"])
	}
	list, ok := claims["status_list"].(map[string]any)
	if !ok || list["bits"] != 2.0 || claims["sub"] != "https://rollcall.example/status/1" || claims["ttl"] != 900.0 ||
		claims["iat"] != float64(issuedAt.Unix()) || claims["exp"] != float64(issuedAt.Unix()+86400) || claims["register_seq"] != 987654321.0 {
		t.Errorf("claims %v", claims)
	}
}

func TestTheCWTIsThatOfTheDraft(t *testing.T) {
	w := newWorld(t)
	signed, err := testToken(t).SignCWT(w.signer)
	if err != nil {
		t.Fatal(err)
	}
	if signed[0] != 0xd2 {
		t.Fatalf("begins with %#x, not tag 18", signed[0])
	}
	var m gocose.Sign1Message
	if err := m.UnmarshalCBOR(signed); err != nil {
		t.Fatal(err)
	}
	v, err := gocose.NewVerifier(gocose.AlgorithmES256, &testKey("status").PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(nil, v); err != nil {
		t.Error(err)
	}
	if typ := m.Headers.Protected[int64(16)]; typ != "application/statuslist+cwt" {
		t.Errorf("type %v", typ)
	}
	var claims map[int64]any
	if err := cose.Unmarshal(m.Payload, &claims); err != nil {
		t.Fatal(err)
	}
	list, ok := claims[65533].(map[string]any)
	if _, bytes := list["lst"].([]byte); !ok || !bytes || list["bits"] != int64(2) {
		t.Errorf("status_list %v", claims[65533])
	}
	delete(claims, 65533)
	want := map[int64]any{2: "https://rollcall.example/status/1", 4: issuedAt.Unix() + 86400, 6: issuedAt.Unix(), 65534: int64(900), -65537: int64(987654321)}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims %v, want %v", claims, want)
	}
}

func TestTokensThatMakeNoSenseAreNotSigned(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Token){
		"no URI":                      func(t *Token) { t.Subject = "" },
		"no list":                     func(t *Token) { t.List = nil },
		"no time":                     func(t *Token) { t.IssuedAt = time.Time{} },
		"an end before its beginning": func(t *Token) { t.Expires = t.IssuedAt },
		"a ttl of half a second":      func(t *Token) { t.TTL = time.Second / 2 },
		"a ttl below nothing":         func(t *Token) { t.TTL = -time.Second },
	} {
		token := testToken(t)
		change(&token)
		for _, f := range forms {
			if _, err := f.sign(token, w.signer); err == nil {
				t.Errorf("%s with %s was signed", f.name, name)
			}
		}
	}
}

// aggregation_uri stands beside the bits, in both forms (§4.2, §4.3), and nowhere if
// it is not said.
func TestAListSaysWhereAllListsAreNamed(t *testing.T) {
	w := newWorld(t)
	const uri = "https://rollcall.example/status-lists"
	for _, said := range []string{"", uri} {
		token := testToken(t)
		token.Aggregation = said
		jwt, err := token.SignJWT(w.signer)
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			StatusList map[string]any `json:"status_list"`
		}
		payload, err := base64.RawURLEncoding.DecodeString(string(bytes.Split(jwt, []byte("."))[1]))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		if got, there := claims.StatusList["aggregation_uri"]; there != (said != "") || there && got != uri {
			t.Errorf("JWT: %v", claims.StatusList["aggregation_uri"])
		}
		cwt, err := token.SignCWT(w.signer)
		if err != nil {
			t.Fatal(err)
		}
		untagged, err := cose.Untag18(cwt)
		if err != nil {
			t.Fatal(err)
		}
		m, err := cose.Parse(untagged)
		if err != nil {
			t.Fatal(err)
		}
		var all map[int64]any
		if err := cose.Unmarshal(m.Payload, &all); err != nil {
			t.Fatal(err)
		}
		list, _ := all[claimStatusList].(map[string]any)
		if got, there := list["aggregation_uri"]; there != (said != "") || there && got != uri {
			t.Errorf("CWT: %v", got)
		}
	}
}
