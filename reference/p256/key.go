package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"

	"filippo.io/nistec"
)

// settled is how many signatures of a Key are verified before it gets a table: that many
// pay for making one.
const settled = 16

// Key is the public key of somebody who signs often. Many goroutines may use it at once.
type Key struct {
	public *ecdsa.PublicKey
	asked  atomic.Uint32 // verifications, up to settled
	table  atomic.Pointer[table]
}

// NewKey takes a public key, which must be on P-256.
func NewKey(public *ecdsa.PublicKey) (*Key, error) {
	if public == nil || public.Curve != elliptic.P256() {
		return nil, errors.New("it is not a P-256 key")
	}
	return &Key{public: public}, nil
}

// Public returns the key as the standard library has it.
func (k *Key) Public() *ecdsa.PublicKey { return k.public }

// Verify checks r and s, 64 bytes, over a SHA-256 digest, as the function Verify does.
func (k *Key) Verify(digest, rs []byte) bool {
	if len(digest) != sha256.Size || len(rs) != SignatureSize {
		return false
	}
	if t := k.table.Load(); t != nil {
		return t.verify(digest, rs)
	}
	if k.asked.Add(1) == settled {
		if t := newTable(k.public); t != nil {
			k.table.Store(t)
		}
	}
	return Verify(k.public, digest, rs)
}

// A scalar is written in rows digits of window bits, each from -multiples to multiples.
const (
	window    = 6
	rows      = (256 + window) / window
	multiples = 1 << (window - 1)
)

// table holds the multiples 1 to 32 of 64^i times a point for each digit i of a scalar, so
// that a product is a sum of 43 of them at most, without doubling (fixed-base windowing;
// Handbook of Applied Cryptography, algorithm 14.109, with signed digits). It has 132 KB.
type table [rows][multiples]nistec.P256Point

// newTable returns nil if the key is no point.
func newTable(key *ecdsa.PublicKey) *table {
	encoded, err := key.Bytes()
	if err != nil {
		return nil
	}
	base, err := nistec.NewP256Point().SetBytes(encoded)
	if err != nil {
		return nil
	}
	t := new(table)
	for i := range t {
		row := &t[i]
		row[0].Set(base)
		for j := 1; j < multiples; j++ {
			row[j].Add(&row[j-1], base)
		}
		base.Double(&row[multiples-1])
	}
	return t
}

// addMultiple adds scalar times the table's point, scalar big-endian and below 2^256.
func (t *table) addMultiple(sum *nistec.P256Point, scalar *[32]byte) {
	var limbs [5]uint64 // the last is for the digit that reaches beyond
	for i := range 4 {
		limbs[i] = binary.BigEndian.Uint64(scalar[24-8*i:])
	}
	carry := 0
	var minus nistec.P256Point
	for i := range t {
		at, shift := i*window/64, uint(i*window%64)
		digit := carry + int((limbs[at]>>shift|limbs[at+1]<<(64-shift))&(1<<window-1))
		if carry = 0; digit > multiples {
			digit, carry = digit-2*multiples, 1
		}
		switch {
		case digit > 0:
			sum.Add(sum, &t[i][digit-1])
		case digit < 0:
			sum.Add(sum, minus.Negate(&t[i][-digit-1]))
		}
	}
}

var order = elliptic.P256().Params().N

// working is the room of one verification.
type working struct {
	r, s, u, v, q big.Int
	scalar        [32]byte
	sum           nistec.P256Point
}

var workings = sync.Pool{New: func() any { return new(working) }}

// verify is FIPS 186-5 §6.4.2: the point (e/s)G + (r/s)Q has r as its x, modulo the order.
func (t *table) verify(digest, rs []byte) bool {
	w := workings.Get().(*working)
	defer workings.Put(w)
	r, s := w.r.SetBytes(rs[:32]), w.s.SetBytes(rs[32:])
	if r.Sign() == 0 || r.Cmp(order) >= 0 || s.Sign() == 0 || s.Cmp(order) >= 0 {
		return false
	}
	s.ModInverse(s, order)
	w.times(w.u.SetBytes(digest), s)
	if _, err := w.sum.ScalarBaseMult(w.scalar[:]); err != nil {
		return false
	}
	w.times(r, s)
	t.addMultiple(&w.sum, &w.scalar)
	x, err := w.sum.BytesX()
	if err != nil { // the point at infinity
		return false
	}
	w.q.QuoRem(w.u.SetBytes(x), order, &w.v)
	return w.v.Cmp(r) == 0
}

// times leaves a·b modulo the order in scalar.
func (w *working) times(a, b *big.Int) {
	w.q.QuoRem(w.v.Mul(a, b), order, &w.u)
	w.u.FillBytes(w.scalar[:])
}
