package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// SchemaID names the JSON Schema of scenario files.
const SchemaID = "https://rollcall.example/schema/scenario.json"

// object is a JSON object; its keys are written in alphabetical order.
type object = map[string]any

// Schema is the JSON Schema (draft 2020-12) of a scenario file, made from the
// same fields and rules by which the loader checks one.
func Schema() ([]byte, error) {
	root := scenarioFields()
	defs := object{}
	s := schemaWriter{defs: defs}
	top := s.section(root, false)
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["$id"] = SchemaID
	top["title"] = "Rollcall scenario"
	top["description"] = "A rollout of the mobile resident card to simulate. With `extends`, only what is different need be said: " +
		"a mapping changes the keys that it names; any other value, and a list, replaces the whole; " +
		"a mapping over a list whose elements have names changes the elements that it names. " +
		"A value can be annotated: {value: 45%, mark: A, source: \"...\", range: [25%, 65%]}, mark S for read in a source, A for approximate."
	top["properties"].(object)["extends"] = object{"type": "string", "minLength": 1,
		"description": "the scenario to start from: the name of one that is built in, or a path", "examples": []any{"announced"}}
	top["if"] = object{"required": []any{"extends"}}
	top["else"] = required(root)
	top["$defs"] = defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(top); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// required demands everything that is not optional; it is laid over the schema
// of a file that extends nothing.
func required(f *field) object {
	out, names, properties := object{}, []any{}, object{}
	for _, c := range f.fields {
		if !c.optional {
			names = append(names, c.key)
		}
		switch {
		case c.kind == section:
			properties[c.key] = required(c)
		case c.kind == mapping && c.elem.kind == section:
			properties[c.key] = object{"additionalProperties": required(c.elem)}
		}
	}
	if len(names) > 0 {
		out["required"] = names
	}
	if len(properties) > 0 {
		out["properties"] = properties
	}
	return out
}

type schemaWriter struct{ defs object }

// section is the schema of a section; all is true where nothing can be left to
// an extended scenario, in the elements of a list.
func (s *schemaWriter) section(f *field, all bool) object {
	properties, names := object{}, []any{}
	for _, c := range f.fields {
		x := s.field(c, all)
		if c.doc != "" {
			x["description"] = c.doc
		}
		properties[c.key] = x
		if all && !c.optional {
			names = append(names, c.key)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(names) > 0 {
		out["required"] = names
	}
	return out
}

// field is the schema of a parameter, annotated or not.
func (s *schemaWriter) field(f *field, all bool) object {
	switch f.kind {
	case section:
		return s.section(f, all)
	case list:
		ways := []any{object{"type": "array", "items": s.field(f.elem, true)}}
		if f.byName {
			ways = append(ways, object{"type": "object", "propertyNames": object{"not": object{"const": "value"}},
				"additionalProperties": s.field(f.elem, false)})
		}
		return annotated(object{"anyOf": ways}, false)
	case mapping, ages:
		x := object{"type": "object", "additionalProperties": false}
		elem := s.field(f.elem, all)
		switch {
		case f.names != nil:
			properties := object{}
			for _, n := range f.names {
				properties[n] = elem
			}
			x["properties"] = properties
		case f.kind == ages:
			x["patternProperties"] = object{agePattern: elem}
		default:
			x["patternProperties"] = object{f.keyPattern: elem}
		}
		if !f.noteable() {
			return x
		}
		return annotated(x, false)
	}
	name := f.defName()
	if s.defs[name] == nil {
		s.defs[name] = annotated(f.plain(), f.ranged())
	}
	return object{"$ref": "#/$defs/" + name}
}

// ranged tells that a note may say a plausible range.
func (f *field) ranged() bool { return f.leaf() && f.kind != text && f.kind != boolean }

var kindNames = map[kind]string{
	text: "text", integer: "integer", number: "number", boolean: "boolean", share: "share", won: "won",
	rate: "rate", moment: "moment", duration: "duration", hours: "hours",
}

// defName is the same for parameters that are written alike.
func (f *field) defName() string {
	name := kindNames[f.kind]
	if f.form != "" {
		name = f.form
	}
	switch {
	case f.path == "description":
		return "description"
	case f.oneOf != nil:
		return strings.Join(f.oneOf, "-or-")
	case f.key == "" && f.kind == number:
		name = "by-age"
	}
	if f.min != nil {
		name += "-from-"
		if f.over {
			name += "above-"
		}
		name += shortNumber(*f.min)
	}
	if f.max != nil {
		name += "-to-" + shortNumber(*f.max)
	}
	return name
}

// annotated allows {value: ..., mark: ..., source: ..., range: ...} too.
func annotated(plain object, ranged bool) object {
	properties := object{
		"value":  plain,
		"mark":   object{"enum": []any{"S", "A", "M"}, "description": "S: read in a source. A: approximate. M: measured, by rollcall calibrate"},
		"source": object{"type": []any{"string", "number"}, "description": "where the value is from"},
	}
	if ranged {
		properties["range"] = object{"type": "array", "items": plain, "minItems": 2, "maxItems": 2, "description": "plausible: [lowest, highest]"}
	}
	return object{"anyOf": []any{plain, object{
		"type": "object", "properties": properties, "required": []any{"value", "mark"}, "additionalProperties": false,
	}}}
}

// plain is the schema of one value.
func (f *field) plain() object {
	orZero := func(pattern string, examples ...any) object {
		return object{"anyOf": []any{object{"type": "string", "pattern": pattern}, object{"const": 0}}, "examples": examples}
	}
	switch f.kind {
	case text:
		switch {
		case f.oneOf != nil:
			return object{"enum": anys(f.oneOf)}
		case f.form == "region":
			return regionSchema()
		case f.form == "municipality":
			return object{"anyOf": []any{object{"type": "string", "pattern": "^[0-9]{5}$"}, object{"type": "integer", "minimum": 10000, "maximum": 99999}}}
		case f.form == "element":
			return object{"type": "string", "pattern": elementForm.String()}
		case f.form == "expectation":
			return object{"type": "string", "minLength": 1, "maxLength": maxExpectation, "examples": []any{"suspension.violations == 0"}}
		case f.path == "description":
			return object{"type": "string"}
		}
		return object{"type": "string", "minLength": 1}
	case integer, number:
		x := object{"type": map[kind]string{integer: "integer", number: "number"}[f.kind]}
		if f.min != nil && f.over {
			x["exclusiveMinimum"] = *f.min
		} else if f.min != nil {
			x["minimum"] = *f.min
		} else if f.kind == integer {
			x["minimum"] = 0
		}
		if f.max != nil {
			x["maximum"] = *f.max
		}
		if f.key == "" && f.kind == number { // by age
			return object{"anyOf": []any{x, object{"type": "string", "pattern": percentPattern}}}
		}
		return x
	case boolean:
		return object{"type": "boolean"}
	case share:
		return object{"anyOf": []any{
			object{"type": "string", "pattern": percentPattern},
			object{"type": "number", "minimum": 0, "maximum": 1},
		}, "examples": []any{"95%", 0.95}}
	case won:
		return orZero(wonPattern, "10000 KRW")
	case rate:
		return orZero(ratePattern, "0.05/day", "3.6%/year")
	case moment:
		return object{"type": "string", "pattern": momentPattern, "examples": []any{"2025-03-14", "2025-03-14 09:00"}}
	case duration:
		if f.form == "clock" {
			return orZero(clockPattern+"|"+durationPattern, "09:00")
		}
		return orZero(durationPattern, "6h", "90s", "14d", "2h 30m")
	case hours:
		weight := object{"type": "number", "minimum": 0, "maximum": 1e9}
		return object{"anyOf": []any{
			object{"type": "array", "items": weight, "minItems": 24, "maxItems": 24},
			object{"type": "object", "patternProperties": object{rangePattern: weight}, "additionalProperties": false},
		}, "examples": []any{object{"9-12": 3, "12-14": 1}}}
	}
	panic(fmt.Sprintf("scenarios: no schema for kind %d", f.kind))
}

func regionSchema() object {
	n, err := LoadNation()
	if err != nil {
		return object{"type": "string", "pattern": "^KR-[0-9]{2}$"}
	}
	var codes, names []string
	for _, r := range n.Regions {
		codes = append(codes, r.ISO)
		names = append(names, r.ISO+" "+r.NameEn)
	}
	return object{"enum": anys(codes), "description": strings.Join(names, ", ")}
}

func anys(s []string) []any {
	out := make([]any, len(s))
	for i := range s {
		out[i] = s[i]
	}
	return out
}
