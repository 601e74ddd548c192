package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	loads "rollcall.example/rollcall/scenarios/load"
)

// k6Codes are k6's own exit codes.
var k6Codes = map[int]string{99: "a threshold is crossed", 100: "setup took too long", 101: "teardown took too long", 104: "its options are wrong",
	105: "it was interrupted", 106: "its port is taken", 107: "the script failed", 108: "the load was given up", 109: "a mistake in the program",
	110: "the script marked the load as failed"}

func liveExit(code int) int {
	switch code {
	case exitExpect:
		return exitExpect
	case 104, 107: // thresholds or settings that are misspelt
		return exitUsage
	}
	return exitInternal
}

// scriptFile is the script as a file; what is built in is written with what it shares.
func scriptFile(name, work string) (string, error) {
	if strings.HasSuffix(name, ".js") {
		path, err := filepath.Abs(name)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", fmt.Errorf("--load: %w", err)
		}
		return path, nil
	}
	if !slices.Contains(loads.Names(), name) {
		return "", fmt.Errorf("--load: there is no load %q (built in are %s; a file ends in .js)", name, strings.Join(loads.Names(), ", "))
	}
	dir := filepath.Join(work, "load")
	if err := os.CopyFS(dir, loads.Files()); err != nil {
		return "", err
	}
	return filepath.Join(dir, name+".js"), nil
}

// dashboardFile is k6's own report.
const dashboardFile = "k6-dashboard.html"

// k6LogFile is all that k6 said.
const k6LogFile = "k6.log"

// maxTold is how many lines of k6's are shown: what goes wrong at each iteration
// is said a thousand times.
const maxTold = 40

// refusal is what a script says that does not begin, in a line of k6's.
var refusal = regexp.MustCompile(` msg=("(?:[^"\\]|\\.)*") hint="script exception"`)

// told keeps all that k6 says, shows the beginning of it, and counts how often the
// script failed, for which k6 has neither a metric nor an exit code.
type told struct {
	all, show     io.Writer
	rest          []byte
	lines, failed int
	refused       string // why the script did not begin
}

func (t *told) Write(p []byte) (int, error) {
	if n, err := t.all.Write(p); err != nil {
		return n, err
	}
	for line := range bytes.Lines(append(t.rest, p...)) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			t.rest = bytes.Clone(line)
			return len(p), nil
		}
		if t.lines++; t.lines <= maxTold {
			_, _ = t.show.Write(line) // a terminal that is gone ends no load
		}
		if bytes.Contains(line, []byte(" source=stacktrace")) {
			t.failed++
		}
		if m := refusal.FindSubmatch(line); m != nil {
			said, _ := strconv.Unquote(string(m[1]))
			said, _, _ = strings.Cut(said, "\n") // what follows is where in the script
			t.refused = strings.TrimPrefix(said, "Error: ")
		}
	}
	t.rest = nil
	return len(p), nil
}

// k6Ended is how a load ended, as k6 tells it.
type k6Ended struct {
	code   int
	failed int // iterations in which the script did
	more   int // lines that are in k6.log alone

	refused string // why the script did not begin; empty: it did, or does not say
}

// toldByUs are the settings of a script that this command alone gives, flagOf those that have a
// flag: who named one of them by --env, too, would have it twice.
var (
	toldByUs = []string{"CA", "COMMAND", "CONTROL", "OUT", "SCENARIO", "SERVICE"}
	flagOf   = map[string]string{"ALLOWANCE": "--allowance", "CITIZENS": "--citizens", "DURATION": "--duration", "FIRST": "--first", "RATE": "--rate", "SEED": "--seed",
		"SERIES": "--series", "STATUS_EVERY": "--status-every", "STATUS_TTL": "--status-ttl", "VUS": "--vus"}
)

// settings are what a script is told.
func (f *liveFlags) settings(scenario string, s *loadedService) map[string]string {
	set := map[string]string{
		"SCENARIO": scenario, "SERVICE": s.url, "CA": filepath.Join(f.data, authorityFile), "CONTROL": s.controlURL, "OUT": f.out, "COMMAND": f.command(scenario),
		"SEED": strconv.Itoa(f.seed), "FIRST": strconv.Itoa(f.first), "STATUS_EVERY": inSeconds(f.statusEvery), "STATUS_TTL": inSeconds(f.ttl), "ALLOWANCE": inSeconds(f.allowance),
	}
	if f.citizens > 0 {
		set["CITIZENS"] = strconv.Itoa(f.citizens)
	}
	if f.vus > 0 {
		set["VUS"] = strconv.Itoa(f.vus)
	}
	if f.rate > 0 {
		set["RATE"] = strconv.FormatFloat(f.rate, 'f', -1, 64)
	}
	if f.duration > 0 {
		set["DURATION"] = inSeconds(f.duration)
	}
	if f.series != "" {
		set["SERIES"], _ = filepath.Abs(f.series)
	}
	if strings.HasSuffix(scenario, ".yaml") {
		set["SCENARIO"], _ = filepath.Abs(scenario)
	}
	return set
}

// runK6 lets k6 load the service.
func runK6(ctx context.Context, k6, script string, f *liveFlags, scenario string, s *loadedService, stderr io.Writer) (*k6Ended, error) {
	args := []string{"run", "--quiet", "--no-usage-report", "--address", ""}
	for name, value := range f.settings(scenario, s) {
		args = append(args, "-e", name+"="+value)
	}
	for _, e := range f.env {
		args = append(args, "-e", e)
	}
	c := exec.CommandContext(ctx, k6, append(args, script)...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 20 * time.Second
	log, err := os.Create(filepath.Join(f.out, k6LogFile))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	said := &told{all: log, show: stderr}
	c.Stdout, c.Stderr = io.Discard, said // its summary is ours to print
	c.Env = append(withoutSettings(os.Environ()), "K6_WEB_DASHBOARD=true", "K6_WEB_DASHBOARD_PORT=-1", "K6_WEB_DASHBOARD_PERIOD=2s", "K6_WEB_DASHBOARD_EXPORT="+filepath.Join(f.out, dashboardFile), "NO_COLOR=1")
	if err = startBound(c, nil); err == nil {
		err = c.Wait()
	}
	ended := &k6Ended{failed: said.failed, more: max(0, said.lines-maxTold), refused: said.refused}
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() >= 0 {
		ended.code = e.ExitCode()
		return ended, nil
	}
	return ended, err
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }

const extension = "k6/x/rollcall"

const buildK6 = "build it in a clone of Rollcall: cd cmd/k6 && go build -o k6 .  (then put it beside rollcall, or give it by --k6; docs/load.md)"

// findK6 finds a k6 with our extension: the one that is named, or else beside this
// program, or on PATH.
func findK6(ctx context.Context, named string) (string, error) {
	if named != "" {
		path, err := exec.LookPath(named)
		if err == nil {
			err = extended(ctx, path)
		}
		if err != nil {
			return "", fmt.Errorf("--k6: %w", err)
		}
		return path, nil
	}
	var places []string
	if self, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(self), "k6"))
	}
	var why error
	for _, place := range append(places, "k6") {
		path, err := exec.LookPath(place)
		if err != nil {
			continue // not there
		}
		if err = extended(ctx, path); err == nil {
			return path, nil
		}
		why = cmp.Or(why, err)
	}
	if why != nil {
		return "", why
	}
	return "", fmt.Errorf("there is no k6 beside rollcall or on PATH: %s", buildK6)
}

// extended says what is wrong with a k6.
func extended(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, path, "version").CombinedOutput()
	switch {
	case err != nil:
		return fmt.Errorf("%s does not start: %w", path, err)
	case !strings.Contains(string(out), extension):
		return fmt.Errorf("%s is a k6 without the extension %s: %s", path, extension, buildK6)
	}
	return nil
}
