package statuslist

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
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
