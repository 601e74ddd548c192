package chaos

import (
	"bytes"
	"sync"
	"testing"

	"rollcall.example/rollcall/sim/oracle"
)

// here is the built-in world.
var here = sync.OnceValues(func() (*Place, error) { return NewPlace("") })

func place(t testing.TB) *Place {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// encoded is the history as bytes.
func encoded(t testing.TB, h *oracle.History) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := h.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSameSeedGivesTheSameHistoryToTheByte(t *testing.T) {
	var first []byte
	for range 2 {
		o, err := Run(t.Context(), place(t), Draw(place(t), 7, 150))
		if err != nil {
			t.Fatal(err)
		}
		b := encoded(t, o.History)
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			t.Error("another history")
		}
	}
}

func TestTheRealServiceKeepsItsPromises(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		o, err := Run(t.Context(), place(t), Draw(place(t), seed, Length))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range o.Verdict.Findings {
			t.Errorf("seed %d: %s: %s (citizen %s, sequence %d)", seed, f.Property, f.Sentence, f.Citizen, f.Sequence)
		}
		t.Log(o.Done, o.Verdict.ByProperty)
	}
}
