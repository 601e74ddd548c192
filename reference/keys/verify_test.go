package keys

import (
	"crypto/ecdsa"
	"crypto/x509"

	"rollcall.example/rollcall/reference/p256"
)

func signedBy(certificate, digest, rs []byte) bool {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return false
	}
	return p256.Verify(c.PublicKey.(*ecdsa.PublicKey), digest, rs)
}
