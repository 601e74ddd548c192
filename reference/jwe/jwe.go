// Package jwe encrypts for a P-256 key what only its holder shall read, as
// OpenID4VP 1.0 §8.3 and HAIP 1.0 §5 want of an answer: a JWE in compact
// serialisation (RFC 7516 §7.1) with ECDH-ES in direct key agreement (RFC 7518
// §4.6) and AES-GCM (§5.3).
//
// It is written on the standard library rather than taken from one that is made
// for all of JOSE: those draw the ephemeral key by themselves, and here randomness
// is passed in. It may not know what is in a message, nor whose key it is.
package jwe

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"rollcall.example/rollcall/reference/jws"
)

// Encryption is how the content is encrypted.
type Encryption string

// The two that HAIP asks for.
const (
	A128GCM Encryption = "A128GCM"
	A256GCM Encryption = "A256GCM"
)

// keySizes are in bytes.
var keySizes = map[Encryption]int{A128GCM: 16, A256GCM: 32}

const (
	algorithm = "ECDH-ES"
	nonceSize = 12
	tagSize   = 16

	// MaxSize is the largest message that is read: some presentations, encoded.
	MaxSize   = 2 << 20
	maxHeader = 4 << 10
	maxParty  = 512 // bytes of apu and apv
)

// Why a message is not read (errors.Is).
var (
	// ErrMalformed: it is not what the standard says, or of a kind not read here.
	ErrMalformed = errors.New("the encrypted message is malformed")
	// ErrDecrypt: it was encrypted for another key, or changed on its way.
	ErrDecrypt = errors.New("the message was not encrypted for this key, or it was changed")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// Recipient is for whom and how a message is encrypted.
type Recipient struct {
	Key        *ecdsa.PublicKey
	KeyID      string // kid: which of the recipient's keys it is; may be empty
	Encryption Encryption
}

type header struct {
	Algorithm  string          `json:"alg"`
	Encryption Encryption      `json:"enc"`
	KeyID      string          `json:"kid,omitempty"`
	Ephemeral  *jws.Key        `json:"epk"`
	PartyU     string          `json:"apu,omitempty"`
	PartyV     string          `json:"apv,omitempty"`
	Zip        json.RawMessage `json:"zip,omitempty"`
	Critical   json.RawMessage `json:"crit,omitempty"`
}

// Encrypt encrypts for the recipient. The ephemeral key and the nonce are drawn
// from random, 44 bytes of it and hardly ever more. apu and apv name the parties,
// for the derivation of the key; they are readable by everybody, and may be empty.
func (to Recipient) Encrypt(random io.Reader, apu, apv, plaintext []byte) (string, error) {
	if keySizes[to.Encryption] == 0 {
		return "", fmt.Errorf("content cannot be encrypted with %q here: A128GCM or A256GCM", to.Encryption)
	}
	if to.Key == nil || to.Key.Curve != elliptic.P256() {
		return "", errors.New("the recipient's key is not P-256")
	}
	if len(apu) > maxParty || len(apv) > maxParty {
		return "", fmt.Errorf("apu and apv have at most %d bytes", maxParty)
	}
	public, err := to.Key.ECDH()
	if err != nil {
		return "", fmt.Errorf("the recipient's key: %w", err)
	}
	ephemeral, err := drawKey(random)
	if err != nil {
		return "", err
	}
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return "", fmt.Errorf("no randomness for the nonce: %w", err)
	}
	point := ephemeral.PublicKey().Bytes()
	encode := base64.RawURLEncoding.EncodeToString
	text, err := jws.Marshal(header{
		Algorithm: algorithm, Encryption: to.Encryption, KeyID: to.KeyID,
		Ephemeral: &jws.Key{Kty: "EC", Crv: "P-256", X: encode(point[1:33]), Y: encode(point[33:])},
		PartyU:    encode(apu), PartyV: encode(apv),
	})
	if err != nil {
		return "", err
	}
	if len(text) > maxHeader {
		return "", fmt.Errorf("the header has %d bytes; at most %d are read: shorten kid", len(text), maxHeader)
	}
	aead, err := derive(ephemeral, public, to.Encryption, apu, apv)
	if err != nil {
		return "", err
	}
	b := make([]byte, 0, (len(text)+len(plaintext)+nonceSize+tagSize)*4/3+16)
	b = base64.RawURLEncoding.AppendEncode(b, text)
	sealed := aead.Seal(nil, nonce[:], plaintext, b)
	b = append(b, '.', '.') // no encrypted key: the agreed one is it
	b = base64.RawURLEncoding.AppendEncode(b, nonce[:])
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), sealed[:len(plaintext)])
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), sealed[len(plaintext):])
	if len(b) > MaxSize {
		return "", fmt.Errorf("the message has %d bytes; at most %d are read", len(b), MaxSize)
	}
	return string(b), nil
}

// drawKey takes a key from randomness, evenly: what is no key is drawn again,
// which happens once in 2^32 times.
func drawKey(random io.Reader) (*ecdh.PrivateKey, error) {
	for range 8 {
		var d [32]byte
		if _, err := io.ReadFull(random, d[:]); err != nil {
			return nil, fmt.Errorf("no randomness for the ephemeral key: %w", err)
		}
		if k, err := ecdh.P256().NewPrivateKey(d[:]); err == nil {
			return k, nil
		}
	}
	return nil, errors.New("the randomness for the ephemeral key is none: eight draws gave no key")
}

// derive agrees on a key and makes a cipher with it.
func derive(private *ecdh.PrivateKey, public *ecdh.PublicKey, enc Encryption, apu, apv []byte) (cipher.AEAD, error) {
	key, err := agree(private, public, enc, apu, apv)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// agree derives a key (RFC 7518 §4.6.2: the Concat KDF of NIST SP 800-56A, one
// round of it).
func agree(private *ecdh.PrivateKey, public *ecdh.PublicKey, enc Encryption, apu, apv []byte) ([]byte, error) {
	shared, err := private.ECDH(public)
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint32(nil, 1)
	b = append(b, shared...)
	for _, field := range [][]byte{[]byte(enc), apu, apv} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(8*keySizes[enc]))
	sum := sha256.Sum256(b)
	return sum[:keySizes[enc]], nil
}

// Message is what has been decrypted.
type Message struct {
	Plaintext  []byte
	KeyID      string
	Encryption Encryption
	PartyU     []byte // apu
	PartyV     []byte // apv
}

// KeyID reads the kid of a message without decrypting it, so that its key can be
// found.
func KeyID(message string) (string, error) {
	h, _, err := parse(message)
	if err != nil {
		return "", err
	}
	return h.KeyID, nil
}

// Decrypt reads a message that was encrypted for this key in one of the ways that
// are accepted; none named: in any that is known here.
func Decrypt(message string, key *ecdsa.PrivateKey, accepted ...Encryption) (*Message, error) {
	private, err := key.ECDH()
	if err != nil {
		return nil, fmt.Errorf("the recipient's key: %w", err)
	}
	return Open(message, private, accepted...)
}

// Open is Decrypt with a key of crypto/ecdh. To make one of a key of crypto/ecdsa takes a
// multiplication on the curve, as much as a quarter of the agreement.
func Open(message string, private *ecdh.PrivateKey, accepted ...Encryption) (*Message, error) {
	h, parts, err := parse(message)
	if err != nil {
		return nil, err
	}
	if len(accepted) > 0 && !slices.Contains(accepted, h.Encryption) {
		return nil, malformed("enc %q is not accepted here", h.Encryption)
	}
	public, err := h.Ephemeral.ECDH() // a point that is on the curve
	if err != nil {
		return nil, malformed("epk: %w", err)
	}
	m := &Message{KeyID: h.KeyID, Encryption: h.Encryption}
	if m.PartyU, err = party(h.PartyU); err != nil {
		return nil, malformed("apu: %w", err)
	}
	if m.PartyV, err = party(h.PartyV); err != nil {
		return nil, malformed("apv: %w", err)
	}
	aead, err := derive(private, public, h.Encryption, m.PartyU, m.PartyV)
	if err != nil {
		return nil, malformed("%w", err)
	}
	if m.Plaintext, err = aead.Open(parts.sealed[:0], parts.nonce, parts.sealed, parts.header); err != nil {
		return nil, ErrDecrypt
	}
	return m, nil
}

func party(text string) ([]byte, error) {
	b, err := jws.Decode([]byte(text))
	if err == nil && len(b) > maxParty {
		err = fmt.Errorf("%d bytes; at most %d are read", len(b), maxParty)
	}
	return b, err
}

// parts are those of a message; the header as it was sent, for it is
// authenticated so.
type parts struct {
	header, nonce, sealed []byte
}

func parse(message string) (*header, *parts, error) {
	if len(message) > MaxSize {
		return nil, nil, malformed("%d bytes; at most %d are read", len(message), MaxSize)
	}
	all := bytes.SplitN([]byte(message), []byte{'.'}, 6)
	if len(all) != 5 {
		return nil, nil, malformed("it does not have five parts")
	}
	if len(all[0]) > maxHeader*4/3+4 {
		return nil, nil, malformed("the header has %d letters", len(all[0]))
	}
	if len(all[1]) != 0 {
		return nil, nil, malformed("a key is sent with it; it must be agreed on directly")
	}
	text, err := jws.Decode(all[0])
	if err != nil {
		return nil, nil, malformed("header: %w", err)
	}
	var h header
	if err := jws.Unmarshal(text, &h); err != nil {
		return nil, nil, malformed("header: %w", err)
	}
	switch {
	case h.Algorithm != algorithm:
		return nil, nil, malformed("alg %.40q, not %q", h.Algorithm, algorithm)
	case keySizes[h.Encryption] == 0:
		return nil, nil, malformed("enc %.40q, neither A128GCM nor A256GCM", h.Encryption)
	case h.Zip != nil:
		return nil, nil, malformed("it is compressed, which tells its length to who cannot read it")
	case h.Critical != nil:
		return nil, nil, malformed("headers are marked critical that are not known here")
	case h.Ephemeral == nil:
		return nil, nil, malformed("epk is missing")
	}
	p := &parts{header: all[0]}
	if p.nonce, err = jws.Decode(all[2]); err != nil || len(p.nonce) != nonceSize {
		return nil, nil, malformed("the nonce is not %d bytes in base64url", nonceSize)
	}
	if p.sealed, err = jws.Decode(all[3]); err != nil {
		return nil, nil, malformed("the ciphertext: %w", err)
	}
	tag, err := jws.Decode(all[4])
	if err != nil || len(tag) != tagSize {
		return nil, nil, malformed("the tag is not %d bytes in base64url", tagSize)
	}
	p.sealed = append(p.sealed, tag...)
	return &h, p, nil
}
