package iccard

import (
	"encoding/binary"
	"hash/crc32"
)

// memory is the chip's non-volatile memory as a place where time passes and
// power can fail: every byte written is a step.
type memory struct {
	written int // bytes, ever
	left    int // steps until the power fails; negative: it does not
}

// powerLost is thrown when the field vanishes; Transmit catches it.
type powerLost struct{}

func (m *memory) step() {
	if m.left == 0 {
		panic(powerLost{})
	}
	m.left--
	m.written++
}

// write copies src over dst, byte by byte.
func (m *memory) write(dst, src []byte) {
	for i, b := range src {
		m.step()
		dst[i] = b
	}
}

// cell is a value that changes as one: two slots, of which the intact one with
// the later sequence counts. A write goes to the other slot, so that a torn
// write leaves the old value.
type cell struct{ slots [2][]byte } // sequence, value, CRC-32 of both

func (c *cell) slot() (index int, ok bool) {
	intact := func(s []byte) bool {
		n := len(s) - 4
		return n > 0 && crc32.ChecksumIEEE(s[:n]) == binary.BigEndian.Uint32(s[n:])
	}
	first, second := intact(c.slots[0]), intact(c.slots[1])
	switch {
	case first && second:
		// Sequences differ by one, modulo 256.
		if c.slots[1][0] == c.slots[0][0]+1 {
			return 1, true
		}
		return 0, true
	case second:
		return 1, true
	default:
		return 0, first
	}
}

// value returns what the cell holds; nil if it was never written.
func (c *cell) value() []byte {
	i, ok := c.slot()
	if !ok {
		return nil
	}
	return c.slots[i][1 : len(c.slots[i])-4]
}

func (c *cell) set(m *memory, value []byte) {
	current, ok := c.slot()
	next := byte(0)
	target := 0
	if ok {
		next, target = c.slots[current][0]+1, 1-current
	}
	image := append([]byte{next}, value...)
	image = binary.BigEndian.AppendUint32(image, crc32.ChecksumIEEE(image))
	if len(c.slots[target]) != len(image) {
		// A slot of another length is no slot: its old checksum is gone first.
		m.step()
		c.slots[target] = make([]byte, len(image))
		c.slots[target][len(image)-1] = 1
	}
	m.write(c.slots[target], image)
}

// number and setNumber keep a small counter in a cell.
func (c *cell) number() int {
	if v := c.value(); len(v) == 1 {
		return int(v[0])
	}
	return 0
}

func (c *cell) setNumber(m *memory, n int) { c.set(m, []byte{byte(n)}) }

func (c *cell) clone() cell {
	return cell{[2][]byte{append([]byte(nil), c.slots[0]...), append([]byte(nil), c.slots[1]...)}}
}
