package keys

import (
	"crypto/ecdsa"
	"crypto/x509"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func signedBy(certificate, digest, rs []byte) bool {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return false
	}
	return cose.VerifyDigest(c.PublicKey.(*ecdsa.PublicKey), digest, rs)
}
