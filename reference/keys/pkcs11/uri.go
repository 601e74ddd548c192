// Package pkcs11 signs with keys that do not leave a hardware module (PKCS #11
// v2.40), named by URIs as RFC 7512 writes them:
//
//	pkcs11:token=rollcall;object=document?module-path=/usr/lib/softhsm/libsofthsm2.so
//
// It needs cgo and is built with -tags pkcs11 only; reading the URIs needs neither.
// The PIN is handed in, never written into a URI: URIs are shown and logged.
package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// URI names a key.
type URI struct {
	Token  string // label of the token
	Object string // label of the key
	ID     []byte // its id; either is enough
	Module string // path of the module's library
}

const maxURI = 2048

// Parse reads a URI. What it does not know it refuses: it could name another key.
func Parse(text string) (URI, error) {
	var u URI
	if len(text) > maxURI {
		return u, fmt.Errorf("a PKCS #11 URI has more than %d bytes", maxURI)
	}
	rest, ok := strings.CutPrefix(text, "pkcs11:")
	if !ok {
		return u, errors.New(`a PKCS #11 URI begins with "pkcs11:"`)
	}
	where, query, _ := strings.Cut(rest, "?")
	seen := map[string]bool{}
	for _, part := range []struct{ attributes, between string }{{where, ";"}, {query, "&"}} {
		for attribute := range strings.SplitSeq(part.attributes, part.between) {
			if attribute == "" {
				continue
			}
			name, encoded, _ := strings.Cut(attribute, "=")
			value, err := url.PathUnescape(encoded)
			if err != nil {
				return u, fmt.Errorf("a PKCS #11 URI: the %s is not encoded as it should be", name)
			}
			if seen[name] {
				return u, fmt.Errorf("a PKCS #11 URI has two of %.40q", name)
			}
			seen[name] = true
			switch inQuery := part.between == "&"; {
			case name == "token" && !inQuery:
				u.Token = value
			case name == "object" && !inQuery:
				u.Object = value
			case name == "id" && !inQuery:
				u.ID = []byte(value)
			case name == "type" && !inQuery:
				if value != "private" {
					return u, errors.New("a PKCS #11 URI of a key has type=private, or none")
				}
			case name == "module-path" && inQuery:
				u.Module = value
			case name == "pin-value" || name == "pin-source":
				return u, errors.New("a PKCS #11 URI must not tell the PIN: it is shown and logged")
			default:
				return u, fmt.Errorf("a PKCS #11 URI: %.40q is not known here", name)
			}
		}
	}
	switch {
	case u.Token == "":
		return u, errors.New("a PKCS #11 URI needs the token's label (token=...)")
	case u.Object == "" && len(u.ID) == 0:
		return u, errors.New("a PKCS #11 URI needs the key's label or id (object=..., id=...)")
	case !path.IsAbs(u.Module):
		return u, errors.New("a PKCS #11 URI needs the whole path of the module (?module-path=/usr/lib/...)")
	}
	return u, nil
}

// String names the key for people.
func (u URI) String() string {
	name := u.Object
	if name == "" {
		name = hex.EncodeToString(u.ID)
	}
	return fmt.Sprintf("the key %q on the token %q", name, u.Token)
}
