package places

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// ff1 is the format-preserving encryption FF1 of NIST SP 800-38G, section 6.2, on
// numeral strings of a fixed length whose halves are numbers of at most 32 bits. A
// string is handed in and out as the number that it is.
type ff1 struct {
	block cipher.Block
	// sizes are how many numbers the left and the right half have: radix^u, radix^v.
	sizes [2]uint64
	width int // bytes of a half in a block: b of the standard
	// first is what the cipher makes of P, which is always the same, exclusive or Q
	// without round and half: in two words, big endian.
	first [2]uint64
}

// maxBits keeps the halves within 32 bits, and so b within 4 bytes and d at 8.
const maxBits = 62

// rounds of the Feistel network.
const rounds = 10

func newFF1(block cipher.Block, radix uint64, length int, tweak []byte) (*ff1, error) {
	u := length / 2
	f := &ff1{block: block, sizes: [2]uint64{1, 1}}
	for i := range length {
		half := &f.sizes[min(1, i/max(u, 1))]
		if hi, lo := bits.Mul64(*half, radix); hi != 0 || lo > 1<<32 {
			return nil, fmt.Errorf("FF1: strings of %d digits to the base %d are too long", length, radix)
		} else {
			*half = lo
		}
	}
	f.width = (bits.Len64(f.sizes[1]-1) + 7) / 8
	if length < 2 || len(tweak)+1+f.width > 16 {
		return nil, fmt.Errorf("FF1: strings of %d digits with %d bytes of tweak are not provided for", length, len(tweak))
	}
	p := [16]byte{1, 2, 1, byte(radix >> 16), byte(radix >> 8), byte(radix), rounds, byte(u)}
	binary.BigEndian.PutUint32(p[8:], uint32(length))
	binary.BigEndian.PutUint32(p[12:], uint32(len(tweak)))
	block.Encrypt(p[:], p[:])
	for i, t := range tweak {
		p[i] ^= t
	}
	f.first = [2]uint64{binary.BigEndian.Uint64(p[:8]), binary.BigEndian.Uint64(p[8:])}
	return f, nil
}

// round is the number that the round adds to one half, from the other. The block is
// room to work in.
func (f *ff1) round(block *[16]byte, i int, half uint64) uint64 {
	binary.BigEndian.PutUint64(block[:8], f.first[0])
	binary.BigEndian.PutUint64(block[8:], f.first[1]^uint64(i)<<(8*f.width)^half)
	f.block.Encrypt(block[:], block[:])
	return binary.BigEndian.Uint64(block[:])
}

func (f *ff1) encrypt(x uint64) uint64 {
	block := new([16]byte)
	a, b := x/f.sizes[1], x%f.sizes[1]
	for i := range rounds {
		n := f.sizes[i%2]
		a, b = b, (a+f.round(block, i, b)%n)%n
	}
	return a*f.sizes[1] + b
}

func (f *ff1) decrypt(x uint64) uint64 {
	block := new([16]byte)
	a, b := x/f.sizes[1], x%f.sizes[1]
	for i := rounds - 1; i >= 0; i-- {
		n := f.sizes[i%2]
		a, b = (b+n-f.round(block, i, a)%n)%n, a
	}
	return a*f.sizes[1] + b
}
