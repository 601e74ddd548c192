package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode fills the derived figures and returns result.json: fields in the order
// of the types, floats without exponent, one row of a table on a line.
func Encode(r *Result) ([]byte, error) {
	derive(r)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("the result cannot be written as JSON: %w", err)
	}
	return layout(b.Bytes(), 3), nil
}

// Decode reads a result.json of this version.
func Decode(b []byte) (*Result, error) {
	var head struct{ Meta struct{ Schema string } }
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("not a result.json: %w", err)
	}
	if head.Meta.Schema != SchemaID {
		return nil, fmt.Errorf("a result of version %q, this program reads %q: run the scenario again", head.Meta.Schema, SchemaID)
	}
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("not a result.json: %w", err)
	}
	return r, nil
}

// layout breaks lines inside the outermost levels of compact JSON and leaves
// what is deeper on one line.
func layout(compact []byte, levels int) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	depth, inString := 0, false
	line := func() {
		out = append(out, '\n')
		for range depth {
			out = append(out, ' ')
		}
	}
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		if inString {
			out = append(out, c)
			switch c {
			case '\\':
				i++
				out = append(out, compact[i])
			case '"':
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
			out = append(out, c)
		case '{', '[':
			out = append(out, c)
			depth++
			if depth <= levels && compact[i+1] != c+2 {
				line()
			}
		case '}', ']':
			depth--
			if depth < levels && compact[i-1] != c-2 {
				line()
			}
			out = append(out, c)
		case ',':
			out = append(out, c)
			if depth <= levels {
				line()
			}
		case ':':
			out = append(out, c)
			if depth <= levels {
				out = append(out, ' ')
			}
		default:
			out = append(out, c)
		}
	}
	return out
}
