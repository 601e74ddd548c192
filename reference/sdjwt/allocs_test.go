//go:build !race

package sdjwt

import (
	"fmt"
	"testing"

	"rollcall.example/rollcall/reference/mdoc"
)

// Allocations that a verification may make, with those of the two signatures (ten
// each), of the phone's key and of the claims that it hands out. docs/speed.md states
// them; the race detector makes more, so this is not built with it.
const allocsKnownSigner = 138

func TestAVerificationAllocatesNoMoreThanIsStated(t *testing.T) {
	w := newWorld(t)
	const runs = 200
	fresh := make([]string, runs+2)
	for i := range fresh {
		c := w.credential
		c.Status = &mdoc.StatusRef{URI: "https://rollcall.example/status/1", Index: uint64(i)}
		card, err := Issue(w.signer, testRandom(fmt.Sprint(i)), c)
		if err != nil {
			t.Fatal(err)
		}
		w.card = card
		fresh[i] = w.present(t, Path{"family_name"}, Path{"given_name"}, Path{"birthdate"}, Path{"age_equal_or_over", "19"})
	}
	i := 0
	verify := func() {
		if _, err := w.verify(fresh[i]); err != nil {
			t.Fatal(err)
		}
		i++
	}
	verify() // the signer is known from now on
	if n := testing.AllocsPerRun(runs, verify); n > allocsKnownSigner {
		t.Errorf("%.0f allocations, stated are %d", n, allocsKnownSigner)
	} else {
		t.Logf("%.0f allocations", n)
	}
}
