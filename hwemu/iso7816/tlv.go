package iso7816

import (
	"errors"
	"fmt"
)

// Limits of a parsed data object.
const (
	MaxObject  = 1 << 16 // bytes of the outermost objects together
	MaxObjects = 512     // objects in all
	MaxDepth   = 8       // nesting of constructed objects
)

// Tag is a BER tag of one to three bytes, as written: 0x61, 0x5F1F, 0x7F61.
type Tag uint32

// Constructed says whether the value is a sequence of data objects.
func (t Tag) Constructed() bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0x20 != 0
}

// Object is a BER-TLV data object. A constructed one has Children, a primitive
// one a Value; a constructed one keeps its encoded Value as well.
type Object struct {
	Tag      Tag
	Value    []byte
	Children []Object
}

// Child returns the first child with the tag.
func (o Object) Child(tag Tag) (Object, bool) { return Find(o.Children, tag) }

// Find returns the first of the objects with the tag.
func Find(objects []Object, tag Tag) (Object, bool) {
	for _, o := range objects {
		if o.Tag == tag {
			return o, true
		}
	}
	return Object{}, false
}

var errTLV = errors.New("iso7816: not a BER-TLV data object")

// Next splits the first data object off b without looking into it.
func Next(b []byte) (tag Tag, value, rest []byte, err error) {
	tag, n, err := readTag(b)
	if err != nil {
		return 0, nil, nil, err
	}
	length, m, err := readLength(b[n:])
	if err != nil {
		return 0, nil, nil, err
	}
	b = b[n+m:]
	if length > len(b) {
		return 0, nil, nil, fmt.Errorf("%w: object %X says %d bytes, %d are there", errTLV, uint32(tag), length, len(b))
	}
	return tag, b[:length:length], b[length:], nil
}

// HeaderLength returns how many bytes tag and length take at the start of b and
// how many follow, from the first few bytes of a file: a reader learns from it
// how much to read.
func HeaderLength(b []byte) (header, value int, err error) {
	_, n, err := readTag(b)
	if err != nil {
		return 0, 0, err
	}
	length, m, err := readLength(b[n:])
	return n + m, length, err
}

func readTag(b []byte) (Tag, int, error) {
	if len(b) == 0 {
		return 0, 0, fmt.Errorf("%w: nothing there", errTLV)
	}
	if b[0] == 0 || b[0] == 0xFF {
		return 0, 0, fmt.Errorf("%w: %02X is padding, not a tag", errTLV, b[0])
	}
	tag := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return tag, 1, nil
	}
	for i := 1; i < 3; i++ {
		if i >= len(b) {
			return 0, 0, fmt.Errorf("%w: the tag breaks off", errTLV)
		}
		// Small numbers in the long form are no error here: ICAO's own tag for
		// the LDS version is 5F01. A leading zero septet is.
		if i == 1 && b[1] == 0x80 {
			return 0, 0, fmt.Errorf("%w: tag %X80 has a leading zero", errTLV, uint32(tag))
		}
		tag = tag<<8 | Tag(b[i])
		if b[i]&0x80 == 0 {
			return tag, i + 1, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: a tag of more than three bytes", errTLV)
}

func readLength(b []byte) (length, n int, err error) {
	if len(b) == 0 {
		return 0, 0, fmt.Errorf("%w: the length is missing", errTLV)
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n = int(b[0] & 0x7F)
	if n == 0 || n > 3 {
		return 0, 0, fmt.Errorf("%w: length %02X is indefinite or too large", errTLV, b[0])
	}
	if len(b) < 1+n {
		return 0, 0, fmt.Errorf("%w: the length breaks off", errTLV)
	}
	for _, x := range b[1 : 1+n] {
		length = length<<8 | int(x)
	}
	if length > MaxObject {
		return 0, 0, fmt.Errorf("%w: %d bytes are more than the limit of %d", errTLV, length, MaxObject)
	}
	return length, 1 + n, nil
}

// ParseObjects decodes a concatenation of data objects and everything nested in
// constructed ones. Values alias b.
func ParseObjects(b []byte) ([]Object, error) {
	if len(b) > MaxObject+5 {
		return nil, fmt.Errorf("%w: %d bytes are more than the limit of %d", errTLV, len(b), MaxObject)
	}
	budget := MaxObjects
	return parseObjects(b, MaxDepth, &budget)
}

func parseObjects(b []byte, depth int, budget *int) ([]Object, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%w: nested deeper than %d", errTLV, MaxDepth)
	}
	var out []Object
	for len(b) > 0 {
		if *budget--; *budget < 0 {
			return nil, fmt.Errorf("%w: more than %d objects", errTLV, MaxObjects)
		}
		tag, value, rest, err := Next(b)
		if err != nil {
			return nil, err
		}
		o := Object{Tag: tag, Value: value}
		if tag.Constructed() {
			if o.Children, err = parseObjects(value, depth-1, budget); err != nil {
				return nil, err
			}
		}
		out, b = append(out, o), rest
	}
	return out, nil
}

// Encode writes a data object whose value is the concatenation of the parts:
// raw values of a primitive one, encoded objects of a constructed one.
func Encode(tag Tag, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n+7)
	switch {
	case tag > 0xFFFF:
		out = append(out, byte(tag>>16), byte(tag>>8), byte(tag))
	case tag > 0xFF:
		out = append(out, byte(tag>>8), byte(tag))
	default:
		out = append(out, byte(tag))
	}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n <= 0xFF:
		out = append(out, 0x81, byte(n))
	case n <= 0xFFFF:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
