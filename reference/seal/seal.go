// Package seal makes texts that the service hands out and takes back: request
// URIs, codes, access tokens, nonces. What stands in one is encrypted and
// authenticated (XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03), with its kind
// and its end, so that any replica with the same keys can go on where another one
// stopped, and nothing needs to be stored. That a text is used only once is for
// its user to see to: Sealed.ID is what to remember.
//
// It may not know what is in it.
package seal

import (
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// MaxText limits a sealed text, in bytes.
const MaxText = 16 << 10

var (
	// ErrSeal: the text was not made here, or for something else.
	ErrSeal = errors.New("this was not made here, or not for this")
	// ErrOver: its time is over.
	ErrOver = errors.New("its time is over")
)

// Keys seal with the first key and open with any.
type Keys struct {
	aead atomic.Pointer[[]cipher.AEAD]
}

// NewKeys takes the key in use, and others whose texts may be about: those before
// it, and one to come.
func NewKeys(keys ...[32]byte) (*Keys, error) {
	k := &Keys{}
	return k, k.Replace(keys...)
}

// Replace takes other keys from now on. What keeps the keys keeps working with
// them: a text is opened as long as its key is among them.
func (k *Keys) Replace(keys ...[32]byte) error {
	if len(keys) == 0 {
		return errors.New("no key to seal with: give at least one of 32 bytes")
	}
	var all []cipher.AEAD
	for _, key := range keys {
		a, err := chacha20poly1305.NewX(key[:])
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	k.aead.Store(&all)
	return nil
}

// Length is how long a text is in which so many bytes of JSON are sealed.
func Length(body int) int {
	return base64.RawURLEncoding.EncodedLen(chacha20poly1305.NonceSizeX + 8 + body + chacha20poly1305.Overhead)
}

// Seal seals v as JSON until its end. The seed is fresh randomness.
func (k *Keys) Seal(seed [32]byte, kind string, end time.Time, v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(end.UnixMilli()))
	nonce := seed[:chacha20poly1305.NonceSizeX]
	text := base64.RawURLEncoding.EncodeToString((*k.aead.Load())[0].Seal(append([]byte(nil), nonce...), nonce, append(plain, body...), []byte(kind)))
	if len(text) > MaxText {
		return "", fmt.Errorf("a sealed %s would have %d bytes; at most %d are read", kind, len(text), MaxText)
	}
	return text, nil
}

// Sealed is a text that was opened.
type Sealed struct {
	ID  [sha256.Size]byte // names the text, for whoever lets it be used once
	End time.Time
}

// Open reads a text of the kind into v. An error is ErrSeal or ErrOver.
func (k *Keys) Open(kind, text string, now time.Time, v any) (Sealed, error) {
	if len(text) > MaxText {
		return Sealed{}, ErrSeal
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text || len(raw) < chacha20poly1305.NonceSizeX {
		return Sealed{}, ErrSeal
	}
	for _, a := range *k.aead.Load() {
		plain, err := a.Open(nil, raw[:chacha20poly1305.NonceSizeX], raw[chacha20poly1305.NonceSizeX:], []byte(kind))
		if err != nil || len(plain) < 8 {
			continue
		}
		s := Sealed{ID: sha256.Sum256([]byte(text)), End: time.UnixMilli(int64(binary.BigEndian.Uint64(plain))).UTC()}
		if !now.Before(s.End) {
			return Sealed{}, ErrOver
		}
		if err := json.Unmarshal(plain[8:], v); err != nil {
			return Sealed{}, fmt.Errorf("%w: %v", ErrSeal, err)
		}
		return s, nil
	}
	return Sealed{}, ErrSeal
}

// Stamp is 32 bytes that nobody can foresee, by which a replica with the same keys knows
// later (Stamped) that they were given for something: 16 of the seed, which is fresh
// randomness, and what authenticates them. They can be replaced by no others, have no
// end, and hide nothing.
func (k *Keys) Stamp(seed [32]byte, of string) (stamp [32]byte) {
	copy(stamp[:], seed[:16])
	copy(stamp[16:], authenticate((*k.aead.Load())[0], stamp, of))
	return stamp
}

// Stamped says whether bytes are a Stamp of that.
func (k *Keys) Stamped(stamp []byte, of string) bool {
	if len(stamp) != 32 {
		return false
	}
	for _, a := range *k.aead.Load() {
		if subtle.ConstantTimeCompare(stamp[16:], authenticate(a, [32]byte(stamp), of)) == 1 {
			return true
		}
	}
	return false
}

// authenticate seals nothing: what is left is its tag, of 16 bytes.
func authenticate(a cipher.AEAD, stamp [32]byte, of string) []byte {
	var nonce [chacha20poly1305.NonceSizeX]byte
	copy(nonce[:], stamp[:16])
	return a.Seal(nil, nonce[:], nil, []byte("stamp\x00"+of))
}
