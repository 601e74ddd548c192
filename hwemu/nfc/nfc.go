// Package nfc is the radio link between a phone and a contactless card: the
// blocks of ISO/IEC 14443-4:2018, the time they take, and the tag that is lost
// in the middle. Times are virtual: they are returned, never slept.
//
// A bit takes 128/fc seconds at 106 kbit/s (fc = 13.56 MHz) and a half, a
// quarter, an eighth of that at 212, 424 and 848; a byte is nine bits with its
// parity, a frame has a start and an end bit besides (14443-3 §6.2). A command
// or answer travels in blocks of at most the frame size, each with a control
// byte and a checksum; a block that is not the last one of its chain is
// acknowledged (14443-4 §7.5.2). Between frames lies the frame delay time. A
// chip that needs longer than the frame waiting time asks for more (S(WTX)).
//
// It carries bytes and may not know what they say: whatever answers as a Card
// does may lie in the field.
package nfc

import (
	"errors"
	"fmt"
	"time"
)

// Card is what lies in the field.
type Card interface {
	// Transmit takes a command and gives the answer; nil if power failed before.
	Transmit(command []byte) []byte
	// Busy is how long the last command kept the chip busy.
	Busy() time.Duration
	// Reset is the card leaving the field.
	Reset()
	// CutPower lets the power fail after so many bytes written to its memory.
	CutPower(afterWrites int)
}

// ErrTagLost: the card left the field.
var ErrTagLost = errors.New("the card left the field: hold it to the phone until the tap is done")

// Link is a phone's reader with a card in its field. It serves one card at a
// time and is not safe for concurrent use.
type Link struct {
	// BitRate in kbit/s, both ways: 106, 212, 424 or 848.
	BitRate int
	// FrameSize is the largest frame in bytes, header and checksum included: the
	// smaller of reader's and card's (FSD, FSC), 16 to 256.
	FrameSize int
	// FrameWaiting is the exponent FWI of the frame waiting time, 0 to 14.
	FrameWaiting int

	card   Card
	bytes  int // on the air since activation, both ways
	tearAt int // negative: not armed
	writes int
	frames int
}

// New puts a card before a reader with usual parameters: 424 kbit/s, frames of
// 256 bytes, a waiting time of 77 ms.
func New(card Card) *Link {
	return &Link{BitRate: 424, FrameSize: 256, FrameWaiting: 8, card: card, tearAt: -1}
}

// fc is the carrier in hertz; all times are counted in its periods.
const fc = 13_560_000

// periods of the carrier.
type periods int64

func (p periods) duration() time.Duration {
	return time.Duration(int64(p) * (1_000_000_000 / 40) / (fc / 40))
}

// Frame delay times (14443-3 §6.2.1.1): the card answers on a grid, nine bit
// times and a bit after the end of a command; a reader answers no sooner than
// 1172/fc after a card. Phones take longer, for their software: see Latency.
const (
	delayCard   = periods(9*128 + 84)
	delayReader = periods(1172)
)

// Latency is what a phone's software adds to each exchange [A]: driver and
// operating system, not radio.
const Latency = 3 * time.Millisecond

// Bytes is how many bytes were on the air since activation, both ways: the scale
// on which Tear counts.
func (l *Link) Bytes() int { return l.bytes }

// Frames is how many frames were.
func (l *Link) Frames() int { return l.frames }

// Tear arms the loss of the card at a byte on the air, counted from activation.
// If it falls on the last byte of a command, the chip has the command and loses
// power at work, after writing so many bytes to its memory.
func (l *Link) Tear(atByte, writes int) { l.tearAt, l.writes = max(atByte, 0), max(writes, 0) }

// frame is the time of n bytes in a frame at a bit rate.
func frame(n, rate int) periods {
	bit := periods(128 * 106 / rate)
	return bit * periods(2+9*n)
}

// air sends n bytes; lost says that the card was gone within them, or right
// after the last one.
func (l *Link) air(n int, rate int) (took periods, lost bool) {
	l.frames++
	if l.tearAt >= 0 && l.bytes+n >= l.tearAt {
		sent := max(l.tearAt-l.bytes, 0)
		l.bytes += sent
		return frame(sent, rate), true
	}
	l.bytes += n
	return frame(n, rate), false
}

// Activate finds the card and agrees on parameters: request, anticollision of a
// seven-byte identifier, RATS and answer, and PPS if the bit rate is another
// than 106 (14443-3 §6.5, 14443-4 §5). The field is on 5 ms before (14443-3
// §5.4). Counting for Tear begins here.
func (l *Link) Activate() (took time.Duration, err error) {
	if l.BitRate != 106 && l.BitRate != 212 && l.BitRate != 424 && l.BitRate != 848 {
		return 0, fmt.Errorf("nfc: a bit rate of %d kbit/s is not one of 106, 212, 424, 848", l.BitRate)
	}
	if l.FrameSize < 16 || l.FrameSize > 256 || l.FrameWaiting < 0 || l.FrameWaiting > 14 {
		return 0, fmt.Errorf("nfc: frame size %d or frame waiting %d is outside of the standard", l.FrameSize, l.FrameWaiting)
	}
	l.card.Reset()
	l.bytes, l.frames = 0, 0
	exchanges := [][2]int{ // bytes to the card and back
		{1, 2},         // REQA, ATQA
		{2, 5}, {9, 3}, // anticollision and selection, first part of the identifier
		{2, 5}, {9, 3}, // second part
		{4, 15}, // RATS, ATS with historical bytes
	}
	if l.BitRate != 106 {
		exchanges = append(exchanges, [2]int{5, 3}) // PPS
	}
	total := periods(fc / 200)
	for _, e := range exchanges {
		for direction, n := range e {
			t, lost := l.air(n, 106)
			total += t + [2]periods{delayCard, delayReader}[direction]
			if lost {
				l.card.Reset()
				l.tearAt = -1
				return total.duration(), ErrTagLost
			}
		}
	}
	return total.duration() + Latency, nil
}

// Exchange sends a command APDU and gives the answer, with the time both took.
// After ErrTagLost the card has been reset; it has to be activated again.
func (l *Link) Exchange(command []byte) (answer []byte, took time.Duration, err error) {
	sent, lost := l.blocks(len(command), delayCard, delayReader)
	if lost {
		if sent.whole {
			l.card.CutPower(l.writes)
			l.card.Transmit(command)
			took = l.card.Busy()
		}
		l.card.Reset()
		l.tearAt = -1
		return nil, sent.time.duration() + took, ErrTagLost
	}
	answer = l.card.Transmit(command)
	took = sent.time.duration() + l.work(l.card.Busy()) + Latency
	if answer == nil {
		return nil, took, ErrTagLost
	}
	back, lost := l.blocks(len(answer), delayReader, delayCard)
	took += back.time.duration()
	if lost {
		l.card.Reset()
		l.tearAt = -1
		return nil, took, ErrTagLost
	}
	return answer, took, nil
}

// sending is what blocks did: the time, and whether all of the data went out.
type sending struct {
	time  periods
	whole bool
}

// blocks sends n bytes of data in a chain of I-blocks, each but the last
// acknowledged by an R-block.
func (l *Link) blocks(n int, after, afterAcknowledgement periods) (s sending, lost bool) {
	const overhead = 3 // control byte and checksum
	most := l.FrameSize - overhead
	for {
		part := min(n, most)
		n -= part
		t, lost := l.air(part+overhead, l.BitRate)
		s.time += t + after
		if lost {
			s.whole = n == 0 && t == frame(part+overhead, l.BitRate)
			return s, true
		}
		if n == 0 {
			s.whole = true
			return s, false
		}
		t, lost = l.air(overhead, l.BitRate)
		s.time += t + afterAcknowledgement
		if lost {
			return s, true
		}
	}
}

// waiting is the frame waiting time (14443-4 §7.2): 256·16/fc · 2^FWI.
func (l *Link) waiting() time.Duration { return (periods(256*16) << l.FrameWaiting).duration() }

// work is the time of the chip's work with the requests for more of it: one
// S(WTX) and its answer, four bytes each, for up to 59 waiting times.
func (l *Link) work(busy time.Duration) time.Duration {
	extension := 2*frame(4, l.BitRate) + delayCard + delayReader
	total := busy
	for left := busy - l.waiting(); left > 0; left -= 59 * l.waiting() {
		total += extension.duration()
		l.frames += 2
	}
	return total
}
