// Package places puts the places of a status list into an order of its own, in which
// a mobile card's copies stand beside each other: who has the list's secret can keep
// them as one run, and to everybody else their indices are ten numbers drawn at
// random (draft-ietf-oauth-status-list, Privacy Considerations, Unlinkability).
//
// The order is a permutation keyed by the secret: FF1 of NIST SP 800-38G with AES-128
// on the bits of an index, applied again until the number is one of the list (cycle
// walking). Revision 1 of the standard wants a domain of at least a million; a list
// has 2^20 places if its operator does not say otherwise. Smaller ones serve tests:
// the attacks on small domains need positions in the order, and nobody outside is ever
// told one, since the service draws where a run begins.
//
// It keeps nothing, and does not know what stands at a place.
package places

import (
	"cmp"
	"crypto/aes"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// SecretSize is the length of a list's secret in bytes.
const SecretSize = 16

// Order is the order of one list's places. It may be used by several at once.
type Order struct {
	size uint64
	ff1  *ff1 // nil: that of the indices
}

// New is the order of a list of size places that goes with the secret; without one
// the order is that of the indices, as in lists that were opened before there were
// secrets.
func New(secret []byte, size uint64) (Order, error) {
	o := Order{size: size}
	if len(secret) == 0 {
		return o, nil
	}
	if len(secret) != SecretSize {
		return o, fmt.Errorf("the secret of a status list has %d bytes and should have %d", len(secret), SecretSize)
	}
	if size == 0 || size > 1<<maxBits {
		return o, fmt.Errorf("a status list of %d places has no order: it may have 1 to 2^%d", size, maxBits)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return o, err
	}
	o.ff1, err = newFF1(block, 2, max(2, bits.Len64(size-1)), nil)
	return o, err
}

// ErrBeyond says that a list has no such place.
var ErrBeyond = errors.New("the status list has no such place")

// At is the index of the place at a position, which is less than the size.
func (o Order) At(position uint64) uint64 { return o.walk(position, (*ff1).encrypt) }

// Position is where the place with that index stands, which is less than the size.
func (o Order) Position(index uint64) uint64 { return o.walk(index, (*ff1).decrypt) }

// walk steps until it is back among the places of the list: it began there, so it
// comes back.
func (o Order) walk(x uint64, step func(*ff1, uint64) uint64) uint64 {
	if o.ff1 == nil {
		return x
	}
	for x = step(o.ff1, x); x >= o.size; x = step(o.ff1, x) {
	}
	return x
}

// Run is some places that follow each other in the order.
type Run struct{ First, Length uint64 }

// Indices are those of the run's places, in the order.
func (o Order) Indices(r Run) []uint64 {
	indices := make([]uint64, r.Length)
	for i := range indices {
		indices[i] = o.At(r.First + uint64(i))
	}
	return indices
}

// Runs are the longest runs that hold the places with these indices, each once, by
// their first positions. An index that comes twice is an error, and one that the list
// does not have is ErrBeyond.
func (o Order) Runs(indices []uint64) ([]Run, error) {
	runs := make([]Run, len(indices))
	for i, index := range indices {
		if index >= o.size {
			return nil, fmt.Errorf("%w: index %d of %d", ErrBeyond, index, o.size)
		}
		runs[i] = Run{o.Position(index), 1}
	}
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Compare(a.First, b.First) })
	out := runs[:0]
	for _, r := range runs {
		if last := len(out) - 1; last >= 0 && r.First < out[last].First+out[last].Length {
			return nil, fmt.Errorf("the index %d comes twice", o.At(r.First))
		} else if last >= 0 && r.First == out[last].First+out[last].Length {
			out[last].Length++
		} else {
			out = append(out, r)
		}
	}
	return out, nil
}
