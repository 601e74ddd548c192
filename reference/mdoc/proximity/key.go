package proximity

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"io"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// NewKey draws an ephemeral key from randomness. The same randomness gives the
// same key.
func NewKey(random io.Reader) (*ecdh.PrivateKey, error) {
	var d [32]byte
	// A draw outside of the curve's order comes once in 2^32; a source that gives
	// such draws only is no source.
	for range 8 {
		if _, err := io.ReadFull(random, d[:]); err != nil {
			return nil, fmt.Errorf("no randomness for an ephemeral key: %w", err)
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]); err == nil {
			return key.ECDH()
		}
	}
	return nil, fmt.Errorf("the source of randomness gives no keys")
}

func appendKey(b []byte, key *ecdh.PublicKey) ([]byte, error) {
	if key == nil || key.Curve() != ecdh.P256() {
		return nil, fmt.Errorf("an ephemeral key is one of P-256")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key.Bytes())
	if err != nil {
		return nil, err
	}
	return cose.AppendKey(b, public)
}

func parseKey(encoded []byte) (*ecdh.PublicKey, error) {
	r := cose.NewReader(encoded)
	key := r.Key()
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("ephemeral key: %w", err)
	}
	return key.ECDH()
}
