package reports

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Definitions returns what every figure of a result is, by JSON pointer with *
// for any index or key.
func Definitions() map[string]Definition {
	out := make(map[string]Definition)
	define(out, reflect.TypeFor[Result](), "", reflect.StructField{}, Definition{Clock: "virtual"})
	return out
}

func define(out map[string]Definition, t reflect.Type, at string, f reflect.StructField, d Definition) {
	inherit := func(to *string, tag string) {
		if v := f.Tag.Get(tag); v != "" {
			*to = v
		}
	}
	inherit(&d.Way, "way")
	inherit(&d.Clock, "clock")
	inherit(&d.Unit, "unit")
	inherit(&d.Definition, "def")
	switch t.Kind() {
	case reflect.Pointer:
		define(out, t.Elem(), at, reflect.StructField{}, d)
	case reflect.Slice, reflect.Map:
		if t.Elem() != reflect.TypeFor[Definition]() {
			define(out, t.Elem(), at+"/*", reflect.StructField{}, d)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if sub := t.Field(i); jsonName(sub) != "-" {
				define(out, sub.Type, at+"/"+jsonName(sub), sub, d)
			}
		}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		out[at] = d
	}
}

// definitionOf finds the definition of the figure a pointer points at.
func definitionOf(defs map[string]Definition, pointer string) (pattern string, d Definition, ok bool) {
	if d, ok = defs[pointer]; ok {
		return pointer, d, true
	}
	tokens := strings.Split(pointer, "/")
	rows := make([]string, len(tokens)) // most pointers differ from their pattern in row numbers only
	for i, token := range tokens {
		rows[i] = token
		if token != "" && token[0] >= '0' && token[0] <= '9' {
			rows[i] = "*"
		}
	}
	pattern = strings.Join(rows, "/")
	if d, ok = defs[pattern]; ok {
		return pattern, d, true
	}
next:
	for pattern, d := range defs {
		p := strings.Split(pattern, "/")
		if len(p) != len(tokens) {
			continue
		}
		for i := range p {
			if p[i] != "*" && p[i] != tokens[i] {
				continue next
			}
		}
		return pattern, d, true
	}
	return "", Definition{}, false
}

// Schema returns the JSON Schema (draft 2020-12) of result.json. It is open: a
// newer result may have fields that it does not name.
func Schema() []byte {
	defs := Definitions()
	root := schemaOf(reflect.TypeFor[Result](), "", defs)
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.ID = "urn:rollcall:" + strings.ReplaceAll(SchemaID, "/", ":")
	root.Title = "The result of a Rollcall run"
	root.Properties.at("meta").Properties.at("schema").Const = SchemaID
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // a tree of our own making
	}
	return append(b, '\n')
}

type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	ID          string     `json:"$id,omitempty"`
	Title       string     `json:"title,omitempty"`
	Type        any        `json:"type,omitempty"`
	Const       string     `json:"const,omitempty"`
	Description string     `json:"description,omitempty"`
	Way         string     `json:"x-way,omitempty"`
	Clock       string     `json:"x-clock,omitempty"`
	Unit        string     `json:"x-unit,omitempty"`
	Names       *enum      `json:"propertyNames,omitempty"`
	Minimum     *int       `json:"minimum,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Additional  *schema    `json:"additionalProperties,omitempty"`
}

type enum struct {
	Enum []string `json:"enum"`
}

type property struct {
	name string
	of   *schema
}

type properties []property

func (p properties) at(name string) *schema {
	for _, x := range p {
		if x.name == name {
			return x.of
		}
	}
	return nil
}

// MarshalJSON keeps the order of the fields.
func (p properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range p {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(x.name)
		of, err := json.Marshal(x.of)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), of...)
	}
	return append(b, '}'), nil
}

func schemaOf(t reflect.Type, at string, defs map[string]Definition) *schema {
	s := new(schema)
	if d, ok := defs[at]; ok {
		s.Description, s.Way, s.Clock, s.Unit = d.Definition, d.Way, d.Clock, d.Unit
	}
	switch {
	case t == reflect.TypeFor[Num]():
		s.Type = []string{"number", "null"}
	case t == reflect.TypeFor[Properties]():
		s.Type = []string{"object", "null"}
		s.Names = &enum{PropertyNames}
		s.Additional = schemaOf(t.Elem(), at+"/*", defs)
	case t.Kind() == reflect.Pointer:
		s = schemaOf(t.Elem(), at, defs)
		s.Type = []any{s.Type, "null"}
	case t.Kind() == reflect.Slice:
		s.Type = []string{"array", "null"}
		s.Items = schemaOf(t.Elem(), at+"/*", defs)
	case t.Kind() == reflect.Map:
		s.Type = []string{"object", "null"}
		s.Additional = schemaOf(t.Elem(), at+"/*", defs)
	case t.Kind() == reflect.Struct:
		s.Type = "object"
		for i := range t.NumField() {
			f := t.Field(i)
			name := jsonName(f)
			if name == "-" {
				continue
			}
			if !strings.HasSuffix(f.Tag.Get("json"), ",omitempty") {
				s.Required = append(s.Required, name)
			}
			s.Properties = append(s.Properties, property{name, schemaOf(f.Type, at+"/"+name, defs)})
		}
	case t.Kind() == reflect.String:
		s.Type = "string"
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	default:
		zero := 0
		s.Type, s.Minimum = "integer", &zero
	}
	return s
}
