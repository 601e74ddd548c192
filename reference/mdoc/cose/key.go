package cose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
)

// AppendKey appends the COSE_Key of a P-256 point (RFC 9053 §7.1.1).
func AppendKey(b []byte, key *ecdsa.PublicKey) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil || key.Curve != elliptic.P256() {
		return nil, errors.New("it is not a P-256 key")
	}
	b = append(b, 0xa4, 0x01, 0x02, 0x20, 0x01, 0x21) // kty EC2, crv P-256, x
	b = append(AppendBytes(b, point[1:33]), 0x22)
	return AppendBytes(b, point[33:]), nil
}

// Key reads the COSE_Key of a P-256 point.
func (r *Reader) Key() *ecdsa.PublicKey {
	var kty, crv int64
	var x, y []byte
	r.Labels(func(label int64) {
		switch label {
		case 1:
			kty = r.Int()
		case -1:
			crv = r.Int()
		case -2:
			x = r.Bytes()
		case -3:
			y = r.Bytes()
		default:
			r.Skip()
		}
	})
	if r.Err() != nil {
		return nil
	}
	if kty != 2 || crv != 1 || len(x) != 32 || len(y) != 32 {
		r.Fail("the key is not an uncompressed P-256 key")
		return nil
	}
	point := append(append(append(make([]byte, 0, 65), 4), x...), y...)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		r.Fail("the key is not a point of P-256")
	}
	return key
}
