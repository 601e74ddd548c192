package rollcall

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/sobek"
	"go.k6.io/k6/js/common"
)

// declared are the names that index.d.ts has in an interface.
func declared(t *testing.T, name string) (all []string) {
	t.Helper()
	text, err := os.ReadFile("index.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "export interface "+name+" {\n")
	if !ok {
		t.Fatalf("index.d.ts has no interface %s", name)
	}
	body, _, _ = strings.Cut(body, "\n  }\n")
	for _, m := range regexp.MustCompile(`(?m)^    (\w+)[?(:]`).FindAllStringSubmatch(body, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return all
}

// Editors know what a script can say, and there is nothing else that it could.
func TestWhatIsDeclaredIsWhatThereIs(t *testing.T) {
	var mapper common.FieldNameMapper
	for name, is := range map[string]any{"Citizen": &Citizen{}, "Nation": &Nation{}, "Answer": &Answer{}, "Options": &settings{}} {
		var there []string
		of := reflect.TypeOf(is)
		for i := range of.NumMethod() {
			there = append(there, mapper.MethodName(of, of.Method(i)))
		}
		for i := range of.Elem().NumField() {
			if f := of.Elem().Field(i); f.IsExported() {
				if field := mapper.FieldName(of.Elem(), f); field != "" {
					there = append(there, field)
				}
			}
		}
		slices.Sort(there)
		if want := declared(t, name); !slices.Equal(there, want) || len(want) == 0 {
			t.Errorf("%s has %v, declared are %v", name, there, want)
		}
	}
	if said := slices.Sorted(slices.Values(settingNames)); !slices.Equal(said, declared(t, "Options")) {
		t.Errorf("open takes %v, declared are %v", said, declared(t, "Options"))
	}
}

// Two functions of a script may open a nation with one object.
func TestTheOptionsOfAScriptStayAsTheyAre(t *testing.T) {
	rt := sobek.New()
	rt.SetFieldNameMapper(common.FieldNameMapper{})
	v, err := rt.RunString(`Object.freeze({ service: 'https://localhost:1', ca: null })`)
	if err != nil {
		t.Fatal(err)
	}
	o, _, err := readOptions(rt, v)
	if err != nil || o.CA != "" || !slices.Contains(v.ToObject(rt).Keys(), "ca") {
		t.Errorf("%+v, %v; keys %v", o, err, v.ToObject(rt).Keys())
	}
}
