package cose

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Limits of everything that is read. The size of a message is limited by its
// reader, who knows what is plausible.
const (
	maxDepth = 12
	maxItems = 512
)

var (
	encMode = must(cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		IndefLength:   cbor.IndefLengthForbidden,
		Time:          cbor.TimeRFC3339,
		TimeTag:       cbor.EncTagRequired,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		MaxNestedLevels:   maxDepth,
		MaxArrayElements:  maxItems,
		MaxMapPairs:       maxItems,
		IntDec:            cbor.IntDecConvertSignedOrFail,
		TimeTag:           cbor.DecTagRequired,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Marshal encodes v in core deterministic CBOR.
func Marshal(v any) ([]byte, error) { return encMode.Marshal(v) }

// Unmarshal decodes exactly one item from data into v, strictly.
func Unmarshal(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("not the CBOR that is expected: %w", err)
	}
	return nil
}

// Tag24 is an encoded item wrapped as a byte string, #6.24(bstr .cbor T)
// (RFC 8949 §3.4.5.1): the form over which digests and signatures are made.
func Tag24(item []byte) []byte { return AppendTag24(make([]byte, 0, len(item)+7), item) }

// AppendTag24 appends an encoded item in that form.
func AppendTag24(b, item []byte) []byte { return AppendBytes(AppendTag(b, 24), item) }

// AppendUint appends an unsigned integer.
func AppendUint(b []byte, v uint64) []byte { return appendHead(b, uintType, v) }

// AppendInt appends an integer.
func AppendInt(b []byte, v int64) []byte {
	if v < 0 {
		return appendHead(b, negType, uint64(-1-v))
	}
	return appendHead(b, uintType, uint64(v))
}

// AppendBytes appends a byte string.
func AppendBytes(b, s []byte) []byte {
	return append(appendHead(b, bytesType, uint64(len(s))), s...)
}

// AppendText appends a text string.
func AppendText(b []byte, s string) []byte {
	return append(appendHead(b, textType, uint64(len(s))), s...)
}

// AppendArray appends the head of an array of n items.
func AppendArray(b []byte, n int) []byte { return appendHead(b, arrayType, uint64(n)) }

// AppendMap appends the head of a map of n pairs. Who appends pairs keeps the
// order of keys: shorter first, then bytewise (CompareText).
func AppendMap(b []byte, n int) []byte { return appendHead(b, mapType, uint64(n)) }

// CompareText is the order of text keys in a map (RFC 8949 §4.2.1).
func CompareText(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xf5)
	}
	return append(b, 0xf4)
}

// AppendNull appends null.
func AppendNull(b []byte) []byte { return append(b, null) }

// AppendTag appends the head of a tag.
func AppendTag(b []byte, number uint64) []byte { return appendHead(b, tagType, number) }

func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return append(b, major|25, byte(n>>8), byte(n))
	case n < 1<<32:
		return append(b, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// Untag24 returns the item within a Tag24, not copied.
func Untag24(wrapped []byte) ([]byte, error) {
	r := Reader{data: wrapped}
	r.Tag(24)
	item := r.Bytes()
	return item, r.End()
}
