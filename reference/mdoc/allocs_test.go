//go:build !race

package mdoc

import (
	"fmt"
	"testing"
)

// Allocations that a verification may make, with those of the two signatures (ten
// each) and of the four elements that it hands out. docs/speed.md states them; the race
// detector makes more, so this is not built with it.
const (
	allocsKnownSigner = 51
	allocsSeenCard    = 26
)

func TestAVerificationAllocatesNoMoreThanIsStated(t *testing.T) {
	w := newWorld(t)
	const runs = 200
	fresh := make([][]byte, runs+2)
	for i := range fresh {
		card, err := Issue(w.signer, testRandom(fmt.Sprint(i)), &w.phone.PublicKey, w.elements, cardFor3, &StatusRef{"https://rollcall.example/status/1", uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		if fresh[i], err = Present(card, shown, w.transcript, w.phone); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	next := func() []byte { i++; return fresh[i-1] }
	verify := func(which func() []byte) func() {
		return func() {
			if _, err := Verify(which(), w.transcript, w.anchors, w.at); err != nil {
				t.Fatal(err)
			}
		}
	}
	verify(next)() // the signer is known from now on
	for _, c := range []struct {
		what string
		may  float64
		run  func()
	}{
		{"an ever new card of a known signer", allocsKnownSigner, verify(next)},
		{"a card that was seen", allocsSeenCard, verify(func() []byte { return fresh[0] })},
	} {
		if n := testing.AllocsPerRun(runs, c.run); n > c.may {
			t.Errorf("%s: %.0f allocations, stated are %.0f", c.what, n, c.may)
		} else {
			t.Logf("%s: %.0f allocations", c.what, n)
		}
	}
}
