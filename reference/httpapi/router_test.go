package httpapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/web"
)

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func newClock() *clock { return &clock{at: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)} }

// drawing is randomness that several may use.
type drawing struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (d *drawing) Read(b []byte) (int, error) { d.mu.Lock(); defer d.mu.Unlock(); return d.r.Read(b) }

// named believes whoever names their role.
func named(r *http.Request, name string) (context.Context, error) {
	role, ok := access.ParseRole(name)
	if !ok {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "This is no token.")
	}
	return access.With(r.Context(), access.Caller{Role: role, ID: "one " + name}), nil
}

func options() Options {
	return Options{
		Now: newClock().Now, Random: &drawing{r: rand.NewChaCha8([32]byte{})},
		Authentication: Authentication{DPoP: named, Bearer: named, Session: named,
			Certificate: func(r *http.Request, c *x509.Certificate) (context.Context, error) {
				return named(r, c.Subject.CommonName)
			}},
	}
}

// as lets a request be made by a role.
func as(r *http.Request, way string, role access.Role) {
	if role == access.Anyone {
		return
	}
	switch way {
	case "certificate":
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: role.String()}}}}
	case "cookie":
		r.AddCookie(&http.Cookie{Name: parties.CookieName, Value: role.String()})
	default:
		r.Header.Set("Authorization", way+" "+role.String())
	}
}

// router serves a few routes of every kind.
func router(t *testing.T, o Options, h web.Handler) *Router {
	t.Helper()
	s, err := build([]Route{
		{Name: "public", Method: "GET", Path: "/public", Roles: access.Anyone, Handler: web.Problem(h)},
		{Name: "token", Method: "POST", Path: "/token", Roles: access.Anyone, Body: 32, Handler: web.OAuth(h)},
		{Name: "read", Method: "GET", Path: "/people/{id}", Roles: access.Registrar | access.Citizen, Handler: web.Problem(h)},
		{Name: "write", Method: "PUT", Path: "/people/{id}", Roles: access.Registrar, Body: 1000, Handler: web.Problem(h)},
		{Name: "page", Method: "POST", Path: "/console", Roles: access.Clerk, Session: true, Body: 1000, Handler: web.Problem(h)},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ok(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, access.From(r.Context()).ID)
	return nil
}

func call(h http.Handler, r *http.Request) (*httptest.ResponseRecorder, map[string]any) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var v map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &v)
	return w, v
}

func TestErrorsBeforeAHandlerHaveTheFormOfItsProtocol(t *testing.T) {
	s := router(t, options(), ok)
	w, v := call(s, httptest.NewRequest("GET", "/token", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" || v["error"] != "invalid_request" {
		t.Errorf("a wrong method: %d %v %v", w.Code, w.Header(), v)
	}
	w, v = call(s, httptest.NewRequest("DELETE", "/people/1", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, PUT" || v["type"] != "urn:rollcall:problem:invalid_request" {
		t.Errorf("a wrong method: %d %v %v", w.Code, w.Header(), v)
	}
	w, v = call(s, httptest.NewRequest("POST", "/token", strings.NewReader(strings.Repeat("x", 33))))
	if w.Code != 413 || v["error"] != "invalid_request" {
		t.Errorf("a long body: %d %v", w.Code, v)
	}
	w, v = call(s, httptest.NewRequest("GET", "/nowhere", nil))
	if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("an unknown path: %d %v %v", w.Code, w.Header(), v)
	}
	w, v = call(s, httptest.NewRequest("OPTIONS", "/public", nil))
	if w.Code != 405 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin's preflight: %d %v %v", w.Code, w.Header(), v)
	}
}

func TestABodyIsCutAtItsLimitWhateverItsLengthClaims(t *testing.T) {
	s := router(t, options(), ok)
	for _, c := range []struct{ n, want int }{{32, 200}, {33, 413}} {
		r := httptest.NewRequest("POST", "/token", io.MultiReader(strings.NewReader(strings.Repeat("x", c.n)))) // of unknown length
		if w, _ := call(s, r); w.Code != c.want {
			t.Errorf("%d bytes: %d, want %d", c.n, w.Code, c.want)
		}
	}
	r := httptest.NewRequest("GET", "/public", io.MultiReader(strings.NewReader("x")))
	if w, _ := call(s, r); w.Code != 413 {
		t.Errorf("a body where none is read: %d", w.Code)
	}
}

func TestEveryAnswerHasItsIdAndTheSecurityHeaders(t *testing.T) {
	s := router(t, options(), func(w http.ResponseWriter, r *http.Request) error {
		if RequestID(r.Context()) == "" {
			t.Error("a handler does not see the id")
		}
		return ok(w, r)
	})
	ids := map[string]bool{}
	for _, path := range []string{"/public", "/nowhere", "/people/1"} {
		w, _ := call(s, httptest.NewRequest("GET", path, nil))
		id := w.Header().Get("X-Request-Id")
		if len(id) != 24 || ids[id] {
			t.Errorf("%s: id %q", path, id)
		}
		ids[id] = true
		for name, values := range securityHeaders {
			want := values[0]
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
	}
}

func TestHEADIsAnsweredLikeGET(t *testing.T) {
	if w, _ := call(router(t, options(), ok), httptest.NewRequest("HEAD", "/public", nil)); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestACookieCountsForNothingOutsideTheConsole(t *testing.T) {
	s := router(t, options(), ok)
	r := httptest.NewRequest("PUT", "/people/1", nil)
	as(r, "cookie", access.Registrar)
	if w, _ := call(s, r); w.Code != 401 {
		t.Errorf("a registrar's cookie at an API: %d", w.Code)
	}
	r = httptest.NewRequest("POST", "/console", nil)
	as(r, "cookie", access.Clerk)
	if w, _ := call(s, r); w.Code != 200 {
		t.Errorf("a clerk's cookie at the console: %d", w.Code)
	}
}

// A browser that holds a certificate shows it with what other sites make it send.
func TestACertificateCountsForNothingAtTheConsole(t *testing.T) {
	s := router(t, options(), ok)
	r := httptest.NewRequest("POST", "/console", nil)
	as(r, "certificate", access.Clerk)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if w, _ := call(s, r); w.Code != 401 {
		t.Errorf("a clerk's certificate at the console: %d", w.Code)
	}
	as(r, "cookie", access.Clerk)
	r.TLS.PeerCertificates[0].Subject.CommonName = "wrong"
	if w, _ := call(s, r); w.Code != 200 {
		t.Errorf("a clerk who signed in, by a browser with some certificate: %d", w.Code)
	}
}

func TestWhoMayNotIsKnownToTheLogAndLimited(t *testing.T) {
	var logged bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewJSONHandler(&logged, nil))
	o.Limits.Staff = Rate{PerSecond: 1, Burst: 1}
	s := router(t, o, ok)
	for _, want := range []int{403, 429} {
		r := httptest.NewRequest("PUT", "/people/7", nil)
		as(r, "Bearer", access.Clerk)
		logged.Reset()
		w, _ := call(s, r)
		var line struct{ Role string }
		if err := json.Unmarshal(logged.Bytes(), &line); err != nil || w.Code != want || line.Role != "clerk" {
			t.Errorf("%d, want %d; %v: %s", w.Code, want, err, logged.Bytes())
		}
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	r := httptest.NewRequest("GET", "/people/1", nil)
	r.Header["Authorization"] = []string{"Bearer registrar", "Bearer clerk"}
	if w, _ := call(router(t, options(), ok), r); w.Code != 400 {
		t.Error(w.Code)
	}
}

func TestAPanicIsAnAnswerWithAnIdAndTheServiceGoesOn(t *testing.T) {
	var logged bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewJSONHandler(&logged, nil))
	panics := true
	s := router(t, o, func(w http.ResponseWriter, r *http.Request) error {
		if panics {
			var nobody *http.Request
			_ = nobody.Host
		}
		return ok(w, r)
	})
	w, v := call(s, httptest.NewRequest("POST", "/token", nil))
	if w.Code != 500 || v["error"] != "server_error" || w.Header().Get("X-Request-Id") == "" || strings.Contains(fmt.Sprint(v), "nil pointer") {
		t.Errorf("%d %v", w.Code, v)
	}
	if l := logged.String(); !strings.Contains(l, "nil pointer") || !strings.Contains(l, "router_test") && !strings.Contains(l, "TestAPanic") || !strings.Contains(l, `"level":"ERROR"`) {
		t.Errorf("the log does not say where: %s", l)
	}
	panics = false
	if w, _ := call(s, httptest.NewRequest("POST", "/token", nil)); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestAPanicInTheMiddleOfAnAnswerCutsTheConnection(t *testing.T) {
	s := router(t, options(), func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "half")
		panic("the rest")
	})
	server := httptest.NewServer(s)
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	res, err := http.Get(server.URL + "/public")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looks whole")
	}
}

// Whatever is personal or secret is planted wherever a caller can put something,
// and where handlers put what they failed at.
func TestNeitherPersonalDataNorSecretsReachTheLog(t *testing.T) {
	const rrn, name, secret = "900101-1234567", "홍길동", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI5MDAxMDEifQ.c2lnbmF0dXJl"
	planted := []string{rrn, strings.ReplaceAll(rrn, "-", ""), name, secret, "Hong Gildong", "gildong@example.kr"}
	var logged bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	everything := strings.Join(planted[:4], " ") + ` "Hong Gildong" gildong@example.kr`
	for _, h := range []web.Handler{
		ok,
		func(http.ResponseWriter, *http.Request) error { return errors.New(everything) },
		func(http.ResponseWriter, *http.Request) error {
			return web.Refuse(400, "invalid_request", "This is not it: %s", everything).Because(errors.New(everything))
		},
		func(http.ResponseWriter, *http.Request) error { // quoted as handlers quote
			return web.Refuse(400, "invalid_request", "There is no member %q, nor one of %q.", `a" Hong Gildong "b`, strings.Repeat(`c\`, 2000)+" Hong Gildong")
		},
		func(http.ResponseWriter, *http.Request) error {
			return web.Refuse(500, "server_error", "This is not it: %s", everything).Because(errors.New(everything))
		},
		func(http.ResponseWriter, *http.Request) error { panic(everything) },
		func(w http.ResponseWriter, r *http.Request) error {
			return web.ReadJSON(r, new(struct{ A string }))
		},
		func(w http.ResponseWriter, r *http.Request) error {
			_, err := web.ReadForm(r)
			return err
		},
	} {
		s := router(t, o, h)
		for _, c := range []struct{ method, path string }{{"GET", "/people/"}, {"PUT", "/people/"}, {"GET", "/nowhere/"}, {"POST", "/token?"}, {rrn, "/people/"}} {
			for _, p := range planted {
				r := httptest.NewRequest("GET", "/", strings.NewReader(`{"`+p+`":1,"`+p+`":2}`))
				r.Method = c.method
				r.URL.Path, r.URL.RawQuery = strings.TrimSuffix(c.path, "?"), "q="+p
				if strings.HasPrefix(c.path, "/people") {
					r.URL.Path += p
				}
				r.Header.Set("Content-Type", "application/json")
				for _, h := range []string{"User-Agent", "Referer", "X-Request-Id", "Traceparent", "X-Forwarded-For", "Origin", "Accept", "DPoP", "Idempotency-Key"} {
					r.Header.Set(h, p)
				}
				r.Header.Set("Authorization", "Bearer registrar")
				_, _ = call(s, r)
				r.Header.Set("Authorization", "Bearer "+p)
				_, _ = call(s, r)
			}
		}
	}
	if n := strings.Count(logged.String(), "\n"); n < 200 {
		t.Errorf("only %d lines were logged", n)
	}
	for _, p := range planted {
		if i := strings.Index(logged.String(), p); i >= 0 {
			t.Errorf("%q is in the log: %s", p, logged.String()[max(0, i-200):min(logged.Len(), i+100)])
		}
	}
}

// A long quotation is cut off wherever the limit falls.
func TestAQuotationThatIsCutOffIsNotLogged(t *testing.T) {
	for n := range 8 {
		text := strings.Repeat("x ", n) + fmt.Sprintf("No %q.", "Hong Gildong "+strings.Repeat(`\`, 5000))
		if got := scrub(text); strings.Contains(got, "Hong") || !strings.Contains(got, "No …") {
			t.Errorf("%d: %s", n, got)
		}
		if got := scrub("y" + text); strings.Contains(got, "Hong") {
			t.Errorf("%d and one: %s", n, got)
		}
	}
}

func TestALineOfTheLogSaysWhatFailedAndWhy(t *testing.T) {
	var logged bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewJSONHandler(&logged, nil))
	s := router(t, o, func(http.ResponseWriter, *http.Request) error {
		return web.Refuse(503, "temporarily_unavailable", "Ask again.").Because(errors.New("disk I/O error"))
	})
	r := httptest.NewRequest("PUT", "/people/7", nil)
	as(r, "Bearer", access.Registrar)
	w, _ := call(s, r)
	var line map[string]any
	if err := json.Unmarshal(logged.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, logged.Bytes())
	}
	for key, want := range map[string]any{"msg": "request", "level": "ERROR", "route": "write", "method": "PUT", "status": 503.0, "role": "registrar",
		"error": "temporarily_unavailable", "why": "Ask again.", "cause": "disk I/O error", "id": w.Header().Get("X-Request-Id")} {
		if line[key] != want {
			t.Errorf("%s: %v, want %v", key, line[key], want)
		}
	}
}

func TestWhoAsksTooMuchWaitsAndNobodyElse(t *testing.T) {
	now := newClock()
	o := options()
	o.Now = now.Now
	o.Limits = Limits{Citizen: Rate{PerSecond: 2, Burst: 3}, Staff: Rate{PerSecond: 1000, Burst: 1000}}
	s := router(t, o, ok)
	ask := func(role access.Role) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/people/1", nil)
		as(r, "DPoP", role)
		w, _ := call(s, r)
		return w
	}
	for i := range 3 {
		if w := ask(access.Citizen); w.Code != 200 {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
	w := ask(access.Citizen)
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("the fourth at once: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := ask(access.Registrar); w.Code != 200 {
		t.Errorf("somebody else: %d", w.Code)
	}
	now.move(500 * time.Millisecond)
	if w := ask(access.Citizen); w.Code != 200 {
		t.Errorf("after the wait: %d", w.Code)
	}
	if w := ask(access.Citizen); w.Code != 429 {
		t.Errorf("and at once again: %d", w.Code)
	}
}

// Two replicas behind a balancer, and somebody who asks each as fast as it answers.
func TestReplicasShareTheRates(t *testing.T) {
	for _, c := range []struct {
		replicas, others int // how many there are; how many they think there are
		most             float64
	}{
		{1, 1, 1}, {2, 2, 1}, {3, 3, 1},
		{2, 1, 2}, // not counted yet: each allows all
	} {
		now := newClock()
		o := options()
		o.Now = now.Now
		o.Limits = Limits{Citizen: Rate{PerSecond: 12, Burst: 48}}
		var all []*Router
		for range c.replicas {
			s := router(t, o, ok)
			s.Replicas(c.others)
			all = append(all, s)
		}
		served, seconds := 0, 20
		for range seconds * 100 {
			for _, s := range all {
				r := httptest.NewRequest("GET", "/people/1", nil)
				as(r, "DPoP", access.Citizen)
				if w, _ := call(s, r); w.Code == 200 {
					served++
				}
			}
			now.move(10 * time.Millisecond)
		}
		if want := c.most * float64(48+12*seconds); float64(served) > want+float64(c.replicas) || float64(served) < 0.98*want {
			t.Errorf("%d replicas that think that there are %d serve somebody %d times, not %.0f", c.replicas, c.others, served, want)
		}
	}
}

// A replica that comes or goes changes the share of who is known already.
func TestAShareChangesWithTheReplicas(t *testing.T) {
	m := newMeter(newClock().Now, 10)
	rate := Rate{PerSecond: 1, Burst: 8}
	served := func() (n int) {
		for m.take("somebody", rate, 1, false) == 0 {
			n++
		}
		return n
	}
	m.replicas.Store(4)
	if n := served(); n != 2 {
		t.Errorf("of eight at once one of four serves %d", n)
	}
	m.replicas.Store(1)
	if n := served(); n != 0 {
		t.Errorf("a bucket that was full is empty by %d", n)
	}
	m.replicas.Store(100)
	if m.take("somebody else", rate, 1, false) != 0 || m.take("somebody else", rate, 1, false) == 0 {
		t.Error("one of a hundred serves something else than one at once")
	}
}

func TestGuessingOfCredentialsIsSlow(t *testing.T) {
	for what, c := range map[string]struct {
		handler web.Handler
		path    string
		token   string
		slow    bool
	}{
		"a wrong token":       {ok, "/people/1", "Bearer guess", true},
		"a wrong passphrase":  {func(http.ResponseWriter, *http.Request) error { return web.Refuse(401, "access_denied", "No.") }, "/public", "", true},
		"no token":            {ok, "/people/1", "", false},
		"a nonce is demanded": {func(http.ResponseWriter, *http.Request) error { return web.Refuse(401, "use_dpop_nonce", "Take this.") }, "/public", "", false},
		"a good request":      {ok, "/public", "", false},
	} {
		o := options()
		o.Limits = Limits{Address: Rate{PerSecond: 100, Burst: 100}, Failed: 20}
		s := router(t, o, c.handler)
		stopped := 0
		for range 20 {
			r := httptest.NewRequest("GET", c.path, nil)
			if c.token != "" {
				r.Header.Set("Authorization", c.token)
			}
			if w, _ := call(s, r); w.Code == 429 {
				stopped++
			}
		}
		if slow := stopped >= 10; slow != c.slow || !c.slow && stopped > 0 {
			t.Errorf("%s: %d of 20 at once were stopped", what, stopped)
		}
		r := httptest.NewRequest("GET", "/public", nil)
		r.RemoteAddr = "203.0.113.9:999"
		if w, _ := call(s, r); w.Code == 429 {
			t.Errorf("%s: another address is stopped", what)
		}
	}
}

func TestTheMemoryOfAMillionCallersIsBounded(t *testing.T) {
	m, before := newMeter(newClock().Now, DefaultLimits.Remembered), heap()
	one := Rate{PerSecond: 1, Burst: 1}
	for i := range 1_000_000 {
		m.take(fmt.Sprint("somebody ", i), one, 1, false)
		if n := len(m.young) + len(m.old); n > DefaultLimits.Remembered {
			t.Fatalf("%d callers are remembered", n)
		}
	}
	if m.take("somebody 999999", one, 1, false) == 0 {
		t.Error("who called last was forgotten")
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("they take %d bytes", grown)
	}
	runtime.KeepAlive(m)
}

// A caller writes into headers what they like: none of it makes another of them.
func TestALimitIsNotPassedByWhatACallerClaims(t *testing.T) {
	for what, c := range map[string]struct {
		from  string
		claim func(i int) string
	}{
		"somebody":                                    {"192.0.2.1", func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }},
		"somebody behind a proxy":                     {"10.0.0.1", func(i int) string { return fmt.Sprintf("198.51.100.%d, 192.0.2.1", i) }},
		"somebody behind two proxies":                 {"10.0.0.1", func(i int) string { return fmt.Sprintf("10.0.0.%d, 198.51.100.%d, 192.0.2.1, 10.0.0.2", i, i) }},
		"somebody with many addresses of one network": {"10.0.0.1", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }},
		"somebody with noise":                         {"10.0.0.1", func(i int) string { return fmt.Sprintf("192.0.2.%d, nonsense", i) }},
	} {
		o := options()
		o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		o.Limits.Address = Rate{PerSecond: 1, Burst: 5}
		s, answered := router(t, o, ok), 0
		for i := range 100 {
			r := httptest.NewRequest("GET", "/public", nil)
			r.RemoteAddr = fmt.Sprintf("%s:%d", c.from, 1000+i)
			r.Header.Set("X-Forwarded-For", c.claim(i))
			for _, name := range []string{"Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Forwarded-Host"} {
				r.Header.Set(name, fmt.Sprintf("for=198.51.100.%d", i))
			}
			r.Host = fmt.Sprint("host-", i)
			if w, _ := call(s, r); w.Code == 200 {
				answered++
			}
		}
		if answered != 5 {
			t.Errorf("%s: %d of 100 requests were answered, want 5", what, answered)
		}
	}
}

func TestALimitOfACallerIsNotPassedFromManyAddresses(t *testing.T) {
	o := options()
	o.Limits = Limits{Staff: Rate{PerSecond: 1, Burst: 5}, Address: Rate{PerSecond: 1, Burst: 5}}
	s, answered := router(t, o, ok), 0
	for i := range 100 {
		r := httptest.NewRequest("GET", "/people/1", nil)
		r.RemoteAddr = fmt.Sprintf("198.51.100.%d:1", i)
		as(r, []string{"bearer", "BEARER", "certificate"}[i%3], access.Registrar)
		if w, _ := call(s, r); w.Code == 200 {
			answered++
		}
	}
	if answered != 5 {
		t.Errorf("%d of 100 requests were answered, want 5", answered)
	}
}

func TestWhoSendsManyBodiesSlowlyKeepsNobodyElseOut(t *testing.T) {
	o := options()
	o.Limits.Concurrent, o.Limits.Each = 10, 5
	s := router(t, o, ok)
	var all sync.WaitGroup
	status := make(chan int, 20)
	reading, body := io.Pipe()
	for range 20 {
		all.Go(func() {
			r := httptest.NewRequest("POST", "/token", reading)
			w, _ := call(s, r)
			status <- w.Code
		})
	}
	for range 15 { // those that are turned away are so at once
		if got := <-status; got != 429 {
			t.Errorf("one too many: %d", got)
		}
	}
	r := httptest.NewRequest("GET", "/public", nil)
	r.RemoteAddr = "203.0.113.9:999"
	if w, _ := call(s, r); w.Code != 200 {
		t.Errorf("another address meanwhile: %d", w.Code)
	}
	body.Close()
	all.Wait()
	if len(s.crowd.of) != 0 {
		t.Errorf("afterwards there are %v", s.crowd.of)
	}
}

func TestAnAddressIsBelievedToSpeakForAnotherOnlyIfItIsTrusted(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ from, forwarded, want string }{
		{"192.0.2.1:1", "", "192.0.2.1"},
		{"192.0.2.1:1", "198.51.100.7", "192.0.2.1"},
		{"10.0.0.1:1", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:1", "198.51.100.7, 10.0.0.2", "198.51.100.7"},
		{"10.0.0.1:1", "1.1.1.1, 198.51.100.7", "198.51.100.7"}, // what a client claims stands further left
		{"10.0.0.1:1", "nonsense", "10.0.0.1"},
		{"[2001:db8::1]:1", "", "2001:db8::/64"},
		{"[::ffff:192.0.2.1]:1", "", "192.0.2.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.from
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := address(r, trusted); got != c.want {
			t.Errorf("%s speaking for %q: %s, want %s", c.from, c.forwarded, got, c.want)
		}
	}
}

func TestWhatIsTooMuchAtOnceIsTurnedAway(t *testing.T) {
	o := options()
	o.Limits.Concurrent = 2
	enter, leave := make(chan bool), make(chan bool)
	s := router(t, o, func(w http.ResponseWriter, r *http.Request) error {
		enter <- true
		<-leave
		return ok(w, r)
	})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { _, _ = call(s, httptest.NewRequest("GET", "/public", nil)) })
		<-enter
	}
	w, _ := call(s, httptest.NewRequest("GET", "/public", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the third: %d", w.Code)
	}
	close(leave)
	all.Wait()
	go func() { <-enter }()
	if w, _ := call(s, httptest.NewRequest("GET", "/public", nil)); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestRequestsAreCountedByOperationAndStatus(t *testing.T) {
	o := options()
	o.Metrics = NewMetrics("1")
	s := router(t, o, ok)
	_, _ = call(s, httptest.NewRequest("GET", "/public", nil))
	_, _ = call(s, httptest.NewRequest("GET", "/public", nil))
	_, _ = call(s, httptest.NewRequest("GET", "/people/900101", nil))
	_, _ = call(s, httptest.NewRequest("GET", "/900101", nil))
	want := `# HELP rollcall_http_requests_total Requests answered.
# TYPE rollcall_http_requests_total counter
rollcall_http_requests_total{route="none",status="404"} 1
rollcall_http_requests_total{route="public",status="200"} 2
rollcall_http_requests_total{route="read",status="401"} 1
`
	if err := testutil.GatherAndCompare(o.Metrics.registry, strings.NewReader(want), "rollcall_http_requests_total"); err != nil {
		t.Error(err)
	}
	w := httptest.NewRecorder()
	o.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if b := w.Body.String(); !strings.Contains(b, `rollcall_http_request_duration_seconds_count{route="public"} 2`) || strings.Contains(b, "900101") {
		t.Errorf("%.2000s", b)
	}
}

func TestATraceHasASpanByOperationWithoutPersonalData(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	o := options()
	o.Traces = sdk.NewTracerProvider(sdk.WithSyncer(spans))
	s := router(t, o, ok)
	r := httptest.NewRequest("GET", "/people/900101?q=900101", nil)
	as(r, "Bearer", access.Registrar)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	_, _ = call(s, r)
	got := spans.GetSpans()
	if len(got) != 1 || got[0].Name != "read" {
		t.Fatalf("%v", got)
	}
	text := fmt.Sprint(got[0].Attributes)
	if strings.Contains(text, "900101") || !strings.Contains(text, "/people/{id}") || !strings.Contains(text, "registrar") {
		t.Error(text)
	}
	if got[0].SpanContext.TraceID().String() == "0af7651916cd43dd8448eb211c80319c" {
		t.Error("a stranger chose the trace")
	}
	o.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's address
	spans.Reset()
	_, _ = call(router(t, o, ok), r)
	if got := spans.GetSpans(); len(got) != 1 || got[0].SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("a trusted proxy's trace is not taken up: %v", got)
	}
}

func TestTheServiceIsReadyWhenNothingFails(t *testing.T) {
	broken := errors.New("disk I/O error")
	h := &Health{Checks: []ReadyCheck{{"the register answers", func(context.Context) error { return nil }}, {"the keys are loaded", func(context.Context) error { return broken }}}}
	table := (&API{Health: h}).health()
	s, err := build(table, options())
	if err != nil {
		t.Fatal(err)
	}
	w, v := call(s, httptest.NewRequest("GET", "/readyz", nil))
	if w.Code != 503 || v["detail"] != "Not ready: the keys are loaded." {
		t.Errorf("%d %v", w.Code, v)
	}
	if w, _ := call(s, httptest.NewRequest("GET", "/healthz", nil)); w.Code != 200 {
		t.Errorf("alive: %d", w.Code)
	}
	broken = nil
	if w, _ := call(s, httptest.NewRequest("GET", "/readyz", nil)); w.Code != 200 {
		t.Errorf("ready: %d", w.Code)
	}
}

// What stands before every handler, with all of it on.
func BenchmarkRouter(b *testing.B) {
	o := options()
	o.Now, o.Metrics, o.Log, o.Limits = time.Now, NewMetrics("1"), slog.New(slog.NewJSONHandler(io.Discard, nil)), DefaultLimits
	o.Limits.Address, o.Limits.Staff = Rate{1e9, 1e9}, Rate{1e9, 1e9}
	s, err := build([]Route{{Name: "read", Method: "GET", Path: "/people/{id}", Roles: access.Registrar, Handler: web.Problem(func(http.ResponseWriter, *http.Request) error { return nil })}}, o)
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/people/1", nil)
	as(r, "Bearer", access.Registrar)
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}
