package iso7816

import (
	"errors"
	"fmt"
)

const (
	// MaxData is the largest data field of a command (Nc) or response (Ne - 1).
	MaxData = 65535
	// MaxCommand is the longest encoded command: header, extended Lc, data,
	// extended Le.
	MaxCommand = 4 + 3 + MaxData + 2
	// ShortData is the largest data field that a short Lc can state.
	ShortData = 255
)

// Bits of the class byte, interindustry coding (ISO/IEC 7816-4 §5.4.1).
const (
	ClassChained   = 0x10 // not the last command of a chain
	ClassSecure    = 0x0C // secure messaging, header authenticated or not
	ClassChannel   = 0x03 // logical channel 0 to 3
	ClassExtension = 0xE0 // further interindustry and proprietary classes
)

// Command is a command APDU.
type Command struct {
	Class, Instruction, P1, P2 byte
	Data                       []byte
	// Expected is Ne, the number of response bytes that are welcome: 0 where
	// none are, 256 (short) or 65536 (extended) for "all there are".
	Expected int
}

// Chained says whether more commands of the same chain follow.
func (c Command) Chained() bool { return c.Class&ClassChained != 0 }

// Bytes encodes the command: with short length fields if they suffice,
// otherwise with extended ones. It panics if a length fits neither, which no
// caller can mean.
func (c Command) Bytes() []byte {
	if len(c.Data) > MaxData || c.Expected < 0 || c.Expected > MaxData+1 {
		panic(fmt.Sprintf("iso7816: command with %d data bytes that expects %d", len(c.Data), c.Expected))
	}
	out := make([]byte, 4, 4+3+len(c.Data)+3)
	out[0], out[1], out[2], out[3] = c.Class, c.Instruction, c.P1, c.P2
	if len(c.Data) <= ShortData && c.Expected <= ShortData+1 {
		if len(c.Data) > 0 {
			out = append(out, byte(len(c.Data)))
			out = append(out, c.Data...)
		}
		if c.Expected > 0 {
			out = append(out, byte(c.Expected))
		}
		return out
	}
	out = append(out, 0)
	if len(c.Data) > 0 {
		out = append(out, byte(len(c.Data)>>8), byte(len(c.Data)))
		out = append(out, c.Data...)
	}
	if c.Expected > 0 {
		out = append(out, byte(c.Expected>>8), byte(c.Expected))
	}
	return out
}

// ErrCommandLength means that header, Lc, data and Le do not add up to the
// number of bytes that arrived; a card answers WrongLength.
var ErrCommandLength = errors.New("iso7816: the length fields of the command do not match its bytes")

// ParseCommand decodes a command APDU. Data aliases raw.
func ParseCommand(raw []byte) (Command, error) {
	if len(raw) < 4 || len(raw) > MaxCommand {
		return Command{}, ErrCommandLength
	}
	c := Command{Class: raw[0], Instruction: raw[1], P1: raw[2], P2: raw[3]}
	body := raw[4:]
	switch {
	case len(body) == 0: // case 1
		return c, nil
	case len(body) == 1: // case 2, short
		c.Expected = zeroMeans(int(body[0]), 256)
		return c, nil
	case body[0] != 0: // cases 3 and 4, short
		n := int(body[0])
		switch rest := body[1:]; len(rest) {
		case n:
			c.Data = rest
		case n + 1:
			c.Data, c.Expected = rest[:n], zeroMeans(int(rest[n]), 256)
		default:
			return Command{}, ErrCommandLength
		}
		return c, nil
	case len(body) == 3: // case 2, extended
		c.Expected = zeroMeans(int(body[1])<<8|int(body[2]), 65536)
		return c, nil
	case len(body) < 4:
		return Command{}, ErrCommandLength
	}
	n := int(body[1])<<8 | int(body[2])
	if n == 0 {
		return Command{}, ErrCommandLength
	}
	switch rest := body[3:]; len(rest) { // cases 3 and 4, extended
	case n:
		c.Data = rest
	case n + 2:
		c.Data, c.Expected = rest[:n], zeroMeans(int(rest[n])<<8|int(rest[n+1]), 65536)
	default:
		return Command{}, ErrCommandLength
	}
	return c, nil
}

func zeroMeans(n, all int) int {
	if n == 0 {
		return all
	}
	return n
}

// Response is a response APDU.
type Response struct {
	Data   []byte
	Status Status
}

// Bytes encodes the response.
func (r Response) Bytes() []byte {
	out := make([]byte, 0, len(r.Data)+2)
	out = append(out, r.Data...)
	return append(out, byte(r.Status>>8), byte(r.Status))
}

// ParseResponse decodes a response APDU. Data aliases raw.
func ParseResponse(raw []byte) (Response, error) {
	if len(raw) < 2 || len(raw) > MaxData+1+2 {
		return Response{}, fmt.Errorf("iso7816: a response of %d bytes holds no data and status word", len(raw))
	}
	n := len(raw) - 2
	return Response{Data: raw[:n:n], Status: Status(raw[n])<<8 | Status(raw[n+1])}, nil
}

// Chain splits a command into a chain of commands of at most size data bytes
// (§5.3.3): all but the last carry ClassChained and expect nothing.
func (c Command) Chain(size int) []Command {
	var out []Command
	data := c.Data
	for size > 0 && len(data) > size {
		part := c
		part.Class |= ClassChained
		part.Data, part.Expected = data[:size], 0
		out = append(out, part)
		data = data[size:]
	}
	last := c
	last.Data = data
	return append(out, last)
}

// Assembler puts a chain together on the card's side.
type Assembler struct {
	// Limit is the largest assembled data field.
	Limit   int
	pending *Command
}

// Pending says whether a chain is unfinished.
func (a *Assembler) Pending() bool { return a.pending != nil }

// Reset forgets an unfinished chain.
func (a *Assembler) Reset() { a.pending = nil }

// Add takes the next command. It returns the complete command when c was the
// last or only one, and otherwise the status to answer at once: OK after a part
// of a chain, LastOfChainExpected where another command breaks a chain,
// WrongLength beyond the limit. After an error the chain is forgotten.
func (a *Assembler) Add(c Command) (whole Command, complete bool, status Status) {
	p := a.pending
	if p == nil && !c.Chained() {
		return c, true, OK
	}
	if p == nil {
		p = &Command{Class: c.Class &^ ClassChained, Instruction: c.Instruction, P1: c.P1, P2: c.P2}
	}
	a.pending = nil
	switch {
	case p.Class != c.Class&^ClassChained || p.Instruction != c.Instruction || p.P1 != c.P1 || p.P2 != c.P2:
		return Command{}, false, LastOfChainExpected
	case len(p.Data)+len(c.Data) > a.Limit:
		return Command{}, false, WrongLength
	}
	p.Data = append(p.Data, c.Data...)
	if c.Chained() {
		a.pending = p
		return Command{}, false, OK
	}
	p.Expected = c.Expected
	return *p, true, OK
}
