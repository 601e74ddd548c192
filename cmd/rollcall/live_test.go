package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	pprofile "github.com/google/pprof/profile"
	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reports"
)

// fakeK6 stands in for k6 where scripts ask how rollcall live uses it: FAKE_K6 says
// whether it has the extension, loads well, answers wrongly, cannot hold the rate,
// crosses a threshold, or does not understand its script.
func fakeK6() {
	does := os.Getenv("FAKE_K6")
	if os.Args[1] == "version" {
		fmt.Println("k6 v1.8.1")
		if does != "plain" {
			fmt.Println("Extensions:\n  rollcall.example/rollcall (devel), k6/x/rollcall [js]")
		}
		return
	}
	set := map[string]string{}
	for i, arg := range os.Args {
		if arg == "-e" {
			name, value, _ := strings.Cut(os.Args[i+1], "=")
			set[name] = value
		}
	}
	for _, name := range []string{"CA", "SERVICE", "CONTROL", "OUT", "SCENARIO", "STATUS_EVERY"} {
		if set[name] == "" {
			fmt.Fprintln(os.Stderr, "the load is not told", name)
			os.Exit(109)
		}
	}
	if _, err := os.Stat(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(109)
	}
	none := reports.Process{CPU: reports.None(), Share: reports.None()}
	r := &reports.Result{Live: &reports.Live{Load: "smoke", Service: set["SERVICE"], Valid: true, Seconds: 3, Citizens: 12, Iterations: 4, Answers: 40, Judged: true,
		ByProperty: reports.Properties{"S1": {Opportunities: 20}}, Generator: none, Server: none}}
	r.Meta.Scenario, r.Meta.Command, r.Meta.Start, r.Meta.End = set["SCENARIO"], set["COMMAND"], "2026-01-02", "2026-01-02"
	code := 0
	switch does {
	case "wrong":
		r.Live.Wrong, r.Live.Violations, r.Live.ByProperty["S1"] = 1, 2, reports.Property{Opportunities: 20, Violations: 2}
		code = 99
	case "slow":
		r.Expectations = []reports.Expectation{{Text: "rollcall_present_duration: p(95)<2000", Value: 3000}}
		code = 99
	case "overloaded": // a rate that it cannot hold crosses thresholds, too
		r.Live.Valid, r.Live.Dropped, r.Live.Doubts = false, 7, []string{"7 iterations were due and could not begin"}
		r.Expectations = []reports.Expectation{{Text: "rollcall_present_duration: p(95)<2000", Value: 3000}}
		code = 99
	case "broken":
		fmt.Fprint(os.Stderr, strings.Repeat("level=error msg=\"TypeError: Object has no member 'presnt'\" source=stacktrace\n", 100))
	case "refused":
		fmt.Fprintln(os.Stderr, `time="2026-01-02T15:04:05Z" level=error msg="Error: open knows no option \"x\" (known are y)\n\tat town (file:///load/nation.js:30:44(31))\n" hint="script exception"`)
		os.Exit(107)
	case "misspelt":
		fmt.Fprintln(os.Stderr, "no metric name \"rollcall_violation\" found")
		os.Exit(104)
	}
	files, err := reports.RenderLive(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(109)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(set["OUT"], name), text, 0o666); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(109)
		}
	}
	os.Exit(code)
}

func TestWhatIsWrongCountsBeforeWhatIsNotValid(t *testing.T) {
	good := func() *reports.Result {
		return &reports.Result{Verdict: reports.Verdict{Holds: true}, Live: &reports.Live{Valid: true, Judged: true, Answers: 10}}
	}
	for _, c := range []struct {
		name   string
		k6     int
		change func(*reports.Result)
		code   int
		says   string
	}{
		{"all is well", 0, func(*reports.Result) {}, 0, ""},
		{"a wrong answer in an invalid load", 99, func(r *reports.Result) { r.Live.Wrong, r.Live.Valid = 1, false }, exitExpect, "answered wrongly: 1 answers, and 0 violations"},
		{"a violation although k6 is content", 0, func(r *reports.Result) { r.Live.Violations = 1 }, exitExpect, "1 violations by the whole history"},
		{"a crossed threshold", 99, func(r *reports.Result) {
			r.Verdict.Holds, r.Expectations = false, []reports.Expectation{{Text: "rollcall_unknown: rate<0.01"}}
		}, exitExpect, "rollcall_unknown: rate<0.01"},
		{"an invalid load that crosses a threshold", 99, func(r *reports.Result) {
			r.Verdict.Holds, r.Live.Valid, r.Live.Doubts = false, false, []string{"it dropped some"}
		}, exitInternal, "no measurement of the service: it dropped some"},
		{"a load that was given up", 108, func(r *reports.Result) { r.Live.Valid = false }, exitInternal, "k6 ended with 108 (the load was given up)"},
		{"a script that fails", 107, func(*reports.Result) {}, exitUsage, "the script failed"},
		{"a script that judges nothing", 0, func(r *reports.Result) { r.Live.Judged = false }, exitInternal, "was not judged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good()
			c.change(r)
			err := judgeLive(r, c.k6, "announced")
			code, said := 0, ""
			if e, ok := errors.AsType[*exit](err); ok {
				code, said = e.code, e.Error()
			}
			if code != c.code || !strings.Contains(said, c.says) || (said == "") != (c.says == "") {
				t.Errorf("exit code %d, %q; want %d, %q", code, said, c.code, c.says)
			}
		})
	}
}

func TestWithoutK6OneIsToldHowToBuildIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findK6(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "no k6 beside rollcall or on PATH: build it in a clone of Rollcall: cd cmd/k6 && go build -o k6 .") {
		t.Errorf("%v", err)
	}
}

func TestAnotherK6OnThePathIsNotUsed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a shell script is no program on Windows")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	put := func(name, says string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o777); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bare := put("k6", "k6 v1.8.1")
	if got, err := findK6(t.Context(), ""); err == nil || !strings.Contains(err.Error(), bare+" is a k6 without the extension k6/x/rollcall: build it") {
		t.Errorf("found %q, %v", got, err)
	}
	ours := put("ours", "k6 v1.8.1 k6/x/rollcall [js]")
	if got, err := findK6(t.Context(), ours); err != nil || got != ours {
		t.Errorf("found %q, %v", got, err)
	}
}

func TestTheCommandOfALoadRepeatsIt(t *testing.T) {
	usual := liveFlags{load: "outage", citizens: 40, rate: 2.5, seed: 1, env: []string{"KILLS=3"}, out: "elsewhere",
		statusEvery: usualEvery, ttl: usualTTL, allowance: usualAllowance, profileEvery: usualProfile, copies: usualCopies, replicas: 1}
	other := usual
	many := usual
	many.replicas, many.database = 2, "postgres://rollcall:secret@db.internal/rollcall"
	other.statusEvery, other.ttl, other.allowance, other.profileEvery, other.copies = time.Second, 15*time.Second, 2*time.Second, 0, 10
	const as = "rollcall live announced --load outage --citizens 40 --rate 2.5 "
	for want, f := range map[string]liveFlags{
		as + "--env KILLS=3": usual,
		as + "--replicas 2 --database 'postgres://rollcall:********@db.internal/rollcall' --env KILLS=3":      many,
		as + "--status-every 1s --status-ttl 15s --allowance 2s --profile-every 0s --copies 10 --env KILLS=3": other,
	} {
		if got := f.command("announced"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What this command tells a script is not overwritten by --env: the result would be another
// service's, or lie elsewhere.
func TestWhatTheCommandTellsAScriptIsNoOtherSetting(t *testing.T) {
	f := liveFlags{load: "mine.js", citizens: 4, vus: 4, rate: 4, duration: time.Minute, series: "live_test.go", statusEvery: usualEvery, ttl: usualTTL, allowance: usualAllowance, copies: 1, replicas: 1}
	told := f.settings("smoke", &loadedService{})
	if len(told) != len(toldByUs)+len(flagOf) {
		t.Errorf("a script is told %d settings, of which %d are known to be no other's", len(told), len(toldByUs)+len(flagOf))
	}
	for name := range told {
		f.env = []string{name + "=x"}
		err := f.check(func(string) bool { return false })
		flag := flagOf[name]
		if err == nil || !strings.Contains(err.Error(), "--env: "+name+" ") || flag != "" && !strings.Contains(err.Error(), "(write "+flag+" x)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A load that is not profiled has no profiles, also in a folder that another has left.
func TestProfilesOfAnEarlierLoadAreNotTakenForThisOnes(t *testing.T) {
	out := t.TempDir()
	old := filepath.Join(out, profilesDir, "service-001.pprof")
	if err := errors.Join(os.Mkdir(filepath.Dir(old), 0o777), os.WriteFile(old, nil, 0o666), clearLoad(out)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", old, err)
	}
}

// What is built in is there with what it shares, and every load imports the
// extension through it.
func TestTheLoadsThatAreBuiltInBecomeFiles(t *testing.T) {
	path, err := scriptFile("verify", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	shared, err2 := os.ReadFile(filepath.Join(filepath.Dir(path), "nation.js"))
	if err != nil || err2 != nil || !strings.Contains(string(text), "./nation.js") || !strings.Contains(string(shared), extension) {
		t.Errorf("%s; %v; %v", text, err, err2)
	}
}

// underLoad is a service as a load starts it.
func underLoad(t *testing.T, replicas int, database string) *loadedService {
	t.Helper()
	work := t.TempDir()
	f := liveFlags{data: filepath.Join(work, "data"), copies: 2, replicas: replicas, statusEvery: 1e9, ttl: 1e9}
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	s, err := startLoaded(t.Context(), program{path, "rollcall"}, &f, database, "smoke", filepath.Join(work, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// where says at which addresses a service and its processes are.
func (s *loadedService) where() (all []string) {
	all = []string{s.url}
	for _, r := range s.replicas {
		all = append(all, r.listen, r.ops)
	}
	return all
}

// A service under load is one process; killed, it comes back on its data and at its
// addresses.
func TestALoadedServiceIsKilledAndComesBackWhereItWas(t *testing.T) {
	s := underLoad(t, 1, "")
	r := s.replicas[0]
	before, pid := s.where(), r.child.Process.Pid
	spent, known := s.used()
	if err := s.restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	after, _ := s.used()
	if !slices.Equal(before, s.where()) || r.child.Process.Pid == pid || known && after < spent {
		t.Errorf("at %v with %d, processor time %v; before at %v with %d, %v", s.where(), r.child.Process.Pid, after, before, pid, spent)
	}
	if p, err := r.profile(t.Context(), time.Second); err != nil || p.DurationNanos < 9e8 {
		t.Errorf("%v, %v", p, err)
	}
}

// A load that is over before its first profile would be has one all the same, as long as the
// load was; and it is said why there is none.
func TestALoadShorterThanItsProfilesHasOne(t *testing.T) {
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseInt(r.FormValue("seconds"), 10, 64)
		p := pprofile.Profile{SampleType: []*pprofile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, DurationNanos: seconds * 1e9}
		if err == nil {
			err = p.Write(w)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer ops.Close()
	s, dir := &loadedService{replicas: []*loadedReplica{{ops: strings.TrimPrefix(ops.URL, "http://")}}}, t.TempDir()
	if kept, why := s.profiles(t.Context(), dir, time.Hour)(); kept != 1 || why != nil {
		t.Fatalf("%d are kept: %v", kept, why)
	}
	f, err := os.Open(filepath.Join(dir, "service-001.pprof"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p, err := pprofile.Parse(f); err != nil || p.DurationNanos < int64(piece) || p.DurationNanos >= int64(time.Hour) {
		t.Errorf("%v, %v", p, err)
	}
	ops.Close()
	if kept, why := s.profiles(t.Context(), dir, time.Second)(); kept != 0 || why == nil {
		t.Errorf("%d are kept, and why not is %v", kept, why)
	}
}

// Of two behind a balancer one is killed, then the other; whoever is asked by either is
// the same service, and the schema that they had is gone afterwards.
func TestTwoReplicasUnderLoadAreKilledInTurn(t *testing.T) {
	server := schema(t)
	address, drop, err := ownSchema(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	s := underLoad(t, 2, address)
	before := s.where()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	pids := func() []int { return []int{s.replicas[0].child.Process.Pid, s.replicas[1].child.Process.Pid} }
	for n := range 2 {
		was := pids()
		if err := s.restart(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if is := pids(); is[n] == was[n] || is[1-n] != was[1-n] || !slices.Equal(before, s.where()) {
			t.Errorf("killed the %d. time: processes %v, at %v; before %v, at %v", n+1, is, s.where(), was, before)
		}
		for range 4 {
			res, err := client.Get(s.url + "/.well-known/openid-credential-issuer")
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			if res.Body.Close(); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), s.url) {
				t.Errorf("%s: %s, %v", res.Status, text, err)
			}
		}
	}
	s.stop()
	drop()
	c, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var left int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rollcall_live_%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d schemas are left, %v", left, err)
	}
}
