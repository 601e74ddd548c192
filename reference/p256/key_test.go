package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
	"sync"
	"testing"

	"filippo.io/nistec"
	"pgregory.net/rapid"
)

// key is a private key that is the same each time.
func key(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func bytes32(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

// scalars are below the order: any, and those at which digits carry, are all the same, or
// are none.
func scalars() *rapid.Generator[*big.Int] {
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 32, 32), func(b []byte) *big.Int { return new(big.Int).Mod(new(big.Int).SetBytes(b), order) }),
		rapid.Map(rapid.Int64Range(0, 200), big.NewInt),
		rapid.Map(rapid.Int64Range(1, 200), func(n int64) *big.Int { return new(big.Int).Sub(order, big.NewInt(n)) }),
		rapid.Custom(func(t *rapid.T) *big.Int {
			digit, n := big.NewInt(rapid.Int64Range(0, 2*multiples-1).Draw(t, "digit")), new(big.Int)
			for range rows {
				n.Lsh(n, window).Or(n, digit)
			}
			return n.Mod(n, order)
		}),
		rapid.Map(rapid.UintRange(0, 255), func(bit uint) *big.Int { return new(big.Int).Mod(new(big.Int).Lsh(big.NewInt(1), bit), order) }),
	)
}

func TestATableMultipliesAsTheLibraryDoes(t *testing.T) {
	public := &key("issuer").PublicKey
	table := newTable(public)
	encoded, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	point, err := nistec.NewP256Point().SetBytes(encoded)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := bytes32(scalars().Draw(t, "scalar"))
		want, err := nistec.NewP256Point().ScalarMult(point, n)
		if err != nil {
			t.Fatal(err)
		}
		got := nistec.NewP256Point()
		table.addMultiple(got, (*[32]byte)(n))
		if got.Equal(want) != 1 {
			t.Fatalf("%x times the point is %x, not %x", n, got.Bytes(), want.Bytes())
		}
	})
}

// A signature can be made for any two multiples that its verification adds, of the
// generator and of the signer's point: r is the x of their sum.
func TestATableFindsWhatTheLibraryFinds(t *testing.T) {
	signer := key("issuer")
	d := new(big.Int).SetBytes(must(signer.Bytes()))
	table := newTable(&signer.PublicKey)
	rapid.Check(t, func(t *rapid.T) {
		ofGenerator, ofSigner := scalars().Draw(t, "of the generator"), scalars().Draw(t, "of the signer")
		if rapid.IntRange(0, 9).Draw(t, "meet") == 0 { // the sum is of two equal or of two opposite points
			ofGenerator = new(big.Int).Mul(ofSigner, d)
			if rapid.Bool().Draw(t, "opposite") {
				ofGenerator.Neg(ofGenerator)
			}
			ofGenerator.Mod(ofGenerator, order)
		}
		sum := new(big.Int).Mul(ofSigner, d)
		sum.Mod(sum.Add(sum, ofGenerator), order)
		r, s, e := big.NewInt(1), big.NewInt(1), new(big.Int)
		if sum.Sign() != 0 {
			x, err := must(nistec.NewP256Point().ScalarBaseMult(bytes32(sum))).BytesX()
			if err != nil {
				t.Fatal(err)
			}
			r.Mod(new(big.Int).SetBytes(x), order)
		}
		if ofSigner.Sign() != 0 {
			s.Mul(r, new(big.Int).ModInverse(ofSigner, order))
			s.Mod(s, order)
		}
		e.Mod(e.Mul(ofGenerator, s), order)
		digest, rs := bytes32(e), append(bytes32(r), bytes32(s)...)
		good := sum.Sign() != 0 && ofSigner.Sign() != 0
		if got := Verify(&signer.PublicKey, digest, rs); got != good {
			t.Fatalf("the library: digest %x, signature %x: %v, want %v", digest, rs, got, good)
		}
		if got := table.verify(digest, rs); got != good {
			t.Fatalf("the table: digest %x, signature %x: %v, want %v", digest, rs, got, good)
		}
		// Any bit of it is another.
		bit := rapid.IntRange(0, 8*(len(digest)+len(rs))-1).Draw(t, "bit")
		if bit < 256 {
			digest[bit/8] ^= 1 << (bit % 8)
		} else {
			rs[bit/8-32] ^= 1 << (bit % 8)
		}
		if got, want := table.verify(digest, rs), Verify(&signer.PublicKey, digest, rs); got != want {
			t.Fatalf("digest %x, signature %x: the table says %v, the library %v", digest, rs, got, want)
		}
	})
}

// A digest is not below the order by itself.
func TestADigestAboveTheOrderIsTakenModuloIt(t *testing.T) {
	signer := key("issuer")
	above := slices.Repeat([]byte{0xff}, 32)
	rs := must(Sign(signer, above))
	less := bytes32(new(big.Int).Mod(new(big.Int).SetBytes(above), order))
	for way, verify := range ways {
		for _, digest := range [][]byte{above, less} {
			if !verify(&signer.PublicKey, digest, rs) {
				t.Errorf("%s: %x refused", way, digest)
			}
		}
	}
}

func TestAKeySaysTheSameBeforeAndAfterItHasATable(t *testing.T) {
	signer, other := key("issuer"), key("other")
	k := known(&signer.PublicKey)
	for i := range 3 * settled {
		digest := sha256.Sum256(binary.AppendUvarint(nil, uint64(i)))
		if !k.Verify(digest[:], must(Sign(signer, digest[:]))) {
			t.Errorf("signature %d refused", i+1)
		}
		if k.Verify(digest[:], must(Sign(other, digest[:]))) {
			t.Errorf("signature %d by another key accepted", i+1)
		}
		if has := k.table.Load() != nil; has != (2*(i+1) >= settled) {
			t.Errorf("after %d signatures it has a table: %v", 2*(i+1), has)
		}
	}
}

// What is another text for the same numbers is no signature.
func TestNumbersAreWrittenInOneWay(t *testing.T) {
	signer := key("issuer")
	zeros := make([]byte, 33)
	rs := must(Sign(signer, zeros[:32]))
	// A signature whose s is small: s and the order in its place are the same number, modulo
	// the order, and have room in 32 bytes.
	k, s, d := big.NewInt(12345), big.NewInt(7), new(big.Int).SetBytes(must(signer.Bytes()))
	x, err := must(nistec.NewP256Point().ScalarBaseMult(bytes32(k))).BytesX()
	if err != nil {
		t.Fatal(err)
	}
	r := new(big.Int).Mod(new(big.Int).SetBytes(x), order)
	e := new(big.Int).Mul(k, s)
	e.Mod(e.Sub(e, new(big.Int).Mul(r, d)), order)
	small, large := append(bytes32(r), bytes32(s)...), append(bytes32(r), bytes32(new(big.Int).Add(s, order))...)
	for way, verify := range ways {
		for _, c := range []struct {
			what       string
			digest, rs []byte
			good       bool
		}{
			{"as it is", zeros[:32], rs, true}, {"a digest of 31 bytes", zeros[:31], rs, false}, {"a digest of 33 bytes", zeros, rs, false},
			{"63 bytes", zeros[:32], rs[:63], false}, {"65 bytes", zeros[:32], append(slices.Clone(rs), 0), false}, {"none", zeros[:32], nil, false},
			{"a small s", bytes32(e), small, true}, {"a small s and the order", bytes32(e), large, false},
		} {
			if got := verify(&signer.PublicKey, c.digest, c.rs); got != c.good {
				t.Errorf("%s, %s: %v", way, c.what, got)
			}
		}
	}
}

func TestAKeyIsUsedByMany(t *testing.T) {
	signer := key("issuer")
	digest := sha256.Sum256([]byte("payload"))
	rs := must(Sign(signer, digest[:]))
	wrong := slices.Clone(rs)
	wrong[63] ^= 1
	k := known(&signer.PublicKey)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2 * settled {
				if !k.Verify(digest[:], rs) || k.Verify(digest[:], wrong) {
					t.Error("told wrong")
				}
			}
		})
	}
	all.Wait()
}

func TestAKeyOfAnotherCurveIsNone(t *testing.T) {
	d := sha256.Sum256([]byte("x"))
	other, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), append(make([]byte, 16), d[:]...))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*ecdsa.PublicKey{nil, &other.PublicKey} {
		if _, err := NewKey(k); err == nil {
			t.Errorf("%v was taken", k)
		}
	}
	if Verify(&other.PublicKey, d[:], make([]byte, 64)) {
		t.Error("a signature by it was accepted")
	}
}

// FuzzKey holds the table against the standard library.
func FuzzKey(f *testing.F) {
	for _, name := range []string{"a", "b"} {
		digest := sha256.Sum256([]byte(name))
		f.Add(name, digest[:], must(Sign(key(name), digest[:])))
	}
	f.Add("a", make([]byte, 32), make([]byte, 64))
	f.Add("a", bytes32(order), append(bytes32(big.NewInt(1)), bytes32(new(big.Int).Sub(order, big.NewInt(1)))...))
	f.Fuzz(func(t *testing.T, name string, digest, rs []byte) {
		public := &key(name).PublicKey
		k := known(public)
		if len(name)%2 == 0 { // by a signature of this key, which what is mutated alone never is
			if own := must(Sign(key(name), digest32(digest))); !settledKey(public).Verify(digest32(digest), own) {
				t.Errorf("%x by %q refused: %x", digest, name, own)
			}
		}
		want := len(digest) == 32 && Verify(public, digest, rs)
		if got := k.Verify(digest, rs); got != want {
			t.Errorf("new: %v, the library %v", got, want)
		}
		if got := settledKey(public).Verify(digest, rs); got != want {
			t.Errorf("settled: %v, the library %v", got, want)
		}
	})
}

func digest32(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func settledKey(public *ecdsa.PublicKey) *Key {
	k := known(public)
	k.table.Store(newTable(public))
	return k
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What a verification with a table leaves to the garbage collector: math/big's inverse.
func TestAllocationsOfAVerificationWithATable(t *testing.T) {
	signer := key("issuer")
	k := settledKey(&signer.PublicKey)
	digest := sha256.Sum256([]byte("payload"))
	rs := must(Sign(signer, digest[:]))
	const may = 10
	if n := testing.AllocsPerRun(200, func() { k.Verify(digest[:], rs) }); n > may {
		t.Errorf("%.0f allocations, stated are %d", n, may)
	} else {
		t.Logf("%.0f allocations", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	signer := key("issuer")
	digest := sha256.Sum256([]byte("payload"))
	rs := must(Sign(signer, digest[:]))
	for name, verify := range map[string]func(digest, rs []byte) bool{
		"once":         func(digest, rs []byte) bool { return Verify(&signer.PublicKey, digest, rs) },
		"with a table": settledKey(&signer.PublicKey).Verify,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !verify(digest[:], rs) {
					b.Fatal("refused")
				}
			}
		})
	}
	b.Run("making a table", func(b *testing.B) {
		for b.Loop() {
			newTable(&signer.PublicKey)
		}
	})
}
