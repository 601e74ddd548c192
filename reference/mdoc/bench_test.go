package mdoc

import (
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

func floor(b *testing.B, n int) {
	key := testKey("floor")
	digest := sha256.Sum256([]byte("floor"))
	sig, err := ecdsa.SignASN1(nil, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for range n {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
				b.Fatal("floor")
			}
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
	w.anchors.objects.limit = 1 // nothing is remembered of the cards
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
