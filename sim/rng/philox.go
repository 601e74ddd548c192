// Package rng gives counter-based random streams: every draw is a pure function
// of (seed, subject, purpose, occurrence), so one citizen's life can be computed
// alone, in any order, by any number of workers.
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random
// numbers: as easy as 1, 2, 3", SC11), checked against the known answers that
// Random123 publishes. The package knows nothing of citizens.
package rng

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Block is one output of the generator: four independent 32-bit words.
type Block [4]uint32

// Philox4x32 is the bijection with ten rounds.
func Philox4x32(c Block, key [2]uint32) Block {
	const (
		m0, m1 = 0xD2511F53, 0xCD9E8D57
		w0, w1 = 0x9E3779B9, 0xBB67AE85
	)
	k0, k1 := key[0], key[1]
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	for range 10 {
		h0, l0 := bits.Mul32(m0, c0)
		h1, l1 := bits.Mul32(m1, c2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		k0 += w0
		k1 += w1
	}
	return Block{c0, c1, c2, c3}
}

// Purpose says what a draw is for. The codes that a model uses are an explicit,
// append-only list, so that a new purpose never moves the draws of another.
type Purpose uint32

// Source is all the randomness of one seed.
type Source struct{ key [2]uint32 }

// New returns the source of a seed.
func New(seed uint64) Source { return Source{[2]uint32{uint32(seed), uint32(seed >> 32)}} }

// Draw returns the first block for a subject, a purpose and an occurrence.
func (s Source) Draw(subject uint32, p Purpose, occurrence uint32) Block {
	return Philox4x32(Block{subject, occurrence, uint32(p), 0}, s.key)
}

// Uniform maps a word to the open interval (0, 1).
func Uniform(w uint32) float64 { return (float64(w) + 0.5) * (1.0 / (1 << 32)) }

// Exp maps a word to an exponential variate of mean 1: −ln of Uniform, within
// 10^-11. A nation draws thousands of millions; math.Log was a fifth of a run.
func Exp(w uint32) float64 {
	x := math.Float64bits(float64(w) + 0.5)
	cell := &logs[x>>(52-logBits)&(1<<logBits-1)]
	m := math.Float64frombits(x&(1<<52-1) | 1023<<52) // 1 ≤ m < 2, x = m·2^e
	r := m*cell.inverse - 1                           // |r| < 2^-logBits
	e := int(x>>52) - 1023
	return float64(32-e)*math.Ln2 - cell.log - r*(1-r*(1.0/2-r*(1.0/3-r*(1.0/4))))
}

const logBits = 8

// logs are 1/c and ln c for the middles c of equal cells of [1, 2).
var logs = func() (t [1 << logBits]struct{ inverse, log float64 }) {
	for i := range t {
		c := 1 + (float64(i)+0.5)/(1<<logBits)
		t[i].inverse, t[i].log = 1/c, math.Log(c)
	}
	return t
}()

// Normal maps a word to a standard normal variate (by the quantile function).
func Normal(w uint32) float64 { return math.Sqrt2 * math.Erfinv(2*Uniform(w)-1) }

// Below says whether an event of probability p happens.
func Below(w uint32, p float64) bool { return Uniform(w) < p }

// Poisson maps a word to a Poisson variate of the given mean, by inversion; for
// means above 500 by the normal approximation with continuity correction, whose
// relative error there is below 0.1 %.
func Poisson(w uint32, mean float64) int {
	if mean <= 0 {
		return 0
	}
	if mean > 500 {
		return max(0, int(math.Floor(mean+math.Sqrt(mean)*Normal(w)+0.5)))
	}
	u := Uniform(w)
	p := math.Exp(-mean)
	sum := p
	k := 0
	for u > sum && k < 1000 {
		k++
		p *= mean / float64(k)
		sum += p
	}
	return k
}

// Stream is an endless sequence of words for one (subject, purpose,
// occurrence). It implements io.Reader and math/rand/v2.Source.
type Stream struct {
	src   Source
	ctr   Block
	block Block
	used  int
}

// Stream returns the sequence whose first block is Draw's.
func (s Source) Stream(subject uint32, p Purpose, occurrence uint32) *Stream {
	return &Stream{src: s, ctr: Block{subject, occurrence, uint32(p), 0}, used: 4}
}

// Uint32 returns the next word.
func (s *Stream) Uint32() uint32 {
	if s.used == 4 {
		s.block = Philox4x32(s.ctr, s.src.key)
		s.ctr[3]++
		s.used = 0
	}
	w := s.block[s.used]
	s.used++
	return w
}

// Uint64 returns the next two words.
func (s *Stream) Uint64() uint64 { return uint64(s.Uint32()) | uint64(s.Uint32())<<32 }

// Read fills p; it never fails.
func (s *Stream) Read(p []byte) (int, error) {
	var w [4]byte
	for i := 0; i < len(p); i += 4 {
		binary.LittleEndian.PutUint32(w[:], s.Uint32())
		copy(p[i:], w[:])
	}
	return len(p), nil
}
