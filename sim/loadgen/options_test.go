package loadgen

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/scenarios"
)

func TestOptionsThatMakeNoCrowdAreRefusedWithASentence(t *testing.T) {
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		says   string
		change func(*Options)
	}{
		{"a crowd needs the URL of a service", func(o *Options) { o.Service = "" }},
		{"a crowd needs the URL of a service, a scenario and a nation", func(o *Options) { o.Scenario = nil }},
		{"a crowd has at least one citizen, not 0", func(o *Options) { o.Citizens = 0 }},
		{"the first citizen has a number from 0, not -1", func(o *Options) { o.First = -1 }},
		{"a crowd needs a clock, randomness and a way to wait", func(o *Options) { o.Now = nil }},
		{"a crowd needs a clock, randomness and a way to wait", func(o *Options) { o.Wait = nil }},
		{"how often lists are published", func(o *Options) { o.StatusEvery = 0 }},
		{"an allowance of -1s", func(o *Options) { o.Allowance = -time.Second }},
		{"a crowd needs a place where it shows its cards", func(o *Options) { o.Places = nil }},
		{`the place "bank" keeps lists for 0s`, func(o *Options) { o.Places[2].TTL = 0 }},
		{`two places are called "shop"`, func(o *Options) { o.Places[0].Name = "shop" }},
		{`the place "shop" has no key`, func(o *Options) { o.Places[1].Party.Key = nil }},
		{"the clerk has no key", func(o *Options) { o.Staff.Clerk.Key = nil }},
		{"the auditor has no key", func(o *Options) { o.Staff.Auditor.Key = nil }},
		{"there is no municipality 99999", func(o *Options) { o.Municipality = "99999" }},
		{"there is no municipality 99999", func(o *Options) { o.Elsewhere = []string{"99999"} }},
		{"hold no certificate in PEM", func(o *Options) { o.HTTP, o.CA = nil, []byte("nonsense") }},
		{"the service at https://id.example does not give the root of its cards", func(o *Options) {
			o.HTTP = answering(func(*http.Request) (int, any) { return 0, errors.New("connection refused") })
		}},
		{"the service at https://id.example does not give the root of its cards", func(o *Options) {
			o.HTTP = answering(func(*http.Request) (int, any) { return 404, nil })
		}},
		{"the service at https://id.example gives no root of its cards", func(o *Options) {
			o.HTTP = answering(func(*http.Request) (int, any) { return 200, []byte("nonsense") })
		}},
	} {
		staff, places := Demonstration(time.Second)
		o := Options{Service: "https://id.example/", Scenario: s, Nation: n, Citizens: 1, Staff: staff, Places: places, StatusEvery: time.Second,
			Now: func() time.Time { return begin }, Random: nothing{}, Wait: func(context.Context, time.Duration) error { return nil },
			HTTP: answering(func(*http.Request) (int, any) { return 200, servicetest.Authorities().Root }),
		}
		x.change(&o)
		if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%v, want %q", err, x.says)
		}
	}
}
