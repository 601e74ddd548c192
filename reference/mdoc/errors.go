package mdoc

import (
	"errors"
	"fmt"
)

// Why a presentation, or a certificate, is refused. Every error of Verify is one
// of these (errors.Is) with a sentence about the particular case.
var (
	// ErrMalformed: the bytes are not what the standard says.
	ErrMalformed = errors.New("the document is malformed")
	// ErrDocType: it is another kind of document.
	ErrDocType = errors.New("it is not a mobile resident registration card")
	// ErrUntrusted: the signing certificate does not come from a trusted authority
	// for this purpose.
	ErrUntrusted = errors.New("the signer is not trusted")
	// ErrSignerExpired: the signing certificate is not valid at this time.
	ErrSignerExpired = errors.New("the signer's certificate is out of its time")
	// ErrSignerRevoked: its authority has taken the signing certificate back.
	ErrSignerRevoked = errors.New("the signer's certificate was revoked")
	// ErrIssuerSignature: the issuer did not sign this.
	ErrIssuerSignature = errors.New("the issuer's signature is wrong")
	// ErrDigest: an element is not the one that was signed.
	ErrDigest = errors.New("an element was changed")
	// ErrNotYetValid: the card's time has not come.
	ErrNotYetValid = errors.New("the card is not valid yet")
	// ErrExpired: the card's time is over.
	ErrExpired = errors.New("the card has expired")
	// ErrDeviceAuth: the presentation is not made by the card's phone for this
	// session: another key, another transcript, or a replay.
	ErrDeviceAuth = errors.New("the presentation was not made by this card's phone for this session")
)

func refuse(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))
}

func malformed(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
