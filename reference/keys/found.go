package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
)

// Maker makes keys and certificates.
type Maker struct {
	Random io.Reader
	// URL is the service's own: where its authority can be reached, and where its
	// revocation list would lie.
	URL string
	// Hosts are the names and addresses for which the TLS certificate stands.
	Hosts []string
	// Elsewhere names the key that Rotate certifies, where it is not made here but
	// lies in hardware already; Open opens it.
	Elsewhere string
	Open      Opener
}

// Found makes all keys that a service needs.
func (m Maker) Found(now time.Time) (all []Key, err error) {
	for _, k := range kinds {
		if all, err = m.Rotate(all, k.use, now, now); err != nil {
			return nil, err
		}
	}
	return all, check(all)
}

// Rotate adds the next key of a use to the keys, which signs from a moment on. The
// certificate is valid from now.
func (m Maker) Rotate(all []Key, use Use, now, from time.Time) ([]Key, error) {
	kind, err := kindOf(use)
	if err != nil {
		return nil, err
	}
	if from.Before(now) {
		return nil, fmt.Errorf("a key cannot have signed before it was made (%s)", from.Format(time.RFC3339))
	}
	next := Key{Use: use, From: from.UTC().Truncate(time.Second)}
	if kind.secret() {
		if m.Elsewhere != "" {
			return nil, fmt.Errorf("the %s is a secret and no key to sign with: it stays in the file", use)
		}
		next.Private, err = m.bytes(32)
	} else {
		next, err = m.certify(all, kind, next, now)
	}
	if err != nil {
		return nil, err
	}
	return append(slices.Clip(all), next), nil
}

func (m Maker) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(m.Random, b); err != nil {
		return nil, fmt.Errorf("the source of randomness failed: %w", err)
	}
	return b, nil
}

// certify gives a key its private part and its certificate.
func (m Maker) certify(all []Key, kind kind, next Key, now time.Time) (Key, error) {
	public, err := m.key(kind, &next)
	if err != nil {
		return Key{}, err
	}
	serial, err := m.bytes(16)
	if err != nil {
		return Key{}, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and as long as it should be
	// Clocks of others may be behind, and a certificate must be valid for them.
	begin := now.Add(-time.Hour).UTC().Truncate(time.Second)
	end := begin.Add(kind.life)
	signer := next
	if kind.under != kind.use {
		if signer, err = current(all, kind.under, now); err != nil {
			return Key{}, err
		}
		root, err := signer.Leaf()
		if err != nil {
			return Key{}, err
		}
		if begin.Before(root.NotBefore) {
			begin = root.NotBefore
		}
		if end.After(root.NotAfter) {
			end = root.NotAfter
		}
	}
	by, err := signer.private()
	if err != nil {
		return Key{}, err
	}
	spec := mdoc.CertificateSpec{Serial: serial, CommonName: kind.name, NotBefore: begin, NotAfter: end}
	switch kind.use {
	case IACA:
		root, err := mdoc.NewIACA(by, mdoc.IACASpec{CertificateSpec: spec, Country: "KR", Contact: m.URL, CRL: m.URL + listPlace(all, IACA, serial)})
		if err != nil {
			return Key{}, err
		}
		next.Certificate = root.Certificate()
	case Document, Status:
		root, err := mdoc.OpenIACA(by, signer.Certificate)
		if err != nil {
			return Key{}, err
		}
		make := mdoc.NewDocumentSigner
		if kind.use == Status {
			make = mdoc.NewStatusSigner
		}
		if next.Certificate, err = make(root, public, spec); err != nil {
			return Key{}, err
		}
	default:
		next.Certificate, err = m.issue(kind, signer, by, public, spec)
	}
	return next, err
}

// key makes the private part, or finds it elsewhere, and is the public one.
func (m Maker) key(kind kind, next *Key) (*ecdsa.PublicKey, error) {
	if m.Elsewhere == "" {
		for { // not every 32 bytes are a key
			var err error
			if next.Private, err = m.bytes(32); err != nil {
				return nil, err
			}
			if private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), next.Private); err == nil {
				return &private.PublicKey, nil
			}
		}
	}
	switch {
	case kind.under == kind.use:
		return nil, fmt.Errorf("the key of the %s signs certificates, and stays in the file", kind.use)
	case m.Open == nil:
		return nil, fmt.Errorf("keys in hardware (%s) are not for this program: build it with -tags pkcs11", m.Elsewhere)
	}
	opened, err := m.Open(m.Elsewhere)
	if err != nil {
		return nil, err
	}
	public, ok := opened.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s is no P-256 key", m.Elsewhere)
	}
	next.Elsewhere = m.Elsewhere
	return public, nil
}

// issue makes a certificate under the service's own authority, or the authority's.
func (m Maker) issue(kind kind, signer Key, by *ecdsa.PrivateKey, key *ecdsa.PublicKey, spec mdoc.CertificateSpec) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("the key of the %s: %w", kind.use, err)
	}
	id := sha256.Sum256(point)
	t := &x509.Certificate{
		SubjectKeyId: id[:20], // RFC 7093 §2 (1); RFC 5280 §4.2.1.2 wants one in every certificate
		SerialNumber: new(big.Int).SetBytes(spec.Serial), SignatureAlgorithm: x509.ECDSAWithSHA256,
		Subject:   pkix.Name{Country: []string{"KR"}, CommonName: spec.CommonName},
		NotBefore: spec.NotBefore, NotAfter: spec.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	parent := t
	switch kind.use {
	case Authority:
		t.IsCA, t.MaxPathLenZero, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	case TLS:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if kind.use == TLS || kind.use == Verifier || kind.use == Issuer {
		for _, h := range m.Hosts {
			if ip := net.ParseIP(h); ip != nil {
				t.IPAddresses = append(t.IPAddresses, ip)
			} else {
				t.DNSNames = append(t.DNSNames, h)
			}
		}
		if t.Subject.CommonName == "" && len(m.Hosts) > 0 {
			t.Subject.CommonName = m.Hosts[0]
		}
	}
	if kind.use != Authority {
		root, err := signer.Leaf()
		if err != nil {
			return nil, err
		}
		parent = root
	}
	der, err := x509.CreateCertificate(nil, t, parent, key, by) // without randomness the signature is that of RFC 6979
	if err != nil {
		return nil, fmt.Errorf("making the certificate of the %s: %w", kind.use, err)
	}
	return der, nil
}

// current is the key of a use that is in force: of those that have begun and were
// not revoked, the one that began last.
func current(all []Key, use Use, now time.Time) (Key, error) {
	var found *Key
	for i := range all {
		if k := &all[i]; k.Use == use && !k.From.After(now) && !revoked(all, *k) && (found == nil || !k.From.Before(found.From)) {
			found = k
		}
	}
	if found == nil {
		return Key{}, fmt.Errorf("%w: none of the %s has begun at %s", errNotFound, use, now.UTC().Format(time.RFC3339))
	}
	return *found, nil
}

// Like is a maker of keys for the same hosts as the key of the use in force, and
// the same URL: for whoever rotates without knowing how the service runs.
func Like(all []Key, use Use, random io.Reader) (Maker, error) {
	if _, err := kindOf(use); err != nil {
		return Maker{}, err
	}
	m := Maker{Random: random}
	for _, k := range all {
		if k.Certificate == nil {
			continue
		}
		leaf, err := k.Leaf()
		if err != nil {
			return Maker{}, err
		}
		switch k.Use {
		case TLS: // the last one counts
			m.Hosts = slices.Clone(leaf.DNSNames)
			for _, ip := range leaf.IPAddresses {
				m.Hosts = append(m.Hosts, ip.String())
			}
		case IACA:
			if len(leaf.CRLDistributionPoints) == 1 {
				m.URL, _, _ = strings.Cut(leaf.CRLDistributionPoints[0], iacaList)
			}
		}
	}
	return m, nil
}
