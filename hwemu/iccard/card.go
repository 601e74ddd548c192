package iccard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
	"rollcall.example/rollcall/reference/p256"
)

// What the chip's work takes [A]: typical of contactless secure elements with a
// cryptographic coprocessor.
const (
	timeCommand  = 400 * time.Microsecond // to take and answer any command
	timeSign     = 45 * time.Millisecond  // ECDSA P-256
	timeGenerate = 120 * time.Millisecond // a P-256 key pair
	timeMultiply = 35 * time.Millisecond  // a point by a number, in PACE and chip authentication
	timeMessage  = 600 * time.Microsecond // secure messaging, a command and its answer
	timePage     = 2 * time.Millisecond   // to write a page of memory
	pageBytes    = 64
)

const (
	maxTries      = 3 // of the PIN
	maxResetTries = 10
	bufferSize    = 4096 // largest command or response, stated in EF.ATR/INFO
)

// Status byte of a statement.
const (
	PINVerified = 0x01 // since the resident application was selected, or by PACE with the PIN
	PINBlocked  = 0x02 // no tries are left
)

// StatementLabel begins what the resident application signs.
const StatementLabel = "rollcall resident card statement 1\x00"

// ChallengeSize is the length of a challenge for a statement.
const ChallengeSize = 32

// Card is one chip. It is not safe for concurrent use: a card is in one field at
// a time.
type Card struct {
	// Non-volatile.
	memory               memory
	active               cell // holds 1 once personalised
	pin, tries           cell
	resetCode, codeTries cell
	can, mrz             cell // passwords of a protected chip; unwritten: read in the clear
	failures             cell // of CAN and MRZ since they last succeeded
	files                [len(layout)][]file
	key                  *ecdsa.PrivateKey
	chipKey              *ecdsa.PrivateKey // for chip authentication; nil: none
	entropy              []byte
	drawn                uint64 // from the noise source

	session session
	busy    time.Duration
}

// session is what a chip forgets when the field goes.
type session struct {
	application int
	file        *file
	pinVerified bool
	chain       iso7816.Assembler

	channel   *mrtd.Channel // nil: none
	next      *mrtd.Channel // takes its place once the command is answered
	by        mrtd.Password // how the channel was opened
	room      int           // most data that the answer at work may hold
	challenge []byte        // for BAC, given by the command before
	security  *security     // what MSE:SET AT has set, and how far it got
}

// NewBlank makes a chip as it leaves the factory. Entropy (at least 16 bytes) is
// all the randomness it will ever have, its key included.
func NewBlank(entropy []byte) *Card {
	if len(entropy) < 16 {
		panic("iccard: a chip needs at least 16 bytes of entropy")
	}
	c := &Card{files: newFiles(), entropy: append([]byte(nil), entropy...)}
	c.memory.left = -1
	c.Reset()
	return c
}

// CloneWithoutKey is what a forger can make at best: all files, the PIN and its
// tries, on a chip of his own with a key of its own.
func (c *Card) CloneWithoutKey(entropy []byte) *Card {
	clone := NewBlank(entropy)
	clone.active, clone.pin, clone.tries = c.active.clone(), c.pin.clone(), c.tries.clone()
	clone.resetCode, clone.codeTries = c.resetCode.clone(), c.codeTries.clone()
	clone.can, clone.mrz, clone.failures = c.can.clone(), c.mrz.clone(), c.failures.clone()
	for a := range c.files {
		for i := range c.files[a] {
			clone.files[a][i].content = append([]byte(nil), c.files[a][i].content...)
			clone.files[a][i].size = c.files[a][i].size
		}
	}
	clone.key = clone.deriveKey()
	if c.chipKey != nil {
		clone.chipKey = clone.deriveChipKey()
	}
	return clone
}

// Reset is what happens when the card leaves the field: the session is gone. An
// armed CutPower is disarmed.
func (c *Card) Reset() {
	c.session = session{chain: iso7816.Assembler{Limit: bufferSize}}
	c.memory.left = -1
}

// CutPower lets the field vanish after that many further bytes were written to
// memory: the command then at work never answers.
func (c *Card) CutPower(afterWrites int) { c.memory.left = max(afterWrites, 0) }

// Busy is how long the last command kept the chip busy.
func (c *Card) Busy() time.Duration { return c.busy }

// Transmit takes a command APDU and gives the response APDU; nil if the power
// failed before there was one.
func (c *Card) Transmit(command []byte) (response []byte) {
	written := c.memory.written
	c.busy = timeCommand
	defer func() {
		pages := (c.memory.written - written + pageBytes - 1) / pageBytes
		c.busy += time.Duration(pages) * timePage
		if thrown := recover(); thrown != nil {
			if _, ok := thrown.(powerLost); !ok {
				panic(thrown)
			}
			c.Reset()
			response = nil
		}
	}()
	cmd, err := iso7816.ParseCommand(command)
	if err != nil {
		return answer(iso7816.WrongLength).Bytes()
	}
	switch secure := cmd.Class & iso7816.ClassSecure; {
	case cmd.Class&iso7816.ClassExtension != 0:
		return answer(iso7816.ClassNotSupported).Bytes()
	case secure != 0 && (secure != iso7816.ClassSecure || !c.protected()):
		return answer(iso7816.SecureNotSupported).Bytes()
	case cmd.Class&iso7816.ClassChannel != 0:
		return answer(iso7816.ChannelNotSupported).Bytes()
	case secure != 0:
		return c.secured(cmd).Bytes()
	}
	// A command in the clear ends secure messaging (Doc 9303-11 §9.8.5).
	c.closeChannel()
	c.session.room = bufferSize
	r := c.whole(cmd)
	c.session.channel, c.session.next = c.session.next, nil
	return r.Bytes()
}

// secured carries out a command under secure messaging. An error of secure
// messaging ends it, and is answered in the clear.
func (c *Card) secured(cmd iso7816.Command) iso7816.Response {
	channel := c.session.channel
	if channel == nil {
		return answer(iso7816.SecureObjectWrong)
	}
	c.busy += timeMessage
	plain, err := channel.OpenCommand(cmd)
	if err != nil {
		c.closeChannel()
		return answer(mrtd.Status(err))
	}
	expected := cmd.Expected
	if expected == 0 { // readers that leave it out want the answer all the same
		expected = 256
	}
	c.session.room = channel.Room(min(expected, bufferSize))
	r := channel.SealResponse(cmd.Instruction, c.whole(plain))
	if c.session.next != nil {
		c.session.channel, c.session.next = c.session.next, nil
	}
	return r
}

// whole puts chains together and carries out what is complete. Each GENERAL
// AUTHENTICATE of a chain is a step of its own, with an answer (Doc 9303-11
// §4.4.4.2).
func (c *Card) whole(cmd iso7816.Command) iso7816.Response {
	if cmd.Instruction == iso7816.GeneralAuthenticate && !c.session.chain.Pending() {
		return c.process(cmd)
	}
	whole, complete, status := c.session.chain.Add(cmd)
	if !complete {
		return answer(status)
	}
	return c.process(whole)
}

// closeChannel ends secure messaging, and all that was allowed by it.
func (c *Card) closeChannel() {
	if c.session.channel != nil {
		c.session.channel, c.session.by, c.session.pinVerified = nil, 0, false
	}
}

// protected says whether the chip tells nothing without a password.
func (c *Card) protected() bool { return c.personalised() && c.can.value() != nil }

// open says whether what a protected chip guards may be told.
func (c *Card) open() bool { return !c.protected() || c.session.channel != nil }

// knowsPIN says whether the PIN was shown, by VERIFY or by PACE.
func (c *Card) knowsPIN() bool { return c.session.pinVerified || c.session.by == mrtd.FromPIN }

func (c *Card) personalised() bool { return c.active.number() == 1 }

func (c *Card) find(application int, match func(*file) bool) *file {
	inUse := c.personalised()
	for i := range c.files[application] {
		f := &c.files[application][i]
		if match(f) && (f.size > 0 || !inUse) { // one that was never written is not there
			return f
		}
	}
	return nil
}

// noise is the chip's random number generator.
func (c *Card) noise(n int) []byte {
	var out []byte
	for len(out) < n {
		c.drawn++
		h := sha256.New()
		h.Write([]byte("noise"))
		h.Write(c.entropy)
		h.Write(binary.BigEndian.AppendUint64(nil, c.drawn))
		out = h.Sum(out)
	}
	return out[:n]
}

// deriveKey makes the chip's key pair.
func (c *Card) deriveKey() *ecdsa.PrivateKey {
	return keyFrom("active authentication", c.entropy)
}

// deriveChipKey makes the key pair of chip authentication.
func (c *Card) deriveChipKey() *ecdsa.PrivateKey {
	return keyFrom("chip authentication", c.entropy)
}

// keyFrom makes a P-256 key of a seed, the same every time.
func keyFrom(label string, seed []byte) *ecdsa.PrivateKey {
	for i := byte(0); ; i++ {
		h := sha256.New()
		h.Write([]byte(label))
		h.Write([]byte{0, i})
		h.Write(seed)
		// Fails for 0 and numbers above the order of the curve: once in 2^32.
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), h.Sum(nil)); err == nil {
			return key
		}
	}
}

// signPlain signs deterministically (RFC 6979) and writes r‖s (BSI TR-03111
// §5.2.1, plain format).
func signPlain(key *ecdsa.PrivateKey, message []byte) []byte {
	digest := sha256.Sum256(message)
	rs, err := p256.Sign(key, digest[:])
	if err != nil {
		panic("iccard: " + err.Error()) // a P-256 key signs every digest
	}
	return rs
}
