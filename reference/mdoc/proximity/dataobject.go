package proximity

import (
	"errors"
	"fmt"
)

// DataTransfer is the application with which data is retrieved over NFC
// (§8.3.3.1.2): it takes messages by ENVELOPE and gives them by GET RESPONSE.
const DataTransfer = "\xA0\x00\x00\x02\x48\x04\x00"

// dataObject is the tag of the data object that holds a message.
const dataObject = 0x53

var errDataObject = errors.New("not a message in a data object 53")

// DataObject wraps a message for NFC: data object 53, with its length in as few
// bytes as it needs.
func DataObject(message []byte) []byte {
	n := len(message)
	b := make([]byte, 0, n+5)
	switch {
	case n < 0x80:
		b = append(b, dataObject, byte(n))
	case n <= 0xff:
		b = append(b, dataObject, 0x81, byte(n))
	case n <= 0xffff:
		b = append(b, dataObject, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, dataObject, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, message...)
}

// ParseDataObject unwraps a message of at most limit bytes.
func ParseDataObject(b []byte, limit int) ([]byte, error) {
	if len(b) < 2 || b[0] != dataObject {
		return nil, errDataObject
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		more := n & 0x7f
		if more < 1 || more > 3 || len(b) < 2+more {
			return nil, errDataObject
		}
		n, head = 0, 2+more
		for _, x := range b[2:head] {
			n = n<<8 | int(x)
		}
	}
	switch {
	case n > limit:
		return nil, fmt.Errorf("%w: %d bytes; %d are the most", errDataObject, n, limit)
	case len(b)-head != n:
		return nil, fmt.Errorf("%w: it says %d bytes, %d are there", errDataObject, n, len(b)-head)
	}
	return b[head:], nil
}
