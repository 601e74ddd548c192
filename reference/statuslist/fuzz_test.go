package statuslist

import (
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

func FuzzParseJWT(f *testing.F) {
	w := newWorld(f)
	signed, err := testToken(f).SignJWT(w.signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("e30.e30.AA"))
	f.Fuzz(func(t *testing.T, token []byte) { accepted(t, ParseJWT, token, w) })
}

func FuzzParseCWT(f *testing.F) {
	w := newWorld(f)
	signed, err := testToken(f).SignCWT(w.signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Fuzz(func(t *testing.T, token []byte) { accepted(t, ParseCWT, token, w) })
}

// accepted fails if a token was accepted that says something else than the signed one.
func accepted(t *testing.T, parse func([]byte, *mdoc.TrustAnchors, time.Time) (*Token, error), token []byte, w *world) {
	if got, err := parse(token, w.anchors, issuedAt); err == nil && !same(got, testToken(t)) {
		t.Errorf("accepted %+v", got)
	}
}

// What the signature does not protect is fuzzed by itself.
func FuzzClaims(f *testing.F) {
	w := newWorld(f)
	signed, err := testToken(f).SignCWT(w.signer)
	if err != nil {
		f.Fatal(err)
	}
	m, err := cose.Parse(signed[1:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if token, err := readCWTClaims(payload, issuedAt); err == nil && (token.List.Len() == 0 || token.Subject == "") {
			t.Errorf("accepted %+v", token)
		}
	})
}
