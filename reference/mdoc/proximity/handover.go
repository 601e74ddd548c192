package proximity

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Names of records (§8.2.2.1; NFC Forum Connection Handover 1.5; Bluetooth Secure
// Simple Pairing Using NFC).
const (
	handoverSelect  = "Hs"
	handoverRequest = "Hr"
	alternative     = "ac"
	collision       = "cr"

	deviceEngagement = "iso.org:18013:deviceengagement"
	readerEngagement = "iso.org:18013:readerengagement"
	nfcCarrier       = "iso.org:18013:nfc"
	bleCarrier       = "application/vnd.bluetooth.le.oob"

	idDevice = "mdoc"
	idReader = "mdocreader"
	idNFC    = "nfc"
	idBLE    = "0"
)

// handoverVersion is 1.5; a message of another major version is not read.
const handoverVersion = 0x15

// carrierActive is the power state of a carrier that can be used at once.
const carrierActive = 1

// EncodeSelect makes the Handover Select message of a phone: its engagement, and
// the carriers that it offers (static) or has chosen (negotiated).
func EncodeSelect(e *Engagement, nfc *NFC, ble *BLE) ([]byte, error) {
	body, carriers, err := encodeCarriers(nfc, ble, idDevice)
	if err != nil {
		return nil, err
	}
	records := []Record{{WellKnown, handoverSelect, "", append([]byte{handoverVersion}, EncodeNDEF(body...)...)}}
	records = append(records, carriers...)
	records = append(records, Record{External, deviceEngagement, idDevice, e.raw})
	return limited(EncodeNDEF(records...))
}

// EncodeRequest makes the Handover Request message of a reader: the carriers that it
// can use. Two random bytes settle who asks when both do.
func EncodeRequest(random io.Reader, nfc bool, ble *BLE) ([]byte, error) {
	number := make([]byte, 2)
	if _, err := io.ReadFull(random, number); err != nil {
		return nil, fmt.Errorf("no randomness for the handover: %w", err)
	}
	var offered *NFC
	if nfc {
		offered = &NFC{}
	}
	body, carriers, err := encodeCarriers(offered, ble, idReader)
	if err != nil {
		return nil, err
	}
	body = append([]Record{{WellKnown, collision, "", number}}, body...)
	engagement := cose.AppendText(cose.AppendUint(cose.AppendMap(nil, 1), 0), version)
	records := []Record{{WellKnown, handoverRequest, "", append([]byte{handoverVersion}, EncodeNDEF(body...)...)}}
	records = append(records, carriers...)
	records = append(records, Record{External, readerEngagement, idReader, engagement})
	return limited(EncodeNDEF(records...))
}

func limited(message []byte) ([]byte, error) {
	if len(message) > MaxNDEF {
		return nil, fmt.Errorf("a handover message of %d bytes; %d are the most", len(message), MaxNDEF)
	}
	return message, nil
}

// encodeCarriers makes an alternative carrier record and a configuration for each.
func encodeCarriers(nfc *NFC, ble *BLE, auxiliary string) (alternatives, configurations []Record, err error) {
	add := func(id string, r Record) {
		payload := append([]byte{carrierActive, byte(len(id))}, id...)
		payload = append(append(payload, 1, byte(len(auxiliary))), auxiliary...)
		alternatives = append(alternatives, Record{WellKnown, alternative, "", payload})
		r.ID = id
		configurations = append(configurations, r)
	}
	if nfc != nil {
		payload := []byte{1} // version
		if *nfc != (NFC{}) {
			if err := nfc.check(); err != nil {
				return nil, nil, err
			}
			payload = appendNumber(payload, 1, nfc.MaxCommand)
			payload = appendNumber(payload, 2, nfc.MaxResponse)
		}
		add(idNFC, Record{Format: External, Type: nfcCarrier, Payload: payload})
	}
	if ble != nil {
		if err := ble.check(); err != nil {
			return nil, nil, err
		}
		payload, err := ble.outOfBand()
		if err != nil {
			return nil, nil, err
		}
		add(idBLE, Record{Format: Media, Type: bleCarrier, Payload: payload})
	}
	if len(alternatives) == 0 {
		return nil, nil, errors.New("a handover needs a carrier")
	}
	return alternatives, configurations, nil
}

// appendNumber appends a length, a type and a number in as few bytes as it needs.
func appendNumber(b []byte, kind byte, n int) []byte {
	if n > 0xffff {
		return append(b, 4, kind, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 3, kind, byte(n>>8), byte(n))
}

// Types of Bluetooth out-of-band data (Core Specification Supplement, part A), and
// the role of who sends them.
const (
	adService128 = 0x07
	adAddress    = 0x1b
	adRole       = 0x1c

	rolePeripheral          = 0
	roleCentral             = 1
	roleBothPeripheral      = 2 // both, peripheral preferred
	roleBothCentral         = 3
	addressRandom      byte = 1
)

func (b *BLE) outOfBand() ([]byte, error) {
	role, service := byte(rolePeripheral), b.PeripheralUUID
	switch {
	case b.PeripheralServer && b.CentralClient:
		// There is room for one service only (§8.2.2.1).
		if !bytes.Equal(b.PeripheralUUID, b.CentralUUID) {
			return nil, errors.New("a handover has room for one Bluetooth service, the same for both roles")
		}
		role = roleBothPeripheral
	case b.CentralClient:
		role, service = roleCentral, b.CentralUUID
	}
	out := []byte{2, adRole, role}
	out = append(out, 17, adService128)
	for i := range service { // the least significant byte goes first
		out = append(out, service[len(service)-1-i])
	}
	if b.Address != nil {
		out = append(out, 8, adAddress)
		for i := range b.Address {
			out = append(out, b.Address[len(b.Address)-1-i])
		}
		out = append(out, addressRandom)
	}
	return out, nil
}

// Selected is what a Handover Select says.
type Selected struct {
	Engagement *Engagement
	NFC        *NFC // nil: not offered
	BLE        *BLE // nil: not offered; a service may be missing where the request named it
}

// ParseSelect reads a phone's Handover Select. Carriers that are not known are passed
// over; one must be left.
func ParseSelect(message []byte) (*Selected, error) {
	records, body, err := parseHandover(message, handoverSelect)
	if err != nil {
		return nil, err
	}
	s := &Selected{}
	engagement, ok := find(records, External, deviceEngagement)
	if !ok || engagement.ID != idDevice {
		return nil, errors.New("the handover has no device engagement")
	}
	if s.Engagement, err = ParseEngagement(engagement.Payload); err != nil {
		return nil, err
	}
	if s.NFC, s.BLE, err = parseCarriers(records, body, true); err != nil {
		return nil, err
	}
	if s.NFC == nil && s.BLE == nil {
		return nil, errors.New("the handover offers no way that is known here")
	}
	return s, nil
}

// Requested is what a Handover Request says.
type Requested struct {
	NFC bool
	BLE *BLE
}

// ParseHandoverRequest reads a reader's Handover Request.
func ParseHandoverRequest(message []byte) (*Requested, error) {
	records, body, err := parseHandover(message, handoverRequest)
	if err != nil {
		return nil, err
	}
	if r, ok := find(body, WellKnown, collision); !ok || len(r.Payload) != 2 {
		return nil, errors.New("the handover request lacks its random number")
	}
	q := &Requested{}
	nfc, ble, err := parseCarriers(records, body, false)
	if err != nil {
		return nil, err
	}
	q.NFC, q.BLE = nfc != nil, ble
	return q, nil
}

// parseHandover reads a message whose first record is Hs or Hr, and the message
// within that.
func parseHandover(message []byte, kind string) (records, body []Record, err error) {
	if records, err = ParseNDEF(message); err != nil {
		return nil, nil, err
	}
	first := records[0]
	if first.Format != WellKnown || first.Type != kind {
		return nil, nil, fmt.Errorf("the message begins with %q, not with %q: it is no such handover", first.Type, kind)
	}
	if len(first.Payload) < 1 || first.Payload[0]>>4 != handoverVersion>>4 {
		return nil, nil, errors.New("the handover is not of version 1")
	}
	if body, err = ParseNDEF(first.Payload[1:]); err != nil {
		return nil, nil, fmt.Errorf("the handover: %w", err)
	}
	return records, body, nil
}

// parseCarriers follows the alternative carriers to their configurations.
func parseCarriers(records, body []Record, selected bool) (nfc *NFC, ble *BLE, err error) {
	for _, ac := range body {
		if ac.Format != WellKnown || ac.Type != alternative {
			continue
		}
		id, err := carrierReference(ac.Payload)
		if err != nil {
			return nil, nil, err
		}
		at := -1
		for i, r := range records[1:] {
			if r.ID != id {
				continue
			}
			if at >= 0 {
				return nil, nil, fmt.Errorf("two records of the handover are called %q", id)
			}
			at = i + 1
		}
		if at < 0 {
			return nil, nil, fmt.Errorf("the handover names %q, which is not there", id)
		}
		switch r := records[at]; {
		case r.Format == External && r.Type == nfcCarrier:
			if nfc != nil {
				return nil, nil, errors.New("the handover offers NFC twice")
			}
			if nfc, err = parseNFCCarrier(r.Payload, selected); err != nil {
				return nil, nil, err
			}
		case r.Format == Media && r.Type == bleCarrier:
			if ble != nil {
				return nil, nil, errors.New("the handover offers Bluetooth twice")
			}
			if ble, err = parseOutOfBand(r.Payload); err != nil {
				return nil, nil, err
			}
		}
	}
	return nfc, ble, nil
}

// carrierReference reads an alternative carrier record: power state, the name of
// the configuration, and names of what belongs to it.
func carrierReference(b []byte) (id string, err error) {
	broken := errors.New("an alternative carrier of the handover breaks off")
	if len(b) < 2 || len(b) < 3+int(b[1]) {
		return "", broken
	}
	end := 2 + int(b[1])
	id, b = string(b[2:end]), b[end:]
	auxiliary := int(b[0])
	b = b[1:]
	for range auxiliary {
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return "", broken
		}
		b = b[1+int(b[0]):]
	}
	if id == "" || len(b) > 0 {
		return "", errors.New("an alternative carrier of the handover has no name, or bytes too many")
	}
	return id, nil
}

// parseNFCCarrier reads version and numbers. A reader that asks need not say them.
func parseNFCCarrier(b []byte, selected bool) (*NFC, error) {
	if len(b) < 1 || b[0] != 1 {
		return nil, errors.New("NFC in the handover is not of version 1")
	}
	n := &NFC{}
	for b = b[1:]; len(b) > 0; {
		length := int(b[0])
		if length < 2 || length > 4 || len(b) < 1+length {
			return nil, errors.New("NFC in the handover breaks off")
		}
		value := 0
		for _, x := range b[2 : 1+length] {
			value = value<<8 | int(x)
		}
		switch b[1] {
		case 1:
			n.MaxCommand = value
		case 2:
			n.MaxResponse = value
		}
		b = b[1+length:]
	}
	if selected || *n != (NFC{}) {
		if err := n.check(); err != nil {
			return nil, fmt.Errorf("NFC in the handover: %w", err)
		}
	}
	return n, nil
}

// parseOutOfBand reads Bluetooth's out-of-band data.
func parseOutOfBand(b []byte) (*BLE, error) {
	broken := errors.New("the handover's Bluetooth data breaks off")
	out := &BLE{}
	role, service := -1, []byte(nil)
	for len(b) > 0 {
		length := int(b[0])
		if length < 1 || len(b) < 1+length {
			return nil, broken
		}
		kind, value := b[1], b[2:1+length]
		switch {
		case kind == adRole && len(value) == 1:
			role = int(value[0])
		case kind == adService128 && len(value) == 16:
			service = reversed(value)
		case kind == adAddress && len(value) == 7:
			out.Address = reversed(value[:6])
		case kind == adRole || kind == adService128 || kind == adAddress:
			return nil, broken
		}
		b = b[1+length:]
	}
	switch role {
	case rolePeripheral:
		out.PeripheralServer, out.PeripheralUUID = true, service
	case roleCentral:
		out.CentralClient, out.CentralUUID = true, service
	case roleBothPeripheral, roleBothCentral:
		out.PeripheralServer, out.PeripheralUUID = true, service
		out.CentralClient, out.CentralUUID = true, service
	default:
		return nil, errors.New("the handover offers Bluetooth in no role")
	}
	return out, nil
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[len(b)-1-i]
	}
	return out
}
