package mdoc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
	"rollcall.example/rollcall/reference/p256"
)

// Signer holds the key of a certificate: a document signer or a status signer.
type Signer interface {
	// Sign returns r and s of an ES256 signature over the digest, 64 bytes.
	Sign(digest []byte) (rs []byte, err error)
	// Certificate is the certificate of the key, DER.
	Certificate() []byte
}

// Rotating is a Signer that has another key and certificate from time to time.
// Whoever signs takes the one in force once, and uses it to the end: certificate
// and signature belong together.
type Rotating interface {
	Signer
	InForce() Signer
}

// InForce is the signer that signs now.
func InForce(s Signer) Signer {
	if r, ok := s.(Rotating); ok {
		return r.InForce()
	}
	return s
}

// KeySigner is a Signer whose key is in memory. Its signatures are deterministic.
type KeySigner struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// NewKeySigner joins a key with its certificate.
func NewKeySigner(key *ecdsa.PrivateKey, certificate []byte) (*KeySigner, error) {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("the signer's certificate cannot be read: %w", err)
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return nil, errors.New("the certificate is for another key")
	}
	return &KeySigner{key, c}, nil
}

// Sign implements Signer.
func (s *KeySigner) Sign(digest []byte) ([]byte, error) { return p256.Sign(s.key, digest) }

// Certificate implements Signer.
func (s *KeySigner) Certificate() []byte { return s.certificate.Raw }

// Parsed is the certificate as it was read.
func (s *KeySigner) Parsed() *x509.Certificate { return s.certificate }

func certificateOf(s Signer) (*x509.Certificate, error) {
	if k, ok := s.(interface{ Parsed() *x509.Certificate }); ok {
		return k.Parsed(), nil
	}
	return x509.ParseCertificate(s.Certificate())
}

// CheckSigner says whether the signer's certificate is valid at this time, so that
// verifiers accept what is signed now.
func CheckSigner(s Signer, at time.Time) error {
	_, err := validCertificate(InForce(s), at)
	return err
}

func validCertificate(s Signer, at time.Time) (*x509.Certificate, error) {
	c, err := certificateOf(s)
	if err != nil {
		return nil, fmt.Errorf("the signer's certificate cannot be read: %w", err)
	}
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return nil, refuse(ErrSignerExpired, "signing at %s, the certificate of %s is valid from %s to %s",
			at.UTC().Format(tdate), c.Subject.CommonName, c.NotBefore.Format(tdate), c.NotAfter.Format(tdate))
	}
	return c, nil
}

// saltSize is the least that §9.1.2.5 allows.
const saltSize = 16

const maxElements = 64

// Issue signs the elements for the holder of deviceKey and returns an encoded
// IssuerSigned. The salts and the order of the digests come from random, so that
// the object tells nothing of what is not disclosed. The time of signing must lie
// within the signer's certificate. A nil status leaves the card without one.
func Issue(s Signer, random io.Reader, deviceKey *ecdsa.PublicKey, elements []Element, v Validity, status *StatusRef) ([]byte, error) {
	if len(elements) == 0 || len(elements) > maxElements {
		return nil, fmt.Errorf("a card has 1 to %d elements, not %d", maxElements, len(elements))
	}
	v = Validity{wholeSeconds(v.Signed), wholeSeconds(v.From), wholeSeconds(v.Until), wholeSeconds(v.Update)}
	if v.From.Before(v.Signed) || !v.From.Before(v.Until) {
		return nil, fmt.Errorf("signed %s, valid from %s until %s: the times must follow each other",
			v.Signed.Format(tdate), v.From.Format(tdate), v.Until.Format(tdate))
	}
	s = InForce(s)
	c, err := validCertificate(s, v.Signed)
	if err != nil {
		return nil, err
	}

	salts := make([]byte, saltSize*len(elements))
	if _, err := io.ReadFull(random, salts); err != nil {
		return nil, fmt.Errorf("no randomness for the salts: %w", err)
	}
	ids, err := permutation(random, len(elements))
	if err != nil {
		return nil, err
	}
	digests := make([][sha256.Size]byte, len(elements))
	items := make([][]byte, len(elements))
	size := 0
	for i, e := range elements {
		for _, before := range elements[:i] {
			if before.Name == e.Name {
				return nil, fmt.Errorf("the element %s stands twice on the card", e.Name)
			}
		}
		value, err := encodeValue(e.Value)
		if err != nil {
			return nil, fmt.Errorf("element %s: %w", e.Name, err)
		}
		item := cose.AppendMap(make([]byte, 0, 80+len(e.Name)+len(value)), 4)
		item = cose.AppendBytes(cose.AppendText(item, "random"), salts[i*saltSize:(i+1)*saltSize])
		item = cose.AppendUint(cose.AppendText(item, "digestID"), uint64(ids[i]))
		item = append(cose.AppendText(item, "elementValue"), value...)
		item = cose.AppendText(cose.AppendText(item, "elementIdentifier"), e.Name)
		items[i] = cose.Tag24(item)
		digests[ids[i]] = sha256.Sum256(items[i])
		size += len(items[i])
	}
	object, err := encodeMSO(DocType, Namespace, digests, deviceKey, v, status)
	if err != nil {
		return nil, err
	}
	auth, err := cose.Sign1(s, cose.Header{Chain: [][]byte{c.Raw}}, cose.Tag24(object), false)
	if err != nil {
		return nil, err
	}
	return appendIssuerSigned(make([]byte, 0, size+len(auth)+64), auth, Namespace, items), nil
}

func appendIssuerSigned(b, auth []byte, namespace string, items [][]byte) []byte {
	if len(items) == 0 {
		b = cose.AppendMap(b, 1)
		return append(cose.AppendText(b, "issuerAuth"), auth...)
	}
	b = cose.AppendMap(b, 2)
	b = append(cose.AppendText(b, "issuerAuth"), auth...)
	b = cose.AppendMap(cose.AppendText(b, "nameSpaces"), 1)
	b = cose.AppendArray(cose.AppendText(b, namespace), len(items))
	return append(b, bytes.Join(items, nil)...)
}

func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// permutation draws an unbiased order of n (Fisher-Yates, with rejection).
func permutation(random io.Reader, n int) ([]int, error) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var word [4]byte
	for i := n - 1; i > 0; i-- {
		m := uint32(i + 1)
		for {
			if _, err := io.ReadFull(random, word[:]); err != nil {
				return nil, fmt.Errorf("no randomness for the order of the digests: %w", err)
			}
			if x := binary.BigEndian.Uint32(word[:]); x < (1<<32-1)/m*m {
				j := int(x % m)
				order[i], order[j] = order[j], order[i]
				break
			}
		}
	}
	return order, nil
}
