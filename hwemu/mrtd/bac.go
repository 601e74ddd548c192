package mrtd

import (
	"bytes"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ErrRefused means that the other side does not know the password.
var ErrRefused = errors.New("mrtd: the other side does not know the password")

// Sizes of BAC: challenges, halves of the key, and the data of EXTERNAL
// AUTHENTICATE and its answer.
const (
	BACNonce   = 8
	BACKey     = 16
	BACMessage = 2*BACNonce + BACKey + macSize
)

// BAC is one side of Basic Access Control (Doc 9303-11 §4.3.3): key and challenge
// that it has drawn.
type BAC struct {
	Nonce, Key []byte
	enc, mac   []byte
}

// NewBAC takes the MRZSecret, and 8 and 16 random bytes.
func NewBAC(secret, nonce, key []byte) *BAC {
	seed := secret[:16]
	return &BAC{Nonce: nonce, Key: key, enc: withParity(derive(seed, forEncryption)), mac: withParity(derive(seed, forMAC))}
}

func (b *BAC) seal(first, second []byte) []byte {
	s := append(append(append([]byte(nil), first...), second...), b.Key...)
	e := cbc(tripleDES(b.enc), make([]byte, des.BlockSize), s, true)
	return append(e, retailMAC(b.mac, pad(e, des.BlockSize))...)
}

func (b *BAC) open(message []byte) (first, second, key []byte, err error) {
	if len(message) != BACMessage {
		return nil, nil, nil, ErrRefused
	}
	e, mac := message[:BACMessage-macSize], message[BACMessage-macSize:]
	if subtle.ConstantTimeCompare(mac, retailMAC(b.mac, pad(e, des.BlockSize))) != 1 {
		return nil, nil, nil, ErrRefused
	}
	s := cbc(tripleDES(b.enc), make([]byte, des.BlockSize), e, false)
	return s[:BACNonce], s[BACNonce : 2*BACNonce], s[2*BACNonce:], nil
}

func (b *BAC) channel(nonceIC, nonceIFD, otherKey []byte) *Channel {
	seed := make([]byte, BACKey)
	subtle.XORBytes(seed, b.Key, otherKey)
	counter := binary.BigEndian.Uint64(append(append([]byte(nil), nonceIC[4:]...), nonceIFD[4:]...))
	return newTripleDES(withParity(derive(seed, forEncryption)), withParity(derive(seed, forMAC)), counter)
}

// Request is what the reader sends in EXTERNAL AUTHENTICATE, for the chip's
// challenge.
func (b *BAC) Request(nonceIC []byte) []byte { return b.seal(b.Nonce, nonceIC) }

// Finish reads the chip's answer.
func (b *BAC) Finish(nonceIC, answer []byte) (*Channel, error) {
	first, second, key, err := b.open(answer)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, nonceIC) || !bytes.Equal(second, b.Nonce) {
		return nil, ErrRefused
	}
	return b.channel(nonceIC, b.Nonce, key), nil
}

// Answer is the chip's side: it checks a request against its challenge and
// answers.
func (b *BAC) Answer(request []byte) (answer []byte, c *Channel, err error) {
	nonceIFD, nonceIC, key, err := b.open(request)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(nonceIC, b.Nonce) {
		return nil, nil, ErrRefused
	}
	return b.seal(b.Nonce, nonceIFD), b.channel(b.Nonce, nonceIFD, key), nil
}
