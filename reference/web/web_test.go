package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/store"
)

func answered(h http.Handler, r *http.Request) (*http.Response, map[string]any) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var v map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &v)
	return w.Result(), v
}

func post(body, contentType string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestWhatAHandlerDidNotForeseeIsNotToldToTheCaller(t *testing.T) {
	for _, style := range []func(Handler) http.Handler{OAuth, Problem} {
		res, v := answered(style(func(http.ResponseWriter, *http.Request) error {
			return errors.New("the password of the database is 1234")
		}), httptest.NewRequest("GET", "/", nil))
		if res.StatusCode != 500 || strings.Contains(fmt.Sprint(v), "1234") {
			t.Errorf("%d %v", res.StatusCode, v)
		}
	}
}

func TestErrorsHaveTheFormOfTheirProtocol(t *testing.T) {
	refuse := func(http.ResponseWriter, *http.Request) error {
		return Refuse(400, "invalid_proof", "The proof is %d days old.", 2).With("DPoP-Nonce", "n").Because(errors.New("for the log"))
	}
	res, v := answered(OAuth(refuse), httptest.NewRequest("GET", "/", nil))
	if res.StatusCode != 400 || v["error"] != "invalid_proof" || v["error_description"] != "The proof is 2 days old." ||
		res.Header.Get("DPoP-Nonce") != "n" || res.Header.Get("Cache-Control") != "no-store" || len(v) != 2 {
		t.Errorf("%v %v", res, v)
	}
	res, v = answered(Problem(refuse), httptest.NewRequest("GET", "/", nil))
	if res.Header.Get("Content-Type") != "application/problem+json" || v["type"] != "urn:rollcall:problem:invalid_proof" || v["status"] != 400.0 {
		t.Errorf("%v %v", res, v)
	}
}

func TestARegisterThatCannotBeAskedIsSaidToBeUnavailable(t *testing.T) {
	for err, want := range map[error]int{store.ErrFull: 503, store.ErrFenced: 503, store.ErrClosed: 503, store.ErrUnavailable: 503, store.ErrUnknown: 503, io.ErrUnexpectedEOF: 500, context.Canceled: 499, context.DeadlineExceeded: 503} {
		var logged *Error
		r := WithFailed(httptest.NewRequest("GET", "/", nil), func(e *Error) { logged = e })
		res, _ := answered(OAuth(func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("on the way: %w", err) }), r)
		if res.StatusCode != want || !errors.Is(logged, err) {
			t.Errorf("%v: %d, logged %v", err, res.StatusCode, logged)
		}
		if (want == 503) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After is %q", err, res.Header.Get("Retry-After"))
		}
	}
}

func TestABodyIsReadStrictlyOrRefused(t *testing.T) {
	var v struct {
		Name string `json:"name"`
	}
	for _, c := range []struct {
		name, body, contentType string
		want                    int
	}{
		{"good", `{"name":"소라","more":[1]}`, "application/json; charset=utf-8", 200},
		{"another type", `{}`, "text/plain", 415},
		{"no type", `{}`, "", 415},
		{"a name twice", `{"name":"a","name":"b"}`, "application/json", 400},
		{"a name in another case", `{"Name":"a"}`, "application/json", 400},
		{"not UTF-8", "{\"name\":\"\xff\"}", "application/json", 400},
		{"two values", `{} {}`, "application/json", 400},
		{"nested too deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), "application/json", 400},
		{"too long", `{"name":"` + strings.Repeat("x", 100) + `"}`, "application/json", 413},
	} {
		r := post(c.body, c.contentType)
		r.Body = http.MaxBytesReader(nil, r.Body, 64)
		res, _ := answered(Problem(func(w http.ResponseWriter, r *http.Request) error {
			if err := ReadJSON(r, &v); err != nil {
				return err
			}
			JSON(w, 200, v)
			return nil
		}), r)
		// The long one is cut by the limit, the deep one by its depth.
		if c.name == "nested too deep" {
			c.want = 413
		}
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.want)
		}
	}
}

func TestAMemberThatIsNotKnownIsNamed(t *testing.T) {
	type Part struct {
		Name string   `json:"name"`
		Keys []string `json:"keys,omitempty"`
	}
	for body, want := range map[string]string{
		`{"id":1,"name":"a","keys":["b"]}`: "",
		`{"id":1,"nane":"a"}`:              `There is no member "nane" here; there are id, name, keys.`,
		`{"id":1,"secret":"a"}`:            `There is no member "secret" here; there are id, name, keys.`,
		`{"id":"1"}`:                       `The body is not the JSON expected here: "id" cannot be a string.`,
		`["id"]`:                           `The body is not the JSON expected here: it is not a JSON object.`,
		`null`:                             `The body is not the JSON expected here: it is not a JSON object.`,
		`{"id":1,"Name":"a"}`:              `The body is not the JSON expected here: "Name" is "name" in another case.`,
	} {
		var v struct {
			ID int `json:"id"`
			Part
			Secret string `json:"-"`
		}
		err := ReadKnown(post(body, "application/json"), &v)
		e, _ := err.(*Error)
		if got := ""; e != nil && e.Status == 400 {
			if got = e.Description; got != want {
				t.Errorf("%s: %s", body, got)
			}
		} else if err != nil || want != "" || v.ID != 1 || v.Name != "a" || len(v.Keys) != 1 {
			t.Errorf("%s: %v, %+v", body, err, v)
		}
	}
}

func TestAParameterStandsInAFormOnce(t *testing.T) {
	const kind = "application/x-www-form-urlencoded"
	for body, good := range map[string]bool{"a=1&b=2": true, "": true, "a=1&a=1": false, "a=%zz": false, "a=%ff": false, "a;b": false} {
		v, err := ReadForm(post(body, kind))
		if (err == nil) != good {
			t.Errorf("%q: %v, %v", body, v, err)
		}
	}
	if _, err := ReadForm(post("a=1", "application/json")); err == nil {
		t.Error("JSON was read as a form")
	}
}
