package statuslist

import (
	"bytes"
	stdzlib "compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zlib"
)

func TestListsOfEveryWidthSurviveTheirPacking(t *testing.T) {
	for _, bits := range []int{1, 2, 4, 8} {
		l := filled(t, bits, 100_003, 0.2)
		got, err := Unpack(bits, l.Pack())
		if err != nil || !got.Equal(l) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

func TestEntriesDoNotTouchTheirNeighbours(t *testing.T) {
	for _, bits := range []int{1, 2, 4, 8} {
		l, err := New(bits, 64)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]Status, l.Len())
		r := rand.New(rand.NewPCG(2, 2))
		for range 2000 {
			i, s := r.Uint64N(l.Len()), Status(r.IntN(1<<bits))
			want[i] = s
			if err := l.Set(i, s); err != nil {
				t.Fatal(err)
			}
			for j := range want {
				if got, err := l.Get(uint64(j)); err != nil || got != want[j] {
					t.Fatalf("%d bits: status[%d] = %d, want %d, after status[%d] = %d", bits, j, got, want[j], i, s)
				}
			}
		}
	}
}

// The first byte of the two-bit example of §4.1: 0xc9 is 1, 2, 0, 3 from the right.
func TestEntriesRunFromTheLeastSignificantBit(t *testing.T) {
	l, err := New(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []Status{Invalid, Suspended, Valid, RenewalRequired} {
		if err := l.Set(uint64(i), s); err != nil {
			t.Fatal(err)
		}
	}
	if l.data[0] != 0xc9 {
		t.Errorf("%#x, want 0xc9", l.data[0])
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	l, err := New(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Set(4, Valid); !errors.Is(err, ErrIndex) {
		t.Errorf("Set beyond the end: %v", err)
	}
	if _, err := l.Get(4); !errors.Is(err, ErrIndex) {
		t.Errorf("Get beyond the end: %v", err)
	}
	if _, err := l.Get(1 << 63); !errors.Is(err, ErrIndex) {
		t.Errorf("Get far beyond the end: %v", err)
	}
	if err := l.Set(0, 4); err == nil {
		t.Error("4 fits in two bits")
	}
	for _, c := range []struct {
		bits int
		n    uint64
	}{{3, 8}, {0, 8}, {2, 0}, {8, MaxBytes + 1}, {2, 1 << 63}} {
		if _, err := New(c.bits, c.n); err == nil {
			t.Errorf("a list of %d entries of %d bits was made", c.n, c.bits)
		}
	}
}

func TestAListThatUnpacksTooFarIsRefused(t *testing.T) {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	for range MaxBytes/65536 + 1 {
		if _, err := w.Write(make([]byte, 65536)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	good := filled(t, 2, 100, 0.5).Pack()
	for name, packed := range map[string][]byte{
		"too far":                   bomb.Bytes(),
		"with bytes that follow":    append(bytes.Clone(good), 0),
		"cut off":                   good[:len(good)-1],
		"with a wrong check sum":    append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1),
		"of no bytes":               (newList(2, nil)).Pack(),
		"without the ZLIB envelope": good[2:],
	} {
		if _, err := Unpack(2, packed); err == nil {
			t.Errorf("a list %s was unpacked", name)
		}
	}
}

// After each change only the block that changed is packed; the whole must be the
// same as if the list were packed at once, for our reader and for the standard
// library's.
func TestRepublishingAfterAChangePublishesThatChange(t *testing.T) {
	l := filled(t, 2, 1<<20, 0.02)
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		if err := l.Set(r.Uint64N(l.Len()), Status(r.IntN(4))); err != nil {
			t.Fatal(err)
		}
		packed := l.Pack()
		if fresh := newList(2, bytes.Clone(l.data)).Pack(); !bytes.Equal(packed, fresh) {
			t.Fatal("packing after a change differs from packing anew")
		}
		z, err := stdzlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(z); err != nil || !bytes.Equal(data, l.data) {
			t.Fatalf("the standard library reads another list: %v", err)
		}
	}
}

func TestACloneDoesNotFollowItsOriginal(t *testing.T) {
	l := filled(t, 2, 1000, 0.1)
	before := l.Pack()
	c := l.Clone()
	if err := l.Set(7, Suspended); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Pack(), before) || c.Equal(l) {
		t.Error("the clone changed")
	}
}
