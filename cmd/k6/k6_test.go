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
			Dropped    int      `json:"dropped_iterations"`
			Violations int      `json:"violations"`
			Findings   []string `json:"findings"`
			ByProperty map[string]struct {
				Violations int `json:"violations"`
			} `json:"by_property"`
		} `json:"live"`
		Expectations []struct {
			Text  string `json:"text"`
			Holds bool   `json:"holds"`
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
