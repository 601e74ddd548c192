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
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

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
	var h struct {
		Algorithm string          `json:"alg"`
		Type      string          `json:"typ"`
		Critical  json.RawMessage `json:"crit"`
	}
	if err := Unmarshal(t.header, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	switch {
	case h.Type != typ:
		return fmt.Errorf("typ %.40q, not %q", h.Type, typ)
	case h.Algorithm != "ES256":
		return fmt.Errorf("alg %.40q, not ES256", h.Algorithm)
	case h.Critical != nil:
		return errors.New("headers are marked critical that are not known here")
	}
	if err := Unmarshal(t.header, v); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return nil
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

// Decode reads base64url without padding, line breaks or bits left over.
func Decode(s []byte) ([]byte, error) {
	if bytes.ContainsAny(s, "\r\n") { // the decoder would pass over them
		return nil, errors.New("a line break in base64url")
	}
	return base64.RawURLEncoding.Strict().AppendDecode(nil, s)
}

// maxDepth limits the nesting of JSON.
const maxDepth = 8

// Unmarshal reads exactly one JSON value of UTF-8 into the struct that v points
// to. Names that the struct does not have are passed over; but no name may come
// twice in an object, wherever it stands, and none may be a name of the struct in
// another case, which encoding/json would take for it.
func Unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	if err := checkNames(data, fields(reflect.TypeOf(v), nil)); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// fields lists the names that encoding/json knows in a type.
func fields(t reflect.Type, names []string) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fields(t.Elem(), names)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = fields(f.Type, append(names, name))
		}
	}
	return names
}

func checkNames(data []byte, known []string) error {
	d := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next token is a value
	}
	var open []level
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if delim, ok := token.(json.Delim); ok && (delim == ']' || delim == '}') {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open); n > 0 && open[n-1].names != nil {
			top := &open[n-1]
			if !top.value {
				name := token.(string)
				if top.names[name] {
					return fmt.Errorf("%.40q comes twice", name)
				}
				for _, k := range known {
					if name != k && strings.EqualFold(name, k) {
						return fmt.Errorf("%.40q is %q in another case", name, k)
					}
				}
				top.names[name], top.value = true, true
				continue
			}
			top.value = false
		}
		if delim, ok := token.(json.Delim); ok {
			if len(open) == maxDepth {
				return fmt.Errorf("it is nested more than %d deep", maxDepth)
			}
			l := level{}
			if delim == '{' {
				l.names = map[string]bool{}
			}
			open = append(open, l)
		}
	}
}
