package iccard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/subtle"
	"encoding/asn1"
	"math/big"

	"rollcall.example/rollcall/hwemu/iso7816"
)

const cryptoSHA256 = crypto.SHA256

// Reference data qualifiers (P2).
const (
	referencePIN  = 0x81
	referenceCode = 0x82
)

type handler func(*Card, iso7816.Command) iso7816.Response

// instructions is what the chip can do: where, and in which part of its life.
// Order of refusals: instruction, life, then what each handler checks: P1-P2,
// lengths, security status, content.
var instructions = map[byte]struct {
	in      []int // applications; nil: everywhere
	life    life
	perform handler
}{
	iso7816.Select:               {nil, anytime, (*Card).selectFile},
	iso7816.ReadBinary:           {nil, anytime, (*Card).readBinary},
	iso7816.ReadBinaryOdd:        {nil, anytime, (*Card).readBinaryOdd},
	iso7816.GetChallenge:         {nil, anytime, (*Card).getChallenge},
	iso7816.UpdateBinary:         {nil, inPersonalisation, (*Card).updateBinary},
	iso7816.GenerateKeyPair:      {[]int{emrtd}, inPersonalisation, (*Card).generateKeyPair},
	iso7816.ActivateFile:         {nil, inPersonalisation, (*Card).activate},
	iso7816.Verify:               {[]int{resident}, inUse, (*Card).verify},
	iso7816.ChangeReferenceData:  {[]int{resident}, anytime, (*Card).changeReferenceData},
	iso7816.ResetRetryCounter:    {[]int{resident}, inUse, (*Card).resetRetryCounter},
	iso7816.InternalAuthenticate: {[]int{emrtd, resident}, inUse, (*Card).internalAuthenticate},
}

type life byte

const (
	anytime life = iota
	inPersonalisation
	inUse
)

func answer(s iso7816.Status) iso7816.Response { return iso7816.Response{Status: s} }

// give answers with data that was asked for: 6700 if none was, 6Cnn if less was.
func give(cmd iso7816.Command, data []byte) iso7816.Response {
	switch {
	case cmd.Expected == 0:
		return answer(iso7816.WrongLength)
	case cmd.Expected < len(data):
		return answer(iso7816.WrongExpected(len(data)))
	}
	return iso7816.Response{Data: data, Status: iso7816.OK}
}

// process carries out one whole command in the clear.
func (c *Card) process(cmd iso7816.Command) iso7816.Response {
	ins, ok := instructions[cmd.Instruction]
	if !ok || !iso7816.ValidInstruction(cmd.Instruction) {
		return answer(iso7816.InstructionNotSupported)
	}
	here := ins.in == nil
	for _, a := range ins.in {
		here = here || a == c.session.application
	}
	switch {
	case !here:
		return answer(iso7816.InstructionNotSupported)
	case ins.life == inPersonalisation && c.personalised(), ins.life == inUse && !c.personalised():
		return answer(iso7816.ConditionsNotSatisfied)
	}
	return ins.perform(c, cmd)
}

// selectFile is SELECT (ISO/IEC 7816-4 §11.2.2) by application identifier, by
// file identifier, and of the master file. A SELECT that fails changes nothing.
func (c *Card) selectFile(cmd iso7816.Command) iso7816.Response {
	const noData, fcp = 0x0C, 0x04
	if cmd.P2 != noData && cmd.P2 != fcp && cmd.P2 != 0 {
		return answer(iso7816.WrongP1P2)
	}
	var information []byte
	enter := func(application int) {
		if application != c.session.application {
			c.session.pinVerified = false
		}
		c.session.application, c.session.file = application, nil
		if aid := layout[application].aid; aid != "" {
			information = iso7816.Encode(0x84, []byte(aid))
		} else {
			information = iso7816.Encode(0x83, []byte{0x3F, 0x00})
		}
	}
	switch {
	case cmd.P1 == 0x04:
		found := -1
		for a := range layout {
			if a != masterFile && string(cmd.Data) == layout[a].aid {
				found = a
			}
		}
		if found < 0 {
			return answer(iso7816.FileNotFound)
		}
		enter(found)
		// Selecting an application anew starts it anew.
		c.session.pinVerified = false
	case cmd.P1 == 0x00 && (len(cmd.Data) == 0 || string(cmd.Data) == "\x3F\x00"):
		enter(masterFile)
	case cmd.P1 == 0x00 || cmd.P1 == 0x02:
		if len(cmd.Data) != 2 {
			return answer(iso7816.WrongLength)
		}
		id := uint16(cmd.Data[0])<<8 | uint16(cmd.Data[1])
		f := c.find(c.session.application, func(f *file) bool { return f.id == id })
		if f == nil {
			return answer(iso7816.FileNotFound)
		}
		c.session.file = f
		information = append(iso7816.Encode(0x80, []byte{byte(f.size >> 8), byte(f.size)}), iso7816.Encode(0x82, []byte{0x01})...)
		information = append(information, iso7816.Encode(0x83, cmd.Data)...)
		information = append(information, iso7816.Encode(0x88, []byte{f.short << 3})...)
	default:
		return answer(iso7816.WrongP1P2)
	}
	switch {
	case cmd.P2 == noData || cmd.Expected == 0:
		return answer(iso7816.OK)
	case cmd.P2 == fcp:
		return give(cmd, iso7816.Encode(0x62, information))
	default:
		return give(cmd, iso7816.Encode(0x6F, information))
	}
}

// target finds the file of READ or UPDATE BINARY with even instruction byte: by
// short identifier, or the current one.
func (c *Card) target(cmd iso7816.Command) (f *file, offset int, status iso7816.Status) {
	if cmd.P1&0x80 == 0 {
		if c.session.file == nil {
			return nil, 0, iso7816.NoCurrentFile
		}
		return c.session.file, int(cmd.P1)<<8 | int(cmd.P2), iso7816.OK
	}
	short := cmd.P1 & 0x1F
	if cmd.P1&0x60 != 0 || short == 0 || short == 0x1F {
		return nil, 0, iso7816.WrongP1P2
	}
	f = c.find(c.session.application, func(f *file) bool { return f.short == short })
	if f == nil {
		return nil, 0, iso7816.FileNotFound
	}
	c.session.file = f
	return f, int(cmd.P2), iso7816.OK
}

// read returns up to n bytes of a file. Warned is set where a definite number
// was asked for and the file ends before.
func (c *Card) read(f *file, offset, n int) (data []byte, status iso7816.Status) {
	switch {
	case f.read == afterPIN && !c.session.pinVerified:
		return nil, iso7816.SecurityNotSatisfied
	case offset >= f.size:
		return nil, iso7816.OffsetOutside
	}
	data = f.content[offset:min(f.size, offset+min(n, bufferSize))]
	if n != 256 && n != 65536 && offset+n > f.size {
		return data, iso7816.EndOfFile
	}
	return data, iso7816.OK
}

// readBinary is READ BINARY with even instruction byte (§11.3.3).
func (c *Card) readBinary(cmd iso7816.Command) iso7816.Response {
	if len(cmd.Data) != 0 || cmd.Expected == 0 {
		return answer(iso7816.WrongLength)
	}
	f, offset, status := c.target(cmd)
	if status != iso7816.OK {
		return answer(status)
	}
	data, status := c.read(f, offset, cmd.Expected)
	return iso7816.Response{Data: data, Status: status}
}

// readBinaryOdd is READ BINARY with odd instruction byte: offset and data as
// data objects, for files beyond 32 KiB and for readers that prefer it.
func (c *Card) readBinaryOdd(cmd iso7816.Command) iso7816.Response {
	if len(cmd.Data) == 0 || cmd.Expected == 0 {
		return answer(iso7816.WrongLength)
	}
	p := uint16(cmd.P1)<<8 | uint16(cmd.P2)
	f := c.session.file
	switch short := byte(p); {
	case p == 0 && f == nil:
		return answer(iso7816.NoCurrentFile)
	case p == 0:
	case p < 0x1F:
		f = c.find(c.session.application, func(f *file) bool { return f.short == short })
	default:
		f = c.find(c.session.application, func(f *file) bool { return f.id == p })
	}
	if f == nil {
		return answer(iso7816.FileNotFound)
	}
	tag, value, rest, err := iso7816.Next(cmd.Data)
	if err != nil || tag != 0x54 || len(rest) != 0 || len(value) == 0 || len(value) > 3 {
		return answer(iso7816.WrongData)
	}
	offset := 0
	for _, b := range value {
		offset = offset<<8 | int(b)
	}
	// Tag and length need up to four bytes of what was asked for.
	n := cmd.Expected
	if n != 256 && n != 65536 {
		n -= len(iso7816.Encode(0x53, make([]byte, min(n, bufferSize)))) - min(n, bufferSize)
	}
	if n <= 0 {
		return answer(iso7816.WrongLength)
	}
	if cmd.Expected == 256 {
		n = 253 // 53 81 FD and 253 bytes
	}
	data, status := c.read(f, offset, n)
	if status == iso7816.EndOfFile && cmd.Expected == 256 {
		status = iso7816.OK
	}
	if status != iso7816.OK && status != iso7816.EndOfFile {
		return answer(status)
	}
	c.session.file = f
	return iso7816.Response{Data: iso7816.Encode(0x53, data), Status: status}
}

// updateBinary is UPDATE BINARY (§11.3.5); a blank chip's files grow to their
// capacity. A torn update leaves bytes half written, but the chip blank: it is
// written again from the start.
func (c *Card) updateBinary(cmd iso7816.Command) iso7816.Response {
	if len(cmd.Data) == 0 {
		return answer(iso7816.WrongLength)
	}
	f, offset, status := c.target(cmd)
	switch end := offset + len(cmd.Data); {
	case status != iso7816.OK:
		return answer(status)
	case offset > f.size:
		return answer(iso7816.OffsetOutside)
	case end > f.capacity:
		return answer(iso7816.NotEnoughMemory)
	default:
		if end > len(f.content) {
			f.content = append(f.content, make([]byte, end-len(f.content))...)
		}
		c.memory.write(f.content[offset:], cmd.Data)
		c.memory.step()
		f.size = max(f.size, end)
	}
	return answer(iso7816.OK)
}

// getChallenge is GET CHALLENGE (§11.5.3).
func (c *Card) getChallenge(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) != 0 || cmd.Expected == 0:
		return answer(iso7816.WrongLength)
	}
	n := cmd.Expected
	if n == 256 || n == 65536 {
		n = 8
	}
	if n > 64 {
		return answer(iso7816.WrongLength)
	}
	return iso7816.Response{Data: c.noise(n), Status: iso7816.OK}
}

// generateKeyPair is GENERATE ASYMMETRIC KEY PAIR (ISO/IEC 7816-8 §11.2): the
// private key never leaves the chip.
func (c *Card) generateKeyPair(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 != 0x80 || cmd.P2 != 0:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) != 0:
		return answer(iso7816.WrongLength)
	}
	c.busy += timeGenerate
	c.memory.step()
	c.key = c.deriveKey()
	point, err := c.key.PublicKey.Bytes()
	if err != nil {
		panic("iccard: " + err.Error())
	}
	return give(cmd, iso7816.Encode(0x7F49, iso7816.Encode(0x86, point)))
}

// activate is ACTIVATE FILE (ISO/IEC 7816-9) for the whole chip: it ends
// personalisation, for good.
func (c *Card) activate(cmd iso7816.Command) iso7816.Response {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return answer(iso7816.WrongP1P2)
	}
	complete := c.key != nil && c.pin.value() != nil && c.resetCode.value() != nil
	for a := range c.files {
		for i := range c.files[a] {
			complete = complete && c.files[a][i].size > 0
		}
	}
	if !complete {
		return answer(iso7816.ConditionsNotSatisfied)
	}
	c.tries.setNumber(&c.memory, maxTries)
	c.codeTries.setNumber(&c.memory, maxResetTries)
	c.active.setNumber(&c.memory, 1)
	return answer(iso7816.OK)
}

// check compares a candidate with secret reference data: a try is taken off and
// kept before the comparison, and given back after it, so that whoever cuts the
// power in between has lost it.
func (c *Card) check(candidate []byte, secret, tries *cell, limit int) iso7816.Status {
	left := tries.number()
	if left == 0 {
		return iso7816.MethodBlocked
	}
	tries.setNumber(&c.memory, left-1)
	if subtle.ConstantTimeCompare(candidate, secret.value()) != 1 {
		return iso7816.TriesLeft(left - 1)
	}
	tries.setNumber(&c.memory, limit)
	return iso7816.OK
}

func validPIN(pin []byte) bool {
	for _, d := range pin {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(pin) >= 4 && len(pin) <= 8
}

// verify is VERIFY (ISO/IEC 7816-4 §11.5.6). Without data it tells the tries
// left and takes none.
func (c *Card) verify(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 != 0:
		return answer(iso7816.WrongP1P2)
	case cmd.P2 != referencePIN:
		return answer(iso7816.ReferenceNotFound)
	case len(cmd.Data) == 0 && c.session.pinVerified:
		return answer(iso7816.OK)
	case len(cmd.Data) == 0 && c.tries.number() == 0:
		return answer(iso7816.MethodBlocked)
	case len(cmd.Data) == 0:
		return answer(iso7816.TriesLeft(c.tries.number()))
	case len(cmd.Data) < 4 || len(cmd.Data) > 8:
		return answer(iso7816.WrongLength)
	}
	c.session.pinVerified = false
	status := c.check(cmd.Data, &c.pin, &c.tries, maxTries)
	c.session.pinVerified = status == iso7816.OK
	return answer(status)
}

// changeReferenceData is CHANGE REFERENCE DATA (§11.5.7): in personalisation it
// loads PIN and resetting code, in use it changes the PIN for who knows the old
// one.
func (c *Card) changeReferenceData(cmd iso7816.Command) iso7816.Response {
	if cmd.P2 != referencePIN && (cmd.P2 != referenceCode || c.personalised()) {
		return answer(iso7816.ReferenceNotFound)
	}
	if !c.personalised() {
		switch {
		case cmd.P1 != 1:
			return answer(iso7816.WrongP1P2)
		case cmd.P2 == referencePIN && validPIN(cmd.Data):
			c.pin.set(&c.memory, cmd.Data)
		case cmd.P2 == referenceCode && len(cmd.Data) == resetCodeSize:
			c.resetCode.set(&c.memory, cmd.Data)
		default:
			return answer(iso7816.WrongData)
		}
		return answer(iso7816.OK)
	}
	old := len(c.pin.value())
	switch {
	case cmd.P1 != 0:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) < 8 || len(cmd.Data) > 16:
		return answer(iso7816.WrongLength)
	case len(cmd.Data) <= old || !validPIN(cmd.Data[old:]):
		return answer(iso7816.WrongData)
	}
	c.session.pinVerified = false
	if status := c.check(cmd.Data[:old], &c.pin, &c.tries, maxTries); status != iso7816.OK {
		return answer(status)
	}
	c.pin.set(&c.memory, cmd.Data[old:])
	return answer(iso7816.OK)
}

const resetCodeSize = 8

// resetRetryCounter is RESET RETRY COUNTER (§11.5.10): the clerk gives the
// resetting code, alone (P1 = 1) or with a new PIN (P1 = 0). It verifies nobody.
func (c *Card) resetRetryCounter(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 > 1:
		return answer(iso7816.WrongP1P2)
	case cmd.P2 != referencePIN:
		return answer(iso7816.ReferenceNotFound)
	case len(cmd.Data) < resetCodeSize, cmd.P1 == 1 && len(cmd.Data) != resetCodeSize:
		return answer(iso7816.WrongLength)
	case cmd.P1 == 0 && !validPIN(cmd.Data[resetCodeSize:]):
		return answer(iso7816.WrongData)
	}
	c.session.pinVerified = false
	if status := c.check(cmd.Data[:resetCodeSize], &c.resetCode, &c.codeTries, maxResetTries); status != iso7816.OK {
		return answer(status)
	}
	if cmd.P1 == 0 {
		c.pin.set(&c.memory, cmd.Data[resetCodeSize:])
	}
	c.tries.setNumber(&c.memory, maxTries)
	return answer(iso7816.OK)
}

// internalAuthenticate is INTERNAL AUTHENTICATE (§11.5.2): active authentication
// of Doc 9303 in the eMRTD application, a statement (package comment) in the
// resident application.
func (c *Card) internalAuthenticate(cmd iso7816.Command) iso7816.Response {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return answer(iso7816.WrongP1P2)
	}
	want := 8
	if c.session.application == resident {
		want = ChallengeSize
	}
	if len(cmd.Data) != want || cmd.Expected == 0 {
		return answer(iso7816.WrongLength)
	}
	c.busy += timeSign
	if c.session.application == emrtd {
		return give(cmd, signPlain(c.key, cmd.Data))
	}
	var status byte
	if c.session.pinVerified {
		status |= PINVerified
	}
	if c.tries.number() == 0 {
		status |= PINBlocked
	}
	message := append([]byte(StatementLabel), cmd.Data...)
	signature := signPlain(c.key, append(message, status))
	return give(cmd, iso7816.Encode(0x7C, iso7816.Encode(0x80, []byte{status}), iso7816.Encode(0x81, signature)))
}

// splitSignature reads the two integers of a DER signature.
func splitSignature(der []byte) (r, s *big.Int) {
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		panic("iccard: " + err.Error())
	}
	return v.R, v.S
}

// publicKey reads the answer of generateKeyPair.
func publicKey(answer []byte) (*ecdsa.PublicKey, error) {
	objects, err := iso7816.ParseObjects(answer)
	if err != nil {
		return nil, err
	}
	template, _ := iso7816.Find(objects, 0x7F49)
	point, _ := template.Child(0x86)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point.Value)
}
