// Package jws reads signed JSON from outside: a JWS in compact serialisation
// (RFC 7515 §7.1) with ES256 (RFC 7518 §3.4), and its JSON more strictly than
// encoding/json does, so that two readers of one signed text cannot read two
// things.
//
// It may not know what the claims mean, nor whom to trust.
package jws

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"reflect"
	"strings"
	"sync"

	"rollcall.example/rollcall/reference/p256"
)

// Token is a JWS whose parts have been taken apart and not been judged.
type Token struct {
	header, payload, signed []byte // payload and signed are encoded
	signature               []byte
	read                    *readHeader // what ReadHeader read and nobody has vouched for yet
}

var dot = []byte{'.'}

// Parse takes a token apart. Its size is for the caller to limit.
func Parse(token []byte) (*Token, error) {
	header, rest, two := bytes.Cut(token, dot)
	payload, signature, three := bytes.Cut(rest, dot)
	if !two || !three || bytes.Contains(signature, dot) {
		return nil, errors.New("a signed JWT has three parts")
	}
	t := &Token{payload: payload, signed: token[:len(header)+1+len(payload)]}
	var err error
	if t.read = headers.get(header); t.read == nil {
		if t.header, err = Decode(header); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
	}
	if t.signature, err = Decode(signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return t, nil
}

// Header reads the header into a struct, of a token that says it is of this type
// and signed with ES256, and marks nothing as critical.
func (t *Token) Header(typ string, v any) error {
	if t.header == nil { // it is one that ReadHeader remembers
		t.header, _ = Decode(t.signed[:bytes.IndexByte(t.signed, '.')])
	}
	h, err := t.judgeHeader(typ, known{"alg", "typ", "crit"})
	if err == nil {
		err = unmarshal(t.header, h, v)
	}
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return nil
}

func (t *Token) judgeHeader(typ string, names known) (map[string]any, error) {
	tree, err := readValue(t.header, maxDepth, "")
	if err != nil {
		return nil, err
	}
	h, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	if err := checkCase(tree, names); err != nil {
		return nil, err
	}
	said, _ := h["typ"].(string)
	algorithm, _ := h["alg"].(string)
	_, critical := h["crit"]
	switch {
	case said != typ:
		return nil, fmt.Errorf("typ %.40q, not %q", said, typ)
	case algorithm != "ES256":
		return nil, fmt.Errorf("alg %.40q, not ES256", algorithm)
	case critical:
		return nil, errors.New("headers are marked critical that are not known here")
	}
	return h, nil
}

// Verify says whether key signed the token.
func (t *Token) Verify(key *ecdsa.PublicKey) bool {
	digest := sha256.Sum256(t.signed)
	return t.good(p256.Verify(key, digest[:], t.signature))
}

// VerifyBy is Verify for a signer who is met again and again.
func (t *Token) VerifyBy(signer *p256.Key) bool {
	digest := sha256.Sum256(t.signed)
	return t.good(signer.Verify(digest[:], t.signature))
}

// good remembers the header of a token whose signature is right.
func (t *Token) good(right bool) bool {
	if !right {
		return false
	}
	if t.read != nil && !t.read.kept {
		headers.keep(t.signed[:bytes.IndexByte(t.signed, '.')], t.read)
	}
	return true
}

// VerifyHashing is VerifyBy that leaves h, a SHA-256 of nothing yet, at the end of what was
// signed: whoever needs the hash of a text that begins with it goes on from there.
func (t *Token) VerifyHashing(h hash.Hash, signer *p256.Key) bool {
	h.Write(t.signed)
	return t.good(signer.Verify(h.Sum(make([]byte, 0, sha256.Size)), t.signature))
}

// SignedSize is the size of what was signed, with which the token begins.
func (t *Token) SignedSize() int { return len(t.signed) }

// Claims reads the claims into a struct.
func (t *Token) Claims(v any) error {
	data, err := Decode(t.payload)
	if err == nil {
		err = Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("claims: %w", err)
	}
	return nil
}

var strict = base64.RawURLEncoding.Strict()

// Decode reads base64url without padding, line breaks or bits left over.
func Decode(s []byte) ([]byte, error) {
	return appendDecoded(make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(s))), s)
}

func appendDecoded(b, s []byte) ([]byte, error) {
	if bytes.IndexByte(s, '\n') >= 0 || bytes.IndexByte(s, '\r') >= 0 { // the decoder would pass over them
		return nil, errors.New("a line break in base64url")
	}
	b, err := strict.AppendDecode(b, s)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// maxDepth limits the nesting of JSON.
const maxDepth = 8

// Unmarshal reads exactly one JSON value of UTF-8 into the struct that v points
// to, as strictly as Value. Names that the struct does not have are passed over; but
// none may be a name of the struct in another case, wherever it stands, which
// encoding/json would take for it.
func Unmarshal(data []byte, v any) error {
	tree, err := readValue(data, maxDepth, "")
	if err != nil {
		return err
	}
	return unmarshal(data, tree, v)
}

// UnmarshalObject is Unmarshal for an object, whose members it returns too, as Value gives
// them.
func UnmarshalObject(data []byte, v any) (members map[string]any, err error) {
	tree, err := readValue(data, maxDepth, "")
	if err != nil {
		return nil, err
	}
	members, ok := tree.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	return members, unmarshal(data, members, v)
}

func unmarshal(data []byte, tree any, v any) error {
	if err := checkCase(tree, fields(reflect.TypeOf(v))); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// known are the names that encoding/json knows in a type.
type known []string

var fieldsOf sync.Map // reflect.Type to known

func fields(t reflect.Type) known {
	if names, ok := fieldsOf.Load(t); ok {
		return names.(known)
	}
	names := listFields(t, nil)
	fieldsOf.Store(t, names)
	return names
}

func listFields(t reflect.Type, names known) known {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return listFields(t.Elem(), names)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = listFields(f.Type, append(names, name))
		}
	}
	return names
}

// checkCase looks for names that are known, in another case.
func checkCase(v any, names known) error {
	switch v := v.(type) {
	case map[string]any:
		var faulty string // the first by name: the same faults give the same error
		var fault error
		for name, inner := range v {
			if fault != nil && name > faulty {
				continue
			}
			if err := checkMember(name, inner, names); err != nil {
				faulty, fault = name, err
			}
		}
		return fault
	case []any:
		for _, inner := range v {
			if err := checkCase(inner, names); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkMember(name string, v any, names known) error {
	for _, k := range names {
		if name != k && strings.EqualFold(name, k) {
			return fmt.Errorf("%.40q is %q in another case", name, k)
		}
	}
	return checkCase(v, names)
}
