package keys

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"

	"rollcall.example/rollcall/reference/mdoc"
)

// Reader signs the presentation requests of one verifier: with the key of all of
// them that is in force, and a certificate that names this one, under the service's
// authority. Every replica makes the same certificate, because wallets know the
// verifier by its hash (x509_hash).
func (r *Ring) Reader(id, name string) (mdoc.Signer, error) {
	at := r.at.Load()
	s := r.inForce(Verifier)
	serial := sha256.Sum256(append([]byte("rollcall verifier "+id+"\x00"+name+"\x00"), s.certificate.Raw...))
	if known, ok := at.readers.Load(serial); ok {
		return known.(*signer), nil
	}
	root, err := r.under(s)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(append([]byte{0x40}, serial[:15]...)), SignatureAlgorithm: x509.ECDSAWithSHA256,
		Subject: pkix.Name{Country: []string{"KR"}, CommonName: name, SerialNumber: id}, NotBefore: s.certificate.NotBefore, NotAfter: s.certificate.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, DNSNames: s.certificate.DNSNames,
		SubjectKeyId: s.certificate.SubjectKeyId, // of the same key
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

// under is the signer that signed another's certificate.
func (r *Ring) under(s *signer) (*signer, error) {
	for _, root := range r.at.Load().signers[Authority] {
		if s.certificate.CheckSignatureFrom(root.certificate) == nil {
			return root, nil
		}
	}
	return nil, errNotFound
}
