package statuslist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

// Status is the state of one card (§7.1).
type Status uint8

// The registered values; two bits hold all four.
const (
	Valid           Status = 0
	Invalid         Status = 1 // ended for good
	Suspended       Status = 2 // ended for now
	RenewalRequired Status = 3 // to be issued again; the data have changed
)

// String is the status as a word: "renewal-required".
func (s Status) String() string {
	switch s {
	case Valid:
		return "valid"
	case Invalid:
		return "invalid"
	case Suspended:
		return "suspended"
	case RenewalRequired:
		return "renewal-required"
	}
	return fmt.Sprintf("status-%d", uint8(s))
}

// MaxBytes is the largest list, unpacked: 16 million entries of 2 bits.
const MaxBytes = 4 << 20

// ErrIndex: the list has no such index.
var ErrIndex = errors.New("the status list has no such index")

// List is an array of statuses, packed from the least significant bit of each
// byte (§4.1). It may be read, packed and signed by many goroutines at once, or
// changed by one.
type List struct {
	bits uint8
	data []byte

	mu     sync.Mutex
	packed [][]byte // by block of data, as DEFLATE; nil: changed since
}

// New makes a list of n entries, all Valid; bits is 1, 2, 4 or 8. A list ends at
// a whole byte, so that it may hold a few more.
func New(bits int, n uint64) (*List, error) {
	if err := checkBits(bits); err != nil {
		return nil, err
	}
	if n == 0 || n > MaxBytes*8/uint64(bits) {
		return nil, fmt.Errorf("a status list of %d bits has 1 to %d entries, not %d", bits, MaxBytes*8/bits, n)
	}
	return newList(bits, make([]byte, (n*uint64(bits)+7)/8)), nil
}

func newList(bits int, data []byte) *List {
	return &List{bits: uint8(bits), data: data, packed: make([][]byte, (len(data)+blockSize-1)/blockSize)}
}

func checkBits(bits int) error {
	switch bits {
	case 1, 2, 4, 8:
		return nil
	}
	return fmt.Errorf("a status has 1, 2, 4 or 8 bits, not %d", bits)
}

// Bits is the size of one entry.
func (l *List) Bits() int { return int(l.bits) }

// Len is the number of entries.
func (l *List) Len() uint64 { return uint64(len(l.data)) * 8 / uint64(l.bits) }

// Get returns the status at an index.
func (l *List) Get(index uint64) (Status, error) {
	if index >= l.Len() {
		return 0, fmt.Errorf("%w: %d of %d", ErrIndex, index, l.Len())
	}
	bit := index * uint64(l.bits)
	return Status(l.data[bit/8] >> (bit % 8) & l.mask()), nil
}

// Set changes the status at an index.
func (l *List) Set(index uint64, s Status) error {
	if index >= l.Len() {
		return fmt.Errorf("%w: %d of %d", ErrIndex, index, l.Len())
	}
	if uint8(s) > l.mask() {
		return fmt.Errorf("%s does not fit in %d bits", s, l.bits)
	}
	bit := index * uint64(l.bits)
	b := &l.data[bit/8]
	*b = *b&^(l.mask()<<(bit%8)) | uint8(s)<<(bit%8)
	l.packed[bit/8/blockSize] = nil
	return nil
}

func (l *List) mask() uint8 { return 0xff >> (8 - l.bits) }

// Clone returns a copy, for a publisher to work on while the list changes.
func (l *List) Clone() *List {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &List{bits: l.bits, data: bytes.Clone(l.data), packed: slices.Clone(l.packed)}
}

// Equal says whether two lists hold the same.
func (l *List) Equal(o *List) bool { return l.bits == o.bits && bytes.Equal(l.data, o.data) }

const (
	// compressionLevel: at 6 a list of 2^20 entries packs in milliseconds; the
	// standard library at 9 takes a hundred times as long to save a sixth.
	compressionLevel = 6
	// blockSize is how much is packed anew after one change. Every block stands for
	// itself in the DEFLATE stream; that costs a list with 2 % ended about a
	// hundredth of its size.
	blockSize = 32 << 10
)

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, compressionLevel)
	if err != nil {
		panic(err)
	}
	return w
}}

// Pack compresses the list (§4.1: DEFLATE in the ZLIB format, RFC 1950). Only the
// blocks that changed since the last time are compressed anew.
func (l *List) Pack() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for i := range l.packed {
		if l.packed[i] == nil {
			l.packed[i] = packBlock(l.data[i*blockSize : min((i+1)*blockSize, len(l.data))])
		}
		size += len(l.packed[i])
	}
	b := append(make([]byte, 0, size+8), 0x78, 0x9c) // DEFLATE, window of 32 KiB, default level
	for _, block := range l.packed {
		b = append(b, block...)
	}
	b = append(b, 0x03, 0x00) // an empty block that is the last
	return binary.BigEndian.AppendUint32(b, adler32.Checksum(l.data))
}

// packBlock compresses a block without reference to what stands before it, and
// ends it at a whole byte, so that blocks may be joined (RFC 1951 §3.2.4).
func packBlock(block []byte) []byte {
	var b bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	// A bytes.Buffer does not fail.
	_, _ = w.Write(block)
	_ = w.Flush()
	return b.Bytes()
}

// Unpack reads what Pack or another issuer wrote.
func Unpack(bits int, packed []byte) (*List, error) {
	if err := checkBits(bits); err != nil {
		return nil, err
	}
	in := bytes.NewReader(packed)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("the list is not ZLIB: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the list does not unpack: %w", err)
	case len(data) > MaxBytes:
		return nil, fmt.Errorf("the list unpacks to more than %d bytes", MaxBytes)
	case len(data) == 0:
		return nil, errors.New("the list is empty")
	case in.Len() > 0:
		return nil, fmt.Errorf("%d bytes follow the list", in.Len())
	}
	return newList(bits, data), nil
}
