// Package keys holds the service's private keys and secrets: in a file that is
// encrypted, and at work as a ring, in which each use has the key that is in force
// now beside those before it and the next.
//
// A key is followed by another without a pause: the next one is put into the file
// with the moment from which it signs; every replica reads the file (rollcall
// serve does on SIGHUP) and changes over at that moment. What an earlier key has
// signed stays good: verifiers trust the root, and the certificate goes with the
// signature.
//
// The certificates of documents and lists follow ISO/IEC 18013-5 Annex B (package
// mdoc); all others stand under an authority of their own, because that profile
// allows no other use.
//
// It may not know what is signed. The clock and randomness are passed in.
package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Use is what a key is for.
type Use string

const (
	// IACA is the root of documents and status lists.
	IACA Use = "iaca"
	// Document signs mobile cards.
	Document Use = "document"
	// Status signs status lists, and checkpoints of the audit log.
	Status Use = "status"
	// Authority is the root of the rest.
	Authority Use = "authority"
	// TLS is the server's.
	TLS Use = "tls"
	// Issuer signs metadata.
	Issuer Use = "issuer"
	// Verifier signs presentation requests, with a certificate for each verifier.
	Verifier Use = "verifier"
	// Seal is a secret: it seals what the service hands out and takes back.
	Seal Use = "seal"
	// Nonce is a secret: of it are made (Ring.Epoch) the nonces of verifications, and
	// the keys to which presentations and requests for cards are encrypted.
	Nonce Use = "nonce"
)

const day = 24 * time.Hour

// kind is what is particular to a use.
type kind struct {
	use    Use
	name   string // common name of the certificate; empty: a secret
	under  Use    // whose key signs the certificate
	life   time.Duration
	linger time.Duration // how long what it made may still be used after it was replaced
}

// kinds are all uses, roots first.
var kinds = []kind{
	{IACA, "Rollcall IACA", IACA, 15 * 365 * day, 0},
	{Authority, "Rollcall Service Authority", Authority, 15 * 365 * day, 0},
	{Document, "Rollcall Document Signer", IACA, 457 * day, 0},
	{Status, "Rollcall Status List Signer", IACA, 457 * day, 0},
	{TLS, "", Authority, 397 * day, 0}, // its name is the host's
	{Issuer, "Rollcall Issuer", Authority, 397 * day, 0},
	{Verifier, "Rollcall Verifier", Authority, 397 * day, 0},
	{Seal, "", "", 0, 90 * day}, // as long as a refresh token, the longest of sealed texts
	{Nonce, "", "", 0, 0},
}

func kindOf(u Use) (kind, error) {
	for _, k := range kinds {
		if k.use == u {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("there is no use %q of a key", u)
}

func (k kind) secret() bool { return k.under == "" }

// Key is one key or secret.
type Key struct {
	Use Use `json:"use"`
	// From is the moment from which it signs or seals.
	From time.Time `json:"from"`
	// Private is the key's 32 bytes: the scalar of a P-256 key, or the secret.
	// Empty if the key lies elsewhere.
	Private []byte `json:"private,omitempty"`
	// Elsewhere names a key that does not leave its hardware (PKCS#11, RFC 7512).
	Elsewhere string `json:"elsewhere,omitempty"`
	// Certificate is DER; none of a secret.
	Certificate []byte `json:"certificate,omitempty"`
	// Revoked are the certificates that a root has signed and taken back.
	Revoked []Revocation `json:"revoked,omitempty"`
}

// ID names a key without telling it.
func (k Key) ID() string {
	b := k.Certificate
	if b == nil {
		b = append([]byte("rollcall secret "), k.Private...)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:6])
}

// Leaf is the key's certificate.
func (k Key) Leaf() (*x509.Certificate, error) { return x509.ParseCertificate(k.Certificate) }

// private is the key as one to sign with.
func (k Key) private() (*ecdsa.PrivateKey, error) {
	if k.Elsewhere != "" {
		return nil, fmt.Errorf("the key %s of the %s lies elsewhere (%s)", k.ID(), k.Use, k.Elsewhere)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), k.Private)
	if err != nil {
		return nil, fmt.Errorf("the key %s of the %s is none: %w", k.ID(), k.Use, err)
	}
	return key, nil
}

// check says what is wrong with the keys of a file.
func check(all []Key) error {
	have := map[Use]int{}
	for _, k := range all {
		kind, err := kindOf(k.Use)
		if err != nil {
			return err
		}
		switch {
		case k.From.IsZero():
			return fmt.Errorf("a key of the %s has no beginning", k.Use)
		case kind.secret() && (len(k.Private) != 32 || k.Certificate != nil || k.Elsewhere != ""):
			return fmt.Errorf("a secret of the %s must be 32 bytes and nothing else", k.Use)
		case !kind.secret() && (k.Certificate == nil || (k.Private == nil) == (k.Elsewhere == "")):
			return fmt.Errorf("a key of the %s needs a certificate, and must either be here or elsewhere", k.Use)
		}
		if err := kind.checkRevoked(k.Revoked); err != nil {
			return err
		}
		have[k.Use]++
	}
	for _, k := range kinds {
		if have[k.use] == 0 {
			return fmt.Errorf("there is no key of the %s", k.use)
		}
	}
	if len(all) > maxKeys {
		return fmt.Errorf("there are %d keys; at most %d are kept: remove old ones", len(all), maxKeys)
	}
	return nil
}

const maxKeys = 500

var errNotFound = errors.New("there is no such key")
