package statuslist

import (
	"bytes"
	stdzlib "compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	gocose "github.com/veraison/go-cose"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

var issuedAt = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

func testKey(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

// world is an authority, its signer of lists and a verifier that trusts it.
type world struct {
	iaca    *mdoc.IACA
	signer  *mdoc.KeySigner
	anchors *mdoc.TrustAnchors
}

func spec(name string, days int) mdoc.CertificateSpec {
	serial := sha256.Sum256([]byte(name))
	return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: issuedAt.AddDate(0, -1, 0), NotAfter: issuedAt.AddDate(0, -1, days)}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.iaca, err = mdoc.NewIACA(testKey("iaca"), mdoc.IACASpec{CertificateSpec: spec("IACA", 3650), Country: "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/crl"}); err != nil {
		t.Fatal(err)
	}
	w.signer = signerOf(t, w.iaca, "status", mdoc.NewStatusSigner)
	if w.anchors, err = mdoc.NewTrustAnchors(w.iaca.Certificate()); err != nil {
		t.Fatal(err)
	}
	return w
}

func signerOf(t testing.TB, iaca *mdoc.IACA, name string, certify func(*mdoc.IACA, *ecdsa.PublicKey, mdoc.CertificateSpec) ([]byte, error)) *mdoc.KeySigner {
	t.Helper()
	certificate, err := certify(iaca, &testKey(name).PublicKey, spec(name, 400))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mdoc.NewKeySigner(testKey(name), certificate)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filled is a list with a share of its entries not Valid.
func filled(t testing.TB, bits int, n uint64, share float64) *List {
	t.Helper()
	l, err := New(bits, n)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, uint64(bits)))
	for range int(float64(n) * share) {
		if err := l.Set(r.Uint64N(n), Status(1+r.IntN(1<<bits-1))); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func testToken(t testing.TB) Token {
	return Token{
		Subject: "https://rollcall.example/status/1", IssuedAt: issuedAt, Expires: issuedAt.Add(24 * time.Hour), TTL: 15 * time.Minute,
		RegisterSeq: 987654321, List: filled(t, 2, 1000, 0.3),
	}
}

var forms = []struct {
	name  string
	sign  func(Token, mdoc.Signer) ([]byte, error)
	parse func([]byte, *mdoc.TrustAnchors, time.Time) (*Token, error)
}{{"JWT", Token.SignJWT, ParseJWT}, {"CWT", Token.SignCWT, ParseCWT}}

func TestListsOfEveryWidthSurviveTheirPacking(t *testing.T) {
	for _, bits := range []int{1, 2, 4, 8} {
		l := filled(t, bits, 100_003, 0.2)
		got, err := Unpack(bits, l.Pack())
		if err != nil || !got.Equal(l) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

func TestEntriesDoNotTouchTheirNeighbours(t *testing.T) {
	for _, bits := range []int{1, 2, 4, 8} {
		l, err := New(bits, 64)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]Status, l.Len())
		r := rand.New(rand.NewPCG(2, 2))
		for range 2000 {
			i, s := r.Uint64N(l.Len()), Status(r.IntN(1<<bits))
			want[i] = s
			if err := l.Set(i, s); err != nil {
				t.Fatal(err)
			}
			for j := range want {
				if got, err := l.Get(uint64(j)); err != nil || got != want[j] {
					t.Fatalf("%d bits: status[%d] = %d, want %d, after status[%d] = %d", bits, j, got, want[j], i, s)
				}
			}
		}
	}
}

// The first byte of the two-bit example of §4.1: 0xc9 is 1, 2, 0, 3 from the right.
func TestEntriesRunFromTheLeastSignificantBit(t *testing.T) {
	l, err := New(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []Status{Invalid, Suspended, Valid, RenewalRequired} {
		if err := l.Set(uint64(i), s); err != nil {
			t.Fatal(err)
		}
	}
	if l.data[0] != 0xc9 {
		t.Errorf("%#x, want 0xc9", l.data[0])
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	l, err := New(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Set(4, Valid); !errors.Is(err, ErrIndex) {
		t.Errorf("Set beyond the end: %v", err)
	}
	if _, err := l.Get(4); !errors.Is(err, ErrIndex) {
		t.Errorf("Get beyond the end: %v", err)
	}
	if _, err := l.Get(1 << 63); !errors.Is(err, ErrIndex) {
		t.Errorf("Get far beyond the end: %v", err)
	}
	if err := l.Set(0, 4); err == nil {
		t.Error("4 fits in two bits")
	}
	for _, c := range []struct {
		bits int
		n    uint64
	}{{3, 8}, {0, 8}, {2, 0}, {8, MaxBytes + 1}, {2, 1 << 63}} {
		if _, err := New(c.bits, c.n); err == nil {
			t.Errorf("a list of %d entries of %d bits was made", c.n, c.bits)
		}
	}
}

func TestAListThatUnpacksTooFarIsRefused(t *testing.T) {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	for range MaxBytes/65536 + 1 {
		if _, err := w.Write(make([]byte, 65536)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	good := filled(t, 2, 100, 0.5).Pack()
	for name, packed := range map[string][]byte{
		"too far":                   bomb.Bytes(),
		"with bytes that follow":    append(bytes.Clone(good), 0),
		"cut off":                   good[:len(good)-1],
		"with a wrong check sum":    append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1),
		"of no bytes":               (newList(2, nil)).Pack(),
		"without the ZLIB envelope": good[2:],
	} {
		if _, err := Unpack(2, packed); err == nil {
			t.Errorf("a list %s was unpacked", name)
		}
	}
}

func TestATokenComesBackAsItWasSigned(t *testing.T) {
	w := newWorld(t)
	for _, f := range forms {
		for _, token := range []Token{testToken(t), {Subject: "u", IssuedAt: issuedAt, List: filled(t, 8, 3, 1)}} {
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
	a.List, b.List = nil, nil
	return a == b
}

// After each change only the block that changed is packed; the whole must be the
// same as if the list were packed at once, for our reader and for the standard
// library's.
func TestRepublishingAfterAChangePublishesThatChange(t *testing.T) {
	l := filled(t, 2, 1<<20, 0.02)
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		if err := l.Set(r.Uint64N(l.Len()), Status(r.IntN(4))); err != nil {
			t.Fatal(err)
		}
		packed := l.Pack()
		if fresh := newList(2, bytes.Clone(l.data)).Pack(); !bytes.Equal(packed, fresh) {
			t.Fatal("packing after a change differs from packing anew")
		}
		z, err := stdzlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(z); err != nil || !bytes.Equal(data, l.data) {
			t.Fatalf("the standard library reads another list: %v", err)
		}
	}
}

func TestACloneDoesNotFollowItsOriginal(t *testing.T) {
	l := filled(t, 2, 1000, 0.1)
	before := l.Pack()
	c := l.Clone()
	if err := l.Set(7, Suspended); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Pack(), before) || c.Equal(l) {
		t.Error("the clone changed")
	}
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
	return cose.SignDigest(testKey("impostor"), digest)
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

// Publishing one change in a list of 2^20 entries must take less than 5 ms, however
// many cards have ended.
func BenchmarkPublishOneChange(b *testing.B) {
	w := newWorld(b)
	for _, share := range []float64{0, 0.02, 0.2} {
		l := filled(b, 2, 1<<20, share)
		for _, f := range forms {
			b.Run(fmt.Sprintf("%s/ended=%g%%", f.name, share*100), func(b *testing.B) {
				token := testToken(b)
				token.List = l
				var size int
				i := uint64(0)
				for b.Loop() {
					i = (i*2654435761 + 1) % l.Len()
					if err := l.Set(i, Suspended); err != nil {
						b.Fatal(err)
					}
					signed, err := f.sign(token, w.signer)
					if err != nil {
						b.Fatal(err)
					}
					size = len(signed)
				}
				b.ReportMetric(float64(size), "bytes")
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	w := newWorld(b)
	token := testToken(b)
	token.List = filled(b, 2, 1<<20, 0.02)
	for _, f := range forms {
		signed, err := f.sign(token, w.signer)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := f.parse(signed, w.anchors, issuedAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	l := filled(b, 2, 1<<20, 0.02)
	i := uint64(0)
	for b.Loop() {
		i = (i*2654435761 + 1) % l.Len()
		if _, err := l.Get(i); err != nil {
			b.Fatal(err)
		}
	}
}
