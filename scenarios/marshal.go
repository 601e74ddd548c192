package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// YAML writes the resolved scenario: every parameter, in one order and one
// spelling, so that equal scenarios give equal bytes. It can be loaded again.
func (s *Scenario) YAML() []byte { return s.write(nil) }

// Annotated is YAML with each parameter's mark, source and plausible range in a
// comment behind it.
func (s *Scenario) Annotated() []byte {
	notes := map[string]Assumption{}
	for _, a := range s.Assumptions {
		notes[a.Path] = a
	}
	return s.write(notes)
}

func (s *Scenario) write(notes map[string]Assumption) []byte {
	w := yamlWriter{notes: notes}
	w.section(scenarioFields(), reflect.ValueOf(s).Elem(), "", "")
	return w.Bytes()
}

type yamlWriter struct {
	bytes.Buffer
	notes map[string]Assumption
}

// section writes the lines of a section; the first may follow a dash.
func (w *yamlWriter) section(f *field, v reflect.Value, indent, path string) {
	for i, c := range f.fields {
		if i > 0 || !bytes.HasSuffix(w.Bytes(), []byte("- ")) {
			w.WriteString(indent)
		}
		w.line(c, c.key, v.Field(c.index), indent, join(path, c.key))
	}
}

// line writes `key: value`, and what is below it.
func (w *yamlWriter) line(f *field, key string, v reflect.Value, indent, path string) {
	w.WriteString(key + ":")
	below := indent + "  "
	note := w.comment(path)
	switch {
	case f.kind == section:
		w.WriteString(note + "\n")
		w.section(f, v, below, path)
	case f.kind == list && (f.elem.kind == section || f.elem.form == "expectation") && v.Len() > 0:
		w.WriteString(note + "\n")
		for i := range v.Len() {
			w.WriteString(below + "- ")
			if f.elem.kind == section {
				w.section(f.elem, v.Index(i), below+"  ", fmt.Sprintf("%s[%d]", path, i))
			} else {
				w.WriteString(f.elem.format(v.Index(i)) + "\n")
			}
		}
	case f.kind == mapping && v.Len() > 0:
		w.WriteString(note + "\n")
		for _, k := range f.sortedKeys(v) {
			w.WriteString(below)
			w.line(f.elem, quoteYAML(k), v.MapIndex(reflect.ValueOf(k)), below, join(path, k))
		}
	default:
		w.WriteString(" " + f.format(v) + note + "\n")
	}
}

func (w *yamlWriter) comment(path string) string {
	a, ok := w.notes[path]
	if !ok {
		return ""
	}
	out := "  # " + a.Mark
	if a.Source != "" {
		out += ": " + strings.Join(strings.Fields(a.Source), " ")
	}
	if a.Low != "" {
		out += "; " + a.Low + " to " + a.High
	}
	return out
}

func (f *field) sortedKeys(v reflect.Value) []string {
	var keys []string
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.SortFunc(keys, f.keyOrder)
	return keys
}

// format writes a value on one line.
func (f *field) format(v reflect.Value) string {
	switch f.kind {
	case list:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, f.elem.format(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		return "{}"
	case ages:
		var parts []string
		for _, a := range v.Interface().(ByAge) {
			parts = append(parts, strconv.Itoa(a.From)+": "+formatNumber(a.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case hours:
		var parts []string
		for _, x := range v.Interface().(Hours) {
			parts = append(parts, formatNumber(x))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case text:
		return quoteYAML(v.String())
	case integer:
		if v.CanUint() {
			return strconv.FormatUint(v.Uint(), 10)
		}
		return strconv.FormatInt(v.Int(), 10)
	case number:
		return formatNumber(v.Float())
	case boolean:
		return strconv.FormatBool(v.Bool())
	case share:
		return formatShare(v.Float())
	case won:
		return strconv.FormatInt(v.Int(), 10) + " KRW"
	case rate:
		return formatRate(v.Float())
	case moment:
		return formatMoment(v.Interface().(Moment))
	case duration:
		if d := time.Duration(v.Int()); f.form == "clock" && d%time.Minute == 0 {
			return formatClock(d)
		}
		return formatDuration(time.Duration(v.Int()))
	}
	panic(fmt.Sprintf("scenarios: cannot write kind %d", f.kind))
}

// formatNumber avoids exponents where people would.
func formatNumber(x float64) string {
	if s := strconv.FormatFloat(x, 'f', -1, 64); len(s) <= 24 {
		return s
	}
	return strconv.FormatFloat(x, 'e', -1, 64)
}

var (
	plainForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*([ _.()-]?[A-Za-z0-9]+)*$`)
	reserved  = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
)

// quoteYAML writes text plainly where no reader could take it for something
// else, and in quotes elsewhere.
func quoteYAML(s string) string {
	if plainForm.MatchString(s) && !slices.Contains(reserved, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
