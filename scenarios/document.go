package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a scenario file. The largest that is built in has a twentieth.
const (
	maxBytes   = 1 << 20
	maxColumn  = 2000    // of a line
	maxIndent  = 80      // columns; bounds the nesting of blocks
	maxDepth   = 24      // of brackets, and of dashes in a line
	maxTokens  = 100_000 // words and signs
	maxExtends = 8
)

// place is where something is written.
type place struct {
	file         string
	line, column int
}

func (p place) problem(path string, m *mistake) Problem {
	return Problem{File: p.file, Line: p.line, Column: p.column, Path: path, What: m.what, Instead: m.instead}
}

type shape int

const (
	scalar shape = iota
	mappingShape
	listShape
)

// tree is a YAML document with the places of everything in it.
type tree struct {
	shape   shape
	text    string // of a scalar, as written
	style   style
	entries []entry // of a mapping, in the order of the file
	items   []*tree // of a list
	byIndex bool    // a mapping from --set whose keys are a list's indices
	place   place
	note    *note
}

type entry struct {
	key   string
	place place
	value *tree
}

// style is how a scalar is written.
type style int

const (
	plainString style = iota
	quotedString
	plainNumber
	plainBool
	plainNull
)

// note is what stands beside a value: {value:, mark:, source:, range:}.
type note struct {
	mark, source, low, high string
	another                 bool // the value is no longer the one that this was written beside
}

func (t *tree) get(key string) *tree {
	for i := range t.entries {
		if t.entries[i].key == key {
			return t.entries[i].value
		}
	}
	return nil
}

func (t *tree) set(key string, at place, v *tree) {
	for i := range t.entries {
		if t.entries[i].key == key {
			t.entries[i].value, t.entries[i].place = v, at
			return
		}
	}
	t.entries = append(t.entries, entry{key, at, v})
}

// describe says what was written, for an error.
func (t *tree) describe() string {
	switch {
	case t.shape == mappingShape:
		return "a mapping"
	case t.shape == listShape:
		return "a list"
	case t.style == plainNull:
		return "nothing"
	}
	return quote(t.text)
}

// readDocument reads the YAML of one file.
func readDocument(file string, src []byte) (*tree, Problems) {
	fail := func(line, column int, what, instead string) (*tree, Problems) {
		return nil, Problems{{File: file, Line: line, Column: column, What: what, Instead: instead}}
	}
	if len(src) > maxBytes {
		return fail(1, 1, fmt.Sprintf("is larger than %d bytes", maxBytes), "split it with extends, or shorten it")
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // the byte order mark of some editors
	if !utf8.Valid(src) {
		line := 1
		for l := range bytes.Lines(src) {
			if !utf8.Valid(l) {
				break
			}
			line++
		}
		return fail(line, 1, "is not UTF-8", "save the file in that encoding")
	}
	if i := slices.IndexFunc(src, func(b byte) bool { return b < ' ' && b != '\n' && b != '\r' && b != '\t' }); i >= 0 {
		return fail(1+strings.Count(string(src[:i]), "\n"), 1, "holds a control character", "is it a text file?")
	}
	if line := overlongLine(string(src)); line > 0 {
		return fail(line, maxColumn, fmt.Sprintf("the line is longer than %d characters", maxColumn), "break it")
	}
	tokens := lexer.Tokenize(string(src))
	if t, what, instead := tooMuch(tokens); t != nil {
		return fail(t.Position.Line, t.Position.Column, what, instead)
	}
	root, err := parseTokens(tokens)
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			p := syntax.Token.Position
			if strings.HasPrefix(syntax.Token.Value, "\t") || strings.Contains(syntax.Message, "'\t'") {
				return fail(p.Line, p.Column, "is not YAML: a tab stands here", "indent with spaces")
			}
			return fail(p.Line, p.Column, "is not YAML: "+syntax.Message, "check quotes, colons and indentation")
		}
		return fail(1, 1, "is not YAML: "+firstLine(err.Error()), "check quotes, colons and indentation")
	}
	if len(root.Docs) > 1 {
		at := root.Docs[1].Start
		if at == nil {
			return fail(1, 1, "holds more than one document", "one scenario a file")
		}
		return fail(at.Position.Line, at.Position.Column, "a second document begins here", "one scenario a file")
	}
	if len(root.Docs) == 0 || root.Docs[0].Body == nil {
		return fail(1, 1, "is empty", "write `extends: announced` and what is to be different")
	}
	c := converter{file: file}
	t := c.tree(root.Docs[0].Body, 0)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return t, nil
}

func overlongLine(src string) int {
	n := 0
	for l := range strings.Lines(src) {
		if n++; len(l) > 4*maxColumn || len([]rune(l)) > maxColumn+1 {
			return n
		}
	}
	return 0
}

// tooMuch finds what would make the parser work too hard, before it starts.
func tooMuch(tokens token.Tokens) (at *token.Token, what, instead string) {
	brackets, dashes, line := 0, 0, 0
	for i, t := range tokens {
		if i > maxTokens {
			return t, fmt.Sprintf("has more than %d words and signs", maxTokens), "split it with extends, or shorten it"
		}
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
			if brackets == 0 && t.Type != token.CommentType && t.Position.Column > maxIndent {
				return t, fmt.Sprintf("is indented by more than %d columns", maxIndent), "nest less"
			}
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		case token.AnchorType, token.AliasType:
			return t, "anchors and aliases are not read here", "repeat the value, or extend another scenario"
		case token.MergeKeyType:
			return t, "merge keys are not read here", "extend another scenario"
		case token.TagType:
			return t, "tags are not read here", "leave it out; values are read by what they stand for"
		case token.DirectiveType:
			return t, "directives are not read here", "leave it out"
		}
		if brackets > maxDepth || dashes > maxDepth {
			return t, fmt.Sprintf("is nested more than %d deep", maxDepth), "nest less"
		}
	}
	return nil, "", ""
}

// parseTokens keeps a fault of the YAML library from ending the program.
func parseTokens(tokens token.Tokens) (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the text cannot be parsed: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

type converter struct {
	file     string
	problems Problems
}

func (c *converter) at(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{c.file, 1, 1}
	}
	return place{c.file, t.Position.Line, t.Position.Column}
}

func (c *converter) fail(t *token.Token, what, instead string) *tree {
	c.problems = append(c.problems, c.at(t).problem("", &mistake{what, instead}))
	return &tree{place: c.at(t), style: plainNull}
}

func (c *converter) tree(n ast.Node, depth int) *tree {
	if depth > 2*maxDepth {
		return c.fail(n.GetToken(), "is nested too deep", "nest less")
	}
	leaf := func(text string, s style) *tree { return &tree{text: text, style: s, place: c.at(n.GetToken())} }
	switch n := n.(type) {
	case *ast.StringNode:
		if n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType {
			return leaf(n.Value, quotedString)
		}
		return leaf(n.Value, plainString)
	case *ast.LiteralNode:
		return leaf(strings.TrimRight(n.Value.Value, "\n"), quotedString)
	case *ast.IntegerNode:
		return leaf(n.Token.Value, plainNumber)
	case *ast.FloatNode:
		return leaf(n.Token.Value, plainNumber)
	case *ast.InfinityNode, *ast.NanNode:
		return leaf(n.GetToken().Value, plainNumber)
	case *ast.BoolNode:
		return leaf(n.Token.Value, plainBool)
	case *ast.NullNode:
		return leaf("", plainNull)
	case *ast.MappingNode:
		return c.mapping(n, n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping(n, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		t := leaf("", plainString)
		t.shape = listShape
		for _, v := range n.Values {
			t.items = append(t.items, c.tree(v, depth+1))
		}
		return t
	}
	return c.fail(n.GetToken(), "cannot be read here", "write a value, a mapping or a list")
}

func (c *converter) mapping(n ast.Node, values []*ast.MappingValueNode, depth int) *tree {
	t := &tree{shape: mappingShape, place: c.at(n.GetToken())}
	for i, v := range values {
		key := v.Key.GetToken()
		if i == 0 {
			t.place = c.at(key)
		}
		switch v.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		default:
			return c.fail(key, "is no key that is read here", "write a plain name")
		}
		if t.get(key.Value) != nil {
			c.fail(key, quote(key.Value)+" stands twice in this mapping", "keep one of them")
			continue
		}
		t.entries = append(t.entries, entry{key.Value, c.at(key), c.tree(v.Value, depth+1)})
	}
	return t
}

// readSetting turns `--set faults[0].at=2025-03-14 09:00` into a document.
func readSetting(setting string) (*tree, Problems) {
	file := "--set " + setting
	if len(file) > 200 {
		file = strings.ToValidUTF8(file[:200], "") + "..."
	}
	fail := func(what, instead string) (*tree, Problems) {
		return nil, Problems{{File: file, What: what, Instead: instead}}
	}
	key, value, ok := strings.Cut(setting, "=")
	if !ok {
		return fail("has no value", "write --set adoption.level=40%")
	}
	t := &tree{style: plainString}
	if strings.TrimSpace(value) != "" {
		var problems Problems
		if t, problems = readDocument(file, []byte(value)); problems != nil {
			for i := range problems {
				problems[i].Line = 0
			}
			return nil, problems
		}
	}
	at := place{file: file}
	segments, m := splitPath(strings.TrimSpace(key))
	if m != nil {
		return fail(m.what, m.instead)
	}
	for _, s := range slices.Backward(segments) {
		t = &tree{shape: mappingShape, place: at, byIndex: s.index, entries: []entry{{s.key, at, t}}}
	}
	t.moveTo(at)
	return t, nil
}

// moveTo lets every place of a tree be the same.
func (t *tree) moveTo(at place) {
	t.place = at
	for i := range t.entries {
		t.entries[i].place = at
		t.entries[i].value.moveTo(at)
	}
	for _, x := range t.items {
		x.moveTo(at)
	}
}

// segment is a step of a path: a key, or a list's index.
type segment struct {
	key   string
	index bool
}

// splitPath takes demand.places[0].ttl apart.
func splitPath(path string) ([]segment, *mistake) {
	wrong := &mistake{quote(path) + " is not the path of a parameter", "write adoption.level or faults[0].at"}
	var out []segment
	for part := range strings.SplitSeq(path, ".") {
		name, rest, indexed := strings.Cut(part, "[")
		if name == "" {
			return nil, wrong
		}
		out = append(out, segment{key: name})
		for indexed {
			var number string
			var closed bool
			number, rest, closed = strings.Cut(rest, "]")
			if n, err := strconv.Atoi(number); err != nil || n < 0 || n > maxTokens || !closed {
				return nil, wrong
			}
			out = append(out, segment{number, true})
			if rest == "" {
				break
			}
			var before string
			if before, rest, indexed = strings.Cut(rest, "["); before != "" || !indexed {
				return nil, wrong
			}
		}
	}
	if len(out) > maxDepth {
		return nil, wrong
	}
	return out, nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
