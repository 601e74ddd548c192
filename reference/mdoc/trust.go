package mdoc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"maps"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/p256"
	"rollcall.example/rollcall/reference/recent"
)

// TrustAnchors are the roots a verifier trusts. They remember which chains and
// which issuer's signatures they have found good, never one that was bad, so that
// a busy verifier pays for the phone's signature only. They may be used by many
// goroutines at once; to change the roots, make new TrustAnchors.
type TrustAnchors struct {
	roots           []*x509.Certificate
	documentSigners recent.Memory[string, *signer] // by certificate, DER
	statusSigners   recent.Memory[string, *signer]
	readers         recent.Memory[string, *signer]
	objects         recent.Memory[objectKey, *mso]

	mu      sync.Mutex                                      // of changes of revoked
	revoked atomic.Pointer[map[*x509.Certificate]*crl.List] // by root
}

// How many chains and signed objects are remembered, twice at most.
const (
	rememberedSigners = 64
	rememberedObjects = 4096
)

// NewTrustAnchors reads root certificates, DER, which must be IACA roots.
func NewTrustAnchors(roots ...[]byte) (*TrustAnchors, error) {
	a := &TrustAnchors{}
	a.documentSigners.Limit, a.statusSigners.Limit, a.readers.Limit = rememberedSigners, rememberedSigners, rememberedSigners
	a.objects.Limit = rememberedObjects
	for _, der := range roots {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, malformed("root certificate", err)
		}
		if err := checkRoot(c); err != nil {
			return nil, err
		}
		a.roots = append(a.roots, c)
	}
	return a, nil
}

// Revoked takes a list of revoked certificates, DER, which one of the roots must have
// signed and which must be good at this time (RFC 5280 §5). From now on what those
// certificates have signed is refused, until there is a list with a higher number; one
// with a lower number is left. It stays in force past its time: whoever wants
// a newer one brings it.
func (a *TrustAnchors) Revoked(list []byte, at time.Time) error {
	l, err := crl.Read(list, a.roots, at)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	next := map[*x509.Certificate]*crl.List{}
	if before := a.revoked.Load(); before != nil {
		maps.Copy(next, *before)
	}
	if l.Follows(next[l.Root]) {
		next[l.Root] = l
		a.revoked.Store(&next)
	}
	return nil
}

// Listed says whether there is a list of what the root with this key identifier has
// revoked that is in its time. Who must be sure that a signer was not revoked cannot tell
// without one.
func (a *TrustAnchors) Listed(authority []byte, at time.Time) bool {
	lists := a.revoked.Load()
	if lists == nil {
		return false
	}
	for root, l := range *lists {
		if bytes.Equal(root.SubjectKeyId, authority) && at.Before(l.Until) {
			return true
		}
	}
	return false
}

// signer is a certificate whose chain is good while it and its root are valid, and
// until its root revokes it.
type signer struct {
	name        string
	key         *p256.Key
	from, until time.Time // of the certificate
	serial      *big.Int
	root        *x509.Certificate
}

// objectKey is an issuer's signature: who signed, what, and the signature itself.
type objectKey struct {
	signer    *signer
	digest    [sha256.Size]byte
	signature [64]byte
}

// StatusSigner returns the key of a signer of status lists, whose certificate
// (the chain carries it alone: the root must be known) is good at this time.
func (a *TrustAnchors) StatusSigner(chain [][]byte, at time.Time) (*ecdsa.PublicKey, error) {
	s, err := a.signer(chain, &a.statusSigners, &statusSignerProfile)
	if err != nil {
		return nil, err
	}
	return s.key.Public(), a.usable(s, at)
}

// SignerCertificate is what a verifier needs to know of a document signer.
type SignerCertificate struct {
	Name        string
	Key         *p256.Key
	From, Until time.Time
	Authority   []byte // key identifier of the root that it stands under
}

// DocumentSigner returns a document signer whose certificate (the chain carries it
// alone: the root must be known) is good at this time, for another form of the
// card than this package's. What it signed must have been signed between From and
// Until.
func (a *TrustAnchors) DocumentSigner(chain [][]byte, at time.Time) (*SignerCertificate, error) {
	s, err := a.signer(chain, &a.documentSigners, &documentSignerProfile)
	if err != nil {
		return nil, err
	}
	return &SignerCertificate{s.name, s.key, s.from, s.until, s.root.SubjectKeyId}, a.usable(s, at)
}

// Reader returns name and key of a reader whose certificate (alone, as for
// StatusSigner) is good at this time (§9.3.1.1). A phone asks its anchors of
// readers, which are others than those of cards.
func (a *TrustAnchors) Reader(chain [][]byte, at time.Time) (name string, key *ecdsa.PublicKey, err error) {
	s, err := a.signer(chain, &a.readers, &readerProfile)
	if err != nil {
		return "", nil, err
	}
	return s.name, s.key.Public(), a.usable(s, at)
}

// signer validates a chain (§9.3.3; RFC 5280 §6.1) but for the time and what was
// revoked.
func (a *TrustAnchors) signer(chain [][]byte, known *recent.Memory[string, *signer], p *profile) (*signer, error) {
	if len(chain) != 1 {
		return nil, refuse(ErrUntrusted, "x5chain has %d certificates; the signer's alone is expected, without the root", len(chain))
	}
	if s, ok := recent.GetBytes(known, chain[0]); ok {
		return s, nil
	}
	c, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, malformed("the signer's certificate", err)
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	for _, root := range a.roots {
		if !slices.Equal(c.AuthorityKeyId, root.SubjectKeyId) || !p.anywhere && !slices.Equal(c.Subject.Country, root.Subject.Country) {
			continue
		}
		pool := x509.NewCertPool()
		pool.AddCert(root)
		// The time is checked at each use; here one at which both are valid.
		moment := c.NotBefore
		if root.NotBefore.After(moment) {
			moment = root.NotBefore
		}
		// Go knows no name for the purpose of a document signer: the profile has
		// checked it already.
		_, err = c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: moment, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err == nil {
			key, err := p256.NewKey(c.PublicKey.(*ecdsa.PublicKey))
			if err != nil {
				return nil, malformed("the signer's certificate", err)
			}
			s := &signer{c.Subject.CommonName, key, c.NotBefore, c.NotAfter, c.SerialNumber, root}
			known.Put(string(chain[0]), s)
			return s, nil
		}
	}
	if err != nil {
		return nil, refuse(ErrUntrusted, "the certificate of %q: %v", c.Subject.CommonName, err)
	}
	return nil, refuse(ErrUntrusted, "the certificate of %q comes from no authority that is trusted here", c.Subject.CommonName)
}

// usable says whether a certificate whose chain is good may be used at this time.
func (a *TrustAnchors) usable(s *signer, at time.Time) error {
	if revoked := a.revoked.Load(); revoked != nil {
		if list := (*revoked)[s.root]; list != nil && list.Has(s.serial) {
			return refuse(ErrSignerRevoked, "the authority %q has revoked the certificate of %q, number %x", s.root.Subject.CommonName, s.name, s.serial)
		}
	}
	return s.checkTime(at)
}

func (s *signer) checkTime(at time.Time) error {
	for _, c := range []struct {
		name        string
		from, until time.Time
	}{{s.name, s.from, s.until}, {s.root.Subject.CommonName, s.root.NotBefore, s.root.NotAfter}} {
		if at.Before(c.from) || at.After(c.until) {
			return refuse(ErrSignerExpired, "the certificate of %q is valid from %s to %s, now it is %s",
				c.name, c.from.Format(tdate), c.until.Format(tdate), at.UTC().Format(tdate))
		}
	}
	return nil
}
