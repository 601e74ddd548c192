// Package p256 signs and verifies with ECDSA over P-256 and SHA-256 (FIPS 186-5 §6),
// signatures in plain format: r and s, 32 bytes each, as COSE and JOSE carry them
// (RFC 9053 §2.1, RFC 7518 §3.4).
//
// Verify is that of the standard library. A Key is a signer who is met again and again: an
// issuer, a wallet provider, a maker of phones. After a while it keeps a table of multiples
// of its point, and a verification costs less than half.
//
// It knows nothing of messages, trust or time: a digest goes in, true or false comes out.
// What it does in variable time, it does with what everybody may see.
package p256

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SignatureSize is the size of a signature in plain format, in bytes.
const SignatureSize = 64

// Sign signs a SHA-256 digest and returns r and s, 64 bytes. No random source is used:
// with a key in memory the signature is the deterministic one of RFC 6979, so that a run
// can be repeated.
func Sign(key crypto.Signer, digest []byte) ([]byte, error) {
	der, err := key.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	rs, ok := Plain(der)
	if !ok {
		return nil, errors.New("the key does not give P-256 signatures")
	}
	return rs, nil
}

// Verify checks r and s, 64 bytes, over a SHA-256 digest.
func Verify(key *ecdsa.PublicKey, digest, rs []byte) bool {
	if len(digest) != sha256.Size || len(rs) != SignatureSize || key.Curve != elliptic.P256() {
		return false
	}
	var der [72]byte
	return ecdsa.VerifyASN1(key, digest, AppendASN1(der[:0], rs))
}

// AppendASN1 appends r and s, 64 bytes, as the SEQUENCE of two INTEGERs that certificates
// carry and crypto/ecdsa reads (SEC 1 §C.5).
func AppendASN1(b, rs []byte) []byte {
	start := len(b)
	b = append(b, 0x30, 0)
	for _, n := range [2][]byte{rs[:32], rs[32:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0] >= 0x80 {
			b = append(b, 2, byte(len(n)+1), 0)
		} else {
			b = append(b, 2, byte(len(n)))
		}
		b = append(b, n...)
	}
	b[start+1] = byte(len(b) - start - 2)
	return b
}

// Plain reads what AppendASN1 writes: two positive INTEGERs of at most 256 bits, in the
// one form that DER allows.
func Plain(der []byte) (rs []byte, ok bool) {
	in, rs := cryptobyte.String(der), make([]byte, SignatureSize)
	var inner cryptobyte.String
	if !in.ReadASN1(&inner, asn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	for _, to := range [2][]byte{rs[:32], rs[32:]} {
		var n []byte
		if !inner.ReadASN1Integer(&n) || len(n) > len(to) || len(n) == 0 || len(n) == 1 && n[0] == 0 {
			return nil, false
		}
		copy(to[len(to)-len(n):], n)
	}
	return rs, inner.Empty()
}
