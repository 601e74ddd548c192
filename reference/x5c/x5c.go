// Package x5c says whether the certificates in a token's header (x5c, RFC 7515
// §4.1.6) come from somebody who is trusted for that kind of token: a wallet
// provider, a maker of phones, a registrar of verifiers. The document signers of
// the card itself have a stricter profile, in mdoc.TrustAnchors.
//
// It may not know what a token says. Time is passed in.
package x5c

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/p256"
)

// ErrUntrusted: the chain does not come from an anchor, or not now.
var ErrUntrusted = errors.New("the signer is not trusted")

// Limits of what is read and remembered.
const (
	maxChain       = 4
	maxCertificate = 8 << 10
	remembered     = 1024 // chains: those who are trusted have few
)

// Anchors are the roots that are trusted for one kind of token. They remember the
// chains that they have found good. They may be used by many goroutines at once.
type Anchors struct {
	who   string
	roots *x509.CertPool
	list  []*x509.Certificate        // the same
	known map[[sha256.Size]byte]bool // the roots themselves

	mu     sync.Mutex
	chains map[[sha256.Size]byte]*signer
}

// signer is a leaf whose chain was good, while all of the chain is valid.
type signer struct {
	key         *p256.Key
	from, until time.Time
}

// NewAnchors reads root certificates, DER. Who they are is for errors: "wallet
// provider".
func NewAnchors(who string, roots ...[]byte) (*Anchors, error) {
	a := &Anchors{who: who, roots: x509.NewCertPool(), known: map[[sha256.Size]byte]bool{}, chains: map[[sha256.Size]byte]*signer{}}
	for i, der := range roots {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("root certificate %d of the %ss: %w", i+1, who, err)
		}
		if !c.IsCA || !c.BasicConstraintsValid {
			return nil, fmt.Errorf("root certificate %d of the %ss (%q) is not one of an authority: it cannot vouch for others", i+1, who, c.Subject.CommonName)
		}
		a.roots.AddCert(c)
		a.list = append(a.list, c)
		a.known[sha256.Sum256(c.Raw)] = true
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("no %s is trusted: give at least one root certificate", who)
	}
	return a, nil
}

func (a *Anchors) refuse(format string, args ...any) error {
	return fmt.Errorf("%w as a %s: %s", ErrUntrusted, a.who, fmt.Sprintf(format, args...))
}

// Key returns the key of the leaf, the first of the chain, if the chain leads to
// an anchor and is valid at this time. The anchor itself must not stand in the
// chain (HAIP 1.0): whoever trusts it has it.
func (a *Anchors) Key(chain [][]byte, at time.Time) (*p256.Key, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, a.refuse("x5c has %d certificates; 1 to %d are read", len(chain), maxChain)
	}
	h := sha256.New()
	for i, der := range chain {
		if len(der) > maxCertificate {
			return nil, a.refuse("certificate %d of x5c has %d bytes; at most %d are read", i+1, len(der), maxCertificate)
		}
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(der)))
		h.Write(size[:])
		h.Write(der)
	}
	id := [sha256.Size]byte(h.Sum(nil))
	a.mu.Lock()
	s := a.chains[id]
	a.mu.Unlock()
	if s == nil || at.Before(s.from) || at.After(s.until) {
		var err error
		if s, err = a.check(chain, at); err != nil {
			return nil, err
		}
		a.mu.Lock()
		if len(a.chains) < remembered {
			a.chains[id] = s
		}
		a.mu.Unlock()
	}
	return s.key, nil
}

// Revocations reads a list of revoked certificates, DER, which must be by one of the
// anchors and good at this time; otherwise the error is crl.ErrList.
func (a *Anchors) Revocations(list []byte, at time.Time) (*crl.List, error) {
	return crl.Read(list, a.list, at)
}

func (a *Anchors) check(chain [][]byte, at time.Time) (*signer, error) {
	intermediates := x509.NewCertPool()
	var leaf *x509.Certificate
	for i, der := range chain {
		if a.known[sha256.Sum256(der)] {
			return nil, a.refuse("its anchor stands in x5c; it must be left out")
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, a.refuse("certificate %d of x5c is malformed", i+1)
		}
		if i == 0 {
			leaf = c
		} else {
			intermediates.AddCert(c)
		}
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || key.Curve != elliptic.P256():
		return nil, a.refuse("the key of %q is not P-256", leaf.Subject.CommonName)
	case leaf.IsCA:
		return nil, a.refuse("%q is an authority, which signs certificates and no tokens", leaf.Subject.CommonName)
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, a.refuse("the key of %q is not for signatures", leaf.Subject.CommonName)
	}
	paths, err := leaf.Verify(x509.VerifyOptions{
		Roots: a.roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, a.refuse("%v", err)
	}
	remembered, err := p256.NewKey(key)
	if err != nil {
		return nil, a.refuse("%v", err)
	}
	s := &signer{key: remembered, from: leaf.NotBefore, until: leaf.NotAfter}
	for _, c := range paths[0] {
		if c.NotBefore.After(s.from) {
			s.from = c.NotBefore
		}
		if c.NotAfter.Before(s.until) {
			s.until = c.NotAfter
		}
	}
	return s, nil
}
