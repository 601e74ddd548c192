package scenarios

import (
	"fmt"
	"reflect"
)

// Parameter is one value of a resolved scenario, named as a setting names it
// ("faults.outage.for") and written as a file writes it.
type Parameter struct{ Path, Value string }

// Parameters are all values of the resolved scenario, in the order of [Scenario.YAML].
// Two scenarios are the same if and only if these are.
func (s *Scenario) Parameters() []Parameter {
	var out []Parameter
	var walk func(f *field, v reflect.Value, path string)
	walk = func(f *field, v reflect.Value, path string) {
		switch {
		case f.kind == section:
			for _, c := range f.fields {
				walk(c, v.Field(c.index), join(path, c.key))
			}
		case f.kind == list && (f.elem.kind == section || f.elem.form == "expectation"):
			for i := range v.Len() {
				at := fmt.Sprintf("%s[%d]", path, i)
				if f.byName {
					at = join(path, v.Index(i).Field(f.elem.child("name").index).String())
				}
				walk(f.elem, v.Index(i), at)
			}
		case f.kind == mapping:
			for _, k := range f.sortedKeys(v) {
				walk(f.elem, v.MapIndex(reflect.ValueOf(k)), join(path, k))
			}
		default:
			out = append(out, Parameter{path, f.format(v)})
		}
	}
	walk(scenarioFields(), reflect.ValueOf(s).Elem(), "")
	return out
}
