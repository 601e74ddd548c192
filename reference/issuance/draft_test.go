package issuance

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
)

// listed is a register that is asked for nothing but free places.
type listed struct {
	store.Reader
	lists []store.List
	taken func(list uint32, index uint64) bool
	asked int
}

func (l *listed) Lists() ([]store.List, error) { return l.lists, nil }

func (l *listed) Free(list uint32, indices []uint64) (bool, error) {
	l.asked++
	for _, i := range indices {
		if l.taken != nil && l.taken(list, i) {
			return false, nil
		}
	}
	return true, nil
}

func list(t *testing.T, number uint32, secret byte, allotted uint64) (store.List, places.Order) {
	t.Helper()
	l := store.List{Number: number, Size: 1 << 12, Allotted: allotted}
	if secret != 0 {
		l.Secret = bytes.Repeat([]byte{secret}, places.SecretSize)
	}
	o, err := places.New(l.Secret, l.Size)
	if err != nil {
		t.Fatal(err)
	}
	return l, o
}

// drawn are ten places that were drawn, each free and each another.
func drawn(t *testing.T, r *listed, random *rand.Rand) (list uint32, indices []uint64) {
	t.Helper()
	copies, err := draw(r, 10, random)
	if err != nil || len(copies) != 10 {
		t.Fatal(copies, err)
	}
	seen := map[audit.Copy]bool{}
	for _, c := range copies {
		if c.List != copies[0].List || seen[c] || r.taken != nil && r.taken(c.List, c.Index) {
			t.Fatalf("%+v among %v", c, copies)
		}
		seen[c] = true
		indices = append(indices, c.Index)
	}
	return copies[0].List, indices
}

// beside counts the pairs of indices that follow each other.
func beside(indices []uint64) (n int) {
	for _, a := range indices {
		for _, b := range indices {
			if a+1 == b {
				n++
			}
		}
	}
	return n
}

func TestTheCopiesOfACardAreNeighboursToWhoHasTheSecretAndToNobodyElse(t *testing.T) {
	l, order := list(t, 0, 1, 0)
	r, random, next := &listed{lists: []store.List{l}}, rand.New(rand.NewPCG(1, 2)), 0
	begins := map[uint64]bool{}
	for range 200 {
		_, indices := drawn(t, r, random)
		runs, err := order.Runs(indices)
		if err != nil || len(runs) != 1 || runs[0].First%10 != 0 {
			t.Fatalf("%v: %v, %v", indices, runs, err)
		}
		begins[runs[0].First] = true
		next += beside(indices)
	}
	if r.asked != 200 {
		t.Errorf("the register was asked %d times for 200 cards", r.asked)
	}
	if len(begins) < 130 { // of 200 draws among 409, 158 differ
		t.Errorf("the runs begin at %d positions only", len(begins))
	}
	if next > 15 { // 90 pairs of 4096 indices are neighbours once in 45: 4.4 of 200
		t.Errorf("%d of the copies of 200 cards are neighbours in the list", next)
	}
}

func TestWhereNoRunIsLongEnoughShorterOnesAreTaken(t *testing.T) {
	l, order := list(t, 0, 1, 0)
	for what, free := range map[string]uint64{"single places": 1, "pairs": 2, "runs of five": 5} {
		taken := func(_ uint32, index uint64) bool { return order.Position(index)%(4*free) >= free }
		r := &listed{lists: []store.List{l}, taken: taken}
		for seed := range uint64(20) {
			_, indices := drawn(t, r, rand.New(rand.NewPCG(seed, 1)))
			// By this order it is known later which are for which format.
			if !slices.IsSortedFunc(indices, func(a, b uint64) int { return cmp.Compare(order.Position(a), order.Position(b)) }) {
				t.Errorf("only %s are free: the places are not in the order of their list", what)
			}
		}
		if r.asked > 20*400 {
			t.Errorf("only %s are free: the register was asked %d times for 20 cards", what, r.asked)
		}
	}
}

func TestWithoutASecretEveryPlaceIsDrawnByItself(t *testing.T) {
	l, _ := list(t, 0, 0, 0)
	r, random, next := &listed{lists: []store.List{l}}, rand.New(rand.NewPCG(1, 2)), 0
	for range 200 {
		_, indices := drawn(t, r, random)
		next += beside(indices)
	}
	if next > 15 {
		t.Errorf("%d of the copies of 200 cards are neighbours in the list", next)
	}
}

func TestAListIsFilledToThreeQuarters(t *testing.T) {
	full, _ := list(t, 0, 1, 3<<10-9)
	second, _ := list(t, 1, 2, 3<<10-10)
	random := rand.New(rand.NewPCG(1, 2))
	if n, _ := drawn(t, &listed{lists: []store.List{full, second}}, random); n != 1 {
		t.Errorf("ten places in list %d", n)
	}
	if copies, err := draw(&listed{lists: []store.List{full}}, 10, random); err == nil {
		t.Errorf("in a full list: %v", copies)
	}
}
