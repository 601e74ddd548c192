package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Document is a decoded result.json in which figures are found by pointer.
type Document struct{ root any }

// ParseDocument reads JSON; numbers keep their spelling.
func ParseDocument(b []byte) (*Document, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return &Document{root}, nil
}

// At returns what a JSON pointer (RFC 6901) points at: json.Number, string,
// bool, nil, []any or map[string]any.
func (d *Document) At(pointer string) (any, error) {
	v := d.root
	if pointer == "" {
		return v, nil
	}
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, fmt.Errorf("pointer %q does not begin with a slash", pointer)
	}
	for more := true; more; {
		var token string
		token, rest, more = strings.Cut(rest, "/")
		switch c := v.(type) {
		case map[string]any:
			if v, ok = c[unescape.Replace(token)]; !ok {
				return nil, fmt.Errorf("pointer %q: there is no %q", pointer, token)
			}
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(c) {
				return nil, fmt.Errorf("pointer %q: there is no row %s of %d", pointer, token, len(c))
			}
			v = c[i]
		default:
			return nil, fmt.Errorf("pointer %q: %q is below a value", pointer, token)
		}
	}
	return v, nil
}

// Number returns the figure a pointer points at; None where it is null.
func (d *Document) Number(pointer string) (Num, error) {
	v, err := d.At(pointer)
	if err != nil {
		return 0, err
	}
	switch x := v.(type) {
	case nil:
		return None(), nil
	case json.Number:
		f, err := x.Float64()
		return Num(f), err
	}
	return 0, fmt.Errorf("pointer %q: %v is not a number", pointer, v)
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")
