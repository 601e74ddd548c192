package sdjwt

import (
	"errors"
	"fmt"
)

// Why a card or a presentation is refused. Every error of Verify is one of these
// (errors.Is) with a sentence about the particular case, or of mdoc:
// mdoc.ErrUntrusted, mdoc.ErrSignerRevoked and mdoc.ErrSignerExpired tell of the signer's certificate.
var (
	// ErrMalformed: the text is not what the standard says.
	ErrMalformed = errors.New("the SD-JWT is malformed")
	// ErrType: it is a credential of another type.
	ErrType = errors.New("it is not a credential of the expected type")
	// ErrIssuerSignature: the issuer did not sign this.
	ErrIssuerSignature = errors.New("the issuer's signature is wrong")
	// ErrDisclosure: a disclosure is not one that was signed, or does not fit where it
	// belongs.
	ErrDisclosure = errors.New("the disclosures do not fit what was signed")
	// ErrNotYetValid: the card's time has not come.
	ErrNotYetValid = errors.New("the card is not valid yet")
	// ErrExpired: the card's time is over.
	ErrExpired = errors.New("the card has expired")
	// ErrBinding: the presentation is not made by the card's phone for this verifier
	// and nonce, now.
	ErrBinding = errors.New("the presentation was not made by this card's phone for this request")
)

func refuse(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))
}

func malformed(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
