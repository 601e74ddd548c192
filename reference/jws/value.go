package jws

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// maxValueDepth limits the nesting of a value.
const maxValueDepth = 16

// Value reads exactly one JSON value (RFC 8259) of UTF-8 whose names nobody knows
// beforehand: a map[string]any, []any, string, json.Number, bool or nil. What two
// readers could read in two ways is refused: a name that comes twice in an object,
// half a surrogate pair, bytes that are no UTF-8.
func Value(data []byte) (any, error) { return readValue(data, maxValueDepth, "") }

// ReadEncoded is Value for base64url (Decode), but for members called list: one that is
// an array of nothing but strings is a []string.
func ReadEncoded(encoded []byte, list string) (v any, err error) {
	err = decoded(encoded, func(data []byte) (err error) {
		v, err = readValue(data, maxValueDepth, list)
		return err
	})
	return v, err
}

// ReadElements is ReadEncoded for an array whose elements are put into a slice of the
// caller's, so that no other is made; n is how many they are, -1 if it is no array. Those
// that do not fit are left out.
func ReadElements(encoded []byte, list string, into []any) (n int, err error) {
	n = -1
	err = decoded(encoded, func(data []byte) error {
		return parse(data, maxValueDepth, list, func(p *parser) (err error) {
			if p.next() != '[' {
				_, err = p.value(0)
				return err
			}
			p.at++
			if err = p.open(1); err == nil {
				n = len(p.elements)
				copy(into, p.elements)
				clear(p.elements)
				p.elements = p.elements[:0]
			}
			return err
		})
	})
	return n, err
}

// decoded lends what base64url encodes.
func decoded(encoded []byte, to func(data []byte) error) error {
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	data, err := appendDecoded((*room)[:0], encoded)
	if err != nil {
		return err
	}
	if cap(data) <= maxRoom {
		*room = data
	}
	return to(data)
}

// What is needed only while a value is read is used again, unless it has grown large.
var (
	rooms   = sync.Pool{New: func() any { return new([]byte) }}
	parsers = sync.Pool{New: func() any { return new(parser) }}
)

const (
	maxRoom = 32 << 10 // bytes
	maxOpen = 128      // members and elements
)

func readValue(data []byte, depth int, list string) (v any, err error) {
	err = parse(data, depth, list, func(p *parser) (err error) {
		v, err = p.value(0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// parse lends a parser that must read all of data.
func parse(data []byte, depth int, list string, read func(*parser) error) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	p := parsers.Get().(*parser)
	p.bytes, p.data, p.at, p.deepest, p.list = data, string(data), 0, depth, list // strings are cut out of it, not copied
	if err := read(p); err != nil {
		return err // a parser that stopped midway is not used again
	}
	if p.space(); p.at != len(data) {
		return p.wrong("something follows the value")
	}
	if p.bytes, p.data = nil, ""; cap(p.members) <= maxOpen && cap(p.elements) <= maxOpen && cap(p.texts) <= maxOpen {
		parsers.Put(p)
	}
	return nil
}

var errNoObject = errors.New("it is not a JSON object")

// Object is Value for an object.
func Object(data []byte) (map[string]any, error) {
	v, err := Value(data)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	return object, nil
}

type parser struct {
	bytes   []byte // the same as data
	data    string
	at      int
	deepest int    // nesting
	list    string // name of members that may be a []string

	// Of objects and arrays that are not at their end, from the outside in: maps and slices
	// are made in one piece.
	members  []member
	elements []any
	texts    []string
}

type member struct {
	name  string
	value any
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
	if p.next() == '}' {
		p.at++
		return map[string]any{}, nil
	}
	mine := len(p.members)
	for {
		if p.next() != '"' {
			return nil, p.wrong("a name is expected")
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if p.next() != ':' {
			return nil, p.wrong("a colon is expected")
		}
		p.at++
		v, err := p.memberValue(name, depth)
		if err != nil {
			return nil, err
		}
		p.members = append(p.members, member{name, v})
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return p.closeObject(mine)
		default:
			return nil, p.wrong("a comma or the end of an object is expected")
		}
	}
}

// closeObject makes an object of the members from mine on.
func (p *parser) closeObject(mine int) (any, error) {
	all := p.members[mine:]
	object := make(map[string]any, len(all))
	for i, m := range all {
		if object[m.name] = m.value; len(object) == i {
			return nil, fmt.Errorf("%.40q comes twice", m.name)
		}
	}
	clear(all)
	p.members = p.members[:mine]
	return object, nil
}

// memberValue is the value of a member: a []string if it has the name for that, and is one.
func (p *parser) memberValue(name string, depth int) (any, error) {
	if p.list != "" && name == p.list && p.next() == '[' && depth < p.deepest {
		begin := p.at
		if texts := p.allTexts(); texts != nil {
			return texts, nil
		}
		p.at = begin // it is something else
		clear(p.texts)
	}
	return p.value(depth)
}

// allTexts reads an array, at its opening bracket, of strings alone; nil: it is none.
func (p *parser) allTexts() (all []string) {
	p.texts = p.texts[:0]
	for next := byte(','); next == ','; next = p.next() {
		p.at++ // the bracket, or the comma
		if p.next() != '"' {
			return nil
		}
		text, err := p.text()
		if err != nil {
			return nil
		}
		p.texts = append(p.texts, text)
	}
	if p.peek() != ']' {
		return nil
	}
	p.at++
	all = slices.Clone(p.texts)
	clear(p.texts)
	return all
}

func (p *parser) array(depth int) (any, error) {
	mine := len(p.elements)
	if err := p.open(depth); err != nil {
		return nil, err
	}
	elements := append([]any{}, p.elements[mine:]...)
	clear(p.elements[mine:])
	p.elements = p.elements[:mine]
	return elements, nil
}

// open reads an array, behind its bracket, and leaves its elements on the parser's.
func (p *parser) open(depth int) error {
	if p.next() == ']' {
		p.at++
		return nil
	}
	for {
		v, err := p.value(depth)
		if err != nil {
			return err
		}
		p.elements = append(p.elements, v)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return nil
		default:
			return p.wrong("a comma or the end of an array is expected")
		}
	}
}

// text reads a string, at its opening quote.
func (p *parser) text() (string, error) {
	p.at++
	begin := p.at
	for p.at+8 <= len(p.bytes) { // most strings have no escapes, and many are long
		special := specials(binary.LittleEndian.Uint64(p.bytes[p.at:]))
		if special == 0 {
			p.at += 8
			continue
		}
		p.at += bits.TrailingZeros64(special) / 8
		break
	}
	for p.at < len(p.data) {
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

// specials is not 0 if one of eight bytes is a quote, a backslash or a control character;
// its lowest bit then lies in the first of them.
func specials(eight uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := eight^'"'*ones, eight^'\\'*ones
	return ((quote-ones)&^quote | (slash-ones)&^slash | (eight-' '*ones)&^eight) & tops
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
