package mrtd

import (
	"bytes"
	"crypto/subtle"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// Password says what is taken as a password (Doc 9303-11 §4.4.4.1).
type Password byte

const (
	FromMRZ Password = 1 // MRZSecret
	FromCAN Password = 2 // the card access number printed on the front
	FromPIN Password = 3
)

// NonceSize is the length of the nonce of PACE, and of its encryption.
const NonceSize = 16

// PACE is one side of a run of PACE with generic mapping. Both sides take the
// same steps: Map, Agree, then tokens are exchanged.
type PACE struct {
	curve             Curve
	nonce             []byte
	mapping, own      []byte // private keys
	generator         []byte // mapped
	ownPoint, peer    []byte
	encryption, macOf []byte // session keys
}

// EncryptNonce is the chip's first answer: the nonce under a password.
func EncryptNonce(secret, nonce []byte) []byte {
	return aesCBC(derive(secret, forPassword), make([]byte, NonceSize), nonce, true)
}

// DecryptNonce is what a reader makes of that. With a wrong password it is
// another nonce, and nothing tells.
func DecryptNonce(secret, encrypted []byte) ([]byte, error) {
	if len(encrypted) != NonceSize {
		return nil, ErrRefused
	}
	return aesCBC(derive(secret, forPassword), make([]byte, NonceSize), encrypted, false), nil
}

// NewPACE begins a run with a nonce and two private keys (Curve.Scalar), used up
// by it.
func NewPACE(curve Curve, nonce, mapping, own []byte) *PACE {
	return &PACE{curve: curve, nonce: nonce, mapping: mapping, own: own}
}

// MappingPoint is what this side sends for the mapping.
func (p *PACE) MappingPoint() ([]byte, error) { return p.curve.Public(p.mapping) }

// Map takes the other side's mapping point (§4.4.3.3.1): G' = s·G + H. It returns
// the point that this side sends for the key agreement.
func (p *PACE) Map(peer []byte) (point []byte, err error) {
	shared, err := p.curve.multiply(peer, p.mapping)
	if err != nil {
		return nil, err
	}
	nonce, err := p.curve.multiply(p.curve.generator(), leftPad(p.nonce))
	if err != nil {
		return nil, err
	}
	if p.generator, err = p.curve.add(nonce, shared); err != nil {
		return nil, err
	}
	p.ownPoint, err = p.curve.multiply(p.generator, p.own)
	return p.ownPoint, err
}

func leftPad(b []byte) []byte { return append(make([]byte, scalarSize-len(b)), b...) }

// Agree takes the other side's point for the key agreement. One's own point sent
// back is refused (§4.4.1 step 3 d).
func (p *PACE) Agree(peer []byte) error {
	if bytes.Equal(peer, p.ownPoint) {
		return ErrPoint
	}
	secret, err := p.curve.Agree(p.own, peer)
	if err != nil {
		return err
	}
	p.peer = bytes.Clone(peer)
	p.encryption, p.macOf = derive(secret, forEncryption), derive(secret, forMAC)
	return nil
}

// Point is what this side sends for the key agreement, after Map.
func (p *PACE) Point() []byte { return p.ownPoint }

// token is the authentication token over a public key (§4.4.3.4).
func (p *PACE) token(point []byte) []byte {
	return cmac(p.macOf, iso7816.Encode(0x7F49, iso7816.Encode(0x06, oidPACE), iso7816.Encode(0x86, point)))[:macSize]
}

// Token is what this side sends to prove that it knows the password.
func (p *PACE) Token() []byte { return p.token(p.peer) }

// Check judges the other side's token.
func (p *PACE) Check(token []byte) error {
	if subtle.ConstantTimeCompare(token, p.token(p.ownPoint)) != 1 {
		return ErrRefused
	}
	return nil
}

// Channel is secure messaging after a run that succeeded.
func (p *PACE) Channel() *Channel { return newAES(p.encryption, p.macOf) }

// Authenticated is secure messaging after chip authentication (§6.2): keys from
// the secret shared by the chip's static key and the reader's fresh one.
func Authenticated(secret []byte) *Channel {
	return newAES(derive(secret, forEncryption), derive(secret, forMAC))
}
