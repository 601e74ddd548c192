package card

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"reflect"
	"time"

	"rollcall.example/rollcall/reference/p256"
)

var (
	oidSignedData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSecurityObject  = asn1.ObjectIdentifier{2, 23, 136, 1, 1, 1}
	oidSHA256          = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidECDSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

// The structures of RFC 5652 §5, as far as Doc 9303-10 appendix D uses them. An
// element that is not named here (certificate revocation lists, unsigned
// attributes) makes the object malformed.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version          int
		DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
		Content          struct {
			Type    asn1.ObjectIdentifier
			Content []byte `asn1:"explicit,tag:0"`
		}
		Certificates asn1.RawValue `asn1:"tag:0"`
		SignerInfos  []signerInfo  `asn1:"set"`
	}
	signerInfo struct {
		Version int
		Signer  struct {
			Issuer asn1.RawValue
			Serial *big.Int
		}
		DigestAlgorithm    pkix.AlgorithmIdentifier
		SignedAttributes   asn1.RawValue `asn1:"tag:0"`
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Signature          []byte
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	ldsSecurityObject struct {
		Version       int
		HashAlgorithm pkix.AlgorithmIdentifier
		Groups        []struct {
			Number int
			Hash   []byte
		}
		LDS struct {
			Version, Unicode string `asn1:"printable"`
		} `asn1:"optional"`
	}
)

// decode reads DER that has to fill b and to be, byte for byte, what the value
// read is written as: encoding/asn1 by itself passes over elements at the end of
// a SEQUENCE and over the lengths of explicit tags.
func decode(b []byte, into any, what string) error {
	if rest, err := asn1.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrMalformed, what, err)
	} else if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes follow the %s", ErrMalformed, len(rest), what)
	}
	again, err := asn1.Marshal(reflect.ValueOf(into).Elem().Interface())
	if err != nil || !bytes.Equal(again, b) {
		return fmt.Errorf("%w: the %s holds more than it should, or is not DER", ErrMalformed, what)
	}
	return nil
}

func isAlgorithm(a pkix.AlgorithmIdentifier, oid asn1.ObjectIdentifier) bool {
	none := len(a.Parameters.FullBytes) == 0 || bytes.Equal(a.Parameters.FullBytes, asn1.NullBytes)
	return a.Algorithm.Equal(oid) && none
}

// securityObject is passive authentication up to the hashes of the data groups:
// form, signer, signature.
func (v *Verifier) securityObject(sod []byte, at time.Time) (map[int][sha256.Size]byte, Signer, error) {
	if len(sod) > maxSOD {
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD has more than %d bytes", ErrMalformed, maxSOD)
	}
	cms, err := object(sod, 23, true)
	if err != nil {
		return nil, Signer{}, err
	}
	var info contentInfo
	if err := decode(cms, &info, "security object"); err != nil {
		return nil, Signer{}, err
	}
	data := &info.Content
	switch {
	case !info.Type.Equal(oidSignedData) || data.Version != 3:
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD is not a SignedData of version 3", ErrMalformed)
	case len(data.DigestAlgorithms) != 1 || !isAlgorithm(data.DigestAlgorithms[0], oidSHA256):
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD is digested by something else than SHA-256", ErrMalformed)
	case !data.Content.Type.Equal(oidSecurityObject):
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD signs something else than a security object", ErrMalformed)
	case len(data.SignerInfos) != 1:
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD has %d signers, not one", ErrMalformed, len(data.SignerInfos))
	}
	by := &data.SignerInfos[0]
	if by.Version != 1 || !isAlgorithm(by.DigestAlgorithm, oidSHA256) || !isAlgorithm(by.SignatureAlgorithm, oidECDSAWithSHA256) {
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD is signed by something else than ECDSA with SHA-256", ErrMalformed)
	}
	if !data.Certificates.IsCompound || !by.SignedAttributes.IsCompound {
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD lacks the signer's certificate or the signed attributes", ErrMalformed)
	}
	s, err := v.documentSigner(data.Certificates.Bytes, at)
	if err != nil {
		return nil, Signer{}, err
	}
	certificate := s.certificate
	if !bytes.Equal(certificate.RawIssuer, by.Signer.Issuer.FullBytes) || certificate.SerialNumber.Cmp(by.Signer.Serial) != 0 {
		return nil, Signer{}, fmt.Errorf("%w: EF.SOD names another signer than the one whose certificate it carries", ErrUntrusted)
	}
	if err := checkAttributes(by.SignedAttributes.Bytes, data.Content.Content); err != nil {
		return nil, Signer{}, err
	}
	// What is signed is the SET, not the [0] in its place (RFC 5652 §5.4).
	signed := bytes.Clone(by.SignedAttributes.FullBytes)
	signed[0] = 0x31
	digest := sha256.Sum256(signed)
	if rs, ok := p256.Plain(by.Signature); !ok || !s.key.Verify(digest[:], rs) {
		return nil, Signer{}, fmt.Errorf("%w: the signature of EF.SOD is wrong", ErrChanged)
	}
	hashes, err := groupHashes(data.Content.Content)
	return hashes, s.name(), err
}

// checkAttributes checks that the signed attributes are those of this content:
// type and digest, at most a signing time beside them, in the order of DER.
func checkAttributes(set, content []byte) error {
	var previous []byte
	seen := map[string]bool{}
	for len(set) > 0 {
		var raw asn1.RawValue
		rest, err := asn1.Unmarshal(set, &raw)
		if err != nil {
			return fmt.Errorf("%w: signed attributes: %v", ErrMalformed, err)
		}
		var a attribute
		encoded := raw.FullBytes
		if err := decode(encoded, &a, "signed attribute"); err != nil {
			return err
		}
		name := a.Type.String()
		if bytes.Compare(previous, encoded) >= 0 || seen[name] || len(a.Values) != 1 {
			return fmt.Errorf("%w: the signed attributes are not a set in the order of DER", ErrMalformed)
		}
		previous, set, seen[name] = encoded, rest, true
		value := a.Values[0].FullBytes
		switch {
		case a.Type.Equal(oidContentType):
			var oid asn1.ObjectIdentifier
			if err := decode(value, &oid, "content type"); err != nil {
				return err
			}
			if !oid.Equal(oidSecurityObject) {
				return fmt.Errorf("%w: the signature is for another type of content", ErrChanged)
			}
		case a.Type.Equal(oidMessageDigest):
			var digest []byte
			if err := decode(value, &digest, "message digest"); err != nil {
				return err
			}
			if sum := sha256.Sum256(content); !bytes.Equal(digest, sum[:]) {
				return fmt.Errorf("%w: the security object has another digest", ErrChanged)
			}
		case a.Type.Equal(oidSigningTime):
		default:
			return fmt.Errorf("%w: the signed attribute %v is not known", ErrMalformed, a.Type)
		}
	}
	if !seen[oidContentType.String()] || !seen[oidMessageDigest.String()] {
		return fmt.Errorf("%w: the signed attributes lack type or digest of the content", ErrMalformed)
	}
	return nil
}

// groupHashes reads the LDS security object (Doc 9303-10 appendix D).
func groupHashes(content []byte) (map[int][sha256.Size]byte, error) {
	var lds ldsSecurityObject
	if err := decode(content, &lds, "list of hashes"); err != nil {
		return nil, err
	}
	if lds.Version != 0 && lds.Version != 1 || !isAlgorithm(lds.HashAlgorithm, oidSHA256) {
		return nil, fmt.Errorf("%w: the list of hashes has version %d or is not made by SHA-256", ErrMalformed, lds.Version)
	}
	hashes := map[int][sha256.Size]byte{}
	for _, g := range lds.Groups {
		if _, twice := hashes[g.Number]; twice || g.Number < 1 || g.Number > 16 || len(g.Hash) != sha256.Size {
			return nil, fmt.Errorf("%w: the hash of DG%d stands there twice or is none", ErrMalformed, g.Number)
		}
		hashes[g.Number] = [sha256.Size]byte(g.Hash)
	}
	return hashes, nil
}

// documentSigner returns the one certificate that EF.SOD carries, if it is a
// document signer's under a country signing authority, both in their time and not
// revoked (Doc 9303-12 §5 and table 6).
func (v *Verifier) documentSigner(der []byte, at time.Time) (signer, error) {
	id := sha256.Sum256(der)
	v.mu.RLock()
	s, known := v.signers[id]
	v.mu.RUnlock()
	if !known {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return signer{}, fmt.Errorf("%w: the signer's certificate: %v", ErrMalformed, err)
		}
		root, err := v.authority(certificate)
		if err != nil {
			return signer{}, err
		}
		key, err := p256.NewKey(certificate.PublicKey.(*ecdsa.PublicKey))
		if err != nil {
			return signer{}, fmt.Errorf("%w: its key is not on P-256", ErrUntrusted)
		}
		s = signer{certificate, root, key}
		v.mu.Lock()
		if len(v.signers) < maxSigners {
			v.signers[id] = s
		}
		v.mu.Unlock()
	}
	return s, v.good(s.root, s.certificate.SerialNumber, at, s.certificate, s.root)
}

func (v *Verifier) authority(c *x509.Certificate) (*x509.Certificate, error) {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	switch {
	case c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature:
		return nil, fmt.Errorf("%w: its certificate is not that of a document signer", ErrUntrusted)
	case len(c.UnhandledCriticalExtensions) != 0:
		return nil, fmt.Errorf("%w: its certificate has a critical extension %v", ErrUntrusted, c.UnhandledCriticalExtensions[0])
	case !ok || key.Curve != elliptic.P256():
		return nil, fmt.Errorf("%w: its key is not on P-256", ErrUntrusted)
	}
	for _, root := range v.roots {
		if bytes.Equal(root.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(root) == nil {
			return root, nil
		}
	}
	return nil, fmt.Errorf("%w: no known country signing authority signed %s", ErrUntrusted, c.Subject)
}
