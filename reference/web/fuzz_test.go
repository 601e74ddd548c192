package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever form or query comes, it is refused with a 4xx, or says each thing once, in
// plain text, and the same as everybody else reads in it.
func FuzzForm(f *testing.F) {
	f.Add("grant_type=authorization_code&code=a~b&redirect_uri=https%3A%2F%2Fwallet.example%2Fcb%3Fa%3Db", "application/x-www-form-urlencoded", false)
	f.Add("request_uri=urn%3Aietf%3Aparams&client_id=https://wallet.example", "", true)
	f.Add("name=%EA%B9%80+%ED%95%98%EB%8A%98&why=&a=1&%61=2", "application/x-www-form-urlencoded; charset=UTF-8", false)
	f.Add("a=%00&b=%ff&c=%zz&;", "Application/X-WWW-Form-Urlencoded;", false)
	f.Fuzz(func(t *testing.T, text, contentType string, query bool) {
		var got url.Values
		res, _ := answered(OAuth(func(_ http.ResponseWriter, r *http.Request) (err error) {
			if query {
				r.URL.RawQuery = text
				got, err = ReadQuery(r)
			} else {
				got, err = ReadForm(r)
			}
			return err
		}), post(text, contentType))
		if res.StatusCode != http.StatusOK {
			if res.StatusCode >= 500 || got != nil {
				t.Fatalf("%d, and %v is read", res.StatusCode, got)
			}
			return
		}
		want, err := url.ParseQuery(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v is read, not %v (%v)", got, want, err)
		}
		for name, all := range got {
			if len(all) != 1 || !utf8.ValidString(name+all[0]) || strings.ContainsRune(name+all[0], 0) {
				t.Errorf("%q: %q", name, all)
			}
		}
		if again, err := url.ParseQuery(got.Encode()); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%v comes back as %v", got, again)
		}
		if !query && !strings.Contains(strings.ToLower(contentType), "application/x-www-form-urlencoded") {
			t.Errorf("a body of the type %q is read as a form", contentType)
		}
	})
}

// Whatever comes as JSON, it is refused with a 4xx, or is one value that everybody reads
// alike: nobody who looks at the first or the last of two names, or at one of two values,
// sees another.
func FuzzJSON(f *testing.F) {
	f.Add(`{"client_id":"https://wallet.example","challenge":"AAEC","n":1,"inner":{"a":["b",null,true]}}`, "application/json")
	f.Add(`{"challenge":"AAAA","challenge":"AQAA"}`, "application/json; charset=utf-8")
	f.Add(`{"client_id":"\ud800","n":1e999}{}`, "application/json")
	f.Add("\xef\xbb\xbf"+strings.Repeat("[", 100), "application/json")
	f.Fuzz(func(t *testing.T, text, contentType string) {
		type body struct {
			Client    string          `json:"client_id"`
			Challenge []byte          `json:"challenge"`
			N         uint64          `json:"n"`
			Inner     json.RawMessage `json:"inner"`
		}
		var got body
		r := post(text, contentType)
		w := httptest.NewRecorder()
		OAuth(func(_ http.ResponseWriter, r *http.Request) error { return ReadJSON(r, &got) }).ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			if w.Code >= 500 {
				t.Fatalf("%d", w.Code)
			}
			return
		}
		var want body
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v is read, not %+v (%v)", got, want, err)
		}
		if !utf8.ValidString(text) {
			t.Error("what is no UTF-8 is read")
		}
		d := json.NewDecoder(strings.NewReader(text))
		if twice := repeated(t, d); twice != "" {
			t.Errorf("%q comes twice", twice)
		}
	})
}

// repeated reads a value token by token, and is a name that an object has twice.
func repeated(t *testing.T, d *json.Decoder) (twice string) {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token {
	case json.Delim('{'):
		var names []string
		for d.More() {
			token, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			name := token.(string)
			if slices.Contains(names, name) {
				return name
			}
			names = append(names, name)
			if twice = repeated(t, d); twice != "" {
				return twice
			}
		}
	case json.Delim('['):
		for d.More() {
			if twice = repeated(t, d); twice != "" {
				return twice
			}
		}
	default:
		return ""
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	return ""
}
