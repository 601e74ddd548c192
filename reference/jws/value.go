package jws

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxValueDepth limits the nesting of a value.
const maxValueDepth = 16

// Value reads exactly one JSON value (RFC 8259) of UTF-8 whose names nobody knows
// beforehand: a map[string]any, []any, string, json.Number, bool or nil. What two
// readers could read in two ways is refused: a name that comes twice in an object,
// half a surrogate pair, bytes that are no UTF-8.
func Value(data []byte) (any, error) { return readValue(data, maxValueDepth) }

func readValue(data []byte, depth int) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	p := parser{data: string(data), deepest: depth} // strings are cut out of it, not copied
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at != len(data) {
		return nil, p.wrong("something follows the value")
	}
	return v, nil
}

// Object is Value for an object.
func Object(data []byte) (map[string]any, error) {
	v, err := Value(data)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	return object, nil
}

type parser struct {
	data    string
	at      int
	deepest int // nesting
}

func (p *parser) wrong(what string) error {
	return fmt.Errorf("no JSON at byte %d: %s", p.at, what)
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next passes over white space and returns the byte that follows, 0 at the end.
func (p *parser) next() byte {
	p.space()
	return p.peek()
}

func (p *parser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (any, error) {
	switch c := p.next(); {
	case c == '{' || c == '[':
		if depth == p.deepest {
			return nil, fmt.Errorf("it is nested more than %d deep", p.deepest)
		}
		p.at++
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '"':
		return p.text()
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for _, word := range []struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if strings.HasPrefix(p.data[p.at:], word.text) {
			p.at += len(word.text)
			return word.value, nil
		}
	}
	return nil, p.wrong("a value is expected")
}

func (p *parser) object(depth int) (any, error) {
	members := map[string]any{}
	if p.next() == '}' {
		p.at++
		return members, nil
	}
	for {
		if p.next() != '"' {
			return nil, p.wrong("a name is expected")
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%.40q comes twice", name)
		}
		if p.next() != ':' {
			return nil, p.wrong("a colon is expected")
		}
		p.at++
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		members[name] = v
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return members, nil
		default:
			return nil, p.wrong("a comma or the end of an object is expected")
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	elements := []any{}
	if p.next() == ']' {
		p.at++
		return elements, nil
	}
	for {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		elements = append(elements, v)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return elements, nil
		default:
			return nil, p.wrong("a comma or the end of an array is expected")
		}
	}
}

// text reads a string, at its opening quote.
func (p *parser) text() (string, error) {
	p.at++
	begin := p.at
	for p.at < len(p.data) { // most strings have no escapes
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			return p.data[begin : p.at-1], nil
		case c == '\\':
			return p.escaped(begin)
		case c < 0x20:
			return "", p.wrong("a control character in a string")
		}
		p.at++
	}
	return "", p.wrong("a string does not end")
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads on at the first backslash of a string.
func (p *parser) escaped(begin int) (string, error) {
	out := append([]byte{}, p.data[begin:p.at]...)
	for p.at < len(p.data) {
		c := p.data[p.at]
		p.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < 0x20:
			return "", p.wrong("a control character in a string")
		case c != '\\':
			out = append(out, c)
			continue
		}
		kind := p.peek()
		p.at++
		switch {
		case escapes[kind] != 0:
			out = append(out, escapes[kind])
		case kind == 'u':
			r, err := p.unit()
			if err != nil {
				return "", err
			}
			if utf16.IsSurrogate(r) {
				if p.peek() != '\\' || p.at+1 >= len(p.data) || p.data[p.at+1] != 'u' {
					return "", p.wrong("half a surrogate pair")
				}
				p.at += 2
				low, err := p.unit()
				if err != nil {
					return "", err
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return "", p.wrong("half a surrogate pair")
				}
			}
			if r == 0 {
				return "", p.wrong("a NUL in a string, which no database server takes")
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", p.wrong("an unknown escape")
		}
	}
	return "", p.wrong("a string does not end")
}

// unit reads four hexadecimal digits.
func (p *parser) unit() (rune, error) {
	if p.at+4 > len(p.data) {
		return 0, p.wrong("an escape is cut off")
	}
	v := rune(0)
	for range 4 {
		c, digit := p.data[p.at], rune(0)
		switch {
		case '0' <= c && c <= '9':
			digit = rune(c - '0')
		case 'a' <= c && c <= 'f':
			digit = rune(c-'a') + 10
		case 'A' <= c && c <= 'F':
			digit = rune(c-'A') + 10
		default:
			return 0, p.wrong("an escape is not hexadecimal")
		}
		v = v<<4 | digit
		p.at++
	}
	return v, nil
}

func (p *parser) digits() bool {
	begin := p.at
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > begin
}

func (p *parser) number() (any, error) {
	begin := p.at
	if p.peek() == '-' {
		p.at++
	}
	zero := p.peek() == '0'
	if first := p.at; !p.digits() || zero && p.at > first+1 {
		return nil, p.wrong("a number is malformed")
	}
	if p.peek() == '.' {
		p.at++
		if !p.digits() {
			return nil, p.wrong("a number is malformed")
		}
	}
	exponent := false
	if c := p.peek(); c == 'e' || c == 'E' {
		exponent = true
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return nil, p.wrong("a number is malformed")
		}
	}
	n := json.Number(p.data[begin:p.at])
	if exponent || len(n) > 300 {
		if _, err := strconv.ParseFloat(string(n), 64); err != nil {
			return nil, fmt.Errorf("the number %.40s is too large", n)
		}
	}
	return n, nil
}
