package sdjwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"testing"

	"rollcall.example/rollcall/reference/mdoc"
)

// BenchmarkFloorP256x2 is the least that Verify can cost: two signatures, the
// issuer's and the phone's.
func BenchmarkFloorP256x2(b *testing.B) {
	keys := []*ecdsa.PrivateKey{testKey("issuer"), testKey("phone")}
	var digests [256][sha256.Size]byte
	var signatures [256][]byte
	for i := range signatures {
		digests[i] = sha256.Sum256([]byte{byte(i)})
		var err error
		if signatures[i], err = keys[i%2].Sign(nil, digests[i][:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		for range 2 {
			if !ecdsa.VerifyASN1(&keys[i%2].PublicKey, digests[i][:], signatures[i]) {
				b.Fatal("floor")
			}
			i = (i + 1) % 256
		}
	}
}

// BenchmarkVerify checks presentations of ever new cards under a known signer.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	shown := make([]string, 256)
	for i := range shown {
		c := w.credential
		c.Status = &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: uint64(i)}
		card, err := Issue(w.signer, testRandom(fmt.Sprint(i)), c)
		if err != nil {
			b.Fatal(err)
		}
		w.card = card
		shown[i] = w.present(b, Path{"family_name"}, Path{"given_name"}, Path{"birthdate"}, Path{"age_equal_or_over", "19"})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := w.verify(shown[i%len(shown)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIssue signs a card of 23 claims.
func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	random := testRandom("issue")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Issue(w.signer, random, w.credential); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPresent shows four claims of a card.
func BenchmarkPresent(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		w.present(b, Path{"family_name"}, Path{"given_name"}, Path{"birthdate"}, Path{"age_equal_or_over", "19"})
	}
}
