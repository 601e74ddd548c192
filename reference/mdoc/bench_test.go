package mdoc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"testing"
)

// BenchmarkFloorP256x2 is the least that Verify can cost: two signatures, the
// issuer's and the phone's.
func BenchmarkFloorP256x2(b *testing.B) { floor(b, 2) }

// BenchmarkFloorP256 is the least for an issuer's signature seen before.
func BenchmarkFloorP256(b *testing.B) { floor(b, 1) }

// floor verifies n signatures by different keys, ever new ones as a verifier sees.
func floor(b *testing.B, n int) {
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
		for range n {
			if !ecdsa.VerifyASN1(&keys[i%2].PublicKey, digests[i][:], signatures[i]) {
				b.Fatal("floor")
			}
			i = (i + 1) % 256
		}
	}
}

var shown = []string{"family_name", "given_name", "birth_date", "age_over_19"}

// BenchmarkVerify checks presentations of ever new cards under a known signer; it
// must stay within 1.1 × BenchmarkFloorP256x2.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	cards := make([][]byte, 256)
	for i := range cards {
		card, err := Issue(w.signer, testRandom(fmt.Sprint(i)), &w.phone.PublicKey, w.elements, cardFor3, &StatusRef{"https://rollcall.example/status/1", uint64(i)})
		if err != nil {
			b.Fatal(err)
		}
		if cards[i], err = Present(card, shown, w.transcript, w.phone); err != nil {
			b.Fatal(err)
		}
	}
	w.anchors.objects.Limit = 64 // nothing is remembered of the cards
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := Verify(cards[i%len(cards)], w.transcript, w.anchors, w.at); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifySeen checks presentations of a card seen before; it must stay
// within 1.2 × BenchmarkFloorP256.
func BenchmarkVerifySeen(b *testing.B) {
	w := newWorld(b)
	response := w.present(b, shown...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(response, w.transcript, w.anchors, w.at); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIssue signs a card of 23 elements.
func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	random := testRandom("issue")
	for b.Loop() {
		if _, err := Issue(w.signer, random, &w.phone.PublicKey, w.elements, cardFor3, &StatusRef{"https://rollcall.example/status/1", 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPresent(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		w.present(b, shown...)
	}
}
