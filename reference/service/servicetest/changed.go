package servicetest

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Secrets are long texts that stand under a short name in messages that a fuzzer changes:
// "~code~". So it spends its time on what they stand in, and puts one where another
// belongs, which no change of single bytes would do.
type Secrets struct{ show, hide []string }

// Add names a secret, and is it.
func (s *Secrets) Add(name, value string) string {
	s.show = append(s.show, "~"+name+"~", value)
	s.hide = append(s.hide, value, "~"+name+"~")
	if escaped := url.QueryEscape(value); escaped != value {
		s.hide = slices.Insert(s.hide, 0, escaped, "~"+name+"~")
	}
	return value
}

// Hide puts names in the place of secrets; in forms, too.
func (s *Secrets) Hide(text string) string { return strings.NewReplacer(s.hide...).Replace(text) }

// Show puts them back.
func (s *Secrets) Show(text string) string { return strings.NewReplacer(s.show...).Replace(text) }

// Changed is a message in which one field has another value: the field of that number,
// from 1 on and around, of an object of JSON or of a form. 0 changes nothing. So a fuzzer
// gets past the checks of all other fields.
func Changed(message string, field byte, value string) string {
	if field == 0 {
		return message
	}
	var object map[string]any
	if json.Unmarshal([]byte(message), &object) == nil && len(object) > 0 {
		var leaves []leaf
		collect(object, func(any) {}, &leaves)
		var v any = value
		if json.Unmarshal([]byte(value), &v) != nil {
			v = value
		}
		if len(leaves) == 0 {
			return message
		}
		leaves[int(field-1)%len(leaves)].set(v)
		if text, err := json.Marshal(object); err == nil {
			return string(text)
		}
		return message
	}
	form, err := url.ParseQuery(message)
	if err != nil || len(form) == 0 {
		return message
	}
	names := slices.Sorted(maps.Keys(form))
	form.Set(names[int(field-1)%len(names)], value)
	return form.Encode()
}

// Fields are the values of a message's fields in the order of their numbers: what a fuzzer
// begins with.
func Fields(message string) (values []string) {
	var object map[string]any
	if json.Unmarshal([]byte(message), &object) == nil {
		var leaves []leaf
		collect(object, func(any) {}, &leaves)
		for _, l := range leaves {
			text, ok := l.value.(string)
			if !ok {
				t, _ := json.Marshal(l.value)
				text = string(t)
			}
			values = append(values, text)
		}
		return values
	}
	form, _ := url.ParseQuery(message)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values = append(values, form.Get(name))
	}
	return values
}

type leaf struct {
	value any
	set   func(any)
}

// collect lists the leaves of a value.
func collect(v any, set func(any), leaves *[]leaf) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			collect(v[name], func(to any) { v[name] = to }, leaves)
		}
	case []any:
		for i := range v {
			collect(v[i], func(to any) { v[i] = to }, leaves)
		}
	default:
		*leaves = append(*leaves, leaf{v, set})
	}
}
