package jws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// A string is read eight bytes at a time.
func TestWhatEndsAStringOrMayNotStandInItIsFoundAtEveryPlace(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for b := range 256 {
				text := bytes.Repeat([]byte{'a'}, length)
				text[at] = byte(b)
				data := append(append([]byte{'"'}, text...), '"')
				got, err := Value(data)
				var want string
				if good := json.Valid(data) && b < 0x80; good != (err == nil) {
					t.Fatalf("%q: %v", data, err)
				} else if good {
					if err := json.Unmarshal(data, &want); err != nil || got != want {
						t.Fatalf("%q is read as %q (%v)", data, got, err)
					}
				}
			}
		}
	}
}

// What reading lists adds is their type: whatever is refused is refused, and for the
// same reason.
func TestListsOfStringsAreReadAsSuchAndEverythingElseAsBefore(t *testing.T) {
	var plain func(v any) any
	plain = func(v any) any {
		switch v := v.(type) {
		case []string:
			out := make([]any, len(v))
			for i, s := range v {
				out[i] = s
			}
			return out
		case []any:
			for i := range v {
				v[i] = plain(v[i])
			}
		case map[string]any:
			for name := range v {
				v[name] = plain(v[name])
			}
		}
		return v
	}
	for text, is := range map[string]string{
		`{"l": ["a", "b\n"]}`: "[]string", `{"l":["a" , "b" ] }`: "[]string", `{"l": ["a"]}`: "[]string",
		`{"l": []}`: "[]interface {}", `{"l": ["a", 1]}`: "[]interface {}", `{"l": [["a"]]}`: "[]interface {}", `{"l": "a"}`: "string", `{"m": ["a"]}`: "<nil>",
		`{"l": ["a",]}`: "", `{"l": ["a"`: "", `{"l": ["a" "b"]}`: "", `{"l": ["a}`: "", `{"l": ["\x"]}`: "", `{"l": ["a"], "l": ["a"]}`: "",
		strings.Repeat(`{"l":`, maxValueDepth-1) + `["a"]` + strings.Repeat("}", maxValueDepth-1): "map[string]interface {}",
		strings.Repeat(`{"l":`, maxValueDepth) + `["a"]` + strings.Repeat("}", maxValueDepth):     "",
	} {
		want, refused := Value([]byte(text))
		got, err := ReadEncoded(base64.RawURLEncoding.AppendEncode(nil, []byte(text)), "l")
		if fmt.Sprint(err) != fmt.Sprint(refused) {
			t.Errorf("%s: %v, not %v", text, err, refused)
		}
		if (is == "") != (err != nil) {
			t.Errorf("%s: %v", text, err)
		}
		if object, ok := got.(map[string]any); ok && fmt.Sprintf("%T", object["l"]) != is {
			t.Errorf("%s: it is a %T, not %s", text, object["l"], is)
		}
		if !reflect.DeepEqual(plain(got), want) {
			t.Errorf("%s: %v, not %v", text, got, want)
		}
	}
}

func TestElementsAreThoseOfTheArray(t *testing.T) {
	for _, text := range []string{`[]`, ` [ "a" , 1 ] `, `["a", {"l": ["b"]}, [[], null]]`, `["a", "b", "c", "d"]`, `{"l": 1}`, `"a"`, `["a"`, `["a"]]`, `["a",]`, ``,
		strings.Repeat("[", maxValueDepth) + strings.Repeat("]", maxValueDepth), strings.Repeat("[", maxValueDepth+1) + strings.Repeat("]", maxValueDepth+1)} {
		encoded := base64.RawURLEncoding.AppendEncode(nil, []byte(text))
		v, refused := ReadEncoded(encoded, "l")
		var room [3]any
		n, err := ReadElements(encoded, "l", room[:])
		if fmt.Sprint(err) != fmt.Sprint(refused) {
			t.Errorf("%s: %v, not %v", text, err, refused)
		}
		if refused != nil {
			continue
		}
		list, ok := v.([]any)
		if !ok && n != -1 || ok && n != len(list) {
			t.Errorf("%s: %d elements", text, n)
		}
		for i := range min(len(list), len(room)) {
			if !reflect.DeepEqual(room[i], list[i]) {
				t.Errorf("%s: element %d is %v", text, i, room[i])
			}
		}
	}
}
