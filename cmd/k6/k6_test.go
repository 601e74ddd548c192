package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// asK6 makes k6 of the test's binary.
const asK6 = "ROLLCALL_TEST_AS_K6"

func TestMain(m *testing.M) {
	if os.Getenv(asK6) != "" {
		main()
		return
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// ended is how k6 ended.
type ended struct {
	code   int
	said   string // on both outputs
	out    string // folder of the result
	result struct {
		Live struct {
			Valid      bool     `json:"valid"`
			Doubts     []string `json:"doubts"`
			Answers    int      `json:"answers"`
			Wrong      int      `json:"wrong"`
			Unknown    int      `json:"unknown"`
			Iterations int      `json:"iterations"`
			Dropped    int      `json:"dropped_iterations"`
			Violations int      `json:"violations"`
			Findings   []string `json:"findings"`
			ByProperty map[string]struct {
				Violations int `json:"violations"`
			} `json:"by_property"`
		} `json:"live"`
		Expectations []struct {
			Text  string   `json:"text"`
			Value *float64 `json:"value"`
			Holds bool     `json:"holds"`
		} `json:"expectations"`
	}
}

// crossed are the thresholds that do not hold.
func (e *ended) crossed() (all []string) {
	for _, one := range e.result.Expectations {
		if !one.Holds {
			all = append(all, one.Text)
		}
	}
	return all
}

// k6 runs k6 with settings NAME=VALUE for a script.
func k6(t *testing.T, script string, settings ...string) *ended {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e := &ended{out: filepath.Join(t.TempDir(), "out")}
	args := []string{"run", "--quiet", "--no-usage-report", "--no-color", "--address", "", "-e", "OUT=" + e.out}
	for _, s := range settings {
		args = append(args, "-e", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, self, append(args, script)...)
	c.Env = append(os.Environ(), asK6+"=yes")
	said, err := c.CombinedOutput()
	if x, ok := errors.AsType[*exec.ExitError](err); ok {
		e.code = x.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	e.said = string(said)
	text, err := os.ReadFile(filepath.Join(e.out, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &e.result)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return e
}

func load(name string) string { return filepath.Join("..", "..", "scenarios", "load", name+".js") }

// quick are settings of a service and a load with lists that are soon old.
var quick = []string{"STATUS_EVERY=1s", "STATUS_TTL=1s", "ALLOWANCE=2s"}

// built is the program rollcall: ROLLCALL_BINARY, or built once.
var built struct {
	once sync.Once
	path string
	dir  string
	err  error
}

func rollcall(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv("ROLLCALL_BINARY"); built.path != "" {
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "rollcall-k6-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "rollcall")
		c := exec.Command("go", "build", "-o", built.path, "./cmd/rollcall")
		c.Dir = filepath.Join("..", "..")
		if out, err := c.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("rollcall cannot be built: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// lie answers in the service's place, or lets it answer.
type lie func(w http.ResponseWriter, r *http.Request, service http.Handler)

func honest(w http.ResponseWriter, r *http.Request, service http.Handler) { service.ServeHTTP(w, r) }

// serve runs a service with a demonstration behind a gateway that may lie for it, and
// returns the settings by which a load finds it.
func serve(t *testing.T, tell lie) []string {
	t.Helper()
	var behind http.Handler
	gate := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tell(w, r, behind) }))
	gate.StartTLS()
	t.Cleanup(gate.Close)

	dir := t.TempDir()
	c := exec.Command(rollcall(t), "serve", "--data", dir, "--all-open", "--demo", "--demo-residents", "1", "--tls=false", "--listen", "127.0.0.1:0", "--public-url", gate.URL,
		"--copies", "3", "--status-every", "1s", "--status-ttl", "1s")
	for _, limit := range []string{"address", "citizen", "staff", "verifier"} {
		c.Args = append(c.Args, "--rate-"+limit, "1000000000")
	}
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-over
		_ = c.Wait()
	})
	log := bufio.NewReader(said)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listening(t, log)})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	behind = proxy
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, log)
	}()

	ca := filepath.Join(dir, "gateway.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gate.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"SERVICE=" + gate.URL, "CA=" + ca}, quick...)
}

// listening is where a service says that it listens.
func listening(t *testing.T, log *bufio.Reader) string {
	t.Helper()
	for {
		line, err := log.ReadBytes('\n')
		var l struct {
			Address string `json:"listening"`
		}
		if json.Unmarshal(line, &l) == nil && l.Address != "" {
			return l.Address
		}
		if err != nil {
			t.Fatalf("the service does not start: %s", line)
		}
	}
}

// changed lets the service answer, and changes the answer.
func changed(service http.Handler, w http.ResponseWriter, r *http.Request, change func(header http.Header, body []byte) []byte) {
	r.Header.Del("Accept-Encoding")
	real := httptest.NewRecorder()
	service.ServeHTTP(real, r)
	maps.Copy(w.Header(), real.Header())
	body := change(w.Header(), real.Body.Bytes())
	w.Header().Del("Content-Length")
	w.WriteHeader(real.Code)
	_, _ = w.Write(body)
}

// kept answers by the first good answer to each of what name tells apart, for a time;
// "" is not kept.
func kept(d time.Duration, name func(*http.Request) string) lie {
	type answer struct {
		at time.Time
		*httptest.ResponseRecorder
	}
	var mu sync.Mutex
	first := map[string]answer{}
	return func(w http.ResponseWriter, r *http.Request, service http.Handler) {
		n := name(r)
		if n == "" {
			service.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		a, ok := first[n]
		if !ok || time.Since(a.at) > d {
			a = answer{time.Now(), httptest.NewRecorder()}
			r.Header.Del("Accept-Encoding")
			service.ServeHTTP(a, r)
			if a.Code == http.StatusOK {
				first[n] = a
			}
		}
		maps.Copy(w.Header(), a.Header())
		w.WriteHeader(a.Code)
		_, _ = w.Write(a.Body.Bytes())
	}
}

func TestTheExtensionIsListed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "version")
	c.Env = append(os.Environ(), asK6+"=yes")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "k6/x/rollcall [js]") {
		t.Errorf("%s, %v", out, err)
	}
}

// What is wrong with a service is found by the load alone: the threshold is crossed,
// and the result names the property.
func TestAWrongServiceIsFoundByTheLoadAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		tell  lie
		finds []string // one of these properties; none: the service is right
	}{
		{name: "the service itself", tell: honest},
		{name: "the status lists are up to a minute old", finds: []string{"S4"}, tell: kept(time.Minute, func(r *http.Request) string {
			if strings.HasPrefix(r.URL.Path, "/status-lists/") {
				return r.URL.Path
			}
			return ""
		})},
		{name: "the mobile card is left out when the plastic card is lost", finds: []string{"S1", "S3"}, tell: func(w http.ResponseWriter, r *http.Request, service http.Handler) {
			if !strings.HasPrefix(r.URL.Path, "/vp/transactions/") {
				service.ServeHTTP(w, r)
				return
			}
			changed(service, w, r, func(_ http.Header, body []byte) []byte {
				return bytes.ReplaceAll(body, []byte(`"suspended"`), []byte(`"accepted"`))
			})
		}},
		{name: "two people get the same places in the lists", finds: []string{"S11"}, tell: kept(time.Hour, func(r *http.Request) string {
			if r.URL.Path == "/vci/credential" {
				return r.URL.Path
			}
			return ""
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := k6(t, load("smoke"), append(serve(t, c.tell), "VUS=2", "ITERATIONS=1")...)
			l := &e.result.Live
			if !l.Valid || l.Answers == 0 {
				t.Fatalf("valid: %t, %d answers, %v\n%s", l.Valid, l.Answers, l.Doubts, e.said)
			}
			if len(c.finds) == 0 {
				if l.Iterations != 4 { // VUS × ITERATIONS lives, and as many who are late
					t.Errorf("%d iterations", l.Iterations)
				}
				for _, one := range e.result.Expectations {
					if one.Value == nil && !strings.Contains(one.Text, "dropped") {
						t.Errorf("the threshold %s has no value", one.Text)
					}
				}
				if e.code != 0 || l.Violations > 0 || l.Wrong > 0 || len(e.crossed()) > 0 {
					t.Errorf("exit code %d, %d violations, %d wrong, crossed %q\n%s", e.code, l.Violations, l.Wrong, e.crossed(), e.said)
				}
				for _, name := range []string{"report.html", "junit.xml"} {
					if _, err := os.Stat(filepath.Join(e.out, name)); err != nil {
						t.Error(err)
					}
				}
				return
			}
			found := false
			for _, property := range c.finds {
				found = found || l.ByProperty[property].Violations > 0
			}
			if e.code != 99 || !found || !slices.Contains(e.crossed(), "rollcall_violations: count==0") {
				t.Errorf("exit code %d, crossed %q, want 99 and rollcall_violations; violations %v, want one of %s\n%s", e.code, e.crossed(), l.ByProperty, c.finds, e.said)
			}
		})
	}
}

// A generator that cannot hold the rate has measured nothing of the service, however
// good the figures look.
func TestARateThatIsNotHeldIsInvalidNotSlow(t *testing.T) {
	e := k6(t, load("verify"), append(serve(t, func(w http.ResponseWriter, r *http.Request, service http.Handler) {
		if r.URL.Path == "/vp/transactions" {
			time.Sleep(200 * time.Millisecond)
		}
		service.ServeHTTP(w, r)
	}), "RATE=40", "VUS=2", "DURATION=2s")...)
	l := &e.result.Live
	if l.Valid || l.Dropped == 0 || len(l.Doubts) == 0 || !strings.Contains(l.Doubts[len(l.Doubts)-1], "the generator did not hold the rate") {
		t.Errorf("valid: %t, %d dropped, %q\n%s", l.Valid, l.Dropped, l.Doubts, e.said)
	}
	if e.code != 99 || l.Wrong > 0 || !slices.Contains(e.crossed(), "dropped_iterations: count==0") {
		t.Errorf("exit code %d, %d wrong, crossed %q", e.code, l.Wrong, e.crossed())
	}
	if !strings.Contains(e.said, "INVALID") {
		t.Errorf("the summary does not say it:\n%s", e.said)
	}
}

// script writes a load with options for k6, and more for the nation.
func script(t *testing.T, options, more string) string {
	t.Helper()
	nation, err := filepath.Abs(load("nation"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "mine.js")
	text := `import { town } from '` + filepath.ToSlash(nation) + `'
const nation = town('mine', 2, ` + more + `)
export const options = ` + options + `
export function setup() { nation.enter() }
export default function () { nation.citizen().issueByTap() }
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
`
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// What is wrong with a load is said in a sentence that tells what to do.
func TestWhatIsWrongWithALoadIsSaid(t *testing.T) {
	const away = "https://127.0.0.1:1"
	answer := func(code int, header http.Header, body string) lie {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			maps.Copy(w.Header(), header)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	series := filepath.Join(t.TempDir(), "series.csv")
	if err := os.WriteFile(series, []byte("date,region,issued\n2025-01-02,KR-50,3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		tell   lie // nil: the load does not come so far as to ask
		script string
		set    []string
		code   int
		says   string
	}{
		{"no service is named", nil, load("smoke"), nil, 107, "open needs to know where the service is: give service, as in k6 run -e SERVICE=https://localhost:8443"},
		{"nothing answers", nil, load("smoke"), []string{"SERVICE=" + away}, 108, "nothing answers at " + away},
		{"the certificate is another's", honest, load("smoke"), []string{"CA="}, 108, "is not to be trusted: "},
		{"it is no certificate at all", nil, load("smoke"), []string{"SERVICE=" + away, "CA=" + series}, 107, "ca holds no certificate in PEM"},
		{"it is something else", answer(404, nil, "not found"), load("smoke"), nil, 108, "is no Rollcall service, or one of another version"},
		{"it is of another version", answer(200, nil, `{"credential_issuer":"https://there.example"}`), load("smoke"), nil, 108, "names no mobile card (k6 and rollcall serve must be of one version)"},
		{"it is out of order", answer(503, nil, ""), load("smoke"), nil, 108, "answers HTTP 503, 20 times in a row: it is overloaded or out of order, so there is nothing to load"},
		{"its clock is an hour late", func(w http.ResponseWriter, r *http.Request, service http.Handler) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			service.ServeHTTP(w, r)
		}, load("smoke"), nil, 108, "off this machine's: what its log says could not be judged (set both clocks, by NTP)"},
		{"it has no demonstration", func(w http.ResponseWriter, r *http.Request, service http.Handler) {
			if r.URL.Path == "/parties/token" {
				answer(401, nil, `{"error":"invalid_client"}`)(w, r, service)
				return
			}
			service.ServeHTTP(w, r)
		}, load("smoke"), nil, 108, "does the service run with --demo, and has no other run entered the same citizens?"},

		{"there are no citizens", nil, load("smoke"), []string{"SERVICE=" + away, "CITIZENS=0"}, 107, "0 citizens can load nothing (give citizens: 1 or more, at least as many as there are virtual users)"},
		{"there are more virtual users than citizens", nil, load("verify"), []string{"SERVICE=" + away, "CITIZENS=5", "VUS=6", "RATE=1"}, 108, "there may be 6 virtual users and there are 5 citizens: nobody is in two places at once (give citizens: 6 or more, or fewer maxVUs)"},
		{"a setting is no number", nil, load("verify"), []string{"SERVICE=" + away, "RATE=fast"}, 107, "RATE: fast is no number (write RATE=50)"},
		{"a setting is no length of time", nil, load("verify"), []string{"SERVICE=" + away, "DURATION=60"}, 107, "DURATION: 60 is no length of time (write DURATION=1m)"},
		{"opening-day has no series", nil, load("opening-day"), []string{"SERVICE=" + away}, 107, "opening-day takes its rates from a nation run: give SERIES=/path/to/series.csv"},
		{"the series is another table", nil, load("opening-day"), []string{"SERVICE=" + away, "SERIES=" + series}, 107, "has no column issued_tap: it is no series.csv of rollcall run"},
		{"a threshold's metric is misspelt", nil, script(t, `{ thresholds: { rollcall_violation: ['count==0'] } }`, "{}"), []string{"SERVICE=" + away}, 104, `no metric name \"rollcall_violation\" found`},
		{"a threshold is no expression", nil, script(t, `{ thresholds: { rollcall_violations: ['count=0'] } }`, "{}"), []string{"SERVICE=" + away}, 104, "count=0"},
		{"an option of the nation is misspelt", nil, script(t, "{}", "{ citizen: 5 }"), []string{"SERVICE=" + away}, 107, `open knows no option \"citizen\" (known are scenario, service, ca, citizens,`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := c.set
			if c.tell != nil {
				settings = append(serve(t, c.tell), c.set...)
			}
			e := k6(t, c.script, settings...)
			if e.code != c.code || !strings.Contains(e.said, c.says) {
				t.Errorf("exit code %d, want %d, and %q in\n%s", e.code, c.code, c.says, e.said)
			}
			if e.result.Live.Valid {
				t.Error("the result is valid")
			}
			if l := &e.result.Live; c.code == 108 && !strings.Contains(strings.Join(l.Doubts, "\n"), strings.ReplaceAll(c.says, `\"`, `"`)) {
				t.Errorf("the result does not say it: %q", l.Doubts)
			}
		})
	}
}

// For a time half the answers are 503: those decide nothing and are no wrong answers;
// asked again they come, and the history is judged. That so many were missing
// crosses a threshold.
func TestAServiceThatAnswersHalfTheTimeIsNotTakenForAWrongOne(t *testing.T) {
	began := time.Now()
	e := k6(t, load("smoke"), append(serve(t, func(w http.ResponseWriter, r *http.Request, service http.Handler) {
		if rand.N(2) == 0 && time.Since(began) < 8*time.Second {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		service.ServeHTTP(w, r)
	}), "VUS=2", "ITERATIONS=1")...)
	l := &e.result.Live
	if e.code != 99 || !slices.Contains(e.crossed(), "rollcall_unknown: rate<0.01") {
		t.Errorf("exit code %d, crossed %q, want 99 and rollcall_unknown\n%s", e.code, e.crossed(), e.said)
	}
	if !l.Valid || l.Unknown == 0 || l.Wrong > 0 || l.Violations > 0 {
		t.Errorf("valid: %t, %d unknown, %d wrong, %d violations\n%s", l.Valid, l.Unknown, l.Wrong, l.Violations, e.said)
	}
}
