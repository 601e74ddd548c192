package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
//
// Checks of others see the scenario last; what they find (Path, What, Instead) is
// reported with its place, as everything else.
func Load(nameOrPath string, settings []string, checks ...func(*Scenario) Problems) (*Scenario, error) {
	l := &loader{checks: checks}
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

// loader reads a file (document.go), compares it with the fields (shape.go), lays
// it over what it extends (merge.go), fills the struct (bind.go) and checks what
// goes beyond one value (validate.go). It gathers what is wrong on the way.
type loader struct {
	checks   []func(*Scenario) Problems
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
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		err = fmt.Errorf("cannot read the scenario %s: %w", file, err)
		if name := scenarioName(file); slices.Contains(builtInNames(), name) {
			err = fmt.Errorf("%w (the one that is built in is called %s)", err, name)
		}
		return source{}, err
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
	if len(l.problems) == 0 {
		for _, check := range l.checks {
			for _, p := range check(s) {
				v.fail(p.Path, p.What, p.Instead)
			}
		}
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
