package issuance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/register"
)

// ErrAttestation: the key attestation is not good.
var ErrAttestation = errors.New("the phone's key attestation is not accepted")

// Limits of a key attestation.
const (
	maxAttestation = 32 << 10
	maxKeys        = 64
	maxChain       = 4
	maxClockSkew   = 5 * time.Minute
)

// Phone is what a key attestation proves: which wallet it is, and keys that its
// secure element holds.
type Phone struct {
	Wallet string
	Keys   []*ecdsa.PublicKey
}

// Makers are the phone makers whose attestation keys are trusted.
type Makers struct {
	roots *x509.CertPool

	mu     sync.Mutex
	chains map[[sha256.Size]byte]*x509.Certificate // leaves whose chain was good
}

// NewMakers reads root certificates, DER.
func NewMakers(roots ...[]byte) (*Makers, error) {
	pool := x509.NewCertPool()
	for i, der := range roots {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("root certificate %d of the phone makers: %w", i+1, err)
		}
		pool.AddCert(c)
	}
	if len(roots) == 0 {
		return nil, errors.New("no phone maker is trusted: give at least one root certificate")
	}
	return &Makers{roots: pool, chains: map[[sha256.Size]byte]*x509.Certificate{}}, nil
}

// attestationHeader and attestationClaims are those of a key attestation in JWT
// format (OpenID4VCI 1.0 Appendix D.1). sub names the wallet instance; it is
// the same in every attestation of one wallet.
type attestationHeader struct {
	X5C [][]byte `json:"x5c"` // leaf first, the root not in it
}

type attestationClaims struct {
	Sub          string   `json:"sub"`
	IssuedAt     int64    `json:"iat"`
	Expires      int64    `json:"exp"`
	Nonce        string   `json:"nonce"`
	AttestedKeys []jwk    `json:"attested_keys"`
	KeyStorage   []string `json:"key_storage"`
}

type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

func (k jwk) key() (*ecdsa.PublicKey, error) {
	if k.Kty != "EC" || k.Crv != "P-256" {
		return nil, fmt.Errorf("a key of kind %q %q is not P-256", k.Kty, k.Crv)
	}
	point := []byte{4}
	for _, coordinate := range []string{k.X, k.Y} {
		b, err := jws.Decode([]byte(coordinate))
		if err != nil || len(b) != 32 {
			return nil, errors.New("a coordinate of a key is not 32 bytes in base64url")
		}
		point = append(point, b...)
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrAttestation}, args...)...)
}

// Check reads a key attestation and checks who signed it, for which nonce, and
// when.
func (m *Makers) Check(attestation, nonce string, at time.Time) (Phone, error) {
	if len(attestation) > maxAttestation {
		return Phone{}, refuse("it is longer than %d bytes", maxAttestation)
	}
	signed, err := jws.Parse([]byte(attestation))
	if err != nil {
		return Phone{}, refuse("%v", err)
	}
	var head attestationHeader
	if err := signed.Header("key-attestation+jwt", &head); err != nil {
		return Phone{}, refuse("%v", err)
	}
	key, err := m.signer(head.X5C, at)
	if err != nil {
		return Phone{}, err
	}
	if !signed.Verify(key) {
		return Phone{}, refuse("its signature is wrong")
	}
	var claims attestationClaims
	if err := signed.Claims(&claims); err != nil {
		return Phone{}, refuse("%v", err)
	}
	switch {
	case claims.Nonce != nonce:
		return Phone{}, refuse("it was made for another request")
	case time.Unix(claims.IssuedAt, 0).After(at.Add(maxClockSkew)):
		return Phone{}, refuse("it was made in the future")
	case claims.Expires != 0 && !at.Before(time.Unix(claims.Expires, 0)):
		return Phone{}, refuse("it has expired")
	case claims.Sub == "" || len(claims.Sub) > register.MaxText:
		return Phone{}, refuse("it does not name the wallet in sub, in at most %d bytes", register.MaxText)
	case len(claims.AttestedKeys) == 0 || len(claims.AttestedKeys) > maxKeys:
		return Phone{}, refuse("it attests %d keys; 1 to %d are read", len(claims.AttestedKeys), maxKeys)
	}
	phone := Phone{Wallet: claims.Sub}
	for i, j := range claims.AttestedKeys {
		k, err := j.key()
		if err != nil {
			return Phone{}, refuse("attested key %d: %v", i+1, err)
		}
		for _, other := range phone.Keys {
			if k.Equal(other) {
				return Phone{}, refuse("attested key %d stands in it twice", i+1)
			}
		}
		phone.Keys = append(phone.Keys, k)
	}
	return phone, nil
}

// signer checks the chain and returns the leaf's key. Chains that were good are
// remembered: a maker has few.
func (m *Makers) signer(chain [][]byte, at time.Time) (*ecdsa.PublicKey, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, refuse("its x5c has %d certificates; 1 to %d are read", len(chain), maxChain)
	}
	id := sha256.Sum256(bytes.Join(chain, nil))
	m.mu.Lock()
	leaf := m.chains[id]
	m.mu.Unlock()
	if leaf == nil || at.Before(leaf.NotBefore) || at.After(leaf.NotAfter) {
		intermediates := x509.NewCertPool()
		for i, der := range chain {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, refuse("certificate %d of its x5c is malformed", i+1)
			}
			if i == 0 {
				leaf = c
			} else {
				intermediates.AddCert(c)
			}
		}
		if _, err := leaf.Verify(x509.VerifyOptions{
			Roots: m.roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}); err != nil {
			return nil, refuse("its signer is not a trusted phone maker: %v", err)
		}
		m.mu.Lock()
		if len(m.chains) < 1024 {
			m.chains[id] = leaf
		}
		m.mu.Unlock()
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, refuse("its signer's key is not P-256")
	}
	return key, nil
}
