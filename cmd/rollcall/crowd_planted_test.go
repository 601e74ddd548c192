package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/oracle"
)

// wrong stands between citizens and the service, and makes a wrong service of it.
type wrong struct {
	http.RoundTripper
	lie func(r *http.Request, real func() (*http.Response, []byte, error)) (*http.Response, []byte, error)
}

func (w wrong) RoundTrip(r *http.Request) (*http.Response, error) {
	res, body, err := w.lie(r, func() (*http.Response, []byte, error) {
		res, err := w.RoundTripper.RoundTrip(r)
		if err != nil {
			return nil, nil, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res, body, err
	})
	if err != nil {
		return nil, err
	}
	out := *res
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return &out, nil
}

type answered struct {
	res  *http.Response
	body []byte
}

// kept answers by the first answer to each of what names tells apart; "" is not kept.
func kept(name func(*http.Request) string) func(*http.Request, func() (*http.Response, []byte, error)) (*http.Response, []byte, error) {
	var mu sync.Mutex
	first := map[string]answered{}
	return func(r *http.Request, real func() (*http.Response, []byte, error)) (*http.Response, []byte, error) {
		mu.Lock()
		defer mu.Unlock()
		n := name(r)
		if a, ok := first[n]; ok && n != "" {
			return a.res, a.body, nil
		}
		res, body, err := real()
		if n != "" && err == nil && res.StatusCode == http.StatusOK {
			first[n] = answered{res, body}
		}
		return res, body, err
	}
}

// A crowd alone finds what is wrong with a service that it uses.
func TestACrowdFindsAWrongService(t *testing.T) {
	if os.Getenv("ROLLCALL_CAMPAIGN") == "" {
		t.Skip("a list must grow old, which takes ten seconds: ROLLCALL_CAMPAIGN=1 runs it")
	}
	p, err := start(t.TempDir(), os.Environ(), crowdFlags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	lose := func(c *loadgen.Crowd) {
		for _, one := range c.Citizens {
			one.IssueByTap(t.Context())
			one.Present(t.Context(), "bank")
			one.ReportLost(t.Context(), loadgen.PhysicalLost)
			one.Present(t.Context(), "shop")
		}
	}
	for n, planted := range []struct {
		name  string
		finds []oracle.Property // one of these
		told  string            // what the crowd says at once; empty: nothing
		lie   func(*http.Request, func() (*http.Response, []byte, error)) (*http.Response, []byte, error)
		do    func(*loadgen.Crowd)
	}{
		{name: "nothing", do: lose, lie: func(_ *http.Request, real func() (*http.Response, []byte, error)) (*http.Response, []byte, error) {
			return real()
		}},
		{name: "status lists are as old as the first", finds: []oracle.Property{"S4"},
			lie: kept(func(r *http.Request) string {
				if strings.HasPrefix(r.URL.Path, "/status-lists/") {
					return r.URL.Path
				}
				return ""
			}),
			do: func(c *loadgen.Crowd) {
				lose(c)
				time.Sleep(7 * time.Second) // publishing, ttl and allowance
				for _, one := range c.Citizens {
					one.Present(t.Context(), "bank")
				}
			}},
		{name: "the mobile card is left out when the plastic card is lost", finds: []oracle.Property{"S1", "S3"}, told: "should be suspended", do: lose,
			lie: func(r *http.Request, real func() (*http.Response, []byte, error)) (*http.Response, []byte, error) {
				res, body, err := real()
				if strings.HasPrefix(r.URL.Path, "/vp/transactions/") {
					body = bytes.ReplaceAll(body, []byte(`"suspended"`), []byte(`"accepted"`))
				}
				return res, body, err
			}},
		{name: "two people get the same places in the lists", finds: []oracle.Property{"S11"}, do: lose,
			lie: kept(func(r *http.Request) string {
				if r.URL.Path == "/vci/credential" {
					return r.URL.Path
				}
				return ""
			})},
		{name: "a report is acknowledged and forgotten", finds: []oracle.Property{"S10", "S5", "S3"}, told: "should be suspended", do: lose,
			lie: func(r *http.Request, real func() (*http.Response, []byte, error)) (*http.Response, []byte, error) {
				if !strings.HasSuffix(r.URL.Path, "/reports") {
					return real()
				}
				_, _ = io.Copy(io.Discard, r.Body)
				header := http.Header{"Content-Type": {"application/json"}}
				return &http.Response{StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: r},
					fmt.Appendf(nil, `{"sequence":900,"at":%q,"state":{"plastic":"suspended","mobile":"suspended"}}`, time.Now().Format(time.RFC3339Nano)), nil
			}},
	} {
		t.Run(planted.name, func(t *testing.T) {
			c := crowd(t, p, 7, 3, func(o *loadgen.Options) {
				o.First, o.Exceptions = 1000*(n+1), false
				o.HTTP = &http.Client{Timeout: 30 * time.Second, Transport: wrong{p.client.Transport, planted.lie}}
			})
			planted.do(c)
			v, _, err := c.Judge(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := len(planted.finds) == 0 && v.Violations() == 0 && len(c.Wrong()) == 0
			for _, property := range planted.finds {
				found = found || v.ByProperty[property].Violations > 0
			}
			told := planted.told == ""
			for _, r := range c.Wrong() {
				told = told || strings.Contains(r.Wrong, planted.told)
			}
			if !found || !told {
				t.Errorf("the oracle finds %+v, want one of %s; at once: %v, want %q", v.ByProperty, planted.finds, c.Wrong(), planted.told)
			}
			for _, f := range v.Findings[:min(1, len(v.Findings))] {
				t.Logf("%s: %s", f.Property, f.Sentence)
			}
		})
	}
}
