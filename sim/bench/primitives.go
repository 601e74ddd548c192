package bench

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// primitives are the cryptography of the floors, with what it is done to. Each takes the
// number of a turn, and may be called from several sides at once.
type primitives struct {
	keys       [2]*ecdsa.PrivateKey // of an issuer and a phone
	digests    [256][sha256.Size]byte
	signatures [256][]byte // by the keys in turn: no table in the processor learns them
	private    *ecdh.PrivateKey
	publics    [16]*ecdh.PublicKey
	aead       cipher.AEAD
	nonce      []byte
	sealed     []byte // of 4 KiB
}

func newPrimitives() (p *primitives, err error) {
	p = &primitives{keys: [2]*ecdsa.PrivateKey{key("issuer"), key("phone")}}
	for i := range p.signatures {
		p.digests[i] = sha256.Sum256([]byte{byte(i)})
		if p.signatures[i], err = p.keys[i%2].Sign(nil, p.digests[i][:], crypto.SHA256); err != nil {
			return nil, err
		}
	}
	if p.private, err = key("verifier").ECDH(); err != nil {
		return nil, err
	}
	for i := range p.publics {
		if p.publics[i], err = key("wallet " + string(rune('a'+i))).PublicKey.ECDH(); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	if p.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	p.nonce = make([]byte, p.aead.NonceSize())
	p.sealed = p.aead.Seal(nil, p.nonce, text(4<<10), nil)
	return p, nil
}

func (p *primitives) verify(i int) error {
	i %= len(p.signatures)
	if !ecdsa.VerifyASN1(&p.keys[i%2].PublicKey, p.digests[i][:], p.signatures[i]) {
		return errors.New("a signature does not verify")
	}
	return nil
}

func (p *primitives) sign(i int) error {
	digest := sha256.Sum256([]byte{byte(i)})
	_, err := p.keys[0].Sign(nil, digest[:], crypto.SHA256)
	return err
}

// newKey makes a key: a multiplication of the base point.
func (*primitives) newKey(i int) error {
	d := sha256.Sum256([]byte("some key"))
	binary.BigEndian.PutUint32(d[28:], uint32(i))
	_, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	return err
}

func (p *primitives) agree(i int) error {
	_, err := p.private.ECDH(p.publics[i%len(p.publics)])
	return err
}

// open decrypts 4 KiB into room for it.
func (p *primitives) open(room []byte) error {
	_, err := p.aead.Open(room, p.nonce, p.sealed, nil)
	return err
}
