package jws

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestValuesAreReadAsTheyStand(t *testing.T) {
	v, err := Value([]byte(" {\"a\": [1, -0.5e+3, true, false, null, \"\\u00fc\\ud83d\\ude00\\n/\"], \"\": {}, \"ü\": []}\n"))
	want := map[string]any{"a": []any{json.Number("1"), json.Number("-0.5e+3"), true, false, nil, "ü😀\n/"}, "": map[string]any{}, "ü": []any{}}
	if err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("%v, %v", v, err)
	}
}

func TestValuesThatAreNoJSONOrMeanTwoThingsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "white space": " ", "two values": "1 2", "what follows": "{} x", "a comma at the end": "[1,]", "a comma at the end of an object": `{"a":1,}`,
		"a comma alone": "[,]", "no colon": `{"a" 1}`, "no quotes": `{a:1}`, "single quotes": `{'a':1}`, "no end": `{"a":1`, "no end of an array": "[1", "no end of a string": `"a`,
		"a name twice": `{"a":1,"a":2}`, "a name twice, escaped": `{"a":1,"\u0061":2}`, "a name twice within": `[{"b":{"a":1,"a":1}}]`,
		"half a surrogate pair": `"\ud83d"`, "the other half": `"\ude00"`, "two first halves": `"\ud83d\ud83d"`, "half a pair and more": `"\ud83dx"`, "half a pair and what only looks like the other": `"\ud83dxxde00"`, "half a pair and an escape": `"\ud83d\n"`,
		"no UTF-8": "\"\xff\"", "a control character": "\"\n\"", "a control character after an escape": "\"\\n\n\"", "an unknown escape": `"\x"`, "an escape cut off": `"\u00`, "an escape that is not hexadecimal": `"\u00g0"`,
		"a zero in front": "01", "a plus": "+1", "a dot at the end": "1.", "a dot in front": ".5", "an exponent cut off": "1e", "minus alone": "-", "a number too large": "1e400",
		"NaN": "NaN", "capital": "True", "cut off": "tru", "too deep": strings.Repeat("[", 17) + strings.Repeat("]", 17), "a byte order mark": "\ufeff{}", "a comment": "/**/{}",
	} {
		if v, err := Value([]byte(text)); err == nil {
			t.Errorf("%s: %q was read as %v", name, text, v)
		}
	}
	if _, err := Object([]byte("[]")); err == nil {
		t.Error("an array is no object")
	}
}

// encoding/json reads whatever Value reads, and reads the same.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{goodClaims, `{"a":[1,-0.5e+3,true,false,null,"\u00fc\ud83d\ude00\n"]}`, `"\ud83d"`, `[[[[]]]]`, `{"a":1,"a":1}`, `01`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Value(data)
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var other any
		elsewhere := d.Decode(&other)
		if err != nil {
			return
		}
		if elsewhere != nil || !reflect.DeepEqual(v, other) {
			t.Fatalf("%q was read as %v, elsewhere as %v, %v", data, v, other, elsewhere)
		}
		again, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if w, err := Value(again); err != nil || !reflect.DeepEqual(v, w) {
			t.Errorf("%q was written as %q: %v", data, again, err)
		}
	})
}
