package scenarios

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed *.yaml
var builtInFiles embed.FS

// BuiltIn is a scenario that comes with the program.
type BuiltIn struct{ Name, Title, Description string }

// BuiltIns lists the scenarios that come with the program; announced, which
// the others extend, comes first.
func BuiltIns() ([]BuiltIn, error) {
	var out []BuiltIn
	for _, name := range builtInNames() {
		s, err := Load(name, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, BuiltIn{s.Name, s.Title, s.Description})
	}
	return out, nil
}

var builtInNames = sync.OnceValue(func() []string {
	files, err := fs.Glob(builtInFiles, "*.yaml")
	if err != nil {
		panic(err)
	}
	names := []string{"announced"}
	for _, f := range files {
		if n := strings.TrimSuffix(f, ".yaml"); n != "announced" {
			names = append(names, n)
		}
	}
	return names
})

// Load reads a scenario, by the name of one that is built in or by the path of
// a file, resolves what it extends, applies settings such as
// "adoption.level=40%" or "faults[0].at=2025-03-14 09:00", and checks it. The
// error is of type Problems when the scenario is at fault.
//
// Merging: a mapping changes the keys that it names; any other value, and a
// list, replaces the whole; a mapping over a list whose elements have names
// (phases, demand.places, faults) changes the elements that it names.
func Load(nameOrPath string, settings []string) (*Scenario, error) {
	l := &loader{}
	src, err := l.open(nameOrPath, "")
	if err != nil {
		return nil, err
	}
	return l.load(src, settings)
}

// Parse reads a scenario from bytes; file is what errors call it.
func Parse(file string, src []byte, settings []string) (*Scenario, error) {
	l := &loader{}
	return l.load(source{name: scenarioName(file), file: file, id: file, bytes: src}, settings)
}

// source is one scenario file. A built-in one has no folder.
type source struct {
	name, file, folder, id string
	bytes                  []byte
}

type loader struct {
	problems Problems
	chain    []source
}

func scenarioName(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(strings.TrimSuffix(base, ".yml"), ".yaml")
}

// open finds a scenario: a name without separator and extension is a built-in
// one.
func (l *loader) open(nameOrPath, folder string) (source, error) {
	isPath := strings.ContainsAny(nameOrPath, `/\`) || strings.HasSuffix(nameOrPath, ".yaml") || strings.HasSuffix(nameOrPath, ".yml")
	if !isPath {
		file := nameOrPath + ".yaml"
		b, err := builtInFiles.ReadFile(file)
		if err != nil {
			hint := didYouMean(nameOrPath, builtInNames())
			return source{}, fmt.Errorf("no scenario called %s is built in (%s; a file needs a path such as ./%s)", quote(nameOrPath), hint, file)
		}
		return source{name: nameOrPath, file: file, id: "built in: " + nameOrPath, bytes: b}, nil
	}
	file := nameOrPath
	if folder != "" && !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	info, err := os.Stat(file)
	var b []byte
	switch {
	case err == nil && info.IsDir():
		return source{}, fmt.Errorf("%s is a folder, not a scenario file", file)
	case err == nil && !info.Mode().IsRegular():
		return source{}, fmt.Errorf("%s is not a regular file", file)
	case err == nil && info.Size() > maxBytes:
		return source{}, fmt.Errorf("%s is larger than %d bytes (split it with extends, or shorten it)", file, maxBytes)
	case err == nil:
		b, err = os.ReadFile(file)
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return source{}, fmt.Errorf("cannot read the scenario %s: %w", file, err)
	}
	id, err := filepath.Abs(file)
	if err != nil {
		id = file
	}
	return source{scenarioName(file), file, filepath.Dir(file), id, b}, nil
}

func (l *loader) load(src source, settings []string) (*Scenario, error) {
	root := scenarioFields()
	t := l.read(src)
	if t == nil {
		return nil, l.problems.sorted()
	}
	for _, s := range settings {
		set, problems := readSetting(s)
		l.problems = append(l.problems, problems...)
		if set == nil {
			continue
		}
		if set = l.check(root, set, ""); set != nil {
			t = l.merge(root, t, set, "", "by --set")
		}
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	s := &Scenario{Name: src.name}
	l.bind(root, t, reflect.ValueOf(s).Elem(), "", s)
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	v := validator{loader: l, tree: t}
	if err := v.scenario(s); err != nil {
		return nil, err
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	return s, nil
}

// read reads a file and all that it extends, checked and merged.
func (l *loader) read(src source) *tree {
	t, problems := readDocument(src.file, src.bytes)
	if t == nil {
		l.problems = append(l.problems, problems...)
		return nil
	}
	if t.shape != mappingShape {
		l.problems = append(l.problems, t.place.problem("", &mistake{"is " + t.describe() + ", not a scenario", "write `extends: announced` and what is to be different"}))
		return nil
	}
	var base *tree
	if i := slices.IndexFunc(t.entries, func(e entry) bool { return e.key == "extends" }); i >= 0 {
		parent := t.entries[i].value
		t.entries = slices.Delete(t.entries, i, i+1)
		base = l.readParent(src, parent)
		if base == nil {
			// What the parent would give is unknown; this file's own mistakes
			// are still worth saying.
			l.check(scenarioFields(), t, "")
			return nil
		}
	}
	t = l.check(scenarioFields(), t, "")
	if t == nil || base == nil {
		return t
	}
	return l.merge(scenarioFields(), base, t, "", "in "+src.name)
}

func (l *loader) readParent(src source, ref *tree) *tree {
	fail := func(what, instead string) *tree {
		l.problems = append(l.problems, ref.place.problem("extends", &mistake{what, instead}))
		return nil
	}
	if ref.shape != scalar || ref.text == "" {
		return fail(ref.describe()+" is not the name or path of a scenario", "write `extends: announced`")
	}
	parent, err := l.open(ref.text, src.folder)
	if err != nil {
		return fail(err.Error(), "")
	}
	l.chain = append(l.chain, src)
	for _, s := range l.chain {
		if s.id == parent.id {
			return fail(fmt.Sprintf("%s extends itself, by way of %s", s.name, src.name), "let one of them stand alone")
		}
	}
	if len(l.chain) > maxExtends {
		return fail(fmt.Sprintf("more than %d scenarios extend each other", maxExtends), "extend a simpler one")
	}
	return l.read(parent)
}

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
			if n.mark = v.text; v.shape != scalar || (v.text != "S" && v.text != "A") {
				fail(v.place, e.key, &mistake{v.describe() + " is no mark", "write S for read in a source, A for approximate"})
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

// merge lays a checked document over another. by says who changes it.
func (l *loader) merge(f *field, base, over *tree, path, by string) *tree {
	if base == nil || over == nil {
		return cmp.Or(over, base)
	}
	note := cmp.Or(over.note, base.note.changed(by))
	base.place = over.place // the last who touched it
	switch {
	case f.kind == section, f.kind == mapping, f.kind == ages:
		for _, e := range over.entries {
			child := f.elem
			if f.kind == section {
				child = f.child(e.key)
			}
			base.set(e.key, e.place, l.merge(child, base.get(e.key), e.value, join(path, e.key), by))
		}
	case f.kind == list && over.shape == mappingShape:
		l.mergeElements(f, base, over, path, by)
	default:
		base = over
	}
	base.note = note
	return base
}

// changed is the note of a value that another scenario or a setting replaced:
// no longer what a source says, but its plausible range stands.
func (n *note) changed(by string) *note {
	if n == nil {
		return nil
	}
	return &note{mark: "A", source: "changed " + by, low: n.low, high: n.high}
}

// mergeElements changes some elements of a list, found by name or by index.
func (l *loader) mergeElements(f *field, base, over *tree, path, by string) {
	names := make([]string, len(base.items))
	for i, x := range base.items {
		if n := x.get("name"); n != nil && f.byName {
			names[i] = n.text
		}
	}
	for _, e := range over.entries {
		i := slices.Index(names, e.key)
		m := &mistake{"there is none of this name", didYouMean(e.key, names)}
		step := "." + e.key
		if over.byIndex {
			i, _ = strconv.Atoi(e.key)
			step = "[" + e.key + "]"
			m = &mistake{fmt.Sprintf("the list has %d elements", len(names)), "count from 0"}
			if i == len(names) { // one more than there are
				base.items = append(base.items, e.value)
				names = append(names, "")
				continue
			}
		}
		if i < 0 || i >= len(names) {
			if len(names) == 0 {
				m.instead = "the list is empty; write it as a list"
			}
			l.problems = append(l.problems, e.place.problem(path+step, m))
			continue
		}
		base.items[i] = l.merge(f.elem, base.items[i], e.value, path+step, by)
	}
}

// bind fills the struct from the merged document, collects the notes, and
// reports what is missing.
func (l *loader) bind(f *field, t *tree, v reflect.Value, path string, s *Scenario) {
	if t.note != nil {
		s.Assumptions = append(s.Assumptions, Assumption{path, f.written(t), t.note.mark, t.note.source, t.note.low, t.note.high})
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

// parseHours reads 24 weights, or weights for ranges of hours; the others are 0.
func parseHours(t *tree) (h Hours, m *mistake, at place) {
	weight := func(x *tree) (float64, *mistake) {
		if x.shape != scalar || x.style != plainNumber {
			return 0, &mistake{x.describe() + " is not a number", "write 24 numbers, or {9-12: 3, 12-14: 1}"}
		}
		w, m := parseNumber(x.text)
		if m == nil && (w < 0 || w > 1e9) {
			m = &mistake{x.text + " is no weight of an hour", "write 0 or more, up to 1e9"}
		}
		return w, m
	}
	switch {
	case t.shape == listShape:
		if len(t.items) != 24 {
			return h, &mistake{fmt.Sprintf("has %d numbers, not 24", len(t.items)), "write one for each hour of the day, or {9-12: 3, 12-14: 1}"}, t.place
		}
		for i, x := range t.items {
			if h[i], m = weight(x); m != nil {
				return h, m, x.place
			}
		}
	case t.shape == mappingShape && !t.byIndex:
		var taken [24]bool
		for _, e := range t.entries {
			from, to, m := parseHourRange(e.key)
			if m != nil {
				return h, m, e.place
			}
			w, m := weight(e.value)
			if m != nil {
				return h, m, e.value.place
			}
			for i := from; i < to; i++ {
				if taken[i] {
					return h, &mistake{fmt.Sprintf("the hour from %d:00 stands twice", i), "let the ranges not overlap"}, e.place
				}
				h[i], taken[i] = w, true
			}
		}
	default:
		return h, &mistake{t.describe() + " is no profile of hours", "write 24 numbers, or {9-12: 3, 12-14: 1}"}, t.place
	}
	return h, nil, t.place
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
