package iccard

import "rollcall.example/rollcall/hwemu/iso7816"

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
		if f.read != always && !c.open() {
			return answer(iso7816.SecurityNotSatisfied)
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
	definite := n != 256 && n != 65536
	switch {
	case f.read != always && !c.open(), f.read == afterPIN && !c.knowsPIN():
		return nil, iso7816.SecurityNotSatisfied
	case offset >= f.size:
		return nil, iso7816.OffsetOutside
	case definite && n > c.session.room && c.session.channel != nil:
		return nil, iso7816.WrongLength // more than the answer can hold once sealed
	}
	data = f.content[offset:min(f.size, offset+min(n, c.session.room))]
	if definite && offset+n > f.size {
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
	all := cmd.Expected == 256 || cmd.Expected == 65536
	if all && c.session.channel != nil {
		n = min(n, c.session.room-4) // with tag and length
	}
	data, status := c.read(f, offset, n)
	if status == iso7816.EndOfFile && all {
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
