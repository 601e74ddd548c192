package jws

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Header is the header of a token: of what type it is, and with which key it is
// signed, said in at most one way.
type Header struct {
	Type           string   `json:"typ"`
	KeyID          string   `json:"kid,omitempty"`
	Key            *Key     `json:"jwk,omitempty"`
	Chain          [][]byte `json:"x5c,omitempty"` // leaf first, DER
	KeyAttestation string   `json:"key_attestation,omitempty"`
}

// Limits of a header.
const (
	maxKeyID       = 512
	maxChain       = 4
	maxCertificate = 8 << 10
)

// Sign is a key at work: it returns r and s of an ES256 signature over the digest,
// 64 bytes. The method Sign of an mdoc.Signer is one.
type Sign func(digest []byte) (rs []byte, err error)

// With signs with a P-256 key, deterministically (RFC 6979).
func With(key crypto.Signer) Sign {
	return func(digest []byte) ([]byte, error) { return cose.SignDigest(key, digest) }
}

// Token signs the claims, which are marshalled as JSON, as a JWT.
func (sign Sign) Token(h Header, claims any) (string, error) {
	header, err := Marshal(struct {
		Algorithm string `json:"alg"`
		Header
	}{"ES256", h})
	if err != nil {
		return "", err
	}
	payload, err := Marshal(claims)
	if err != nil {
		return "", err
	}
	b := make([]byte, 0, (len(header)+len(payload)+64)*4/3+8)
	b = base64.RawURLEncoding.AppendEncode(b, header)
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), payload)
	digest := sha256.Sum256(b)
	rs, err := sign(digest[:])
	if err != nil {
		return "", fmt.Errorf("signing a %s: %w", h.Type, err)
	}
	return string(base64.RawURLEncoding.AppendEncode(append(b, '.'), rs)), nil
}

// Marshal is json.Marshal that leaves <, > and & as they are.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ReadHeader is Header for what stands in a Header, within its limits.
func (t *Token) ReadHeader(typ string) (Header, error) {
	var h Header
	if err := t.Header(typ, &h); err != nil {
		return Header{}, err
	}
	ways := 0
	for _, there := range []bool{h.KeyID != "", h.Key != nil, len(h.Chain) > 0} {
		if there {
			ways++
		}
	}
	switch {
	case ways > 1:
		return Header{}, errors.New("header: the key is named in more than one way of kid, jwk and x5c")
	case len(h.KeyID) > maxKeyID:
		return Header{}, fmt.Errorf("header: kid has more than %d bytes", maxKeyID)
	case len(h.Chain) > maxChain:
		return Header{}, fmt.Errorf("header: x5c has %d certificates; at most %d are read", len(h.Chain), maxChain)
	}
	for _, der := range h.Chain {
		if len(der) == 0 || len(der) > maxCertificate {
			return Header{}, fmt.Errorf("header: a certificate of x5c has %d bytes; 1 to %d are read", len(der), maxCertificate)
		}
	}
	return h, nil
}

// Payload is the payload as it was signed.
func (t *Token) Payload() ([]byte, error) {
	data, err := Decode(t.payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return data, nil
}
