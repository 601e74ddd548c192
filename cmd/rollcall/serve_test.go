package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	_ "modernc.org/sqlite"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/sim/demo"
)

// process is a rollcall serve that runs.
type process struct {
	cmd      *exec.Cmd
	url      string
	dir      string
	out, err *output
	ended    chan struct{}
	client   *http.Client
}

// output gathers what a process writes.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	copy io.Writer // nil: none
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.copy != nil {
		_, _ = o.copy.Write(b)
	}
	return o.b.Write(b)
}

// also writes there, too, what there is and what is to come.
func (o *output) also(to io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = to.Write(o.b.Bytes())
	o.copy = to
}

func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

var serves = regexp.MustCompile(`(?m)^Rollcall serves (\S+)$`)

// start starts rollcall serve in a folder, at a free port, and waits until it says
// where it is.
func start(dir string, environment []string, args ...string) (*process, error) {
	path, err := exec.LookPath("rollcall")
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir, out: &output{}, err: &output{}, ended: make(chan struct{})}
	p.cmd = exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, environment, p.out, p.err
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	for wait := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if m := serves.FindStringSubmatch(p.out.String()); m != nil {
			p.url = m[1]
			p.client, err = trusting(filepath.Join(dir, "rollcall-data", authorityFile))
			return p, err
		}
		select {
		case <-p.ended:
			return nil, fmt.Errorf("it ended: %s%s", p.out, p.err)
		default:
		}
		if time.Now().After(wait) {
			_ = p.cmd.Process.Kill()
			return nil, fmt.Errorf("it does not serve: %s%s", p.out, p.err)
		}
	}
}

// end waits for the process and returns its exit code.
func (p *process) end() (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		return 0, errors.New("it does not end")
	}
}

// Words of scripts about the service:
//
//	serving NAME ARGS...       rollcall serve, at a free port; $NAME is its URL
//	fetch STATUS NAME PATH [TOKEN]  GET, with an access token from a file
//	signals NAME SIGNAL        TERM, KILL, HUP
//	ended NAME CODE            it has ended with this exit code; its output is what
//	                           stdout and stderr look at
type served struct {
	mu  sync.Mutex
	all map[*testscript.TestScript]map[string]*process
}

var scripted = served{all: map[*testscript.TestScript]map[string]*process{}}

func (s *served) get(ts *testscript.TestScript, name string) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.all[ts][name]
	if p == nil {
		ts.Fatalf("%s does not serve", name)
	}
	return p
}

func (s *served) serving(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serving NAME ARGS...")
	}
	environment := os.Environ()
	for _, v := range []string{"ROLLCALL_PASSPHRASE", "ROLLCALL_HOME", "ROLLCALL_PKCS11_PIN"} {
		if value := ts.Getenv(v); value != "" {
			environment = append(environment, v+"="+value)
		}
	}
	p, err := start(ts.MkAbs("."), environment, args[1:]...)
	ts.Check(err)
	ts.Defer(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	ts.Setenv(args[0], p.url)
	ts.Setenv(args[0]+"_address", strings.Replace(strings.TrimPrefix(p.url, "https://"), "localhost", "127.0.0.1", 1))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[ts] == nil {
		s.all[ts] = map[string]*process{}
	}
	s.all[ts][args[0]] = p
}

func (s *served) fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: fetch STATUS NAME PATH [TOKEN]")
	}
	p := s.get(ts, args[1])
	q, err := http.NewRequest("GET", p.url+args[2], nil)
	ts.Check(err)
	if len(args) == 4 {
		q.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[3])))
	}
	res, err := p.client.Do(q)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n", body)
	if fmt.Sprint(res.StatusCode) != args[0] {
		ts.Fatalf("%s answers %d, want %s: %s", args[2], res.StatusCode, args[0], body)
	}
}

func (s *served) signals(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signals NAME SIGNAL")
	}
	is, ok := map[string]os.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}[args[1]]
	if !ok {
		ts.Fatalf("no signal is called %s here", args[1])
	}
	ts.Check(s.get(ts, args[0]).cmd.Process.Signal(is))
}

func (s *served) finished(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ended NAME CODE")
	}
	p := s.get(ts, args[0])
	code, err := p.end()
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), p.out)
	fmt.Fprint(ts.Stderr(), p.err)
	if fmt.Sprint(code) != args[1] {
		ts.Fatalf("exit code %d, want %s: %s", code, args[1], p.err)
	}
}

// assert signs the n-th assertion of the demonstration's bank.
func assert(p *process, n int) (string, error) {
	now := time.Now()
	return jws.With(demo.Key("demo-bank")).Token(jws.Header{KeyID: "demo-bank"}, map[string]any{
		"iss": "demo-bank", "sub": "demo-bank", "aud": p.url, "exp": now.Add(4 * time.Minute).Unix(), "jti": fmt.Sprint(now.UnixNano(), n)})
}

// use uses an assertion. An error means that no answer came.
func (p *process) use(assertion string) (status int, code string, err error) {
	res, err := p.client.PostForm(p.url+"/parties/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	var v struct {
		Error string `json:"error"`
		Why   string `json:"error_description"`
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		return 0, "", err
	}
	return res.StatusCode, v.Error + ": " + v.Why, nil
}

// What was acknowledged is so after a SIGKILL: here that an assertion was used.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, os.Environ(), "--demo", "--public-url", "https://localhost", "--rate-verifier", "100000", "--rate-address", "100000")
	if err != nil {
		t.Fatal(err)
	}
	address, ok := strings.CutPrefix(regexp.MustCompile(`"listening":"[^"]+"`).FindString(p.err.String()), `"listening":"`)
	if !ok {
		t.Fatalf("the log does not say where it listens: %s", p.err)
	}
	issuer := p.url
	p.url = "https://" + strings.TrimSuffix(address, `"`)
	var mu sync.Mutex
	var acknowledged []string
	var senders sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for worker := range 8 {
		senders.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				text, err := assert(&process{url: issuer}, worker<<20|n)
				if err != nil {
					t.Error(err)
					return
				}
				status, code, err := p.use(text)
				if err != nil {
					return // killed
				}
				if status != 200 {
					t.Errorf("%d %s", status, code)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, text)
				mu.Unlock()
			}
		})
	}
	for {
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		n := len(acknowledged)
		mu.Unlock()
		if n >= 200 {
			break
		}
		if t.Failed() {
			break
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	stop()
	senders.Wait()

	again, err := start(dir, os.Environ(), "--demo", "--public-url", "https://localhost", "--rate-verifier", "100000", "--rate-address", "1000000")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.cmd.Process.Kill(); <-again.ended }()
	address, _ = strings.CutPrefix(regexp.MustCompile(`"listening":"[^"]+"`).FindString(again.err.String()), `"listening":"`)
	again.url = "https://" + strings.TrimSuffix(address, `"`)
	for _, text := range acknowledged {
		status, code, err := again.use(text)
		if err != nil || status != 401 || !strings.Contains(code, "used before") {
			t.Fatalf("an acknowledged use is lost: %d %s %v", status, code, err)
		}
	}
	t.Logf("%d acknowledged uses survived", len(acknowledged))
}

// half sends the header of a request and half its body on a connection of its own,
// and returns how to send the rest and read the answer.
func (p *process) half(t *testing.T) (rest func() (*http.Response, error)) {
	t.Helper()
	to := strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "https://")
	config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = "localhost", []string{"http/1.1"}
	c, err := tls.Dial("tcp", to, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	body := url.Values{"grant_type": {"password"}}.Encode()
	fmt.Fprintf(c, "POST /parties/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:4])
	return func() (*http.Response, error) {
		if _, err := io.WriteString(c, body[4:]); err != nil {
			return nil, err
		}
		return http.ReadResponse(bufio.NewReader(c), nil)
	}
}

func TestWhatWasBegunIsAnsweredBeforeTheServiceEnds(t *testing.T) {
	p, err := start(t.TempDir(), os.Environ(), "--shutdown-delay", "1s")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	rest := p.half(t)
	time.Sleep(50 * time.Millisecond) // for the header to be read
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	for !strings.Contains(p.err.String(), `"stopping"`) {
		time.Sleep(5 * time.Millisecond)
	}
	if res, err := p.client.Get(p.url + "/readyz"); err != nil || res.StatusCode != 503 {
		t.Errorf("while it is about to stop it says that it is ready: %v %v", res, err)
	}
	for late := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		res, err := p.client.Get(p.url + "/healthz")
		if err != nil {
			break
		}
		res.Body.Close()
		if time.Now().After(late) {
			t.Fatal("it takes new requests while it stops")
		}
	}
	if res, err := rest(); err != nil || res.StatusCode != 400 {
		t.Errorf("what was begun is not answered: %v %v", res, err)
	}
	if code, err := p.end(); code != 0 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	p, err := start(t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	p.half(t)
	time.Sleep(50 * time.Millisecond)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	for !strings.Contains(p.err.String(), `"stopping"`) {
		time.Sleep(5 * time.Millisecond)
	}
	select {
	case <-p.ended:
		t.Fatal("it did not wait for what was begun")
	case <-time.After(300 * time.Millisecond):
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(8 * time.Second):
		t.Error("it waits on")
	}
}

// Spans are sent where OpenTelemetry's standard variables say.
func TestTracesAreSentWhereTheStandardVariablesSay(t *testing.T) {
	got := make(chan []byte, 16)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/traces" {
			got <- b
		}
	}))
	defer collector.Close()
	p, err := start(t.TempDir(), append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_EXPORTER_OTLP_COMPRESSION=none"), "--demo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	if _, err := p.ask("demo-clerk", "GET", "/residents/3?person=900101", nil, nil); err != nil {
		t.Fatal(err)
	}
	var all []byte
	wanted := func() (missing []string) {
		for _, want := range []string{"rollcall", "party-token", "store.update", "resident", "store.view", "/residents/{id}"} {
			if !bytes.Contains(all, []byte(want)) {
				missing = append(missing, want)
			}
		}
		return missing
	}
	for late := time.After(time.Minute); wanted() != nil; {
		select {
		case b := <-got:
			all = append(all, b...)
		case <-late:
			t.Fatalf("the traces do not have %q", wanted())
		}
	}
	for _, secret := range []string{"900101", "demo-clerk", "/residents/3"} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("a trace tells of %s", secret)
		}
	}
}

func TestProfilesAreAtTheOperatorsAddressAndOnlyWhenAskedFor(t *testing.T) {
	for _, profiles := range []bool{false, true} {
		p, err := start(t.TempDir(), os.Environ(), "--ops-listen", "127.0.0.1:0", fmt.Sprintf("--pprof=%v", profiles))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
		ops := regexp.MustCompile(`http://\S+/metrics`).FindString(p.out.String())
		for path, want := range map[string]bool{"/metrics": true, "/readyz": true, "/debug/pprof/heap?debug=1": profiles, "/residents": false} {
			res, err := http.Get(strings.TrimSuffix(ops, "/metrics") + path)
			if err != nil || (res.StatusCode == 200) != want {
				t.Errorf("pprof %v, %s: %v %v", profiles, path, res, err)
			}
		}
		if res, err := p.client.Get(p.url + "/debug/pprof/heap"); err != nil || res.StatusCode != 404 {
			t.Errorf("profiles are for everybody: %v %v", res, err)
		}
	}
}

func TestOnlyTheOwnerMayReadWhatTheServiceKeeps(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of files are those of Unix")
	}
	dir := t.TempDir()
	register := filepath.Join(dir, "elsewhere.db")
	p, err := start(dir, os.Environ(), "--database", register)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	for _, file := range []string{register, register + "-wal", filepath.Join(dir, "rollcall-data"), filepath.Join(dir, "rollcall-data", keysFile), filepath.Join(dir, "rollcall-data", "admin.jwk")} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
}

// Version 6 of the schema is the last that took one registration number for several.
func TestARegisterInWhichTwoShareANumberIsServedAndTheLogSaysWho(t *testing.T) {
	dir := t.TempDir()
	register := filepath.Join(dir, "old.db")
	p, err := start(dir, os.Environ(), "--database", register)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	db, err := sql.Open("sqlite", "file:"+register)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		`DROP TABLE rrn`, `DROP TABLE shared_rrn`, `ALTER TABLE credential DROP COLUMN document`, `ALTER TABLE credential DROP COLUMN formats`, `PRAGMA user_version = 6`,
		`INSERT INTO person VALUES (7, '9001021234560', '김', '하나', '1990-01-02', 70, '', '36110', '', 0, '', 0, 0), (8, '9001021234560', '김', '두리', '1990-01-02', 70, '', '36110', '', 0, '', 0, 0)`,
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = start(dir, os.Environ(), "--database", register); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	if log := p.err.String(); !strings.Contains(log, `"resident":8,"other":7`) || strings.Contains(log, "9001021") {
		t.Errorf("the log: %s", log)
	}
}
