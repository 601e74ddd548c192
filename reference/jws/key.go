package jws

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Key is a public P-256 key as a JWK (RFC 7517, RFC 7518 §6.2.1).
type Key struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`

	KeyID     string `json:"kid,omitempty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`

	// D and K are never written. A key that comes with them is refused: whoever sent
	// it has given a private key away.
	D *json.RawMessage `json:"d,omitempty"`
	K *json.RawMessage `json:"k,omitempty"`
}

// KeyOf is a key as a JWK.
func KeyOf(key *ecdsa.PublicKey) (Key, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return Key{}, errors.New("a JWK is made of a P-256 key alone")
	}
	point, err := key.Bytes()
	if err != nil {
		return Key{}, err
	}
	return keyAt(point), nil
}

// keyOf reads a JWK of a header.
func keyOf(tree map[string]any) (*Key, error) {
	k := &Key{}
	for _, member := range []struct {
		name string
		to   *string
	}{{"kty", &k.Kty}, {"crv", &k.Crv}, {"x", &k.X}, {"y", &k.Y}, {"kid", &k.KeyID}, {"use", &k.Use}, {"alg", &k.Algorithm}} {
		if v, there := tree[member.name]; there {
			text, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("%s of a jwk is no string", member.name)
			}
			*member.to = text
		}
	}
	for name, to := range map[string]**json.RawMessage{"d": &k.D, "k": &k.K} {
		if _, there := tree[name]; there {
			*to = new(json.RawMessage)
		}
	}
	return k, nil
}

// KeyOfECDH is KeyOf for a key of crypto/ecdh.
func KeyOfECDH(key *ecdh.PublicKey) (Key, error) {
	if key == nil || key.Curve() != ecdh.P256() {
		return Key{}, errors.New("a JWK is made of a P-256 key alone")
	}
	return keyAt(key.Bytes()), nil
}

// keyAt is a point as a JWK.
func keyAt(point []byte) Key {
	encode := base64.RawURLEncoding.EncodeToString
	return Key{Kty: "EC", Crv: "P-256", X: encode(point[1:33]), Y: encode(point[33:])}
}

// Public is the key, if it is one: a point on P-256 that is not at infinity.
func (k Key) Public() (*ecdsa.PublicKey, error) {
	point, err := k.point()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errNoPoint
	}
	return key, nil
}

// ECDH is Public for crypto/ecdh.
func (k Key) ECDH() (*ecdh.PublicKey, error) {
	point, err := k.point()
	if err != nil {
		return nil, err
	}
	key, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, errNoPoint
	}
	return key, nil
}

var errNoPoint = errors.New("a key is no point on P-256")

// point is where the key says that it is, uncompressed.
func (k Key) point() ([]byte, error) {
	if k.Kty != "EC" || k.Crv != "P-256" {
		return nil, fmt.Errorf("a key of kind %.20q %.20q is not P-256", k.Kty, k.Crv)
	}
	if k.D != nil || k.K != nil {
		return nil, errors.New("a private key stands where a public one is expected")
	}
	point := append(make([]byte, 0, 65), 4)
	for _, coordinate := range [...]string{k.X, k.Y} {
		longer, err := appendDecoded(point, []byte(coordinate))
		if err != nil || len(longer) != len(point)+32 {
			return nil, errors.New("a coordinate of a key is not 32 bytes in base64url")
		}
		point = longer
	}
	return point, nil
}

// Thumbprint is the SHA-256 thumbprint of the key (RFC 7638). The key has been
// read by Public or made by KeyOf.
func (k Key) Thumbprint() [sha256.Size]byte {
	return sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + k.X + `","y":"` + k.Y + `"}`))
}

// ThumbprintText is the thumbprint in base64url, as cnf.jkt holds it.
func (k Key) ThumbprintText() string {
	sum := k.Thumbprint()
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
