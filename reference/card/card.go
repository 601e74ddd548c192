// Package card is the server's side of reading an IC resident card: is this what
// the country signed (passive authentication, ICAO Doc 9303-11 §5.1), is it this
// very chip and not a copy or a replay (active authentication, §6.1), and did
// the holder enter the PIN.
//
// # How the server knows of the PIN
//
// The phone between chip and server is not believed. Asked by INTERNAL
// AUTHENTICATE in its resident application, the chip signs, with the key whose
// public half stands in DG15 and so under the country's signature,
//
//	SHA-256( "rollcall resident card statement 1" 00 ‖ challenge ‖ status )
//
// where challenge is the server's 32 bytes and the chip alone makes the status
// byte: bit 1 if the PIN was verified in this session, bit 2 if it is blocked. A
// phone can withhold a statement, not make or change one. The same chip signs
// eight bytes for ordinary readers (Doc 9303 active authentication); the lengths
// keep the two apart.
//
// A challenge must be random and accepted once: the caller keeps account of it.
// That the card lies on this phone, and not on another from which everything is
// relayed, is not proven; the face comparison stands against that.
//
// The face template is read after the PIN; its hash stands in DG13.
//
// Only what this country uses is accepted: SHA-256, ECDSA on P-256, one document
// signer directly under the country's authority. A signer that the country has
// revoked is refused (Doc 9303-12, profile of the CRL; RFC 5280 §5): the lists
// are handed over (Verifier.Revoked), as often as whoever runs it fetches them.
//
// It may not know how cards are made or emulated: it imports no hardware.
package card

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/p256"
)

// Why a card is not believed. Every error of Verify is one of these (errors.Is)
// with a sentence about the particular case.
var (
	// ErrMalformed: the bytes are not what the standard says.
	ErrMalformed = errors.New("what was read from the card is malformed")
	// ErrUntrusted: no authority that is trusted stands behind the signer.
	ErrUntrusted = errors.New("the card's signer is not trusted")
	// ErrSignerExpired: the signer's certificate is not valid at this time.
	ErrSignerExpired = errors.New("the certificate of the card's signer is out of its time")
	// ErrSignerRevoked: the country has taken the signer's certificate back.
	ErrSignerRevoked = errors.New("the certificate of the card's signer was revoked")
	// ErrUnlisted: it cannot be told whether it has: there is no list of revoked
	// certificates, or its time is over.
	ErrUnlisted = errors.New("it cannot be told whether the certificate of the card's signer was revoked")
	// ErrChanged: the content is not what was signed.
	ErrChanged = errors.New("the content of the card is not what was signed")
	// ErrNotTheChip: the chip with the card's key did not answer this challenge:
	// a copy, a replay, or a changed statement.
	ErrNotTheChip = errors.New("the answer to the challenge is not this card's")
)

// ChallengeSize is the length of a challenge.
const ChallengeSize = 32

const (
	statementLabel = "rollcall resident card statement 1\x00"
	pinVerified    = 0x01
	statusBits     = 0x03
)

// Limits of what is read.
const (
	maxSOD = 16 << 10
	maxDG  = 64 << 10
)

// Evidence is what a phone read from an IC card, as it is on the chip.
type Evidence struct {
	SOD, DG1, DG2, DG13, DG15 []byte // EF.SOD and data groups; DG2 may be missing
	Template                  []byte // EF.Template; missing where the PIN was not entered
	Signature                 []byte // r‖s of the chip's statement
	PIN                       []byte // the statement's status byte
}

// Card is what is known of a card once its evidence is found good.
type Card struct {
	DocumentNumber string
	Template       face.Template // zero without the PIN
	PINVerified    bool
	Signer         Signer // by whom the country has signed it
}

// Verifier checks cards against the country's authorities. It remembers document
// signers whose chain it found good, but asks at each use whether they are good now:
// in their time and not revoked. Many goroutines may use it at once.
type Verifier struct {
	roots    []*x509.Certificate
	demanded bool // RequireLists

	listing sync.Mutex // of changes of lists
	lists   atomic.Pointer[[]*crl.List]

	mu      sync.RWMutex
	signers map[[sha256.Size]byte]signer
}

type signer struct {
	certificate, root *x509.Certificate
	key               *p256.Key // of the certificate
}

// maxSigners bounds the memory of the Verifier. A country has a few dozen.
const maxSigners = 1024

// NewVerifier reads the certificates of country signing authorities, DER.
func NewVerifier(roots ...[]byte) (*Verifier, error) {
	if len(roots) == 0 {
		return nil, errors.New("no card can be verified without the certificate of a country signing authority")
	}
	v := &Verifier{signers: map[[sha256.Size]byte]signer{}}
	for i, der := range roots {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the country signing authorities: %w", i+1, err)
		}
		if !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("certificate %d (%s) is not that of a signing authority", i+1, c.Subject)
		}
		v.roots = append(v.roots, c)
	}
	return v, nil
}

// Verify says which card it is, if the country signed its content and the chip
// has answered this very challenge. Card.PINVerified tells whether the PIN was
// entered; without it there is no template, and still no error.
func (v *Verifier) Verify(e Evidence, challenge []byte, at time.Time) (Card, error) {
	if len(challenge) != ChallengeSize {
		return Card{}, fmt.Errorf("%w: the challenge has %d bytes, not %d", ErrNotTheChip, len(challenge), ChallengeSize)
	}
	hashes, by, err := v.securityObject(e.SOD, at)
	if err != nil {
		return Card{}, err
	}
	for _, group := range []struct {
		number   int
		content  []byte
		optional bool
	}{{1, e.DG1, false}, {2, e.DG2, true}, {13, e.DG13, false}, {15, e.DG15, false}} {
		if len(group.content) == 0 && group.optional {
			continue
		}
		if len(group.content) > maxDG {
			return Card{}, fmt.Errorf("%w: DG%d has more than %d bytes", ErrMalformed, group.number, maxDG)
		}
		want, signed := hashes[group.number]
		if got := sha256.Sum256(group.content); !signed || got != want {
			return Card{}, fmt.Errorf("%w: DG%d has another hash", ErrChanged, group.number)
		}
	}
	number, err := documentNumber(e.DG1)
	if err != nil {
		return Card{}, err
	}
	key, err := chipKey(e.DG15)
	if err != nil {
		return Card{}, err
	}
	if len(e.PIN) != 1 || e.PIN[0]&^statusBits != 0 {
		return Card{}, fmt.Errorf("%w: the status in the chip's statement is not one byte that is known", ErrMalformed)
	}
	message := append(append([]byte(statementLabel), challenge...), e.PIN[0])
	if digest := sha256.Sum256(message); !p256.Verify(key, digest[:], e.Signature) {
		return Card{}, fmt.Errorf("%w (card %s)", ErrNotTheChip, number)
	}
	card := Card{DocumentNumber: number, PINVerified: e.PIN[0]&pinVerified != 0, Signer: by}
	if !card.PINVerified {
		return card, nil
	}
	want, err := templateHash(e.DG13)
	if err != nil {
		return Card{}, err
	}
	if got := sha256.Sum256(e.Template); subtle.ConstantTimeCompare(got[:], want) != 1 {
		return Card{}, fmt.Errorf("%w: the face template has another hash than DG13 says", ErrChanged)
	}
	if card.Template, err = face.ParseTemplate(e.Template); err != nil {
		return Card{}, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return card, nil
}

// object is a data object of the LDS: a tag of the application class with a
// number, all of b. Lengths are minimal, as encoding/asn1 wants them.
func object(b []byte, number int, constructed bool) ([]byte, error) {
	var raw asn1.RawValue
	rest, err := asn1.Unmarshal(b, &raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	case len(rest) != 0:
		return nil, fmt.Errorf("%w: %d bytes follow the end of a file", ErrMalformed, len(rest))
	case raw.Class != asn1.ClassApplication || raw.Tag != number || raw.IsCompound != constructed:
		return nil, fmt.Errorf("%w: a data object of class %d has the number %d, not %d", ErrMalformed, raw.Class, raw.Tag, number)
	}
	return raw.Bytes, nil
}

// chipKey is the key in DG15 (Doc 9303-10 §4.7.15).
func chipKey(dg15 []byte) (*ecdsa.PublicKey, error) {
	spki, err := object(dg15, 15, true)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("%w: the key in DG15: %v", ErrMalformed, err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: the key in DG15 is not on P-256", ErrMalformed)
	}
	return key, nil
}

// templateHash is the hash in DG13: 6D { 80 version 1, 81 SHA-256 }.
func templateHash(dg13 []byte) ([]byte, error) {
	content, err := object(dg13, 13, true)
	if err != nil {
		return nil, err
	}
	if len(content) != 37 || !bytes.HasPrefix(content, []byte{0x80, 1, 1, 0x81, sha256.Size}) {
		return nil, fmt.Errorf("%w: DG13 does not hold the hash of a face template, version 1", ErrMalformed)
	}
	return content[5:], nil
}
