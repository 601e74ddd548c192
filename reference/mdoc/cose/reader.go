package cose

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Major types of CBOR (RFC 8949 §3.1).
const (
	uintType = iota
	negType
	bytesType
	textType
	arrayType
	mapType
	tagType
	simpleType
)

// Reader walks over encoded items without copying or allocating: the parts of a
// presentation that are read at every verification are read with it (a map of
// digests read by reflection alone costs as much as a tenth of a signature).
//
// The first error sticks; what is returned after it is zero. Call End at last.
type Reader struct {
	data []byte
	pos  int
	err  error
	// The keys of the maps that are open, the innermost last: a key must not come
	// twice in its map. Maps are small: the first lie in the reader itself, which
	// points to nothing within itself, or else it could not live on the stack.
	keys int
	room [16]span
	more []span
}

// span is a part of data.
type span struct{ from, to uint32 }

// NewReader reads data, which must be shorter than 4 GiB.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Reset begins anew with other data.
func (r *Reader) Reset(data []byte) {
	r.data, r.pos, r.err, r.keys = data, 0, nil, 0
}

// Err is the first error.
func (r *Reader) Err() error { return r.err }

// End returns the first error, or one if bytes are left.
func (r *Reader) End() error {
	if r.err == nil && r.pos != len(r.data) {
		r.Fail("%d bytes follow the item", len(r.data)-r.pos)
	}
	return r.err
}

// Fail stops reading with a sentence about this place, unless it has stopped.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("CBOR at byte %d: "+format, append([]any{r.pos}, args...)...)
	}
}

var errShort = errors.New("CBOR ends too early")

// head reads the head of an item.
func (r *Reader) head() (major byte, arg uint64) {
	if r.err != nil {
		return simpleType, 0
	}
	if r.pos >= len(r.data) {
		r.err = errShort
		return simpleType, 0
	}
	b := r.data[r.pos]
	major, low := b>>5, b&31
	r.pos++
	if low < 24 {
		return major, uint64(low)
	}
	if low > 27 {
		r.Fail("an indefinite or reserved length")
		return simpleType, 0
	}
	n := 1 << (low - 24)
	if len(r.data)-r.pos < n {
		r.err = errShort
		return simpleType, 0
	}
	for _, b := range r.data[r.pos : r.pos+n] {
		arg = arg<<8 | uint64(b)
	}
	r.pos += n
	switch {
	case major != simpleType && (n == 1 && arg < 24 || n > 1 && arg>>(4*n) == 0):
		r.Fail("a length or number is longer than it need be")
	case major == simpleType && n == 1 && arg < 32:
		r.Fail("a simple value that does not exist")
	}
	return major, arg
}

func (r *Reader) expect(major byte, what string) uint64 {
	got, arg := r.head()
	if r.err == nil && got != major {
		r.Fail("%s is expected, major type %d is there", what, got)
		return 0
	}
	return arg
}

func (r *Reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.data)-r.pos) {
		r.err = errShort
		return nil
	}
	b := r.data[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// Uint reads an unsigned integer.
func (r *Reader) Uint() uint64 { return r.expect(uintType, "an unsigned integer") }

// Int reads an integer.
func (r *Reader) Int() int64 {
	major, arg := r.head()
	if r.err == nil && (major > negType || arg > 1<<63-1) {
		r.Fail("an integer is expected")
	}
	if r.err != nil {
		return 0
	}
	if major == negType {
		return -1 - int64(arg)
	}
	return int64(arg)
}

// Bytes reads a byte string.
func (r *Reader) Bytes() []byte { return r.take(r.expect(bytesType, "a byte string")) }

// Text reads a text string; it is valid UTF-8.
func (r *Reader) Text() []byte {
	b := r.take(r.expect(textType, "a text string"))
	if r.err == nil && !utf8.Valid(b) {
		r.Fail("a text string is not UTF-8")
	}
	return b
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	start := r.pos
	r.head()
	if r.err == nil && r.data[start] != 0xf4 && r.data[start] != 0xf5 {
		r.Fail("true or false is expected")
	}
	return r.err == nil && r.data[start] == 0xf5
}

// Null reads null if it is there, and says whether it was.
func (r *Reader) Null() bool {
	if r.err != nil || r.pos >= len(r.data) || r.data[r.pos] != null {
		return false
	}
	r.pos++
	return true
}

// Array reads the head of an array.
func (r *Reader) Array() int { return r.count(arrayType, "an array") }

// Map reads the head of a map and returns the number of pairs.
func (r *Reader) Map() int { return r.count(mapType, "a map") }

func (r *Reader) count(major byte, what string) int {
	n := r.expect(major, what)
	if n > maxItems {
		r.Fail("%s of more than %d", what, maxItems)
		return 0
	}
	return int(n)
}

// Tag reads the head of a tag, which must have this number.
func (r *Reader) Tag(number uint64) {
	if n := r.expect(tagType, "a tag"); r.err == nil && n != number {
		r.Fail("tag %d is expected, tag %d is there", number, n)
	}
}

// Skip reads over one item of any kind and returns it as it stands.
func (r *Reader) Skip() []byte {
	start := r.pos
	r.skip(maxDepth)
	if r.err != nil {
		return nil
	}
	return r.data[start:r.pos:r.pos]
}

func (r *Reader) skip(depth int) {
	if depth == 0 {
		r.Fail("items are nested more than %d deep", maxDepth)
	}
	major, arg := r.head()
	if r.err != nil {
		return
	}
	switch major {
	case bytesType:
		r.take(arg)
	case textType:
		if b := r.take(arg); !utf8.Valid(b) {
			r.Fail("a text string is not UTF-8")
		}
	case arrayType:
		if arg > maxItems {
			r.Fail("an array of more than %d", maxItems)
		}
		for i := uint64(0); i < arg && r.err == nil; i++ {
			r.skip(depth - 1)
		}
	case mapType:
		if arg > maxItems {
			r.Fail("a map of more than %d", maxItems)
			return
		}
		base := r.keys
		for i := uint64(0); i < arg && r.err == nil; i++ {
			start := r.pos
			r.skip(depth - 1)
			r.addKey(base, start)
			r.skip(depth - 1)
		}
		r.keys = base
	case tagType:
		r.skip(depth - 1)
	}
}

// addKey notes the key from start to here, in the map whose keys begin at base.
func (r *Reader) addKey(base, start int) {
	key := r.data[start:r.pos]
	for i := base; i < r.keys; i++ {
		if k := r.key(i); bytes.Equal(r.data[k.from:k.to], key) {
			r.Fail("a key comes twice in a map")
			return
		}
	}
	k := span{uint32(start), uint32(r.pos)}
	if r.keys < len(r.room) {
		r.room[r.keys] = k
	} else {
		r.more = append(r.more[:r.keys-len(r.room)], k)
	}
	r.keys++
}

func (r *Reader) key(i int) span {
	if i < len(r.room) {
		return r.room[i]
	}
	return r.more[i-len(r.room)]
}

// Fields reads a map with text keys: it calls field for every key, which must
// read exactly one item (Skip for a key it does not know). A key that comes
// twice is an error.
func (r *Reader) Fields(field func(key []byte)) {
	n, base := r.Map(), r.keys
	for i := 0; i < n && r.err == nil; i++ {
		start := r.pos
		key := r.Text()
		r.addKey(base, start)
		if r.err == nil {
			field(key)
		}
	}
	r.keys = base
}

// Labels reads a map with integer keys, as Fields does. (One loop for both, handed
// the kind of key, costs a verification 24 allocations more: 101 for 77.)
func (r *Reader) Labels(field func(label int64)) {
	n, base := r.Map(), r.keys
	for i := 0; i < n && r.err == nil; i++ {
		start := r.pos
		label := r.Int()
		r.addKey(base, start)
		if r.err == nil {
			field(label)
		}
	}
	r.keys = base
}
