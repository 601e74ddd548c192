package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/servetest"
)

// asK6 makes k6 of the test's binary.
const asK6 = "ROLLCALL_TEST_AS_K6"

func TestMain(m *testing.M) {
	if os.Getenv(asK6) != "" {
		main()
		return
	}
	_ = flag.Set("test.parallel", "8") // most of the time a load waits until lists must be old
	os.Exit(m.Run())
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

// lie answers in the service's place, or lets it answer.
type lie func(w http.ResponseWriter, r *http.Request, service http.Handler)

// serve runs a service that has a fault inside, and returns the settings by which a
// load finds it. tell stands before it, unless it is nil.
func serve(t *testing.T, fault string, tell lie) []string {
	return serveBy(t, "announced", fault, tell)
}

// serveBy is serve by the rules of a scenario.
func serveBy(t *testing.T, scenario, fault string, tell lie) []string {
	t.Helper()
	s, err := scenarios.Load(scenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := servetest.Options{Now: time.Now, Random: rand.Reader, Scenario: s, Wait: func(ctx context.Context, d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	if tell != nil {
		o.Before = func(service http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tell(w, r, service) })
		}
	}
	service := servetest.Start(t, fault, o)
	ca := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(ca, service.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"SERVICE=" + service.URL, "CA=" + ca, "STATUS_EVERY=1s", "STATUS_TTL=1s", "ALLOWANCE=2s"}
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

// named are those wrong services that must be found each time; a campaign has them all.
var named = []string{"", "lists-a-minute-old", "lost-card-leaves-mobile", "index-given-twice"}

// Whatever is wrong inside a service, the load alone finds it: the threshold is
// crossed, the result names the property. With nothing wrong it finds nothing.
func TestAWrongServiceIsFoundByTheLoadAlone(t *testing.T) {
	t.Parallel()
	all := []servetest.Fault{{Does: "nothing is wrong"}}
	for _, f := range servetest.Faults() {
		if os.Getenv("ROLLCALL_CAMPAIGN") != "" || slices.Contains(named, f.Name) {
			all = append(all, f)
		}
	}
	if len(all) <= len(servetest.Faults()) {
		t.Logf("%d of %d wrong services are tried: ROLLCALL_CAMPAIGN=1 tries all", len(all)-1, len(servetest.Faults()))
	}
	for _, f := range all {
		t.Run(strings.ReplaceAll(f.Does, ";", ","), func(t *testing.T) {
			t.Parallel()
			e := k6(t, load("smoke"), append(serve(t, f.Name, nil), "VUS=2", "ITERATIONS=1")...)
			l := &e.result.Live
			if !l.Valid || l.Answers == 0 || l.Iterations != 4 { // two lives, and two who are late
				t.Errorf("valid: %t, %d answers in %d iterations, %v\n%s", l.Valid, l.Answers, l.Iterations, l.Doubts, e.said)
			}
			if f.Name == "" {
				e.right(t)
				return
			}
			found := f.Breaks == nil && l.Wrong > 0 && strings.Contains(e.said, "rollcall: wrong answer: ")
			for _, property := range f.Breaks {
				found = found || l.ByProperty[property].Violations > 0 && strings.Contains(e.said, property+": citizen ")
			}
			if e.code != 99 || !found || !slices.Contains(e.crossed(), "rollcall_violations: count==0") {
				t.Errorf("exit code %d, crossed %q, want 99 and rollcall_violations; violations %v, want one of %s\n%s", e.code, e.crossed(), l.ByProperty, f.Breaks, e.said)
			}
		})
	}
}

// right wants nothing to be wrong, and the result to be whole.
func (e *ended) right(t *testing.T) {
	t.Helper()
	l := &e.result.Live
	if e.code != 0 || l.Violations > 0 || l.Wrong > 0 || len(e.crossed()) > 0 {
		t.Errorf("exit code %d, %d violations, %d wrong, crossed %q\n%s", e.code, l.Violations, l.Wrong, e.crossed(), e.said)
	}
	for _, one := range e.result.Expectations {
		if one.Value == nil && !strings.Contains(one.Text, "dropped") {
			t.Errorf("the threshold %s has no value", one.Text)
		}
	}
	for _, name := range []string{"report.html", "junit.xml"} {
		if _, err := os.Stat(filepath.Join(e.out, name)); err != nil {
			t.Error(err)
		}
	}
}

// A generator that cannot hold the rate has measured nothing of the service, however
// good the figures look.
func TestARateThatIsNotHeldIsInvalidNotSlow(t *testing.T) {
	t.Parallel()
	e := k6(t, load("verify"), append(serve(t, "", func(w http.ResponseWriter, r *http.Request, service http.Handler) {
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

// k6 takes a threshold for kept that is held against nothing: nobody was shown a card, a tag
// is misspelt, a metric is another load's.
func TestAThresholdThatIsHeldAgainstNothingMakesALoadInvalid(t *testing.T) {
	t.Parallel()
	settings := serve(t, "", nil)
	for i, c := range []struct {
		threshold, says string
		code            int
	}{
		{"rollcall_issue_duration: ['p(99)<60000']", "", 0},
		{"'rollcall_issue_duration{channel:tap}': ['p(99)<60000']", "", 0},
		{"rollcall_violations: ['count==0']", "", 0}, // nothing counted is 0
		{"rollcall_present_duration: ['p(99)<50', 'max<90']", "rollcall_present_duration: p(99)<50", 99},
		{"'rollcall_issue_duration{channel:tapp}': ['p(99)<60000']", "rollcall_issue_duration{channel:tapp}: p(99)<60000", 99},
		{"http_req_failed: ['rate<0.1']", "http_req_failed: rate<0.1", 0}, // of k6's own it is known when thresholds have been judged
	} {
		one := append(slices.Clone(settings), "CITIZENS=2", "FIRST="+strconv.Itoa(2*i)) // others than before
		e := k6(t, script(t, "{ thresholds: { rollcall_doubts: ['count==0'], "+c.threshold+" } }", "{}"), one...)
		l := &e.result.Live
		if e.code != c.code || l.Valid != (c.says == "") || l.Answers == 0 {
			t.Errorf("%s: exit code %d, want %d; valid: %t; %q\n%s", c.threshold, e.code, c.code, l.Valid, l.Doubts, e.said)
		}
		if want := "the threshold " + c.says + " is held against nothing: there is no sample of it"; c.says != "" && !strings.Contains(strings.Join(l.Doubts, "\n"), want) {
			t.Errorf("%s: %q", c.threshold, l.Doubts)
		}
	}
}

// Codes that are too late, or another's, are refused; the wait for the one is no answer's time.
func TestAScriptMisusesCodes(t *testing.T) {
	t.Parallel()
	short := filepath.Join(t.TempDir(), "short.yaml")
	if err := os.WriteFile(short, []byte("extends: announced\ntitle: Codes are good for a second\nchannels: {offer_lifetime: 1s}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	e := k6(t, does(t, "{ thresholds: { rollcall_violations: ['count==0'], rollcall_issue_duration: ['max<1900'], 'checks': ['rate==1'] } }", "{}", `
  const c = nation.citizen(), other = nation.citizen()
  for (const answer of [c.scanLate(), c.scanCodeOf(other)]) if (answer.granted || !answer.ok || !answer.reason) throw new Error(JSON.stringify(answer))
`), append(serveBy(t, short, "", nil), "SCENARIO="+short)...)
	if l := &e.result.Live; e.code != 0 || !l.Valid || l.Answers != 2 || strings.Contains(e.said, "stacktrace") {
		t.Errorf("exit code %d, valid: %t, %d answers, crossed %q\n%s", e.code, l.Valid, l.Answers, e.crossed(), e.said)
	}
	e = k6(t, does(t, "{}", "{}", "const c = nation.citizen(); c.scanCodeOf(c)"), serve(t, "", nil)...)
	if e.code != 108 || !strings.Contains(e.said, "scanCodeOf needs another citizen") {
		t.Errorf("exit code %d\n%s", e.code, e.said)
	}
}

// script writes a load with options for k6, and more for the nation.
func script(t *testing.T, options, more string) string {
	return does(t, options, more, "nation.citizen().issueByTap()")
}

// does is such a script whose virtual users do something else.
func does(t *testing.T, options, more, what string) string {
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
export default function () { ` + what + ` }
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
	t.Parallel()
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
	good := filepath.Join(t.TempDir(), "series.csv")
	if err := os.WriteFile(good, []byte("date,issued_tap,issued_centre,verifications,reports_physical,reports_mobile\n2025-01-02,3,1,5,1,1\n"), 0o666); err != nil {
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
		{"the certificate is another's", answer(200, nil, ""), load("smoke"), []string{"CA="}, 108, "is not to be trusted: "},
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

		{"there are no citizens", nil, script(t, "{}", "{ citizens: 0 }"), []string{"SERVICE=" + away}, 107, "0 citizens can load nothing (give citizens: 1 or more, at least as many as there are virtual users)"},
		{"there are more virtual users than citizens", nil, script(t, "{ vus: 6, iterations: 6 }", "{ citizens: 5 }"), []string{"SERVICE=" + away}, 108, "there may be 6 virtual users and there are 5 citizens: nobody is in two places at once (give citizens: 6 or more, or fewer maxVUs)"},
		{"virtual users of smoke would want more citizens", nil, load("smoke"), []string{"SERVICE=" + away, "CITIZENS=8", "VUS=4"}, 107, "CITIZENS: 8 are too few: the virtual users of smoke take 12 at once (write CITIZENS=12, or a lower VUS)"},
		{"virtual users of verify would, too", nil, load("verify"), []string{"SERVICE=" + away, "CITIZENS=5", "VUS=6"}, 107, "CITIZENS: 5 are too few: the virtual users of verify take 6 at once"},
		{"those of loss-wave", nil, load("loss-wave"), []string{"SERVICE=" + away, "CITIZENS=5", "VUS=3"}, 107, "CITIZENS: 5 are too few: the virtual users of loss-wave take 6 at once"},
		{"those of outage", nil, load("outage"), []string{"SERVICE=" + away, "CITIZENS=5", "VUS=5"}, 107, "CITIZENS: 5 are too few: the virtual users of outage take 6 at once"},
		{"those of soak", nil, load("soak"), []string{"SERVICE=" + away, "CITIZENS=5", "VUS=6"}, 107, "CITIZENS: 5 are too few: the virtual users of soak take 6 at once"},
		{"those of saturation", nil, load("saturation"), []string{"SERVICE=" + away, "CITIZENS=5", "VUS=6"}, 107, "CITIZENS: 5 are too few: the virtual users of saturation take 6 at once"},
		{"those of opening-day", nil, load("opening-day"), []string{"SERVICE=" + away, "CITIZENS=3", "VUS=1", "SERIES=" + good}, 107, "CITIZENS: 3 are too few: the virtual users of opening-day take 4 at once"},
		{"a setting is no number", nil, load("verify"), []string{"SERVICE=" + away, "RATE=fast"}, 107, "RATE: fast is no whole number (write RATE=50)"},
		{"a rate has parts", nil, load("verify"), []string{"SERVICE=" + away, "RATE=2.5"}, 107, "RATE: 2.5 is no whole number (write RATE=50)"},
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
				settings = append(serve(t, "", c.tell), c.set...)
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

// Who refuses cards to those who may have them answers wrongly, also before the load.
func TestAWrongAnswerBeforeTheLoadIsFoundWrongNotGivenUp(t *testing.T) {
	t.Parallel()
	e := k6(t, load("verify"), append(serve(t, "", func(w http.ResponseWriter, r *http.Request, service http.Handler) {
		if r.URL.Path == "/vci/credential" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"credential_request_denied"}`)
			return
		}
		service.ServeHTTP(w, r)
	}), "RATE=2", "VUS=2", "CITIZENS=2", "DURATION=1s")...)
	l := &e.result.Live
	if e.code != 108 || l.Valid || l.Wrong == 0 || !slices.Contains(e.crossed(), "rollcall_violations: count==0") {
		t.Errorf("exit code %d, valid: %t, %d wrong, crossed %q\n%s", e.code, l.Valid, l.Wrong, e.crossed(), e.said)
	}
	if !strings.Contains(strings.Join(l.Findings, "\n"), "a rightful application was refused (credential_request_denied)") {
		t.Errorf("found: %q", l.Findings)
	}
}

// For a time half the answers are 503: those decide nothing and are no wrong answers;
// asked again they come, and the history is judged. That so many were missing
// crosses a threshold.
func TestAServiceThatAnswersHalfTheTimeIsNotTakenForAWrongOne(t *testing.T) {
	t.Parallel()
	began := time.Now()
	e := k6(t, load("smoke"), append(serve(t, "", func(w http.ResponseWriter, r *http.Request, service http.Handler) {
		if mathrand.N(2) == 0 && time.Since(began) < 8*time.Second {
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
