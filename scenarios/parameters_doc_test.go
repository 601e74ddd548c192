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
	doc := string(parametersMarkdown(s))
	for _, a := range s.Assumptions {
		_, key, _ := strings.Cut(a.Path, ".")
		if !strings.Contains(doc, "`"+cmp.Or(key, a.Path)+"`") {
			t.Errorf("%s is missing", a.Path)
		}
		if !strings.Contains(doc, strings.ReplaceAll(a.Source, "|", `\|`)) {
			t.Errorf("the source of %s is missing", a.Path)
		}
	}
}

func parametersMarkdown(s *Scenario) []byte {
	d := parametersWriter{notes: map[string]Assumption{}}
	for _, a := range s.Assumptions {
		d.notes[a.Path] = a
	}
	d.WriteString(`# Parameters

Every parameter of a scenario, as ` + "`announced`" + ` has it. Generated from
` + "`scenarios/fields.go` and `scenarios/announced.yaml`" + ` by
` + "`go test ./scenarios -run ParametersDoc -update`" + `; a test fails when it is stale.

A value carries its unit as people write it: ` + "`95%`, `10000 KRW`, `6h`, `0.05/day`" + `.
Mark **S**: read in a source that is named. **A**: approximate, to be replaced by
whoever knows better, and to be swept over the plausible range. No mark: a choice
that makes the scenario what it is (dates of the run, size of the panel), or a
profile or size that was set by hand, to be read as A. Change one
with ` + "`--set KEY=VALUE`" + `, the key being section and parameter joined by a dot.
`)
	root := scenarioFields()
	v := reflect.ValueOf(s).Elem()
	head := "\n| parameter | meaning | value | mark | plausible range | source |\n|---|---|---|---|---|---|\n"
	d.WriteString("\n## The run\n" + head)
	for _, f := range root.fields {
		if f.kind != section && f.kind != list {
			d.parameter(f, v.Field(f.index), f.key, f.key)
		}
	}
	for _, f := range root.fields {
		if f.kind != section && f.kind != list {
			continue
		}
		fmt.Fprintf(&d, "\n## `%s`\n\n%s.\n%s", f.key, capital(f.doc), head)
		d.parameter(f, v.Field(f.index), "", f.key)
	}
	return d.Bytes()
}

type parametersWriter struct {
	bytes.Buffer
	notes map[string]Assumption
}

// parameter writes the rows of a parameter and of what is below it. short is
// its path within the section.
func (d *parametersWriter) parameter(f *field, v reflect.Value, short, path string) {
	switch {
	case f.kind == section:
		for _, c := range f.fields {
			d.parameter(c, v.Field(c.index), join(short, c.key), join(path, c.key))
		}
		return
	case f.kind == list && f.elem.kind == section && v.Len() > 0:
		for i := range v.Len() {
			step := fmt.Sprintf("[%d]", i)
			d.parameter(f.elem, v.Index(i), short+step, path+step)
		}
		return
	case f.kind == list && f.elem.form == "expectation":
		for i := range v.Len() {
			d.row(fmt.Sprintf("%s[%d]", short, i), f.elem.doc, f.elem.format(v.Index(i)), Assumption{})
		}
		return
	case f.kind == mapping && v.Len() > 0:
		for _, k := range f.sortedKeys(v) {
			d.parameter(f.elem, v.MapIndex(reflect.ValueOf(k)), join(short, k), join(path, k))
		}
		return
	}
	a := d.notes[path]
	value := cmp.Or(a.Value, f.format(v))
	if f.kind == hours && a.Value == "" {
		value = hoursInRuns(v.Interface().(Hours))
	}
	d.row(cmp.Or(short, path), f.doc, value, a)
}

func (d *parametersWriter) row(name, meaning, value string, a Assumption) {
	span := ""
	if a.Low != "" {
		span = a.Low + " to " + a.High
	}
	fmt.Fprintf(d, "| `%s` | %s | `%s` | %s | %s | %s |\n",
		name, cell(meaning), cell(value), a.Mark, span, cell(a.Source))
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
