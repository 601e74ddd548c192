package jwe

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	other "github.com/lestrrat-go/jwx/v3/jwe"

	"rollcall.example/rollcall/reference/jws"
)

func testKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func testRandom(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

var (
	verifier = testKey("verifier")
	answer   = []byte(`{"vp_token":{"card":["..."]}}`)
)

func encrypted(t testing.TB, enc Encryption, apu, apv string) string {
	t.Helper()
	text, err := Recipient{&verifier.PublicKey, "k1", enc}.Encrypt(testRandom("message"), []byte(apu), []byte(apv), answer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOnlyTheRecipientReadsIt(t *testing.T) {
	for _, enc := range []Encryption{A128GCM, A256GCM} {
		text := encrypted(t, enc, "wallet", "nonce")
		m, err := Decrypt(text, verifier)
		if err != nil || !bytes.Equal(m.Plaintext, answer) || m.KeyID != "k1" || m.Encryption != enc || string(m.PartyU) != "wallet" || string(m.PartyV) != "nonce" {
			t.Errorf("%s: %+v, %v", enc, m, err)
		}
		if kid, err := KeyID(text); err != nil || kid != "k1" {
			t.Errorf("%s: kid %q, %v", enc, kid, err)
		}
		if m, err := Decrypt(text, testKey("another")); !errors.Is(err, ErrDecrypt) {
			t.Errorf("%s, another key: %+v, %v", enc, m, err)
		}
		if encrypted(t, enc, "wallet", "nonce") != text {
			t.Errorf("%s: the same randomness gives other bytes", enc)
		}
	}
	if _, err := Decrypt(encrypted(t, A128GCM, "", ""), verifier, A256GCM); !errors.Is(err, ErrMalformed) {
		t.Errorf("an encryption that is not accepted: %v", err)
	}
}

// RFC 7518 appendix C: Alice's ephemeral key, Bob's key, and what they agree on.
func TestTheExampleOfRFC7518IsAgreedOn(t *testing.T) {
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	alice, err := ecdh.P256().NewPrivateKey(decode("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"))
	if err != nil {
		t.Fatal(err)
	}
	bob, err := jws.Key{Kty: "EC", Crv: "P-256", X: "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", Y: "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}.Public()
	if err != nil {
		t.Fatal(err)
	}
	if point := alice.PublicKey().Bytes(); !bytes.Equal(point[1:33], decode("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0")) {
		t.Fatalf("Alice's key is %x", point)
	}
	public, err := bob.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	key, err := agree(alice, public, A128GCM, []byte("Alice"), []byte("Bob"))
	if err != nil || base64.RawURLEncoding.EncodeToString(key) != "VqqN6vgjbSBcIijNcacQGg" {
		t.Errorf("%x, %v", key, err)
	}
}

func TestAnotherImplementationReadsIt(t *testing.T) {
	for _, enc := range []Encryption{A128GCM, A256GCM} {
		for _, party := range []string{"", "party"} {
			got, err := other.Decrypt([]byte(encrypted(t, enc, party, party)), other.WithKey(jwa.ECDH_ES(), verifier))
			if err != nil || !bytes.Equal(got, answer) {
				t.Errorf("%s with %q: %s, %v", enc, party, got, err)
			}
		}
	}
}

func TestWhatAnotherImplementationEncryptsIsRead(t *testing.T) {
	for enc, theirs := range map[Encryption]jwa.ContentEncryptionAlgorithm{A128GCM: jwa.A128GCM(), A256GCM: jwa.A256GCM()} {
		h := other.NewHeaders()
		if err := errors.Join(h.Set("apu", []byte("wallet")), h.Set("apv", []byte("nonce")), h.Set("kid", "k1")); err != nil {
			t.Fatal(err)
		}
		text, err := other.Encrypt(answer, other.WithKey(jwa.ECDH_ES(), &verifier.PublicKey, other.WithPerRecipientHeaders(h)), other.WithContentEncryption(theirs))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decrypt(string(text), verifier)
		if err != nil || !bytes.Equal(m.Plaintext, answer) || string(m.PartyU) != "wallet" || string(m.PartyV) != "nonce" || m.KeyID != "k1" {
			t.Errorf("%s: %+v, %v", enc, m, err)
		}
	}
}

func TestEveryLetterCounts(t *testing.T) {
	text := encrypted(t, A256GCM, "wallet", "nonce")
	for i := range text {
		changed := []byte(text)
		if changed[i] = 'A'; text[i] == 'A' {
			changed[i] = 'B'
		}
		if m, err := Decrypt(string(changed), verifier); err == nil {
			t.Errorf("letter %d may be changed: %+v", i, m)
		}
	}
}

// Each header is authenticated with the right key, where there is one.
func TestMessagesThatAreNotAsTheyShouldBeAreRefused(t *testing.T) {
	text := encrypted(t, A128GCM, "", "")
	parts := strings.Split(text, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, replacement string) string {
		changed := strings.Replace(string(raw), old, replacement, 1)
		if changed == string(raw) {
			t.Fatalf("%s has no %s", raw, old)
		}
		return encode(changed) + "." + strings.Join(parts[1:], ".")
	}
	rest := "." + strings.Join(parts[1:], ".")
	for name, c := range map[string]struct{ text, because string }{
		"nothing":                   {"", "five parts"},
		"a signed token":            {"a.b.c", "five parts"},
		"six parts":                 {text + ".x", "five parts"},
		"larger than any":           {strings.Repeat("x", MaxSize+1), "at most"},
		"a large header":            {strings.Repeat("x", 6000) + rest, "letters"},
		"a wrapped key":             {parts[0] + ".AAAA." + strings.Join(parts[2:], "."), "agreed on directly"},
		"key wrapping":              {with("ECDH-ES", "ECDH-ES+A128KW"), "alg"},
		"RSA":                       {with("ECDH-ES", "RSA-OAEP"), "alg"},
		"dir":                       {with("ECDH-ES", "dir"), "alg"},
		"another encryption":        {with("A128GCM", "A128CBC-HS256"), "neither"},
		"no encryption":             {with(`"enc":"A128GCM",`, ""), "neither"},
		"the algorithm twice":       {with(`"alg"`, `"alg":"dir","alg"`), "twice"},
		"compressed":                {with(`"enc"`, `"zip":"DEF","enc"`), "compressed"},
		"critical":                  {with(`"enc"`, `"crit":["exp"],"enc"`), "critical"},
		"no ephemeral key":          {with(`"epk"`, `"epx"`), "epk"},
		"a key on another curve":    {with("P-256", "P-384"), "P-256"},
		"a point off the curve":     {with(`"x":"`, `"x":"A`), "coordinate"},
		"a private key":             {with(`"kty":"EC"`, `"kty":"EC","d":"AA"`), "private"},
		"a header that is no JSON":  {encode("x") + rest, "header"},
		"a header in padding":       {parts[0] + "=" + rest, "header"},
		"a short nonce":             {parts[0] + "..AAAA." + parts[3] + "." + parts[4], "nonce"},
		"a short tag":               {strings.Join(parts[:4], ".") + "." + parts[4][:20], "tag"},
		"a ciphertext with padding": {strings.Join(parts[:3], ".") + "." + parts[3] + "=." + parts[4], "ciphertext"},
		"a long apu":                {with(`"enc"`, `"apu":"`+strings.Repeat("A", 800)+`","enc"`), "apu"},
		"an apv with padding":       {with(`"enc"`, `"apv":"AA==","enc"`), "apv"},
	} {
		if m, err := Decrypt(c.text, verifier); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v, %+v; wanted %q", name, err, m, c.because)
		}
	}
	if _, err := KeyID("x"); !errors.Is(err, ErrMalformed) {
		t.Errorf("the kid of nothing: %v", err)
	}
}

func TestWhatNobodyCouldReadIsNotEncrypted(t *testing.T) {
	good := Recipient{&verifier.PublicKey, "", A128GCM}
	for name, c := range map[string]struct {
		to     Recipient
		random string
		apu    int
	}{
		"no key": {Recipient{nil, "", A128GCM}, "", 0}, "another encryption": {Recipient{&verifier.PublicKey, "", "A192GCM"}, "", 0},
		"no randomness": {good, "x", 0}, "a long apu": {good, "", maxParty + 1}, "a long kid": {Recipient{&verifier.PublicKey, strings.Repeat("k", 5000), A128GCM}, "", 0},
	} {
		var err error
		if c.random != "" {
			_, err = c.to.Encrypt(strings.NewReader(c.random), nil, nil, answer)
		} else {
			_, err = c.to.Encrypt(testRandom("x"), make([]byte, c.apu), nil, answer)
		}
		if err == nil {
			t.Errorf("%s: it is encrypted", name)
		}
	}
	if _, err := good.Encrypt(testRandom("x"), nil, nil, make([]byte, MaxSize)); err == nil {
		t.Error("more is encrypted than is read")
	}
	if _, err := good.Encrypt(bytes.NewReader(make([]byte, 1<<10)), nil, nil, answer); err == nil {
		t.Error("a source of zeros gives a key")
	}
}

// Whatever comes in, nothing panics, and only what was encrypted is read.
func FuzzDecrypt(f *testing.F) {
	f.Add(encrypted(f, A128GCM, "wallet", "nonce"))
	f.Add(encrypted(f, A256GCM, "", ""))
	f.Add("....")
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := Decrypt(text, verifier); err == nil && !bytes.Equal(m.Plaintext, answer) {
			t.Errorf("%q was read as %q", text, m.Plaintext)
		}
	})
}

// BenchmarkFloorECDH is the least that Decrypt can cost: an agreement on a key.
func BenchmarkFloorECDH(b *testing.B) {
	private, err := verifier.ECDH()
	if err != nil {
		b.Fatal(err)
	}
	public, err := testKey("wallet").PublicKey.ECDH()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := private.ECDH(public); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkMessage() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 4<<10/16) }

func BenchmarkDecrypt(b *testing.B) {
	text, err := Recipient{&verifier.PublicKey, "k1", A128GCM}.Encrypt(testRandom("message"), nil, nil, benchmarkMessage())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decrypt(text, verifier); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	random, message := testRandom("message"), benchmarkMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Recipient{&verifier.PublicKey, "k1", A128GCM}).Encrypt(random, nil, nil, message); err != nil {
			b.Fatal(err)
		}
	}
}
