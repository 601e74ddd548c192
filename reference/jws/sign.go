package jws

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"rollcall.example/rollcall/reference/p256"
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
	return func(digest []byte) ([]byte, error) { return p256.Sign(key, digest) }
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

// headerNames are those that ReadHeader knows; none may come in another case.
var headerNames = append(known{"alg", "crit"}, fields(reflect.TypeFor[Header]())...)

// ReadHeader is Header for what stands in a Header, within its limits. It is
// several times as fast. Its certificates are for reading only: they may be shared.
func (t *Token) ReadHeader(typ string) (Header, error) {
	if t.read != nil && t.read.header.Type == typ {
		return t.read.header, nil
	}
	if t.header == nil {
		return Header{}, fmt.Errorf("header: typ %.40q, not %q", t.read.header.Type, typ)
	}
	tree, err := t.judgeHeader(typ, headerNames)
	if err != nil {
		return Header{}, fmt.Errorf("header: %w", err)
	}
	h, err := headerOf(tree)
	if err != nil {
		return Header{}, fmt.Errorf("header: %w", err)
	}
	if h.Key == nil && h.KeyID == "" && h.KeyAttestation == "" { // many tokens begin with it
		t.read = &readHeader{header: h}
	}
	return h, nil
}

func headerOf(tree map[string]any) (h Header, err error) {
	ways := 0
	for _, name := range [...]string{"typ", "kid", "key_attestation", "jwk", "x5c"} {
		v, ok := tree[name]
		if !ok {
			continue
		}
		switch name {
		case "typ":
			h.Type, ok = v.(string)
		case "kid":
			h.KeyID, ok = v.(string)
			ways++
		case "key_attestation":
			h.KeyAttestation, ok = v.(string)
		case "jwk":
			var jwk map[string]any
			if jwk, ok = v.(map[string]any); ok {
				h.Key, err = keyOf(jwk)
			}
			ways++
		case "x5c":
			var chain []any
			if chain, ok = v.([]any); ok {
				h.Chain, err = chainOf(chain)
			}
			ways++
		}
		switch {
		case !ok:
			return Header{}, fmt.Errorf("%s is not of its kind", name)
		case err != nil:
			return Header{}, err
		}
	}
	switch {
	case ways > 1:
		return Header{}, errors.New("the key is named in more than one way of kid, jwk and x5c")
	case len(h.KeyID) > maxKeyID:
		return Header{}, fmt.Errorf("kid has more than %d bytes", maxKeyID)
	}
	return h, nil
}

var strictStd = base64.StdEncoding.Strict() // certificates are not in base64url (RFC 7515 §4.1.6)

func chainOf(list []any) ([][]byte, error) {
	if len(list) > maxChain {
		return nil, fmt.Errorf("x5c has %d certificates; at most %d are read", len(list), maxChain)
	}
	chain := make([][]byte, len(list))
	for i, v := range list {
		text, _ := v.(string)
		der, err := strictStd.DecodeString(text)
		if err != nil || len(der) == 0 || len(der) > maxCertificate || strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
			return nil, fmt.Errorf("certificate %d of x5c is not 1 to %d bytes in base64", i+1, maxCertificate)
		}
		chain[i] = der
	}
	return chain, nil
}

// Object is the payload as Object reads it, but for members called list: one that is
// an array of nothing but strings is a []string.
func (t *Token) Object(list string) (map[string]any, error) {
	v, err := ReadEncoded(t.payload, list)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("claims: %w", errNoObject)
	}
	return object, nil
}

// Payload is the payload as it was signed.
func (t *Token) Payload() ([]byte, error) {
	data, err := Decode(t.payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return data, nil
}
