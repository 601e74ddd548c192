package servicetest_test

import (
	"testing"

	"rollcall.example/rollcall/reference/service/servicetest"
)

func TestOneFieldOfAMessageIsChanged(t *testing.T) {
	for _, c := range []struct {
		message string
		field   byte
		value   string
		want    string
	}{
		{"a=1&b=2", 0, "x", "a=1&b=2"},
		{"a=1&b=2", 2, "x y", "a=1&b=x+y"},
		{"a=1&b=2", 3, "x", "a=x&b=2"},
		{`{"b":{"c":[1,"s"]},"a":null}`, 1, "x", `{"a":"x","b":{"c":[1,"s"]}}`},
		{`{"b":{"c":[1,"s"]},"a":null}`, 3, "true", `{"a":null,"b":{"c":[1,true]}}`},
		{`{"a":{}}`, 1, "x", `{"a":{}}`},
		{"%zz", 1, "x", "%zz"},
	} {
		if got := servicetest.Changed(c.message, c.field, c.value); got != c.want {
			t.Errorf("field %d of %s: %s, want %s", c.field, c.message, got, c.want)
		}
	}
}

func TestFieldsAreCountedAsTheyAreChanged(t *testing.T) {
	for _, message := range []string{"a=1&b=x+y", `{"a":null,"b":{"c":[1,"s"]},"d":true}`} {
		fields := servicetest.Fields(message)
		for i, value := range fields {
			if got := servicetest.Changed(message, byte(i+1), value); got != message {
				t.Errorf("%s with its own field %d is %s", message, i+1, got)
			}
		}
		if len(fields) < 2 {
			t.Errorf("%s: %q", message, fields)
		}
	}
}

func TestASecretStandsUnderItsName(t *testing.T) {
	var s servicetest.Secrets
	s.Add("code", "a:b")
	if hidden := s.Hide("code=a%3Ab&x=a:b"); hidden != "code=~code~&x=~code~" || s.Show(hidden) != "code=a:b&x=a:b" {
		t.Error(hidden)
	}
}
