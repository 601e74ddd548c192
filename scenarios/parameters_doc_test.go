package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

const parametersDoc = "../docs/parameters.md"

// The table of parameters in the documentation is made from the rules and from
// announced.yaml, so that it cannot go stale. After a change:
// go test ./scenarios -run ParametersDoc -update
func TestParametersDocSaysWhatAnnouncedSays(t *testing.T) {
	want := parametersMarkdown(load(t, "announced"))
	if *update {
		if err := os.WriteFile(parametersDoc, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(parametersDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Errorf("%s is not what announced.yaml and the rules say (run this test with -update)", parametersDoc)
	}
}

func TestParametersDocLeavesNoParameterOut(t *testing.T) {
	s := load(t, "announced")
	d := newParametersWriter(s)
	d.document(s)
	for _, a := range s.Assumptions {
		if !d.written[a.Path] {
			t.Errorf("%s is missing", a.Path)
		}
	}
}

func parametersMarkdown(s *Scenario) []byte {
	d := newParametersWriter(s)
	d.document(s)
	return d.Bytes()
}

type parametersWriter struct {
	bytes.Buffer
	notes   map[string]Assumption
	written map[string]bool // paths
}

func newParametersWriter(s *Scenario) *parametersWriter {
	d := &parametersWriter{notes: map[string]Assumption{}, written: map[string]bool{}}
	for _, a := range s.Assumptions {
		d.notes[a.Path] = a
	}
	return d
}

func (d *parametersWriter) document(s *Scenario) {
	d.WriteString(`# Parameters

Every parameter of a scenario, with its value in ` + "`announced`" + `. Made from
` + "`scenarios/rules.go` and `scenarios/announced.yaml`" + ` by
` + "`go test ./scenarios -run ParametersDoc -update`" + `; a test fails when it is stale.

A value carries its unit as people write it: ` + "`95%`, `10000 KRW`, `6h`, `0.05/day`" + `.
Mark **S**: read in the source that is named. **A**: approximate, to be replaced
by whoever knows better, and swept over its plausible range until then. No mark:
a choice that makes the scenario what it is (dates of the run, size of the
panel), or a profile or size set by hand, to be read as A. Profiles by hour and
by age have no range of their own: vary the level beside them. Change any of them
with ` + "`--set KEY=VALUE`" + `, or in a file that ` + "`extends: announced`" + `.
`)
	root := scenarioFields()
	v := reflect.ValueOf(s).Elem()
	head := "\n| key | meaning | value | mark | plausible range | source |\n|---|---|---|---|---|---|\n"
	d.WriteString("\n## The run\n" + head)
	for _, f := range root.fields {
		if f.kind != section && f.kind != list {
			d.parameter(f, v.Field(f.index), f.key, f.key)
		}
	}
	for _, f := range root.fields {
		if f.kind == section || f.kind == list {
			fmt.Fprintf(d, "\n## `%s`\n\n%s.\n%s", f.key, capital(f.doc), head)
			d.parameter(f, v.Field(f.index), f.key, f.key)
		}
	}
}

// parameter writes the rows of a parameter and of what is below it. The key is
// what --set takes; the path is how notes know it.
func (d *parametersWriter) parameter(f *field, v reflect.Value, key, path string) {
	switch {
	case f.kind == section:
		for _, c := range f.fields {
			d.parameter(c, v.Field(c.index), join(key, c.key), join(path, c.key))
		}
		return
	case f.kind == list && f.elem.kind == section && v.Len() > 0:
		for i := range v.Len() {
			step := fmt.Sprintf("[%d]", i)
			name := step
			if n := v.Index(i).FieldByName("Name"); n.IsValid() && !strings.ContainsAny(n.String(), " .[]=") {
				name = "." + n.String()
			}
			d.parameter(f.elem, v.Index(i), key+name, path+step)
		}
		return
	case f.kind == list && f.elem.form == "expectation":
		for i := range v.Len() {
			d.row(fmt.Sprintf("%s[%d]", key, i), f.elem.doc, f.elem.format(v.Index(i)), Assumption{})
		}
		return
	case f.kind == mapping && v.Len() > 0:
		for _, k := range f.sortedKeys(v) {
			d.parameter(f.elem, v.MapIndex(reflect.ValueOf(k)), join(key, k), join(path, k))
		}
		return
	}
	d.written[path] = true
	a, noted := d.notes[path]
	if f.key == "name" || f.kind == duration && v.IsZero() && !noted {
		return // says nothing: the key has the name, an online check fetches no list
	}
	value := cmp.Or(a.Value, f.format(v))
	if f.kind == hours && a.Value == "" {
		value = hoursInRuns(v.Interface().(Hours))
	}
	d.row(key, f.doc, strings.Trim(value, `"`), a)
}

func (d *parametersWriter) row(key, meaning, value string, a Assumption) {
	span := ""
	if a.Low != "" {
		span = a.Low + " to " + a.High
	}
	fmt.Fprintf(d, "| `%s` | %s | `%s` | %s | %s | %s |\n",
		key, cell(meaning), cell(value), a.Mark, span, cell(a.Source))
}

func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// hoursInRuns writes a profile as a scenario file would: {9-12: 3, 12-14: 1}.
func hoursInRuns(h Hours) string {
	var parts []string
	for from := 0; from < len(h); {
		to := from + 1
		for to < len(h) && h[to] == h[from] {
			to++
		}
		if h[from] != 0 || to-from == len(h) {
			parts = append(parts, fmt.Sprintf("%d-%d: %s", from, to, formatNumber(h[from])))
		}
		from = to
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
