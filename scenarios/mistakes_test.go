package scenarios

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// testdata/mistakes.txtar holds scenario files with mistakes, and what is said
// about them. A file NAME.yaml is followed by NAME.want. Where the name begins
// with "shape-", the JSON Schema must refuse the file too.
func mistakes(t *testing.T) (names []string, files map[string]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/mistakes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, part := range strings.Split("\n"+string(b), "\n-- ")[1:] {
		file, text, _ := strings.Cut(part, " --\n")
		files[file] = text + "\n"
		if name, ok := strings.CutSuffix(file, ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names, files
}

func TestMistakesAreNamedWithPlaceAndRemedy(t *testing.T) {
	names, files := mistakes(t)
	for _, name := range names {
		_, err := Parse(name+".yaml", []byte(files[name+".yaml"]), nil)
		got := "no error"
		if err != nil {
			got = err.Error()
		}
		if want := strings.TrimRight(files[name+".want"], "\n"); got != want {
			t.Errorf("%s:\n%s\nsays\n%s\nshould say\n%s", name, files[name+".yaml"], got, want)
		}
	}
	if len(names) < 30 {
		t.Errorf("only %d files", len(names))
	}
}

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	b, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatalf("the schema is not one: %v", err)
	}
	return s
}

func asJSON(t testing.TB, text string) any {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSchemaAcceptsEveryBuiltInScenario(t *testing.T) {
	schema := compiledSchema(t)
	for _, name := range builtInNames() {
		b, err := builtInFiles.ReadFile(name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, string(b))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s := load(t, name)
		for _, resolved := range [][]byte{s.YAML(), s.Annotated()} {
			if err := schema.Validate(asJSON(t, string(resolved))); err != nil {
				t.Errorf("%s, resolved: %v", name, err)
			}
		}
	}
}

func TestTheSchemaRefusesTheShapesThatTheLoaderRefuses(t *testing.T) {
	schema := compiledSchema(t)
	names, files := mistakes(t)
	n := 0
	for _, name := range names {
		if strings.HasPrefix(name, "shape-") {
			n++
			if err := schema.Validate(asJSON(t, files[name+".yaml"])); err == nil {
				t.Errorf("%s: the schema accepts\n%s", name, files[name+".yaml"])
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d files", n)
	}
}

// Each parameter of announced, one after the other, is replaced by something
// that is not a value of its kind. Loader and schema must both refuse it.
func TestLoaderAndSchemaAgreeOnEveryParameter(t *testing.T) {
	schema := compiledSchema(t)
	var walk func(f *field, path string)
	count := 0
	try := func(path, value string) {
		count++
		text := "extends: announced\n" + nest(path, value)
		document, problems := readDocument("x.yaml", []byte(text))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		document.entries = document.entries[1:] // extends
		l := &loader{}
		if l.check(scenarioFields(), document, ""); len(l.problems) == 0 {
			t.Errorf("the loader accepts\n%s", text)
		}
		if schema.Validate(asJSON(t, text)) == nil {
			t.Errorf("the schema accepts\n%s", text)
		}
	}
	walk = func(f *field, path string) {
		switch {
		case f.kind == section:
			for _, c := range f.fields {
				walk(c, join(path, c.key))
			}
			if path != "" {
				try(path, "[1]")
				try(path, "{no_such_key: 1}")
			}
		case f.kind == mapping:
			try(path, "3")
			for _, n := range f.names {
				walk(f.elem, join(path, n))
			}
		case f.kind == text:
			try(path, "3")
			try(path, "{a: 1}")
		case f.kind == list:
			try(path, "word")
			try(path, "[[1]]")
			if f.byName {
				walk(f.elem, join(path, "x"))
			}
		default:
			try(path, "a word")
			try(path, "[a]")
			try(path, "{value: 1, mark: Q}")
			try(path, "{a: 1}")
			if f.kind != boolean {
				try(path, "-1e9 furlongs")
			}
			if f.min != nil && f.kind != ages {
				try(path, shortNumber(*f.min-1))
			}
			if f.max != nil && f.kind != ages {
				try(path, shortNumber(*f.max+1))
			}
		}
	}
	walk(scenarioFields(), "")
	if count < 500 {
		t.Errorf("only %d trials", count)
	}
}

// nest writes a.b.c: value in flow style.
func nest(path, value string) string {
	keys := strings.Split(path, ".")
	if len(keys) == 1 {
		return keys[0] + ": " + value + "\n"
	}
	out := keys[0] + ": "
	for _, k := range keys[1:] {
		out += "{" + k + ": "
	}
	return out + value + strings.Repeat("}", len(keys)-1) + "\n"
}

func TestTheSchemaDescribesEveryParameter(t *testing.T) {
	var walk func(f *field, path string)
	walk = func(f *field, path string) {
		for _, c := range f.fields {
			if c.doc == "" {
				t.Errorf("%s has no description", join(path, c.key))
			}
			walk(c, join(path, c.key))
		}
		if f.elem != nil {
			walk(f.elem, path)
		}
	}
	walk(scenarioFields(), "")
}
