package keys

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
)

// Reader signs the presentation requests of one verifier: with the key of all of
// them that is in force, and a certificate that names this one, under the service's
// authority. Every replica makes the same certificate, because wallets know the
// verifier by its hash (x509_hash). It is ErrRevoked if this certificate was revoked:
// then nothing is signed in this name until the key of all of them is another.
func (r *Ring) Reader(id, name string) (mdoc.Signer, error) {
	at := r.at.Load()
	s := r.inForce(Verifier)
	serial := readerSerial(id, name, s.certificate.Raw)
	if at.revoked[serialText(serial[:])] {
		return nil, fmt.Errorf("%w: the one with which requests of %s are signed", ErrRevoked, id)
	}
	if known, ok := at.readers.Load(serial); ok {
		return known.(*signer), nil
	}
	root, err := r.under(s)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]), SignatureAlgorithm: x509.ECDSAWithSHA256,
		Subject: pkix.Name{Country: []string{"KR"}, CommonName: name, SerialNumber: id}, NotBefore: s.certificate.NotBefore, NotAfter: s.certificate.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, DNSNames: s.certificate.DNSNames,
		SubjectKeyId:          s.certificate.SubjectKeyId, // of the same key
		CRLDistributionPoints: at.authorityList(root),
	}
	der, err := x509.CreateCertificate(nil, t, root.certificate, s.key.Public(), root.key)
	if err != nil {
		return nil, err
	}
	made := &signer{from: s.from, key: s.key, signed: s.signed}
	if made.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	at.readers.Store(serial, made) // as many as there are verifiers
	return made, nil
}

// ReaderNumber is the serial number, in hexadecimal, of the certificate with which requests
// of a verifier are signed now.
func ReaderNumber(all []Key, id, name string, now time.Time) (string, error) {
	k, err := current(all, Verifier, now)
	if err != nil {
		return "", err
	}
	serial := readerSerial(id, name, k.Certificate)
	return serialText(serial[:]), nil
}

// readerSerial is the serial number of a verifier's certificate. Its last four bytes
// follow from the others and the key of all verifiers: a number that was mistyped is
// not taken for one.
func readerSerial(id, name string, certificate []byte) (serial [16]byte) {
	serial[0] = 0x40 // positive, and as long as it should be
	head := sha256.Sum256(append([]byte("rollcall verifier "+id+"\x00"+name+"\x00"), certificate...))
	copy(serial[1:12], head[:])
	copy(serial[12:], tail([12]byte(serial[:]), certificate))
	return serial
}

func tail(head [12]byte, certificate []byte) []byte {
	sum := sha256.Sum256(append(append([]byte("rollcall verifier's number "), head[:]...), certificate...))
	return sum[:4]
}

// under is the signer that signed another's certificate.
func (r *Ring) under(s *signer) (*signer, error) {
	for _, root := range r.at.Load().signers[Authority] {
		if s.certificate.CheckSignatureFrom(root.certificate) == nil {
			return root, nil
		}
	}
	return nil, errNotFound
}
