package proximity

import (
	"errors"
	"fmt"
)

// Record is a record of an NDEF message (NFC Forum NDEF 1.0).
type Record struct {
	Format  Format
	Type    string
	ID      string
	Payload []byte
}

// Format says how the type of a record is to be read (TNF).
type Format byte

const (
	WellKnown Format = 1 // of the NFC Forum
	Media     Format = 2 // a media type
	External  Format = 4 // "domain:name"
)

// Limits of a message.
const (
	MaxNDEF    = 4 << 10
	maxRecords = 16
)

// Bits of a record's first byte.
const (
	messageBegin = 0x80
	messageEnd   = 0x40
	chunked      = 0x20
	shortRecord  = 0x10
	idLength     = 0x08
	formatMask   = 0x07
)

var errNDEF = errors.New("not an NDEF message")

// EncodeNDEF writes records as a message. It panics where a type or name is longer
// than 255 bytes, which no caller can mean.
func EncodeNDEF(records ...Record) []byte {
	var b []byte
	for i, r := range records {
		if len(r.Type) > 255 || len(r.ID) > 255 {
			panic("proximity: the type or name of an NDEF record is too long")
		}
		head := byte(r.Format)
		if i == 0 {
			head |= messageBegin
		}
		if i == len(records)-1 {
			head |= messageEnd
		}
		n := len(r.Payload)
		if n < 256 {
			head |= shortRecord
		}
		if r.ID != "" {
			head |= idLength
		}
		b = append(b, head, byte(len(r.Type)))
		if n < 256 {
			b = append(b, byte(n))
		} else {
			b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		}
		if r.ID != "" {
			b = append(b, byte(len(r.ID)))
		}
		b = append(append(append(b, r.Type...), r.ID...), r.Payload...)
	}
	return b
}

// ParseNDEF reads exactly one message. Payloads are not copied. Records in chunks
// are refused: nobody needs them for what is this short.
func ParseNDEF(b []byte) ([]Record, error) {
	if len(b) > MaxNDEF {
		return nil, fmt.Errorf("%w: %d bytes; %d are the most", errNDEF, len(b), MaxNDEF)
	}
	left := b
	broken := false
	take := func(n int) []byte {
		if n > len(left) {
			broken = true
			return make([]byte, min(n, 255))
		}
		part := left[:n:n]
		left = left[n:]
		return part
	}
	var out []Record
	for {
		head := take(2)
		flags, typeLength := head[0], int(head[1])
		size, payload, name := 1, 0, 0
		if flags&shortRecord == 0 {
			size = 4
		}
		for _, x := range take(size) {
			payload = payload<<8 | int(x)
		}
		if flags&idLength != 0 {
			name = int(take(1)[0])
		}
		switch {
		case broken || typeLength+name+payload > len(left):
			return nil, fmt.Errorf("%w: record %d breaks off", errNDEF, len(out)+1)
		case len(out) == maxRecords:
			return nil, fmt.Errorf("%w: more than %d records", errNDEF, maxRecords)
		case flags&messageBegin != 0 != (len(out) == 0):
			return nil, fmt.Errorf("%w: it must begin at its first record, and there only", errNDEF)
		case flags&chunked != 0 || flags&formatMask > 5:
			return nil, fmt.Errorf("%w: record %d is one of a kind that is not read here", errNDEF, len(out)+1)
		}
		out = append(out, Record{Format(flags & formatMask), string(take(typeLength)), string(take(name)), take(payload)})
		if flags&messageEnd != 0 {
			if len(left) > 0 {
				return nil, fmt.Errorf("%w: %d bytes follow its end", errNDEF, len(left))
			}
			return out, nil
		}
	}
}

// find returns the only record of a kind; ok is false if there is none or another.
func find(records []Record, f Format, kind string) (found Record, ok bool) {
	for _, r := range records {
		if r.Format == f && r.Type == kind {
			if ok {
				return Record{}, false
			}
			found, ok = r, true
		}
	}
	return found, ok
}
