package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

// Expectation is a sentence about a result: comparisons joined by &&, such as
//
//	suspension.violations == 0
//	recovery[0].drain_s < 4h && nation.by_region[KR-50].issued > 1000
//
// A path walks result.json; [0] is an element by number, [KR-50] one by key, or
// the object of a list that is called so. A duration is compared in the path's
// unit: milliseconds where its name ends in _ms, else seconds. A percentage is
// a fraction.
type Expectation struct {
	Text  string
	terms []comparison
}

type comparison struct {
	left, right operand
	op          string
}

// operand is a path or a constant.
type operand struct {
	path     []segment
	written  string
	constant any // float64, string, bool, nil with null
	seconds  bool
	at       int // where it stands in the text
}

// Misplaced is what is wrong with an expectation, and where.
type Misplaced struct {
	At   int // byte of the text, from 0
	What string
}

func (m *Misplaced) Error() string { return m.What }

const maxExpectation = 500

var (
	tokenForm    = regexp.MustCompile(`^\s*(?:(&&)|(==|!=|<=|>=|<|>)|("[^"]*")|([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[[^\[\]\s]+\])*)|(-?[0-9][0-9_.,]*(?:[eE][-+]?[0-9]+)?(?: ?%| ?[a-z]+(?: ?[0-9.]+ ?[a-z]+)*)?))`)
	identityKeys = []string{"code", "municipality", "region", "name", "iso", "fault", "phase", "place", "kind", "metric", "property", "date", "text"}
)

// ParseExpectation reads an expectation; its error says what is wrong with it.
func ParseExpectation(text string) (Expectation, error) {
	e := Expectation{Text: text}
	if len(text) > maxExpectation {
		return e, fmt.Errorf("the expectation is longer than %d characters", maxExpectation)
	}
	rest := text
	at := 0 // of the token
	wrong := func(format string, args ...any) error { return &Misplaced{at, fmt.Sprintf(format, args...)} }
	next := func() (kind int, token string) {
		at = len(text) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
		m := tokenForm.FindStringSubmatch(rest)
		if m == nil {
			return -1, strings.TrimSpace(rest)
		}
		rest = rest[len(m[0]):]
		for i, x := range m[1:] {
			if x != "" {
				return i, x
			}
		}
		return -1, ""
	}
	operandOf := func() (operand, error) {
		kind, token := next()
		if kind < 2 {
			if token == "" {
				return operand{}, wrong("the expectation breaks off")
			}
			return operand{}, wrong("%s stands where a path or a value belongs", quote(token))
		}
		o, err := parseOperand(kind, token)
		if err != nil {
			return o, wrong("%v", err)
		}
		o.at = at
		return o, nil
	}
	for {
		var c comparison
		var err error
		if c.left, err = operandOf(); err != nil {
			return e, err
		}
		kind, token := next()
		if kind != 1 {
			if token == "" {
				return e, wrong("%s is compared with nothing", quote(c.left.written))
			}
			return e, wrong("%s is not a comparison; known are ==, !=, <, <=, >, >=", quote(token))
		}
		c.op = token
		if c.right, err = operandOf(); err != nil {
			return e, err
		}
		if c.left.path == nil && c.right.path == nil {
			return e, wrong("%s %s %s says nothing about the result", c.left.written, c.op, c.right.written)
		}
		if _, isText := constantText(c); isText && c.op != "==" && c.op != "!=" {
			return e, wrong("text is compared by == and !=, not by %s", c.op)
		}
		e.terms = append(e.terms, c)
		if strings.TrimSpace(rest) == "" {
			return e, nil
		}
		if kind, token := next(); kind != 0 {
			return e, wrong("%s stands where && belongs", quote(token))
		}
	}
}

func constantText(c comparison) (string, bool) {
	for _, o := range []operand{c.left, c.right} {
		switch x := o.constant.(type) {
		case string:
			return x, true
		case bool:
			return strconv.FormatBool(x), true
		}
	}
	return "", false
}

func parseOperand(kind int, token string) (operand, error) {
	o := operand{written: token}
	switch {
	case kind == 2:
		o.constant = strings.Trim(token, `"`)
		return o, nil
	case kind == 3 && (token == "true" || token == "false"):
		o.constant = token == "true"
		return o, nil
	case kind == 3:
		for _, part := range strings.FieldsFunc(token, func(r rune) bool { return r == '.' }) {
			name, index, _ := strings.Cut(part, "[")
			o.path = append(o.path, segment{key: name})
			for index != "" {
				key, after, _ := strings.Cut(index, "]")
				o.path = append(o.path, segment{key, true})
				_, index, _ = strings.Cut(after, "[")
			}
		}
		return o, nil
	}
	plain := strings.ReplaceAll(token, ",", "")
	if x, err := strconv.ParseFloat(strings.ReplaceAll(plain, "_", ""), 64); err == nil && numberForm.MatchString(plain) {
		o.constant = x
		return o, nil
	}
	if percentForm.MatchString(plain) {
		x, err := strconv.ParseFloat(percentToNumber(plain), 64)
		o.constant = x
		return o, err
	}
	d, m := parseDuration(plain)
	if m != nil {
		return o, fmt.Errorf("%s is neither a number, a percentage nor a duration", quote(token))
	}
	o.constant, o.seconds = d.Seconds(), true
	return o, nil
}

// About says whether the expectation names a figure at or below one of the
// dotted paths.
func (e Expectation) About(paths ...string) bool {
	for _, c := range e.terms {
		for _, o := range []operand{c.left, c.right} {
			for _, p := range paths {
				if len(o.path) > 0 && (o.written == p || strings.HasPrefix(o.written, p+".") || strings.HasPrefix(o.written, p+"[")) {
					return true
				}
			}
		}
	}
	return false
}

// Eval judges a result, decoded from JSON. The value is what the first path
// led to: of the first comparison that does not hold, or of the first.
func (e Expectation) Eval(result any) (value any, holds bool, err error) {
	for i, c := range e.terms {
		v, ok, err := c.eval(result)
		if err != nil {
			return nil, false, err
		}
		if i == 0 || !ok {
			value = v
		}
		if !ok {
			return value, false, nil
		}
	}
	return value, true, nil
}

// Check says whether a result can have the figures that the expectation names,
// so that a misspelt one is found before the run. The schema is the result's
// JSON Schema, decoded. Which elements a list will have, only the run knows.
func (e Expectation) Check(schema any) error {
	for _, c := range e.terms {
		for _, o := range []operand{c.left, c.right} {
			at, v := "the result", schema
			for _, s := range o.path {
				next, hint, ok := descend(v, s)
				if !ok {
					return &Misplaced{o.at, fmt.Sprintf("%s: %s has no %s (%s)", o.written, at, s.key, hint)}
				}
				v, at = next, s.key
			}
		}
	}
	return nil
}

// descend goes one step into a JSON Schema.
func descend(schema any, s segment) (next any, hint string, ok bool) {
	object, _ := schema.(map[string]any)
	if items, isList := object["items"]; isList {
		if !s.index {
			return nil, "it is a list; choose with [0] or [NAME]", false
		}
		return items, "", true
	}
	properties, _ := object["properties"].(map[string]any)
	if next, ok = properties[s.key]; ok {
		return next, "", true
	}
	if next, ok = object["additionalProperties"].(map[string]any); ok {
		return next, "", true
	}
	names := slices.Sorted(maps.Keys(properties))
	switch hint = didYouMean(s.key, names); {
	case hint != "":
	case len(names) == 0:
		hint = "it is not a section"
	default:
		hint = "known are " + strings.Join(names, ", ")
	}
	return nil, hint, false
}

func (c comparison) eval(result any) (value any, holds bool, err error) {
	l, err := c.left.value(result)
	if err != nil {
		return nil, false, err
	}
	r, err := c.right.value(result)
	if err != nil {
		return nil, false, err
	}
	value = l
	if c.left.path == nil {
		value = r
	}
	if l == nil || r == nil { // a figure that there is not: it never drained
		return value, false, nil
	}
	x, xIsNumber := asNumber(l)
	y, yIsNumber := asNumber(r)
	switch {
	case xIsNumber && yIsNumber:
		if c.right.seconds && c.left.inMilliseconds() {
			y *= 1000
		}
		if c.left.seconds && c.right.inMilliseconds() {
			x *= 1000
		}
		return value, compare(x, y, c.op), nil
	case xIsNumber != yIsNumber || fmt.Sprintf("%T", l) != fmt.Sprintf("%T", r):
		return nil, false, fmt.Errorf("%s is %v, which cannot be compared with %s, %v", c.left.written, l, c.right.written, r)
	case c.op == "==":
		return value, l == r, nil
	case c.op == "!=":
		return value, l != r, nil
	}
	return nil, false, fmt.Errorf("%s is text; it is compared by == and !=, not by %s", c.left.written, c.op)
}

func compare(x, y float64, op string) bool {
	switch op {
	case "==":
		return x == y
	case "!=":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

func asNumber(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, !math.IsNaN(x)
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	case json.Number:
		f, err := x.Float64()
		return f, err == nil
	}
	return 0, false
}

// inMilliseconds tells that the figure a path leads to is in milliseconds.
func (o operand) inMilliseconds() bool {
	for i := len(o.path) - 1; i >= 0; i-- {
		if !o.path[i].index {
			return strings.HasSuffix(o.path[i].key, "_ms")
		}
	}
	return false
}

func (o operand) value(result any) (any, error) {
	if o.path == nil {
		return o.constant, nil
	}
	at, v := "the result", result
	for _, s := range o.path {
		next, hint, ok := step(v, s)
		if !ok {
			return nil, fmt.Errorf("%s: %s has no %s (%s)", o.written, at, s.key, hint)
		}
		v, at = next, s.key
	}
	switch v.(type) {
	case map[string]any, []any:
		return nil, fmt.Errorf("%s is not one figure (go on with . or [ ])", o.written)
	}
	return v, nil
}

// step goes one step into a decoded JSON value.
func step(v any, s segment) (next any, hint string, ok bool) {
	switch x := v.(type) {
	case map[string]any:
		next, ok = x[s.key]
		names := make([]string, 0, len(x))
		for k := range x {
			names = append(names, k)
		}
		sort.Strings(names)
		hint = didYouMean(s.key, names)
		if hint == "" {
			hint = fmt.Sprintf("it has %d others", len(names))
		}
		return next, hint, ok
	case []any:
		if !s.index {
			return nil, "it is a list; choose with [0] or [NAME]", false
		}
		for _, element := range x {
			object, _ := element.(map[string]any)
			for _, k := range identityKeys {
				if object[k] == any(s.key) {
					return element, "", true
				}
			}
		}
		if i, err := strconv.Atoi(s.key); err == nil && i >= 0 && i < len(x) {
			return x[i], "", true
		}
		return nil, fmt.Sprintf("it has %d elements", len(x)), false
	}
	return nil, "it is not a section", false
}
