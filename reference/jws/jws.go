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
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Token is a JWS whose parts have been taken apart and not been judged.
type Token struct {
	header, payload, signed []byte
	signature               []byte
}

// Parse takes a token apart. Its size is for the caller to limit.
func Parse(token []byte) (*Token, error) {
	parts := bytes.SplitN(token, []byte{'.'}, 4)
	if len(parts) != 3 {
		return nil, errors.New("a signed JWT has three parts")
	}
	t := &Token{payload: parts[1], signed: token[:len(parts[0])+1+len(parts[1])]}
	var err error
	if t.header, err = Decode(parts[0]); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if t.signature, err = Decode(parts[2]); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return t, nil
}

// Header reads the header into a struct, of a token that says it is of this type
// and signed with ES256, and marks nothing as critical.
func (t *Token) Header(typ string, v any) error {
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
	tree, err := readValue(t.header, maxDepth)
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
	return cose.VerifyDigest(key, digest[:], t.signature)
}

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
	if bytes.ContainsAny(s, "\r\n") { // the decoder would pass over them
		return nil, errors.New("a line break in base64url")
	}
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(s)))
	n, err := strict.Decode(out, s)
	if err != nil {
		return nil, err
	}
	return out[:n], nil
}

// maxDepth limits the nesting of JSON.
const maxDepth = 8

// Unmarshal reads exactly one JSON value of UTF-8 into the struct that v points
// to, as strictly as Value. Names that the struct does not have are passed over; but
// none may be a name of the struct in another case, wherever it stands, which
// encoding/json would take for it.
func Unmarshal(data []byte, v any) error {
	tree, err := readValue(data, maxDepth)
	if err != nil {
		return err
	}
	return unmarshal(data, tree, v)
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
		for _, name := range slices.Sorted(maps.Keys(v)) { // the same faults give the same error
			for _, k := range names {
				if name != k && strings.EqualFold(name, k) {
					return fmt.Errorf("%.40q is %q in another case", name, k)
				}
			}
			if err := checkCase(v[name], names); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := checkCase(inner, names); err != nil {
				return err
			}
		}
	}
	return nil
}
