package phone

import (
	"errors"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/reference/mdoc/proximity"
)

// tagApplication is the NDEF application of an NFC Forum Type 4 Tag, as which a
// phone is found by a reader.
const tagApplication = "\xD2\x76\x00\x00\x85\x01\x01"

// Files of the tag.
const (
	capabilityFile = 0xE103
	ndefFile       = 0xE104
)

// Largest data of one command to the tag, and of its answer.
const (
	tagRead  = 0xFF
	tagWrite = 0xFF
)

// tag is the Type 4 Tag (NFC Forum T4T 1.0 §4, §5) that says how the phone is met:
// what it holds is read in static handover; in negotiated handover the reader
// writes, too.
type tag struct {
	write func(message []byte) (answer []byte, err error) // nil: the tag is read only

	file    uint16
	content []byte // of the NDEF file: length and message
	pending []byte // what is being written; nil: nothing
}

func newTag(message []byte, write func([]byte) ([]byte, error)) *tag {
	t := &tag{write: write}
	t.hold(message)
	return t
}

func (t *tag) hold(message []byte) {
	t.content = append([]byte{byte(len(message) >> 8), byte(len(message))}, message...)
}

// capability is the tag's capability container: version 2.0, what fits into a
// command and an answer, and the NDEF file with its size and who may write.
func (t *tag) capability() []byte {
	const size = proximity.MaxNDEF + 2
	access := byte(0xFF)
	if t.write != nil {
		access = 0
	}
	return []byte{0, 15, 0x20, 0, tagRead, 0, tagWrite, 4, 6, ndefFile >> 8, ndefFile & 0xff, size >> 8, size & 0xff, 0, access}
}

func (t *tag) command(c iso7816.Command) iso7816.Response {
	status := func(s iso7816.Status) iso7816.Response { return iso7816.Response{Status: s} }
	switch c.Instruction {
	case iso7816.Select:
		if c.P1 != 0 || c.P2 != 0x0C || len(c.Data) != 2 {
			return status(iso7816.WrongP1P2)
		}
		file := uint16(c.Data[0])<<8 | uint16(c.Data[1])
		if file != capabilityFile && file != ndefFile {
			return status(iso7816.FileNotFound)
		}
		t.file, t.pending = file, nil
		return status(iso7816.OK)
	case iso7816.ReadBinary:
		content := t.content
		switch t.file {
		case capabilityFile:
			content = t.capability()
		case 0:
			return status(iso7816.NoCurrentFile)
		}
		offset := int(c.P1)<<8 | int(c.P2)
		switch {
		case offset > len(content):
			return status(iso7816.OffsetOutside)
		case c.Expected == 0:
			return status(iso7816.WrongLength)
		}
		return iso7816.Response{Data: content[offset:min(offset+c.Expected, len(content))], Status: iso7816.OK}
	case iso7816.UpdateBinary:
		switch {
		case t.file != ndefFile:
			return status(iso7816.NoCurrentFile)
		case t.write == nil:
			return status(iso7816.SecurityNotSatisfied)
		}
		return status(t.update(int(c.P1)<<8|int(c.P2), c.Data))
	}
	return status(iso7816.InstructionNotSupported)
}

// update writes into the NDEF file: its length as zero, the message, its length; or
// all at once. With the length the message is there.
func (t *tag) update(offset int, data []byte) iso7816.Status {
	switch {
	case len(data) == 0:
		return iso7816.WrongLength
	case offset+len(data) > proximity.MaxNDEF+2:
		return iso7816.OffsetOutside
	case t.pending == nil && (offset != 0 || len(data) < 2):
		return iso7816.ConditionsNotSatisfied
	case t.pending == nil && len(data) == 2 && data[0] == 0 && data[1] == 0:
		t.pending = make([]byte, 2, 256)
		return iso7816.OK
	case t.pending == nil:
		t.pending = append([]byte(nil), data...)
	case offset == 0 && len(data) == 2:
		copy(t.pending, data)
	case offset == len(t.pending):
		t.pending = append(t.pending, data...)
		return iso7816.OK
	default:
		t.pending = nil
		return iso7816.ConditionsNotSatisfied
	}
	written := t.pending
	t.pending = nil
	if int(written[0])<<8|int(written[1]) != len(written)-2 {
		return iso7816.WrongLength
	}
	answer, err := t.write(written[2:])
	if err != nil {
		return iso7816.WrongData
	}
	t.hold(answer)
	return iso7816.OK
}

// negotiation is the phone's side of a negotiated handover.
type negotiation struct {
	selected bool
	done     bool
	agree    func(request []byte) (chosen []byte, err error)
}

var errNegotiation = errors.New("phone: the reader wrote what the handover does not expect now")

func (n *negotiation) write(message []byte) ([]byte, error) {
	switch {
	case n.done:
		return nil, errNegotiation
	case !n.selected:
		if !proximity.ParseServiceSelect(message) {
			return nil, errNegotiation
		}
		n.selected = true
		return proximity.EncodeServiceStatus(true), nil
	}
	n.done = true
	return n.agree(message)
}
