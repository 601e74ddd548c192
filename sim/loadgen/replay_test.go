package loadgen_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/servetest"
)

// replaying serves the first answer for each status list again and again.
type replaying struct {
	http.RoundTripper
	mu    sync.Mutex
	first map[string][]byte
}

func (r *replaying) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := r.RoundTripper.RoundTrip(q)
	if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(q.URL.Path, "/status-lists/") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first[q.URL.Path] == nil {
		r.first[q.URL.Path] = body
	}
	res.Body = io.NopCloser(bytes.NewReader(r.first[q.URL.Path]))
	res.ContentLength = int64(len(r.first[q.URL.Path]))
	return res, nil
}

func TestAListThatIsServedAgainMisleadsNobodyWhoCountsFromItsIssue(t *testing.T) {
	t.Parallel()
	const ttl = 4 * time.Second
	s, err := scenarios.Load("announced", nil)
	check(t, err)
	n, err := scenarios.LoadNation()
	check(t, err)
	service := servetest.Start(t, "", servetest.Options{Now: time.Now, Random: rand.Reader, Wait: wait, Scenario: s, StatusEvery: every, TTL: ttl})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(service.CA)
	staff, places := loadgen.Demonstration(time.Minute)
	bank := places[2]
	if !bank.FromIssue {
		t.Error("the bank of the demonstration does not count from the issue")
	}
	careless := bank
	careless.Name, careless.FromIssue = "careless", false
	bank.TTL, careless.TTL = ttl, ttl
	places = append(places[:2], bank, careless)
	c, err := loadgen.Open(t.Context(), loadgen.Options{
		Service: service.URL, CA: service.CA, Scenario: s, Nation: n, Seed: 1, Citizens: 1, Staff: staff, Places: places,
		HTTP: &http.Client{Transport: &replaying{RoundTripper: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, first: map[string][]byte{}}},
		Now:  time.Now, Random: rand.Reader, Wait: wait, StatusEvery: every, Allowance: allowance, AuditSkew: 100 * time.Millisecond,
	})
	check(t, err)
	check(t, c.Enter(t.Context(), 1))
	one := c.Citizens[0]
	one.IssueByTap(t.Context())
	for _, at := range []string{"bank", "careless"} {
		if r := one.Present(t.Context(), at); r.Verdict != "accepted" {
			t.Errorf("at first %s says %q: %v", at, r.Verdict, r)
		}
	}
	one.ReportLost(t.Context(), loadgen.MobileLost)
	check(t, wait(t.Context(), ttl+100*time.Millisecond))
	if r := one.Present(t.Context(), "careless"); r.Verdict != "accepted" {
		t.Errorf("nobody is misled (%q): the list is not served again", r.Verdict)
	}
	if r := one.Present(t.Context(), "bank"); r.Verdict != "cannot-tell" {
		t.Errorf("by a list that is served again the bank says %q", r.Verdict)
	}
}
