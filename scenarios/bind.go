package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// bind fills the struct from the merged document, collects the notes, and
// reports what is missing.
func (l *loader) bind(f *field, t *tree, v reflect.Value, path string, s *Scenario) {
	if t.note != nil {
		s.Assumptions = append(s.Assumptions, Assumption{path, f.written(t), t.note.mark, t.note.source, t.note.low, t.note.high, t.note.another})
	}
	switch f.kind {
	case section:
		for _, c := range f.fields {
			x := t.get(c.key)
			if x == nil {
				if !c.optional {
					hint := c.doc + "; " + c.example()
					if path == "" {
						hint = c.doc + "; or write `extends: announced`"
					}
					l.problems = append(l.problems, t.place.problem(join(path, c.key), &mistake{"missing", hint}))
				}
				c.leaveEmpty(v.Field(c.index))
				continue
			}
			l.bind(c, x, v.Field(c.index), join(path, c.key), s)
		}
	case list:
		if t.shape == mappingShape { // over nothing
			e := t.entries[0]
			l.problems = append(l.problems, e.place.problem(path, &mistake{"there is no list to change", "write it as a list"}))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(t.items), len(t.items)))
		for i, x := range t.items {
			l.bind(f.elem, x, v.Index(i), fmt.Sprintf("%s[%d]", path, i), s)
		}
	case mapping:
		v.Set(reflect.MakeMap(v.Type()))
		slices.SortFunc(t.entries, func(a, b entry) int { return f.keyOrder(a.key, b.key) })
		for _, e := range t.entries {
			x := reflect.New(v.Type().Elem()).Elem()
			l.bind(f.elem, e.value, x, join(path, e.key), s)
			v.SetMapIndex(reflect.ValueOf(e.key), x)
		}
	case ages:
		slices.SortFunc(t.entries, func(a, b entry) int { return number64(a.key) - number64(b.key) })
		b := make(ByAge, len(t.entries))
		for i, e := range t.entries {
			b[i].From = number64(e.key)
			l.bind(f.elem, e.value, reflect.ValueOf(&b[i].Value).Elem(), join(path, e.key), s)
		}
		v.Set(reflect.ValueOf(b))
	case hours:
		h, _, _ := parseHours(t)
		v.Set(reflect.ValueOf(h))
	default:
		x, m := f.parse(t.text)
		if m != nil {
			l.problems = append(l.problems, t.place.problem(path, m))
			return
		}
		v.Set(reflect.ValueOf(x).Convert(v.Type()))
	}
}

// leaveEmpty gives a parameter that is left out the value it then has, so that
// it is the same whether or not it is written.
func (f *field) leaveEmpty(v reflect.Value) {
	switch f.kind {
	case section:
		for _, c := range f.fields {
			c.leaveEmpty(v.Field(c.index))
		}
	case list:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case mapping:
		v.Set(reflect.MakeMap(v.Type()))
	}
}

// keyOrder is the order of names where there is one, else the alphabet.
func (f *field) keyOrder(a, b string) int {
	if f.names != nil {
		return slices.Index(f.names, a) - slices.Index(f.names, b)
	}
	return strings.Compare(a, b)
}

func number64(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// written is a value as it stands in the file, on one line.
func (f *field) written(t *tree) string {
	switch t.shape {
	case listShape:
		var parts []string
		for _, x := range t.items {
			e := f
			if f.elem != nil {
				e = f.elem
			}
			parts = append(parts, e.written(x))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mappingShape:
		var parts []string
		for _, e := range t.entries {
			parts = append(parts, e.key+": "+f.written(e.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return t.text
}
