package mrtd

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// Channel is secure messaging between a chip and a reader (Doc 9303-11 §9.8): AES
// with CMAC, or 3DES with retail MAC. Both sides count messages; the first error
// ends it, and a channel that has ended opens nothing.
type Channel struct {
	block   int // length of a cipher block, and of the counter
	cipher  cipher.Block
	mac     func(paddedMessage []byte) []byte
	fixedIV bool
	counter uint64
	ended   bool
}

func newAES(encryption, mac []byte) *Channel {
	block, err := aes.NewCipher(encryption)
	if err != nil {
		panic("mrtd: " + err.Error())
	}
	return &Channel{block: aes.BlockSize, cipher: block, mac: func(m []byte) []byte { return cmac(mac, m)[:macSize] }}
}

func newTripleDES(encryption, mac []byte, counter uint64) *Channel {
	return &Channel{block: des.BlockSize, cipher: tripleDES(encryption), fixedIV: true, counter: counter,
		mac: func(m []byte) []byte { return retailMAC(mac, m) }}
}

// Data objects of secure messaging.
const (
	tagPlain      = 0x85 // cryptogram with no padding indicator, for odd instructions
	tagCryptogram = 0x87 // padding indicator 01, cryptogram
	tagMAC        = 0x8E
	tagExpected   = 0x97
	tagStatus     = 0x99
)

// Errors of the chip's side, each with the status word that says so.
var (
	ErrObjectMissing = errors.New("mrtd: a data object of secure messaging is missing")
	ErrObjectWrong   = errors.New("mrtd: a data object of secure messaging is wrong")
)

// Status is the status word for an error of OpenCommand.
func Status(err error) iso7816.Status {
	if errors.Is(err, ErrObjectMissing) {
		return iso7816.SecureObjectMissing
	}
	return iso7816.SecureObjectWrong
}

func (c *Channel) countUp() []byte {
	c.counter++
	return binary.BigEndian.AppendUint64(make([]byte, c.block-8, c.block), c.counter)
}

func (c *Channel) crypt(counter, data []byte, encrypt bool) []byte {
	iv := make([]byte, c.block)
	if !c.fixedIV { // §9.8.7.1: the counter, encrypted
		c.cipher.Encrypt(iv, counter)
	}
	return cbc(c.cipher, iv, data, encrypt)
}

// checksum is over the counter, a header padded by itself if there is one, and
// data objects padded (§9.8.6). With no objects the padded header is the end.
func (c *Channel) checksum(counter, header, objects []byte) []byte {
	m := append([]byte(nil), counter...)
	if header != nil {
		m = append(m, pad(header, c.block)...)
	}
	if len(objects) > 0 {
		m = append(m, pad(objects, c.block)...)
	}
	return c.mac(m)
}

func header(cmd iso7816.Command) []byte {
	return []byte{cmd.Class, cmd.Instruction, cmd.P1, cmd.P2}
}

// cryptogram wraps data: without padding indicator for odd instructions
// (ISO/IEC 7816-4 §10.3), nothing for no data.
func (c *Channel) cryptogram(counter []byte, instruction byte, data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	sealed := c.crypt(counter, pad(data, c.block), true)
	if instruction&1 == 1 {
		return iso7816.Encode(tagPlain, sealed)
	}
	return iso7816.Encode(tagCryptogram, []byte{1}, sealed)
}

func (c *Channel) decrypt(counter []byte, o iso7816.Object) ([]byte, bool) {
	sealed := o.Value
	if o.Tag == tagCryptogram {
		if len(sealed) == 0 || sealed[0] != 1 {
			return nil, false
		}
		sealed = sealed[1:]
	}
	if len(sealed) == 0 || len(sealed)%c.block != 0 {
		return nil, false
	}
	return unpad(c.crypt(counter, sealed, false))
}

// SealCommand is the reader's side: a command as it goes over the air.
func (c *Channel) SealCommand(cmd iso7816.Command) iso7816.Command {
	counter := c.countUp()
	cmd.Class |= iso7816.ClassSecure
	objects := c.cryptogram(counter, cmd.Instruction, cmd.Data)
	extended := cmd.Expected > 256
	switch {
	case cmd.Expected == 0:
	case extended || len(cmd.Data) > iso7816.ShortData:
		objects = append(objects, iso7816.Encode(tagExpected, []byte{byte(cmd.Expected >> 8), byte(cmd.Expected)})...)
	default:
		objects = append(objects, iso7816.Encode(tagExpected, []byte{byte(cmd.Expected)})...)
	}
	mac := c.checksum(counter, header(cmd), objects)
	cmd.Data = append(objects, iso7816.Encode(tagMAC, mac)...)
	cmd.Expected = 256
	if extended || len(cmd.Data) > iso7816.ShortData {
		cmd.Expected = iso7816.MaxData + 1
	}
	return cmd
}

// OpenCommand is the chip's side: what a command says that came over the air. An
// error ends the channel; Status has its status word.
func (c *Channel) OpenCommand(cmd iso7816.Command) (plain iso7816.Command, err error) {
	defer func() {
		if err != nil {
			c.ended = true
		}
	}()
	if c.ended {
		return plain, ErrObjectWrong
	}
	counter := c.countUp()
	objects, err := iso7816.ParseObjects(cmd.Data)
	if err != nil {
		return plain, ErrObjectWrong
	}
	if len(objects) == 0 || objects[len(objects)-1].Tag != tagMAC {
		if _, ok := iso7816.Find(objects, tagMAC); ok {
			return plain, ErrObjectWrong // not the last one
		}
		return plain, ErrObjectMissing
	}
	mac := objects[len(objects)-1].Value
	objects = objects[:len(objects)-1]
	var signed []byte
	for _, o := range objects {
		signed = append(signed, iso7816.Encode(o.Tag, o.Value)...)
	}
	// What was not encoded as it must be is not what was signed.
	if subtle.ConstantTimeCompare(mac, c.checksum(counter, header(cmd), signed)) != 1 {
		return plain, ErrObjectWrong
	}
	plain = iso7816.Command{Class: cmd.Class &^ iso7816.ClassSecure, Instruction: cmd.Instruction, P1: cmd.P1, P2: cmd.P2}
	next := func(tag iso7816.Tag) (o iso7816.Object, ok bool) {
		if len(objects) > 0 && objects[0].Tag == tag {
			o, ok, objects = objects[0], true, objects[1:]
		}
		return o, ok
	}
	wanted := iso7816.Tag(tagCryptogram)
	if cmd.Instruction&1 == 1 {
		wanted = tagPlain
	}
	if o, ok := next(wanted); ok {
		if plain.Data, ok = c.decrypt(counter, o); !ok {
			return plain, ErrObjectWrong
		}
	}
	if o, ok := next(tagExpected); ok {
		switch len(o.Value) {
		case 1:
			plain.Expected = int(o.Value[0])
			if plain.Expected == 0 {
				plain.Expected = 256
			}
		case 2:
			plain.Expected = int(o.Value[0])<<8 | int(o.Value[1])
			if plain.Expected == 0 {
				plain.Expected = iso7816.MaxData + 1
			}
		default:
			return plain, ErrObjectWrong
		}
	}
	if len(objects) != 0 {
		return plain, ErrObjectWrong
	}
	return plain, nil
}

// SealResponse is the chip's side: its answer as it goes over the air.
func (c *Channel) SealResponse(instruction byte, r iso7816.Response) iso7816.Response {
	counter := c.countUp()
	objects := c.cryptogram(counter, instruction, r.Data)
	objects = append(objects, iso7816.Encode(tagStatus, []byte{byte(r.Status >> 8), byte(r.Status)})...)
	mac := c.checksum(counter, nil, objects)
	return iso7816.Response{Data: append(objects, iso7816.Encode(tagMAC, mac)...), Status: r.Status}
}

// OpenResponse is the reader's side. A bare status word with no objects is the
// chip saying that the channel has ended.
func (c *Channel) OpenResponse(instruction byte, r iso7816.Response) (plain iso7816.Response, err error) {
	defer func() {
		if err != nil {
			c.ended = true
		}
	}()
	if c.ended {
		return plain, ErrObjectWrong
	}
	counter := c.countUp()
	objects, err := iso7816.ParseObjects(r.Data)
	if err != nil {
		return plain, ErrObjectWrong
	}
	n := len(objects)
	if n < 2 || objects[n-1].Tag != tagMAC || objects[n-2].Tag != tagStatus {
		return plain, ErrObjectMissing
	}
	var signed []byte
	for _, o := range objects[:n-1] {
		signed = append(signed, iso7816.Encode(o.Tag, o.Value)...)
	}
	status := objects[n-2].Value
	if subtle.ConstantTimeCompare(objects[n-1].Value, c.checksum(counter, nil, signed)) != 1 || len(status) != 2 {
		return plain, ErrObjectWrong
	}
	plain.Status = iso7816.Status(status[0])<<8 | iso7816.Status(status[1])
	if plain.Status != r.Status {
		return plain, ErrObjectWrong
	}
	wanted := iso7816.Tag(tagCryptogram)
	if instruction&1 == 1 {
		wanted = tagPlain
	}
	switch {
	case n == 2:
	case n == 3 && objects[0].Tag == wanted:
		var ok bool
		if plain.Data, ok = c.decrypt(counter, objects[0]); !ok {
			return plain, ErrObjectWrong
		}
	default:
		return plain, ErrObjectWrong
	}
	return plain, nil
}

// Room is how much data fits into an answer of so many bytes.
func (c *Channel) Room(answer int) int {
	overhead := 2 + 2 + 2 + macSize // status and MAC
	if answer -= overhead + 1 + 4; answer > c.block {
		// Tag, up to three bytes of length, padding indicator; at least one byte
		// of padding in whole blocks.
		return answer/c.block*c.block - 1
	}
	return 0
}
