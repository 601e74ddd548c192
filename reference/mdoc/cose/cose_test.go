package cose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"rollcall.example/rollcall/reference/p256"
)

func key(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

type signer struct{ crypto.Signer }

func (s signer) Sign(digest []byte) ([]byte, error) { return p256.Sign(s.Signer, digest) }

func TestASignedMessageVerifies(t *testing.T) {
	for _, detached := range []bool{false, true} {
		raw, err := Sign1(signer{key("a")}, Header{Type: "application/x", Chain: [][]byte{{1}, {2, 3}}}, []byte("payload"), detached)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		var payload []byte
		if detached {
			payload = []byte("payload")
		}
		if !m.VerifySignature(&key("a").PublicKey, payload) {
			t.Errorf("detached %v: refused", detached)
		}
		if m.VerifySignature(&key("b").PublicKey, payload) {
			t.Errorf("detached %v: accepted for another key", detached)
		}
		if m.VerifySignature(&key("a").PublicKey, []byte("other")) {
			t.Errorf("detached %v: accepted for another payload", detached)
		}
		if m.Type != "application/x" || m.Algorithm != ES256 || len(m.Chain) != 2 || !bytes.Equal(m.Chain[1], []byte{2, 3}) {
			t.Errorf("header %+v", m.Header)
		}
	}
}

func TestAMACVerifiesWithItsKeyOnly(t *testing.T) {
	protected := []byte{0xa1, 1, 5}
	structure := AppendArray(nil, 4)
	structure = AppendText(structure, "MAC0")
	structure = AppendBytes(AppendBytes(AppendBytes(structure, protected), nil), []byte("payload"))
	h := hmac.New(sha256.New, []byte("secret"))
	h.Write(structure)
	raw := AppendBytes(AppendArray(nil, 4), protected)
	raw = AppendBytes(append(AppendMap(raw, 0), null), h.Sum(nil))
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !m.VerifyMAC([]byte("secret"), []byte("payload")) {
		t.Error("refused")
	}
	if m.VerifyMAC([]byte("other"), []byte("payload")) || m.VerifyMAC([]byte("secret"), []byte("other")) || m.VerifyMAC([]byte("secret"), nil) {
		t.Error("accepted for another key or payload")
	}
	if m.VerifySignature(&key("a").PublicKey, []byte("payload")) {
		t.Error("a MAC is taken for a signature")
	}
}

func TestMessagesThatAreNotStrictAreRefused(t *testing.T) {
	sig := "5840" + strings.Repeat("01", 64)
	for name, text := range map[string]string{
		"no algorithm":                   "84 41a0 a0 40" + sig,
		"algorithm only unprotected":     "84 41a0 a10126 40" + sig,
		"algorithm in both headers":      "84 43a10126 a10126 40" + sig,
		"critical headers":               "84 47a2012602811863 a0 40" + sig,
		"five parts":                     "85 43a10126 a0 40" + sig + "00",
		"payload neither bytes nor null": "84 43a10126 a0 00" + sig,
		"an array of one certificate":    "84 43a10126 a118218141ff 40" + sig,
		"x5chain in both headers":        "84 47a20126182141ff a1182141ff 40" + sig,
		"a protected header twice":       "84 45a201260126 a0 40" + sig,
		"tag 18 inside":                  "d2 84 43a10126 a0 40" + sig,
		"bytes that follow":              "84 43a10126 a0 40" + sig + "00",
		"bytes after protected":          "84 44a1012600 a0 40" + sig,
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(name, err)
		}
		if m, err := Parse(raw); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
	good, err := hex.DecodeString("8443a10126a040" + sig)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(good); err != nil {
		t.Errorf("the message they are made from: %v", err)
	}
}

func TestSignaturesAreReadAsTheLibraryReadsThem(t *testing.T) {
	for i := range 200 {
		digest := sha256.Sum256([]byte{byte(i)})
		rs, err := p256.Sign(key("a"), digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if !p256.Verify(&key("a").PublicKey, digest[:], rs) {
			t.Errorf("signature %x refused", rs)
		}
	}
	for _, rs := range [][]byte{nil, make([]byte, 64), bytes.Repeat([]byte{0xff}, 64), make([]byte, 63)} {
		if p256.Verify(&key("a").PublicKey, make([]byte, 32), rs) {
			t.Errorf("%x accepted", rs)
		}
	}
}

// What is not one well-formed item of definite length is refused, by reading and by
// skipping.
func TestCBORIsReadStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                     "",
		"an indefinite byte string":   "5f4101ff",
		"an indefinite array":         "9f01ff",
		"an indefinite map":           "bf0102ff",
		"a stray break":               "ff",
		"a reserved length":           "1c",
		"a key twice":                 "a201020103",
		"a key twice, deep":           "8181a2616101616102",
		"a number longer than it is":  "1817",
		"a length longer than it is":  "5900021122",
		"a text that is not UTF-8":    "61ff",
		"a byte that follows":         "0000",
		"a string that is cut off":    "430102",
		"an array that is cut off":    "8201",
		"a huge array":                "9b7fffffffffffffff",
		"a huge map":                  "bb7fffffffffffffff",
		"a huge byte string":          "5b7fffffffffffffff",
		"a simple value in two bytes": "f814",
		"thirteen levels":             strings.Repeat("81", 12) + "00",
		"thirteen levels of tags":     strings.Repeat("c1", 12) + "00",
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		r := NewReader(raw)
		r.Skip()
		if r.End() == nil {
			t.Errorf("%s (%s) is skipped as if it were well-formed", name, text)
		}
		switch name {
		case "a number longer than it is", "a length longer than it is": // deterministic encoding is asked of what is read by hand alone
		case "thirteen levels", "thirteen levels of tags": // the library does not count what lies in the innermost
			raw = append([]byte{raw[0]}, raw...)
			fallthrough
		default:
			var v any
			if err := Unmarshal(raw, &v); err == nil {
				t.Errorf("%s (%s) is decoded as %v", name, text, v)
			}
		}
	}
	deep, _ := hex.DecodeString(strings.Repeat("81", 11) + "00")
	r := NewReader(deep)
	r.Skip()
	if err := r.End(); err != nil {
		t.Errorf("twelve levels: %v", err)
	}
}

// What our reader lets pass, the library lets pass too.
func FuzzReaderAgreesWithTheLibrary(f *testing.F) {
	library, err := cbor.DecOptions{IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: maxDepth, MaxArrayElements: maxItems, MaxMapPairs: maxItems}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"00", "3903e7", "43010203", "63e38182ff", "820102", "a2016161026162", "c074323031332d30332d32315432303a30343a30305a", "f5", "f90000", "d818456449455446", "a201020103"} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(data)
		item := r.Skip()
		if r.Err() != nil {
			return
		}
		if err := library.Wellformed(item); err != nil {
			t.Errorf("%x is skipped; the library says: %v", item, err)
		}
		var v any
		_ = Unmarshal(item, &v)
	})
}

func FuzzParse(f *testing.F) {
	raw, err := Sign1(signer{key("a")}, Header{Type: "t", Chain: [][]byte{{1}}}, []byte("payload"), false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err == nil && m.VerifySignature(&key("a").PublicKey, nil) && string(m.Payload) != "payload" {
			t.Errorf("a signature is accepted for %q", m.Payload)
		}
	})
}
