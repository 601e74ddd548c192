package proximity

import (
	"errors"
	"fmt"
)

// Negotiated handover speaks the Tag NDEF Exchange Protocol (NFC Forum TNEP 1.0):
// the phone, as a tag, announces a service; the reader selects it, and from then on
// each message that it writes is answered by one that it reads.

const (
	serviceParameter = "Tp"
	serviceSelect    = "Ts"
	serviceStatus    = "Te"
	serviceHandover  = "urn:nfc:sn:handover"
)

const (
	tnepVersion = 0x10
	// minimumWait is 2^(0/4) - 1 ms: the reader may read at once; extensions as many
	// as there may be.
	minimumWait = 0
	extensions  = 15
)

// EncodeService is the message in which a phone announces handover.
func EncodeService() []byte {
	b := append([]byte{tnepVersion, byte(len(serviceHandover))}, serviceHandover...)
	return EncodeNDEF(Record{WellKnown, serviceParameter, "", append(b, 0, minimumWait, extensions, MaxNDEF>>8, MaxNDEF&0xff)})
}

// ParseService says whether a message announces handover; other records may stand
// beside it.
func ParseService(message []byte) (bool, error) {
	records, err := ParseNDEF(message)
	if err != nil {
		return false, err
	}
	for _, r := range records {
		if r.Format != WellKnown || r.Type != serviceParameter {
			continue
		}
		if len(r.Payload) < 2 || len(r.Payload) != 7+int(r.Payload[1]) {
			return false, errors.New("a service of the tag breaks off")
		}
		if string(r.Payload[2:2+int(r.Payload[1])]) == serviceHandover {
			if r.Payload[0]>>4 != tnepVersion>>4 {
				return false, fmt.Errorf("the tag's handover service is of version %x", r.Payload[0])
			}
			return true, nil
		}
	}
	return false, nil
}

// EncodeServiceSelect is the message in which a reader selects handover.
func EncodeServiceSelect() []byte {
	return EncodeNDEF(Record{WellKnown, serviceSelect, "", append([]byte{byte(len(serviceHandover))}, serviceHandover...)})
}

// ParseServiceSelect says whether a message selects handover.
func ParseServiceSelect(message []byte) bool {
	records, err := ParseNDEF(message)
	return err == nil && len(records) == 1 && records[0].Format == WellKnown && records[0].Type == serviceSelect &&
		string(records[0].Payload) == string(append([]byte{byte(len(serviceHandover))}, serviceHandover...))
}

// EncodeServiceStatus is the phone's answer to a selection.
func EncodeServiceStatus(ok bool) []byte {
	status := byte(0)
	if !ok {
		status = 1
	}
	return EncodeNDEF(Record{WellKnown, serviceStatus, "", []byte{status}})
}

// ParseServiceStatus says whether the phone agrees to the selection.
func ParseServiceStatus(message []byte) (bool, error) {
	records, err := ParseNDEF(message)
	if err != nil {
		return false, err
	}
	r, ok := find(records, WellKnown, serviceStatus)
	if !ok || len(r.Payload) != 1 {
		return false, errors.New("the tag does not say whether the service is selected")
	}
	return r.Payload[0] == 0, nil
}
