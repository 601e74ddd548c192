package mdoc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// CertificateSpec is what is particular to one certificate. The rest follows from
// the profile and from the authority that issues it.
type CertificateSpec struct {
	Serial              []byte // 1 to 20 bytes, at least 63 bits of entropy; the first bit is not used
	CommonName          string
	NotBefore, NotAfter time.Time
}

// IACASpec is a root certificate.
type IACASpec struct {
	CertificateSpec
	Country string // two capital letters
	Contact string // URI of the authority, in issuerAltName
	CRL     string // URI of its revocation list
}

// IACA is an issuing authority's certification authority: a root certificate and
// its key.
type IACA struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

var (
	oidIssuerAltName    = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	// oidMDLDS is the extended key usage of a document signer (Table B.3).
	oidMDLDS = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 2}
	// oidReader is that of a reader (Table B.7).
	oidReader = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 6}
)

const day = 24 * time.Hour

// profile is one kind of certificate in Annex B.
type profile struct {
	name     string
	longest  time.Duration
	keyUsage x509.KeyUsage
	purpose  asn1.ObjectIdentifier // extended key usage, critical; nil: none may stand there
	anywhere bool                  // the subject need not name a country
}

var (
	// Table B.1: 20 years at most.
	iacaProfile = profile{"IACA root", 20 * 366 * day, x509.KeyUsageCertSign | x509.KeyUsageCRLSign, nil, false}
	// Table B.3: 457 days at most.
	documentSignerProfile = profile{"document signer", 457 * day, x509.KeyUsageDigitalSignature, oidMDLDS, false}
	// Signer of status lists, from the draft of the second edition: 1187 days at
	// most. The extended key usage that is meant for it (id-kp-oauthStatusSigning)
	// has no number yet, so it carries none; a document signer always has one, and
	// therefore cannot sign lists.
	statusSignerProfile = profile{"status list signer", 1187 * day, x509.KeyUsageDigitalSignature, nil, false}
	// Table B.7: 1187 days at most.
	readerProfile = profile{"reader", 1187 * day, x509.KeyUsageDigitalSignature, oidReader, true}
)

// NewIACA makes a root certificate by Table B.1 of Annex B. The same key, serial
// and times give the same bytes.
func NewIACA(key *ecdsa.PrivateKey, spec IACASpec) (*IACA, error) {
	if len(spec.Country) != 2 || spec.Contact == "" || spec.CRL == "" {
		return nil, errors.New("an IACA root needs a country of two letters, a contact and a revocation list URI")
	}
	alt, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(spec.Contact)}})
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{Country: []string{spec.Country}, CommonName: spec.CommonName},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		CRLDistributionPoints: []string{spec.CRL},
		ExtraExtensions:       []pkix.Extension{{Id: oidIssuerAltName, Value: alt}},
	}
	c, err := iacaProfile.make(t, t, &key.PublicKey, key, spec.CertificateSpec)
	if err != nil {
		return nil, err
	}
	return &IACA{key, c}, nil
}

// OpenIACA joins a root certificate, DER, with its key.
func OpenIACA(key *ecdsa.PrivateKey, certificate []byte) (*IACA, error) {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("the IACA certificate cannot be read: %w", err)
	}
	if err := checkRoot(c); err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return nil, errors.New("the IACA certificate is for another key")
	}
	return &IACA{key, c}, nil
}

// Certificate is the root certificate, DER.
func (a *IACA) Certificate() []byte { return a.certificate.Raw }

// NewDocumentSigner makes the certificate of a document signer by Table B.3.
func NewDocumentSigner(a *IACA, key *ecdsa.PublicKey, spec CertificateSpec) ([]byte, error) {
	return documentSignerProfile.issue(a, key, spec)
}

// NewStatusSigner makes the certificate of a signer of status lists.
func NewStatusSigner(a *IACA, key *ecdsa.PublicKey, spec CertificateSpec) ([]byte, error) {
	return statusSignerProfile.issue(a, key, spec)
}

// NewReader makes the certificate of a reader by Table B.7. Its authority is
// founded as one of cards is (NewIACA) and need not be one: phones trust it for
// readers only (TrustAnchors.Reader).
func NewReader(a *IACA, key *ecdsa.PublicKey, spec CertificateSpec) ([]byte, error) {
	return readerProfile.issue(a, key, spec)
}

func (p profile) issue(a *IACA, key *ecdsa.PublicKey, spec CertificateSpec) ([]byte, error) {
	if spec.NotBefore.Before(a.certificate.NotBefore) || spec.NotAfter.After(a.certificate.NotAfter) {
		return nil, fmt.Errorf("a %s certificate must lie within its IACA's validity, %s to %s", p.name,
			a.certificate.NotBefore.Format(time.DateOnly), a.certificate.NotAfter.Format(time.DateOnly))
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{Country: a.certificate.Subject.Country, CommonName: spec.CommonName},
		CRLDistributionPoints: a.certificate.CRLDistributionPoints,
	}
	for _, e := range a.certificate.Extensions {
		if e.Id.Equal(oidIssuerAltName) {
			t.ExtraExtensions = append(t.ExtraExtensions, e)
		}
	}
	c, err := p.make(t, a.certificate, key, a.key, spec)
	if err != nil {
		return nil, err
	}
	return c.Raw, nil
}

func (p profile) make(t, parent *x509.Certificate, key *ecdsa.PublicKey, by crypto.Signer, spec CertificateSpec) (*x509.Certificate, error) {
	if n := len(spec.Serial); n < 1 || n > 20 {
		return nil, fmt.Errorf("the serial number of a %s has %d bytes; 1 to 20 are allowed", p.name, n)
	}
	serial := append([]byte{}, spec.Serial...)
	serial[0] &= 0x7f
	t.SerialNumber = new(big.Int).SetBytes(serial)
	t.SignatureAlgorithm = x509.ECDSAWithSHA256
	t.NotBefore, t.NotAfter = wholeSeconds(spec.NotBefore), wholeSeconds(spec.NotAfter)
	t.KeyUsage = p.keyUsage
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("the key of a %s: %w", p.name, err)
	}
	id := sha1.Sum(point) // the identifier that RFC 5280 §4.2.1.2 (1) describes, not a digest that protects
	t.SubjectKeyId = id[:]
	if t == parent {
		t.AuthorityKeyId = t.SubjectKeyId
	}
	if p.purpose != nil {
		value, err := asn1.Marshal([]asn1.ObjectIdentifier{p.purpose})
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oidExtendedKeyUsage, Critical: true, Value: value})
	}
	der, err := x509.CreateCertificate(nil, t, parent, key, deterministic{by})
	if err != nil {
		return nil, fmt.Errorf("making the certificate of a %s: %w", p.name, err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return c, p.check(c)
}

// deterministic signs without a random source (RFC 6979).
type deterministic struct{ crypto.Signer }

func (d deterministic) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return d.Signer.Sign(nil, digest, opts)
}

// check says what of a certificate is not as the profile wants it.
func (p profile) check(c *x509.Certificate) error {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	critical := map[string]bool{}
	purposes := len(c.ExtKeyUsage) + len(c.UnknownExtKeyUsage)
	for _, e := range c.Extensions {
		critical[e.Id.String()] = e.Critical
	}
	isCA := p.keyUsage&x509.KeyUsageCertSign != 0
	for _, rule := range []struct {
		holds bool
		want  string
	}{
		{c.Version == 3, "version 3"},
		{c.SerialNumber.Sign() > 0, "a positive serial number"},
		{ok && key.Curve == elliptic.P256(), "a P-256 key"},
		{c.SignatureAlgorithm == x509.ECDSAWithSHA256, "ECDSA with SHA-256"},
		{(p.anywhere || len(c.Subject.Country) == 1) && c.Subject.CommonName != "", "a subject with country and common name"},
		{c.NotBefore.Before(c.NotAfter), "a validity"},
		{c.NotAfter.Sub(c.NotBefore) <= p.longest, fmt.Sprintf("at most %d days", p.longest/day)},
		{len(c.SubjectKeyId) > 0, "a subject key identifier"},
		{isCA || len(c.AuthorityKeyId) > 0, "an authority key identifier"},
		{c.KeyUsage == p.keyUsage && critical[oidKeyUsage.String()], "the key usage of its kind alone, critical"},
		{c.IsCA == isCA, "no other place in the chain"},
		{!isCA || c.MaxPathLenZero && critical[oidBasicConstraints.String()], "a path length of 0, critical"},
		{p.purpose != nil || purposes == 0, "no extended key usage"},
		{p.purpose == nil || purposes == 1 && len(c.UnknownExtKeyUsage) == 1 && c.UnknownExtKeyUsage[0].Equal(p.purpose) &&
			critical[oidExtendedKeyUsage.String()], "the extended key usage of its kind alone, critical"},
	} {
		if !rule.holds {
			return refuse(ErrUntrusted, "the certificate of %q is not one of a %s: it must have %s", c.Subject.CommonName, p.name, rule.want)
		}
	}
	return nil
}

func checkRoot(c *x509.Certificate) error {
	if err := iacaProfile.check(c); err != nil {
		return err
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		return refuse(ErrUntrusted, "the root %q is not signed by itself", c.Subject.CommonName)
	}
	return nil
}
