package scenarios

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// check compares a document with the fields: unknown keys, wrong shapes, values
// that cannot be read. It takes the notes off annotated values. What is missing
// is not its business. It returns nil when nothing of the document can be used.
func (l *loader) check(f *field, t *tree, path string) *tree {
	fail := func(m *mistake) *tree {
		l.problems = append(l.problems, t.place.problem(path, m))
		return nil
	}
	if f.noteable() && t.shape == mappingShape && !t.byIndex && t.get("value") != nil {
		return l.checkNoted(f, t, path)
	}
	if t.shape == scalar && t.style == plainNull && f.kind != text {
		return fail(&mistake{"has no value", f.example()})
	}
	switch f.kind {
	case section:
		if t.shape != mappingShape || t.byIndex {
			return fail(&mistake{t.describe() + " is not a section", "its keys are " + strings.Join(f.childKeys(), ", ")})
		}
		for i := range t.entries {
			e := &t.entries[i]
			child := f.child(e.key)
			if child == nil {
				l.problems = append(l.problems, e.place.problem(join(path, e.key), unknownKey(e.key, f.childKeys())))
				e.value = nil
				continue
			}
			e.value = l.check(child, e.value, join(path, e.key))
		}
	case list:
		return l.checkList(f, t, path, fail)
	case mapping, ages:
		if t.shape != mappingShape || t.byIndex {
			return fail(&mistake{t.describe() + " is not a mapping", f.example()})
		}
		for i := range t.entries {
			e := &t.entries[i]
			if m := f.checkKey(e.key); m != nil {
				l.problems = append(l.problems, e.place.problem(join(path, e.key), m))
				e.value = nil
				continue
			}
			e.value = l.check(f.elem, e.value, join(path, e.key))
		}
	case hours:
		if _, m, at := parseHours(t); m != nil {
			l.problems = append(l.problems, at.problem(path, m))
			return nil
		}
		return t
	default:
		if t.shape != scalar {
			return fail(&mistake{"is " + t.describe() + " where one value belongs", f.example()})
		}
		if m := f.checkStyle(t); m != nil {
			return fail(m)
		}
		if _, m := f.parse(t.text); m != nil {
			return fail(m)
		}
		return t
	}
	t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return e.value == nil })
	return t
}

func (l *loader) checkList(f *field, t *tree, path string, fail func(*mistake) *tree) *tree {
	switch {
	case t.shape == listShape:
		for i, x := range t.items {
			t.items[i] = l.check(f.elem, x, fmt.Sprintf("%s[%d]", path, i))
		}
		if slices.Contains(t.items, nil) {
			return nil
		}
	case t.shape == mappingShape && (f.byName || t.byIndex):
		for i := range t.entries {
			e := &t.entries[i]
			step := "." + e.key
			if t.byIndex {
				step = "[" + e.key + "]"
			}
			e.value = l.check(f.elem, e.value, path+step)
		}
		t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return e.value == nil })
	default:
		return fail(&mistake{t.describe() + " is not a list", f.example()})
	}
	return t
}

func unknownKey(key string, known []string) *mistake {
	if key == "extends" {
		return &mistake{"can only stand in the file itself", "write `extends: announced` at the top of a scenario file"}
	}
	hint := didYouMean(key, known)
	if hint == "" {
		hint = "known are " + strings.Join(known, ", ")
	}
	return &mistake{"unknown key", hint}
}

// checkNoted reads {value: 30%, mark: A, source: "...", range: [10%, 50%]}.
func (l *loader) checkNoted(f *field, t *tree, path string) *tree {
	n := &note{}
	failed := len(l.problems)
	fail := func(at place, key string, m *mistake) {
		l.problems = append(l.problems, at.problem(join(path, key), m))
	}
	var value, low, high *tree
	for _, e := range t.entries {
		v := e.value
		switch e.key {
		case "value":
			value = l.check(f, v, path)
		case "mark":
			if n.mark = v.text; v.shape != scalar || (v.text != "S" && v.text != "A" && v.text != "M") {
				fail(v.place, e.key, &mistake{v.describe() + " is no mark", "write S for read in a source, A for approximate, M for measured"})
			}
		case "source":
			if n.source = v.text; v.shape != scalar || v.style == plainNull {
				fail(v.place, e.key, &mistake{v.describe() + " is no source", "write where the value is from"})
			}
		case "range":
			if !f.ranged() {
				fail(v.place, e.key, &mistake{"this parameter has no range", "leave it out"})
			} else if v.shape != listShape || len(v.items) != 2 {
				fail(v.place, e.key, &mistake{v.describe() + " is no range", "write [lowest, highest]"})
			} else {
				low, high = l.check(f, v.items[0], join(path, "range[0]")), l.check(f, v.items[1], join(path, "range[1]"))
			}
		default:
			fail(e.place, e.key, unknownKey(e.key, []string{"value", "mark", "source", "range"}))
		}
	}
	if n.mark == "" && len(l.problems) == failed {
		fail(t.place, "mark", &mistake{"missing beside the value", "write mark: S for read in a source, mark: A for approximate"})
	}
	if value != nil && low != nil && high != nil {
		n.low, n.high = low.text, high.text
		if m := f.checkRange(value.text, low.text, high.text); m != nil {
			fail(low.place, "range", m)
		}
	}
	if len(l.problems) > failed || value == nil {
		return nil
	}
	value.note = n
	return value
}

// checkRange wants lowest <= value <= highest.
func (f *field) checkRange(value, low, high string) *mistake {
	v, lo, hi := f.measure(value), f.measure(low), f.measure(high)
	switch {
	case lo > hi:
		return &mistake{low + " to " + high + " is upside down", "write the lowest first"}
	case v < lo || v > hi:
		return &mistake{value + " lies outside " + low + " to " + high, "widen the range or change the value"}
	}
	return nil
}

// measure is a parameter as a number, to compare it with others of its kind.
func (f *field) measure(s string) float64 {
	v, m := f.parse(s)
	if m != nil {
		return 0
	}
	switch x := v.(type) {
	case Moment:
		return float64(x.Unix())
	case bool, string:
		return 0
	default:
		return reflect.ValueOf(x).Convert(reflect.TypeFor[float64]()).Float()
	}
}

// checkStyle refuses what the JSON Schema would take for another type.
func (f *field) checkStyle(t *tree) *mistake {
	switch f.kind {
	case text:
		isCode := f.form == "municipality"
		if t.style == plainNull {
			return &mistake{"has no value", f.example()}
		}
		if t.style != plainString && t.style != quotedString && !isCode {
			return &mistake{t.text + " is not text", `write "` + t.text + `"`}
		}
	case integer, number, boolean:
		if t.style == quotedString && !percentForm.MatchString(t.text) {
			return &mistake{quote(t.text) + " is text", "write it without quotes"}
		}
	}
	return nil
}

func (f *field) checkKey(key string) *mistake {
	switch {
	case f.kind == ages:
		if !ageForm.MatchString(key) {
			return &mistake{quote(key) + " is not an age", "write the first age of a band, 0 to 100"}
		}
	case f.names != nil:
		if !slices.Contains(f.names, key) {
			return unknownKey(key, f.names)
		}
	case f.keyPattern != "":
		if ok, _ := regexp.MatchString(f.keyPattern, key); !ok {
			return &mistake{"unknown key", "write " + f.keyIs}
		}
	}
	return nil
}

// example is the remedy for a value of the wrong shape.
func (f *field) example() string {
	switch f.kind {
	case section:
		return "its keys are " + strings.Join(f.childKeys(), ", ")
	case list:
		if f.byName {
			return "write a list, or {name: {key: value}} to change one; [] for none"
		}
		return "write a list; [] for none"
	case mapping:
		if f.names != nil {
			return "its keys are " + strings.Join(f.names, ", ")
		}
		return "write {key: value}; {} for none"
	case ages:
		return "write {17: 0.5, 40: 0.6}: from an age, the value"
	case hours:
		return "write 24 numbers, or {9-12: 3, 12-14: 1}"
	case integer:
		return "write 12"
	case number:
		return "write 0.25"
	case boolean:
		return "write true or false"
	case share:
		return "write 95%"
	case won:
		return "write 10000 KRW"
	case rate:
		return "write 0.05/day"
	case moment:
		return "write YYYY-MM-DD"
	case duration:
		return "write 6h"
	}
	if f.oneOf != nil {
		return "write " + strings.Join(f.oneOf, " or ")
	}
	return "write some text"
}
