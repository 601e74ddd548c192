package places_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"rollcall.example/rollcall/reference/places"
)

func order(t testing.TB, secret byte, size uint64) places.Order {
	t.Helper()
	var s []byte
	if secret != 0 {
		s = make([]byte, places.SecretSize)
		s[0] = secret
	}
	o, err := places.New(s, size)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestEveryPlaceStandsAtOnePositionAndComesBackFromIt(t *testing.T) {
	for _, size := range []uint64{1, 2, 3, 32, 80, 1000, 1 << 12, 1<<12 + 1, 100_000} {
		for secret := range byte(3) {
			o, seen := order(t, secret, size), make([]bool, size)
			for n := range size {
				i := o.At(n)
				if i >= size || seen[i] || o.Position(i) != n {
					t.Fatalf("size %d, secret %d: position %d has the index %d, of position %d", size, secret, n, i, o.Position(i))
				}
				seen[i] = true
			}
		}
	}
}

func TestOneIndexSaysNothingOfItsNeighbours(t *testing.T) {
	// Differences of neighbours fall evenly into 64 classes, as those of numbers drawn
	// at random do: chi-squared with 63 degrees of freedom is beyond 120 once in 50,000.
	const size, classes, pairs = 1 << 20, 64, 1 << 16
	for _, apart := range []uint64{1, 2, 9, 10, 64} {
		o := order(t, 7, size)
		var counts [classes]float64
		for n := range uint64(pairs) {
			d := (o.At(n+apart) - o.At(n)) % size
			counts[d*classes/size]++
		}
		chi := 0.0
		for _, c := range counts {
			chi += (c - pairs/classes) * (c - pairs/classes) / (pairs / classes)
		}
		if chi > 120 || math.IsNaN(chi) {
			t.Errorf("positions %d apart: chi-squared %.0f", apart, chi)
		}
	}
}

func TestEverySecretHasAnOrderOfItsOwn(t *testing.T) {
	const size = 1 << 20
	a, b := order(t, 1, size), order(t, 2, size)
	same := 0
	for n := range uint64(10_000) {
		if a.At(n) == b.At(n) {
			same++
		}
	}
	if same > 2 { // 0.01 are expected
		t.Errorf("%d of 10,000 positions have the same index under two secrets", same)
	}
}

func TestWithoutASecretTheOrderIsThatOfTheIndices(t *testing.T) {
	o := order(t, 0, 10)
	runs, err := o.Runs([]uint64{4, 9, 3, 5, 0})
	if want := []places.Run{{0, 1}, {3, 3}, {9, 1}}; err != nil || !reflect.DeepEqual(runs, want) {
		t.Errorf("%v, %v; want %v", runs, err, want)
	}
}

func TestTheIndicesOfARunAreOneRunInWhateverOrderTheyCome(t *testing.T) {
	o, run := order(t, 3, 1000), places.Run{First: 980, Length: 10}
	indices := o.Indices(run)
	indices[2], indices[7] = indices[7], indices[2]
	if runs, err := o.Runs(indices); err != nil || !reflect.DeepEqual(runs, []places.Run{run}) {
		t.Errorf("%v, %v", runs, err)
	}
	indices[0] = o.At(500)
	if runs, err := o.Runs(indices); err != nil || !reflect.DeepEqual(runs, []places.Run{{500, 1}, {981, 9}}) {
		t.Errorf("one elsewhere: %v, %v", runs, err)
	}
	if runs, err := o.Runs([]uint64{indices[3], indices[4], indices[3]}); err == nil {
		t.Errorf("an index twice: %v", runs)
	}
	if _, err := o.Runs([]uint64{1000}); !errors.Is(err, places.ErrBeyond) {
		t.Errorf("the index after the last: %v", err)
	}
}

func TestAnOrderThatCannotBeIsRefused(t *testing.T) {
	for what, make := range map[string]func() (places.Order, error){
		"short secret": func() (places.Order, error) { return places.New([]byte("short"), 64) },
		"no places":    func() (places.Order, error) { return places.New(make([]byte, places.SecretSize), 0) },
		"huge list":    func() (places.Order, error) { return places.New(make([]byte, places.SecretSize), 1<<62+1) },
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

func BenchmarkPosition(b *testing.B) {
	o := order(b, 1, 1<<20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o.Position(uint64(i) % (1 << 20))
	}
}
